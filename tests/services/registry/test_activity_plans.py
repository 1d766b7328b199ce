"""Plans of activities: who agrees to form and content, what is changed after that, and what may be told as held."""

from __future__ import annotations

import asyncio
import json
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.auth import issue
from chassis.clock import new_id, now
from chassis.tx import Tx
from services.registry.domain.activity_plans import CONTENTS, LABELS, NEXT, State, allows, names
from services.registry.policy import Policies
from tests.services.registry.places_support import organisation, person, place
from tests.services.registry.service_support import COUNTY, TOWN, a_stretch, write
from tests.services.registry.support import Registry
from tests.services.registry.teams_support import put, refused, team

OTHER = "370812"
TEACHER = {"kind": "content_supervision", "supervisor": "college_psychology_teacher"}
SECTION = {"kind": "content_supervision", "supervisor": "cdc_mental_health_section"}


def in_days(days: int, hour: int = 1) -> datetime:
    """09:00 in Shanghai, so many days from now."""
    return (now() + timedelta(days=days)).replace(hour=hour, minute=0, second=0, microsecond=0)


@dataclass(frozen=True)
class Town:
    """A clinic, the CDC that answers for its activities, and the person who leads them."""

    registry: Registry
    clinic: str
    cdc: str
    leader: str
    relation: str

    def organiser(self, **claims: Any) -> httpx.AsyncClient:
        return self.registry.client(COUNTY, "coordinator", subject=claims.get("subject", "coordinator-1"))

    def supervisor(self, subject: str = "cdc-1", division: str = COUNTY, unit: str | None = None) -> httpx.AsyncClient:
        return signer(self.registry, subject, self.cdc if unit is None else unit, division)

    def plan(self, **fields: Any) -> dict[str, Any]:
        return {
            "organisation_id": self.clinic,
            "title": "示例老年期心理健康教育讲座",
            "form": "lecture",
            "contents": ["stress_emotion"],
            "service": "1-2",
            "problems": ["ageing", "stress"],
            "audiences": ["elderly"],
            "venue": "示例街道活动室",
            "starts_at": in_days(10).isoformat(),
            "ends_at": in_days(10, 3).isoformat(),
            "leader_id": self.leader,
            "expected": 50,
            **fields,
        }


def signer(registry: Registry, subject: str, unit: str, division: str = COUNTY) -> httpx.AsyncClient:
    """A content supervisor of a unit; the token names the unit where it is not empty."""
    claims: dict[str, Any] = {"sub": subject, "roles": ["content_supervisor"], "division": division}
    if unit:
        claims["organisation"] = unit
    client = registry.client(division)
    token = issue(registry.signing_key, "xinqiao-local", "xinqiao", 600, **claims)
    client.headers["authorization"] = f"Bearer {token}"
    return client


@pytest.fixture
async def town(registry: Registry) -> Town:
    async with registry.client(COUNTY) as client:
        clinic = await organisation(client, "示例社区卫生服务中心", "primary_care", TOWN)
        cdc = await organisation(client, "示例疾控中心", "government", COUNTY)
        leader = await person(client, 1, division=TOWN)
        relation = {"division": COUNTY, "guide_id": cdc, "guided_kind": "primary_care", "since": "2024-01-01"}
        ident = await put(client, "relations", {**relation, **SECTION})
    await registry.forget_events()
    return Town(registry, clinic, cdc, leader, ident)


async def submitted(town: Town, **fields: Any) -> str:
    """The id of a plan that waits for its supervisor."""
    async with town.organiser() as client:
        ident = await put(client, "activity-plans", town.plan(**fields))
        answer = await client.post(f"/v1/activity-plans/{ident}/submit")
        assert answer.status_code == 200, answer.text
    return ident


async def signed(town: Town, **fields: Any) -> str:
    ident = await submitted(town, **fields)
    async with town.supervisor() as client:
        revision = (await client.get(f"/v1/activity-plans/{ident}")).json()["revision"]
        answer = await client.post(f"/v1/activity-plans/{ident}/sign-off", json={"revision": revision})
        assert answer.status_code == 200, answer.text
    return ident


async def days_pass(town: Town, ident: str, days: int) -> None:
    """So many days later: the plan and its agreement lie so much further back."""

    async def shift(tx: Tx) -> None:
        found = await tx.get("activity_plans", uuid.UUID(ident))
        assert found is not None
        back = timedelta(days=days)
        moved = {name: found[name] - back for name in ("starts_at", "ends_at")}
        agreed = found["signed"] and {**found["signed"], "at": found["signed"]["at"] - back}
        tx.put("activity_plans", {**found, **moved, "signed": agreed})

    await town.registry.database.transact(shift)


