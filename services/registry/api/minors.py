"""Minors as volunteers over HTTP: the guardian's consent, what is open to them, and their turns on rosters."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import Depends, FastAPI

from chassis.auth import Caller, caller_with
from chassis.clock import local_day, now
from chassis.db import Database
from chassis.errors import NotAllowed, NotFound
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.api.requests import READERS, After, DivisionQuery, Limit, paged, reach
from services.registry.api.rosters import From, RosterName, To, span_of
from services.registry.api.volunteers import visible_person
from services.registry.commands import gate
from services.registry.domain.gate import REASONS
from services.registry.domain.minors import ROLE, Task, barred, guardian_state, is_minor, tasks
from services.registry.keys import Keys
from services.registry.store import minors as kept

Reader = Annotated[Caller, Depends(caller_with(*READERS))]
PersonReader = Annotated[Caller, Depends(caller_with("registrar", "coordinator"))]
Own = Annotated[Caller, Depends(caller_with("registrar", "coordinator", "volunteer"))]


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    def table(moment: datetime) -> list[Task]:
        policies = keys.policies
        minors = policies.people.at(moment).minors
        return tasks(policies.gate.at(moment), policies.qualifications.at(moment), minors.barred_roles, minors.source)

    @app.get("/v1/minor-tasks")
    async def table_of_tasks(caller: Reader) -> Document:
        """Which roles and services a minor may take, and where that is written."""
        moment = now()
        return {"items": [vars(one) for one in table(moment)], "version": keys.policies.people.at(moment).version}

    @app.get("/v1/minors")
    async def minors(
        caller: PersonReader,
        division: DivisionQuery = None,
        guardian: Literal["given", "withdrawn", "missing"] | None = None,
        after: After = None,
        limit: Limit = 50,
    ) -> Document:
        """The minors of a division by id, and whether a guardian's consent is given, withdrawn or missing."""
        asked: Document = {}
        if guardian is not None:
            asked["consents.guardian.state"] = None if guardian == "missing" else guardian
        today = local_day(now()).isoformat()
        rows = await kept.minors_page(database, reach(caller, division), asked, today, after, limit)
        return paged([_minor(row) for row in rows], limit)

    @app.get("/v1/people/{ident}/tasks")
    async def tasks_of(ident: uuid.UUID, caller: Own) -> Document:
        """All that a person may be offered today and all that not, with every reason; people may ask for themselves."""

        async def ask(tx: Tx) -> Document:
            person = await store.survivor(tx, visible_person(await store.volunteer(tx, ident), caller))
            keeps = caller.roles & {"registrar", "coordinator"} and caller.sees(person["division"])
            if not keeps and caller.subject not in (str(ident), str(person["_id"])):
                raise NotFound("there is no such volunteer")
            if person["erased"]:
                raise NotAllowed("the person was erased")
            day = local_day(tx.now)
            items = []
            for one in table(tx.now):
                asked = gate.Asked(day, role=one.code) if one.kind == ROLE else gate.Asked(day, service=one.code)
                reasons = (await gate.may(tx, person, asked, keys.policies)).reasons
                told = [{"code": reason.code, "detail": REASONS[reason.code]} for reason in reasons]
                items.append({**vars(one), "may": not reasons, "reasons": told})
            return {**_minor(person), "minor": is_minor(person["minor_until"], day.isoformat()), "items": items}

        return await database.look(ask)

    @app.get("/v1/rosters/{name}/minors")
    async def on_roster(name: RosterName, caller: PersonReader, start: From = None, end: To = None) -> Document:
        """Whether a roster takes minors, and the turns that minors have on it; `barred` ones have to be withdrawn."""
        begin, finish = span_of(start, end)

        async def look(tx: Tx) -> Document:
            roster = await store.roster(tx, name)
            if roster is None or not caller.sees(roster["division"]):
                raise NotFound("there is no such roster")
            policies = keys.policies
            rule, services = policies.people.at(tx.now).minors, policies.qualifications.at(tx.now)
            turns = await store.turns_on(database, name, begin, finish)
            until = await kept.minors_of(tx, [one["volunteer_id"] for one in turns])
            closed = barred(roster["role"], policies.gate.at(tx.now), services, rule.barred_roles)
            items = [
                {
                    "duty_id": one["_id"],
                    "volunteer_id": one["volunteer_id"],
                    "starts_at": one["starts_at"],
                    "ends_at": one["ends_at"],
                    "barred": closed,
                }
                for one in turns
                if is_minor(until.get(one["volunteer_id"]), _day(one["starts_at"]))
            ]
            told = {"roster": name, "role": roster["role"], "takes_minors": not closed}
            return {**told, "source": rule.source, "items": items}

        return await database.look(look)


def _day(moment: datetime) -> str:
    return local_day(moment.astimezone(UTC)).isoformat()


def _minor(row: Document) -> Document:
    names = ("division", "active", "minor_until", "waits_for")
    return {"id": row["_id"], **{name: row[name] for name in names}, "guardian": guardian_state(row["consents"])}
