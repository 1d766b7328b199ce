"""What each credential may do on a real broker, and above all what it may not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import httpx
import nats
import nats.errors
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from chassis.bus import Bus
from chassis.provision import drift
from contracts.topology import EVENTS, SERVICES, consumers_of, dead_subject, hotline_subjects, timer_subject
from tests.chassis.helpers import COUNTY, a_flag, messages_in, publish, until
from tests.security.conftest import LINE, OTHER_LINE, USERS, Guarded, Wire
from xinqiao import secrets as credentials
from xinqiao.secrets import Secrets


def flag_subject(county: str) -> str:
    return f"xinqiao.hotline.risk_flagged.v1.{county}"


async def test_a_hotline_publishes_the_flags_of_its_own_county_and_nothing_else(wires: dict[str, Wire]) -> None:
    line = wires[LINE]
    answer = await line.client.request(flag_subject(COUNTY), a_flag().body(), timeout=5)
    assert json.loads(answer.data)["stream"] == "HOTLINE"
    forbidden = [
        flag_subject("370811"),
        flag_subject("000000"),
        flag_subject(f"{COUNTY}.x"),
        f"xinqiao.hotline.other.v1.{COUNTY}",
        *(declared.event.subject_for(COUNTY) for declared in EVENTS if declared.stream != "HOTLINE"),
        "xinqiao.dead.crisis.hotline",
        "xinqiao.timers.crisis.due",
        "xinqiao.wake.crisis",
        "_INBOX_crisis.abc",
        f"_INBOX_{OTHER_LINE}.abc",
        "anything",
    ]
    assert [subject for subject in forbidden if await line.may_publish(subject)] == []


async def test_a_hotline_listens_to_its_own_answers_alone(wires: dict[str, Wire]) -> None:
    line = wires[LINE]
    assert await line.may_subscribe(f"_INBOX_{LINE}.abc.*")
    forbidden = [">", "xinqiao.>", flag_subject(COUNTY), flag_subject("*"), "_INBOX_crisis.>", f"_INBOX_{OTHER_LINE}.>"]
    forbidden += ["$JS.EVENT.>", "$SYS.>", "_INBOX.>", "*.*.*.*.*"]
    assert [subject for subject in forbidden if await line.may_subscribe(subject)] == []


API = [
    "$JS.API.INFO",
    "$JS.API.STREAM.LIST",
    "$JS.API.STREAM.INFO.HOTLINE",
    "$JS.API.STREAM.MSG.GET.HOTLINE",
    "$JS.API.DIRECT.GET.HOTLINE",
    "$JS.API.STREAM.PURGE.HOTLINE",
    "$JS.API.STREAM.DELETE.HOTLINE",
    "$JS.API.STREAM.UPDATE.HOTLINE",
    "$JS.API.STREAM.CREATE.MINE",
    "$JS.API.CONSUMER.CREATE.HOTLINE.mine",
    "$JS.API.CONSUMER.DELETE.HOTLINE.crisis-hotline",
]


async def test_no_hotline_and_no_service_declares_or_reads_at_will(wires: dict[str, Wire]) -> None:
    # The gateway looks up in the hotlines' log whether an id was taken before.
    granted = {("crisis", "$JS.API.STREAM.MSG.GET.HOTLINE"), ("crisis", "$JS.API.DIRECT.GET.HOTLINE")}
    for user in (LINE, OTHER_LINE, *SERVICES):
        allowed = {call for call in API if await wires[user].may_publish(call)}
        assert allowed <= {call for name, call in granted if name == user}, user


async def test_a_service_publishes_its_own_events_and_no_others(wires: dict[str, Wire]) -> None:
    wrong = []
    for user in SERVICES:
        for declared in EVENTS:
            subject = declared.event.subject_for(COUNTY)
            if await wires[user].may_publish(subject) != (user in declared.producers):
                wrong.append((user, subject))
        for other in SERVICES:
            for subject in (timer_subject(other), dead_subject(other, "HOTLINE"), f"_INBOX_{other}.x"):
                if other != user and await wires[user].may_publish(subject):
                    wrong.append((user, subject))
    assert wrong == []


async def test_a_service_reads_its_own_consumers_and_no_others(wires: dict[str, Wire]) -> None:
    wrong = []
    for user in SERVICES:
        for owner in SERVICES:
            for consumer in consumers_of(owner):
                place = f"{consumer.stream}.{consumer.name}"
                for subject in (
                    f"$JS.API.CONSUMER.MSG.NEXT.{place}",
                    f"$JS.API.CONSUMER.INFO.{place}",
                    f"$JS.ACK.{place}.1.1.1.1.0",
                ):
                    if await wires[user].may_publish(subject) != (user == owner):
                        wrong.append((user, subject))
        for subject in (">", "xinqiao.>", *(f"_INBOX_{other}.>" for other in USERS if other != user)):
            if await wires[user].may_subscribe(subject):
                wrong.append((user, subject))
    assert wrong == []


async def test_nobody_gets_in_without_a_credential(guarded: Guarded) -> None:
    for who in ({}, {"user": "root", "password": "root"}):
        with pytest.raises(nats.errors.Error):
            await nats.connect(guarded.server.url, allow_reconnect=False, connect_timeout=2, **who)


async def test_naming_a_place_for_the_answer_is_not_a_way_round_the_permissions(
    guarded: Guarded, wires: dict[str, Wire]
) -> None:
    """A hotline has the broker's answer sent to where it may not publish itself."""
    targets = [
        "$JS.API.STREAM.DELETE.HOTLINE",
        "$JS.API.STREAM.PURGE.DEAD",
        "$JS.API.CONSUMER.DELETE.HOTLINE.crisis-hotline",
    ]
    for target in targets:
        await wires[LINE].client.publish(flag_subject(COUNTY), b"{}", reply=target)
    bus = await guarded.bus("provisioner")

    async def kept() -> bool:
        return await messages_in(bus, "HOTLINE") == len(targets)

    await until(kept)
    assert await drift(bus) == []
    await bus.close()


