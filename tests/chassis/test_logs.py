"""Logs are JSON lines with the trace, and never quote what a person wrote."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis import observe
from chassis.observe import JsonLines
from chassis.service import _log_without_values

SECRET = "张示例 000-0000-0001"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    output = io.StringIO()
    handler = logging.StreamHandler(output)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.addHandler(handler)
    yield output
    root.removeHandler(handler)


def _lines(output: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.getvalue().splitlines()]


def test_an_error_shows_its_type_and_place_and_not_its_text(lines: io.StringIO) -> None:
    try:
        try:
            raise KeyError(SECRET)
        except KeyError as error:
            raise ValueError(SECRET) from error
    except ValueError as error:
        logging.getLogger("xinqiao").error("a handler failed", exc_info=error)
    (line,) = _lines(lines)
    assert line["error"] == "ValueError"
    assert line["where"].startswith("tests.chassis.test_logs:")
    assert (line["level"], line["logger"], line["message"]) == ("error", "xinqiao", "a handler failed")
    assert SECRET not in lines.getvalue()


async def test_a_task_that_nobody_waits_for_does_not_quote_its_error(lines: io.StringIO) -> None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_log_without_values)

    async def fail() -> None:
        raise ValueError(SECRET)

    task = asyncio.create_task(fail())
    await asyncio.wait({task})
    del task  # asyncio reports it now
    (line,) = _lines(lines)
    assert line["error"] == "ValueError"
    assert SECRET not in lines.getvalue()


def test_a_line_carries_the_trace_it_belongs_to(lines: io.StringIO) -> None:
    token = observe.trace.set(f"00-{'a' * 32}-{'b' * 16}-01")
    logging.getLogger("xinqiao").warning("inside")
    observe.trace.reset(token)
    logging.getLogger("xinqiao").warning("outside")
    inside, outside = _lines(lines)
    assert inside["trace_id"] == "a" * 32
    assert "trace_id" not in outside


@given(st.text())
def test_a_record_is_one_line_whatever_its_text(text: str) -> None:
    record = logging.LogRecord("x", logging.INFO, __file__, 1, "%s", (text,), None)
    line = JsonLines().format(record)
    assert "\n" not in line
    assert json.loads(line)["message"] == text
