"""The gate: whether a person may do something now, every reason why not, and nobody on duty before the training."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.clock import local_day, now
from services.registry.domain.gate import Facts, Held, Reason, Requirement, Trained, asked_by, unmet
from services.registry.domain.places_labels import OCCUPATIONS
from services.registry.domain.qualifications import KINDS
from services.registry.domain.qualifications_policy import FLOOR, FOR_EVERY_VOLUNTEER, Service
from services.registry.domain.trainings import LEVELS, TOPICS
from services.registry.policy import Policies
from tests.services.registry.places_support import COUNTY, TOWN, organisation, person, place, staffed, villages
from tests.services.registry.support import Registry
from tests.services.registry.trainings_support import course, held_session, insured, pledged, qualified, trained

DAY = "2026-11-22"
POLICIES = Policies.load()
QUALIFICATIONS = POLICIES.qualifications.at(now())
GATE = POLICIES.gate.at(now())
TRAININGS = POLICIES.trainings.at(now())

days = st.sampled_from(["2026-11-01", "2026-11-21", DAY, "2026-11-23", "2027-11-22"])
maybe_day = st.none() | days
holdings = st.builds(
    Held, st.sampled_from(sorted(KINDS)), st.sampled_from(["entered", "verified", "rejected"]), maybe_day, maybe_day
)
trainings = st.builds(
    Trained,
    st.frozensets(st.sampled_from(sorted(TOPICS)), min_size=1, max_size=4),
    st.sampled_from(sorted(LEVELS)),
    st.booleans(),
    days,
    maybe_day,
)
facts = st.builds(
    Facts,
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.lists(holdings, max_size=3).map(tuple),
    st.lists(trainings, max_size=3).map(tuple),
    st.lists(st.tuples(days, days), max_size=2).map(tuple),
    st.none() | st.sampled_from(["hospital", "school"]),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
questions = st.builds(
    asked_by,
    st.none() | st.sampled_from(QUALIFICATIONS.services),
    st.none() | st.sampled_from(GATE.roles),
    st.none() | st.sampled_from(TRAININGS.sites),
    st.booleans(),
    st.just("a law for minors"),
)


def more(known: Facts, other: Facts) -> Facts:
    """All that is fulfilled in either."""
    return Facts(
        known.active or other.active,
        known.minor and other.minor,
        known.pledged or other.pledged,
        known.held + other.held,
        known.trained + other.trained,
        known.covers + other.covers,
        known.organisation_kind or other.organisation_kind,
        known.age_known or other.age_known,
        known.contactable or other.contactable,
        known.word or other.word,
        known.cleared + other.cleared,
    )


def fulfilled(known: Facts, reason: Reason) -> Facts:
    """The same person after having done what the reason names, and nothing else."""
    match reason.code:
        case "inactive":
            return replace(known, active=True)
        case "matching_consent":
            return replace(known, contactable=True)
        case "age_unknown":
            return replace(known, age_known=True, minor=False)
        case "minor_barred":
            return replace(known, minor=False)
        case "pledge_missing":
            return replace(known, pledged=True)
        case "insurance_missing":
            return replace(known, covers=(*known.covers, (DAY, DAY)))
        case "record_check_missing":
            return replace(known, cleared=(*known.cleared, (DAY, DAY)))
        case "place_not_medical":
            return replace(known, organisation_kind=reason.any_of[0])
        case "qualification_missing" | "qualification_unverified" | "qualification_expired":
            return replace(known, held=(*known.held, Held(reason.any_of[0], "verified", DAY, DAY)))
    assert reason.code in ("training_missing", "training_not_passed", "training_expired")
    level = reason.levels[0] if reason.levels else "county"
    return replace(known, trained=(*known.trained, Trained(frozenset(reason.any_of), level, True, DAY, DAY)))


@settings(deadline=None)
@given(questions, facts, facts)
def test_what_is_fulfilled_besides_never_turns_a_yes_into_a_no(
    asked: list[Requirement], known: Facts, other: Facts
) -> None:
    before, after = unmet(asked, known, DAY), unmet(asked, more(known, other), DAY)
    assert len(after) <= len(before)
    if not before:
        assert after == []


@settings(deadline=None)
@given(questions, facts)
def test_each_reason_goes_away_once_it_is_fulfilled_and_all_of_them_make_a_yes(
    asked: list[Requirement], known: Facts
) -> None:
    first = unmet(asked, known, DAY)
    for reason in first:
        after = unmet(asked, fulfilled(known, reason), DAY)
        assert reason not in after
        assert len(after) < len(first)
    for _ in range(len(first)):
        if reasons := unmet(asked, known, DAY):
            known = fulfilled(known, reasons[0])
    assert unmet(asked, known, DAY) == []


@settings(deadline=None)
@given(facts, st.sampled_from(sorted(FLOOR)))
def test_a_counsellor_neither_diagnoses_nor_treats_whatever_else_there_is(known: Facts, code: str) -> None:
    service = QUALIFICATIONS.service(code)
    only = replace(known, held=(Held("counsellor", "verified"),))
    codes = {reason.code for reason in unmet(asked_by(service, None, None, False, ""), only, DAY)}
    assert "qualification_missing" in codes


def test_without_a_qualification_a_volunteer_may_do_three_things_and_no_more() -> None:
    somebody = Facts(active=True, minor=False, organisation_kind="hospital", age_known=True, contactable=True)
    may = {
        one.code for one in QUALIFICATIONS.services if not unmet(asked_by(one, None, None, False, ""), somebody, DAY)
    }
    assert may == FOR_EVERY_VOLUNTEER == {"publicity", "support", "guidance"}


@pytest.mark.parametrize(
    "told",
    [
        {"code": "therapy", "any_of": ["counsellor", "therapist"], "inside": ["hospital"]},
        {"code": "diagnosis", "any_of": ["therapist"], "inside": ["hospital"]},
        {"code": "therapy", "any_of": ["therapist"], "inside": []},
        {"code": "therapy", "any_of": ["therapist"], "inside": ["school"]},
        {"code": "counselling", "any_of": []},
        {"code": "counselling", "any_of": ["magician"]},
    ],
)
def test_a_districts_own_policy_asks_for_more_than_the_law_and_never_for_less(told: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=str(told["code"])):
        Service(**told, label="示例服务", source="a test")


def test_a_qualification_counts_from_its_first_day_to_its_last_and_only_once_verified() -> None:
    asked = [Requirement("qualification", "a test", ("counsellor",))]

    def reason(state: str, first: str | None, last: str | None) -> str | None:
        found = unmet(asked, Facts(held=(Held("counsellor", state, first, last),)), DAY)
        return found[0].code if found else None

    assert reason("verified", DAY, DAY) is None
    assert reason("verified", None, "2026-11-21") == "qualification_expired"
    assert reason("verified", "2026-11-23", None) == "qualification_missing"
    assert reason("entered", None, None) == "qualification_unverified"
    assert reason("rejected", None, None) == "qualification_missing"


# Over HTTP


async def codes(client: httpx.AsyncClient, who: str, **asked: Any) -> list[str]:
    answer = await client.get(f"/v1/people/{who}/may", params=asked)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["may"] is (not told["reasons"])
    return [reason["code"] for reason in told["reasons"]]


async def test_the_registry_says_why_not_until_the_certificate_is_verified_by_another(registry: Registry) -> None:
    async with registry.client(COUNTY) as client, registry.client(COUNTY, subject="registrar-2") as other:
        who = await person(client)
        assert await codes(client, who, service="counselling") == ["qualification_missing"]
        assert await codes(client, who, service="guidance") == []
        ident = await qualified(client, who, "counsellor")
        assert await codes(client, who, service="counselling") == ["qualification_unverified"]
        await other.post(f"/v1/qualifications/{ident}/steps", json={"state": "verified", "reason": "checked"})
        assert await codes(client, who, service="counselling") == []
        assert await codes(client, who, service="counselling", at="2040-01-01T00:00:00+08:00") == [
            "qualification_expired"
        ]
        assert await codes(client, who, service="therapy") == ["qualification_missing", "place_not_medical"]
        told = (await client.get(f"/v1/people/{who}/may", params={"service": "therapy"})).json()
        assert "五十一" in told["reasons"][0]["source"]
        await client.patch(f"/v1/volunteers/{who}", json={"active": False})
        assert await codes(client, who, service="counselling") == ["inactive"]


async def test_therapy_is_for_therapists_inside_medicine(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        who = await person(client)
        await qualified(client, who, "therapist", registry)
        hospital = await organisation(client, "示例医院", "hospital")
        school = await organisation(client, "示例学校", "school")
        ward = await place(client, type="psychology_clinic", tier=None, organisation_id=hospital)
        room = await place(client, type="school_room", tier=None, organisation_id=school)
        assert await codes(client, who, service="therapy", place_id=ward) == []
        assert await codes(client, who, service="therapy", place_id=room) == ["place_not_medical"]


async def test_nobody_is_on_duty_before_the_training_that_the_role_asks_for(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        who = await person(client)
        await client.put("/v1/rosters/line-1", json={"division": COUNTY, "role": "responder"})
        await pledged(client, who)

        async def duty(day: int) -> httpx.Response:
            start = datetime(2026, 12, day, 1, tzinfo=UTC)
            turn = {"starts_at": start.isoformat(), "ends_at": (start + timedelta(hours=4)).isoformat()}
            return await client.post("/v1/rosters/line-1/duties", json={"duties": [{"volunteer_id": who, **turn}]})

        # Where no course was ever offered, the office's word stands for it; without that word nobody answers a line.
        assert (await duty(1)).json()["reason"] == "training_missing"
        await client.patch(f"/v1/volunteers/{who}", json={"trained": "yes"})
        assert (await duty(1)).status_code == 201
        told = (await client.get(f"/v1/people/{who}/may", params={"role": "responder"})).json()
        assert (told["may"], told["not_offered"]) == (True, ["pre_service", "ethics_privacy"])
        one = await course(client, topics=["pre_service"])
        refused = await duty(2)
        assert (refused.status_code, refused.json()["reason"]) == (409, "training_missing")
        assert refused.json()["field"] == "duties.0.volunteer_id"
        assert await codes(client, who, role="responder") == ["training_missing"]
        await trained(client, one, who)
        assert await codes(client, who, role="responder") == []
        assert (await duty(2)).status_code == 201
        two = await course(client, topics=["ethics_privacy"], pass_score=60)
        await trained(client, two, who, score=59)
        assert (await duty(3)).json()["reason"] == "training_not_passed"
        await trained(client, two, who, score=60)
        assert (await duty(3)).status_code == 201


async def test_a_course_elsewhere_asks_nobody_here(registry: Registry) -> None:
    async with registry.client() as client:
        who = await person(client)
        await client.patch(f"/v1/volunteers/{who}", json={"trained": "yes"})
        await course(client, division="320706", topics=["pre_service"])
        assert await codes(client, who, role="responder") == ["pledge_missing"]
        await course(client, division="37", topics=["pre_service"])
        assert await codes(client, who, role="responder") == ["training_missing", "pledge_missing"]


async def test_a_training_that_runs_out_before_the_turn_ends_bars_the_turn(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        who = await person(client)
        await pledged(client, who)
        await client.patch(f"/v1/volunteers/{who}", json={"trained": "yes"})
        one = await course(client, topics=["pre_service"], valid_months=1)
        begun = await trained(client, one, who)
        (last,) = {row["until"] for row in begun["items"]}
        end = datetime.fromisoformat(f"{last}T10:00:00+08:00")
        await client.put("/v1/rosters/line-1", json={"division": COUNTY, "role": "responder"})

        async def duty(starts: datetime, hours: int) -> httpx.Response:
            turn = {"starts_at": starts.isoformat(), "ends_at": (starts + timedelta(hours=hours)).isoformat()}
            return await client.post("/v1/rosters/line-1/duties", json={"duties": [{"volunteer_id": who, **turn}]})

        assert (await duty(end + timedelta(hours=8), 12)).json()["reason"] == "training_expired"
        assert (await duty(end, 4)).status_code == 201


async def test_a_minor_is_no_responder_and_may_do_publicity(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        born = local_day(now()).replace(day=1).replace(year=now().year - 16)
        body = {
            "division": TOWN,
            "name": "李示例",
            "phone": "000-0000-0002",
            "person_types": [7],
            "birth_date": str(born),
        }
        who = (await client.post("/v1/volunteers", json=body)).json()["id"]
        consent = {
            "state": "given",
            "version": "2026-11",
            "on": "2026-03-02",
            "guardian": {"name": "王示例", "phone": "000-0000-0003", "relation": "母亲"},
        }
        assert (await client.put(f"/v1/volunteers/{who}/consents/guardian", json=consent)).status_code == 200
        await pledged(client, who)
        await client.patch(f"/v1/volunteers/{who}", json={"trained": "yes"})
        assert await codes(client, who, role="responder") == ["minor_barred"]
        assert await codes(client, who, service="publicity") == []
        grown = f"{now().year + 3}-12-31T00:00:00+08:00"
        assert await codes(client, who, role="responder", at=grown) == []
        await client.put("/v1/rosters/line-1", json={"division": COUNTY, "role": "responder"})
        turn = {"starts_at": "2026-12-01T01:00:00Z", "ends_at": "2026-12-01T05:00:00Z"}
        refused = await client.post("/v1/rosters/line-1/duties", json={"duties": [{"volunteer_id": who, **turn}]})
        assert (refused.status_code, refused.json()["reason"]) == (409, "minor_barred")


async def test_peers_take_their_role_after_the_peer_training(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        who = await person(client)
        for role in ("class-psychology-delegate", "dormitory-head"):
            assert await codes(client, who, role=role) == ["training_missing"]
        one = await course(client, level="unit", audiences=["peers"], topics=["peer_support", "new_students"])
        await trained(client, one, who)
        for role in ("class-psychology-delegate", "dormitory-head"):
            assert await codes(client, who, role=role) == []


async def test_a_crisis_team_needs_an_insurance_that_holds_on_the_day(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        who = await person(client)
        one = await course(client, topics=["pre_service", "ethics_privacy"])
        await trained(client, one, who)
        await pledged(client, who)
        assert await codes(client, who, role="crisis-team") == ["qualification_missing", "insurance_missing"]
        await qualified(client, who, "social_worker", registry)
        assert await codes(client, who, role="crisis-team") == ["insurance_missing"]
        await insured(client, who, "2026-01-01", "2027-12-31")
        assert await codes(client, who, role="crisis-team") == []
        assert await codes(client, who, role="crisis-team", at="2028-01-01T00:00:00+08:00") == ["insurance_missing"]


async def test_what_was_told_of_an_entry_counts_for_the_one_that_it_was_merged_into(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        stays, goes = await person(client), await person(client, 2)
        await qualified(client, goes, "counsellor", registry)
        merged = await client.post(f"/v1/volunteers/{stays}/merge", json={"other": goes, "reason": "同一人"})
        assert merged.status_code in (200, 201), merged.text
        assert await codes(client, stays, service="counselling") == []
        assert await codes(client, goes, service="counselling") == []


async def test_staff_suit_their_posts_and_the_level_of_the_care_point(registry: Registry) -> None:
    await villages(registry)
    assert "psychology_teacher" in OCCUPATIONS
    async with registry.client(COUNTY) as client:
        school = await organisation(client, "示例学校", "school")
        room = await place(client, type="school_room", tier=None, organisation_id=school)
        teacher, clerk = await person(client), await person(client, 2)
        await staffed(client, room, teacher, occupation="psychology_teacher")
        await staffed(client, room, clerk, occupation="administrator")

        async def fits(where: str) -> dict[str, list[str]]:
            told = (await client.get(f"/v1/places/{where}/post-match")).json()
            assert told["fitting"] == sum(item["fits"] for item in told["items"])
            return {item["person_id"]: [reason["code"] for reason in item["reasons"]] for item in told["items"]}

        assert await fits(room) == {teacher: ["qualification_missing"], clerk: []}
        await qualified(client, teacher, "teacher_mental_health", registry)
        assert await fits(room) == {teacher: [], clerk: []}
        point = await place(client, type="care_point", division="370812001001", tier="village")
        await staffed(client, point, clerk, occupation="grid_worker")
        assert await fits(point) == {clerk: ["training_missing"]}
        city = await course(client, division="3708", level="city", topics=["elderly_care"], pass_score=60, by=registry)
        await trained(client, city, clerk, score=10)
        assert await fits(point) == {clerk: []}, "attending is enough for a care point of the district"
        row = await registry.database.get("places", uuid.UUID(point))
        assert row is not None

        async def named(tx: Any) -> None:
            tx.put("places", {**row, "care_level": "nation"})

        await registry.database.transact(named)
        assert await fits(point) == {clerk: ["training_missing"]}, "a national one wants the nation's training"
        nation = await course(
            client, division="37", level="nation", topics=["elderly_care"], pass_score=60, by=registry
        )
        await trained(client, nation, clerk, score=10)
        assert await fits(point) == {clerk: ["training_not_passed"]}
        await trained(client, nation, clerk, score=80)
        assert await fits(point) == {clerk: []}
        assert await codes(client, clerk, place_id=point) == []


async def test_the_gate_answers_those_of_its_division_and_refuses_what_it_does_not_know(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        who = await person(client)
        path = f"/v1/people/{who}/may"
        for asked, field in (
            ({"service": "magic"}, "service"),
            ({}, "service"),
            ({"role": "No Such"}, "query.role"),
            ({"role": "responder", "at": "2026-01-01T00:00:00"}, "query.at"),
        ):
            answer = await client.get(path, params=asked)
            assert (answer.status_code, answer.json()["field"]) == (422, field)
        assert (await client.get(f"/v1/people/{uuid.uuid4()}/may", params={"role": "responder"})).status_code == 404
        lost = {"role": "responder", "place_id": str(uuid.uuid4())}
        assert (await client.get(path, params=lost)).status_code == 404
        room = await place(client)
        assert (await client.get(f"/v1/places/{room}/post-match")).json()["items"] == []
    async with registry.client("320706") as client:
        assert (await client.get(path, params={"role": "responder"})).status_code == 404
        assert (await client.get(f"/v1/places/{room}/post-match")).status_code == 404
    async with registry.client(COUNTY, "statistician") as client:
        assert (await client.get(path, params={"role": "responder"})).status_code == 403
        assert (await client.get(f"/v1/places/{room}/post-match")).status_code == 403


async def test_a_session_that_was_only_planned_trains_nobody(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        who = await person(client)
        one = await course(client, topics=["peer_support"])
        session = await held_session(client, one, held=False)
        body = {"items": [{"person_id": who, "attended": True}]}
        answer = await client.put(f"/v1/training-sessions/{session}/attendances", json=body)
        assert (answer.status_code, answer.json()["reason"]) == (409, "not_held")
        assert await codes(client, who, role="dormitory-head") == ["training_missing"]
