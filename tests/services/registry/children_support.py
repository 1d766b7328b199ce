"""What the tests of the database of children in difficulty share: keepers, children and tasks that can be told."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import httpx

from chassis.clock import local_day, now
from tests.services.registry.places_support import COUNTY, TOWN, person
from tests.services.registry.support import Registry
from tests.services.registry.teams_support import team
from tests.services.registry.trainings_support import pledged

SECRETS = ("童示例", "示例小学", "示例路1号", "李示例", "000-0000-0002", "每周一次陪伴")


def a_child(**fields: Any) -> dict[str, Any]:
    return {
        "division": TOWN,
        "difficulties": ["left_behind"],
        "help": ["heart", "learning"],
        "basis": "guardian_consent",
        "basis_version": "2026-11",
        "basis_on": "2026-03-02",
        "name": "童示例",
        "birth_date": "2016-05-01",
        "school": "示例小学",
        "address": "示例路1号",
        "guardian": "李示例",
        "guardian_phone": "000-0000-0002",
        "needs": "每周一次陪伴和作业辅导",
        **fields,
    }


def a_check(who: str, **fields: Any) -> dict[str, Any]:
    return {"person_id": who, "asked": "police", "on": str(local_day(now())), "result": "clear", **fields}


async def checked(client: httpx.AsyncClient, who: str, **fields: Any) -> str:
    """The id of a query of the record of offences, clear and of today."""
    ident = str(uuid.uuid4())
    answer = await client.put(f"/v1/record-checks/{ident}", json=a_check(who, **fields))
    assert answer.status_code == 201, answer.text
    return ident


async def fit(client: httpx.AsyncClient, who: str) -> None:
    """Of age, with the pledge and a query that is clear: all that is asked for while no course is offered."""
    await client.patch(f"/v1/volunteers/{who}", json={"birth_date": "1990-05-04"})
    await pledged(client, who)
    await checked(client, who)


async def keeper(registry: Registry, number: int = 90, division: str = COUNTY, **fields: Any) -> str:
    """The id of a person who keeps the database of a division's backbone organisation, its active team."""
    async with registry.client() as client:
        who = await person(client, number, "库示例", division if len(division) > 4 else COUNTY)
        await fit(client, who)
        backbone = await team(client, type="children_backbone", division=division, active=True)
        term = {"person_id": who, "role": "children_database", "since": "2026-01-01", **fields}
        answer = await client.put(f"/v1/teams/{backbone}/terms/{uuid.uuid4()}", json=term)
        assert answer.status_code == 200, answer.text
    return who


async def listed(client: httpx.AsyncClient, **fields: Any) -> str:
    """A listed child's id."""
    ident = str(uuid.uuid4())
    answer = await client.put(f"/v1/children/{ident}", json=a_child(**fields))
    assert answer.status_code == 201, answer.text
    return ident


async def helper(registry: Registry, number: int = 1, name: str = "张示例") -> str:
    """The id of a volunteer who may help."""
    async with registry.client(COUNTY) as client:
        who = await person(client, number, name)
        await fit(client, who)
    return who


def a_task(child: str, who: str, **fields: Any) -> dict[str, Any]:
    today = local_day(now())
    return {
        "child_id": child,
        "volunteer_id": who,
        "help": ["learning"],
        "what": "周六上午到校辅导作业",
        "fields": ["name", "school"],
        "since": str(today),
        "until": str(today + timedelta(days=30)),
        **fields,
    }


async def given(client: httpx.AsyncClient, child: str, who: str, **fields: Any) -> str:
    """A task's id."""
    ident = str(uuid.uuid4())
    answer = await client.put(f"/v1/children-tasks/{ident}", json=a_task(child, who, **fields))
    assert answer.status_code == 200, answer.text
    return ident
