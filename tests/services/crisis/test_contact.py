"""What it takes to call back: sealed on the way, under a person's own key at rest, and read on the record."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pymongo
import pytest
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

from chassis.clock import new_id
from contracts.matching import OfferAccepted, ResponderOffered
from tests.services.crisis.world import HIGH, NEIGHBOUR, TOWN, World, a_flag, make_app, person, stamp

PHONE = "000-0000-0001"
CONTACT = {"name": "张示例", "phone": PHONE, "address": "甲镇示例路一号", "note": "晚上可接"}
REASON = {"reason": "回拨"}


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=make_app(world))
    async with httpx.AsyncClient(transport=transport, base_url="http://crisis") as opened:
        yield opened


async def read(client: httpx.AsyncClient, case_id: UUID, headers: dict[str, str]) -> httpx.Response:
    return await client.post(f"/v1/cases/{case_id}/contact", json=REASON, headers=headers)


def everything(uri: str, name: str) -> bytes:
    """All that the database holds, as bytes."""
    options: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
    client: pymongo.MongoClient[dict[str, Any]]
    with pymongo.MongoClient(uri) as client:
        names = client[name].list_collection_names()
        kept: list[Any] = [client[name].get_collection(one, codec_options=options) for one in names]
        return b"".join(document.raw for collection in kept for document in collection.find())


async def test_an_officer_reads_the_contact_and_the_log_says_who_and_why(
    world: World, client: httpx.AsyncClient
) -> None:
    case = await world.flag(caller=person(), sealed_contact=world.keys.seal(CONTACT), **HIGH)
    answer = await read(client, case["_id"], world.keys.token("duty_officer", sub="officer-a"))
    assert answer.status_code == 200
    (contact,) = answer.json()["contacts"]
    assert {name: contact[name] for name in CONTACT} == CONTACT
    (entry,) = await world.audit_log()
    assert (entry["action"], entry["actor"], entry["subject"], entry["reason"]) == (
        "contact_read",
        "officer-a",
        str(case["_id"]),
        "回拨",
    )


async def test_others_do_not_read_it_and_the_attempt_reveals_nothing(world: World, client: httpx.AsyncClient) -> None:
    case = await world.flag(division=TOWN, sealed_contact=world.keys.seal(CONTACT), **HIGH)
    token = world.keys.token
    strangers = [
        (token("duty_officer", division=NEIGHBOUR), 404),
        (token("supervisor", division=TOWN + "002"), 404),
        (token("volunteer", sub="None"), 404),
        (token("operator"), 403),
        (token("auditor", "statistician", "registrar", "coordinator", "receiver", "hotline"), 403),
        ({}, 401),
    ]
    for headers, status in strangers:
        answer = await read(client, case["_id"], headers)
        assert answer.status_code == status
        assert PHONE not in answer.text
    assert await world.audit_log() == []
    no_reason = await client.post(
        f"/v1/cases/{case['_id']}/contact", json={"reason": "   "}, headers=token("duty_officer")
    )
    assert (no_reason.status_code, no_reason.json()["field"]) == (422, "body.reason")


async def test_the_responder_reads_it_from_accepting_to_being_done(world: World, client: httpx.AsyncClient) -> None:
    case = await world.flag(sealed_contact=world.keys.seal(CONTACT), **HIGH)
    key, responder = case["_id"], new_id()
    offer = {
        "offer_id": new_id(),
        "request_id": case["responder"]["request_id"],
        "case_id": key,
        "responder_id": responder,
        "division": case["division"],
        "tier": case["tier"],
    }
    volunteer = world.keys.token("volunteer", sub=str(responder), division=NEIGHBOUR)
    await world.take(ResponderOffered.model_validate({**stamp(), **offer, "expires_at": world.now}))
    assert (await read(client, key, volunteer)).status_code == 404, "asked is not accepted"
    assert (await client.get(f"/v1/cases/{key}", headers=volunteer)).status_code == 404
    await world.take(OfferAccepted.model_validate({**stamp(), **offer, "seconds": 3}))
    assert (await read(client, key, volunteer)).json()["contacts"][0]["phone"] == PHONE
    assert (await client.get(f"/v1/cases/{key}", headers=volunteer)).status_code == 200
    assert (await client.post(f"/v1/cases/{key}/release", headers=volunteer)).status_code == 200
    assert (await read(client, key, volunteer)).status_code == 404, "done is done"
    assert (await client.get(f"/v1/cases/{key}", headers=volunteer)).status_code == 404


async def test_every_contact_of_a_person_is_shown_the_newest_first(world: World, client: httpx.AsyncClient) -> None:
    for number in ("000-0000-0001", "000-0000-0002"):
        case = await world.flag(caller=person(), sealed_contact=world.keys.seal({"phone": number}), **HIGH)
    answer = await read(client, case["_id"], world.keys.token("supervisor"))
    assert [contact["phone"] for contact in answer.json()["contacts"]] == ["000-0000-0002", "000-0000-0001"]


async def test_whose_key_is_deleted_is_forgotten(world: World, client: httpx.AsyncClient) -> None:
    case = await world.flag(caller=person(), sealed_contact=world.keys.seal(CONTACT), **HIGH)
    other = await world.flag(caller=person(2), sealed_contact=world.keys.seal({"phone": "000-0000-0002"}), **HIGH)
    await world.do(lambda tx: world.office.keys.erase(tx, person()))
    officer = world.keys.token("duty_officer")
    assert (await read(client, case["_id"], officer)).json() == {"contacts": []}
    assert len((await read(client, other["_id"], officer)).json()["contacts"]) == 1


@pytest.mark.parametrize("caller", [person(), None], ids=["known", "unknown"])
async def test_nothing_in_the_database_holds_the_plain_contact(
    world: World, client: httpx.AsyncClient, mongod: str, database_name: str, caller: str | None
) -> None:
    sealed = world.keys.seal(CONTACT)
    case = await world.flag(caller=caller, sealed_contact=sealed, **HIGH)
    await read(client, case["_id"], world.keys.token("duty_officer"))
    held = everything(mongod, database_name)
    assert case["_id"].bytes in held, "the search reads what is there"
    for value in CONTACT.values():
        assert value.encode() not in held
    assert sealed.encode() not in held


ABYSS = b'{"phone":' + b"[" * 11_000


@pytest.mark.parametrize(
    "sealed",
    [b"", b"[]", b'"x"', b"\xff\xfe", b"null", ABYSS, b'{"phone":"\\ud800"}'],
    ids=["empty", "list", "text", "not utf-8", "null", "abyss", "half a character"],
)
async def test_a_contact_that_cannot_be_read_stops_no_flag(world: World, sealed: bytes) -> None:
    case = await world.flag(caller=person(), sealed_contact=world.keys.seal(sealed), **HIGH)
    assert case["tier"] == "high"
    assert case["flags"][0]["contact_state"] == "unreadable"
    assert "contact_unreadable" in [line["kind"] for line in case["timeline"]]


async def test_a_seal_to_another_key_stops_no_flag(world: World) -> None:
    case = await world.flag(sealed_contact="AAAA.AAAA.AAAA.AAAA.AAAA", **HIGH)
    assert case["flags"][0]["contact_state"] == "unreadable"


async def test_a_person_whose_key_cannot_be_unwrapped_still_has_a_case(world: World) -> None:
    """A master key that was mixed up must not cost anyone the call."""

    async def spoil(tx: Any) -> None:
        tx.insert("person_keys", {"_id": person(), "wrapped": b"0" * 60, "made_at": tx.now})

    await world.do(spoil)
    case = await world.flag(caller=person(), sealed_contact=world.keys.seal(CONTACT), **HIGH)
    assert case["flags"][0]["contact_state"] == "unreadable"


async def test_two_contacts_of_one_new_person_in_one_group_share_a_key(world: World, client: httpx.AsyncClient) -> None:
    flags = [
        a_flag(caller=person(), sealed_contact=world.keys.seal({"phone": number}), **HIGH)
        for number in ("000-0000-0001", "000-0000-0002")
    ]
    await world.take(*flags)
    (case,) = await world.cases()
    answer = await read(client, case["_id"], world.keys.token("duty_officer"))
    assert {contact["phone"] for contact in answer.json()["contacts"]} == {"000-0000-0001", "000-0000-0002"}
