"""Who is told what, as JSON and as CSV."""

from __future__ import annotations

import csv
import io
import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import pytest

from chassis.clock import local_day, new_id, now
from chassis.db import Database
from contracts.registry import Division, DivisionsListed
from services.reporting.handlers import count, note_divisions
from services.reporting.tables import plain
from tests.services.reporting.conftest import Tokens
from tests.services.reporting.days import opened

COUNTY, OTHER, THIRD = "370812", "370811", "370826"


def last_month() -> date:
    """The first day of a month that is over for more than the days it takes to settle."""
    return (local_day(now()) - timedelta(days=40)).replace(day=1)


async def open_cases(database: Database, division: str, number: int, day: date, tier: str = "high") -> None:
    random_ = random.Random(f"{division}{number}{day}{tier}")
    noon = datetime(day.year, day.month, day.day, 4, tzinfo=UTC)

    async def add(tx: Any) -> None:
        for _ in range(number):
            await count(opened(noon, division, random_, tier=tier, channel="call", minor=False), tx)

    await database.transact(add)


async def list_divisions(database: Database, at: datetime, **names: str) -> None:
    divisions = tuple(Division(code=code.removeprefix("d"), name=name) for code, name in names.items())
    event = DivisionsListed(id=new_id(), occurred_at=at, edition="2026", divisions=divisions)
    await database.transact(lambda tx: note_divisions(event, tx))


async def ask(http: httpx.AsyncClient, headers: dict[str, str], **params: str) -> dict[str, Any]:
    answer = await http.get("/v1/statistics", params=params, headers=headers)
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


def values(answer: dict[str, Any], indicator: str) -> dict[tuple[str, str], Any]:
    return {
        (row["division"], row["period"]): row["figures"][indicator]["value"] if row["published"] else "not yet"
        for row in answer["rows"]
    }


async def test_the_county_sees_its_small_counts_by_day(
    http: httpx.AsyncClient, database: Database, token: Tokens
) -> None:
    await open_cases(database, f"{COUNTY}001", 3, date(2026, 3, 2))
    answer = await ask(http, token(COUNTY), division=COUNTY, by="day", **{"from": "2026-03-01", "to": "2026-03-03"})
    assert answer["view"] == "inside"
    assert list(values(answer, "cases.total").values()) == [0, 3, 0]
    assert answer["rows"][1]["figures"]["cases.tier.high"] == {"value": 3}


async def test_a_town_sees_itself_and_not_its_neighbour(
    http: httpx.AsyncClient, database: Database, token: Tokens
) -> None:
    await open_cases(database, f"{COUNTY}001", 3, date(2026, 3, 2))
    own = await ask(http, token(f"{COUNTY}001"), division=f"{COUNTY}001", **{"from": "2026-03", "to": "2026-03"})
    assert values(own, "flags.total") == {(f"{COUNTY}001", "2026-03"): 3}
    for hidden in (COUNTY, f"{COUNTY}002", "0"):
        answer = await http.get("/v1/statistics", params={"division": hidden}, headers=token(f"{COUNTY}001"))
        assert answer.status_code == 404


async def test_children_are_those_listed_and_those_that_count(
    http: httpx.AsyncClient, database: Database, token: Tokens
) -> None:
    """A division that no list names, or none any more, still counts, under its code."""
    await list_divisions(database, now(), d370812001="鼓楼街道", d370812002="龙桥街道", d370812="兖州区")
    await open_cases(database, f"{COUNTY}001002", 2, date(2026, 3, 2))
    await open_cases(database, f"{COUNTY}099", 1, date(2026, 3, 2))
    answer = await ask(
        http, token(COUNTY), division=COUNTY, level="children", **{"from": "2026-03-01", "to": "2026-03-31"}
    )
    rows = [(row["division"], row["name"], row["figures"]["cases.total"]["value"]) for row in answer["rows"]]
    assert rows == [
        ("370812001", "鼓楼街道", 2),
        ("370812002", "龙桥街道", 0),
        ("370812099", "370812099", 1),
    ]


async def test_the_later_name_of_a_division_stays(http: httpx.AsyncClient, database: Database, token: Tokens) -> None:
    moment = now()
    await list_divisions(database, moment, d370812="兖州区")
    await list_divisions(database, moment - timedelta(days=900), d370812="兖州市")
    answer = await ask(http, token(COUNTY), division=COUNTY)
    assert answer["rows"][0]["name"] == "兖州区"


