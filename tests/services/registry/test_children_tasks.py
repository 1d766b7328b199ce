"""Tasks for children in difficulty: what a volunteer sees is what the task asks for, on its days, and on record."""

from __future__ import annotations

import uuid
from datetime import timedelta

from hypothesis import given as over
from hypothesis import strategies as st

from chassis.clock import local_day, now
from services.registry.domain.children_tasks import NEXT, State, is_open
from tests.services.registry.children_support import SECRETS, a_child, a_task, checked, given, helper, keeper, listed
from tests.services.registry.places_support import COUNTY, person
from tests.services.registry.support import Registry
from tests.services.registry.trainings_support import course, pledged, trained

LOOK = {"reason": "visit"}


async def test_a_volunteer_sees_what_the_task_asks_for_and_nothing_else(registry: Registry) -> None:
    who, volunteer, other = await keeper(registry), await helper(registry), await helper(registry, 2, "王示例")
    async with registry.client(COUNTY, "volunteer", subject=who) as client:
        child = await listed(client)
        task = await given(client, child, volunteer)
    async with registry.client(COUNTY, "volunteer", subject=volunteer) as client:
        own = await client.get("/v1/children-tasks/own")
        assert [(one["id"], one["open"]) for one in own.json()["items"]] == [(task, True)]
        assert not any(secret in own.text for secret in (*SECRETS, child))
        seen = await client.post(f"/v1/children-tasks/{task}/look", json=LOOK)
        told = seen.json()
        assert (told["name"], told["school"], told["what"]) == ("童示例", "示例小学", "周六上午到校辅导作业")
        assert seen.headers["cache-control"] == "no-store"
        assert not any(word in seen.text for word in ("示例路1号", "李示例", "000-0000-0002", "2016-05-01", "每周一次"))
        assert (await client.get(f"/v1/children/{child}")).status_code == 403
        assert (await client.post(f"/v1/children-tasks/{task}/look", json={})).status_code == 422
    async with registry.client(COUNTY, "volunteer", subject=other) as client:
        assert (await client.post(f"/v1/children-tasks/{task}/look", json=LOOK)).status_code == 404
        assert (await client.get("/v1/children-tasks/own")).json()["items"] == []
    for role in ("registrar", "coordinator", "privacy_officer"):
        async with registry.client(COUNTY, role, subject=volunteer) as client:
            assert (await client.post(f"/v1/children-tasks/{task}/look", json=LOOK)).status_code == 403
    async with registry.client(COUNTY, "privacy_officer") as officer:
        (read,) = (await officer.get(f"/v1/children/{child}/reads")).json()["items"]
    assert (read["by"], read["task_id"], read["fields"], read["reason"]) == (
        volunteer,
        task,
        ["name", "school"],
        "visit",
    )


async def test_a_task_opens_on_its_days_alone_and_never_after_its_end(registry: Registry) -> None:
    who, volunteer, today = await keeper(registry), await helper(registry), local_day(now())
    async with registry.client(COUNTY, "volunteer", subject=who) as client:
        child = await listed(client)
        later = {"since": str(today + timedelta(days=1)), "until": str(today + timedelta(days=2))}
        coming = await given(client, child, volunteer, **later)
        done = await given(client, child, volunteer)
        for _ in range(2):
            moved = await client.post(f"/v1/children-tasks/{done}/moves", json={"to": "done"})
            assert moved.json()["state"] == "done"
        back = await client.post(f"/v1/children-tasks/{done}/moves", json={"to": "withdrawn"})
        assert back.status_code == 409
        assert (await client.get(f"/v1/children/{child}")).json()["helpers"] == 1
        unknown = await client.post(f"/v1/children-tasks/{uuid.uuid4()}/moves", json={"to": "done"})
        assert unknown.status_code == 404
    async with registry.client(COUNTY, "volunteer", subject=volunteer) as client:
        for task in (coming, done):
            look = await client.post(f"/v1/children-tasks/{task}/look", json=LOOK)
            assert (look.status_code, look.json()["reason"]) == (409, "not_open")