def held(days_ago: int = 10, **fields: Any) -> dict[str, Any]:
    return {
        "starts_at": in_days(-days_ago).isoformat(),
        "ends_at": in_days(-days_ago, 3).isoformat(),
        "participants": 46,
        **fields,
    }


async def waiting(client: httpx.AsyncClient) -> list[str]:
    answer = await client.get("/v1/activity-plans/waiting")
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()["items"]]


async def test_the_cdcs_section_agrees_to_a_primary_units_plan_and_it_is_held_with_its_records(town: Town) -> None:
    async with town.organiser() as client:
        ident = await put(client, "activity-plans", town.plan())
        path = f"/v1/activity-plans/{ident}"
        drafted = (await client.get(path)).json()
        assert (drafted["state_label"], drafted["signed_off"], drafted["notice"]) == ("草拟", False, "未经内容指导签批")
        (who,) = drafted["supervisors"]
        assert (who["guide_id"], who["label"], who["relation_id"]) == (town.cdc, "疾控中心精神卫生科", town.relation)
        early = await client.post(f"{path}/held", json=held())
        assert early.status_code == 409, "an activity that nobody agreed to is not told as held"
        assert (await client.post(f"{path}/submit")).json()["state"] == "submitted"
        early = await client.post(f"{path}/held", json=held())
        assert (early.status_code, early.json()["reason"]) == (409, "not_signed_off")
    async with town.supervisor() as client:
        assert await waiting(client) == [ident]
        revision = (await client.get(path)).json()["revision"]
        agreed = (await client.post(f"{path}/sign-off", json={"revision": revision})).json()
        assert (agreed["state"], agreed["signed_off"], agreed["notice"]) == ("signed_off", True, None)
        assert (agreed["signed"]["by"], agreed["signed"]["relation_id"]) == ("cdc-1", town.relation)
        again = await client.post(f"{path}/sign-off", json={"revision": revision})
        assert again.json() == agreed, "the same again changes nothing"
        assert await waiting(client) == []
    await days_pass(town, ident, 20)
    async with town.registry.client(COUNTY) as client:
        records = []
        for number in (2, 3):
            record = new_id()
            helper = await person(client, number, division=TOWN)
            assert (await write(client, helper, a_stretch(town.clinic, in_days(-10)), record)).status_code == 200
            records.append(str(record))
        told = held(record_ids=records[:1])
        first = (await client.post(f"{path}/held", json=told)).json()
        assert (first["state_label"], first["held"]["participants"]) == ("已开展", 46)
        assert (await client.post(f"{path}/held", json=told)).json() == first
        other = await client.post(f"{path}/held", json={**told, "participants": 460})
        assert other.status_code == 409, "what was told as held is not rewritten"
        linked = await client.put(f"{path}/service-records/{records[1]}")
        assert linked.json()["record_ids"] == records
        assert (await client.put(f"{path}/service-records/{records[1]}")).json() == linked.json()
        served = (await client.get(path)).json()["served"]
        assert served == {"records": 2, "volunteers": 2, "minutes": 240}
    events = await town.registry.events("activity_plan_moved")
    states = ["drafted", "submitted", "signed_off", "held", "held"]
    assert [(event["state"], event["signed_off"]) for event in events] == [
        (state, state in ("signed_off", "held")) for state in states
    ]
    assert (events[-1]["participants"], events[-1]["service_records"], events[-1]["service"]) == (46, 2, "1-2")
    assert events[-1]["supervisor"] == "cdc_mental_health_section"
    told_all = json.dumps(events, ensure_ascii=False)
    assert "示例" not in told_all
    assert town.leader not in told_all


