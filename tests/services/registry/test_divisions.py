"""Divisions: a tree of any depth, loaded from files without doubles, with local units where there is no civil code."""

from __future__ import annotations

import asyncio
import lzma
from collections import Counter
from collections.abc import Collection
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.bus import Bus
from chassis.clock import new_id, now
from chassis.envelope import MAX_BODY
from chassis.errors import Refused
from chassis.relay import Relay
from contracts.registry import Division, DivisionsListed
from services.registry import rows
from services.registry.domain.divisions import (
    LENGTHS,
    Listing,
    Row,
    ancestors,
    common_division,
    in_events,
    is_code,
    next_local_code,
    parent_of,
)
from services.registry.domain.mistakes import Mistaken
from services.registry.imports import NATIONAL_DIVISIONS, PILOT_DIVISIONS, load_divisions
from services.registry.rows import division_rows
from tests.services.registry.support import TREE, Registry

codes = st.sampled_from(LENGTHS).flatmap(lambda length: st.text("0123456789", min_size=length, max_size=length))


@given(codes, st.sets(codes, max_size=8), st.sets(st.sampled_from(LENGTHS)))
def test_the_parent_is_the_longest_shorter_code_that_is_a_prefix(
    code: str, others: set[str], lengths: set[int]
) -> None:
    known = others | {code[:length] for length in lengths}
    prefixes = [other for other in known if code.startswith(other) and len(other) < len(code)]
    assert parent_of(code, known) == max(prefixes, key=len, default=None)


@given(st.lists(codes, min_size=1, max_size=6))
def test_the_common_division_holds_all_and_is_the_finest(given_codes: list[str]) -> None:
    common = common_division(given_codes)
    assert all(code.startswith(common) for code in given_codes)
    assert common == "" or is_code(common)
    finer = [length for length in LENGTHS if length > len(common)]
    assert not any(len({code[:length] for code in given_codes}) == 1 and len(min(given_codes, key=len)) >= length
                   for length in finer)  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text('区甲"\\𡐓x', min_size=1, max_size=64), max_size=40), st.integers(1, 40))
def test_no_event_grows_beyond_what_the_bus_takes(names: list[str], times: int) -> None:
    given_rows = [Row(number, f"{number:012d}", name) for number, name in enumerate(names * times)]
    portions = list(in_events(given_rows))
    assert [row for portion in portions for row in portion] == given_rows
    for portion in portions:
        divisions = tuple(Division(code=row.code, name=row.name, local=row.local) for row in portion)
        assert len(DivisionsListed(id=new_id(), occurred_at=now(), edition="e", divisions=divisions).body()) < MAX_BODY


def test_local_codes_are_taken_from_what_no_published_code_uses() -> None:
    assert next_local_code("320706", set()) == "320706900"
    assert next_local_code("320706", {"320706900", "320706402"}) == "320706901"
    assert next_local_code("3207", set()) == "320790"
    assert next_local_code("320706016001", set()) is None
    assert next_local_code("3207", {f"3207{number}" for number in range(90, 100)}) is None
    assert ancestors("320706900") == ["320706", "3207", "32"]


def test_the_national_tree_is_read_whole_and_sound() -> None:
    """665,276 divisions, each after its parent; only a town's villages and the levels above are held in memory."""
    listing = Listing()
    depths: Counter[int] = Counter()
    for row in division_rows(NATIONAL_DIVISIONS):
        assert isinstance(row, Row)
        assert listing.check(row, ()) is None
        depths[len(row.code)] += 1
    assert depths == {2: 31, 4: 342, 6: 2978, 9: 41352, 12: 620573}


async def parents(registry: Registry, wanted: Collection[str]) -> dict[str, Any]:
    found = await registry.database.find("divisions", {"_id": {"$in": list(wanted)}})
    return {row["_id"]: row["parent"] for row in found}


async def test_the_pilot_tree_loads_whole_and_a_second_time_tells_nothing(registry: Registry) -> None:
    await registry.database.clear("divisions")
    seen: list[tuple[int, int]] = []
    report = await load_divisions(registry.database, PILOT_DIVISIONS, progress=lambda *step: seen.append(step))
    assert (report.rows, report.new, report.unchanged) == (639, 639, 0)
    assert seen[-1] == (639, 639)
    events = await registry.events("divisions_listed")
    assert sum(len(event["divisions"]) for event in events) == 639
    expected = {
        "320706103005": "320706103",
        "320706103": "320706",
        "320706": "3207",
        "3207": "32",
        "32": None,
    }
    assert await parents(registry, expected) == expected
    await registry.forget_events()
    again = await load_divisions(registry.database, PILOT_DIVISIONS)
    assert (again.new, again.changed, again.unchanged) == (0, 0, 639)
    assert await registry.events("divisions_listed") == []


