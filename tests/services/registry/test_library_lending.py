"""Copies, loans and guided readings: one copy, one reader, and nothing kept of who read what."""

from __future__ import annotations

import asyncio
import uuid
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.clock import local_day, now
from services.registry.domain import library_guides, library_lending
from services.registry.domain.library_lending import NEXT, OUT, State, allows, present_state
from tests.services.registry.library_support import COUNTY, ELSEWHERE, TOWN, copy, item, lent, moved
from tests.services.registry.places_support import person
from tests.services.registry.support import Registry


def day(after: int) -> str:
    return (local_day(now()) + timedelta(days=after)).isoformat()


async def _long_ago(registry: Registry, loan_id: str) -> None:
    """The loan as if its last day had been yesterday."""

    async def age(tx: Any) -> None:
        loan = await tx.get("library_loans", uuid.UUID(loan_id))
        held = await tx.get("library_copies", loan["copy_id"])
        tx.put("library_loans", {**loan, "due_on": day(-1)})
        tx.put("library_copies", {**held, "due_on": day(-1)})

    await registry.database.transact(age)


async def test_a_copy_is_lent_returned_put_back_and_lent_again(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        held = await copy(client, await item(client))
        loan = await lent(client, held)
        assert (loan.status_code, loan.json()["due_on"], loan.json()["borrower"]["pseudonym"]) == (
            201,
            day(30),
            "R-0012",
        )
        twice = await lent(client, held, pseudonym="R-0013")
        assert (twice.status_code, twice.json()["reason"]) == (409, "not_available")
        back = await moved(client, held, "returned")
        assert (back.json()["state_label"], back.json()["due_on"]) == ("已归还（待上架）", None)
        assert (await moved(client, held, "returned")).json()["revision"] == back.json()["revision"]
        assert (await lent(client, held)).status_code == 409
        assert (await moved(client, held, "available")).status_code == 200
        assert (await lent(client, held, pseudonym="R-0013")).status_code == 201


async def test_who_read_what_is_forgotten_when_the_copy_is_back(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident = await item(client)
        reader = await person(client)
        for borrower in ({"pseudonym": "R-7788"}, {"person_id": reader, "pseudonym": None}):
            held = await copy(client, ident)
            assert (await lent(client, held, **borrower)).status_code == 201
            await moved(client, held, "returned")
        rows = (await client.get("/v1/library/loans")).json()["items"]
        assert [(row["borrower"], row["outcome"], row["ended_on"]) for row in rows] == [
            (None, "returned", day(0)),
            (None, "returned", day(0)),
        ]
    everything = [await registry.database.find(name, {}) for name in ("library_loans", "library_copies", "library_use")]
    assert "R-7788" not in str(everything)
    assert reader not in str(everything)


async def test_a_loan_sent_again_is_the_same_loan(registry: Registry) -> None:
    ident = str(uuid.uuid4())
    async with registry.client(COUNTY) as client:
        held = await copy(client, await item(client))
        body = {"copy_id": held, "pseudonym": "R-0012"}
        first = await client.put(f"/v1/library/loans/{ident}", json=body)
        again = await client.put(f"/v1/library/loans/{ident}", json=body)
        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() == again.json()
        assert (await client.put(f"/v1/library/loans/{ident}", json={**body, "pseudonym": "R-2"})).status_code == 409
        await moved(client, held, "returned")
        late = await client.put(f"/v1/library/loans/{ident}", json=body)
        assert (late.status_code, late.json()["outcome"]) == (200, "returned")


async def test_one_copy_asked_for_by_many_at_once_goes_to_one(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        held = await copy(client, await item(client))
        answers = await asyncio.gather(*(lent(client, held, pseudonym=f"R-{number}") for number in range(8)))
        assert sorted(answer.status_code for answer in answers) == [201, *[409] * 7]
        out = (await client.get("/v1/library/loans", params={"out": True})).json()["items"]
        assert len(out) == 1


async def test_a_copy_is_overdue_from_the_day_after_its_last_day(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident = await item(client)
        held, other = await copy(client, ident), await copy(client, ident)
        loan = (await lent(client, held, due_on=day(0))).json()["id"]
        await lent(client, other)
        assert (await client.get("/v1/library/copies", params={"state": "overdue"})).json()["items"] == []
        await _long_ago(registry, loan)
        [late] = (await client.get("/v1/library/copies", params={"state": "overdue"})).json()["items"]
        assert (late["id"], late["state_label"]) == (held, "逾期")
        [still] = (await client.get("/v1/library/copies", params={"state": "lent"})).json()["items"]
        assert still["id"] == other
        [due] = (await client.get("/v1/library/loans", params={"overdue": True})).json()["items"]
        assert (due["id"], due["overdue"]) == (loan, True)
        put_off = await client.post(f"/v1/library/loans/{loan}/due", json={"due_on": day(5)})
        assert (put_off.json()["due_on"], put_off.json()["overdue"]) == (day(5), False)
        await _long_ago(registry, loan)
        assert (await moved(client, held, "returned")).status_code == 200
        [ended] = (await client.get("/v1/library/loans", params={"copy_id": held})).json()["items"]
        assert ended["log"][-1]["late"] is True
        assert (await client.post(f"/v1/library/loans/{loan}/due", json={"due_on": day(9)})).status_code == 409


async def test_a_lost_copy_ends_its_loan_and_may_come_back(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        held = await copy(client, await item(client))
        await lent(client, held)
        assert (await moved(client, held, "lost")).json()["state_label"] == "遗失"
        assert (await lent(client, held)).status_code == 409
        assert (await moved(client, held, "available")).status_code == 409
        assert (await moved(client, held, "returned")).status_code == 200
        [ended] = (await client.get("/v1/library/loans")).json()["items"]
        assert (ended["outcome"], ended["borrower"]) == ("lost", None)


async def test_one_reader_has_so_many_copies_at_once(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident = await item(client)
        copies = [await copy(client, ident) for _ in range(6)]
        for held in copies[:5]:
            assert (await lent(client, held)).status_code == 201
        sixth = await lent(client, copies[5])
        assert (sixth.status_code, sixth.json()["reason"]) == (409, "too_many")
        assert (await lent(client, copies[5], pseudonym="R-2")).status_code == 201


BAD_LOANS: list[tuple[dict[str, Any], str]] = [
    ({"due_on": day(-1)}, "due_on"),
    ({"due_on": day(91)}, "due_on"),
    ({"pseudonym": "13800000000"}, "body.pseudonym"),
    ({"pseudonym": "张示例"}, "body.pseudonym"),
    ({"pseudonym": None}, "body"),
    ({"person_id": str(uuid.uuid4())}, "body"),
    ({"person_id": str(uuid.uuid4()), "pseudonym": None}, "person_id"),
]


async def test_a_loan_that_cannot_be_is_refused_by_its_field(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        held = await copy(client, await item(client))
        for body, field in BAD_LOANS:
            answer = await lent(client, held, **body)
            assert (answer.status_code, answer.json()["field"]) == (422, field)
        assert (await lent(client, held)).status_code == 201


async def test_copies_and_loans_of_another_division_do_not_exist(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident = await item(client)
        held = await copy(client, ident)
        loan = (await lent(client, held)).json()["id"]
    async with registry.client(ELSEWHERE) as client:
        assert (await client.get("/v1/library/copies")).json()["items"] == []
        assert (await client.get("/v1/library/loans")).json()["items"] == []
        assert (await lent(client, held)).status_code == 404
        assert (await moved(client, held, "returned")).status_code == 404
        assert (await client.post(f"/v1/library/loans/{loan}/due", json={"due_on": day(40)})).status_code == 404
        body = {"item_id": ident, "division": ELSEWHERE, "shelf": "示例书架"}
        assert (await client.put(f"/v1/library/copies/{uuid.uuid4()}", json=body)).status_code == 404
        assert (await client.put(f"/v1/library/copies/{held}", json=body)).status_code == 404


async def test_a_copy_moves_to_another_shelf_but_never_becomes_another_book(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident, other = await item(client), await item(client)
        held = await copy(client, ident)
        body = {"item_id": ident, "division": TOWN, "shelf": "示例书架 2号"}
        shelved = await client.put(f"/v1/library/copies/{held}", json=body)
        assert (shelved.status_code, shelved.json()["shelf"], shelved.json()["revision"]) == (200, "示例书架 2号", 2)
        assert (await client.put(f"/v1/library/copies/{held}", json=body)).json()["revision"] == 2
        assert (await client.put(f"/v1/library/copies/{held}", json={**body, "item_id": other})).status_code == 409
        await lent(client, held)
        away = await client.put(f"/v1/library/copies/{held}", json={**body, "division": COUNTY})
        assert (away.status_code, away.json()["field"]) == (409, "division")
        for params, field in (({"state": "gone"}, "state"), ({"limit": 0}, "query.limit")):
            answer = await client.get("/v1/library/copies", params=params)
            assert (answer.status_code, answer.json()["field"]) == (422, field)


STEPS = st.lists(st.sampled_from(["lend", "return", "shelve", "lose", "night"]), max_size=30)


@given(STEPS)
@settings(max_examples=300, deadline=None)
def test_whatever_is_done_a_copy_is_out_once_at_most(steps: list[str]) -> None:
    """A copy that follows the table is never lent while it is out, and what was lent comes back or is lost."""
    today, due, state, out = date(2026, 11, 1), None, State.available, 0
    wanted = {"lend": State.lent, "return": State.returned, "shelve": State.available, "lose": State.lost}
    for step in steps:
        if step == "night":
            today += timedelta(days=20)
            continue
        present = present_state(state, due, today)
        following = wanted[step]
        if present is following or (following is State.lent and present in OUT) or not allows(present, following):
            continue
        if following is State.lent:
            assert present is State.available
            out, due = out + 1, (today + timedelta(days=30)).isoformat()
        elif present in OUT:
            out, due = out - 1, None
        state = following
        assert 0 <= out <= 1
        assert (out == 1) == (state is State.lent)


@given(st.integers(0, 60))
@settings(max_examples=60, deadline=None)
def test_only_what_is_lent_becomes_overdue(late: int) -> None:
    due = date(2026, 11, 30)
    for kept in State:
        present = present_state(kept, due.isoformat(), due + timedelta(days=late))
        assert (present is State.overdue) == (kept is State.overdue or (kept is State.lent and late > 0))


@pytest.mark.parametrize("table", [NEXT, library_guides.NEXT])
def test_the_tables_name_every_state_and_reach_it(table: dict[Any, frozenset[Any]]) -> None:
    kinds: Any = type(next(iter(table)))
    assert set(table) == set(kinds)
    first = next(iter(kinds))
    reached, waiting = {first}, [first]
    while waiting:
        for following in table[waiting.pop()] - reached:
            reached.add(following)
            waiting.append(following)
    assert reached == set(kinds)
    assert set(library_lending.LABELS) == set(State)
    assert set(library_guides.LABELS) == set(library_guides.State)


def _order(item_id: str, **fields: Any) -> dict[str, Any]:
    return {
        "division": TOWN,
        "item_ids": [item_id],
        "audience": "elderly",
        "people": 20,
        "wanted_on": day(0),
        "venue": "示例社区活动室",
        **fields,
    }


async def _step(client: Any, ident: str, state: str, **fields: Any) -> Any:
    return await client.post(f"/v1/library/guides/{ident}/state", json={"state": state, **fields})


async def test_a_guided_reading_is_asked_for_given_to_a_guide_and_held(registry: Registry) -> None:
    ident = str(uuid.uuid4())
    async with registry.client(COUNTY) as client:
        body = _order(await item(client))
        guide, other = await person(client), await person(client, 2, "李示例")
    async with registry.client(TOWN, "community_worker") as client:
        first = await client.put(f"/v1/library/guides/{ident}", json=body)
        assert (first.status_code, first.json()["state_label"]) == (201, "待安排")
        assert (await client.put(f"/v1/library/guides/{ident}", json=body)).status_code == 200
        assert (await client.put(f"/v1/library/guides/{ident}", json={**body, "people": 3})).status_code == 409
    async with registry.client(COUNTY, "coordinator") as client:
        assert (await _step(client, ident, "held")).status_code == 409
        assert (await _step(client, ident, "assigned")).json()["field"] == "guide_id"
        unknown = await _step(client, ident, "assigned", guide_id=str(uuid.uuid4()))
        assert (unknown.status_code, unknown.json()["field"]) == (422, "guide_id")
        given_to = await _step(client, ident, "assigned", guide_id=guide)
        assert (given_to.json()["state"], given_to.json()["guide_id"]) == ("assigned", guide)
        again = await _step(client, ident, "assigned", guide_id=guide)
        assert again.json()["revision"] == given_to.json()["revision"]
        assert (await _step(client, ident, "assigned", guide_id=other)).status_code == 409
        assert (await _step(client, ident, "requested", reason="临时有事")).json()["guide_id"] is None
        assert (await _step(client, ident, "assigned", guide_id=other)).status_code == 200
        held = (await _step(client, ident, "held")).json()
        assert (held["state_label"], held["guide_id"]) == ("已完成", other)
        assert (await _step(client, ident, "cancelled")).status_code == 409
        [listed] = (await client.get("/v1/library/guides", params={"state": "held"})).json()["items"]
        assert [entry["state"] for entry in listed["log"]] == [
            "requested",
            "assigned",
            "requested",
            "assigned",
            "held",
        ]
    async with registry.client(ELSEWHERE) as client:
        assert (await client.get("/v1/library/guides")).json()["items"] == []
        assert (await _step(client, ident, "cancelled")).status_code == 404


async def test_a_guided_reading_is_not_held_before_its_day(registry: Registry) -> None:
    ident = str(uuid.uuid4())
    async with registry.client(COUNTY) as client:
        await client.put(f"/v1/library/guides/{ident}", json=_order(await item(client), wanted_on=day(3)))
        assert (await _step(client, ident, "assigned", guide_id=await person(client))).status_code == 200
        early = await _step(client, ident, "held")
        assert (early.status_code, early.json()["detail"]) == (409, "导读日还没有到")


BAD_ORDERS: list[tuple[dict[str, Any], str]] = [
    ({"wanted_on": day(-1)}, "wanted_on"),
    ({"item_ids": []}, "body.item_ids"),
    ({"item_ids": [str(uuid.UUID(int=1))]}, "item_ids.0"),
    ({"people": 0}, "body.people"),
    ({"audience": "everybody"}, "body.audience"),
    ({"phone": "000-0000-0001"}, "body.phone"),
]


async def test_an_order_that_cannot_be_is_refused_by_its_field(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident = await item(client)
        for fields, field in BAD_ORDERS:
            answer = await client.put(f"/v1/library/guides/{uuid.uuid4()}", json=_order(ident, **fields))
            assert (answer.status_code, answer.json()["field"]) == (422, field)