async def test_a_college_teacher_agrees_to_the_own_colleges_plans_and_to_no_others(town: Town) -> None:
    registry = town.registry
    async with registry.client(COUNTY) as client:
        college, far = (
            await organisation(client, "示例大学", "university", TOWN),
            await organisation(client, "示例学院", "university", TOWN),
        )
        teacher, colleague = await person(client, 8, division=TOWN), await person(client, 9, division=TOWN)
        for unit, who in ((college, teacher), (far, colleague)):
            relation = {"division": TOWN, "guide_id": unit, "guided_id": unit, "since": "2024-01-01", "person_id": who}
            await put(client, "relations", {**relation, **TEACHER})
        wrong = {"division": TOWN, "guide_id": college, "guided_id": far, "since": "2024-01-01"}
        await refused(client, "relations", {**wrong, **TEACHER}, "guided_id")
    own = await submitted(town, organisation_id=college)
    others = await submitted(town, organisation_id=far)
    clinics = await submitted(town)
    async with signer(registry, teacher, college) as client:
        assert await waiting(client) == [own]
        for ident, status in ((others, 403), (clinics, 403), (own, 200)):
            answer = await client.post(f"/v1/activity-plans/{ident}/sign-off", json={"revision": 2})
            assert answer.status_code == status, answer.text
        assert answer.json()["signed"]["supervisor"] == "college_psychology_teacher"
    async with signer(registry, "somebody-else", far) as client:
        assert await waiting(client) == [], "the relation names a person, and nobody else of the college"
        answer = await client.post(f"/v1/activity-plans/{others}/sign-off", json={"revision": 2})
        assert (answer.status_code, answer.json()["reason"]) == (403, "not_the_supervisor")


async def test_what_is_returned_says_why_and_is_submitted_again(town: Town) -> None:
    ident = await submitted(town)
    path = f"/v1/activity-plans/{ident}"
    async with town.supervisor() as client:
        assert (await client.post(f"{path}/return", json={})).json()["field"] == "body.reason"
        back = (await client.post(f"{path}/return", json={"reason": "请补充讲座提纲"})).json()
        assert (back["state"], back["log"][-1]["reason"]) == ("returned", "请补充讲座提纲")
        assert (await client.post(f"{path}/return", json={"reason": "请补充讲座提纲"})).json() == back
        assert (await client.post(f"{path}/sign-off", json={"revision": 3})).status_code == 409
        assert await waiting(client) == []
    async with town.organiser() as client:
        body = town.plan(title="示例讲座（含提纲）")
        assert (await client.put(path, json=body)).json()["state"] == "returned"
        assert (await client.post(f"{path}/submit")).json()["state"] == "submitted"
    async with town.supervisor() as client:
        assert await waiting(client) == [ident]
    log = await town.registry.database.find("audit_log", {})
    assert [(one["action"], one["actor"], one["subject"]) for one in log] == [
        ("activity_plan.returned", "cdc-1", ident)
    ]
    assert "提纲" not in json.dumps(await town.registry.events("activity_plan_moved"), ensure_ascii=False)


async def test_what_was_agreed_to_is_this_very_plan(town: Town) -> None:
    ident = await signed(town)
    path, changed = f"/v1/activity-plans/{ident}", town.plan(contents=["stigma"])
    async with town.organiser() as client:
        answer = await client.put(path, json=changed)
        assert (answer.status_code, answer.json()["reason"]) == (409, "not_editable")
        taken_back = (await client.post(f"{path}/withdraw")).json()
        assert (taken_back["state"], taken_back["signed_off"], taken_back["notice"]) == (
            "drafted",
            False,
            "未经内容指导签批",
        )
        assert (await client.put(path, json=changed)).json()["contents"] == ["stigma"]
        assert (await client.post(f"{path}/held", json=held())).json()["reason"] == "not_signed_off"
        read = (await client.post(f"{path}/submit")).json()["revision"]
        await client.post(f"{path}/withdraw")
        await client.put(path, json=town.plan(form="online"))
        later = (await client.post(f"{path}/submit")).json()["revision"]
    async with town.supervisor() as client:
        stale = await client.post(f"{path}/sign-off", json={"revision": read})
        assert (stale.status_code, stale.json()["reason"]) == (409, "changed")
        assert (await client.post(f"{path}/sign-off", json={"revision": later})).status_code == 200


async def test_nobody_agrees_to_the_own_plan(town: Town) -> None:
    led = await submitted(town)
    async with town.supervisor(town.leader) as client:
        assert await waiting(client) == []
        for step, body in (("sign-off", {"revision": 2}), ("return", {"reason": "自己的计划"})):
            answer = await client.post(f"/v1/activity-plans/{led}/{step}", json=body)
            assert (answer.status_code, answer.json()["reason"]) == (403, "own_plan")
    async with town.supervisor("coordinator-1") as client:
        assert await waiting(client) == [], "coordinator-1 wrote it"
        answer = await client.post(f"/v1/activity-plans/{led}/sign-off", json={"revision": 2})
        assert (answer.status_code, answer.json()["reason"]) == (403, "own_plan")
    async with town.supervisor() as client:
        assert await waiting(client) == [led]


