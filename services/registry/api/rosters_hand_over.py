"""Hand-over over HTTP: a turn's note for the next, sealed, and each reading logged."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import Depends, FastAPI, Response
from pydantic import BaseModel, ConfigDict, Field

from chassis import observe
from chassis.auth import Caller, caller_with
from chassis.db import Database
from chassis.errors import NotFound
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.api.people import Why
from services.registry.api.requests import READERS, Limit, keeps
from services.registry.api.rosters import From, RosterName, To, span_of
from services.registry.commands.rosters_hand_over import write_hand_over
from services.registry.keys import Keys
from services.registry.store.rosters import hand_over, hand_overs_on, turns_after

Reader = Annotated[Caller, Depends(caller_with(*READERS))]
Writer = Annotated[Caller, Depends(caller_with("volunteer", "registrar", "supervisor"))]
NO_STORE = {"cache-control": "no-store"}


class NoteIn(BaseModel):
    """What the next turn has to know."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"text": "二号坐席耳机待更换；示例来电者约定 20 时回拨。"}]}
    )

    text: str = Field(min_length=1, max_length=4000)


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.put("/v1/rosters/{name}/duties/{ident}/hand-over")
    async def write_note(name: RosterName, ident: uuid.UUID, body: NoteIn, caller: Writer) -> Document:
        """Leave a note for the next turn; whose turn it is, or a registrar or supervisor."""

        async def write(tx: Tx) -> Document:
            duty = await _duty(tx, name, ident, caller)
            if not _keeps(caller) and duty["volunteer_id"] not in await store.entries_of_subject(tx, caller.subject):
                raise NotFound("there is no such turn of duty")
            return await write_hand_over(tx, keys, duty, body.text)

        return _shown(await database.transact(write))

    @app.get("/v1/rosters/{name}/hand-overs")
    async def list_notes(
        name: RosterName, caller: Reader, start: From = None, end: To = None, limit: Limit = 50
    ) -> Document:
        """Which turns left a note, the latest first; what it says is not in the list."""
        found = await database.get("rosters", name)
        if found is None or not caller.sees(found["division"]):
            raise NotFound("there is no such roster")
        begin, finish = span_of(start, end)
        return {"items": [_shown(row) for row in await hand_overs_on(database, name, begin, finish, limit)]}

    @app.post("/v1/rosters/{name}/duties/{ident}/hand-over/read")
    async def read_note(name: RosterName, ident: uuid.UUID, body: Why, caller: Writer, response: Response) -> Document:
        """What it says: for those who may take over, for who wrote it, for registrars and supervisors; logged."""

        async def read(tx: Tx) -> Document:
            duty = await _duty(tx, name, ident, caller)
            note = await hand_over(tx, ident)
            if note is None or not (_keeps(caller) or await _hears(tx, duty, caller.subject)):
                raise NotFound("there is no such note")
            fields = await keys.persons.open(tx, note["volunteer_id"], note["sealed"])
            tx.record(
                actor=caller.subject,
                action="hand_over.read",
                subject=str(ident),
                reason=body.reason,
                division=note["division"],
            )
            return {**_shown(note), "text": fields["text"]}

        answer = await database.transact(read)
        observe.PERSONAL_READS.labels("hand_over").inc()
        response.headers.update(NO_STORE)
        return answer


def _keeps(caller: Caller) -> bool:
    return keeps(caller, "registrar", "supervisor")


async def _duty(tx: Tx, name: str, ident: uuid.UUID, caller: Caller) -> Document:
    duty = await store.duty(tx, ident)
    if duty is None or duty["roster"] != name or (_keeps(caller) and not caller.sees(duty["division"])):
        raise NotFound("there is no such turn of duty")
    return duty


async def _hears(tx: Tx, duty: Document, subject: str) -> bool:
    """Whether the turn is the person's own, or one that may take over from it."""
    hearing = {row["volunteer_id"] for row in [duty, *await turns_after(tx, duty)]}
    return not hearing.isdisjoint(await store.entries_of_subject(tx, subject))


def _shown(note: Document) -> Document:
    names = ("revision", "roster", "division", "volunteer_id", "starts_at", "written_at")
    return {"duty_id": note["_id"], **{name: note[name] for name in names}}
