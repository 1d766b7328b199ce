"""Referrals, from the sender's and from the receiver's side."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, ConfigDict, Field, StringConstraints

from chassis.errors import NotFound
from chassis.tx import Document, Tx
from contracts.base import Answer
from contracts.crisis import ReferralKind, ReferralState
from contracts.hotline import AgeBand, Sex
from services.crisis import commands, store
from services.crisis.api.desk import Body, Desk, Limit, Officer, Reason, Receiver, WithReason, view
from services.crisis.commands import referrals as referring
from services.crisis.commands import referrals_consent as consenting
from services.crisis.commands import referrals_incoming as incoming
from services.crisis.commands.rights import known_case
from services.crisis.domain.referral import Medication, NextStep, OutcomeCode
from services.crisis.store import referrals as shelf

SealedText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]
Division = Annotated[str, StringConstraints(pattern=r"^([0-9]{6}|[0-9]{9}|[0-9]{12})$")]
Contact = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
HOSPITAL = "00000000-0000-7000-8000-0000000000a1"


class Refer(Body):
    """To the institution named, or to the best there is."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"organisation_id": HOSPITAL, "psychiatric": True}]}
    )

    organisation_id: UUID | None = None
    override_reason: Reason | None = None
    psychiatric: bool = Field(False, description="The institution has to be a psychiatric one.")


class ProgrammeLevel(Body):
    """What the programme for severe mental disorders is told, and all that it is told."""

    risk_level: int = Field(ge=0, le=5)
    stable: bool


class ReferBeside(Body):
    """A referral that runs beside the case's own."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"kind": "severe_disorder_programme", "programme": {"risk_level": 3, "stable": False}}]
        },
    )

    kind: ReferralKind
    organisation_id: UUID | None = None
    override_reason: Reason | None = None
    programme: ProgrammeLevel | None = None
    employer_id: UUID | None = None


class FeedbackBody(Body):
    """What came of the visit, without a diagnosis; the text is sealed."""

    outcome: OutcomeCode
    next_step: NextStep
    medication: Medication
    text: SealedText | None = None


class ReferralAnswer(Body):
    """The institution's answer."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"state": "received"},
                {
                    "state": "completed",
                    "feedback": {
                        "outcome": "outpatient_treatment",
                        "next_step": "follow_up",
                        "medication": "unknown",
                    },
                },
            ]
        },
    )

    state: ReferralState
    reason: Reason | None = None
    at: AwareDatetime | None = None
    feedback: FeedbackBody | None = None


class ConsentBody(Body):
    """What the person said to sharing with one unit."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"answer": "yes", "scopes": ["referral", "contact"]}]}
    )

    answer: Answer
    scopes: tuple[consenting.Scope, ...] = Field((), max_length=10)


class IncomingContact(Body):
    """What it takes to reach the person; sealed before anything is kept."""

    name: Contact | None = None
    phone: Contact | None = None
    address: Contact | None = None
    note: Contact | None = None


class Incoming(Body):
    """A hospital's referral form: what its staff noticed."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "id": "00000000-0000-7000-8000-000000000777",
                    "division": "370812",
                    "department": "internal-medicine",
                    "identifier": "000-0000-0001",
                    "contact": {"name": "张示例", "phone": "000-0000-0001"},
                    "age_band": "from_25_to_44",
                    "answers": {"plan_within_72_hours": "yes", "consent_to_follow_up": "yes"},
                }
            ]
        },
    )

    id: UUID
    division: Division
    department: Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")]
    identifier: Contact | None = Field(None, description="A telephone number or document number; kept as a pseudonym.")
    contact: IncomingContact = IncomingContact()
    age_band: AgeBand = AgeBand.unknown
    sex: Sex = Sex.unknown
    answers: dict[incoming.Question, Answer] = Field(default_factory=dict)


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""
    _sending(router, desk)
    _answering(router, desk)
    _consent(router, desk)


def _sending(router: APIRouter, desk: Desk) -> None:
    @router.post("/cases/{case_id}/refer", tags=["referrals"])
    async def refer(case_id: UUID, body: Refer, caller: Officer) -> dict[str, Any]:
        """Send the case's referral to the institution named, or to the best there is.

        422 with the nearest that can where the institution cannot; 409 without consent or a reason to do without; 403
        where the caller may not do without.
        """
        return await desk.do(
            lambda tx: commands.refer(
                case_id, body.organisation_id, body.override_reason, caller, tx, desk.office, body.psychiatric
            )
        )

    @router.post("/cases/{case_id}/referrals", tags=["referrals"])
    async def refer_beside(case_id: UUID, body: ReferBeside, caller: Officer) -> dict[str, Any]:
        """Send a referral beside the case's own: to the programme for severe mental disorders, or an employee's."""
        level = body.programme
        return await desk.do(
            lambda tx: referring.refer_beside(
                case_id,
                body.kind,
                body.organisation_id,
                body.override_reason,
                caller,
                tx,
                desk.office,
                programme=referring.Programme(level.risk_level, level.stable) if level else None,
                employer_id=body.employer_id,
            )
        )

    @router.get("/cases/{case_id}/referrals", tags=["referrals"])
    async def referrals_of_case(case_id: UUID, caller: Officer, limit: Limit = 50) -> dict[str, Any]:
        """All referrals of a case, the oldest first."""
        await desk.database.transact(lambda tx: known_case(case_id, caller, tx))
        found = await shelf.of_case(desk.database, "referrals", case_id, limit)
        return {"referrals": [view(one) for one in found]}

    @router.post("/cases/{case_id}/referral/cancel", tags=["referrals"])
    async def cancel_referral(case_id: UUID, body: WithReason, caller: Officer) -> dict[str, Any]:
        """Take the case's own referral back: cancelled, or revoked once somebody had received it."""
        return await desk.do(lambda tx: commands.cancel_referral(case_id, body.reason, caller, tx))

    @router.post("/referrals/{referral_id}/withdraw", tags=["referrals"])
    async def withdraw_referral(referral_id: UUID, body: WithReason, caller: Officer) -> dict[str, Any]:
        """Take any referral back: cancelled, or revoked once somebody had received it."""
        return await desk.do(lambda tx: referring.withdraw_referral(referral_id, body.reason, caller, tx))

    @router.post("/referrals/{referral_id}/reminded", tags=["referrals"])
    async def reminded(referral_id: UUID, caller: Officer) -> dict[str, Any]:
        """The person was reminded of the appointment; 409 where no reminder is due."""
        return await desk.do(lambda tx: referring.remind(referral_id, caller, tx))

    @router.post("/referrals/{referral_id}/feedback", tags=["referrals"])
    async def read_feedback(referral_id: UUID, body: WithReason, caller: Officer) -> dict[str, Any]:
        """The receiver's feedback with its sealed text; the reading is logged."""
        return await desk.database.transact(
            lambda tx: referring.read_feedback(referral_id, body.reason, caller, tx, desk.office)
        )


