"""What the page on a place's wall says beside what the place itself has, and how a room's sessions are counted."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from services.registry.domain.places_labels import TYPES
from services.registry.domain.versions import PolicyPart, Source, Versioned


class Wall(PolicyPart):
    """`fees_of` are the types that post their fees; no others do."""

    hotline: Annotated[str, StringConstraints(pattern=r"^[0-9-]{3,20}$")]
    hotline_source: Source
    fees_of: tuple[str, ...]
    fees_source: Source


class MarriageSessions(PolicyPart):
    """At most `couple` people in one counselling; sums over fewer than `few` people are not told, except none."""

    couple: Annotated[int, Field(ge=1, le=20)]
    couple_source: Source
    few: Annotated[int, Field(ge=2, le=100)]
    few_source: Source


class PlacesPolicy(Versioned):
    wall: Wall
    marriage: MarriageSessions

    def posts_fees(self, kind: str) -> bool:
        return kind in self.wall.fees_of and kind in TYPES
