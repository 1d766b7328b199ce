"""Cases: their lists, their pages, and what is done to them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from prometheus_client import Histogram
from pydantic import ConfigDict, Field

from chassis.clock import now
from chassis.tx import Document
from contracts.base import Tier
from contracts.crisis import CaseOutcome, EmergencyService
from services.crisis import commands, store
from services.crisis.api.desk import (
    Body,
    Desk,
    Limit,
    Officer,
    Reader,
    Reason,
    RoleName,
    Supervisor,
    WithReason,
    view,
)

ACKNOWLEDGED = Histogram(
    "xinqiao_acknowledgement_seconds",
    "Time from the start of a case's clock to a named person's acknowledgement",
    ["tier"],
    buckets=(30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 86400),
)


Cursor = Annotated[str, Query(pattern=r"^[0-3]\.[0-9]{1,14}\.[0-9a-f]{32}$")]


def _cursor(case: Document) -> str:
    return f"{case['rank']}.{round(case['opened_at'].timestamp() * 1000)}.{case['_id'].hex}"


def _place(cursor: str) -> tuple[int, datetime, UUID]:
    rank, opened_at, key = cursor.split(".")
    return int(rank), datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=int(opened_at)), UUID(hex=key)


class ToTier(Body):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"tier": "high", "reason": "通话中说到今晚的计划"}]}
    )

    tier: Tier
    reason: Reason


class CallEmergency(Body):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"service": "ambulance_120"}]})

    id: UUID | None = Field(None, description="An id of the caller's own: sent again it is the same call.")
    service: EmergencyService


class Close(Body):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"outcome": "risk_reduced", "reason": "两次随访平稳，已在治疗"}]},
    )

    outcome: CaseOutcome
    reason: Reason


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""

    @router.get("/cases", tags=["cases"])
    async def list_cases(
        caller: Officer,
        tier: Tier | None = None,
        waiting: bool | None = None,
        called: RoleName | None = None,
        after: Cursor | None = None,
        limit: Limit = 50,
    ) -> dict[str, Any]:
        """Open cases of the caller's division: the most urgent first, then the longest waiting.

        `called` is the role that the clock calls at present: a district centre asks for what has come up to it.
        `after` is the `next` of the page before; it is absent from the last page.
        """
        place = _place(after) if after else None
        found = await store.open_cases(desk.database, caller.division, limit, tier, waiting, called, place)
        page: dict[str, Any] = {"cases": [view(commands.listed(case, caller)) for case in found]}
        return page | ({"next": _cursor(found[-1])} if len(found) == limit else {})

    @router.get("/attention", tags=["cases"])
    async def list_attention(caller: Officer, after: Cursor | None = None, limit: Limit = 50) -> dict[str, Any]:
        """Open cases where something that should have happened did not, a page at a time as in the list of cases.

        The first page also names the referrals that were drafted and that nobody has sent or taken back in time.
        """
        silent = timedelta(minutes=desk.office.policies.at(now()).responder.silent_minutes)
        place = _place(after) if after else None
        found = await store.needing_attention(desk.database, caller.division, limit, now() - silent, place)
        page: dict[str, Any] = {"cases": [view(commands.listed(case, caller)) for case in found]}
        if place is None:
            drafts = await store.unsent(desk.database, caller.division, now(), limit)
            page["unsent_referrals"] = [
                {
                    "referral_id": one["_id"],
                    "case_id": one["case_id"],
                    "tier": one["tier"],
                    "send_by": one.get("send_by"),
                }
                for one in drafts
            ]
        return page | ({"next": _cursor(found[-1])} if len(found) == limit else {})

    @router.get("/cases/{case_id}", tags=["cases"])
    async def get_case(case_id: UUID, caller: Reader) -> dict[str, Any]:
        """The case with its plan and referral; a responder sees the least of it. Each reading is written down."""
        page = await desk.do(lambda tx: commands.read_case(case_id, caller, tx, desk.office))
        return page | {name: view(page[name]) for name in ("plan", "referral") if page.get(name)}

    @router.post("/cases/{case_id}/acknowledge", tags=["cases"])
    async def acknowledge(case_id: UUID, caller: Officer) -> dict[str, Any]:
        case = await desk.do(lambda tx: commands.acknowledge(case_id, caller, tx, desk.office))
        clock = case["acknowledgement"]
        ACKNOWLEDGED.labels(case["tier"]).observe((clock["at"] - clock["since"]).total_seconds())
        return case

    @router.post("/cases/{case_id}/raise", tags=["cases"])
    async def raise_risk(case_id: UUID, body: ToTier, caller: Officer) -> dict[str, Any]:
        return await desk.do(lambda tx: commands.raise_risk(case_id, body.tier, body.reason, caller, tx, desk.office))

    @router.post("/cases/{case_id}/lowering", tags=["cases"])
    async def propose_lowering(case_id: UUID, body: ToTier, caller: Officer) -> dict[str, Any]:
        """The first person's proposal; nothing is lowered yet."""
        return await desk.do(
            lambda tx: commands.propose_lowering(case_id, body.tier, body.reason, caller, tx, desk.office)
        )

    @router.post("/cases/{case_id}/lowering/agree", tags=["cases"])
    async def agree_to_lower(case_id: UUID, body: WithReason, caller: Supervisor) -> dict[str, Any]:
        """The second person agrees, and the risk is lowered."""
        return await desk.do(lambda tx: commands.agree_to_lower(case_id, body.reason, caller, tx, desk.office))

    @router.post("/cases/{case_id}/emergency", tags=["cases"])
    async def call_emergency(case_id: UUID, body: CallEmergency, caller: Officer) -> dict[str, Any]:
        """110 or 120 was called by the caller."""
        return await desk.do(
            lambda tx: commands.call_emergency(case_id, body.service, caller, tx, desk.office, ident=body.id)
        )

    @router.post("/cases/{case_id}/emergency/confirm", tags=["cases"])
    async def confirm_emergency(case_id: UUID, caller: Officer) -> dict[str, Any]:
        """The emergency service said that it is with the person."""
        return await desk.do(lambda tx: commands.confirm_emergency(case_id, caller, tx))

    @router.post("/cases/{case_id}/emergency/stand-down", tags=["cases"])
    async def stand_down(case_id: UUID, body: WithReason, caller: Supervisor) -> dict[str, Any]:
        return await desk.do(lambda tx: commands.stand_down(case_id, body.reason, caller, tx))

    @router.post("/cases/{case_id}/release", tags=["cases"])
    async def release(case_id: UUID, caller: Reader) -> dict[str, Any]:
        """The responder's part is done."""
        return await desk.do(lambda tx: commands.release(case_id, caller, tx))

    @router.post("/cases/{case_id}/close", tags=["cases"])
    async def close(case_id: UUID, body: Close, caller: Supervisor) -> dict[str, Any]:
        return await desk.do(lambda tx: commands.close(case_id, body.outcome, body.reason, caller, tx, desk.office))

    @router.post("/cases/{case_id}/contact", tags=["cases"])
    async def reveal(case_id: UUID, body: WithReason, caller: Reader) -> dict[str, Any]:
        """The contact in plain, for who has to call back; the reading is logged."""
        found = await desk.database.transact(
            lambda tx: commands.reveal_contacts(case_id, body.reason, caller, tx, desk.office)
        )
        return {"contacts": found}

    @router.post("/cases/{case_id}/contact/erase", tags=["cases"])
    async def erase(case_id: UUID, body: WithReason, caller: Supervisor) -> dict[str, Any]:
        """Delete the person's key: what it takes to call back is gone, from backups too once they expire."""
        return await desk.do(lambda tx: commands.erase_contacts(case_id, body.reason, caller, tx, desk.office))
