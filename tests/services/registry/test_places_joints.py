"""What a place claims of its staff, and what the register knows: on the wall, in a check, at the opening."""

from __future__ import annotations

import uuid

import pytest

from tests.services.registry.places_support import COUNTY, person, place, staffed, told, villages
from tests.services.registry.support import Registry
from tests.services.registry.test_placement import ran_out
from tests.services.registry.test_places_wall import Reading
from tests.services.registry.test_standards_checks import judged
from tests.services.registry.trainings_support import qualified

OPENING = {"status": "open", "reason": "示例开放"}


async def test_a_claim_opens_no_room_and_a_certificate_that_ran_out_opens_none_either(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident, who = await place(client, type="practice_room", tier=None), await person(client)
        await staffed(client, ident, who, certificate=True)
        path = f"/v1/places/{ident}/status"
        assert (await client.post(path, json=OPENING)).json()["reason"] == "no_qualified_counsellor"
        await qualified(client, who, "counsellor")  # entered, and looked at by nobody
        assert (await client.post(path, json=OPENING)).status_code == 409
        old = await qualified(client, who, "counsellor", registry)
        await ran_out(registry, old)
        assert (await client.post(path, json=OPENING)).status_code == 409
        await qualified(client, who, "counsellor", registry)
        assert (await client.post(path, json=OPENING)).json()["status"] == "open"


async def test_a_room_does_not_open_on_the_certificate_of_somebody_who_left(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident, who = await place(client, type="practice_room", tier=None), await person(client)
        await staffed(client, ident, who, certificate=True)
        await qualified(client, who, "counsellor", registry)
        await client.patch(f"/v1/volunteers/{who}", json={"active": False})
        answer = await client.post(f"/v1/places/{ident}/status", json=OPENING)
        assert (answer.status_code, answer.json()["reason"]) == (409, "no_qualified_counsellor")


async def test_the_wall_and_the_check_say_that_nobody_looked_at_a_certificate(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident, who = await place(client, type="practice_room", tier=None), await person(client)
        await staffed(client, ident, who, certificate=True, on_wall=True)

        async def shown() -> tuple[str, str]:
            text = Reading((await client.get(f"/v1/places/{ident}/wall")).text).text
            clause = (await judged(client, ident, "practice_room"))["counsellor"]
            return text.split("国家职业资格证书")[1].split("相关制度")[0], clause["outcome"]

        wall, outcome = await shown()
        assert "未核验" in wall
        assert outcome == "missing"
        await qualified(client, who, "counsellor", registry)
        wall, outcome = await shown()
        assert "有" in wall
        assert "未核验" not in wall
        assert outcome == "pass"


@pytest.mark.parametrize("occupation", ["nurse", "counsellor"])
async def test_a_certificate_of_another_post_is_none_for_this_one(registry: Registry, occupation: str) -> None:
    async with registry.client(COUNTY) as client:
        ident, who = await place(client), await person(client)
        await staffed(client, ident, who, occupation=occupation, certificate=True)
        await qualified(client, who, "nurse", registry)
        text = (await client.get(f"/v1/places/{ident}/wall")).text
        assert ("未核验" in text) is (occupation == "counsellor")


async def test_two_links_to_one_person_are_one_person_on_the_wall(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident = await place(client)
        one, other = await person(client, 1), await person(client, 2, "李示例")
        for who in (one, other):
            await staffed(client, ident, who, on_wall=True)
        merged = await client.post(f"/v1/volunteers/{one}/merge", json={"other": other, "reason": "same person"})
        assert merged.status_code == 200, merged.text
        text = (await client.get(f"/v1/places/{ident}/wall")).text
        assert text.count("心理咨询师") == 1
        # Linked again under the entry that went, it is the same link.
        await staffed(client, ident, other, full_time=False)
        rows = (await client.get(f"/v1/places/{ident}")).json()["staff"]
        assert [(row["person_id"], row["full_time"]) for row in rows] == [(one, False)]


async def test_nothing_is_hung_below_a_closed_place(registry: Registry) -> None:
    await villages(registry)
    async with registry.client(COUNTY) as client:
        closed = await place(client, type="practice_office", tier="town")
        await client.post(f"/v1/places/{closed}/status", json={"status": "closed", "reason": "示例撤并"})
        below = told(type="practice_station", tier="village", division="370812001001", parent_id=closed)
        answer = await client.put(f"/v1/places/{uuid.uuid4()}", json=below)
        assert (answer.status_code, answer.json()["field"]) == (422, "parent_id")


async def test_a_place_does_not_move_away_above_what_hangs_below_it(registry: Registry) -> None:
    await villages(registry)
    async with registry.client(COUNTY) as client:
        office = await place(client, type="practice_office", tier="town")
        station = await place(
            client, type="practice_station", tier="village", division="370812001001", parent_id=office
        )
        away = told(type="practice_office", tier="town", division="370812002")
        answer = await client.put(f"/v1/places/{office}", json=away)
        assert (answer.status_code, answer.json()["field"]) == (409, "division")
        renamed = told(type="practice_office", tier="town", name="示例新名")
        assert (await client.put(f"/v1/places/{office}", json=renamed)).status_code == 200
        await client.post(f"/v1/places/{station}/status", json={"status": "closed", "reason": "示例撤并"})
        assert (await client.put(f"/v1/places/{office}", json=away)).status_code == 200
