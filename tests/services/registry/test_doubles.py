"""Two entries that may be one person: found with reasons, made one, parted again; nothing is lost on the way."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.registry.domain.doubles import NEXT, Entry, apart, reasons, together
from services.registry.domain.people import Registration
from services.registry.imports import import_volunteers
from tests.services.registry.support import Registry, a_row, workbook
from tests.services.registry.trainings_support import pledged

TOWN = "320706016"
WHY = {"reason": "本人确认为同一人"}


async def taken(registry: Registry, *rows: tuple[object, ...], **options: Any) -> Any:
    return await import_volunteers(registry.database, registry.keys, workbook(*rows), TOWN, **options)


async def two(registry: Registry) -> tuple[uuid.UUID, uuid.UUID]:
    """One person under two numbers."""
    await taken(registry, a_row(types="1", post=""), a_row(phone="000-0000-0002", types="3", post="主任"))
    rows = await registry.database.find("volunteers", {}, sort=[("_id", 1)])
    return rows[0]["_id"], rows[1]["_id"]


async def test_the_same_number_under_another_name_is_a_candidate(registry: Registry) -> None:
    await taken(registry, a_row(), a_row("章示例", "00000000001"), a_row("李示例", "000-0000-0002"))
    async with registry.client("320706") as client:
        (pair,) = (await client.get("/v1/people/doubles", params={"by": "phone"})).json()["items"]
        assert pair["reasons"] == ["same_phone_other_name"]
        assert {pair["one"]["name"], pair["other"]["name"]} == {"张**", "章**"}
        assert "示例" not in str(pair)
        (other,) = (await client.get(f"/v1/volunteers/{pair['one']['id']}/doubles")).json()["items"]
        assert (other["other"]["id"], other["reasons"]) == (pair["other"]["id"], pair["reasons"])


async def test_the_same_name_needs_the_birth_and_the_employer_or_unit_to_be_a_candidate(registry: Registry) -> None:
    await taken(
        registry,
        a_row(),
        a_row(phone="000-0000-0002", age=36),
        a_row(phone="000-0000-0003", age=50),
        a_row("李示例", "000-0000-0004"),
    )
    async with registry.client("320706") as client:
        items = (await client.get("/v1/people/doubles", params={"by": "name"})).json()["items"]
    (pair,) = items
    assert set(pair["reasons"]) == {"same_name_birth_year_employer", "same_name_birth_year_unit"}
    assert [pair["one"]["phone"], pair["other"]["phone"]] == ["***0001", "***0002"]


def test_a_name_and_a_year_alone_are_no_reason() -> None:
    row = {"name_key": "a", "birth_year": 1989, "employer_key": "", "unit": "", "phone_key": "1"}
    assert reasons(row, {**row, "phone_key": "2"}) == []
    assert reasons(row, {**row, "phone_key": "2", "unit": "x"}) == []
    assert reasons({**row, "unit": "x"}, {**row, "phone_key": "2", "unit": "x", "birth_year": 1992}) == []


async def test_two_entries_become_one_and_later_forms_of_either_reach_it(registry: Registry) -> None:
    stays, goes = await two(registry)
    await registry.forget_events()
    async with registry.client("320706", subject="registrar-7") as client:
        body = {"other": str(goes), **WHY}
        done = (await client.post(f"/v1/volunteers/{stays}/merge", json=body)).json()
        assert (done["volunteer"]["person_types"], done["volunteer"]["phone"]) == ([1, 3], "***0001")
        again = (await client.post(f"/v1/volunteers/{stays}/merge", json=body)).json()
        assert again == done
        assert [item["id"] for item in (await client.get("/v1/volunteers")).json()["items"]] == [str(stays)]
        gone = (await client.get(f"/v1/volunteers/{goes}")).json()
        assert (gone["merged_into"], gone["active"]) == (str(stays), False)
        changed = await client.patch(f"/v1/volunteers/{goes}", json={"post": "职员"})
        assert (changed.status_code, changed.json()["reason"]) == (409, "merged")
        opened = (await client.post(f"/v1/volunteers/{stays}/reveal", json={"reason": "核对"})).json()
        assert opened["post"] == "主任"
        assert (await client.get("/v1/people/doubles", params={"by": "name"})).json()["items"] == []
        made = await client.post(
            "/v1/volunteers",
            json={"division": TOWN, "name": "张示例", "phone": "000-0000-0002", "person_types": [1]},
        )
        assert made.status_code == 409
    (merged,) = await registry.events("volunteers_merged")
    assert (merged["volunteer_id"], merged["gone_id"]) == (str(stays), str(goes))
    (record,) = await registry.database.find("audit_log", {"action": "volunteers.merged"})
    assert (record["actor"], record["reason"]) == ("registrar-7", WHY["reason"])
    report = await taken(registry, a_row(phone="000-0000-0002", types="5", post=""))
    assert (report.new, report.changed) == (0, 1)
    kept = await registry.database.get("volunteers", stays)
    assert kept is not None
    assert kept["person_types"] == [5]
    other = await registry.database.get("volunteers", goes)
    assert other is not None
    assert other["merged_into"] == stays


async def test_a_merge_is_taken_back_and_each_has_what_was_its_own(registry: Registry) -> None:
    stays, goes = await two(registry)
    before = {row["_id"]: row for row in await registry.database.find("volunteers", {})}
    async with registry.client("320706") as client:
        assert (await client.post(f"/v1/volunteers/{goes}/split", json=WHY)).status_code == 409
        await client.post(f"/v1/volunteers/{stays}/merge", json={"other": str(goes), **WHY})
        await client.patch(f"/v1/volunteers/{stays}", json={"education": "硕士研究生"})
        parted = (await client.post(f"/v1/volunteers/{goes}/split", json=WHY)).json()
        assert (parted["volunteer"]["person_types"], parted["other"]["person_types"]) == ([1], [3])
        assert parted["other"]["active"] is True
        one = (await client.post(f"/v1/volunteers/{stays}/reveal", json={"reason": "核对"})).json()
        other = (await client.post(f"/v1/volunteers/{goes}/reveal", json={"reason": "核对"})).json()
        assert (one["post"], other["post"]) == ("", "主任")
        assert (one["education"], other["education"]) == ("硕士研究生", "本科")  # told since the merge, so it stays
        assert len((await client.get("/v1/volunteers")).json()["items"]) == 2
    (event,) = await registry.events("volunteers_split")
    assert (event["volunteer_id"], event["gone_id"]) == (str(stays), str(goes))
    told = [event["revision"] for event in await registry.events("volunteer_registered")]
    assert len(told) == 8  # two registered, two merged, one changed, two parted, and one with its own papers only
    report = await taken(registry, a_row(phone="000-0000-0002", types="3", post="主任"))
    assert report.unchanged == 1
    after = await registry.database.get("volunteers", goes)
    assert after is not None
    assert (after["digest"], after["identity"]) == (before[goes]["digest"], before[goes]["identity"])


async def test_what_cannot_be_merged_is_said(registry: Registry) -> None:
    stays, goes = await two(registry)
    await import_volunteers(registry.database, registry.keys, workbook(a_row()), "370812")
    (far,) = await registry.database.find("volunteers", {"division": "370812"})
    async with registry.client() as client:
        path = f"/v1/volunteers/{stays}/merge"
        same = await client.post(path, json={"other": str(stays), **WHY})
        assert (same.status_code, same.json()["field"]) == (422, "other")
        county = await client.post(path, json={"other": str(far["_id"]), **WHY})
        assert (county.status_code, county.json()["reason"]) == (409, "other_county")
        await client.put(
            "/v1/rosters/line-1", json={"division": "320706", "role": "responder", "around_the_clock": False}
        )
        await pledged(client, str(goes))
        turn = {"volunteer_id": str(goes), "starts_at": "2099-01-01T00:00:00Z", "ends_at": "2099-01-01T08:00:00Z"}
        put = await client.post("/v1/rosters/line-1/duties", json={"duties": [turn]})
        assert put.status_code == 201, put.text
        busy = await client.post(path, json={"other": str(goes), **WHY})
        assert (busy.status_code, busy.json()["reason"]) == (409, "on_duty")
    async with registry.client("320706") as client:
        assert (await client.post(path, json={"other": str(far["_id"]), **WHY})).status_code == 404
        assert (await client.post(path, json={"other": str(goes)})).status_code == 422
    async with registry.client("320706", "coordinator") as client:
        assert (await client.post(path, json={"other": str(goes), **WHY})).status_code == 403


async def test_two_people_who_only_look_alike_are_kept_apart(registry: Registry) -> None:
    await taken(registry, a_row(), a_row("章示例", "00000000001"))
    async with registry.client("320706") as client:
        (pair,) = (await client.get("/v1/people/doubles")).json()["items"]
        body = {"other": pair["other"]["id"], "reason": "母女共用号码"}
        assert (await client.post(f"/v1/volunteers/{pair['one']['id']}/keep-apart", json=body)).status_code == 200
        assert (await client.get("/v1/people/doubles")).json()["items"] == []
        for ident in (pair["one"]["id"], pair["other"]["id"]):
            assert (await client.get(f"/v1/volunteers/{ident}/doubles")).json()["items"] == []


async def test_erasing_the_one_that_stayed_erases_all_that_was_merged_into_it(registry: Registry) -> None:
    stays, goes = await two(registry)
    async with registry.client("320706") as client:
        await client.post(f"/v1/volunteers/{stays}/merge", json={"other": str(goes), **WHY})
        await client.post(f"/v1/volunteers/{stays}/erase", json={"reason": "本人要求"})
    for row in await registry.database.find("volunteers", {}):
        assert row["erased"]
        assert not {"sealed", "identity", "phone_key", "name_key"} & row.keys()
    assert await registry.database.find("person_keys", {"_id": {"$in": [stays, goes]}}) == []
    (merge,) = await registry.database.find("merges", {})
    assert (merge["stayed"], merge["went"]) == (None, None)


codes = st.sets(st.integers(1, 7)).map(lambda found: tuple(sorted(found)))
tags = st.sets(st.sampled_from(("veteran", "five-elders", "rural-culture"))).map(lambda found: tuple(sorted(found)))
people = st.builds(
    Registration,
    name=st.just("张示例"),
    phone=st.sampled_from(("000-0000-0001", "000-0000-0002")),
    sex=st.sampled_from(("male", "female", "unknown")),
    education=st.sampled_from(("", "本科", "大专")),
    person_types=codes,
    qualifications=codes,
    employer=st.sampled_from(("", "示例单位", "示例学校")),
    trained=st.sampled_from(("yes", "no", "unknown")),
    tags=tags,
    roles=st.sampled_from((("volunteer",), ("talent",), ("volunteer", "talent"))),
)


@given(people, people)
def test_what_was_put_together_comes_apart_as_it_was(one: Registration, other: Registration) -> None:
    assert apart(together(one, other), one, other) == one


@given(people, people, st.sampled_from(("示例中心", "示例医院")))
def test_what_was_told_since_stays_when_two_are_parted(one: Registration, other: Registration, since: str) -> None:
    assert apart(replace(together(one, other), employer=since), one, other) == replace(one, employer=since)


def test_an_erased_entry_never_comes_back() -> None:
    assert NEXT[Entry.erased] == frozenset()
    assert NEXT[Entry.own] == {Entry.merged, Entry.erased}
    assert NEXT[Entry.merged] == {Entry.own, Entry.erased}
