"""基层综合管理小组: a town's group, its members over time, and what one of its meetings may say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from enum import StrEnum
from typing import Any

TOWN_DIGITS = 9
"""A group is a town's: 乡镇、街道."""

Seat = tuple[str, str, str]
"""Subject, department and role."""


class Role(StrEnum):
    leader = "leader"
    deputy = "deputy"
    secretary = "secretary"
    member = "member"


def seat(member: Mapping[str, Any]) -> Seat:
    return member["subject"], member["department"], member["role"]


def changes(present: Iterable[Seat], wanted: Iterable[Seat]) -> tuple[set[Seat], set[Seat]]:
    """Who leaves and who joins; another role or department is a leaving and a joining."""
    before, after = set(present), set(wanted)
    return before - after, after - before


def mistake(members: Sequence[Mapping[str, Any]], departments: Iterable[str]) -> tuple[str, str] | None:
    """The first mistake in a list of members as (place, what is wrong)."""
    known = set(departments)
    seen: set[str] = set()
    for number, member in enumerate(members):
        if member["department"] not in known:
            return f"members.{number}.department", "there is no such department"
        if member["subject"] in seen:
            return f"members.{number}.subject", "a person is a member once"
        seen.add(member["subject"])
    if sum(member["role"] == Role.leader for member in members) != 1:
        return "members", "a group has one leader"
    return None


def missing_departments(members: Iterable[Mapping[str, Any]], required: Iterable[str]) -> list[str]:
    """The departments that have to be there and are not, in the policy's order."""
    there = {member["department"] for member in members}
    return [code for code in required if code not in there]


def sat_on(memberships: Iterable[Mapping[str, Any]], day: date) -> set[str]:
    """Who was a member on this day; the day of joining and that of leaving count."""
    text = day.isoformat()
    return {
        one["subject"] for one in memberships if one["since"] <= text and (one["until"] is None or text <= one["until"])
    }