async def test_the_city_is_told_no_small_count_nor_what_gives_it_away(
    http: httpx.AsyncClient, database: Database, token: Tokens
) -> None:
    month = last_month()
    for county, number in ((COUNTY, 4), (OTHER, 30), (THIRD, 80)):
        await open_cases(database, county, number, month)
    asked = {"from": f"{month:%Y-%m}", "to": f"{month:%Y-%m}"}
    children = await ask(http, token("3708"), division="3708", level="children", **asked)
    assert children["view"] == "outside"
    assert list(values(children, "cases.total").values()) == [None, None, 80]
    hidden = [row["figures"]["cases.total"] for row in children["rows"][:2]]
    assert hidden == [{"value": None, "withheld": True}] * 2
    city = await ask(http, token("3708"), division="3708", **asked)
    assert list(values(city, "cases.total").values()) == [114]
    inside = await ask(http, token(COUNTY), division=COUNTY, **asked)
    assert list(values(inside, "cases.total").values()) == [4]


async def test_a_month_once_told_outside_does_not_change(
    http: httpx.AsyncClient, database: Database, token: Tokens
) -> None:
    """Or two readings, one before and one after a late event, would tell of that event."""
    month = last_month()
    asked = {"from": f"{month:%Y-%m}", "to": f"{month:%Y-%m}"}
    await open_cases(database, COUNTY, 30, month)
    first = await ask(http, token("3708"), division=COUNTY, **asked)
    await open_cases(database, COUNTY, 1, month + timedelta(days=1))
    assert await ask(http, token("3708"), division=COUNTY, **asked) == first
    assert list(values(first, "cases.total").values()) == [30]
    inside = await ask(http, token(COUNTY), division=COUNTY, **asked)
    assert list(values(inside, "cases.total").values()) == [31]


async def test_a_running_month_is_not_told_outside_yet(
    http: httpx.AsyncClient, database: Database, token: Tokens
) -> None:
    await list_divisions(database, now(), d370812="兖州区")
    await open_cases(database, COUNTY, 50, local_day(now()))
    answer = await ask(http, token("3708"), division=COUNTY)
    assert list(values(answer, "cases.total").values()) == ["not yet"]
    text = (await http.get("/v1/statistics", params={"division": COUNTY, "format": "csv"}, headers=token("3708"))).text
    assert "未发布" in text
    assert "50" not in text.splitlines()[1]


@pytest.mark.parametrize(
    ("params", "status", "field"),
    [
        ({"division": "370812001"}, 403, None),
        ({"division": COUNTY, "level": "children"}, 403, None),
        ({"division": COUNTY, "by": "day"}, 422, "by"),
        ({"division": COUNTY, "from": "2026-03-02", "to": "2026-03-31"}, 422, "from"),
        ({"division": COUNTY, "from": "2026-03-01", "to": "2026-03-30"}, 422, "to"),
        ({"division": "3709"}, 404, None),
        ({"division": "37081"}, 422, "query.division"),
        ({"division": COUNTY, "from": "2026-02-30", "to": "2026-03-31"}, 422, "from"),
        ({"division": COUNTY, "from": "2026-03", "to": "2026-02"}, 422, "to"),
        ({"division": COUNTY, "from": "1026-03", "to": "2026-02"}, 422, "from"),
        ({"division": COUNTY, "indicator": "nothing"}, 422, "indicator"),
    ],
)
async def test_the_city_gets_whole_months_of_counties_and_a_reason_otherwise(
    http: httpx.AsyncClient, token: Tokens, params: dict[str, str], status: int, field: str | None
) -> None:
    answer = await http.get("/v1/statistics", params=params, headers=token("3708"))
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json().get("field") == field


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"from": "9999-12", "to": "9999-12"}, "from"),
        ({"from": "9999-12"}, "from"),
        ({"to": "9999-12"}, "to"),
        ({"to": "9999-12-31"}, "to"),
        ({"from": "0001-01", "to": "0001-01"}, "from"),
        ({"from": "2100-01", "by": "day"}, "from"),
        ({"from": "0000-01"}, "from"),
        ({"from": "２０２６-03"}, "query.from"),
        ({"to": "2026-03\x00"}, "query.to"),
        ({"division": "３７０８１２"}, "query.division"),
        ({"division": "370812\n"}, "query.division"),
        ({"indicator": "\x00"}, "indicator"),
        ({"by": "\x00"}, "query.by"),
    ],
)
async def test_what_no_calendar_or_code_has_is_refused_with_its_field(
    http: httpx.AsyncClient, database: Database, token: Tokens, params: dict[str, str], field: str
) -> None:
    await list_divisions(database, now(), d370812="兖州区")
    answer = await http.get("/v1/statistics", params={"division": COUNTY, **params}, headers=token(COUNTY))
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["field"] == field


async def test_the_last_month_that_can_be_told_is_told(
    http: httpx.AsyncClient, database: Database, token: Tokens
) -> None:
    await list_divisions(database, now(), d370812="兖州区")
    for caller in (COUNTY, "3708"):
        answer = await ask(http, token(caller), division=COUNTY, **{"from": "2099-12", "to": "2099-12"})
        assert [(row["division"], row["period"]) for row in answer["rows"]] == [(COUNTY, "2099-12")]


