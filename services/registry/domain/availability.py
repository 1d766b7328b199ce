"""What people tell of themselves for rosters: languages and dialects, skills, quiet hours, and when they are free.

Free time is told in windows of a week, in minutes after midnight in Asia/Shanghai. They are kept merged, and as blocks
of four hours beside them, by which a search finds who may be free before the windows say who is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta, tzinfo
from types import MappingProxyType

from services.registry.domain.duty import Turn
from services.registry.domain.rosters import days_of

LANGUAGES: Mapping[str, str] = MappingProxyType(
    {
        "mandarin": "普通话",
        "jianghuai": "江淮官话",
        "jilu": "冀鲁官话",
        "zhongyuan": "中原官话",
        "southwestern": "西南官话",
        "northeastern": "东北官话",
        "wu": "吴语",
        "min": "闽语",
        "yue": "粤语",
        "hakka": "客家话",
        "gan": "赣语",
        "xiang": "湘语",
        "jin": "晋语",
        "hui": "徽语",
        "mongolian": "蒙古语",
        "tibetan": "藏语",
        "uyghur": "维吾尔语",
        "kazakh": "哈萨克语",
        "zhuang": "壮语",
        "yi": "彝语",
        "korean": "朝鲜语",
        "english": "英语",
        "sign": "手语",
        "other": "其他",
    }
)
SKILLS: Mapping[str, str] = MappingProxyType(
    {
        "crisis": "心理危机干预",
        "suicide-prevention": "自杀预防",
        "grief": "哀伤辅导",
        "psychological-first-aid": "心理急救",
        "minors": "未成年人心理",
        "elderly": "老年人心理",
        "perinatal": "孕产妇心理",
        "family": "婚姻家庭",
        "addiction": "成瘾",
        "severe-mental-disorder": "严重精神障碍",
        "relaxation": "放松训练",
        "group-work": "团体辅导",
        "social-work": "社会工作",
        "law": "法律",
        "line-work": "热线接听",
        "supervision": "督导",
    }
)
DAY = 24 * 60
BLOCK = 4 * 60
"""Minutes of a block; a week has 42."""


@dataclass(frozen=True, order=True)
class Window:
    """Free on a weekday (1 Monday to 7 Sunday) from minute `start` to minute `end` of the day, 24:00 being 1440."""

    day: int
    start: int
    end: int


def read_minutes(text: str) -> int:
    """Minutes after midnight of ``HH:MM``, up to ``24:00``; raises `ValueError`."""
    hours, _, minutes = text.partition(":")
    total = int(hours) * 60 + int(minutes)
    if not (0 <= int(minutes) < 60 and 0 <= total <= DAY):
        raise ValueError("a time of day is 00:00 to 24:00")
    return total


def write_minutes(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def over_midnight(day: int, start: int, end: int) -> list[Window]:
    """A window as told, where an end before its start is of the next day."""
    if start < end:
        return [Window(day, start, end)]
    following = [Window(day % 7 + 1, 0, end)] if end else []
    return [Window(day, start, DAY), *following]


def merged(windows: Iterable[Window]) -> list[Window]:
    """The same time in the fewest windows, in order."""
    found: list[Window] = []
    for window in sorted(windows):
        last = found[-1] if found else None
        if last is not None and last.day == window.day and window.start <= last.end:
            found[-1] = Window(last.day, last.start, max(last.end, window.end))
        else:
            found.append(window)
    return found


def blocks(windows: Iterable[Window]) -> list[int]:
    """The blocks of the week that the windows touch, 0 to 41."""
    found: set[int] = set()
    for window in windows:
        first, last = window.start // BLOCK, (window.end - 1) // BLOCK
        found.update((window.day - 1) * (DAY // BLOCK) + block for block in range(first, last + 1))
    return sorted(found)


def free_minutes(windows: Iterable[Window]) -> int:
    return sum(window.end - window.start for window in windows)


def covered_by(windows: Iterable[Window], turn: Turn, zone: tzinfo) -> bool:
    """Whether a turn lies wholly in merged windows."""
    given = list(windows)
    for day, whole in days_of(turn.starts_at, turn.ends_at, zone):
        start = (max(turn.starts_at, whole.starts_at) - whole.starts_at) / timedelta(minutes=1)
        end = (min(turn.ends_at, whole.ends_at) - whole.starts_at) / timedelta(minutes=1)
        if not any(w.day == day.isoweekday() and w.start <= start and end <= w.end for w in given):
            return False
    return True
