"""A hotline's day: made, kept as a file, replayed, and published as a hotline outside would."""

from xinqiao.simulate.day import (
    DAY_FILE,
    HOTLINES,
    KEPT_FLAGS,
    KEPT_SEED,
    Line,
    expected,
    read_day,
    replay,
    seal_to,
    write_day,
)
from xinqiao.simulate.make import divisions, generate
from xinqiao.simulate.publish import Answer, Doors, Summary, publish_day

__all__ = [
    "DAY_FILE",
    "HOTLINES",
    "KEPT_FLAGS",
    "KEPT_SEED",
    "Answer",
    "Doors",
    "Line",
    "Summary",
    "divisions",
    "expected",
    "generate",
    "publish_day",
    "read_day",
    "replay",
    "seal_to",
    "write_day",
]
