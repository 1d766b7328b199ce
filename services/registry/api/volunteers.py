"""Volunteers over HTTP: lists are masked, and a plain reading is a route of its own that is logged."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Query, Request, Response
from pydantic import BaseModel, Field

from chassis import observe
from chassis.auth import Caller, caller_with
from chassis.clock import local_day
from chassis.db import Database
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from contracts.base import DivisionCode
from services.registry import commands, store
from services.registry.api.requests import DIVISION, UPLOAD, After, DivisionQuery, Limit, paged, reach, seen, uploaded
from services.registry.domain.people import (
    OTHER_QUALIFICATION,
    OTHER_TYPE,
    PERSON_TYPES,
    QUALIFICATIONS,
    TEXT_LIMIT,
    Flawed,
    Registration,
    masked_name,
    masked_phone,
    plain,
    read_codes,
    read_name,
    read_phone,
    read_text,
    write_codes,
)
from services.registry.imports import export_volunteers, import_volunteers
from services.registry.keys import Keys

Reader = Annotated[Caller, Depends(caller_with("registrar", "coordinator"))]
Registrar = Annotated[Caller, Depends(caller_with("registrar"))]
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
NO_STORE = {"cache-control": "no-store"}

Text = Annotated[str, Field(max_length=TEXT_LIMIT)]
TypeCode = Annotated[int, Field(ge=1, le=len(PERSON_TYPES))]
QualificationCode = Annotated[int, Field(ge=1, le=len(QUALIFICATIONS))]


class VolunteerChange(BaseModel):
    """What shall be otherwise; what is not named stays."""

    division: DivisionCode | None = None
    name: Text | None = None
    phone: Text | None = None
    sex: Literal["male", "female", "unknown"] | None = None
    age: Annotated[int, Field(ge=1, le=120)] | None = None
    education: Text | None = None
    person_types: Annotated[list[TypeCode], Field(min_length=1, max_length=8)] | None = None
    other_type: Text | None = None
    qualifications: Annotated[list[QualificationCode], Field(max_length=6)] | None = None
    other_qualification: Text | None = None
    trained: Literal["yes", "no", "unknown"] | None = None
    training: Text | None = None
    employer: Text | None = None
    post: Text | None = None
    active: bool | None = None

    def applied_to(self, known: Registration) -> Registration:
        """The registration with the changes, read as a form's cells are; raises `Refused`."""
        given: dict[str, Any] = self.model_dump(exclude_none=True, exclude={"division", "active"})
        given.update({name: plain(value) for name, value in given.items() if isinstance(value, str)})
        told = replace(known, **given)
        types, other_type = _choice("other_type", told.person_types, told.other_type, PERSON_TYPES, OTHER_TYPE)
        held, other = _choice(
            "other_qualification", told.qualifications, told.other_qualification, QUALIFICATIONS, OTHER_QUALIFICATION
        )
        return replace(
            told,
            name=_read("name", read_name, told.name),
            phone=_read("phone", read_phone, told.phone),
            person_types=types,
            other_type=other_type,
            qualifications=held,
            other_qualification=other,
            training=told.training if told.trained == "yes" else "",
        )


class VolunteerIn(VolunteerChange):
    """A volunteer, with the columns of 附件1 and, where known, the qualifications of 附件4."""

    division: DivisionCode
    name: Text
    phone: Text
    person_types: Annotated[list[TypeCode], Field(min_length=1, max_length=8)]


class Why(BaseModel):
    """Why someone's personal fields are read or erased; goes into the audit log, so no personal data in it."""

    reason: str = Field(min_length=2, max_length=200)


class ExportOrder(Why):
    division: DivisionCode


def _read(field: str, reading: Any, text: str) -> str:
    try:
        return str(reading(text))
    except Flawed as flaw:
        raise Refused(flaw.reason, flaw.detail, field) from flaw


