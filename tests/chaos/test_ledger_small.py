"""A small storm: enough to see that the ledger test itself works, and that one kill of each loses nothing."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from contracts.topology import SERVICES
from tests.chaos.killer import TARGETS, plan
from tests.chaos.ledger import Storm, rage, tails


@pytest.mark.chaos
async def test_one_kill_of_each_process_under_load_loses_nothing(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if request.config.option.markexpr != "chaos":
        pytest.skip("run with `-m chaos`; `make chaos` runs the whole storm")
    said: list[str] = []
    outcome = await rage(Storm(kills=len(TARGETS), seconds=15, rate=10, seed=7), tmp_path, said.append)
    story = "\n".join([*said, tails(tmp_path)])
    assert outcome.kills == len(TARGETS), story
    assert outcome.flags > 0, story
    assert outcome.holds, story


def test_a_plan_of_thirty_kills_has_each_of_the_six_at_least_three_times() -> None:
    targets = [target for _, target, _ in plan(30, 180, random.Random(1))]
    assert len(targets) == 30
    assert set(targets) == {*SERVICES, "nats-server", "mongod"}
    assert min(targets.count(target) for target in TARGETS) >= 3
