"""People over HTTP: lists are masked, and a plain reading is a route of its own that is logged."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

from fastapi import Depends, FastAPI, Query, Request, Response

from chassis import observe
from chassis.auth import Caller, caller_with
from chassis.clock import local_day, now
from chassis.db import Database
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from services.registry import commands, store
from services.registry.api.people import (
    ExportOrder,
    Network,
    Preferred,
    Profession,
    Role,
    Source,
    Tag,
    VolunteerChange,
    VolunteerIn,
    Wanted,
    Why,
    Workforce,
)
from services.registry.api.requests import DIVISION, UPLOAD, After, DivisionQuery, Limit, paged, reach, seen, uploaded
from services.registry.commands.facts import read_papers, told_of
from services.registry.domain.people import (
    PERSON_TYPES,
    QUALIFICATIONS,
    Registration,
    masked_name,
    masked_phone,
    plain,
)
from services.registry.domain.people_dates import trainings_told
from services.registry.imports import export_volunteers, import_volunteers
from services.registry.imports.volunteers import aged
from services.registry.keys import Keys

Reader = Annotated[Caller, Depends(caller_with("registrar", "coordinator"))]
Registrar = Annotated[Caller, Depends(caller_with("registrar"))]
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
NO_STORE = {"cache-control": "no-store"}


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.post("/v1/volunteers/import", openapi_extra=UPLOAD)
    async def take_form(
        request: Request,
        caller: Registrar,
        division: Annotated[str, Query(pattern=DIVISION)],
        dry_run: bool = False,
    ) -> Document:
        """附件1 as .xlsx, .xls or .csv, from a unit in the division; all of its people or none."""
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
        """Register a person, as a volunteer, in the talent base, or both; registrars only.

        Nobody is too old. A minor is kept and becomes active with the guardian's consent.
        """
        seen(caller, body.division)
        told = body.applied_to(Registration("", ""), local_day(now()))

        async def add(tx: Tx) -> Document:
            await commands.known_division(tx, body.division)
            if await store.volunteers_by_identity(tx, [keys.identity(body.division, told)]):
                raise NotAllowed("the county has registered this person")
            day, active = local_day(tx.now), body.active is not False
            document, _ = await commands.write_volunteer(tx, keys, told, body.division, day, None, active=active)
            return await shown_person(tx, keys, document)

        return await database.transact(add)

    @app.patch("/v1/volunteers/{ident}")
    async def change_volunteer(ident: uuid.UUID, body: VolunteerChange, caller: Registrar) -> Document:
        """Change what is named and nothing else; registrars only."""
        if body.division is not None:
            seen(caller, body.division)

        async def change(tx: Tx) -> Document:
            found = await own_person(tx, ident, caller)
            division = body.division or found["division"]
            await commands.known_division(tx, division)
            day = local_day(tx.now)
            told = body.applied_to(await commands.registration_of(tx, keys, found), day)
            state = {
                "active": found["wanted"] if body.active is None else body.active,
                "by_office": Registration("", "", **{name: getattr(told, name) for name in body.claims_named()}),
            }
            document, _ = await commands.write_volunteer(tx, keys, told, division, day, found, **state)
            return await shown_person(tx, keys, document)

        return await database.transact(change)

    @app.post("/v1/volunteers/find")
    async def find_volunteers(body: Wanted, caller: Reader) -> Document:
        """Who has this number or name within the caller's division, masked; at most twenty."""
        if not (body.phone or body.name):
            raise Refused("missing", "name 与 phone 至少填一项", "phone")
        traits = keys.traits(Registration(plain(body.name).replace(" ", ""), plain(body.phone)))
        asked = {}
        if body.phone:
            asked["phone_key"] = traits["phone_key"]
        if body.name:
            asked["name_key"] = traits["name_key"]
        division = reach(caller, body.division)

        async def find(tx: Tx) -> Document:
            rows = await store.with_traits(tx, asked, division, 20)
            await load_people(tx, keys, rows)
            return {"items": [await shown_person(tx, keys, row) for row in rows]}

        return await database.transact(find)

    @app.get("/v1/volunteers/{ident}")
    async def read_volunteer(ident: uuid.UUID, caller: Reader) -> Document:
        """A volunteer, masked."""

        async def read(tx: Tx) -> Document:
            return await shown_person(tx, keys, visible_person(await store.volunteer(tx, ident), caller))

        return await database.transact(read)

    @app.get("/v1/volunteers")
    async def list_volunteers(
        caller: Reader,
        division: DivisionQuery = None,
        active: bool | None = None,
        person_type: Annotated[int | None, Query(ge=1, le=len(PERSON_TYPES))] = None,
        qualification: Annotated[int | None, Query(ge=1, le=len(QUALIFICATIONS))] = None,
        role: Role | None = None,
        tag: Tag | None = None,
        profession: Profession | None = None,
        network: Network | None = None,
        workforce: Workforce | None = None,
        source: Source | None = None,
        preferred: Preferred | None = None,
        waiting: bool | None = None,
        after: After = None,
        limit: Limit = 50,
    ) -> Document:
        """The people of a division, masked, in the order of their registration.

        `waiting` asks for those who are kept and not active until a consent is given.
        """
        asked = {
            "active": active,
            "person_types": person_type,
            "qualifications": qualification,
            "roles": role,
            "tags": tag,
            "professions": profession,
            "networks": network,
            "workforce": workforce,
            "source": source,
            "preferred": preferred,
            "waits_for.0": None if waiting is None else {"$exists": waiting},
        }
        query = store.within(reach(caller, division)) | {k: v for k, v in asked.items() if v is not None}

        async def read(tx: Tx) -> list[Document]:
            rows = await store.volunteers_in(tx, query, after, limit)
            await load_people(tx, keys, rows)
            return [await shown_person(tx, keys, row) for row in rows]

        return paged(await database.transact(read), limit)

    @app.post("/v1/volunteers/{ident}/reveal")
    async def reveal_volunteer(ident: uuid.UUID, body: Why, caller: Registrar, response: Response) -> Document:
        """The personal fields in plain; who read them, when and why is logged with the same transaction."""

        async def read(tx: Tx) -> Document:
            found = await present_person(tx, ident, caller)
            fields = await keys.persons.open(tx, ident, found["sealed"])
            note_reading(tx, caller, "volunteer.revealed", found, body.reason)
            trainings = [
                {"when": training.when, "content": training.content}
                for training in trainings_told(fields.get("training", ""))
            ]
            return {"id": ident, **fields, "trainings": trainings}

        plain_fields = await database.transact(read)
        observe.PERSONAL_READS.labels("volunteer").inc()
        response.headers.update(NO_STORE)
        return plain_fields

    @app.post("/v1/volunteers/{ident}/erase")
    async def erase_volunteer(ident: uuid.UUID, body: Why, caller: Registrar) -> Document:
        """Delete the person's keys and all that tells who it was, under whichever entry; asked again, nothing more
        happens.

        Of an entry that was merged the person is erased, with the entry that stands for it.
        """

        async def erase(tx: Tx) -> Document:
            found = visible_person(await store.volunteer(tx, ident), caller)
            stands = await store.survivor(tx, found)
            if not caller.sees(stands["division"]):
                raise NotAllowed(f"this entry was merged into {stands['_id']}", reason="merged")
            for row in {row["_id"]: row for row in (found, stands) if not row["erased"]}.values():
                note_reading(tx, caller, "volunteer.erased", row, body.reason)
            return await shown_person(tx, keys, await commands.erase_volunteer(tx, keys, found))

        return await database.transact(erase)


