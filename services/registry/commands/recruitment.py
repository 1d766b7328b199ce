"""Campaigns: called for, opened, reported and closed; a form that came on paper is entered with its day."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass
from datetime import date, datetime, time

from chassis.clock import LOCAL, local_day
from chassis.errors import NotAllowed, Refused
from chassis.tx import Document, Tx
from contracts.registry import CampaignReported, RecruitmentMoved
from services.registry.commands.recruitment_applications import lapse_all
from services.registry.domain.recruitment import (
    Receipt,
    Standing,
    State,
    Unit,
    allows,
    belongs,
    counted,
    latest,
    next_due,
    standings,
)
from services.registry.keys import Keys
from services.registry.store import recruitment as kept


@dataclass(frozen=True)
class Call:
    """What a campaign asks for. `due_on` empty takes the policy's day; `quota` 0 is without limit."""

    kind: str
    title: str
    opens_on: date
    closes_on: date
    due_on: date | None
    quota: int
    conditions: dict[str, list[object]]
    least_age: int | None
    units: list[Unit]
    service: str | None = None


async def call(tx: Tx, keys: Keys, ident: uuid.UUID, division: str, told: Call) -> Document:
    """Write a campaign, or change one that is a draft; nothing where nothing changes."""
    policy = keys.policies.recruitment.at(tx.now)
    rule = policy.due(told.kind)
    if rule is None:
        raise Refused("no_form", "政策没有规定这类活动报什么表", "kind")
    if told.closes_on < told.opens_on:
        raise Refused("bad_window", "截止日期不能早于开始日期", "closes_on")
    due = told.due_on or next_due(rule, told.opens_on)
    if due < told.opens_on:
        raise Refused("bad_window", "上报期限不能早于开始日期", "due_on")
    fields: Document = {
        "kind": told.kind,
        "form": rule.form,
        "report_to": rule.to,
        "title": told.title,
        "opens_on": told.opens_on.isoformat(),
        "closes_on": told.closes_on.isoformat(),
        "due_on": due.isoformat(),
        "quota": told.quota,
        "conditions": told.conditions,
        "least_age": told.least_age,
        "units": [asdict(unit) for unit in told.units],
        "service": told.service,
    }
    known = await kept.recruitment(tx, ident)
    if known is not None:
        if known["division"] != division:
            raise NotAllowed("这个编号已用于另一次活动")
        if all(known.get(name) == value for name, value in fields.items()):
            return known
        if known["state"] != State.draft:
            raise NotAllowed("活动已开始，不能再改")
    fresh: Document = {
        "state": State.draft.value,
        "receipts": [],
        "ended_at": None,
        "applications": 0,
        "accepted": 0,
        "reported": None,
        "reports": 0,
        "policy": policy.version,
        "revision": 0,
    }
    return _write(tx, {**fresh, **(known or {}), "_id": ident, "division": division, **fields})


async def move(tx: Tx, keys: Keys, campaign: Document, to: State) -> Document:
    """The next state; the same again changes nothing. What waits for a decision lapses when the call is cancelled."""
    present = State(campaign["state"])
    if present is to:
        return campaign
    if not allows(present, to):
        raise NotAllowed(f"活动现为 {present.value}，不能变为 {to.value}")
    if to is State.cancelled:
        await lapse_all(tx, keys, campaign)
    return _write(tx, {**campaign, "state": to.value, "ended_at": None if to is State.open else tx.now})


def enter_receipt(tx: Tx, campaign: Document, unit: int, day: date, people: int, by: str) -> Document:
    """A unit's form came by paper or mail; the first entry stands, and the same again changes nothing."""
    if campaign["state"] not in (State.open, State.closed):
        raise NotAllowed("活动没有开始")
    if not 0 <= unit < len(campaign["units"]):
        raise Refused("unknown_unit", "没有这个应报单位", "unit")
    if not date.fromisoformat(campaign["opens_on"]) <= day <= local_day(tx.now):
        raise Refused("bad_date", "收到日期须在活动开始之后、今天或以前", "day")
    for entry in campaign["receipts"]:
        if entry["unit"] == unit:
            if (entry["day"], entry["people"]) != (day.isoformat(), people):
                raise NotAllowed("这个单位的表已登记收到", field="unit")
            return campaign
    entry = {"unit": unit, "day": day.isoformat(), "people": people, "by": by, "at": tx.now}
    return _write(tx, {**campaign, "receipts": [*campaign["receipts"], entry]})


