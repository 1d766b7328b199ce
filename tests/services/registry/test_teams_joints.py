"""Teams and the people in them: who goes to schools, who keeps the children's database, who is lent and counted."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import httpx

from chassis.clock import local_day, now
from tests.services.registry.children_support import fit
from tests.services.registry.places_support import COUNTY, TOWN, organisation, person, place, staffed, villages
from tests.services.registry.support import Registry
from tests.services.registry.teams_support import a_team, put, team
from tests.services.registry.trainings_support import pledged, qualified

VILLAGE = "370812001001"


async def merged(client: httpx.AsyncClient, stays: str, goes: str) -> None:
    answer = await client.post(f"/v1/volunteers/{stays}/merge", json={"other": goes, "reason": "same person"})
    assert answer.status_code == 200, answer.text


async def term(client: httpx.AsyncClient, ident: str, who: str, **fields: Any) -> httpx.Response:
    body = {"person_id": who, "role": "member", "since": "2026-01-01", **fields}
    return await client.put(f"/v1/teams/{ident}/terms/{uuid.uuid4()}", json=body)


async def an_expert(registry: Registry, client: httpx.AsyncClient, number: int = 1) -> str:
    who = await person(client, number)
    await qualified(client, who, "counsellor", registry)
    await pledged(client, who)
    return who


class Visit:
    """A visit of an expert of a pool to a school, as it can be told."""

    def __init__(self, client: httpx.AsyncClient, pool: str, body: dict[str, Any]) -> None:
        self.client, self.pool, self.body, self.path = client, pool, body, ""
        self.anew()

    def anew(self) -> None:
        self.path = f"/v1/teams/{self.pool}/visits/{uuid.uuid4()}"

    async def told(self, state: str, **fields: Any) -> httpx.Response:
        return await self.client.put(self.path, json={**self.body, "state": state, **fields})


async def a_visit(registry: Registry, client: httpx.AsyncClient, expert: str, *, active: bool = True) -> Visit:
    pool = await team(client, active=active, type="school_expert_pool")
    school = await organisation(client, "示例小学", "school")
    assert (await term(client, pool, expert, role="expert")).status_code == 200
    day = local_day(now()).isoformat()
    return Visit(client, pool, {"organisation_id": school, "person_id": expert, "day": day})


async def test_nobody_is_sent_into_a_school_who_left_and_the_visit_can_still_be_called_off(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        expert = await an_expert(registry, client)
        visit = await a_visit(registry, client, expert)
        assert (await visit.told("planned")).status_code == 200
        await client.patch(f"/v1/volunteers/{expert}", json={"active": False})
        assert (await visit.told("done")).status_code == 422
        planned = visit.path
        visit.anew()
        assert (await visit.told("planned")).status_code == 422
        visit.path = planned
        called_off = await visit.told("cancelled")
        assert (called_off.status_code, called_off.json()["state"]) == (200, "cancelled")


async def test_the_gate_decides_who_goes_to_a_school(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        who = await person(client)
        visit = await a_visit(registry, client, who)
        answer = await visit.told("planned")
        assert (answer.status_code, answer.json()["field"]) == (409, "person_id")
        assert answer.json()["reason"] == "qualification_missing"
        await qualified(client, who, "counsellor", registry)
        assert (await visit.told("planned")).json()["reason"] == "pledge_missing"
        await pledged(client, who)
        assert (await visit.told("planned")).status_code == 200


async def test_a_pool_that_is_not_active_sends_nobody(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        visit = await a_visit(registry, client, await an_expert(registry, client), active=False)
        assert (await visit.told("planned")).json()["reason"] == "team_not_active"
        path = f"/v1/teams/{visit.pool}/status"
        await client.post(path, json={"status": "active", "reason": "示例组建"})
        assert (await visit.told("planned")).status_code == 200
        await client.post(path, json={"status": "dissolved", "reason": "示例解散"})
        assert (await visit.told("done")).json()["reason"] == "team_not_active"
        assert (await visit.told("cancelled")).status_code == 200


async def test_an_expert_who_was_merged_is_the_same_expert_under_either_id(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        expert, stays = await an_expert(registry, client), await person(client, 2)
        visit = await a_visit(registry, client, expert)
        assert (await visit.told("planned")).status_code == 200
        await pledged(client, stays)
        await merged(client, stays, expert)
        assert (await visit.told("planned", person_id=stays)).json()["revision"] == 1
        done = await visit.told("done", person_id=stays)
        assert (done.status_code, done.json()["person_id"]) == (200, stays)


async def test_who_left_keeps_no_database_of_children_and_nobody_else_reads_who_does(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        backbone = await team(client, type="children_backbone", active=True)
        one, two = await person(client, 1), await person(client, 2)
        unsigned = await term(client, backbone, one, role="children_database")
        assert (unsigned.status_code, unsigned.json()["reason"]) == (409, "pledge_missing")
        for who in (one, two):
            await fit(client, who)
            assert (await term(client, backbone, who, role="children_database")).status_code == 200
        terms = f"/v1/teams/{backbone}/terms"
        told = [one["role"] for one in (await client.get(terms)).json()["items"]]
        assert told == ["children_database"] * 2
        async with registry.client(COUNTY, "statistician") as other:
            assert [one["role"] for one in (await other.get(terms)).json()["items"]] == [None, None]
            assert (await other.get(terms, params={"role": "children_database"})).json()["items"] == []
        await client.patch(f"/v1/volunteers/{two}", json={"active": False})
        keepers = (await client.get("/v1/children-database/keepers")).json()["items"]
        assert [keeper["person_id"] for keeper in keepers] == [one]


async def test_a_team_counts_people_and_not_entries(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident = await team(client)
        one, two, gone = [await person(client, number) for number in (1, 2, 3)]
        for who in (one, two, gone):
            assert (await term(client, ident, who)).status_code == 200
        assert (await client.get(f"/v1/teams/{ident}")).json()["members_today"] == 3
        await merged(client, one, two)
        await client.post(f"/v1/volunteers/{gone}/erase", json={"reason": "本人要求"})
        assert (await client.get(f"/v1/teams/{ident}")).json()["members_today"] == 1
        assert [row["members_today"] for row in (await client.get("/v1/teams")).json()["items"]] == [1]
        today = (await client.get(f"/v1/teams/{ident}/standing")).json()
        assert (today["members"], today["by_role"]) == (1, {"member": 1})


async def test_a_school_s_linked_teachers_are_people_who_are_there(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        school = await organisation(client, "示例小学", "school")
        room = await place(client, opened=True, organisation_id=school)
        one, two, gone = [await person(client, number) for number in (1, 2, 3)]
        for who in (one, two, gone):
            await staffed(client, room, who, occupation="psychology_teacher")
        assert (await client.get("/v1/staffing")).json()["total"]["linked"] == 3
        await merged(client, one, two)
        await client.patch(f"/v1/volunteers/{gone}", json={"active": False})
        assert (await client.get("/v1/staffing")).json()["total"]["linked"] == 1


# Loans


def a_loan(subject_id: str, **fields: Any) -> dict[str, Any]:
    base = {"subject": "person", "subject_id": subject_id, "kind": "sunk", "division": VILLAGE}
    return {**base, "since": "2026-03-01", "until": "2026-08-31", **fields}


async def test_who_lends_changes_the_loan_and_both_sides_read_it(registry: Registry) -> None:
    await villages(registry)
    async with registry.client(COUNTY) as client:
        who = await person(client, division=COUNTY)
        loan = await put(client, "loans", a_loan(who))
    async with registry.client(VILLAGE) as receiving:
        assert (await receiving.get(f"/v1/loans/{loan}")).status_code == 200
        longer = await receiving.put(f"/v1/loans/{loan}", json=a_loan(who, until="2027-08-31"))
        assert longer.status_code == 403
    async with registry.client("3708") as city:
        office = await organisation(city, "示例区医院", "hospital", "370812002")
        lateral = await put(city, "loans", a_loan(await person(city, 2), kind="lateral", origin_id=office))
    async with registry.client("370812002") as lender:
        assert (await lender.get(f"/v1/loans/{lateral}")).json()["origin"] == "370812002"
        listed = (await lender.get("/v1/loans")).json()["items"]
        assert [one["id"] for one in listed] == [lateral]
        there = (await lender.get("/v1/loans", params={"division": VILLAGE, "origin": "370812002"})).json()["items"]
        assert [one["id"] for one in there] == [lateral]
        body = {name: listed[0][name] for name in ("subject", "subject_id", "kind", "division", "since", "until")}
        ended = await lender.put(f"/v1/loans/{lateral}", json={**body, "cancelled": True})
        assert (ended.status_code, ended.json()["cancelled"]) == (200, True)
        assert (await lender.get(f"/v1/loans/{loan}")).status_code == 404
        assert (await lender.get("/v1/loans", params={"division": VILLAGE})).status_code == 404


async def test_a_loan_stays_a_person_s_and_a_merged_person_is_lent_once(registry: Registry) -> None:
    await villages(registry)
    async with registry.client(COUNTY) as client:
        who, stays = await person(client, 1, division=COUNTY), await person(client, 2, division=COUNTY)
        loan = await put(client, "loans", a_loan(who))
        assert (await client.put(f"/v1/loans/{loan}", json=a_loan(who, subject="team"))).status_code == 409
        await merged(client, stays, who)
        again = await client.put(f"/v1/loans/{loan}", json=a_loan(stays))
        assert (again.status_code, again.json()["revision"]) == (200, 1)
        twice = await client.put(f"/v1/loans/{uuid.uuid4()}", json=a_loan(stays, division="370812001002"))
        assert (twice.status_code, twice.json()["reason"]) == (409, "lent_twice")


# What ends after somebody left


async def test_guidance_by_an_organisation_that_left_can_be_ended(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        guide = await organisation(client, "示例医院", "hospital")
        guided = await organisation(client, "示例卫生院", "primary_care")
        body = {"kind": "technical_guidance", "division": COUNTY, "guide_id": guide, "guided_id": guided}
        body |= {"since": "2026-01-01", "topic": "示例"}
        ident = await put(client, "relations", body)
        for one, name, kind in ((guide, "示例医院", "hospital"), (guided, "示例卫生院", "primary_care")):
            gone = {"name": name, "division": TOWN, "kind": kind, "receives_referrals": False, "active": False}
            assert (await client.put(f"/v1/organisations/{one}", json=gone)).status_code == 200
        ended = await client.put(f"/v1/relations/{ident}", json={**body, "until": "2026-10-31"})
        assert (ended.status_code, ended.json()["until"]) == (200, "2026-10-31")
        anew = await client.put(f"/v1/relations/{uuid.uuid4()}", json=body)
        assert (anew.status_code, anew.json()["field"]) == (422, "guide_id")


async def test_the_network_of_a_school_that_left_can_be_closed(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        school = await organisation(client, "示例小学", "school")
        body = {"organisation_id": school, "level": "school", "name": "示例小学"}
        unit = await put(client, "campus-units", body)
        gone = {"name": "示例小学", "division": TOWN, "kind": "school", "receives_referrals": False, "active": False}
        await client.put(f"/v1/organisations/{school}", json=gone)
        closed = await client.put(f"/v1/campus-units/{unit}", json={**body, "active": False})
        assert (closed.status_code, closed.json()["active"]) == (200, False)
        assert (await client.put(f"/v1/campus-units/{uuid.uuid4()}", json=body)).status_code == 422


async def test_a_day_that_there_is_not_is_no_filter(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident = await team(client)
        for path, name in (
            (f"/v1/teams/{ident}/terms", "day"),
            (f"/v1/teams/{ident}/standing", "day"),
            ("/v1/loans", "day"),
            ("/v1/teams", "valid_on"),
            ("/v1/community-check-ins/counts", "since"),
        ):
            for day in ("2026-99-99", "2026-02-30"):
                answer = await client.get(path, params={name: day})
                assert (answer.status_code, answer.json()["field"]) == (422, f"query.{name}"), path
        tomorrow = str(local_day(now()) + timedelta(1))
        assert (await client.get(f"/v1/teams/{ident}/standing", params={"day": tomorrow})).status_code == 200


async def test_a_team_that_is_dissolved_and_one_that_is_put_below_it_are_written_one_after_the_other(
    registry: Registry,
) -> None:
    async def moves() -> int:
        guard = await registry.database.get("team_guards", COUNTY[:2])
        return int(guard["moves"]) if guard else 0

    async with registry.client(COUNTY) as client:
        above = await team(client, active=True)
        step = f"/v1/teams/{above}/status"
        before = await moves()
        below = await team(client, parent_id=above)
        assert await moves() == before + 1
        refused = await client.post(step, json={"status": "dissolved", "reason": "示例解散"})
        assert refused.status_code == 409
        await client.post(f"/v1/teams/{below}/status", json={"status": "dissolved", "reason": "示例解散"})
        await client.post(step, json={"status": "dissolved", "reason": "示例解散"})
        assert await moves() == before + 3
        late = await client.put(f"/v1/teams/{uuid.uuid4()}", json=a_team(parent_id=above))
        assert (late.status_code, late.json()["field"]) == (422, "parent_id")
