"""Provisioning: what the topology says is what the broker has, and the other way round is found out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
from joserfc.jwk import OKPKey

from chassis.bus import Bus
from chassis.provision import drift, provision, recreate_consumer
from chassis.service import Blueprint, Service
from chassis.settings import Settings
from contracts.topology import SERVICES, STREAMS, consumers_of
from tests.chassis.helpers import api, the_consumer


async def test_provisioning_again_changes_nothing_and_finds_nothing(bus: Bus) -> None:
    assert await drift(bus) == []
    assert await provision(bus) == []


async def test_the_broker_has_every_stream_and_consumer_of_the_topology_and_no_other(bus: Bus) -> None:
    assert {info.config.name for info in await bus.jetstream.streams_info()} == set(STREAMS)
    for stream in STREAMS:
        found = {info.name for info in await bus.jetstream.consumers_info(stream)}
        assert found == {
            consumer.name for service in SERVICES for consumer in consumers_of(service) if consumer.stream == stream
        }


async def _change_stream(bus: Bus, name: str, **settings: Any) -> None:
    config = (await api(bus, f"STREAM.INFO.{name}"))["config"]
    assert "error" not in await api(bus, f"STREAM.UPDATE.{name}", {**config, **settings})


async def _change_consumer(bus: Bus, stream: str, name: str, **settings: Any) -> None:
    config = (await api(bus, f"CONSUMER.INFO.{stream}.{name}"))["config"]
    wanted = {"stream_name": stream, "config": {**config, **settings}}
    assert "error" not in await api(bus, f"CONSUMER.DURABLE.CREATE.{stream}.{name}", wanted)


async def test_what_somebody_changed_by_hand_is_named_and_set_right(bus: Bus) -> None:
    await _change_stream(bus, "HOTLINE", max_age=3_600_000_000_000, discard="old")
    await _change_stream(bus, "CRISIS", subjects=["xinqiao.crisis.>", "something.else"])
    await _change_consumer(bus, "HOTLINE", "crisis-hotline", max_deliver=3)
    await _change_consumer(bus, "REGISTRY", "matching-registry", filter_subjects=["xinqiao.registry.other.v1.*"])
    found = {(entry.what, entry.setting) for entry in await drift(bus)}
    assert found == {
        ("stream HOTLINE", "max_age"),
        ("stream HOTLINE", "discard"),
        ("stream CRISIS", "subjects"),
        ("consumer crisis-hotline", "max_deliver"),
        ("consumer matching-registry", "filter_subjects"),
    }
    done = await provision(bus)
    assert len(done) == len(found)
    assert await drift(bus) == []


async def test_a_missing_stream_or_consumer_is_found_and_made(bus: Bus) -> None:
    await bus.jetstream.delete_consumer("HOTLINE", "crisis-hotline")
    await bus.jetstream.delete_stream("MATCHING")
    missing = {entry.what for entry in await drift(bus) if entry.setting == "exists"}
    assert {"consumer crisis-hotline", "stream MATCHING", "consumer crisis-matching"} <= missing
    assert set(await provision(bus)) == {f"{what} created" for what in missing}


async def test_a_consumer_made_anew_reads_from_the_beginning(bus: Bus) -> None:
    consumer = the_consumer("reporting", "CRISIS")
    await bus.publish("xinqiao.crisis.case_closed.v1.370812", b"{}", {}, "CRISIS")
    subscription = await bus.jetstream.pull_subscribe_bind(consumer=consumer.name, stream="CRISIS")
    await (await subscription.fetch(1))[0].ack_sync()
    await recreate_consumer(bus, consumer)
    assert (await bus.jetstream.consumer_info("CRISIS", consumer.name)).num_pending == 1


async def test_a_log_may_not_be_thinned_out(bus: Bus) -> None:
    for name, stream in STREAMS.items():
        config = (await api(bus, f"STREAM.INFO.{name}"))["config"]
        assert config.get("deny_delete", False) != stream.deletable, name
        assert config["discard"] == ("old" if stream.schedules else "new"), name
        assert config["storage"] == "file", name
    await bus.publish("xinqiao.hotline.risk_flagged.v1.370812", b"{}", {}, "HOTLINE")
    assert "error" in await api(bus, "STREAM.MSG.DELETE.HOTLINE", {"seq": 1})
    assert "error" in await api(bus, "STREAM.PURGE.HOTLINE")


def settings_for(folder: Path, nats_url: str, mongo_uri: str) -> Settings:
    key = OKPKey.generate_key("Ed25519", {"kid": "test"})
    (folder / "keys.json").write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    (folder / "mongo.uri").write_text(mongo_uri)
    return Settings(
        service="crisis",
        nats_url=nats_url,
        mongo_uri_file=folder / "mongo.uri",
        token_keys_file=folder / "keys.json",
    )


async def test_readyz_names_the_consumer_that_is_missing(
    bus: Bus, nats_server: str, mongod: str, database_name: str, tmp_path: Path
) -> None:
    service = Service(settings_for(tmp_path, nats_server, mongod), Blueprint("crisis", {}, []))
    await service.start()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(service.app), base_url="http://crisis") as client:
        answer = await client.get("/readyz")
        assert answer.status_code == 200, answer.text
        await bus.jetstream.delete_consumer("MATCHING", "crisis-matching")
        answer = await client.get("/readyz")
        assert answer.status_code == 503
        checks = answer.json()["checks"]
        assert [name for name, word in checks.items() if word != "ok"] == ["consumer crisis-matching"]
        assert (await client.get("/livez")).status_code == 200
    await service.close()
