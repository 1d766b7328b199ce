"""Who may do what to which case."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from chassis.auth import Caller
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from services.crisis import store
from services.crisis.office import Office

OFFICERS = ("duty_officer", "supervisor", "district_centre")
"""The roles that take cases: who is on the line, who watches over the shift, and who is called when both are silent."""


async def seen_case(case_id: UUID, caller: Caller, tx: Tx) -> Document:
    """An open case within the caller's division; what lies outside does not exist."""
    case = await store.the_case(tx, case_id)
    if not caller.sees(case["division"]):
        raise NotFound("there is no such case")
    if case["state"] != "open":
        raise NotAllowed("the case is closed")
    return case


def role_of(caller: Caller) -> str:
    """The role under which a caller acknowledges."""
    return next((role.replace("_", "-") for role in reversed(OFFICERS) if role in caller.roles), "duty-officer")


def in_office(case: Document, caller: Caller) -> bool:
    """An officer of the case's division."""
    return bool(caller.roles.intersection(OFFICERS)) and caller.sees(case["division"])


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
