"""What each credential may do on a real mongod with authentication."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pymongo
import pytest
from pymongo.errors import OperationFailure

from contracts.topology import SERVICES
from xinqiao.local import Stack

UNAUTHORIZED = 13
Client = pymongo.MongoClient[dict[str, Any]]


def _client(stack: Stack, user: str) -> Client:
    return pymongo.MongoClient(stack.secrets.mongo_uri(user).read_text(), serverSelectionTimeoutMS=5_000)


def _denied(action: Callable[[], Any]) -> bool:
    with pytest.raises(OperationFailure) as raised:
        action()
    return raised.value.code == UNAUTHORIZED


@pytest.mark.parametrize("user", SERVICES)
def test_a_service_uses_its_own_database_and_no_other(stack: Stack, user: str) -> None:
    with _client(stack, user) as client:
        own = client[f"xinqiao_{user}"]
        own["probe"].insert_one({"_id": 1})
        assert own["probe"].find_one() == {"_id": 1}
        own["probe"].drop()
        others = [f"xinqiao_{other}" for other in SERVICES if other != user]
        for name in (*others, "admin", "local", "config"):
            collection = client[name]["cases"]
            assert _denied(collection.find_one), name
            assert _denied(partial(collection.insert_one, {})), name
            assert _denied(partial(client[name].command, "listCollections")), name
            assert _denied(partial(client.drop_database, name)), name


def test_the_auditor_reads_every_service_and_writes_nowhere(stack: Stack) -> None:
    with _client(stack, "auditor") as client:
        for service in SERVICES:
            collection = client[f"xinqiao_{service}"]["cases"]
            assert collection.find_one() is None
            assert _denied(partial(collection.insert_one, {}))


def test_nobody_reads_the_database_without_a_credential(stack: Stack) -> None:
    client: Client
    with pymongo.MongoClient(f"mongodb://127.0.0.1:{stack.ports.mongo}/?directConnection=true") as client:
        assert _denied(client["xinqiao_crisis"]["cases"].find_one)
