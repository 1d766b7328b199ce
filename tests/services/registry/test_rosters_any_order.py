"""Whatever is added, moved, swapped and withdrawn in whatever order: nobody is on duty twice, the cap is kept, and the
gaps told are those that a count hour by hour finds."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.clock import LOCAL
from services.registry.domain.duty import Turn, overlapping
from services.registry.domain.rosters import HOUR, hours_by_week
from tests.services.registry.support import Registry
from tests.services.registry.test_rosters import DAY, LINE, at, people, turn

HOURS = 72
steps = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "add", "move", "swap", "withdraw"]),
        st.integers(0, 2),
        st.integers(0, HOURS - 1),
        st.integers(1, 20),
    ),
    min_size=4,
    max_size=14,
)


@settings(
    deadline=None, max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(given_steps=steps)
async def test_no_overlap_no_cap_broken_and_every_gap_told(
    registry: Registry, given_steps: list[tuple[str, int, int, int]]
) -> None:
    for name in ("duties", "swaps", "volunteers", "outbox"):
        await registry.database.clear(name)
    who = await people(registry, 3)
    async with registry.client("320706") as client:
        await client.put("/v1/rosters/line-1", json={**LINE, "min_seats": 2})
        for kind, person, start, length in given_steps:
            status = await _step(client, await _active(registry), kind, who[person], start, length)
            assert status in (200, 201, 409)
        told = await client.get("/v1/rosters/line-1/gaps", params={"from": at(0), "to": at(HOURS)})
    rows = await _active(registry)
    by_person: dict[uuid.UUID, list[Turn]] = {}
    for row in rows:
        by_person.setdefault(row["volunteer_id"], []).append(Turn(row["starts_at"], row["ends_at"]))
    for turns in by_person.values():
        assert overlapping(turns) is None
        assert max(hours_by_week(turns, LOCAL).values()) <= 40 * HOUR
    missing = [
        max(2 - sum(row["starts_at"] <= hour < row["ends_at"] for row in rows), 0)
        for hour in (DAY + timedelta(hours=step) for step in range(HOURS))
    ]
    found = [0] * HOURS
    for gap in told.json()["gaps"]:
        first, last = (datetime.fromisoformat(gap[name]).astimezone(UTC) for name in ("starts_at", "ends_at"))
        for step in range((first - DAY) // HOUR, (last - DAY) // HOUR):
            found[step] += gap["missing"]
    assert found == missing


async def _active(registry: Registry) -> list[dict[str, Any]]:
    return await registry.database.find("duties", {"active": True}, sort=[("_id", 1)])


async def _step(
    client: httpx.AsyncClient, rows: list[dict[str, Any]], kind: str, person: str, start: int, length: int
) -> int:
    if kind == "add" or not rows:
        body = {"duties": [turn(person, start, start + length)]}
        return (await client.post("/v1/rosters/line-1/duties", json=body)).status_code
    chosen = rows[start % len(rows)]
    where = f"/v1/rosters/line-1/duties/{chosen['_id']}"
    if kind == "withdraw":
        return (await client.delete(where)).status_code
    if kind == "move":
        times = {"starts_at": at(start), "ends_at": at(start + length)}
        return (await client.patch(where, json=times)).status_code
    theirs = [row for row in rows if str(row["volunteer_id"]) == person]
    offer: dict[str, Any] = {"duty_id": str(chosen["_id"]), "to_id": person}
    if theirs and length % 2:
        offer["return_duty_id"] = str(theirs[0]["_id"])
    ident = uuid.uuid4()
    offered = await client.put(f"/v1/swaps/{ident}", json=offer)
    if offered.status_code != 200:
        return offered.status_code
    accepted = await client.post(f"/v1/swaps/{ident}/accept")
    if accepted.status_code != 200:
        await client.post(f"/v1/swaps/{ident}/withdraw")
    return accepted.status_code
