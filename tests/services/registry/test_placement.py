"""A centre is staffed from the talents of its district: what lacks, who suits and may, and who is put on."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.clock import now
from chassis.tx import Tx
from services.registry.domain.placement import annex_codes, gaps
from services.registry.policy import Policies
from tests.services.registry.places_support import COUNTY, TOWN, person, place, staffed
from tests.services.registry.support import Registry
from tests.services.registry.trainings_support import course, pledged, qualified, trained

CENTRE = Policies.load().standards.at(now()).standards["centre"]
FULL_TIME, PART_TIME = "2.2.full_time_certified", "2.3.part_time_certified"


async def centre(client: httpx.AsyncClient, **fields: Any) -> str:
    return await place(client, type="centre", division=COUNTY, tier="county", **fields)


async def talents(client: httpx.AsyncClient, ident: str, occupation: str = "counsellor", **asked: Any) -> list[str]:
    answer = await client.get(f"/v1/places/{ident}/talents", params={"occupation": occupation, **asked})
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def lacking(client: httpx.AsyncClient, ident: str) -> dict[str, int]:
    answer = await client.get(f"/v1/places/{ident}/staff-gaps")
    assert answer.status_code == 200, answer.text
    return {item["clause"]: item["lacking"] for item in answer.json()["items"]}


def post(occupation: str = "counsellor", **fields: Any) -> dict[str, Any]:
    return {"occupation": occupation, "full_time": True, **fields}


async def ready(client: httpx.AsyncClient, *people: str) -> None:
    """What the gate asks of a counsellor beside the certificate: known to be grown up, trained, and pledged."""
    for who in people:
        answer = await client.patch(f"/v1/volunteers/{who}", json={"age": 35, "trained": "yes"})
        assert answer.status_code == 200, answer.text
        await pledged(client, who)


async def ran_out(registry: Registry, qualification: str) -> None:
    """The certificate was verified once, and its last day has gone by."""

    async def write(tx: Tx) -> None:
        row = await tx.get("qualifications", uuid.UUID(qualification))
        assert row is not None
        tx.put("qualifications", {**row, "valid_until": "2020-01-01"})

    await registry.database.transact(write)


STAFF = st.lists(
    st.fixed_dictionaries(
        {
            "occupation": st.sampled_from(["counsellor", "therapist", "psychiatrist", "administrator", "nurse"]),
            "full_time": st.booleans(),
            "certificate": st.sampled_from([True, False, None]),
        }
    ),
    max_size=14,
)


@given(STAFF)
def test_nobody_counts_twice_and_no_one_without_a_certificate_that_is_known(staff: list[dict[str, Any]]) -> None:
    found = {one.clause: one for one in gaps(CENTRE, staff)}
    certified = [one for one in staff if one["certificate"] and one["occupation"] not in ("administrator", "nurse")]
    assert found[FULL_TIME].there + found[PART_TIME].there == len(certified)
    assert {one.lacking for one in found.values()} <= set(range(7))
    assert gaps(CENTRE, [])[0].lacking == gaps(CENTRE, [])[0].required == 2


def test_the_inventory_is_searched_by_the_codes_of_its_form() -> None:
    assert annex_codes(["counsellor", "therapist", "psychiatrist"]) == [1, 2, 3]
    assert annex_codes(["nurse", "social_worker"]) == []


async def test_a_centre_tells_how_many_of_whom_it_lacks(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident, who = await centre(client), await person(client)
        assert await lacking(client, ident) == {"2.1.staff": 2, FULL_TIME: 2, PART_TIME: 6}
        await staffed(client, ident, who)
        assert (await lacking(client, ident))[FULL_TIME] == 2
        await staffed(client, ident, who, certificate=True)
        assert (await lacking(client, ident))[FULL_TIME] == 2  # a claim that nobody checked
        await qualified(client, who, "counsellor", registry)
        assert (await lacking(client, ident))[FULL_TIME] == 1
        await client.patch(f"/v1/volunteers/{who}", json={"active": False})
        assert (await lacking(client, ident))[FULL_TIME] == 2
        (first, *_) = (await client.get(f"/v1/places/{ident}/staff-gaps")).json()["items"]
        assert (first["labels"], first["required"]) == (["工作人员", "社会工作者"], 2)
        assert first["source"].startswith("济兖政办字")


async def test_the_talents_of_the_district_are_listed_by_qualification_if_they_may_serve(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident = await centre(client)
        holder, listed, nobody, expired = [await person(client, number) for number in range(1, 5)]
        await ready(client, holder, listed, nobody, expired)
        await qualified(client, holder, "therapist", registry)
        await client.patch(f"/v1/volunteers/{listed}", json={"qualifications": [3]})
        await ran_out(registry, await qualified(client, expired, "counsellor", registry))
        assert await talents(client, ident) == [holder]
        answer = await client.get(f"/v1/places/{ident}/talents", params={"occupation": "counsellor", "unfit": True})
        items = {item["id"]: item for item in answer.json()["items"]}
        # Who is in the inventory as a counsellor is shown with what is missing; who is not is not there at all.
        assert set(items) == {holder, listed}
        assert [one["code"] for one in items[listed]["reasons"]] == ["qualification_missing"]
        assert (items[holder]["name"], items[holder]["fits"]) == ("张**", True)
        assert "张示例" not in answer.text
        await qualified(client, listed, "counsellor")
        assert await talents(client, ident) == [holder]
        await qualified(client, listed, "counsellor", registry, number="示例00000009")
        assert set(await talents(client, ident)) == {holder, listed}
        assert set(await talents(client, ident, "therapist")) == {holder}
        assert await talents(client, ident, "psychiatrist") == []
        assert await talents(client, ident, role="talent") == []
        await client.patch(f"/v1/volunteers/{holder}", json={"active": False})
        assert await talents(client, ident) == [listed]
        assert nobody not in await talents(client, ident, unfit=True)


async def test_where_a_training_is_offered_only_who_passed_is_listed(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident, who = await centre(client), await person(client)
        await qualified(client, who, "counsellor", registry)
        await ready(client, who)
        assert await talents(client, ident) == [who]
        offered = await course(client, topics=["pre_service"])
        assert await talents(client, ident) == []
        refused = await client.put(f"/v1/places/{ident}/talents/{who}", json=post())
        assert (refused.status_code, refused.json()["field"]) == (409, "occupation")
        assert refused.json()["reason"] == "training_missing"
        await trained(client, offered, who)
        assert await talents(client, ident) == [who]


async def test_one_of_the_talents_is_put_on_and_the_gap_closes(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident, who, unproved = await centre(client), await person(client), await person(client, 2)
        await qualified(client, who, "counsellor", registry)
        await ready(client, who, unproved)
        await registry.forget_events()
        path = f"/v1/places/{ident}/talents/{who}"
        first = await client.put(path, json=post())
        assert first.status_code == 200, first.text
        (link,) = first.json()["staff"]
        assert (link["person_id"], link["certificate"], link["full_time"]) == (who, True, True)
        assert {one["clause"]: one["lacking"] for one in first.json()["gaps"]}[FULL_TIME] == 1
        assert (await client.put(path, json=post())).json()["revision"] == first.json()["revision"]
        assert await talents(client, ident) == []
        # A certificate cannot be told where the register knows of none.
        refused = await client.put(f"/v1/places/{ident}/talents/{unproved}", json=post())
        assert (refused.status_code, refused.json()["reason"]) == (409, "qualification_missing")
        office = await client.put(f"/v1/places/{ident}/talents/{unproved}", json=post("administrator"))
        assert [one["certificate"] for one in office.json()["staff"] if one["person_id"] == unproved] == [None]
        for body, field in (
            (post("wizard"), "body.occupation"),
            (post(certificate=True), "body.certificate"),
            ({"occupation": "counsellor"}, "body.full_time"),
        ):
            answer = await client.put(path, json=body)
            assert (answer.status_code, answer.json()["field"]) == (422, field)
        await client.post(f"/v1/places/{ident}/status", json={"status": "closed", "reason": "示例"})
        assert (await client.put(path, json=post(full_time=False))).status_code == 409
    events = await registry.events("place_registered")
    assert [(event["staff_full_time"], event["staff_part_time"]) for event in events][:2] == [(1, 0), (2, 0)]
    assert who not in str(events)
    entries = await registry.database.find("audit_log", {"action": "place.staffed"}, sort=[("_id", 1)])
    assert [(entry["subject"], entry["details"]["person"]) for entry in entries] == [(ident, who), (ident, unproved)]


async def test_who_was_merged_is_found_under_the_entry_that_stands(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident, stays, goes = await centre(client), await person(client, 1), await person(client, 2)
        await qualified(client, goes, "counsellor", registry)
        await ready(client, stays)
        merged = await client.post(f"/v1/volunteers/{stays}/merge", json={"other": goes, "reason": "本人确认"})
        assert merged.status_code == 200, merged.text
        assert await talents(client, ident) == [stays]
        put = await client.put(f"/v1/places/{ident}/talents/{goes}", json=post())
        assert [one["person_id"] for one in put.json()["staff"]] == [stays]


@pytest.mark.parametrize("limit", [1, 2])
async def test_pages_bring_everyone_once(registry: Registry, limit: int) -> None:
    async with registry.client(COUNTY) as client:
        ident = await centre(client)
        people = [await person(client, number) for number in range(1, 5)]
        await ready(client, *people)
        for number, who in enumerate(people):
            await qualified(client, who, "counsellor", registry if number != 1 else None)
            await client.patch(f"/v1/volunteers/{who}", json={"qualifications": [3]})
        seen: list[str] = []
        after: str | None = None
        while True:
            asked: dict[str, Any] = {"occupation": "counsellor", "limit": limit, **({"after": after} if after else {})}
            page = (await client.get(f"/v1/places/{ident}/talents", params=asked)).json()
            seen += [item["id"] for item in page["items"]]
            after = page["next"]
            if after is None:
                break
        assert seen == sorted({*people} - {people[1]})


async def test_who_may_staff_a_place_and_from_where(registry: Registry) -> None:
    async with registry.client() as everywhere:
        ident, near = await centre(everywhere), await person(everywhere)
        far = await person(everywhere, 2, division="320706016")
        await ready(everywhere, near, far)
        for who in (near, far):
            await qualified(everywhere, who, "counsellor", None)
        async with registry.client(subject="registrar-2") as other:
            for row in (await other.get("/v1/qualifications")).json()["items"]:
                step = {"state": "verified", "reason": "checked"}
                await other.post(f"/v1/qualifications/{row['id']}/steps", json=step)
        assert await talents(everywhere, ident) == [near]
        assert (await everywhere.put(f"/v1/places/{ident}/talents/{far}", json=post())).status_code == 404
        assert (await everywhere.put(f"/v1/places/{ident}/talents/{uuid.uuid4()}", json=post())).status_code == 404
        nurse = await everywhere.get(f"/v1/places/{ident}/talents", params={"occupation": "volunteer"})
        assert (nurse.status_code, nurse.json()["field"]) == (422, "occupation")
    async with registry.client("320706") as outside:
        for method, tail in (
            ("GET", "staff-gaps"),
            ("GET", "talents?occupation=counsellor"),
            ("PUT", f"talents/{far}"),
        ):
            body = post() if method == "PUT" else None
            assert (await outside.request(method, f"/v1/places/{ident}/{tail}", json=body)).status_code == 404, tail
    async with registry.client(COUNTY, "coordinator") as reader:
        assert await talents(reader, ident) == [near]
        assert (await reader.put(f"/v1/places/{ident}/talents/{near}", json=post())).status_code == 403
    async with registry.client(COUNTY, "statistician") as counts:
        assert (await counts.get(f"/v1/places/{ident}/staff-gaps")).status_code == 200
        assert (await counts.get(f"/v1/places/{ident}/talents", params={"occupation": "nurse"})).status_code == 403
    async with registry.client(TOWN) as town:
        assert (await town.get(f"/v1/places/{ident}/staff-gaps")).status_code == 404
