"""The types of agencies over HTTP: their licence, their services, and whether one may give a service and why not."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Annotated

from fastapi import Depends, FastAPI, Query
from pydantic import Field, StringConstraints

from chassis.auth import Caller, caller_with
from chassis.clock import local_day, now
from chassis.db import Database
from chassis.errors import Refused
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.api.places_forms import Day, Words, one_of
from services.registry.api.requests import READERS, DivisionQuery, Limit, reach
from services.registry.api.teams_forms import Form, example
from services.registry.api.teams_lists import Cursor, listed, visible
from services.registry.commands import providers_kinds as commands
from services.registry.domain.providers import KINDS
from services.registry.domain.providers_kinds import LICENCES, REASONS, SUBJECTS, why_not
from services.registry.keys import Keys
from services.registry.store import teams as kept

Reader = Annotated[Caller, Depends(caller_with(*READERS))]
Registrar = Annotated[Caller, Depends(caller_with("registrar"))]
SOON = timedelta(days=90)
"""No published source; what the list shows where nobody names a day."""
ServiceWord = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,62}$")]


class LicenceIn(Form):
    """The licence of practice of a medical institution, or the filing of a clinic, with its subjects of treatment."""

    model_config = example(
        kind="medical",
        number="示例许可0001",
        issuer="示例区卫生健康局",
        valid_from="2026-01-01",
        valid_until="2030-12-31",
        subjects=["psychiatry"],
    )

    kind: Annotated[str, *one_of(LICENCES)]
    number: Words
    issuer: Words
    valid_from: Day
    valid_until: Day | None = None
    subjects: Annotated[list[Annotated[str, *one_of(SUBJECTS)]], Field(min_length=1, max_length=len(SUBJECTS))]


class ServicesIn(Form):
    """The services that a provider offers, by the codes of /v1/qualification-codes."""

    model_config = example(services=["guidance", "counselling"])

    services: Annotated[list[ServiceWord], Field(max_length=20)]


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.get("/v1/provider-kinds")
    async def kinds(caller: Reader) -> Document:
        """The three types of agencies: what each is checked by, what it may provide, and where that is written."""
        policy = keys.policies.providers.at(now())
        items = [{"label": KINDS[one.kind], **one.model_dump()} for one in policy.kinds]
        return {"items": items, "licences": LICENCES, "subjects": SUBJECTS, "version": policy.version}

    @app.get("/v1/provider-licences")
    async def ending(
        caller: Reader,
        division: DivisionQuery = None,
        until: Annotated[Day | None, Query(description="The last day looked at; in ninety days if absent.")] = None,
        after: Cursor = None,
        limit: Limit = 50,
    ) -> Document:
        """The licences that end soon or have ended, those that end first at the top; who ended is left out."""
        last = until or local_day(now()) + SOON
        query = {**store.within(reach(caller, division)), "licence_until": {"$lte": last.isoformat()}}
        return await listed(database, "providers", query, "licence_until", after, limit, _shown)

    @app.put("/v1/providers/{ident}/licence")
    async def licence(ident: uuid.UUID, body: LicenceIn, caller: Registrar) -> Document:
        """Enter a licence of practice; another one has to be verified anew; registrars only."""

        async def write(tx: Tx) -> Document:
            provider = visible(await kept.document(tx, "providers", ident), caller)
            return commands.set_licence(tx, provider, body.told(), caller.subject)

        return _shown(await database.transact(write))

    @app.put("/v1/providers/{ident}/services")
    async def services(ident: uuid.UUID, body: ServicesIn, caller: Registrar) -> Document:
        """What a provider offers; what the law bars its type from is refused; registrars only."""
        known = {one.code for one in keys.policies.qualifications.at(now()).services}
        for position, service in enumerate(body.services):
            if service not in known:
                raise Refused("unknown_service", f"没有这类服务；有 {'、'.join(sorted(known))}", f"services.{position}")

        async def write(tx: Tx) -> Document:
            provider = visible(await kept.document(tx, "providers", ident), caller)
            policy = keys.policies.providers.at(tx.now)
            return commands.set_services(tx, policy, provider, body.told()["services"], caller.subject)

        return _shown(await database.transact(write))

    @app.get("/v1/providers/{ident}/may")
    async def may(
        ident: uuid.UUID,
        caller: Reader,
        service: Annotated[str, Query(max_length=64)],
        on: Day | None = None,
    ) -> Document:
        """Whether a provider may give a service on a day, today where none is named, and every reason why not."""
        provider = visible(await database.get("providers", ident), caller)
        moment, day = now(), on or local_day(now())
        known = keys.policies.qualifications.at(moment).service(service)
        if known is None:
            raise Refused("unknown_service", "没有这类服务", "service")
        policy = keys.policies.providers.at(moment)
        rule = policy.of(provider["kind"])
        reasons = why_not(rule, provider, service, day.isoformat())
        return {
            "id": ident,
            "service": service,
            "on": day,
            "may": not reasons,
            "reasons": [{"code": code, "detail": REASONS[code]} for code in reasons],
            "source": rule.source if rule else known.source,
            "version": policy.version,
        }


def _shown(row: Document) -> Document:
    names = ("revision", "type", "kind", "status", "division")
    told = {"id": row["_id"], **{name: row[name] for name in names}}
    return {**told, "licence": row.get("licence"), "services": row.get("services", [])}
