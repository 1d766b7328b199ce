"""Choosing who receives a referral, putting it before them, and what happens when they stay silent or say no."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from chassis.clock import local_day
from chassis.errors import Refused
from chassis.tx import Document, Tx
from contracts.base import Tier
from contracts.crisis import ReferralKind, ReferralState
from services.crisis import store
from services.crisis.case import ask_about_referral, move_referral, note
from services.crisis.domain import receivers
from services.crisis.domain.matters import Matter
from services.crisis.domain.receivers import Unfit, Wanted
from services.crisis.domain.referral import ACCEPTED, WAITING
from services.crisis.office import Office
from services.crisis.store.referrals import places_taken

ALTERNATIVES = 3
KINDS: dict[ReferralKind, frozenset[str]] = {
    ReferralKind.treatment: frozenset(),
    ReferralKind.employee: frozenset({"hospital", "primary_care"}),
    ReferralKind.severe_disorder_programme: frozenset({"hospital", "primary_care"}),
}
"""The kinds of organisation that a referral may go to; the mental-health law leaves treatment to medical ones."""


@dataclass(frozen=True)
class Candidate:
    """An institution as it stands to one referral."""

    organisation: Document
    profile: Document | None
    unfit: Unfit | None
    green: bool
    closeness: int
    free: int

    def shown(self) -> Document:
        """What an officer sees of it."""
        return {
            "organisation_id": self.organisation["_id"],
            "name": self.organisation["name"],
            "kind": self.organisation["kind"],
            "division": self.organisation["division"],
            "around_the_clock": self.organisation["around_the_clock"],
            "unfit": self.unfit.value if self.unfit else None,
            "green_channel": self.green,
            "shared_digits": self.closeness,
            "free_today": self.free if self.profile and self.profile.get("capacity") else None,
        }


def wanted(case: Document, kind: ReferralKind, psychiatric: bool) -> Wanted:
    """What this case's referral needs of a receiver."""
    return Wanted(minor=case["minor"], psychiatric=psychiatric, tier=case["tier"], kinds=KINDS[kind])


async def look(organisation: Document, need: Wanted, division: str, tx: Tx, office: Office) -> Candidate:
    """How an institution stands to what is needed, its places of today and of this week counted."""
    profile = await tx.get("receivers", organisation["_id"])
    today = local_day(tx.now)
    places = receivers.Places()
    if profile is not None and profile.get("capacity"):
        places = await places_taken(tx, organisation["_id"], today.isoformat(), receivers.week_of(today))
    tiers = [tier.value for tier in office.referral.at(tx.now).green_channel.tiers]
    green = receivers.green(profile, need.tier, tiers, today)
    return Candidate(
        organisation=organisation,
        profile=profile,
        unfit=receivers.unfit(organisation, profile, need, places, by_green_channel=green),
        green=green,
        closeness=receivers.closeness(division, organisation),
        free=receivers.free_today(profile, places),
    )


async def candidates(need: Wanted, division: str, tx: Tx, office: Office) -> list[Candidate]:
    """The institutions of the county and its city, the best first: fit, by green channel where the tier has one, the
    nearest by area code, then the one with most places left.
    """
    organisations = await store.receivers_of(tx, [division[:6]])
    found = [await look(one, need, division, tx, office) for one in organisations]
    return sorted(found, key=lambda one: (one.unfit is not None, not one.green, -one.closeness, -one.free))


async def choose(
    organisation_id: UUID | None,
    need: Wanted,
    division: str,
    tx: Tx,
    office: Office,
    tried: Iterable[UUID] = (),
) -> Candidate:
    """The institution that is named, or the best there is, those that were tried already last; raises `Refused` with
    why not, and the nearest that can.
    """
    if organisation_id is None:
        found = await candidates(need, division, tx, office)
        if not found:
            raise Refused("no_receiver", "no institution receives referrals here; name one", "organisation_id")
        before = set(tried)
        best = min(found, key=lambda one: (one.unfit is not None, one.organisation["_id"] in before))
    else:
        organisation = await tx.get("organisations", organisation_id)
        if organisation is None or not organisation["receives"]:
            raise Refused("unknown_receiver", "this organisation does not receive referrals", "organisation_id")
        best = await look(organisation, need, division, tx, office)
    if best.unfit is not None:
        others = [one for one in await candidates(need, division, tx, office) if one.unfit is None][:ALTERNATIVES]
        names = ", ".join(f"{one.organisation['name']} ({one.organisation['_id']})" for one in others)
        can = f"nearest that can: {names}" if others else "none of the others here can either; name one elsewhere"
        word = best.unfit.value
        raise Refused(word, f"{best.organisation['name']} cannot take it: {word}; {can}", "organisation_id")
    return best


