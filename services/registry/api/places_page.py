"""Pages that people look at or print: built as a tree, so that whatever a name holds is text and never markup.

A page is one file: its only style is in it and allowed by its hash, and no script, picture or font is fetched.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from xml.etree import ElementTree as Tree

from chassis.tx import Document
from services.registry.domain.places_labels import (
    CARE_LEVELS,
    DEMONSTRATIONS,
    FUNCTIONS,
    OCCUPATIONS,
    TYPES,
    WEEKDAYS,
)

STYLE = """
:root { color: #1d2b2a; font-family: "Noto Sans CJK SC", "Source Han Sans SC", "Microsoft YaHei", "PingFang SC",
  "WenQuanYi Zen Hei", sans-serif; line-height: 1.55; }
body { max-width: 60rem; margin: 0 auto; padding: 1.5rem; background: #fff; }
h1 { font-size: 2rem; text-align: center; margin: 0 0 .3rem; }
h2 { font-size: 1.2rem; margin: 1.2rem 0 .4rem; border-bottom: 2px solid #1f6f68; color: #17514c; }
p, li, td, th { unicode-bidi: isolate; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
th, td { border: 1px solid #8aa5a2; padding: .3rem .5rem; text-align: left; vertical-align: top; }
th { background: #e8f1f0; }
section { break-inside: avoid; }
.under { text-align: center; margin: 0; }
.hotline { font-size: 1.5rem; text-align: center; border: 3px solid #1f6f68; padding: .4rem; margin: 1rem 0; }
.hotline strong { font-size: 2.2rem; letter-spacing: .1em; }
.lack { color: #8a2b12; }
.text { white-space: pre-line; margin: .2rem 0 .6rem; }
.foot { margin-top: 1.2rem; font-size: .85rem; color: #4c5f5d; }
svg { width: 100%; height: auto; border: 1px solid #8aa5a2; background: #fbfdfc; }
.circle { fill: #1f6f68; fill-opacity: .12; stroke: #1f6f68; stroke-width: 1.5; }
.place { fill: #0f4f49; }
.covered { fill: #2f8f5b; }
.uncovered { fill: #c4391d; }
.unknown { fill: #fff; stroke: #7a6a00; stroke-width: 2; }
.label { font-size: 13px; fill: #8a2b12; paint-order: stroke; stroke: #fff; stroke-width: 3px; }
.name { font-size: 12px; fill: #0f4f49; paint-order: stroke; stroke: #fff; stroke-width: 3px; }
.scale { stroke: #1d2b2a; stroke-width: 2; fill: none; }
.plain { font-size: 13px; fill: #1d2b2a; }
@page { size: A4; margin: 14mm; }
@media print { body { padding: 0; max-width: none; } .noprint { display: none; } a { color: inherit; } }
@media print and (min-width: 270mm) { :root { font-size: 150%; } }
"""
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "content-security-policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'; sandbox",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
    }
)
NOT_TOLD = "（尚未登记）"


@dataclass(frozen=True)
class Person:
    """Who works at a place; `name` is empty where the person does not want to be named."""

    name: str
    occupation: str
    full_time: bool
    certificate: bool | None


def node(parent: Tree.Element, tag: str, text: str | None = None, **attributes: str) -> Tree.Element:
    """An element under a parent; `class_` is written `class`."""
    found = Tree.SubElement(parent, tag, {name.rstrip("_").replace("_", "-"): v for name, v in attributes.items()})
    found.text = text
    return found


def page(title: str) -> tuple[Tree.Element, Tree.Element]:
    """An empty page, and its body."""
    html = Tree.Element("html", {"lang": "zh-CN"})
    head = node(html, "head")
    node(head, "meta", charset="utf-8")
    node(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    node(head, "title", title)
    node(head, "style", STYLE)
    return html, node(html, "body")


def rendered(html: Tree.Element) -> str:
    return "<!doctype html>\n" + Tree.tostring(html, encoding="unicode", method="html")


def table(parent: Tree.Element, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    found = node(parent, "table")
    top = node(found, "tr")
    for head in heads:
        node(top, "th", head)
    for row in rows:
        line = node(found, "tr")
        for cell in row:
            node(line, "td", cell)


def wall_page(
    place: Document,
    host: str | None,
    people: Sequence[Person],
    fees: Sequence[Document] | None,
    hotline: str,
    today: date,
    *,
    names: bool = True,
) -> str:
    """What has to be posted: rules, staff and their qualifications, opening hours, the hotline, of a centre its fees.

    `fees` is None where the place posts none; without `names`, staff are counted by what they are qualified for.
    What is lacking is said, so that nobody posts a page with a gap unseen.
    """
    html, body = page(f"{place['name']} 公示")
    node(body, "h1", place["name"])
    under = "　".join(filter(None, (TYPES[place["type"]].label, host, place["address"])))
    node(body, "p", under, class_="under")
    if honours := _honours(place):
        node(body, "p", honours, class_="under")
    line = node(body, "p", "全国统一心理援助热线 ", class_="hotline")
    node(line, "strong", hotline)
    _hours(body, place)
    _functions(body, place)
    _qualifications(body, people, names=names)
    if fees is not None or place["type"] in ("centre", "minor_centre"):
        _fees(body, fees)
    _rules(body, place)
    foot = f"{today.year}年{today.month}月{today.day}日印制　登记编号 {place['_id']}　第 {place['revision']} 版"
    node(body, "p", foot, class_="foot")
    return rendered(html)


def _honours(place: Document) -> str:
    care = place["care_level"]
    shown = place["demonstration"]
    return "　".join(
        filter(
            None,
            (
                f"{CARE_LEVELS[care]}老年心理关爱点" if care else "",
                f"{DEMONSTRATIONS[shown['level']]}{shown['title']}" if shown else "",
            ),
        )
    )


def _section(body: Tree.Element, title: str) -> Tree.Element:
    section = node(body, "section")
    node(section, "h2", title)
    return section


def _lacking(section: Tree.Element) -> None:
    node(section, "p", NOT_TOLD, class_="lack")


def _hours(body: Tree.Element, place: Document) -> None:
    section = _section(body, "开放时间")
    if not place["hours"]:
        _lacking(section)
        return
    rows = []
    for weekday, label in enumerate(WEEKDAYS, 1):
        spans = [f"{one['opens']}—{one['closes']}" for one in place["hours"] if one["weekday"] == weekday]
        rows.append((label, "、".join(spans) or "休息"))
    table(section, ("日期", "时间"), rows)


def _functions(body: Tree.Element, place: Document) -> None:
    if place["functions"]:
        section = _section(body, "服务功能")
        node(section, "p", "、".join(FUNCTIONS[one] for one in place["functions"]))


def _qualifications(body: Tree.Element, people: Sequence[Person], *, names: bool) -> None:
    section = _section(body, "从业人员资质")
    if not people:
        _lacking(section)
        return
    certificates = {True: "有", False: "无", None: "未核验"}
    if not names:
        posts = Counter((one.occupation, one.full_time, one.certificate) for one in people)
        counted = [
            (OCCUPATIONS[occupation], "专职" if full_time else "兼职", certificates[certificate], f"{count} 人")
            for (occupation, full_time, certificate), count in sorted(posts.items(), key=lambda one: str(one[0]))
        ]
        table(section, ("岗位", "专（兼）职", "国家职业资格证书", "人数"), counted)
        return
    rows = [
        (
            one.name or "（未署名）",
            OCCUPATIONS[one.occupation],
            "专职" if one.full_time else "兼职",
            certificates[one.certificate],
        )
        for one in people
    ]
    table(section, ("姓名", "岗位", "专（兼）职", "国家职业资格证书"), rows)


def _fees(body: Tree.Element, fees: Sequence[Document] | None) -> None:
    section = _section(body, "收费标准")
    if fees is None:
        _lacking(section)
    elif not fees:
        node(section, "p", "本中心服务全部免费")
    else:
        table(section, ("项目", "标准"), [(one["item"], f"{one['yuan']} 元/{one['unit']}") for one in fees])


def _rules(body: Tree.Element, place: Document) -> None:
    section = _section(body, "相关制度")
    if not place["rules"]:
        _lacking(section)
        return
    for number, rule in enumerate(place["rules"], 1):
        node(section, "p", f"{number}. {rule['title']}")
        if rule["text"]:
            node(section, "p", rule["text"], class_="text")
