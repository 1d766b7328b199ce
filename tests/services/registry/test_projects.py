"""A project's people through steps 4 and 7: called, taken, trained, let through the gate, insured and supported."""

from __future__ import annotations

import asyncio
import json
import uuid
from datetime import timedelta
from typing import Any

import httpx
from hypothesis import given
from hypothesis import strategies as st

from chassis.clock import local_day, new_id, now
from chassis.tx import Tx
from services.registry.domain.projects import SUPPORTS, Member, recruited_and_trained, supported
from tests.services.registry.places_support import COUNTY, TOWN, organisation, person
from tests.services.registry.support import Registry
from tests.services.registry.teams_support import put, refused
from tests.services.registry.test_recruitment import a_call, an_applicant
from tests.services.registry.trainings_support import course, insured, pledged, qualified, trained


def a_project(carrier: str, **fields: Any) -> dict[str, Any]:
    told = {"division": COUNTY, "organisation_id": carrier, "role": "counsellor", "service": "counselling", "needed": 2}
    return {**told, "supports": ["transport", "insurance"], **fields}


async def step(client: httpx.AsyncClient, ident: str, number: int) -> dict[str, Any]:
    answer = await client.get(f"/v1/projects/{ident}/steps")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = next(one for one in answer.json()["steps"] if one["number"] == number)
    assert found["met"] is (found["lacking"] == [])
    return found


def lacking(found: dict[str, Any]) -> list[str]:
    return [one["code"] for one in found["lacking"]]


async def taken(registry: Registry, client: httpx.AsyncClient, call: str, number: int) -> str:
    """Somebody applied and was taken: the volunteer's id."""
    body = an_applicant(number, division=TOWN, person_types=[1])
    async with registry.client(TOWN, "volunteer", subject=f"portal-{number}") as public:
        applied = await public.post(f"/v1/recruitments/{call}/applications", json=body)
        assert applied.status_code == 201, applied.text
    decision = {"to": "accepted", "reason": "符合条件"}
    path = f"/v1/recruitments/{call}/applications/{applied.json()['id']}/decision"
    answer = await client.post(path, json=decision)
    assert answer.json()["state"] == "accepted", answer.text
    return str(answer.json()["volunteer_id"])


