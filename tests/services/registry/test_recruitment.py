"""Campaigns: windows and deadlines, forms on time, late and missing, and applications open to the public."""

from __future__ import annotations

import json
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.clock import LOCAL, local_day, new_id, now
from services.registry.domain import recruitment_applications
from services.registry.domain.people import Registration
from services.registry.domain.recruitment import (
    NEXT,
    FormDue,
    Receipt,
    Standing,
    State,
    Unit,
    allows,
    counted,
    due_day,
    next_due,
    standings,
    unmet,
)
from services.registry.imports import import_volunteers
from tests.services.registry.service_support import COUNTY, TOWN, a_volunteer
from tests.services.registry.support import Registry, a_row, workbook

CLINIC = {"division": TOWN, "name": "浦西社区卫生服务中心"}
OTHER = {"division": "320706018", "name": "新南示例卫生服务中心"}


def today() -> date:
    return local_day(now())


def a_call(**fields: Any) -> dict[str, Any]:
    return {
        "division": COUNTY,
        "kind": "recruitment",
        "title": "示例区心理健康志愿者招募",
        "opens_on": (today() - timedelta(days=20)).isoformat(),
        "closes_on": (today() + timedelta(days=20)).isoformat(),
        "due_on": (today() + timedelta(days=5)).isoformat(),
        "quota": 2,
        "conditions": {"person_types": [1, 3]},
        "least_age": 18,
        "units": [CLINIC, OTHER],
        **fields,
    }


def an_applicant(number: int = 1, **fields: Any) -> dict[str, Any]:
    return {
        "division": TOWN,
        "name": "张示例",
        "phone": f"000-0000-{number:04d}",
        "birth_date": "1990-05-04",
        "person_types": [3],
        "consent_version": "2026-11",
        **fields,
    }


async def opened(registry: Registry, **fields: Any) -> str:
    ident = new_id()
    async with registry.client(fields.get("division", COUNTY)) as client:
        made = await client.put(f"/v1/recruitments/{ident}", json=a_call(**fields))
        assert made.status_code == 200, made.text
        moved = await client.post(f"/v1/recruitments/{ident}/moves", json={"to": "open"})
        assert moved.json()["state"] == "open"
    return str(ident)


# Deadlines


async def test_the_forms_of_the_plan_are_due_on_31_march_and_30_april(registry: Registry) -> None:
    window = {"opens_on": "2024-03-01", "closes_on": "2024-04-30", "due_on": None}
    async with registry.client(COUNTY) as client:
        call = (await client.put(f"/v1/recruitments/{new_id()}", json=a_call(**window))).json()
        census = (await client.put(f"/v1/recruitments/{new_id()}", json=a_call(kind="census", **window))).json()
    assert (call["form"], call["due_on"]) == ("附件1", "2024-03-31")
    assert (census["form"], census["due_on"]) == ("附件4", "2024-04-30")
    assert call["report_to"] == census["report_to"] == "区疾控中心精神卫生科"


@pytest.mark.parametrize(
    ("month", "from_day", "due"),
    [
        (None, date(2026, 2, 1), date(2026, 2, 28)),
        (None, date(2028, 2, 1), date(2028, 2, 29)),
        (None, date(2026, 3, 30), date(2026, 3, 30)),
        (None, date(2026, 12, 31), date(2027, 1, 30)),
        (3, date(2026, 3, 31), date(2027, 3, 30)),
    ],
)
def test_the_30th_is_the_last_day_of_february(month: int | None, from_day: date, due: date) -> None:
    rule = FormDue(form="附件1", kind="recruitment", month=month, day=30, to="示例科", source="a test's own")
    assert next_due(rule, from_day) == due


@given(st.integers(2000, 2098), st.integers(1, 12), st.integers(1, 31))
@settings(deadline=None)
def test_every_month_has_its_deadline(year: int, month: int, day: int) -> None:
    due = due_day(year, month, day)
    assert (due.year, due.month) == (year, month)
    assert due.day == day or (due.day < day and (due + timedelta(days=1)).day == 1)


# Forms that came