async def test_who_leads_it_under_an_entry_that_was_merged_is_still_the_leader(town: Town) -> None:
    ident = await submitted(town)
    async with town.registry.client(COUNTY) as client:
        other = await person(client, 7, name="李示例", division=TOWN)

    async def merge(tx: Tx) -> None:
        found = await tx.get("volunteers", uuid.UUID(town.leader))
        assert found is not None
        tx.put("volunteers", {**found, "merged_into": uuid.UUID(other)})

    await town.registry.database.transact(merge)
    async with town.supervisor(other) as client:
        assert await waiting(client) == []
        answer = await client.post(f"/v1/activity-plans/{ident}/sign-off", json={"revision": 2})
        assert (answer.status_code, answer.json()["reason"]) == (403, "own_plan")


async def test_without_a_relation_in_force_nobody_agrees(town: Town) -> None:
    ident = await submitted(town)
    async with town.registry.client(COUNTY) as client:
        ended = {"division": COUNTY, "guide_id": town.cdc, "guided_kind": "primary_care", "since": "2024-01-01"}
        body = {**ended, **SECTION, "until": "2024-12-31"}
        assert (await client.put(f"/v1/relations/{town.relation}", json=body)).status_code == 200
        assert (await client.get(f"/v1/activity-plans/{ident}")).json()["supervisors"] == []
    async with town.supervisor() as client:
        assert await waiting(client) == []
        answer = await client.post(f"/v1/activity-plans/{ident}/sign-off", json={"revision": 2})
        assert (answer.status_code, answer.json()["reason"]) == (403, "not_the_supervisor")
    async with town.organiser() as client:
        another = await put(client, "activity-plans", town.plan())
        answer = await client.post(f"/v1/activity-plans/{another}/submit")
        assert (answer.status_code, answer.json()["reason"]) == (409, "no_supervisor")


async def test_a_plan_whose_time_has_come_is_neither_submitted_nor_signed_after_the_fact(town: Town) -> None:
    ident = await submitted(town)
    await days_pass(town, ident, 11)
    async with town.supervisor() as client:
        answer = await client.post(f"/v1/activity-plans/{ident}/sign-off", json={"revision": 2})
        assert (answer.status_code, answer.json()["reason"]) == (409, "too_late")
    async with town.organiser() as client:
        late = await put(client, "activity-plans", town.plan(starts_at=in_days(-2).isoformat()))
        answer = await client.post(f"/v1/activity-plans/{late}/submit")
        assert (answer.status_code, answer.json()["field"]) == (409, "starts_at")


async def test_a_sign_off_and_a_change_at_once_never_agree_to_what_was_not_read(town: Town) -> None:
    for _ in range(4):
        ident = await submitted(town)
        path = f"/v1/activity-plans/{ident}"

        async def change(path: str = path) -> None:
            async with town.organiser() as client:
                await client.post(f"{path}/withdraw")
                await client.put(path, json=town.plan(form="online"))
                await client.post(f"{path}/submit")

        async def agree(path: str = path) -> None:
            async with town.supervisor() as client:
                await client.post(f"{path}/sign-off", json={"revision": 2})

        await asyncio.gather(change(), agree())
        found = await town.registry.database.get("activity_plans", uuid.UUID(ident))
        assert found is not None
        assert found["form"] == "lecture" or found["signed"] is None


async def test_what_is_told_as_held_has_to_be_the_planned_activity(town: Town) -> None:
    ident = await signed(town)
    path = f"/v1/activity-plans/{ident}/held"
    async with town.organiser() as client:
        before = await client.post(path, json=held(days_ago=3))
        assert (before.status_code, before.json()["field"]) == (422, "starts_at"), "held before it was agreed to"
    await days_pass(town, ident, 50)
    async with town.organiser() as client:
        for body, field in (
            (held(days_ago=-1), "ends_at"),
            (held(days_ago=5), "starts_at"),
            (held(days_ago=40), "ends_at"),
            (held(ends_at=in_days(-10).isoformat()), "ends_at"),
            (held(participants=-1), "body.participants"),
            (held(record_ids=["x"]), "body.record_ids.0"),
        ):
            answer = await client.post(path, json=body)
            assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text


