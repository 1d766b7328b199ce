"""Registration open to the public: whoever can log in at the district's portal may apply, once to each call.

The portal's token has the role `volunteer` and the applicant's own division; only a keyed hash of its subject is kept.
"""

from __future__ import annotations

import uuid
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Response
from pydantic import ConfigDict, Field

from chassis import observe
from chassis.auth import Caller, caller_with
from chassis.clock import local_day, now
from chassis.db import Database
from chassis.errors import NotFound, Refused
from chassis.sealing import keyed_hash
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.api.people import EXAMPLE, Profession, QualificationCode, Text, TypeCode, VolunteerIn, Why
from services.registry.api.recruitment import visible_campaign
from services.registry.api.requests import After, Limit, paged
from services.registry.api.volunteers import NO_STORE
from services.registry.commands import known_division
from services.registry.commands import recruitment_applications as commands
from services.registry.domain.people import PERSONAL, Registration, masked_name, masked_phone
from services.registry.domain.recruitment_applications import State
from services.registry.keys import Keys
from services.registry.store import recruitment as kept

Public = Annotated[Caller, Depends(caller_with("volunteer"))]
Registrar = Annotated[Caller, Depends(caller_with("registrar"))]
OPEN = ("title", "opens_on", "closes_on", "quota", "conditions", "least_age", "division", "accepted")
PREFIXES = (2, 4, 6, 9, 12)


class ApplicationIn(VolunteerIn):
    """Who applies, and the version of the consent to being registered that was agreed to."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    **{
                        name: EXAMPLE[name]
                        for name in ("division", "name", "phone", "sex", "birth_date", "person_types", "other_type")
                    },
                    "consent_version": "2026-11",
                }
            ]
        },
    )

    active: None = None
    roles: None = None
    tags: None = None
    networks: None = None
    workforce: None = None
    source: None = None
    person_types: Annotated[list[TypeCode], Field(min_length=1, max_length=8)]
    qualifications: Annotated[list[QualificationCode], Field(max_length=6)] | None = None
    professions: Annotated[list[Profession], Field(max_length=5)] | None = None
    employer: Text | None = None
    consent_version: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]

    def wish(self) -> commands.Wish:
        given = VolunteerIn.model_validate(
            {
                **self.model_dump(mode="json", exclude_none=True, exclude={"consent_version"}),
                "source": "self-registered",
            }
        )
        return commands.Wish(
            given.applied_to(Registration("", ""), local_day(now())), self.division, self.consent_version
        )


class DecisionIn(Why):
    """Whether an applicant is taken, and why."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"to": "accepted", "checked": True, "reason": "符合条件"}]}
    )

    to: Literal["accepted", "refused"]
    checked: bool = Field(
        False,
        description="The papers for what the applicant tells were seen: types, qualifications and training count.",
    )


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.get("/v1/recruitment-notices")
    async def notices(caller: Public, after: After = None, limit: Limit = 50) -> Document:
        """The calls that are open where the reader lives, above it and in it: quota, background, conditions, window."""
        places = [caller.division[:digits] for digits in PREFIXES if digits <= len(caller.division)]
        rows = await kept.calls_over(database, places, caller.division, after, limit)
        return paged([{"id": row["_id"], **{name: row[name] for name in OPEN}} for row in rows], limit)

    @app.post("/v1/recruitments/{ident}/applications", status_code=201)
    async def apply(ident: uuid.UUID, body: ApplicationIn, caller: Public) -> Document:
        """Apply to an open call, once; the same again is the same answer."""
        wish = body.wish()

        async def take(tx: Tx) -> Document:
            campaign = await kept.recruitment(tx, ident)
            if campaign is None or not _open_to(campaign, caller):
                raise NotFound("there is no such campaign")
            in_force = keys.policies.people.at(tx.now).consent.registration_version
            if wish.consent != in_force:
                raise Refused("other_version", f"现行的同意书版本是 {in_force}", "consent_version")
            await known_division(tx, wish.division)
            if not wish.division.startswith(campaign["division"]):
                raise Refused("outside", "所在地不在招募范围内", "division")
            return await commands.apply(tx, keys, campaign, wish, caller.subject)

        return _own(await database.transact(take))

    @app.get("/v1/recruitments/{ident}/applications/own")
    async def own(ident: uuid.UUID, caller: Public) -> Document:
        """What became of the caller's application."""
        return _own(await database.transact(lambda tx: _of_caller(tx, ident, caller)))

    @app.post("/v1/recruitments/{ident}/applications/own/withdraw")
    async def withdraw(ident: uuid.UUID, caller: Public) -> Document:
        """Take the own application back; what was told is deleted."""

        async def step(tx: Tx) -> Document:
            return await commands.refuse(tx, keys, await _of_caller(tx, ident, caller), State.withdrawn)

        return _own(await database.transact(step))

    @app.get("/v1/recruitments/{ident}/applications")
    async def list_applications(
        ident: uuid.UUID,
        caller: Registrar,
        state: State | None = None,
        fits: bool | None = None,
        after: After = None,
        limit: Limit = 50,
    ) -> Document:
        """Who applied, masked; `fits` asks for those who meet the conditions, or for those who do not."""
        asked = {"state": state.value if state else None, "fits": fits}
        query: Document = {"recruitment_id": ident, **{k: v for k, v in asked.items() if v is not None}}

        visible_campaign(await database.get("recruitments", ident), caller)
        rows = await store.page(database, "applications", query, after, limit)

        async def mask(tx: Tx) -> list[Document]:
            await keys.persons.load(tx, [row["_id"] for row in rows])
            told = [(row, await commands.wish_of(tx, keys, row)) for row in rows if row["state"] == State.received]
            known = await commands.known_among(tx, keys, told)
            masked = {row["_id"]: _masked(row, person, known.get(row["_id"]), caller) for row, person in told}
            return [masked.get(row["_id"]) or _shown(row) for row in rows]

        return paged(await database.transact(mask), limit)

    @app.post("/v1/recruitments/{ident}/applications/{application}/reveal")
    async def reveal(
        ident: uuid.UUID, application: uuid.UUID, body: Why, caller: Registrar, response: Response
    ) -> Document:
        """What the applicant told in plain; who read it, when and why is logged."""

        async def read(tx: Tx) -> Document:
            _, found = await _visible(tx, ident, application, caller)
            person = await commands.wish_of(tx, keys, found)
            _note(tx, caller, "application.revealed", found, body.reason)
            return {"id": application, **{name: getattr(person, name) for name in PERSONAL}}

        plain_fields = await database.transact(read)
        observe.PERSONAL_READS.labels("application").inc()
        response.headers.update(NO_STORE)
        return plain_fields

    @app.post("/v1/recruitments/{ident}/applications/{application}/decision")
    async def decide(ident: uuid.UUID, application: uuid.UUID, body: DecisionIn, caller: Registrar) -> Document:
        """Take the applicant, who becomes a volunteer, or refuse; what was told is deleted with the application.

        409 `known_inactive`: the name and number are registered and not active; nobody becomes active by applying.
        """

        async def step(tx: Tx) -> Document:
            campaign, found = await _visible(tx, ident, application, caller)
            if found["state"] == body.to:
                return found
            if body.to == "accepted":
                decided = await commands.accept(tx, keys, campaign, found, caller.division, body.checked)
            else:
                decided = await commands.refuse(tx, keys, found, State.refused)
            seen_papers = body.to == "accepted" and body.checked
            action = "application.accepted_checked" if seen_papers else f"application.{body.to}"
            _note(tx, caller, action, found, body.reason)
            return decided

        return _shown(await database.transact(step))

    async def _of_caller(tx: Tx, ident: uuid.UUID, caller: Caller) -> Document:
        applicant = keyed_hash(keys.master, "applicant", caller.subject)
        found = await kept.application_of(tx, ident, applicant)
        if found is None:
            raise NotFound("there is no such application")
        return found


