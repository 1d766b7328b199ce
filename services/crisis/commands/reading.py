"""A case's page: as much of it as the reader may see, and an entry that says who read it."""

from __future__ import annotations

from uuid import UUID

from chassis.auth import Caller
from chassis.errors import NotFound
from chassis.tx import Document, Tx
from services.crisis import store
from services.crisis.commands.reasons import with_reason
from services.crisis.commands.rights import OFFICERS, known_case, responds, trusted
from services.crisis.office import Office

LEAST = (
    "_id",
    "state",
    "tier",
    "minor",
    "channel",
    "division",
    "opened_at",
    "emergency",
    "acknowledgement",
    "responder",
)
"""What a responder needs in order to help; no evidence, no timeline, no pseudonym."""

LISTED = (
    "_id",
    "state",
    "tier",
    "division",
    "hotline",
    "channel",
    "way",
    "setting",
    "opened_at",
    "minor",
    "access",
    "acknowledgement",
    "emergency",
    "responder",
    "decisions_needed",
    "referral_id",
    "held_by",
    "assessment_needed",
    "unasked",
)
"""What a list shows of a case; no evidence, no timeline, no pseudonym, no contact."""


async def read_case(case_id: UUID, caller: Caller, tx: Tx, office: Office) -> Document:
    """The case with its plan and referral for an officer; the least of it for the responder who took it."""
    case = await store.the_case(tx, case_id)
    if caller.roles.intersection(OFFICERS) and not responds(case, caller):
        await known_case(case_id, caller, tx)
        plan = await tx.get("plans", case_id)
        referral = await tx.get("referrals", case["referral_id"]) if case["referral_id"] else None
        page: Document = {**await _with_proposals(case, tx, office), "plan": plan, "referral": referral}
    elif responds(case, caller):
        page = least(case)
    else:
        raise NotFound("there is no such case")
    await enter_reading(case, caller, tx, office)
    return page


async def _with_proposals(case: Document, tx: Tx, office: Office) -> Document:
    """The case with the reasons of what is proposed in plain: the second person decides by them."""
    page = dict(case)
    if case["lowering"]:
        page["lowering"] = await with_reason(case["lowering"], tx, office)
    report = case.get("report") or {}
    if report.get("proposal"):
        page["report"] = {**report, "proposal": await with_reason(report["proposal"], tx, office)}
    return page


def least(case: Document) -> Document:
    """What a responder sees of a case."""
    return {name: case[name] for name in LEAST if name in case}


def listed(case: Document, caller: Caller) -> Document:
    """A case as a list shows it to this reader: enough to see what waits. The rest is on its page, and read there."""
    if not trusted(case, caller):
        return outline(case)
    flags = case["flags"]
    return {
        **{name: case[name] for name in LISTED if name in case},
        "report": {"state": (case.get("report") or {}).get("state", "none")},
        "flags": {
            "count": len(flags) + case.get("older_flags", 0),
            "newest_at": max((row["flagged_at"] for row in flags), default=None),
        },
    }


def outline(case: Document) -> Document:
    """What an office sees in its lists of a case in the strict class that is not the reader's: that it waits."""
    clock = case["acknowledgement"]
    return {
        "_id": case["_id"],
        "state": case["state"],
        "tier": case["tier"],
        "division": case["division"],
        "opened_at": case["opened_at"],
        "access": case["access"],
        "acknowledgement": {"state": clock["state"], "due_at": clock["due_at"], "role": clock["role"]},
    }


async def enter_reading(case: Document, caller: Caller, tx: Tx, office: Office) -> None:
    """One entry for what the same person reads again within the same slot of time."""
    slot = office.records.at(tx.now).reading.slot_minutes * 60
    key = f"{case['_id']}:{caller.subject}:{int(tx.now.timestamp()) // slot}"
    if await tx.get("readings", key) is None:
        tx.insert(
            "readings",
            {
                "_id": key,
                "case_id": case["_id"],
                "division": case["division"],
                "by": caller.subject,
                "roles": sorted(caller.roles),
                "at": tx.now,
            },
        )
