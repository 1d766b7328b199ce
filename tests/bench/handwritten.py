"""Contestant (a): what a competent programmer writes by hand with nats-py and motor.

A message is a transaction; it is acknowledged, then its events are published one after the other, each acknowledged,
and then removed from the outbox. Several messages are handled at once.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import nats.errors
import uvloop
from nats.aio.msg import Msg

from tests.bench.decide import World, world

FETCH_SECONDS = 5.0


async def main(concurrency: int) -> None:
    here = world()
    await here.open()
    await publish_left_over(here)
    subscription = await here.subscribe()
    queue: asyncio.Queue[Msg] = asyncio.Queue(concurrency)
    workers = [asyncio.create_task(work(here, queue)) for _ in range(concurrency)]
    print("ready", flush=True)
    while not any(worker.done() for worker in workers):
        try:
            messages = await subscription.fetch(concurrency, timeout=FETCH_SECONDS)
        except (TimeoutError, nats.errors.TimeoutError):
            continue
        for message in messages:
            await queue.put(message)
    await asyncio.gather(*workers)


async def work(here: World, queue: asyncio.Queue[Msg]) -> None:
    while True:
        await handle(here, await queue.get())


async def handle(here: World, message: Msg) -> None:
    """One message: one transaction, one acknowledgement, and its events one by one."""

    async def write(session: Any) -> Any:
        writes, tx = await here.decide([message], session)
        for collection, operations in writes.items():
            await here.database[collection].bulk_write(operations, session=session)
        return tx

    snapshot, durable, primary = here.session_options()
    async with await here.mongo.start_session() as session:
        tx = await session.with_transaction(
            write, read_concern=snapshot, write_concern=durable, read_preference=primary
        )
    await message.ack_sync(timeout=5)
    await publish(here, tx.outbox)
    for subject, headers, body in here.wake_ups(tx.wakes):
        await here.nats.jetstream().publish(subject, body, headers=headers)


async def publish(here: World, rows: list[dict[str, Any]]) -> None:
    jetstream = here.nats.jetstream()
    for row in rows:
        await jetstream.publish(row["subject"], row["body"], headers=dict(row["headers"]))
    await here.database["outbox"].delete_many({"_id": {"$in": [row["_id"] for row in rows]}})


async def publish_left_over(here: World) -> None:
    """What an earlier life committed and did not publish."""
    rows = await here.database["outbox"].find().sort("_id", 1).to_list(None)
    if rows:
        await publish(here, rows)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
