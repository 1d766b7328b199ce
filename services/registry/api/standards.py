"""Standards as checklists, and places held against them, over HTTP."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Path, Query
from pydantic import ConfigDict, Field

from chassis.auth import Caller, caller_with
from chassis.clock import now
from chassis.db import Database
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.api.places import visible
from services.registry.api.places_forms import Form, Sha256
from services.registry.api.requests import READERS, After, Limit, paged
from services.registry.commands import standards as commands
from services.registry.commands.places_staff import present_staff
from services.registry.domain.standards import Standard, Standards
from services.registry.domain.standards_check import Outcome, Site, check
from services.registry.keys import Keys
from services.registry.store import places as kept

Reader = Annotated[Caller, Depends(caller_with(*READERS))]
Inspector = Annotated[Caller, Depends(caller_with("registrar", "supervisor"))]
StandardName = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{1,62}$")]
StandardQuery = Annotated[str, Query(pattern=r"^[a-z][a-z0-9_]{1,62}$")]
VersionQuery = Annotated[str | None, Query(max_length=64, description="The one in force where absent.")]


class CheckIn(Form):
    """A check by the caller; `id` is the client's, so that sending again adds none. `files` are hashes by clause."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "id": "01970d3b-0000-7000-8000-000000000c02",
                    "standard": "station",
                    "files": {"4.2.rules_posted": "ab" * 32},
                }
            ]
        },
    )

    id: uuid.UUID
    standard: str = Field(pattern=r"^[a-z][a-z0-9_]{1,62}$")
    version: str | None = Field(None, max_length=64)
    files: dict[str, Sha256] = Field({}, max_length=100)


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.get("/v1/standards")
    async def list_standards(caller: Reader, version: VersionQuery = None) -> Document:
        """The checklists of a version, and the facts that they ask for."""
        policy = _version(keys, version)
        items = [
            {"id": name, "title": one.title, "source": one.source, "types": one.types, "clauses": len(one.clauses)}
            for name, one in policy.standards.items()
        ]
        facts = {name: fact.model_dump() for name, fact in policy.facts.items()}
        return {"version": policy.version, "items": items, "facts": facts}

    @app.get("/v1/standards/{name}")
    async def read_standard(name: StandardName, caller: Reader, version: VersionQuery = None) -> Document:
        """Every clause of a checklist with where it is written."""
        policy = _version(keys, version)
        found = policy.standards.get(name)
        if found is None:
            raise NotFound("there is no such standard")
        return {"id": name, "version": policy.version, **found.model_dump(exclude_none=True)}

    @app.get("/v1/places/{ident}/check")
    async def check_place(
        ident: uuid.UUID, caller: Reader, standard: StandardQuery, version: VersionQuery = None
    ) -> Document:
        """How a place stands now: every clause with what was recorded, by whom and when. Nothing is kept."""

        async def read(tx: Tx) -> Document:
            place = visible(await kept.place(tx, ident), caller)
            return {"place_id": ident, **await held(tx, place, keys, _version(keys, version), standard)}

        return await database.transact(read)

    @app.post("/v1/places/{ident}/checks", status_code=201)
    async def record_check(ident: uuid.UUID, body: CheckIn, caller: Inspector) -> Document:
        """A check by a named inspector, kept with the version of the standard; it never changes afterwards."""

        async def record(tx: Tx) -> Document:
            place = visible(await kept.place(tx, ident), caller)
            result = await held(tx, place, keys, _version(keys, body.version), body.standard)
            codes = {row["code"] for row in result["clauses"]}
            if strange := sorted(set(body.files) - codes):
                raise Refused("unknown_clause", f"标准中没有条款 {strange[0]}", "files")
            return await commands.record_check(tx, body.id, place, result, body.files, caller.subject)

        return _shown(await database.transact(record))

    @app.get("/v1/places/{ident}/checks")
    async def list_checks(ident: uuid.UUID, caller: Reader, after: After = None, limit: Limit = 20) -> Document:
        """The checks of a place, the oldest first."""
        visible(await database.get("places", ident), caller)
        rows = await store.page(database, "place_checks", {"place_id": ident}, after, limit)
        return paged([_shown(row) for row in rows], limit)


async def held(tx: Tx, place: Document, keys: Keys, policy: Standards, name: str) -> dict[str, Any]:
    """A place against a standard: `standard`, `version`, `overall`, `counts`, and `clauses` with their evidence."""
    standard = policy.standards.get(name)
    if standard is None:
        raise Refused("unknown_standard", "没有这个标准", "standard")
    if standard.types and place["type"] not in standard.types:
        raise NotAllowed("这个标准不适用于此类场所", field="standard")
    return judged(place, await present_staff(tx, place, keys.policies), standard, policy, name)


def judged(
    place: Document, staff: list[Document] | None, standard: Standard, policy: Standards, name: str
) -> dict[str, Any]:
    result = check(standard, _site(place, staff))
    clauses = [
        {
            "code": clause.code,
            "text": clause.text,
            "source": clause.source,
            "recommended": clause.recommended,
            "outcome": found.outcome.value,
            "detail": found.detail,
            "evidence": [_evidence(place, field) for field in found.rests_on],
        }
        for clause, found in result.clauses
    ]
    return {
        "standard": name,
        "title": standard.title,
        "version": policy.version,
        "overall": result.overall.value,
        "counts": {outcome.value: result.counts()[outcome.value] for outcome in Outcome},
        "clauses": clauses,
    }


def _site(place: Document, staff: list[Document] | None) -> Site:
    rooms = None if place["rooms"] is None else [{**room, "equipment": _items(room)} for room in place["rooms"]]
    return Site(
        facts={name: fact["value"] for name, fact in place["facts"].items()},
        rooms=rooms,
        equipment=_items(place),
        functions=place["functions"],
        staff=staff,
        rules=None if place["rules"] is None else len(place["rules"]),
    )


def _items(holder: Document) -> list[str] | None:
    return None if holder["equipment"] is None else [one["item"] for one in holder["equipment"]]


def _evidence(place: Document, field: str) -> Document:
    """What was recorded, by whom and when; all null where nobody has."""
    group, _, name = field.partition(".")
    if group == "facts":
        fact = place["facts"].get(name)
        empty = {"value": None, "by": None, "at": None, "sha256": None}
        return {"field": field, **(fact or empty)}
    stamp = place["recorded"].get(field) or {"by": None, "at": None}
    value = place.get(field)
    return {"field": field, "value": len(value) if value is not None else None, **stamp, "sha256": None}


def _version(keys: Keys, version: str | None) -> Standards:
    known = keys.policies.standards
    if version is None:
        return known.at(now())
    try:
        return known.of(version)
    except KeyError as error:
        raise Refused("unknown_version", "没有这个版本的标准", "version") from error


def _shown(row: Document) -> Document:
    return {"id": row["_id"], **{name: value for name, value in row.items() if name != "_id"}}
