"""Concerns that people raise by hand, and the hops of the chain that receives them."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from chassis.auth import Caller, caller_with
from chassis.errors import Duplicate
from chassis.tx import Tx
from contracts.base import Channel, FineDivision, GridCode
from contracts.codes import Code
from contracts.hotline import Way
from services.crisis.api.desk import Body, Desk, Limit, Officer, WithReason, view
from services.crisis.commands import chains, concerns
from services.crisis.domain.forms import OFFICERS, RAISERS
from services.crisis.store import concerns as store

Raiser = Annotated[Caller, Depends(caller_with(*RAISERS))]
AtHop = Annotated[Caller, Depends(caller_with(*chains.HOP_ROLES))]


def _version_7(ident: UUID) -> UUID:
    if ident.version != 7:
        raise ValueError("must be a UUID of version 7")
    return ident


ConcernId = Annotated[UUID, AfterValidator(_version_7)]


class Relation(Code):
    """Who tells it is to the person what."""

    parent = "parent", "父母"
    guardian = "guardian", "其他监护人"
    spouse = "spouse", "配偶"
    child = "child", "子女"
    sibling = "sibling", "兄弟姐妹"
    relative = "relative", "其他亲属"
    friend = "friend", "朋友"
    classmate = "classmate", "同学"
    teacher = "teacher", "教师"
    colleague = "colleague", "同事"
    neighbour = "neighbour", "邻居"
    passer_by = "passer_by", "路人"
    other = "other", "其他"


def _text(most: int) -> Any:
    return StringConstraints(strip_whitespace=True, min_length=1, max_length=most)


class ContactIn(Body):
    """What it takes to call back. It is sealed as it is taken, and shown again only by a reading that is logged."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"phone": "000-0000-0001"}]})

    name: Annotated[str, _text(80)] | None = None
    phone: Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^\+?[0-9][0-9 -]{2,29}$")] | None = None
    address: Annotated[str, _text(300)] | None = None
    note: Annotated[str, _text(1200)] | None = None

    def told(self) -> dict[str, str]:
        return {name: str(value) for name, value in self.model_dump(exclude_none=True).items()}


class AboutAnother(Body):
    """Somebody tells it of another: `contact` beside this is then the one who is meant, `reporter` who tells it."""

    relation: Relation
    reporter: ContactIn | None = None


class ConcernIn(Body):
    """A concern. `answers` are those of the way's form; what is personal is in the contacts, and nowhere else."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "id": "01970d3b-0000-7000-8000-00000000c0ce",
                    "way": "concern",
                    "channel": "walk_in",
                    "division": "370812001",
                    "answers": {
                        "signs": ["sleepless", "talk_of_death"],
                        "act_in_progress": "no",
                        "plan_within_72_hours": "not_asked",
                        "attempt_within_2_weeks": "not_asked",
                        "severe": "unknown",
                        "refer": True,
                        "age_band": "from_60_to_74",
                    },
                    "contact": {"name": "张示例", "phone": "000-0000-0001", "note": "独居,晚上不开灯"},
                }
            ]
        },
    )

    id: ConcernId
    way: Way
    channel: Channel
    division: FineDivision
    answers: dict[str, Any] = Field(max_length=64)
    form_version: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,31}$")] | None = None
    organisation_id: UUID | None = None
    grid: GridCode | None = Field(None, description="The grid of the village; a grid worker's is the token's.")
    contact: ContactIn | None = None
    about_another: AboutAnother | None = None

    def told(self) -> concerns.Told:
        about = self.about_another
        return concerns.Told(
            id=self.id,
            way=self.way,
            channel=self.channel,
            division=self.division,
            answers=self.answers,
            form_version=self.form_version,
            organisation_id=self.organisation_id,
            grid=self.grid,
            contact=self.contact.told() if self.contact else {},
            relation=about.relation.value if about else None,
            reporter=about.reporter.told() if about and about.reporter else {},
        )


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""

    @router.post("/concerns", status_code=202, tags=["intake"])
    async def raise_concern(body: ConcernIn, caller: Raiser) -> dict[str, Any]:
        """Raise a concern: 202 once it is durable, and its flag with it. Anonymous where there is no `contact`.

        The same body again has the same answer; the same `id` with another body is 409.
        """
        told = body.told()

        async def command(tx: Tx) -> dict[str, Any]:
            return await concerns.raise_concern(told, caller, tx, desk.office)

        try:
            kept = await desk.database.transact(command)
        except Duplicate:  # the same id came twice at once: now the first is there to be compared with
            kept = await desk.database.transact(command)
        return {"id": kept["_id"], "status": "accepted"}

    @router.get("/concerns", tags=["intake"])
    async def list_concerns(caller: Raiser, limit: Limit = 50) -> dict[str, Any]:
        """An officer's division's concerns; everybody else's own. The latest first."""
        if caller.roles & OFFICERS:
            found = await store.concerns_in(desk.database, caller.division, limit)
        else:
            found = await store.concerns_by(desk.database, caller.subject, limit)
        cases = await store.cases_of_flags(desk.database, [one["flag_id"] for one in found])
        return {"concerns": [view(row) for row in concerns.shown_all(found, cases, caller)]}

    @router.get("/concerns/{concern_id}", tags=["intake"])
    async def get_concern(concern_id: UUID, caller: Raiser) -> dict[str, Any]:
        """What became of a concern: `on_its_way`, `waiting`, `received` by a named person, `taken_up`, `closed`.

        An officer of the division sees the answers and the case as well; who is neither that nor its raiser: 404.
        """

        async def read(tx: Tx) -> dict[str, Any]:
            return await store.the_concern(tx, concern_id)

        concern = await desk.database.transact(read)
        cases = await store.cases_of_flags(desk.database, [concern["flag_id"]])
        return view(concerns.shown(concern, cases.get(concern["flag_id"]), caller))

    @router.post("/concerns/{concern_id}/reporter", tags=["intake"])
    async def read_reporter(concern_id: UUID, body: WithReason, caller: Officer) -> dict[str, Any]:
        """Who told it, in plain, for an officer who has to ask again; the reading is logged."""
        return await desk.do(lambda tx: concerns.read_reporter(concern_id, body.reason, caller, tx, desk.office))

    @router.get("/hops", tags=["chains"])
    async def list_hops(caller: AtHop, limit: Limit = 50) -> dict[str, Any]:
        """The cases that wait for the caller to receive them by name, and those that the caller holds.

        Of a case no more is told than that it is there, how urgent, since when, and what is asked.
        """
        return {"hops": await desk.database.transact(lambda tx: chains.hops_of(caller, limit, tx))}

    @router.post("/cases/{case_id}/receive", tags=["chains"])
    async def receive(case_id: UUID, caller: AtHop) -> dict[str, Any]:
        """The caller has received the case, by name, for the hop that is called. 404 where none of the caller's is.

        409 where another person has received it, or for an officer: the line receives by acknowledging.
        """
        return await desk.do(lambda tx: chains.receive(case_id, caller, tx, desk.office))

    @router.post("/cases/{case_id}/pass-on", tags=["chains"])
    async def pass_on(case_id: UUID, body: WithReason, caller: AtHop) -> dict[str, Any]:
        """The next hop is called. Until somebody there has received, the caller stays responsible.

        409 where it is passed on already, or where the chain ends.
        """
        return await desk.do(lambda tx: chains.pass_on(case_id, body.reason, caller, tx, desk.office))
