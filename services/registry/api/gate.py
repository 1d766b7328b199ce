"""The gate over HTTP: may this person do this, and why not; and whether posts are held by who is qualified."""

from __future__ import annotations

import uuid
from datetime import UTC
from typing import Annotated

from fastapi import Depends, FastAPI, Query

from chassis.auth import Caller, caller_with
from chassis.clock import local_day, now
from chassis.db import Database
from chassis.errors import NotFound, Refused
from chassis.tx import Document, Tx
from contracts.base import Name
from services.registry import store
from services.registry.api.rosters import Moment
from services.registry.api.volunteers import visible_person
from services.registry.commands import gate as commands
from services.registry.domain.gate import REASONS, Reason, Requirement, unmet
from services.registry.keys import Keys
from services.registry.store import places as places_kept

Reader = Annotated[Caller, Depends(caller_with("registrar", "coordinator", "supervisor", "duty_officer"))]
ServiceQuery = Annotated[str | None, Query(max_length=64, description="A service of /v1/qualification-codes.")]
At = Annotated[Moment | None, Query(description="With an offset; now where absent.")]


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.get("/v1/people/{ident}/may")
    async def may(
        ident: uuid.UUID,
        caller: Reader,
        service: ServiceQuery = None,
        role: Annotated[Name | None, Query(description="As on rosters.")] = None,
        at: At = None,
        place_id: Annotated[uuid.UUID | None, Query(description="Where it is done.")] = None,
    ) -> Document:
        """Whether a person may do a service, take a role or work at a place on a day, and every reason why not."""
        if service is None and role is None and place_id is None:
            raise Refused("missing", "service、role 与 place_id 至少填一项", "service")
        day = local_day(at.astimezone(UTC) if at else now())

        async def ask(tx: Tx) -> Document:
            known = visible_person(await store.volunteer(tx, ident), caller)
            person = visible_person(await store.survivor(tx, known), caller)
            place = await commands.place_of(tx, place_id, caller.division) if place_id else None
            asked = commands.Asked(day, service, role, place)
            answer = await commands.may(tx, person, asked, keys.policies)
            return {
                "person_id": person["_id"],
                "on": day,
                "may": not answer.reasons,
                "reasons": [_reason(one) for one in answer.reasons],
                "not_offered": answer.not_offered,
                "versions": {
                    "qualifications": keys.policies.qualifications.at(tx.now).version,
                    "trainings": keys.policies.trainings.at(tx.now).version,
                    "gate": keys.policies.gate.at(tx.now).version,
                    "people": keys.policies.people.at(tx.now).version,
                },
            }

        return await database.transact(ask)

    @app.get("/v1/places/{ident}/post-match")
    async def post_match(ident: uuid.UUID, caller: Reader) -> Document:
        """Of everyone who works at a place, whether qualification and training suit the post and the site's level."""

        async def match(tx: Tx) -> Document:
            place = await places_kept.place(tx, ident)
            if place is None or not caller.sees(place["division"]):
                raise NotFound("there is no such place")
            policy = keys.policies.qualifications.at(tx.now)
            care = place["type"] == "care_point"
            site = keys.policies.trainings.at(tx.now).site(place["care_level"]) if care else None
            staff = place["staff"] or []
            people = await store.people_of(tx, [one["person_id"] for one in staff])
            today = local_day(tx.now)
            survivors = {row["_id"]: await store.survivor(tx, row) for row in people}
            owners = list({row["_id"]: row for row in survivors.values()}.values())
            facts = await commands.bare_facts(tx, owners, tx.now, today, keys.policies)
            items = []
            for one in staff:
                asked = []
                post = policy.post(one["occupation"])
                if post is not None:
                    asked.append(Requirement("qualification", post.source, post.any_of))
                if site is not None:
                    asked.append(Requirement("training", site.source, (), site.levels, site.passed))
                known = facts[survivors[one["person_id"]]["_id"]]
                reasons = unmet(asked, known, today.isoformat())
                told = {"person_id": one["person_id"], "occupation": one["occupation"], "fits": not reasons}
                items.append({**told, "reasons": [_reason(reason) for reason in reasons]})
            return {"id": ident, "items": items, "fitting": sum(item["fits"] for item in items)}

        return await database.transact(match)


def _reason(one: Reason) -> Document:
    return {
        "code": one.code,
        "detail": REASONS[one.code],
        "any_of": list(one.any_of),
        "levels": list(one.levels),
        "source": one.source,
    }
