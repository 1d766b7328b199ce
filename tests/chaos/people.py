"""People at work during the storm, over HTTP: officers acknowledge, refer and follow up, responders answer offers.

They note what was answered with a 2xx, and that has to hold afterwards. What failed or got no answer may have happened
or not; it is not noted.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from datetime import timedelta
from typing import Any

import httpx

from chassis.clock import now
from xinqiao.installation import Installation

AT_ONCE = 10
"""How many of each kind they take up in a round."""


class People:
    """Officers, coordinators and responders."""

    def __init__(self, place: Installation, rng: random.Random) -> None:
        self.done: dict[str, set[str]] = defaultdict(set)
        self.answers: dict[int, int] = defaultdict(int)
        self._place = place
        self._rng = rng
        self._http = httpx.AsyncClient(timeout=10)
        self._officer = place.token("chaos-officer", ["duty_officer", "supervisor"], seconds=7200)
        self._coordinator = place.token("chaos-coordinator", ["coordinator"], seconds=7200)

    async def work(self) -> None:
        """Until cancelled."""
        try:
            while True:
                for part in (self._officers, self._follow_ups, self._responders):
                    await part()
                await asyncio.sleep(0.5)
        finally:
            await self._http.aclose()

    async def _officers(self) -> None:
        for case in self._some(await self._ask("GET", "crisis", "/v1/cases?waiting=true&limit=50"), "cases"):
            where = f"/v1/cases/{case['id']}"
            if await self._ask("POST", "crisis", f"{where}/acknowledge") is not None:
                self.done["acknowledged"].add(case["id"])
            if case["emergency"]["state"] == "required":
                await self._ask("POST", "crisis", f"{where}/emergency", {"service": "ambulance_120"})
                await self._ask("POST", "crisis", f"{where}/emergency/confirm")
            if case["referral_id"] and self._rng.random() < 0.5:
                await self._ask("POST", "crisis", f"{where}/refer", {})
            if case["responder"]["state"] == "accepted":
                await self._ask("POST", "crisis", f"{where}/release")

    async def _follow_ups(self) -> None:
        """What is due, and of some cases the first contact before its time; who refuses to talk is tried again soon."""
        plans = self._some(await self._ask("GET", "crisis", "/v1/follow-ups?limit=50"), "plans")
        known = sorted(self.done["acknowledged"])
        for case_id in self._rng.sample(known, min(AT_ONCE // 2, len(known))):
            case = await self._ask("GET", "crisis", f"/v1/cases/{case_id}")
            if case is not None and case["plan"] is not None:
                plans.append(case["plan"])
        for plan in plans:
            open_ones = [item for item in plan["follow_ups"] if item["state"] in ("planned", "due")]
            if not open_ones:
                continue
            first = min(open_ones, key=lambda item: str(item["due_at"]))
            where = f"/v1/cases/{plan['id']}"
            reached = self._rng.random() < 0.5
            # Attempts that follow each other at once count as one, so a supervisor is asked by a refusal.
            attempt = {"outcome": "reached" if reached else "refused_to_talk"}
            answer = await self._ask("POST", "crisis", f"{where}/follow-ups/{first['id']}/attempts", attempt)
            if answer is not None and reached:
                self.done["kept"].add(first["id"])
            if not reached:
                soon = (now() + timedelta(seconds=3)).isoformat()
                decision = {"decision": "continue", "reason": "本人不愿多谈，稍后再试", "next_at": soon}
                decision["about"] = "follow_up_refused"
                await self._ask("POST", "crisis", f"{where}/decision", decision)

    async def _responders(self) -> None:
        offered = await self._ask("GET", "matching", "/v1/requests?state=offered&limit=50", token=self._coordinator)
        for request in self._some(offered, "requests"):
            luck = self._rng.random()
            if request["offer_id"] is None or luck > 0.8:
                continue
            word = "accept" if luck < 0.6 else "decline"
            token = self._place.token(request["responder_id"], ["volunteer"], request["division"][:6])
            answer = await self._ask("POST", "matching", f"/v1/offers/{request['offer_id']}/{word}", token=token)
            if answer is not None and word == "accept":
                self.done["accepted"].add(request["offer_id"])
                if self._rng.random() < 0.7:
                    await self._ask("POST", "crisis", f"/v1/cases/{request['case_id']}/release")

    def _some(self, answer: dict[str, Any] | None, name: str) -> list[Any]:
        found = (answer or {}).get(name, [])
        return self._rng.sample(found, min(AT_ONCE, len(found)))

    async def _ask(
        self, method: str, service: str, path: str, body: dict[str, Any] | None = None, token: str | None = None
    ) -> dict[str, Any] | None:
        """The answer, or nothing where there was none, or a refusal."""
        headers = {"authorization": f"Bearer {token or self._officer}"}
        try:
            answer = await self._http.request(method, self._place.http[service] + path, json=body, headers=headers)
        except httpx.TransportError:
            return None
        self.answers[answer.status_code] += 1
        return dict(answer.json()) if answer.is_success else None