async def test_forms_are_on_time_late_or_missing_and_the_counts_are_told(registry: Registry) -> None:
    ident = await opened(registry)
    path = f"/v1/recruitments/{ident}"
    await import_volunteers(registry.database, registry.keys, workbook(a_row()), TOWN)
    async with registry.client(COUNTY) as client:
        found = (await client.get(f"{path}/progress")).json()
        assert (found["expected"], found["on_time"], found["late"], found["missing"]) == (2, 1, 0, 1)
        assert (found["people"], found["overdue"], found["unexpected"]) == (1, False, 0)
        (missing,) = (await client.get(f"{path}/progress", params={"standing": "missing"})).json()["units"]
        assert (missing["name"], missing["days_left"]) == (OTHER["name"], 5)
        told = await client.post(f"{path}/report")
        assert told.json()["reported"]["on_time"] == 1
        assert (await client.post(f"{path}/report")).json() == told.json()
        received = await client.post(f"{path}/receipts", json={"unit": 1, "day": today().isoformat(), "people": 7})
        assert received.status_code == 200
        await client.post(f"{path}/report")
        twice = await client.post(f"{path}/receipts", json={"unit": 1, "day": today().isoformat(), "people": 8})
        assert twice.status_code == 409
    first, second = await registry.events("campaign_reported")
    assert (first["expected"], first["on_time"], first["late"], first["missing"], first["people"]) == (2, 1, 0, 1, 1)
    assert (second["revision"], second["on_time"], second["missing"], second["people"]) == (2, 2, 0, 8)
    assert "示例" not in json.dumps([first, second], ensure_ascii=False)


async def test_what_comes_after_the_deadline_is_late_and_what_does_not_is_overdue(registry: Registry) -> None:
    yesterday = (today() - timedelta(days=1)).isoformat()
    ident = await opened(registry, due_on=yesterday)
    await import_volunteers(registry.database, registry.keys, workbook(a_row()), TOWN)
    async with registry.client(COUNTY) as client:
        found = (await client.get(f"/v1/recruitments/{ident}/progress")).json()
        assert (found["on_time"], found["late"], found["missing"], found["overdue"]) == (0, 1, 1, True)
        (late,) = (await client.get("/v1/recruitments", params={"overdue": True})).json()["items"]
        assert late["id"] == ident
        assert (await client.get("/v1/recruitments", params={"overdue": False})).json()["items"] == []
        received = await client.post(f"/v1/recruitments/{ident}/receipts", json={"unit": 1, "day": yesterday})
        assert received.status_code == 200
        found = (await client.get(f"/v1/recruitments/{ident}/progress")).json()
        assert (found["on_time"], found["late"], found["missing"], found["overdue"]) == (1, 1, 0, False)


async def test_a_form_of_last_years_campaign_or_of_another_annex_is_not_counted(registry: Registry) -> None:
    await import_volunteers(registry.database, registry.keys, workbook(a_row()), TOWN)
    early = await opened(registry, opens_on=(today() + timedelta(days=1)).isoformat())
    census = await opened(registry, kind="census")
    async with registry.client(COUNTY) as client:
        for ident in (early, census):
            assert (await client.get(f"/v1/recruitments/{ident}/progress")).json()["missing"] == 2


async def test_statistics_flag_the_preferred_groups_and_full_and_part_time_teachers(registry: Registry) -> None:
    call, census = await opened(registry), await opened(registry, kind="census")
    await a_volunteer(registry, 1, person_types=[3])
    await a_volunteer(registry, 2, person_types=[4], post="心理教师")
    await a_volunteer(registry, 3, person_types=[7], employer="示例大学心理学专业")
    await a_volunteer(registry, 4, person_types=[6])
    await a_volunteer(registry, 5, roles=["talent"], qualifications=[4])
    await a_volunteer(registry, 6, roles=["talent"], qualifications=[5])
    async with registry.client(COUNTY) as client:
        found = (await client.get(f"/v1/recruitments/{call}/statistics")).json()
        talent = (await client.get(f"/v1/recruitments/{census}/statistics")).json()
    assert found["people"] == 4
    assert {code: row["people"] for code, row in found["preferred"].items()} == {
        "medical-worker": 1, "psychology-teacher": 1, "psychology-student": 1,
    }  # fmt: skip
    assert (talent["people"], talent["full_time_teachers"], talent["part_time_teachers"]) == (2, 1, 1)


