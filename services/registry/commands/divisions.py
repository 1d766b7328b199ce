"""Divisions: what is new or changed is told in events no larger than the broker takes."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.errors import NotAllowed, Refused
from chassis.tx import Document, Tx
from contracts.registry import Division, DivisionsListed
from services.registry import store
from services.registry.domain.divisions import Row, common_division, in_events, next_local_code

LOCAL_EDITION = "local"


async def known_division(tx: Tx, code: str) -> Document:
    """The division, or a refusal that names the field."""
    found = await store.division(tx, code)
    if found is None:
        raise Refused("unknown_division", f"there is no division {code}", "division")
    return found


def list_divisions(tx: Tx, edition: str, rows: Sequence[Row]) -> None:
    """Tell what is new or changed, in events no larger than the broker takes."""
    for portion in in_events(rows):
        divisions = tuple(Division(code=row.code, name=row.name, local=row.local) for row in portion)
        place = common_division(row.code for row in portion)
        tx.emit(DivisionsListed(**tx.stamp(place), edition=edition, divisions=divisions))


async def add_local_division(tx: Tx, parent: str, name: str) -> Document:
    """A unit without a civil code, under a parent, with the next free local code."""
    if await store.division(tx, parent) is None:
        raise Refused("unknown_division", f"there is no division {parent}", "parent")
    code = next_local_code(parent, await store.codes_under(tx, parent))
    if code is None:
        raise NotAllowed(f"{parent} can have no further local division")
    document = {"_id": code, "name": name, "parent": parent, "local": True, "edition": LOCAL_EDITION}
    tx.insert("divisions", document)
    list_divisions(tx, LOCAL_EDITION, [Row(0, code, name, True)])
    return document
