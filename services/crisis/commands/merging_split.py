"""Flags of another person get a case of their own; and which cases may be one person's."""

from __future__ import annotations

from collections.abc import Collection
from copy import deepcopy
from datetime import datetime
from uuid import UUID

from chassis.auth import Caller
from chassis.db import Database
from chassis.errors import NotAllowed, Refused
from chassis.tx import Document, Tx
from contracts.base import Tier
from contracts.crisis import CaseSplit
from services.crisis import store
from services.crisis.case import (
    draft_referral,
    note,
    plan_follow_ups,
    request_responder,
    require_emergency,
    seal_key,
    start_clock,
)
from services.crisis.commands.emergency import UNCONFIRMED
from services.crisis.commands.merging_belongings import guardian_of
from services.crisis.commands.minors import follow_harm
from services.crisis.commands.rights import seen_case, trusted
from services.crisis.domain import chains
from services.crisis.domain.merging import Signal, strength
from services.crisis.office import Office

COUNTY = 6
"""Digits of a county; a whole one is no place in which two cases would be neighbours."""
ACT_IN_PROGRESS = "act_in_progress=yes"
"""The evidence of a flag that told of an act in progress."""


async def split(
    case_id: UUID, ident: UUID, flag_ids: Collection[UUID], reason: str, caller: Caller, tx: Tx, office: Office
) -> Document:
    """These flags go to a new case with its own clock, at the highest tier that their evidence gave.

    The case that they leave keeps its tier, and so does a person whose pseudonym goes with the flags: lowering takes
    two persons. `ident` is the new case's id: the same one again is one new case. What is known of the person (a minor,
    the guardian, harm, the access class, wishes) and a legal hold are both cases' until somebody says otherwise. Raises
    `Refused` for flags that are not of this case, or all of them.
    """
    known = await tx.get("cases", ident)
    if known is not None:
        if known.get("split_from") != case_id or set(known["split_flags"]) != set(flag_ids):
            raise NotAllowed("this id was taken before with another body", reason="id_reused", field="id")
        return known
    case = await seen_case(case_id, caller, tx)
    taken = [row for row in case["flags"] if row["id"] in set(flag_ids)]
    rest = [row for row in case["flags"] if row["id"] not in set(flag_ids)]
    if not taken or len(taken) != len(set(flag_ids)):
        raise Refused("not_of_this_case", "one of the flags is not among those of the case", "flag_ids")
    if not rest:
        raise Refused("nothing_left", "a case keeps at least one flag", "flag_ids")
    policy = office.policies.at(tx.now)
    staying, going = _pseudonyms(taken, rest)
    tier = Tier.highest([*(Tier(row["tier"]) for row in taken), *([Tier(case["tier"])] if going else [])])
    fresh = _new_case(case, ident, taken, tier, policy.version, tx)
    case["flags"] = rest
    _carry_withheld(case, fresh)
    await _part_persons(case, fresh, staying, going, tx)
    await _copy_guardian(case, fresh, tx, office)
    await _carry_hold(case, fresh, caller, tx)
    due_at = start_clock(fresh, tx, policy)
    in_progress = going and case["emergency"]["state"] in UNCONFIRMED
    if in_progress or any(ACT_IN_PROGRESS in row["evidence"] for row in taken):
        require_emergency(fresh, tx, policy)
    follow_harm(fresh, tx, office)
    await plan_follow_ups(fresh, tx, policy)
    await draft_referral(fresh, tx, policy, await store.receivers_of(tx, [fresh["division"][:6]]))
    request_responder(fresh, tx, policy)
    for row in taken:
        contact = await tx.get("contacts", row["id"])
        if contact is not None:
            tx.put("contacts", {**contact, "case_id": ident})
        basis = await store.record.legal_basis_of(tx, row["id"])
        if basis is not None:
            tx.put("sections", {**basis, "case_id": ident})
    note(fresh, tx, "split", caller.subject, from_case_id=case_id)
    note(case, tx, "split", caller.subject, case_id=ident, flags=[row["id"] for row in taken])
    tx.record(
        actor=caller.subject,
        action="case_split",
        subject=str(case_id),
        division=case["division"],
        reason=reason,
        case=str(ident),
        flags=[str(row["id"]) for row in taken],
    )
    tx.emit(
        CaseSplit(
            **tx.stamp(fresh["division"]),
            case_id=ident,
            from_case_id=case_id,
            division=fresh["division"],
            tier=tier,
            minor=fresh["minor"],
            flags=len(taken),
            acknowledge_by=due_at,
            policy=policy.version,
        )
    )
    tx.put("cases", case)
    tx.put("cases", fresh)
    return fresh


