"""A hotline's day from end to end: the real servers, their security, the four services as processes."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from chassis.clock import local_day, now
from contracts.topology import SERVICES
from services.registry.forms import example_workbook
from services.registry.imports import put_on_duty
from services.reporting.rebuild import rebuild
from tests.support.polling import eventually
from tests.support.tools import needs_curl
from xinqiao.audit import Report, audit, settle
from xinqiao.demo import doors, send
from xinqiao.local import Stack
from xinqiao.simulate.day import read_day
from xinqiao.simulate.publish import Summary

ROOT = Path(__file__).parents[2]


def bearer(stack: Stack, subject: str, *roles: str, division: str = "", **claims: str) -> dict[str, str]:
    token = stack.installation.token(subject, list(roles), division, 3600, **claims)
    return {"authorization": f"Bearer {token}"}


async def audited(stack: Stack) -> Report:
    connections = await stack.installation.connect()
    try:
        assert await settle(connections, 60) == 0
        return await audit(connections)
    finally:
        await connections.close()


@dataclass(frozen=True)
class Day:
    """What the audit counted before the day, and what became of its lines on the way in."""

    before: Report
    summary: Summary


@pytest.fixture(scope="module")
def day(stack: Stack) -> Day:
    """The day as it is kept, sent as fast as it goes, with volunteers from a workbook on duty."""

    async def work() -> Day:
        registrar = bearer(stack, "registrar-1", "registrar", division="3708")
        form = example_workbook(20, seed=9, trained=True)
        async with httpx.AsyncClient(base_url=stack.http_url("registry"), timeout=60) as http:
            answer = await http.post("/v1/volunteers/import?division=370812", content=form, headers=registrar)
            assert answer.status_code == 200, answer.text
        database = stack.installation.database("registry", "registry")
        on_duty = await put_on_duty(database, "line-yanzhou", "370812", 20, pledged_on=local_day(now()))
        database.close()
        connections = await stack.installation.connect()
        assert await settle(connections, 60) == 0
        before = await audit(connections)
        await connections.close()
        assert len(on_duty) == 20
        place = stack.installation
        return Day(before, await send(place, doors(place), read_day(), None, lambda line, answer: None))

    return asyncio.run(work())


async def test_every_line_of_the_day_comes_to_its_end(stack: Stack, day: Day) -> None:
    expected = Counter(line.expect.split(":")[0] for line in read_day())
    assert day.summary.silent == []
    assert day.summary.denied == expected["denied"]
    report = await audited(stack)
    assert report.differences == []
    assert report.flags - day.before.flags == expected["case"] + expected["joins"]
    assert report.counted == report.flags
    assert report.cases - day.before.cases == expected["case"]
    assert report.dead - day.before.dead == expected["dead"]


async def test_the_statistics_roll_up_and_name_nobody(stack: Stack, day: Day) -> None:
    """What the county counts is what its city counts of it, and small counts stay in their county."""
    await audited(stack)
    async with httpx.AsyncClient(base_url=stack.http_url("reporting"), timeout=30) as http:

        async def asked(division: str, caller: str) -> Any:
            who = bearer(stack, "statistician-1", "statistician", division=caller)
            answer = await http.get(f"/v1/statistics?division={division}", headers=who)
            assert answer.status_code == 200, answer.text
            return answer.json()

        inside = await asked("370812", "370812")
        assert inside["rows"], inside
        outside = await http.get(
            "/v1/statistics?division=370812001",
            headers=bearer(stack, "statistician-2", "statistician", division="3708"),
        )
        assert outside.status_code in (403, 404)


@needs_curl
async def test_a_hotline_with_curl_alone_gets_its_flag_through(stack: Stack) -> None:
    flag_id = "0193aaaa-0000-7000-8000-000000000001"
    token = stack.installation.token("hotline:12356-yanzhou", ["hotline"], "370812", hotline="12356-yanzhou")
    environment = {
        "XINQIAO_HTTP_URL": stack.http_url("crisis"),
        "XINQIAO_TOKEN": token,
        "XINQIAO_HOTLINE": "12356-yanzhou",
        "XINQIAO_COUNTY": "370812",
        "XINQIAO_FLAG_ID": flag_id,
    }
    done = subprocess.run(
        ["bash", str(ROOT / "examples/publish_flag.sh")], env={**os.environ, **environment}, capture_output=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    await _becomes_a_case(stack, flag_id)


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed here")
async def test_a_hotline_written_in_node_gets_its_flag_through(stack: Stack) -> None:
    if not (ROOT / "examples/node_modules").exists():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=ROOT / "examples", check=True, capture_output=True)
    environment = {
        "XINQIAO_NATS_URL": stack.nats_url,
        "XINQIAO_NKEY_FILE": str(stack.secrets.nkey("hotline-12355-haizhou")),
        "XINQIAO_HOTLINE": "12355-haizhou",
        "XINQIAO_COUNTY": "320706",
        "XINQIAO_SEALING_KEY_FILE": str(stack.secrets.sealing_public),
    }
    done = subprocess.run(
        ["node", str(ROOT / "examples/publish_flag.mjs")], env={**os.environ, **environment}, capture_output=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    database = stack.installation.database("crisis")

    async def opened() -> Any:
        found = await database.find("cases", {"hotline": "12355-haizhou", "flags.contact_state": "kept"}, limit=1)
        return found[0] if found else None

    assert await eventually(opened)
    database.close()


async def _becomes_a_case(stack: Stack, flag_id: str) -> Any:
    headers = bearer(stack, "officer-1", "duty_officer", division="370812")
    async with httpx.AsyncClient(base_url=stack.http_url("crisis"), headers=headers, timeout=10) as http:

        async def found() -> Any:
            answer = await http.get(f"/v1/flags/{flag_id}")
            return answer.json() if answer.status_code == 200 else None

        return await eventually(found)


async def test_a_flag_sent_twice_over_http_and_once_over_nats_is_one_case(stack: Stack) -> None:
    example = json.loads((ROOT / "contracts/examples/hotline.risk_flagged/v1/minimal.json").read_text())
    example["id"] = "0193aaaa-0000-7000-8000-000000000002"
    example["data"] |= {"hotline": "12356-yanzhou", "county": "370812"}
    headers = bearer(stack, "hotline:12356-yanzhou", "hotline", division="370812", hotline="12356-yanzhou")
    async with httpx.AsyncClient(base_url=stack.http_url("crisis"), headers=headers, timeout=10) as http:
        for body in (json.dumps(example), json.dumps(example, indent=3)):
            answer = await http.post("/v1/flags", content=body)
            assert answer.status_code == 202, answer.text
        changed = {**example, "data": {**example["data"], "hotline_level": "high"}}
        assert (await http.post("/v1/flags", json=changed)).status_code == 409
    await _becomes_a_case(stack, example["id"])
    assert (await audited(stack)).differences == []


async def test_the_counters_made_again_from_the_log_are_the_same(stack: Stack, day: Day) -> None:
    await audited(stack)
    place = stack.installation
    bus, database = await place.bus(), place.database("reporting", "reporting")
    done = await rebuild(bus, database)
    await bus.close()
    database.close()
    assert done.counted > 0
    assert (await audited(stack)).differences == []


async def test_the_audit_names_what_is_missing_and_what_is_changed(stack: Stack, day: Day) -> None:
    """Each tampering with a database is found and named; put back, the audit holds again."""
    await audited(stack)
    root = stack.installation
    databases = {name: root.database(name, name) for name in SERVICES}

    async def found_without(service: str, collection: str, query: dict[str, Any]) -> set[str]:
        (document,) = await databases[service].find(collection, query, limit=1)
        await databases[service].delete_many(collection, [document["_id"]])
        kinds = {difference.kind for difference in (await audited(stack)).differences}

        async def put_back(tx: Any) -> None:
            tx.insert(collection, document)

        await databases[service].transact(put_back)
        return kinds

    assert "lost" in await found_without("crisis", "cases", {"flags.1": {"$exists": False}})
    assert "lost" in await found_without("crisis", "plans", {"tier": "high"})
    assert "lost" in await found_without("crisis", "referrals", {})
    assert "lost" in await found_without("matching", "requests", {})
    state = await databases["reporting"].get("state", "counters")
    assert state is not None
    assert "wrong" in await found_without("reporting", f"counters_{state.get('current', 'a')}", {})
    assert (await audited(stack)).differences == []
    for database in databases.values():
        database.close()


async def test_nothing_personal_is_on_the_bus_in_the_logs_or_in_the_metrics(stack: Stack, day: Day) -> None:
    """The made-up callers' names and numbers are nowhere in the clear, and neither are the volunteers'."""
    needles = [b"000-0000-0", "示例来电".encode(), "示例一号".encode()]
    files = [path for path in (stack.home / "data" / "nats").rglob("*") if path.is_file()]
    files += list((stack.home / "log").glob("*.log"))
    assert files
    for path in files:
        content = path.read_bytes()
        for needle in needles:
            assert needle not in content, (path.name, needle)
    for name in SERVICES:
        metrics = httpx.get(f"{stack.http_url(name)}/metrics", timeout=10).content
        assert not any(needle in metrics for needle in needles)
