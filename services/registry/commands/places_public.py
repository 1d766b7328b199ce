"""A place is opened to the public, or taken off."""

from __future__ import annotations

from chassis.errors import NotAllowed
from chassis.tx import Document, Tx
from services.registry.commands.places import recorded_now, save
from services.registry.domain.places_status import State


def open_to_public(tx: Tx, place: Document, public: bool, by: str) -> Document:
    """What anybody may read of a place: the marking alone; the page is there while the place is open as well."""
    if place["status"] == State.closed and public:
        raise NotAllowed("场所已关闭")
    if place.get("public", False) == public:
        return {**place, "public": public}
    return save(tx, place, recorded_now(tx, {**place, "public": public}, {"public"}, by))
