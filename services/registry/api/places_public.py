"""What a place posts, as a page that anybody may read: fees, qualifications of staff, rules, hours, the hotline.

No token is asked for. There is a page only of a place that is open and that a registrar marked as open to the public.
Who works there is told by post, hours and certificate, never by name: 从业人员资质 are posted, and a name is not asked.
A page may be cached for some minutes; nothing personal is opened for it, so nothing has to be logged.

Whoever asks takes no write's turn: a page is made at most once in those minutes for each state of its place, whoever
asks at the same time shares it, and only a few places are looked at at once.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated

from fastapi import Depends, FastAPI, Request, Response
from pydantic import ConfigDict

from chassis.auth import Caller, caller_with
from chassis.clock import local_day
from chassis.db import Database
from chassis.errors import NotFound
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.api.places_forms import Form
from services.registry.api.places_page import HEADERS, Person, wall_page
from services.registry.commands.places_public import open_to_public
from services.registry.commands.places_staff import present_staff
from services.registry.domain.places_status import State
from services.registry.keys import Keys
from services.registry.store import places as kept

Registrar = Annotated[Caller, Depends(caller_with("registrar"))]
HTML = "text/html; charset=utf-8"
SECONDS = 300
"""For so long a page may be as it was; what takes a page away does so at once."""
CACHED: Mapping[str, str] = MappingProxyType({**HEADERS, "cache-control": f"public, max-age={SECONDS}"})
PAGES = 500
"""Pages that one process keeps, of some tens of kilobytes each."""
LOOKS = 2
"""Places that are looked at at once for people without a token."""


class PublicIn(Form):
    """Whether anybody may read what the place posts."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"public": True}]})

    public: bool


@dataclass(frozen=True)
class Page:
    """A page, of which state of its place it is, and until when it does on the clock of the process."""

    html: str
    tag: str
    revision: int
    until: float


class Pages:
    """The pages that this process made and keeps, the ones that were asked for last."""

    def __init__(self, database: Database, keys: Keys) -> None:
        self._database = database
        self._keys = keys
        self._kept: OrderedDict[uuid.UUID, Page] = OrderedDict()
        self._looking: dict[uuid.UUID, asyncio.Task[Page | None]] = {}
        self._few = asyncio.Semaphore(LOOKS)

    async def of(self, ident: uuid.UUID) -> Page | None:
        """The page of a place, None where it has none now; who asks while it is looked at shares the answer."""
        looking = self._looking.get(ident)
        if looking is None:
            looking = self._looking[ident] = asyncio.create_task(self._look(ident))
            looking.add_done_callback(lambda _: self._looking.pop(ident, None))
        # One who goes away takes nothing from the others.
        return await asyncio.shield(looking)

    async def _look(self, ident: uuid.UUID) -> Page | None:
        async with self._few:
            place = await self._database.get("places", ident)
            if place is None or not is_public(place):
                self._kept.pop(ident, None)
                return None
            page = self._kept.get(ident)
            if page is None or page.revision != place["revision"] or page.until <= time.monotonic():
                html = await self._database.look(lambda tx: _html(tx, place, self._keys))
                tag = f'"{hashlib.sha256(html.encode()).hexdigest()[:32]}"'
                page = Page(html, tag, place["revision"], time.monotonic() + SECONDS)
        self._kept[ident] = page
        self._kept.move_to_end(ident)
        if len(self._kept) > PAGES:
            self._kept.popitem(last=False)
        return page


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    pages = Pages(database, keys)

    @app.put("/v1/places/{ident}/public")
    async def mark(ident: uuid.UUID, body: PublicIn, caller: Registrar) -> Document:
        """Open the page of a place to the public, or take it off; the same again changes nothing; registrars only."""

        async def write(tx: Tx) -> Document:
            place = await kept.place(tx, ident)
            if place is None or not caller.sees(place["division"]):
                raise NotFound("there is no such place")
            return open_to_public(tx, place, body.public, caller.subject)

        place = await database.transact(write)
        return {
            "id": ident,
            "revision": place["revision"],
            "public": place["public"],
            "readable": is_public(place),
            "page": f"/public/places/{ident}",
        }

    @app.get("/public/places/{ident}", response_class=Response)
    async def read(ident: uuid.UUID, request: Request) -> Response:
        """What the place posts, for anybody, in Chinese and to print; 404 unless it is open and marked as public."""

        page = await pages.of(ident)
        if page is None:
            raise NotFound("there is no such page")
        tag, html = page.tag, page.html
        headers = {**CACHED, "etag": tag}
        if tag in [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]:
            return Response(status_code=304, headers=headers)
        return Response(html, media_type=HTML, headers=headers)


def is_public(place: Document) -> bool:
    return bool(place.get("public")) and place["status"] == State.open


async def _html(tx: Tx, place: Document, keys: Keys) -> str:
    host = await store.organisation(tx, place["organisation_id"]) if place["organisation_id"] else None
    people = await _posts(tx, place, keys)
    policy = keys.policies.places.at(tx.now)
    fees = place["fees"] if policy.posts_fees(place["type"]) else None
    name = host["name"] if host else None
    return wall_page(place, name, people, fees, policy.wall.hotline, local_day(tx.now), names=False)


async def _posts(tx: Tx, place: Document, keys: Keys) -> list[Person]:
    """Who works there without those who left, and without anybody's name."""
    present = await present_staff(tx, place, keys.policies) or []
    return [Person("", one["occupation"], one["full_time"], one["certificate"]) for one in present]
