"""Insurances, and what people are given for an assignment, over HTTP."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Query, Response
from pydantic import ConfigDict

from chassis import observe
from chassis.auth import Caller, caller_with
from chassis.clock import local_day, now
from chassis.db import Database
from chassis.errors import NotFound
from chassis.tx import Document, Tx
from contracts.base import Name
from services.registry import store
from services.registry.api.people import Why
from services.registry.api.places_forms import Day, Form, Words, one_of
from services.registry.api.requests import After, DivisionQuery, Limit, paged, reach
from services.registry.api.volunteers import NO_STORE, note_reading, own_person, standing_person
from services.registry.commands import gate
from services.registry.commands import insurance as commands
from services.registry.domain.insurance import KINDS
from services.registry.keys import Keys
from services.registry.store import qualifications as kept

Reader = Annotated[Caller, Depends(caller_with("registrar", "coordinator"))]
Registrar = Annotated[Caller, Depends(caller_with("registrar"))]


class InsuranceIn(Form):
    """An insurance of a person; the first and the last day count. `active` false takes it back."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "person_id": "01970d3b-0000-7000-8000-0000000000b1",
                    "kind": "accident",
                    "insurer": "示例保险公司",
                    "number": "示例保单0001",
                    "valid_from": "2026-01-01",
                    "valid_until": "2026-12-31",
                }
            ]
        },
    )

    person_id: uuid.UUID
    kind: Annotated[str, *one_of(KINDS)]
    insurer: Words
    number: Words
    valid_from: Day
    valid_until: Day
    active: bool = True


class SupportIn(Form):
    """What the organiser provides for an assignment: 交通、通讯、食宿、保险."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "person_id": "01970d3b-0000-7000-8000-0000000000b1",
                    "role": "crisis-team",
                    "on": "2026-03-02",
                    "transport": True,
                    "communication": True,
                    "meals": True,
                    "lodging": False,
                    "insurance_id": "01970d3b-0000-7000-8000-0000000000e1",
                    "project_id": "01970d3b-0000-7000-8000-000000000e01",
                }
            ]
        },
    )

    person_id: uuid.UUID
    role: Name
    on: Day
    transport: bool
    communication: bool
    meals: bool
    lodging: bool
    insurance_id: uuid.UUID | None = None
    project_id: uuid.UUID | None = None


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.put("/v1/insurances/{ident}")
    async def insure(ident: uuid.UUID, body: InsuranceIn, caller: Registrar) -> Document:
        """Enter an insurance; the same again changes nothing; registrars only."""

        async def write(tx: Tx) -> Document:
            person = await own_person(tx, body.person_id, caller)
            before = await kept.insurance(tx, ident)
            if before is not None and not caller.sees(before["division"]):
                raise NotFound("there is no such insurance")
            told = body.model_dump(exclude={"person_id"})
            return await commands.insure(tx, keys, ident, person, told, before, caller.subject)

        return _insurance(await database.transact(write))

    @app.get("/v1/insurances")
    async def listed(
        caller: Reader,
        division: DivisionQuery = None,
        person_id: uuid.UUID | None = None,
        due: Annotated[bool, Query(description="Only those that end within the days of the policy.")] = False,
        sort: Literal["id", "valid_until"] = "valid_until",
        after: After = None,
        limit: Limit = 50,
    ) -> Document:
        """Insurances of a division, without their numbers, those first that end first."""
        today = local_day(now())
        query = store.within(reach(caller, division))
        if person_id is not None:
            query["person_id"] = {"$in": await database.transact(lambda tx: store.entries_of(tx, person_id))}
        if due:
            end = today + timedelta(days=keys.policies.insurance.at(now()).warn_days)
            query |= {"active": True, "valid_until": {"$gte": today.isoformat(), "$lte": end.isoformat()}}
        if sort == "valid_until":
            rows = await kept.in_order(database, "insurances", query, after, limit)
        else:
            rows = await store.page(database, "insurances", query, after, limit)
        return paged([_insurance(row) for row in rows], limit)

    @app.post("/v1/insurances/{ident}/reveal")
    async def reveal(ident: uuid.UUID, body: Why, caller: Registrar, response: Response) -> Document:
        """Insurer and number in plain; who read them, when and why is logged; registrars only."""

        async def open_it(tx: Tx) -> Document:
            found = await kept.insurance(tx, ident)
            if found is None or not caller.sees(found["division"]):
                raise NotFound("there is no such insurance")
            await standing_person(tx, found["person_id"], caller)
            fields = await keys.persons.open(tx, found["person_id"], found["sealed"])
            note_reading(tx, caller, "insurance.revealed", found, body.reason)
            return {"id": ident, **fields}

        plain = await database.transact(open_it)
        observe.PERSONAL_READS.labels("insurance").inc()
        response.headers.update(NO_STORE)
        return plain

    @app.put("/v1/support-records/{assignment_id}")
    async def support(assignment_id: uuid.UUID, body: SupportIn, caller: Registrar) -> Document:
        """What a person is given for an assignment, told before dispatch; where the role asks for an insurance, one
        that holds on the day has to be named; registrars only."""

        async def write(tx: Tx) -> Document:
            person = await own_person(tx, body.person_id, caller)
            role = gate.known_role(body.role, keys.policies, tx.now)
            told = body.model_dump(exclude={"person_id"})
            return await commands.support(tx, assignment_id, person, told, role.insurance)

        return _support(await database.transact(write))

    @app.get("/v1/support-records")
    async def supports(
        caller: Reader,
        division: DivisionQuery = None,
        person_id: uuid.UUID | None = None,
        after: After = None,
        limit: Limit = 50,
    ) -> Document:
        """What people of a division were given, assignment by assignment."""
        query = store.within(reach(caller, division))
        if person_id is not None:
            query["person_id"] = {"$in": await database.transact(lambda tx: store.entries_of(tx, person_id))}
        return paged(
            [_support(row) for row in await store.page(database, "support_records", query, after, limit)], limit
        )

    @app.get("/v1/people/{ident}/insured")
    async def insured(ident: uuid.UUID, caller: Reader, on: Day | None = None) -> Document:
        """Whether an insurance of the person holds on a day; today where none is named."""
        day = on or local_day(now())

        async def ask(tx: Tx) -> Document:
            person = await own_person(tx, ident, caller)
            facts = (await gate.bare_facts(tx, [person], tx.now, day, keys.policies))[ident]
            holding = [last for first, last in facts.covers if first <= day.isoformat() <= last]
            return {"person_id": ident, "on": day, "insured": bool(holding), "until": max(holding, default=None)}

        return await database.transact(ask)


def _insurance(row: Document) -> Document:
    fields = ("revision", "person_id", "division", "kind", "valid_from", "valid_until", "active", "entered_by")
    return {"id": row["_id"], "label": KINDS[row["kind"]], **{name: row[name] for name in fields}}


def _support(row: Document) -> Document:
    return {"id": row["_id"], **{name: value for name, value in row.items() if name != "_id"}}