def visible_person(found: Document | None, caller: Caller) -> Document:
    if found is None or not caller.sees(found["division"]):
        raise NotFound("there is no such volunteer")
    return found


async def present_person(tx: Tx, ident: uuid.UUID, caller: Caller) -> Document:
    found = visible_person(await store.volunteer(tx, ident), caller)
    if found["erased"]:
        raise NotAllowed("the person was erased")
    return found


async def standing_person(tx: Tx, ident: uuid.UUID, caller: Caller) -> Document:
    """The entry that stands for this one, for who sees it: papers may be under an id that was merged into it.

    Raises `NotFound`, and `NotAllowed` once the person was erased.
    """
    found = await store.volunteer(tx, ident)
    if found is None:
        raise NotFound("there is no such volunteer")
    return await present_person(tx, (await store.survivor(tx, found))["_id"], caller)


async def own_person(tx: Tx, ident: uuid.UUID, caller: Caller) -> Document:
    """A person that may be changed: not erased, and not merged into another entry."""
    found = await present_person(tx, ident, caller)
    if found["merged_into"] is not None:
        raise NotAllowed(f"this entry was merged into {found['merged_into']}", reason="merged")
    return found


def note_reading(tx: Tx, caller: Caller, action: str, found: Document, reason: str) -> None:
    ident, division = str(found["_id"]), found["division"]
    tx.record(actor=caller.subject, action=action, subject=ident, reason=reason, division=division)


async def load_people(tx: Tx, keys: Keys, rows: Sequence[Document]) -> None:
    """Read at once what `shown_person` needs of these people, in a transaction that writes nothing of them."""
    idents = [row["_id"] for row in rows]
    await keys.persons.load(tx, idents)
    await read_papers(tx, idents)


async def shown_person(tx: Tx, keys: Keys, row: Document) -> Document:
    """A person as lists show one: codes, the age of today, and a name and a number that are masked.

    `counts` is what matching is told of the codes, and on which days.
    """
    kept = ("revision", "division", "roles", "person_types", "qualifications", "trained", "active", "erased")
    shown = {"id": row["_id"], **{name: row[name] for name in kept}}
    if row["merged_into"] is not None:
        shown["merged_into"] = row["merged_into"]
    if row["erased"]:
        return shown
    person = await commands.registration_of(tx, keys, row)
    today = local_day(tx.now)
    codes = ("unit", "sex", "age_given_on", "birth_year", "source", "tags", "professions", "networks", "workforce")
    more = {name: row[name] for name in (*codes, "preferred", "trained_when", "waits_for", "unchecked", "pledge")}
    return {
        **shown,
        "name": masked_name(person.name),
        "phone": masked_phone(person.phone),
        **more,
        "age": aged(person, row, today).age,
        "minor": row["minor_until"] is not None and today.isoformat() < row["minor_until"],
        "counts": asdict(await told_of(tx, row)),
    }
