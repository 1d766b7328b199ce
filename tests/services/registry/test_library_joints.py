"""The library and the people: what somebody read is forgotten, who guides is let through, and what happens is told."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

import httpx
import pytest

from chassis.clock import local_day, now
from chassis.tx import Tx
from services.registry.store import library as kept
from tests.services.registry.library_support import COUNTY, TOWN, copy, item, lent, moved, video
from tests.services.registry.places_support import person
from tests.services.registry.support import Registry


def day(later: int = 0) -> str:
    return str(local_day(now()) + timedelta(later))


def an_order(*items: str, **fields: Any) -> dict[str, Any]:
    told = {"division": TOWN, "item_ids": list(items), "audience": "elderly", "people": 12}
    return {**told, "wanted_on": day(), "venue": "示例社区活动室", **fields}


async def step(client: httpx.AsyncClient, ident: str, state: str, **fields: Any) -> httpx.Response:
    return await client.post(f"/v1/library/guides/{ident}/state", json={"state": state, **fields})


async def test_who_read_a_book_cannot_be_tried_out_once_it_is_back(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        book = await item(client)
        held, other = await copy(client, book), await copy(client, book)
        path = f"/v1/library/loans/{uuid.uuid4()}"
        body = {"copy_id": held, "pseudonym": "R-0012"}
        assert (await client.put(path, json=body)).status_code == 201
        guess = await client.put(path, json={**body, "pseudonym": "R-0013"})
        assert guess.status_code == 409
        await moved(client, held, "returned")
        (loan,) = await registry.database.find("library_loans", {})
        assert (loan["digest"], loan["borrower"]) == (None, None)
        # Whoever is named, the answer is the same; another copy is another loan.
        answers = [await client.put(path, json={**body, "pseudonym": name}) for name in ("R-0012", "R-0013")]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[0].json() == answers[1].json()
        assert (await client.put(path, json={**body, "copy_id": other})).status_code == 409


async def test_every_step_of_the_library_is_an_event_and_none_names_a_reader(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        book, film = await item(client), await item(client, **video())
        held, guide = await copy(client, book), await person(client)
        loan = (await lent(client, held, pseudonym="R-0012")).json()["id"]
        await client.post(f"/v1/library/loans/{loan}/due", json={"due_on": day(35)})
        await moved(client, held, "returned")
        order = str(uuid.uuid4())
        await client.put(f"/v1/library/guides/{order}", json=an_order(book))
        await step(client, order, "assigned", guide_id=guide)
        await step(client, order, "held")
        hand = {"item_id": film, "division": TOWN, "on": day(), "channel": "broadcast", "copies": 3}
        assert (await client.put(f"/v1/library/handed-on/{uuid.uuid4()}", json=hand)).status_code == 201
    items = await registry.events("library_item_listed")
    assert {(event["item_id"], event["kind"], event["revision"]) for event in items} == {
        (book, "book", 1),
        (film, "video", 1),
    }
    copies = await registry.events("library_copy_moved")
    assert [(event["state"], event["revision"]) for event in copies] == [
        ("available", 1),
        ("lent", 2),
        ("lent", 3),
        ("returned", 4),
    ]
    loans = await registry.events("library_loan_moved")
    assert [(event["state"], event["revision"]) for event in loans] == [("lent", 1), ("lent", 2), ("returned", 3)]
    assert (loans[1]["due_on"], loans[2]["ended_on"]) == (day(35), day())
    orders = await registry.events("guided_reading_moved")
    assert [(event["state"], event["people"]) for event in orders] == [
        ("requested", 12),
        ("assigned", 12),
        ("held", 12),
    ]
    (handed,) = await registry.events("library_handed_on")
    assert (handed["copies"], handed["channel"], handed["item_id"]) == (3, "broadcast", film)
    told = json.dumps([items, copies, loans, orders, handed], ensure_ascii=False)
    for secret in ("R-0012", guide, "registrar-1", "示例"):
        assert secret not in told, secret


async def test_a_reading_is_guided_by_who_may_be_asked_and_held_by_who_is_still_there(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        book, willing, unwilling = await item(client), await person(client), await person(client, 2)
        order = str(uuid.uuid4())
        await client.put(f"/v1/library/guides/{order}", json=an_order(book))
        withdrawn = {"state": "withdrawn", "version": "2026-11", "on": day()}
        for consent in ({**withdrawn, "state": "given"}, withdrawn):
            answer = await client.put(f"/v1/volunteers/{unwilling}/consents/matching", json=consent)
            assert answer.status_code == 200, answer.text
        refused = await step(client, order, "assigned", guide_id=unwilling)
        assert (refused.status_code, refused.json()["reason"]) == (409, "matching_consent")
        assert (await step(client, order, "assigned", guide_id=willing)).status_code == 200
        await client.patch(f"/v1/volunteers/{willing}", json={"active": False})
        gone = await step(client, order, "held")
        assert (gone.status_code, gone.json()["reason"]) == (409, "inactive")


async def test_who_asked_for_a_reading_sees_the_own_order_without_who_guides_it(registry: Registry) -> None:
    order, other = str(uuid.uuid4()), str(uuid.uuid4())
    async with registry.client(COUNTY) as keeper:
        book, guide = await item(keeper), await person(keeper)
        async with registry.client(TOWN, "community_worker", subject="worker-1") as asker:
            assert (await asker.put(f"/v1/library/guides/{order}", json=an_order(book))).status_code == 201
        async with registry.client(TOWN, "volunteer", "community_worker", subject="worker-2") as asker:
            mine = await asker.put(f"/v1/library/guides/{other}", json=an_order(book))
            assert mine.status_code == 201
            await step(keeper, other, "assigned", guide_id=guide)
            (seen,) = (await asker.get("/v1/library/guides")).json()["items"]
            assert (seen["id"], seen["state"]) == (other, "assigned")
            assert not {"guide_id", "log", "asked_by"} & set(seen)
            taken = await asker.put(f"/v1/library/guides/{order}", json=an_order(book))
            assert taken.status_code == 409
        listed = (await keeper.get("/v1/library/guides")).json()["items"]
        assert {one["id"]: one["guide_id"] for one in listed} == {order: None, other: guide}


async def test_counts_of_use_are_whole_or_refused(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    month = local_day(now()).isoformat()[:7]
    async with registry.client(COUNTY) as client:
        book = await item(client)
        for where in (TOWN, COUNTY):
            assert (await client.post(f"/v1/library/items/{book}/opened", json={"division": where})).status_code == 200
        monkeypatch.setattr(kept, "MANY", 1)
        for path, params in ((f"/v1/library/items/{book}/use", {}), ("/v1/library/use", {"month": month})):
            answer = await client.get(path, params=params)
            assert (answer.status_code, answer.json()["reason"]) == (422, "too_wide"), path
        narrow = await client.get("/v1/library/use", params={"month": month, "division": TOWN})
        assert narrow.status_code == 200


async def test_an_opening_is_counted_only_in_a_division_that_there_is(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        book = await item(client)
        answer = await client.post(f"/v1/library/items/{book}/opened", json={"division": "370812999999"})
        assert (answer.status_code, answer.json()["field"]) == (422, "division")

    async def counted(tx: Tx) -> int:
        return len(await tx.find("library_use", {}))

    assert await registry.database.transact(counted) == 0


async def test_an_older_person_is_served_and_volunteers_under_one_entry(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        body = {"division": TOWN, "name": "张示例", "phone": "000-0000-0068", "person_types": [3], "age": 78}
        made = await client.post("/v1/volunteers", json=body)
        assert made.status_code == 201, made.text
        who = made.json()["id"]
        book = await item(client)
        assert (await lent(client, await copy(client, book), person_id=who, pseudonym=None)).status_code == 201
        # Who is read to one day guides a reading on another.
        order = str(uuid.uuid4())
        await client.put(f"/v1/library/guides/{order}", json=an_order(book))
        assert (await step(client, order, "assigned", guide_id=who)).status_code == 200
        assert (await step(client, order, "held")).json()["guide_id"] == who
        assert (await client.get(f"/v1/volunteers/{who}")).json()["active"] is True