async def _visible(tx: Tx, ident: uuid.UUID, application: uuid.UUID, caller: Caller) -> tuple[Document, Document]:
    campaign = visible_campaign(await kept.recruitment(tx, ident), caller)
    found = await kept.application(tx, application)
    if found is None or found["recruitment_id"] != ident:
        raise NotFound("there is no such application")
    return campaign, found


def _open_to(campaign: Document, caller: Caller) -> bool:
    """A call is there for who lives in its division, and for who lives above it."""
    return caller.sees(campaign["division"]) or caller.division.startswith(campaign["division"])


def _note(tx: Tx, caller: Caller, action: str, found: Document, reason: str) -> None:
    ident, division = str(found["_id"]), found["division"]
    tx.record(actor=caller.subject, action=action, subject=ident, reason=reason, division=division)


def _shown(row: Document) -> Document:
    hidden = ("_id", "sealed", "digest", "applicant")
    return {"id": row["_id"], **{name: value for name, value in row.items() if name not in hidden}}


def _masked(row: Document, person: Registration, entry: Document | None, caller: Caller) -> Document:
    """As lists show it: `known` is whether the county has the name and number, `inactive` what stands there."""
    inactive = not entry["active"] if entry is not None and caller.sees(entry["division"]) else None
    row = {**row, "known": entry is not None, "inactive": inactive}
    codes = {name: list(getattr(person, name)) for name in ("person_types", "qualifications", "professions")}
    return {**_shown(row), "name": masked_name(person.name), "phone": masked_phone(person.phone), **codes}


def _own(row: Document) -> Document:
    kept_fields = ("recruitment_id", "state", "fits", "misses", "applied_on")
    return {"id": row["_id"], **{name: row[name] for name in kept_fields}}
