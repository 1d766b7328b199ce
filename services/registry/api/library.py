"""The library over HTTP: resources, their search, and how much they are used."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import uuid
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Query, Response

from chassis.auth import Caller, caller_with
from chassis.db import Database
from chassis.errors import Refused
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.api import library_guides, library_lending
from services.registry.api.library_forms import HandedOnIn, ItemIn, OpenedIn
from services.registry.api.requests import READERS, After, DivisionQuery, Limit, paged, reach, seen
from services.registry.commands import library as commands
from services.registry.domain.library_labels import (
    AUDIENCES,
    CODE_LISTS,
    KINDS,
    LANGUAGES,
    LICENCES,
    PROBLEM_GROUPS,
    PROBLEMS,
    PURPOSES,
    SETTINGS,
    problems_under,
)
from services.registry.domain.library_terms import QUERY_LIMIT, asked
from services.registry.keys import Keys
from services.registry.store import library as kept

USERS = (*READERS, "volunteer", "community_worker", "class_teacher", "school_counsellor", "department")
"""Who may read what the library has, and order a guided reading."""
Reader = Annotated[Caller, Depends(caller_with(*USERS))]
Counter = Annotated[Caller, Depends(caller_with(*READERS))]
Registrar = Annotated[Caller, Depends(caller_with("registrar"))]
Keeper = Annotated[Caller, Depends(caller_with("registrar", "coordinator"))]
CodeQuery = Annotated[str | None, Query(max_length=64)]
Cursor = Annotated[str | None, Query(max_length=1200, description="`next` of the page before.")]
MonthQuery = Annotated[str, Query(pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$", description="A month, as in 2026-11.")]
_HIDDEN = ("_id", "terms", "rank")
_BY_FIELD = {
    "kind": ("kind", KINDS),
    "audience": ("audiences", AUDIENCES),
    "purpose": ("purposes", PURPOSES),
    "setting": ("settings", SETTINGS),
    "licence": ("licence", LICENCES),
    "language": ("language", LANGUAGES),
}


def filters(
    caller: Reader,
    division: DivisionQuery = None,
    kind: CodeQuery = None,
    audience: CodeQuery = None,
    tag: Annotated[str | None, Query(max_length=64, description="A problem, or one of the three groups.")] = None,
    purpose: CodeQuery = None,
    setting: CodeQuery = None,
    licence: CodeQuery = None,
    language: CodeQuery = None,
    provider_id: uuid.UUID | None = None,
    active: bool = True,
) -> Document:
    """The query that lists and search share; raises `Refused` for a code that its list does not have."""
    told = {
        "kind": kind,
        "audience": audience,
        "purpose": purpose,
        "setting": setting,
        "licence": licence,
        "language": language,
    }
    query: Document = {"active": active}
    for name, value in told.items():
        field, known = _BY_FIELD[name]
        if value is not None:
            query[field] = _known(name, value, known)
    if tag is not None:
        query["tags"] = {"$in": list(problems_under(_known("tag", tag, [*PROBLEMS, *PROBLEM_GROUPS])))}
    if provider_id is not None:
        query["provider_id"] = provider_id
    where = kept.shared_with(caller.division) if division is None else store.within(seen(caller, division))
    return query | where


Filters = Annotated[Document, Depends(filters)]


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.get("/v1/library/codes")
    async def read_library_codes(caller: Reader) -> Document:
        """The library's code lists with Chinese names, the group of each problem, and what each licence allows."""
        return {
            "lists": CODE_LISTS,
            "problem_groups": {code: one.group for code, one in PROBLEMS.items()},
            "handing_on": {code: one.hand_on for code, one in LICENCES.items()},
        }

    @app.get("/v1/library/items")
    async def list_library_items(
        query: Filters, sort: Literal["id", "title"] = "id", after: Cursor = None, limit: Limit = 50
    ) -> Document:
        """The resources of the caller's division and those shared from above, filtered and in a stable order."""
        field = "_id" if sort == "id" else sort
        position = _position(after, f"list {sort}", str)
        rows = await kept.items_page(database, query, field, position, limit)
        return _paged(rows, limit, f"list {sort}", lambda row: str(row[field]))

    @app.get("/v1/library/search")
    async def search_library(
        query: Filters,
        q: Annotated[str, Query(min_length=1, max_length=QUERY_LIMIT)],
        after: Cursor = None,
        limit: Limit = 20,
    ) -> Document:
        """Resources found by words of their titles, subjects and descriptions; those with more of the words first."""
        words = await asyncio.to_thread(asked, q)
        if not words:
            raise Refused("no_words", "请输入要查找的词", "q")
        of = hashlib.sha256(" ".join(words).encode()).hexdigest()[:16]
        rows = await kept.found_page(database, words, query, _position(after, of, int), limit)
        return {"words": words, **_paged(rows, limit, of, lambda row: row["rank"])}

    @app.put("/v1/library/items/{ident}")
    async def write_library_item(ident: uuid.UUID, body: ItemIn, caller: Registrar, response: Response) -> Document:
        """A resource under an id that the client chose, or as it shall be; the same again changes nothing."""
        seen(caller, body.division)
        told = body.model_dump()
        words = await asyncio.to_thread(commands.words_of, told)

        async def write(tx: Tx) -> tuple[Document, bool]:
            return await commands.write_item(tx, ident, told, words, caller)

        document, new = await database.transact(write)
        response.status_code = 201 if new else 200
        return shown(document)

    @app.get("/v1/library/items/{ident}")
    async def read_library_item(ident: uuid.UUID, caller: Reader) -> Document:
        """A resource with its provider, its licence, and where it is."""
        return shown(commands.readable(await database.get("library_items", ident), caller))

    @app.post("/v1/library/items/{ident}/opened")
    async def open_library_item(ident: uuid.UUID, body: OpenedIn, caller: Reader) -> Document:
        """Count one opening and give the link or the shelf; nobody is counted with it."""
        if body.division is not None:
            seen(caller, body.division)

        async def count(tx: Tx) -> Document:
            return await commands.open_item(tx, ident, body.division, caller)

        item = await database.transact(count)
        return {"id": item["_id"], "link": item["link"], "shelf": item["shelf"], "place_id": item["place_id"]}

    @app.get("/v1/library/items/{ident}/use")
    async def read_item_use(ident: uuid.UUID, caller: Counter) -> Document:
        """How often a resource was opened, lent and handed on, by month and division within the caller's."""
        commands.readable(await database.get("library_items", ident), caller)
        rows = _not_too_wide(await kept.use_of(database, ident))
        counted = [(row["_id"].split(":"), row) for row in rows]
        found = [
            {"month": month, "division": place, **_counts(row)}
            for (_, month, place), row in counted
            if caller.sees(place)
        ]
        return {"items": found}

    @app.get("/v1/library/use")
    async def read_library_use(caller: Counter, month: MonthQuery, division: DivisionQuery = None) -> Document:
        """How often resources of each kind were used in a month, by division."""
        rows = _not_too_wide(await kept.use_in(database, month, reach(caller, division)))
        counted = [(row["_id"].split(":"), row) for row in rows]
        found = [{"division": place, "kind": kind, **_counts(row)} for (_, place, kind), row in counted]
        return {"month": month, "items": found}

    @app.put("/v1/library/handed-on/{ident}")
    async def hand_on(ident: uuid.UUID, body: HandedOnIn, caller: Keeper, response: Response) -> Document:
        """Write down that a recording was handed on, where its licence allows it; the same again changes nothing."""
        seen(caller, body.division)

        async def write(tx: Tx) -> tuple[Document, bool]:
            return await commands.hand_on(tx, ident, body.told(), caller)

        document, new = await database.transact(write)
        response.status_code = 201 if new else 200
        return _plain(document)

    @app.get("/v1/library/handed-on")
    async def list_handed_on(
        caller: Counter,
        division: DivisionQuery = None,
        item_id: uuid.UUID | None = None,
        after: After = None,
        limit: Limit = 50,
    ) -> Document:
        """What was handed on in a division, or of one resource."""
        query = store.within(reach(caller, division)) | ({"item_id": item_id} if item_id else {})
        rows = await store.page(database, "library_handed_on", query, after, limit)
        return paged([_plain(row) for row in rows], limit)

    library_lending.routes(app, database, keys)
    library_guides.routes(app, database, keys)


