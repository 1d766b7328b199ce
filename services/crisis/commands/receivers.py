"""The directory of institutions that receive: whom they take, how many places they have, and with whom they agreed."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from chassis.auth import Caller
from chassis.clock import local_day
from chassis.errors import NotFound, Refused
from chassis.tx import Document, Tx
from contracts.base import Tier
from contracts.crisis import ReferralKind
from services.crisis.commands.rights import institution_of, seen_case
from services.crisis.domain.receivers import in_force
from services.crisis.office import Office
from services.crisis.receiving import candidates, wanted

MOST_AGREEMENTS = 200


async def keep_profile(
    organisation_id: UUID,
    psychiatric: bool | None,
    takes_minors: bool | None,
    level: int | None,
    tiers: list[Tier],
    green_channel: bool,
    caller: Caller,
    tx: Tx,
) -> Document:
    """What kind of institution it is and whom it takes; `None` is not known, which is no reason against it."""
    organisation = await _seen(organisation_id, caller, tx)
    profile = await _profile(organisation_id, tx)
    profile.update(
        psychiatric=psychiatric,
        takes_minors=takes_minors,
        level=level,
        tiers=sorted({tier.value for tier in tiers}),
        green_channel=green_channel,
        kept_by=caller.subject,
        kept_at=tx.now,
    )
    tx.put("receivers", profile)
    tx.record(
        actor=caller.subject,
        action="receiver_kept",
        subject=str(organisation_id),
        division=organisation["division"],
        reason="directory",
        green_channel=green_channel,
    )
    return _shown(organisation, profile, tx)


async def keep_capacity(
    organisation_id: UUID,
    per_day: int | None,
    per_week: int | None,
    priority_per_day: int,
    caller: Caller,
    tx: Tx,
) -> Document:
    """How many places the institution opens, told by itself; `priority_per_day` come on top for its green channel."""
    organisation = await tx.get("organisations", organisation_id)
    if organisation is None or institution_of(caller) != organisation_id:
        raise NotFound("there is no such institution")
    profile = await _profile(organisation_id, tx)
    profile["capacity"] = {
        "per_day": per_day,
        "per_week": per_week,
        "priority_per_day": priority_per_day,
        "by": caller.subject,
        "at": tx.now,
    }
    tx.put("receivers", profile)
    return _shown(organisation, profile, tx)


async def keep_agreement(
    organisation_id: UUID, partner_id: UUID, first: date, last: date, caller: Caller, tx: Tx
) -> Document:
    """A cooperation agreement on file, of both sides: a primary unit and a psychiatric institution, for example."""
    if partner_id == organisation_id:
        raise Refused("same_organisation", "an agreement has two sides", "partner_id")
    if last < first:
        raise Refused("ends_before_it_begins", "the agreement ends before it begins", "until")
    organisation = await _seen(organisation_id, caller, tx)
    if await tx.get("organisations", partner_id) is None:
        raise Refused("unknown_organisation", "there is no such partner", "partner_id")
    for one, other in ((organisation_id, partner_id), (partner_id, organisation_id)):
        profile = await _profile(one, tx)
        kept = [row for row in profile.get("agreements", []) if row["partner_id"] != other]
        row = {"partner_id": other, "from": first.isoformat(), "until": last.isoformat(), "by": caller.subject}
        profile["agreements"] = [*kept, row][-MOST_AGREEMENTS:]
        tx.put("receivers", profile)
    tx.record(
        actor=caller.subject,
        action="agreement_kept",
        subject=str(organisation_id),
        division=organisation["division"],
        reason="directory",
        partner_id=str(partner_id),
        until=last.isoformat(),
    )
    return _shown(organisation, await _profile(organisation_id, tx), tx)


async def _seen(organisation_id: UUID, caller: Caller, tx: Tx) -> Document:
    organisation = await tx.get("organisations", organisation_id)
    if organisation is None or not caller.sees(organisation["division"]):
        raise NotFound("there is no such institution")
    return organisation


async def _profile(organisation_id: UUID, tx: Tx) -> Document:
    return await tx.get("receivers", organisation_id) or {"_id": organisation_id, "agreements": []}


def _shown(organisation: Document, profile: Document, tx: Tx) -> Document:
    return {
        **profile,
        "name": organisation["name"],
        "kind": organisation["kind"],
        "division": organisation["division"],
        "agreements_in_force": len(in_force(profile, local_day(tx.now))),
    }


async def receiver_page(organisation_id: UUID, caller: Caller, tx: Tx) -> Document:
    """One institution of the directory, for the offices around it and for itself."""
    organisation = await tx.get("organisations", organisation_id)
    around = organisation is not None and (
        caller.sees(organisation["division"]) or caller.division.startswith(organisation["division"])
    )
    if organisation is None or not (around or institution_of(caller) == organisation_id):
        raise NotFound("there is no such institution")
    return _shown(organisation, await _profile(organisation_id, tx), tx)


async def receivers_for(
    case_id: UUID, kind: ReferralKind, psychiatric: bool, limit: int, caller: Caller, tx: Tx, office: Office
) -> list[dict[str, Any]]:
    """Who could receive this case, the best first, each that cannot with its reason."""
    case = await seen_case(case_id, caller, tx)
    found = await candidates(wanted(case, kind, psychiatric), case["division"], tx, office)
    return [one.shown() for one in found[:limit]]
