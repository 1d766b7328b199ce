"""Who has a case after it was handed over, moved, merged or parted: somebody who may see it, and it is written down."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import pytest

from chassis.auth import Caller
from chassis.clock import new_id
from chassis.errors import NotAllowed, Refused
from chassis.tx import Document, Tx
from contracts.crisis import HandOverOverdue, HopCalled
from services.crisis.commands import queue, shifts_hand_over, transfers
from services.crisis.commands.chains import hops_of, receive
from services.crisis.commands.merging import merge
from services.crisis.commands.merging_split import split
from services.crisis.store import queue as store
from tests.services.crisis.test_concerns import SCHOOL, a_school
from tests.services.crisis.test_shifts import plan, sign_off, sign_on
from tests.services.crisis.world import (
    COUNTY,
    HIGH,
    IMMINENT,
    LOW,
    MODERATE,
    NEIGHBOUR,
    OFFICER,
    OTHER_OFFICER,
    SUPERVISOR,
    TOWN,
    World,
    a_flag,
    organisation,
    person,
)

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
CITY = "3708"
VILLAGES = (f"{TOWN}001", f"{TOWN}002")
IN_CITY = Caller("officer-city", frozenset({"duty_officer"}), CITY)
BOSS_IN_CITY = Caller("supervisor-city", frozenset({"supervisor"}), CITY)
THERE = Caller("officer-there", frozenset({"duty_officer"}), NEIGHBOUR)
TEACHER = Caller("class_teacher-a", frozenset({"class_teacher"}), COUNTY, organisation=str(SCHOOL))
WARNING: dict[str, Any] = {"way": "school_warning", "setting": "school", "organisation_id": SCHOOL, **LOW}


async def offer(
    world: World, shift_id: UUID, to: Caller, cases: list[UUID] | None = None, caller: Caller = OFFICER
) -> Document:
    return await world.do(
        lambda tx: shifts_hand_over.hand_over(shift_id, new_id(), to.subject, cases, {}, caller, tx, world.office)
    )


async def at_work(world: World, caller: Caller = OFFICER, **said: Any) -> UUID:
    shift_id = await plan(world, who=caller.subject, **said)
    await sign_on(world, shift_id, caller)
    return shift_id


async def joined(world: World, gone: Document, case: Document, caller: Caller = SUPERVISOR) -> Document:
    return await world.do(lambda tx: merge(gone["_id"], case["_id"], "同一人", caller, tx, world.office))


async def asked_over(world: World, case: Document, caller: Caller = OFFICER) -> UUID:
    ident, key = new_id(), case["_id"]
    await world.do(
        lambda tx: transfers.request_transfer(key, ident, NEIGHBOUR, None, "已迁居", None, caller, tx, world.office)
    )
    return ident


# Merging


async def test_the_officer_of_another_county_does_not_hold_the_case_that_goes_on(world: World) -> None:
    """The clock of the higher tier goes on, but whoever had stopped it could not even open the case any more."""
    gone = await world.flag(NEIGHBOUR, caller=person(1), **HIGH)
    await world.acknowledge(gone["_id"], THERE)
    case = await world.flag(caller=person(2), **MODERATE)
    after = await joined(world, gone, case, BOSS_IN_CITY)
    assert (after["tier"], after["acknowledgement"]["state"]) == ("high", "waiting")
    assert after.get("held_by") is None
    assert f"acknowledgement:{case['_id']}" in await world.timers()
    given = await world.do(lambda tx: queue.take_next(None, OFFICER, tx, world.office))
    assert given is not None
    assert given["_id"] == case["_id"]


async def test_an_officer_who_sees_both_cases_still_holds_the_one_that_goes_on(world: World) -> None:
    gone = await world.flag(NEIGHBOUR, caller=person(1), **HIGH)
    await world.acknowledge(gone["_id"], BOSS_IN_CITY)
    case = await world.flag(caller=person(2), **MODERATE)
    after = await joined(world, gone, case, BOSS_IN_CITY)
    assert (after["acknowledgement"]["by"], after["held_by"]) == ("supervisor-city", "supervisor-city")


# The queue


async def test_who_serves_several_offices_gets_what_waits_where_nobody_else_is(world: World) -> None:
    """Others are on shift in one office: its more urgent case is theirs, and does not keep the other office waiting."""
    await world.flag(NEIGHBOUR, caller=person(1), **HIGH)
    here = await world.flag(caller=person(2), **LOW)
    await at_work(world, THERE, division=NEIGHBOUR)
    taken = await world.do(lambda tx: queue.take_next(None, IN_CITY, tx, world.office))
    assert taken is not None
    assert taken["_id"] == here["_id"]
    with pytest.raises(NotAllowed) as refusal:
        await world.do(lambda tx: queue.take_next(None, IN_CITY, tx, world.office))
    assert refusal.value.reason == "not_on_shift"
    later = await world.flag(caller=person(3), **LOW)
    assert (await world.acknowledge(later["_id"], IN_CITY))["held_by"] == "officer-city", "it is the next that is left"


async def _lies_in(case_id: UUID, village: str, tx: Tx) -> None:
    case = await tx.get("cases", case_id)
    assert case is not None
    tx.put("cases", {**case, "division": village})


async def test_the_work_of_asking_does_not_grow_with_the_villages_that_wait(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What others cover is left out at once and not village by village; one's own village within it is not."""
    looks = 0
    next_waiting = store.next_waiting

    async def counted(*told: Any, **more: Any) -> Any:
        nonlocal looks
        looks += 1
        return await next_waiting(*told, **more)

    monkeypatch.setattr(store, "next_waiting", counted)
    await at_work(world, OTHER_OFFICER, division=COUNTY)
    for number, village in enumerate(VILLAGES):
        waits = await world.flag(caller=person(number + 1), **LOW)
        await world.do(partial(_lies_in, waits["_id"], village))
    with pytest.raises(NotAllowed):
        await world.do(lambda tx: queue.take_next(None, OFFICER, tx, world.office))
    assert looks == 2
    await at_work(world, OFFICER, division=VILLAGES[1])
    taken = await world.do(lambda tx: queue.take_next(None, OFFICER, tx, world.office))
    assert taken is not None
    assert taken["division"] == VILLAGES[1]


