"""Honours, the catalogue of preferential treatment, and who had what of it."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass
from datetime import date

from chassis.clock import local_day
from chassis.errors import NotAllowed, Refused
from chassis.tx import Document, Tx
from contracts.registry import HonourMoved, IncentiveListed, IncentiveRedeemed
from services.registry import store
from services.registry.commands.stars import entries_of, granted_stars
from services.registry.domain.honours import Conditions, Merit, State, allows, misses, slot
from services.registry.keys import Keys
from services.registry.store import service_records as kept


@dataclass(frozen=True)
class Offer:
    """An item of the catalogue. `times` is ``ever`` or ``yearly``; `places` None is without limit."""

    area: str
    label: str
    conditions: Conditions
    times: str
    places: int | None
    active: bool
    source: str


async def record_honour(
    tx: Tx, keys: Keys, ident: uuid.UUID, person: Document, level: str, title: str, by: str, awarded_on: date
) -> Document:
    """Keep an honour that was given; the same again changes nothing."""
    if awarded_on > local_day(tx.now):
        raise Refused("in_future", "表彰日期不能在将来", "awarded_on")
    known = await kept.honour(tx, ident)
    if known is not None:
        holder, told = known["volunteer_id"], {"title": title, "awarded_by": by}
        same = (known["level"], known["awarded_on"]) == (level, awarded_on.isoformat())
        same = same and holder in await entries_of(tx, person)
        if not same or await keys.persons.open(tx, holder, known["sealed"]) != told:
            raise NotAllowed("这个编号已用于另一项荣誉", reason="taken")
        return known
    sealed = await keys.persons.seal(tx, person["_id"], {"title": title, "awarded_by": by})
    document: Document = {
        "_id": ident,
        "revision": 0,
        "volunteer_id": person["_id"],
        "division": person["division"],
        "level": level,
        "awarded_on": awarded_on.isoformat(),
        "state": State.recorded.value,
        "sealed": sealed,
    }
    return _write_honour(tx, document)


def revoke_honour(tx: Tx, honour: Document, by: str, reason: str) -> Document:
    if honour["state"] == State.revoked:
        return honour
    if not allows(State(honour["state"]), State.revoked):
        raise NotAllowed("这项荣誉不能撤销")
    tx.record(
        actor=by,
        action="honour.revoked",
        subject=str(honour["_id"]),
        reason=reason,
        division=honour["division"],
    )
    return _write_honour(tx, {**honour, "state": State.revoked.value})


def _write_honour(tx: Tx, before: Document) -> Document:
    document = {**before, "revision": before["revision"] + 1}
    tx.put("honours", document)
    tx.emit(
        HonourMoved(
            **tx.stamp(document["division"]),
            honour_id=document["_id"],
            revision=document["revision"],
            volunteer_id=document["volunteer_id"],
            division=document["division"],
            level=document["level"],
            state=document["state"],
        )
    )
    return document


async def list_incentive(tx: Tx, keys: Keys, ident: uuid.UUID, division: str, offer: Offer) -> Document:
    """Put an item into the catalogue, or change it; nothing where nothing changes."""
    if offer.area not in keys.policies.service_records.at(tx.now).incentives.areas:
        raise Refused("unknown_area", "政策里没有这个优待领域", "area")
    known = await kept.incentive(tx, ident)
    told = asdict(offer)
    if known is not None:
        if known["division"] != division:
            raise NotAllowed("这个编号已用于另一项优待")
        if all(known[name] == value for name, value in told.items()):
            return known
        if offer.places is not None and offer.places < known["taken"]:
            raise NotAllowed(f"已有 {known['taken']} 人享受", field="places")
    document: Document = {
        "_id": ident,
        "division": division,
        "taken": known["taken"] if known else 0,
        "revision": known["revision"] + 1 if known else 1,
        **told,
    }
    tx.put("incentives", document)
    tx.emit(
        IncentiveListed(
            **tx.stamp(division),
            incentive_id=ident,
            revision=document["revision"],
            division=division,
            area=offer.area,
            active=offer.active,
        )
    )
    return document


async def merit_of(tx: Tx, person: Document) -> Merit:
    total = await kept.totals(tx, await entries_of(tx, person))
    return Merit(total["minutes"], await granted_stars(tx, person), total["ratings"], total["rating_sum"])


async def redeem(tx: Tx, ident: uuid.UUID, incentive: Document, person: Document, by: str) -> Document:
    """A volunteer has an item, once; the same again changes nothing. Raises `NotAllowed` with what is lacking."""
    known = await kept.redemption(tx, ident)
    if known is not None:
        if known["incentive_id"] != incentive["_id"] or known["volunteer_id"] not in await entries_of(tx, person):
            raise NotAllowed("这个编号已用于另一次兑现")
        return known
    if not incentive["active"]:
        raise NotAllowed("这项优待已停止", reason="inactive")
    if await store.is_person(tx, by, person["_id"]):
        raise NotAllowed("不能为自己办理", status=403)
    day = local_day(tx.now)
    for entry in await entries_of(tx, person):
        if await kept.redemption_in(tx, slot(entry, incentive["_id"], incentive["times"], day)) is not None:
            raise NotAllowed("这项优待已享受过", reason="redeemed")
    if incentive["places"] is not None and incentive["taken"] >= incentive["places"]:
        raise NotAllowed("名额已满", reason="full")
    lacking = misses(await merit_of(tx, person), Conditions(**incentive["conditions"]))
    if lacking:
        raise NotAllowed(f"条件不符：{'、'.join(lacking)}", reason="not_eligible")
    tx.put("incentives", {**incentive, "taken": incentive["taken"] + 1})
    document: Document = {
        "_id": ident,
        "incentive_id": incentive["_id"],
        "volunteer_id": person["_id"],
        "division": person["division"],
        "area": incentive["area"],
        "slot": slot(person["_id"], incentive["_id"], incentive["times"], day),
        "by": by,
        "at": tx.now,
    }
    tx.insert("redemptions", document)
    tx.emit(
        IncentiveRedeemed(
            **tx.stamp(person["division"]),
            redemption_id=ident,
            incentive_id=incentive["_id"],
            volunteer_id=person["_id"],
            division=person["division"],
            area=incentive["area"],
        )
    )
    return document
