"""Shifts of the office: planned, signed on and off, looked at ahead; and whom the clock passes over."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from chassis.auth import Caller
from chassis.clock import new_id, now
from chassis.errors import NotAllowed
from contracts.crisis import AcknowledgementOverdue, SupervisionGapFilled, SupervisionGapFound
from services.crisis.commands import queue, shifts
from tests.services.crisis.test_routes import is_problem
from tests.services.crisis.world import (
    COUNTY,
    HIGH,
    IMMINENT,
    NEIGHBOUR,
    OFFICER,
    OTHER_OFFICER,
    SUPERVISOR,
    TOWN,
    World,
    person,
)

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ROUTES = {
    "PUT /v1/shifts/{shift_id}",
    "DELETE /v1/shifts/{shift_id}",
    "POST /v1/shifts/{shift_id}/start",
    "POST /v1/shifts/{shift_id}/end",
    "GET /v1/shifts",
    "GET /v1/shifts/gaps",
    "GET /v1/shifts/gaps-told",
}


async def plan(
    world: World,
    who: str = "officer-a",
    role: str = "duty_officer",
    start: timedelta = timedelta(0),
    length: timedelta = 8 * HOUR,
    **said: Any,
) -> UUID:
    """A shift in the plan; it begins so long from now, or from `base`."""
    shift_id = new_id()
    begins = said.pop("base", world.now) + start
    fields = {
        "division": COUNTY,
        "person": who,
        "role": role,
        "starts_at": begins,
        "ends_at": begins + length,
        "hotline_id": None,
        "qualification": None,
        **said,
    }
    planner = Caller("supervisor-p", frozenset({"supervisor"}), "3708")
    await world.do(lambda tx: shifts.put_shift(shift_id, fields, planner, tx, world.office))
    return UUID(str(shift_id))


async def sign_on(world: World, shift_id: UUID, caller: Caller) -> None:
    await world.do(lambda tx: shifts.start_shift(shift_id, caller, tx, world.office))


async def sign_off(world: World, shift_id: UUID, caller: Caller) -> dict[str, Any]:
    return await world.do(lambda tx: shifts.end_shift(shift_id, caller, tx, world.office))


async def take(world: World, caller: Caller = OFFICER) -> dict[str, Any] | None:
    return await world.do(lambda tx: queue.take_next(None, caller, tx, world.office))


async def state_of(world: World, shift_id: UUID) -> str:
    found = await world.database.get("shifts", shift_id)
    assert found is not None
    return str(found["state"])


def body(world: World, **said: Any) -> dict[str, Any]:
    since = world.now + HOUR
    return {
        "person": "officer-a",
        "role": "duty_officer",
        "division": COUNTY,
        "starts_at": since.isoformat(),
        "ends_at": (since + 8 * HOUR).isoformat(),
        **said,
    }


# The plan


async def test_a_shift_is_planned_changed_signed_on_and_off_over_http(world: World, client: httpx.AsyncClient) -> None:
    shift_id = new_id()
    address = f"/v1/shifts/{shift_id}"
    supervisor, officer = world.keys.token("supervisor"), world.keys.token("duty_officer", sub="officer-a")
    first = await client.put(address, json=body(world), headers=supervisor)
    assert (first.status_code, first.json()["state"]) == (200, "planned")
    said = body(world)
    again = await client.put(address, json=said, headers=supervisor)
    assert (await client.put(address, json=said, headers=supervisor)).json() == again.json()
    is_problem(await client.post(f"{address}/start", headers=world.keys.token("duty_officer", sub="officer-b")), 404)
    is_problem(await client.post(f"{address}/start", headers=supervisor), 403)
    assert (await client.post(f"{address}/start", headers=officer)).json()["state"] == "on"
    assert (await client.post(f"{address}/start", headers=officer)).json()["state"] == "on"
    is_problem(await client.put(address, json=body(world, person="officer-b"), headers=supervisor), 409)
    is_problem(await client.delete(address, headers=supervisor), 409)
    span = {"from": world.now.isoformat(), "to": (world.now + DAY).isoformat()}
    listed = (await client.get("/v1/shifts", params=span, headers=officer)).json()["shifts"]
    assert [(shift["id"], shift["state"]) for shift in listed] == [(str(shift_id), "on")]
    ended = (await client.post(f"{address}/end", headers=officer)).json()
    assert (ended["state"], ended["cases_held"]) == ("ended", 0)
    is_problem(await client.post(f"{address}/start", headers=officer), 409)


async def test_who_may_plan_and_see_shifts(world: World, client: httpx.AsyncClient) -> None:
    token = world.keys.token
    address = f"/v1/shifts/{new_id()}"
    is_problem(await client.put(address, json=body(world)), 401)
    is_problem(await client.put(address, json=body(world), headers=token("duty_officer", "operator")), 403)
    is_problem(await client.put(address, json=body(world), headers=token("supervisor", division=NEIGHBOUR)), 404)
    is_problem(await client.put(address, json=body(world), headers=token("supervisor", division=TOWN)), 404)
    assert (await client.put(address, json=body(world), headers=token("district_centre"))).status_code == 200
    elsewhere = token("supervisor", division=NEIGHBOUR)
    is_problem(await client.delete(address, headers=elsewhere), 404)
    is_problem(await client.delete(address, headers=token("duty_officer")), 403)
    is_problem(await client.post(f"{address}/end", headers=elsewhere), 404)
    is_problem(await client.post(f"/v1/shifts/{new_id()}/end", headers=token("supervisor")), 404)
    span = {"from": world.now.isoformat(), "to": (world.now + DAY).isoformat()}
    seen = {}
    for division in (COUNTY, TOWN, NEIGHBOUR, "37"):
        headers = token("duty_officer", division=division)
        seen[division] = len((await client.get("/v1/shifts", params=span, headers=headers)).json()["shifts"])
    assert seen == {COUNTY: 1, TOWN: 1, NEIGHBOUR: 0, "37": 1}, "a town sees who covers it"
    assert (await client.delete(address, headers=token("supervisor"))).json()["state"] == "withdrawn"
    assert (await client.delete(address, headers=token("supervisor"))).status_code == 200
    headers = token("duty_officer")
    assert (await client.get("/v1/shifts", params=span, headers=headers)).json() == {"shifts": []}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"person": "张 三"}, "body.person"),
    ({"role": "volunteer"}, "body.role"),
    ({"division": "37081"}, "body.division"),
    ({"starts_at": "2026-12-01T08:00:00"}, "body.starts_at"),
    ({"starts_at": "2036-12-01T08:00:00+08:00", "ends_at": "2036-12-01T16:00:00+08:00"}, "starts_at"),
    ({"starts_at": "2020-12-01T08:00:00+08:00", "ends_at": "2020-12-01T16:00:00+08:00"}, "ends_at"),
    ({"ends_at": "2020-12-01T16:00:00+08:00"}, "ends_at"),
    ({"hotline_id": "00000000-0000-7000-8000-0000000000ff"}, "hotline_id"),
    ({"qualification": "wizard"}, "body.qualification"),
    ({"phone": "1"}, "body.phone"),
]


async def test_a_shift_that_cannot_be_is_refused_with_its_field(world: World, client: httpx.AsyncClient) -> None:
    headers = world.keys.token("supervisor")
    for said, field in WRONG:
        is_problem(await client.put(f"/v1/shifts/{new_id()}", json=body(world, **said), headers=headers), 422, field)
    assert await world.database.find("shifts", {}) == []


async def test_nobody_is_planned_for_two_places_at_once(world: World, client: httpx.AsyncClient) -> None:
    headers = world.keys.token("supervisor")
    first = new_id()
    assert (await client.put(f"/v1/shifts/{first}", json=body(world), headers=headers)).status_code == 200
    answer = await client.put(f"/v1/shifts/{new_id()}", json=body(world), headers=headers)
    is_problem(answer, 409, "starts_at")
    assert answer.json()["reason"] == "shifts_overlap"
    assert (await client.put(f"/v1/shifts/{first}", json=body(world), headers=headers)).status_code == 200
    longer = body(world, ends_at=(world.now + 26 * HOUR).isoformat())
    is_problem(await client.put(f"/v1/shifts/{first}", json=longer, headers=headers), 422, "ends_at")


async def test_the_list_of_shifts_spans_two_months_at_most(world: World, client: httpx.AsyncClient) -> None:
    headers = world.keys.token("duty_officer")
    for query in ("", "?from=2026-12-01T00:00:00Z", "?from=x&to=y", "?limit=0"):
        is_problem(await client.get(f"/v1/shifts{query}", headers=headers), 422)
    for span in (timedelta(0), 63 * DAY):
        params = {"from": world.now.isoformat(), "to": (world.now + span).isoformat()}
        is_problem(await client.get("/v1/shifts", params=params, headers=headers), 422, "query.to")


# Who is on shift, and who takes a case


async def test_an_acknowledgement_says_whether_the_person_was_on_shift(world: World) -> None:
    await world.flag(caller=person(1), **HIGH)
    taken = await take(world)
    assert taken is not None
    assert taken["acknowledgement"]["on_shift"] is False, "nobody plans shifts here, and nobody is locked out"
    shift_id = await plan(world)
    await sign_on(world, shift_id, OFFICER)
    await world.flag(caller=person(2), **HIGH)
    taken = await take(world)
    assert taken is not None
    assert taken["acknowledgement"]["on_shift"] is True


async def test_who_is_not_on_shift_takes_no_case_while_others_are(world: World, client: httpx.AsyncClient) -> None:
    shift_id = await plan(world)
    await world.flag(caller=person(1), **HIGH)
    world.database.ahead += 20 * MINUTE
    await world.fire(f"shift:{shift_id}")
    assert await state_of(world, shift_id) == "missed"
    late = await take(world, OTHER_OFFICER)
    assert late is not None, "the planned person did not come: nobody is locked out"
    await sign_on(world, shift_id, OFFICER)
    second = await world.flag(caller=person(2), **HIGH)
    headers = world.keys.token("duty_officer", sub="officer-b")
    for address in ("/v1/next", f"/v1/cases/{second['_id']}/acknowledge"):
        answer = await client.post(address, headers=headers)
        is_problem(answer, 403)
        assert answer.json()["reason"] == "not_on_shift"
    assert (await world.case(second["_id"]))["acknowledgement"]["state"] == "waiting"
    watching = await take(world, SUPERVISOR)
    assert watching is not None
    assert watching["acknowledgement"]["on_shift"] is False, "no supervisor is planned: a supervisor may"


async def test_a_shift_of_the_city_covers_its_counties(world: World) -> None:
    shift_id = await plan(world, division="3708")
    await sign_on(world, shift_id, Caller("officer-a", frozenset({"duty_officer"}), "3708"))
    await world.flag(division=TOWN, caller=person(1), **HIGH)
    with pytest.raises(NotAllowed, match="others are on shift"):
        await take(world, OTHER_OFFICER)
    taken = await take(world, OFFICER)
    assert taken is not None
    assert taken["acknowledgement"]["on_shift"] is True


async def test_a_shift_that_nobody_signs_off_ends_by_itself(world: World) -> None:
    shift_id = await plan(world, length=2 * HOUR)
    await sign_on(world, shift_id, OFFICER)
    await world.pass_time(2 * HOUR + 59 * MINUTE)
    assert await state_of(world, shift_id) == "on"
    await world.pass_time(2 * MINUTE)
    found = await world.database.get("shifts", shift_id)
    assert found is not None
    assert (found["state"], found["ended_by"]) == ("ended", "policy")
    assert f"shift:{shift_id}" not in await world.timers()


async def test_a_shift_is_signed_on_at_its_time_by_its_role(world: World) -> None:
    shift_id = await plan(world, start=3 * HOUR)
    with pytest.raises(NotAllowed, match="60 minutes before"):
        await sign_on(world, shift_id, OFFICER)
    without_role = Caller("officer-a", frozenset({"supervisor"}), COUNTY)
    world.database.ahead += 3 * HOUR
    with pytest.raises(NotAllowed) as refusal:
        await sign_on(world, shift_id, without_role)
    assert refusal.value.status == 403
    await world.pass_time(9 * HOUR)
    with pytest.raises(NotAllowed, match="over"):
        await sign_on(world, shift_id, OFFICER)


async def test_who_has_an_act_in_progress_does_not_leave_it_behind(world: World) -> None:
    shift_id = await plan(world)
    await sign_on(world, shift_id, OFFICER)
    await world.flag(caller=person(1), **IMMINENT)
    await take(world)
    with pytest.raises(NotAllowed, match="hand the case over first") as refusal:
        await sign_off(world, shift_id, OFFICER)
    assert refusal.value.reason == "emergency_held"
    assert await state_of(world, shift_id) == "on"


# The clock passes over whom nobody is there for


async def test_the_clock_does_not_wait_for_a_role_of_which_nobody_is_on_shift(world: World) -> None:
    """A plan that has a supervisor by day: at night the district centre is called at once, and it is said."""
    await plan(world, "officer-a", "duty_officer", length=20 * HOUR)
    await plan(world, "supervisor-a", "supervisor", start=10 * HOUR)
    case = await world.flag(caller=person(1), **IMMINENT)
    await world.fire(f"acknowledgement:{case['_id']}")
    (called,) = world.emitted(AcknowledgementOverdue)
    assert (called.called, called.skipped) == ("district-centre", ("supervisor",))
    now_ = await world.case(case["_id"])
    assert (now_["acknowledgement"]["role"], now_["acknowledgement"]["step"]) == ("district-centre", 2)
    assert [line["roles"] for line in now_["timeline"] if line["kind"] == "nobody_on_shift"] == [["supervisor"]]


async def test_the_clock_waits_for_who_is_on_shift_and_for_roles_that_nobody_plans(world: World) -> None:
    shift_id = await plan(world, "supervisor-a", "supervisor")
    await sign_on(world, shift_id, SUPERVISOR)
    case = await world.flag(caller=person(1), **IMMINENT)
    await world.fire(f"acknowledgement:{case['_id']}")
    await world.fire(f"acknowledgement:{case['_id']}")
    assert [(over.called, over.skipped) for over in world.emitted(AcknowledgementOverdue)] == [
        ("supervisor", ()),
        ("district-centre", ()),
    ]


async def test_the_last_step_of_the_chain_is_never_passed_over(world: World) -> None:
    for number, role in enumerate(("duty_officer", "supervisor", "district_centre")):
        await plan(world, f"person-{number}", role, start=30 * HOUR)
    case = await world.flag(caller=person(1), **HIGH)
    for _ in range(3):
        await world.fire(f"acknowledgement:{case['_id']}")
    assert {over.called for over in world.emitted(AcknowledgementOverdue)} == {"district-centre"}
    assert f"acknowledgement:{case['_id']}" in await world.timers()


async def test_where_nobody_plans_shifts_the_clock_asks_nothing_of_a_plan(world: World) -> None:
    await plan(world, division=NEIGHBOUR)
    case = await world.flag(caller=person(1), **IMMINENT)
    await world.fire(f"acknowledgement:{case['_id']}")
    (called,) = world.emitted(AcknowledgementOverdue)
    assert (called.called, called.skipped) == ("supervisor", ())


# A gap is shown before it comes


async def test_a_gap_of_supervision_is_told_three_days_and_one_day_before_it_comes(
    world: World, client: httpx.AsyncClient
) -> None:
    """A supervisor for each eight hours of ten days, but for one night."""
    start = world.now
    for number in range(30):
        if number != 20:
            await plan(world, f"supervisor-{number}", "supervisor", start=number * 8 * HOUR, base=start)
    assert world.emitted(SupervisionGapFound) == []
    for _ in range(145):  # and everybody comes to work
        soon = {"state": "planned", "starts_at": {"$lte": world.now + HOUR - MINUTE}}
        for shift in await world.database.find("shifts", soon):
            await sign_on(world, shift["_id"], Caller(shift["person"], frozenset({"supervisor"}), COUNTY))
        await world.pass_time(HOUR)
    found = [event for event in world.emitted(SupervisionGapFound) if event.starts_at < start + 8 * DAY]
    assert [(event.ahead_hours, event.role, event.division) for event in found] == [
        (72, "supervisor", COUNTY),
        (24, "supervisor", COUNTY),
    ]
    assert {event.starts_at for event in found} == {start + 160 * HOUR}
    leads = [(event.starts_at - event.occurred_at) / HOUR for event in found]
    assert [round(lead, 2) for lead in leads] == [72, 24], "told when it comes near, and not at the next day's look"
    supervisor = world.keys.token("supervisor")
    (told, *_) = (await client.get("/v1/shifts/gaps-told", headers=supervisor)).json()["gaps"]
    assert (told["role"], told["division"]) == ("supervisor", COUNTY)
    await plan(world, "supervisor-x", "supervisor", start=160 * HOUR, base=start)
    filled = world.emitted(SupervisionGapFilled)
    assert [event.starts_at for event in filled] == [start + 160 * HOUR]
    left = (await client.get("/v1/shifts/gaps-told", headers=supervisor)).json()["gaps"]
    assert told not in left


async def test_a_supervisor_who_does_not_come_is_a_gap_at_once(world: World) -> None:
    base = world.now
    shift_id = await plan(world, "supervisor-a", "supervisor", length=DAY, base=base)
    for number in range(1, 6):
        await plan(world, f"supervisor-{number}", "supervisor", start=number * DAY, length=DAY, base=base)
    await world.pass_time(14 * MINUTE)
    assert world.emitted(SupervisionGapFound) == []
    await world.pass_time(2 * MINUTE)
    assert await state_of(world, shift_id) == "missed"
    found = world.emitted(SupervisionGapFound)
    assert len(found) == 1
    assert found[0].starts_at - (base + 15 * MINUTE) < timedelta(seconds=5)
    assert found[0].ends_at == base + DAY
    await sign_on(world, shift_id, SUPERVISOR)
    assert world.emitted(SupervisionGapFilled)[-1].starts_at == found[0].starts_at


async def test_a_supervisor_of_the_city_covers_its_counties_and_a_withdrawal_is_told(world: World) -> None:
    await plan(world, "officer-a", "duty_officer")
    assert world.emitted(SupervisionGapFound) == [], "whoever enters a plan is not done with the first shift"
    await world.pass_time(11 * MINUTE)
    (found,) = world.emitted(SupervisionGapFound)
    assert (found.division, found.ahead_hours) == (COUNTY, 24), "nobody supervises this county"
    base = world.now - timedelta(seconds=1)
    shift_ids = [
        await plan(world, "supervisor-c", "supervisor", start=day * DAY, length=DAY, division="3708", base=base)
        for day in range(5)
    ]
    assert [event.division for event in world.emitted(SupervisionGapFilled)][-1] == COUNTY
    before = len(world.emitted(SupervisionGapFound))
    planner = Caller("supervisor-p", frozenset({"supervisor"}), "3708")
    await world.do(lambda tx: shifts.withdraw_shift(shift_ids[2], planner, tx, world.office))
    told = world.emitted(SupervisionGapFound)[before:]
    assert {event.division for event in told} == {COUNTY, "3708"}
    assert {event.ahead_hours for event in told} == {72}


async def test_a_plan_that_is_withdrawn_altogether_is_watched_no_more(world: World) -> None:
    shift_id = await plan(world, "supervisor-a", "supervisor")
    assert f"supervision:{COUNTY}" in await world.timers()
    await world.do(lambda tx: shifts.withdraw_shift(shift_id, SUPERVISOR, tx, world.office))
    assert await world.timers() == set()
    assert await world.database.find("watches", {}) == []


async def test_gaps_ahead_are_listed_by_role_and_for_lines_by_their_hours(
    world: World, client: httpx.AsyncClient
) -> None:
    headers = world.keys.token("duty_officer")
    is_problem(await client.get("/v1/shifts/gaps"), 401)
    is_problem(await client.get("/v1/shifts/gaps?days=0", headers=headers), 422, "query.days")
    is_problem(await client.get("/v1/shifts/gaps-told", headers=headers), 403)
    (whole,) = (await client.get("/v1/shifts/gaps?days=2", headers=headers)).json()["gaps"]
    assert whole["role"] == "supervisor"
    await plan(world, "supervisor-a", "supervisor", start=-timedelta(seconds=5), length=24 * HOUR)
    (rest,) = (await client.get("/v1/shifts/gaps?days=2", headers=headers)).json()["gaps"]
    assert rest["starts_at"] > whole["starts_at"]
    assert now().isoformat() < rest["starts_at"]
