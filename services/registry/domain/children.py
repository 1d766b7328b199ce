"""The database of children in difficulty: why a child is in it, what help is wanted, and who may look.

The first three kinds of difficulty are those of 国发〔2016〕36号, the others are groups that plans name beside them.
Help follows 扶困、扶心、扶智、扶技. A record is opened by those alone who keep the database in a backbone organisation
of the city, the county or the town that the child lives in, and who meet what the gate asks of `KEEPER`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from contracts.registry import OrganisationKind
from services.registry.domain.children_checks import RecordCheck
from services.registry.domain.versions import PolicyPart, Source, Versioned


class State(StrEnum):
    """Where a record stands: listed, ended because the difficulty is over, or erased for good."""

    listed = "listed"
    ended = "ended"
    erased = "erased"


NEXT: dict[State, frozenset[State]] = {
    State.listed: frozenset({State.ended, State.erased}),
    State.ended: frozenset({State.listed, State.erased}),
    State.erased: frozenset(),
}


def allows(present: State, following: State) -> bool:
    return following in NEXT[present]


DIFFICULTIES = {
    "poverty": "因家庭贫困导致生活、就医、就学等困难",
    "disability": "因自身残疾导致康复、照料、护理和社会融入等困难",
    "guardianship": "因家庭监护缺失或监护不当导致人身安全受到威胁或侵害",
    "orphan": "孤儿",
    "left_behind": "留守儿童",
    "parent_in_prison": "服刑人员子女",
}
HELP = {"hardship": "扶困", "heart": "扶心", "learning": "扶智", "skills": "扶技"}
BASES = {"guardian_consent": "监护人同意", "civil_affairs": "民政部门登记保障"}
"""By what right a child is in the database: 个人信息保护法第三十一条 asks the guardian's consent under 14.

A duty of an office's own stands without it (第十三条第三项); who is no office asks for the consent besides.
"""

KEEPER, HELPER = "children-keeper", "child-helper"
"""The roles of the gate: it is asked when one is given, and again at every reading."""

READ_REASONS = {
    "visit": "上门探访前核对",
    "plan": "安排帮扶",
    "school": "与学校核对",
    "guardian": "联系监护人",
    "correction": "更正记录",
    "emergency": "紧急情况",
    "review": "检查核对",
}
MOVE_REASONS = {
    "resolved": "困难已解除",
    "moved_away": "迁出",
    "again": "再次出现困难",
    "entered_by_mistake": "误登记",
}
ERASE_REASONS = {"guardian_request": "监护人要求", "own_request": "本人要求", "entered_by_mistake": "误登记"}
"""Why something was done, in codes: words about a child would outlive its key."""
OF_AGE, KEPT_LONG_ENOUGH = "of_age", "kept_long_enough"
"""The reasons of what happens with nobody's hand in it."""

PERSONAL = ("name", "birth_date", "school", "address", "guardian", "guardian_phone", "needs")
"""Kept sealed under the child's own key; a task names those that it asks for."""


def key_of(ident: object) -> str:
    """Under which name a child's data key is kept: never that of a person of the register with the same id."""
    return f"child:{ident}"


TASK_FIELDS = tuple(field for field in PERSONAL if field != "birth_date")
"""What a task may ask for: nobody needs a child's birth date to visit it."""

LEVELS = {4: "city", 6: "county", 9: "town"}
"""市县乡三级骨干志愿服务组织: the digits of the divisions that they are of."""


class Age(PolicyPart):
    adult: Annotated[int, Field(ge=18, le=25)]
    source: Source


class Consents(PolicyPart):
    """Below which age the guardian's consent is asked for besides, unless an office of these kinds keeps the record."""

    guardian_below: Annotated[int, Field(ge=14, le=25)]
    offices: tuple[OrganisationKind, ...]
    source: Source


class Retention(PolicyPart):
    """How many days a record that ended is kept, before it is erased with its key."""

    keep_ended_days: Annotated[int, Field(ge=0, le=3660)]
    source: Source


class Pairs(PolicyPart):
    """How many may help one child at a time, how many children one may help, and how long a task lasts at most."""

    helpers_of_a_child: Annotated[int, Field(ge=1, le=50)]
    children_of_a_helper: Annotated[int, Field(ge=1, le=50)]
    longest_days: Annotated[int, Field(ge=1, le=1000)]
    source: Source


class Statistics(PolicyPart):
    """Counts below `few` are not told; none is told of a division finer than `finest_digits`."""

    few: Annotated[int, Field(ge=3, le=100)]
    finest_digits: Annotated[int, Field(ge=4, le=12)]
    source: Source


class ChildrenPolicy(Versioned):
    age: Age
    consent: Consents
    retention: Retention
    record_check: RecordCheck
    pairs: Pairs
    statistics: Statistics


def told_count(count: int, few: int) -> int | None:
    """A count as statistics tell it: None below `few`, else rounded down to a multiple of it."""
    return None if count < few else count // few * few


def scopes(held: Iterable[str], asked: str) -> list[str]:
    """The divisions that are open to who keeps the database of `held`, within the division that is asked for.

    None lies in another, so that nothing is listed twice.
    """
    reached = {max(one, asked, key=len) for one in held if one.startswith(asked) or asked.startswith(one)}
    return sorted(one for one in reached if not any(other != one and one.startswith(other) for other in reached))


def turns_of_age(birth: date, adult: int) -> date:
    """The first day on which a child born that day is of age; whoever is born on 29 February on 1 March."""
    try:
        return birth.replace(year=birth.year + adult)
    except ValueError:
        return date(birth.year + adult, 3, 1)
