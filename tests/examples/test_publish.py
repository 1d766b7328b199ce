"""Publishing as hotlines do, at a broker with users: kept, dropped, denied, and kept through a restart."""

from __future__ import annotations

import asyncio
import json
from collections import Counter

import httpx
import pytest
from nats.aio.msg import Msg

from chassis.clock import now
from chassis.dead import read_stream
from tests.examples.conftest import Broker
from xinqiao.simulate import Answer, Line, expected, generate, publish_day, read_day, replay, seal_to


async def test_the_day_is_kept_but_for_what_is_denied_and_what_the_broker_has_seen(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = list(replay(read_day(), now(), "run", seal_to(broker.secrets.sealing_public)))
    posted: list[dict[str, object]] = []

    def door(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/v1/flags"
        assert request.headers["authorization"].startswith("Bearer token of 123")
        try:
            posted.append(json.loads(request.content))
        except ValueError:
            return httpx.Response(422, json={"reason": "malformed_json"})
        return httpx.Response(202, json={"id": posted[-1]["id"], "status": "accepted"})

    client = httpx.AsyncClient
    monkeypatch.setattr(httpx, "AsyncClient", lambda **options: client(transport=httpx.MockTransport(door), **options))
    answers: list[tuple[Line, Answer]] = []
    doors = broker.doors("http://door", {name: f"token of {name}" for name in broker.doors().nkeys})
    summary = await publish_day(day, doors, on_published=lambda line, answer: answers.append((line, answer)))

    assert summary.lines == len(day) == len(answers)
    assert summary.denied == expected(day)["denied"] > 0
    assert summary.silent == []
    assert summary.http == Counter({202: len(posted), 422: 1})
    assert summary.refused == Counter({"malformed_json": 1})
    seen = [line for line in day if line.via == "nats" and line.expect == "duplicate" and "Nats-Msg-Id" in line.headers]
    assert summary.duplicates == len(seen) > 0
    for line, answer in answers:
        assert answer.answered_at >= answer.sent_at
        if line.expect == "denied":
            assert answer.outcome == "denied"
    bus = await broker.connect("operator")
    kept = [message async for message in read_stream(bus, "HOTLINE", ["xinqiao.hotline.>"])]
    await bus.close()
    assert len(kept) == summary.kept
    assert _idents(kept) <= summary.sent_at.keys()


async def test_every_flag_is_kept_once_while_the_broker_is_killed(broker: Broker) -> None:
    day = list(replay(list(generate(300, 7, mishaps=False)), now(), "run"))
    lines = [line for line in day if line.via == "nats"]
    task = asyncio.create_task(publish_day(lines, broker.doors(), rate=150, in_flight=8))
    for _ in range(2):
        await asyncio.sleep(0.5)
        await asyncio.to_thread(broker.restart)
    summary = await asyncio.wait_for(task, 60)
    assert summary.silent == []
    assert summary.kept + summary.duplicates == len(lines)
    flags = await broker.flags()
    assert Counter(str(flag.id) for flag in flags) == Counter(line.ident for line in lines)


async def test_a_line_that_nobody_answers_is_named(started: Broker) -> None:
    """No stream is there to keep it."""
    line = next(line for line in generate(20, 1, mishaps=False) if line.via == "nats")
    summary = await publish_day([line], started.doors(), deadline=1.0)
    assert summary.silent == [line.ident]
    assert summary.kept == 0


def _idents(messages: list[Msg]) -> set[str]:
    return {headers["ce-id"] for headers in (message.headers or {} for message in messages) if "ce-id" in headers}
