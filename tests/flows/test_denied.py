"""What the broker denies is in its log alone: the command names who was denied what, and how often."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import nats
import pytest
from typer.testing import CliRunner

from xinqiao.cli import app
from xinqiao.local import Stack

FOREIGN = "xinqiao.hotline.risk_flagged.v1.370812"
OWN = "xinqiao.hotline.risk_flagged.v1.320706"
FORGED = 'x" - "$G/nkey:UAAA" - Publish Violation - Subject "made.up'


def xinqiao(secrets: Path, *arguments: str, **options: Any) -> Any:
    environment = {"XINQIAO_SECRETS": str(secrets), "COLUMNS": "200", "TERM": "dumb"}
    return CliRunner().invoke(app, list(arguments), env=environment, **options)


@pytest.fixture(scope="module")
def since(stack: Stack) -> int:
    """The place in the broker's log before a hotline of one county publishes for another, and listens there."""
    place = stack.nats.log.stat().st_size

    async def work() -> None:
        said: list[str] = []

        async def hear(error: Exception) -> None:
            said.append(str(error))

        seed = str(stack.secrets.nkey("hotline-12355-haizhou"))
        client = await nats.connect(stack.nats_url, name=FORGED, nkeys_seed=seed, error_cb=hear)
        try:
            for _ in range(3):
                await client.publish(FOREIGN, b"{}")
            await client.subscribe(OWN)
            await client.flush()
        finally:
            await client.close()

    asyncio.run(work())
    return place


def written(stack: Stack, since: int) -> str:
    return stack.nats.log.read_bytes()[since:].decode()


def test_a_hotline_that_publishes_for_another_county_is_counted_under_its_name(stack: Stack, since: int) -> None:
    answer = xinqiao(stack.secrets.root, "denied", "--log", "-", "--json", input=written(stack, since))
    assert answer.exit_code == 0, answer.output
    found = [json.loads(line) for line in answer.output.splitlines()]
    assert [(one["user"], one["operation"], one["subject"], one["times"]) for one in found] == [
        ("hotline-12355-haizhou", "publish", FOREIGN, 3),
        ("hotline-12355-haizhou", "subscribe", OWN, 1),
    ]


def test_the_local_stacks_log_is_read_unless_another_is_named(stack: Stack, since: int, tmp_path: Path) -> None:
    own = CliRunner().invoke(app, ["denied"], env={"XINQIAO_HOME": str(stack.home), "COLUMNS": "200"})
    assert own.exit_code == 0, own.output
    assert any("hotline-12355-haizhou" in line and FOREIGN in line for line in own.output.splitlines())
    quiet = tmp_path / "quiet.log"
    quiet.write_text("[1] 2026/11/22 12:00:35.201274 [INF] Server is ready\n")
    assert "the broker denied nothing" in xinqiao(stack.secrets.root, "denied", "--log", str(quiet)).output
    missing = xinqiao(stack.secrets.root, "denied", "--log", str(tmp_path / "none.log"))
    assert missing.exit_code == 2
    assert "none.log" in missing.output


def test_lines_of_a_container_count_too_and_an_operator_needs_the_seeds_alone(
    stack: Stack, since: int, tmp_path: Path
) -> None:
    """docker compose puts its own name before each line; the operator's share has no public halves of keys."""
    (tmp_path / "nkeys").mkdir()
    shutil.copy(stack.secrets.nkey("hotline-12355-haizhou"), tmp_path / "nkeys")
    lines = "\n".join(f"nats-1  | {line}" for line in written(stack, since).splitlines())
    answer = xinqiao(tmp_path, "denied", "--log", "-", "--json", input=lines)
    assert json.loads(answer.output.splitlines()[0])["user"] == "hotline-12355-haizhou"
    (tmp_path / "nkeys" / "hotline-12355-haizhou.nk").unlink()
    unknown = xinqiao(tmp_path, "denied", "--log", "-", "--json", input=lines)
    public = stack.secrets.public_nkey("hotline-12355-haizhou")
    assert json.loads(unknown.output.splitlines()[0])["user"] == public
