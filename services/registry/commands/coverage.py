"""Where divisions lie, how large organisations are, and how many students a school has."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from chassis.errors import Refused
from chassis.tx import Document, Tx
from contracts.registry import DivisionLocated, EnrolmentRecorded, OrganisationSized
from services.registry import store
from services.registry.commands.divisions import known_division
from services.registry.domain.coverage import Point
from services.registry.domain.mistakes import Mistake, Mistaken
from services.registry.store import coverage as kept


async def locate_division(tx: Tx, code: str, point: Point, by: str) -> tuple[Document, bool]:
    """The second value says whether anything changed."""
    await known_division(tx, code)
    before = await kept.point(tx, code)
    state = {"latitude": point.latitude, "longitude": point.longitude, "datum": point.datum}
    if before is not None and all(before[name] == value for name, value in state.items()):
        return before, False
    revision = before["revision"] + 1 if before else 1
    document = {"_id": code, "revision": revision, **state, "by": by, "at": tx.now}
    tx.put("division_points", document)
    tx.emit(DivisionLocated(**tx.stamp(code), division=code, revision=revision, **state))
    return document, True


async def locate_divisions(tx: Tx, rows: Sequence[tuple[int, str, Point]], by: str) -> dict[str, int]:
    """All of a file's points or, where a division is not there, none."""
    known: dict[str, Document] = {}
    for portion in store.portions([code for _, code, _ in rows]):
        known.update(await store.divisions(tx, portion))
    if strange := [(number, code) for number, code, _ in rows if code not in known]:
        raise Mistaken([Mistake("unknown_division", f"没有区划 {code}", number, "code") for number, code in strange])
    await kept.points(tx, [code for _, code, _ in rows])
    changed = 0
    for _, code, point in rows:
        _, new = await locate_division(tx, code, point, by)
        changed += new
    return {"rows": len(rows), "changed": changed, "unchanged": len(rows) - changed}


async def size_organisation(tx: Tx, organisation: Document, told: dict[str, Any], by: str) -> Document:
    """What decides whether an organisation is expected to have a place of its own."""
    if told["hospital_class"] is not None and organisation["kind"] != "hospital":
        raise Refused("no_hospital", "只有医院填写医院类别", "hospital_class")
    if told["hospital_level"] is not None and organisation["kind"] != "hospital":
        raise Refused("no_hospital", "只有医院填写医院等级", "hospital_level")
    if told["provider_id"] is not None:
        await _provider(tx, told["provider_id"], organisation["_id"])
    before = await kept.size(tx, organisation["_id"])
    if before is not None and all(before[name] == value for name, value in told.items()):
        return before
    revision = before["revision"] + 1 if before else 1
    document = {"_id": organisation["_id"], "revision": revision, **told, "by": by, "at": tx.now}
    tx.put("organisation_sizes", document)
    tx.emit(
        OrganisationSized(
            **tx.stamp(organisation["division"]),
            organisation_id=organisation["_id"],
            revision=revision,
            division=organisation["division"],
            headcount=told["headcount"],
            hospital_class=told["hospital_class"],
            hospital_level=told["hospital_level"],
            purchased_until=told["purchased_until"],
        )
    )
    return document


async def _provider(tx: Tx, provider: uuid.UUID, buyer: uuid.UUID) -> None:
    found = await store.organisation(tx, provider)
    if found is None or not found["active"] or provider == buyer:
        raise Refused("unknown_organisation", "没有这个服务机构，或已停用", "provider_id")


async def enrol(tx: Tx, school: Document, year: int, students: int, teachers: int) -> Document:
    """How many students a school has in a year, and how many full-time teachers of mental health."""
    if school["kind"] != "school":
        raise Refused("no_school", "只有中小学校填报在校学生数", "organisation_id")
    key = f"{school['_id']}:{year}"
    before = await kept.enrolment(tx, key)
    if before is not None and (before["students"], before["teachers"]) == (students, teachers):
        return before
    revision = before["revision"] + 1 if before else 1
    state = {"organisation_id": school["_id"], "year": year, "students": students, "teachers": teachers}
    document = {"_id": key, "revision": revision, **state}
    tx.put("enrolments", document)
    tx.emit(EnrolmentRecorded(**tx.stamp(school["division"]), revision=revision, division=school["division"], **state))
    return document
