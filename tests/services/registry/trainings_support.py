"""What the tests of qualifications, trainings and the gate share."""

from __future__ import annotations

import uuid
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import httpx

from chassis.clock import local_day, now
from chassis.tx import Tx
from services.registry import store
from services.registry.commands.consents import sign_pledge
from services.registry.policy import Policies
from tests.services.registry.places_support import COUNTY, TOWN
from tests.services.registry.support import Registry


def certificate(who: str, kind: str = "counsellor", **fields: Any) -> dict[str, Any]:
    told = {"issuer": "示例发证机关", "number": "示例00000001", "valid_until": "2030-12-31"}
    return {"person_id": who, "kind": kind, **told, **fields}


async def qualified(
    client: httpx.AsyncClient, who: str, kind: str, verified_in: Registry | None = None, **fields: Any
) -> str:
    """A qualification's id; verified by another registrar where the registry is given."""
    ident = str(uuid.uuid4())
    answer = await client.put(f"/v1/qualifications/{ident}", json=certificate(who, kind, **fields))
    assert answer.status_code == 201, answer.text
    if verified_in is not None:
        async with verified_in.client(COUNTY, subject="registrar-2") as other:
            step = {"state": "verified", "reason": "checked"}
            answer = await other.post(f"/v1/qualifications/{ident}/steps", json=step)
            assert answer.status_code == 200, answer.text
    return ident


async def course(client: httpx.AsyncClient, by: Registry | None = None, **fields: Any) -> str:
    """A course's id; offered by a registrar of the whole country where the registry is given."""
    ident = str(uuid.uuid4())
    body = {"division": COUNTY, "title": "示例培训", "level": "county", "type": "routine", **fields}
    async with AsyncExitStack() as stack:
        if by is not None:
            client = await stack.enter_async_context(by.client())
        answer = await client.put(f"/v1/courses/{ident}", json=body)
    assert answer.status_code == 201, answer.text
    return ident


def a_session(of: str, **fields: Any) -> dict[str, Any]:
    """A session of two hours that began yesterday."""
    start = now() - timedelta(days=1)
    times = {"starts_at": start.isoformat(), "ends_at": (start + timedelta(hours=2)).isoformat()}
    return {"course_id": of, "division": TOWN, **times, "minutes": 120, **fields}


async def held_session(client: httpx.AsyncClient, of: str, *, held: bool = True, **fields: Any) -> str:
    ident = str(uuid.uuid4())
    answer = await client.put(f"/v1/training-sessions/{ident}", json=a_session(of, **fields))
    assert answer.status_code == 201, answer.text
    if held:
        answer = await client.post(f"/v1/training-sessions/{ident}/held")
        assert answer.status_code == 200, answer.text
    return ident


async def trained(client: httpx.AsyncClient, of: str, *people: str, **scores: int) -> dict[str, Any]:
    """These people at a session of the course that was held."""
    session = await held_session(client, of)
    items = [{"person_id": who, "attended": True, **scores} for who in people]
    answer = await client.put(f"/v1/training-sessions/{session}/attendances", json={"items": items})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def pledged(client: httpx.AsyncClient, who: str) -> None:
    version = Policies.load().people.at(now()).pledge.version
    body = {"version": version, "signed_on": str(local_day(now()))}
    answer = await client.put(f"/v1/volunteers/{who}/pledge", json=body)
    assert answer.status_code == 200, answer.text


async def all_pledged(registry: Registry, *people: uuid.UUID | str) -> None:
    """The pledge in force of all these people, written down at once."""
    version, day = registry.keys.policies.people.at(now()).pledge.version, local_day(now())

    async def sign(tx: Tx) -> None:
        for who in people:
            person = await store.volunteer(tx, uuid.UUID(str(who)))
            assert person is not None
            await sign_pledge(tx, person, version, day, registry.keys.policies)

    await registry.database.transact(sign)


async def insured(client: httpx.AsyncClient, who: str, first: str, last: str, **fields: Any) -> str:
    """An insurance's id."""
    ident = str(uuid.uuid4())
    body = {
        "person_id": who,
        "kind": "accident",
        "insurer": "示例保险公司",
        "number": "示例保单0001",
        "valid_from": first,
        "valid_until": last,
        **fields,
    }
    answer = await client.put(f"/v1/insurances/{ident}", json=body)
    assert answer.status_code == 200, answer.text
    return ident
