"""A place in a list that is ordered by a moment and an id: what came before it does not come again."""

from __future__ import annotations

import base64
from datetime import datetime
from uuid import UUID


def cursor(moment: datetime, ident: UUID) -> str:
    """The place after this row, for the client to hand back."""
    return base64.urlsafe_b64encode(f"{moment.isoformat()}|{ident}".encode()).decode()


def place(word: str) -> tuple[datetime, UUID]:
    """What a cursor says; raises `ValueError` for one that was not made here."""
    moment, _, ident = base64.urlsafe_b64decode(word.encode()).decode().partition("|")
    at = datetime.fromisoformat(moment)
    if at.tzinfo is None:
        raise ValueError("the moment has no offset")
    return at, UUID(ident)