async def test_a_record_of_service_belongs_to_one_activity_of_the_same_unit_and_time(town: Town) -> None:
    first, second = await signed(town), await signed(town)
    for ident in (first, second):
        await days_pass(town, ident, 20)
    async with town.registry.client(COUNTY) as client:
        helper = await person(client, 2, division=TOWN)
        good, at_night, elsewhere, gone = (new_id() for _ in range(4))
        await write(client, helper, a_stretch(town.clinic, in_days(-10)), good)
        await write(client, helper, a_stretch(town.clinic, in_days(-9)), at_night)
        await write(client, helper, a_stretch(town.cdc, in_days(-10, 5)), elsewhere)
        await write(client, helper, a_stretch(town.clinic, in_days(-10, 8)), gone)
        await client.post(f"/v1/service-records/{gone}/withdraw", json={"reason": "误登"})
        path = f"/v1/activity-plans/{first}"
        for wrong in (at_night, elsewhere, gone, new_id()):
            answer = await client.post(f"{path}/held", json=held(record_ids=[str(wrong)]))
            assert (answer.status_code, answer.json()["field"]) == (422, "record_ids")
        assert (await client.put(f"{path}/service-records/{good}")).status_code == 409, "not held yet"
        assert (await client.post(f"{path}/held", json=held(record_ids=[str(good)]))).status_code == 200
        assert (await client.post(f"/v1/activity-plans/{second}/held", json=held())).status_code == 200
        taken = await client.put(f"/v1/activity-plans/{second}/service-records/{good}")
        assert taken.status_code == 409, "it is another activity's already"
        shorter = a_stretch(town.clinic, in_days(-10), minutes=60)
        corrected = await client.put(f"/v1/service-records/{good}/corrections/{new_id()}", json=shorter)
        assert corrected.status_code == 200, corrected.text
        assert (await client.get(path)).json()["served"]["minutes"] == 60, "the correction counts in its place"


async def test_a_plan_that_cannot_be_is_refused_by_its_field(town: Town) -> None:
    registry = town.registry
    async with registry.client(COUNTY) as client:
        college = await organisation(client, "示例大学", "university", TOWN)
        foreign_team = await team(client, division=TOWN, organisation_id=college)
        room = await place(client, division=TOWN, tier="town")
    async with registry.client(OTHER) as client:
        far = await organisation(client, "示例外区卫生院", "primary_care", f"{OTHER}001")
    async with town.organiser() as client:
        for change, field in (
            ({"organisation_id": far}, "organisation_id"),
            ({"organisation_id": str(new_id())}, "organisation_id"),
            ({"leader_id": str(new_id())}, "leader_id"),
            ({"team_id": str(new_id())}, "team_id"),
            ({"team_id": foreign_team}, "team_id"),
            ({"place_id": str(new_id()), "venue": None}, "place_id"),
            ({"place_id": room}, "place_id"),
            ({"venue": None}, "place_id"),
            ({"ends_at": in_days(9).isoformat()}, "ends_at"),
            ({"ends_at": in_days(50).isoformat()}, "ends_at"),
            ({"organisation_id": college, "contents": ["patients_families"]}, "contents"),
            ({"contents": []}, "body.contents"),
            ({"contents": ["magic"]}, "body.contents.0"),
            ({"form": "magic"}, "body.form"),
            ({"service": "4-4"}, "body.service"),
            ({"problems": ["F32.1"]}, "body.problems.0"),
            ({"audiences": []}, "body.audiences"),
            ({"starts_at": "2026-12-20T09:00:00"}, "body.starts_at"),
            ({"title": " "}, "body.title"),
            ({"extra": 1}, "body.extra"),
        ):
            await refused(client, "activity-plans", town.plan(**change), field)
        primary = town.plan(contents=["patients_families"], place_id=room, venue=None)
        ident = await put(client, "activity-plans", primary)
        same = await client.put(f"/v1/activity-plans/{ident}", json=primary)
        assert same.json()["revision"] == 1
        other = await client.put(f"/v1/activity-plans/{ident}", json=town.plan(organisation_id=college))
        assert other.status_code == 409
    assert len(await registry.events("activity_plan_moved")) == 1