# Handing over


async def test_a_supervisor_hands_over_what_the_supervisor_sees(world: World) -> None:
    shift_id = await at_work(world, IN_CITY)
    here, there = await world.flag(caller=person(1), **LOW), await world.flag(NEIGHBOUR, caller=person(2), **LOW)
    for case in (here, there):
        await world.acknowledge(case["_id"], IN_CITY)
    with pytest.raises(Refused) as refusal:
        await offer(world, shift_id, OTHER_OFFICER, [there["_id"]], SUPERVISOR)
    assert refusal.value.reason == "not_held"
    offered = await offer(world, shift_id, OTHER_OFFICER, caller=SUPERVISOR)
    assert [row["case_id"] for row in offered["cases"]] == [here["_id"]]


async def test_a_case_that_was_merged_meanwhile_changes_hands_as_the_one_that_goes_on(world: World) -> None:
    shift_id = await at_work(world)
    gone, case = await world.flag(caller=person(1), **HIGH), await world.flag(caller=person(2), **LOW)
    for one in (gone, case):
        await world.acknowledge(one["_id"])
    offered = await offer(world, shift_id, OTHER_OFFICER)
    await joined(world, gone, case)
    accepted = await world.do(lambda tx: shifts_hand_over.accept(offered["_id"], OTHER_OFFICER, tx))
    assert [row["taken"] for row in accepted["cases"]] == [True, True]
    after = await world.case(case["_id"])
    assert (after["held_by"], after["acknowledgement"]["by"]) == ("officer-b", "officer-b")
    assert sum(line["kind"] == "handed_over" for line in after["timeline"]) == 1
    entries = [entry for entry in await world.audit_log() if entry["action"] == "case_handed_over"]
    assert [(one["actor"], one["subject"], one["details"]["giver"]) for one in entries] == [
        ("officer-b", str(case["_id"]), "officer-a")
    ]


