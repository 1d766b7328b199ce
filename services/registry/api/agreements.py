"""Agreements with partner units over HTTP, and how far the target is."""

from __future__ import annotations

import uuid
from dataclasses import asdict
from datetime import date
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Response
from pydantic import Field

from chassis.auth import Caller, caller_with
from chassis.clock import local_day, now
from chassis.db import Database
from chassis.errors import Refused
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.api.places_forms import one_of
from services.registry.api.requests import READERS, DivisionQuery, Limit, reach
from services.registry.api.teams_forms import NAME_LIMIT, Form, Reason, example
from services.registry.api.teams_lists import CodeQuery, Cursor, Day, known, listed, shown, visible
from services.registry.commands import agreements as commands
from services.registry.domain.agreements import KINDS, SERVICES, State, in_force, progress
from services.registry.keys import Keys
from services.registry.store import teams as kept

Reader = Annotated[Caller, Depends(caller_with(*READERS))]
Registrar = Annotated[Caller, Depends(caller_with("registrar"))]
Order = Literal["id", "division", "state", "-id", "-division", "-state"]
AgreementKind = Annotated[str, *one_of(KINDS)]
Service = Annotated[str, *one_of(SERVICES)]


class AgreementIn(Form):
    """The terms of an agreement; they are fixed once it is signed."""

    model_config = example(
        kind="cooperation",
        centre_id="01970d3b-0000-7000-8000-000000000a01",
        partner_id="01970d3b-0000-7000-8000-000000000a05",
        services=["check_up", "group", "individual", "crisis"],
        valid_from="2026-03-01",
        valid_until="2027-02-28",
    )

    kind: AgreementKind
    centre_id: uuid.UUID
    partner_id: uuid.UUID
    services: list[Service] = Field([], max_length=16)
    contract: str | None = Field(None, max_length=NAME_LIMIT, description="The number of the paper.")
    valid_from: date | None = None
    valid_until: date | None = None

    def told(self) -> Document:
        if self.valid_from and self.valid_until and self.valid_until < self.valid_from:
            raise Refused("backwards", "有效期的止早于起", "valid_until")
        return super().told()


class AgreementStepIn(Form):
    model_config = example(to="signed", reason="双方已签字盖章", signed_on="2026-02-20")

    to: State
    reason: Reason
    signed_on: date | None = None


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.get("/v1/agreements/progress")
    async def read_progress(caller: Reader, division: DivisionQuery = None, day: Day = None) -> Document:
        """Partners that signed, by the last day of the target and so far; a partner counts once."""
        today = date.fromisoformat(day) if day is not None else local_day(now())
        policy = keys.policies.teams.at(now()).partners
        rows = await kept.agreements_within(database, reach(caller, division))
        if len(rows) > kept.MANY:
            raise Refused("too_many", "请缩小区划范围", "division")
        answer = progress(rows, policy.kinds, policy.at_least, policy.by, today)
        return {**asdict(answer), "day": today, "source": policy.at_least_source}

    @app.put("/v1/agreements/{ident}")
    async def write_agreement(ident: uuid.UUID, body: AgreementIn, caller: Registrar, response: Response) -> Document:
        """A new agreement, drafted, or other terms of one that is not signed; the same again changes nothing."""
        told = body.told()

        async def write(tx: Tx) -> tuple[Document, bool]:
            before = await kept.document(tx, "agreements", ident)
            if before is not None:
                visible(before, caller)
            agreement = await commands.write_agreement(
                tx, ident, told, before, by=caller.subject, inside=caller.division
            )
            return agreement, before is None

        agreement, new = await database.transact(write)
        response.status_code = 201 if new else 200
        return _shown(agreement)

    @app.post("/v1/agreements/{ident}/steps")
    async def step(ident: uuid.UUID, body: AgreementStepIn, caller: Registrar) -> Document:
        """Negotiate, sign, suspend, end, terminate or abandon; the same step again changes nothing."""

        async def take(tx: Tx) -> Document:
            agreement = visible(await kept.document(tx, "agreements", ident), caller)
            day = body.signed_on.isoformat() if body.signed_on else None
            return commands.step(tx, agreement, body.to, body.reason, day, by=caller.subject)

        return _shown(await database.transact(take))

    @app.get("/v1/agreements/{ident}")
    async def read_agreement(ident: uuid.UUID, caller: Reader) -> Document:
        """An agreement with every step: who, when, why."""
        return _shown(visible(await database.get("agreements", ident), caller))

    @app.get("/v1/agreements")
    async def list_agreements(
        caller: Reader,
        division: DivisionQuery = None,
        state: CodeQuery = None,
        kind: CodeQuery = None,
        service: CodeQuery = None,
        centre_id: uuid.UUID | None = None,
        partner_id: uuid.UUID | None = None,
        ends_by: Day = None,
        sort: Order = "id",
        after: Cursor = None,
        limit: Limit = 50,
    ) -> Document:
        """The agreements of a division; `ends_by` asks for those whose last day is not later."""
        known("state", state, list(State))
        known("kind", kind, KINDS)
        known("service", service, SERVICES)
        asked: Document = {
            "state": state,
            "kind": kind,
            "services": service,
            "centre_id": centre_id,
            "partner_id": partner_id,
            "valid_until": {"$ne": None, "$lte": ends_by} if ends_by else None,
        }
        query = store.within(reach(caller, division)) | {k: v for k, v in asked.items() if v is not None}
        return await listed(database, "agreements", query, sort, after, limit, _shown)


def _shown(row: Document) -> Document:
    return {**shown(row, "open_key"), "in_force": in_force(row, local_day(now()).isoformat())}
