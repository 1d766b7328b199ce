"""Who may do what to which case."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from chassis.auth import Caller
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from services.crisis import store
from services.crisis.office import Office

OFFICERS = ("duty_officer", "supervisor", "district_centre")
"""The roles that take cases: who is on the line, who watches over the shift, and who is called when both are silent."""

WATCHERS = frozenset({"supervisor", "district_centre"})
"""The roles that see what lies in the strict class without holding the case."""


class Access(StrEnum):
    """Who of an office may see a case: `strict` are only those who hold it, and those who watch over the shift."""

    ordinary = "ordinary"
    strict = "strict"


async def seen_case(case_id: UUID, caller: Caller, tx: Tx) -> Document:
    """An open case that the caller may work on; what lies outside the caller's division does not exist."""
    case = await known_case(case_id, caller, tx)
    if case["state"] != "open":
        raise NotAllowed("the case is closed")
    return case


async def known_case(case_id: UUID, caller: Caller, tx: Tx) -> Document:
    """A case that the caller may see whole, open or not; raises `NotFound`, or `NotAllowed` for the strict class."""
    case = await store.the_case(tx, case_id)
    inside = caller.sees(case["division"])
    if (inside and trusted(case, caller)) or await granted(case_id, caller, tx):
        return case
    if not inside:
        raise NotFound("there is no such case")
    raise NotAllowed("the case is in the strict class: only who holds it sees it", status=403, reason="strict_access")


def role_of(caller: Caller) -> str:
    """The role under which a caller acknowledges."""
    return next((role.replace("_", "-") for role in reversed(OFFICERS) if role in caller.roles), "duty-officer")


def in_office(case: Document, caller: Caller) -> bool:
    """An officer of the case's division who may see it whole."""
    return bool(caller.roles.intersection(OFFICERS)) and caller.sees(case["division"]) and trusted(case, caller)


def trusted(case: Document, caller: Caller) -> bool:
    """Whether the case's access class lets the caller see it."""
    if case.get("access", Access.ordinary) != Access.strict:
        return True
    # Who held it before its clock was started anew holds it still.
    return bool(caller.roles & WATCHERS) or caller.subject in (case["acknowledgement"]["by"], case.get("held_by"))


async def granted(case_id: UUID, caller: Caller, tx: Tx) -> bool:
    """Whether the caller has used emergency access to this case, and it still holds."""
    if not caller.roles.intersection(OFFICERS):
        return False
    grant = await tx.get("grants", f"{case_id}:{caller.subject}")
    return grant is not None and grant["until"] > tx.now


def responds(case: Document, caller: Caller) -> bool:
    """The responder who took the case, wherever the person lives; who was only asked is not, nor who is done."""
    responder = case["responder"]
    return responder["state"] == "accepted" and str(responder["responder_id"]) == caller.subject


def institution_of(caller: Caller) -> UUID | None:
    """The institution that a token names."""
    try:
        return UUID(caller.organisation) if caller.organisation else None
    except ValueError:
        return None


def bound(moment: datetime, field: str, tx: Tx, office: Office) -> None:
    """Raises `Refused` for a time that has passed, or that is later than any plan reaches."""
    horizon = office.policies.at(tx.now).horizon
    if not tx.now < moment <= tx.now + horizon:
        raise Refused("time_out_of_bounds", f"the time must lie within the next {horizon.days} days", field)
