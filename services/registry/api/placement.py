"""Staffing a place from the district's inventory: what is lacking, who suits, and putting somebody on."""

from __future__ import annotations

import uuid
from dataclasses import asdict
from typing import Annotated

from fastapi import Depends, FastAPI, Query
from pydantic import ConfigDict

from chassis.auth import Caller, caller_with
from chassis.clock import local_day
from chassis.db import Database
from chassis.errors import Refused
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.api.people import Role
from services.registry.api.places import visible
from services.registry.api.places_forms import Day, Form, OccupationCode
from services.registry.api.requests import READERS, After, Limit
from services.registry.api.volunteers import load_people, shown_person, visible_person
from services.registry.commands import placement as commands
from services.registry.commands.places_staff import present_staff
from services.registry.domain.gate import REASONS
from services.registry.domain.placement import Gap, annex_codes, gaps
from services.registry.domain.places_labels import OCCUPATIONS
from services.registry.domain.qualifications import KINDS
from services.registry.keys import Keys
from services.registry.store import placement as kept
from services.registry.store import places as places_kept

Reader = Annotated[Caller, Depends(caller_with(*READERS))]
PersonReader = Annotated[Caller, Depends(caller_with("registrar", "coordinator"))]
Registrar = Annotated[Caller, Depends(caller_with("registrar"))]


class PutOnIn(Form):
    """The post that the person takes. The certificate is not told: the register looks whether one holds."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"occupation": "counsellor", "full_time": True}]}
    )

    occupation: OccupationCode
    full_time: bool
    on_wall: bool = False
    since: Day | None = None


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    async def place_in(tx: Tx, ident: uuid.UUID, caller: Caller) -> Document:
        return visible(await places_kept.place(tx, ident), caller)

    async def lacking(tx: Tx, place: Document) -> list[Document]:
        """The clauses about people of every standard that the type of place is held against."""
        there = await present_staff(tx, place, keys.policies) or []
        return [
            _gap(name, one)
            for name, standard in keys.policies.standards.at(tx.now).standards.items()
            if place["type"] in standard.types
            for one in gaps(standard, there)
        ]

    @app.get("/v1/places/{ident}/staff-gaps")
    async def read_gaps(ident: uuid.UUID, caller: Reader) -> Document:
        """How many people of which occupations a place lacks by the standards that it is held against."""

        async def read(tx: Tx) -> Document:
            place = await place_in(tx, ident, caller)
            items = await lacking(tx, place)
            return {"id": ident, "items": items, "lacking": sum(one["lacking"] > 0 for one in items)}

        return await database.look(read)

    @app.get("/v1/places/{ident}/talents")
    async def list_talents(
        ident: uuid.UUID,
        caller: PersonReader,
        occupation: OccupationCode,
        role: Role | None = None,
        unfit: Annotated[bool, Query(description="Also those who may not yet, each with the reasons.")] = False,
        after: After = None,
        limit: Limit = 50,
    ) -> Document:
        """The people of the place's district whose qualification suits a post and who may take it, masked.

        A page may be short where many may not; as long as there is a `next`, there may be more.
        """

        async def read(tx: Tx) -> Document:
            place = await place_in(tx, ident, caller)
            post = keys.policies.qualifications.at(tx.now).post(occupation)
            if post is None:
                raise Refused(
                    "no_qualification", f"{OCCUPATIONS[occupation]}没有资质要求，请直接登记人员", "occupation"
                )
            # Never wider than what the caller sees, and never wider than the district.
            inside = max(caller.division, place["division"][:6], key=len)
            there = [one["person_id"] for one in place["staff"] or ()]
            day = local_day(tx.now).isoformat()
            codes = annex_codes(post.any_of)
            rows = await kept.suitable(tx, inside, codes, post.any_of, there, role, day, after, limit)
            await load_people(tx, keys, rows)
            items = []
            for row in rows:
                reasons = await commands.why_not(tx, row, place, occupation, keys.policies)
                if reasons and not unfit:
                    continue
                told = [{"code": one.code, "detail": REASONS[one.code], "source": one.source} for one in reasons]
                items.append({**await shown_person(tx, keys, row), "fits": not reasons, "reasons": told})
            return {
                "id": ident,
                "occupation": occupation,
                "any_of": [{"kind": kind, "label": KINDS[kind].label} for kind in post.any_of],
                "items": items,
                "next": rows[-1]["_id"] if len(rows) == limit else None,
            }

        return await database.look(read)

    @app.put("/v1/places/{ident}/talents/{person_id}")
    async def put_on(ident: uuid.UUID, person_id: uuid.UUID, body: PutOnIn, caller: Registrar) -> Document:
        """Put somebody of the district on at a place; 409 with the reason where the gate says no."""

        async def write(tx: Tx) -> Document:
            place = await place_in(tx, ident, caller)
            known = visible_person(await store.volunteer(tx, person_id), caller)
            person = visible_person(await store.survivor(tx, known), caller)
            told = {**body.model_dump(), "since": body.since.isoformat() if body.since else None}
            after = await commands.put_on(
                tx, place, person, told, keys.policies, by=caller.subject, inside=caller.division
            )
            return {
                "id": ident,
                "revision": after["revision"],
                "staff": after["staff"],
                "gaps": await lacking(tx, after),
            }

        return await database.transact(write)


def _gap(standard: str, one: Gap) -> Document:
    labels = [OCCUPATIONS[code] for code in one.occupations]
    return {"standard": standard, **asdict(one), "labels": labels, "lacking": one.lacking}