async def test_a_project_passes_step_4_and_step_7_from_the_call_to_the_support(registry: Registry) -> None:
    today = local_day(now())
    async with registry.client(COUNTY) as client:
        carrier = await organisation(client, "示例志愿服务组织", "service_provider")
        call = str(new_id())
        told = a_call(division=COUNTY, quota=2, conditions={"person_types": [1]}, units=[])
        assert (await client.put(f"/v1/recruitments/{call}", json=told)).status_code == 200
        ident = await put(client, "projects", a_project(carrier, recruitment_ids=[call]))
        # Nobody was called yet.
        assert lacking(await step(client, ident, 4)) == ["no_call", "too_few"]
        assert lacking(await step(client, ident, 7)) == ["nobody"]
        # The call is opened, one is taken, and one is too few.
        await client.post(f"/v1/recruitments/{call}/moves", json={"to": "open"})
        pre_service = await course(client, topics=["pre_service", "ethics_privacy"], type="pre_service")
        one = await taken(registry, client, call, 1)
        first = await step(client, ident, 4)
        assert (first["needed"], first["calls"], first["recruited"], first["trained"]) == (2, 1, 1, 0)
        assert lacking(first) == ["too_few", "untrained", "not_ready"]
        two = await taken(registry, client, call, 2)
        assert lacking(await step(client, ident, 4)) == ["untrained", "not_ready"]
        # Trained, which the gate alone does not take for a qualification.
        await trained(client, pre_service, one, two)
        second = await step(client, ident, 4)
        assert (second["trained"], second["ready"], lacking(second)) == (2, 0, ["not_ready"])
        assert second["by_code"] == {"pledge_missing": 2, "qualification_missing": 2}
        for who in (one, two):
            await qualified(client, who, "counsellor", registry)
            await pledged(client, who)
            asked = {"role": "counsellor", "service": "counselling"}
            assert (await client.get(f"/v1/people/{who}/may", params=asked)).json()["may"] is True
        fourth = await step(client, ident, 4)
        assert (fourth["met"], fourth["ready"], fourth["by_code"]) == (True, 2, {})
        # Support: nothing was given so far.
        assert lacking(await step(client, ident, 7)) == ["unsupported"]
        for number, who in enumerate((one, two)):
            cover = await insured(client, who, str(today), str(today + timedelta(days=90)))
            given_to = {
                "person_id": who,
                "role": "counsellor",
                "on": str(today),
                "transport": True,
                "communication": False,
                "meals": False,
                "lodging": False,
                "insurance_id": cover,
                "project_id": ident,
            }
            assert (await client.put(f"/v1/support-records/{new_id()}", json=given_to)).status_code == 200
            seventh = await step(client, ident, 7)
            assert (seventh["supported"], seventh["met"]) == (number + 1, number == 1)
        assert seventh["by_code"] == {"transport": 2, "communication": 0, "meals": 0, "lodging": 0, "insurance": 2}
        assert (await client.get(f"/v1/projects/{ident}/steps")).json()["calls"] == {
            "quota": 2,
            "applications": 2,
            "accepted": 2,
        }
        # An insurance that is taken back, or has run out, insures nobody any more.
        row = await registry.database.get("insurances", uuid.UUID(cover))
        assert row is not None

        async def until(tx: Tx, day: str) -> None:
            tx.put("insurances", {**row, "valid_until": day})

        await registry.database.transact(lambda tx: until(tx, str(today - timedelta(days=1))))
        seventh = await step(client, ident, 7)
        assert (seventh["by_code"]["insurance"], lacking(seventh)) == (1, ["unsupported"])
        await registry.database.transact(lambda tx: until(tx, row["valid_until"]))
        # Incentives are support, too.
        item = new_id()
        treat = {
            "division": COUNTY,
            "area": "public_service",
            "label": "示例文化场馆免费入场",
            "conditions": {},
            "source": "示例礼遇办法",
        }
        assert (await client.put(f"/v1/incentives/{item}", json=treat)).status_code == 200
        redeemed = {"incentive_id": str(item), "volunteer_id": one}
        assert (await client.put(f"/v1/redemptions/{new_id()}", json=redeemed)).status_code == 200
        assert (await step(client, ident, 7))["incentives"] == 1
        # Told to the others once.
        for _ in range(2):
            assert (await client.post(f"/v1/projects/{ident}/report")).json()["reports"] == 1
        (event,) = await registry.events("project_staffed")
        assert (event["recruited_and_trained"], event["support_given"]) == (True, True)
        counts = ("needed", "recruited", "trained", "ready", "supported", "insured")
        assert [event[name] for name in counts] == [2] * len(counts)
        assert not any(word in json.dumps(event, ensure_ascii=False) for word in ("张示例", one, two))
        # Who leaves is missed at once.
        await client.post(f"/v1/volunteers/{two}/erase", json={"reason": "本人要求"})
        assert lacking(await step(client, ident, 4)) == ["too_few"]
        assert (await step(client, ident, 7))["people"] == 1
        assert (await client.post(f"/v1/projects/{ident}/report")).json()["reports"] == 2