async def test_who_may_do_what_and_what_another_division_sees(town: Town) -> None:
    ident = await submitted(town)
    path = f"/v1/activity-plans/{ident}"
    steps: list[tuple[str, str, dict[str, Any] | None]] = [
        ("PUT", path, town.plan()),
        ("POST", f"{path}/submit", None),
        ("POST", f"{path}/withdraw", None),
        ("POST", f"{path}/cancel", {"reason": "示例取消"}),
        ("POST", f"{path}/held", held()),
        ("PUT", f"{path}/service-records/{new_id()}", None),
    ]
    agreeing: list[tuple[str, str, dict[str, Any] | None]] = [
        ("POST", f"{path}/sign-off", {"revision": 2}),
        ("POST", f"{path}/return", {"reason": "示例"}),
        ("GET", "/v1/activity-plans/waiting", None),
    ]
    reading: list[tuple[str, str, dict[str, Any] | None]] = [
        ("GET", path, None),
        ("GET", "/v1/activity-plans", None),
        ("GET", "/v1/activity-plans/lists", None),
    ]
    for roles, routes in (
        (("volunteer", "content_supervisor", "statistician"), steps),
        (("registrar", "coordinator", "supervisor"), agreeing),
        (("volunteer", "grid_worker", "hotline"), reading),
    ):
        for role in roles:
            async with town.registry.client(COUNTY, role) as client:
                for method, url, body in routes:
                    answer = await client.request(method, url, json=body)
                    assert answer.status_code == 403, f"{role} {method} {url}: {answer.text}"
    async with town.registry.client(OTHER, "registrar") as client:
        for method, url, body in [*steps[1:], reading[0]]:
            assert (await client.request(method, url, json=body)).status_code == 404, url
        assert (await client.put(path, json=town.plan())).status_code == 404
        assert (await client.get("/v1/activity-plans")).json()["items"] == []
        assert (await client.get("/v1/activity-plans", params={"division": COUNTY})).status_code == 404
    async with town.supervisor(division=OTHER) as client:
        assert (await client.post(f"{path}/sign-off", json={"revision": 2})).status_code == 404
        assert await waiting(client) == []
    async with signer(town.registry, "nobody", "") as client:
        assert await waiting(client) == []
        assert (await client.post(f"{path}/sign-off", json={"revision": 2})).status_code == 403
    assert (await town.registry.database.get("activity_plans", uuid.UUID(ident)) or {})["state"] == "submitted"


async def test_a_units_own_coordinator_plans_for_the_own_unit_alone(town: Town) -> None:
    async with town.registry.client(COUNTY) as client:
        other = await organisation(client, "示例第二卫生院", "primary_care", TOWN)
    claims: dict[str, Any] = {"sub": "own-1", "roles": ["coordinator"], "division": TOWN, "organisation": other}
    token = issue(town.registry.signing_key, "xinqiao-local", "xinqiao", 600, **claims)
    async with town.organiser() as client:
        client.headers["authorization"] = f"Bearer {token}"
        answer = await client.put(f"/v1/activity-plans/{new_id()}", json=town.plan())
        assert (answer.status_code, answer.json()["field"]) == (403, "organisation_id")
        assert (
            await client.put(f"/v1/activity-plans/{new_id()}", json=town.plan(organisation_id=other))
        ).status_code == 200


async def test_lists_are_filtered_and_paged_in_a_stable_order(town: Town) -> None:
    agreed = await signed(town, starts_at=in_days(3).isoformat(), ends_at=in_days(3, 3).isoformat())
    open_ones = []
    for day in (7, 5, 6):
        fields = {"starts_at": in_days(day).isoformat(), "ends_at": in_days(day, 3).isoformat()}
        open_ones.append(await submitted(town, **fields, form="publicity", service="4-2"))
    async with town.supervisor() as client:
        assert await waiting(client) == [open_ones[1], open_ones[2], open_ones[0]], "the nearest day first"

        async def listed(**asked: Any) -> list[str]:
            return [one["id"] for one in (await client.get("/v1/activity-plans", params=asked)).json()["items"]]

        assert await listed(signed_off=True) == [agreed]
        assert set(await listed(signed_off=False)) == set(open_ones)
        assert await listed(state="signed_off") == [agreed]
        assert set(await listed(form="publicity", service="4-2", content="stress_emotion")) == set(open_ones)
        assert await listed(service="1-5") == []
        days = {"since": in_days(5).date().isoformat(), "until": in_days(6).date().isoformat()}
        assert await listed(sort="day", **days) == [open_ones[1], open_ones[2]]
        pages: list[str] = []
        after: str | None = None
        while True:
            at: dict[str, str] = {"sort": "-day", "limit": "3", **({"after": after} if after else {})}
            page = (await client.get("/v1/activity-plans", params=at)).json()
            pages += [one["id"] for one in page["items"]]
            after = page["next"]
            if after is None:
                break
        assert pages == [open_ones[0], open_ones[2], open_ones[1], agreed]
        for asked, field in (
            ({"form": "magic"}, "form"),
            ({"content": "magic"}, "content"),
            ({"state": "magic"}, "query.state"),
            ({"service": "9"}, "query.service"),
            ({"after": "x"}, "after"),
        ):
            answer = await client.get("/v1/activity-plans", params=asked)
            assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text