units = st.lists(st.builds(Unit, st.sampled_from(["320706016", "320706018"]), st.sampled_from(["", "甲", "乙"])),
                 max_size=6, unique=True)  # fmt: skip
receipts = st.lists(
    st.builds(
        Receipt,
        st.sampled_from(["320706016", "320706018001", "370812"]),
        st.sampled_from(["", "甲", " 乙", "丙"]),
        st.dates(date(2026, 3, 1), date(2026, 4, 30)),
    ),
    max_size=12,
)


@given(units, receipts)
@settings(deadline=None)
def test_on_time_late_and_missing_add_up_to_the_expected(expected: list[Unit], came: list[Receipt]) -> None:
    due = date(2026, 3, 31)
    found = standings(expected, came, due)
    assert sum(counted(found).values()) == len(expected)
    for standing, first in found:
        assert (standing is Standing.missing) == (first is None)
        assert first is None or (standing is Standing.on_time) == (first <= due)


# Writing campaigns


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"kind": "survey"}, "body.kind"),
        ({"closes_on": "2020-01-01"}, "closes_on"),
        ({"due_on": "2020-01-01"}, "due_on"),
        ({"units": [CLINIC, CLINIC]}, "units"),
        ({"units": [{"division": "370812"}]}, "units"),
        ({"conditions": {"sex": ["male"]}}, "body.conditions.sex"),
        ({"division": "320706999", "units": []}, "division"),
    ],
)
async def test_a_campaign_that_cannot_be_is_refused_by_field(
    registry: Registry, fields: dict[str, Any], field: str
) -> None:
    async with registry.client(COUNTY) as client:
        answer = await client.put(f"/v1/recruitments/{new_id()}", json=a_call(**fields))
    assert (answer.status_code, answer.json()["field"]) == (422, field)


async def test_a_campaign_goes_its_way_and_is_not_changed_once_open(registry: Registry) -> None:
    ident = new_id()
    path = f"/v1/recruitments/{ident}"
    async with registry.client(COUNTY) as client:
        made = await client.put(path, json=a_call())
        assert (await client.put(path, json=a_call())).json() == made.json()
        assert (await client.put(path, json=a_call(quota=3))).json()["quota"] == 3
        assert (await client.post(f"{path}/report")).status_code == 409
        assert (await client.post(f"{path}/moves", json={"to": "closed"})).status_code == 409
        assert (await client.post(f"{path}/moves", json={"to": "open"})).status_code == 200
        assert (await client.put(path, json=a_call(quota=4))).status_code == 409
        assert (await client.post(f"{path}/moves", json={"to": "closed"})).json()["state"] == "closed"
    async with registry.client("370812") as client:
        assert (await client.get(path)).status_code == 404
        assert (await client.get(f"{path}/progress")).status_code == 404
        assert (await client.get(f"{path}/statistics")).status_code == 404
        assert (await client.post(f"{path}/moves", json={"to": "open"})).status_code == 404
        assert (await client.put(path, json=a_call())).status_code == 404
    async with registry.client(COUNTY, "statistician") as client:
        assert (await client.get(path)).status_code == 200
        assert (await client.put(path, json=a_call())).status_code == 403
    states = [event["state"] for event in await registry.events("recruitment_moved")]
    assert states == ["draft", "draft", "open", "closed"]


# Applications


