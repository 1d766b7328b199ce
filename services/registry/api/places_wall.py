"""What has to be on a place's wall, as a page to print; names of staff in full only where someone prints them."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import Depends, FastAPI, Response
from pydantic import ConfigDict, Field

from chassis import observe
from chassis.auth import Caller, caller_with
from chassis.clock import local_day
from chassis.db import Database
from chassis.errors import NotFound
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.api.places_forms import Form
from services.registry.api.places_page import HEADERS, Person, wall_page
from services.registry.api.requests import READERS
from services.registry.commands.places_staff import present_staff
from services.registry.domain.consents import Consent, Purpose
from services.registry.domain.people import masked_name
from services.registry.keys import Keys
from services.registry.store import places as kept

Reader = Annotated[Caller, Depends(caller_with(*READERS))]
Registrar = Annotated[Caller, Depends(caller_with("registrar"))]
HTML = "text/html; charset=utf-8"


class PrintOrder(Form):
    """Why the names of staff are read; goes into the audit log, so no personal data in it."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"reason": "上墙公示"}]})

    reason: str = Field(min_length=2, max_length=200)


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    async def page(tx: Tx, ident: uuid.UUID, caller: Caller, *, plain: bool) -> tuple[str, Document]:
        place = await kept.place(tx, ident)
        if place is None or not caller.sees(place["division"]):
            raise NotFound("there is no such place")
        host = await store.organisation(tx, place["organisation_id"]) if place["organisation_id"] else None
        people = await _people(tx, keys, place, plain=plain)
        policy = keys.policies.places.at(tx.now)
        fees = place["fees"] if policy.posts_fees(place["type"]) else None
        html = wall_page(place, host["name"] if host else None, people, fees, policy.wall.hotline, local_day(tx.now))
        return html, place

    @app.get("/v1/places/{ident}/wall", response_class=Response)
    async def wall(ident: uuid.UUID, caller: Reader) -> Response:
        """The page for the wall, in Chinese, with the names of staff masked."""
        html, _ = await database.transact(lambda tx: page(tx, ident, caller, plain=False))
        return Response(html, media_type=HTML, headers=dict(HEADERS))

    @app.post("/v1/places/{ident}/wall", response_class=Response)
    async def print_wall(ident: uuid.UUID, body: PrintOrder, caller: Registrar) -> Response:
        """The page to print, with the names of those who agree to be named; the reading is logged."""

        async def read(tx: Tx) -> tuple[str, Document]:
            html, place = await page(tx, ident, caller, plain=True)
            tx.record(
                actor=caller.subject,
                action="place.wall_printed",
                subject=str(ident),
                reason=body.reason,
                division=place["division"],
            )
            return html, place

        html, _ = await database.transact(read)
        observe.PERSONAL_READS.labels("place_wall").inc()
        return Response(html, media_type=HTML, headers=dict(HEADERS))


def may_be_named(person: Document) -> bool:
    """Whether a person did not take the consent back to being named in public."""
    told = person.get("consents", {}).get(Purpose.publication, {})
    return bool(told.get("state") != Consent.withdrawn)


async def _people(tx: Tx, keys: Keys, place: Document, *, plain: bool) -> list[Person]:
    """Who works there, without those who left; only who agreed to it has a name, and nobody a number."""
    links = await present_staff(tx, place, keys.policies) or []
    await keys.persons.load(tx, [one["person_id"] for one in links if one["on_wall"]])
    people = []
    for link in links:
        found = await kept.working(tx, link["person_id"])
        if found is None:
            continue
        name = ""
        if link["on_wall"] and may_be_named(found):
            name = (await keys.persons.open(tx, found["_id"], found["sealed"]))["name"]
            name = name if plain else masked_name(name)
        people.append(Person(name, link["occupation"], link["full_time"], link["certificate"]))
    return people
