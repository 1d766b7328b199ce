"""Hours of service: without the way there, by who organised, never overlapping, never overwritten."""

from __future__ import annotations

import asyncio
import json
import uuid
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.clock import local_day, new_id, now
from contracts.base import Tier
from contracts.matching import OfferAccepted
from services.registry.domain.service_records import (
    NEXT,
    Bounds,
    Span,
    State,
    allows,
    flaw_among,
    flaw_of,
)
from services.registry.handlers import await_hours
from tests.services.registry.service_support import (
    COUNTY,
    TOWN,
    a_stretch,
    a_volunteer,
    an_organisation,
    morning,
    write,
)
from tests.services.registry.support import Registry

BOUNDS = Bounds(minutes_a_day=1440, minutes_a_day_source="a test", days_to_record=365, days_to_record_source="a test")


async def test_the_way_there_does_not_count_and_others_are_told_without_words(registry: Registry) -> None:
    volunteer, organisation = await a_volunteer(registry), await an_organisation(registry)
    ident = new_id()
    async with registry.client(COUNTY, subject="organiser-1") as client:
        stretch = a_stretch(organisation, minutes=150, travel_minutes=30)
        answer = await write(client, volunteer, stretch, ident)
        assert answer.status_code == 200, answer.text
        again = await write(client, volunteer, stretch, ident)
        assert again.json() == answer.json()
        read = (await client.get(f"/v1/service-records/{ident}")).json()
        total = (await client.get(f"/v1/people/{volunteer}/service")).json()
    shown = answer.json()
    assert (shown["minutes"], shown["travel_minutes"], shown["state"]) == (120, 30, "counted")
    assert (shown["organisation_id"], shown["recorded_by"]) == (organisation, "organiser-1")
    assert "content" not in shown
    assert read["content"] == "示例社区宣传"
    assert (total["minutes"], total["records"], total["stars_reached"]) == (120, 1, 0)
    (event,) = await registry.events("service_recorded")
    assert (event["minutes"], event["volunteer_id"], event["day"]) == (120, volunteer, local_day(morning()).isoformat())
    assert "示例" not in json.dumps(event, ensure_ascii=False)
    stored = await registry.database.get("service_records", ident)
    assert stored is not None
    assert "示例社区宣传".encode() not in stored["sealed"]


async def test_two_records_of_one_person_never_overlap_but_those_of_two_may(registry: Registry) -> None:
    volunteer, organisation = await a_volunteer(registry), await an_organisation(registry)
    other = await a_volunteer(registry, 2)
    async with registry.client(COUNTY) as client:
        assert (await write(client, volunteer, a_stretch(organisation))).status_code == 200
        inside = a_stretch(organisation, morning() + timedelta(minutes=119))
        refused = await write(client, volunteer, inside)
        assert (refused.status_code, refused.json()["reason"], refused.json()["field"]) == (409, "overlap", "starts_at")
        assert (await write(client, other, inside)).status_code == 200
        behind = a_stretch(organisation, morning() + timedelta(minutes=120))
        assert (await write(client, volunteer, behind)).status_code == 200
        total = (await client.get(f"/v1/people/{volunteer}/service")).json()
    assert total["minutes"] == 240