async def test_the_public_applies_and_who_is_taken_becomes_a_volunteer(registry: Registry) -> None:
    ident = await opened(registry)
    path = f"/v1/recruitments/{ident}/applications"
    async with registry.client(TOWN, "volunteer", subject="citizen-1") as client:
        (notice,) = (await client.get("/v1/recruitment-notices")).json()["items"]
        assert (notice["id"], notice["quota"], notice["conditions"]["person_types"]) == (ident, 2, [1, 3])
        made = await client.post(path, json=an_applicant())
        assert (made.status_code, made.json()["state"], made.json()["fits"]) == (201, "received", True)
        assert (await client.post(path, json=an_applicant())).json() == made.json()
        assert (await client.post(path, json=an_applicant(post="主任"))).status_code == 409
        assert (await client.get(path)).status_code == 403
    async with registry.client(COUNTY, subject="registrar-7") as client:
        (row,) = (await client.get(path)).json()["items"]
        assert (row["name"], row["phone"]) == ("张**", "***0001")
        plain = await client.post(f"{path}/{row['id']}/reveal", json={"reason": "核对报名"})
        assert plain.json()["name"] == "张示例"
        decision = {"to": "accepted", "reason": "符合条件"}
        taken = await client.post(f"{path}/{row['id']}/decision", json=decision)
        assert (taken.status_code, taken.json()["state"]) == (200, "accepted")
        assert (await client.post(f"{path}/{row['id']}/decision", json=decision)).json() == taken.json()
        volunteer = (await client.get(f"/v1/volunteers/{taken.json()['volunteer_id']}")).json()
        assert (volunteer["source"], volunteer["person_types"], volunteer["active"]) == ("self-registered", [3], True)
        assert (await client.post(f"{path}/{row['id']}/reveal", json={"reason": "核对报名"})).status_code == 409
        assert (await client.get(f"/v1/recruitments/{ident}")).json()["accepted"] == 1
    async with registry.client(TOWN, "volunteer", subject="citizen-1") as client:
        assert (await client.get(f"{path}/own")).json()["state"] == "accepted"
    states = [event["state"] for event in await registry.events("application_moved")]
    assert states == ["received", "accepted"]
    (consent,) = await registry.events("consent_recorded")
    assert (consent["purpose"], consent["version"], consent["given"]) == ("registration", "2026-11", True)
    (audit,) = await registry.database.find("audit_log", {"action": "application.revealed"})
    assert audit["actor"] == "registrar-7"


async def test_an_application_lies_sealed_and_is_gone_when_refused_or_withdrawn(registry: Registry) -> None:
    ident = await opened(registry)
    path = f"/v1/recruitments/{ident}/applications"
    for number in (1, 2):
        async with registry.client(TOWN, "volunteer", subject=f"citizen-{number}") as client:
            await client.post(path, json=an_applicant(number))
    rows = await registry.database.find("applications", {}, sort=[("_id", 1)])
    stored = b"|".join(str(row).encode() + row["sealed"] for row in rows)
    for personal in ("张示例", "000-0000-0001", "citizen-1"):
        assert personal.encode() not in stored
    async with registry.client(TOWN, "volunteer", subject="citizen-2") as client:
        assert (await client.post(f"{path}/own/withdraw")).json()["state"] == "withdrawn"
    async with registry.client(TOWN, "volunteer", subject="citizen-3") as client:
        assert (await client.post(f"{path}/own/withdraw")).status_code == 404
    async with registry.client(COUNTY) as client:
        decision = {"to": "refused", "reason": "材料不全"}
        refused = await client.post(f"{path}/{rows[0]['_id']}/decision", json=decision)
        assert refused.json()["state"] == "refused"
        shown = (await client.get(path)).json()["items"]
    assert [row["state"] for row in shown] == ["refused", "withdrawn"]
    for row in rows:
        assert await registry.database.get("person_keys", row["_id"]) is None


async def test_applicants_are_filtered_by_the_conditions_of_the_call(registry: Registry) -> None:
    ident = await opened(registry)
    path = f"/v1/recruitments/{ident}/applications"
    wishes = [an_applicant(1), an_applicant(2, person_types=[6]), an_applicant(3, birth_date="2015-01-01")]
    for number, wish in enumerate(wishes):
        async with registry.client(TOWN, "volunteer", subject=f"citizen-{number}") as client:
            await client.post(path, json=wish)
    async with registry.client(COUNTY) as client:
        fit = (await client.get(path, params={"fits": True})).json()["items"]
        unfit = (await client.get(path, params={"fits": False})).json()["items"]
        assert [row["phone"] for row in fit] == ["***0001"]
        assert [row["misses"] for row in unfit] == [["person_types"], ["least_age"]]
        decision = {"to": "accepted", "reason": "破格"}
        refused = await client.post(f"{path}/{unfit[0]['id']}/decision", json=decision)
        assert (refused.status_code, refused.json()["reason"]) == (409, "does_not_fit")


