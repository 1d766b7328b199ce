"""The command, as an operator uses it on a running platform."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from chassis.auth import Tokens
from contracts.topology import SERVICES
from services.registry.forms import example_workbook
from tests.support.polling import eventually
from xinqiao.cli import app
from xinqiao.local import Stack

ROOT = Path(__file__).parents[2]


class Command:
    """Runs ``xinqiao`` against the stack, as it would run against any installation that the environment names."""

    def __init__(self, stack: Stack) -> None:
        self.environment = {"XINQIAO_SECRETS": str(stack.secrets.root), "XINQIAO_NATS_URL": stack.nats_url}
        self.environment |= {f"XINQIAO_HTTP_{name.upper()}": stack.http_url(name) for name in SERVICES}
        self.environment |= {"COLUMNS": "250", "TERM": "dumb"}

    def __call__(self, *arguments: str) -> Any:
        return CliRunner().invoke(app, list(arguments), env=self.environment)


@pytest.fixture
def xinqiao(stack: Stack) -> Command:
    return Command(stack)


def test_provision_has_nothing_to_do_and_says_what_drifted(xinqiao: Command) -> None:
    assert xinqiao("provision", "--check").exit_code == 0
    assert "nothing to do" in xinqiao("provision").output


def test_a_token_holds_at_the_services(xinqiao: Command, stack: Stack) -> None:
    made = xinqiao("token", "--role", "supervisor", "--division", "3708", "--subject", "person-1")
    assert made.exit_code == 0
    caller = Tokens(stack.secrets.token_public, "xinqiao-local", "xinqiao").read(made.output.strip())
    assert (caller.subject, caller.division, caller.roles) == ("person-1", "3708", frozenset({"supervisor"}))
    assert xinqiao("token", "--role", "king").exit_code == 1


def test_a_workbook_goes_in_and_comes_out(xinqiao: Command, tmp_path: Path) -> None:
    form = tmp_path / "附件1.xlsx"
    form.write_bytes(example_workbook(5, seed=77))
    tried = xinqiao("import", "volunteers", str(form), "--division", "370812001", "--dry-run")
    assert json.loads(tried.output)["new"] == 5
    taken = xinqiao("import", "volunteers", str(form), "--division", "370812001")
    assert json.loads(taken.output)["new"] == 5, taken.output
    again = xinqiao("import", "volunteers", str(form), "--division", "370812001")
    assert json.loads(again.output)["new"] == 0
    back = tmp_path / "back.xlsx"
    assert xinqiao("export", "370812001", str(back)).exit_code == 0
    assert back.read_bytes()[:2] == b"PK"


def test_a_file_with_mistakes_changes_nothing_and_names_them(xinqiao: Command, tmp_path: Path) -> None:
    file = tmp_path / "divisions.csv"
    file.write_text("code,name\n12,示例省\n3708x,示例\n")
    refused = xinqiao("import", "divisions", str(file))
    assert refused.exit_code == 1
    assert "3708x" in refused.output or "第 3 行" in refused.output
    assert xinqiao("import", "volunteers", str(file), "--division", "370812").exit_code == 1


async def test_a_dead_letter_is_listed_shown_requeued_and_dropped(xinqiao: Command, stack: Stack) -> None:
    bus = await stack.installation.bus()
    subject = "xinqiao.hotline.risk_flagged.v1.370812"
    await bus.publish(subject, b"{", {"ce-id": "0193aaaa-0000-7000-8000-00000000dead"}, "HOTLINE")

    async def buried() -> list[int]:
        state = await bus.jetstream.stream_info("DEAD", subjects_filter="xinqiao.dead.crisis.hotline")
        return [state.state.last_seq] if (state.state.subjects or {}).get("xinqiao.dead.crisis.hotline") else []

    await eventually(buried)
    import anyio.to_thread

    listed = await anyio.to_thread.run_sync(xinqiao, "dead", "list")
    assert "malformed_json" in listed.output
    (row,) = [line for line in listed.output.splitlines() if "00000000dead" in line]
    number = next(part for part in row.split() if part.isdigit())
    shown = await anyio.to_thread.run_sync(xinqiao, "dead", "show", number)
    assert subject in shown.output
    assert (await anyio.to_thread.run_sync(xinqiao, "dead", "requeue", number)).exit_code == 0

    async def again() -> str | None:
        output = (await anyio.to_thread.run_sync(xinqiao, "dead", "list")).output
        rows = [line for line in output.splitlines() if "00000000dead" in line and "dropped" not in line]
        numbers = [part for row in rows for part in row.split() if part.isdigit()][:1]
        return numbers[0] if numbers and numbers[0] != number else None

    later = await eventually(again)
    assert later is not None
    dropped = await anyio.to_thread.run_sync(xinqiao, "dead", "drop", later, "--why", "a test", "--who", "tester")
    assert dropped.exit_code == 0
    assert (await anyio.to_thread.run_sync(xinqiao, "dead", "show", "999999")).exit_code == 1
    audited = await anyio.to_thread.run_sync(xinqiao, "audit")
    assert audited.exit_code == 0, audited.output
    assert json.loads(audited.output.splitlines()[-1])["lost"] == 0
    await bus.close()


def test_one_flag_goes_in_over_http(xinqiao: Command, tmp_path: Path) -> None:
    example = json.loads((ROOT / "contracts/examples/hotline.risk_flagged/v1/minimal.json").read_text())
    example["id"] = "0193aaaa-0000-7000-8000-000000000003"
    example["data"] |= {"hotline": "12356-yanzhou", "county": "370812"}
    file = tmp_path / "flag.json"
    file.write_text(json.dumps(example))
    assert xinqiao("flag", str(file)).exit_code == 0
    file.write_text(json.dumps({**example, "data": {**example["data"], "channel": "pigeon"}}))
    refused = xinqiao("flag", str(file))
    assert refused.exit_code == 1
    assert "data.channel" in refused.output


def test_the_counters_are_made_again(xinqiao: Command) -> None:
    assert "counted" in xinqiao("rebuild").output
    assert xinqiao("audit").exit_code == 0