async def test_of_two_overlapping_records_written_at_once_one_is_taken(registry: Registry) -> None:
    volunteer, organisation = await a_volunteer(registry), await an_organisation(registry)
    async with registry.client(COUNTY) as client:
        starts = [morning() + timedelta(minutes=minutes) for minutes in (0, 10, 20, 30)]
        answers = await asyncio.gather(*(write(client, volunteer, a_stretch(organisation, at)) for at in starts))
        assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
        assert (await client.get(f"/v1/people/{volunteer}/service")).json()["minutes"] == 120


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"ends_at": "future"}, "ends_at", "in_future"),
        ({"ends_at": "before"}, "ends_at", "bad_time"),
        ({"travel_minutes": 120}, "travel_minutes", "no_service"),
        ({"ends_at": "next day"}, "ends_at", "too_long"),
        ({"organisation_id": "01970d3b-0000-7000-8000-000000000bff"}, "organisation_id", "unknown_organisation"),
    ],
)
async def test_a_record_that_cannot_be_true_is_refused(
    registry: Registry, change: dict[str, object], field: str, reason: str
) -> None:
    moments = {
        "future": now() + timedelta(minutes=5),
        "before": morning() - timedelta(minutes=1),
        "next day": morning() + timedelta(hours=24, minutes=1),
    }
    change = {name: moments[value].isoformat() if value in moments else value for name, value in change.items()}
    volunteer, organisation = await a_volunteer(registry), await an_organisation(registry)
    async with registry.client(COUNTY) as client:
        stretch = a_stretch(organisation)
        if reason == "in_future":
            stretch["starts_at"] = (now() - timedelta(minutes=5)).isoformat()
        answer = await write(client, volunteer, {**stretch, **change})
        assert (answer.status_code, answer.json()["field"], answer.json()["reason"]) == (422, field, reason)
        assert (await write(client, volunteer, {**stretch, "kind": "therapy"})).json()["field"] == "body.kind"
        assert (await write(client, volunteer, {**stretch, "hours": 3})).status_code == 422
    assert await registry.events("service_recorded") == []


async def test_who_organised_records_and_nobody_for_oneself(registry: Registry) -> None:
    volunteer = await a_volunteer(registry)
    organisation = await an_organisation(registry)
    elsewhere = await an_organisation(registry, "370812")
    async with registry.client(COUNTY, "volunteer") as client:
        assert (await write(client, volunteer, a_stretch(organisation))).status_code == 403
    async with registry.client(COUNTY, subject=volunteer) as client:
        assert (await write(client, volunteer, a_stretch(organisation))).status_code == 403
    async with registry.client("370812") as client:
        assert (await write(client, volunteer, a_stretch(elsewhere))).status_code == 404
    async with registry.client(COUNTY) as client:
        assert (await write(client, volunteer, a_stretch(elsewhere))).json()["field"] == "organisation_id"


async def test_a_correction_is_a_second_record_and_the_first_stays(registry: Registry) -> None:
    volunteer, organisation = await a_volunteer(registry), await an_organisation(registry)
    first, second = new_id(), new_id()
    async with registry.client(COUNTY) as client:
        await write(client, volunteer, a_stretch(organisation, minutes=120), first)
        changed = await write(client, volunteer, a_stretch(organisation, minutes=60), first)
        assert changed.status_code == 409
        path = f"/v1/service-records/{first}/corrections/{second}"
        answer = await client.put(path, json=a_stretch(organisation, minutes=60))
        assert (answer.status_code, answer.json()["corrects"], answer.json()["minutes"]) == (200, str(first), 60)
        assert (await client.put(path, json=a_stretch(organisation, minutes=60))).json() == answer.json()
        before = (await client.get(f"/v1/service-records/{first}")).json()
        assert (before["state"], before["minutes"], before["corrected_by"]) == ("corrected", 120, str(second))
        third = await client.put(
            f"/v1/service-records/{first}/corrections/{new_id()}", json=a_stretch(organisation, minutes=30)
        )
        assert third.status_code == 409
        assert (await client.get(f"/v1/people/{volunteer}/service")).json()["minutes"] == 60
        withdrawn = await client.post(f"/v1/service-records/{second}/withdraw", json={"reason": "重复登记"})
        assert withdrawn.json()["state"] == "withdrawn"
        assert (await client.get(f"/v1/people/{volunteer}/service")).json()["minutes"] == 0
        listed = (await client.get("/v1/service-records", params={"volunteer_id": volunteer})).json()["items"]
    assert [row["state"] for row in listed] == ["corrected", "withdrawn"]
    states = [(event["state"], event["minutes"]) for event in await registry.events("service_recorded")]
    assert states == [("counted", 120), ("corrected", 120), ("counted", 60), ("withdrawn", 60)]
    (audit,) = await registry.database.find("audit_log", {"action": "service_record.withdrawn"})
    assert audit["subject"] == str(second)


