"""Applications: anyone may apply once to an open call; who is taken becomes a volunteer, and the key is deleted."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
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
from services.registry.domain.people import Registration
from services.registry.domain.recruitment import State as Campaign
from services.registry.domain.recruitment import unmet
from services.registry.domain.recruitment_applications import State, allows, filled
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
    if known is not None and not allows(State(known["state"]), State.received):
        if known["digest"] != digest:
            raise NotAllowed("您已报名；需要修改请联系招募单位", reason="applied")
        return known
    today = local_day(tx.now)
    if campaign["kind"] != "recruitment" or campaign["state"] != Campaign.open:
        raise NotAllowed("现在不接受报名", reason="not_open")
    if not campaign["opens_on"] <= today.isoformat() <= campaign["closes_on"]:
        raise NotAllowed(f"报名时间为 {campaign['opens_on']} 至 {campaign['closes_on']}", reason="outside_window")
    if known is None:
        if campaign["applications"] >= keys.policies.recruitment.at(tx.now).applications.most:
            raise NotAllowed("报名人数已满", reason="full")
        tx.put("recruitments", {**campaign, "applications": campaign["applications"] + 1})
    ident = known["_id"] if known else new_id()
    misses = unmet(wish.person, campaign["conditions"], campaign["least_age"], today)
    document: Document = {
        "_id": ident,
        "revision": known["revision"] if known else 0,
        "recruitment_id": campaign["_id"],
        "division": wish.division,
        "applicant": applicant,
        "digest": digest,
        "consent": wish.consent,
        "applied_on": today.isoformat(),
        "fits": not misses,
        "misses": misses,
        "volunteer_id": None,
        "checked": None,
        "known": None,
        "inactive": None,
        "sealed": await keys.persons.seal(tx, ident, told),
    }
    return _write(tx, document, State.received)


async def accept(
    tx: Tx, keys: Keys, campaign: Document, application: Document, inside: str, checked: bool = False
) -> Document:
    """The applicant becomes a volunteer, or is known as one already; again, nothing more happens.

    What applicants tell of their types, qualifications and training counts where somebody `checked` the papers. Whoever
    applies under a name and a number that are known changes nothing that is known, and nobody becomes active by it.
    """
    if application["state"] == State.accepted:
        return application
    _may(application, State.accepted)
    if campaign["state"] == Campaign.cancelled:
        raise NotAllowed("招募活动已取消", reason="cancelled")
    if not application["fits"]:
        raise NotAllowed(f"不符合招募条件：{'、'.join(application['misses'])}", reason="does_not_fit")
    if campaign["quota"] and campaign["accepted"] >= campaign["quota"]:
        raise NotAllowed("招募名额已满", reason="quota")
    told = await wish_of(tx, keys, application)
    applied_on = date.fromisoformat(application["applied_on"])
    before = await known_as(tx, keys, application, told)
    division, person, active = application["division"], told, True
    if before is not None:
        if not before["division"].startswith(inside):
            raise NotAllowed("该报名人已在其他单位登记", reason="registered_elsewhere")
        if not before["active"]:
            raise NotAllowed("同名同号的人员已登记但未在岗，请先核实并恢复，或不予录用", reason="known_inactive")
        division, active = before["division"], before["wanted"]
        person = filled(await registration_of(tx, keys, before), told)
    state = {"active": active, "own_word": not checked, "by_office": told if checked else None}
    volunteer, _ = await write_volunteer(tx, keys, person, division, applied_on, before, **state)
    said = volunteer["consents"].get(Purpose.registration)
    if said is None or said["on"] < applied_on.isoformat():
        volunteer = await record_consent(
            tx, keys, volunteer, Purpose.registration, Consent.given, application["consent"], applied_on, None
        )
    tx.put("recruitments", {**campaign, "accepted": campaign["accepted"] + 1})
    decided = {"volunteer_id": volunteer["_id"], "checked": checked, "known": before is not None}
    return await _decide(tx, keys, {**application, **decided, "inactive": not volunteer["active"]}, State.accepted)


async def known_as(tx: Tx, keys: Keys, application: Document, told: Registration) -> Document | None:
    """The entry of the county's register that has the applicant's name and number."""
    return (await known_among(tx, keys, [(application, told)])).get(application["_id"])


async def known_among(
    tx: Tx, keys: Keys, applications: Sequence[tuple[Document, Registration]]
) -> dict[uuid.UUID, Document]:
    """The same for many applications, by their ids; who is not known is not in it."""
    identities = {row["_id"]: keys.identity(row["division"], told) for row, told in applications}
    found = await store.volunteers_by_identity(tx, list(identities.values()))
    return {ident: found[identity] for ident, identity in identities.items() if identity in found}


async def lapse_all(tx: Tx, keys: Keys, campaign: Document) -> None:
    """What was not decided when the campaign was cancelled is gone with its keys."""
    for application in await kept.undecided(tx, campaign["_id"]):
        await refuse(tx, keys, application, State.lapsed)


async def refuse(tx: Tx, keys: Keys, application: Document, to: State) -> Document:
    """Refused by the office, withdrawn by the applicant, or lapsed: what was told is gone with its key."""
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
