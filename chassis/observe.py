"""Metrics, and logs as JSON lines with the trace id. No label and no line holds a personal datum."""

from __future__ import annotations

import contextvars
import json
import logging
import sys
from datetime import UTC, datetime

from prometheus_client import Counter, Gauge, Histogram

trace: contextvars.ContextVar[str | None] = contextvars.ContextVar("trace", default=None)
"""The traceparent of what is being handled."""

DELIVERIES = Counter("xinqiao_deliveries_total", "Messages settled", ["consumer", "event", "outcome"])
REDELIVERIES = Counter("xinqiao_redeliveries_total", "Messages that came again", ["consumer"])
DEAD = Counter("xinqiao_dead_letters_total", "Dead letters written", ["consumer", "reason"])
GROUP_SECONDS = Histogram(
    "xinqiao_group_seconds",
    "Time from fetch to commit of a group",
    ["consumer"],
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30),
)
GROUP_SIZE = Histogram(
    "xinqiao_group_size", "Messages in a group", ["consumer"], buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
)
GROUP_RETRIES = Counter("xinqiao_group_retries_total", "Groups tried again or taken apart", ["consumer", "why"])
HANDLER_SECONDS = Histogram(
    "xinqiao_handler_seconds",
    "Time of one handler, without the commit",
    ["event"],
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 15, 45),
)
LAG = Gauge("xinqiao_consumer_lag", "Messages that wait, and that are out unacknowledged", ["consumer"])
OUTBOX_AGE = Gauge("xinqiao_outbox_age_seconds", "Age of the oldest event not yet published")
OUTBOX_SIZE = Gauge("xinqiao_outbox_size", "Events not yet published")
PUBLISHED = Counter("xinqiao_published_total", "Events the broker acknowledged", ["event"])
RELAY_FALLBACKS = Counter("xinqiao_relay_fallbacks_total", "Batches published one by one", ["why"])
TIMERS_OVERDUE = Gauge("xinqiao_timers_overdue", "Timers whose moment passed more than a minute ago")
TIMERS_FIRED = Counter("xinqiao_timers_fired_total", "Timers that took effect", ["kind"])
BUS_DENIED = Counter("xinqiao_bus_denied_total", "Permission violations that the broker reported to this service")
BUS_CONNECTED = Gauge("xinqiao_bus_connected", "1 while the broker is connected")
HTTP = Counter("xinqiao_http_requests_total", "HTTP answers", ["method", "route", "status"])
PERSONAL_READS = Counter("xinqiao_personal_reads_total", "Reads of personal fields", ["what"])


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        parts = (trace.get() or "").split("-")
        if len(parts) == 4:
            line["trace_id"] = parts[1]
        if record.exc_info and record.exc_info[1] is not None:
            # The traceback's lines, never its values: an exception's text may quote what a person wrote.
            line["error"] = type(record.exc_info[1]).__name__
            line["where"] = _where(record)
        return json.dumps(line, ensure_ascii=False)


def _where(record: logging.LogRecord) -> str:
    step = record.exc_info[2] if record.exc_info else None
    places = []
    while step is not None:
        places.append(f"{step.tb_frame.f_globals.get('__name__')}:{step.tb_lineno}")
        step = step.tb_next
    return " > ".join(places[-6:])


def configure_logging(level: str) -> None:
    """JSON lines on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("uvicorn.access", "faststream", "httpx", "pymongo"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