def _new_case(case: Document, ident: UUID, taken: list[Document], tier: Tier, version: str, tx: Tx) -> Document:
    copied = (
        "division",
        "owner",
        "minor",
        "under_14",
        "access",
        "population",
        "harm_to_minor",
        "consent",
        "assessment_needed",
        "contact_preferences",
        "guardian",
    )
    return {
        "_id": ident,
        "state": "open",
        "hotline": taken[0]["hotline"],
        "channel": taken[0]["channel"],
        "tier": tier.value,
        "rank": tier.rank,
        "policy": version,
        **{name: case[name] for name in copied if name in case},
        "opened_under": {"tier": tier.value, "policy": version, "consent": case["consent"]},
        "person": None,
        "flags": taken,
        "opened_at": tx.now,
        "closed_at": None,
        "outcome": None,
        "report": {"state": "none"},
        "emergency": {"state": "none"},
        "responder": {"state": "none", "request_id": None, "responder_id": None},
        "referral_id": None,
        "transfer_id": None,
        "lowering": None,
        "decisions_needed": [],
        "timeline": [],
        "split_from": case["_id"],
        "split_flags": [row["id"] for row in taken],
    }


def _pseudonyms(taken: list[Document], rest: list[Document]) -> tuple[set[str], list[str]]:
    """Which pseudonyms stay and which go: one that both know, a shared telephone, stays."""
    staying = {str(row["person"]) for row in rest if row.get("person")}
    return staying, sorted({str(row["person"]) for row in taken if row.get("person")} - staying)


async def _copy_guardian(case: Document, fresh: Document, tx: Tx, office: Office) -> None:
    """The guardian is known in both cases, under a key that the new case needs itself."""
    guardian = await tx.get("guardians", case["_id"])
    if guardian is not None:
        tx.insert("guardians", await guardian_of(fresh, seal_key(fresh), [guardian], tx, office))


def _carry_withheld(case: Document, fresh: Document) -> None:
    """What was withheld from the class stays so: the new case remembers the chain, and nobody is called in it."""
    withheld = [deepcopy(one) for one in (*case.get("past_chains", ()), case.get("chain")) if one and one["withheld"]]
    for one in withheld:
        chains.end(one)
    if withheld:
        fresh["past_chains"] = withheld


async def _carry_hold(case: Document, fresh: Document, caller: Caller, tx: Tx) -> None:
    """What moves out of a case under a legal hold, its own or that of a case merged into it, stays under it."""
    waiting = [case]
    while waiting:
        one = waiting.pop()
        held = await tx.get("holds", one["_id"])
        if held is not None:
            tx.insert("holds", {**held, "_id": fresh["_id"], "division": fresh["division"]})
            note(fresh, tx, "held", caller.subject, from_case_id=one["_id"])
            tx.record(
                actor=caller.subject,
                action="record_held",
                subject=str(fresh["_id"]),
                division=fresh["division"],
                reason=f"split from {one['_id']}, held by {held['by']}",
            )
            return
        waiting += [gone for key in one.get("merged_from", ()) if (gone := await tx.get("cases", key)) is not None]


async def _part_persons(case: Document, fresh: Document, staying: set[str], going: list[str], tx: Tx) -> None:
    """What only the flags that go know goes with them; without a pseudonym the new case's person is not known."""
    for key in going:
        person = await tx.get("persons", key)
        if person is None:
            continue
        cases = [one for one in person["cases"] if one != case["_id"]]
        others = [other for other in person.get("also", ()) if other in going]
        tx.put("persons", {**person, "case_id": fresh["_id"], "cases": [*cases, fresh["_id"]], "also": others})
    for key in sorted(staying):
        person = await tx.get("persons", key)
        if person is not None and set(person.get("also", ())) & set(going):
            tx.put("persons", {**person, "also": [other for other in person["also"] if other not in going]})
    if going:
        fresh["person"] = going[0]
        if case["person"] in going:
            case["person"] = min(staying, default=None)


# Doubles


async def doubles(
    case: Document, caller: Caller, database: Database, office: Office, moment: datetime
) -> list[Document]:
    """Open cases of the caller's division that may be the same person's, with what speaks for it, the likeliest first.

    Nothing is told of a case of the strict class that the caller does not hold.
    """
    rule = office.record.at(moment).doubles
    found: dict[UUID, set[Signal]] = {}
    for key, signals in (await store.merging.contacts_alike(database, case["_id"], rule.most)).items():
        found.setdefault(key, set()).update(Signal(signal) for signal in signals)
    for other in await store.merging.with_the_same_contact(database, case, rule.most):
        found.setdefault(other["_id"], set()).add(Signal.same_contact)
    if len(case["division"]) > COUNTY:
        for other in await store.merging.opened_nearby(database, case, rule.hours, rule.most):
            if case["person"] is None or other["person"] is None:
                found.setdefault(other["_id"], set()).add(Signal.same_place_and_time)
    cases = await store.merging.open_cases_by_id(database, found, caller.division)
    seen = [other for other in cases if trusted(other, caller)]
    seen.sort(key=lambda other: (*strength(found[other["_id"]]), other["opened_at"], str(other["_id"])))
    return [
        {
            "_id": other["_id"],
            "division": other["division"],
            "tier": other["tier"],
            "opened_at": other["opened_at"],
            "signals": sorted(signal.value for signal in found[other["_id"]]),
        }
        for other in seen[: rule.most]
    ]
