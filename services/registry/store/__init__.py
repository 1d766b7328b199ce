"""Every query of the registry's database; each module says the shape of the documents that it is about."""

from __future__ import annotations

from typing import Any

from services.registry.store import core
from services.registry.store.core import (
    PORTION,
    active_volunteers,
    children,
    codes_under,
    division,
    divisions,
    divisions_below,
    duties_of,
    duty,
    every,
    known_codes,
    names_in_edition,
    organisation,
    organisations_by_key,
    page,
    portions,
    roster,
    turns_on,
    volunteer,
    volunteers_by_identity,
    volunteers_in,
    within,
)

PARTS = (core,)
COLLECTIONS: dict[str, list[Any]] = {name: indexes for part in PARTS for name, indexes in part.COLLECTIONS.items()}

__all__ = [
    "COLLECTIONS",
    "PORTION",
    "active_volunteers",
    "children",
    "codes_under",
    "division",
    "divisions",
    "divisions_below",
    "duties_of",
    "duty",
    "every",
    "known_codes",
    "names_in_edition",
    "organisation",
    "organisations_by_key",
    "page",
    "portions",
    "roster",
    "turns_on",
    "volunteer",
    "volunteers_by_identity",
    "volunteers_in",
    "within",
]
