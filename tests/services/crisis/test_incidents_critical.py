"""Critical incidents: a fall from height, a drowning. Notice goes up at once, until a named person has it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from chassis.clock import new_id
from contracts.crisis import CriticalIncidentAcknowledged, CriticalIncidentOverdue, CriticalIncidentReported
from services.crisis.domain.incidents_critical import NEXT, CriticalState
from tests.services.crisis.incidents import ok, refused
from tests.services.crisis.world import HOSPITAL, NEIGHBOUR, TOWN, World

ROUTES = {
    "PUT /v1/critical-incidents/{report_id}",
    "GET /v1/critical-incidents",
    "POST /v1/critical-incidents/{report_id}/acknowledge",
    "POST /v1/critical-incidents/{report_id}/close",
}


def a_report(world: World, **said: Any) -> dict[str, Any]:
    return {
        "division": TOWN,
        "type": "drowning",
        "happened_at": world.now.isoformat(),
        "affected": 2,
        "minors": True,
        **said,
    }


@pytest.fixture
def school(world: World) -> dict[str, str]:
    return world.keys.token("school_counsellor", sub="counsellor-a")


@pytest.fixture
def centre(world: World) -> dict[str, str]:
    return world.keys.token("district_centre", sub="centre-a")


@pytest.mark.parametrize("kind", ["fall-from-height", "drowning"])
async def test_notice_goes_up_at_once_and_a_named_person_above_acknowledges(
    world: World, client: httpx.AsyncClient, school: dict[str, str], centre: dict[str, str], kind: str
) -> None:
    address = f"/v1/critical-incidents/{new_id()}"
    body = a_report(world, type=kind)
    for _ in range(2):
        made = await ok(client.put(address, json=body, headers=school))
    (notice,) = world.emitted(CriticalIncidentReported)
    assert (notice.type, notice.minors, notice.called) == (kind, True, "district-centre")
    assert notice.acknowledge_by - notice.occurred_at == timedelta(minutes=15)
    assert made["called"] == "district-centre"
    await world.pass_time(timedelta(minutes=5))
    for _ in range(2):
        taken = await ok(client.post(f"{address}/acknowledge", headers=centre))
    assert (taken["state"], taken["acknowledged_by"]) == ("acknowledged", "centre-a")
    (told,) = world.emitted(CriticalIncidentAcknowledged)
    assert (told.role, told.on_time, told.seconds // 60) == ("district-centre", True, 5)
    assert await world.timers() == set()


async def test_silence_above_calls_the_next_and_the_last_again_and_again(
    world: World, client: httpx.AsyncClient, school: dict[str, str]
) -> None:
    address = f"/v1/critical-incidents/{new_id()}"
    await ok(client.put(address, json=a_report(world), headers=school))
    await world.pass_time(timedelta(minutes=80))
    assert [event.called for event in world.emitted(CriticalIncidentOverdue)] == ["department"] * 3
    department = world.keys.token("department", sub="office-a")
    assert (await ok(client.post(f"{address}/acknowledge", headers=department)))["state"] == "acknowledged"
    (told,) = world.emitted(CriticalIncidentAcknowledged)
    assert (told.role, told.on_time) == ("department", False)
    await world.pass_time(timedelta(hours=3))
    assert len(world.emitted(CriticalIncidentOverdue)) == 3


async def test_who_reports_is_not_the_level_above(
    world: World, client: httpx.AsyncClient, centre: dict[str, str]
) -> None:
    address = f"/v1/critical-incidents/{new_id()}"
    made = await ok(client.put(address, json=a_report(world), headers=centre))
    assert made["called"] == "department", "the step above the reporter's own"
    await refused(client.post(f"{address}/acknowledge", headers=centre), 403)
    colleague = world.keys.token("district_centre", sub="centre-b")
    await refused(client.post(f"{address}/acknowledge", headers=colleague), 403)
    department = world.keys.token("department", sub="office-a")
    await ok(client.post(f"{address}/acknowledge", headers=department))
    await refused(client.post(f"{address}/acknowledge", headers=world.keys.token("department", sub="office-b")), 409)


async def test_a_report_is_closed_after_it_was_acknowledged_and_listed_by_state(
    world: World, client: httpx.AsyncClient, school: dict[str, str], centre: dict[str, str]
) -> None:
    address = f"/v1/critical-incidents/{new_id()}"
    await ok(client.put(address, json=a_report(world, organisation_id=str(HOSPITAL)), headers=school))
    reason = {"reason": "处置完毕"}
    await refused(client.post(f"{address}/close", json=reason, headers=centre), 409)
    await ok(client.post(f"{address}/acknowledge", headers=centre))
    assert (await ok(client.post(f"{address}/close", json=reason, headers=centre)))["state"] == "closed"
    await refused(client.post(f"{address}/close", json=reason, headers=centre), 409)
    for state, number in (("closed", 1), ("reported", 0)):
        listed = await ok(client.get(f"/v1/critical-incidents?state={state}", headers=centre))
        assert len(listed["reports"]) == number
    elsewhere = world.keys.token("district_centre", division=NEIGHBOUR)
    assert (await ok(client.get("/v1/critical-incidents", headers=elsewhere)))["reports"] == []
    for command, body in (("acknowledge", None), ("close", reason)):
        await refused(client.post(f"{address}/{command}", json=body, headers=elsewhere), 404)
        await refused(client.post(f"{address}/{command}", json=body, headers=school), 403)
    await refused(client.post(f"{address}/close", json={"reason": 1}, headers=centre), 422, "body.reason")


async def test_a_report_that_is_wrong_says_where(
    world: World, client: httpx.AsyncClient, school: dict[str, str]
) -> None:
    address = f"/v1/critical-incidents/{new_id()}"
    for name, wrong, field in (
        ("type", "meteor", "type"),
        ("division", f"{TOWN}999", "division"),
        ("deaths", 3, "deaths"),
        ("affected", 0, "body.affected"),
        ("happened_at", "9999-12-31T23:59:59-01:00", "happened_at"),
        ("organisation_id", str(new_id()), "organisation_id"),
        ("minors", "perhaps", "body.minors"),
    ):
        await refused(client.put(address, json=a_report(world, **{name: wrong}), headers=school), 422, field)
    await refused(client.put(address, json=a_report(world, incident_id=str(new_id())), headers=school), 404)
    await refused(client.put(address, json=a_report(world, division=NEIGHBOUR), headers=school), 404)
    await refused(client.put(address, json=a_report(world), headers=world.keys.token("volunteer")), 403)
    await ok(client.put(address, json=a_report(world), headers=school))
    await refused(client.put(address, json=a_report(world, affected=3), headers=school), 409, "id")


def test_a_report_only_goes_forward() -> None:
    assert [sorted(NEXT[state]) for state in CriticalState] == [["acknowledged"], ["closed"], []]
