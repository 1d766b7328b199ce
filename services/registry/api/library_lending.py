"""Copies and loans over HTTP."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import Depends, FastAPI, Query, Response

from chassis.auth import Caller, caller_with
from chassis.clock import local_day, now
from chassis.db import Database
from chassis.errors import Refused
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.api.library_forms import CopyIn, CopyStateIn, DueIn, LoanIn
from services.registry.api.requests import READERS, After, DivisionQuery, Limit, paged, reach, seen
from services.registry.commands import library_lending as commands
from services.registry.domain.library_lending import LABELS, OUT, State, present_state
from services.registry.keys import Keys
from services.registry.store import library as kept

Reader = Annotated[Caller, Depends(caller_with(*READERS, "volunteer", "community_worker"))]
Keeper = Annotated[Caller, Depends(caller_with("registrar", "coordinator"))]


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.put("/v1/library/copies/{ident}")
    async def write_copy(ident: uuid.UUID, body: CopyIn, caller: Keeper, response: Response) -> Document:
        """A copy under an id that the client chose, on the shelf that it belongs on."""
        seen(caller, body.division)

        async def write(tx: Tx) -> tuple[Document, bool]:
            return await commands.write_copy(tx, ident, body.model_dump(), caller)

        document, new = await database.transact(write)
        response.status_code = 201 if new else 200
        return shown_copy(document)

    @app.get("/v1/library/copies")
    async def list_copies(
        caller: Reader,
        division: DivisionQuery = None,
        item_id: uuid.UUID | None = None,
        state: Annotated[str | None, Query(max_length=20)] = None,
        after: After = None,
        limit: Limit = 50,
    ) -> Document:
        """The copies of a division, with the state of today; who has one is not told here."""
        query = store.within(reach(caller, division)) | ({"item_id": item_id} if item_id else {})
        if state is not None:
            query |= _of_today(_state(state))
        rows = await store.page(database, "library_copies", query, after, limit)
        return paged([shown_copy(row) for row in rows], limit)

    @app.post("/v1/library/copies/{ident}/state")
    async def move_copy(ident: uuid.UUID, body: CopyStateIn, caller: Keeper) -> Document:
        """Returned, lost, or back on its shelf; what is back ends its loan, and the reader is forgotten."""

        async def move(tx: Tx) -> Document:
            copy = commands.visible_copy(await kept.copy(tx, ident), caller)
            return await commands.move_copy(tx, copy, State(body.state), caller)

        return shown_copy(await database.transact(move))

    @app.put("/v1/library/loans/{ident}")
    async def lend(ident: uuid.UUID, body: LoanIn, caller: Keeper, response: Response) -> Document:
        """Lend a copy that is on its shelf, under an id that the client chose; the same again changes nothing."""

        async def write(tx: Tx) -> tuple[Document, Document, bool]:
            return await commands.lend(tx, ident, body.model_dump(), keys, caller)

        loan, _, new = await database.transact(write)
        response.status_code = 201 if new else 200
        return shown_loan(loan)

    @app.post("/v1/library/loans/{ident}/due")
    async def put_off(ident: uuid.UUID, body: DueIn, caller: Keeper) -> Document:
        """A later last day for a copy that is out."""

        async def write(tx: Tx) -> Document:
            loan = commands.visible_loan(await kept.loan(tx, ident), caller)
            return await commands.put_off(tx, loan, body.due_on, keys, caller)

        return shown_loan(await database.transact(write))

    @app.get("/v1/library/loans")
    async def list_loans(
        caller: Keeper,
        division: DivisionQuery = None,
        copy_id: uuid.UUID | None = None,
        out: bool | None = None,
        overdue: bool = False,
        after: After = None,
        limit: Limit = 50,
    ) -> Document:
        """Loans, those that are out with their reader's id or number; ended ones have no reader any more."""
        query = store.within(reach(caller, division)) | ({"copy_id": copy_id} if copy_id else {})
        if out is not None:
            query["ended_on"] = None if out else {"$ne": None}
        if overdue:
            if out is False:
                raise Refused("bad_filter", "已结束的借阅不会逾期", "overdue")
            query |= {"ended_on": None, "due_on": {"$lt": local_day(now()).isoformat()}}
        rows = await store.page(database, "library_loans", query, after, limit)
        return paged([shown_loan(row) for row in rows], limit)


def _state(text: str) -> State:
    if text not in LABELS:
        raise Refused("unknown_code", f"not one of {', '.join(State)}", "state")
    return State(text)


def _of_today(state: State) -> Document:
    today = local_day(now()).isoformat()
    if state not in OUT:
        return {"state": state.value}
    return {"state": State.lent.value, "due_on": {"$lt" if state is State.overdue else "$gte": today}}


def shown_copy(row: Document) -> Document:
    state = present_state(State(row["state"]), row["due_on"], local_day(now()))
    kept_fields = ("revision", "item_id", "division", "shelf", "due_on")
    return {
        "id": row["_id"],
        **{name: row[name] for name in kept_fields},
        "state": state.value,
        "state_label": LABELS[state],
    }


def shown_loan(row: Document) -> Document:
    overdue = row["ended_on"] is None and row["due_on"] < local_day(now()).isoformat()
    kept_fields = ("copy_id", "item_id", "division", "borrower", "lent_on", "due_on", "ended_on", "outcome", "log")
    return {"id": row["_id"], **{name: row[name] for name in kept_fields}, "overdue": overdue}
