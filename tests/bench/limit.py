"""Contestant (b), the limit: batches and nothing else.

What is fetched together is one transaction; then the acknowledgements and the one atomic batch of its events go out
together, and the outbox rows are removed. Nothing is checked, nothing that fails is looked after.
"""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from typing import Any

import nats.errors
import uvloop

from tests.bench.decide import World, world

FETCH_SECONDS = 5.0
BATCH_FROM = 32
"""An atomic batch costs the server some ten milliseconds whatever its size, a single message half of one."""


async def main(batch: int) -> None:
    here = world()
    await here.open()
    subscription = await here.subscribe()
    print("ready", flush=True)
    while True:
        try:
            messages = await subscription.fetch(batch, timeout=FETCH_SECONDS)
        except (TimeoutError, nats.errors.TimeoutError):
            continue
        snapshot, durable, primary = here.session_options()
        async with await here.mongo.start_session() as session:
            session.start_transaction(snapshot, durable, primary)
            writes, tx = await here.decide(messages, session)
            for collection, operations in writes.items():
                await here.database[collection].bulk_write(operations, session=session)
            await session.commit_transaction()
        rows = [(row["subject"], row["headers"], row["body"]) for row in tx.outbox]
        await asyncio.gather(
            *(message.ack_sync(timeout=5) for message in messages),
            publish(here, rows),
            publish(here, here.wake_ups(tx.wakes)),
        )
        await here.database["outbox"].delete_many({"_id": {"$in": [row["_id"] for row in tx.outbox]}})


async def publish(here: World, rows: list[tuple[str, dict[str, str], bytes]]) -> None:
    """One atomic batch, several where there are more than a thousand; a few go faster by themselves."""
    if len(rows) < BATCH_FROM:
        jetstream = here.nats.jetstream()
        await asyncio.gather(*(jetstream.publish(subject, body, headers=dict(h)) for subject, h, body in rows))
        return
    for start in range(0, len(rows), 1000):
        chunk = rows[start : start + 1000]
        ident = uuid.uuid4().hex
        for number, (subject, headers, body) in enumerate(chunk, 1):
            marked: dict[str, Any] = {**headers, "Nats-Batch-Id": ident, "Nats-Batch-Sequence": str(number)}
            if number < len(chunk):
                await here.nats.publish(subject, body, headers=marked)
                continue
            ending = {**marked, "Nats-Batch-Commit": "1"} if len(chunk) > 1 else headers
            answer = await here.nats.request(subject, body, timeout=5, headers=ending)
            assert "error" not in json.loads(answer.data), answer.data


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