async def test_a_renamed_division_is_told_alone(registry: Registry) -> None:
    renamed = [(code, "海州新区" if code == "320706" else name) for code, name in TREE]
    report = await load_divisions(registry.database, renamed, edition="2027")
    assert (report.new, report.changed) == (0, 1)
    (event,) = await registry.events("divisions_listed")
    assert event["edition"] == "2027"
    assert event["divisions"] == [{"code": "320706", "name": "海州新区", "local": False}]


async def test_a_division_that_comes_between_becomes_the_parent(registry: Registry) -> None:
    await load_divisions(registry.database, [("320706100", "锦屏镇"), ("320706100001", "示例村")])
    await load_divisions(registry.database, [("320706200001", "没有乡镇的村")])
    assert (await parents(registry, ["320706200001"])) == {"320706200001": "320706"}
    await load_divisions(registry.database, [("320706200", "后来的乡")])
    expected = {"320706200001": "320706200", "320706100001": "320706100", "320706200": "320706", "320706016": "320706"}
    assert await parents(registry, expected) == expected


@pytest.mark.parametrize(
    ("bad", "reason", "column"),
    [
        (("32070", "五位"), "bad_code", "code"),
        (("3207A6", "字母"), "bad_code", "code"),
        (("320706021", ""), "bad_name", "name"),
        (("320706021", "名" * 65), "bad_name", "name"),
        (("320706021", "换\x07行"), "bad_name", "name"),
        (("510104001", "没有上级"), "missing_parent", "code"),
        (("320706016", "另一个名称"), "duplicate", "name"),
        (("320706", "另一个名称"), "duplicate", "name"),
        (("320706021", "甲", "2"), "bad_local", "local"),
        (("320706021",), "bad_row", "code"),
    ],
)
async def test_a_mistake_names_row_and_column_and_nothing_of_the_file_is_taken(
    registry: Registry, bad: tuple[str, ...], reason: str, column: str
) -> None:
    given_rows = [*TREE, ("320706020", "花果山街道"), bad]
    with pytest.raises(Mistaken) as caught:
        await load_divisions(registry.database, given_rows)
    (mistake,) = caught.value.mistakes
    assert (mistake.reason, mistake.column, mistake.row) == (reason, column, len(given_rows))
    assert await registry.database.get("divisions", "320706020") is None
    assert await registry.events("divisions_listed") == []


async def test_a_packed_file_loads_like_a_plain_one(registry: Registry) -> None:
    packed = lzma.compress("code,name\n320706020,花果山街道\n".encode())
    assert (await load_divisions(registry.database, packed)).new == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"a,b\n1,2\n", "no_header"),
        (b"", "no_header"),
        ("code,name\n32,江苏".encode("gbk"), "not_utf8"),
        (b'code,name\n32,"open', "bad_csv"),
        (lzma.compress("code,name\n32,江苏省\n".encode() * 9)[:-30], "bad_xz"),
        (b"\xfd7zXZ\x00 no more", "bad_xz"),
        (lzma.compress(bytes(rows.MAX_UNPACKED + 1)), "too_large"),
    ],
    ids=["header", "empty", "gbk", "quote", "cut off", "damaged", "bomb"],
)
async def test_a_file_that_cannot_be_read_is_refused(registry: Registry, content: bytes, reason: str) -> None:
    with pytest.raises(Refused) as caught:
        await load_divisions(registry.database, content)
    assert caught.value.reason == reason


