"""Terms of members, loans, and visits to schools over HTTP; persons are ids alone."""

from __future__ import annotations

import uuid
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Query

from chassis.auth import Caller, caller_with
from chassis.db import Database
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.api.requests import READERS, DivisionQuery, Limit, keeps, paged, reach, seen
from services.registry.api.teams_forms import LoanIn, TermIn, VisitIn
from services.registry.api.teams_lists import CodeQuery, Cursor, Day, known, listed, shown, visible
from services.registry.commands import teams_members as commands
from services.registry.domain.relations import holds_on
from services.registry.domain.teams_labels import CHILDREN_DATABASE, LOANS, MEMBER_ROLES
from services.registry.domain.teams_visits_status import State as Visit
from services.registry.keys import Keys
from services.registry.store import teams as kept

Reader = Annotated[Caller, Depends(caller_with(*READERS))]
Registrar = Annotated[Caller, Depends(caller_with("registrar"))]
Order = Literal["id", "since", "division", "-id", "-since", "-division"]
VisitOrder = Literal["id", "day", "-id", "-day"]


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.put("/v1/teams/{ident}/terms/{term_id}")
    async def write_term(ident: uuid.UUID, term_id: uuid.UUID, body: TermIn, caller: Registrar) -> Document:
        """A member's term under an id that the client chose; nobody is a member twice at the same time."""

        async def write(tx: Tx) -> Document:
            team = visible(await kept.document(tx, "teams", ident), caller)
            return await commands.set_term(
                tx, team, term_id, body.told(), keys.policies, by=caller.subject, inside=caller.division
            )

        team = await database.transact(write)
        term = next(one for one in team["members"] if one["id"] == term_id)
        return {"team_id": ident, "revision": team["revision"], **term}

    @app.delete("/v1/teams/{ident}/terms/{term_id}")
    async def drop_term(ident: uuid.UUID, term_id: uuid.UUID, caller: Registrar) -> Document:
        """A term that was entered by mistake."""

        async def drop(tx: Tx) -> Document:
            team = visible(await kept.document(tx, "teams", ident), caller)
            return commands.drop_term(tx, team, term_id, caller.subject)

        team = await database.transact(drop)
        return {"team_id": ident, "revision": team["revision"]}

    @app.get("/v1/teams/{ident}/terms")
    async def list_terms(
        ident: uuid.UUID,
        caller: Reader,
        day: Day = None,
        role: CodeQuery = None,
        after: Annotated[uuid.UUID | None, Query(description="The last id of the page before.")] = None,
        limit: Limit = 50,
    ) -> Document:
        """The terms of a team in the order of their ids; with a day, those that hold on it.

        Who keeps the database of children in difficulty is told to those who grant it; to others that role is null.
        """
        known("role", role, MEMBER_ROLES)
        team = visible(await database.get("teams", ident), caller)
        hidden = frozenset() if keeps(caller, "registrar", "privacy_officer") else frozenset({CHILDREN_DATABASE})
        terms = [
            {**term, "role": None, "ring": None}
            if term["role"] in hidden
            else {**term, "ring": MEMBER_ROLES[term["role"]].ring or None}
            for term in sorted(team["members"], key=lambda one: one["id"])
            if (after is None or term["id"] > after)
            and (role is None or (term["role"] == role and role not in hidden))
            and (day is None or holds_on(term["since"], term["until"], day))
        ]
        return paged(terms[:limit], limit)

    @app.put("/v1/loans/{ident}")
    async def write_loan(ident: uuid.UUID, body: LoanIn, caller: Registrar) -> Document:
        """A person or a team is lent to another division for a time; the same again changes nothing.

        Who lends decides: a loan is changed by those who see where the lent one comes from.
        """

        async def write(tx: Tx) -> Document:
            before = await kept.document(tx, "loans", ident)
            if before is None or before["division"] != body.division:
                seen(caller, body.division)
            if before is not None and not caller.sees(_concerned(before, caller)["origin"]):
                raise NotAllowed("借用由借出方改动", status=403)
            return await commands.lend(tx, ident, body.told(), before, by=caller.subject, inside=caller.division)

        return shown(await database.transact(write))

    @app.get("/v1/loans")
    async def list_loans(
        caller: Reader,
        division: DivisionQuery = None,
        origin: DivisionQuery = None,
        subject_id: uuid.UUID | None = None,
        kind: CodeQuery = None,
        day: Day = None,
        sort: Order = "id",
        after: Cursor = None,
        limit: Limit = 50,
    ) -> Document:
        """Who is lent to a division or from it; `division` is where they go, `origin` where they come from.

        One of the two has to lie in the caller's division; `day` narrows to the loans of a day.
        """
        known("kind", kind, LOANS)
        asked = {"subject_id": subject_id, "kind": kind}
        query: Document = {k: v for k, v in asked.items() if v is not None}
        if division is not None:
            query |= store.within(division)
        if origin is not None:
            query |= store.within(origin, "origin")
        if not any(one is not None and caller.sees(one) for one in (division, origin)):
            # Without either, what concerns the caller's division; with one from outside, there is nothing of it.
            reach(caller, division if origin is None else origin)
            if caller.division:
                query["$or"] = [store.within(caller.division), store.within(caller.division, "origin")]
        if day is not None:
            query |= {"since": {"$lte": day}, "until": {"$gte": day}, "cancelled": False}
        return await listed(database, "loans", query, sort, after, limit)

    @app.get("/v1/loans/{ident}")
    async def read_loan(ident: uuid.UUID, caller: Reader) -> Document:
        """One loan."""
        return shown(_concerned(await database.get("loans", ident), caller))

    @app.put("/v1/teams/{ident}/visits/{visit_id}")
    async def write_visit(ident: uuid.UUID, visit_id: uuid.UUID, body: VisitIn, caller: Registrar) -> Document:
        """A visit of an expert of a pool to a school: planned, done, or called off."""

        async def write(tx: Tx) -> Document:
            pool = visible(await kept.document(tx, "teams", ident), caller)
            before = await kept.document(tx, "team_visits", visit_id)
            if before is not None and not caller.sees(before["division"]):
                raise Refused("unknown_visit", "没有这次活动", "visit_id")
            return await commands.plan_visit(
                tx, pool, visit_id, body.told(), before, keys.policies, by=caller.subject, inside=caller.division
            )

        return shown(await database.transact(write))

    @app.get("/v1/teams/{ident}/visits")
    async def list_visits(
        ident: uuid.UUID,
        caller: Reader,
        state: CodeQuery = None,
        organisation_id: uuid.UUID | None = None,
        sort: VisitOrder = "day",
        after: Cursor = None,
        limit: Limit = 50,
    ) -> Document:
        """The visits of a pool."""
        known("state", state, list(Visit))
        visible(await database.get("teams", ident), caller)
        asked = {"team_id": ident, "state": state, "organisation_id": organisation_id}
        query = store.within(caller.division) | {k: v for k, v in asked.items() if v is not None}
        return await listed(database, "team_visits", query, sort, after, limit)


def _concerned(loan: Document | None, caller: Caller) -> Document:
    """A loan from the caller's division, or to it."""
    if loan is None or not (caller.sees(loan["division"]) or caller.sees(loan["origin"])):
        raise NotFound("there is no such loan")
    return loan
