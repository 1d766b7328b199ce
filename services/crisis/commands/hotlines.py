"""The directory of lines and of whom a district calls out."""

from __future__ import annotations

from uuid import UUID

from chassis.auth import Caller
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from services.crisis.commands.shifts_watch import watch
from services.crisis.domain.hotlines import Category, shortfalls
from services.crisis.office import Office
from services.crisis.store import hotlines as store

KEEPERS = ("operator", "supervisor", "district_centre")


async def put_hotline(line_id: UUID, said: Document, caller: Caller, tx: Tx, office: Office) -> Document:
    """Enter a line or change it; the answer says what it lacks of what its category asks.

    A line that lacks something may be in the directory, but not in service: `Refused` names the first field.
    """
    caller.needs(*KEEPERS)
    if not caller.sees(said["division"]):
        raise NotFound("there is no such division")
    known = await tx.get("hotlines", line_id)
    if known is not None and not caller.sees(known["division"]):
        raise NotFound("there is no such line")
    if known is not None and {name: known[name] for name in said} == said:
        return known
    policy = office.shifts.at(tx.now)
    lacks = shortfalls(said, policy.categories[Category(said["category"])], policy.lines)
    if said["in_service"] and lacks:
        raise Refused(lacks[0]["reason"], lacks[0]["detail"], lacks[0]["field"])
    if said["code"] is not None:
        other = await store.line_of_code(tx, said["code"])
        if other is not None and other["_id"] != line_id:
            raise NotAllowed("another line has this code", reason="code_taken", field="code")
    line: Document = {
        "_id": line_id,
        **said,
        "shortfalls": lacks,
        "policy": policy.version,
        "set_by": caller.subject,
        "set_at": tx.now,
    }
    tx.put("hotlines", line)
    # An open line has to be staffed from now on: its gaps are looked for even before its first shift is planned.
    for division in {said["division"], known["division"] if known else said["division"]}:
        await watch(division, tx, office, tell=False)
    return line


async def put_party(party_id: UUID, said: Document, caller: Caller, tx: Tx) -> Document:
    """Enter or change one whom a district calls out: health, emergency management, police, and so on."""
    caller.needs(*KEEPERS)
    if not caller.sees(said["division"]):
        raise NotFound("there is no such division")
    known = await tx.get("call_out_parties", party_id)
    if known is not None and not caller.sees(known["division"]):
        raise NotFound("there is no such party")
    if known is not None and known["withdrawn_at"] is None and {name: known[name] for name in said} == said:
        return known
    party: Document = {"_id": party_id, **said, "withdrawn_at": None, "set_by": caller.subject, "set_at": tx.now}
    tx.put("call_out_parties", party)
    return party


async def withdraw_party(party_id: UUID, caller: Caller, tx: Tx) -> Document:
    """The party is not called out any more; what was recorded of it stays readable."""
    caller.needs(*KEEPERS)
    party = await tx.get("call_out_parties", party_id)
    if party is None or not caller.sees(party["division"]):
        raise NotFound("there is no such party")
    if party["withdrawn_at"] is None:
        party["withdrawn_at"] = tx.now
        tx.put("call_out_parties", party)
    return party
