"""Qualifications over HTTP: entered by one, verified by another, masked in every list."""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Query, Request, Response
from pydantic import ConfigDict, Field

from chassis import observe
from chassis.auth import Caller, caller_with
from chassis.clock import local_day, now
from chassis.db import Database
from chassis.errors import NotFound
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.api.people import Why
from services.registry.api.places_forms import Day, Form, Sha256, Words, one_of
from services.registry.api.requests import UPLOAD, After, DivisionQuery, Limit, paged, reach, uploaded
from services.registry.api.volunteers import NO_STORE, note_reading, own_person, standing_person
from services.registry.commands import qualifications as commands
from services.registry.domain.qualifications import KINDS, REASONS, State, standing
from services.registry.keys import Keys
from services.registry.store import qualifications as kept

Reader = Annotated[Caller, Depends(caller_with("registrar", "coordinator"))]
Registrar = Annotated[Caller, Depends(caller_with("registrar"))]
KindCode = Annotated[str, *one_of(KINDS)]
ReasonCode = Annotated[str, *one_of(REASONS)]


class QualificationIn(Form):
    """A certificate as it is claimed. `sha256` is that of the scan, where the scan itself is kept elsewhere."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "person_id": "01970d3b-0000-7000-8000-0000000000b1",
                    "kind": "counsellor",
                    "issuer": "示例发证机关",
                    "number": "示例00000001",
                    "valid_from": "2024-05-01",
                    "valid_until": "2029-04-30",
                }
            ]
        },
    )

    person_id: uuid.UUID
    kind: KindCode
    issuer: Words
    number: Words
    valid_from: Day | None = None
    valid_until: Day | None = None
    sha256: Sha256 | None = None


class StepIn(Form):
    """Verified, rejected or withdrawn, and why, in a code."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"state": "verified", "reason": "checked"}]}
    )

    state: Literal["verified", "rejected", "withdrawn"]
    reason: ReasonCode = Field(description="As `reasons` of GET /v1/qualification-codes.")


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    async def found_in(tx: Tx, ident: uuid.UUID, caller: Caller) -> Document:
        found = await kept.qualification(tx, ident)
        if found is None or not caller.sees(found["division"]):
            raise NotFound("there is no such qualification")
        await standing_person(tx, found["person_id"], caller)
        return found

    @app.get("/v1/qualification-codes")
    async def codes(caller: Reader) -> Document:
        """The kinds of qualification with their codes of 附件4, the reasons of a step, and what services, posts and the
        roles on rosters ask for."""
        policy = keys.policies.qualifications.at(now())
        return {
            "kinds": {code: {"label": kind.label, "annex_code": kind.annex} for code, kind in KINDS.items()},
            "reasons": REASONS,
            "services": [one.model_dump() for one in policy.services],
            "posts": [one.model_dump() for one in policy.posts],
            "roles": [one.model_dump() for one in keys.policies.gate.at(now()).roles],
            "version": policy.version,
        }

    @app.put("/v1/qualifications/{ident}")
    async def enter(ident: uuid.UUID, body: QualificationIn, caller: Registrar, response: Response) -> Document:
        """Enter what a person claims; the same again changes nothing; registrars only."""

        async def write(tx: Tx) -> tuple[Document, bool]:
            person = await own_person(tx, body.person_id, caller)
            before = await kept.qualification(tx, ident)
            if before is not None and not caller.sees(before["division"]):
                raise NotFound("there is no such qualification")
            told = body.model_dump(exclude={"person_id"})
            return await commands.enter(tx, keys, ident, person, told, before, caller.subject)

        document, new = await database.transact(write)
        response.status_code = 201 if new else 200
        return _shown(document)

    @app.post("/v1/qualifications/{ident}/proof/import", openapi_extra=UPLOAD)
    async def attach(ident: uuid.UUID, request: Request, caller: Registrar) -> Document:
        """The scan of a certificate, PDF, PNG or JPEG, sealed under the person's key; registrars only."""
        content = await uploaded(request)
        limit = keys.policies.qualifications.at(now()).proof.max_bytes

        async def write(tx: Tx) -> Document:
            found = await found_in(tx, ident, caller)
            return await commands.attach(tx, keys, found, content, caller.subject, limit)

        return _shown(await database.transact(write))

    @app.post("/v1/qualifications/{ident}/steps")
    async def step(ident: uuid.UUID, body: StepIn, caller: Registrar) -> Document:
        """Verify, reject or withdraw; nobody verifies what they entered or what is their own; registrars only."""

        async def write(tx: Tx) -> Document:
            found = await found_in(tx, ident, caller)
            return await commands.move(tx, found, State(body.state), body.reason, caller.subject, keys.policies)

        return _shown(await database.transact(write))

    @app.get("/v1/qualifications/{ident}")
    async def read(ident: uuid.UUID, caller: Reader) -> Document:
        """A qualification, without its number."""
        return _shown(await database.transact(lambda tx: found_in(tx, ident, caller)))

    @app.get("/v1/qualifications")
    async def listed(
        caller: Reader,
        division: DivisionQuery = None,
        person_id: uuid.UUID | None = None,
        kind: KindCode | None = None,
        state: State | None = None,
        due: Annotated[bool, Query(description="Only verified ones that end within the days of the policy.")] = False,
        sort: Literal["id", "valid_until"] = "id",
        after: After = None,
        limit: Limit = 50,
    ) -> Document:
        """Qualifications of a division, without their numbers; `due` with `sort=valid_until` is the warning list."""
        today, days = local_day(now()), keys.policies.qualifications.at(now()).warning.days
        clauses: list[Document] = [store.within(reach(caller, division)), kept.asked_state(state, today.isoformat())]
        if due:
            end = (today + timedelta(days=days)).isoformat()
            clauses.append({"state": "verified", "valid_until": {"$gte": today.isoformat(), "$lte": end}})
        if person_id is not None:
            entries = await database.transact(lambda tx: store.entries_of(tx, person_id))
            clauses.append({"person_id": {"$in": entries}})
        if kind is not None:
            clauses.append({"kind": kind})
        query = {"$and": clauses}
        if sort == "valid_until":
            rows = await kept.in_order(database, "qualifications", query, after, limit)
        else:
            rows = await store.page(database, "qualifications", query, after, limit)
        return paged([_shown(row) for row in rows], limit)

    @app.post("/v1/qualifications/{ident}/reveal")
    async def reveal(ident: uuid.UUID, body: Why, caller: Registrar, response: Response) -> Document:
        """Issuer, number and hash of the proof in plain; who read them, when and why is logged; registrars only."""

        async def open_it(tx: Tx) -> Document:
            found = await found_in(tx, ident, caller)
            fields = await keys.persons.open(tx, found["person_id"], found["sealed"])
            note_reading(tx, caller, "qualification.revealed", found, body.reason)
            return {"id": ident, **fields, "sha256": fields["sha256"] or None}

        plain = await database.transact(open_it)
        observe.PERSONAL_READS.labels("qualification").inc()
        response.headers.update(NO_STORE)
        return plain

    @app.post("/v1/qualifications/{ident}/proof/reveal")
    async def reveal_proof(ident: uuid.UUID, body: Why, caller: Registrar) -> Response:
        """The scan; who read it, when and why is logged; registrars only."""

        async def open_it(tx: Tx) -> tuple[str, bytes]:
            found = await found_in(tx, ident, caller)
            file = await commands.proof_of(tx, keys, found)
            if file is None:
                raise NotFound("there is no scan of this qualification")
            note_reading(tx, caller, "qualification.proof_revealed", found, body.reason)
            return file

        kind, content = await database.transact(open_it)
        observe.PERSONAL_READS.labels("qualification").inc()
        headers = {**NO_STORE, "content-disposition": f'attachment; filename="{ident}"'}
        return Response(content, media_type=kind, headers=headers)


def _shown(row: Document) -> Document:
    """As lists show one: codes and days, and the state of today."""
    kept_fields = ("revision", "person_id", "division", "kind", "valid_from", "valid_until", "has_proof")
    today: date = local_day(now())
    return {
        "id": row["_id"],
        **{name: row[name] for name in kept_fields},
        "label": KINDS[row["kind"]].label,
        "state": standing(row["state"], row["valid_until"], today.isoformat()),
        "entered_by": row["entered_by"],
        "verified_by": row["verified_by"],
        "log": row["log"],
    }
