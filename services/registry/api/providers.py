"""Providers of services over HTTP: by type, with their proof, verified by a person."""

from __future__ import annotations

import uuid
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Response
from pydantic import Field

from chassis import observe
from chassis.auth import Caller, caller_with
from chassis.clock import local_day, now
from chassis.db import Database
from chassis.errors import NotAllowed, Refused
from chassis.tx import Document, Tx
from contracts.base import DivisionCode
from services.registry import store
from services.registry.api.places_forms import one_of
from services.registry.api.requests import READERS, DivisionQuery, Limit, reach, seen
from services.registry.api.teams_forms import NAME_LIMIT, Form, Reason, example
from services.registry.api.teams_lists import CodeQuery, Cursor, known, listed, shown, visible
from services.registry.commands import providers as commands
from services.registry.commands.providers_kinds import check_kind, check_verifiable
from services.registry.domain.providers import (
    KINDS,
    Type,
    flaw_in_credit_code,
    flaw_in_identity,
    organisation_part_holds,
    unproven,
    written_plainly,
)
from services.registry.domain.providers_status import State
from services.registry.keys import Keys
from services.registry.store import teams as kept

Reader = Annotated[Caller, Depends(caller_with(*READERS))]
Registrar = Annotated[Caller, Depends(caller_with("registrar"))]
Order = Literal["id", "type", "division", "-id", "-type", "-division"]
ProviderKind = Annotated[str, *one_of(KINDS)]


class ProviderIn(Form):
    """A provider as it shall be; an identity number that is not told again stays."""

    model_config = example(
        type="social_organisation",
        division="370812",
        kind="social_work",
        organisation_id="01970d3b-0000-7000-8000-000000000a07",
        credit_code="52370812MJE000001Q",
    )

    type: Type
    division: DivisionCode
    kind: ProviderKind | None = None
    organisation_id: uuid.UUID | None = None
    credit_code: str | None = Field(None, max_length=40, description="统一社会信用代码, GB 32100.")
    team_id: uuid.UUID | None = None
    supervisor_id: uuid.UUID | None = Field(None, description="主管单位.")
    person_id: uuid.UUID | None = None
    identity_number: str | None = Field(None, max_length=40, description="公民身份号码; kept sealed, never shown.")
    contract: str | None = Field(None, max_length=NAME_LIMIT, description="The number of a contract of purchase.")

    def told(self) -> Document:
        found = super().told()
        for name in ("credit_code", "identity_number"):
            found[name] = written_plainly(found[name]) if found[name] is not None else None
        if found["credit_code"] is not None and (flaw := flaw_in_credit_code(found["credit_code"])):
            raise Refused("bad_credit_code", flaw, "credit_code")
        number = found["identity_number"]
        if number is not None and (flaw := flaw_in_identity(number, local_day(now()))):
            raise Refused("bad_identity", flaw, "identity_number")
        return found


class ProviderStepIn(Form):
    model_config = example(status="verified", reason="已核对登记证书原件")

    status: State
    reason: Reason


class RevealIn(Form):
    model_config = example(reason="核对证件")

    reason: Reason


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.put("/v1/providers/{ident}")
    async def write_provider(ident: uuid.UUID, body: ProviderIn, caller: Registrar, response: Response) -> Document:
        """A new provider, or one as it shall be; another proof has to be verified anew."""
        seen(caller, body.division)
        told = body.told()

        async def write(tx: Tx) -> tuple[Document, bool]:
            before = await kept.document(tx, "providers", ident)
            if before is not None:
                visible(before, caller)
            provider = await commands.register_provider(
                tx, keys, ident, dict(told), before, by=caller.subject, inside=caller.division
            )
            await check_kind(tx, keys.policies.providers.at(tx.now), told)
            return provider, before is None

        provider, new = await database.transact(write)
        response.status_code = 201 if new else 200
        return _shown(provider)

    @app.post("/v1/providers/{ident}/status")
    async def move_provider(ident: uuid.UUID, body: ProviderStepIn, caller: Registrar) -> Document:
        """Verify, suspend or end a provider; a verification is on record."""

        async def move(tx: Tx) -> Document:
            provider = visible(await kept.document(tx, "providers", ident), caller)
            if body.status is State.verified and provider["status"] != State.verified:
                await check_verifiable(tx, keys.policies.providers.at(tx.now), provider)
            return commands.move_provider(tx, provider, body.status, body.reason, caller.subject)

        return _shown(await database.transact(move))

    @app.post("/v1/providers/{ident}/reveal")
    async def reveal_identity(ident: uuid.UUID, body: RevealIn, caller: Registrar, response: Response) -> Document:
        """The identity number of a natural person in plain; who read it and why is logged with it."""

        async def read(tx: Tx) -> Document:
            provider = visible(await kept.document(tx, "providers", ident), caller)
            if provider.get("sealed") is None:
                raise NotAllowed("没有登记身份证件")
            fields = await keys.persons.open(tx, provider["person_id"], provider["sealed"])
            tx.record(
                actor=caller.subject,
                action="provider.revealed",
                subject=str(ident),
                reason=body.reason,
                division=provider["division"],
            )
            return {"id": ident, **fields}

        fields = await database.transact(read)
        observe.PERSONAL_READS.labels("provider").inc()
        response.headers["cache-control"] = "no-store"
        return fields

    @app.get("/v1/providers/{ident}")
    async def read_provider(ident: uuid.UUID, caller: Reader) -> Document:
        """A provider, with what is still needed to verify it."""
        return _shown(visible(await database.get("providers", ident), caller))

    @app.get("/v1/providers")
    async def list_providers(
        caller: Reader,
        division: DivisionQuery = None,
        type: CodeQuery = None,
        kind: CodeQuery = None,
        status: CodeQuery = None,
        organisation_id: uuid.UUID | None = None,
        sort: Order = "id",
        after: Cursor = None,
        limit: Limit = 50,
    ) -> Document:
        """The providers of a division, filtered and in a stable order."""
        known("type", type, list(Type))
        known("kind", kind, KINDS)
        known("status", status, list(State))
        asked = {"type": type, "kind": kind, "status": status, "organisation_id": organisation_id}
        query = store.within(reach(caller, division)) | {k: v for k, v in asked.items() if v is not None}
        return await listed(database, "providers", query, sort, after, limit, _shown)


def _shown(row: Document) -> Document:
    code, known = row.get("credit_code"), row.get("sealed") is not None
    proof = {**row, "identity_number": "sealed" if known else None}
    return {
        **shown(row, "identity_key", "credit_key", "licence_until", "sealed"),
        "credit_code": code,
        "organisation_part_holds": organisation_part_holds(code) if code else None,
        "identity_known": known,
        "unproven": unproven(Type(row["type"]), proof),
    }
