"""Capacity surveys: which units are asked for which forms and by when, and what they answer."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import date
from typing import Any

from chassis.auth import Caller
from chassis.clock import local_day
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from contracts.registry import CapacityAnswered, CapacitySurveyAsked
from services.registry import store
from services.registry.commands.divisions import known_division
from services.registry.commands.places import known_organisation
from services.registry.domain.capacity import Window, flaw_in
from services.registry.domain.capacity_policy import CapacityPolicy
from services.registry.store import capacity as kept


def window_of(survey: Mapping[str, Any]) -> Window:
    return Window(*(date.fromisoformat(survey[name]) for name in ("opens_on", "due_on", "closes_on")))


async def ask(
    tx: Tx, ident: uuid.UUID, told: dict[str, Any], before: Document | None, policy: CapacityPolicy, by: str
) -> tuple[Document, bool]:
    """A survey as it is asked from now on; the same again changes nothing.

    Division, forms and their version stay as they were first. A unit that has answered cannot be left out, and
    nothing changes once the survey is closed: its results are told.
    """
    if flaw := Window(told["opens_on"], told["due_on"], told["closes_on"]).flaw():
        raise Refused(flaw.reason, flaw.detail, flaw.field)
    state = {**told, **{name: told[name].isoformat() for name in ("opens_on", "due_on", "closes_on")}}
    if before is None:
        await known_division(tx, told["division"])
        if unknown := [form for form in told["forms"] if form not in policy.forms]:
            raise Refused("unknown_form", f"没有 {unknown[0]} 这张表", "forms")
    elif all(before[name] == value for name, value in state.items()):
        return before, False
    else:
        await _may_become(tx, before, state)
    await tx.load("organisations", told["units"])
    for position, unit in enumerate(told["units"]):
        if before is None or unit not in before["units"]:
            await known_organisation(tx, unit, told["division"], f"units.{position}")
    document: Document = {
        "_id": ident,
        "version": policy.version,
        "by": by,
        **(before or {}),
        **state,
        "revision": before["revision"] + 1 if before else 1,
    }
    tx.put("capacity_surveys", document)
    fields = ("revision", "division", "version", "opens_on", "due_on", "closes_on")
    tx.emit(
        CapacitySurveyAsked(
            **tx.stamp(document["division"]),
            survey_id=ident,
            forms=tuple(document["forms"]),
            units=len(document["units"]),
            **{name: document[name] for name in fields},
        )
    )
    return document, before is None


async def _may_become(tx: Tx, before: Document, state: Mapping[str, Any]) -> None:
    if window_of(before).closed(local_day(tx.now)):
        raise NotAllowed("调查已关闭，不能再改", reason="closed")
    for name in ("division", "forms"):
        if before[name] != state[name]:
            raise NotAllowed("调查的区划和表单不能再改，请另建调查", reason="fixed", field=name)
    gone = [unit for unit in before["units"] if unit not in state["units"]]
    if await kept.answered_in(tx, before["_id"], gone):
        raise NotAllowed("已填报的单位不能移出调查", reason="answered", field="units")


async def answer(
    tx: Tx,
    survey: Document,
    organisation: uuid.UUID,
    form: str,
    answers: dict[str, Any],
    policy: CapacityPolicy,
    caller: Caller,
) -> Document:
    """What a unit answers to a form; until the survey is closed it may be answered anew. The first one is in time or
    late, whatever is corrected afterwards."""
    if organisation not in survey["units"]:
        raise NotFound("the unit was not asked")
    if form not in survey["forms"]:
        raise NotFound("the survey does not ask this form")
    window, today = window_of(survey), local_day(tx.now)
    if not window.takes(today):
        closed = window.closed(today)
        raise NotAllowed("调查已关闭" if closed else "调查尚未开始", reason="closed" if closed else "not_open")
    if flaw := flaw_in(policy.forms[form], answers):
        raise Refused(flaw.reason, flaw.detail, flaw.field)
    before = await kept.answer(tx, survey["_id"], organisation, form)
    if before is not None and before["answers"] == answers:
        return before
    unit = await store.organisation(tx, organisation)
    division = before["division"] if before else unit["division"] if unit else survey["division"]
    document: Document = {
        "_id": kept.key_of(survey["_id"], organisation, form),
        "survey_id": survey["_id"],
        "organisation_id": organisation,
        "form": form,
        "division": division,
        "first_on": before["first_on"] if before else today.isoformat(),
        "late": before["late"] if before else today > window.due_on,
        "on": today.isoformat(),
        "answers": answers,
        "by": caller.subject,
        "revision": before["revision"] + 1 if before else 1,
    }
    tx.put("capacity_answers", document)
    if before is None:
        # Who is asked may be changed at this very moment: then one of the two is run again, and looks anew.
        tx.put("capacity_surveys", {**survey, "answered": survey.get("answered", 0) + 1})
    fields = ("survey_id", "organisation_id", "revision", "division", "form", "late")
    tx.emit(CapacityAnswered(**tx.stamp(division), **{name: document[name] for name in fields}))
    return document
