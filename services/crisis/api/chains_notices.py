"""The class–school and the home–school channel."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import ConfigDict

from chassis.auth import Caller, caller_with
from chassis.errors import NotAllowed
from services.crisis.api.concerns import ConcernId
from services.crisis.api.desk import Body, Desk, Limit, view
from services.crisis.commands import chains_notices as commands
from services.crisis.commands.chains import CLASS
from services.crisis.commands.rights import OFFICERS, institution_of
from services.crisis.domain.chains_notices import Addressee, Advice, Means
from services.crisis.domain.codes import Relation
from services.crisis.store import chains_notices as store

Sender = Annotated[Caller, Depends(caller_with(*commands.SENDERS))]
OfSchool = Annotated[Caller, Depends(caller_with(CLASS, "school_counsellor"))]
Reader = Annotated[Caller, Depends(caller_with(CLASS, *commands.SENDERS))]


class NoticeIn(Body):
    """What the class or the home is asked."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "id": "01970d3b-0000-7000-8000-00000000107e",
                    "to": "home",
                    "advice": "come_to_talk",
                    "means": "telephone",
                }
            ]
        },
    )

    id: ConcernId
    to: Addressee
    advice: Advice
    means: Means = Means.platform


class ReceiptIn(Body):
    """Who at home has confirmed it; nothing for a class, whose teacher receives by name."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"relation": "mother"}]})

    relation: Relation | None = None


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""

    @router.post("/cases/{case_id}/notices", tags=["chains"])
    async def send_notice(case_id: UUID, body: NoticeIn, caller: Sender) -> dict[str, Any]:
        """The school, or an officer, tells the class or the home what is asked of it.

        409 for a class that the case is withheld from; 403 for the home where harm to the minor is suspected, unless a
        supervisor tells it.
        """
        return await desk.do(
            lambda tx: commands.send_notice(case_id, body.id, body.to, body.advice, body.means, caller, tx)
        )

    @router.get("/notices", tags=["chains"])
    async def list_notices(caller: Reader, limit: Limit = 50) -> dict[str, Any]:
        """A class's notices of its school; a school's own; an officer's division's. The latest first."""
        school = institution_of(caller)
        if caller.roles.intersection(OFFICERS):
            found = await store.notices_in(desk.database, caller.division, limit)
        elif school is None:
            raise NotAllowed("the token names no school", status=403)
        else:
            to = None if "school_counsellor" in caller.roles else Addressee.class_.value
            found = await store.notices_of_school(desk.database, school, to, limit)
        return {"notices": [view(commands.shown(notice, caller)) for notice in found]}

    @router.post("/notices/{notice_id}/receive", tags=["chains"])
    async def receive_notice(notice_id: UUID, body: ReceiptIn, caller: OfSchool) -> dict[str, Any]:
        """A teacher has received it by name, or the school enters who at home has confirmed it."""
        return view(
            commands.shown(
                await desk.database.transact(lambda tx: commands.receive_notice(notice_id, body.relation, caller, tx)),
                caller,
            )
        )