async def test_a_load_is_published_whole_over_the_real_broker(registry: Registry, bus: Bus) -> None:
    """Villages with long names, more than one event holds: every event fits, and nothing is missing."""
    town = "320706016"
    villages = [(f"{town}{number:03d}", "长" * 60 + f"{number}") for number in range(1, 900)]
    relay = Relay(bus, registry.database, "registry", "test")
    registry.database.committed = lambda tx: relay.offer(tx.outbox)
    task = asyncio.create_task(relay.run())
    await load_divisions(registry.database, villages)
    deadline = asyncio.get_running_loop().time() + 20
    while await registry.database.count("outbox", {}) and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.02)
    relay.stop()
    await task
    told: list[str] = []
    state = (await bus.jetstream.stream_info("REGISTRY")).state
    for sequence in range(1, state.messages + 1):
        message = await bus.jetstream.get_msg("REGISTRY", sequence)
        assert message.data is not None
        assert len(message.data) <= MAX_BODY
        assert message.subject == "xinqiao.registry.divisions_listed.v1.320706"
        told += [part.split(b'"')[0].decode() for part in message.data.split(b'"code":"')[1:]]
    assert state.messages > 1
    assert sorted(told) == [code for code, _ in villages]


# Over HTTP


async def test_a_division_is_read_with_its_parent_and_its_children_page_by_page(registry: Registry) -> None:
    async with registry.client("320706", "statistician") as client:
        answer = await client.get("/v1/divisions/320706")
        assert answer.json()["name"] == "海州区"
        assert answer.json()["parent"] == "3207"
        first = (await client.get("/v1/divisions/320706/children", params={"limit": 1})).json()
        second = (await client.get("/v1/divisions/320706/children", params={"limit": 1, "after": first["next"]})).json()
        last = (await client.get("/v1/divisions/320706/children", params={"after": second["next"]})).json()
    assert [item["code"] for page in (first, second, last) for item in page["items"]] == ["320706016", "320706018"]
    assert last["next"] is None


async def test_what_lies_outside_the_callers_division_does_not_exist(registry: Registry) -> None:
    async with registry.client("320706") as client:
        for code in ("3207", "370812", "999999"):
            assert (await client.get(f"/v1/divisions/{code}")).status_code == 404
            assert (await client.get(f"/v1/divisions/{code}/children")).status_code == 404
        answer = await client.post("/v1/divisions", json={"parent": "370812", "name": "示例园区"})
        assert answer.status_code == 404
        answer = await client.post("/v1/divisions/import", content="code,name\n370812002,甲街道\n".encode())
        assert answer.status_code == 422
        assert answer.json()["reason"] == "outside"
        assert [item["code"] for item in (await client.get("/v1/divisions")).json()["items"]] == ["320706"]
    async with registry.client("") as client:
        assert [item["code"] for item in (await client.get("/v1/divisions")).json()["items"]] == ["32", "37"]


async def test_a_unit_without_a_civil_code_gets_a_local_one_marked_so(registry: Registry) -> None:
    async with registry.client("320706") as client:
        first = await client.post("/v1/divisions", json={"parent": "320706", "name": "示例农场"})
        second = await client.post("/v1/divisions", json={"parent": "320706", "name": "示例园区"})
        assert first.status_code == 201
        assert (first.json()["code"], first.json()["local"], first.json()["parent"]) == ("320706900", True, "320706")
        assert second.json()["code"] == "320706901"
    told = [division for event in await registry.events("divisions_listed") for division in event["divisions"]]
    assert told == [
        {"code": "320706900", "name": "示例农场", "local": True},
        {"code": "320706901", "name": "示例园区", "local": True},
    ]


async def test_a_file_over_http_is_taken_or_answered_with_its_mistakes(registry: Registry) -> None:
    async with registry.client("") as client:
        good = await client.post("/v1/divisions/import", files={"file": ("d.csv", b"code,name\n3301,x\n33,y\n")})
        assert good.status_code == 422
        assert good.json()["errors"][0]["row"] == 2
        assert good.json()["errors"][0]["reason"] == "missing_parent"
        good = await client.post("/v1/divisions/import", content=b"code,name\n33,y\n3301,x\n", params={"edition": "e"})
        assert good.status_code == 200
        assert good.json()["new"] == 2
        empty = await client.post("/v1/divisions/import")
        assert (empty.status_code, empty.json()["reason"]) == (422, "no_file")
        large = await client.post("/v1/divisions/import", content=bytes(33 * 1024 * 1024))
        assert large.status_code == 413


async def test_only_a_registrar_writes_and_nobody_reads_without_a_token(registry: Registry) -> None:
    async with registry.client("", "statistician") as client:
        assert (await client.post("/v1/divisions", json={"parent": "32", "name": "甲"})).status_code == 403
        assert (await client.post("/v1/divisions/import", content=b"code,name\n33,y\n")).status_code == 403
        client.headers.pop("authorization")
        assert (await client.get("/v1/divisions/32")).status_code == 401
