"""People affected by an incident: registered, found again, screened, helped, followed until each is closed."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, ConfigDict, Field, StringConstraints

from chassis.auth import Caller, caller_with
from chassis.errors import NotFound
from contracts.base import Answer, FineDivision, Name
from contracts.hotline import AgeBand, HotlineLevel, ItemId
from services.crisis.api.desk import Body, Desk, Limit, Officer, Reason, WithReason
from services.crisis.api.incidents import Leader, answered, done
from services.crisis.commands import incidents_acts as acts
from services.crisis.commands import incidents_aftercare as aftercare
from services.crisis.commands import incidents_outreach as outreach
from services.crisis.commands import incidents_people as people
from services.crisis.commands.incidents_said import touches
from services.crisis.domain.codes import LegalBasis
from services.crisis.domain.incidents import Exposure
from services.crisis.domain.incidents_aftercare import AftercareOutcome, AftercareState
from services.crisis.store.incidents import acts_of, affected, in_aftercare

Field_ = Annotated[Caller, Depends(caller_with(*people.FIELD))]
Phone = Annotated[str, StringConstraints(pattern=r"^\+?[0-9][0-9 -]{2,30}$")]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
After = Annotated[UUID | None, Query(description="The last id of the page before.")]


class Register(Body):
    """Written down in the field, sent when there is a network: the id in the address is the tablet's own.

    What is personal (name, phone, address, guardian, note) is sealed under the person's key.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "recorded_at": "2026-03-02T09:30:00+08:00",
                    "category": "bereaved",
                    "division": "370812001",
                    "age_band": "from_25_to_44",
                    "consent": "yes",
                    "phone": "000-0000-0001",
                    "name": "张示例",
                    "address": "甲镇安置点三号帐篷",
                }
            ]
        },
    )

    recorded_at: AwareDatetime
    category: Exposure
    division: FineDivision
    age_band: AgeBand = AgeBand.unknown
    consent: Answer = Answer.not_asked
    consent_by: Literal["person", "guardian"] = "person"
    phone: Phone | None = None
    phone_is_own: bool = Field(True, description="False for a parent's or neighbour's telephone.")
    name: Text | None = None
    address: Text | None = None
    guardian: Text | None = Field(None, description="Name and telephone of a minor's guardian.")
    remark: Annotated[str, StringConstraints(max_length=1000)] | None = None


class Find(Body):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"phone": "000-0000-0001"}]})

    phone: Phone
    phone_is_own: bool = True
    name: Text | None = None