async def test_the_quota_and_the_window_are_kept(registry: Registry) -> None:
    ident = await opened(registry, quota=1)
    path = f"/v1/recruitments/{ident}/applications"
    for number in (1, 2):
        async with registry.client(TOWN, "volunteer", subject=f"citizen-{number}") as client:
            await client.post(path, json=an_applicant(number))
    async with registry.client(COUNTY) as client:
        one, two = (await client.get(path)).json()["items"]
        decision = {"to": "accepted", "reason": "符合条件"}
        assert (await client.post(f"{path}/{one['id']}/decision", json=decision)).status_code == 200
        full = await client.post(f"{path}/{two['id']}/decision", json=decision)
        assert (full.status_code, full.json()["reason"]) == (409, "quota")
        await client.post(f"/v1/recruitments/{ident}/moves", json={"to": "closed"})
    over = await opened(registry, closes_on=(today() - timedelta(days=1)).isoformat())
    async with registry.client(TOWN, "volunteer", subject="citizen-9") as client:
        assert (await client.post(path, json=an_applicant(9))).json()["reason"] == "not_open"
        late = await client.post(f"/v1/recruitments/{over}/applications", json=an_applicant(9))
        assert (late.status_code, late.json()["reason"]) == (409, "outside_window")


async def test_who_may_apply_and_to_what(registry: Registry) -> None:
    ident = await opened(registry)
    path = f"/v1/recruitments/{ident}/applications"
    async with registry.client(COUNTY) as client:
        assert (await client.post(path, json=an_applicant())).status_code == 403
    async with registry.client("370812001", "volunteer") as client:
        assert (await client.post(path, json=an_applicant())).status_code == 404
        assert (await client.get("/v1/recruitment-notices")).json()["items"] == []
    async with registry.client(TOWN, "volunteer") as client:
        for wrong, field in (
            ({"division": "370812001"}, "division"),
            ({"consent_version": "1999"}, "consent_version"),
            ({"phone": "x"}, "phone"),
            ({"tags": ["five-elders"]}, "body.tags"),
            ({"name": "张" * 500}, "body.name"),
        ):
            answer = await client.post(path, json=an_applicant(**wrong))
            assert (answer.status_code, answer.json()["field"]) == (422, field)


async def test_a_known_volunteer_who_applies_is_no_second_person(registry: Registry) -> None:
    known = await a_volunteer(registry, 1)
    ident = await opened(registry)
    path = f"/v1/recruitments/{ident}/applications"
    async with registry.client(TOWN, "volunteer", subject="citizen-1") as client:
        made = (await client.post(path, json=an_applicant(1))).json()
    async with registry.client(COUNTY) as client:
        decision = {"to": "accepted", "reason": "符合条件"}
        taken = await client.post(f"{path}/{made['id']}/decision", json=decision)
        assert taken.json()["volunteer_id"] == known
        assert len((await client.get("/v1/volunteers")).json()["items"]) == 1


def test_one_of_each_list_is_enough_and_an_empty_one_asks_for_nothing() -> None:
    person = Registration("张示例", "000-0000-0001", person_types=(3, 7), trained="no", birth_date="2000-01-01")
    day = date(2026, 1, 1)
    assert unmet(person, {}, None, day) == []
    assert unmet(person, {"person_types": [1, 3], "qualifications": []}, 26, day) == []
    assert unmet(person, {"qualifications": [3], "trained": ["yes"]}, 27, day) == [
        "qualifications", "trained", "least_age",
    ]  # fmt: skip
    assert unmet(Registration("张示例", "000-0000-0001"), {}, 18, day) == ["least_age"]


def test_campaigns_and_applications_move_as_their_tables_say() -> None:
    for state in State:
        assert {following for following in State if allows(state, following)} == NEXT[state]
    for one in recruitment_applications.State:
        following = {other for other in recruitment_applications.State if recruitment_applications.allows(one, other)}
        assert following == recruitment_applications.NEXT[one]


def test_a_day_of_the_window_is_a_local_day() -> None:
    midnight = datetime.combine(date(2026, 3, 31), time(23, 59), LOCAL)
    assert standings([Unit(TOWN, "")], [Receipt(TOWN, "", local_day(midnight))], date(2026, 3, 31))[0] == (
        Standing.on_time,
        date(2026, 3, 31),
    )
