"""The map of the circle: places, how far a walk goes, and the villages that lie outside, by name.

Nothing is fetched: no tiles, no scripts. Marks differ in shape as well as in colour.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as Tree

from services.registry.api.places_page import node, page, rendered, table
from services.registry.domain.coverage import DATUMS, EARTH_METRES, Circle, Place, Point, Reached, State, Village, Way

WIDTH, LOWEST, HIGHEST, EDGE = 1000.0, 420.0, 1400.0, 36.0
LISTED = 500
"""Villages that one list below the map names, at most."""
REASONS = {
    Way.nothing_near: "步行圈内没有场所",
    Way.no_place_in_town: "本镇（街）没有登记开放的场所，村（居）坐标也未登记",
    Way.village_without_point: "村（居）坐标未登记",
    Way.place_without_point: "附近场所的坐标未登记，或坐标系不同",
}


@dataclass(frozen=True)
class Drawn:
    """What a map is of: names by code, and places by name."""

    title: str
    names: Mapping[str, str]
    place_names: Mapping[str, str]
    villages: Sequence[Village]
    places: Sequence[Place]
    reached: Sequence[Reached]


class _Frame:
    """Degrees to pixels: equirectangular about the middle, true to scale over a district."""

    def __init__(self, points: Sequence[Point], margin_metres: float) -> None:
        south, north = min(p.latitude for p in points), max(p.latitude for p in points)
        west, east = min(p.longitude for p in points), max(p.longitude for p in points)
        self._metre = math.degrees(1 / EARTH_METRES)
        self._squeeze = math.cos(math.radians((south + north) / 2))
        self._west = west - margin_metres * self._metre / self._squeeze
        self._north = north + margin_metres * self._metre
        across = (east - west) * self._squeeze / self._metre + 2 * margin_metres
        down = (north - south) / self._metre + 2 * margin_metres
        self.scale = min((WIDTH - 2 * EDGE) / across, (HIGHEST - 2 * EDGE) / down)
        self.height = max(LOWEST, down * self.scale + 2 * EDGE)
        self._left = (WIDTH - across * self.scale) / 2
        self._top = (self.height - down * self.scale) / 2

    def at(self, point: Point) -> tuple[float, float]:
        x = (point.longitude - self._west) * self._squeeze / self._metre * self.scale + self._left
        y = (self._north - point.latitude) / self._metre * self.scale + self._top
        return x, y


Box = tuple[float, float, float, float]
CELL = 60.0


class _Labels:
    """Places words beside their marks where they cover no others; what finds no room is left to the list below."""

    def __init__(self, frame: _Frame) -> None:
        self._taken: dict[tuple[int, int], list[Box]] = defaultdict(list)
        self._height = frame.height

    def occupy(self, *box: float) -> None:
        left, top, right, bottom = box
        for cell in _cells((left, top, right, bottom)):
            self._taken[cell].append((left, top, right, bottom))

    def put(self, svg: Tree.Element, x: float, y: float, words: str, kind: str) -> bool:
        wide = sum(13.2 if ord(sign) > 0x2E80 else 7.2 for sign in words)
        for left, base in ((x + 8, y + 5), (x - 8 - wide, y + 5), (x - wide / 2, y - 9), (x - wide / 2, y + 20)):
            box = (left, base - 12, left + wide, base + 3)
            if box[0] < 2 or box[1] < 2 or box[2] > WIDTH - 2 or box[3] > self._height - 2 or self._meets(box):
                continue
            self.occupy(*box)
            node(svg, "text", words, x=f"{left:.1f}", y=f"{base:.1f}", class_=kind)
            return True
        return False

    def _meets(self, box: Box) -> bool:
        near = (other for cell in _cells(box) for other in self._taken[cell])
        return any(box[0] < b[2] and b[0] < box[2] and box[1] < b[3] and b[1] < box[3] for b in near)


def _cells(box: Box) -> Iterable[tuple[int, int]]:
    """The squares of the map that a box touches, so that few boxes need to be compared."""
    columns = range(int(box[0] // CELL), int(box[2] // CELL) + 1)
    return [(column, row) for column in columns for row in range(int(box[1] // CELL), int(box[3] // CELL) + 1)]


def coverage_page(drawn: Drawn, circle: Circle) -> str:
    """The whole page: numbers, the map, and the lists of villages outside and unknown."""
    html, body = page(f"{drawn.title} 15分钟服务圈")
    minutes = f"{circle.minutes:g}"
    node(body, "h1", f"{drawn.title} {minutes}分钟心理服务圈")
    count = Counter(one.state for one in drawn.reached)
    total = len(drawn.reached)
    told = (
        f"共 {total} 个村（居）：圈内 {count[State.covered]} 个，圈外 {count[State.uncovered]} 个，"
        f"无法判断 {count[State.unknown]} 个；开放场所 {len(drawn.places)} 处。"
    )
    node(body, "p", told, class_="under")
    _map(body, drawn, circle)
    how = (
        f"步行 {minutes} 分钟，每分钟 {circle.metres_per_minute:g} 米，绕行系数 {circle.detour:g}，"
        f"即直线 {circle.metres:.0f} 米。没有坐标的，按场所所在村（居）或登记员声明的相邻村（居）计。"
        "图上写不下的名称见下表。"
    )
    node(body, "p", how, class_="foot")
    _list(body, "圈外的村（居）", (one for one in drawn.reached if one.state is State.uncovered), drawn)
    _list(body, "无法判断的村（居）", (one for one in drawn.reached if one.state is State.unknown), drawn)
    return rendered(html)


def _ground(drawn: Drawn) -> str | None:
    """The coordinate systems that can be drawn together and that most points are told in."""
    told = [*(one.point for one in drawn.villages), *(one.point for one in drawn.places)]
    grounds = Counter(point.ground for point in told if point is not None)
    return max(grounds, key=lambda ground: (grounds[ground], ground)) if grounds else None


def _map(body: Tree.Element, drawn: Drawn, circle: Circle) -> None:
    ground = _ground(drawn)
    villages = [(one, one.point) for one in drawn.villages if one.point is not None and one.point.ground == ground]
    places = [(one, one.point) for one in drawn.places if one.point is not None and one.point.ground == ground]
    if not villages and not places:
        node(body, "p", "还没有登记任何坐标，无法画图；见下表。", class_="lack")
        return
    frame = _Frame([point for _, point in (*villages, *places)], circle.metres)
    svg = node(
        body, "svg", viewBox=f"0 0 {WIDTH:.0f} {frame.height:.0f}", role="img", xmlns="http://www.w3.org/2000/svg"
    )
    node(svg, "title", f"{drawn.title}：场所、步行圈和圈外的村（居）")
    labels = _Labels(frame)
    for _, point in places:
        x, y = frame.at(point)
        node(svg, "circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r=f"{circle.metres * frame.scale:.1f}", class_="circle")
    _legend(svg, frame, labels)
    states = {one.village: one for one in drawn.reached}
    uncovered = []
    for village, point in villages:
        x, y = frame.at(point)
        state = states[village.code].state
        _village_mark(svg, x, y, state, drawn.names[village.code])
        labels.occupy(x - 5, y - 5, x + 5, y + 5)
        if state is State.uncovered:
            uncovered.append((x, y, drawn.names[village.code]))
    for place, point in places:
        x, y = frame.at(point)
        mark = node(svg, "rect", x=f"{x - 5:.1f}", y=f"{y - 5:.1f}", width="10", height="10", class_="place")
        node(mark, "title", drawn.place_names[place.ident])
        labels.occupy(x - 6, y - 6, x + 6, y + 6)
    for x, y, name in uncovered:
        labels.put(svg, x, y, name, "label")
    for place, point in places:
        labels.put(svg, *frame.at(point), drawn.place_names[place.ident], "name")
    used = {point.datum for _, point in (*villages, *places)}
    node(body, "p", f"坐标系：{'、'.join(sorted(DATUMS[one] for one in used))}。", class_="foot")


def _village_mark(svg: Tree.Element, x: float, y: float, state: State, name: str) -> None:
    if state is State.uncovered:
        points = f"{x:.1f},{y - 6:.1f} {x + 6:.1f},{y + 5:.1f} {x - 6:.1f},{y + 5:.1f}"
        mark = node(svg, "polygon", points=points, class_="uncovered")
    else:
        kind = "covered" if state is State.covered else "unknown"
        mark = node(svg, "circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r="4", class_=kind)
    node(mark, "title", name)


def _legend(svg: Tree.Element, frame: _Frame, labels: _Labels) -> None:
    """The meaning of the marks above, and a scale at the lower left."""
    x, y = 16.0, 18.0
    node(svg, "rect", x=f"{x - 5:.0f}", y=f"{y - 5:.0f}", width="10", height="10", class_="place")
    node(svg, "text", "开放的场所", x=f"{x + 10:.0f}", y=f"{y + 5:.0f}", class_="plain")
    for step, (state, words) in enumerate(
        ((State.covered, "圈内村（居）"), (State.uncovered, "圈外村（居）"), (State.unknown, "无法判断")), 1
    ):
        _village_mark(svg, x + step * 130, y, state, words)
        node(svg, "text", words, x=f"{x + step * 130 + 10:.0f}", y=f"{y + 5:.0f}", class_="plain")
    labels.occupy(0, 0, 530, 32)
    metres = _round_metres(160 / frame.scale)
    long, base = metres * frame.scale, frame.height - 16
    node(svg, "path", d=f"M16 {base - 6:.1f} V{base:.1f} H{16 + long:.1f} V{base - 6:.1f}", class_="scale")
    words = f"{metres / 1000:g} 公里" if metres >= 1000 else f"{metres:g} 米"
    node(svg, "text", words, x=f"{24 + long:.1f}", y=f"{base + 1:.1f}", class_="plain")
    node(svg, "text", "北 ↑", x=f"{WIDTH - 50:.0f}", y="22", class_="plain")
    labels.occupy(0, base - 16, long + 110, frame.height)
    labels.occupy(WIDTH - 60, 0, WIDTH, 32)


def _round_metres(metres: float) -> float:
    """The largest of 1, 2 or 5 times a power of ten that is no longer."""
    power = 10.0 ** math.floor(math.log10(metres))
    return max(power * step for step in (1, 2, 5) if power * step <= metres)


def _list(body: Tree.Element, title: str, rows: Iterable[Reached], drawn: Drawn) -> None:
    found = list(rows)
    if not found:
        return
    section = node(body, "section")
    node(section, "h2", f"{title}（{len(found)}）")
    shown = [
        (drawn.names[one.village], drawn.names.get(one.village[:9], ""), one.village, REASONS[one.way])
        for one in found[:LISTED]
    ]
    table(section, ("村（居）", "镇（街）", "代码", "原因"), shown)
    if len(found) > LISTED:
        node(section, "p", f"另有 {len(found) - LISTED} 个未列出，请选更小的区划。", class_="foot")
