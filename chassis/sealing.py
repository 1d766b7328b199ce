"""Personal data under lock: sealed to a service on the way, and under each person's own key at rest.

Erasing a person is deleting a key. The plain text exists only in memory, in the answer to a read that was logged.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from chassis.tx import Tx

NONCE = 12
KEYS = "person_keys"
MAX_SEALED_FIELD = 2_000


class Unreadable(Exception):
    """What was sealed cannot be opened: another key, damaged, or erased."""


def read_master_key(path: Path) -> bytes:
    """32 bytes from a file that holds them in base64."""
    key = base64.b64decode(path.read_text().strip(), validate=True)
    if len(key) != 32:
        raise ValueError(f"{path} does not hold 32 bytes")
    return key


def keyed_hash(master_key: bytes, *parts: str) -> str:
    """HMAC-SHA-256 under a key derived from the master's, in hexadecimal: finds a person again without the name."""
    key = hmac.digest(master_key, b"xinqiao keyed hash", hashlib.sha256)
    return hmac.new(key, "\x1f".join(parts).encode(), hashlib.sha256).hexdigest()


class PersonKeys:
    """A data key for each person, wrapped by the service's master key, in the collection `person_keys`."""

    def __init__(self, master_key: bytes) -> None:
        self._master = AESGCM(master_key)

    async def load(self, tx: Tx, persons: Iterable[Any]) -> None:
        """Read the keys of many persons at once."""
        await tx.load(KEYS, persons)

    async def seal(self, tx: Tx, person: Any, fields: dict[str, str]) -> bytes:
        """Encrypt under the person's key, which is made when there is none."""
        row = await tx.get(KEYS, person)
        if row is None:
            key = os.urandom(32)
            row = {"_id": person, "wrapped": _encrypt(self._master, key, _label(person)), "made_at": tx.now}
            tx.insert(KEYS, row)
        else:
            key = self._unwrap(row)
        return _encrypt(AESGCM(key), json.dumps(fields, ensure_ascii=False).encode(), _label(person))

    async def open(self, tx: Tx, person: Any, sealed: bytes) -> dict[str, str]:
        """Decrypt; raises `Unreadable` once the person was erased."""
        row = await tx.get(KEYS, person)
        if row is None:
            raise Unreadable("the person was erased")
        content: dict[str, str] = json.loads(_decrypt(AESGCM(self._unwrap(row)), sealed, _label(person)))
        return content

    async def erase(self, tx: Tx, person: Any) -> None:
        """Delete the person's key; what was sealed under it is noise from then on."""
        tx.delete(KEYS, person)

    def _unwrap(self, row: dict[str, Any]) -> bytes:
        return _decrypt(self._master, row["wrapped"], _label(row["_id"]))


class Envelope:
    """Opens what hotlines sealed: JWE, compact, ECDH-ES with A256GCM, to this service's public key."""

    def __init__(self, private_jwk: Path) -> None:
        self._key = ECKey.import_key(json.loads(private_jwk.read_text()))
        self._registry = jwe.JWERegistry(algorithms=["ECDH-ES", "A256GCM"])

    def public_jwk(self) -> dict[str, Any]:
        """What hotlines seal to."""
        return dict(self._key.as_dict(private=False))

    def seal(self, fields: dict[str, str]) -> str:
        """What a hotline does with a contact, done for one that this service takes down itself."""
        plain = json.dumps(fields, ensure_ascii=False).encode()
        return jwe.encrypt_compact({"alg": "ECDH-ES", "enc": "A256GCM"}, plain, self._key, registry=self._registry)

    def open(self, sealed: str) -> dict[str, str]:
        """The fields `name`, `phone`, `address`, `note` that are there; raises `Unreadable`."""
        content = self._content(sealed)
        return {
            name: str(content[name])[:MAX_SEALED_FIELD]
            for name in ("name", "phone", "address", "note")
            if content.get(name)
        }

    def open_text(self, sealed: str) -> str:
        """What someone wrote, `text`, whole; raises `Unreadable`."""
        text = self._content(sealed).get("text")
        if not isinstance(text, str):
            raise Unreadable("there is no text")
        return text

    def _content(self, sealed: str) -> dict[str, Any]:
        try:
            plain = jwe.decrypt_compact(sealed, self._key, registry=self._registry).plaintext
            content = json.loads(plain or b"")
        except (JoseError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise Unreadable(type(error).__name__) from error
        if not isinstance(content, dict):
            raise Unreadable("not a JSON object")
        return content


def _label(person: Any) -> bytes:
    return str(person).encode()


def _encrypt(cipher: AESGCM, plain: bytes, label: bytes) -> bytes:
    nonce = os.urandom(NONCE)
    return nonce + cipher.encrypt(nonce, plain, label)


def _decrypt(cipher: AESGCM, sealed: bytes, label: bytes) -> bytes:
    try:
        return cipher.decrypt(sealed[:NONCE], sealed[NONCE:], label)
    except (InvalidTag, ValueError) as error:
        raise Unreadable("the seal does not hold") from error