async def test_a_denial_is_seen_and_counted(guarded: Guarded) -> None:
    def denials() -> float:
        return REGISTRY.get_sample_value("xinqiao_bus_denied_total") or 0

    bus: Bus = await guarded.bus(LINE)
    await publish(bus, a_flag())
    before = denials()
    await bus.client.publish(flag_subject("370811"), b"{}")
    await until(lambda: denials() == before + 1, what="a counted denial")
    await bus.close()


async def test_the_broker_syncs_each_write_and_asks_everybody_who_they_are(guarded: Guarded) -> None:
    async with httpx.AsyncClient(base_url=guarded.monitor) as client:
        state: dict[str, Any] = (await client.get("/jsz?config=true")).json()
        variables: dict[str, Any] = (await client.get("/varz")).json()
    assert state["config"]["sync_always"] is True
    assert variables["auth_required"] is True
    assert variables["host"] == "127.0.0.1"


ROOT = Path(__file__).parents[2]
STARTS = re.compile(r"^\s*\"?jetstream\"?\s*:?\s*\{|--jetstream|nats-server.*\s-js\b", re.MULTILINE)


def test_every_broker_that_is_shipped_syncs_each_write() -> None:
    places = [*(ROOT / "deploy").rglob("*"), *(ROOT / "xinqiao").rglob("*.py"), *ROOT.glob("*compose*.y*ml")]
    configured = [path for path in places if path.is_file() and STARTS.search(path.read_text(errors="replace"))]
    assert ROOT / "xinqiao" / "secrets.py" in configured
    for path in configured:
        assert re.search(r"sync_interval\"?\s*:\s*\"?always", path.read_text()), path


@pytest.mark.parametrize(
    ("name", "county"),
    [
        ("line-1", "*"),
        ("line-1", ">"),
        ("line-1", "37"),
        ("line-1", "370812.x"),
        ("line-1", "37081２"),
        ("../crisis", COUNTY),
        ("a b", COUNTY),
    ],
)
def test_a_hotline_cannot_be_given_another_place_or_name(tmp_path: Path, name: str, county: str) -> None:
    with pytest.raises(ValueError, match="is not"):
        credentials.add_hotline(Secrets(tmp_path), name, county)
    assert list(tmp_path.rglob("*")) == []


@given(st.from_regex(r"\A[0-9]{6}\Z"), st.from_regex(r"\A[0-9]{6}\Z"))
def test_the_subjects_of_two_counties_never_meet(one: str, other: str) -> None:
    def matches(pattern: str, subject: str) -> bool:
        pairs = zip(pattern.split("."), subject.split("."), strict=True)
        return all(wanted in ("*", found) for wanted, found in pairs)

    assert any(matches(pattern, flag_subject(one)) for pattern in hotline_subjects(one))
    assert any(matches(pattern, flag_subject(other)) for pattern in hotline_subjects(one)) == (one == other)


def test_credentials_are_their_owners_alone_and_stay_when_made_again(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path / "secrets")
    credentials.create(secrets, "127.0.0.1:1")
    credentials.add_hotline(secrets, "line-1", COUNTY)
    files = {path: path.read_text() for path in secrets.root.rglob("*") if path.is_file()}
    assert len(files) > 20
    assert [path for path in files if path.stat().st_mode & 0o077] == []
    credentials.create(secrets, "127.0.0.1:1")
    credentials.add_hotline(secrets, "line-1", COUNTY)
    assert {path: path.read_text() for path in files} == files
    seeds = [text for path, text in files.items() if path.suffix == ".nk"]
    assert len(set(seeds)) == len(seeds) == len(credentials.BUS_USERS) + 1