class Screen(Body):
    """Answers by the questions of the code list; what is left out was not asked. Every screen asks about suicide."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "person_id": "01970d3b-0000-7000-8000-0000000e0a01",
                    "held_at": "2026-03-02T10:00:00+08:00",
                    "answers": {"dazed": "yes", "sleepless": "yes", "wish-to-die": "no"},
                    "act_in_progress": "no",
                }
            ]
        },
    )

    person_id: UUID
    held_at: AwareDatetime
    answers: dict[ItemId, Answer] = Field(max_length=40)
    act_in_progress: Answer = Answer.not_asked
    plan_within_72_hours: Answer = Answer.not_asked
    attempt_within_2_weeks: Answer = Answer.not_asked
    suspected_harm_to_minor: Answer = Answer.not_asked


class Session(Body):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "division": "370812001",
                    "method": "psychoeducation",
                    "held_at": "2026-03-03T15:00:00+08:00",
                    "minutes": 60,
                    "participants": 18,
                    "led_by": ["expert-1"],
                }
            ]
        },
    )

    division: FineDivision
    method: Name
    held_at: AwareDatetime
    minutes: Annotated[int, Field(ge=1, le=1440)]
    participants: Annotated[int, Field(ge=1, le=5000)]
    led_by: list[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:-]{1,64}$")]] = Field(
        min_length=1, max_length=20
    )


class Intervention(Body):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "person_id": "01970d3b-0000-7000-8000-0000000e0a01",
                    "method": "psychological-first-aid",
                    "held_at": "2026-03-02T11:00:00+08:00",
                    "acute_stress": "QE84",
                }
            ]
        },
    )

    person_id: UUID
    method: Name
    held_at: AwareDatetime
    acute_stress: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9.]{3,12}$")] | None = None
    organisation_id: UUID | None = Field(None, description="The medical institution that made a diagnosis.")
    case_id: UUID | None = None


class CloseEntry(Body):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"outcome": "recovered", "reason": "三次回访状态平稳"}]}
    )

    outcome: AftercareOutcome
    reason: Reason


class Outreach(Body):
    """`legal_basis` is a code of the list; without it nobody is turned to unasked. The reason is sealed."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "legal_basis": "pipl_13_4",
                    "reason": "同住者反映其反复表示不想活",
                    "level": "high",
                    "act_in_progress": "no",
                    "plan_within_72_hours": "unknown",
                }
            ]
        },
    )

    legal_basis: LegalBasis
    reason: Reason
    level: HotlineLevel = HotlineLevel.unknown
    act_in_progress: Answer = Answer.not_asked
    plan_within_72_hours: Answer = Answer.not_asked
    attempt_within_2_weeks: Answer = Answer.not_asked
    suspected_harm_to_minor: Answer = Answer.not_asked


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""

    @router.get("/aftercare", tags=["incidents"])
    async def list_aftercare(caller: Officer, after: After = None, limit: Limit = 50) -> dict[str, Any]:
        """People of the caller's division who are still in after-care, of whatever incident; until each is closed."""
        found = await in_aftercare(desk.database, caller.division, after, limit)
        return {"people": [answered(entry) for entry in found]}

    @router.put("/incidents/{incident_id}/people/{person_id}", tags=["incidents"])
    async def register(incident_id: UUID, person_id: UUID, body: Register, caller: Field_) -> dict[str, Any]:
        """Register a person affected; who is known by the telephone joins that entry, and the same again is one."""
        said = dict(body)
        return await done(desk, lambda tx: people.register(incident_id, person_id, caller, tx, desk.office, **said))

    @router.get("/incidents/{incident_id}/people", tags=["incidents"])
    async def list_people(
        incident_id: UUID,
        caller: Officer,
        category: Exposure | None = None,
        aftercare: AftercareState | None = None,
        after: After = None,
        limit: Limit = 50,
    ) -> dict[str, Any]:
        """The register within the caller's division, page by page; no names."""
        await _seen(incident_id, caller)
        found = await affected(desk.database, incident_id, caller.division, category, aftercare, after, limit)
        return {"people": [answered(entry) for entry in found]}

    @router.post("/incidents/{incident_id}/people/find", tags=["incidents"])
    async def find(incident_id: UUID, body: Find, caller: Field_) -> dict[str, Any]:
        """Whether somebody with this telephone is registered; the looking is recorded."""
        said = (body.phone, body.phone_is_own, body.name)
        found = await desk.database.transact(lambda tx: people.find_person(incident_id, *said, caller, tx, desk.office))
        return {"found": found["found"], "person": answered(found["person"]) if found["person"] else None}

    @router.post("/incidents/{incident_id}/people/{person_id}/contact", tags=["incidents"])
    async def reveal(incident_id: UUID, person_id: UUID, body: WithReason, caller: Officer) -> dict[str, Any]:
        """What it takes to find the person, in plain; the reading is recorded."""
        found = await desk.database.transact(
            lambda tx: people.reveal_person(incident_id, person_id, body.reason, caller, tx, desk.office)
        )
        return {"contacts": found}

    @router.post("/incidents/{incident_id}/people/{person_id}/high-risk", tags=["incidents"])
    async def mark(incident_id: UUID, person_id: UUID, body: WithReason, caller: Officer) -> dict[str, Any]:
        """Put a person on the list of those at high risk."""
        return await done(desk, lambda tx: aftercare.mark(incident_id, person_id, body.reason, caller, tx))

    @router.post("/incidents/{incident_id}/people/{person_id}/aftercare/close", tags=["incidents"])
    async def close_entry(incident_id: UUID, person_id: UUID, body: CloseEntry, caller: Leader) -> dict[str, Any]:
        """After-care of one person is over; 409 while the person's case is open at high risk."""
        said = (body.outcome, body.reason)
        return await done(desk, lambda tx: aftercare.close_entry(incident_id, person_id, *said, caller, tx))

    @router.put("/incidents/{incident_id}/people/{person_id}/outreaches/{outreach_id}", tags=["incidents"])
    async def reach_out(
        incident_id: UUID, person_id: UUID, outreach_id: UUID, body: Outreach, caller: Officer
    ) -> dict[str, Any]:
        """Open a case for a person who has not asked; 422 without a legal basis, or with consent that was not given."""
        said = dict(body)
        return await done(
            desk,
            lambda tx: outreach.reach_out(incident_id, person_id, outreach_id, caller, tx, desk.office, **said),
        )

    @router.put("/incidents/{incident_id}/screens/{screen_id}", tags=["incidents"])
    async def screen(incident_id: UUID, screen_id: UUID, body: Screen, caller: Field_) -> dict[str, Any]:
        """One quick screen; a positive one becomes a case. 409 where the person refused."""
        said = dict(body)
        return await done(desk, lambda tx: acts.screen(incident_id, screen_id, caller, tx, desk.office, **said))

    @router.put("/incidents/{incident_id}/sessions/{session_id}", tags=["incidents"])
    async def hold_session(incident_id: UUID, session_id: UUID, body: Session, caller: Field_) -> dict[str, Any]:
        """Group crisis management: one session that was held."""
        said = dict(body)
        return await done(desk, lambda tx: acts.hold_session(incident_id, session_id, caller, tx, desk.office, **said))

    @router.put("/incidents/{incident_id}/interventions/{intervention_id}", tags=["incidents"])
    async def intervene(
        incident_id: UUID, intervention_id: UUID, body: Intervention, caller: Officer
    ) -> dict[str, Any]:
        """Individual crisis intervention, with the code of an acute stress reaction and the case where there is one."""
        said = dict(body)
        return await done(
            desk, lambda tx: acts.intervene(incident_id, intervention_id, caller, tx, desk.office, **said)
        )

    @router.get("/incidents/{incident_id}/acts", tags=["incidents"])
    async def list_acts(
        incident_id: UUID, caller: Officer, kind: Literal["screen", "session", "intervention"], limit: Limit = 50
    ) -> dict[str, Any]:
        """Screens, group sessions or interventions within the caller's division, the latest first."""
        await _seen(incident_id, caller)
        found = await acts_of(desk.database, incident_id, caller.division, kind, limit)
        return {"acts": [answered(act) for act in found]}

    async def _seen(incident_id: UUID, caller: Caller) -> None:
        incident = await desk.database.get("incidents", incident_id)
        if incident is None or not touches(incident, caller):
            raise NotFound("there is no such incident")
