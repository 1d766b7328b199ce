"""Handing the record of a child over within the county, over HTTP; keepers on both sides."""

from __future__ import annotations

import uuid

from fastapi import FastAPI, Response
from pydantic import Field

from chassis.db import Database
from chassis.tx import Document, Tx
from contracts.base import DivisionCode, FineDivision
from services.registry.api.children import Keeper, keeper_of, shown_child
from services.registry.api.requests import After, Limit, paged
from services.registry.api.teams_forms import Form, example
from services.registry.api.volunteers import NO_STORE
from services.registry.commands import children as records
from services.registry.commands import children_hand_over as commands
from services.registry.domain.children import key_of, scopes
from services.registry.keys import Keys
from services.registry.store import children_database as kept


class HandOverIn(Form):
    model_config = example(to="370812002")

    to: DivisionCode | None = Field(description="The division whose keeper shall take it; null takes the offer back.")


class TakeOverIn(Form):
    model_config = example(division="370812002001")

    division: FineDivision


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.get("/v1/children-database/handed-over")
    async def list_offered(caller: Keeper, response: Response, after: After = None, limit: Limit = 50) -> Document:
        """The records that others handed over to the caller's divisions, masked; keepers only."""
        response.headers.update(NO_STORE)

        async def read(tx: Tx) -> list[Document]:
            who = await keeper_of(tx, keys, caller)
            rows = await kept.handed_to(tx, scopes(who.teams, caller.division), after, limit)
            await keys.persons.load(tx, [key_of(row["_id"]) for row in rows])
            return [await shown_child(tx, keys, row) for row in rows]

        return paged(await database.transact(read), limit)

    @app.post("/v1/children/{ident}/hand-over")
    async def hand_over(ident: uuid.UUID, body: HandOverIn, caller: Keeper) -> Document:
        """Offer a record to another division of the county, or take the offer back; its keepers only."""

        async def step(tx: Tx) -> Document:
            record = await records.record_of(tx, ident, await keeper_of(tx, keys, caller))
            return await shown_child(tx, keys, await commands.hand_over(tx, record, body.to, caller.subject))

        return await database.transact(step)

    @app.post("/v1/children/{ident}/take-over")
    async def take_over(ident: uuid.UUID, body: TakeOverIn, caller: Keeper) -> Document:
        """Take a record that was handed over to the caller's divisions; from then on it is theirs alone."""

        async def step(tx: Tx) -> Document:
            who = await keeper_of(tx, keys, caller)
            record = await kept.child(tx, ident)
            return await shown_child(tx, keys, await commands.take_over(tx, keys, record, body.division, who))

        return await database.transact(step)
