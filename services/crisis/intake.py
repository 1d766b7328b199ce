"""How a risk comes in: what a hotline tells over HTTP, or a risk that the service raises itself. Both are put
on the hotlines' stream, so that every case begins with an event of the log, whatever way it came.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from chassis.auth import Caller
from chassis.bus import Bus, Refusal
from chassis.clock import now
from chassis.db import Database
from chassis.envelope import from_message, from_structured, to_headers
from chassis.errors import NotAllowed, Refused, Unavailable
from chassis.tx import Tx
from contracts.base import Channel
from contracts.hotline import CheckInMissed, PostPublished, RiskFlagged, Way
from services.crisis import store
from services.crisis.domain.policy import Policies

STREAM = "HOTLINE"


Told = RiskFlagged | CheckInMissed | PostPublished
"""What a hotline system may tell."""


async def accept_event(
    document: Any,
    kinds: tuple[type[Told], ...],
    traceparent: str | None,
    caller: Caller,
    bus: Bus,
    database: Database,
    policies: Policies,
) -> dict[str, Any]:
    """The stream's acknowledgement of an event of one of these kinds. Raises `Refused` with the field, `NotAllowed`, or
    `Unavailable`.
    """
    event = from_structured(document)
    if not isinstance(event, kinds):
        raise Refused("unknown_type", f"{event.TYPE} is not taken here", "type")
    if caller.hotline != event.hotline:
        raise NotAllowed("the token is not this hotline's", status=403)
    if not caller.sees(event.county):
        raise NotAllowed("the token is for another division", status=403)
    tolerance = timedelta(seconds=policies.at(now()).intake.future_tolerance_seconds)
    moments = {"time": event.occurred_at}
    if isinstance(event, RiskFlagged):
        moments = {"data.flagged_at": event.flagged_at, **moments}
    if isinstance(event, PostPublished):
        moments = {"data.posted_at": event.posted_at, **moments}
    for field, moment in moments.items():
        if moment > now() + tolerance:
            raise Refused("time_in_future", f"{field} lies in the future", field)
    if await database.get("divisions", event.place) is None:
        if not await store.has_divisions(database):
            raise Unavailable("the registry's divisions have not arrived yet")
        field = "data.division" if event.division else "data.county"
        raise Refused("unknown_division", f"there is no division {event.place}", field)
    body = event.body()
    try:
        published = await bus.publish(event.subject, body, to_headers(event, event.hotline, traceparent), STREAM)
    except Refusal as error:  # the stream is full: nothing is wrong with the flag, and it is not durable
        raise Unavailable(f"the stream refused: {error}") from error
    if published.duplicate:
        first = await bus.jetstream.get_msg(STREAM, published.sequence)
        if from_message(event.subject, first.headers, first.data or b"") != event:
            raise NotAllowed("this id was taken before with another body", reason="id_reused", field="id")
    return {"id": str(event.id), "status": "accepted", "sequence": published.sequence}


def raise_flag(
    tx: Tx,
    *,
    source: str,
    way: Way,
    channel: Channel,
    division: str,
    contact: UUID,
    ident: UUID | None = None,
    **said: Any,
) -> RiskFlagged:
    """A flag of the service's own making, for the hotlines' stream with this commit; from there it becomes a case.

    `source` is a technical name (a station, a school, `screening`), `contact` the id of what the flag is about (a
    screening, a post, a report), `ident` the flag's own id where the caller chose one: the same id is taken once.
    `said` are further fields of `RiskFlagged`. Raises `Refused` with the field that is wrong.
    """
    moment = said.pop("moment", tx.now)
    fields = {
        **tx.stamp(division),
        "hotline": source,
        "contact": str(contact),
        "channel": channel,
        "county": division[:6],
        "division": division if len(division) > 6 else None,
        "way": way,
        "contact_started_at": moment,
        "flagged_at": moment,
        **said,
    }
    if ident is not None:
        fields["id"] = ident
    try:
        flag = RiskFlagged.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        raise Refused("invalid", str(first["msg"]), ".".join(str(step) for step in first["loc"])) from error
    tx.emit(flag)
    return flag
