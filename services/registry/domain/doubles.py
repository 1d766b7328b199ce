"""Two entries that may be one person: why one thinks so, how they become one, and how they part again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any

from services.registry.domain.people import OPEN, PERSONAL, ROLES, Registration


class Entry(StrEnum):
    """Where an entry of the register stands."""

    own = "own"
    merged = "merged"
    erased = "erased"


NEXT: dict[Entry, frozenset[Entry]] = {
    Entry.own: frozenset({Entry.merged, Entry.erased}),
    Entry.merged: frozenset({Entry.own, Entry.erased}),
    Entry.erased: frozenset(),
}


def allows(present: Entry, following: Entry) -> bool:
    return following in NEXT[present]


def state_of(document: dict[str, Any]) -> Entry:
    if document["erased"]:
        return Entry.erased
    return Entry.merged if document.get("merged_into") else Entry.own


YEARS_OFF = 1
"""Two ages of one person, each given with a day, tell years of birth that differ by this much at most."""


def reasons(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Why two entries may be one person, in codes; empty where nothing says so.

    The documents hold keyed hashes (`phone_key`, `name_key`, `employer_key`), never the words. A name alone is no
    reason, nor is a name with a year of birth: too many people share both.
    """
    same_name = one["name_key"] == other["name_key"]
    found = []
    if one["phone_key"] == other["phone_key"]:
        found.append("same_phone_same_name" if same_name else "same_phone_other_name")
    if same_name and _years_meet(one["birth_year"], other["birth_year"]):
        if one["employer_key"] and one["employer_key"] == other["employer_key"]:
            found.append("same_name_birth_year_employer")
        if one["unit"] and one["unit"] == other["unit"]:
            found.append("same_name_birth_year_unit")
    return found


def _years_meet(one: int | None, other: int | None) -> bool:
    return one is not None and other is not None and abs(one - other) <= YEARS_OFF


SETS = ("person_types", "qualifications", "roles", "tags", "professions", "networks")
"""The fields in which two entries add up; in the others the one that stays is right, and blanks are filled."""

_BLANK = Registration("", "")
_SINGLE = tuple(
    name for name in (*PERSONAL, *OPEN) if name not in SETS and name not in ("name", "phone", "birth_date", "age")
)


def together(stays: Registration, goes: Registration) -> Registration:
    """One person made of two entries. Name, phone and the statement of the birth are those of the one that stays."""
    changes: dict[str, Any] = {name: _ordered(name, {*getattr(stays, name), *getattr(goes, name)}) for name in SETS}
    for name in _SINGLE:
        if getattr(stays, name) == getattr(_BLANK, name):
            changes[name] = getattr(goes, name)
    if not stays.birth_date and stays.age is None:
        changes["birth_date"] = goes.birth_date
    return replace(stays, **changes)


def apart(present: Registration, stayed: Registration, went: Registration) -> Registration:
    """The one that stayed without what only the other brought.

    `stayed` and `went` are both as they were before they were merged. What was told of the person since then stays.
    """
    was = together(stayed, went)
    changes: dict[str, Any] = {}
    for name in SETS:
        brought = set(getattr(went, name)) - set(getattr(stayed, name))
        changes[name] = _ordered(name, set(getattr(present, name)) - brought)
    for name in (*_SINGLE, "birth_date"):
        if getattr(present, name) == getattr(was, name):
            changes[name] = getattr(stayed, name)
    return replace(present, **changes)


def _ordered(name: str, codes: set[Any]) -> tuple[Any, ...]:
    if name == "roles":
        return tuple(role for role in ROLES if role in codes)
    return tuple(sorted(codes))


def pairs(group: Sequence[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any], list[str]]]:
    """The pairs of a group that may be one person, with their reasons; the older entry comes first."""
    rows = sorted(group, key=lambda row: str(row["_id"]))
    found = []
    for place, one in enumerate(rows):
        for other in rows[place + 1 :]:
            if str(other["_id"]) in one.get("distinct_from", ()):
                continue
            if why := reasons(one, other):
                found.append((one, other, why))
    return found
