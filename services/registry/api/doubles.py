"""Doubles over HTTP: found with their reasons, merged, kept apart, and parted again."""

from __future__ import annotations

import uuid
from typing import Annotated, Literal

from fastapi import FastAPI, Query
from pydantic import ConfigDict

from chassis.db import Database
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.api.people import Why
from services.registry.api.requests import DivisionQuery, reach
from services.registry.api.volunteers import (
    Registrar,
    note_reading,
    present_person,
    shown_person,
)
from services.registry.commands.doubles import keep_apart, merge_volunteers, split_volunteers
from services.registry.domain.doubles import pairs
from services.registry.keys import Keys

TRAITS = {"phone": "phone_key", "name": "name_key"}


class Pair(Why):
    """The other entry, and why one decides so; no personal data in it."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"other": "01970d3b-0000-7000-8000-0000000000b2", "reason": "本人确认"}]},
    )

    other: uuid.UUID


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.get("/v1/people/doubles")
    async def list_doubles(
        caller: Registrar,
        by: Literal["phone", "name"] = "phone",
        division: DivisionQuery = None,
        after: Annotated[str, Query(pattern=r"^[0-9a-f]{0,64}$")] = "",
        limit: Annotated[int, Query(ge=1, le=100)] = 50,
    ) -> Document:
        """Pairs of a division that may be one person, with the reasons, masked; registrars only.

        `by` is what they share: a number, or a name with about the year of birth and the employer or the unit. A page
        holds the pairs of `limit` shared values, so it may be empty and have a next one.
        """
        groups = await store.groups_alike(database, reach(caller, division), TRAITS[by], after, limit)

        async def read(tx: Tx) -> list[Document]:
            items = []
            for group in groups:
                rows = await store.people_of(tx, group["people"])
                rows = [row for row in rows if not row["erased"] and row["merged_into"] is None]
                for one, other, why in pairs(rows):
                    shown = [await shown_person(tx, keys, row) for row in (one, other)]
                    items.append({"one": shown[0], "other": shown[1], "reasons": why})
            return items

        items = await database.transact(read)
        return {"items": items, "next": groups[-1]["_id"] if len(groups) == limit else None}

    @app.get("/v1/volunteers/{ident}/doubles")
    async def list_doubles_of(ident: uuid.UUID, caller: Registrar) -> Document:
        """Who may be the same person as this one, with the reasons, masked; registrars only."""

        async def read(tx: Tx) -> Document:
            found = await present_person(tx, ident, caller)
            near = [row for row in await store.near(tx, found) if caller.sees(row["division"])]
            items = []
            for row in near:
                for _, _, why in pairs([found, row]):
                    items.append({"other": await shown_person(tx, keys, row), "reasons": why})
            return {"items": items}

        return await database.transact(read)

    @app.post("/v1/volunteers/{ident}/merge")
    async def merge(ident: uuid.UUID, body: Pair, caller: Registrar) -> Document:
        """Make the other entry part of this one, which stays; asked again, nothing more happens; registrars only.

        The stricter state of the two is that of both: who is not active under one of them is not active afterwards.
        """

        async def join(tx: Tx) -> Document:
            stays = await present_person(tx, ident, caller)
            goes = await present_person(tx, body.other, caller)
            kept, merge_id = await merge_volunteers(tx, keys, stays, goes)
            if kept is not stays:
                note_reading(tx, caller, "volunteers.merged", stays, body.reason)
            return {"merge": merge_id, "volunteer": await shown_person(tx, keys, kept)}

        return await database.transact(join)

    @app.post("/v1/volunteers/{ident}/split")
    async def split(ident: uuid.UUID, body: Why, caller: Registrar) -> Document:
        """Part an entry from the one that it was merged into; registrars only."""

        async def part(tx: Tx) -> Document:
            gone = await present_person(tx, ident, caller)
            kept, back = await split_volunteers(tx, keys, gone)
            note_reading(tx, caller, "volunteers.split", gone, body.reason)
            return {"volunteer": await shown_person(tx, keys, kept), "other": await shown_person(tx, keys, back)}

        return await database.transact(part)

    @app.post("/v1/volunteers/{ident}/keep-apart")
    async def decide_apart(ident: uuid.UUID, body: Pair, caller: Registrar) -> Document:
        """Note that this one and the other are two people; they are no candidates any more; registrars only."""

        async def note(tx: Tx) -> Document:
            one = await present_person(tx, ident, caller)
            other = await present_person(tx, body.other, caller)
            await keep_apart(tx, one, other)
            note_reading(tx, caller, "volunteers.kept_apart", one, body.reason)
            return {"one": ident, "other": body.other}

        return await database.transact(note)
