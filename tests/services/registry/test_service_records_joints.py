"""Records of service between organisations, streets and counties, and for people who move or are merged."""

from __future__ import annotations

import json
import uuid
from functools import partial
from typing import Any

import httpx
import pytest

from chassis.auth import issue
from chassis.clock import local_day, new_id, now
from contracts.base import Tier
from contracts.matching import OfferAccepted
from services.registry.handlers import await_hours
from tests.services.registry import trainings_support
from tests.services.registry.service_support import (
    COUNTY,
    TOWN,
    a_stretch,
    a_volunteer,
    an_organisation,
    morning,
    write,
)
from tests.services.registry.support import Registry

OTHER_TOWN, FAR_TOWN = "320706018", "370812001"
WHY = {"reason": "本人确认"}


def of_unit(registry: Registry, organisation: str, division: str = COUNTY) -> httpx.AsyncClient:
    """A coordinator whose token names the organisation."""
    claims: dict[str, Any] = {"sub": f"of-{organisation[-6:]}", "roles": ["coordinator"], "division": division}
    token = issue(registry.signing_key, "xinqiao-local", "xinqiao", 600, organisation=organisation, **claims)
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=registry.app),
        base_url="http://registry",
        headers={"authorization": f"Bearer {token}"},
    )


async def another_organisation(registry: Registry, division: str = COUNTY) -> str:
    body = {"name": "示例中学", "kind": "school", "division": division, "receives_referrals": False}
    async with registry.client() as client:
        answer = await client.post("/v1/organisations", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def an_acceptance(volunteer: str, division: str, takes_over: OfferAccepted | None = None) -> OfferAccepted:
    return OfferAccepted(
        id=new_id(),
        occurred_at=now(),
        region=division[:6],
        offer_id=new_id(),
        request_id=new_id(),
        case_id=new_id(),
        responder_id=uuid.UUID(volunteer),
        division=division,
        tier=Tier.high,
        seconds=20 if takes_over is None else 0,
        takes_over=takes_over.offer_id if takes_over is not None else None,
    )


async def told(registry: Registry, *events: OfferAccepted) -> None:
    for event in events:
        await registry.database.transact(partial(await_hours, event))


async def called(registry: Registry, volunteer: str, division: str) -> str:
    """A call of a division that the volunteer took."""
    event = an_acceptance(volunteer, division)
    await told(registry, event)
    return str(event.offer_id)


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 1, 0)])
async def test_a_call_that_goes_on_under_another_entry_waits_once_for_its_hours(
    registry: Registry, order: tuple[int, ...]
) -> None:
    goes, stays = await a_volunteer(registry), await a_volunteer(registry, 2)
    first = an_acceptance(goes, TOWN)
    events = (first, an_acceptance(stays, TOWN, first))
    await told(registry, *(events[number] for number in order))
    async with registry.client(COUNTY) as client:
        (waiting,) = (await client.get("/v1/service-assignments")).json()["items"]
    assert (waiting["id"], waiting["volunteer_id"], waiting["state"]) == (str(first.offer_id), stays, "open")
    assert (await registry.events("service_assigned"))[-1]["volunteer_id"] == stays


async def test_a_call_whose_hours_are_written_down_stays_where_it_was_done(registry: Registry) -> None:
    goes, stays, organisation = (
        await a_volunteer(registry),
        await a_volunteer(registry, 2),
        await an_organisation(registry),
    )
    first = an_acceptance(goes, TOWN)
    await told(registry, first)
    async with registry.client(COUNTY) as client:
        body = {"record_id": str(new_id()), **a_stretch(organisation, kind="crisis")}
        path = f"/v1/service-assignments/{first.offer_id}/complete"
        assert (await client.post(path, json=body)).status_code == 200
        await told(registry, an_acceptance(stays, TOWN, first))
        (done,) = (await client.get("/v1/service-assignments")).json()["items"]
    assert (done["volunteer_id"], done["state"], done["revision"]) == (goes, "completed", 2)


# Corrections