async def test_what_the_acknowledgement_said_of_the_giver_is_not_said_of_the_taker(world: World) -> None:
    shift_id = await at_work(world)
    case = await world.flag(caller=person(1), **HIGH)
    taken = await world.acknowledge(case["_id"])
    assert taken["acknowledgement"]["on_shift"] is True
    offered = await offer(world, shift_id, OTHER_OFFICER)
    await world.do(lambda tx: shifts_hand_over.accept(offered["_id"], OTHER_OFFICER, tx))
    clock = (await world.case(case["_id"]))["acknowledgement"]
    assert (clock["by"], clock["on_shift"], clock["at"]) == ("officer-b", None, taken["acknowledgement"]["at"])


async def test_no_supervisor_is_called_for_cases_that_have_gone_elsewhere(world: World) -> None:
    shift_id = await at_work(world)
    case = await world.flag(caller=person(1), consent_to_follow_up="no", **LOW)
    await world.acknowledge(case["_id"])
    offered = await offer(world, shift_id, OTHER_OFFICER)
    await world.close(case["_id"])
    await world.pass_time(31 * MINUTE)
    assert world.emitted(HandOverOverdue) == []
    found = await world.database.get("hand_overs", offered["_id"])
    assert found is not None
    assert (found["state"], found["answered_by"]) == ("withdrawn", "policy")
    assert f"hand_over:{offered['_id']}" not in await world.timers()


async def test_nobody_goes_home_with_an_act_in_progress_while_offering_another_case(world: World) -> None:
    shift_id = await at_work(world)
    danger, other = await world.flag(caller=person(1), **IMMINENT), await world.flag(caller=person(2), **LOW)
    for case in (danger, other):
        await world.acknowledge(case["_id"])
    await offer(world, shift_id, OTHER_OFFICER, [other["_id"]])
    with pytest.raises(NotAllowed) as refusal:
        await sign_off(world, shift_id, OFFICER)
    assert refusal.value.reason == "emergency_held"
    await offer(world, shift_id, OTHER_OFFICER, [danger["_id"]])
    assert (await sign_off(world, shift_id, OFFICER))["state"] == "ended"


# Another office


async def test_a_case_of_the_strict_class_is_asked_back_by_who_may_see_it(world: World) -> None:
    case = await world.flag(caller=person(1), age_band="under_14", **HIGH)
    assert await world.do(lambda tx: queue.take_next(None, OFFICER, tx, world.office))
    ident = await asked_over(world, case)
    with pytest.raises(NotAllowed) as refusal:
        await world.do(lambda tx: transfers.withdraw_transfer(ident, "不再需要", OTHER_OFFICER, tx, world.office))
    assert refusal.value.reason == "strict_access"
    assert (await world.do(lambda tx: transfers.withdraw_transfer(ident, "不再需要", OFFICER, tx, world.office)))[
        "state"
    ] == "withdrawn"


async def test_why_a_case_did_not_move_is_in_the_audit_log(world: World) -> None:
    case = await world.flag(caller=person(1), **HIGH)
    first = await asked_over(world, case)
    await world.do(lambda tx: transfers.decline_transfer(first, "人手不足", THERE, tx, world.office))
    second = await asked_over(world, case)
    await world.do(lambda tx: transfers.withdraw_transfer(second, "不再需要", OFFICER, tx, world.office))
    entries = [one for one in await world.audit_log() if one["action"] in ("transfer_declined", "transfer_withdrawn")]
    assert [(one["action"], one["actor"], one["reason"]) for one in entries] == [
        ("transfer_declined", "officer-there", "人手不足"),
        ("transfer_withdrawn", "officer-a", "不再需要"),
    ]
    assert {one["division"] for one in entries} == {COUNTY}, "it is the owner's case still"


