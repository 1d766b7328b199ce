"""The bench compares like with like: every contestant leaves the same documents and the same events."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.bench.flags import Flag, make_flags
from tests.bench.trial import HANDWRITTEN, LIMIT, PLATFORM, Contestant, Result, Trial, make_secrets, running
from xinqiao.secrets import Secrets

FLAGS = 60
CHANGING = {
    "at",
    "window_until",
    "opened_at",
    "due_at",
    "since",
    "id",
    "case_id",
    "referral_id",
    "request_id",
    "key",
    "sealed",
    "wrapped",
}
"""What is different in each run by nature: moments, ids made at random, and what is encrypted."""


async def test_each_contestant_leaves_the_same_documents_and_events(tmp_path: Path) -> None:
    secrets = make_secrets(tmp_path / "secrets")
    flags = make_flags(FLAGS, secrets.sealing_public)
    contestants = (Contestant(PLATFORM), Contestant(HANDWRITTEN, 8), Contestant(LIMIT, 256))
    platform, handwritten, limit = await asyncio.gather(*(_left(one, secrets, flags) for one in contestants))
    assert platform[0]["cases"] == FLAGS
    assert platform[0]["outbox"] == 0
    assert platform[1]["case_opened"] == FLAGS
    assert handwritten == platform
    assert limit == platform


async def _left(contestant: Contestant, secrets: Secrets, flags: list[Flag]) -> tuple[Any, Any, Any]:
    result = Result(contestant, len(flags))
    async with running(contestant, secrets) as trial:
        await trial.burst(flags, result)
        await trial.effects(result)
        return result.documents, result.events, _contents(trial)


def _contents(trial: Trial) -> dict[str, list[Any]]:
    """What the documents say, whatever their ids and moments are."""
    cases = sorted(trial.database["cases"].find(), key=lambda case: str(case["person"]))
    plans = {plan["_id"]: plan for plan in trial.database["plans"].find()}
    return {
        "cases": [_settled(case) for case in cases],
        "plans": [_settled(plans.get(case["_id"])) for case in cases],
        "timers": sorted(timer["kind"] for timer in trial.database["timers"].find({"kind": {"$ne": "registers"}})),
        "claims": sorted((claim["_id"], claim["digest"]) for claim in trial.database["claims"].find()),
    }


def _settled(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _settled(inner) for name, inner in value.items() if name not in CHANGING | {"_id"}}
    if isinstance(value, list):
        return [_settled(inner) for inner in value]
    return value


@pytest.mark.parametrize("count", [1, 40])
def test_flags_of_the_bench_are_of_new_callers_and_the_same_again(tmp_path: Path, count: int) -> None:
    secrets = make_secrets(tmp_path / "secrets")
    first, second = (make_flags(count, secrets.sealing_public) for _ in range(2))
    assert [flag.subject for flag in first] == [flag.subject for flag in second]
    assert len({flag.ident for flag in first}) == count
