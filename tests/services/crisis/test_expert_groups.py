"""Expert groups: called in their order, answering by name; silence calls the next."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.clock import new_id
from services.crisis.domain.expert_groups import NEXT, CallOutState, call_list, next_to_call
from tests.services.crisis.incidents import CITY, a_group, a_member, ok, refused
from tests.services.crisis.world import COUNTY, NEIGHBOUR, World

ROUTES = {
    "GET /v1/expert-groups",
    "GET /v1/expert-groups/{division}",
    "PUT /v1/expert-groups/{division}",
    "POST /v1/expert-groups/{division}/call-outs",
    "GET /v1/call-outs",
    "GET /v1/call-outs/mine",
    "POST /v1/call-outs/{call_out_id}/answer",
    "POST /v1/call-outs/{call_out_id}/cancel",
}
GROUP = f"/v1/expert-groups/{COUNTY}"


def a_call(**said: Any) -> dict[str, Any]:
    return {"id": str(new_id()), "level": "IV", "wanted": 1, "reason": "个案需专家会诊", **said}


def expert(world: World, number: int) -> dict[str, str]:
    return world.keys.token("volunteer", sub=f"expert-{number}", division=CITY)


@pytest.fixture
def officer(world: World) -> dict[str, str]:
    return world.keys.token("duty_officer", sub="officer-a")


async def outcomes(client: httpx.AsyncClient, headers: dict[str, str]) -> tuple[str, list[tuple[str, str]]]:
    """The state of the one call-out, and who was called with which outcome."""
    (made,) = (await ok(client.get("/v1/call-outs", headers=headers)))["call_outs"]
    return made["state"], [(call["subject"], call["outcome"]) for call in made["calls"]]


async def test_silence_and_a_no_call_the_next_until_enough_have_acknowledged(
    world: World, client: httpx.AsyncClient, officer: dict[str, str]
) -> None:
    await a_group(client, world, COUNTY, *(f"expert-{n}" for n in range(1, 6)))
    call = a_call(wanted=2)
    for _ in range(2):
        made = await ok(client.post(f"{GROUP}/call-outs", json=call, headers=officer))
    address = f"/v1/call-outs/{made['id']}/answer"
    assert await outcomes(client, officer) == ("calling", [("expert-1", "waiting"), ("expert-2", "waiting")])
    await refused(client.post(address, json={"answer": "acknowledged"}, headers=expert(world, 3)), 404)
    await ok(client.post(address, json={"answer": "declined"}, headers=expert(world, 2)))
    await world.pass_time(timedelta(minutes=29))
    await ok(client.post(address, json={"answer": "acknowledged"}, headers=expert(world, 3)))
    await world.pass_time(timedelta(minutes=2))
    assert await outcomes(client, officer) == (
        "calling",
        [("expert-1", "silent"), ("expert-2", "declined"), ("expert-3", "acknowledged"), ("expert-4", "waiting")],
    )
    answer = await ok(client.post(address, json={"answer": "acknowledged"}, headers=expert(world, 1)))
    assert answer["state"] == "answered", "late is welcome while somebody is missing"
    assert [call["subject"] for call in answer["calls"]] == ["expert-1"], "a member sees the own calls alone"
    assert (await outcomes(client, officer))[1][-1] == ("expert-4", "not_needed")
    again = await ok(client.post(address, json={"answer": "acknowledged"}, headers=expert(world, 1)))
    assert again == answer
    await refused(client.post(address, json={"answer": "acknowledged"}, headers=expert(world, 4)), 409)
    await refused(client.post(address, json={"answer": "declined"}, headers=expert(world, 2 + 1)), 409)
    assert await world.timers() == set()
    assert (await ok(client.get("/v1/call-outs/mine", headers=expert(world, 5))))["call_outs"] == []


async def test_a_list_that_stays_silent_begins_anew_and_then_is_a_gap(
    world: World, client: httpx.AsyncClient, officer: dict[str, str]
) -> None:
    await a_group(client, world, COUNTY, "expert-1", "expert-2")
    await ok(client.post(f"{GROUP}/call-outs", json=a_call(), headers=officer))
    await world.pass_time(timedelta(minutes=61))
    state, calls = await outcomes(client, officer)
    assert (state, calls[-1]) == ("calling", ("expert-1", "waiting"))
    await world.pass_time(timedelta(minutes=60))
    state, calls = await outcomes(client, officer)
    assert (state, [who for who, _ in calls]) == ("exhausted", ["expert-1", "expert-2"] * 2)
    assert await world.timers() == set()
    (mine,) = (await ok(client.get("/v1/call-outs/mine", headers=expert(world, 2))))["call_outs"]
    late = client.post(f"/v1/call-outs/{mine['id']}/answer", json={"answer": "acknowledged"}, headers=expert(world, 2))
    assert (await ok(late))["state"] == "answered"


async def test_only_a_certified_member_of_the_crisis_team_is_called(
    world: World, client: httpx.AsyncClient, officer: dict[str, str]
) -> None:
    keeper = world.keys.token("department")
    expired = {"issuer": "city-health", "valid_from": "2019-01-01", "valid_until": "2020-01-01"}
    members = [
        a_member("expert-1", 1, certificate=expired),
        a_member("expert-2", 2, certificate=None),
        a_member("expert-3", 3, available=False),
        a_member("expert-4", 4),
    ]
    await ok(client.put(GROUP, json={"revision": 1, "members": members}, headers=keeper))
    group = await ok(client.get(GROUP, headers=officer))
    assert (group["would_be_called"], group["left_out"]) == (1, ["expert-1", "expert-2", "expert-3"])
    await ok(client.post(f"{GROUP}/call-outs", json=a_call(wanted=2), headers=officer))
    assert await outcomes(client, officer) == ("calling", [("expert-4", "waiting")])


async def test_a_group_is_kept_revision_by_revision_with_its_history(
    world: World, client: httpx.AsyncClient, officer: dict[str, str]
) -> None:
    keeper = world.keys.token("supervisor", sub="keeper")
    one = {"revision": 1, "members": [a_member("expert-1", 1)]}
    for _ in range(2):
        await ok(client.put(GROUP, json=one, headers=keeper))
    other = {"revision": 1, "members": []}
    await refused(client.put(GROUP, json=other, headers=keeper), 409, "revision")
    await ok(client.put(GROUP, json={**other, "revision": 2}, headers=keeper))
    group = await ok(client.get(GROUP, headers=officer))
    assert [(row["by"], row["revision"], row["members"]) for row in group["history"]] == [
        ("keeper", 1, ["expert-1"]),
        ("keeper", 2, []),
    ]
    twice = {"revision": 3, "members": [a_member("expert-1", 1), a_member("expert-1", 2)]}
    await refused(client.put(GROUP, json=twice, headers=keeper), 422, "members")
    backwards = {"issuer": "city-health", "valid_from": "2026-01-02", "valid_until": "2026-01-01"}
    wrong = {"revision": 3, "members": [a_member("expert-1", 1, certificate=backwards)]}
    await refused(client.put(GROUP, json=wrong, headers=keeper), 422, "members.0.certificate.valid_until")
    named = {"revision": 3, "members": [{**a_member("expert-1", 1), "name": "张示例"}]}
    await refused(client.put(GROUP, json=named, headers=keeper), 422, "body.members.0.name")


async def test_a_group_is_for_its_division_and_for_those_below_it(
    world: World, client: httpx.AsyncClient, officer: dict[str, str]
) -> None:
    beside = world.keys.token("supervisor", division=NEIGHBOUR)
    await refused(client.post(f"{GROUP}/call-outs", json=a_call(), headers=officer), 404)
    await a_group(client, world, CITY, "expert-1")
    assert (await ok(client.get(f"/v1/expert-groups/{CITY}", headers=officer)))["division"] == CITY
    assert [
        row["division"]
        for row in (await ok(client.get("/v1/expert-groups", headers=world.keys.token("supervisor", division=CITY))))[
            "groups"
        ]
    ] == [CITY]
    made = await ok(client.post(f"{GROUP}/call-outs", json=a_call(), headers=officer))
    assert made["group"] == CITY
    await refused(
        client.post(f"{GROUP}/call-outs", json={**a_call(), "id": made["id"], "level": "I"}, headers=officer), 409, "id"
    )
    for sent in (
        client.get(GROUP, headers=officer),
        client.put(GROUP, json={"revision": 1, "members": []}, headers=beside),
        client.post(f"{GROUP}/call-outs", json=a_call(), headers=beside),
        client.post(f"{GROUP}/call-outs", json=a_call(case_id=str(new_id())), headers=officer),
        client.post(f"/v1/call-outs/{made['id']}/cancel", json={"reason": "不需要"}, headers=beside),
    ):
        await refused(sent, 404)
    assert (await ok(client.get("/v1/call-outs", headers=beside)))["call_outs"] == []
    await refused(client.put(GROUP, json={"revision": 1, "members": []}, headers=officer), 403)
    for name, wrong in (("level", "V"), ("wanted", 0), ("reason", " "), ("id", "x")):
        await refused(
            client.post(f"{GROUP}/call-outs", json=a_call(**{name: wrong}), headers=officer), 422, f"body.{name}"
        )
    keeper = world.keys.token("supervisor")
    cancelled = await ok(client.post(f"/v1/call-outs/{made['id']}/cancel", json={"reason": "不需要"}, headers=keeper))
    assert [call["outcome"] for call in cancelled["calls"]] == ["cancelled"]
    await refused(client.post(f"/v1/call-outs/{made['id']}/cancel", json={"reason": "不需要"}, headers=keeper), 409)
    late = {"answer": "acknowledged"}
    await refused(client.post(f"/v1/call-outs/{made['id']}/answer", json=late, headers=expert(world, 1)), 409)
    assert await world.timers() == set()


def test_a_call_out_that_was_cancelled_stays_so() -> None:
    assert {state for state in CallOutState if not NEXT[state]} == {CallOutState.cancelled}
    assert set(NEXT) == set(CallOutState)


subjects = st.sampled_from([f"expert-{n}" for n in range(1, 6)])
calls = st.lists(
    st.builds(
        lambda subject, outcome: {"subject": subject, "outcome": outcome},
        subjects,
        st.sampled_from(["waiting", "silent", "declined", "acknowledged", "not_needed"]),
    ),
    max_size=12,
)


@given(st.lists(subjects, unique=True), calls, st.integers(1, 3))
def test_the_next_is_on_the_list_free_and_has_been_called_least(
    order: list[str], made: list[dict[str, str]], rounds: int
) -> None:
    busy = {call["subject"] for call in made if call["outcome"] in ("waiting", "declined", "acknowledged")}
    times = {subject: sum(call["subject"] == subject for call in made) for subject in order}
    free = [subject for subject in order if subject not in busy and times[subject] < rounds]
    found = next_to_call(order, made, rounds)
    assert (found is None) == (not free)
    if found is not None:
        assert times[found] == min(times[subject] for subject in free)
        assert found == next(subject for subject in free if times[subject] == times[found])


@given(st.lists(st.tuples(subjects, st.integers(1, 9), st.booleans(), st.booleans()), unique_by=lambda row: row[0]))
def test_the_call_list_has_the_available_and_certified_in_their_order(
    rows: list[tuple[str, int, bool, bool]],
) -> None:
    members = [
        a_member(subject, order, available=there, **({} if valid else {"certificate": None}))
        for subject, order, there, valid in rows
    ]
    wanted = sorted(((order, subject) for subject, order, there, valid in rows if there and valid))
    assert call_list(members, date(2026, 3, 2)) == [subject for _, subject in wanted]
    assert call_list(members, date(2019, 3, 2)) == []
