"""Whether who is with children has a record of certain offences: what was asked, of whom, and the answer as a code.

未成年人保护法第六十二条: a query for 性侵害、虐待、拐卖、暴力伤害等违法犯罪记录 before work begins, and every year.
What a record says is never kept, nor for which offence there is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from services.registry.domain.versions import PolicyPart, Source


class Result(StrEnum):
    """`unknown` is an answer that says neither: it clears nobody."""

    clear = "clear"
    not_clear = "not_clear"
    unknown = "unknown"


ASKED = {"police": "公安机关", "procuratorate": "人民检察院"}
"""Of whom it is asked."""
WITHDRAWN = {"entered_by_mistake": "误登记", "answer_corrected": "查询机关更正了结果"}
"""Why a query does not count any more."""


class RecordCheck(PolicyPart):
    """For how many days an answer counts, its own day included."""

    valid_days: Annotated[int, Field(ge=1, le=366)]
    source: Source


def cleared(checks: Iterable[Mapping[str, Any]], valid_days: int) -> tuple[tuple[str, str], ...]:
    """The ISO days, first and last, for which a person is cleared: none, or those after the latest query.

    One answer that is not clear outweighs all others, before and after it, until it is withdrawn; of the latest day
    all have to be clear.
    """
    counted = [one for one in checks if one["withdrawn"] is None]
    if not counted or any(one["result"] == Result.not_clear for one in counted):
        return ()
    day = max(one["on"] for one in counted)
    if any(one["result"] != Result.clear for one in counted if one["on"] == day):
        return ()
    return ((day, (date.fromisoformat(day) + timedelta(days=valid_days - 1)).isoformat()),)
