"""What people and programmes tell who are no hotline system: whose it is, and from when on it is a concern."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from contracts.hotline import CheckInMissed, Setting, Way
from services.crisis.domain.forms import MAY_RAISE, OFFICERS

SETTINGS: dict[str, Setting] = {
    "volunteer": Setting.community,
    "community_worker": Setting.community,
    "grid_worker": Setting.community,
    "surveyor": Setting.community,
    "class_teacher": Setting.school,
    "school_counsellor": Setting.school,
}
"""Where a role's own concerns begin; an officer's are the line's, but for a school's warning or a missed greeting."""

ORDER = ("supervisor", "duty_officer", "district_centre", *SETTINGS)
"""Who has several roles acts in the first of these that may fill in the form."""


def acting_role(roles: Iterable[str], way: Way) -> str | None:
    """The role in which a caller fills in this form; None where no role may."""
    held = frozenset(roles) & MAY_RAISE[way]
    return next((role for role in ORDER if role in held), None)


def setting_of(role: str, way: Way) -> Setting:
    """Where the chain of people begins."""
    if role in OFFICERS:
        return {Way.school_warning: Setting.school, Way.missed_check_in: Setting.community}.get(way, Setting.line)
    return SETTINGS[role]


def became(concern_by: str, case: dict[str, Any] | None, role: str) -> str:
    """What became of a concern, in a word that tells nothing about the person.

    `on_its_way`, `waiting` for a named person, `received` by one, `taken_up` by the line, or `closed`. The class learns
    no more than `received` of a case that is withheld from it.
    """
    if case is None:
        return "on_its_way"
    chain = case.get("chain") or {}
    received = any(hop["received_by"] not in (None, concern_by) for hop in chain.get("hops", ()))
    if role == "class_teacher" and chain.get("withheld"):
        return "received" if received else "waiting"
    if case["state"] != "open":
        return "closed"
    if case["acknowledgement"]["state"] == "acknowledged":
        return "taken_up"
    return "received" if received else "waiting"


def count_missed(known: dict[str, Any] | None, event: CheckInMissed) -> dict[str, Any] | None:
    """The absence as it stands with this miss: `last_seen_at`, `missed` by programme, `raised`; None where the event is
    of an absence that is over.

    Who was seen since has a later `last_seen_at`, and so has whoever is counted from the beginning again.
    """
    if known is None:
        return _absence(event)
    before, seen = known["last_seen_at"], event.last_seen_at
    if seen != before:
        later = seen is not None and (before is None or seen > before)
        return _absence(event) if later else None
    counted = known["missed"].get(event.programme.value, 0)
    if event.occurred_at > known["as_of"] and event.missed < counted:
        return _absence(event)
    missed = {**known["missed"], event.programme.value: max(counted, event.missed)}
    return {**known, "missed": missed, "as_of": max(known["as_of"], event.occurred_at)}


def _absence(event: CheckInMissed) -> dict[str, Any]:
    return {
        "last_seen_at": event.last_seen_at,
        "missed": {event.programme.value: event.missed},
        "as_of": event.occurred_at,
        "raised": None,
    }


def contacts_within(moments: Iterable[datetime], now: datetime, hours: int) -> int:
    """How many of these contacts lie in the window up to now."""
    return sum(1 for moment in moments if moment > now - timedelta(hours=hours))
