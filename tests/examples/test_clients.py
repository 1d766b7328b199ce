"""Hotlines in other languages, written from the published contract alone, get their flags through."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import shutil
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from chassis.envelope import from_structured
from chassis.sealing import Envelope
from contracts.hotline import RiskFlagged
from tests.contracts.node import installed
from tests.examples.conftest import Broker
from tests.support.tools import needs_curl
from xinqiao.contracts_tool import ROOT

EXAMPLES = ROOT / "examples"
HOTLINE = "12356-yanzhou"


def environment(broker: Broker, folder: Path, county: str = "370812") -> dict[str, str]:
    (folder / "pseudonym.key").write_text("a secret of this line alone")
    return {
        **os.environ,
        "XINQIAO_NATS_URL": broker.url,
        "XINQIAO_NKEY_FILE": str(broker.secrets.nkey(f"hotline-{HOTLINE}")),
        "XINQIAO_HOTLINE": HOTLINE,
        "XINQIAO_COUNTY": county,
        "XINQIAO_SEALING_KEY_FILE": str(broker.secrets.sealing_public),
        "XINQIAO_PSEUDONYM_KEY_FILE": str(folder / "pseudonym.key"),
    }


async def run(*command: str, env: dict[str, str]) -> tuple[int | None, str, str]:
    child = await asyncio.create_subprocess_exec(*command, cwd=EXAMPLES, env=env, stdout=PIPE, stderr=PIPE)
    out, err = await asyncio.wait_for(child.communicate(), 60)
    return child.returncode, out.decode(), err.decode()


def client(language: str) -> list[str]:
    if language == "node":
        return [installed(EXAMPLES), "publish_flag.mjs"]
    return [sys.executable, "publish_flag.py"]


@pytest.mark.parametrize("language", ["python", "node"])
async def test_a_flag_is_acknowledged_and_is_read_and_its_contact_opens(
    language: str, broker: Broker, tmp_path: Path
) -> None:
    status, out, err = await run(*client(language), env=environment(broker, tmp_path))
    assert status == 0, err
    answer = json.loads(out)
    assert (answer["stream"], answer["seq"], answer["duplicate"]) == ("HOTLINE", 1, False)
    (flag,) = await broker.flags()
    assert isinstance(flag, RiskFlagged)
    assert str(flag.id) == answer["id"]
    assert flag.id.version == 7
    assert (flag.hotline, flag.county) == (HOTLINE, "370812")
    assert flag.caller is not None
    assert flag.sealed_contact is not None
    contact = Envelope(broker.secrets.sealing_private).open(flag.sealed_contact)
    assert contact["phone"].startswith("000-0000-")


@pytest.mark.parametrize("language", ["python", "node"])
async def test_a_flag_for_another_county_is_not_acknowledged(language: str, broker: Broker, tmp_path: Path) -> None:
    status, out, err = await run(*client(language), env=environment(broker, tmp_path, county="320706"))
    assert status == 1
    assert out == ""
    assert "not acknowledged" in err
    assert await broker.flags() == []


def test_the_python_client_knows_nothing_of_the_platform() -> None:
    tree = ast.parse((EXAMPLES / "publish_flag.py").read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    ours = {path.name for path in ROOT.iterdir() if path.is_dir()}
    assert not {name.split(".")[0] for name in names} & ours


@needs_curl
async def test_the_shell_client_posts_a_flag_that_is_read_and_fails_when_it_is_refused(tmp_path: Path) -> None:
    """Against a door of the test's own; the platform's is tested with the crisis service."""
    taken: list[bytes] = []
    answers = [b"503 Service Unavailable", b"202 Accepted", b"422 Unprocessable Content"]

    async def door(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-len")
        )
        taken.append(head + await reader.readexactly(length))
        content = b'{"status":"accepted"}'
        status = answers.pop(0)
        writer.write(
            b"HTTP/1.1 %s\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s" % (status, len(content), content)
        )
        await writer.drain()
        writer.close()

    bash = shutil.which("bash")
    assert bash is not None
    (tmp_path / "pseudonym.key").write_text("a secret of this line alone\n")
    server = await asyncio.start_server(door, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    env = {
        **os.environ,
        "XINQIAO_HTTP_URL": f"http://127.0.0.1:{port}",
        "XINQIAO_TOKEN": "a-token",
        "XINQIAO_HOTLINE": HOTLINE,
        "XINQIAO_COUNTY": "370812",
        "XINQIAO_PSEUDONYM_KEY_FILE": str(tmp_path / "pseudonym.key"),
    }
    async with server:
        status, out, err = await run(bash, "publish_flag.sh", env=env)
        assert (status, json.loads(out)) == (0, {"status": "accepted"}), err
        status, _, err = await run(bash, "publish_flag.sh", env=env)
        assert status == 1
        assert "HTTP 422" in err
    first, again, _ = (request.partition(b"\r\n\r\n") for request in taken)
    assert first[0].startswith(b"POST /v1/flags ")
    assert b"authorization: Bearer a-token" in first[0]
    assert first[2] == again[2], "what is sent again is the same, to the byte"
    flag = from_structured(json.loads(again[2]))
    assert isinstance(flag, RiskFlagged)
    assert flag.caller is not None