async def test_a_cancelled_plan_keeps_whether_it_was_agreed_to(town: Town) -> None:
    agreed, plain = await signed(town), await submitted(town)
    async with town.organiser() as client:
        for ident, expected in ((agreed, True), (plain, False)):
            path = f"/v1/activity-plans/{ident}"
            gone = (await client.post(f"{path}/cancel", json={"reason": "场地停用"})).json()
            assert (gone["state"], gone["signed_off"], gone["log"][-1]["reason"]) == ("cancelled", expected, "场地停用")
            assert (await client.post(f"{path}/cancel", json={"reason": "场地停用"})).json() == gone
            assert (await client.post(f"{path}/held", json=held())).status_code == 409
            assert (await client.post(f"{path}/submit")).status_code == 409


async def test_the_roles_that_guide_are_policy_with_their_sources(town: Town) -> None:
    async with town.supervisor() as client:
        lists = (await client.get("/v1/activity-plans/lists")).json()
        assert lists["contents"]["stress_emotion"] == "压力管理技巧与情绪管理"
        assert lists["states"]["returned"] == "退回修改"
        roles = {one["code"]: one for one in lists["supervisors"]}
        assert roles["college_psychology_teacher"]["own_unit"]
        assert roles["cdc_mental_health_section"]["guided_kinds"] == ["primary_care", "hospital"]
        assert {one["kind"] for one in roles.values()} == {
            "content_supervision",
            "technical_guidance",
            "guiding_unit",
            "supervision",
        }
        assert all(one["source"] for one in roles.values())
    async with town.registry.client(COUNTY) as client:
        centre = await organisation(client, "示例精神卫生中心", "hospital", COUNTY)
        guidance = {"division": COUNTY, "guide_id": centre, "guided_kind": "primary_care", "since": "2026-01-01"}
        body = {**guidance, "kind": "technical_guidance", "supervisor": "mental_health_centre"}
        await put(client, "relations", body)
        await refused(client, "relations", {**body, "supervisor": "district_task_force"}, "supervisor")
        await refused(client, "relations", {**body, "supervisor": "magic"}, "supervisor")
        await refused(client, "relations", {**body, "guided_kind": "school"}, "guided_id")
        task_force = {**guidance, "kind": "supervision", "supervisor": "district_task_force"}
        await refused(client, "relations", task_force, "guide_id")
    async with signer(town.registry, "centre-1", centre) as client:
        plan = await submitted(town)
        answer = await client.post(f"/v1/activity-plans/{plan}/sign-off", json={"revision": 2})
        assert answer.status_code == 403, "technical guidance signs nothing off"


def test_every_content_and_state_has_its_words() -> None:
    assert set(LABELS) == set(State) == set(NEXT)
    assert all(one.label for one in CONTENTS.values())
    assert len({one.code for one in Policies.load().activity_plans.at(datetime.now(UTC)).supervisors}) >= 7


@given(st.lists(st.sampled_from(State), max_size=12))
def test_nothing_is_held_that_was_not_agreed_to_just_before(steps: list[State]) -> None:
    present, before = State.drafted, State.drafted
    for step in steps:
        if allows(present, step):
            before, present = present, step
    if present is State.held:
        assert before is State.signed_off
    assert not NEXT[State.held] | NEXT[State.cancelled]


@given(st.uuids(), st.uuids(), st.booleans(), st.booleans())
def test_a_named_person_alone_may_sign_where_one_is_named(
    guide: uuid.UUID, who: uuid.UUID, named: bool, of_unit: bool
) -> None:
    relation = {"guide_id": guide, "person_id": who if named else None}
    unit = str(guide) if of_unit else None
    assert names(relation, unit, [who]) is (named or of_unit)
    assert names(relation, unit, []) is (of_unit and not named)
