"""A town's group: its members by department, who sat in it when, and what its meetings decided."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.clock import local_day, new_id
from services.crisis.commands.retention_registers import KEY, registers_due
from services.crisis.domain.groups import changes, mistake, sat_on
from tests.services.crisis.incidents import ok, refused
from tests.services.crisis.world import COUNTY, NEIGHBOUR, TOWN, World

ROUTES = {
    "GET /v1/groups",
    "GET /v1/groups/gaps",
    "GET /v1/groups/codes",
    "GET /v1/groups/{division}",
    "PUT /v1/groups/{division}",
    "GET /v1/groups/{division}/history",
    "GET /v1/groups/{division}/meetings",
    "PUT /v1/groups/{division}/meetings/{meeting_id}",
    "POST /v1/groups/{division}/meetings/{meeting_id}/read",
}
GROUP = f"/v1/groups/{TOWN}"
LEADER = {"subject": "leader-a", "department": "politics_and_law", "role": "leader"}
HEALTH = {"subject": "clinic-a", "department": "health", "role": "member"}
POLICE = {"subject": "police-a", "department": "police", "role": "member"}
CIVIL = {"subject": "civil-a", "department": "civil_affairs", "role": "member"}
MEMBERS = [LEADER, HEALTH, POLICE, CIVIL]
REASON = {"reason": "核对会议决定"}


@pytest.fixture
def keeper(world: World) -> dict[str, str]:
    return world.keys.token("department", sub="keeper")


def a_meeting(world: World, days_ago: int = 0, **said: Any) -> dict[str, Any]:
    return {
        "on": str(local_day(world.now) - timedelta(days=days_ago)),
        "attendance": ["leader-a", "clinic-a"],
        "decisions": ["case_conference", "visit"],
        "text": "联合走访张示例家庭",
        **said,
    }


async def test_a_towns_group_has_its_members_and_what_is_missing_shows(
    world: World, client: httpx.AsyncClient, keeper: dict[str, str]
) -> None:
    gaps = await ok(client.get("/v1/groups/gaps", headers=keeper))
    assert gaps["gaps"] == [
        {"division": TOWN, "group": False, "missing_departments": ["health", "police", "civil_affairs"]}
    ]
    await refused(client.get(GROUP, headers=keeper), 404)
    group = await ok(client.put(GROUP, json={"revision": 1, "members": [LEADER, HEALTH]}, headers=keeper))
    assert (group["id"], group["members"], group["missing_departments"]) == (
        TOWN,
        [LEADER, HEALTH],
        ["police", "civil_affairs"],
    )
    (gap,) = (await ok(client.get("/v1/groups/gaps", headers=keeper)))["gaps"]
    assert (gap["group"], gap["missing_departments"]) == (True, ["police", "civil_affairs"])
    await ok(client.put(GROUP, json={"revision": 2, "members": MEMBERS}, headers=keeper))
    assert (await ok(client.get("/v1/groups/gaps", headers=keeper)))["gaps"] == []
    (listed,) = (await ok(client.get("/v1/groups", headers=keeper)))["groups"]
    assert listed == await ok(client.get(GROUP, headers=keeper))
    codes = await ok(client.get("/v1/groups/codes", headers=keeper))
    named = {"卫生健康", "公安", "民政", "教育", "工会", "共青团", "妇联", "残联", "社区"}
    assert named <= set(codes["departments"].values())
    assert codes["decisions"]["visit"] == "联合走访"
    assert [entry["action"] for entry in await world.audit_log()] == ["town_group_set", "town_group_set"]


async def test_who_leaves_a_group_stays_in_its_history(
    world: World, client: httpx.AsyncClient, keeper: dict[str, str]
) -> None:
    body = {"revision": 1, "members": MEMBERS}
    first = await ok(client.put(GROUP, json=body, headers=keeper))
    assert await ok(client.put(GROUP, json=body, headers=keeper)) == first, "the same again changes nothing"
    joined = str(local_day(world.now))
    await world.pass_time(timedelta(days=40))
    promoted = {**HEALTH, "role": "leader"}
    await ok(client.put(GROUP, json={"revision": 2, "members": [promoted, POLICE, CIVIL]}, headers=keeper))
    today = str(local_day(world.now))
    rows = (await ok(client.get(f"{GROUP}/history", headers=keeper)))["memberships"]
    told = {(row["subject"], row["role"]): (row["since"], row["until"]) for row in rows}
    assert told == {
        ("leader-a", "leader"): (joined, today),
        ("clinic-a", "member"): (joined, today),
        ("clinic-a", "leader"): (today, None),
        ("police-a", "member"): (joined, None),
        ("civil-a", "member"): (joined, None),
    }
    await refused(client.put(GROUP, json={"revision": 2, "members": MEMBERS}, headers=keeper), 409, "body.revision")
    await refused(client.put(GROUP, json={"revision": 4, "members": MEMBERS}, headers=keeper), 409, "body.revision")


async def test_a_meeting_is_logged_by_who_was_there_and_its_text_is_read_with_a_reason(
    world: World, client: httpx.AsyncClient, keeper: dict[str, str]
) -> None:
    await ok(client.put(GROUP, json={"revision": 1, "members": MEMBERS}, headers=keeper))
    key = new_id()
    address = f"{GROUP}/meetings/{key}"
    body = a_meeting(world)
    logged = await ok(client.put(address, json=body, headers=keeper))
    assert (logged["attendance"], logged["decisions"], logged["has_text"]) == (
        ["leader-a", "clinic-a"],
        ["case_conference", "visit"],
        True,
    )
    assert await ok(client.put(address, json=body, headers=keeper)) == logged
    await refused(client.put(address, json={**body, "decisions": []}, headers=keeper), 409, "id")
    bare = await ok(client.put(f"{GROUP}/meetings/{new_id()}", json=a_meeting(world, text=None), headers=keeper))
    meetings = (await ok(client.get(f"{GROUP}/meetings", headers=keeper)))["meetings"]
    assert {meeting["id"] for meeting in meetings} == {logged["id"], bare["id"]}
    kept = await world.database.get("group_meetings", key)
    assert "张示例" not in str(meetings) + str(kept)
    read = await ok(client.post(f"{address}/read", json=REASON, headers=keeper))
    assert read["text"] == "联合走访张示例家庭"
    nothing = await ok(client.post(f"{GROUP}/meetings/{bare['id']}/read", json=REASON, headers=keeper))
    assert nothing["text"] is None
    reads = [entry for entry in await world.audit_log() if entry["action"] == "group_meeting_read"]
    assert [(entry["actor"], entry["reason"]) for entry in reads] == [("keeper", REASON["reason"])] * 2


async def test_what_was_said_in_a_meeting_goes_at_its_time_and_its_decisions_stay(
    world: World, client: httpx.AsyncClient, keeper: dict[str, str]
) -> None:
    await ok(client.put(GROUP, json={"revision": 1, "members": MEMBERS}, headers=keeper))
    key = new_id()
    address = f"{GROUP}/meetings/{key}"
    await ok(client.put(address, json=a_meeting(world), headers=keeper))
    for days, text in ((1, "联合走访张示例家庭"), (world.office.records.at(world.now).registers.personal_days, None)):
        world.database.ahead += timedelta(days=days)
        await world.do(lambda tx: registers_due(KEY, tx, world.office))
        read = await ok(client.post(f"{address}/read", json=REASON, headers=keeper))
        assert (read["text"], read["decisions"]) == (text, ["case_conference", "visit"])
    assert await world.database.get("person_keys", key) is None


async def test_what_is_wrong_with_a_group_or_a_meeting_is_said_by_its_field(
    world: World, client: httpx.AsyncClient, keeper: dict[str, str]
) -> None:
    for members, field in (
        ([LEADER, {**HEALTH, "department": "navy"}], "body.members.1.department"),
        ([LEADER, {**HEALTH, "subject": "leader-a"}], "body.members.1.subject"),
        ([HEALTH], "body.members"),
        ([LEADER, {**HEALTH, "role": "leader"}], "body.members"),
        ([], "body.members"),
        ([{**LEADER, "name": "张示例"}], "body.members.0.name"),
    ):
        await refused(client.put(GROUP, json={"revision": 1, "members": members}, headers=keeper), 422, field)
    said = {"revision": 1, "members": MEMBERS}
    await refused(client.put(f"/v1/groups/{COUNTY}", json=said, headers=keeper), 422, "path.division")
    await refused(client.put(f"/v1/groups/{COUNTY}099", json=said, headers=keeper), 422, "path.division")
    meeting = f"{GROUP}/meetings/{new_id()}"
    await refused(client.put(meeting, json=a_meeting(world), headers=keeper), 404)
    await ok(client.put(GROUP, json=said, headers=keeper))
    for wrong, field in (
        (a_meeting(world, days_ago=-1), "body.on"),
        (a_meeting(world, days_ago=1), "body.attendance.0"),
        (a_meeting(world, attendance=["leader-a", "nobody"]), "body.attendance.1"),
        (a_meeting(world, decisions=["dance"]), "body.decisions.0"),
        (a_meeting(world, attendance=[]), "body.attendance"),
    ):
        await refused(client.put(meeting, json=wrong, headers=keeper), 422, field)


async def test_a_group_is_the_divisions_own_and_the_offices_alone(
    world: World, client: httpx.AsyncClient, keeper: dict[str, str]
) -> None:
    await ok(client.put(GROUP, json={"revision": 1, "members": MEMBERS}, headers=keeper))
    meeting = f"{GROUP}/meetings/{new_id()}"
    await ok(client.put(meeting, json=a_meeting(world), headers=keeper))
    beside = world.keys.token("supervisor", division=NEIGHBOUR)
    calls: list[tuple[str, str, Any]] = [
        ("GET", GROUP, None),
        ("PUT", GROUP, {"revision": 2, "members": MEMBERS}),
        ("GET", f"{GROUP}/history", None),
        ("GET", f"{GROUP}/meetings", None),
        ("PUT", f"{GROUP}/meetings/{new_id()}", a_meeting(world)),
        ("POST", f"{meeting}/read", REASON),
    ]
    for method, address, body in calls:
        await refused(client.request(method, address, json=body, headers=beside), 404)
        await refused(client.request(method, address, json=body, headers=world.keys.token("duty_officer")), 403)
    for address in ("/v1/groups", "/v1/groups/gaps"):
        (rows,) = (await ok(client.get(address, headers=beside))).values()
        assert rows == []
    own = world.keys.token("department", division=TOWN)
    assert (await ok(client.get(GROUP, headers=own)))["id"] == TOWN
    await refused(client.post(f"{GROUP}/meetings/{new_id()}/read", json=REASON, headers=keeper), 404)


seats = st.sets(st.tuples(st.sampled_from("abc"), st.sampled_from(["health", "police"]), st.just("member")))


@given(seats, seats)
def test_leaving_and_joining_lead_from_the_one_group_to_the_other(
    before: set[tuple[str, str, str]], after: set[tuple[str, str, str]]
) -> None:
    left, joined = changes(before, after)
    assert (before - left) | joined == after
    assert not left & joined


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 28), st.none() | st.integers(1, 28))), st.integers(1, 28)
)
def test_who_sat_on_a_day_is_who_had_joined_and_not_yet_left(said: list[tuple[str, int, int | None]], day: int) -> None:
    rows = [
        {"subject": who, "since": f"2026-03-{since:02d}", "until": None if until is None else f"2026-03-{until:02d}"}
        for who, since, until in said
    ]
    present = {who for who, since, until in said if since <= day <= (until or 31)}
    assert sat_on(rows, date(2026, 3, day)) == present


@given(st.lists(st.sampled_from(["leader", "deputy", "member"]), max_size=5))
def test_a_group_has_exactly_one_leader(roles: list[str]) -> None:
    members = [
        {"subject": f"member-{number}", "department": "health", "role": role} for number, role in enumerate(roles)
    ]
    assert (mistake(members, ["health"]) is None) == (roles.count("leader") == 1)
