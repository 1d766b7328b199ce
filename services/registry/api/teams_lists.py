"""What the lists of teams and their kin share: codes that are asked for, an order, and a cursor that fits it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import date
from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator, Field

from chassis.auth import Caller
from chassis.db import Database
from chassis.errors import NotFound, Refused
from chassis.tx import Document
from services.registry.api.cursors import next_after, read_cursor
from services.registry.store import teams as kept

CodeQuery = Annotated[str | None, Query(max_length=64)]
Cursor = Annotated[str | None, Query(max_length=800, description="`next` of the page before.")]


def _a_day(text: str) -> str:
    date.fromisoformat(text)  # 2026-99-99 has the shape of a day and is none
    return text


IsoDay = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"), AfterValidator(_a_day)]
Day = Annotated[IsoDay | None, Query()]


def known(field: str, value: str | None, words: Collection[str]) -> None:
    """Raises `Refused` for a code that the list does not have."""
    if value is not None and value not in words:
        raise Refused("unknown_code", f"not one of {', '.join(words)}", field)


def visible(found: Document | None, caller: Caller) -> Document:
    """What was found, unless it lies outside the caller's division: then it does not exist for the caller."""
    if found is None or not caller.sees(found["division"]):
        raise NotFound("there is nothing of this id")
    return found


def shown(row: Document, *hidden: str) -> Document:
    """A document as answers show it."""
    return {"id": row["_id"], **{name: value for name, value in row.items() if name not in ("_id", *hidden)}}


async def listed(
    database: Database,
    collection: str,
    query: Document,
    sort: str,
    after: str | None,
    limit: int,
    show: Callable[[Document], Document] = shown,
) -> Document:
    """A page in the order asked for (`-` before a field turns it round), with `next` where there may be more."""
    field, descending = sort.removeprefix("-"), sort.startswith("-")
    rows = await kept.sorted_page(database, collection, query, field, descending, read_cursor(after, field), limit)
    following = next_after(rows[-1], field) if len(rows) == limit else None
    return {"items": [show(row) for row in rows], "next": following}
