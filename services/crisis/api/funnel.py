"""Counts for the office: the four activities, the share of students who were helped, and the three stages."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from chassis.auth import Caller, caller_with
from chassis.clock import now
from chassis.errors import NotFound, Refused
from contracts.base import DivisionCode
from services.crisis.api.desk import Desk, Limit
from services.crisis.commands.ledger import STAFF
from services.crisis.commands.rights import WATCHERS
from services.crisis.domain.funnel import ACTIVITIES, FUNNEL, INDICATOR, CountedSetting, bounds, share
from services.crisis.store.funnel import Span, activities_of, funnel_of, students_helped, students_left

Counter = Annotated[Caller, Depends(caller_with(*STAFF))]
EARLIEST, LATEST = date(2000, 1, 1), date(2999, 12, 31)
"""A day outside is a slip of the pen."""
First = Annotated[date, Query(alias="from", ge=EARLIEST, le=LATEST, description="The first day, Asia/Shanghai.")]
Last = Annotated[date, Query(alias="to", ge=EARLIEST, le=LATEST, description="The last day, which is counted too.")]


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""

    @router.get("/activities", tags=["counts"])
    async def count_activities(
        caller: Counter,
        division: DivisionCode,
        first: First,
        last: Last,
        setting: CountedSetting = CountedSetting.all,
    ) -> dict[str, Any]:
        """The four activities of a division and period: assessment, intervention, referral, home and school."""
        span = _span(caller, division, first, last)
        school = setting is CountedSetting.school
        counted = await activities_of(desk.database, division, span, school)
        return {
            **_about(division, first, last),
            "setting": setting,
            "activities": counted,
            "definitions": {name: text for name, text in ACTIVITIES.items() if school or name != "school"},
        }

    @router.get("/indicators/students-helped", tags=["counts"])
    async def share_of_students_helped(
        caller: Counter, division: DivisionCode, first: First, last: Last, limit: Limit = 50
    ) -> dict[str, Any]:
        """The share of flagged students with an intervention, and who is left; the cases are for officers alone.

        `share` is null where no student was flagged.
        """
        span = _span(caller, division, first, last)
        helped, flagged = await students_helped(desk.database, division, span)
        left: dict[str, Any] = {"students": flagged - helped}
        if caller.roles & WATCHERS:
            left["cases"] = await students_left(desk.database, division, span, limit)
        return {
            **_about(division, first, last),
            "numerator": helped,
            "denominator": flagged,
            "share": share(helped, flagged),
            "left": left,
            "definitions": INDICATOR,
        }

    @router.get("/funnel", tags=["counts"])
    async def count_stages(caller: Counter, division: DivisionCode, first: First, last: Last) -> dict[str, Any]:
        """The three stages of a division and period, from publicity to warning to intervention."""
        span = _span(caller, division, first, last)
        counted = await funnel_of(desk.database, division, span, (first, last))
        return {**_about(division, first, last), **counted, "definitions": FUNNEL}

    def _span(caller: Caller, division: str, first: date, last: date) -> Span:
        if not caller.sees(division):
            raise NotFound("there is no such division within yours")
        if last < first:
            raise Refused("period", "the last day comes after the first", "query.to")
        longest = desk.office.ledger.at(now()).counts.longest_days
        if (last - first).days >= longest:
            raise Refused("period", f"at most {longest} days", "query.to")
        return bounds(first, last)

    def _about(division: str, first: date, last: date) -> dict[str, Any]:
        return {"division": division, "from": first, "to": last}
