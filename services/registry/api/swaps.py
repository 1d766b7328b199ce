"""Swaps of turns over HTTP: whose turn it is offers, the other accepts or declines. Nobody is notified."""

from __future__ import annotations

import uuid
from enum import StrEnum
from typing import Annotated

from fastapi import Depends, FastAPI
from pydantic import BaseModel, ConfigDict

from chassis.auth import Caller, caller_with
from chassis.db import Database
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.api.requests import After, DivisionQuery, Limit, keeps, paged, reach
from services.registry.commands.swaps import accept_swap, end_swap, offer_swap
from services.registry.domain.swaps import LABELS, State
from services.registry.keys import Keys
from services.registry.store.rosters import swap as swap_of
from services.registry.store.rosters import swaps_wanted

Party = Annotated[Caller, Depends(caller_with("registrar", "coordinator", "volunteer"))]
Side = StrEnum("Side", ["from_id", "to_id"])


class SwapIn(BaseModel):
    """The turn offered, who shall take it, and the other's turn in return (none: the turn is given away)."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "duty_id": "01970d3b-0000-7000-8000-0000000000d1",
                    "to_id": "01970d3b-0000-7000-8000-0000000000b2",
                    "return_duty_id": "01970d3b-0000-7000-8000-0000000000d2",
                }
            ]
        },
    )

    duty_id: uuid.UUID
    to_id: uuid.UUID
    return_duty_id: uuid.UUID | None = None


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.put("/v1/swaps/{ident}")
    async def offer(ident: uuid.UUID, body: SwapIn, caller: Party) -> Document:
        """Offer a turn under an id of the client's choice; the person on duty, or a registrar or coordinator."""

        async def write(tx: Tx) -> Document:
            before = await swap_of(tx, ident)
            if before is not None:
                if any(before[name] != value for name, value in body.model_dump().items()):
                    raise NotAllowed("the id is taken by another swap", reason="taken")
                return await _seen(tx, before, caller, Side.from_id)
            duty = await _duty(tx, body.duty_id, "duty_id")
            if not await _may(tx, caller, duty["division"], duty["volunteer_id"]):
                raise Refused("unknown_duty", "there is no such turn of duty", "duty_id")
            other = await store.volunteer(tx, body.to_id)
            if other is None or not other["active"] or not caller.sees(other["division"]):
                raise Refused("unknown_volunteer", "there is no such active volunteer", "to_id")
            back = await _duty(tx, body.return_duty_id, "return_duty_id") if body.return_duty_id else None
            if back is not None and not _keeps_all(caller, back):
                raise Refused("unknown_duty", "there is no such turn of duty", "return_duty_id")
            return await offer_swap(tx, ident, duty, body.to_id, back)

        return _swap(await database.transact(write))

    @app.get("/v1/swaps")
    async def list_swaps(
        caller: Party,
        division: DivisionQuery = None,
        state: State | None = None,
        after: After = None,
        limit: Limit = 50,
    ) -> Document:
        """The swaps of a division; for a volunteer those that the person has a part in."""
        own = await database.transact(lambda tx: _own(tx, caller))
        query = swaps_wanted(reach(caller, division), own, state.value if state else None)
        return paged([_swap(row) for row in await store.page(database, "swaps", query, after, limit)], limit)

    @app.get("/v1/swaps/{ident}")
    async def read_swap(ident: uuid.UUID, caller: Party) -> Document:
        """One swap; the two persons, registrars and coordinators."""

        async def read(tx: Tx) -> Document:
            return await _seen(tx, await swap_of(tx, ident), caller, *Side)

        return _swap(await database.transact(read))

    @app.post("/v1/swaps/{ident}/accept")
    async def accept(ident: uuid.UUID, caller: Party) -> Document:
        """The other person takes the turn; every rule is looked at again, and the turns change hands at once.

        409 tells by `reason` what stands against it; the offer then stays open.
        """

        async def write(tx: Tx) -> Document:
            found = await _seen(tx, await swap_of(tx, ident), caller, Side.to_id)
            if not _keeps_all(caller, *found.get("turns", ())):
                raise NotAllowed("one of the turns is on a roster outside of the caller's division", status=403)
            return await accept_swap(tx, found, keys.policies)

        return _swap(await database.transact(write))

    @app.post("/v1/swaps/{ident}/decline")
    async def decline(ident: uuid.UUID, caller: Party) -> Document:
        """The other person does not take the turn."""

        async def write(tx: Tx) -> Document:
            return end_swap(tx, await _seen(tx, await swap_of(tx, ident), caller, Side.to_id), State.declined)

        return _swap(await database.transact(write))

    @app.post("/v1/swaps/{ident}/withdraw")
    async def withdraw(ident: uuid.UUID, caller: Party) -> Document:
        """Who offered the turn keeps it after all."""

        async def write(tx: Tx) -> Document:
            return end_swap(tx, await _seen(tx, await swap_of(tx, ident), caller, Side.from_id), State.withdrawn)

        return _swap(await database.transact(write))


async def _own(tx: Tx, caller: Caller) -> list[uuid.UUID] | None:
    """All entries of the person that a caller is; None for those who keep rosters."""
    if _acts_for_others(caller):
        return None
    try:
        uuid.UUID(caller.subject)
    except ValueError:
        raise NotFound("the token's subject is no volunteer") from None
    return await store.entries_of_subject(tx, caller.subject)


def _acts_for_others(caller: Caller) -> bool:
    return keeps(caller, "registrar", "coordinator")


async def _may(tx: Tx, caller: Caller, division: str, *people: uuid.UUID) -> bool:
    own = await _own(tx, caller)
    return caller.sees(division) if own is None else not set(own).isdisjoint(people)


def _keeps_all(caller: Caller, *turns: Document) -> bool:
    """Whether no turn lies on a roster that a caller who acts for others does not keep."""
    return not _acts_for_others(caller) or all(caller.sees(turn["division"]) for turn in turns)


async def _seen(tx: Tx, found: Document | None, caller: Caller, *sides: Side) -> Document:
    """The swap, where the caller keeps rosters there or stands on one of the sides."""
    if found is None or not await _may(tx, caller, found["division"], found["from_id"], found["to_id"]):
        raise NotFound("there is no such swap")
    if not await _may(tx, caller, found["division"], *(found[side] for side in sides)):
        raise NotAllowed("this is for the other person to say", status=403)
    return found


async def _duty(tx: Tx, ident: uuid.UUID, field: str) -> Document:
    found = await store.duty(tx, ident)
    if found is None:
        raise Refused("unknown_duty", "there is no such turn of duty", field)
    return found


def _swap(row: Document) -> Document:
    shown = {key: value for key, value in row.items() if key != "_id"}
    return {"id": row["_id"], **shown, "label": LABELS[State(row["state"])]}
