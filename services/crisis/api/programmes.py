"""Programmes, and the tasks of those who make their contacts."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, ConfigDict, Field, StringConstraints

from chassis.auth import Caller, caller_with
from chassis.errors import NotFound
from contracts.base import Answer, FineDivision
from services.crisis.api.desk import Body, Desk, Limit, Officer, Reason, WithReason, view
from services.crisis.api.follow_ups import After, Wishes, place_of
from services.crisis.commands import programmes as commands
from services.crisis.commands.programmes_contacts import reveal
from services.crisis.domain.cursor import cursor
from services.crisis.domain.follow_up import AttemptChannel, Outcome, attempts_left, next_attempt_from
from services.crisis.domain.programmes import LABELS, Ground, Programme, ProgrammeReport, State
from services.crisis.office import Office
from services.crisis.programme import attempt_rules
from services.crisis.store import programmes as books

CommunityWorker = Annotated[Caller, Depends(caller_with("community_worker", "grid_worker"))]
Subject = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128)]
Identifier = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=64)]
Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
GOING_ON = [State.running.value, State.review.value]


class Contact(Body):
    """What it takes to reach the person; sealed under the person's own key before it is kept."""

    name: Word | None = None
    phone: Word | None = None
    address: Word | None = None
    note: Annotated[str, StringConstraints(max_length=1000)] | None = None


class Enrolment(Body):
    """What every enrolment says. `person_identifier` becomes a pseudonym, and is not kept."""

    id: UUID | None = Field(None, description="Chosen by the client, so that sending again enrols nobody twice.")
    division: FineDivision | None = Field(None, description="Absent with a case: the case's own.")
    case_id: UUID | None = None
    person_identifier: Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=64)] | None = (
        None
    )
    contact: Contact | None = None
    worker: Subject | None = Field(None, description="The community worker who makes the contacts.")
    organisations: tuple[UUID, ...] = Field((), max_length=20, description="Organisations that give social support.")
    contact_preferences: Wishes | None = None


class Enrol(Enrolment):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "kind": "reintegration",
                    "division": "370812001",
                    "person_identifier": "000-0000-0001",
                    "contact": {"name": "张示例", "phone": "000-0000-0001", "address": "甲镇示例路一号"},
                    "worker": "community-worker-a",
                }
            ]
        },
    )

    kind: Programme
    incident_id: UUID | None = None


class Told(Body):
    """One attempt of an officer, and what the contact told."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "outcome": "reached",
                    "channel": "visit",
                    "report": {
                        "mood": 50,
                        "act_in_progress": "no",
                        "plan_within_72_hours": "no",
                        "attempt_within_2_weeks": "no",
                        "prolonged_grief": "no",
                        "consent_to_further": "yes",
                    },
                }
            ]
        },
    )

    outcome: Outcome
    channel: AttemptChannel = AttemptChannel.call
    report: ProgrammeReport | None = None
    again_at: AwareDatetime | None = None
    override_reason: Reason | None = None


class TaskOutcome(Body):
    """One attempt of a community worker: what was seen, and no clinical detail."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"outcome": "reached", "channel": "visit", "needs_professional": "no", "consent_to_further": "yes"},
                {"outcome": "not_at_home", "channel": "visit"},
            ]
        },
    )

    outcome: Outcome
    channel: AttemptChannel = AttemptChannel.visit
    act_in_progress: Answer = Answer.not_asked
    plan_within_72_hours: Answer = Answer.not_asked
    attempt_within_2_weeks: Answer = Answer.not_asked
    needs_professional: Answer = Answer.not_asked
    consent_to_further: Answer = Answer.not_asked
    again_at: AwareDatetime | None = None
    override_reason: Reason | None = None

    @property
    def report(self) -> ProgrammeReport | None:
        if self.outcome is not Outcome.reached:
            return None
        return ProgrammeReport(
            act_in_progress=self.act_in_progress,
            plan_within_72_hours=self.plan_within_72_hours,
            attempt_within_2_weeks=self.attempt_within_2_weeks,
            needs_professional=self.needs_professional,
            consent_to_further=self.consent_to_further,
        )


class Assign(Body):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"worker": "community-worker-a"}]})

    worker: Subject


class Link(Body):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"organisations": ["00000000-0000-7000-8000-0000000000a1"]}]}
    )

    organisations: list[UUID] = Field(max_length=20)


