"""Two entries that may be one person: why one thinks so, how they become one, and how they part again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any

from services.registry.domain.availability import DAY, Window, merged
from services.registry.domain.consents import Consent
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


def births_clash(one: Mapping[str, Any], other: Mapping[str, Any], today: str) -> bool:
    """Whether both entries tell a birth and only one of them that of a minor: nobody grows up by a merge."""
    minors = {row["minor_until"] is not None and today < row["minor_until"] for row in (one, other)}
    return len(minors) > 1 and None not in (one["birth_year"], other["birth_year"])


def consent_of_both(stays: Mapping[str, Any] | None, goes: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The later of two consents to one purpose; of the same day, the withdrawal."""
    if stays is None or goes is None:
        return goes if stays is None else stays
    return max((stays, goes), key=lambda one: (one["on"], one["state"] == Consent.withdrawn))


def pledge_of_both(stays: Mapping[str, Any] | None, goes: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The newer of two pledges."""
    if stays is None or goes is None:
        return goes if stays is None else stays
    return max((stays, goes), key=lambda one: (one["signed_on"], one["version"]))


def cap_of_both(stays: int | None, goes: int | None) -> int | None:
    """The fewer hours a week of those that were told."""
    return min((hours for hours in (stays, goes) if hours is not None), default=None)


def quiet_of_both(stays: tuple[int, int] | None, goes: tuple[int, int] | None) -> tuple[int, int] | None:
    """The shortest stretch of the day that has both in it, in minutes after midnight; at most a minute less than a
    day, because the same minute twice is no quiet hour at all."""
    if stays is None or goes is None or stays == goes:
        return goes if stays is None else stays
    both = (stays, goes)

    def reaches(start: int) -> int:
        return max((begin - start) % DAY + (end - begin) % DAY for begin, end in both)

    start = min((stays[0], goes[0]), key=reaches)
    return start, (start + min(reaches(start), DAY - 1)) % DAY


def windows_of_both(stays: Sequence[Window], goes: Sequence[Window]) -> list[Window]:
    """When a person is free by both; by the one that stays, where nothing is left."""
    if not (stays and goes):
        return list(stays or goes)
    cut = [
        Window(one.day, max(one.start, other.start), min(one.end, other.end))
        for one in stays
        for other in goes
        if one.day == other.day and max(one.start, other.start) < min(one.end, other.end)
    ]
    return merged(cut) or list(stays)


def codes_apart(present: Iterable[str], stayed: Iterable[str], went: Iterable[str]) -> list[str]:
    """A list of codes without what only the other brought."""
    return sorted(set(present) - (set(went) - set(stayed)))


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
