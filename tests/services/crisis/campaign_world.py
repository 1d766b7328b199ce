"""A campaign at two care points, and the screenings that are sent to it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx

from chassis.clock import local_day, now
from tests.services.crisis.world import COUNTY, TOWN, World

PHQ = {"instrument": "phq-9"}
CAMPAIGN = UUID("00000000-0000-7000-8000-0000000000c1")
WELL = {f"q{number}": 0 for number in range(1, 10)}
MILD = {**WELL, "q1": 3, "q2": 3}
MODERATE = {**WELL, "q1": 3, "q2": 3, "q3": 3, "q4": 3}
UNSAFE = {**WELL, "q9": 1}


def plan(**more: Any) -> dict[str, Any]:
    """An elderly campaign that runs from yesterday for a month."""
    today = local_day(now())
    return {
        "kind": "elderly_care_point",
        "title": "示例关爱点评估",
        "division": COUNTY,
        "sites": [
            {"code": "point-1", "name": "示例关爱点一", "division": TOWN, "target": 3},
            {"code": "point-2", "name": "示例关爱点二", "target": 2, "batches": {"autumn": 5}},
        ],
        "questionnaire": "elderly@2026-1",
        "instruments": [PHQ],
        "host": "physical_exam",
        "starts": str(today - timedelta(days=1)),
        "ends": str(today + timedelta(days=30)),
        **more,
    }


def screening(phq: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """A screening of an old woman who said yes; `phq` is what was said to the PHQ-9. `None` leaves a field out."""
    end = now() - timedelta(minutes=5)
    consent = {"answer": "given", "at": (end - timedelta(minutes=20)).isoformat(), **more.pop("consent", {})}
    said = {
        "questionnaire": "elderly@2026-1",
        "site": "point-1",
        "age": 71,
        "sex": "female",
        "consent": consent,
        "started_at": (end - timedelta(minutes=15)).isoformat(),
        "taken_at": end.isoformat(),
        "answers": {"living": "alone", "need_talk": "yes"},
        "instruments": {"phq-9": WELL if phq is None else phq},
        **more,
    }
    return {name: value for name, value in said.items() if value is not None}


def refusal(phq: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """Somebody does not want to be asked."""
    row = screening(phq, **more)
    row["consent"] = {**row["consent"], "answer": "refused"}
    return {name: value for name, value in row.items() if name not in ("answers", "instruments", "started_at")}


def known(number: int, **more: Any) -> dict[str, str]:
    """A made-up person with a telephone."""
    return {"phone": f"000-0000-{number:04d}", **more}


class Field:
    """A campaign that runs, and a surveyor at its sites."""

    def __init__(self, world: World, client: httpx.AsyncClient) -> None:
        self.world = world
        self.client = client
        self.address = f"/v1/campaigns/{CAMPAIGN}"
        self.planner = world.keys.token("supervisor", sub="planner-a")
        self.surveyor = world.keys.token("surveyor", sub="surveyor-a")

    async def plan(self, **more: Any) -> httpx.Response:
        return await self.client.put(self.address, json=plan(**more), headers=self.planner)

    async def move(self, state: str, headers: dict[str, str] | None = None) -> httpx.Response:
        return await self.client.post(
            f"{self.address}/move", json={"state": state, "reason": "会商决定"}, headers=headers or self.planner
        )

    async def begin(self, **more: Any) -> None:
        planned = await self.plan(**more)
        assert planned.status_code == 200, planned.text
        begun = await self.move("running")
        assert begun.status_code == 200, begun.text

    async def take(
        self, row: dict[str, Any], ident: UUID | None = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        return await self.client.put(
            f"{self.address}/screenings/{ident or uuid4()}", json=row, headers=headers or self.surveyor
        )

    async def send(self, rows: list[Any]) -> dict[str, Any]:
        answer = await self.client.post(f"{self.address}/screenings/import", json={"rows": rows}, headers=self.surveyor)
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        return said

    async def progress(self) -> dict[tuple[str, str | None], dict[str, Any]]:
        answer = await self.client.get(f"{self.address}/progress", headers=self.planner)
        assert answer.status_code == 200, answer.text
        return {(one["site"], one["batch"]): one for one in answer.json()["sites"]}
