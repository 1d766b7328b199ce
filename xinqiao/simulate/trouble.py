"""What real life brings: each function makes one thing that goes wrong, after a good flag has gone out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

from contracts.hotline import RiskFlagged
from xinqiao.simulate.day import HOTLINES, PAD, Line


class Day(Protocol):
    """What a mishap needs of the day that is made."""

    def flag(self, at: float, level: str) -> Line: ...
    def line(self, at: float, hotline: str, body: dict[str, Any], expect: str, *, via: str = "nats") -> Line: ...
    def time(self, at: float) -> str: ...
    def new_id(self, at: float) -> str: ...
    def between(self, low: int, high: int) -> int: ...


def duplicate_seen_by_the_broker(day: Day, good: Line) -> Line:
    """The acknowledgement got lost, so the same bytes come again under the same `Nats-Msg-Id`."""
    return replace(good, at=round(good.at + day.between(2, 300), 3), expect="duplicate")


def unknown_version(day: Day, good: Line) -> Line:
    """A hotline that is ahead of us."""
    wrong = _fresh(day, good, "dead:unknown_version")
    subject = wrong.subject.replace(".v1.", ".v9.")
    return replace(wrong, subject=subject, headers={**wrong.headers, "ce-dataschema": _schema("v9")})


def malformed_json(day: Day, good: Line) -> Line:
    """Cut off in the middle."""
    wrong = _fresh(day, good, "dead:malformed_json")
    return replace(wrong, body=wrong.body[: len(wrong.body) // 2])


def another_county(day: Day, good: Line) -> Line:
    """A hotline of 海州区 publishes for 兖州区; the broker denies it."""
    body = {**_body(day, good), "hotline": "12355-haizhou", "county": HOTLINES["12356-yanzhou"]}
    wrong = day.line(_later(day, good), "12355-haizhou", body, "denied")
    return replace(wrong, subject=RiskFlagged.subject_for(HOTLINES["12356-yanzhou"]))


def unknown_channel(day: Day, good: Line) -> Line:
    return _fresh(day, good, "dead:invalid", channel="fax")


def division_that_does_not_exist(day: Day, good: Line) -> Line:
    """Well formed and in the county, and no such town."""
    body = _body(day, good)
    return _fresh(day, good, "dead:unknown_division", division=f"{body['county']}999")


def time_in_the_future(day: Day, good: Line) -> Line:
    """A clock that is three days ahead."""
    ahead = _later(day, good) + 3 * 86_400
    return _fresh(
        day, good, "dead:time_in_future", contact_started_at=day.time(ahead - 600), flagged_at=day.time(ahead)
    )


def id_with_another_body(day: Day, good: Line) -> Line:
    """An id that was given twice; the broker cannot see it, for its `Nats-Msg-Id` is another."""
    wrong = _fresh(day, good, "dead:id_reused")
    return replace(wrong, headers={**wrong.headers, "ce-id": _ident(good)})


def duplicate_that_the_broker_cannot_see(day: Day, good: Line) -> Line:
    """The same bytes without `Nats-Msg-Id`; the consumer's claim drops them."""
    if good.via == "http":
        return duplicate_seen_by_the_broker(day, good)
    headers = {name: value for name, value in good.headers.items() if name != "Nats-Msg-Id"}
    return replace(good, at=round(good.at + day.between(900, 3_000), 3), headers=headers, expect="duplicate")


def rating_out_of_range(day: Day, good: Line) -> Line:
    return _fresh(day, good, "dead:invalid", suicidal_intensity=250)


def no_id(day: Day, good: Line) -> Line:
    wrong = _fresh(day, good, "dead:bad_envelope")
    return replace(wrong, headers={name: value for name, value in wrong.headers.items() if name != "ce-id"})


def too_large(day: Day, good: Line) -> Line:
    """Over 64 KiB, under what the broker itself refuses."""
    return replace(_fresh(day, good, "dead:too_large", transcript=PAD), pad=70_000)


def type_that_does_not_fit(day: Day, good: Line) -> Line:
    wrong = _fresh(day, good, "dead:type_mismatch")
    return replace(wrong, headers={**wrong.headers, "ce-type": "hotline.call_ended"})


def time_without_offset(day: Day, good: Line) -> Line:
    return _fresh(day, good, "dead:invalid", flagged_at="2026-03-02T08:30:00")


def not_an_object(day: Day, good: Line) -> Line:
    wrong = _fresh(day, good, "dead:not_an_object")
    return replace(wrong, body=f"[{wrong.body}]")


def county_that_does_not_fit(day: Day, good: Line) -> Line:
    """The subject says one county, the body another."""
    return _fresh(day, good, "dead:invalid", county="110101", division=None)


def posted_malformed_json(day: Day, good: Line) -> Line:
    wrong = _fresh(day, good, "refused:malformed_json", via="http")
    return replace(wrong, body=wrong.body[:-25])


def posted_missing_field(day: Day, good: Line) -> Line:
    return _fresh(day, good, "refused:invalid", via="http", contact=None)


def posted_unknown_version(day: Day, good: Line) -> Line:
    wrong = _fresh(day, good, "refused:unknown_version", via="http")
    return replace(wrong, body=wrong.body.replace(_schema("v1"), _schema("v9")))


KINDS: tuple[Callable[[Day, Line], Line], ...] = (
    duplicate_seen_by_the_broker,
    unknown_version,
    malformed_json,
    another_county,
    unknown_channel,
    division_that_does_not_exist,
    time_in_the_future,
    id_with_another_body,
    duplicate_that_the_broker_cannot_see,
    rating_out_of_range,
    no_id,
    too_large,
    type_that_does_not_fit,
    time_without_offset,
    not_an_object,
    county_that_does_not_fit,
    posted_malformed_json,
    posted_missing_field,
    posted_unknown_version,
)


def _fresh(day: Day, good: Line, expect: str, *, via: str = "nats", **changes: Any) -> Line:
    """A flag of its own like the good one, with something else in some fields; None takes a field out."""
    body = {name: value for name, value in (_body(day, good) | changes).items() if value is not None}
    return day.line(_later(day, good), good.hotline, body, expect, via=via)


def _body(day: Day, good: Line) -> dict[str, Any]:
    """The good flag's body about a contact of its own: nothing that ties it to the person or to the seal."""
    document: dict[str, Any] = json.loads(good.body)
    body: dict[str, Any] = document["data"] if good.via == "http" else document
    kept = {name: value for name, value in body.items() if name not in ("caller", "sealed_contact")}
    return {**kept, "contact": f"x-{day.between(10_000, 99_999)}"}


def _later(day: Day, good: Line) -> float:
    return good.at + day.between(1, 240)


def _ident(good: Line) -> str:
    ident = good.ident
    assert ident is not None, "a good flag has an id"
    return ident


def _schema(version: str) -> str:
    return f"urn:xinqiao:schema:{RiskFlagged.TYPE}:{version}"