async def test_a_volunteer_team_passes_with_people_who_were_named_and_its_own_course(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        carrier = await organisation(client, "示例志愿服务组织", "service_provider")
        own, other = await course(client, topics=["skills"]), await course(client, topics=["pre_service"])
        body = a_project(carrier, role=None, service=None, needed=1, supports=[], course_ids=[own])
        ident = await put(client, "projects", body)
        who = await person(client)
        path = f"/v1/projects/{ident}/people/{who}"
        for _ in range(2):
            assert (await client.put(path)).json()["revision"] == 2
        await trained(client, other, who)
        assert lacking(await step(client, ident, 4)) == ["untrained"]
        await trained(client, own, who)
        assert (await step(client, ident, 4))["met"] is True
        assert (await step(client, ident, 7))["met"] is True
        (item,) = (await client.get(f"/v1/projects/{ident}/people")).json()["items"]
        assert (item["person_id"], item["trained"], item["ready"], item["lacking"]) == (who, True, True, [])
        for _ in range(2):
            assert (await client.delete(path)).json()["revision"] == 3
        assert (await step(client, ident, 4))["recruited"] == 0
        assert (await client.put(path)).status_code == 200
        assert (await step(client, ident, 4))["recruited"] == 1
        assert (await client.delete(f"/v1/projects/{ident}/people/{uuid.uuid4()}")).status_code == 404


async def test_without_a_word_of_the_plan_everybody_needs_what_the_policy_names(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        carrier = await organisation(client, "示例志愿服务组织", "service_provider")
        body = a_project(carrier, supports=None)
        ident = await put(client, "projects", body)
        assert (await step(client, ident, 7))["needs"] == ["insurance"]
        assert (await client.put(f"/v1/projects/{ident}", json=body)).json()["revision"] == 1
        assert (await client.put(f"/v1/projects/{ident}", json={**body, "needed": 3})).json()["revision"] == 2
        listed = (await client.get("/v1/projects")).json()["items"]
        assert [one["id"] for one in listed] == [ident]


async def test_what_is_wrong_with_a_project_is_refused_and_others_do_not_see_it(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        carrier = await organisation(client, "示例志愿服务组织", "service_provider")
        ident = await put(client, "projects", a_project(carrier))
        for fields, field in (
            ({"organisation_id": str(uuid.uuid4())}, "organisation_id"),
            ({"service": "wizardry"}, "service"),
            ({"recruitment_ids": [str(uuid.uuid4())]}, "recruitment_ids.0"),
            ({"course_ids": [str(uuid.uuid4())]}, "course_ids.0"),
            ({"supports": ["wine"]}, "body.supports.0"),
            ({"needed": 0}, "body.needed"),
        ):
            await refused(client, "projects", a_project(carrier, **fields), field)
        answer = await client.put(f"/v1/projects/{ident}/people/{uuid.uuid4()}")
        assert (answer.status_code, answer.json()["field"]) == (422, "person_id")
    paths = (f"/v1/projects/{ident}", f"/v1/projects/{ident}/steps", f"/v1/projects/{ident}/people")
    async with registry.client("320706") as outside:
        for path in paths:
            assert (await outside.get(path)).status_code == 404
        assert (await outside.post(f"{paths[0]}/report")).status_code == 404
        assert (await outside.put(f"{paths[0]}/people/{uuid.uuid4()}")).status_code == 404
        assert (await outside.put(paths[0], json=a_project(carrier))).status_code == 404
        assert (await outside.get("/v1/projects")).json()["items"] == []
    async with registry.client(COUNTY, "statistician") as reader:
        assert [(await reader.get(path)).status_code for path in paths] == [200, 200, 403]
        assert (await reader.put(paths[0], json=a_project(carrier))).status_code == 403
        assert (await reader.post(f"{paths[0]}/report")).status_code == 403


MEMBERS = st.builds(
    Member,
    st.booleans(),
    st.lists(st.sampled_from(["inactive", "pledge_missing"]), max_size=2).map(tuple),
    st.frozensets(st.sampled_from(sorted(SUPPORTS))),
)


@given(st.integers(1, 6), st.integers(0, 2), st.lists(MEMBERS, max_size=6), st.sets(st.sampled_from(sorted(SUPPORTS))))
def test_a_step_is_met_exactly_if_there_are_enough_and_nothing_is_said_against_any(
    needed: int, calls: int, members: list[Member], needs: set[str]
) -> None:
    four, seven = recruited_and_trained(needed, calls, members), supported(needs, members)
    assert four.met is (len(members) >= needed and all(one.trained and not one.reasons for one in members))
    assert four.counts["ready"] <= four.counts["trained"] <= four.counts["recruited"] == len(members)
    assert seven.met is (bool(members) and all(needs <= one.given for one in members))
    assert seven.counts["supported"] <= seven.counts["people"]


async def test_the_people_of_a_project_are_paged_and_reading_them_takes_nobodys_turn(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        carrier = await organisation(client, "示例志愿服务组织", "service_provider")
        ident = await put(client, "projects", a_project(carrier, role=None, service=None, supports=[]))
        everybody = sorted([await person(client, number) for number in range(1, 6)])
        for who in everybody:
            assert (await client.put(f"/v1/projects/{ident}/people/{who}")).status_code == 200
        double = await person(client, 9)
        merged = await client.post(f"/v1/volunteers/{everybody[0]}/merge", json={"other": double, "reason": "同一人"})
        assert merged.is_success
        found: list[str] = []
        after: str | None = None
        # While a write has the turn.
        async with registry.database._turn, asyncio.timeout(10):
            for _ in range(3):
                params: dict[str, str] = {"limit": "2", **({"after": after} if after else {})}
                page = (await client.get(f"/v1/projects/{ident}/people", params=params)).json()
                found += [item["person_id"] for item in page["items"]]
                after = page["next"]
            assert (await client.get(f"/v1/projects/{ident}/steps")).status_code == 200
            assert (await client.get(f"/v1/people/{everybody[1]}/tasks")).status_code == 200
        assert (found, after) == (everybody, None)
