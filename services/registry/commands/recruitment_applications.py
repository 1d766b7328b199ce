"""Applications: anyone may apply once to an open call; who is taken becomes a volunteer, and the key is deleted."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from chassis.clock import local_day, new_id
from chassis.errors import NotAllowed
from chassis.sealing import keyed_hash
from chassis.tx import Document, Tx
from contracts.registry import ApplicationMoved
from services.registry import store
from services.registry.commands.consents import record_consent
from services.registry.commands.volunteers import registration_of, write_volunteer
from services.registry.domain.consents import Consent, Purpose
from services.registry.domain.people import Registration, merged
from services.registry.domain.recruitment import State as Campaign
from services.registry.domain.recruitment import unmet
from services.registry.domain.recruitment_applications import State, allows
from services.registry.keys import Keys
from services.registry.store import recruitment as kept


@dataclass(frozen=True)
class Wish:
    """What an applicant tells: who it is, where, and which version of the consent was agreed to."""

    person: Registration
    division: str
    consent: str


async def apply(tx: Tx, keys: Keys, campaign: Document, wish: Wish, subject: str) -> Document:
    """Take an application; the same again is the same answer. Raises `NotAllowed` outside the window."""
    applicant = keyed_hash(keys.master, "applicant", subject)
    told = {"person": json.dumps(asdict(wish.person), sort_keys=True, ensure_ascii=False)}
    digest = keyed_hash(keys.master, "application", told["person"], wish.division, wish.consent)
    known = await kept.application_of(tx, campaign["_id"], applicant)
    if known is not None:
        if known["digest"] != digest:
            raise NotAllowed("您已报名；需要修改请联系招募单位", reason="applied")
        return known
    today = local_day(tx.now)
    if campaign["kind"] != "recruitment" or campaign["state"] != Campaign.open:
        raise NotAllowed("现在不接受报名", reason="not_open")
    if not campaign["opens_on"] <= today.isoformat() <= campaign["closes_on"]:
        raise NotAllowed(f"报名时间为 {campaign['opens_on']} 至 {campaign['closes_on']}", reason="outside_window")
    if campaign["applications"] >= keys.policies.recruitment.at(tx.now).applications.most:
        raise NotAllowed("报名人数已满", reason="full")
    ident = new_id()
    misses = unmet(wish.person, campaign["conditions"], campaign["least_age"], today)
    tx.put("recruitments", {**campaign, "applications": campaign["applications"] + 1})
    document: Document = {
        "_id": ident,
        "revision": 0,
        "recruitment_id": campaign["_id"],
        "division": wish.division,
        "applicant": applicant,
        "digest": digest,
        "consent": wish.consent,
        "applied_on": today.isoformat(),
        "fits": not misses,
        "misses": misses,
        "volunteer_id": None,
        "sealed": await keys.persons.seal(tx, ident, told),
    }
    return _write(tx, document, State.received)


async def accept(tx: Tx, keys: Keys, campaign: Document, application: Document, inside: str) -> Document:
    """The applicant becomes a volunteer, or is known as one already; again, nothing more happens."""
    if application["state"] == State.accepted:
        return application
    _may(application, State.accepted)
    if not application["fits"]:
        raise NotAllowed(f"不符合招募条件：{'、'.join(application['misses'])}", reason="does_not_fit")
    if campaign["quota"] and campaign["accepted"] >= campaign["quota"]:
        raise NotAllowed("招募名额已满", reason="quota")
    told = await wish_of(tx, keys, application)
    applied_on = date.fromisoformat(application["applied_on"])
    identity = keys.identity(application["division"], told)
    before = (await store.volunteers_by_identity(tx, [identity])).get(identity)
    division = application["division"]
    if before is not None:
        if not before["division"].startswith(inside):
            raise NotAllowed("该报名人已在其他单位登记", reason="registered_elsewhere")
        told = merged(told, await registration_of(tx, keys, before))
        division = before["division"]
    volunteer, _ = await write_volunteer(tx, keys, told, division, applied_on, before, active=True)
    volunteer = await record_consent(
        tx, keys, volunteer, Purpose.registration, Consent.given, application["consent"], applied_on, None
    )
    tx.put("recruitments", {**campaign, "accepted": campaign["accepted"] + 1})
    return await _decide(tx, keys, {**application, "volunteer_id": volunteer["_id"]}, State.accepted)


async def refuse(tx: Tx, keys: Keys, application: Document, to: State) -> Document:
    """Refused by the office or withdrawn by the applicant: what was told is gone with its key."""
    if application["state"] == to:
        return application
    _may(application, to)
    return await _decide(tx, keys, application, to)


async def wish_of(tx: Tx, keys: Keys, application: Document) -> Registration:
    """What the applicant told; raises `Unreadable` once it was decided."""
    told: dict[str, Any] = json.loads(
        (await keys.persons.open(tx, application["_id"], application["sealed"]))["person"]
    )
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}
    return Registration(**fields)


def _may(application: Document, to: State) -> None:
    if not allows(State(application["state"]), to):
        raise NotAllowed(f"报名现为 {application['state']}，不能变为 {to.value}")


async def _decide(tx: Tx, keys: Keys, application: Document, to: State) -> Document:
    await keys.persons.erase(tx, application["_id"])
    return _write(tx, {**application, "sealed": None}, to)


def _write(tx: Tx, before: Document, to: State) -> Document:
    document = {**before, "state": to.value, "revision": before["revision"] + 1}
    tx.put("applications", document)
    tx.emit(
        ApplicationMoved(
            **tx.stamp(document["division"]),
            application_id=document["_id"],
            revision=document["revision"],
            recruitment_id=document["recruitment_id"],
            division=document["division"],
            fits=document["fits"],
            state=to.value,
        )
    )
    return document
