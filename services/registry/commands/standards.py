"""A check of a place by a named inspector, kept with the version of the standard; it never changes afterwards."""

from __future__ import annotations

import uuid
from typing import Any

from chassis.errors import NotAllowed
from chassis.tx import Document, Tx
from contracts.registry import PlaceChecked
from services.registry.store import places as kept


async def record_check(
    tx: Tx, ident: uuid.UUID, place: Document, result: dict[str, Any], files: dict[str, str], by: str
) -> Document:
    """`result` as `api.standards.held` gives it, `files` SHA-256 by clause; sent again, it is the first that stays."""
    known = await kept.check(tx, ident)
    if known is not None:
        asked = (place["_id"], result["standard"], files)
        if (known["place_id"], known["standard"], known["files"]) != asked:
            raise NotAllowed("这个编号已用于另一次检查")
        return known
    document: Document = {
        "_id": ident,
        "place_id": place["_id"],
        "place_revision": place["revision"],
        "division": place["division"],
        **result,
        "files": files,
        "by": by,
        "at": tx.now,
    }
    tx.insert("place_checks", document)
    counts = result["counts"]
    tx.emit(
        PlaceChecked(
            **tx.stamp(place["division"]),
            check_id=ident,
            revision=1,
            place_id=place["_id"],
            division=place["division"],
            standard=result["standard"],
            version=result["version"],
            overall=result["overall"],
            passed=counts.get("pass", 0),
            failed=counts.get("fail", 0),
            missing=counts.get("missing", 0),
            advised=counts.get("advised", 0),
        )
    )
    return document
