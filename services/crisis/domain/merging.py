"""When two cases may be one person's: what speaks for it. A signal proposes; a person decides."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from services.crisis.domain.identity import telephone

SHORTEST = 7
"""A local telephone number without its area has no fewer digits."""


class Signal(StrEnum):
    """Why two cases are proposed as doubles, the strongest first."""

    same_phone = "same_phone"
    same_name = "same_name"
    same_contact = "same_contact"
    same_place_and_time = "same_place_and_time"


def same_number(phone: str) -> str | None:
    """A telephone number as it is compared: digits alone, without the country; `None` where there are too few."""
    digits = telephone(phone)
    return digits if len(digits) >= SHORTEST else None


def compared(fields: dict[str, str], digest: Callable[[str], str]) -> dict[str, str]:
    """What two contacts are compared by: hashes under this service's own key, for it never compares in the clear."""
    number = same_number(fields.get("phone", ""))
    name = "".join(fields.get("name", "").split())
    same = {}
    if number is not None:
        same["phone"] = digest(f"phone:{number}")
    if len(name) > 1:
        same["name"] = digest(f"name:{name}")
    return same


ORDER = {signal: place for place, signal in enumerate(Signal)}


def strength(signals: set[Signal]) -> tuple[int, int]:
    """Sorts the best supported first: the strongest signal, then their number."""
    return min(ORDER[signal] for signal in signals), -len(signals)
