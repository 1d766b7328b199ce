"""HTTP: responders answer their offers; coordinators see what waits, and assign."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query
from pydantic import BaseModel, ConfigDict, Field

from chassis.auth import Caller, caller_with
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.service import Service
from chassis.tx import Document, Tx
from contracts.base import DivisionCode
from contracts.codes import ProblemCategory
from services.matching import answering, offering, store
from services.matching.domain.choice import DECLINE_LABELS, DeclineReason, Person
from services.matching.domain.policy import Policies

Volunteer = Annotated[Caller, Depends(caller_with("volunteer"))]
Coordinator = Annotated[Caller, Depends(caller_with("coordinator"))]

STATES = ("offered", "held", "waiting", "released")
TIER_LABELS = {"imminent": "正在实施", "high": "高危", "moderate": "中危", "low": "低危"}
REASON_LABELS = {
    "nobody_on_duty": "没有符合条件的值班人员",
    "everybody_busy": "值班人员均在处理其他个案",
    "all_declined_or_silent": "值班人员均已谢绝或未应答",
}

Reason = Annotated[str, Field(min_length=2, max_length=500)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Declining(_Body):
    reason: DeclineReason = DeclineReason.not_said


class Assigning(_Body):
    responder_id: uuid.UUID
    reason: Reason = Field(description="Why this person; kept in the audit log, so no personal data.")
    override: bool = Field(False, description="Assign although the person is not qualified or not on duty.")


class Reopening(_Body):
    reason: Reason


class OfferOut(BaseModel):
    offer_id: uuid.UUID
    request_id: uuid.UUID
    case_id: uuid.UUID
    responder_id: uuid.UUID
    division: str
    tier: str
    tier_label: str
    minor: bool
    state: str
    offered_at: datetime
    expires_at: datetime
    answered_at: datetime | None
    seconds: int | None = Field(description="From the offer to its acceptance.")
    decline_reason: str | None
    policy: str


class RequestOut(BaseModel):
    request_id: uuid.UUID
    case_id: uuid.UUID
    division: str
    place: str = Field(description="The division in words.")
    tier: str | None = Field(description="Absent where the request was withdrawn before it arrived.")
    minor: bool | None
    state: str
    requested_at: datetime
    responder_id: uuid.UUID | None
    offer_id: uuid.UUID | None
    asked: int = Field(description="How many declined or stayed silent in this round.")
    reason: str | None = Field(description="Why the coordinator was called.")
    reason_label: str | None
    coordinator_called_at: datetime | None
    problem_categories: list[ProblemCategory] = Field(description="What it is about, where the case was classified.")
    problem_labels: list[str] = Field(description="The same in words: 发展性, 适应性, 障碍性.")


class Offers(BaseModel):
    offers: list[OfferOut]


class Requests(BaseModel):
    requests: list[RequestOut]
    next: uuid.UUID | None = Field(None, description="Give it as `after` for the next page; absent on the last.")


class CoordinatorCalls(BaseModel):
    waiting: int
    calls: list[RequestOut] = Field(description="The most urgent first, then the longest waiting.")


class RequestWithOffers(RequestOut):
    offers: list[OfferOut]


class Candidate(BaseModel):
    responder_id: uuid.UUID
    division: str
    area_digits: int = Field(description="Digits of the smallest area around the case that counts for the responder.")
    busy: bool
    asked: bool
    last_called_at: datetime | None


class Candidates(BaseModel):
    candidates: list[Candidate] = Field(description="Qualified and on duty, in the order of asking.")


class Label(BaseModel):
    code: str
    label: str


def routes(app: FastAPI, service: Service, policies: Policies) -> None:
    _for_volunteers(app, service, policies)
    _for_coordinators(app, service)
    _decisions(app, service, policies)


def _for_volunteers(app: FastAPI, service: Service, policies: Policies) -> None:
    @app.get("/v1/offers/mine")
    async def my_offers(caller: Volunteer) -> Offers:
        """The offer that is open for the caller, and what the caller holds."""

        async def read(tx: Tx) -> list[Document]:
            return await store.offers_to(tx, await store.standing_for(tx, _responder(caller)))

        found = await service.database.transact(read)
        return Offers(offers=[_offer_out(offer) for offer in found])

    @app.post("/v1/offers/{offer_id}/accept")
    async def accept(offer_id: uuid.UUID, caller: Volunteer) -> OfferOut:
        """Accept; 409 once the deadline passed or the offer ended. Accepting again answers the same.

        409 too for who may not answer it any more (left, off the roster, a certificate ran out): another is asked.
        """

        async def answer(tx: Tx) -> Document:
            offer = await _own_offer(offer_id, caller, tx)
            if offer["state"] == "accepted":
                return offer
            _needs_open(offer)
            if tx.now >= offer["expires_at"]:
                raise NotAllowed("the deadline of this offer has passed")
            await answering.accept_by_rule(offer, tx, policies)
            return offer

        found = await service.database.transact(answer)
        if found["state"] == "withdrawn":  # the transaction stands: another was asked
            raise NotAllowed("you may not answer this offer any more", reason="not_on_duty")
        return _offer_out(found)

    @app.post("/v1/offers/{offer_id}/decline")
    async def decline(offer_id: uuid.UUID, caller: Volunteer, body: Declining | None = None) -> OfferOut:
        """Decline; the next responder is asked at once. Declining again answers the same."""
        reason = (body or Declining()).reason

        async def answer(tx: Tx) -> Document:
            offer = await _own_offer(offer_id, caller, tx)
            if offer["state"] == "declined":
                return offer
            _needs_open(offer)
            await offering.decline(offer, reason, tx, policies)
            return offer

        return _offer_out(await service.database.transact(answer))

    @app.get("/v1/decline-reasons")
    async def decline_reasons(caller: Volunteer) -> list[Label]:
        return [Label(code=code, label=label) for code, label in DECLINE_LABELS.items()]


def _for_coordinators(app: FastAPI, service: Service) -> None:
    @app.get("/v1/requests")
    async def list_requests(
        caller: Coordinator,
        division: DivisionCode | None = None,
        state: Annotated[
            list[str] | None, Query(description="offered, held, waiting or released; any by default.")
        ] = None,
        after: uuid.UUID | None = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> Requests:
        """The requests of a division and what lies in it, by id."""
        if unknown := sorted(set(state or ()) - set(STATES)):
            raise Refused("unknown_state", f"{unknown[0]} is none of {', '.join(STATES)}", "state")
        found = await store.requests_in(service.database, _seen(caller, division), state or (), after, limit + 1)
        page = found[:limit]
        return Requests(
            requests=await _requests_out(page, service),
            next=page[-1]["_id"] if len(found) > limit else None,
        )

    @app.get("/v1/coordinator-calls")
    async def coordinator_calls(
        caller: Coordinator,
        division: DivisionCode | None = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> CoordinatorCalls:
        """What waits for a coordinator now: nobody was left to ask."""
        count, found = await store.waiting_for_coordinator(service.database, _seen(caller, division), limit)
        return CoordinatorCalls(waiting=count, calls=await _requests_out(found, service))

    @app.get("/v1/requests/{request_id}")
    async def show_request(request_id: uuid.UUID, caller: Coordinator) -> RequestWithOffers:
        found = _visible(await service.database.get("requests", request_id), caller)
        (request,) = await _requests_out([found], service)
        offers = await store.offers_for(service.database, request_id)
        return RequestWithOffers(**request.model_dump(), offers=[_offer_out(offer) for offer in offers])


def _decisions(app: FastAPI, service: Service, policies: Policies) -> None:
    @app.get("/v1/requests/{request_id}/candidates")
    async def candidates(request_id: uuid.UUID, caller: Coordinator) -> Candidates:
        """Everyone of the caller's division who is qualified and on duty for a request, and why not asked."""

        async def read(tx: Tx) -> list[tuple[Person, int, bool]]:
            request = _visible(await tx.get("requests", request_id), caller)
            if request["tier"] is None:
                return []
            ask, policy = store.ask_of(request), policies.at(tx.now)
            area = ask.division[: policy.area.digits[-1]]
            board = await store.read_areas(tx, [area], policy.duty.on_duty_roles)
            await store.read_unread(tx, len(board.unread))
            return [(person, area, person.id in ask.asked) for person, area in board.candidates(ask, policy)]

        found = await service.database.transact(read)
        return Candidates(
            candidates=[
                Candidate(
                    responder_id=person.id,
                    division=person.division,
                    area_digits=area,
                    busy=person.busy,
                    asked=asked,
                    last_called_at=person.called_at,
                )
                for person, area, asked in found
                if caller.sees(person.division)
            ]
        )

    @app.post("/v1/requests/{request_id}/assign")
    async def assign(request_id: uuid.UUID, body: Assigning, caller: Coordinator) -> OfferOut:
        """Give a request to a named responder, who holds it from now on, with `override` also against the rules.

        409 where the request is held or released, or the responder has another one, is a minor or has left: that no
        override changes.
        """

        async def decide(tx: Tx) -> Document:
            request = _visible(await tx.get("requests", request_id), caller)
            if request["state"] not in ("offered", "waiting"):
                raise NotAllowed(f"the request is {request['state']}")
            responder = await store.responder(tx, body.responder_id)
            if responder is None or not caller.sees(responder["division"]):
                raise NotFound("there is no such responder")
            if responder["request_id"] not in (None, request_id):
                raise NotAllowed("the responder has another request")
            person, policy = store.person_of(responder, tx.now), policies.at(tx.now)
            if not person.active or person.minor:
                raise NotAllowed("the responder is not active, or a minor; nobody may assign such", reason="barred")
            board = await store.read_turns_of(tx, [body.responder_id], policy.duty.on_duty_roles)
            by_rule = board.may_answer(body.responder_id, store.ask_of(request), policy)
            if not by_rule and not body.override:
                raise NotAllowed(
                    "the responder is not qualified for it or not on duty; `override` assigns nevertheless"
                )
            tx.record(
                actor=caller.subject,
                action="assigned_against_the_rules" if not by_rule else "assigned",
                subject=str(request_id),
                reason=body.reason,
                division=request["division"],
                responder=str(body.responder_id),
            )
            return await offering.assign(request, body.responder_id, tx, policies)

        return _offer_out(await service.database.transact(decide))

    @app.post("/v1/requests/{request_id}/reopen")
    async def reopen(request_id: uuid.UUID, body: Reopening, caller: Coordinator) -> RequestOut:
        """Have everyone asked again, those who declined or stayed silent included."""

        async def decide(tx: Tx) -> Document:
            request = _visible(await tx.get("requests", request_id), caller)
            if request["state"] != "waiting":
                raise NotAllowed(f"the request is {request['state']}")
            tx.record(
                actor=caller.subject,
                action="reopened",
                subject=str(request_id),
                reason=body.reason,
                division=request["division"],
            )
            await offering.reopen(request, tx, policies)
            return request

        (request,) = await _requests_out([await service.database.transact(decide)], service)
        return request


