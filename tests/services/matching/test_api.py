"""HTTP: a responder answers the own offer, a coordinator sees what waits, assigns and reopens."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta
from typing import Any

import httpx
import pytest

from chassis.audit_log import broken_links
from chassis.clock import now
from chassis.db import Database
from chassis.service import Service
from chassis.tx import Document, Tx
from contracts.base import Event, Tier
from contracts.codes import ProblemCategory
from contracts.crisis import ResponderRequested
from contracts.matching import OfferAccepted, OfferDeclined, ResponderOffered
from contracts.registry import Division, DivisionsListed
from services.matching import handlers
from services.matching.domain.choice import DeclineReason
from tests.services.matching.conftest import Client
from tests.services.matching.support import COUNTY, SOCIAL_WORKER, a_duty, a_merge, a_release, a_request, a_volunteer
from tests.services.matching.test_race import published, receive


async def on_duty(service: Service, *divisions: str) -> list[uuid.UUID]:
    volunteers = [a_volunteer(division) for division in divisions]
    start = now() - timedelta(minutes=1)
    await receive(service.database, *volunteers)
    await receive(service.database, *(a_duty(v.volunteer_id, v.division, start=start) for v in volunteers))
    return [volunteer.volunteer_id for volunteer in volunteers]


async def asked(service: Service, division: str = COUNTY, tier: Tier = Tier.high) -> ResponderRequested:
    request = a_request(division, tier, moment=now())
    await receive(service.database, request)
    return request


async def told(service: Service, kind: type[Event]) -> list[Event]:
    return [event for event in await published(service.database) if type(event) is kind]


def is_problem(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_responder_sees_the_own_offer_and_accepts_it(service: Service, caller: Client) -> None:
    (person,) = await on_duty(service, COUNTY)
    request = await asked(service)
    async with caller("volunteer", person) as client:
        (offer,) = (await client.get("/v1/offers/mine")).json()["offers"]
        assert (offer["request_id"], offer["state"], offer["tier_label"]) == (str(request.request_id), "open", "高危")
        answer = await client.post(f"/v1/offers/{offer['offer_id']}/accept")
        assert answer.status_code == 200
        assert answer.json()["state"] == "accepted"
        (held,) = (await client.get("/v1/offers/mine")).json()["offers"]
        assert held["state"] == "accepted"
    (event,) = await told(service, OfferAccepted)
    assert isinstance(event, OfferAccepted)
    assert (event.responder_id, event.request_id) == (person, request.request_id)


async def test_accepting_twice_answers_the_same_and_is_told_once(service: Service, caller: Client) -> None:
    (person,) = await on_duty(service, COUNTY)
    await asked(service)
    async with caller("volunteer", person) as client:
        (offer,) = (await client.get("/v1/offers/mine")).json()["offers"]
        url = f"/v1/offers/{offer['offer_id']}/accept"
        answers = await asyncio.gather(*(client.post(url) for _ in range(4)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert len(await told(service, OfferAccepted)) == 1


async def test_an_offer_does_not_exist_for_anyone_else(service: Service, caller: Client) -> None:
    (person,) = await on_duty(service, COUNTY)
    request = await asked(service)
    offer = (await service.database.find("offers", {"request_id": request.request_id}))[0]
    for subject in (uuid.uuid4(), "not-a-volunteer"):
        async with caller("volunteer", subject) as client:
            is_problem(await client.post(f"/v1/offers/{offer['_id']}/accept"), 404)
            is_problem(await client.post(f"/v1/offers/{offer['_id']}/decline"), 404)
    async with caller("volunteer", person) as client:
        is_problem(await client.post(f"/v1/offers/{uuid.uuid4()}/accept"), 404)
    assert (await service.database.get("offers", offer["_id"]) or {})["state"] == "open"


async def test_accepting_after_the_deadline_is_refused_before_the_timer_fires_too(
    service: Service, caller: Client
) -> None:
    (person,) = await on_duty(service, COUNTY)
    request = await asked(service)
    (offer,) = await service.database.find("offers", {"request_id": request.request_id})
    await change(service.database, "offers", offer["_id"], expires_at=now() - timedelta(seconds=1))
    async with caller("volunteer", person) as client:
        is_problem(await client.post(f"/v1/offers/{offer['_id']}/accept"), 409)
        await fire_offer(service, offer["_id"])
        is_problem(await client.post(f"/v1/offers/{offer['_id']}/accept"), 409)
        is_problem(await client.post(f"/v1/offers/{offer['_id']}/decline"), 409)
    assert not await told(service, OfferAccepted)


async def change(database: Database, collection: str, key: uuid.UUID, **fields: object) -> None:
    async def write(tx: Tx) -> None:
        document: Document = await tx.get(collection, key) or {}
        tx.put(collection, {**document, **fields})

    await database.transact(write)


async def fire_offer(service: Service, offer_id: uuid.UUID) -> None:
    async def fire(tx: Tx) -> None:
        await service.blueprint.timers["offer"](offer_id, tx)

    await service.database.transact(fire)


@pytest.mark.parametrize(
    ("body", "reason"),
    [(None, "not_said"), ({}, "not_said"), *(({"reason": reason.value}, reason.value) for reason in DeclineReason)],
)
async def test_a_decline_may_say_why_and_need_not(
    service: Service, caller: Client, body: dict[str, str] | None, reason: str
) -> None:
    (person,) = await on_duty(service, COUNTY)
    await asked(service)
    async with caller("volunteer", person) as client:
        (offer,) = (await client.get("/v1/offers/mine")).json()["offers"]
        answer = await client.post(f"/v1/offers/{offer['offer_id']}/decline", json=body)
        again = await client.post(f"/v1/offers/{offer['offer_id']}/decline", json=body)
        is_problem(await client.post(f"/v1/offers/{offer['offer_id']}/accept"), 409)
    assert (answer.status_code, answer.json()["decline_reason"]) == (200, reason)
    assert again.json() == answer.json()
    assert len(await told(service, OfferDeclined)) == 1


async def test_a_reason_that_is_not_on_the_list_is_refused_with_its_field(service: Service, caller: Client) -> None:
    (person,) = await on_duty(service, COUNTY)
    await asked(service)
    async with caller("volunteer", person) as client:
        (offer,) = (await client.get("/v1/offers/mine")).json()["offers"]
        answer = await client.post(f"/v1/offers/{offer['offer_id']}/decline", json={"reason": "tired of it"})
        is_problem(answer, 422)
        assert answer.json()["field"] == "body.reason"
        codes = {row["code"] for row in (await client.get("/v1/decline-reasons")).json()}
    assert codes == {reason.value for reason in DeclineReason}


async def test_every_route_wants_its_role(service: Service, caller: Client) -> None:
    some = uuid.uuid4()
    volunteers = [("GET", "/v1/offers/mine"), ("POST", f"/v1/offers/{some}/accept"), ("GET", "/v1/decline-reasons")]
    volunteers.append(("POST", f"/v1/offers/{some}/decline"))
    coordinators = [("GET", path) for path in ("/v1/requests", "/v1/coordinator-calls", f"/v1/requests/{some}")]
    coordinators += [("GET", f"/v1/requests/{some}/candidates"), ("POST", f"/v1/requests/{some}/reopen")]
    coordinators.append(("POST", f"/v1/requests/{some}/assign"))
    async with caller("coordinator", "c1") as client:
        for method, path in volunteers:
            is_problem(await client.request(method, path), 403)
        client.headers.pop("authorization")
        for method, path in volunteers + coordinators:
            is_problem(await client.request(method, path), 401)
    async with caller("volunteer", some) as client:
        for method, path in coordinators:
            is_problem(await client.request(method, path, json={"reason": "ok", "responder_id": str(some)}), 403)
    routes = {getattr(route, "path", "") for route in service.app.routes}
    tried = {path.replace(str(some), "{id}") for _, path in volunteers + coordinators}
    declared = {path.replace("{offer_id}", "{id}").replace("{request_id}", "{id}") for path in routes if "/v1/" in path}
    assert declared - {"/v1/audit-log"} == tried


async def test_nobody_left_shows_at_the_coordinator_the_most_urgent_first(service: Service, caller: Client) -> None:
    await receive(
        service.database,
        a_volunteer(),
    )
    listed = DivisionsListed(
        id=uuid.uuid4(),
        occurred_at=now(),
        edition="2023",
        divisions=(Division(code="370812", name="兖州区"), Division(code="370812001", name="鼓楼街道")),
    )

    async def list_divisions(tx: Tx) -> None:
        await handlers.load_divisions([listed], tx)
        await handlers.note_divisions(listed, tx)

    await service.database.transact(list_divisions)
    moderate = await asked(service, "370812001", Tier.moderate)
    imminent = await asked(service, COUNTY, Tier.imminent)
    elsewhere = await asked(service, "370811", Tier.high)
    async with caller("coordinator", "c1") as client:
        calls = (await client.get("/v1/coordinator-calls")).json()
        assert calls["waiting"] == 2
        assert [call["request_id"] for call in calls["calls"]] == [
            str(imminent.request_id),
            str(moderate.request_id),
        ]
        assert (calls["calls"][1]["reason"], calls["calls"][1]["reason_label"]) == (
            "nobody_on_duty",
            "没有符合条件的值班人员",
        )
        assert calls["calls"][1]["place"] == "兖州区鼓楼街道"
        is_problem(await client.get("/v1/coordinator-calls", params={"division": "370811"}), 404)
        is_problem(await client.get(f"/v1/requests/{elsewhere.request_id}"), 404)
    async with caller("coordinator", "c2", "3708") as client:
        assert (await client.get("/v1/coordinator-calls")).json()["waiting"] == 3
        narrowed = (await client.get("/v1/coordinator-calls", params={"division": "370811"})).json()
        assert [call["request_id"] for call in narrowed["calls"]] == [str(elsewhere.request_id)]


async def test_requests_are_listed_by_division_and_page(service: Service, caller: Client) -> None:
    await on_duty(service, COUNTY)
    inside = [await asked(service, division) for division in ("370812001", COUNTY, "370812001201", COUNTY, COUNTY)]
    await asked(service, "370811")
    async with caller("coordinator", "c1") as client:
        found, after, pages = [], None, 0
        while pages == 0 or after:
            params = {"limit": "2", **({"after": after} if after else {})}
            page = (await client.get("/v1/requests", params=params)).json()
            found += [request["request_id"] for request in page["requests"]]
            after, pages = page["next"], pages + 1
        assert (pages, found) == (3, sorted(str(request.request_id) for request in inside))
        waiting = (await client.get("/v1/requests", params={"state": "waiting", "division": "370812001"})).json()
        assert {request["request_id"] for request in waiting["requests"]} == {str(inside[2].request_id)}
        answer = await client.get("/v1/requests", params={"state": "lost"})
        is_problem(answer, 422)
        assert answer.json()["field"] == "state"


async def test_the_coordinator_assigns_a_named_responder(service: Service, caller: Client) -> None:
    """By the rules without more; against them only with `override`, and that is in the audit log."""
    request = await asked(service)
    off_duty = a_volunteer(skill=SOCIAL_WORKER)
    await receive(service.database, off_duty)
    async with caller("coordinator", "c1") as client:
        url = f"/v1/requests/{request.request_id}/assign"
        body = {"responder_id": str(off_duty.volunteer_id), "reason": "reached by the coordinator"}
        is_problem(await client.post(url, json=body), 409)
        answer = await client.post(url, json={**body, "override": True})
        assert answer.status_code == 200, answer.text
        assert answer.json()["state"] == "accepted"
        is_problem(await client.post(url, json={**body, "override": True}), 409)
        shown = (await client.get(f"/v1/requests/{request.request_id}")).json()
        assert (shown["state"], shown["responder_id"]) == ("held", str(off_duty.volunteer_id))
        assert [offer["state"] for offer in shown["offers"]] == ["accepted"]
    (entry,) = await service.database.find("audit_log", {})
    assert (entry["actor"], entry["action"]) == ("c1", "assigned_against_the_rules")
    assert entry["reason"] == "reached by the coordinator"
    assert not await broken_links(service.database)
    assert len(await told(service, ResponderOffered)) == len(await told(service, OfferAccepted)) == 1


async def test_no_override_gives_a_responder_a_second_request(service: Service, caller: Client) -> None:
    (person,) = await on_duty(service, COUNTY)
    first, second = await asked(service), await asked(service)
    body = {"responder_id": str(person), "reason": "there is nobody else", "override": True}
    async with caller("coordinator", "c1") as client:
        is_problem(await client.post(f"/v1/requests/{second.request_id}/assign", json=body), 409)
        # The one that is offered to the person already may be assigned: it is accepted on the person's word.
        answer = await client.post(f"/v1/requests/{first.request_id}/assign", json=body)
        assert answer.json()["state"] == "accepted"
        is_problem(await client.post(f"/v1/requests/{second.request_id}/assign", json=body), 409)
    assert len(await told(service, ResponderOffered)) == 1


async def test_an_assignment_withdraws_the_offer_that_was_open(service: Service, caller: Client) -> None:
    near, far = await on_duty(service, "370812001", COUNTY)
    request = await asked(service, "370812001")
    async with caller("coordinator", "c1") as client:
        body = {"responder_id": str(far), "reason": "speaks the person's language"}
        assert (await client.post(f"/v1/requests/{request.request_id}/assign", json=body)).status_code == 200
        states = [offer["state"] for offer in (await client.get(f"/v1/requests/{request.request_id}")).json()["offers"]]
        assert sorted(states) == ["accepted", "withdrawn"]
    async with caller("volunteer", near) as client:
        assert (await client.get("/v1/offers/mine")).json()["offers"] == []
    (entry,) = await service.database.find("audit_log", {})
    assert entry["action"] == "assigned"


async def test_a_responder_outside_the_coordinators_division_does_not_exist(service: Service, caller: Client) -> None:
    (person,) = await on_duty(service, "320706")
    request = await asked(service)
    body = {"responder_id": str(person), "reason": "there is nobody else", "override": True}
    async with caller("coordinator", "c1") as client:
        is_problem(await client.post(f"/v1/requests/{request.request_id}/assign", json=body), 404)
        is_problem(await client.post(f"/v1/requests/{uuid.uuid4()}/assign", json=body), 404)


async def test_a_request_is_reopened_for_those_who_declined(service: Service, caller: Client) -> None:
    (person,) = await on_duty(service, COUNTY)
    request = await asked(service)
    async with caller("volunteer", person) as volunteer, caller("coordinator", "c1") as client:
        url = f"/v1/requests/{request.request_id}/reopen"
        is_problem(await client.post(url, json={"reason": "try again"}), 409)
        (offer,) = (await volunteer.get("/v1/offers/mine")).json()["offers"]
        await volunteer.post(f"/v1/offers/{offer['offer_id']}/decline", json={"reason": "busy"})
        (call,) = (await client.get("/v1/coordinator-calls")).json()["calls"]
        assert (call["reason"], call["asked"]) == ("all_declined_or_silent", 1)
        assert (await client.post(url, json={"reason": "try again"})).json()["state"] == "offered"
        (again,) = (await volunteer.get("/v1/offers/mine")).json()["offers"]
        assert again["offer_id"] != offer["offer_id"]


async def test_the_candidates_of_a_request_in_the_order_of_asking(service: Service, caller: Client) -> None:
    near, county, city = await on_duty(service, "370812001", COUNTY, "3708")
    await receive(service.database, a_volunteer(COUNTY))
    request = await asked(service, "370812001201")
    async with caller("coordinator", "c1", "3708") as client:
        found = (await client.get(f"/v1/requests/{request.request_id}/candidates")).json()["candidates"]
    assert [(row["responder_id"], row["area_digits"], row["busy"]) for row in found] == [
        (str(near), 9, True),
        (str(county), 6, False),
        (str(city), 4, False),
    ]


async def test_a_request_withdrawn_before_it_arrived_is_shown_without_a_tier(service: Service, caller: Client) -> None:
    request = a_request()
    await receive(service.database, a_release(request))
    async with caller("coordinator", "c1") as client:
        shown = (await client.get(f"/v1/requests/{request.request_id}")).json()
        assert (shown["state"], shown["tier"]) == ("released", None)
        assert (await client.get("/v1/requests")).json()["requests"][0]["request_id"] == str(request.request_id)


async def test_a_request_says_in_which_category_the_case_was_classified(service: Service, caller: Client) -> None:
    plain_one = await asked(service)
    classified = a_request(COUNTY, Tier.high, moment=now()).model_copy(
        update={"problem_categories": (ProblemCategory.adaptive, ProblemCategory.disorder)}
    )
    await receive(service.database, classified)
    async with caller("coordinator", "coordinator-1") as client:
        for request, codes, labels in (
            (plain_one, [], []),
            (classified, ["adaptive", "disorder"], ["适应性", "障碍性"]),
        ):
            shown = (await client.get(f"/v1/requests/{request.request_id}")).json()
            assert (shown["problem_categories"], shown["problem_labels"]) == (codes, labels)


async def test_who_is_off_the_roster_by_now_cannot_accept_and_another_is_asked(
    service: Service, caller: Client
) -> None:
    near, far = await on_duty(service, "370812001", COUNTY)
    request = await asked(service, "370812001")
    async with caller("volunteer", near) as client:
        (offer,) = (await client.get("/v1/offers/mine")).json()["offers"]
        (turn,) = await service.database.find("duties", {"volunteer_id": near})
        await change(service.database, "duties", turn["_id"], active=False)
        url = f"/v1/offers/{offer['offer_id']}/accept"
        refused = await client.post(url)
        is_problem(refused, 409)
        assert refused.json()["reason"] == "not_on_duty"
        is_problem(await client.post(url), 409)
        assert (await client.get("/v1/offers/mine")).json()["offers"] == []
    found = await service.database.get("requests", request.request_id)
    assert found is not None
    assert (found["state"], found["responder_id"]) == ("offered", far)
    assert not await told(service, OfferAccepted)


@pytest.mark.parametrize("state", [{"active": False}, {"minor": True}])
async def test_no_override_gives_a_case_to_a_minor_or_to_who_has_left(
    service: Service, caller: Client, state: dict[str, Any]
) -> None:
    volunteer = a_volunteer(COUNTY, **state)
    await receive(service.database, volunteer)
    request = await asked(service)
    body = {"responder_id": str(volunteer.volunteer_id), "reason": "there is nobody else", "override": True}
    async with caller("coordinator", "c1") as client:
        answer = await client.post(f"/v1/requests/{request.request_id}/assign", json=body)
    is_problem(answer, 409)
    assert answer.json()["reason"] == "barred"


async def test_a_person_of_two_entries_finds_the_case_under_either(service: Service, caller: Client) -> None:
    goes, stays = await on_duty(service, "370812001", COUNTY)
    request = await asked(service, "370812001")
    async with caller("volunteer", goes) as client:
        (offer,) = (await client.get("/v1/offers/mine")).json()["offers"]
        assert (await client.post(f"/v1/offers/{offer['offer_id']}/accept")).status_code == 200
    await receive(service.database, a_merge(stays, goes, now()))
    for who in (goes, stays):
        async with caller("volunteer", who) as client:
            (found,) = (await client.get("/v1/offers/mine")).json()["offers"]
        assert (found["request_id"], found["responder_id"]) == (str(request.request_id), str(stays))
        assert found["state"] == "accepted"


async def test_whoever_declined_under_an_id_that_is_gone_was_asked(service: Service, caller: Client) -> None:
    (goes,) = await on_duty(service, COUNTY)
    request = await asked(service)
    async with caller("volunteer", goes) as client:
        (offer,) = (await client.get("/v1/offers/mine")).json()["offers"]
        await client.post(f"/v1/offers/{offer['offer_id']}/decline")
    stays = a_volunteer()
    await receive(service.database, stays)
    await receive(service.database, a_merge(stays.volunteer_id, goes, now()))
    await receive(service.database, a_duty(stays.volunteer_id, start=now() - timedelta(minutes=1)))
    found = await service.database.get("requests", request.request_id)
    assert found is not None
    assert (found["state"], set(found["asked"])) == ("waiting", {goes, stays.volunteer_id})
