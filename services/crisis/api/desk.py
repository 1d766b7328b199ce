"""What the routes of the crisis service share: who calls, and the shapes of what they say."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict, StringConstraints

from chassis.auth import Caller, caller_with
from chassis.bus import Bus
from chassis.db import Database
from chassis.tx import Document, Tx
from services.crisis import commands
from services.crisis.office import Office

Officer = Annotated[Caller, Depends(caller_with(*commands.OFFICERS))]
Supervisor = Annotated[Caller, Depends(caller_with("supervisor"))]
Receiver = Annotated[Caller, Depends(caller_with("receiver"))]
HotlineSystem = Annotated[Caller, Depends(caller_with("hotline"))]
Reader = Annotated[Caller, Depends(caller_with(*commands.OFFICERS, "volunteer"))]
Limit = Annotated[int, Query(ge=1, le=200)]
RoleName = Annotated[str, Query(pattern="^[a-z0-9-]{1,40}$")]
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=500)]


class Body(BaseModel):
    """What a request says; a field that is not known is refused by name."""

    model_config = ConfigDict(extra="forbid")


class WithReason(Body):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reason": "与本人通话后，值班会商决定"}]}
    )

    reason: Reason


@dataclass(frozen=True)
class Desk:
    """What the routes work with."""

    database: Database
    bus: Bus
    office: Office

    async def do(self, command: Callable[[Tx], Awaitable[Document]]) -> dict[str, Any]:
        """One command in one transaction; the document that it gives, as it is answered."""
        return view(await self.database.transact(command))


def view(document: Document) -> dict[str, Any]:
    """A document as it is answered: `_id` is `id`, and nothing that is sealed, however deep."""
    return {("id" if name == "_id" else name): _open(value) for name, value in document.items() if name != "sealed"}


def _open(value: Any) -> Any:
    """Without what is sealed: sealed things are bytes, and nothing else is; what an export has opened stays."""
    if isinstance(value, dict):
        return {name: _open(inner) for name, inner in value.items() if not isinstance(inner, bytes)}
    if isinstance(value, list):
        return [_open(inner) for inner in value]
    return value