def _choice(field: str, codes: Any, words: str, labels: dict[int, str], other: int) -> tuple[tuple[int, ...], str]:
    try:
        read_text(words, "说明")
        return read_codes(write_codes(set(codes), other, words), labels, other)
    except Flawed as flaw:
        raise Refused(flaw.reason, flaw.detail, field) from flaw


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.post("/v1/volunteers/import", openapi_extra=UPLOAD)
    async def take_form(
        request: Request,
        caller: Registrar,
        division: Annotated[str, Query(pattern=DIVISION)],
        dry_run: bool = False,
    ) -> Document:
        """A workbook in the layout of 附件1, from a unit in the division; all of its people or none."""
        seen(caller, division)
        content = await uploaded(request)
        report = await import_volunteers(
            database, keys, content, division, dry_run, inside=caller.division, actor=caller.subject
        )
        return report.as_json()

    @app.post("/v1/volunteers/export")
    async def give_form(body: ExportOrder, caller: Registrar) -> Response:
        """The active volunteers of a division as a workbook in the layout of 附件1; the reading is logged."""
        seen(caller, body.division)
        content = await export_volunteers(database, keys, body.division, actor=caller.subject, reason=body.reason)
        name = f'attachment; filename="volunteers-{body.division}.xlsx"'
        return Response(content, media_type=XLSX, headers={**NO_STORE, "content-disposition": name})

    @app.post("/v1/volunteers", status_code=201)
    async def add_volunteer(body: VolunteerIn, caller: Registrar) -> Document:
        seen(caller, body.division)
        told = body.applied_to(Registration("", ""))

        async def add(tx: Tx) -> Document:
            await commands.known_division(tx, body.division)
            if await store.volunteers_by_identity(tx, [keys.identity(body.division, told)]):
                raise NotAllowed("the county has registered this person")
            day, active = local_day(tx.now), body.active is not False
            document, _ = await commands.write_volunteer(tx, keys, told, body.division, day, None, active=active)
            return await _shown(tx, keys, document)

        return await database.transact(add)

    @app.patch("/v1/volunteers/{ident}")
    async def change_volunteer(ident: uuid.UUID, body: VolunteerChange, caller: Registrar) -> Document:
        if body.division is not None:
            seen(caller, body.division)

        async def change(tx: Tx) -> Document:
            found = await _present(tx, ident, caller)
            division = body.division or found["division"]
            await commands.known_division(tx, division)
            told = body.applied_to(await commands.registration_of(tx, keys, found))
            active = found["active"] if body.active is None else body.active
            day = local_day(tx.now)
            document, _ = await commands.write_volunteer(tx, keys, told, division, day, found, active=active)
            return await _shown(tx, keys, document)

        return await database.transact(change)

    @app.get("/v1/volunteers/{ident}")
    async def read_volunteer(ident: uuid.UUID, caller: Reader) -> Document:
        """A volunteer, masked."""

        async def read(tx: Tx) -> Document:
            return await _shown(tx, keys, _visible(await store.volunteer(tx, ident), caller))

        return await database.transact(read)

    @app.get("/v1/volunteers")
    async def list_volunteers(
        caller: Reader,
        division: DivisionQuery = None,
        active: bool | None = None,
        person_type: Annotated[int | None, Query(ge=1, le=len(PERSON_TYPES))] = None,
        qualification: Annotated[int | None, Query(ge=1, le=len(QUALIFICATIONS))] = None,
        after: After = None,
        limit: Limit = 50,
    ) -> Document:
        """The volunteers of a division, masked."""
        asked = {"active": active, "person_types": person_type, "qualifications": qualification}
        query = store.within(reach(caller, division)) | {k: v for k, v in asked.items() if v is not None}

        async def read(tx: Tx) -> list[Document]:
            rows = await store.volunteers_in(tx, query, after, limit)
            await keys.persons.load(tx, [row["_id"] for row in rows])
            return [await _shown(tx, keys, row) for row in rows]

        return paged(await database.transact(read), limit)

    @app.post("/v1/volunteers/{ident}/reveal")
    async def reveal_volunteer(ident: uuid.UUID, body: Why, caller: Registrar, response: Response) -> Document:
        """The personal fields in plain; who read them, when and why is logged with the same transaction."""

        async def read(tx: Tx) -> Document:
            found = await _present(tx, ident, caller)
            fields = await keys.persons.open(tx, ident, found["sealed"])
            _record(tx, caller, "volunteer.revealed", found, body.reason)
            return {"id": ident, **fields}

        plain_fields = await database.transact(read)
        observe.PERSONAL_READS.labels("volunteer").inc()
        response.headers.update(NO_STORE)
        return plain_fields

    @app.post("/v1/volunteers/{ident}/erase")
    async def erase_volunteer(ident: uuid.UUID, body: Why, caller: Registrar) -> Document:
        """Delete the person's key and all that tells who it was; asked again, nothing more happens."""

        async def erase(tx: Tx) -> Document:
            found = _visible(await store.volunteer(tx, ident), caller)
            if not found["erased"]:
                _record(tx, caller, "volunteer.erased", found, body.reason)
                found = await commands.erase_volunteer(tx, keys, found)
            return await _shown(tx, keys, found)

        return await database.transact(erase)


def _visible(found: Document | None, caller: Caller) -> Document:
    if found is None or not caller.sees(found["division"]):
        raise NotFound("there is no such volunteer")
    return found


async def _present(tx: Tx, ident: uuid.UUID, caller: Caller) -> Document:
    found = _visible(await store.volunteer(tx, ident), caller)
    if found["erased"]:
        raise NotAllowed("the person was erased")
    return found


def _record(tx: Tx, caller: Caller, action: str, found: Document, reason: str) -> None:
    ident, division = str(found["_id"]), found["division"]
    tx.record(actor=caller.subject, action=action, subject=ident, reason=reason, division=division)


async def _shown(tx: Tx, keys: Keys, row: Document) -> Document:
    kept = ("revision", "division", "person_types", "qualifications", "trained", "active", "erased")
    shown = {"id": row["_id"], **{name: row[name] for name in kept}}
    if row["erased"]:
        return shown
    fields = await keys.persons.open(tx, row["_id"], row["sealed"])
    more = {name: row[name] for name in ("unit", "sex", "age", "age_given_on", "birth_year")}
    return {**shown, "name": masked_name(fields["name"]), "phone": masked_phone(fields["phone"]), **more}
