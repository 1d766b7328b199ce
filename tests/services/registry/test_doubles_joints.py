"""What a merge does to everything else that belongs to a person: the stricter state wins, proofs come along, nothing
counts twice, nothing is lost, and a split gives each its own back."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.clock import local_day, now
from chassis.tx import Tx
from services.registry import store
from services.registry.commands.doubles import merge_volunteers, split_volunteers
from services.registry.domain.availability import Window
from services.registry.domain.doubles import cap_of_both, consent_of_both, quiet_of_both, windows_of_both
from services.registry.domain.people import Registration
from services.registry.imports import import_volunteers
from services.registry.store.service_records import totals
from tests.services.registry.places_support import COUNTY, TOWN, organisation, person, place
from tests.services.registry.service_support import a_stretch, morning
from tests.services.registry.support import Registry, a_row, workbook
from tests.services.registry.teams_support import put, team
from tests.services.registry.test_providers import VERIFY, identity
from tests.services.registry.test_recruitment import a_call, an_applicant
from tests.services.registry.trainings_support import course, insured, pledged, qualified, trained
from tests.support.servers import open_database

WHY = {"reason": "本人确认"}
TODAY = str(local_day(now()))


async def merge(client: httpx.AsyncClient, stays: str, goes: str) -> dict[str, Any]:
    answer = await client.post(f"/v1/volunteers/{stays}/merge", json={"other": goes, **WHY})
    assert answer.status_code == 200, answer.text
    kept: dict[str, Any] = answer.json()["volunteer"]
    return kept


async def split(client: httpx.AsyncClient, gone: str) -> dict[str, Any]:
    answer = await client.post(f"/v1/volunteers/{gone}/split", json=WHY)
    assert answer.status_code == 200, answer.text
    parted: dict[str, Any] = answer.json()
    return parted


async def consent(client: httpx.AsyncClient, who: str, state: str, on: str, purpose: str = "registration") -> None:
    body: dict[str, Any] = {"state": state, "version": "2026-11", "on": on}
    if purpose == "guardian":
        body["guardian"] = {"name": "李示例", "phone": "000-0000-0009", "relation": "母亲"}
    answer = await client.put(f"/v1/volunteers/{who}/consents/{purpose}", json=body)
    assert answer.status_code == 200, answer.text


async def served(client: httpx.AsyncClient, who: str, host: str, days_ago: int = 10, minutes: int = 120) -> str:
    ident = str(uuid.uuid4())
    body = {"volunteer_id": who, **a_stretch(host, morning(days_ago), minutes)}
    answer = await client.put(f"/v1/service-records/{ident}", json=body)
    assert answer.status_code == 200, answer.text
    return ident


# The stricter state wins


async def test_who_withdrew_the_consent_or_was_barred_does_not_come_back_by_a_merge(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        one, other, third = [await person(client, number) for number in (1, 2, 3)]
        await consent(client, other, "given", "2026-01-01")
        await consent(client, other, "withdrawn", "2026-02-01")
        kept = await merge(client, one, other)
        assert (kept["active"], kept["waits_for"]) == (False, ["registration_consent"])
        told = (await registry.events("consent_recorded"))[-1]
        assert (told["volunteer_id"], told["given"]) == (one, False)
        await client.patch(f"/v1/volunteers/{third}", json={"active": False})
        parted = await split(client, other)
        assert (parted["volunteer"]["active"], parted["other"]["active"]) == (True, False)
        back = (await registry.events("consent_recorded"))[-1]
        assert (back["volunteer_id"], back["given"], back["revision"]) == (one, False, told["revision"] + 1)
        assert (await merge(client, one, third))["active"] is False
        assert (await split(client, third))["volunteer"]["active"] is True
        await consent(client, one, "given", TODAY)
        assert (await registry.events("consent_recorded"))[-1]["revision"] == back["revision"] + 1


async def test_a_minors_guardian_and_pledge_come_along_and_go_back(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        body = {"division": TOWN, "name": "张示例", "phone": "000-0000-0005", "person_types": [7]}
        one = (await client.post("/v1/volunteers", json=body)).json()["id"]
        young = body | {"phone": "000-0000-0006", "age": 16}
        minor = (await client.post("/v1/volunteers", json=young)).json()["id"]
        await consent(client, minor, "given", "2026-01-01", "guardian")
        await pledged(client, minor)
        kept = await merge(client, one, minor)
        assert (kept["minor"], kept["active"], kept["pledge"]["signed_on"]) == (True, True, TODAY)
        guardian = await client.post(f"/v1/volunteers/{one}/guardian/reveal", json=WHY)
        assert guardian.json()["name"] == "李示例", guardian.text  # under the key of the one that stays
        parted = await split(client, minor)
        assert (parted["volunteer"]["minor"], parted["volunteer"]["pledge"]) == (False, None)
        assert (parted["other"]["active"], parted["other"]["pledge"]["signed_on"]) == (True, TODAY)
    kept_row = await registry.database.get("volunteers", uuid.UUID(one))
    assert kept_row is not None
    assert kept_row["consents"] == {}


async def test_nobody_comes_of_age_by_a_merge(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        body = {"division": TOWN, "name": "张示例", "phone": "000-0000-0005", "person_types": [7], "age": 35}
        grown = (await client.post("/v1/volunteers", json=body)).json()["id"]
        young = body | {"phone": "000-0000-0006", "age": 16}
        minor = (await client.post("/v1/volunteers", json=young)).json()["id"]
        for stays, goes in ((grown, minor), (minor, grown)):
            answer = await client.post(f"/v1/volunteers/{stays}/merge", json={"other": goes, **WHY})
            assert (answer.status_code, answer.json()["reason"]) == (409, "births_clash")
        await client.patch(f"/v1/volunteers/{minor}", json={"age": 35})
        assert (await merge(client, grown, minor))["active"] is True


async def test_quiet_hours_and_the_own_cap_hold_after_a_merge(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        one, other = await person(client, 1), await person(client, 2)
        told = {"languages": ["sign"], "skills": [], "hours_a_week": 2, "quiet": {"from": "22:00", "to": "07:00"}}
        await client.put(f"/v1/volunteers/{other}/availability", json=told)
        own = {"languages": ["wu"], "skills": [], "hours_a_week": 9, "quiet": {"from": "06:00", "to": "08:00"}}
        await client.put(f"/v1/volunteers/{one}/availability", json=own)
        await merge(client, one, other)
        both = (await client.get(f"/v1/volunteers/{one}/availability")).json()
        assert (both["quiet"], both["hours_a_week"]) == ({"from": "22:00", "to": "08:00"}, 2)
        assert both["languages"] == ["sign", "wu"]
        assert (await registry.events("availability_told"))[-1]["hours_a_week"] == 2
        await split(client, other)
        again = (await client.get(f"/v1/volunteers/{one}/availability")).json()
        assert {name: again[name] for name in own} == own


consents = st.none() | st.builds(
    lambda state, day: {"state": state, "on": f"2026-01-0{day}"},
    st.sampled_from(("given", "withdrawn")),
    st.integers(1, 3),
)


@given(consents, consents)
def test_of_two_consents_the_later_stands_and_of_one_day_the_withdrawal(one: Any, other: Any) -> None:
    both = consent_of_both(one, other)
    told = [consent for consent in (one, other) if consent]
    if not told:
        assert both is None
        return
    assert both is not None
    last = max(consent["on"] for consent in told)
    assert both["on"] == last
    assert both["state"] == max(consent["state"] for consent in told if consent["on"] == last)  # withdrawn > given


times = st.integers(0, 1439)
quiet = st.none() | st.tuples(times, times).filter(lambda bounds: bounds[0] != bounds[1])


@given(quiet, quiet)
def test_no_minute_that_was_quiet_is_lost(one: tuple[int, int] | None, other: tuple[int, int] | None) -> None:
    def minutes(bounds: tuple[int, int] | None) -> set[int]:
        if bounds is None:
            return set()
        return {(bounds[0] + step) % 1440 for step in range((bounds[1] - bounds[0]) % 1440)}

    both = minutes(quiet_of_both(one, other))
    wanted = minutes(one) | minutes(other)
    assert wanted <= both or (len(both) == 1439 and len(wanted - both) == 1)


def test_the_fewer_hours_and_the_time_that_both_call_free() -> None:
    assert [cap_of_both(*caps) for caps in ((None, None), (3, None), (None, 3), (5, 3))] == [None, 3, 3, 3]
    one, other = [Window(1, 540, 720)], [Window(1, 600, 900), Window(2, 0, 60)]
    assert windows_of_both(one, other) == [Window(1, 600, 720)]
    assert windows_of_both(one, [Window(3, 0, 60)]) == one
    assert windows_of_both([], other) == other


# Erasure


async def test_who_asks_under_the_merged_id_is_erased_whole(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        one, other = await person(client, 1), await person(client, 2)
        await merge(client, one, other)
        answer = await client.post(f"/v1/volunteers/{other}/erase", json={"reason": "本人要求"})
        assert (answer.status_code, answer.json()["erased"]) == (200, True)
        assert (await client.post(f"/v1/volunteers/{one}/reveal", json=WHY)).status_code == 409
    rows = await registry.database.find("volunteers", {})
    assert [row["erased"] for row in rows] == [True, True]
    assert await registry.database.find("person_keys", {}) == []
    subjects = {row["subject"] for row in await registry.database.find("audit_log", {"action": "volunteer.erased"})}
    assert subjects == {one, other}


async def test_a_merged_entry_of_another_street_is_erased_where_the_person_is(registry: Registry) -> None:
    async with registry.client("320706") as client:
        one = await person(client, 1, division="320706016")
        other = await person(client, 2, division="320706018")
        await merge(client, one, other)
    async with registry.client("320706018") as street:
        answer = await street.post(f"/v1/volunteers/{other}/erase", json=WHY)
        assert (answer.status_code, answer.json()["reason"]) == (409, "merged")
        assert one in answer.json()["detail"]


async def test_an_erased_person_leaves_no_way_back(registry: Registry) -> None:
    async with registry.client("320706") as client:
        call = str(uuid.uuid4())
        await client.put(f"/v1/recruitments/{call}", json=a_call())
        await client.post(f"/v1/recruitments/{call}/moves", json={"to": "open"})
        async with registry.client("320706016", "volunteer", subject="portal-1") as portal:
            applied = (await portal.post(f"/v1/recruitments/{call}/applications", json=an_applicant())).json()
        where = f"/v1/recruitments/{call}/applications/{applied['id']}/decision"
        who = (await client.post(where, json={"to": "accepted", "reason": "符合条件"})).json()["volunteer_id"]
        path = (await client.post(f"/v1/volunteers/{who}/calendar")).json()["path"]
        await client.post(f"/v1/volunteers/{who}/erase", json={"reason": "本人要求"})
        assert (await client.get(path)).status_code == 404
    kept = await registry.database.get("applications", uuid.UUID(applied["id"]))
    assert kept is not None
    assert (kept["applicant"], kept["digest"], kept["volunteer_id"]) == (f"erased:{applied['id']}", "", None)
    assert await registry.database.find("calendar_links", {}) == []


async def test_no_note_of_an_erased_person_makes_a_new_key(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        who = await person(client, 1)
        duty = await _past_turn(registry, who)
        await client.post(f"/v1/volunteers/{who}/erase", json={"reason": "本人要求"})
        answer = await client.put(f"/v1/rosters/line-1/duties/{duty}/hand-over", json={"text": "无特殊情况"})
        assert (answer.status_code, answer.json()["reason"]) == (409, "erased")
        assert await registry.database.find("person_keys", {}) == []
        await registry.database.transact(lambda tx: registry.keys.persons.seal(tx, uuid.UUID(who), {"text": "x"}))
        await client.post(f"/v1/volunteers/{who}/erase", json={"reason": "本人要求"})
    assert await registry.database.find("person_keys", {}) == []


async def _past_turn(registry: Registry, who: str, days_ago: int = 1, hours: int = 2) -> uuid.UUID:
    """A turn that is over, as the roster `line-1` keeps it."""
    ident, start = uuid.uuid4(), now() - timedelta(days=days_ago)

    async def write(tx: Tx) -> None:
        tx.put("rosters", {"_id": "line-1", "revision": 1, "division": COUNTY, "role": "publicist", "turns": 0})
        fields = {"roster": "line-1", "division": COUNTY, "role": "publicist", "revision": 1, "active": True}
        times = {"starts_at": start, "ends_at": start + timedelta(hours=hours)}
        tx.put("duties", {"_id": ident, "volunteer_id": uuid.UUID(who), **fields, **times})

    await registry.database.transact(write)
    return ident


# What belongs to the person, under whichever entry


async def test_in_a_chain_of_merges_the_first_entry_counts(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        first, second, third = [await person(client, number) for number in (1, 2, 3)]
        host = await organisation(client, "示例甲", "primary_care")
        await qualified(client, first, "therapist", registry)
        await insured(client, first, "2026-01-01", "2030-12-31")
        await pledged(client, first)
        await trained(client, await course(client, registry, topics=["pre_service"]), first)
        await served(client, first, host)
        await merge(client, second, first)
        await merge(client, third, second)
        assert (await client.get(f"/v1/people/{third}/may", params={"role": "therapist"})).json()["may"] is True
        assert (await client.get(f"/v1/people/{third}/insured")).json()["insured"] is True
        assert (await client.get(f"/v1/people/{third}/service")).json()["minutes"] == 120
        assert (await client.get(f"/v1/people/{third}/trainings")).json()["hours"] == 2
        for path in ("qualifications", "insurances"):
            assert len((await client.get(f"/v1/{path}", params={"person_id": third})).json()["items"]) == 1
        records = await client.get("/v1/service-records", params={"volunteer_id": third})
        assert len(records.json()["items"]) == 1
        assert (await client.get(f"/v1/volunteers/{first}")).json()["merged_into"] == third
        body = {"volunteer_id": third, **a_stretch(host)}
        again = await client.put(f"/v1/service-records/{uuid.uuid4()}", json=body)
        assert (again.status_code, again.json()["reason"]) == (409, "overlap")
        await split(client, second)
        assert (await client.get(f"/v1/people/{third}/service")).json()["minutes"] == 0
        assert (await client.get(f"/v1/people/{second}/service")).json()["minutes"] == 120
        assert (await client.get(f"/v1/people/{second}/may", params={"role": "therapist"})).json()["may"] is True


async def test_hours_under_a_merged_entry_count_to_the_weekly_cap(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        one, other = await person(client, 1), await person(client, 2)
        await client.put(f"/v1/volunteers/{one}/availability", json={"hours_a_week": 6})
        await pledged(client, one)
        await merge(client, one, other)
        await client.put("/v1/rosters/line-1", json={"division": COUNTY, "role": "publicist"})
        monday = datetime(2099, 6, 1, 1, tzinfo=UTC)
        done = await _past_turn(registry, other, hours=4)
        row = await registry.database.get("duties", done)
        times = {"starts_at": monday, "ends_at": monday + timedelta(hours=4)}
        await registry.database.transact(lambda tx: _put(tx, "duties", {**(row or {}), **times}))

        def turn(day: int, hours: int) -> dict[str, Any]:
            start = monday + timedelta(days=day)
            end = start + timedelta(hours=hours)
            return {"duties": [{"volunteer_id": one, "starts_at": start.isoformat(), "ends_at": end.isoformat()}]}

        clash = await client.post("/v1/rosters/line-1/duties", json=turn(0, 1))
        assert clash.json()["reason"] == "overlap"
        over = await client.post("/v1/rosters/line-1/duties", json=turn(1, 3))
        assert over.json()["reason"] == "weekly_cap"
        assert (await client.post("/v1/rosters/line-1/duties", json=turn(1, 2))).status_code == 201


async def _put(tx: Tx, collection: str, row: dict[str, Any]) -> None:
    tx.put(collection, row)


async def test_the_same_hours_under_two_entries_count_once_until_they_are_parted(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        one, other = await person(client, 1), await person(client, 2)
        host = await organisation(client, "示例甲", "primary_care")
        older = await served(client, other, host)
        younger = await served(client, one, host)
        await merge(client, one, other)
        assert (await client.get(f"/v1/people/{one}/service")).json()["minutes"] == 120
        told = {event["record_id"]: event["state"] for event in await registry.events("service_recorded")}
        assert told == {older: "counted", younger: "double"}
        assert (await client.put(f"/v1/service-records/{younger}/rating", json={"rating": 5})).status_code == 409
        await split(client, other)
        for who in (one, other):
            assert (await client.get(f"/v1/people/{who}/service")).json()["minutes"] == 120
        await merge(client, other, one)
        withdrawn = await client.post(f"/v1/service-records/{younger}/withdraw", json=WHY)
        assert withdrawn.json()["state"] == "withdrawn"
        assert (await client.get(f"/v1/people/{other}/service")).json()["minutes"] == 120


async def test_hours_written_down_while_two_are_merged_elsewhere_count_once(registry: Registry, mongod: str) -> None:
    elsewhere = open_database(mongod, "registry", "test_registry")
    async with registry.client(COUNTY) as client:
        one, other = await person(client, 1), await person(client, 2)
        host = await organisation(client, "示例甲", "primary_care")
        await served(client, one, host)
        written: list[str] = []

        async def join(tx: Tx) -> None:
            stays, goes = await store.volunteer(tx, uuid.UUID(one)), await store.volunteer(tx, uuid.UUID(other))
            if not written:
                written.append(await served(client, other, host))
            assert stays is not None
            assert goes is not None
            await merge_volunteers(tx, registry.keys, stays, goes)

        await elsewhere.transact(join)
        elsewhere.close()
        assert (await client.get(f"/v1/people/{one}/service")).json()["minutes"] == 120


async def test_the_insurance_of_a_merged_entry_is_named_and_taken_back(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        one, other = await person(client, 1), await person(client, 2)
        ident = await insured(client, other, "2026-01-01", "2030-12-31")
        await merge(client, one, other)
        body = {"person_id": one, "role": "crisis-team", "on": TODAY, "insurance_id": ident}
        given = {"transport": True, "communication": True, "meals": True, "lodging": False}
        answer = await client.put(f"/v1/support-records/{uuid.uuid4()}", json={**body, **given})
        assert answer.status_code == 200, answer.text
        told = {"kind": "accident", "insurer": "示例保险公司", "number": "示例保单0001"}
        span = {"valid_from": "2026-01-01", "valid_until": "2030-12-31", "active": False}
        back = await client.put(f"/v1/insurances/{ident}", json={"person_id": one, **told, **span})
        assert (back.status_code, back.json()["person_id"], back.json()["active"]) == (200, other, False)
        assert (await client.get(f"/v1/people/{one}/insured")).json()["insured"] is False
        plain = await client.post(f"/v1/insurances/{ident}/reveal", json=WHY)
        assert plain.json()["number"] == "示例保单0001"
        third = await person(client, 3)
        taken = await client.put(f"/v1/insurances/{ident}", json={"person_id": third, **told, **span})
        assert (taken.status_code, taken.json()["reason"]) == (409, "taken")


async def test_a_star_of_a_merged_entry_is_seen_and_revoked(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        one, other = await person(client, 1), await person(client, 2)
        for who in (one, other):
            await _starred(registry, who)
        await merge(client, one, other)
        again = await client.post(f"/v1/people/{one}/stars/1", json={"to": "announced", "reason": "满时"})
        assert again.status_code == 409
        async with registry.client(COUNTY, subject=other) as own:
            refused = await own.post(f"/v1/people/{one}/stars/1", json={"to": "revoked", "reason": "有误"})
            assert refused.status_code == 403
        gone = await client.post(f"/v1/people/{one}/stars/1", json={"to": "revoked", "reason": "有误"})
        assert gone.status_code == 200, gone.text
        assert (await client.get(f"/v1/people/{one}/service")).json()["stars_granted"] == 0
    told = {event["volunteer_id"]: event["state"] for event in await registry.events("stars_moved")}
    assert told == {one: "revoked", other: "revoked"}


async def _starred(registry: Registry, who: str) -> None:
    star = {"volunteer_id": uuid.UUID(who), "division": TOWN, "stars": 1, "granted_by": "county", "revision": 2}
    row = {"_id": f"{who}:1", **star, "state": "granted", "notice_until": "2026-01-01", "log": []}
    await registry.database.transact(lambda tx: _put(tx, "stars", row))


async def test_a_complaint_is_about_the_person_under_whichever_entry(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        one, other = await person(client, 1), await person(client, 2)
        host = await organisation(client, "示例甲", "primary_care")
        record = await served(client, other, host)
        await merge(client, one, other)
        about = {"kind": "absence", "text": "没有到岗"}
        first, second = str(uuid.uuid4()), str(uuid.uuid4())
        named = await client.put(f"/v1/complaints/{first}", json={"volunteer_id": one, "record_id": record, **about})
        assert named.status_code == 200, named.text
        await client.put(f"/v1/complaints/{second}", json={"volunteer_id": other, **about})
        for who in (one, other):
            listed = (await client.get("/v1/complaints", params={"volunteer_id": who})).json()["items"]
            assert {item["id"] for item in listed} == {first, second}
    async with registry.client(COUNTY, subject=other) as own:
        assert (await own.post(f"/v1/complaints/{first}/steps", json={"to": "looked_into"})).status_code == 403
        assert (await own.post(f"/v1/complaints/{first}/reveal", json=WHY)).status_code == 403


async def test_nobody_verifies_the_own_certificate_by_the_login_of_another_entry(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        one, other = await person(client, 1), await person(client, 2)
        paper = await qualified(client, one, "counsellor")
        await merge(client, one, other)
    async with registry.client(COUNTY, subject=other) as own:
        step = {"state": "verified", "reason": "checked"}
        answer = await own.post(f"/v1/qualifications/{paper}/steps", json=step)
        assert (answer.status_code, answer.json()["reason"]) == (403, "same_person")


async def test_the_calendar_of_a_merged_entry_shows_the_persons_turns_and_is_dead_with_a_new_one(
    registry: Registry,
) -> None:
    async with registry.client(COUNTY) as client:
        one, other = await person(client, 1), await person(client, 2)
        path = (await client.post(f"/v1/volunteers/{other}/calendar")).json()["path"]
        await merge(client, one, other)
        await _past_turn(registry, one)
        assert (await client.get(path)).text.count("BEGIN:VEVENT") == 1
        await client.post(f"/v1/volunteers/{one}/calendar")
        assert (await client.get(path)).status_code == 404


# Names and numbers


async def test_the_person_takes_the_number_of_a_merged_entry_and_a_split_gives_it_back(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        one, other, third = [await person(client, number) for number in (1, 2, 3)]
        await merge(client, other, third)
        await merge(client, one, other)
        taken = await client.patch(f"/v1/volunteers/{one}", json={"phone": "000-0000-0003"})
        assert (taken.status_code, taken.json()["phone"]) == (200, "***0003"), taken.text
        changed = await client.patch(f"/v1/volunteers/{one}", json={"phone": "000-0000-0002"})
        assert changed.status_code == 200, changed.text
        assert await _known_as(registry, 3) == one  # the form of the number given up still reaches the person
        await client.patch(f"/v1/volunteers/{one}", json={"phone": "000-0000-0003"})
        parted = await split(client, other)
        assert [parted[name]["phone"] for name in ("volunteer", "other")] == ["***0001", "***0002"]
        assert [await _known_as(registry, number) for number in (1, 2, 3)] == [one, other, other]


async def _known_as(registry: Registry, number: int) -> str:
    """Whom a form under the name and this number reaches."""
    identity = registry.keys.identity(TOWN, Registration("张示例", f"000-0000-{number:04d}"))
    found = await registry.database.transact(lambda tx: store.volunteers_by_identity(tx, [identity]))
    return str(found[identity]["_id"])


async def test_who_applies_under_the_number_of_a_merged_entry_can_be_accepted(registry: Registry) -> None:
    async with registry.client("320706") as client:
        one = await person(client, 2, division="320706016")
        other = await person(client, 1, division="320706016")
        await merge(client, one, other)
        call = str(uuid.uuid4())
        await client.put(f"/v1/recruitments/{call}", json=a_call())
        await client.post(f"/v1/recruitments/{call}/moves", json={"to": "open"})
        async with registry.client("320706016", "volunteer", subject="portal-1") as portal:
            applied = (await portal.post(f"/v1/recruitments/{call}/applications", json=an_applicant(1))).json()
        where = f"/v1/recruitments/{call}/applications/{applied['id']}/decision"
        answer = await client.post(where, json={"to": "accepted", "reason": "符合条件"})
        assert (answer.status_code, answer.json()["volunteer_id"]) == (200, one), answer.text


# Posts


@pytest.mark.parametrize("way", ["erased", "deactivated"])
async def test_who_leaves_holds_no_post(registry: Registry, way: str) -> None:
    async with registry.client(COUNTY) as client:
        one, other = await person(client, 1), await person(client, 2)
        site = await place(client, opened=True)
        named = {"person_id": other, "reason": "示例任命"}
        answer = await client.put(f"/v1/places/{site}/responsible", json=named)
        assert answer.status_code == 200, answer.text
        answer = await client.put(f"/v1/streets/{TOWN}/responsible", json=named)
        assert answer.status_code == 200, answer.text
        band = await team(client, active=True)
        await put(client, f"teams/{band}/terms", {"person_id": other, "role": "member", "since": "2026-01-01"})
        await merge(client, one, other)
        assert (await client.get(f"/v1/places/{site}")).json()["responsible"] is not None
        if way == "erased":
            await client.post(f"/v1/volunteers/{one}/erase", json=WHY)
        else:
            await client.patch(f"/v1/volunteers/{one}", json={"active": False})
        assert (await client.get(f"/v1/places/{site}")).json()["responsible"] is None
        (term,) = (await client.get(f"/v1/teams/{band}/terms")).json()["items"]
        assert term["until"] is not None
        assert term["until"] < TODAY
    assert (await registry.events("place_registered"))[-1]["responsible_id"] is None
    assert (await registry.events("street_lead_named"))[-1]["person_id"] is None


async def test_a_provider_that_is_a_person_who_left_is_suspended(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        one, other = await person(client, 1), await person(client, 2)
        told = {"type": "natural_person", "division": COUNTY, "person_id": other, "identity_number": identity()}
        provider = await put(client, "providers", told)
        verified = await client.post(f"/v1/providers/{provider}/status", json=VERIFY)
        assert verified.status_code == 200, verified.text
        await merge(client, one, other)
        assert (await registry.events("provider_registered"))[-1]["status"] == "verified"
        await client.patch(f"/v1/volunteers/{one}", json={"active": False})
        assert (await registry.events("provider_registered"))[-1]["status"] == "suspended"
        await client.post(f"/v1/volunteers/{one}/erase", json=WHY)
        assert (await registry.events("provider_registered"))[-1]["status"] == "ended"


async def test_a_session_and_a_certificate_under_two_entries_are_counted_once(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        one, other, third = [await person(client, number) for number in (1, 2, 3)]
        await trained(client, await course(client, registry, topics=["pre_service"]), one, other, third)
        for who in (one, other, third):
            await qualified(client, who, "counsellor", registry)
        before = (await client.get("/v1/trainings/capability")).json()
        assert [row["people"] for row in before["trainings"] + before["qualifications"]] == [3, 3]
        await merge(client, one, other)
        able = (await client.get("/v1/trainings/capability")).json()
        assert [(row["people"], row["hours"]) for row in able["trainings"]] == [(2, 4)]
        assert [row["people"] for row in able["qualifications"]] == [2]
        assert (await client.get(f"/v1/people/{one}/trainings")).json()["hours"] == 2


# Whatever is merged and parted, in whatever order

FOUR = 4
steps = st.lists(st.tuples(st.booleans(), st.integers(0, FOUR - 1), st.integers(0, FOUR - 1)), min_size=3, max_size=10)


@settings(
    deadline=None, max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(given_steps=steps)
async def test_nothing_is_lost_or_counted_twice_by_any_merges_and_splits(
    registry: Registry, given_steps: list[tuple[bool, int, int]]
) -> None:
    for name in ("volunteers", "merges", "service_records", "service_totals", "qualifications", "outbox"):
        await registry.database.clear(name)
    async with registry.client(COUNTY) as client:
        people = [uuid.UUID(await person(client, number + 1)) for number in range(FOUR)]
        host = await organisation(client, f"示例{uuid.uuid4().hex[:8]}", "primary_care")
        for place_in, who in enumerate(people):
            await served(client, str(who), host, days_ago=10 + place_in)  # a day of one's own
            await served(client, str(who), host, days_ago=9)  # and one that all of them claim
            await qualified(client, str(who), "counsellor")
        await client.put(f"/v1/volunteers/{people[0]}/availability", json={"hours_a_week": 3, "languages": ["wu"]})
        await pledged(client, str(people[1]))
        await client.patch(f"/v1/volunteers/{people[2]}", json={"active": False})
        await consent(client, str(people[3]), "given", "2026-01-01")
    before = {row["_id"]: row for row in await registry.database.find("volunteers", {})}
    for together, left, right in given_steps:
        await registry.database.transact(partial(_step, registry, together, people[left], people[right]))
        await _each_once(registry, people)
    while merged := await registry.database.find("merges", {"undone": False}):
        for row in merged:
            await registry.database.transact(partial(_step, registry, False, row["gone_id"], row["gone_id"]))
    for who, was in before.items():
        now_is = await registry.database.get("volunteers", who)
        assert now_is is not None
        for name in ("identity", "digest", "wanted", "active", "merged_into", "pledge", "languages", "consents"):
            assert _bare(now_is.get(name)) == _bare(was.get(name)), name
        assert (now_is["rota"] or {}).get("hours_a_week") == (was.get("rota") or {}).get("hours_a_week")
        total = await registry.database.get("service_totals", who)
        assert total is not None
        assert total["minutes"] == 240


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _bare(inner) for name, inner in value.items() if name != "revision"}
    return value or None


async def _step(registry: Registry, together: bool, left: uuid.UUID, right: uuid.UUID, tx: Tx) -> None:
    """Merge or split, where it can be."""
    one, other = await store.volunteer(tx, left), await store.volunteer(tx, right)
    assert one is not None
    assert other is not None
    if together and left != right and one["merged_into"] is None and other["merged_into"] is None:
        await merge_volunteers(tx, registry.keys, one, other)
    if not together and one["merged_into"] is not None:
        taken = await store.merge_that_took(tx, left)
        assert taken is not None
        above = await store.volunteer(tx, taken["volunteer_id"])
        if above is not None and above["merged_into"] is None:
            await split_volunteers(tx, registry.keys, one)


async def _each_once(registry: Registry, people: list[uuid.UUID]) -> None:
    async def look(tx: Tx) -> None:
        seen: list[uuid.UUID] = []
        for who in people:
            row = await store.volunteer(tx, who)
            assert row is not None
            if row["merged_into"] is not None:
                continue
            entries = await store.entries_of(tx, who)
            seen += entries
            papers = await tx.find("qualifications", {"person_id": {"$in": entries}})
            assert len(papers) == len(entries)
            assert (await totals(tx, entries))["minutes"] == 120 * len(entries) + 120
            counted = await tx.find("service_records", {"volunteer_id": {"$in": entries}, "state": "counted"})
            assert len(counted) == len(entries) + 1
        assert sorted(seen) == sorted(people)

    await registry.database.transact(look)


async def test_a_form_that_was_imported_reaches_the_person_through_a_chain(registry: Registry) -> None:
    async with registry.client("320706") as client:
        first, second, third = [await person(client, number, division="320706016") for number in (1, 2, 3)]
        await merge(client, second, first)
        await merge(client, third, second)
    report = await import_volunteers(registry.database, registry.keys, workbook(a_row(post="主任")), "320706016")
    assert (report.new, report.changed) == (0, 1)
    kept = await registry.database.get("volunteers", uuid.UUID(third))
    assert kept is not None
    assert kept["person_types"] == [1, 3]