async def test_an_organisation_corrects_its_own_records_only(registry: Registry) -> None:
    volunteer, one = await a_volunteer(registry), await an_organisation(registry)
    other = await another_organisation(registry)
    record = new_id()
    path = f"/v1/service-records/{record}/corrections/{new_id()}"
    async with of_unit(registry, one) as client:
        assert (await write(client, volunteer, a_stretch(one), record)).status_code == 200
    async with of_unit(registry, other) as client:
        assert (await client.put(path, json=a_stretch(one, minutes=1))).status_code == 403
        refused = await client.put(path, json=a_stretch(other, minutes=1))
        assert (refused.status_code, refused.json()["field"]) == (422, "organisation_id")
    async with registry.client(COUNTY) as client:
        assert (await client.put(path, json=a_stretch(other))).json()["reason"] == "other_organisation"
        assert (await client.get(f"/v1/service-records/{record}")).json()["state"] == "counted"
    async with of_unit(registry, one) as client:
        assert (await client.put(path, json=a_stretch(one, minutes=60))).json()["minutes"] == 60


async def test_a_correction_keeps_the_rating_and_the_call(registry: Registry) -> None:
    volunteer, organisation = await a_volunteer(registry), await an_organisation(registry)
    offer, record, second = await called(registry, volunteer, TOWN), str(new_id()), str(new_id())
    async with registry.client(COUNTY) as client:
        body = {"record_id": record, **a_stretch(organisation, kind="crisis")}
        done = await client.post(f"/v1/service-assignments/{offer}/complete", json=body)
        assert done.status_code == 200
        assert (await client.put(f"/v1/service-records/{record}/rating", json={"rating": 4})).status_code == 200
        shorter = a_stretch(organisation, kind="crisis", minutes=90)
        made = await client.put(f"/v1/service-records/{record}/corrections/{second}", json=shorter)
        assert (made.json()["rating"], made.json()["assignment_id"]) == (4, offer)
        (assignment,) = (await client.get("/v1/service-assignments")).json()["items"]
        assert (assignment["state"], assignment["record_id"]) == ("completed", second)
        again = await client.post(f"/v1/service-assignments/{offer}/complete", json=body)
        assert (again.status_code, again.json()["record_id"]) == (200, second)
        total = (await client.get(f"/v1/people/{volunteer}/service")).json()
    assert (total["minutes"], total["records"], total["ratings"], total["rating_sum"]) == (90, 1, 1, 4)
    told = [event["record_id"] for event in await registry.events("service_assigned")]
    assert told == [None, record, second]


async def test_a_call_has_one_record_of_hours(registry: Registry) -> None:
    volunteer, organisation = await a_volunteer(registry), await an_organisation(registry)
    offer = await called(registry, volunteer, TOWN)
    path = f"/v1/service-assignments/{offer}/complete"
    async with registry.client(COUNTY) as client:
        assert (await client.post(path, json={"record_id": str(new_id()), **a_stretch(organisation)})).is_success
        other = a_stretch(organisation, morning(5))
        assert (await client.post(path, json={"record_id": str(new_id()), **other})).status_code == 409
    assert await registry.database.count("service_records", {}) == 1


# Across streets and counties


@pytest.mark.parametrize("home", [OTHER_TOWN, FAR_TOWN])
async def test_who_came_from_elsewhere_gets_the_hours_and_stays_unseen(registry: Registry, home: str) -> None:
    volunteer, organisation = await a_volunteer(registry, division=home), await an_organisation(registry, TOWN)
    offer, record = await called(registry, volunteer, TOWN), str(new_id())
    path = f"/v1/service-assignments/{offer}/complete"
    body = {"record_id": record, **a_stretch(organisation, kind="crisis")}
    async with registry.client(home, "coordinator") as client:
        assert (await client.post(path, json=body)).status_code == 404
    async with registry.client(TOWN, "coordinator") as client:
        assert (await client.post(path, json=body)).json()["state"] == "completed"
        read = (await client.get(f"/v1/service-records/{record}")).json()
        assert (read["minutes"], read["division"], read["content"]) == (120, TOWN, "示例社区宣传")
        listed = (await client.get("/v1/service-records")).json()["items"]
        assert [row["id"] for row in listed] == [record]
        correction = f"/v1/service-records/{record}/corrections/{new_id()}"
        assert (await client.put(correction, json=a_stretch(organisation, minutes=60))).status_code == 200
        assert (await client.get(f"/v1/people/{volunteer}/service")).status_code == 404
        assert (await client.get(f"/v1/people/{volunteer}/service-extract")).status_code == 404
        assert (await client.get(f"/v1/volunteers/{volunteer}")).status_code == 404
        assert (await write(client, volunteer, a_stretch(organisation, morning(5)))).status_code == 404
    async with registry.client(home, "coordinator") as client:
        assert (await client.get(f"/v1/people/{volunteer}/service")).json()["minutes"] == 60
        mine = (await client.get("/v1/service-records", params={"volunteer_id": volunteer})).json()["items"]
        assert [row["state"] for row in mine] == ["corrected", "counted"]
        assert (await client.get(f"/v1/service-records/{record}")).status_code == 200