async def test_a_case_that_only_its_chain_held_is_called_out_in_the_office_that_accepts_it(world: World) -> None:
    case = await world.flag(way="third_party", setting="community", division=f"{TOWN}001", caller=person(1), **LOW)
    (role,) = case["chain"]["called"]
    worker = Caller("worker-a", frozenset({role.replace("-", "_")}), TOWN)
    await world.do(lambda tx: receive(case["_id"], worker, tx, world.office))
    assert [row["case_id"] for row in await world.do(lambda tx: hops_of(worker, 10, tx))] == [case["_id"]]
    assert (await world.case(case["_id"]))["acknowledgement"]["state"] == "chain"
    ident = await asked_over(world, case)
    await world.do(lambda tx: transfers.accept_transfer(ident, THERE, tx, world.office))
    after = await world.case(case["_id"])
    assert (after["division"], after["acknowledgement"]["state"]) == (NEIGHBOUR, "waiting")
    given = await world.do(lambda tx: queue.take_next(None, THERE, tx, world.office))
    assert given is not None
    assert given["_id"] == case["_id"]
    assert await world.do(lambda tx: hops_of(worker, 10, tx)) == [], "the old office sees no more of it"


async def test_a_case_of_which_nothing_is_left_but_the_moving_gets_its_next_step_where_it_goes(world: World) -> None:
    case = await world.flag(caller=person(1), consent_to_follow_up="yes", **LOW)
    await world.acknowledge(case["_id"])
    first = await asked_over(world, case)
    await world.do(lambda tx: transfers.decline_transfer(first, "人手不足", THERE, tx, world.office))
    while any(item["state"] in ("planned", "due") for item in await world.follow_ups(case["_id"])):
        due = await world.until_due(case["_id"])
        await world.try_each(case["_id"], due["id"], "reached")
        await world.acknowledge(case["_id"])  # nothing was asked in it: it was raised
    second = await asked_over(world, case)
    await world.do(lambda tx: transfers.accept_transfer(second, THERE, tx, world.office))
    after = await world.case(case["_id"])
    assert after["held_by"] == "officer-there"
    assert after["decisions_needed"] == ["follow_up_plan_ended"], "nothing is to come, and a supervisor is asked"


# Withheld from the class


async def test_a_warning_stays_withheld_after_another_schools_warning_came_between(world: World) -> None:
    await a_school(world)
    other = UUID("00000000-0000-7000-8000-0000000005c1")
    await world.take(organisation(other, COUNTY, kind="school", name="另一测试学校", receives_referrals=False))
    counsellor = Caller("counsellor-a", frozenset({"school_counsellor"}), COUNTY, organisation=str(SCHOOL))
    there = Caller("teacher-b", frozenset({"class_teacher"}), COUNTY, organisation=str(other))
    case = await world.flag(caller=person(1), starts_at="school-counsellor", **WARNING)
    await world.do(lambda tx: receive(case["_id"], counsellor, tx, world.office))
    await world.flag(caller=person(1), **{**WARNING, "organisation_id": other})
    await world.do(lambda tx: receive(case["_id"], there, tx, world.office))
    await world.flag(caller=person(1), **WARNING)
    chain = (await world.case(case["_id"]))["chain"]
    assert (chain["organisation_id"], chain["withheld"], chain["called"]) == (SCHOOL, True, ["school-counsellor"])
    assert await world.do(lambda tx: hops_of(TEACHER, 10, tx)) == []


async def test_a_warning_stays_withheld_from_the_class_in_the_case_that_is_split_off(world: World) -> None:
    await a_school(world)
    case = await world.flag(caller=person(1), starts_at="school-counsellor", **WARNING)
    kept = await world.flag(caller=person(2), **LOW)
    await joined(world, kept, case)
    (flag_id,) = [row["id"] for row in case["flags"]]
    fresh = await world.do(lambda tx: split(case["_id"], new_id(), {flag_id}, "另一人", SUPERVISOR, tx, world.office))
    flag = a_flag(caller=person(1), **WARNING)
    await world.take(flag)
    found = await world.case_of(flag.id)
    assert found["_id"] == fresh["_id"]
    assert found["chain"]["withheld"], "what was said of the class holds for the school's next warning"
    assert {event.role for event in world.emitted(HopCalled)} == {"school-counsellor"}
    assert await world.do(lambda tx: hops_of(TEACHER, 10, tx)) == []