@dataclass(frozen=True)
class Progress:
    """How the forms of a campaign stand: counts, one row a unit, and forms that no expected unit sent."""

    counts: dict[str, int]
    units: list[Document]
    people: int
    unexpected: int


async def progress_of(tx: Tx, campaign: Document) -> Progress:
    """From the forms that imports took while the campaign ran, and those that were entered.

    Raises `Refused` where there are too many of them to be counted here: a province calls by its counties.
    """
    opens, due = date.fromisoformat(campaign["opens_on"]), date.fromisoformat(campaign["due_on"])
    since = datetime.combine(opens, time(), LOCAL)
    rows = await kept.forms_in(tx, campaign["division"], campaign["form"], since, await _end_of(tx, campaign))
    if len(rows) > kept.MOST_FORMS:
        raise Refused("too_wide", f"登记表超过 {kept.MOST_FORMS} 份，请按下级区划分别开展活动", "division")
    expected = [Unit(**unit) for unit in campaign["units"]]
    came = [Receipt(row["division"], row["unit"], local_day(row["at"]), row["people"], row["at"]) for row in rows]
    by_unit: dict[int, list[Receipt]] = {}
    for entry in campaign["receipts"]:
        unit = expected[entry["unit"]]
        receipt = Receipt(unit.division, unit.name, date.fromisoformat(entry["day"]), entry["people"])
        by_unit.setdefault(entry["unit"], []).append(receipt)
    found = standings(expected, came, due)
    today = local_day(tx.now)
    units: list[Document] = []
    for number, (unit, (standing, first)) in enumerate(zip(expected, found, strict=True)):
        for receipt in by_unit.get(number, []):
            if first is None or receipt.day < first:
                first = receipt.day
                standing = Standing.on_time if first <= due else Standing.late
        found[number] = (standing, first)
        own = latest(one for one in came if belongs(one, unit, expected))
        for receipt in by_unit.get(number, []):  # what was entered by hand is the unit's whole form too
            if all(one.day <= receipt.day for one in own):
                own = [receipt]
        units.append(
            {
                "unit": number,
                "division": unit.division,
                "name": unit.name,
                "standing": standing.value,
                "received_on": first.isoformat() if first else None,
                "people": sum(one.people for one in own),
                "days_left": (due - today).days if first is None else None,
            }
        )
    unexpected = sum(all(not belongs(one, unit, expected) for unit in expected) for one in came)
    return Progress(counted(found), units, sum(unit["people"] for unit in units), unexpected)


async def _end_of(tx: Tx, campaign: Document) -> datetime | None:
    """When forms are none of a campaign any more: it was closed, or the next one of the kind has begun."""
    following = await kept.next_after(tx, campaign)
    begins = [datetime.combine(date.fromisoformat(following["opens_on"]), time(), LOCAL)] if following else []
    return min([*begins, *([campaign["ended_at"]] if campaign["ended_at"] else [])], default=None)


async def report(tx: Tx, campaign: Document) -> Document:
    """Tell the counts as they are; nothing where they are as told last."""
    if campaign["state"] not in (State.open, State.closed):
        raise NotAllowed("活动没有开始")
    progress = await progress_of(tx, campaign)
    told = {"expected": len(campaign["units"]), **progress.counts, "people": progress.people}
    if campaign["reported"] == told:
        return campaign
    reports = campaign["reports"] + 1
    changed = {**campaign, "reported": told, "reports": reports, "reported_at": tx.now}
    tx.put("recruitments", changed)
    tx.emit(
        CampaignReported(
            **tx.stamp(campaign["division"]),
            recruitment_id=campaign["_id"],
            revision=reports,
            division=campaign["division"],
            kind=campaign["kind"],
            **told,
        )
    )
    return changed


def _write(tx: Tx, before: Document) -> Document:
    document = {**before, "revision": before["revision"] + 1}
    tx.put("recruitments", document)
    tx.emit(
        RecruitmentMoved(
            **tx.stamp(document["division"]),
            recruitment_id=document["_id"],
            revision=document["revision"],
            division=document["division"],
            kind=document["kind"],
            state=document["state"],
            opens_on=date.fromisoformat(document["opens_on"]),
            closes_on=date.fromisoformat(document["closes_on"]),
            due_on=date.fromisoformat(document["due_on"]),
            expected=len(document["units"]),
            quota=document["quota"],
            receipts=len(document["receipts"]),
            service=document.get("service"),
        )
    )
    return document
