"""Places over HTTP: the register, its lists, and what is recorded of one place."""

from __future__ import annotations

import uuid
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Query, Response

from chassis.auth import Caller, caller_with
from chassis.clock import now
from chassis.db import Database
from chassis.errors import NotFound, Refused
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.api import places_hosts, places_nomination, places_people, places_public, places_wall
from services.registry.api.cursors import next_after, read_cursor
from services.registry.api.places_forms import FactIn, PlaceIn, StatusIn
from services.registry.api.requests import READERS, DivisionQuery, Limit, reach, seen
from services.registry.commands import places as commands
from services.registry.domain.places import Span, open_minutes, read_minute
from services.registry.domain.places_labels import CODE_LISTS, TYPES
from services.registry.domain.places_status import State
from services.registry.keys import Keys
from services.registry.store import places as kept

Reader = Annotated[Caller, Depends(caller_with(*READERS))]
Registrar = Annotated[Caller, Depends(caller_with("registrar"))]
Sort = Literal["id", "name", "division", "type", "-id", "-name", "-division", "-type"]
CodeQuery = Annotated[str | None, Query(max_length=64)]


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.get("/v1/place-codes")
    async def read_code_lists(caller: Reader) -> Document:
        """The code lists of places with the names that papers give them."""
        return {"lists": CODE_LISTS, "types": {code: {"group": kind.group} for code, kind in TYPES.items()}}

    @app.get("/v1/places")
    async def list_places(
        caller: Reader,
        division: DivisionQuery = None,
        type: CodeQuery = None,
        group: CodeQuery = None,
        tier: CodeQuery = None,
        status: CodeQuery = None,
        host: CodeQuery = None,
        venue: CodeQuery = None,
        system: CodeQuery = None,
        care_level: CodeQuery = None,
        demonstration: CodeQuery = None,
        organisation_id: uuid.UUID | None = None,
        parent_id: uuid.UUID | None = None,
        sort: Sort = "id",
        after: Annotated[str | None, Query(max_length=800, description="`next` of the page before.")] = None,
        limit: Limit = 50,
    ) -> Document:
        """The places of a division, filtered and in a stable order."""
        asked: Document = {
            "tier": tier,
            "status": status,
            "host": host,
            "venue": venue,
            "systems": system,
            "care_level": care_level,
            "demonstration.level": demonstration,
            "organisation_id": organisation_id,
            "parent_id": parent_id,
        }
        lists = {"tier": "tiers", "host": "hosts", "venue": "venues", "systems": "systems", "care_level": "care_levels"}
        for field, name in lists.items():
            _known(field.removesuffix("s"), asked[field], CODE_LISTS[name])
        _known("demonstration", demonstration, CODE_LISTS["demonstrations"])
        _known("status", status, list(State))
        query = store.within(reach(caller, division)) | {k: v for k, v in asked.items() if v is not None}
        query |= _of_type(type, group)
        field, descending = sort.removeprefix("-"), sort.startswith("-")
        rows = await kept.places_page(database, query, field, descending, read_cursor(after, field), limit)
        last = rows[-1] if len(rows) == limit else None
        return {"items": [shown(row) for row in rows], "next": next_after(last, field) if last else None}

    @app.put("/v1/places/{ident}")
    async def write_place(ident: uuid.UUID, body: PlaceIn, caller: Registrar, response: Response) -> Document:
        """A new place under an id that the client chose, or one as it shall be; the same again changes nothing."""
        seen(caller, body.division)
        told = body.told()

        async def write(tx: Tx) -> tuple[Document, bool]:
            before = await kept.place(tx, ident)
            if before is not None:
                visible(before, caller)
            written = await commands.register_place(tx, ident, told, before, by=caller.subject, inside=caller.division)
            return written, before is None

        document, new = await database.transact(write)
        response.status_code = 201 if new else 200
        return shown(document)

    @app.get("/v1/places/{ident}")
    async def read_place(ident: uuid.UUID, caller: Reader) -> Document:
        """A place with what is recorded of it, by whom and when."""
        return shown(visible(await database.get("places", ident), caller))

    @app.post("/v1/places/{ident}/status")
    async def move_place(ident: uuid.UUID, body: StatusIn, caller: Registrar) -> Document:
        """Open, suspend or close a place; the same status again changes nothing."""

        async def move(tx: Tx) -> Document:
            place = visible(await kept.place(tx, ident), caller)
            return await commands.move_place(
                tx, place, State(body.status), body.reason, keys.policies, by=caller.subject
            )

        return shown(await database.transact(move))

    @app.put("/v1/places/{ident}/facts/{name}")
    async def record_fact(ident: uuid.UUID, name: str, body: FactIn, caller: Registrar) -> Document:
        """A yes, a no or a number that a standard asks for, with the hash of what proves it."""
        known = keys.policies.standards.at(now()).facts.get(name)
        if known is None:
            raise NotFound("no standard asks for this")
        if body.value is not None and isinstance(body.value, bool) is known.number:
            raise Refused("bad_value", "须填数字" if known.number else "须填是或否（true、false）", "value")

        async def record(tx: Tx) -> Document:
            place = visible(await kept.place(tx, ident), caller)
            return commands.record_fact(tx, place, name, body.value, body.sha256, caller.subject)

        return shown(await database.transact(record))

    places_people.routes(app, database, keys)
    places_nomination.routes(app, database, keys)
    places_wall.routes(app, database, keys)
    places_public.routes(app, database, keys)
    places_hosts.routes(app, database, keys)


def visible(found: Document | None, caller: Caller) -> Document:
    """The place, unless it lies outside the caller's division: then it does not exist for the caller."""
    if found is None or not caller.sees(found["division"]):
        raise NotFound("there is no such place")
    return found


def shown(row: Document) -> Document:
    """A place as lists and answers show it; staff and responsible persons are ids alone."""
    hidden = ("_id", "care_village")
    spans = [Span(one["weekday"], read_minute(one["opens"]), read_minute(one["closes"])) for one in row["hours"] or ()]
    return {
        "id": row["_id"],
        **{name: value for name, value in row.items() if name not in hidden},
        "type_label": TYPES[row["type"]].label,
        "group": TYPES[row["type"]].group,
        "open_minutes_a_week": open_minutes(spans) if row["hours"] is not None else None,
    }


def _known(field: str, value: str | None, words: Any) -> None:
    if value is not None and value not in words:
        raise Refused("unknown_code", f"not one of {', '.join(words)}", field)


def _of_type(kind: str | None, group: str | None) -> Document:
    _known("type", kind, TYPES)
    if group is None:
        return {"type": kind} if kind is not None else {}
    _known("group", group, CODE_LISTS["groups"])
    inside = [code for code, one in TYPES.items() if one.group == group and kind in (None, code)]
    return {"type": {"$in": inside}}
