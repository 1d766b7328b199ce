"""After the rostering: whoever may not any more is taken off duty, with the event, and who came of age is woken."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest

from chassis.clock import LOCAL, local_day, now
from chassis.errors import NotAllowed, Refused
from chassis.tx import Document, Tx
from contracts.policies import Versions
from services.registry import store
from services.registry.commands import standing
from services.registry.commands.consents import sign_pledge
from services.registry.commands.duty import add_duties
from services.registry.domain.duty import Turn
from services.registry.policy import Policies
from tests.services.registry.places_support import COUNTY, TOWN, person
from tests.services.registry.support import Registry
from tests.services.registry.trainings_support import course, held_session, insured, pledged, qualified
from tests.support.servers import open_database

WHEN = now().replace(microsecond=0) + timedelta(days=3)


def a_turn(who: str, hours: int = 0) -> dict[str, str]:
    start = WHEN + timedelta(hours=hours)
    return {"volunteer_id": who, "starts_at": start.isoformat(), "ends_at": (start + timedelta(hours=1)).isoformat()}


async def on_duty(client: httpx.AsyncClient, role: str, who: str, hours: int = 0) -> httpx.Response:
    roster = await client.put(f"/v1/rosters/of-{role}", json={"division": COUNTY, "role": role})
    assert roster.status_code == 200, roster.text
    return await client.post(f"/v1/rosters/of-{role}/duties", json={"duties": [a_turn(who, hours)]})


async def fit(client: httpx.AsyncClient, number: int = 1, **fields: Any) -> str:
    """A person trained by the office's word, who signed."""
    who = await person(client, number)
    await client.patch(f"/v1/volunteers/{who}", json={"trained": "yes", **fields})
    await pledged(client, who)
    return who


async def left(registry: Registry) -> list[str]:
    """The roles of the turns that are left."""
    return sorted(row["role"] for row in await registry.database.find("duties", {"active": True}))


async def stood_down(registry: Registry) -> list[str]:
    """The roles of the turns that were told to be withdrawn."""
    return [event["role"] for event in await registry.events("duty_rostered") if not event["active"]]


async def sweep(registry: Registry, policies: Policies | None = None) -> int:
    """The daily look to its end; how many portions it took."""
    portions = 0

    async def fire(tx: Tx) -> bool:
        (timer,) = await tx.find("timers", {"kind": standing.TIMER})
        if timer["due_at"] > tx.now:
            return False
        tx.delete("timers", timer["_id"])
        await standing.standing_due(timer["key"], tx, policies or registry.keys.policies)
        return True

    await registry.database.transact(standing.arm)
    while await registry.database.transact(fire):
        portions += 1
    return portions


async def rewritten(registry: Registry, who: str, **fields: Any) -> Document:
    """The person's document as time, and nobody's hand, would have left it."""

    async def put(tx: Tx) -> Document:
        document = {**(await tx.get("volunteers", uuid.UUID(who)) or {}), **fields}
        tx.put("volunteers", document)
        return document

    return await registry.database.transact(put)


async def test_a_licence_that_is_withdrawn_takes_its_holder_off_duty_and_off_that_duty_only(
    registry: Registry,
) -> None:
    async with registry.client(COUNTY) as client:
        who, other = await person(client), await person(client, 2)
        ident = await qualified(client, who, "therapist", registry)
        await qualified(client, other, "therapist", registry)
        assert (await on_duty(client, "therapist", who)).status_code == 201
        assert (await on_duty(client, "publicist", who, 2)).status_code == 201
        assert (await on_duty(client, "therapist", other)).status_code == 201
        before = len(await registry.events("volunteer_registered"))
        step = {"state": "withdrawn", "reason": "revoked"}
        assert (await client.post(f"/v1/qualifications/{ident}/steps", json=step)).status_code == 200
        assert await left(registry) == ["publicist", "therapist"]
        assert await stood_down(registry) == ["therapist"]
        told = await registry.events("volunteer_registered")
        assert (len(told) - before, told[-1]["volunteer_id"]) == (1, who)
        refused = await on_duty(client, "therapist", who, 4)
        assert (refused.status_code, refused.json()["reason"]) == (409, "qualification_missing")


