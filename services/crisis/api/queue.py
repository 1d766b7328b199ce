"""The queue: the next case, what the caller holds, the calls of an emergency, and whom a district calls out."""

from __future__ import annotations

from datetime import time
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import ConfigDict, Field, StringConstraints

from chassis.auth import Caller, caller_with
from chassis.clock import now
from contracts.base import DivisionCode
from contracts.crisis import CallOutKind
from services.crisis import commands
from services.crisis.api.cases import ACKNOWLEDGED
from services.crisis.api.desk import Body, Desk, Limit, Officer, view
from services.crisis.commands import emergency, hotlines, queue
from services.crisis.commands.emergency import CallOutcome
from services.crisis.store import queue as store

Keeper = Annotated[Caller, Depends(caller_with(*hotlines.KEEPERS))]
KeeperOrOfficer = Annotated[Caller, Depends(caller_with(*hotlines.KEEPERS, *commands.OFFICERS))]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
Reference = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_/-]{1,40}$")]
Number = Annotated[str, StringConstraints(pattern=r"^[0-9+ -]{3,24}$")]


class AskForNext(Body):
    """`ask` is an id of the asker's own: the same again gives the same case again."""

    ask: UUID | None = None

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"ask": "01970d3b-0000-7000-8000-0000000a5c01"}]}
    )


class CallOut(Body):
    """Who was called: an emergency service or an office, its entry in the directory, and its reference number."""

    id: UUID | None = Field(None, description="An id of the caller's own: sent again it is the same call.")
    service: CallOutKind
    party_id: UUID | None = None
    reference: Reference | None = None

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"service": "comprehensive_governance", "reference": "2026-0817"}]},
    )


class CallTold(Body):
    """What became of a call."""

    outcome: CallOutcome

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"outcome": "nobody_free"}]})


class Party(Body):
    """An office or service that is called out; without times it can be reached around the clock."""

    kind: CallOutKind
    division: DivisionCode
    name: Words
    number: Number
    opens: time | None = None
    closes: time | None = None

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"kind": "health_bureau", "division": "370812", "name": "示例区卫生健康局", "number": "000-0000-0011"}
            ]
        },
    )

    def said(self) -> dict[str, Any]:
        return {
            "kind": self.kind.value,
            "division": self.division,
            "name": self.name,
            "number": self.number,
            "opens": _text(self.opens),
            "closes": _text(self.closes),
        }


def _text(moment: time | None) -> str | None:
    return None if moment is None else moment.strftime("%H:%M")


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""

    @router.post("/next", tags=["queue"])
    async def take_next(caller: Officer, body: Annotated[AskForNext | None, Field()] = None) -> dict[str, Any]:
        """The most urgent case that waits in the caller's division, then the longest waiting: it is the caller's now.

        `case` is null where nothing waits. 403 `not_on_shift` where others of the caller's role are on shift.
        """
        ask = body.ask if body else None
        case = await desk.database.transact(lambda tx: queue.take_next(ask, caller, tx, desk.office))
        if case is None:
            return {"case": None}
        clock = case["acknowledgement"]
        ACKNOWLEDGED.labels(case["tier"]).observe((clock["at"] - clock["since"]).total_seconds())
        return {"case": view(case)}

    @router.get("/held", tags=["queue"])
    async def list_held(caller: Officer, limit: Limit = 50) -> dict[str, Any]:
        """The open cases that the caller holds, the most urgent first."""
        found = await store.held(desk.database, caller.subject, caller.division, limit)
        return {"cases": [view(commands.listed(case, caller)) for case in found]}

    @router.post("/cases/{case_id}/emergency/calls", tags=["queue"])
    async def call_out(case_id: UUID, body: CallOut, caller: Officer) -> dict[str, Any]:
        """The caller has called an emergency service or an office out; contact has to be confirmed in time.

        422 `unknown_party` where the division's directory does not have it.
        """
        return await desk.do(
            lambda tx: emergency.call_emergency(
                case_id, body.service, caller, tx, desk.office, body.party_id, body.reference, body.id
            )
        )

    @router.post("/cases/{case_id}/emergency/calls/{call_id}", tags=["queue"])
    async def tell_call(case_id: UUID, call_id: UUID, body: CallTold, caller: Officer) -> dict[str, Any]:
        """What became of a call: `confirmed` that they are with the person, or why not: the next is called at once.

        409 where it is known already, or where nothing was called.
        """
        if body.outcome is CallOutcome.confirmed:
            return await desk.do(lambda tx: emergency.confirm_emergency(case_id, caller, tx, call_id))
        return await desk.do(lambda tx: emergency.call_failed(case_id, call_id, body.outcome, caller, tx, desk.office))

    @router.put("/call-out-parties/{party_id}", tags=["queue"])
    async def put_party(party_id: UUID, body: Party, caller: Keeper) -> dict[str, Any]:
        """Enter or change one whom a district calls out; the same again changes nothing."""
        return await desk.do(lambda tx: hotlines.put_party(party_id, body.said(), caller, tx))

    @router.delete("/call-out-parties/{party_id}", tags=["queue"])
    async def withdraw_party(party_id: UUID, caller: Keeper) -> dict[str, Any]:
        """The party is called out no more."""
        return await desk.do(lambda tx: hotlines.withdraw_party(party_id, caller, tx))

    @router.get("/call-out-parties", tags=["queue"])
    async def list_parties(caller: KeeperOrOfficer, limit: Limit = 50) -> dict[str, Any]:
        """Whom the caller's division calls out, the nearest first; `missing` are the kinds that it has to have."""
        found = await store.parties_for(desk.database, caller.division, limit)
        wanted = desk.office.shifts.at(now()).call_out.kinds
        there = {party["kind"] for party in found}
        return {"parties": [view(party) for party in found], "missing": [one for one in wanted if one not in there]}