async def test_a_service_is_rated_once_by_those_whom_it_was_for(registry: Registry) -> None:
    volunteer, organisation = await a_volunteer(registry), await an_organisation(registry)
    ident = new_id()
    path = f"/v1/service-records/{ident}/rating"
    async with registry.client(COUNTY) as client:
        await write(client, volunteer, a_stretch(organisation), ident)
    async with registry.client(COUNTY, "community_worker") as client:
        assert (await client.put(path, json={"rating": 6})).status_code == 422
        assert (await client.put(path, json={"rating": 4})).json()["rating"] == 4
        assert (await client.put(path, json={"rating": 4})).status_code == 200
        assert (await client.put(path, json={"rating": 5})).status_code == 409
    async with registry.client(COUNTY, subject=volunteer) as client:
        assert (await client.put(path, json={"rating": 4})).status_code == 403
    async with registry.client("370812") as client:
        assert (await client.put(path, json={"rating": 4})).status_code == 404
    async with registry.client(COUNTY) as client:
        total = (await client.get(f"/v1/people/{volunteer}/service")).json()
    assert (total["ratings"], total["rating_sum"]) == (1, 4)


async def test_a_call_that_was_taken_waits_for_its_hours_and_is_closed_with_them(registry: Registry) -> None:
    volunteer, organisation = await a_volunteer(registry), await an_organisation(registry)
    offer = new_id()
    event = OfferAccepted(
        id=new_id(),
        occurred_at=now(),
        region=COUNTY,
        offer_id=offer,
        request_id=new_id(),
        case_id=new_id(),
        responder_id=uuid.UUID(volunteer),
        division=TOWN,
        tier=Tier.high,
        seconds=20,
    )
    for _ in range(2):
        await registry.database.transact(lambda tx: await_hours(event, tx))
    async with registry.client(COUNTY) as client:
        (waiting,) = (await client.get("/v1/service-assignments", params={"state": "open"})).json()["items"]
        assert (waiting["id"], waiting["volunteer_id"]) == (str(offer), volunteer)
        body = {"record_id": str(new_id()), **a_stretch(organisation, kind="crisis")}
        path = f"/v1/service-assignments/{offer}"
        done = await client.post(f"{path}/complete", json=body)
        assert (done.status_code, done.json()["state"]) == (200, "completed")
        assert (await client.post(f"{path}/complete", json=body)).json() == done.json()
        assert (await client.post(f"{path}/cancel")).status_code == 409
        record = (await client.get(f"/v1/service-records/{body['record_id']}")).json()
        assert (record["assignment_id"], record["minutes"]) == (str(offer), 120)
        assert (await client.get("/v1/service-assignments", params={"state": "open"})).json()["items"] == []
    async with registry.client("370812") as client:
        assert (await client.post(f"/v1/service-assignments/{offer}/cancel")).status_code == 404
    moved = [(told["state"], told["revision"]) for told in await registry.events("service_assigned")]
    assert moved == [("open", 1), ("completed", 2)]


async def test_a_volunteer_reads_the_own_hours_and_nobody_elses(registry: Registry) -> None:
    volunteer, other = await a_volunteer(registry), await a_volunteer(registry, 2)
    async with registry.client(TOWN, "volunteer", subject=volunteer) as client:
        assert (await client.get(f"/v1/people/{volunteer}/service")).status_code == 200
        assert (await client.get(f"/v1/people/{other}/service")).status_code == 404


RESERVED = ("证明", "证书", "已认证")


