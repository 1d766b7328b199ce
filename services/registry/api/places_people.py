"""Who works at a place, who is responsible, whom it is paired with, and what it is an example of."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, FastAPI, Path

from chassis.auth import Caller, caller_with
from chassis.db import Database
from chassis.errors import NotFound
from chassis.tx import Document, Tx
from services.registry.api.places_forms import DemonstrationIn, PairingIn, ResponsibleIn, StaffIn
from services.registry.api.requests import READERS, seen
from services.registry.commands import places_people as commands
from services.registry.keys import Keys
from services.registry.store import places as kept

Reader = Annotated[Caller, Depends(caller_with(*READERS))]
Registrar = Annotated[Caller, Depends(caller_with("registrar"))]
Town = Annotated[str, Path(pattern=r"^[0-9]{9}$")]
Change = Callable[[Tx, Document], Awaitable[Document]]


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    async def changed(ident: uuid.UUID, caller: Caller, change: Change) -> Document:
        async def write(tx: Tx) -> Document:
            found = await kept.place(tx, ident)
            if found is None or not caller.sees(found["division"]):
                raise NotFound("there is no such place")
            return await change(tx, found)

        return await database.transact(write)

    @app.put("/v1/places/{ident}/staff/{person_id}")
    async def link_staff(ident: uuid.UUID, person_id: uuid.UUID, body: StaffIn, caller: Registrar) -> Document:
        """A registered person works at the place, full-time or part-time; the certificate is as the caller tells."""

        async def link(tx: Tx, place: Document) -> Document:
            return await commands.link_staff(
                tx, place, person_id, body.told(), by=caller.subject, inside=caller.division
            )

        return _staff(await changed(ident, caller, link))

    @app.delete("/v1/places/{ident}/staff/{person_id}")
    async def unlink_staff(ident: uuid.UUID, person_id: uuid.UUID, caller: Registrar) -> Document:
        """The person no longer works at the place."""

        async def unlink(tx: Tx, place: Document) -> Document:
            return commands.unlink_staff(tx, place, person_id, by=caller.subject)

        return _staff(await changed(ident, caller, unlink))

    @app.put("/v1/places/{ident}/responsible")
    async def name_responsible(ident: uuid.UUID, body: ResponsibleIn, caller: Registrar) -> Document:
        """The one fixed responsible person of a place; every change stays in the log."""

        async def name(tx: Tx, place: Document) -> Document:
            return await commands.name_responsible(
                tx, place, body.person_id, body.reason, by=caller.subject, inside=caller.division
            )

        place = await changed(ident, caller, name)
        return {"id": place["_id"], "responsible": place["responsible"], "log": place["responsible_log"]}

    @app.put("/v1/streets/{division}/responsible")
    async def name_street_lead(division: Town, body: ResponsibleIn, caller: Registrar) -> Document:
        """The one fixed responsible person of a street or a town; every change stays in the log."""
        seen(caller, division)

        async def name(tx: Tx) -> Document:
            return await commands.name_street_lead(
                tx, division, body.person_id, body.reason, by=caller.subject, inside=caller.division
            )

        return _lead(await database.transact(name))

    @app.get("/v1/streets/{division}/responsible")
    async def read_street_lead(division: Town, caller: Reader) -> Document:
        """Who is responsible in a street or a town, and who was."""
        found = await database.get("street_leads", seen(caller, division))
        if found is None:
            raise NotFound("nobody has been named here")
        return _lead(found)

    @app.put("/v1/places/{ident}/pairings/{organisation_id}")
    async def pair(ident: uuid.UUID, organisation_id: uuid.UUID, body: PairingIn, caller: Registrar) -> Document:
        """An organisation is paired with the place; with `until` the pairing has ended."""

        async def link(tx: Tx, place: Document) -> Document:
            return await commands.pair(
                tx, place, organisation_id, body.told(), by=caller.subject, inside=caller.division
            )

        place = await changed(ident, caller, link)
        return {"id": place["_id"], "pairings": place["pairings"]}

    @app.put("/v1/places/{ident}/demonstration")
    async def demonstrate(ident: uuid.UUID, body: DemonstrationIn, caller: Registrar) -> Document:
        """The place is an example for others, at a level."""

        async def name(tx: Tx, place: Document) -> Document:
            return commands.demonstrate(tx, place, body.told(), by=caller.subject)

        place = await changed(ident, caller, name)
        return {"id": place["_id"], "demonstration": place["demonstration"]}

    @app.delete("/v1/places/{ident}/demonstration")
    async def end_demonstration(ident: uuid.UUID, caller: Registrar) -> Document:
        """The place is no example any more."""

        async def end(tx: Tx, place: Document) -> Document:
            return commands.demonstrate(tx, place, None, by=caller.subject)

        place = await changed(ident, caller, end)
        return {"id": place["_id"], "demonstration": place["demonstration"]}


def _staff(place: Document) -> Document:
    return {"id": place["_id"], "revision": place["revision"], "staff": place["staff"]}


def _lead(row: Document) -> Document:
    return {"division": row["_id"], **{name: value for name, value in row.items() if name != "_id"}}
