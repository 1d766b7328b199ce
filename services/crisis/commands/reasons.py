"""Why somebody proposed or refused something, in their own words: sealed beside it under the person's own key.

The audit log has the words as well. What a policy or a program gives as a reason is a code, and stays as it is.
"""

from __future__ import annotations

from typing import Any

from chassis.sealing import Unreadable
from chassis.tx import Document, Tx
from services.crisis.office import Office

ERASED = "erased"
"""In the place of words whose key is gone."""


async def sealed_reason(person: Any, reason: str, tx: Tx, office: Office) -> Document:
    """`person`, under whose key, and `sealed`: for the document that says who did it and when."""
    return {"person": person, "sealed": await office.keys.seal(tx, person, {"reason": reason})}


async def reason_of(document: Document, tx: Tx, office: Office) -> str | None:
    """The words; those that were written before they were sealed as they are, and None where they are erased."""
    if document.get("sealed") is None:
        kept: str | None = document.get("reason")
        return kept
    try:
        fields = await office.keys.open(tx, document["person"], document["sealed"])
    except Unreadable:
        return None
    return fields.get("reason")


async def with_reason(document: Document, tx: Tx, office: Office) -> Document:
    """The same with the words in plain, for who may read them, and without the seal."""
    shown = {name: value for name, value in document.items() if name not in ("person", "sealed")}
    return {**shown, "reason": await reason_of(document, tx, office)}
