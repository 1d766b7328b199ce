"""The four-level network of a campus: each unit with its event."""

from __future__ import annotations

import uuid
from typing import Any

from chassis.errors import NotAllowed, Refused
from chassis.tx import Document, Tx
from contracts.registry import CampusUnitRegistered
from services.registry.commands.places import linked_organisation
from services.registry.commands.places_people import known_person
from services.registry.domain.teams import flaw_in_campus_unit
from services.registry.store import teams as kept


async def register_unit(
    tx: Tx, ident: uuid.UUID, told: dict[str, Any], before: Document | None, *, inside: str
) -> Document:
    """A unit as it shall be, whole; its level and whose it is never change, so there are no circles."""
    school = await linked_organisation(tx, told, before, inside)
    if school is None or (before is None and school["kind"] not in ("school", "university")):
        raise Refused("no_school", "四级网络属于学校", "organisation_id")
    if before is not None and any(before[name] != told[name] for name in ("organisation_id", "level")):
        raise NotAllowed("层级和学校不能改变，请另行登记", field="level")
    parent = await kept.document(tx, "campus_units", told["parent_id"]) if told["parent_id"] else None
    same_parent = before is not None and before["parent_id"] == told["parent_id"]
    if told["parent_id"] is not None and (
        parent is None or not (parent["active"] or same_parent) or parent["organisation_id"] != told["organisation_id"]
    ):
        raise Refused("unknown_unit", "本校没有这个上级单位，或已停用", "parent_id")
    if flaw := flaw_in_campus_unit(told["level"], parent["level"] if parent else None):
        raise Refused(flaw.reason, flaw.detail, flaw.field)
    if told["level"] == "school" and told["active"]:
        tops = await kept.school_unit_of(tx, told["organisation_id"])
        if any(top["_id"] != ident for top in tops):
            raise NotAllowed("该校的四级网络已经登记", field="level")
        # Two at once would both see none: they meet on the school's guard.
        kept.touch_subject(tx, told["organisation_id"])
    if not told["active"] and await kept.campus_units_below(tx, ident):
        raise NotAllowed("还有下级单位", field="active")
    if told["person_id"] is not None and (before is None or before["person_id"] != told["person_id"]):
        told["person_id"] = (await known_person(tx, told["person_id"], inside))["_id"]
    document: Document = {"_id": ident, "division": school["division"], **told}
    if before is not None and all(before[name] == value for name, value in document.items()):
        return before
    document["revision"] = before["revision"] + 1 if before else 1
    tx.put("campus_units", document)
    tx.emit(
        CampusUnitRegistered(
            **tx.stamp(school["division"]),
            unit_id=ident,
            revision=document["revision"],
            organisation_id=told["organisation_id"],
            division=school["division"],
            level=told["level"],
            parent_id=told["parent_id"],
            representatives=told["representatives"],
            active=told["active"],
        )
    )
    return document
