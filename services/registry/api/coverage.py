"""Coverage over HTTP: the 15-minute circle, its map, the three-level network, and who is expected to have a place."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Path, Query, Request, Response
from pydantic import ConfigDict, Field

from chassis.auth import Caller, caller_with
from chassis.clock import local_day, now
from chassis.db import Database
from chassis.errors import NotFound, Refused
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.api.coverage_map import Drawn, coverage_page
from services.registry.api.places_forms import Day, Form, PositionIn
from services.registry.api.places_page import HEADERS
from services.registry.api.places_wall import HTML
from services.registry.api.requests import DIVISION, READERS, UPLOAD, After, Limit, seen, uploaded
from services.registry.commands import coverage as commands
from services.registry.domain.coverage import (
    DATUMS,
    CoveragePolicy,
    DivisionRule,
    OrganisationRule,
    Place,
    Point,
    Reached,
    State,
    Village,
    reached,
)
from services.registry.domain.coverage_network import Answer, Standing, Unit, of_divisions, of_unit
from services.registry.domain.places_labels import TIER_DIGITS, TYPES
from services.registry.imports.places_points import read_points
from services.registry.keys import Keys
from services.registry.store import coverage as kept
from services.registry.store import places as places_kept
from services.registry.store.ledger import still_working

Reader = Annotated[Caller, Depends(caller_with(*READERS))]
Registrar = Annotated[Caller, Depends(caller_with("registrar"))]
Asked = Annotated[str, Query(pattern=DIVISION)]
Code = Annotated[str, Path(pattern=DIVISION)]
VillageCode = Annotated[str | None, Query(pattern=r"^[0-9]{12}$", description="The last village of the page before.")]
DatumQuery = Annotated[str, Query(pattern=f"^({'|'.join(DATUMS)})$")]
WIDEST = 4
"""Digits of the widest division that coverage is reckoned for: a city."""


class SizeIn(Form):
    """What decides whether an organisation is expected to have a place; null where nobody has told."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"headcount": 320, "purchased_until": "2026-12-31"}]},
    )

    headcount: int | None = Field(None, ge=0, le=10_000_000)
    hospital_class: Literal["general", "psychiatric", "other"] | None = None
    hospital_level: int | None = Field(None, ge=1, le=3)
    provider_id: uuid.UUID | None = None
    purchased_until: Day | None = None

    def told(self) -> dict[str, Any]:
        return {
            **self.model_dump(),
            "purchased_until": self.purchased_until.isoformat() if self.purchased_until else None,
        }


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    def policy() -> CoveragePolicy:
        return keys.policies.coverage.at(now())

    @app.post("/v1/coverage/points/import", openapi_extra=UPLOAD)
    async def import_points(request: Request, caller: Registrar, datum: DatumQuery) -> Document:
        """A CSV `code,latitude,longitude` of divisions, all in one coordinate system; all of its rows or none."""
        rows = read_points(await uploaded(request), datum, caller.division)
        return dict(await database.transact(lambda tx: commands.locate_divisions(tx, rows, caller.subject)))

    @app.put("/v1/coverage/points/{division}")
    async def locate(division: Code, body: PositionIn, caller: Registrar) -> Document:
        """Where a division lies: the point that people of it start from."""
        seen(caller, division)
        point = Point(body.latitude, body.longitude, body.datum)
        row, _ = await database.transact(lambda tx: commands.locate_division(tx, division, point, caller.subject))
        return {"division": row["_id"], **{name: value for name, value in row.items() if name != "_id"}}

    @app.put("/v1/organisations/{ident}/size")
    async def size_organisation(ident: uuid.UUID, body: SizeIn, caller: Registrar) -> Document:
        """How large an organisation is, which hospital, and its contract of purchased service."""

        async def write(tx: Tx) -> Document:
            found = await store.organisation(tx, ident)
            if found is None or not caller.sees(found["division"]):
                raise NotFound("there is no such organisation")
            return await commands.size_organisation(tx, found, body.told(), caller.subject)

        row = await database.transact(write)
        return {"organisation_id": row["_id"], **{name: value for name, value in row.items() if name != "_id"}}

    @app.get("/v1/coverage")
    async def coverage(
        caller: Reader, division: Asked, state: State | None = None, after: VillageCode = None, limit: Limit = 100
    ) -> Document:
        """Which villages lie within the circle of a place, which do not, and of which nobody knows."""
        seen(caller, division)
        drawn, rows = await _drawn(database, policy(), division)
        towns: dict[str, Counter[str]] = defaultdict(Counter)
        for one in drawn.reached:
            towns[one.village[:9]][one.state.value] += 1
        listed = [one for one in drawn.reached if state in (None, one.state) and (after is None or one.village > after)]
        items = [_village(one, drawn) for one in listed[:limit]]
        return {
            "division": division,
            "version": policy().version,
            "circle": {**policy().circle.model_dump(), "metres": round(policy().circle.metres)},
            **_counted(Counter(one.state.value for one in drawn.reached)),
            "accessibility": _accessibility(rows, await still_working(database, _linked(rows))),
            "towns": [
                {"division": code, "name": drawn.names.get(code), **_counted(towns[code])} for code in sorted(towns)
            ],
            "items": items,
            "next": items[-1]["village"] if len(items) == limit else None,
        }

    @app.get("/v1/coverage/map", response_class=Response)
    async def coverage_map(caller: Reader, division: Asked) -> Response:
        """The circle as a page with a map: places, circles, and the villages outside by name."""
        seen(caller, division)
        drawn, _ = await _drawn(database, policy(), division)
        return Response(coverage_page(drawn, policy().circle), media_type=HTML, headers=dict(HEADERS))

    @app.get("/v1/coverage/network")
    async def network(caller: Reader, division: Asked) -> Document:
        """The three levels: of the divisions that are expected to have a place, how many have one, and who has none."""
        seen(caller, division)
        places = [_standing(row) for row in await _open_places(database, division)]
        levels: dict[str, list[Document]] = {}
        for level, digits in TIER_DIGITS.items():
            levels[level] = await _divisions(database, division, digits) if digits >= len(division) else []
        names = {row["_id"]: row["name"] for rows in levels.values() for row in rows}
        items = [
            _rule(rule, [row["_id"] for row in levels[rule.level]], places, names) for rule in policy().division_rules
        ]
        return {"division": division, "version": policy().version, "items": items}

    @app.get("/v1/coverage/units")
    async def units(
        caller: Reader,
        division: Asked,
        rule: Annotated[str, Query(pattern=r"^[a-z][a-z0-9_]{1,62}$")],
        answer: Answer | None = None,
        after: After = None,
        limit: Limit = 50,
    ) -> Document:
        """Of the organisations expected to have a place, who has one, who has not, and of whom nobody knows."""
        seen(caller, division)
        found = next((one for one in policy().organisation_rules if one.code == rule), None)
        if found is None:
            raise Refused("unknown_rule", "没有这条规则", "rule")
        answers = await _units(database, found, division, local_day(now()))
        count = Counter(given.value for _, given in answers)
        listed = [one for one in answers if (answer in (None, one[1])) and (after is None or one[0]["_id"] > after)]
        asked = sum(count[one] for one in ("there", "lacking", "advised"))
        items = [_unit(row, given) for row, given in listed[:limit]]
        return {
            "division": division,
            "version": policy().version,
            "rule": found.model_dump(exclude_none=True),
            "required": asked,
            "there": count["there"],
            "missing": count["missing"],
            "share": round(count["there"] / asked, 4) if asked else None,
            "counts": {one.value: count[one.value] for one in Answer},
            "items": items,
            "next": items[-1]["organisation_id"] if len(items) == limit else None,
        }


