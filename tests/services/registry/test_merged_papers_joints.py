"""What was written under an entry that was merged: a paper is corrected, hours that stand twice are not lost, and a
merge from before some fields were kept can be parted."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest

from chassis.tx import Tx
from tests.services.registry.places_support import COUNTY, organisation, person
from tests.services.registry.service_support import a_stretch, morning
from tests.services.registry.support import Registry
from tests.services.registry.test_doubles_joints import WHY, consent, merge, served, split
from tests.services.registry.trainings_support import certificate, qualified


async def test_a_certificate_of_a_merged_entry_is_corrected_under_its_own_key(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        stays, goes, stranger = [await person(client, number) for number in (1, 2, 3)]
        ident = await qualified(client, goes, "counsellor")
        path = f"/v1/qualifications/{ident}"
        await merge(client, stays, goes)
        corrected = await client.put(path, json=certificate(stays, number="示例00000002"))
        assert (corrected.status_code, corrected.json()["person_id"]) == (200, goes), corrected.text
        assert (await client.post(f"{path}/reveal", json=WHY)).json()["number"] == "示例00000002"
        again = await client.put(path, json=certificate(stays, number="示例00000002"))
        assert again.json()["revision"] == corrected.json()["revision"]
        taken = await client.put(path, json=certificate(stranger))
        assert (taken.status_code, taken.json()["reason"]) == (409, "taken")
        await split(client, goes)
        assert (await client.post(f"{path}/reveal", json=WHY)).json()["number"] == "示例00000002", "it went back"
        other = await client.put(path, json=certificate(stays))
        assert (other.status_code, other.json()["reason"]) == (409, "taken")


async def twice(client: httpx.AsyncClient) -> tuple[str, str, str, str]:
    """The person, the organiser, and the same two hours of ten days ago under two entries: what counts, its double."""
    one, other = await person(client, 1), await person(client, 2)
    host = await organisation(client, "示例甲", "primary_care")
    counts, double = await served(client, other, host), await served(client, one, host)
    await merge(client, one, other)
    return one, host, counts, double


async def minutes_of(client: httpx.AsyncClient, who: str) -> int:
    return int((await client.get(f"/v1/people/{who}/service")).json()["minutes"])


async def last_state(registry: Registry, record: str) -> str:
    """As it was told last."""
    told = [event for event in await registry.events("service_recorded") if event["record_id"] == record]
    return str(max(told, key=lambda event: event["revision"])["state"])


async def test_hours_are_not_lost_when_the_record_that_has_them_is_withdrawn(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        who, _, counts, double = await twice(client)
        assert (await minutes_of(client, who), await last_state(registry, double)) == (120, "double")
        assert (await client.post(f"/v1/service-records/{counts}/withdraw", json=WHY)).status_code == 200
        assert (await minutes_of(client, who), await last_state(registry, double)) == (120, "counted")
        assert (await client.post(f"/v1/service-records/{double}/withdraw", json=WHY)).status_code == 200
        assert await minutes_of(client, who) == 0


@pytest.mark.parametrize(("days_ago", "state", "minutes"), [(9, "counted", 180), (10, "double", 60)])
async def test_a_correction_gives_a_double_its_hours_back_where_it_leaves_them(
    registry: Registry, days_ago: int, state: str, minutes: int
) -> None:
    async with registry.client(COUNTY) as client:
        who, host, counts, double = await twice(client)
        correction = str(uuid.uuid4())
        body = a_stretch(host, morning(days_ago), 60)
        made = await client.put(f"/v1/service-records/{counts}/corrections/{correction}", json=body)
        assert (made.status_code, made.json()["state"]) == (200, "counted"), made.text
        assert (await last_state(registry, double), await minutes_of(client, who)) == (state, minutes)
        await client.post(f"/v1/service-records/{correction}/withdraw", json=WHY)
        assert (await last_state(registry, double), await minutes_of(client, who)) == ("counted", 120)


@pytest.mark.parametrize("lost", [("made",), ("unchecked",), ("made", "unchecked", "rota", "languages", "pledge")])
async def test_a_merge_from_before_its_fields_were_kept_can_be_parted(
    registry: Registry, lost: tuple[str, ...]
) -> None:
    async with registry.client(COUNTY) as client:
        stays, goes = await person(client, 1), await person(client, 2)
        await merge(client, stays, goes)
        await consent(client, stays, "given", "2026-03-02")

        async def older(tx: Tx) -> None:
            (row,) = await tx.find("merges", {})
            tx.put("merges", _without(row, lost))

        await registry.database.transact(older)
        parted = await split(client, goes)
        assert (parted["volunteer"]["id"], parted["volunteer"]["active"]) == (stays, True)
        assert (parted["other"]["id"], parted["other"]["active"]) == (goes, True)
        kept = (await client.get(f"/v1/volunteers/{stays}/consents")).json()["items"]
        assert [(one["purpose"], one["state"]) for one in kept] == [("registration", "given")], "told since the merge"


def _without(row: dict[str, Any], lost: tuple[str, ...]) -> dict[str, Any]:
    return {
        name: _without(value, lost) if name in ("stayed", "went", "made") else value
        for name, value in row.items()
        if name not in lost
    }