def _answering(router: APIRouter, desk: Desk) -> None:
    @router.get("/referrals", tags=["referrals"])
    async def list_referrals(
        caller: Receiver, state: Annotated[list[ReferralState] | None, Query()] = None, limit: Limit = 50
    ) -> dict[str, Any]:
        """The referrals to the caller's institution."""
        institution = commands.institution_of(caller)
        if institution is None:
            raise NotFound("the token names no institution")
        states = [one.value for one in state] if state else [one.value for one in ReferralState]
        found = await store.referrals_for(desk.database, institution, states, limit)
        return {"referrals": [view(referring.shown_to_receiver(one)) for one in found]}

    @router.post("/referrals/incoming", tags=["referrals"])
    async def take_referral(body: Incoming, caller: Receiver) -> dict[str, Any]:
        """A hospital refers to us: what its staff noticed becomes a flag, and from there a case like every other.

        The same form again, by its id, changes nothing; the id with another form is 409.
        """
        contact = body.contact.model_dump(exclude_none=True)
        noticed = incoming.Noticed(
            body.id,
            body.division,
            body.department,
            body.identifier,
            contact,
            body.age_band,
            body.sex,
            body.answers,
        )

        async def take(tx: Tx) -> Document:
            return incoming.shown(await incoming.take_referral(noticed, caller, tx, desk.office))

        return await desk.do(take)

    @router.post("/referrals/{referral_id}/answer", tags=["referrals"])
    async def answer_referral(referral_id: UUID, body: ReferralAnswer, caller: Receiver) -> dict[str, Any]:
        """The institution's answer, by the named person whose token this is."""
        at: datetime | None = body.at
        said = body.feedback
        feedback = referring.Feedback(said.outcome, said.next_step, said.medication, said.text) if said else None

        async def answer(tx: Tx) -> Document:
            answered = await commands.answer_referral(
                referral_id, body.state, body.reason, at, caller, tx, desk.office, feedback
            )
            return referring.shown_to_receiver(referring.as_left(answered, commands.institution_of(caller)))

        return await desk.do(answer)

    @router.post("/referrals/{referral_id}/contact", tags=["referrals"])
    async def shared_contact(referral_id: UUID, body: WithReason, caller: Receiver) -> dict[str, Any]:
        """How to reach the person, for the institution that has accepted, where the person agreed; 403 otherwise."""
        return await desk.database.transact(
            lambda tx: referring.shared_contact(referral_id, body.reason, caller, tx, desk.office)
        )

    @router.get("/referrals/{referral_id}/attendance", tags=["referrals"])
    async def attendance(referral_id: UUID, caller: Receiver) -> dict[str, Any]:
        """What an employer learns of an employee's referral, with consent: attended yes, no or unknown; else 404."""
        return await desk.database.transact(lambda tx: referring.attendance(referral_id, caller, tx))


def _consent(router: APIRouter, desk: Desk) -> None:
    @router.put("/cases/{case_id}/consents/{organisation_id}", tags=["referrals"])
    async def keep_consent(case_id: UUID, organisation_id: UUID, body: ConsentBody, caller: Officer) -> dict[str, Any]:
        """What the person said to sharing with this unit: yes with scopes, no, refused, unknown."""

        async def keep(tx: Tx) -> Document:
            kept = await consenting.keep_consent(case_id, organisation_id, body.answer, list(body.scopes), caller, tx)
            return consenting.sharing(kept)

        return await desk.do(keep)

    @router.get("/cases/{case_id}/consents", tags=["referrals"])
    async def list_consents(case_id: UUID, caller: Officer, limit: Limit = 50) -> dict[str, Any]:
        """What the person said, unit by unit."""
        await desk.database.transact(lambda tx: known_case(case_id, caller, tx))
        found = await shelf.of_case(desk.database, "consents", case_id, limit)
        return {"consents": [consenting.sharing(one) for one in found]}

    @router.get("/to-tell", tags=["referrals"])
    async def list_to_tell(caller: Officer, limit: Limit = 50) -> dict[str, Any]:
        """Whom the office has still to tell that something was done without consent, closed cases included."""
        found = await shelf.to_tell(desk.database, caller.division, limit)
        return {"to_tell": [view(one) for one in found]}

    @router.post("/to-tell/{telling_id}/told", tags=["referrals"])
    async def told(telling_id: UUID, caller: Officer) -> dict[str, Any]:
        """The person has been told (PIPL art. 18)."""
        return await desk.do(lambda tx: consenting.tell(telling_id, caller, tx))