async def test_the_extract_has_five_groups_and_never_says_a_reserved_word(registry: Registry) -> None:
    volunteer = await a_volunteer(registry, trained="yes", training="2023年5月 取得示例结业证书")
    organisation = await an_organisation(registry)
    async with registry.client(COUNTY) as client:
        await write(client, volunteer, a_stretch(organisation, content="协助开具证明<script>"))
        honour = {"volunteer_id": volunteer, "level": "county", "title": "荣誉证书", "awarded_by": "示例区文明办",
                  "awarded_on": "2025-03-05"}  # fmt: skip
        assert (await client.put(f"/v1/honours/{new_id()}", json=honour)).status_code == 200
        path = f"/v1/people/{volunteer}/service-extract"
        masked = await client.get(path)
        page = await client.get(path, params={"format": "html"})
        assert (await client.post(path, json={})).status_code == 422
        plain = await client.post(path, params={"format": "json"}, json={"reason": "本人申请"})
    told = masked.json()
    assert {"basics", "service", "training", "awards", "evaluation"} <= told.keys()
    assert told["basics"]["name"] == "张**"
    assert told["service"]["minutes"] == 120
    assert told["service"]["records"][0]["organised_by"] == "示例社区卫生服务中心"
    assert len(told["awards"]) == len(told["training"]) == 1
    assert "组织该次服务的单位" in told["notice"]
    assert plain.json()["basics"]["name"] == "张示例"
    for output in (json.dumps(told, ensure_ascii=False), page.text, json.dumps(plain.json(), ensure_ascii=False)):
        assert [word for word in RESERVED if word in output] == []
        assert "志愿服务记录摘录" in output
        assert "民政部令第67号" in output
    assert "<script>" not in page.text
    assert "2 小时 0 分钟" in page.text
    (audit,) = await registry.database.find("audit_log", {"action": "service.extracted"})
    assert (audit["subject"], audit["reason"]) == (volunteer, "本人申请")
    async with registry.client("370812") as client:
        assert (await client.get(path)).status_code == 404
    async with registry.client(TOWN, "volunteer", subject=volunteer) as client:
        assert (await client.get(path)).status_code == 200
        assert (await client.post(path, json={"reason": "本人申请"})).status_code == 403


# Rules

START = datetime(2026, 1, 1, tzinfo=UTC)
spans = st.builds(
    lambda start, length, travel: Span(
        START + timedelta(minutes=start), START + timedelta(minutes=start + length), travel
    ),
    st.integers(0, 6000),
    st.integers(-10, 1500),
    st.integers(0, 200),
)


@given(st.lists(spans, max_size=25))
@settings(deadline=None)
def test_what_is_taken_never_overlaps_and_is_never_more_than_the_day_has(offered: list[Span]) -> None:
    taken: list[Span] = []
    end = START + timedelta(days=6)
    for span in offered:
        if flaw_of(span, end, BOUNDS) is None and flaw_among(span, taken, BOUNDS) is None:
            taken.append(span)
    ordered = sorted(taken, key=lambda span: span.starts_at)
    assert all(one.ends_at <= two.starts_at for one, two in pairwise(ordered))
    assert all(0 < span.minutes <= 1440 for span in taken)
    days: dict[str, int] = {}
    for span in taken:
        for day, minutes in span.by_day().items():
            days[day] = days.get(day, 0) + minutes
    assert all(minutes <= 1440 for minutes in days.values())


@given(spans.filter(lambda span: span.ends_at > span.starts_at))
@settings(deadline=None)
def test_the_days_of_a_stretch_add_up_to_it(span: Span) -> None:
    assert sum(span.by_day().values()) == span.minutes + span.travel_minutes
    first, last = span.days()
    assert first <= span.starts_at
    assert span.ends_at <= last


def test_a_lower_daily_limit_is_kept() -> None:
    bounds = BOUNDS.model_copy(update={"minutes_a_day": 480})
    one = Span(START, START + timedelta(hours=5))
    two = Span(START + timedelta(hours=6), START + timedelta(hours=10))
    flaw = flaw_among(two, [one], bounds)
    assert flaw is not None
    assert flaw.reason == "too_much"
    assert flaw_among(two, [one], BOUNDS) is None


def test_what_was_corrected_or_withdrawn_stays_so() -> None:
    for state in State:
        assert {following for following in State if allows(state, following)} == NEXT[state]
    assert not NEXT[State.corrected] | NEXT[State.withdrawn]
