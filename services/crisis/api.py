"""The crisis service over HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from prometheus_client import Histogram
from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints
from pydantic_core import from_json

from chassis.auth import Caller, caller_with
from chassis.clock import now
from chassis.errors import NotFound, Refused
from chassis.service import Service
from chassis.tx import Document, Tx
from contracts.base import Tier
from contracts.crisis import CaseOutcome, EmergencyService, ReferralState
from services.crisis import commands, store
from services.crisis.case import Office
from services.crisis.domain.matters import Decision, Matter
from services.crisis.intake import accept_flag

Officer = Annotated[Caller, Depends(caller_with(*commands.OFFICERS))]
Supervisor = Annotated[Caller, Depends(caller_with("supervisor"))]
Receiver = Annotated[Caller, Depends(caller_with("receiver"))]
HotlineSystem = Annotated[Caller, Depends(caller_with("hotline"))]
Reader = Annotated[Caller, Depends(caller_with(*commands.OFFICERS, "volunteer"))]
Limit = Annotated[int, Query(ge=1, le=200)]
Called = Annotated[str, Query(pattern="^[a-z0-9-]{1,40}$")]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=500)]


ACKNOWLEDGED = Histogram(
    "xinqiao_acknowledgement_seconds",
    "Time from the start of a case's clock to a named person's acknowledgement",
    ["tier"],
    buckets=(30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 86400),
)


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class WithReason(_Body):
    reason: Reason


class ToTier(_Body):
    tier: Tier
    reason: Reason


class CallEmergency(_Body):
    service: EmergencyService


class Refer(_Body):
    organisation_id: UUID | None = None
    override_reason: Reason | None = None


class ReferralAnswer(_Body):
    state: ReferralState
    reason: Reason | None = None
    at: AwareDatetime | None = None


class Attempt(_Body):
    outcome: Literal["reached", "no_answer", "number_not_in_use", "answered_by_another", "refused_to_talk"]


class Decide(_Body):
    decision: Decision
    reason: Reason
    next_at: AwareDatetime | None = None
    about: Matter | None = None


class Close(_Body):
    outcome: CaseOutcome
    reason: Reason


def view(document: Document) -> dict[str, Any]:
    """A document as it is answered: `_id` is `id`, and nothing that is sealed."""
    return {("id" if name == "_id" else name): value for name, value in document.items() if name != "sealed"}


def routes(app: FastAPI, service: Service, office: Office) -> None:
    """All routes of the service."""
    database = service.database
    router = APIRouter(prefix="/v1")

    async def do(command: Callable[[Tx], Awaitable[Document]]) -> dict[str, Any]:
        return view(await database.transact(command))

    @router.post("/flags", status_code=202, tags=["hotline"])
    async def post_flag(request: Request, caller: HotlineSystem) -> dict[str, Any]:
        """Take one `hotline.risk_flagged`, a CloudEvent in structured mode; 202 once it is durable."""
        try:
            document = from_json(await request.body())
        except ValueError as error:
            raise Refused("malformed_json", f"the body is not JSON: {error}", "body") from error
        traceparent = request.headers.get("traceparent")
        return await accept_flag(document, traceparent, caller, service.bus, database, office.policies)

    @router.get("/flags/{flag_id}", tags=["hotline"])
    async def get_flag(
        flag_id: UUID, caller: Annotated[Caller, Depends(caller_with("hotline", *commands.OFFICERS))]
    ) -> dict[str, Any]:
        """What became of a flag: the case that it opened or joined."""
        case = await store.case_of_flag(database, flag_id)
        row = next((row for row in case["flags"] if row["id"] == flag_id), None) if case else None
        own = row is not None and "hotline" in caller.roles and caller.hotline == row["hotline"]
        if case is None or row is None or not (own or commands.in_office(case, caller)):
            raise NotFound("there is no such flag, or it is not a case yet")
        return {"flag_id": flag_id, "case_id": case["_id"], "case_state": case["state"]}

    @router.get("/sealing-key", tags=["hotline"])
    async def sealing_key(
        caller: Annotated[Caller, Depends(caller_with("hotline", "operator"))],
    ) -> dict[str, Any]:
        """The public key that hotlines seal contacts to, as a JWK."""
        return office.envelope.public_jwk()

    @router.get("/cases", tags=["cases"])
    async def list_cases(
        caller: Officer,
        tier: Tier | None = None,
        waiting: bool | None = None,
        called: Called | None = None,
        limit: Limit = 50,
    ) -> dict[str, Any]:
        """Open cases of the caller's division: the most urgent first, then the longest waiting.

        `called` is the role that the clock calls at present: a district centre asks for what has come up to it.
        """
        found = await store.open_cases(database, caller.division, limit, tier, waiting, called)
        return {"cases": [view(case) for case in found]}

    @router.get("/attention", tags=["cases"])
    async def list_attention(caller: Officer, limit: Limit = 50) -> dict[str, Any]:
        """Open cases where something that should have happened did not."""
        silent = timedelta(minutes=office.policies.at(now()).responder.silent_minutes)
        found = await store.needing_attention(database, caller.division, limit, now() - silent)
        return {"cases": [view(case) for case in found]}

    @router.get("/cases/{case_id}", tags=["cases"])
    async def get_case(case_id: UUID, caller: Reader) -> dict[str, Any]:
        case = await database.get("cases", case_id)
        if case is None or not (commands.in_office(case, caller) or commands.responds(case, caller)):
            raise NotFound("there is no such case")
        plan = await database.get("plans", case_id)
        referral = await database.get("referrals", case["referral_id"]) if case["referral_id"] else None
        return view(case) | {"plan": view(plan) if plan else None, "referral": view(referral) if referral else None}

    @router.post("/cases/{case_id}/acknowledge", tags=["cases"])
    async def acknowledge(case_id: UUID, caller: Officer) -> dict[str, Any]:
        case = await do(lambda tx: commands.acknowledge(case_id, caller, tx))
        clock = case["acknowledgement"]
        ACKNOWLEDGED.labels(case["tier"]).observe((clock["at"] - clock["since"]).total_seconds())
        return case

    @router.post("/cases/{case_id}/raise", tags=["cases"])
    async def raise_risk(case_id: UUID, body: ToTier, caller: Officer) -> dict[str, Any]:
        return await do(lambda tx: commands.raise_risk(case_id, body.tier, body.reason, caller, tx, office))

    @router.post("/cases/{case_id}/lowering", tags=["cases"])
    async def propose_lowering(case_id: UUID, body: ToTier, caller: Officer) -> dict[str, Any]:
        """The first person's proposal; nothing is lowered yet."""
        return await do(lambda tx: commands.propose_lowering(case_id, body.tier, body.reason, caller, tx))

    @router.post("/cases/{case_id}/lowering/agree", tags=["cases"])
    async def agree_to_lower(case_id: UUID, body: WithReason, caller: Supervisor) -> dict[str, Any]:
        """The second person agrees, and the risk is lowered."""
        return await do(lambda tx: commands.agree_to_lower(case_id, body.reason, caller, tx, office))

    @router.post("/cases/{case_id}/emergency", tags=["cases"])
    async def call_emergency(case_id: UUID, body: CallEmergency, caller: Officer) -> dict[str, Any]:
        """110 or 120 was called by the caller."""
        return await do(lambda tx: commands.call_emergency(case_id, body.service, caller, tx, office))

    @router.post("/cases/{case_id}/emergency/confirm", tags=["cases"])
    async def confirm_emergency(case_id: UUID, caller: Officer) -> dict[str, Any]:
        """The emergency service said that it is with the person."""
        return await do(lambda tx: commands.confirm_emergency(case_id, caller, tx))

    @router.post("/cases/{case_id}/emergency/stand-down", tags=["cases"])
    async def stand_down(case_id: UUID, body: WithReason, caller: Supervisor) -> dict[str, Any]:
        return await do(lambda tx: commands.stand_down(case_id, body.reason, caller, tx))

    @router.post("/cases/{case_id}/refer", tags=["referrals"])
    async def refer(case_id: UUID, body: Refer, caller: Officer) -> dict[str, Any]:
        """Send the referral to its institution, or to the one named."""
        return await do(
            lambda tx: commands.refer(case_id, body.organisation_id, body.override_reason, caller, tx, office)
        )

    @router.post("/cases/{case_id}/referral/cancel", tags=["referrals"])
    async def cancel_referral(case_id: UUID, body: WithReason, caller: Officer) -> dict[str, Any]:
        return await do(lambda tx: commands.cancel_referral(case_id, body.reason, caller, tx))

    @router.get("/referrals", tags=["referrals"])
    async def list_referrals(
        caller: Receiver, state: Annotated[list[ReferralState] | None, Query()] = None, limit: Limit = 50
    ) -> dict[str, Any]:
        """The referrals to the caller's institution."""
        institution = commands.institution_of(caller)
        if institution is None:
            raise NotFound("the token names no institution")
        states = [one.value for one in state] if state else [one.value for one in ReferralState]
        found = await store.referrals_for(database, institution, states, limit)
        return {"referrals": [view(referral) for referral in found]}

    @router.post("/referrals/{referral_id}/answer", tags=["referrals"])
    async def answer_referral(referral_id: UUID, body: ReferralAnswer, caller: Receiver) -> dict[str, Any]:
        """The institution's answer, by the named person whose token this is."""
        at: datetime | None = body.at
        return await do(
            lambda tx: commands.answer_referral(referral_id, body.state, body.reason, at, caller, tx, office)
        )

    @router.get("/follow-ups", tags=["follow-ups"])
    async def list_follow_ups(caller: Officer, limit: Limit = 50) -> dict[str, Any]:
        """Plans of the caller's division that have a follow-up due now."""
        found = await store.due_follow_ups(database, caller.division, limit)
        return {"plans": [view(plan) for plan in found]}

    @router.post("/cases/{case_id}/follow-ups/{follow_up_id}/attempts", tags=["follow-ups"])
    async def record_attempt(case_id: UUID, follow_up_id: UUID, body: Attempt, caller: Officer) -> dict[str, Any]:
        return await do(lambda tx: commands.record_attempt(case_id, follow_up_id, body.outcome, caller, tx, office))

    @router.post("/cases/{case_id}/decision", tags=["follow-ups"])
    async def decide(case_id: UUID, body: Decide, caller: Supervisor) -> dict[str, Any]:
        """What comes next after a missed follow-up, or a referral that found no receiver."""
        return await do(
            lambda tx: commands.decide(
                case_id, body.decision, body.reason, body.next_at, caller, tx, office, body.about
            )
        )

    @router.post("/cases/{case_id}/release", tags=["cases"])
    async def release(case_id: UUID, caller: Reader) -> dict[str, Any]:
        """The responder's part is done."""
        return await do(lambda tx: commands.release(case_id, caller, tx))

    @router.post("/cases/{case_id}/close", tags=["cases"])
    async def close(case_id: UUID, body: Close, caller: Supervisor) -> dict[str, Any]:
        return await do(lambda tx: commands.close(case_id, body.outcome, body.reason, caller, tx))

    @router.post("/cases/{case_id}/contact", tags=["cases"])
    async def reveal(case_id: UUID, body: WithReason, caller: Reader) -> dict[str, Any]:
        """The contact in plain, for who has to call back; the reading is logged."""
        found = await database.transact(lambda tx: commands.reveal_contacts(case_id, body.reason, caller, tx, office))
        return {"contacts": found}

    @router.post("/cases/{case_id}/contact/erase", tags=["cases"])
    async def erase(case_id: UUID, body: WithReason, caller: Supervisor) -> dict[str, Any]:
        """Delete the person's key: what it takes to call back is gone, from backups too once they expire."""
        return await do(lambda tx: commands.erase_contacts(case_id, body.reason, caller, tx, office))

    app.include_router(router)