async def test_whoever_helps_is_of_age_has_signed_and_is_trained_once_it_is_offered(registry: Registry) -> None:
    who = await keeper(registry)
    async with registry.client(COUNTY) as client:
        young = {"division": "370812001", "name": "小示例", "phone": "000-0000-0007", "person_types": [7], "age": 16}
        minor = (await client.post("/v1/volunteers", json=young)).json()["id"]
        consent = {
            "state": "given",
            "version": "2026-11",
            "on": "2026-03-02",
            "guardian": {"name": "李示例", "phone": "000-0000-0002", "relation": "母亲"},
        }
        await client.put(f"/v1/volunteers/{minor}/consents/guardian", json=consent)
        await pledged(client, minor)
        await checked(client, minor)
        unsigned = await person(client, 8)
        await client.patch(f"/v1/volunteers/{unsigned}", json={"birth_date": "1990-05-04"})
        await checked(client, unsigned)
        signed = await helper(registry, 9)
        async with registry.client(COUNTY, "volunteer", subject=who) as keeping:
            child = await listed(keeping)

            async def why_not(person_id: str) -> str:
                answer = await keeping.put(f"/v1/children-tasks/{uuid.uuid4()}", json=a_task(child, person_id))
                assert answer.status_code in (200, 409), answer.text
                return str(answer.json().get("reason", "")) if answer.status_code == 409 else ""

            assert await why_not(minor) == "minor_barred"
            assert await why_not(unsigned) == "pledge_missing"
            task = await given(keeping, child, signed)
            privacy = await course(client, topics=["ethics_privacy"])
            kept_out = await keeping.get("/v1/children")
            assert (kept_out.status_code, kept_out.json()["reason"]) == (403, "training_missing")
            await trained(client, privacy, who)
            assert await why_not(signed) == "training_missing"
            async with registry.client(COUNTY, "volunteer", subject=signed) as helping:
                # What was given before has to hold when it is looked into.
                look = await helping.post(f"/v1/children-tasks/{task}/look", json=LOOK)
                assert look.json()["reason"] == "training_missing"
                await trained(client, privacy, signed)
                assert (await helping.post(f"/v1/children-tasks/{task}/look", json=LOOK)).status_code == 200
            assert await why_not(signed) == ""
            await client.patch(f"/v1/volunteers/{signed}", json={"active": False})
            async with registry.client(COUNTY, "volunteer", subject=signed) as helping:
                look = await helping.post(f"/v1/children-tasks/{task}/look", json=LOOK)
                assert (look.status_code, look.json()["reason"]) == (409, "not_open")  # it was taken back


async def test_many_help_one_child_and_one_helps_few(registry: Registry) -> None:
    who, pairs = await keeper(registry), registry.keys.policies.children.at(now()).pairs
    people = [await helper(registry, number + 1) for number in range(pairs.helpers_of_a_child + 1)]
    async with registry.client(COUNTY, "volunteer", subject=who) as client:
        names = [f"童示例{sign}" for sign in "甲乙丙丁戊己庚辛壬癸"[: pairs.children_of_a_helper + 1]]
        children = [await listed(client, name=name) for name in names]
        for volunteer in people[1:]:
            await given(client, children[0], volunteer)
        assert (await client.get(f"/v1/children/{children[0]}")).json()["helpers"] == pairs.helpers_of_a_child
        crowded = await client.put(f"/v1/children-tasks/{uuid.uuid4()}", json=a_task(children[0], people[0]))
        assert (crowded.status_code, crowded.json()["reason"]) == (409, "too_many_helpers")
        for child in children[1:]:
            await given(client, child, people[0])
        more = await listed(client, name="童示例寅")
        spread = await client.put(f"/v1/children-tasks/{uuid.uuid4()}", json=a_task(more, people[0]))
        assert (spread.status_code, spread.json()["reason"]) == (409, "too_many_children")


async def test_a_task_is_given_once_and_what_does_not_fit_is_refused(registry: Registry) -> None:
    who, volunteer, today = await keeper(registry), await helper(registry), local_day(now())
    async with registry.client(COUNTY, "volunteer", subject=who) as client:
        child = await listed(client)
        body, path = a_task(child, volunteer), f"/v1/children-tasks/{uuid.uuid4()}"
        for _ in range(2):
            assert (await client.put(path, json=body)).json()["revision"] == 1
        assert (await client.get(f"/v1/children/{child}")).json()["helpers"] == 1
        changed = await client.put(path, json={**body, "fields": ["address"]})
        assert (changed.status_code, changed.json()["reason"]) == (409, "given")
        second = await listed(client, name="童二示例")
        assert (await client.put(path, json={**body, "child_id": second})).json()["reason"] == "taken"
        for fields, field in (
            ({"help": ["skills"]}, "help"),
            ({"until": str(today - timedelta(days=1))}, "until"),
            ({"until": str(today + timedelta(days=5000))}, "until"),
            ({"volunteer_id": str(uuid.uuid4())}, "volunteer_id"),
            ({"fields": ["birth_date"]}, "body.fields.0"),
            ({"what": ""}, "body.what"),
        ):
            answer = await client.put(f"/v1/children-tasks/{uuid.uuid4()}", json={**body, **fields})
            assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text
        unknown = await client.put(f"/v1/children-tasks/{uuid.uuid4()}", json={**body, "child_id": str(uuid.uuid4())})
        assert unknown.status_code == 404
    async with registry.client(COUNTY) as registrar:
        assert (await registrar.put(path, json=body)).status_code == 403
        assert (await registrar.post(f"{path}/moves", json={"to": "done"})).status_code == 403
    async with registry.client(COUNTY, "volunteer", subject="not-a-person") as client:
        assert (await client.get("/v1/children-tasks/own")).status_code == 404


@over(st.sampled_from(list(State)), st.dates(), st.dates(), st.dates())
def test_a_task_is_open_while_it_is_given_and_on_its_days(
    state: State, since: object, until: object, day: object
) -> None:
    expected = state is State.given and str(since) <= str(day) <= str(until)
    assert is_open(state, str(since), str(until), str(day)) is expected


def test_a_task_ends_once() -> None:
    assert NEXT[State.done] == NEXT[State.withdrawn] == frozenset()
    assert set(NEXT) == set(State)
    assert a_child()["name"] in SECRETS