async def _drawn(database: Database, policy: CoveragePolicy, division: str) -> tuple[Drawn, list[Document]]:
    """Everything that the circle needs. Places of the whole county count, since a walk crosses a town's border."""
    villages = list(await _divisions(database, division, 12))
    towns = await _divisions(database, division, 9)
    own = await database.get("divisions", division)
    names = {row["_id"]: row["name"] for row in (*towns, *villages)} | ({division: own["name"]} if own else {})
    points = await kept.points_within(database, division)
    rows = [row for row in await _open_places(database, division[:6]) if row["type"] in policy.circle.types]
    places = [
        Place(str(row["_id"]), row["division"], _point(row["position"]), frozenset(row["neighbours"])) for row in rows
    ]
    given = [Village(row["_id"], _point(points.get(row["_id"]))) for row in villages]
    drawn = Drawn(
        title=names.get(division, division),
        names=names,
        place_names={str(row["_id"]): row["name"] for row in rows},
        villages=given,
        places=places,
        reached=reached(given, places, policy.circle),
    )
    return drawn, [row for row in rows if row["division"].startswith(division)]


async def _divisions(database: Database, division: str, digits: int) -> list[Document]:
    if len(division) < WIDEST:
        raise Refused("too_wide", "请选择市或更小的区划", "division")
    rows = await kept.divisions_of_level(database, division, digits)
    if len(rows) > kept.MANY:
        raise Refused("too_wide", "村（居）太多，请选更小的区划", "division")
    return rows