@pytest.mark.parametrize("level", ["own", "children"])
@pytest.mark.parametrize(("division", "caller"), [("370812999", COUNTY), ("370899", "3708"), ("99", "")])
async def test_a_division_that_nobody_listed_and_nothing_counts_in_does_not_exist(
    http: httpx.AsyncClient, database: Database, token: Tokens, division: str, caller: str, level: str
) -> None:
    if (len(division), level, len(caller)) == (6, "children", 4):
        caller = division  # outside the county nobody asks for its towns
    await list_divisions(database, now(), d37="山东省", d3708="济宁市", d370812="兖州区", d370812001="鼓楼街道")
    asked = {"division": division, "level": level}
    answer = await http.get("/v1/statistics", params=asked, headers=token(caller))
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_what_is_listed_or_counted_exists_in_a_month_without_counts_and_so_does_the_country(
    http: httpx.AsyncClient, database: Database, token: Tokens
) -> None:
    month, before = last_month(), "2024-01"
    await list_divisions(database, now(), d370812001="鼓楼街道")
    await open_cases(database, OTHER, 30, month)
    empty = {"from": before, "to": before}
    for caller, division in ((COUNTY, f"{COUNTY}001"), (COUNTY, COUNTY), (OTHER, OTHER), ("", "0")):
        answer = await ask(http, token(caller), division=division, **empty)
        assert list(values(answer, "cases.total").values()) == [0]
    await ask(http, token("3708"), division="3708", **{"from": f"{month:%Y-%m}", "to": f"{month:%Y-%m}"})
    told = await ask(http, token("3708"), division=OTHER, **empty)
    assert list(values(told, "cases.total").values()) == [0]


async def test_a_division_that_nobody_listed_is_not_told_of_outside_before_its_month_is(
    http: httpx.AsyncClient, database: Database, token: Tokens
) -> None:
    """Or whether it exists would tell whether anything was counted."""
    await open_cases(database, COUNTY, 1, local_day(now()))
    answer = await http.get("/v1/statistics", params={"division": COUNTY}, headers=token("3708"))
    assert answer.status_code == 404


async def test_counts_are_for_statisticians_and_supervisors(
    http: httpx.AsyncClient, database: Database, token: Tokens
) -> None:
    await list_divisions(database, now(), d370812="兖州区")
    asked = {"division": COUNTY}
    assert (await http.get("/v1/statistics", params=asked)).status_code == 401
    assert (await http.get("/v1/statistics", params=asked, headers=token(COUNTY, "hotline"))).status_code == 403
    assert (await http.get("/v1/statistics", params=asked, headers=token(COUNTY, "supervisor"))).status_code == 200
    assert (await http.get("/v1/indicators", headers=token(COUNTY, "volunteer"))).status_code == 403


async def test_indicators_are_listed_with_their_names_and_definitions(http: httpx.AsyncClient, token: Tokens) -> None:
    answer = (await http.get("/v1/indicators", headers=token(COUNTY))).json()
    listed = {row["id"]: row for row in answer["indicators"]}
    assert listed["cases.total"]["name"] == "新建个案"
    assert listed["cases.total"]["name_en"] == "cases opened"
    assert listed["cases.total"]["definition"]
    assert answer["policy"] == {"version": "small-counts-1", "threshold": 10}


async def test_the_csv_opens_in_a_spreadsheet_and_runs_no_formula(
    http: httpx.AsyncClient, database: Database, token: Tokens
) -> None:
    await list_divisions(database, now(), d370812001="=HYPERLINK(1)", d370812002="示例，街道\n二")
    await open_cases(database, f"{COUNTY}001", 2, date(2026, 3, 2))
    asked = {"division": COUNTY, "level": "children", "from": "2026-03", "to": "2026-03", "indicator": "cases.total"}
    answer = await http.get("/v1/statistics", params=asked, headers=token(COUNTY) | {"accept": "text/csv"})
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"), newline="")))
    assert rows == [
        ["区划代码", "区划名称", "时期", "新建个案"],
        ["370812001", "'=HYPERLINK(1)", "2026-03", "2"],
        ["370812002", "示例，街道\n二", "2026-03", "0"],
    ]


async def test_what_is_withheld_is_a_star_in_the_csv(
    http: httpx.AsyncClient, database: Database, token: Tokens
) -> None:
    month = last_month()
    for county, number in ((COUNTY, 4), (OTHER, 30), (THIRD, 80)):
        await open_cases(database, county, number, month)
    asked = {"division": "3708", "level": "children", "from": f"{month:%Y-%m}", "to": f"{month:%Y-%m}"}
    answer = await http.get(
        "/v1/statistics", params=asked | {"indicator": "cases.total", "format": "csv"}, headers=token("37")
    )
    assert [line.split(",")[-1] for line in answer.text.splitlines()[1:]] == ["*", "*", "80"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@a", "\t=1", " =1", "＝1", "\r=1"])
def test_text_that_a_spreadsheet_would_run_is_quoted(text: str) -> None:
    assert plain(text) == f"'{text}"
