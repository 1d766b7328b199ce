"""Reading statistics over HTTP: as JSON, and as CSV for spreadsheets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import date, timedelta
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Query, Request, Response

from chassis.auth import Caller, caller_with
from chassis.clock import local_day, now
from chassis.db import Database
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.service import Service
from services.reporting import store
from services.reporting.domain import BY_ID, COUNTRY, INDICATORS, figures
from services.reporting.domain.counting import months_between
from services.reporting.domain.indicators import Value
from services.reporting.domain.policy import SmallCounts
from services.reporting.tables import Row, Statistics, to_csv, to_json

MAX_PERIODS = 400
MAX_ROWS = 3000
EARLIEST, LATEST = date(2000, 1, 1), date(2099, 12, 31)

Reading = Callable[[Database, str, Sequence[str], str], Awaitable[store.Figures]]
Reader = Annotated[Caller, Depends(caller_with("statistician", "supervisor"))]
Moment = Annotated[
    str | None,
    Query(pattern=r"^[0-9]{4}-[0-9]{2}(-[0-9]{2})?$", description="A day, or a month as 2026-11; from 2000 to 2099."),
]
DivisionOrCountry = Annotated[
    str, Query(pattern=r"^(0|[0-9]{2}|[0-9]{4}|[0-9]{6}|[0-9]{9}|[0-9]{12})$", description="`0` is the whole country.")
]


def routes(app: FastAPI, service: Service, policy: SmallCounts) -> None:
    """The routes of reporting."""

    @app.get("/v1/indicators")
    async def list_indicators(caller: Reader) -> dict[str, Any]:
        """What is counted, in the order of the tables."""
        return {
            "policy": {"version": policy.version, "threshold": policy.threshold},
            "indicators": [
                {
                    "id": indicator.id,
                    "name": indicator.chinese,
                    "name_en": indicator.english,
                    "definition": indicator.definition,
                    "definition_en": indicator.definition_en,
                    "unit": indicator.unit,
                    "sum_of": list(indicator.sum_of),
                    "told_outside_the_county": indicator.outside,
                }
                for indicator in INDICATORS
            ],
        }

    @app.get("/v1/statistics", response_model=None)
    async def read_statistics(
        request: Request,
        caller: Reader,
        division: DivisionOrCountry,
        first: Annotated[Moment, Query(alias="from")] = None,
        last: Annotated[Moment, Query(alias="to")] = None,
        by: Literal["day", "month"] = "month",
        level: Literal["own", "children"] = "own",
        indicator: Annotated[list[str], Query()] = [],  # noqa: B006  # FastAPI copies it
        format: Literal["json", "csv"] | None = None,
    ) -> Response | dict[str, Any]:
        """Counts of a division, or of those right below it, by day or month. `0` is the whole country."""
        within = "" if division == COUNTRY else division
        if not caller.sees(within):
            raise NotFound(f"there is no division {division}")
        if level == "children" and not store.child_digits(division):
            raise Refused("no_children", "a village has no divisions below it", "level")
        wanted = _indicators(indicator)
        days = _span(first, last)
        periods = _periods(*days, by)
        if len(caller.division) >= 6:
            rows, view = await _inside(service, division, periods, level), "inside"
        else:
            _outside_may(division, by, level)
            rows, view = await _outside(service, policy, division, periods, level), "outside"
        statistics = Statistics(division, by, level, *days, view, policy.version, policy.threshold, wanted, rows)
        if format == "csv" or (format is None and "text/csv" in request.headers.get("accept", "")):
            name = f"statistics-{division}-{days[0]}-{days[1]}.csv"
            headers = {"content-disposition": f'attachment; filename="{name}"', "vary": "accept"}
            return Response(to_csv(statistics), media_type="text/csv; charset=utf-8", headers=headers)
        return to_json(statistics)


def _indicators(names: Sequence[str]) -> list[str]:
    for name in names:
        if name not in BY_ID:
            raise Refused("unknown_indicator", "/v1/indicators lists the indicators there are", "indicator")
    return list(dict.fromkeys(names)) or list(BY_ID)


def _span(first: str | None, last: str | None) -> tuple[date, date]:
    """The days from the first to the last; the current month, or the month of the first, where nothing is said."""
    start = _first_day(first, "from") if first else local_day(now()).replace(day=1)
    end = _last_day(last) if last else _end_of_month(start)
    if end < start:
        raise Refused("wrong_order", "to is earlier than from", "to")
    return start, end


def _first_day(text: str, field: str) -> date:
    try:
        day = date.fromisoformat(text if len(text) == 10 else f"{text}-01")
    except ValueError as error:
        raise Refused("no_such_day", f"there is no day {text}", field) from error
    if not EARLIEST <= day <= LATEST:
        raise Refused("out_of_range", f"days are told from {EARLIEST} to {LATEST}", field)
    return day


def _last_day(text: str) -> date:
    day = _first_day(text, "to")
    return day if len(text) == 10 else _end_of_month(day)


def _end_of_month(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def _periods(first: date, last: date, by: str) -> list[str]:
    if by == "month":
        if first.day != 1:
            raise Refused("not_a_whole_month", "months are told whole: from must be the first day of one", "from")
        if last != _end_of_month(last):
            raise Refused("not_a_whole_month", "months are told whole: to must be the last day of one", "to")
        count = (last.year - first.year) * 12 + last.month - first.month + 1
    else:
        count = (last - first).days + 1
    if count > MAX_PERIODS:
        raise Refused("too_long", f"at most {MAX_PERIODS} days or months are told at once", "from")
    if by == "month":
        return list(months_between(first, last))
    return [(first + timedelta(days=offset)).isoformat() for offset in range(count)]


def _outside_may(division: str, by: str, level: str) -> None:
    if len(division) > 6 or (level == "children" and len(division) == 6):
        raise NotAllowed("outside the county nothing finer than the county is told", status=403)
    if by == "day":
        raise Refused("days_not_told", "outside the county months are told, not days; ask with by=month", "by")


async def _inside(service: Service, division: str, periods: Sequence[str], level: str) -> list[Row]:
    names, found = await _found(service.database, store.counted, division, periods, level)
    nothing = figures({})
    return [
        Row(place, name, period, found.get((place, period), nothing))
        for place, name in names.items()
        for period in periods
    ]


async def _outside(
    service: Service, policy: SmallCounts, division: str, months: Sequence[str], level: str
) -> list[Row]:
    database, today = service.database, local_day(now())
    for month in months:
        if today > _end_of_month(_first_day(month, "from")) + timedelta(days=policy.settle_days):
            await store.release(database, policy, month)
    settled = await store.release_heads(database, months)
    names, found = await _found(database, store.released, division, months, level)
    return [
        Row(place, name, month, _told(found.get((place, month)), month in settled))
        for place, name in names.items()
        for month in months
    ]


async def _found(
    database: Database, read: Reading, division: str, periods: Sequence[str], level: str
) -> tuple[dict[str, str], store.Figures]:
    """The names of the divisions to tell of by code, in their order, and the figures there are.

    Raises `NotFound` for a division that was never listed and has no figures of any month.
    """
    found = await read(database, division, periods, level)
    known = division == COUNTRY or bool(found) or await store.is_listed(database, division)
    if not known and not await read(database, division, list(months_between(EARLIEST, local_day(now()))), "own"):
        raise NotFound(f"there is no division {division}")
    places = [division]
    if level == "children":
        places = sorted(await store.listed_children(database, division) | {place for place, _ in found})
    _bounded(places, periods)
    names = await store.names_of(database, places)
    return {place: names.get(place, place) for place in places}, found


def _told(released: dict[str, Value] | None, settled: bool) -> dict[str, Value] | None:
    """What the release holds; zeros for a division without counts, and nothing before the month is settled."""
    if not settled:
        return None
    if released is None:
        return {name: value for name, value in figures({}).items() if BY_ID[name].outside}
    return released


def _bounded(places: Sequence[str], periods: Sequence[str]) -> None:
    if len(places) * len(periods) > MAX_ROWS:
        raise Refused("too_many_rows", f"at most {MAX_ROWS} rows are told at once; ask for fewer periods", "from")
