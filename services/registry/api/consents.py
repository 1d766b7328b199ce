"""Consents, the guardian of a minor, and the pledge of confidentiality over HTTP."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Annotated

from fastapi import FastAPI, Response
from pydantic import BaseModel, ConfigDict, Field

from chassis import observe
from chassis.db import Database
from chassis.errors import Refused
from chassis.tx import Document, Tx
from services.registry.api.people import Why
from services.registry.api.volunteers import (
    NO_STORE,
    Reader,
    Registrar,
    note_reading,
    own_person,
    present_person,
    shown_person,
)
from services.registry.commands.consents import Guardian, guardian_of, record_consent, sign_pledge
from services.registry.domain.consents import PURPOSES, Consent, Purpose, pledge_holds
from services.registry.domain.people import TEXT_LIMIT, Flawed, plain, read_name, read_phone, read_text
from services.registry.domain.people_policy import pledges_that_count, pledges_to_sign
from services.registry.keys import Keys

Version = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Words = Annotated[str, Field(min_length=1, max_length=TEXT_LIMIT)]


class GuardianIn(BaseModel):
    """Who answers for a minor."""

    model_config = ConfigDict(extra="forbid")

    name: Words
    phone: Words
    relation: Words

    def read(self) -> Guardian:
        try:
            return Guardian(
                read_name(plain(self.name)), read_phone(plain(self.phone)), read_text(plain(self.relation), "关系")
            )
        except Flawed as flaw:
            raise Refused(flaw.reason, flaw.detail, "guardian") from flaw


class ConsentIn(BaseModel):
    """A consent to one purpose, given or withdrawn, on a day and to a version of its text."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "state": "given",
                    "version": "2026-11",
                    "on": "2026-03-02",
                    "guardian": {"name": "李示例", "phone": "000-0000-0002", "relation": "母亲"},
                }
            ]
        },
    )

    state: Consent
    version: Version
    on: date
    guardian: GuardianIn | None = None


class PledgeIn(BaseModel):
    """Which pledge of confidentiality was signed, and when."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"version": "2026-11", "signed_on": "2026-03-02"}]}
    )

    version: Version
    signed_on: date


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.put("/v1/volunteers/{ident}/consents/{purpose}")
    async def put_consent(ident: uuid.UUID, purpose: Purpose, body: ConsentIn, caller: Registrar) -> Document:
        """Record a consent or its withdrawal; a minor becomes active with the guardian's; registrars only."""
        guardian = body.guardian.read() if body.guardian else None

        async def put(tx: Tx) -> Document:
            found = await own_person(tx, ident, caller)
            document = await record_consent(tx, keys, found, purpose, body.state, body.version, body.on, guardian)
            return await shown_person(tx, keys, document)

        return await database.transact(put)

    @app.get("/v1/volunteers/{ident}/consents")
    async def list_consents(ident: uuid.UUID, caller: Reader) -> Document:
        """What a person agreed to, with the versions and days; of a guardian only that there is one."""

        async def read(tx: Tx) -> Document:
            found = await present_person(tx, ident, caller)
            items = [
                {
                    "purpose": purpose,
                    "label": PURPOSES[Purpose(purpose)],
                    **{name: consent[name] for name in ("state", "version", "on", "revision", "history")},
                    "guardian_named": consent["sealed"] is not None,
                }
                for purpose, consent in sorted(found["consents"].items())
            ]
            policies = keys.policies.people
            return {
                "items": items,
                "pledge": found["pledge"],
                "pledge_holds": pledge_holds(found["pledge"], pledges_that_count(policies, tx.now)),
                "pledges_to_sign": pledges_to_sign(policies, tx.now),
                "waits_for": found["waits_for"],
            }

        return await database.transact(read)

    @app.post("/v1/volunteers/{ident}/guardian/reveal")
    async def reveal_guardian(ident: uuid.UUID, body: Why, caller: Registrar, response: Response) -> Document:
        """The guardian in plain; who read it, when and why is logged; registrars only."""

        async def read(tx: Tx) -> Document:
            found = await present_person(tx, ident, caller)
            fields = await guardian_of(tx, keys, found)
            note_reading(tx, caller, "guardian.revealed", found, body.reason)
            return {"id": ident, **fields}

        fields = await database.transact(read)
        observe.PERSONAL_READS.labels("guardian").inc()
        response.headers.update(NO_STORE)
        return fields

    @app.put("/v1/volunteers/{ident}/pledge")
    async def put_pledge(ident: uuid.UUID, body: PledgeIn, caller: Registrar) -> Document:
        """Record the signed pledge of confidentiality, in force or to come; registrars only."""

        async def put(tx: Tx) -> Document:
            found = await own_person(tx, ident, caller)
            signed = await sign_pledge(tx, found, body.version, body.signed_on, keys.policies)
            return await shown_person(tx, keys, signed)

        return await database.transact(put)
