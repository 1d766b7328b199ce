"""The surveyor's page: what is served, under which rules, and what it does without a browser."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from chassis.clock import now
from services.crisis.api.tablet import ADDRESS, FOLDER
from tests.services.crisis.campaign_world import Field
from tests.services.crisis.world import World

FILES = sorted(path.name for path in FOLDER.iterdir())


async def test_the_page_and_its_files_are_served_under_a_strict_policy(client: httpx.AsyncClient) -> None:
    for address in (ADDRESS, f"{ADDRESS}/settings.json", *(f"{ADDRESS}/{name}" for name in FILES)):
        answer = await client.get(address)
        assert answer.status_code == 200, address
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert not re.search(r"unsafe-|\*|https?:", policy)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
    assert (await client.get(f"{ADDRESS}/sw.js")).headers["service-worker-allowed"] == ADDRESS
    for nothing in ("app.py", "..%2f..%2foffice.py", "%2e%2e/office.py", ".hidden"):
        assert (await client.get(f"{ADDRESS}/{nothing}")).status_code == 404


async def test_a_file_that_did_not_change_is_not_sent_again(client: httpx.AsyncClient) -> None:
    first = await client.get(f"{ADDRESS}/app.js")
    again = await client.get(f"{ADDRESS}/app.js", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_before_anyone_has_a_token_the_page_knows_how_to_lock_and_what_to_do_in_danger(
    client: httpx.AsyncClient,
) -> None:
    settings = (await client.get(f"{ADDRESS}/settings.json")).json()
    assert settings["pin_rounds"] >= 600_000
    assert settings["pin_length"] >= 6
    assert {"110", "120"} <= set(settings["safety"]["calls"])


def test_the_page_is_whole_in_itself_and_works_from_what_it_keeps() -> None:
    """No file of another place, nothing inline that the policy would stop, and every file is kept for the field."""
    worker = (FOLDER / "sw.js").read_text()
    kept = re.search(r"FILES = \[(.*?)\]", worker)
    assert kept
    names = {name.removeprefix("/") for name in re.findall(r'"([^"]*)"', kept.group(1))}
    assert names == {"", "settings.json", *FILES} - {"index.html", "sw.js"}
    for path in FOLDER.iterdir():
        text = path.read_text()
        addresses = set(re.findall(r"https?://[^\s\"'<>)]+", text)) - {"http://www.w3.org/2000/svg"}
        assert addresses == set(), path
        assert not re.search(r"innerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text), path
    page = (FOLDER / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", page)
    assert 'lang="zh-CN"' in page


async def test_what_the_tablet_does_in_the_field(world: World, client: httpx.AsyncClient, tmp_path: Path) -> None:
    """The modules of the page under node, with the form that the service gives; and the service takes their row."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    field = Field(world, client)
    await field.begin()
    answer = await client.get(f"{field.address}/form", headers=field.surveyor)
    (tmp_path / "form.json").write_text(answer.text, encoding="utf-8")
    modules = tmp_path / "pages"
    shutil.copytree(FOLDER, modules)
    (modules / "package.json").write_text('{"type": "module"}')
    end = now() - timedelta(minutes=1)
    times = {"CONSENT_AT": end - timedelta(minutes=9), "STARTED_AT": end - timedelta(minutes=8), "TAKEN_AT": end}
    ran = subprocess.run(
        [node, "--test", "--test-reporter=tap", str(Path(__file__).parent / "tablet.test.mjs")],
        env={
            **os.environ,
            "PAGES": str(modules),
            "FORM": str(tmp_path / "form.json"),
            **{name: moment.isoformat() for name, moment in times.items()},
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-2000:]
    (row,) = re.findall(r"ROW (\{.*\})", ran.stdout)
    taken = await field.take(json.loads(row), uuid4())
    assert taken.json()["outcome"] == "taken", taken.text
    assert (taken.json()["tier"], taken.json()["route"]) == ("unknown", "ask_again")