async def _open_places(database: Database, division: str) -> list[Document]:
    rows = await places_kept.open_places(database, division)
    if len(rows) > places_kept.MANY:
        raise Refused("too_wide", "场所太多，请选更小的区划", "division")
    return rows


async def _units(
    database: Database, rule: OrganisationRule, division: str, today: date
) -> list[tuple[Document, Answer]]:
    """The organisations that the rule may be about, in the order of their ids, without those it does not apply to."""
    if len(division) < WIDEST:
        raise Refused("too_wide", "请选择市或更小的区划", "division")
    rows = await kept.organisations_within(database, division, rule.kinds)
    if len(rows) > kept.MANY:
        raise Refused("too_wide", "机构太多，请选更小的区划", "division")
    idents = [row["_id"] for row in rows]
    sizes = await kept.sizes_of(database, idents)
    own: dict[uuid.UUID, set[str]] = defaultdict(set)
    for place in await places_kept.places_of(database, idents):
        own[place["organisation_id"]].add(place["type"])
    answers = [(row, of_unit(rule, _sized(row, sizes.get(row["_id"])), own[row["_id"]], today)) for row in rows]
    return [one for one in answers if one[1] is not Answer.not_applicable]


def _sized(row: Document, size: Document | None) -> Unit:
    if size is None:
        return Unit(row["_id"], row["kind"])
    until = date.fromisoformat(size["purchased_until"]) if size["purchased_until"] else None
    return Unit(row["_id"], row["kind"], size["headcount"], size["hospital_class"], size["hospital_level"], until)


def _standing(row: Document) -> Standing:
    return Standing(row["division"], row["type"], row["tier"], row["care_level"], row["organisation_id"])


def _point(told: Document | None) -> Point | None:
    return Point(told["latitude"], told["longitude"], told["datum"]) if told else None


def _rule(rule: DivisionRule, codes: list[str], places: list[Standing], names: dict[str, str]) -> Document:
    found = of_divisions(rule, codes, places)
    return {
        "rule": rule.code,
        "text": rule.text,
        "level": rule.level,
        "types": [{"code": kind, "label": TYPES[kind].label} for kind in rule.types],
        "recommended": rule.recommended,
        "source": rule.source,
        "required": found.required,
        "there": found.there,
        "share": found.share,
        "lacking": [{"division": code, "name": names[code]} for code in found.lacking[:200]],
        "lacking_count": len(found.lacking),
    }


def _counted(count: Counter[str]) -> Document:
    """The share lies between what is sure and what is possible: of the unknown nobody can say."""
    total = count.total()
    sure, perhaps = count["covered"], count["covered"] + count["unknown"]
    return {
        "villages": total,
        **{state.value: count[state.value] for state in State},
        "share_at_least": round(sure / total, 4) if total else None,
        "share_at_most": round(perhaps / total, 4) if total else None,
    }


def _linked(rows: list[Document]) -> set[uuid.UUID]:
    return {one["person_id"] for row in rows if row["posts"] for one in row["staff"] or ()}


def _accessibility(rows: list[Document], working: Mapping[uuid.UUID, uuid.UUID]) -> Document:
    """Posts that the places set up, and how many people who are still there fill them."""
    planned: Counter[str] = Counter()
    filled: Counter[str] = Counter()
    for row in rows:
        there = {working[one["person_id"]]: one for one in row["staff"] or () if one["person_id"] in working}
        here = Counter(one["occupation"] for one in there.values())
        for post in row["posts"]:
            planned[post["occupation"]] += post["planned"]
            filled[post["occupation"]] += min(post["planned"], here[post["occupation"]])
    return {
        "places": len(rows),
        "places_without_hours": sum(row["hours"] is None for row in rows),
        "posts": [{"occupation": one, "planned": planned[one], "filled": filled[one]} for one in sorted(planned)],
    }


def _village(one: Reached, drawn: Drawn) -> Document:
    return {
        "village": one.village,
        "name": drawn.names[one.village],
        "state": one.state.value,
        "way": one.way.value,
        "place_id": one.place,
        "minutes": one.minutes,
    }


def _unit(row: Document, answer: Answer) -> Document:
    return {
        "organisation_id": row["_id"],
        "name": row["name"],
        "division": row["division"],
        "kind": row["kind"],
        "receives_referrals": row["receives_referrals"],
        "answer": answer.value,
    }
