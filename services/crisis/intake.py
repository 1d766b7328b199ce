"""A hotline's flag over HTTP: checked, put on the hotline's stream, and acknowledged once it is durable there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from chassis.auth import Caller
from chassis.bus import Bus, Refusal
from chassis.clock import now
from chassis.db import Database
from chassis.envelope import from_message, from_structured, to_headers
from chassis.errors import NotAllowed, Refused, Unavailable
from contracts.hotline import RiskFlagged
from services.crisis import store
from services.crisis.domain.policy import Policies

STREAM = "HOTLINE"


async def accept_flag(
    document: Any, traceparent: str | None, caller: Caller, bus: Bus, database: Database, policies: Policies
) -> dict[str, Any]:
    """The stream's acknowledgement. Raises `Refused` with the field, `NotAllowed`, or `Unavailable`."""
    event = from_structured(document)
    if not isinstance(event, RiskFlagged):
        raise Refused("unknown_type", f"{event.TYPE} is not taken here", "type")
    if caller.hotline != event.hotline:
        raise NotAllowed("the token is not this hotline's", status=403)
    if not caller.sees(event.county):
        raise NotAllowed("the token is for another division", status=403)
    tolerance = timedelta(seconds=policies.at(now()).intake.future_tolerance_seconds)
    for field, moment in (("data.flagged_at", event.flagged_at), ("time", event.occurred_at)):
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
