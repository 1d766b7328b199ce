"""A volunteer's own calendar by a secret link, for programs that send no token. Nobody is notified otherwise.

Whoever has the link reads when its person is on duty, and nothing about anybody else; the person or a registrar resets
it. A reading is one bounded query, and so many a minute are answered.
"""

from __future__ import annotations

import hashlib
import time
import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

from fastapi import Depends, FastAPI, Header, Path, Response

from chassis.auth import Caller, caller_with
from chassis.clock import LOCAL
from chassis.db import Database
from chassis.errors import NotAllowed, NotFound
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.api.availability import own_entry
from services.registry.api.volunteers import own_person, present_person
from services.registry.commands.calendar import drop_link, hashed, new_secret, reset_link
from services.registry.domain.calendar import Entry, feed
from services.registry.domain.duty import Turn
from services.registry.domain.rosters_policy import FeedPolicy
from services.registry.keys import Keys
from services.registry.store.rosters import link_with, turns_for_calendar

Owner = Annotated[Caller, Depends(caller_with("registrar", "volunteer"))]
Secret = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{43}$")]
STRANGERS = 20
"""Of readings a minute with secrets that there are not, so many times those of one link."""


class Pace:
    """Counts of the present minute, at most `most` names; a full table counts the rest together."""

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._minute = 0
        self._counts: dict[str, int] = {}

    def takes(self, name: str, limit: int) -> bool:
        """Whether one more is within the limit of this minute."""
        minute = int(time.monotonic() // 60)
        if minute != self._minute:
            self._minute, self._counts = minute, {}
        if name not in self._counts and len(self._counts) >= self._most:
            name = ""
        self._counts[name] = self._counts.get(name, 0) + 1
        return self._counts[name] <= limit


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    pace = Pace()

    @app.post("/v1/volunteers/{ident}/calendar", status_code=201)
    async def reset(ident: uuid.UUID, caller: Owner, response: Response) -> Document:
        """A new secret link, shown this once; the one before is dead. The person, or a registrar."""
        secret = new_secret()

        async def write(tx: Tx) -> Document:
            person = await own_person(tx, await own_entry(tx, ident, caller, "registrar"), caller)
            link = await reset_link(tx, ident, secret)
            _note(tx, caller, "calendar.link_reset", person)
            return {"path": f"/v1/calendar/{secret}.ics", "revision": link["revision"]}

        made = await database.transact(write)
        response.headers["cache-control"] = "no-store"
        return made

    @app.delete("/v1/volunteers/{ident}/calendar", status_code=204)
    async def drop(ident: uuid.UUID, caller: Owner) -> Response:
        """No link any more; the person, or a registrar."""

        async def write(tx: Tx) -> None:
            person = await present_person(tx, await own_entry(tx, ident, caller, "registrar"), caller)
            if any([await drop_link(tx, entry) for entry in await store.entries_of(tx, ident)]):
                _note(tx, caller, "calendar.link_dropped", person)

        await database.transact(write)
        return Response(status_code=204)

    @app.get("/v1/calendar/{secret}.ics")
    async def read(secret: Secret, if_none_match: Annotated[str | None, Header()] = None) -> Response:
        """The person's turns as iCalendar, withdrawn ones as cancelled; who has the secret, no token needed."""
        key = hashed(secret)

        async def entries(tx: Tx) -> list[Entry] | None:
            policy = keys.policies.rosters.at(tx.now).feed
            link = await link_with(tx, key)
            person = await store.volunteer(tx, link["_id"]) if link else None
            if person is not None and person["erased"]:
                person = None
            # What is no link has no name of its own: whoever tries chance secrets fills no place of a real reader.
            name, times = (key, 1) if person is not None else ("strangers", STRANGERS)
            if not pace.takes(name, times * policy.reads_a_minute):
                raise NotAllowed("too many readings in this minute", status=429)
            return None if person is None else await _entries(tx, await store.entries_of(tx, person["_id"]), policy)

        found = await database.transact(entries)
        if found is None:
            raise NotFound("there is no such calendar")
        content = feed(found, LOCAL)
        headers = {"cache-control": "private, max-age=300", "etag": f'"{hashlib.sha256(content).hexdigest()[:32]}"'}
        if if_none_match == headers["etag"]:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type="text/calendar; charset=utf-8", headers=headers)


async def _entries(tx: Tx, person: Sequence[uuid.UUID], policy: FeedPolicy) -> list[Entry]:
    start, end = tx.now - timedelta(days=policy.days_back), tx.now + timedelta(days=policy.days_ahead)
    duties = await turns_for_calendar(tx, person, start, end, policy.turns)
    await tx.load("rosters", {duty["roster"] for duty in duties})
    return [
        Entry(
            duty["_id"],
            Turn(duty["starts_at"], duty["ends_at"]),
            await _title(tx, duty),
            duty["revision"] - 1,
            duty.get("changed_at") or duty["starts_at"],
            duty["active"],
        )
        for duty in duties
    ]


async def _title(tx: Tx, duty: Document) -> str:
    roster = await store.roster(tx, duty["roster"])
    return str((roster or {}).get("title") or duty["roster"])


def _note(tx: Tx, caller: Caller, action: str, person: Document) -> None:
    ident = str(person["_id"])
    tx.record(actor=caller.subject, action=action, subject=ident, reason="", division=person["division"])
