"""The whole of matching on a real broker and a real database, from crisis's request to matching's events."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import OKPKey

from chassis.bus import Bus
from chassis.clock import now
from chassis.dead import read_stream
from chassis.envelope import from_message, to_headers
from chassis.service import Service
from chassis.settings import Settings
from contracts.base import Event, Tier
from contracts.matching import CoordinatorCalled, OfferAccepted, OfferExpired, ResponderOffered
from services.matching.app import blueprint
from services.matching.domain.policy import SHIPPED
from services.matching.store import audit_facts
from tests.services.matching.conftest import client_of
from tests.services.matching.support import COUNTY, a_duty, a_release, a_request, a_volunteer


@pytest.fixture
async def running(bus: Bus, nats_server: str, service_settings: Settings, tmp_path: Path) -> AsyncIterator[Service]:
    """The service at work, with a policy of the district that waits one second for an answer."""
    shipped = Path(SHIPPED, "2026-11.toml").read_text(encoding="utf-8")
    quick = re.sub(r"(answer|look)_seconds = \d+", r"\1_seconds = 1", shipped)
    Path(tmp_path, "matching").mkdir()
    Path(tmp_path, "matching", "2026-11-quick.toml").write_text(quick, encoding="utf-8")
    settings = service_settings.model_copy(update={"nats_url": nats_server, "policy_dir": tmp_path})
    service = Service(settings, blueprint(settings))
    await service.start()
    assert service.timers is not None
    parts: list[asyncio.Task[None]] = [asyncio.create_task(consuming.run()) for consuming in service.consuming]
    parts += [asyncio.create_task(service.timers.run()), asyncio.create_task(service.relay.run())]
    yield service
    for consuming in service.consuming:
        consuming.stop()
    service.timers.stop()
    service.relay.stop()
    await asyncio.gather(*parts)
    await service.close()


async def publish(bus: Bus, *events: Event) -> None:
    for event in events:
        context = event.context()
        await bus.publish(event.subject, event.body(), to_headers(event, context, None), context.upper())


async def told(bus: Bus) -> list[Any]:
    """What the MATCHING stream holds, in its order."""
    found = [message async for message in read_stream(bus, "MATCHING", ["xinqiao.matching.>"])]
    return [from_message(message.subject, message.headers, message.data) for message in found]


async def until(look: Callable[[], Awaitable[Any]], seconds: float = 20) -> Any:
    """Poll until there is something to see."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        if found := await look():
            return found
        assert asyncio.get_running_loop().time() < deadline, "it did not happen"
        await asyncio.sleep(0.05)


async def test_an_offer_is_accepted_over_http_and_told_on_the_stream(running: Service, bus: Bus, key: OKPKey) -> None:
    volunteer = a_volunteer()
    request = a_request(moment=now())
    await publish(bus, volunteer, a_duty(volunteer.volunteer_id, start=now() - timedelta(minutes=1)))
    await until(lambda: running.database.count("duties", {}))
    await publish(bus, request)
    (offered,) = await until(lambda: told(bus))
    assert isinstance(offered, ResponderOffered)
    async with client_of(running, key, "volunteer", str(volunteer.volunteer_id), COUNTY) as client:
        answer = await client.post(f"/v1/offers/{offered.offer_id}/accept")
    assert answer.status_code == 200, answer.text

    async def both() -> list[Any]:
        events = await told(bus)
        return events if len(events) == 2 else []

    accepted = (await until(both))[1]
    assert isinstance(accepted, OfferAccepted)
    assert (accepted.request_id, accepted.responder_id) == (request.request_id, volunteer.volunteer_id)
    release = a_release(request)
    await publish(bus, release)
    await until(lambda: running.database.count("requests", {"state": "released"}))
    facts = await audit_facts(running.database, [request, release, *await told(bus)])
    assert (facts.differences, facts.requests, facts.answered) == ([], 1, 1)


async def test_silence_goes_to_the_next_and_in_the_end_to_the_coordinator(
    running: Service, bus: Bus, key: OKPKey
) -> None:
    volunteers = [a_volunteer("370812001"), a_volunteer(COUNTY)]
    start = now() - timedelta(minutes=1)
    await publish(bus, *volunteers, *(a_duty(v.volunteer_id, COUNTY, start=start) for v in volunteers))

    async def both_on_duty() -> bool:
        return await running.database.count("duties", {}) == 2

    await until(both_on_duty)
    request = a_request("370812001", Tier.imminent, moment=now())
    await publish(bus, request)

    async def the_end() -> list[Any]:
        events = await told(bus)
        return events if len(events) == 5 else []

    events = await until(the_end)
    assert [type(event) for event in events] == [
        ResponderOffered,
        OfferExpired,
        ResponderOffered,
        OfferExpired,
        CoordinatorCalled,
    ]
    people: list[uuid.UUID] = [event.responder_id for event in events[:4]]
    assert people == [volunteers[0].volunteer_id] * 2 + [volunteers[1].volunteer_id] * 2
    assert events[4].reason == "all_declined_or_silent"
    async with client_of(running, key, "coordinator", "c1", COUNTY) as client:
        calls = (await client.get("/v1/coordinator-calls")).json()
    assert [call["request_id"] for call in calls["calls"]] == [str(request.request_id)]


async def test_a_waiting_request_is_offered_when_somebody_comes_on_duty(running: Service, bus: Bus) -> None:
    request = a_request(moment=now())
    await publish(bus, request)
    (called,) = await until(lambda: told(bus))
    assert (called.TYPE, called.reason) == ("matching.coordinator_called", "nobody_on_duty")
    volunteer = a_volunteer()
    await publish(bus, volunteer, a_duty(volunteer.volunteer_id, start=now() + timedelta(seconds=1)))

    async def offered() -> list[Any]:
        return [event for event in await told(bus) if isinstance(event, ResponderOffered)]

    (offer,) = (await until(offered))[:1]
    assert (offer.request_id, offer.responder_id) == (request.request_id, volunteer.volunteer_id)
