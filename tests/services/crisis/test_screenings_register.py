"""However a tablet sends what it holds, in whatever order and how often: the register and the counts are the same."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4, uuid5

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.auth import Caller
from chassis.clock import new_id, now
from contracts.crisis import ScreeningTaken
from contracts.hotline import RiskFlagged
from services.crisis import store
from services.crisis.api.campaigns import Plan
from services.crisis.commands.campaigns import move_campaign, plan_campaign
from services.crisis.commands.screenings import counter, take_screenings
from services.crisis.domain.campaign import State
from services.crisis.domain.identity import telephone
from services.crisis.domain.screening import Screening, progress_of
from tests.services.crisis.campaign_world import MILD, MODERATE, UNSAFE, WELL, known, plan, refusal, screening
from tests.services.crisis.world import COUNTY, Keys, MovedClock, World

PLANNER = Caller("planner-a", frozenset({"supervisor"}), COUNTY)
SURVEYOR = Caller("surveyor-a", frozenset({"surveyor"}), COUNTY)
PLACES = [("point-1", None), ("point-2", None), ("point-2", "autumn")]
BASE = now() - timedelta(hours=2)

rows = st.lists(
    st.fixed_dictionaries(
        {
            "phq": st.sampled_from([WELL, MILD, MODERATE, UNSAFE, {"q1": 1}]),
            "place": st.sampled_from(PLACES),
            "person": st.none() | st.integers(1, 2),
            "sex": st.sampled_from(["female", "male"]),
            "age": st.sampled_from([60, 70, 80]),
            "minute": st.integers(0, 3),
            "refuses": st.booleans(),
        }
    ),
    min_size=1,
    max_size=8,
)


def said(drawn: dict[str, Any]) -> Screening:
    site, batch = drawn["place"]
    taken: datetime = BASE + timedelta(minutes=drawn["minute"])
    row = (refusal if drawn["refuses"] else screening)(
        drawn["phq"],
        site=site,
        batch=batch,
        age=drawn["age"],
        sex=drawn["sex"],
        person=None if drawn["refuses"] or drawn["person"] is None else known(drawn["person"]),
        consent={"at": (taken - timedelta(minutes=9)).isoformat()},
        started_at=(taken - timedelta(minutes=8)).isoformat(),
        taken_at=taken.isoformat(),
    )
    return Screening.model_validate(row)


class Register:
    """One campaign with what was sent to it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.campaign = new_id()
        self.since = len(world.events)

    def ident(self, number: int) -> UUID:
        """Two registers get their rows under ids that sort in the same order."""
        return UUID(int=(uuid5(self.campaign, "rows").int & ~0xFFFF) | number)

    async def begin(self) -> None:
        wanted = Plan.model_validate(plan()).model_dump(mode="json")
        await self.world.do(lambda tx: plan_campaign(self.campaign, wanted, PLANNER, tx, self.world.office))
        await self.world.do(lambda tx: move_campaign(self.campaign, State.running, "测试", PLANNER, tx))

    async def send(self, numbered: list[tuple[int, Screening]]) -> list[str]:
        outcomes = await self.world.do(
            lambda tx: take_screenings(
                self.campaign, [(self.ident(number), row) for number, row in numbered], SURVEYOR, tx, self.world.office
            )
        )
        assert len(outcomes) == len(numbered)
        return [one.word for one in outcomes]

    async def documents(self) -> list[dict[str, Any]]:
        return await self.world.database.find("screenings", {"campaign_id": self.campaign}, sort=[("_id", 1)])

    async def written(self) -> list[tuple[Any, ...]]:
        """What is in the register, by the number of each row."""
        people = await self.world.database.find("screening_people", {})
        counts = {one["_id"]: one["counts"].int & 0xFFFF for one in people}
        return [
            (
                one["_id"].int & 0xFFFF,
                one["state"],
                one["tier"],
                one["double"],
                counts[one["people"]] if one["double"] else None,
                one["ask_again"],
                one["flagged_for"],
                one["programme_id"] is not None,
            )
            for one in await self.documents()
        ]

    async def progress(self) -> list[dict[str, Any]]:
        keys = [counter(self.campaign, site, batch) for site, batch in PLACES]
        counts = await store.counts_of(self.world.database, keys)
        return [progress_of(3, counts.get(key, {})) for key in keys]

    def told(self) -> Counter[str]:
        """The events about this register, by kind."""
        own = self.world.events[self.since :]
        return Counter(
            type(one).__name__
            for one in own
            if isinstance(one, ScreeningTaken | RiskFlagged)
            and (not isinstance(one, ScreeningTaken) or one.campaign_id == self.campaign)
        )