class Review(Body):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"reason": "一周后再联系一次", "next_at": "2026-12-01T10:00:00+08:00"}]},
    )

    reason: Reason
    next_at: AwareDatetime | None = None


class End(Body):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"ground": "completed", "reason": "各阶段完成，末次筛查阴性"}]},
    )

    ground: Ground
    reason: Reason
    override_reason: Reason | None = None


def said_of(body: Enrolment, office: Office) -> dict[str, Any]:
    """What an enrolment says, as the command takes it; the person's identifier as a pseudonym."""
    return {
        "ident": body.id,
        "division": body.division,
        "case_id": body.case_id,
        "person": office.pseudonym(body.person_identifier) if body.person_identifier else None,
        "contact": body.contact.model_dump(exclude_none=True) if body.contact else None,
        "worker": body.worker,
        "organisations": body.organisations,
        "wishes": body.contact_preferences,
    }


def shown(programme: dict[str, Any], office: Office) -> dict[str, Any]:
    """A programme as an officer sees it, with the attempts that are left."""
    contacts = []
    for contact in programme["contacts"]:
        rules = attempt_rules(programme, office, contact)
        counts = {
            "attempts_left": attempts_left(contact, rules),
            "next_attempt_from": next_attempt_from(contact, rules),
        }
        contacts.append(contact | counts if contact["state"] == "due" else contact)
    whole = view(programme) | {"contacts": contacts, "label": LABELS[Programme(programme["kind"])]}
    return {name: value for name, value in whole.items() if name != "said"}