async def test_two_licences_and_one_of_them_withdrawn_leave_the_turn(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        who = await person(client)
        one = await qualified(client, who, "therapist", registry)
        await qualified(client, who, "psychiatrist", registry)
        await on_duty(client, "therapist", who)
        await client.post(f"/v1/qualifications/{one}/steps", json={"state": "withdrawn", "reason": "revoked"})
        assert (await left(registry), await stood_down(registry)) == (["therapist"], [])


async def test_an_insurance_that_is_taken_back_takes_the_crisis_team_off_duty(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        who = await fit(client)
        await qualified(client, who, "social_worker", registry)
        ident = await insured(client, who, "2026-01-01", "2030-12-31")
        assert (await on_duty(client, "crisis-team", who)).status_code == 201
        body = {"person_id": who, "kind": "accident", "insurer": "示例保险公司", "number": "示例保单0001"}
        days = {"valid_from": "2026-01-01", "valid_until": "2030-12-31", "active": False}
        assert (await client.put(f"/v1/insurances/{ident}", json={**body, **days})).status_code == 200
        assert (await left(registry), await stood_down(registry)) == ([], ["crisis-team"])


async def test_an_attendance_that_is_corrected_takes_the_training_with_it(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        who = await fit(client, trained="no")
        session = await held_session(client, await course(client, topics=["pre_service", "ethics_privacy"]))
        path = f"/v1/training-sessions/{session}/attendances"
        there = {"items": [{"person_id": who, "attended": True}]}
        assert (await client.put(path, json=there)).status_code == 200
        assert (await on_duty(client, "responder", who)).status_code == 201
        assert (await registry.events("volunteer_registered"))[-1]["trained"] is True
        await client.put(path, json=there)
        assert await left(registry) == ["responder"], "told again, nothing happens"
        await client.put(path, json={"items": [{"person_id": who, "attended": False}]})
        assert (await left(registry), await stood_down(registry)) == ([], ["responder"])
        assert (await registry.events("volunteer_registered"))[-1]["trained"] is False


async def test_the_office_takes_its_word_back_and_a_birth_date_turns_out_to_be_a_minors(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        one, two = await fit(client), await fit(client, 2)
        for who in (one, two):
            assert (await on_duty(client, "responder", who)).status_code == 201
        await client.patch(f"/v1/volunteers/{one}", json={"trained": "no"})
        assert await stood_down(registry) == ["responder"]
        guardian = {"name": "李示例", "phone": "000-0000-0003", "relation": "母亲"}
        consent = {"state": "given", "version": "1", "on": "2026-03-02", "guardian": guardian}
        await client.put(f"/v1/volunteers/{two}/consents/guardian", json=consent)
        birth = str(local_day(now()) - timedelta(days=16 * 366))
        changed = (await client.patch(f"/v1/volunteers/{two}", json={"birth_date": birth})).json()
        assert (changed["active"], changed["minor"]) == (True, True)
        assert (await left(registry), await stood_down(registry)) == ([], ["responder", "responder"])


async def test_who_takes_the_consent_to_being_contacted_back_is_on_no_roster(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        who = await fit(client)
        assert (await on_duty(client, "publicist", who)).status_code == 201

        async def found() -> list[str]:
            answer = await client.get("/v1/people/search")
            return [item["id"] for item in answer.json()["items"]]

        path = f"/v1/volunteers/{who}/consents/matching"
        given = {"state": "given", "version": "1", "on": "2026-03-02"}
        assert (await client.put(path, json=given)).status_code == 200
        assert (await left(registry), await found()) == (["publicist"], [who])
        taken = {**given, "state": "withdrawn", "on": "2026-04-02"}
        assert (await client.put(path, json=taken)).json()["active"] is True, "the registration stands"
        assert (await left(registry), await stood_down(registry)) == ([], ["publicist"])
        assert await found() == []
        refused = await on_duty(client, "publicist", who, 4)
        assert (refused.status_code, refused.json()["reason"]) == (409, "matching_consent")
        may = (await client.get(f"/v1/people/{who}/may", params={"service": "publicity"})).json()
        assert [reason["code"] for reason in may["reasons"]] == ["matching_consent"]
        await client.put(path, json={**given, "on": "2026-05-02"})
        assert (await on_duty(client, "publicist", who, 4)).status_code == 201


@pytest.mark.parametrize("late", ["given", "withdrawn"])
async def test_what_lies_before_the_consent_on_file_undoes_nothing(registry: Registry, late: str) -> None:
    async with registry.client(COUNTY) as client:
        who = await person(client)
        path = f"/v1/volunteers/{who}/consents/registration"
        body = {"state": "given", "version": "1", "on": "2026-03-02"}
        await client.put(path, json=body)
        withdrawn = {**body, "state": "withdrawn", "on": "2026-03-09"}
        assert (await client.put(path, json=withdrawn)).json()["active"] is False
        refused = await client.put(path, json={**body, "state": late, "version": "2", "on": "2026-03-08"})
        assert (refused.status_code, refused.json()["field"]) == (422, "on")
        assert (await client.get(f"/v1/volunteers/{who}")).json()["active"] is False
        assert (await client.put(path, json={**body, "on": "2026-03-09"})).json()["active"] is True


@pytest.mark.parametrize("paper", ["licence", "insurance", "consent", "word"])
async def test_who_is_put_on_duty_while_a_paper_is_taken_away_is_not_left_on_duty_without_it(
    registry: Registry, mongod: str, paper: str
) -> None:
    """In another replica, which has looked at the paper already when it is taken away in this one."""
    replica = open_database(mongod, "registry", "test_registry")
    async with registry.client(COUNTY) as client:
        who = await fit(client)
        licence = await qualified(client, who, "social_worker", registry)
        insurance = await insured(client, who, "2026-01-01", "2030-12-31")
        policy = {"person_id": who, "kind": "accident", "insurer": "示例保险公司", "number": "示例保单0001"}
        policy |= {"valid_from": "2026-01-01", "valid_until": "2030-12-31"}
        consent = {"state": "given", "version": "1", "on": "2026-03-02"}
        await client.put(f"/v1/volunteers/{who}/consents/matching", json=consent)
        await client.put("/v1/rosters/of-crisis-team", json={"division": COUNTY, "role": "crisis-team"})
        looked, taken = asyncio.Event(), asyncio.Event()

        async def put(tx: Tx) -> None:
            roster = await store.roster(tx, "of-crisis-team")
            assert roster is not None
            turn = Turn(WHEN, WHEN + timedelta(hours=1))
            await add_duties(tx, roster, [(uuid.UUID(who), turn)], policies=registry.keys.policies)
            looked.set()
            await taken.wait()

        putting = asyncio.create_task(replica.transact(put))
        await asyncio.wait_for(looked.wait(), 20)
        withdrawn = {**consent, "state": "withdrawn"}
        path, body = {
            "licence": (f"/v1/qualifications/{licence}/steps", {"state": "withdrawn", "reason": "revoked"}),
            "insurance": (f"/v1/insurances/{insurance}", {**policy, "active": False}),
            "consent": (f"/v1/volunteers/{who}/consents/matching", withdrawn),
            "word": (f"/v1/volunteers/{who}", {"trained": "no"}),
        }[paper]
        verb = {"licence": "POST", "word": "PATCH"}.get(paper, "PUT")
        answer = await client.request(verb, path, json=body)
        assert answer.status_code == 200, answer.text
        taken.set()
        with pytest.raises(NotAllowed):
            await putting
        replica.close()
        assert await left(registry) == []


# What changes with nobody's hand in it


async def test_a_minor_who_came_of_age_is_woken_once(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        who, still = await person(client), await person(client, 2)
        born = local_day(now()) - timedelta(days=16 * 366)
        for one in (who, still):
            asked = (await client.patch(f"/v1/volunteers/{one}", json={"birth_date": str(born)})).json()
            assert asked["waits_for"] == ["guardian_consent"]
        await rewritten(registry, who, minor_until=str(local_day(now())))
        await registry.forget_events()
        await sweep(registry)
        woken = (await client.get(f"/v1/volunteers/{who}")).json()
        assert (woken["active"], woken["waits_for"], woken["minor"]) == (True, [], False)
        assert (await client.get(f"/v1/volunteers/{still}")).json()["active"] is False
        (event,) = await registry.events("volunteer_registered")
        assert (event["volunteer_id"], event["active"], event["minor"]) == (who, True, False)
        await sweep(registry)
        assert len(await registry.events("volunteer_registered")) == 1


async def test_who_came_of_age_is_woken_by_a_registrars_asking_too(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        who = await person(client)
        born = local_day(now()) - timedelta(days=16 * 366)
        await client.patch(f"/v1/volunteers/{who}", json={"birth_date": str(born)})
        grown = str(local_day(now()) - timedelta(days=18 * 366 + 40))
        document = await rewritten(registry, who, minor_until=str(local_day(now())))
        assert (document["active"], grown < str(born)) == (False, True)
        asked = (await client.patch(f"/v1/volunteers/{who}", json={"active": True, "birth_date": grown})).json()
        assert (asked["active"], asked["waits_for"]) == (True, [])


async def test_what_would_be_told_as_it_is_wakes_who_waits_for_nothing_any_more(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        who = await person(client)
        await rewritten(registry, who, active=False, waits_for=["guardian_consent"])
        asked = (await client.patch(f"/v1/volunteers/{who}", json={"active": True})).json()
        assert (asked["active"], asked["waits_for"]) == (True, [])


def with_a_newer_pledge(registry: Registry, since: timedelta) -> Policies:
    """The policies with a version more, which came into force so long ago; or will, where that is below nothing."""
    known = registry.keys.policies.people.at(now())
    pledge = known.pledge.model_copy(update={"version": "2027-01", "transition_days": 30})
    newer = known.model_copy(update={"version": "2027-01", "in_force_from": now() - since, "pledge": pledge})
    return replace(registry.keys.policies, people=Versions((known, newer)))


async def test_a_new_pledge_is_signed_ahead_and_the_older_one_counts_until_the_transition_is_over(
    registry: Registry,
) -> None:
    coming, recent, long_ago = (with_a_newer_pledge(registry, timedelta(days=days)) for days in (-10, 29, 31))

    async def sign(who: str, version: str, policies: Policies) -> Document:
        async def put(tx: Tx) -> Document:
            found = await store.volunteer(tx, uuid.UUID(who))
            assert found is not None
            return await sign_pledge(tx, found, version, local_day(tx.now), policies)

        return await registry.database.transact(put)

    async with registry.client(COUNTY) as client:
        ahead, late = await fit(client), await fit(client, 2)
        for who in (ahead, late):
            assert (await on_duty(client, "responder", who)).status_code == 201
        with pytest.raises(Refused, match="2026-11, 2027-01"):
            await sign(ahead, "2099-01", coming)
        assert (await sign(ahead, "2027-01", coming))["pledge"]["version"] == "2027-01"
        with pytest.raises(Refused):
            await sign(late, "2026-11", recent)
        for policies in (coming, recent):
            await sweep(registry, policies)
            assert await stood_down(registry) == [], "both may go on"
        await sweep(registry, long_ago)
        (row,) = await registry.database.find("duties", {"active": True})
        assert str(row["volunteer_id"]) == ahead


async def test_a_rule_that_changes_takes_nobody_off_a_turn_that_is_running(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        who = await fit(client)
        for hours in (0, 4):
            assert (await on_duty(client, "responder", who, hours)).status_code == 201
    (first, _) = await registry.database.find("duties", {}, sort=[("starts_at", 1)])
    began = {"starts_at": now() - timedelta(hours=1), "ends_at": now() + timedelta(hours=1)}

    async def begin(tx: Tx) -> None:
        tx.put("duties", {**first, **began})

    await registry.database.transact(begin)
    await sweep(registry, with_a_newer_pledge(registry, timedelta(days=31)))
    (row,) = await registry.database.find("duties", {"active": True})
    assert row["_id"] == first["_id"]
    look = partial(standing.look_again, person=uuid.UUID(who), policies=with_a_newer_pledge(registry, timedelta(31)))
    await registry.database.transact(look)
    assert await left(registry) == [], "a paper that is taken away ends a turn that is running, too"


async def test_a_new_pledge_takes_those_off_duty_who_did_not_sign_it_in_time(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standing, "AT_ONCE", 1)
    async with registry.client(COUNTY) as client:
        people = [await fit(client, number) for number in (1, 2, 3)]
        for who in people:
            assert (await on_duty(client, "responder", who)).status_code == 201
        assert (await on_duty(client, "publicist", people[0], 4)).status_code == 201
        assert await sweep(registry) >= len(people), "a portion at a time"
        assert await stood_down(registry) == []
        await sweep(registry, with_a_newer_pledge(registry, timedelta(days=31)))
        assert await left(registry) == ["publicist"]
        assert await stood_down(registry) == ["responder"] * 3
    (timer,) = await registry.database.find("timers", {"kind": standing.TIMER})
    next_look = timer["due_at"].astimezone(LOCAL)
    assert (next_look.date(), next_look.hour) == (local_day(now()) + timedelta(days=1), 0)


async def test_nobody_is_looked_at_who_is_erased_or_not_there(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        who = await person(client)
        await client.post(f"/v1/volunteers/{who}/erase", json={"reason": "本人要求"})
        await registry.forget_events()
        for ident in (uuid.UUID(who), uuid.uuid4()):
            look = partial(standing.look_again, person=ident, policies=registry.keys.policies)
            assert await registry.database.transact(look) is None
    assert await registry.events("volunteer_registered") == []
    assert await registry.database.count("volunteers", {}) == 1


async def test_a_turn_in_another_place_of_the_register_is_no_bar(registry: Registry) -> None:
    """A certificate of an entry that was merged is looked at for the entry that it was merged into."""
    async with registry.client(COUNTY) as client:
        stays, goes = await person(client), await person(client, 2)
        ident = await qualified(client, goes, "therapist", registry)
        merged = await client.post(f"/v1/volunteers/{stays}/merge", json={"other": goes, "reason": "同一人"})
        assert merged.status_code in (200, 201), merged.text
        assert (await on_duty(client, "therapist", stays)).status_code == 201
        step = {"state": "withdrawn", "reason": "revoked"}
        assert (await client.post(f"/v1/qualifications/{ident}/steps", json=step)).status_code == 200
        assert (await left(registry), await stood_down(registry)) == ([], ["therapist"])
    assert TOWN.startswith(COUNTY)