def recount(documents: list[dict[str, Any]], site: str, batch: str | None) -> dict[str, Any]:
    """The counts of one place, from the screenings themselves."""
    here = [one for one in documents if (one["site"], one["batch"]) == (site, batch)]
    counted = [one for one in here if one["state"] == "taken" and not one["double"]]
    return {
        "taken": len(counted),
        "outstanding": max(0, 3 - len(counted)),
        "refused_consent": sum(one["state"] == "declined" for one in here),
        "not_eligible": sum(one["state"] == "ineligible" for one in here),
        "doubles": sum(one["state"] == "taken" and one["double"] for one in here),
        "flagged": sum(one["flag_id"] is not None for one in here),
        "tiers": {
            tier: sum(one["tier"] == tier for one in counted)
            for tier in ("general", "borderline", "high_risk", "unknown")
        },
    }


def test_any_order_any_split_and_any_repetition_give_the_same_register_and_counts(mongod: str, tmp_path: Path) -> None:
    with asyncio.Runner() as runner:

        async def opened() -> World:
            database = MovedClock(mongod, "crisis", f"register_{uuid4().hex[:12]}")
            world = World(database, Keys(tmp_path))
            await database.prepare(world.blueprint.collections, 30)
            await world.settle_in()
            return world

        world = runner.run(opened())

        async def compare(drawn: list[dict[str, Any]], order: list[int], cuts: list[int]) -> None:
            numbered = list(enumerate(said(one) for one in drawn))
            whole = Register(world)
            await whole.begin()
            words = await whole.send(numbered)
            assert len(words) == sum(words.count(word) for word in ("taken", "already_taken", "refused"))
            told = whole.told()
            again = await whole.send(numbered)
            assert "taken" not in again, "sent again, nothing is taken again"
            assert whole.told() == told

            parts = Register(world)
            await parts.begin()
            shuffled = [numbered[at % len(numbered)] for at in order] + numbered
            bounds = sorted({0, len(shuffled), *(cut % len(shuffled) for cut in cuts)})
            for start, end in itertools.pairwise(bounds):
                await parts.send(shuffled[start:end])
            assert await parts.written() == await whole.written()
            assert await parts.progress() == await whole.progress()
            assert parts.told() == told
            documents = await parts.documents()
            for (site, batch), shown in zip(PLACES, await parts.progress(), strict=True):
                expected = recount(documents, site, batch)
                assert {name: shown[name] for name in expected} == expected

        @settings(max_examples=20, suppress_health_check=list(HealthCheck))
        @given(rows, st.lists(st.integers(0, 7), max_size=12), st.lists(st.integers(0, 19), max_size=4))
        def check(drawn: list[dict[str, Any]], order: list[int], cuts: list[int]) -> None:
            runner.run(compare(drawn, order, cuts))

        check()
        world.database.close()


@given(st.text(max_size=30))
def test_a_telephone_is_known_by_its_digits_however_it_is_written(text: str) -> None:
    found = telephone(text)
    assert found == "" or found.isascii()
    assert found == "" or found.isdigit()


def test_one_telephone_written_in_many_ways_is_one_telephone() -> None:
    ways = ["000-0000-0001", "000 0000 0001", "+8600000000001", "+86 000-0000-0001", "00000000001"]
    assert {telephone(way) for way in ways} == {"00000000001"}
