"""Consultations, and visits that somebody goes along to."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, ConfigDict, Field

from chassis.auth import Caller, caller_with
from chassis.errors import NotFound
from chassis.tx import Document, Tx
from services.crisis import commands
from services.crisis.api.desk import Body, Desk, Limit, Officer, Reason, Receiver, WithReason, view
from services.crisis.api.referrals import SealedText
from services.crisis.commands import consultations, referrals_accompanied
from services.crisis.commands.rights import known_case
from services.crisis.domain.consultations import WAITING, Kind, Opinion, Sign, State
from services.crisis.domain.referrals_accompanied import State as VisitState
from services.crisis.store import referrals as shelf

Companion = Annotated[Caller, Depends(caller_with(*referrals_accompanied.COMPANIONS))]
CompanionOrOfficer = Annotated[Caller, Depends(caller_with(*referrals_accompanied.COMPANIONS, *commands.OFFICERS))]


class Consultation(Body):
    """Whose opinion is wanted, and why; `id` is chosen by the client."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"id": "00000000-0000-7000-8000-000000000779", "kind": "psychiatrist", "sign": "psychotic_symptoms"}
            ]
        },
    )

    id: UUID
    kind: Kind
    sign: Sign
    organisation_id: UUID | None = None
    override_reason: Reason | None = None


class ConsultationAnswer(Body):
    """What the consulted institution says; an opinion is codes, and a text that is sealed."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"state": "done", "opinions": ["outpatient_visit", "medication_review"]}]},
    )

    state: Literal[State.accepted, State.declined, State.done]
    reason: Reason | None = None
    opinions: tuple[Opinion, ...] = Field((), max_length=10)
    text: SealedText | None = None


class Company(Body):
    """Somebody is to go along; without a time it is the appointment's."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"id": "00000000-0000-7000-8000-00000000077a"}]}
    )

    id: UUID
    at: AwareDatetime | None = None


class Went(Body):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"done": True}]})

    done: bool


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""
    _consulting(router, desk)
    _going_along(router, desk)


def _consulting(router: APIRouter, desk: Desk) -> None:
    @router.post("/cases/{case_id}/consultations", tags=["consultations"])
    async def request_consultation(case_id: UUID, body: Consultation, caller: Officer) -> dict[str, Any]:
        """Ask for a psychiatrist's opinion, or a family doctor's under an agreement; consent as for a referral."""
        return await desk.do(
            lambda tx: consultations.request_consultation(
                case_id,
                body.id,
                body.kind,
                body.sign,
                body.organisation_id,
                body.override_reason,
                caller,
                tx,
                desk.office,
            )
        )

    @router.get("/cases/{case_id}/consultations", tags=["consultations"])
    async def consultations_of_case(case_id: UUID, caller: Officer, limit: Limit = 50) -> dict[str, Any]:
        """The consultations of a case, the oldest first."""
        await desk.database.transact(lambda tx: known_case(case_id, caller, tx))
        found = await shelf.of_case(desk.database, "consultations", case_id, limit)
        return {"consultations": [view(one) for one in found]}

    @router.get("/consultations", tags=["consultations"])
    async def list_consultations(
        caller: Receiver, state: Annotated[list[State] | None, Query()] = None, limit: Limit = 50
    ) -> dict[str, Any]:
        """What the caller's institution is consulted about, the most urgent first."""
        institution = commands.institution_of(caller)
        if institution is None:
            raise NotFound("the token names no institution")
        states = [one.value for one in (state or sorted(WAITING))]
        found = await shelf.consultations_for(desk.database, institution, states, limit)
        return {"consultations": [view(consultations.shown_to_consulted(one)) for one in found]}

    @router.post("/consultations/{consultation_id}/answer", tags=["consultations"])
    async def answer_consultation(consultation_id: UUID, body: ConsultationAnswer, caller: Receiver) -> dict[str, Any]:
        """The institution's answer, by the named person whose token this is."""
        given = consultations.Given(body.opinions, body.text)

        async def answer(tx: Tx) -> Document:
            answered = await consultations.answer_consultation(
                consultation_id, body.state, body.reason, given, caller, tx, desk.office
            )
            return consultations.shown_to_consulted(answered)

        return await desk.do(answer)

    @router.post("/consultations/{consultation_id}/withdraw", tags=["consultations"])
    async def withdraw_consultation(consultation_id: UUID, body: WithReason, caller: Officer) -> dict[str, Any]:
        """The opinion is not needed any more."""
        return await desk.do(lambda tx: consultations.withdraw_consultation(consultation_id, body.reason, caller, tx))

    @router.post("/consultations/{consultation_id}/opinion", tags=["consultations"])
    async def read_opinion(consultation_id: UUID, body: WithReason, caller: Officer) -> dict[str, Any]:
        """The opinion with its sealed text; the reading is logged."""
        return await desk.database.transact(
            lambda tx: consultations.read_opinion(consultation_id, body.reason, caller, tx, desk.office)
        )


def _going_along(router: APIRouter, desk: Desk) -> None:
    @router.post("/referrals/{referral_id}/accompanied-visits", tags=["consultations"])
    async def ask_for_company(referral_id: UUID, body: Company, caller: Officer) -> dict[str, Any]:
        """Ask that a volunteer or a community's worker goes along to the institution that has accepted."""
        return await desk.do(
            lambda tx: referrals_accompanied.ask_for_company(referral_id, body.id, body.at, caller, tx, desk.office)
        )

    @router.get("/accompanied-visits", tags=["consultations"])
    async def list_visits(
        caller: CompanionOrOfficer, state: VisitState = VisitState.asked, limit: Limit = 50
    ) -> dict[str, Any]:
        """Visits of the caller's division: where and when, and nothing about whom."""
        found = await shelf.visits_in(desk.database, caller.division, [state.value], limit)
        return {"visits": [view(referrals_accompanied.shown_to_companion(one)) for one in found]}

    @router.post("/accompanied-visits/{visit_id}/accept", tags=["consultations"])
    async def accept(visit_id: UUID, caller: Companion) -> dict[str, Any]:
        """The caller will go along, by name; 409 where somebody else does."""

        async def take(tx: Tx) -> Document:
            visit = await referrals_accompanied.accept_company(visit_id, caller, tx, desk.office)
            return referrals_accompanied.shown_to_companion(visit)

        return await desk.do(take)

    @router.post("/accompanied-visits/{visit_id}/give-back", tags=["consultations"])
    async def give_back(visit_id: UUID, caller: Companion) -> dict[str, Any]:
        """Who accepted cannot go; somebody else is asked."""

        async def give(tx: Tx) -> Document:
            visit = await referrals_accompanied.give_back_company(visit_id, caller, tx, desk.office)
            return referrals_accompanied.shown_to_companion(visit)

        return await desk.do(give)

    @router.post("/accompanied-visits/{visit_id}/finish", tags=["consultations"])
    async def finish(visit_id: UUID, body: Went, caller: Companion) -> dict[str, Any]:
        """The person was brought there, or was not; only who accepted may say so."""

        async def end(tx: Tx) -> Document:
            visit = await referrals_accompanied.finish_company(visit_id, body.done, caller, tx)
            return referrals_accompanied.shown_to_companion(visit)

        return await desk.do(end)

    @router.post("/accompanied-visits/{visit_id}/withdraw", tags=["consultations"])
    async def withdraw(visit_id: UUID, caller: Officer) -> dict[str, Any]:
        """Nobody needs to go along any more."""
        return await desk.do(lambda tx: referrals_accompanied.withdraw_company(visit_id, caller, tx))