async def test_nobody_erased_gets_hours_for_a_call(registry: Registry) -> None:
    volunteer, organisation = await a_volunteer(registry, division=FAR_TOWN), await an_organisation(registry)
    offer = await called(registry, volunteer, TOWN)
    async with registry.client("370812") as client:
        assert (await client.post(f"/v1/volunteers/{volunteer}/erase", json=WHY)).status_code == 200
    async with registry.client(COUNTY) as client:
        body = {"record_id": str(new_id()), **a_stretch(organisation)}
        assert (await client.post(f"/v1/service-assignments/{offer}/complete", json=body)).status_code == 409


async def test_who_is_lent_is_written_down_on_the_days_of_the_loan(registry: Registry) -> None:
    volunteer, organisation = await a_volunteer(registry, division=OTHER_TOWN), await an_organisation(registry, TOWN)
    day = local_day(morning()).isoformat()
    loan = {
        "subject": "person",
        "subject_id": volunteer,
        "kind": "lateral",
        "division": TOWN,
        "since": day,
        "until": day,
    }
    async with registry.client(TOWN, "coordinator") as client:
        assert (await write(client, volunteer, a_stretch(organisation))).status_code == 404
    async with registry.client(COUNTY) as client:
        made = await client.put(f"/v1/loans/{new_id()}", json=loan)
        assert made.status_code == 200, made.text
    async with registry.client(TOWN, "coordinator") as client:
        wrote = await write(client, volunteer, a_stretch(organisation))
        assert (wrote.status_code, wrote.json()["division"]) == (200, TOWN)
        assert (await write(client, volunteer, a_stretch(organisation, morning(9)))).status_code == 404
        assert (await client.get(f"/v1/people/{volunteer}/service")).status_code == 404
    async with registry.client(COUNTY) as client:
        assert (await client.get(f"/v1/people/{volunteer}/service")).json()["minutes"] == 120


# Whose papers


async def test_an_old_id_opens_no_person_of_another_street(registry: Registry) -> None:
    stays, goes = await a_volunteer(registry, 1, OTHER_TOWN), await a_volunteer(registry, 2, TOWN)
    async with registry.client(COUNTY) as client:
        merged = await client.post(f"/v1/volunteers/{stays}/merge", json={"other": goes, **WHY})
        assert merged.status_code == 200, merged.text
    paths = [
        f"/v1/people/{goes}/{what}" for what in ("service", "service-extract", "stars", "tasks", "may?role=responder")
    ]
    async with registry.client(TOWN) as client:
        printed = await client.post(f"/v1/people/{goes}/service-extract", json=WHY)
        assert (printed.status_code, "000-0000" in printed.text) == (404, False)
        assert [(await client.get(path)).status_code for path in paths] == [404] * 5
    async with registry.client(OTHER_TOWN) as client:
        assert [(await client.get(path)).status_code for path in paths[:3]] == [200] * 3
    for subject in (goes, stays):
        async with registry.client(TOWN, "volunteer", subject=subject) as client:
            assert [(await client.get(path)).status_code for path in paths[:3]] == [200] * 3


