"""Records of service over HTTP: who organised writes down, corrects by a second record, and closes calls with hours."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from fastapi import Depends, FastAPI
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from chassis.auth import Caller, caller_with
from chassis.db import Database
from chassis.errors import NotFound, Refused
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.api.codes import ServiceCode
from services.registry.api.people import Why
from services.registry.api.requests import After, DivisionQuery, Limit, keeps, paged, reach
from services.registry.api.volunteers import own_person
from services.registry.commands import service_records as commands
from services.registry.commands.service_records_assignments import close_assignment
from services.registry.commands.service_records_people import lent_to, standing_person
from services.registry.commands.stars import entries_of, granted_stars
from services.registry.domain.people import plain
from services.registry.domain.service_records import KINDS, Span, State
from services.registry.domain.service_records_assignments import State as Assigned
from services.registry.domain.stars import stars_for
from services.registry.keys import Keys
from services.registry.store import service_records as kept

Reader = Annotated[Caller, Depends(caller_with("registrar", "coordinator", "supervisor"))]
Organiser = Annotated[Caller, Depends(caller_with("registrar", "coordinator"))]
Served = Annotated[Caller, Depends(caller_with("registrar", "coordinator", "community_worker", "receiver"))]
Own = Annotated[Caller, Depends(caller_with("registrar", "coordinator", "volunteer"))]
Kind = Annotated[str, Field(pattern=f"^({'|'.join(KINDS)})$")]
STRETCH: dict[str, Any] = {
    "organisation_id": "01970d3b-0000-7000-8000-000000000b02",
    "starts_at": "2026-03-02T09:00:00+08:00",
    "ends_at": "2026-03-02T11:30:00+08:00",
    "travel_minutes": 30,
    "kind": "outreach",
    "content": "示例社区心理健康宣传",
    "service": "4-2",
}


class StretchIn(BaseModel):
    """What was done, when, and how many minutes of it were spent on the way, which do not count."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [STRETCH]})

    organisation_id: uuid.UUID
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    travel_minutes: Annotated[int, Field(ge=0, le=1440)] = 0
    kind: Kind
    content: Annotated[str, Field(min_length=2, max_length=200)]
    service: ServiceCode | None = Field(None, description="Which of the 25 types of the five services it was.")

    def told(self) -> commands.Told:
        for name, moment in (("starts_at", self.starts_at), ("ends_at", self.ends_at)):
            if not 2000 <= moment.year < 2100:
                raise Refused("bad_time", "年份须在 2000 至 2099 之间", name)
        starts, ends = (
            moment.replace(microsecond=moment.microsecond // 1000 * 1000) for moment in (self.starts_at, self.ends_at)
        )
        return commands.Told(
            self.organisation_id,
            Span(starts, ends, self.travel_minutes),
            self.kind,
            plain(self.content),
            self.service,
        )


class RecordIn(StretchIn):
    """A record of a volunteer's service."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"volunteer_id": "01970d3b-0000-7000-8000-000000000b01", **STRETCH}]},
    )

    volunteer_id: uuid.UUID


class RatingIn(BaseModel):
    """How satisfied those were whom the service was for: 1 to 5."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"rating": 5}]})

    rating: Annotated[int, Field(strict=True, ge=1, le=5)]


class HoursIn(StretchIn):
    """The hours of a call that was taken; `record_id` is chosen by the client."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"record_id": "01970d3b-0000-7000-8000-000000000703", **STRETCH, "kind": "crisis"}]
        },
    )

    record_id: uuid.UUID


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.get("/v1/service-records/lists")
    async def record_lists(caller: Reader) -> Document:
        """The kinds of service with their labels."""
        return {"kinds": dict(KINDS)}

    @app.put("/v1/service-records/{ident}")
    async def record(ident: uuid.UUID, body: RecordIn, caller: Organiser) -> Document:
        """Write a record down; sent again the same, it is the same record. The organiser's people, and those lent."""
        told = body.told()

        async def write(tx: Tx) -> Document:
            known = await store.volunteer(tx, body.volunteer_id)
            if known is not None and caller.sees(known["division"]):
                person = await own_person(tx, body.volunteer_id, caller)
                division = person["division"]
            else:
                person, division = await lent_to(tx, body.volunteer_id, told.span, caller)
            return await commands.record_service(tx, keys, ident, told, person, caller, division=division)

        return shown(await database.transact(write))

    @app.put("/v1/service-records/{wrong}/corrections/{ident}")
    async def correct(wrong: uuid.UUID, ident: uuid.UUID, body: StretchIn, caller: Organiser) -> Document:
        """A second record of the same organisation takes the place of a wrong one, which stays to be seen."""
        told = body.told()

        async def write(tx: Tx) -> Document:
            found = await _visible_record(tx, wrong, caller)
            person = await standing_person(tx, found["volunteer_id"])
            return await commands.record_service(
                tx, keys, ident, told, person, caller, division=found["division"], corrects=found
            )

        return shown(await database.transact(write))

    @app.post("/v1/service-records/{ident}/withdraw")
    async def withdraw(ident: uuid.UUID, body: Why, caller: Organiser) -> Document:
        """What never was counts no more; why goes into the audit log."""

        async def write(tx: Tx) -> Document:
            found = await _visible_record(tx, ident, caller)
            return await commands.withdraw_record(tx, found, caller, body.reason)

        return shown(await database.transact(write))

    @app.put("/v1/service-records/{ident}/rating")
    async def rate(ident: uuid.UUID, body: RatingIn, caller: Served) -> Document:
        """The rating of those whom the service was for, once."""

        async def write(tx: Tx) -> Document:
            found = await _visible_record(tx, ident, caller)
            return await commands.rate_record(tx, found, body.rating, caller)

        return shown(await database.transact(write))

    @app.get("/v1/service-records/{ident}")
    async def read(ident: uuid.UUID, caller: Reader) -> Document:
        """A record, with what was done."""

        async def look(tx: Tx) -> Document:
            found = await _visible_record(tx, ident, caller)
            person = await store.volunteer(tx, found["volunteer_id"])
            if person is None or person["erased"]:
                return shown(found)
            return {**shown(found), **await keys.persons.open(tx, found["volunteer_id"], found["sealed"])}

        return await database.transact(look)

    @app.get("/v1/service-records")
    async def list_records(
        caller: Reader,
        division: DivisionQuery = None,
        volunteer_id: uuid.UUID | None = None,
        organisation_id: uuid.UUID | None = None,
        state: State | None = None,
        service: ServiceCode | None = None,
        after: After = None,
        limit: Limit = 50,
    ) -> Document:
        """The records of a division in the order of their ids, without words."""
        asked = {
            "organisation_id": organisation_id,
            "state": state.value if state else None,
            "service": service,
        }
        query = store.within(reach(caller, division))
        if volunteer_id is not None:
            query = await database.transact(lambda tx: papers_of(tx, volunteer_id, caller, division))
        query |= {k: v for k, v in asked.items() if v is not None}
        rows = await store.page(database, "service_records", query, after, limit)
        return paged([shown(row) for row in rows], limit)

    @app.get("/v1/people/{ident}/service")
    async def hours(ident: uuid.UUID, caller: Own) -> Document:
        """How long someone has served, and the stars that this makes; a volunteer reads the own hours."""

        async def look(tx: Tx) -> Document:
            person = await person_or_self(tx, ident, caller)
            total = await kept.totals(tx, await entries_of(tx, person))
            policy = keys.policies.service_records.at(tx.now)
            return {
                "id": person["_id"],
                **total,
                "stars_reached": stars_for(total["minutes"], policy.stars),
                "stars_granted": await granted_stars(tx, person),
                "policy": policy.version,
            }

        return await database.transact(look)

    @app.get("/v1/service-assignments")
    async def list_assignments(
        caller: Reader,
        division: DivisionQuery = None,
        state: Assigned | None = None,
        after: After = None,
        limit: Limit = 50,
    ) -> Document:
        """Calls that volunteers took; those that are open wait for their hours."""
        asked = {"state": state.value} if state else {}
        rows = await store.page(
            database, "service_assignments", store.within(reach(caller, division)) | asked, after, limit
        )
        return paged([shown(row) for row in rows], limit)

    @app.post("/v1/service-assignments/{ident}/complete")
    async def complete(ident: uuid.UUID, body: HoursIn, caller: Organiser) -> Document:
        """Write the hours of a call down and close it; sent again the same, nothing more happens.

        Who took the call may be of another division, of whom nothing is shown here.
        """
        told = body.told()

        async def write(tx: Tx) -> Document:
            found = _visible_assignment(await kept.assignment(tx, ident), caller)
            person = await standing_person(tx, found["volunteer_id"])
            again = await kept.record(tx, body.record_id) is not None
            division = person["division"] if caller.sees(person["division"]) else found["division"]
            record = await commands.record_service(
                tx, keys, body.record_id, told, person, caller, division=division, assignment_id=ident
            )
            if record["assignment_id"] != ident:
                raise Refused("used", "这条记录不是这次派单的", "record_id")
            if again and found["state"] == Assigned.completed:
                return found
            return close_assignment(tx, found, Assigned.completed, caller.subject, record["_id"])

        return shown(await database.transact(write))

    @app.post("/v1/service-assignments/{ident}/cancel")
    async def cancel(ident: uuid.UUID, caller: Organiser) -> Document:
        """A call that came to nothing: no hours."""

        async def write(tx: Tx) -> Document:
            found = _visible_assignment(await kept.assignment(tx, ident), caller)
            return close_assignment(tx, found, Assigned.cancelled, caller.subject)

        return shown(await database.transact(write))


def shown(row: Document) -> Document:
    """A document as lists show it, without what is sealed."""
    hidden = ("_id", "sealed", "digest", "answer", "recorder")
    return {"id": row["_id"], **{name: value for name, value in row.items() if name not in hidden}}


def _visible_assignment(found: Document | None, caller: Caller) -> Document:
    if found is None or not caller.sees(found["division"]):
        raise NotFound("there is no such assignment")
    return found


async def _visible_record(tx: Tx, ident: uuid.UUID, caller: Caller) -> Document:
    """A record, for those where the service was, and for those where the person is registered now."""
    found = await kept.record(tx, ident)
    if found is not None:
        if caller.sees(found["division"]):
            return found
        person = await store.volunteer(tx, found["volunteer_id"])
        if person is not None and caller.sees((await store.survivor(tx, person))["division"]):
            return found
    raise NotFound("there is no such record")


async def papers_of(tx: Tx, ident: uuid.UUID, caller: Caller, division: str | None) -> Document:
    """The clause for the papers of a person under all entries: all of them where the person is registered now.

    Elsewhere, and where a `division` is asked for, those that came to be in it.
    """
    known = await store.volunteer(tx, ident)
    person = await store.survivor(tx, known) if known is not None else None
    entries = {"volunteer_id": {"$in": await store.entries_of(tx, ident)}}
    if person is not None and division is None and caller.sees(person["division"]):
        return entries
    return store.within(reach(caller, division)) | entries


async def person_or_self(tx: Tx, ident: uuid.UUID, caller: Caller) -> Document:
    """The person, for those who keep the register where the person is registered now, or for that person.

    An id that was merged into another answers for the other, whose division it is that counts.
    """
    found = await store.volunteer(tx, ident)
    person = await store.survivor(tx, found) if found is not None and not found["erased"] else None
    if person is not None and not person["erased"]:
        own = caller.subject in (str(ident), str(person["_id"]))
        if own or (keeps(caller, "registrar", "coordinator") and caller.sees(person["division"])):
            return person
    raise NotFound("there is no such volunteer")
