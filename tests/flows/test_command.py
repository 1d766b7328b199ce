"""The command, as an operator uses it on a running platform."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from chassis.auth import Tokens
from chassis.dead import letters
from contracts.topology import SERVICES
from services.registry.domain.mistakes import SHOWN
from services.registry.forms import example_workbook
from tests.support.polling import eventually
from xinqiao.audit import Report
from xinqiao.cli import app
from xinqiao.demo import numbers_of_run
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


def test_what_cannot_be_is_said_in_one_line_and_ends_with_2(xinqiao: Command, stack: Stack, tmp_path: Path) -> None:
    form = tmp_path / "附件1.xlsx"
    form.write_bytes(example_workbook(1, seed=78))
    wrong = {
        "there is no service nope": ("serve", "nope"),
        "lower-case letters": ("hotline", "Bad Name", "37"),
        "--division": ("import", "volunteers", str(form)),
    }
    for said, arguments in wrong.items():
        answer = xinqiao(*arguments)
        assert answer.exit_code == 2, answer.output
        assert said in answer.output
        assert len(answer.output.splitlines()) == 1, answer.output
    xinqiao.environment["XINQIAO_HOME"] = str(tmp_path / "nowhere")
    unborn = xinqiao("hotline", "12356-yanzhou", "370812")
    assert unborn.exit_code == 2
    assert "make up" in unborn.output


def test_a_file_with_very_many_mistakes_says_how_many_there_are(xinqiao: Command, tmp_path: Path) -> None:
    file = tmp_path / "divisions.csv"
    file.write_text("code,name\n" + "".join(f"3708x{number},示例\n" for number in range(SHOWN + 30)))
    refused = xinqiao("import", "divisions", str(file))
    assert refused.exit_code == 1
    assert "and 30 more" in refused.output
    assert f"{SHOWN + 30} mistake(s)" in refused.output


def test_dead_letters_are_whole_on_a_narrow_terminal_and_in_a_pipe(xinqiao: Command, stack: Stack) -> None:
    event = "0193aaaa-0000-7000-8000-0000000000e1"
    body = b'{"word": "' + b"long " * 60 + b'"'
    sequence = asyncio.run(_bury(stack, event, body))
    listed = xinqiao("dead", "list", "--json", "--event", event)
    (letter,) = [json.loads(line) for line in listed.output.splitlines()]
    assert (letter["sequence"], letter["event_id"], letter["reason"]) == (sequence, event, "malformed_json")
    assert letter["subject"] == "xinqiao.hotline.risk_flagged.v1.370812"
    assert letter["dropped"] is False
    assert set(letter) == {
        *("sequence", "at", "consumer", "reason", "field", "deliveries", "fingerprint", "event_id", "subject"),
        "dropped",
    }
    assert xinqiao("dead", "list", "--json", "--event", "none").output == ""
    xinqiao.environment["COLUMNS"] = "80"
    narrow = xinqiao("dead", "list", "--event", event).output
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in narrow.splitlines() if "│" in line]
    columns = ["".join(parts) for parts in zip(*cells, strict=True)]
    assert "…" not in narrow
    for whole in (letter["reason"], letter["consumer"], event):
        assert any(whole in column for column in columns), narrow
    assert body.decode() in xinqiao("dead", "show", str(sequence)).output
    assert xinqiao("dead", "drop", str(sequence), "--why", "a test", "--who", "tester").exit_code == 0


async def _bury(stack: Stack, event: str, body: bytes) -> int:
    """The number of the dead letter that this body becomes."""
    bus = await stack.installation.bus()
    try:
        await bus.publish("xinqiao.hotline.risk_flagged.v1.370812", body, {"ce-id": event}, "HOTLINE")

        async def buried() -> int:
            found = [letter.sequence async for letter in letters(bus) if letter.event_id == event]
            return found[0] if found else 0

        return await eventually(buried)
    finally:
        await bus.close()


def test_what_became_of_a_made_up_day_is_told_as_counts(xinqiao: Command) -> None:
    told = xinqiao("simulate", "--flags", "6", "--seed", "5")
    assert told.exit_code == 0, told.output
    counts = {
        cells[1].strip(): cells[2].strip()
        for cells in (line.split("│") for line in told.output.splitlines())
        if len(cells) == 4
    }
    assert int(counts["NATS: kept"]) > 0
    assert counts["no answer"] == "0"
    assert "Summary(" not in told.output


def test_the_last_line_of_the_demonstration_counts_its_own_run() -> None:
    """On data that is kept: what earlier runs left is not counted again, and what is lost is, whenever it was."""
    before = Report(flags=900, cases=700, referrals=500, follow_ups=4000, responders=300, counted=900)
    after = Report(flags=1000, cases=770, referrals=560, follow_ups=4400, responders=330, counted=1000)
    after.add("lost", "an old flag")
    numbers = numbers_of_run(before, after, [0.1])
    assert [numbers[name] for name in ("flags", "cases", "referrals", "followups", "responders", "counted")] == [
        *(100, 70, 60, 400, 30, 100)
    ]
    assert (numbers["lost"], numbers["duplicated"], numbers["p50_ms"]) == (1, 0, 100.0)
