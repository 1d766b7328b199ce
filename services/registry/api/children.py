"""The database of children in difficulty over HTTP: for its keepers alone, sealed, with a log of every reading.

A role opens nothing here: whoever calls is a keeper of the database, by a term in a backbone organisation, or is not
let in. Statistics are for everybody who reads counts, and tell no small ones.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Response
from pydantic import Field, StringConstraints

from chassis import observe
from chassis.auth import Caller, caller_with
from chassis.clock import local_day, now
from chassis.db import Database
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from contracts.base import FineDivision
from services.registry.api.places_forms import Words, one_of
from services.registry.api.requests import READERS, After, DivisionQuery, Limit, paged, reach, seen
from services.registry.api.teams_forms import Form, example
from services.registry.api.volunteers import NO_STORE
from services.registry.commands import children as commands
from services.registry.domain.children import (
    BASES,
    DIFFICULTIES,
    ERASE_REASONS,
    HELP,
    LEVELS,
    MOVE_REASONS,
    PERSONAL,
    READ_REASONS,
    State,
    key_of,
    scopes,
    told_count,
)
from services.registry.domain.people import Flawed, masked_name, plain, read_name, read_phone
from services.registry.domain.relations import holds_on
from services.registry.domain.teams_labels import CHILDREN_DATABASE
from services.registry.keys import Keys
from services.registry.store import children_database as kept

Keeper = Annotated[Caller, Depends(caller_with("registrar", "coordinator", "volunteer"))]
Officer = Annotated[Caller, Depends(caller_with("registrar", "coordinator", "volunteer", "privacy_officer"))]
Counter = Annotated[Caller, Depends(caller_with("statistician", "registrar", "coordinator", "privacy_officer"))]
Reader = Annotated[Caller, Depends(caller_with(*READERS))]
CodeReader = Annotated[Caller, Depends(caller_with(*READERS, "volunteer", "privacy_officer"))]
Difficulty = Annotated[str, *one_of(DIFFICULTIES)]
Help = Annotated[str, *one_of(HELP)]
Basis = Annotated[str, *one_of(BASES)]
Version = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
OPEN = ("division", "difficulties", "help", "basis", "basis_version", "basis_on", "consent_on")


class ChildIn(Form):
    """A child in difficulty. All that tells who it is, is sealed; `basis` is by what right it is kept.

    `consent_on` is the day of the guardian's consent where the basis is another: who is no office asks for it besides.
    """

    model_config = example(
        division="370812001001",
        difficulties=["left_behind"],
        help=["heart", "learning"],
        basis="guardian_consent",
        basis_version="2026-11",
        basis_on="2026-03-02",
        name="童示例",
        birth_date="2016-05-01",
        school="示例小学",
        address="示例路1号",
        guardian="李示例",
        guardian_phone="000-0000-0002",
        needs="每周一次陪伴和作业辅导",
    )

    division: FineDivision
    difficulties: Annotated[list[Difficulty], Field(min_length=1, max_length=len(DIFFICULTIES))]
    help: Annotated[list[Help], Field(min_length=1, max_length=len(HELP))]
    basis: Basis
    basis_version: Version
    basis_on: date
    consent_on: date | None = None
    name: Words
    birth_date: date
    school: Words | None = None
    address: Words | None = None
    guardian: Words | None = None
    guardian_phone: Words | None = None
    needs: Annotated[str, Field(max_length=2000)] | None = None

    def personal(self) -> dict[str, str]:
        """The sealed fields, written plainly; raises `Refused` with the field."""
        fields = {name: plain(getattr(self, name)) for name in PERSONAL if name != "birth_date"}
        try:
            fields["name"] = read_name(fields["name"])
            if self.guardian_phone is not None:
                fields["guardian_phone"] = read_phone(fields["guardian_phone"])
        except Flawed as flaw:
            raise Refused(flaw.reason, flaw.detail, "guardian_phone" if "phone" in flaw.reason else "name") from flaw
        if self.basis == "guardian_consent" and not fields["guardian"]:
            raise Refused("missing", "以监护人同意登记时须写明监护人", "guardian")
        return {**fields, "birth_date": self.birth_date.isoformat()}


class MoveIn(Form):
    model_config = example(to="ended", reason="resolved")

    to: Literal["listed", "ended"]
    reason: Annotated[str, *one_of(MOVE_REASONS)]


class ReadIn(Form):
    """Why something is read, as a code: words about a child would outlive its record in the log."""

    model_config = example(reason="visit")

    reason: Annotated[str, *one_of(READ_REASONS)]


class EraseIn(Form):
    model_config = example(reason="guardian_request")

    reason: Annotated[str, *one_of(ERASE_REASONS)]


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.get("/v1/children-database/codes")
    async def read_codes(caller: CodeReader) -> Document:
        """The difficulties, the four kinds of help and the bases, with the words of the papers."""
        reasons = {"read": READ_REASONS, "move": MOVE_REASONS, "erase": ERASE_REASONS}
        return {"difficulties": DIFFICULTIES, "help": HELP, "bases": BASES, "reasons": reasons}

    @app.put("/v1/children/{ident}")
    async def write_child(ident: uuid.UUID, body: ChildIn, caller: Keeper, response: Response) -> Document:
        """List a child in difficulty, or change what is known; the same again changes nothing; keepers only.

        One that the county has listed is a conflict, and who was told so is in the log.
        """
        personal, told = body.personal(), {name: value for name, value in body.told().items() if name in OPEN}

        async def write(tx: Tx) -> tuple[Document, bool]:
            who = await keeper_of(tx, keys, caller)
            record, new = await commands.write_child(tx, keys, ident, told, personal, who)
            return await shown_child(tx, keys, record), new

        try:
            record, new = await database.transact(write)
        except NotAllowed as refusal:
            if refusal.reason == commands.LISTED_ALREADY:
                await database.transact(_noted(ident, body.division, caller))
            raise
        response.status_code = 201 if new else 200
        return record

    @app.get("/v1/children")
    async def list_children(
        caller: Keeper,
        response: Response,
        division: DivisionQuery = None,
        difficulty: Difficulty | None = None,
        help: Help | None = None,
        state: State | None = None,
        helped: bool | None = None,
        due: bool = False,
        after: After = None,
        limit: Limit = 50,
    ) -> Document:
        """The records in the keeper's divisions, masked; `due` are those who are of age within this year or are."""
        asked: Document = {"difficulties": difficulty, "help": help, "state": state.value if state else None}
        asked = {name: value for name, value in asked.items() if value is not None}
        if helped is not None:
            asked |= kept.helped(local_day(now()).isoformat(), helped)
        if due:
            asked["of_age_year"] = {"$lte": local_day(now()).year}
        response.headers.update(NO_STORE)

        async def read(tx: Tx) -> list[Document]:
            who = await keeper_of(tx, keys, caller)
            inside = scopes(who.teams, reach(caller, division))
            rows = await kept.children_in(tx, inside, asked, after, limit) if inside else []
            await keys.persons.load(tx, [key_of(row["_id"]) for row in rows])
            helpers = await commands.helping(tx, [row["_id"] for row in rows])
            return [await shown_child(tx, keys, row, len(helpers[row["_id"]])) for row in rows]

        return paged(await database.transact(read), limit)

    @app.get("/v1/children/{ident}")
    async def read_child(ident: uuid.UUID, caller: Keeper, response: Response) -> Document:
        """A record, masked, with the tasks that were given; keepers only."""
        response.headers.update(NO_STORE)

        async def read(tx: Tx) -> Document:
            record = await commands.record_of(tx, ident, await keeper_of(tx, keys, caller))
            names = ("volunteer_id", "help", "fields", "since", "until", "state", "revision")
            tasks = [
                {"id": one["_id"], **{name: one[name] for name in names}} for one in await kept.tasks_of(tx, ident)
            ]
            return {**await shown_child(tx, keys, record), "tasks": tasks}

        return await database.transact(read)

    @app.post("/v1/children/{ident}/reveal")
    async def reveal(ident: uuid.UUID, body: ReadIn, caller: Keeper, response: Response) -> Document:
        """All that is known of a child in plain; who read it, when and why is logged; keepers only."""

        async def read(tx: Tx) -> Document:
            record = await commands.record_of(tx, ident, await keeper_of(tx, keys, caller))
            fields = await commands.read_fields(tx, keys, record, PERSONAL, body.reason, caller.subject)
            return {"id": ident, **fields}

        fields = await database.transact(read)
        observe.PERSONAL_READS.labels("child").inc()
        response.headers.update(NO_STORE)
        return fields

    @app.post("/v1/children/{ident}/moves")
    async def move(ident: uuid.UUID, body: MoveIn, caller: Keeper) -> Document:
        """End a record, which takes its tasks back, or list it again; keepers only."""

        async def step(tx: Tx) -> Document:
            record = await commands.record_of(tx, ident, await keeper_of(tx, keys, caller))
            moved = await commands.move_child(tx, keys, record, State(body.to), body.reason, caller.subject)
            return await shown_child(tx, keys, moved)

        return await database.transact(step)

    @app.post("/v1/children/{ident}/erase")
    async def erase(ident: uuid.UUID, body: EraseIn, caller: Officer) -> Document:
        """Delete the child's key and all that tells who it is; again, nothing happens; keepers, privacy officers."""

        async def gone(tx: Tx) -> Document:
            record = await _of_officer(tx, ident, caller)
            return await shown_child(
                tx, keys, await commands.erase_child(tx, keys, record, body.reason, caller.subject)
            )

        return await database.transact(gone)

    @app.get("/v1/children/{ident}/reads")
    async def read_log(ident: uuid.UUID, caller: Officer, after: After = None, limit: Limit = 50) -> Document:
        """Who read which fields of a child, when, why and for which task; keepers and privacy officers."""
        await database.transact(lambda tx: _of_officer(tx, ident, caller))
        rows = await kept.reads_page(database, ident, after, limit)
        names = ("by", "at", "fields", "reason", "task_id")
        return paged([{"id": row["_id"], **{name: row[name] for name in names}} for row in rows], limit)

    async def _of_officer(tx: Tx, ident: uuid.UUID, caller: Caller) -> Document:
        if "privacy_officer" not in caller.roles:
            return await commands.record_of(tx, ident, await keeper_of(tx, keys, caller))
        found = await kept.child(tx, ident)
        if found is None or not caller.sees(found["division"]):
            raise NotFound("there is no such record")
        return found

    def _noted(ident: uuid.UUID, division: str, caller: Caller) -> Callable[[Tx], Awaitable[None]]:
        async def note(tx: Tx) -> None:
            commands.note_double(tx, ident, division, caller.subject)

        return note

    @app.get("/v1/children-database/backbone")
    async def backbone(caller: Reader, division: Annotated[str, Field(pattern=r"^[0-9]{6}$")]) -> Document:
        """The three levels of a county: which of city, county and towns have a backbone organisation and a keeper."""
        seen(caller, division)
        towns = await kept.towns(database, division)
        today = local_day(now()).isoformat()
        teams = await database.transact(lambda tx: kept.backbone(tx, division))
        levels: dict[str, Document] = {}
        for digits, level in LEVELS.items():
            expected = towns if level == "town" else [division[:digits]]
            of_level = [team for team in teams if len(team["division"]) == digits]
            keeping = {team["division"] for team in of_level if _has_keeper(team, today)}
            levels[level] = {
                "expected": len(expected),
                "teams": len(of_level),
                "with_keeper": len(keeping.intersection(expected)),
                "without_team": sorted(set(expected) - {team["division"] for team in of_level}),
                "without_keeper": sorted(set(expected) - keeping),
            }
        complete = all(not one["without_keeper"] for one in levels.values())
        return {"division": division, "levels": levels, "complete": complete}

    @app.get("/v1/children-database/statistics")
    async def statistics(caller: Counter, division: DivisionQuery = None) -> Document:
        """How many children are listed, helped and waiting, by difficulty and kind of help; small counts are null.

        What is told is rounded down, and of no division finer than the policy names: no difference gives a child away.
        """
        rule = keys.policies.children.at(now()).statistics
        wanted = reach(caller, division)
        if len(wanted) > rule.finest_digits:
            raise Refused("too_fine", f"只统计到 {rule.finest_digits} 位区划", "division")
        counts = await kept.counts(database, wanted, local_day(now()).isoformat())

        def told(name: str) -> int | None:
            return told_count(counts.get(name, 0), rule.few)

        return {
            "division": wanted,
            "few": rule.few,
            **{name: told(name) for name in ("children", "helped", "waiting")},
            "difficulties": {code: told(f"difficulties.{code}") for code in DIFFICULTIES},
            "help": {code: told(f"help.{code}") for code in HELP},
        }


async def keeper_of(tx: Tx, keys: Keys, caller: Caller) -> commands.Keeper:
    return await commands.keeper(tx, keys.policies, caller.subject, caller.division)


async def shown_child(tx: Tx, keys: Keys, row: Document, helpers: int | None = None) -> Document:
    """A record, its name masked; `helpers` where the people who help were counted before."""
    if helpers is None:
        helpers = len((await commands.helping(tx, [row["_id"]]))[row["_id"]])
    names = ("revision", "state", *OPEN, "team_id", "of_age_year", "helped_until", "ended_on", "by", "changed_at")
    told = {"id": row["_id"], "helpers": helpers, **{name: row[name] for name in names}}
    told["handed_to"] = row.get("handed_to")
    if row["sealed"] is None:
        return told
    opened = await keys.persons.open(tx, key_of(row["_id"]), row["sealed"])
    return {**told, "name": masked_name(opened["name"])}


def _has_keeper(team: Document, day: str) -> bool:
    return any(
        term["role"] == CHILDREN_DATABASE and holds_on(term["since"], term["until"], day) for term in team["members"]
    )
