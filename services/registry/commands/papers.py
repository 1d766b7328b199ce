"""A person's papers go where the person goes, and what was asked about an erased person is gone."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from chassis.tx import Tx
from services.registry import store
from services.registry.store import children_database as children_kept
from services.registry.store.papers import papers_elsewhere


async def carry_papers(tx: Tx, ident: uuid.UUID) -> None:
    """Let the papers of a person, under whichever entry, lie where the person is registered now.

    The person's own event tells the move; what the papers say is as it was, so they keep their revisions.
    """
    entries = await store.entries_of(tx, ident)
    person = await store.volunteer(tx, entries[0])
    if person is None:
        return
    for collection, row in await papers_elsewhere(tx, entries, person["division"]):
        tx.put(collection, {**row, "division": person["division"]})


async def forget_checks(tx: Tx, entries: Sequence[uuid.UUID]) -> None:
    """Of who is erased no query of the record of offences is kept; who comes back brings a new one."""
    for check in await children_kept.record_checks_of(tx, entries):
        tx.delete("record_checks", check["_id"])
