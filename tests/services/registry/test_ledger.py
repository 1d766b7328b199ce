"""The work-task ledger: who answers for what by when, what is claimed and what is reckoned, and who has looked."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.clock import local_day, now
from services.registry.api.staffing import school_year
from services.registry.domain.ledger import (
    BY_ANOTHER,
    NEXT,
    EvidenceKind,
    Figure,
    State,
    allows,
    apart,
    lacks,
    teachers,
    wrong_evidence,
)
from services.registry.policy import Policies
from tests.services.registry.places_support import COUNTY, TOWN, organisation, person, place, staffed
from tests.services.registry.support import Registry
from tests.services.registry.trainings_support import course, qualified, trained

YEAR = local_day(now()).year
LEDGER = f"/v1/ledgers/{COUNTY}/{YEAR}"
TITLES = {
    "task-1": "全面推进学校心理辅导室标准化建设",
    "task-2": "加强州、县市未成年人心理健康辅导中心建设",
    "task-6": "完善心理健康教育教师队伍配备与激励机制",
}


async def begun(client: httpx.AsyncClient, path: str = LEDGER) -> None:
    answer = await client.post(path)
    assert answer.status_code == 200, answer.text


def a_plan(owner: str, **fields: Any) -> dict[str, Any]:
    return {"owner_id": owner, "due_on": f"{YEAR}-12-31", **fields}


async def put(client: httpx.AsyncClient, path: str, body: dict[str, Any], status: int = 200) -> dict[str, Any]:
    answer = await client.put(path, json=body)
    assert answer.status_code == status, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def post(client: httpx.AsyncClient, path: str, body: dict[str, Any], status: int = 200) -> dict[str, Any]:
    answer = await client.post(path, json=body)
    assert answer.status_code == status, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def move(client: httpx.AsyncClient, code: str, state: str, status: int = 200) -> dict[str, Any]:
    return await post(client, f"{LEDGER}/{code}/move", {"state": state, "reason": "示例原因"}, status)


async def reckoned(client: httpx.AsyncClient, code: str, path: str = LEDGER) -> tuple[int, int, bool | None]:
    told = (await client.get(f"{path}/{code}")).json()["reckoned"]
    return told["reached"], told["of"], told["met"]


async def school_room(client: httpx.AsyncClient, school: str, *, opened: bool = True, **fields: Any) -> str:
    rooms = [{"kind": "counselling"}]
    return await place(client, opened=opened, type="school_room", organisation_id=school, rooms=rooms, **fields)


def a_document(**fields: Any) -> dict[str, Any]:
    return {"kind": "document", "title": "示例工作总结", "sha256": "ab" * 32, **fields}


async def evidence(client: httpx.AsyncClient, code: str, **fields: Any) -> str:
    ident = str(uuid.uuid4())
    await put(client, f"{LEDGER}/{code}/evidence/{ident}", fields or a_document(), 201)
    return ident


async def in_progress(client: httpx.AsyncClient, code: str = "task-1") -> str:
    """A row in progress; the id of the unit that answers for it."""
    owner = await organisation(client, "示例教育主管部门", "government")
    await begun(client)
    await put(client, f"{LEDGER}/{code}", a_plan(owner))
    await move(client, code, "in_progress")
    return owner


# The rules


def test_nothing_is_verified_that_was_not_said_to_be_done_and_a_verified_row_rests() -> None:
    assert [state for state in State if allows(state, State.verified)] == [State.done]
    assert NEXT[State.verified] == frozenset()
    assert NEXT[State.done] == BY_ANOTHER


@given(st.integers(0, 500), st.integers(0, 500), st.integers(1, 100))
def test_a_figure_says_a_hundred_only_where_it_is_every_one(reached: int, of: int, target: int) -> None:
    figure = Figure(min(reached, of), of)
    if not of:
        assert (figure.percent, figure.meets(target)) == (None, None)
        return
    assert (figure.percent == 100) == (figure.reached == of)
    assert figure.meets(target) == (figure.reached / of >= target / 100 or figure.reached * 100 >= target * of)


@given(st.lists(st.tuples(st.none() | st.integers(1, 9), st.integers(0, 9)), max_size=12))
def test_a_surplus_of_teachers_fills_no_other_schools_gap(needs: list[tuple[int | None, int]]) -> None:
    figure = teachers(needs)
    complete = all(required is not None and there >= required for required, there in needs)
    assert figure.meets(100) is (complete if needs else None)
    assert figure.unknown == sum(required is None for required, _ in needs)


def test_what_lies_between_a_claim_and_the_reckoning_is_told_in_points() -> None:
    assert apart(Figure(90, 100), Figure(1, 2)) == 40.0
    assert apart(Figure(1, 4), Figure(1, 2)) == -25.0
    assert apart(Figure(1, 1), Figure(0, 0)) is None


@pytest.mark.parametrize("kind", list(EvidenceKind))
def test_evidence_is_a_thing_of_the_register_or_a_documents_hash(kind: EvidenceKind) -> None:
    document = kind is EvidenceKind.document
    assert wrong_evidence(kind, reference=not document, sha256=document) is None
    assert wrong_evidence(kind, reference=document, sha256=not document) is not None


@pytest.mark.parametrize("meets", [False, None])
@pytest.mark.parametrize("to", [State.done, State.verified])
def test_no_evidence_makes_up_for_a_figure_below_its_target(to: State, meets: bool | None) -> None:
    assert lacks(to, owner=True, evidence={True: 9}, meets=True) is None
    told = lacks(to, owner=True, evidence={True: 9}, meets=meets)
    assert told is not None
    assert told[0] == "below_target"


# The ledger


async def test_a_ledger_begins_with_the_tasks_of_the_plan_and_again_changes_nothing(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        first = (await client.post(LEDGER)).json()
        assert (first["added"], first["policy"]) == (["task-1", "task-2", "task-6"], "2026-11")
        assert (await client.post(LEDGER)).json()["added"] == []
        told = (await client.get(LEDGER)).json()
        assert {item["code"]: item["title"] for item in told["items"]} == TITLES
        assert {(item["state"], item["due_on"]) for item in told["items"]} == {("open", f"{YEAR}-12-31")}
        assert (await client.post(f"/v1/ledgers/{TOWN}/{YEAR}")).json()["field"] == "division"
        assert (await client.post(f"/v1/ledgers/{COUNTY}01/{YEAR}")).status_code == 422
        assert (await client.get(f"{LEDGER}/task-7")).status_code == 404
    events = await registry.events("ledger_item_moved")
    assert [(event["task"], event["revision"], event["state"]) for event in events] == [
        (1, 1, "open"),
        (2, 1, "open"),
        (6, 1, "open"),
    ]


async def test_each_task_has_owner_measure_evidence_and_due_date_and_a_late_one_is_overdue(registry: Registry) -> None:
    yesterday = str(local_day(now()) - timedelta(days=1))
    last_year = local_day(now()) - timedelta(days=1)
    path = f"/v1/ledgers/{COUNTY}/{last_year.year}"
    async with registry.client(COUNTY) as client:
        owner = await organisation(client, "示例教育主管部门", "government")
        await begun(client, path)
        for code in TITLES:
            told = await put(client, f"{path}/{code}", a_plan(owner, due_on=yesterday, how="逐校验收"))
            assert (told["owner_id"], told["how"], told["due_on"], told["overdue"]) == (
                owner,
                "逐校验收",
                yesterday,
                True,
            )
            assert told["reckoned"]["measure"] == told["measure"]
        same = await put(client, f"{path}/task-1", a_plan(owner, due_on=yesterday, how="逐校验收"))
        assert same["revision"] == 2
        late = (await client.get("/v1/ledgers", params={"overdue": True})).json()["items"]
        assert {item["code"] for item in late} == set(TITLES)
        assert (await client.get("/v1/ledgers", params={"overdue": False})).json()["items"] == []
        for fields, field in (
            ({"owner_id": str(uuid.uuid4())}, "owner_id"),
            ({"due_on": f"{last_year.year + 2}-01-01"}, "due_on"),
            ({"target": 101}, "body.target"),
            ({"owner": "x"}, "body.owner"),
        ):
            answer = await client.put(f"{path}/task-1", json={**a_plan(owner, due_on=yesterday), **fields})
            assert (answer.status_code, answer.json()["field"]) == (422, field)
        # Put off, a row is not overdue any more, and the audit log says who put it off.
        today = str(local_day(now()))
        assert (await put(client, f"{path}/task-1", a_plan(owner, due_on=today, target=60)))["overdue"] is False
        left = (await client.get("/v1/ledgers", params={"overdue": True})).json()["items"]
        assert {item["code"] for item in left} == {"task-2", "task-6"}
    entries = await registry.database.find("audit_log", {"action": {"$regex": "^ledger"}}, sort=[("_id", 1)])
    assert [entry["action"] for entry in entries] == ["ledger.due_moved", "ledger.target_lowered"]
    assert entries[1]["details"] == {"planned": 100, "to": 60}


async def test_rows_come_by_their_due_day_page_by_page(registry: Registry) -> None:
    async with registry.client("3708") as client:
        owner = await organisation(client, "示例教育主管部门", "government", "3708")
        for path in (LEDGER, f"/v1/ledgers/3708/{YEAR}"):
            await begun(client, path)
        await put(client, f"{LEDGER}/task-6", a_plan(owner, due_on=f"{YEAR}-01-31"))
        seen: list[str] = []
        after: str | None = None
        while True:
            params: dict[str, Any] = {"limit": 2, **({"after": after} if after else {})}
            page = (await client.get("/v1/ledgers", params=params)).json()
            seen += [f"{item['division']} {item['code']}" for item in page["items"]]
            after = page["next"]
            if after is None:
                break
        counties, prefectures = [f"{COUNTY} {code}" for code in TITLES], [f"3708 {code}" for code in TITLES]
        assert seen == [counties[2], *counties[:2], *prefectures]
        mine = (await client.get("/v1/ledgers", params={"owner_id": owner})).json()["items"]
        assert [item["code"] for item in mine] == ["task-6"]
        assert (await client.get("/v1/ledgers", params={"after": "sometime"})).json()["field"] == "query.after"


# R365: rooms of schools


async def test_the_share_of_schools_with_a_room_that_meets_the_standard_is_reckoned(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        await begun(client)
        assert await reckoned(client, "task-1") == (0, 0, None)
        one, two = [await organisation(client, f"示例第{number}小学", "school") for number in "一二"]
        await organisation(client, "示例医院", "hospital")
        assert await reckoned(client, "task-1") == (0, 2, False)
        await school_room(client, one, opened=False)
        await place(client, opened=True, type="school_room", organisation_id=one)
        assert await reckoned(client, "task-1") == (0, 2, False)
        await school_room(client, one)
        await school_room(client, one)
        assert await reckoned(client, "task-1") == (1, 2, False)
        ident = await school_room(client, two)
        assert await reckoned(client, "task-1") == (2, 2, True)
        await client.post(f"/v1/places/{ident}/status", json={"status": "suspended", "reason": "示例"})
        assert await reckoned(client, "task-1") == (1, 2, False)
        told = (await client.get(f"{LEDGER}/task-1")).json()["reckoned"]
        assert (told["percent"], told["standard"], told["label"]) == (50.0, "school_room", "心理辅导室达标学校")


# R366: centres for minors


async def test_a_prefecture_and_each_of_its_counties_have_a_centre_for_minors_that_passes(registry: Registry) -> None:
    prefecture = f"/v1/ledgers/3708/{YEAR}"
    passing = {
        "type": "minor_centre",
        "tier": "county",
        "division": COUNTY,
        "rooms": [{"kind": "reception"}, {"kind": "counselling"}],
        "functions": ["guidance", "referral"],
    }
    async with registry.client("3708") as client:
        await begun(client)
        await begun(client, prefecture)
        assert await reckoned(client, "task-2") == (0, 1, False)
        assert await reckoned(client, "task-2", prefecture) == (0, 2, False)
        ident, who = await place(client, opened=True, **passing), await person(client)
        assert await reckoned(client, "task-2") == (0, 1, False)
        await staffed(client, ident, who, certificate=True)
        assert await reckoned(client, "task-2") == (0, 1, False)  # nobody checked the certificate
        await qualified(client, who, "counsellor", registry)
        assert await reckoned(client, "task-2") == (1, 1, True)
        assert await reckoned(client, "task-2", prefecture) == (1, 2, False)
        # The prefecture's own centre stands in a county, under a host of the prefecture.
        host = await organisation(client, "示例州级机构", "government", "3708")
        own = await place(client, opened=True, **{**passing, "organisation_id": host, "name": "示例州级中心"})
        await staffed(client, own, who, certificate=True)
        assert await reckoned(client, "task-2", prefecture) == (2, 2, True)
        await client.patch(f"/v1/volunteers/{who}", json={"active": False})
        assert await reckoned(client, "task-2", prefecture) == (0, 2, False)


# R370: full-time teachers


async def test_full_time_teachers_are_counted_by_person_against_the_ratio(registry: Registry) -> None:
    year = school_year(Policies.load().staffing.at(now()))
    async with registry.client(COUNTY) as client:
        await begun(client)
        school, small = [await organisation(client, f"示例第{number}小学", "school") for number in "一二"]
        assert await reckoned(client, "task-6") == (0, 2, False)
        room = await school_room(client, school)
        people = [await person(client, number) for number in range(1, 4)]
        await staffed(client, room, people[0], occupation="psychology_teacher")
        # What a school tells of its teachers is a claim: without the people it reaches nothing.
        await put(client, f"/v1/schools/{school}/enrolments/{year}", {"students": 1800, "teachers": 2})
        assert await reckoned(client, "task-6") == (1, 3, False)
        await staffed(client, room, people[1], occupation="psychology_teacher", full_time=False)
        assert await reckoned(client, "task-6") == (1, 3, False)
        await staffed(client, room, people[1], occupation="psychology_teacher")
        await put(client, f"/v1/schools/{small}/enrolments/{year - 1}", {"students": 300, "teachers": 1})
        assert await reckoned(client, "task-6") == (2, 3, False)
        await staffed(client, room, people[2], occupation="psychology_teacher")  # one more than needed, of no use here
        assert await reckoned(client, "task-6") == (2, 3, False)
        await staffed(client, await school_room(client, small), people[2], occupation="psychology_teacher")
        assert await reckoned(client, "task-6") == (3, 3, True)
        merged = await client.post(f"/v1/volunteers/{people[0]}/merge", json={"other": people[2], "reason": "同一人"})
        assert merged.status_code == 200, merged.text
        assert await reckoned(client, "task-6") == (3, 3, True)
        told = await client.post(f"/v1/volunteers/{people[1]}/erase", json={"reason": "本人要求"})
        assert told.status_code == 200
        assert await reckoned(client, "task-6") == (2, 3, False)


# Claims, evidence, states


async def test_an_owner_cannot_merely_claim_that_a_task_is_done(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        schools = [await organisation(client, f"示例第{number}小学", "school") for number in "一二"]
        room = await school_room(client, schools[0])
        await in_progress(client)
        today = str(local_day(now()))
        told = await put(client, f"{LEDGER}/task-1/claim", {"reached": 2, "of": 2, "as_of": today})
        assert (told["claim"]["percent"], told["reckoned"]["percent"]) == (100.0, 50.0)
        assert told["claim"]["above_reckoned"] == 50.0
        assert (await put(client, f"{LEDGER}/task-1/claim", {"reached": 2, "of": 2, "as_of": today}))["revision"] == 4
        assert (await move(client, "task-1", "done", 409))["reason"] == "no_evidence"
        await evidence(client, "task-1", kind="place", title="示例辅导室", reference=room)
        refused = await move(client, "task-1", "done", 409)
        assert (refused["reason"], refused["field"]) == ("below_target", "state")
        assert "1/2" in refused["detail"]
        await school_room(client, schools[1])
        done = await move(client, "task-1", "done")
        assert (done["state"], done["settled"]["reached"], done["settled"]["of"]) == ("done", 2, 2)
        for body, field in (
            ({"reached": 3, "of": 2, "as_of": today}, "reached"),
            ({"reached": 1, "of": 2, "as_of": str(local_day(now()) + timedelta(days=1))}, "as_of"),
            ({"reached": 1, "of": 0, "as_of": today}, "body.of"),
            ({"reached": 1, "of": 2}, "body.as_of"),
        ):
            answer = await client.put(f"{LEDGER}/task-1/claim", json=body)
            assert (answer.status_code, answer.json()["field"]) == (422, field)
        # What waits to be verified stays as it will be read.
        late = await put(client, f"{LEDGER}/task-1/claim", {"reached": 1, "of": 2, "as_of": today}, 409)
        assert late["reason"] == "state"


async def test_evidence_is_looked_at_by_another_person_before_a_task_is_verified(registry: Registry) -> None:
    async with registry.client(COUNTY) as client, registry.client(COUNTY, "supervisor", subject="verifier") as other:
        school = await organisation(client, "示例第一小学", "school")
        await school_room(client, school)
        assert (await client.post(LEDGER)).status_code == 200
        await in_progress(client)
        one, two = await evidence(client, "task-1"), await evidence(client, "task-1")
        assert (await put(client, f"{LEDGER}/task-1/evidence/{one}", a_document()))["id"] == one
        await put(client, f"{LEDGER}/task-1/evidence/{one}", a_document(title="另一份"), 409)
        await put(client, f"{LEDGER}/task-2/evidence/{one}", a_document(), 409)
        await move(client, "task-1", "done")
        assert (await move(client, "task-1", "verified", 403))["reason"] == "own_item"
        assert (await move(other, "task-1", "verified", 409))["reason"] == "evidence_unchecked"
        seen = {"holds": True, "reason": "document_seen"}
        path = f"{LEDGER}/task-1/evidence/{{}}/check"
        assert (await post(client, path.format(one), seen, 403))["reason"] == "own_evidence"
        await post(other, path.format(one), {"holds": False, "reason": "not_the_task"})
        await post(other, path.format(two), {"holds": False, "reason": "not_found"})
        assert (await move(other, "task-1", "verified", 409))["reason"] == "no_evidence"
        checked = await post(other, path.format(two), seen)
        assert (checked["checked"]["by"], checked["checked"]["holds"]) == ("verifier", True)
        assert (await post(other, path.format(two), {"holds": True, "reason": "not_found"}, 422))["field"] == "reason"
        await post(other, path.format(uuid.uuid4()), seen, 404)
        listed = (await other.get(f"{LEDGER}/task-1/evidence")).json()["items"]
        assert {row["id"]: row["checked"]["holds"] for row in listed} == {one: False, two: True}
        told = await move(other, "task-1", "verified")
        assert (told["state_label"], told["verified"], told["overdue"]) == ("已核实销号", True, False)
        assert told["evidence"] == {"holds": 1, "fails": 1, "unchecked": 0}
        assert (await move(other, "task-1", "in_progress", 409))["reason"] == "bad_step"
        assert (await move(other, "task-1", "verified"))["revision"] == told["revision"]
        await put(client, f"{LEDGER}/task-1/evidence/{uuid.uuid4()}", a_document(), 409)
        await post(other, path.format(two), {"holds": False, "reason": "not_found"}, 409)
        history = (await client.get(f"{LEDGER}/task-1")).json()["history"]
        assert [entry["kind"] for entry in history][-3:] == ["checked", "checked", "moved"]
    last = (await registry.events("ledger_item_moved"))[-1]
    assert (last["state"], last["evidence"], last["evidence_holding"], last["reckoned"]) == ("verified", 2, 1, 1)
    entries = await registry.database.find("audit_log", {"action": "ledger.moved"}, sort=[("_id", 1)])
    assert [(entry["actor"], entry["reason"]) for entry in entries][-1] == ("verifier", "verified")


async def test_what_fell_below_its_target_is_not_verified_and_goes_back(registry: Registry) -> None:
    async with registry.client(COUNTY) as client, registry.client(COUNTY, "registrar", subject="verifier") as other:
        school = await organisation(client, "示例第一小学", "school")
        room = await school_room(client, school)
        await in_progress(client)
        piece = await evidence(client, "task-1", kind="place", title="示例辅导室", reference=room)
        await post(other, f"{LEDGER}/task-1/evidence/{piece}/check", {"holds": True, "reason": "seen_on_site"})
        await move(client, "task-1", "done")
        await client.post(f"/v1/places/{room}/status", json={"status": "suspended", "reason": "示例"})
        assert (await move(other, "task-1", "verified", 409))["reason"] == "below_target"
        assert (await move(client, "task-1", "returned", 403))["reason"] == "own_item"
        assert (await move(other, "task-1", "returned"))["state_label"] == "退回整改"
        again = await move(client, "task-1", "in_progress")
        assert (again["settled"], again["done_by"]) == (None, None)


async def test_evidence_refers_to_what_is_there_and_shows_something(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        school = await organisation(client, "示例第一小学", "school")
        await in_progress(client)
        planned, opened = await school_room(client, school, opened=False), await school_room(client, school)
        failing = await place(client, type="school_room", rooms=[])
        checks = {}
        for ident in (opened, failing):
            checks[ident] = str(uuid.uuid4())
            body = {"id": checks[ident], "standard": "school_room"}
            assert (await client.post(f"/v1/places/{ident}/checks", json=body)).status_code == 201
        path = f"{LEDGER}/task-1/evidence"
        for fields, field in (
            ({"kind": "place", "reference": planned}, "reference"),
            ({"kind": "place", "reference": str(uuid.uuid4())}, "reference"),
            ({"kind": "place_check", "reference": opened}, "reference"),
            ({"kind": "place_check", "reference": checks[failing]}, "reference"),
            ({"kind": "place"}, "reference"),
            ({"kind": "place", "reference": opened, "sha256": "ab" * 32}, "sha256"),
            ({"kind": "document"}, "sha256"),
            ({"kind": "rumour"}, "body.kind"),
        ):
            answer = await client.put(f"{path}/{uuid.uuid4()}", json={"title": "示例", **fields})
            assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text
        await evidence(client, "task-1", kind="place_check", title="示例验收", reference=checks[opened])
    async with registry.client() as everywhere:
        elsewhere = await place(everywhere, opened=True, division="320706016")
        body = {"kind": "place", "title": "示例", "reference": elsewhere}
        answer = await everywhere.put(f"{path}/{uuid.uuid4()}", json=body)
        assert (answer.status_code, answer.json()["field"]) == (422, "reference")


async def test_a_row_needs_an_owner_before_it_begins(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        await begun(client)
        assert (await move(client, "task-6", "in_progress", 409))["reason"] == "no_owner"
        assert (await move(client, "task-6", "done", 409))["reason"] == "bad_step"
        assert (await post(client, f"{LEDGER}/task-6/move", {"state": "gone", "reason": "示例"}, 422))["field"] == (
            "body.state"
        )


async def test_the_training_of_all_teachers_is_shown_from_the_training_plans_and_not_kept_twice(
    registry: Registry,
) -> None:
    today = str(local_day(now()))
    async with registry.client(COUNTY) as client:
        await begun(client)
        body = {"division": TOWN, "name": "张示例", "phone": "000-0000-0001", "person_types": [4]}
        teacher = (await client.post("/v1/volunteers", json=body)).json()["id"]
        plan = {"division": COUNTY, "task": "示例培训", "owner_id": teacher, "measure": "teachers", "due_on": today}
        await put(client, f"/v1/training-plans/{uuid.uuid4()}", plan, 201)
        (linked,) = (await client.get(LEDGER)).json()["linked"]
        assert (linked["number"], linked["title"]) == (7, "开展教师心理健康教育资格全员培训")
        assert [one["status"] for one in linked["plans"]] == ["open"]
        await trained(client, await course(client, topics=["school_mental_health"]), teacher)
        (linked,) = (await client.get(LEDGER)).json()["linked"]
        assert ([one["status"] for one in linked["plans"]], linked["reckoned"]["met"]) == (["done"], True)


async def test_a_ledger_is_of_its_division_and_readers_do_not_write(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        owner = await in_progress(client)
        ident = await evidence(client, "task-1")
    tries: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", LEDGER, {}),
        ("PUT", f"{LEDGER}/task-1", a_plan(owner)),
        ("PUT", f"{LEDGER}/task-1/claim", {"reached": 1, "of": 2, "as_of": f"{YEAR}-01-01"}),
        ("PUT", f"{LEDGER}/task-1/evidence/{uuid.uuid4()}", a_document()),
        ("POST", f"{LEDGER}/task-1/evidence/{ident}/check", {"holds": True, "reason": "document_seen"}),
        ("POST", f"{LEDGER}/task-1/move", {"state": "done", "reason": "示例"}),
    ]
    reads = ["", "/task-1", "/task-1/evidence"]
    async with registry.client("320706") as outside, registry.client(COUNTY, "statistician") as reader:
        for method, path, body in tries:
            assert (await outside.request(method, path, json=body)).status_code == 404, path
            assert (await reader.request(method, path, json=body)).status_code == 403, path
        for tail in reads:
            assert (await outside.get(f"{LEDGER}{tail}")).status_code == 404
            assert (await reader.get(f"{LEDGER}{tail}")).status_code == 200
        assert (await outside.get("/v1/ledgers")).json()["items"] == []
        assert (await outside.get("/v1/ledgers", params={"division": COUNTY})).status_code == 404
        assert len((await reader.get("/v1/ledgers")).json()["items"]) == 3
    async with registry.client(COUNTY, "auditor") as stranger:
        assert (await stranger.get(LEDGER)).status_code == 403