def put_before(
    referral: Document, chosen: Candidate, tx: Tx, office: Office, by: str, reason: str | None = None
) -> None:
    """Send it to an institution; one of its places of today is taken, and silence has a deadline."""
    policy, rules = office.policies.at(tx.now), office.referral.at(tx.now)
    tier, today = Tier(referral["tier"]), local_day(tx.now)
    minutes = policy.referral.receive_minutes[tier]
    if chosen.green:
        minutes = rules.green_channel.receive_minutes.get(tier, minutes)
    referral.update(
        organisation_id=chosen.organisation["_id"],
        green_channel=chosen.green,
        policy=policy.version,
        rules=rules.version,
        sent_at=tx.now,
        slot={"day": today.isoformat(), "week": receivers.week_of(today)},
        due_at=tx.now + timedelta(minutes=minutes),
    )
    tx.set_timer("referral", referral["_id"], referral["due_at"])
    move_referral(referral, tx, ReferralState.sent, by, reason)
    if chosen.profile is not None and chosen.profile.get("capacity"):
        # Two who send at the same moment write the same document: the second reads again and counts the first.
        tx.put("receivers", {**chosen.profile, "last_sent_at": tx.now})


def await_outcome(referral: Document, tx: Tx, office: Office) -> None:
    """What was accepted needs a time, a time needs an outcome, a visit its feedback, and a missed one another time."""
    policy, rules = office.policies.at(tx.now), office.referral.at(tx.now)
    tier = Tier(referral["tier"])
    referral["remind_at"] = None
    match ReferralState(referral["state"]):
        case ReferralState.scheduled:
            referral["due_at"] = referral["scheduled_at"] + timedelta(hours=policy.referral.outcome_hours)
            remind_at = referral["scheduled_at"] - timedelta(hours=rules.appointments.remind_hours)
            # An appointment that is nearer than that is told to the person at once.
            referral["remind_at"] = max(remind_at, tx.now)
        case ReferralState.attended:
            referral["due_at"] = tx.now + timedelta(hours=rules.appointments.feedback_hours)
        case ReferralState.unattended:
            referral["due_at"] = tx.now + timedelta(hours=rules.appointments.reschedule_hours)
        case _:
            minutes = policy.referral.schedule_minutes[tier]
            if referral["green_channel"]:
                minutes = rules.green_channel.schedule_minutes.get(tier, minutes)
            referral["due_at"] = tx.now + timedelta(minutes=minutes)
    set_referral_timer(referral, tx)
    tx.put("referrals", referral)


def set_referral_timer(referral: Document, tx: Tx) -> None:
    """Wake at the reminder, and then at the deadline."""
    moments: list[datetime] = [referral["due_at"]]
    if referral.get("remind_at") is not None:
        moments.append(referral["remind_at"])
    tx.set_timer("referral", referral["_id"], min(moments))


async def bounce(referral: Document, tx: Tx, office: Office) -> None:
    """After a refusal or silence: the backup receiver if it can, or else a person has to decide."""
    case = await tx.get("cases", referral["case_id"])
    if case is not None and case["state"] == "open" and referral["backup_id"] is not None and referral["attempt"] == 1:
        backup = await tx.get("organisations", referral["backup_id"])
        if backup is not None:
            need = wanted(case, ReferralKind(referral["kind"]), referral["psychiatric"])
            candidate = await look(backup, need, referral["division"], tx, office)
            if candidate.unfit is None:
                referral.update(organisation_id=backup["_id"], backup_id=None, attempt=2)
                move_referral(referral, tx, ReferralState.bounced, "policy", "bounced_to_backup")
                put_before(referral, candidate, tx, office, "policy", "bounced_to_backup")
                return
            note(case, tx, "backup_unfit", "policy", referral_id=referral["_id"], reason=candidate.unfit.value)
            tx.put("cases", case)
    await ask_about_referral(referral, tx, Matter.referral_without_receiver)


async def referral_due(referral_id: UUID, tx: Tx, office: Office) -> None:
    """The institution stayed silent: the referral expires, and goes to the backup. Once accepted, a person asks."""
    referral = await tx.get("referrals", referral_id)
    if referral is None or ReferralState(referral["state"]) not in WAITING | ACCEPTED:
        return
    if referral.get("remind_at") is not None and referral["remind_at"] <= tx.now:
        referral.update(remind_at=None, reminder={"state": "due", "since": tx.now})
        tx.put("referrals", referral)
    if referral["due_at"] > tx.now:
        set_referral_timer(referral, tx)
        return
    if ReferralState(referral["state"]) in ACCEPTED:
        unattended = referral["state"] == ReferralState.unattended
        about = Matter.referral_unattended if unattended else Matter.referral_without_outcome
        await ask_about_referral(referral, tx, about)
        # It is asked again until something is done: a decision is no outcome.
        referral["due_at"] = tx.now + timedelta(hours=office.referral.at(tx.now).appointments.ask_again_hours)
        set_referral_timer(referral, tx)
        tx.put("referrals", referral)
        return
    move_referral(referral, tx, ReferralState.expired, "policy")
    await bounce(referral, tx, office)
