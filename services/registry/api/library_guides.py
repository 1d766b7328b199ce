"""Orders for guided reading over HTTP."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import Depends, FastAPI, Query, Response

from chassis.auth import Caller, caller_with
from chassis.db import Database
from chassis.errors import Refused
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.api.library_forms import GuideIn, GuideStateIn
from services.registry.api.requests import READERS, After, DivisionQuery, Limit, keeps, paged, reach, seen
from services.registry.commands import library_guides as commands
from services.registry.domain.library_guides import LABELS, State
from services.registry.keys import Keys
from services.registry.store import library as kept

ASKERS = (*READERS, "volunteer", "community_worker", "class_teacher", "school_counsellor", "department")
Asker = Annotated[Caller, Depends(caller_with(*ASKERS))]
KEEPERS = ("registrar", "coordinator")
Keeper = Annotated[Caller, Depends(caller_with(*KEEPERS))]


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.put("/v1/library/guides/{ident}")
    async def order_guide(ident: uuid.UUID, body: GuideIn, caller: Asker, response: Response) -> Document:
        """Ask for a guided reading under an id that the client chose; the same again changes nothing."""
        seen(caller, body.division)

        async def write(tx: Tx) -> tuple[Document, bool]:
            return await commands.order(tx, ident, body.told(), caller, keeper=keeps(caller, *KEEPERS))

        document, new = await database.transact(write)
        response.status_code = 201 if new else 200
        return shown(document, caller)

    @app.get("/v1/library/guides")
    async def list_guides(
        caller: Asker,
        division: DivisionQuery = None,
        state: Annotated[str | None, Query(max_length=20)] = None,
        after: After = None,
        limit: Limit = 50,
    ) -> Document:
        """The orders of a division, a guide as an id alone; who does not keep them sees the own ones."""
        query = store.within(reach(caller, division))
        if not keeps(caller, *KEEPERS):
            query["asked_by"] = caller.subject
        if state is not None:
            if state not in LABELS:
                raise Refused("unknown_code", f"not one of {', '.join(State)}", "state")
            query["state"] = state
        rows = await store.page(database, "library_guides", query, after, limit)
        return paged([shown(row, caller) for row in rows], limit)

    @app.post("/v1/library/guides/{ident}/state")
    async def move_guide(ident: uuid.UUID, body: GuideStateIn, caller: Keeper) -> Document:
        """Give an order to a guide, take it back, say that it was held, refuse it or call it off."""

        async def move(tx: Tx) -> Document:
            found = commands.visible_order(await kept.guide(tx, ident), caller)
            state = State(body.state)
            return await commands.move(tx, found, state, body.guide_id, body.reason, caller, keys.policies)

        return shown(await database.transact(move), caller)


def shown(row: Document, caller: Caller) -> Document:
    """An order; who does not keep the orders sees neither who guides nor who did what."""
    hidden = {"_id"} if keeps(caller, *KEEPERS) else {"_id", "log", "guide_id", "asked_by"}
    return {
        "id": row["_id"],
        **{name: value for name, value in row.items() if name not in hidden},
        "state_label": LABELS[State(row["state"])],
    }
