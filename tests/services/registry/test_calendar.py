"""The calendar that a volunteer subscribes to: the own turns by a secret link, readable with any calendar library."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import icalendar
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.clock import LOCAL, now
from services.registry.api.calendar import Pace
from services.registry.domain.calendar import Entry, feed
from services.registry.domain.duty import Turn
from tests.services.registry.support import Registry
from tests.services.registry.test_rosters import people, rostered


def soon(volunteer: str, start: int, end: int) -> dict[str, str]:
    day = (now() + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    times = [(day + timedelta(hours=hour)).isoformat() for hour in (start, end)]
    return {"volunteer_id": volunteer, "starts_at": times[0], "ends_at": times[1]}


def events_of(content: bytes | str) -> dict[str, Any]:
    calendar = icalendar.Calendar.from_ical(content)
    assert {str(zone["TZID"]) for zone in calendar.walk("VTIMEZONE")} <= {"Asia/Shanghai"}
    return {str(event["UID"]): event for event in calendar.walk("VEVENT")}


async def test_a_turn_shows_moves_and_is_cancelled_under_one_uid(registry: Registry) -> None:
    one, two = await people(registry, 2)
    async with registry.client("320706") as client:
        duties = (await rostered(client, soon(one, 0, 8), soon(two, 8, 16))).json()["items"]
        made = await client.post(f"/v1/volunteers/{one}/calendar")
        assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
        path = made.json()["path"]
        del client.headers["authorization"]
        first = await client.get(path)
        assert first.headers["content-type"] == "text/calendar; charset=utf-8"
        assert first.headers["cache-control"].startswith("private")
        unchanged = await client.get(path, headers={"if-none-match": first.headers["etag"]})
        assert unchanged.status_code == 304
    ((uid, event),) = events_of(first.content).items()
    assert event["DTSTART"].dt == datetime.fromisoformat(duties[0]["starts_at"])
    assert str(event["DTSTART"].params["TZID"]) == "Asia/Shanghai"
    assert (int(event["SEQUENCE"]), str(event["STATUS"]), str(event["SUMMARY"])) == (0, "CONFIRMED", "值班：示例热线")
    for private in (one, two, duties[1]["id"], "张", "000-0000"):
        assert private not in first.text
    async with registry.client("320706") as client:
        where = f"/v1/rosters/line-1/duties/{duties[0]['id']}"
        later = soon(one, 2, 9)
        del later["volunteer_id"]
        assert (await client.patch(where, json=later)).json()["revision"] == 2
        after = events_of((await client.get(path)).content)[uid]
        assert (int(after["SEQUENCE"]), after["DTEND"].dt) == (1, datetime.fromisoformat(later["ends_at"]))
        await client.delete(where)
        gone = events_of((await client.get(path)).content)[uid]
        assert (int(gone["SEQUENCE"]), str(gone["STATUS"])) == (2, "CANCELLED")
        assert (await client.patch(where, json=later)).status_code == 409


async def test_a_link_is_reset_dropped_and_dead_once_the_person_is_erased(registry: Registry) -> None:
    one, two = await people(registry, 2)
    async with registry.client("320706", "volunteer", subject=one) as client:
        old, new = [(await client.post(f"/v1/volunteers/{one}/calendar")).json()["path"] for _ in range(2)]
        assert old != new
        assert [(await client.get(path)).status_code for path in (old, new)] == [404, 200]
        assert (await client.post(f"/v1/volunteers/{two}/calendar")).status_code == 404
        assert (await client.get("/v1/calendar/short.ics")).status_code == 422
        assert (await client.get(f"/v1/calendar/{'A' * 43}.ics")).status_code == 404
        assert (await client.delete(f"/v1/volunteers/{one}/calendar")).status_code == 204
        assert (await client.get(new)).status_code == 404
        again = (await client.post(f"/v1/volunteers/{one}/calendar")).json()["path"]
    assert all(new[13:-4] not in str(row) for row in await registry.database.find("calendar_links", {}))
    async with registry.client("320706", "coordinator") as client:
        assert (await client.post(f"/v1/volunteers/{one}/calendar")).status_code == 403
    async with registry.client("370812") as client:
        assert (await client.post(f"/v1/volunteers/{one}/calendar")).status_code == 404
    async with registry.client("320706") as client:
        await client.post(f"/v1/volunteers/{one}/erase", json={"reason": "本人要求"})
        assert (await client.get(again)).status_code == 404
    actions = [row["action"] for row in await registry.database.find("audit_log", {})]
    assert actions.count("calendar.link_reset") == 3


async def test_a_link_is_read_so_often_a_minute_and_no_more(registry: Registry) -> None:
    (one,) = await people(registry, 1)
    limit = registry.keys.policies.rosters.at(now()).feed.reads_a_minute
    async with registry.client("320706") as client:
        path = (await client.post(f"/v1/volunteers/{one}/calendar")).json()["path"]
        # Twice as many and one: one of the two minutes that they may fall into has more than the limit.
        answers = [(await client.get(path)).status_code for _ in range(2 * limit + 1)]
    assert set(answers) == {200, 429}


def test_names_that_fill_the_table_count_together() -> None:
    pace = Pace(most=2)
    assert [pace.takes(name, 2) for name in ("a", "b", "c", "d")] == [True, True, True, True]
    assert not pace.takes("e", 2)
    assert pace.takes("a", 2)


entries = st.builds(
    lambda start, length, title, sequence, active: Entry(
        uuid.uuid4(),
        Turn(*(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=m) for m in (start, start + length))),
        title,
        sequence,
        datetime(2026, 1, 1, tzinfo=UTC),
        active,
    ),
    st.integers(0, 500_000),
    st.integers(1, 3000),
    st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=64),
    st.integers(0, 50),
    st.booleans(),
)


@settings(deadline=None, max_examples=40)
@given(st.lists(entries, max_size=5))
def test_whatever_is_rostered_the_library_reads_it_back(given_entries: list[Entry]) -> None:
    content = feed(given_entries, LOCAL)
    assert feed(given_entries, LOCAL) == content
    found = events_of(content)
    assert len(found) == len(given_entries)
    for entry in given_entries:
        event = found[f"{entry.ident}@duty.xinqiao"]
        assert (event["DTSTART"].dt, event["DTEND"].dt) == (entry.turn.starts_at, entry.turn.ends_at)
        assert int(event["SEQUENCE"]) == entry.sequence
        assert str(event["STATUS"]) == ("CONFIRMED" if entry.active else "CANCELLED")