def least(programme: dict[str, Any], office: Office) -> list[dict[str, Any]]:
    """The tasks that are due of a programme, as the community worker sees them: whom to contact, until when."""
    return [
        {
            "id": contact["id"],
            "kind": programme["kind"],
            "label": LABELS[Programme(programme["kind"])],
            "division": programme["division"],
            "due_at": contact["due_at"],
            "window_until": contact["window_until"],
            "attempts_left": attempts_left(contact, attempt_rules(programme, office, contact)),
            "contact_preferences": programme["contact_preferences"],
        }
        for contact in programme["contacts"]
        if contact["state"] == "due"
    ]


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""
    office = desk.office

    @router.post("/programmes", tags=["programmes"])
    async def enrol(body: Enrol, caller: Officer) -> dict[str, Any]:
        """Take a person into a programme, from a case or by an identifier. A bereavement has a route of its own."""
        return shown(
            await desk.database.transact(
                lambda tx: commands.enrol_by(
                    body.kind, caller, tx, office, incident_id=body.incident_id, **said_of(body, office)
                )
            ),
            office,
        )

    @router.get("/programmes", tags=["programmes"])
    async def list_programmes(
        caller: Officer,
        kind: Annotated[list[Programme] | None, Query()] = None,
        state: Annotated[list[State] | None, Query()] = None,
        limit: Limit = 50,
        after: After = None,
    ) -> dict[str, Any]:
        """Programmes of the caller's division that go on, what is overdue or comes next first."""
        kinds = [one.value for one in kind or Programme]
        states = [one.value for one in state] if state else GOING_ON
        found = await books.list_programmes(desk.database, caller.division, kinds, states, limit, place_of(after))
        more = cursor(found[-1]["next_at"], found[-1]["_id"]) if len(found) == limit else None
        return {"programmes": [shown(one, office) for one in found], "next": more}

    @router.get("/programmes/{programme_id}", tags=["programmes"])
    async def get_programme(programme_id: UUID, caller: Officer) -> dict[str, Any]:
        """One programme with its contacts and what they told."""
        programme = await desk.database.get("programmes", programme_id)
        if programme is None or not caller.sees(programme["division"]):
            raise NotFound("there is no such programme")
        return shown(programme, office)

    @router.post("/programmes/{programme_id}/contacts/{contact_id}/attempts", tags=["programmes"])
    async def record_contact(programme_id: UUID, contact_id: UUID, body: Told, caller: Officer) -> dict[str, Any]:
        """One attempt and what the contact told; a screening that shows a risk raises a flag at once."""
        return shown(
            await desk.database.transact(
                lambda tx: _by_officer(programme_id, contact_id, body, caller, tx, office),
            ),
            office,
        )

    @router.post("/programmes/{programme_id}/assign", tags=["programmes"])
    async def assign(programme_id: UUID, body: Assign, caller: Officer) -> dict[str, Any]:
        """Name the community worker who makes the contacts."""
        return shown(
            await desk.database.transact(lambda tx: commands.assign(programme_id, body.worker, caller, tx)), office
        )

    @router.post("/programmes/{programme_id}/organisations", tags=["programmes"])
    async def link_organisations(programme_id: UUID, body: Link, caller: Officer) -> dict[str, Any]:
        """The organisations that give social support, whole."""
        return shown(
            await desk.database.transact(
                lambda tx: commands.link_organisations(programme_id, body.organisations, caller, tx)
            ),
            office,
        )

    @router.post("/programmes/{programme_id}/contact", tags=["programmes"])
    async def read_contact(programme_id: UUID, body: WithReason, caller: Officer) -> dict[str, Any]:
        """The contact in plain, for who has to call; the reading is logged."""

        async def read(tx: Any) -> dict[str, Any]:
            programme = await commands.seen_programme(programme_id, caller, tx)
            return await reveal(programme, body.reason, caller, tx, office, to_find=False)

        return {"contact": await desk.database.transact(read)}

    @router.post("/programmes/{programme_id}/review", tags=["programmes"])
    async def review(programme_id: UUID, body: Review, caller: Officer) -> dict[str, Any]:
        """What was to be looked at was looked at; where nothing is to come, another contact is set."""
        return shown(
            await desk.database.transact(
                lambda tx: commands.review(programme_id, body.reason, body.next_at, caller, tx, office)
            ),
            office,
        )

    @router.post("/programmes/{programme_id}/end", tags=["programmes"])
    async def end(programme_id: UUID, body: End, caller: Officer) -> dict[str, Any]:
        """End it on a ground that holds in the record (409 with what is missing), or by a supervisor's override."""
        return shown(
            await desk.database.transact(
                lambda tx: commands.end(
                    programme_id, body.ground, body.reason, body.override_reason, caller, tx, office
                )
            ),
            office,
        )

    @router.get("/tasks", tags=["tasks"])
    async def list_tasks(caller: CommunityWorker, limit: Limit = 50, after: After = None) -> dict[str, Any]:
        """The contacts that the caller has to make now: whom, until when, and nothing of why or what was told."""
        found = await books.tasks_of(desk.database, caller.subject, caller.division, limit, place_of(after))
        more = cursor(found[-1]["window_until"], found[-1]["_id"]) if len(found) == limit else None
        return {"tasks": [task for programme in found for task in least(programme, office)], "next": more}

    @router.post("/tasks/{contact_id}/outcome", tags=["tasks"])
    async def task_outcome(contact_id: UUID, body: TaskOutcome, caller: CommunityWorker) -> dict[str, Any]:
        """What came of a task of the caller's own; a risk that was seen becomes a flag at once."""

        async def record(tx: Any) -> dict[str, Any]:
            programme, _ = await commands.own_task(contact_id, caller, tx)
            return await commands.record_contact(
                programme,
                contact_id,
                body.outcome,
                caller,
                tx,
                office,
                channel=body.channel,
                report=body.report,
                again_at=body.again_at,
                override_reason=body.override_reason,
            )

        programme = await desk.database.transact(record)
        contact = next(one for one in programme["contacts"] if one["id"] == contact_id)
        return {"id": contact_id, "state": contact["state"], "flag_id": contact.get("flag_id")}

    @router.post("/tasks/{contact_id}/contact", tags=["tasks"])
    async def task_contact(contact_id: UUID, body: WithReason, caller: CommunityWorker) -> dict[str, Any]:
        """Name, telephone and address for a task of the caller's own that is open; the reading is logged."""

        async def read(tx: Any) -> dict[str, Any]:
            programme, contact = await commands.own_task(contact_id, caller, tx)
            if contact["state"] not in ("planned", "due"):
                raise NotFound("there is no such task")
            return await reveal(programme, body.reason, caller, tx, office, to_find=True)

        return {"contact": await desk.database.transact(read)}


async def _by_officer(
    programme_id: UUID, contact_id: UUID, body: Told, caller: Caller, tx: Any, office: Office
) -> dict[str, Any]:
    programme = await commands.seen_programme(programme_id, caller, tx)
    return await commands.record_contact(
        programme,
        contact_id,
        body.outcome,
        caller,
        tx,
        office,
        channel=body.channel,
        report=body.report,
        again_at=body.again_at,
        override_reason=body.override_reason,
    )