async def test_the_papers_go_where_the_person_goes(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainings_support, "COUNTY", COUNTY)
    monkeypatch.setattr(trainings_support, "TOWN", TOWN)
    volunteer, organisation = await a_volunteer(registry), await an_organisation(registry)
    record, honour = str(new_id()), str(new_id())
    async with registry.client(COUNTY) as client:
        proof = await trainings_support.qualified(client, volunteer, "counsellor")
        cover = await trainings_support.insured(client, volunteer, "2026-01-01", "2030-12-31")
        course = await trainings_support.course(client, division=COUNTY, topics=["pre_service"])
        await trainings_support.trained(client, course, volunteer)
        await write(client, volunteer, a_stretch(organisation), uuid.UUID(record))
        given = {"level": "county", "title": "优秀志愿者", "awarded_by": "示例区文明办", "awarded_on": "2026-03-05"}
        kept = await client.put(f"/v1/honours/{honour}", json={"volunteer_id": volunteer, **given})
        assert kept.status_code == 200
        moved = await client.patch(f"/v1/volunteers/{volunteer}", json={"division": OTHER_TOWN})
        assert moved.json()["division"] == OTHER_TOWN
    asked = {"person_id": volunteer}
    for town, count in ((TOWN, 0), (OTHER_TOWN, 1)):
        async with registry.client(town) as client:
            for collection in ("qualifications", "insurances"):
                rows = (await client.get(f"/v1/{collection}", params=asked)).json()["items"]
                assert len(rows) == count, (town, collection)
            assert (await client.get(f"/v1/qualifications/{proof}")).status_code == (200 if count else 404)
            opened = await client.post(f"/v1/insurances/{cover}/reveal", json=WHY)
            assert opened.status_code == (200 if count else 404)
    for collection in ("attendances", "honours"):
        rows = await registry.database.find(collection, {})
        assert [row["division"] for row in rows] == [OTHER_TOWN]
    for town in (TOWN, OTHER_TOWN):  # where the service was, and where the person is now
        async with registry.client(town, "coordinator") as client:
            assert (await client.get(f"/v1/service-records/{record}")).status_code == 200
            rows = (await client.get("/v1/service-records", params={"volunteer_id": volunteer})).json()["items"]
            assert [row["division"] for row in rows] == [TOWN]


async def test_the_papers_of_a_merged_entry_go_to_the_one_that_stays_and_back_with_it(registry: Registry) -> None:
    stays, goes = await a_volunteer(registry, 1, OTHER_TOWN), await a_volunteer(registry, 2, TOWN)
    async with registry.client(COUNTY) as client:
        proof = await trainings_support.qualified(client, goes, "counsellor")
        await client.post(f"/v1/volunteers/{stays}/merge", json={"other": goes, **WHY})

        async def lies_in() -> str:
            return str((await client.get(f"/v1/qualifications/{proof}")).json()["division"])

        assert await lies_in() == OTHER_TOWN
        for town, status in ((OTHER_TOWN, 200), (TOWN, 404)):
            async with registry.client(town) as street:
                assert (await street.post(f"/v1/qualifications/{proof}/reveal", json=WHY)).status_code == status
        assert (await client.post(f"/v1/volunteers/{goes}/split", json=WHY)).status_code == 200
        assert await lies_in() == TOWN


async def test_the_extract_says_which_trainings_were_recorded_and_which_are_told(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainings_support, "COUNTY", COUNTY)
    monkeypatch.setattr(trainings_support, "TOWN", TOWN)
    volunteer = await a_volunteer(registry, trained="yes", training="2023年5月 示例结业证书")
    async with registry.client(COUNTY) as client:
        course = await trainings_support.course(client, topics=["pre_service"], title="岗前培训证明班")
        await trainings_support.trained(client, course, volunteer)
        told = (await client.get(f"/v1/people/{volunteer}/service-extract")).json()["training"]
        page = (await client.get(f"/v1/people/{volunteer}/service-extract", params={"format": "html"})).text
    assert [(row["from"], row["minutes"]) for row in told] == [("培训登记", 120), ("本人填报", None)]
    assert told[0]["content"] == "岗前培训〔见原件〕班"
    for word in ("证明", "证书"):
        assert word not in json.dumps(told, ensure_ascii=False)
    assert "培训登记" in page
    assert "本人填报" in page


async def test_an_id_that_is_another_persons_is_taken(registry: Registry) -> None:
    one, two = await a_volunteer(registry, 1), await a_volunteer(registry, 2)
    honour = {"level": "county", "title": "优秀志愿者", "awarded_by": "示例区文明办", "awarded_on": "2026-03-05"}
    complaint = {"kind": "other", "text": "示例投诉内容"}
    async with registry.client(COUNTY) as client:
        for path, body in ((f"/v1/honours/{new_id()}", honour), (f"/v1/complaints/{new_id()}", complaint)):
            made = await client.put(path, json={"volunteer_id": one, **body})
            assert made.status_code == 200, made.text
            again = await client.put(path, json={"volunteer_id": two, **body})
            assert (again.status_code, again.json()["reason"]) == (409, "taken")
