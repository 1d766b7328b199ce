"""Applications of people who are known, campaigns that end, units that hand in again, and districts that import."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import httpx
import pytest

from chassis.clock import local_day, new_id, now
from services.registry.domain.recruitment import Receipt, latest
from services.registry.imports import import_volunteers
from services.registry.store import recruitment as kept
from tests.services.registry.service_support import COUNTY, TOWN, a_volunteer
from tests.services.registry.support import Registry, a_row, workbook
from tests.services.registry.test_recruitment import CLINIC, OTHER, a_call, an_applicant, opened, today

WHY = {"reason": "核对登记"}
TAKEN = {"to": "accepted", "reason": "符合条件"}


async def applied(registry: Registry, call: str, wish: dict[str, Any], who: str = "citizen-1") -> httpx.Response:
    async with registry.client(wish["division"], "volunteer", subject=who) as client:
        return await client.post(f"/v1/recruitments/{call}/applications", json=wish)


async def decided(registry: Registry, call: str, application: str, **more: Any) -> httpx.Response:
    async with registry.client(COUNTY) as client:
        path = f"/v1/recruitments/{call}/applications/{application}/decision"
        return await client.post(path, json={**TAKEN, **more})


async def listed(registry: Registry, call: str, division: str = COUNTY) -> list[dict[str, Any]]:
    async with registry.client(division) as client:
        rows: list[dict[str, Any]] = (await client.get(f"/v1/recruitments/{call}/applications")).json()["items"]
    return rows


async def entry(registry: Registry, volunteer: str) -> dict[str, Any]:
    async with registry.client(COUNTY) as client:
        shown = (await client.get(f"/v1/volunteers/{volunteer}")).json()
        plain = (await client.post(f"/v1/volunteers/{volunteer}/reveal", json=WHY)).json()
    return {**plain, **{name: shown[name] for name in ("active", "person_types", "qualifications", "roles", "source")}}


# Who is known


async def test_a_stranger_who_applies_under_a_known_name_changes_nothing_that_is_known(registry: Registry) -> None:
    fields: dict[str, Any] = {
        "birth_date": "1980-01-01",
        "employer": "原单位",
        "person_types": [1],
        "qualifications": [3],
    }
    volunteer = await a_volunteer(registry, 1, source="organised", **fields)
    call = await opened(registry)
    wish = an_applicant(1, employer="假单位", post="主任", person_types=[3], qualifications=[1])
    application = (await applied(registry, call, wish, "stranger")).json()["id"]
    (row,) = await listed(registry, call)
    assert (row["known"], row["inactive"], row["name"]) == (True, False, "张**")
    taken = await decided(registry, call, application, checked=True)
    assert (taken.status_code, taken.json()["volunteer_id"]) == (200, volunteer)
    assert (taken.json()["known"], taken.json()["inactive"], taken.json()["checked"]) == (True, False, True)
    now_is = await entry(registry, volunteer)
    assert (now_is["employer"], now_is["birth_date"]) == ("原单位", "1980-01-01")
    assert (now_is["person_types"], now_is["qualifications"], now_is["source"]) == ([1], [3], "organised")
    assert now_is["post"] == "主任"


async def test_nobody_becomes_active_again_by_applying(registry: Registry) -> None:
    volunteer = await a_volunteer(registry, 1, birth_date="1990-05-04")
    async with registry.client(COUNTY) as client:
        off = await client.patch(f"/v1/volunteers/{volunteer}", json={"active": False})
        assert off.json()["active"] is False
    call = await opened(registry)
    application = (await applied(registry, call, an_applicant(1))).json()["id"]
    (row,) = await listed(registry, call)
    assert (row["known"], row["inactive"]) == (True, True)
    refused = await decided(registry, call, application, checked=True)
    assert (refused.status_code, refused.json()["reason"]) == (409, "known_inactive")
    assert (await entry(registry, volunteer))["active"] is False
    async with registry.client(COUNTY) as client:
        assert (await client.patch(f"/v1/volunteers/{volunteer}", json={"active": True})).json()["active"] is True
    assert (await decided(registry, call, application)).json()["state"] == "accepted"


async def test_a_consent_that_was_withdrawn_is_not_given_again_by_an_application(registry: Registry) -> None:
    volunteer = await a_volunteer(registry, 1)
    call = await opened(registry)
    application = (await applied(registry, call, an_applicant(1))).json()["id"]
    path = f"/v1/volunteers/{volunteer}/consents/registration"
    day = today().isoformat()
    async with registry.client(COUNTY) as client:
        for state in ("given", "withdrawn"):
            answer = await client.put(path, json={"state": state, "version": "2026-11", "on": day})
            assert answer.status_code == 200, answer.text
    assert (await decided(registry, call, application)).json()["reason"] == "known_inactive"
    stored = await registry.database.get("volunteers", uuid.UUID(volunteer))
    assert stored is not None
    assert stored["consents"]["registration"]["state"] == "withdrawn"


async def test_a_later_consent_stays_as_it_was_said(registry: Registry) -> None:
    volunteer = await a_volunteer(registry, 1)
    call = await opened(registry)
    application = (await applied(registry, call, an_applicant(1))).json()["id"]
    day = today().isoformat()
    async with registry.client(COUNTY) as client:
        path = f"/v1/volunteers/{volunteer}/consents/registration"
        assert (await client.put(path, json={"state": "given", "version": "2027-01", "on": day})).status_code == 200
    assert (await decided(registry, call, application)).json()["state"] == "accepted"
    assert [event["version"] for event in await registry.events("consent_recorded")] == ["2027-01"]


async def test_a_street_is_told_that_an_applicant_is_known_elsewhere_and_no_more(registry: Registry) -> None:
    elsewhere = await a_volunteer(registry, 1, "320706018")
    async with registry.client(COUNTY) as client:
        await client.patch(f"/v1/volunteers/{elsewhere}", json={"active": False})
    ident = str(new_id())
    async with registry.client(TOWN) as client:
        made = await client.put(f"/v1/recruitments/{ident}", json=a_call(division=TOWN, units=[]))
        assert made.status_code == 200, made.text
        await client.post(f"/v1/recruitments/{ident}/moves", json={"to": "open"})
    await applied(registry, ident, an_applicant(1))
    (row,) = await listed(registry, ident, TOWN)
    assert (row["known"], row["inactive"]) == (True, None)
    await applied(registry, ident, an_applicant(2), "citizen-2")
    assert [row["known"] for row in await listed(registry, ident, TOWN)] == [True, False]


@pytest.mark.parametrize("checked", [True, False])
async def test_what_an_applicant_claims_counts_once_the_papers_were_seen(registry: Registry, checked: bool) -> None:
    call = await opened(registry)
    wish = an_applicant(1, person_types=[3], qualifications=[1], trained="yes")
    application = (await applied(registry, call, wish)).json()["id"]
    assert (await decided(registry, call, application, checked=checked)).json()["state"] == "accepted"
    told = (await registry.events("volunteer_registered"))[-1]
    assert (told["person_types"], told["qualifications"], told["trained"]) == (
        ([3], [1], True) if checked else ([], [], False)
    )
    assert told["active"] is True


# What becomes of an application


async def test_who_withdrew_may_apply_again_and_is_counted_once(registry: Registry) -> None:
    call = await opened(registry)
    path = f"/v1/recruitments/{call}/applications"
    first = await applied(registry, call, an_applicant(1))
    async with registry.client(TOWN, "volunteer", subject="citizen-1") as client:
        assert (await client.post(f"{path}/own/withdraw")).json()["state"] == "withdrawn"
        again = await client.post(path, json=an_applicant(1, post="主任"))
        assert (again.status_code, again.json()["state"], again.json()["id"]) == (201, "received", first.json()["id"])
    async with registry.client(COUNTY) as client:
        assert (await client.get(f"/v1/recruitments/{call}")).json()["applications"] == 1
        plain = (await client.post(f"{path}/{first.json()['id']}/reveal", json=WHY)).json()
        assert plain["post"] == "主任"
    states = [(event["state"], event["revision"]) for event in await registry.events("application_moved")]
    assert states == [("received", 1), ("withdrawn", 2), ("received", 3)]
    assert (await decided(registry, call, first.json()["id"])).json()["state"] == "accepted"


async def test_a_cancelled_call_takes_nobody_and_keeps_nobodys_application(registry: Registry) -> None:
    call = await opened(registry)
    waits, taken = [
        (await applied(registry, call, an_applicant(number), f"citizen-{number}")).json()["id"] for number in (1, 2)
    ]
    await decided(registry, call, taken)
    async with registry.client(COUNTY) as client:
        cancelled = await client.post(f"/v1/recruitments/{call}/moves", json={"to": "cancelled"})
        assert cancelled.json()["state"] == "cancelled"
        reveal = f"/v1/recruitments/{call}/applications/{waits}/reveal"
        assert (await client.post(reveal, json=WHY)).status_code == 409
    assert (await decided(registry, call, waits)).status_code == 409
    assert {row["id"]: row["state"] for row in await listed(registry, call)} == {waits: "lapsed", taken: "accepted"}
    assert await registry.database.get("person_keys", uuid.UUID(waits)) is None
    assert (await registry.events("application_moved"))[-1]["state"] == "lapsed"
    assert await registry.database.count("volunteers", {}) == 1


# Forms


async def test_a_form_after_the_end_of_a_campaign_is_none_of_it(registry: Registry) -> None:
    call = await opened(registry, opens_on="2024-03-01", closes_on="2024-03-31", due_on="2024-03-31", units=[CLINIC])
    path = f"/v1/recruitments/{call}"
    async with registry.client(COUNTY) as client:
        await client.post(f"{path}/moves", json={"to": "closed"})
        await import_volunteers(registry.database, registry.keys, workbook(a_row()), TOWN)
        found = (await client.get(f"{path}/progress")).json()
        assert (found["late"], found["missing"], found["people"]) == (0, 1, 0)
        await client.post(f"{path}/moves", json={"to": "open"})
        found = (await client.get(f"{path}/progress")).json()
        assert (found["late"], found["missing"], found["people"]) == (1, 0, 1)


async def test_a_form_of_the_next_campaign_is_none_of_the_last(registry: Registry) -> None:
    window = {"opens_on": "2024-03-01", "closes_on": "2024-03-31", "due_on": "2024-03-31", "units": [CLINIC]}
    last = await opened(registry, **window)
    other_kind = await opened(registry, kind="census", units=[CLINIC])
    await import_volunteers(registry.database, registry.keys, workbook(a_row()), TOWN)
    async with registry.client(COUNTY) as client:

        async def people(call: str) -> int:
            return int((await client.get(f"/v1/recruitments/{call}/progress")).json()["people"])

        assert (await people(last), await people(other_kind)) == (1, 0)
        following = await opened(registry, units=[CLINIC])
        assert (await people(last), await people(following)) == (0, 1)


async def test_a_unit_that_hands_in_again_counts_with_its_last_form(registry: Registry) -> None:
    call = await opened(registry)
    path = f"/v1/recruitments/{call}"
    for rows in ([a_row()], [a_row(), a_row("李示例", "000-0000-0002")]):
        await import_volunteers(registry.database, registry.keys, workbook(*rows), TOWN)
    async with registry.client(COUNTY) as client:
        found = (await client.get(f"{path}/progress")).json()
        assert (found["people"], found["units"][0]["people"], found["on_time"]) == (2, 2, 1)
        paper = {"unit": 0, "day": today().isoformat(), "people": 5}
        assert (await client.post(f"{path}/receipts", json=paper)).status_code == 200
        assert (await client.get(f"{path}/progress")).json()["people"] == 5


def test_the_sheets_of_one_file_are_one_form_and_villages_are_several() -> None:
    day, one, two = local_day(now()), now(), now() + timedelta(seconds=1)
    came = [
        Receipt(TOWN, "甲", day, 3, one),
        Receipt(TOWN, "甲 ", day, 4, two),
        Receipt(TOWN, "甲", day, 5, two),
        Receipt(f"{TOWN}001", "甲", day, 7, one),
    ]
    assert sorted(form.people for form in latest(came)) == [7, 9]
    assert sum(form.people for form in latest(reversed(came))) == 16


async def test_more_forms_than_are_counted_are_no_silent_cut(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = await opened(registry)
    for number in range(2):
        form = workbook(a_row("张示例", f"000-0000-{number:04d}"))
        await import_volunteers(registry.database, registry.keys, form, TOWN)
    monkeypatch.setattr(kept, "MOST_FORMS", 1)
    async with registry.client(COUNTY) as client:
        answer = await client.get(f"/v1/recruitments/{call}/progress")
    assert (answer.status_code, answer.json()["reason"]) == (422, "too_wide")


async def test_a_form_that_is_entered_by_hand_is_told(registry: Registry) -> None:
    call = await opened(registry, units=[CLINIC, OTHER])
    async with registry.client(COUNTY) as client:
        paper = {"unit": 1, "day": today().isoformat(), "people": 5}
        for _ in range(2):
            made = await client.post(f"/v1/recruitments/{call}/receipts", json=paper)
    told = [(event["revision"], event["receipts"]) for event in await registry.events("recruitment_moved")]
    assert told == [(1, 0), (2, 0), (3, 1)]
    assert made.json()["revision"] == 3


# Imports


async def test_a_districts_form_takes_nobody_away_from_the_street(registry: Registry) -> None:
    known = await a_volunteer(registry, 1, name="张示例")
    form = workbook(a_row(), a_row("李示例", "000-0000-0002"))
    dry = await import_volunteers(registry.database, registry.keys, form, COUNTY, dry_run=True, inside=COUNTY)
    report = await import_volunteers(registry.database, registry.keys, form, COUNTY, inside=COUNTY)
    assert (dry.new, dry.changed) == (report.new, report.changed) == (1, 1)
    async with registry.client(TOWN) as client:
        found = (await client.get(f"/v1/volunteers/{known}")).json()
        assert (found["division"], found["sex"]) == (TOWN, "female")
    again = await import_volunteers(registry.database, registry.keys, form, COUNTY, inside=COUNTY)
    assert (again.new, again.changed, again.unchanged) == (0, 0, 2)
    rows = await registry.database.find("volunteers", {}, sort=[("_id", 1)])
    assert [row["division"] for row in rows] == [TOWN, COUNTY]
    street = await import_volunteers(registry.database, registry.keys, form, TOWN, inside=COUNTY)
    assert street.changed == 1
    rows = await registry.database.find("volunteers", {}, sort=[("_id", 1)])
    assert [row["division"] for row in rows] == [TOWN, TOWN]
