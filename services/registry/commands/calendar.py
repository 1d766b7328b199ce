"""Links to a person's calendar: the secret is given once, and only a hash of it is kept."""

from __future__ import annotations

import hashlib
import secrets
import uuid

from chassis.tx import Document, Tx
from services.registry import store
from services.registry.store.rosters import calendar_link

BYTES = 32
"""Of chance in a secret: 256 bits, which nobody guesses."""


def hashed(secret: str) -> str:
    """SHA-256; the secret is chance itself, so it needs no key and no salt."""
    return hashlib.sha256(secret.encode()).hexdigest()


async def reset_link(tx: Tx, person: uuid.UUID, secret: str) -> Document:
    """Make the link, or put another in its place: those before are dead with the commit, of whichever entry."""
    before = await calendar_link(tx, person)
    for ident in await store.entries_of(tx, person):
        await drop_link(tx, ident)
    document = {
        "_id": person,
        "secret": hashed(secret),
        "revision": before["revision"] + 1 if before else 1,
        "made_at": tx.now,
    }
    tx.put("calendar_links", document)
    return document


async def drop_link(tx: Tx, person: uuid.UUID) -> bool:
    """Whether there was a link."""
    if await calendar_link(tx, person) is None:
        return False
    tx.delete("calendar_links", person)
    return True


def new_secret() -> str:
    return secrets.token_urlsafe(BYTES)
