"""Minors as volunteers: the guardian's consent, and the restricted tasks on the person, on rosters and on offers."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import httpx

from chassis.clock import local_day, new_id, now
from chassis.tx import Tx
from tests.services.registry.places_support import COUNTY, TOWN, person
from tests.services.registry.support import Registry
from tests.services.registry.trainings_support import pledged

BARRED_ROLES = {"responder", "counsellor", "crisis-team"}
ADULT_ROLES = {"therapist", "psychiatrist", "expert", "children-keeper", "child-helper"}
"""What the policy on people does not bar, and the gate's own rule keeps for adults."""
OPEN_SERVICES = {"publicity", "support", "guidance"}


async def minor(client: httpx.AsyncClient, number: int = 1, age_days: int = 16 * 366) -> str:
    born = local_day(now()) - timedelta(days=age_days)
    body = {
        "division": TOWN,
        "name": "小示例",
        "phone": f"000-0000-{number:04d}",
        "person_types": [7],
        "birth_date": str(born),
    }
    answer = await client.post("/v1/volunteers", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def consent(client: httpx.AsyncClient, who: str, state: str = "given") -> dict[str, Any]:
    body: dict[str, Any] = {"state": state, "version": "2026-11", "on": str(local_day(now()))}
    if state == "given":
        body["guardian"] = {"name": "李示例", "phone": "000-0000-0002", "relation": "母亲"}
    answer = await client.put(f"/v1/volunteers/{who}/consents/guardian", json=body)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def roster(client: httpx.AsyncClient, name: str, role: str) -> None:
    answer = await client.put(f"/v1/rosters/{name}", json={"division": COUNTY, "role": role})
    assert answer.status_code == 200, answer.text


async def duty(client: httpx.AsyncClient, name: str, who: str, days: int = 1) -> httpx.Response:
    start = now() + timedelta(days=days)
    turn = {"volunteer_id": who, "starts_at": start.isoformat(), "ends_at": (start + timedelta(hours=2)).isoformat()}
    return await client.post(f"/v1/rosters/{name}/duties", json={"duties": [turn]})


async def test_a_minor_with_a_guardians_consent_takes_what_is_open_to_minors_and_nothing_else(
    registry: Registry,
) -> None:
    async with registry.client(COUNTY) as client:
        who = await minor(client)
        path = f"/v1/people/{who}/tasks"
        waiting = (await client.get(path)).json()
        assert (waiting["minor"], waiting["guardian"], waiting["active"]) == (True, "missing", False)
        assert [item for item in waiting["items"] if item["may"]] == []
        await consent(client, who)
        await pledged(client, who)
        told = (await client.get(path)).json()
        assert (told["guardian"], told["active"], told["waits_for"]) == ("given", True, [])
        may = {(item["kind"], item["code"]) for item in told["items"] if item["may"]}
        assert {code for kind, code in may if kind == "service"} == OPEN_SERVICES
        assert not {code for kind, code in may if kind == "role"} & (BARRED_ROLES | ADULT_ROLES)
        why = {item["code"]: [one["code"] for one in item["reasons"]] for item in told["items"]}
        assert all("minor_barred" in why[role] for role in BARRED_ROLES | ADULT_ROLES)
        # On rosters the same holds.
        await roster(client, "line-a", "responder")
        await roster(client, "leaflets", "publicist")
        barred = await duty(client, "line-a", who)
        assert (barred.status_code, barred.json()["reason"]) == (409, "minor_barred")
        assert (await duty(client, "leaflets", who)).status_code == 201
        on = (await client.get("/v1/rosters/leaflets/minors")).json()
        assert (on["takes_minors"], [one["volunteer_id"] for one in on["items"]]) == (True, [who])
        assert on["items"][0]["barred"] is False
        closed = (await client.get("/v1/rosters/line-a/minors")).json()
        assert (closed["takes_minors"], closed["items"]) == (False, [])
        # What matching may offer is told with the person.
        assert (await registry.events("volunteer_registered"))[-1]["minor"] is True
        # The guardian takes the consent back, and nothing is left.
        await consent(client, who, "withdrawn")
        after = (await client.get(path)).json()
        assert (after["guardian"], after["active"]) == ("withdrawn", False)
        assert [item for item in after["items"] if item["may"]] == []
        assert (await client.get("/v1/rosters/leaflets/minors")).json()["items"] == []
        assert (await duty(client, "leaflets", who, 3)).status_code in (409, 422)


async def test_a_turn_after_the_birthday_is_no_minors_turn(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        today = local_day(now())
        birthday = today + timedelta(days=3)
        body = {
            "division": TOWN,
            "name": "小示例",
            "phone": "000-0000-0001",
            "birth_date": f"{birthday.year - 18}-{birthday.month:02d}-{birthday.day:02d}",
        }
        who = (await client.post("/v1/volunteers", json={**body, "person_types": [7]})).json()["id"]
        await consent(client, who)
        await roster(client, "leaflets", "publicist")
        for days in (1, 40):
            assert (await duty(client, "leaflets", who, days)).status_code == 201
        span = {"to": (now() + timedelta(days=60)).isoformat()}
        (only,) = (await client.get("/v1/rosters/leaflets/minors", params=span)).json()["items"]
        assert only["starts_at"][:10] < str(birthday)


async def test_minors_are_listed_by_the_guardians_consent(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        bare, given, taken = [await minor(client, number) for number in (1, 2, 3)]
        await person(client, 9)
        gone = await minor(client, 4)
        await client.post(f"/v1/volunteers/{gone}/erase", json={"reason": "本人要求"})
        await consent(client, given)
        await consent(client, taken)
        await consent(client, taken, "withdrawn")

        async def found(**asked: str) -> set[str]:
            return {item["id"] for item in (await client.get("/v1/minors", params=asked)).json()["items"]}

        assert await found() == {bare, given, taken}
        assert await found(guardian="given") == {given}
        assert await found(guardian="missing") == {bare}
        assert await found(guardian="withdrawn") == {taken}
        first = (await client.get("/v1/minors", params={"limit": 2})).json()
        rest = (await client.get("/v1/minors", params={"limit": 2, "after": first["next"]})).json()
        assert len({item["id"] for item in [*first["items"], *rest["items"]]}) == 3
        assert "小示例" not in (await client.get("/v1/minors")).text
        assert (await client.get("/v1/minors", params={"guardian": "perhaps"})).status_code == 422


async def test_what_minors_may_do_is_told_with_its_source_and_only_to_those_who_may_read(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        who, other = await minor(client), await person(client, 2)
    async with registry.client(COUNTY, "statistician") as reader:
        items = (await reader.get("/v1/minor-tasks")).json()["items"]
        barred = {item["code"] for item in items if item["kind"] == "role" and not item["minors"]}
        assert barred == BARRED_ROLES | ADULT_ROLES
        assert all(
            "志愿服务条例" in item["source"]
            for item in items
            if item["code"] in BARRED_ROLES and item["kind"] == "role"
        )
        assert {item["code"] for item in items if item["kind"] == "service" and item["minors"]} == OPEN_SERVICES
        assert (await reader.get("/v1/minors")).status_code == 403
        assert (await reader.get(f"/v1/people/{who}/tasks")).status_code == 403
        assert (await reader.get("/v1/rosters/leaflets/minors")).status_code == 403
    async with registry.client(COUNTY, "volunteer", subject=who) as own:
        assert (await own.get(f"/v1/people/{who}/tasks")).json()["minor"] is True
        assert (await own.get(f"/v1/people/{other}/tasks")).status_code == 404
        assert (await own.get("/v1/minors")).status_code == 403
    async with registry.client("320706") as outside:
        assert (await outside.get(f"/v1/people/{who}/tasks")).status_code == 404
        assert (await outside.get("/v1/minors", params={"division": COUNTY})).status_code == 404
        assert (await outside.get("/v1/minors")).json()["items"] == []
    async with registry.client(COUNTY) as client:
        assert (await client.get("/v1/rosters/nothing/minors")).status_code == 404
        assert (await client.get(f"/v1/people/{uuid.uuid4()}/tasks")).status_code == 404
        await client.post(f"/v1/volunteers/{who}/erase", json={"reason": "本人要求"})
        assert (await client.get(f"/v1/people/{who}/tasks")).status_code == 409


async def test_a_turn_of_a_minor_that_has_to_be_withdrawn_shows_on_whatever_roster_of_adults_it_is(
    registry: Registry,
) -> None:
    async with registry.client(COUNTY) as client:
        who = await minor(client)
        await consent(client, who)
        await roster(client, "leaflets", "publicist")
        assert (await duty(client, "leaflets", who)).status_code == 201
        (turn,) = await registry.database.find("duties", {})
        # From before the rule was: by the policy on people, by the service of the role, and by the role's own rule.
        for name, role in (("line-a", "responder"), ("desk", "counsellor"), ("clinic", "psychiatrist")):
            await roster(client, name, role)

            async def moved(tx: Tx, name: str = name) -> None:
                tx.put("duties", {**turn, "_id": new_id(), "roster": name})

            await registry.database.transact(moved)
            told = (await client.get(f"/v1/rosters/{name}/minors")).json()
            assert told["takes_minors"] is False, name
            assert [(one["volunteer_id"], one["barred"]) for one in told["items"]] == [(who, True)]
