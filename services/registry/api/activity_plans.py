"""Plans of activities over HTTP: the unit writes and submits, its content supervisor agrees or returns."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

from fastapi import Depends, FastAPI

from chassis.auth import Caller, caller_with
from chassis.clock import local_day, now
from chassis.db import Database
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.api.activity_plans_forms import HeldIn, PlanIn, SignOffIn, StepIn
from services.registry.api.codes import ServiceCode
from services.registry.api.requests import READERS, DivisionQuery, Limit, reach
from services.registry.api.teams_lists import CodeQuery, Cursor, Day, known, listed
from services.registry.commands import activity_plans as commands
from services.registry.domain.activity_plans import CONTENTS, FORMS, LABELS, UNSIGNED, State
from services.registry.domain.activity_plans_policy import SIGNS_OFF
from services.registry.domain.library_labels import AUDIENCES
from services.registry.keys import Keys
from services.registry.store import activity_plans as kept

Reader = Annotated[Caller, Depends(caller_with(*READERS, "content_supervisor"))]
Organiser = Annotated[Caller, Depends(caller_with("registrar", "coordinator"))]
Supervisor = Annotated[Caller, Depends(caller_with("content_supervisor"))]
Order = Literal["id", "day", "-id", "-day"]
Step = Callable[[Tx, Document], Awaitable[Document]]


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    async def stepped(ident: uuid.UUID, caller: Caller, step: Step) -> Document:
        async def write(tx: Tx) -> Document:
            return await step(tx, commands.visible_plan(await kept.plan(tx, ident), caller))

        return shown(await database.transact(write))

    @app.get("/v1/activity-plans/lists")
    async def plan_lists(caller: Reader) -> Document:
        """The forms, contents, audiences and states of plans, and who supervises whom, with the labels."""
        policy = keys.policies.activity_plans.at(now())
        return {
            "forms": dict(FORMS),
            "contents": {code: one.label for code, one in CONTENTS.items()},
            "audiences": AUDIENCES,
            "states": {state.value: label for state, label in LABELS.items()},
            "policy": policy.version,
            "supervisors": [one.model_dump() for one in policy.supervisors],
            "tutors": [one.model_dump() for one in policy.tutors],
        }

    @app.put("/v1/activity-plans/{ident}")
    async def write_plan(ident: uuid.UUID, body: PlanIn, caller: Organiser) -> Document:
        """A unit's plan under an id that the client chose, whole; the same again changes nothing."""

        async def write(tx: Tx) -> Document:
            before = await kept.plan(tx, ident)
            if before is not None:
                commands.visible_plan(before, caller)
            policy = keys.policies.activity_plans.at(tx.now)
            return await commands.write_plan(tx, ident, body.told(), before, caller, policy)

        return shown(await database.transact(write))

    @app.post("/v1/activity-plans/{ident}/submit")
    async def submit(ident: uuid.UUID, caller: Organiser) -> Document:
        """To the content supervisor; 409 where no guidance relation names one."""
        return await stepped(ident, caller, lambda tx, plan: commands.submit(tx, plan, caller))

    @app.post("/v1/activity-plans/{ident}/withdraw")
    async def withdraw(ident: uuid.UUID, caller: Organiser) -> Document:
        """Back to a draft, to be changed: an agreement that there was holds no more."""
        return await stepped(ident, caller, lambda tx, plan: commands.withdraw(tx, plan, caller))

    @app.post("/v1/activity-plans/{ident}/cancel")
    async def cancel(ident: uuid.UUID, body: StepIn, caller: Organiser) -> Document:
        """The activity does not take place."""
        return await stepped(ident, caller, lambda tx, plan: commands.cancel(tx, plan, body.reason, caller))

    @app.post("/v1/activity-plans/{ident}/return")
    async def give_back(ident: uuid.UUID, body: StepIn, caller: Supervisor) -> Document:
        """The supervisor wants it otherwise. 403 for whom no guidance relation names, and for the own plan."""
        return await stepped(ident, caller, lambda tx, plan: commands.give_back(tx, plan, body.reason, caller))

    @app.post("/v1/activity-plans/{ident}/sign-off")
    async def sign_off(ident: uuid.UUID, body: SignOffIn, caller: Supervisor) -> Document:
        """The supervisor agrees to form and content of the plan as it was read. 403 as for a return."""
        return await stepped(ident, caller, lambda tx, plan: commands.sign_off(tx, plan, body.revision, caller))

    @app.post("/v1/activity-plans/{ident}/held")
    async def hold(ident: uuid.UUID, body: HeldIn, caller: Organiser) -> Document:
        """What was held, with the records of service; 409 for a plan that nobody signed off."""
        told = body.told()

        async def step(tx: Tx, plan: Document) -> Document:
            policy = keys.policies.activity_plans.at(tx.now)
            times = told["starts_at"], told["ends_at"]
            return await commands.hold(tx, plan, *times, body.participants, body.record_ids, caller, policy)

        return await stepped(ident, caller, step)

    @app.put("/v1/activity-plans/{ident}/service-records/{record_id}")
    async def link(ident: uuid.UUID, record_id: uuid.UUID, caller: Organiser) -> Document:
        """A record of service that belongs to what was held; a record belongs to one activity."""
        return await stepped(ident, caller, lambda tx, plan: commands.link_record(tx, plan, record_id, caller))

    @app.get("/v1/activity-plans/waiting")
    async def list_waiting(
        caller: Supervisor, sort: Order = "day", after: Cursor = None, limit: Limit = 50
    ) -> Document:
        """What waits for the caller's agreement: plans of the units that the caller is named for, no own ones."""

        async def mine(tx: Tx) -> Document | None:
            entries = await store.entries_of_subject(tx, caller.subject)
            try:
                guide = uuid.UUID(caller.organisation) if caller.organisation else None
            except ValueError:
                guide = None
            day = local_day(tx.now).isoformat()
            named = await kept.relations_naming(tx, SIGNS_OFF, guide, entries, day)
            relations = [one for one in named if await commands.in_office(tx, one)]
            return kept.waiting_for(relations, caller.subject, entries) if relations else None

        query = await database.look(mine)
        if query is None:
            return {"items": [], "next": None}
        return await listed(
            database, "activity_plans", {**query, **store.within(caller.division)}, sort, after, limit, shown
        )

    @app.get("/v1/activity-plans/{ident}")
    async def read_plan(ident: uuid.UUID, caller: Reader) -> Document:
        """A plan, who may sign it off today, and what its records of service come to."""

        async def look(tx: Tx) -> tuple[Document, list[Document]]:
            plan = commands.visible_plan(await kept.plan(tx, ident), caller)
            organisation = await store.organisation(tx, plan["organisation_id"])
            return plan, await commands.supervisors_of(tx, organisation) if organisation else []

        plan, relations = await database.look(look)
        policy = keys.policies.activity_plans.at(now())
        records = await kept.linked_records(database, plan.get("record_ids", ()))
        supervisors = []
        for one in relations:
            role = policy.supervisor(one["supervisor"])
            who = {name: one[name] for name in ("guide_id", "person_id", "supervisor")}
            supervisors.append({"relation_id": one["_id"], **who, "label": role.label if role else one["supervisor"]})
        return {
            **shown(plan),
            "supervisors": supervisors,
            "served": {
                "records": len(records),
                "volunteers": len({row["volunteer_id"] for row in records}),
                "minutes": sum(row["minutes"] for row in records),
            },
        }

    @app.get("/v1/activity-plans")
    async def list_plans(
        caller: Reader,
        division: DivisionQuery = None,
        organisation_id: uuid.UUID | None = None,
        team_id: uuid.UUID | None = None,
        state: State | None = None,
        signed_off: bool | None = None,
        form: CodeQuery = None,
        content: CodeQuery = None,
        service: ServiceCode | None = None,
        since: Day = None,
        until: Day = None,
        sort: Order = "id",
        after: Cursor = None,
        limit: Limit = 50,
    ) -> Document:
        """The plans of a division; `signed_off=false` shows those that nobody has agreed to."""
        known("form", form, FORMS)
        known("content", content, CONTENTS)
        asked = {
            "organisation_id": organisation_id,
            "team_id": team_id,
            "state": state.value if state else None,
            "form": form,
            "contents": content,
            "service": service,
        }
        query = store.within(reach(caller, division)) | {k: v for k, v in asked.items() if v is not None}
        if signed_off is not None:
            query = {**query, "signed": {"$ne": None} if signed_off else None}
        days = {sign: day for sign, day in (("$gte", since), ("$lte", until)) if day is not None}
        if days:
            query = {**query, "day": days}
        return await listed(database, "activity_plans", query, sort, after, limit, shown)


def shown(plan: Document) -> Document:
    """A plan as answers show it; one that nobody agreed to says so."""
    hidden = ("_id", "organisation_kind", "organisation_division")
    return {
        "id": plan["_id"],
        **{name: value for name, value in plan.items() if name not in hidden},
        "record_ids": plan.get("record_ids", []),
        "state_label": LABELS[State(plan["state"])],
        "signed_off": plan["signed"] is not None,
        "notice": UNSIGNED if plan["signed"] is None else None,
    }
