"""A database in memory for `chassis.tx.Tx`: what handlers see of MongoDB, without a server."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import partial
from typing import Any

from chassis.errors import Duplicate
from chassis.tx import Document, Key


class MemorySession:
    """Implements `chassis.tx.Session`. Queries know equality, `$in`, `$lt`, `$lte`, `$gt`, `$gte` and `$ne`."""

    def __init__(self, **collections: list[Document]) -> None:
        self.collections: dict[str, dict[Key, Document]] = {
            name: {document["_id"]: copy.deepcopy(document) for document in documents}
            for name, documents in collections.items()
        }
        self.round_trips = 0

    async def fetch(self, collection: str, keys: list[Key]) -> list[Document]:
        return await self.query(collection, {"_id": {"$in": keys}}, None, 0)

    async def query(
        self, collection: str, query: Mapping[str, Any], sort: list[tuple[str, int]] | None, limit: int
    ) -> list[Document]:
        self.round_trips += 1
        found = [document for document in self._documents(collection).values() if _fits(document, query)]
        for name, direction in reversed(sort or []):
            found.sort(key=partial(_value, name), reverse=direction < 0)
        return copy.deepcopy(found[:limit] if limit else found)

    async def write(self, collection: str, operations: list[tuple[str, Key, Any]]) -> None:
        self.round_trips += 1
        documents = self._documents(collection)
        for action, key, value in operations:
            match action:
                case "insert":
                    if key in documents:
                        raise Duplicate(collection)
                    documents[key] = copy.deepcopy(value)
                case "put":
                    documents[key] = copy.deepcopy(value)
                case "delete":
                    documents.pop(key, None)
                case "increment":
                    document = documents.setdefault(key, {"_id": key})
                    for path, amount in value.items():
                        _add(document, path.split("."), amount)
                case _:
                    raise ValueError(action)

    def _documents(self, collection: str) -> dict[Key, Document]:
        return self.collections.setdefault(collection, {})


def _add(document: dict[str, Any], path: list[str], amount: int) -> None:
    for step in path[:-1]:
        document = document.setdefault(step, {})
    document[path[-1]] = document.get(path[-1], 0) + amount


def _value(name: str, document: Document) -> Any:
    return document.get(name)


def _fits(document: Document, query: Mapping[str, Any]) -> bool:
    return all(_holds(document.get(name), wanted) for name, wanted in query.items())


def _holds(value: Any, wanted: Any) -> bool:
    if not (isinstance(wanted, Mapping) and wanted and all(str(name).startswith("$") for name in wanted)):
        return bool(value == wanted)
    for operator, operand in wanted.items():
        match operator:
            case "$in":
                holds = value in operand
            case "$ne":
                holds = value != operand
            case "$lt":
                holds = value is not None and value < operand
            case "$lte":
                holds = value is not None and value <= operand
            case "$gt":
                holds = value is not None and value > operand
            case "$gte":
                holds = value is not None and value >= operand
            case _:
                raise NotImplementedError(f"this fake does not know {operator}")
        if not holds:
            return False
    return True