def shown(row: Document) -> Document:
    """A resource as lists and answers show it, with the groups of its problems and the names of its codes."""
    return {
        "id": row["_id"],
        **{name: value for name, value in row.items() if name not in _HIDDEN},
        "kind_label": KINDS[row["kind"]],
        "licence_label": LICENCES[row["licence"]].label,
        "problem_groups": sorted({PROBLEMS[tag].group for tag in row["tags"]}),
    }


def _plain(row: Document) -> Document:
    return {"id": row["_id"], **{name: value for name, value in row.items() if name != "_id"}}


def _not_too_wide(rows: list[Document]) -> list[Document]:
    """All rows of counts; a part of them would pass for the whole."""
    if len(rows) > kept.MANY:
        raise Refused("too_wide", "行数太多，请选更小的区划", "division")
    return rows


def _counts(row: Document) -> dict[str, int]:
    return {name: row.get(name, 0) for name in ("opened", "lent", "handed_on")}


def _known(field: str, value: str, words: Any) -> str:
    if value not in words:
        raise Refused("unknown_code", f"not one of {', '.join(words)}", field)
    return value


def _paged(rows: list[Document], limit: int, of: str, value: Any) -> Document:
    last = rows[-1] if len(rows) == limit else None
    after = None
    if last is not None:
        after = base64.urlsafe_b64encode(json.dumps([of, value(last), str(last["_id"])]).encode()).decode()
    return {"items": [shown(row) for row in rows], "next": after}


def _position(after: str | None, of: str, kind: type) -> Any:
    if after is None:
        return None
    try:
        told, value, ident = json.loads(base64.b64decode(after.encode("ascii"), b"-_", validate=True))
        if told != of or type(value) is not kind or (isinstance(value, int) and not 0 <= value < 2**53):
            raise ValueError("of another list")
        str(value).encode()  # half a surrogate pair is no text that the database takes
        return value, uuid.UUID(ident)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise Refused("bad_cursor", "`after` must be the `next` of a page of the same list", "after") from error