def _responder(caller: Caller) -> uuid.UUID:
    try:
        return uuid.UUID(caller.subject)
    except ValueError:
        raise NotFound("the token's subject is no volunteer") from None


async def _own_offer(offer_id: uuid.UUID, caller: Caller, tx: Tx) -> Document:
    offer, own = await tx.get("offers", offer_id), _responder(caller)
    if offer is None or offer["responder_id"] not in (own, await store.standing_for(tx, own)):
        raise NotFound("there is no such offer")
    return offer


def _needs_open(offer: Document) -> None:
    if offer["state"] != "open":
        raise NotAllowed(f"the offer is {offer['state']}")


def _seen(caller: Caller, division: str | None) -> str:
    """The division that a list is of: the one asked for, which must lie within the caller's."""
    if division is None:
        return caller.division
    if not caller.sees(division):
        raise NotFound("there is no such division")
    return division


def _visible(request: Document | None, caller: Caller) -> Document:
    if request is None or not caller.sees(request["division"]):
        raise NotFound("there is no such request")
    return request


def _offer_out(offer: Document) -> OfferOut:
    return OfferOut(
        offer_id=offer["_id"],
        tier_label=TIER_LABELS[offer["tier"]],
        decline_reason=offer["reason"],
        **_fields(offer, "request_id", "case_id", "responder_id", "division", "tier", "minor", "state"),
        **_fields(offer, "offered_at", "expires_at", "answered_at", "seconds", "policy"),
    )


async def _requests_out(requests: list[Document], service: Service) -> list[RequestOut]:
    places = await store.places(service.database, [request["division"] for request in requests])
    return [
        RequestOut(
            request_id=request["_id"],
            place=places[request["division"]],
            asked=len(request["asked"]),
            reason_label=REASON_LABELS[request["reason"]] if request["reason"] else None,
            problem_categories=request.get("problem_categories", []),
            problem_labels=[ProblemCategory(code).label for code in request.get("problem_categories", ())],
            **_fields(request, "case_id", "division", "tier", "minor", "state", "requested_at"),
            **_fields(request, "responder_id", "offer_id", "reason", "coordinator_called_at"),
        )
        for request in requests
    ]


def _fields(document: Document, *names: str) -> dict[str, Any]:
    return {name: document[name] for name in names}
