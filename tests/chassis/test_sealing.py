"""Sealed contacts on the way, personal fields at rest, and erasure."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.jwk import ECKey, OctKey

from chassis.db import Database
from chassis.sealing import KEYS, MAX_SEALED_FIELD, Envelope, PersonKeys, Unreadable, keyed_hash, read_master_key
from chassis.tx import Tx
from tests.support.memory import MemorySession

MASTER = bytes(range(32))
CONTACT = {"name": "张示例", "phone": "000-0000-0001", "note": "请晚上联系"}


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=200), max_size=5))
@settings(max_examples=50, deadline=None)
async def test_what_was_sealed_for_a_person_is_opened_for_that_person(fields: dict[str, str]) -> None:
    keys, tx = PersonKeys(MASTER), Tx(MemorySession(), "crisis")
    sealed = await keys.seal(tx, "person-1", fields)
    assert await keys.open(tx, "person-1", sealed) == fields
    again = await keys.seal(tx, "person-1", fields)
    assert again != sealed, "two seals of one text do not show that they are the same"
    assert await keys.open(tx, "person-1", sealed) == fields


async def test_what_was_sealed_for_one_person_is_not_opened_for_another() -> None:
    keys, tx = PersonKeys(MASTER), Tx(MemorySession(), "crisis")
    sealed = await keys.seal(tx, "person-1", CONTACT)
    await keys.seal(tx, "person-2", CONTACT)
    with pytest.raises(Unreadable):
        await keys.open(tx, "person-2", sealed)
    # Nor does a key that somebody copied to another person's row.
    row = await tx.get(KEYS, "person-1")
    assert row is not None
    tx.put(KEYS, {**row, "_id": "person-3"})
    with pytest.raises(Unreadable):
        await keys.open(tx, "person-3", sealed)


@given(st.integers(0, 10_000), st.integers(1, 255))
@settings(max_examples=60, deadline=None)
async def test_a_changed_byte_is_found(place: int, change: int) -> None:
    keys, tx = PersonKeys(MASTER), Tx(MemorySession(), "crisis")
    sealed = bytearray(await keys.seal(tx, "person-1", CONTACT))
    sealed[place % len(sealed)] ^= change
    with pytest.raises(Unreadable):
        await keys.open(tx, "person-1", bytes(sealed))
    with pytest.raises(Unreadable):
        await keys.open(tx, "person-1", bytes(sealed[: place % len(sealed)]))


async def test_another_master_key_opens_nothing() -> None:
    tx = Tx(MemorySession(), "crisis")
    sealed = await PersonKeys(MASTER).seal(tx, "person-1", CONTACT)
    with pytest.raises(Unreadable):
        await PersonKeys(bytes(32)).open(tx, "person-1", sealed)


async def test_an_erased_person_is_unreadable_for_good(database: Database) -> None:
    keys = PersonKeys(MASTER)

    async def read(tx: Tx) -> dict[str, str]:
        return await keys.open(tx, "person-1", sealed)

    sealed = await database.transact(lambda tx: keys.seal(tx, "person-1", CONTACT))
    assert await database.transact(read) == CONTACT
    await database.transact(lambda tx: keys.erase(tx, "person-1"))
    with pytest.raises(Unreadable):
        await database.transact(read)
    await database.transact(lambda tx: keys.seal(tx, "person-1", {"name": "another life"}))
    with pytest.raises(Unreadable):
        await database.transact(read)


async def test_nothing_at_rest_shows_the_plain_text(database: Database) -> None:
    keys = PersonKeys(MASTER)

    async def body(tx: Tx) -> None:
        tx.insert("cases", {"_id": 1, "sealed": await keys.seal(tx, "person-1", CONTACT)})

    await database.transact(body)
    rest = repr(await database.find("cases", {})) + repr(await database.find(KEYS, {}))
    for value in CONTACT.values():
        assert value not in rest
        assert repr(value.encode())[2:-1] not in rest


@pytest.fixture
def key() -> ECKey:
    return ECKey.generate_key("P-256", {"kid": "crisis-1", "use": "enc", "alg": "ECDH-ES"})


@pytest.fixture
def envelope(key: ECKey, tmp_path: Path) -> Envelope:
    path = tmp_path / "private.jwk"
    path.write_text(json.dumps(key.as_dict(private=True)))
    return Envelope(path)


REGISTRY = jwe.JWERegistry(algorithms=["ECDH-ES", "A256GCM", "A128GCM", "dir", "DEF"])


def seal(key: Any, content: bytes, **header: str) -> str:
    protected = {"alg": "ECDH-ES", "enc": "A256GCM", **header}
    return jwe.encrypt_compact(protected, content, key, registry=REGISTRY)


def test_a_contact_sealed_to_the_public_key_is_opened(envelope: Envelope) -> None:
    public = ECKey.import_key(envelope.public_jwk())
    assert not public.is_private
    assert envelope.open(seal(public, json.dumps({**CONTACT, "other": "x"}).encode())) == CONTACT


def test_a_long_field_is_cut_and_an_empty_one_is_absent(envelope: Envelope, key: ECKey) -> None:
    opened = envelope.open(seal(key, json.dumps({"note": "x" * 9_000, "name": "", "phone": None}).encode()))
    assert opened == {"note": "x" * MAX_SEALED_FIELD}


def test_a_contact_sealed_to_somebody_else_is_unreadable(envelope: Envelope) -> None:
    with pytest.raises(Unreadable):
        envelope.open(seal(ECKey.generate_key("P-256"), b"{}"))


@pytest.mark.parametrize("content", [b"", b"[]", b"text", b"\xff\xfe", b"null"])
def test_what_is_not_an_object_inside_is_unreadable(envelope: Envelope, key: ECKey, content: bytes) -> None:
    with pytest.raises(Unreadable):
        envelope.open(seal(key, content))


def test_another_algorithm_is_not_accepted(envelope: Envelope, key: ECKey) -> None:
    with pytest.raises(Unreadable):
        envelope.open(seal(OctKey.generate_key(256), b"{}", alg="dir"))
    with pytest.raises(Unreadable):
        envelope.open(seal(key, b"{}", enc="A128GCM"))
    with pytest.raises(Unreadable):
        envelope.open(seal(key, b" " * 1_000_000, zip="DEF"))


def test_a_tampered_contact_is_unreadable_whichever_part_was_changed(envelope: Envelope, key: ECKey) -> None:
    parts = seal(key, json.dumps(CONTACT).encode()).split(".")
    for place in (0, 2, 3, 4):
        for change in ("", "A", "AAAA", "!!!", parts[place][:-4] + "AAAA", "é"):
            changed = ".".join(change if number == place else part for number, part in enumerate(parts))
            with pytest.raises(Unreadable):
                envelope.open(changed)
    header = json.loads(base64.urlsafe_b64decode(parts[0] + "==="))
    for epk in ({}, {"kty": "EC"}, {**header["epk"], "x": "AAAA"}, {**header["epk"], "crv": "P-521"}, "text", None):
        forged = base64.urlsafe_b64encode(json.dumps({**header, "epk": epk}).encode()).decode().rstrip("=")
        with pytest.raises(Unreadable):
            envelope.open(".".join([forged, *parts[1:]]))
    for nonsense in ("", "a.b.c.d.e", "....", "a" * 100):
        with pytest.raises(Unreadable):
            envelope.open(nonsense)


def test_a_keyed_hash_needs_the_key_and_keeps_its_parts_apart() -> None:
    assert keyed_hash(MASTER, "a", "b") == keyed_hash(MASTER, "a", "b")
    assert len({keyed_hash(MASTER, "a", "b"), keyed_hash(MASTER, "ab"), keyed_hash(bytes(32), "a", "b")}) == 3


def test_a_master_key_of_another_length_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(base64.b64encode(bytes(16)).decode())
    with pytest.raises(ValueError, match="32 bytes"):
        read_master_key(path)
