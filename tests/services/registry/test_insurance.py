"""Insurance of people on duty, and what they are given for an assignment."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chassis.clock import local_day, now
from services.registry.domain.insurance import covers
from tests.services.registry.places_support import COUNTY, TOWN, person
from tests.services.registry.support import Registry
from tests.services.registry.trainings_support import insured

GIVEN = {"transport": True, "communication": True, "meals": True, "lodging": False}


@given(st.dates(), st.integers(0, 400), st.integers(-5, 405))
def test_the_first_and_the_last_day_count(first: Any, length: int, shift: int) -> None:
    try:
        last, day = first + timedelta(days=length), first + timedelta(days=shift)
    except OverflowError:
        return
    assert covers(str(first), str(last), str(day)) is (0 <= shift <= length)


async def test_an_insurance_is_sealed_told_once_and_taken_back(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        who = await person(client)
        ident = await insured(client, who, "2026-01-01", "2027-12-31")
        body = {
            "person_id": who,
            "kind": "accident",
            "insurer": "示例保险公司",
            "number": "示例保单0001",
            "valid_from": "2026-01-01",
            "valid_until": "2027-12-31",
        }
        path = f"/v1/insurances/{ident}"
        assert (await client.put(path, json=body)).json()["revision"] == 1
        stored = str(await registry.database.find("insurances", {})) + (await client.get("/v1/insurances")).text
        assert "示例保单0001" not in stored
        assert "示例保险公司" not in stored
        plain = await client.post(f"{path}/reveal", json={"reason": "理赔核对"})
        assert (plain.json()["number"], plain.headers["cache-control"]) == ("示例保单0001", "no-store")
        (record,) = await registry.database.find("audit_log", {"action": "insurance.revealed"})
        assert record["reason"] == "理赔核对"

        async def holds(on: str) -> bool:
            told = (await client.get(f"/v1/people/{who}/insured", params={"on": on})).json()
            return bool(told["insured"])

        assert [await holds(day) for day in ("2025-12-31", "2026-01-01", "2027-12-31", "2028-01-01")] == [
            False,
            True,
            True,
            False,
        ]
        assert (await client.put(path, json={**body, "active": False})).json()["active"] is False
        assert not await holds("2026-06-01")
        other = await person(client, 2)
        taken = await client.put(path, json={**body, "person_id": other})
        assert (taken.status_code, taken.json()["reason"]) == (409, "taken")
        bad = await client.put(path, json={**body, "valid_until": "2025-01-01"})
        assert (bad.status_code, bad.json()["field"]) == (422, "valid_until")
        assert (await client.put(path, json={**body, "kind": "car"})).json()["field"] == "body.kind"
    told = [(event["revision"], event["active"]) for event in await registry.events("insurance_recorded")]
    assert told == [(1, True), (2, False)]
    async with registry.client("320706") as outside:
        assert (await outside.put(path, json=body)).status_code == 404
        assert (await outside.post(f"{path}/reveal", json={"reason": "理赔核对"})).status_code == 404
        assert (await outside.get("/v1/insurances", params={"division": TOWN})).status_code == 404
        assert (await outside.get(f"/v1/people/{who}/insured")).status_code == 404
    async with registry.client(COUNTY, "coordinator") as reader:
        assert (await reader.put(path, json=body)).status_code == 403
        assert (await reader.get("/v1/insurances")).status_code == 200
    async with registry.client(COUNTY, "statistician") as stranger:
        assert (await stranger.get("/v1/insurances")).status_code == 403


async def test_insurances_that_end_soon_are_listed_the_earliest_first(registry: Registry) -> None:
    today, days = local_day(now()), registry.keys.policies.insurance.at(now()).warn_days
    async with registry.client(COUNTY) as client:
        who, ends = await person(client), {}
        for distance in (days, 0, days + 1, -1):
            ends[distance] = await insured(client, who, "2025-01-01", str(today + timedelta(days=distance)))
        due = (await client.get("/v1/insurances", params={"due": True, "limit": 1})).json()
        assert [item["id"] for item in due["items"]] == [ends[0]]
        asked = {"due": True, "limit": 5, "after": due["next"]}
        assert [item["id"] for item in (await client.get("/v1/insurances", params=asked)).json()["items"]] == [
            ends[days]
        ]


async def test_what_a_person_is_given_for_an_assignment_with_an_insurance_that_holds_that_day(
    registry: Registry,
) -> None:
    async with registry.client(COUNTY) as client:
        who = await person(client)
        ident = await insured(client, who, "2026-01-01", "2026-12-31")
        path = f"/v1/support-records/{uuid.uuid4()}"
        body: dict[str, Any] = {"person_id": who, "role": "crisis-team", "on": "2026-03-02", **GIVEN}
        missing = await client.put(path, json=body)
        assert (missing.status_code, missing.json()["reason"]) == (409, "insurance_missing")
        late = await client.put(path, json={**body, "on": "2027-01-01", "insurance_id": ident})
        assert (late.status_code, late.json()["reason"]) == (422, "insurance_expired")
        theirs = await insured(client, await person(client, 2), "2026-01-01", "2026-12-31")
        strange = await client.put(path, json={**body, "insurance_id": theirs})
        assert (strange.status_code, strange.json()["field"]) == (422, "insurance_id")
        for _ in range(2):
            kept = await client.put(path, json={**body, "insurance_id": ident})
            assert (kept.status_code, kept.json()["revision"]) == (200, 1)
        assert {name: kept.json()[name] for name in GIVEN} == GIVEN
        other = f"/v1/support-records/{uuid.uuid4()}"
        assert (await client.put(other, json={**body, "role": "publicist"})).status_code == 200
        listed = (await client.get("/v1/support-records", params={"person_id": who})).json()["items"]
        assert len(listed) == 2
        assert (await client.put(other, json={**body, "meals": "perhaps"})).json()["field"] == "body.meals"
    told = [(event["insured"], event["meals"], event["lodging"]) for event in await registry.events("support_recorded")]
    assert told == [(True, True, False), (False, True, False)]
    async with registry.client("320706") as outside:
        assert (await outside.put(path, json={**body, "insurance_id": ident})).status_code == 404
        assert (await outside.get("/v1/support-records")).json()["items"] == []
    async with registry.client(COUNTY, "coordinator") as reader:
        assert (await reader.put(path, json=body)).status_code == 403
