"""Missed greetings, 黎明约会 and 傍晚问候: from a number of misses on a concern, once for each absence."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.bus import Bus
from chassis.clock import new_id, now
from chassis.envelope import from_message
from chassis.errors import Refused
from contracts.hotline import CheckInMissed, Programme, RiskFlagged, Way
from services.crisis.domain.concerns import count_missed
from tests.services.crisis.test_routes import is_problem
from tests.services.crisis.world import COUNTY, NEIGHBOUR, TOWN, Keys, World, a_flag, make_app, person
from tests.support.structured import to_structured

ROUTES = {"POST /v1/hotline-events"}
SEEN = now() - timedelta(days=2)


def missed(number: int = 1, programme: str = "morning", **said: Any) -> CheckInMissed:
    """A greeting had no answer."""
    moment = said.pop("moment", None) or now()
    county = said.pop("county", COUNTY)
    fields = {
        "hotline": "greeting-1",
        "county": county,
        "division": TOWN if county == COUNTY else None,
        "person": person(),
        "programme": programme,
        "missed": number,
        "last_seen_at": SEEN,
        **said,
    }
    ident = fields.pop("id", new_id())
    return CheckInMissed.model_validate({"id": ident, "occurred_at": moment, "region": county, **fields})


async def test_the_first_miss_is_counted_and_the_second_becomes_a_concern(world: World) -> None:
    sealed = world.keys.seal({"name": "张示例", "address": "示例路一号"})
    await world.take(missed(1, age_band="from_75"))
    assert world.emitted(RiskFlagged) == []
    await world.take(missed(1, "evening", age_band="from_75", sealed_contact=sealed))
    (flag,) = world.emitted(RiskFlagged)
    assert (flag.way, flag.place, flag.caller) == (Way.missed_check_in, TOWN, person())
    await world.take(flag)
    case = await world.case_of(flag.id)
    assert (case["way"], case["setting"]) == ("missed_check_in", "community")
    assert [hop["state"] for hop in case["chain"]["hops"]] == ["left_out", "called", "ahead"]
    assert case["flags"][0]["contact_state"] == "kept"


async def test_an_absence_is_a_concern_once_and_the_next_absence_another(world: World) -> None:
    for number in range(1, 8):
        await world.take(missed(number))
    assert len(world.emitted(RiskFlagged)) == 1
    back = SEEN + timedelta(days=1)
    await world.take(missed(1, last_seen_at=back))
    assert len(world.emitted(RiskFlagged)) == 1
    await world.take(missed(2, last_seen_at=back))
    assert len(world.emitted(RiskFlagged)) == 2
    await world.take(*world.emitted(RiskFlagged))
    assert len(await world.cases()) == 1, "the same person: the second joins the open case"


async def test_who_is_counted_from_the_beginning_again_has_answered(world: World) -> None:
    await world.take(missed(1, last_seen_at=None))
    await world.take(missed(2, last_seen_at=None))
    assert len(world.emitted(RiskFlagged)) == 1
    await world.take(missed(1, last_seen_at=None))
    await world.take(missed(2, last_seen_at=None))
    assert len(world.emitted(RiskFlagged)) == 2


async def test_people_and_programmes_are_not_mixed_up(world: World) -> None:
    await world.take(missed(1, person=person(1)), missed(1, person=person(2)), missed(1, hotline="greeting-2"))
    assert world.emitted(RiskFlagged) == []
    await world.take(missed(2, person=person(2)))
    assert [flag.caller for flag in world.emitted(RiskFlagged)] == [person(2)]


@pytest.mark.parametrize(
    ("said", "field"),
    [({"division": "370812999"}, "division"), ({"county": "370899"}, "county"), ({"moment": "later"}, "ce-time")],
)
async def test_a_miss_that_cannot_be_is_refused_with_its_field(world: World, said: dict[str, Any], field: str) -> None:
    if said.get("moment"):
        said = {"moment": now() + timedelta(hours=1)}
    with pytest.raises(Refused) as error:
        await world.take(missed(2, **said))
    assert error.value.field == field
    assert world.emitted(RiskFlagged) == []


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(
    seen=st.lists(st.tuples(st.integers(0, 3), st.sampled_from(list(Programme))), min_size=1, max_size=12),
    data=st.data(),
)
def test_misses_in_any_order_never_count_for_more_than_they_are(
    seen: list[tuple[int, Programme]], data: st.DataObject
) -> None:
    """What comes late or twice never makes more of an absence than it is, and an absence that is over stays so."""
    counts: dict[tuple[int, Programme], int] = {}
    events = []
    for place, (absence, programme) in enumerate(sorted(seen, key=lambda one: one[0])):
        counts[absence, programme] = counts.get((absence, programme), 0) + 1
        events.append(
            missed(
                counts[absence, programme],
                programme.value,
                last_seen_at=SEEN + timedelta(hours=absence),
                moment=SEEN + timedelta(days=1, minutes=place),
            )
        )

    def run(order: list[CheckInMissed]) -> tuple[datetime | None, dict[str, int]]:
        known: dict[str, Any] | None = None
        for event in order:
            counted = count_missed(known, event)
            known = counted if counted is not None else known
        assert known is not None
        return known["last_seen_at"], known["missed"]

    newest = max(absence for absence, _ in seen)
    expected = {programme.value: number for (absence, programme), number in counts.items() if absence == newest}
    assert run(events) == (SEEN + timedelta(hours=newest), expected)
    again = data.draw(st.permutations(events * 2))
    last, told = run(again)
    assert last == SEEN + timedelta(hours=newest)
    assert all(told[programme] <= number for programme, number in expected.items() if programme in told)


# Over HTTP


@pytest.fixture
async def door(world: World, bus: Bus) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=make_app(world, bus))
    async with httpx.AsyncClient(transport=transport, base_url="http://crisis") as opened:
        yield opened


@pytest.fixture
def programme(keys: Keys) -> dict[str, str]:
    return keys.token("hotline", hotline="greeting-1")


async def test_a_miss_is_taken_over_http_with_the_same_guarantees_as_a_flag(
    bus: Bus, door: httpx.AsyncClient, programme: dict[str, str]
) -> None:
    event = missed()
    document = to_structured(event, "greeting-1")
    first = await door.post("/v1/hotline-events", json=document, headers=programme)
    assert (first.status_code, first.json()["sequence"]) == (202, 1)
    kept = await bus.jetstream.get_msg("HOTLINE", 1)
    assert kept.subject == f"xinqiao.hotline.check_in_missed.v1.{COUNTY}"
    assert from_message(kept.subject, kept.headers, kept.data or b"") == event
    again = await door.post("/v1/hotline-events", json=document, headers=programme)
    assert again.json() == first.json()
    other = {**document, "data": {**document["data"], "missed": 9}}
    is_problem(await door.post("/v1/hotline-events", json=other, headers=programme), 409)
    assert (await bus.jetstream.stream_info("HOTLINE")).state.messages == 1
    is_problem(await door.post("/v1/flags", json=document, headers=programme), 422, "type")
    flag = to_structured(a_flag(hotline="greeting-1"), "greeting-1")
    assert (await door.post("/v1/hotline-events", json=flag, headers=programme)).status_code == 202


async def test_a_miss_that_cannot_be_taken_is_refused_at_the_door(
    bus: Bus, door: httpx.AsyncClient, keys: Keys, programme: dict[str, str]
) -> None:
    document = to_structured(missed(), "greeting-1")

    def with_data(**data: Any) -> dict[str, Any]:
        return {**document, "id": str(uuid4()), "data": {**document["data"], **data}}

    for wrong, field in (
        (with_data(missed=0), "data.missed"),
        (with_data(programme="noon"), "data.programme"),
        (with_data(division="370812999"), "data.division"),
        (with_data(last_seen_at="2999-01-01T00:00:00Z"), "data.last_seen_at"),
        ({**document, "time": (now() + timedelta(hours=1)).isoformat()}, "time"),
        ({**document, "type": "crisis.case_closed"}, None),
        ([], "body"),
    ):
        is_problem(await door.post("/v1/hotline-events", json=wrong, headers=programme), 422, field)
    malformed = {**programme, "content-type": "application/json"}
    is_problem(await door.post("/v1/hotline-events", content=b"{", headers=malformed), 422, "body")
    elsewhere = keys.token("hotline", hotline="greeting-1", division=NEIGHBOUR)
    other = keys.token("hotline", hotline="greeting-2")
    for headers, status in ((elsewhere, 403), (other, 403), (keys.token("volunteer"), 403), ({}, 401)):
        is_problem(await door.post("/v1/hotline-events", json=document, headers=headers), status)
    assert (await bus.jetstream.stream_info("HOTLINE")).state.messages == 0
