"""The bench of the search asks about people as the service writes them, and all who are asked answer the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from chassis.tx import Document
from services.registry.imports import PILOT_DIVISIONS, load_divisions
from services.registry.store import COLLECTIONS
from tests.bench import search_people
from tests.bench.search import registry, searches
from tests.bench.search_people import alike, everything, fill, shape
from tests.services.registry.support import TREE

PEOPLE = 3000


async def test_the_service_and_the_query_typed_by_hand_find_the_same_people(
    mongod: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_people, "NATIONAL_DIVISIONS", PILOT_DIVISIONS)
    async with registry(mongod, tmp_path) as (bench, keys):
        await bench.database.prepare(COLLECTIONS, 30)
        await load_divisions(bench.database, TREE)
        filled = await fill(bench.client, bench.database, keys, PEOPLE)
        assert await bench.database.count("volunteers", {}) == filled.total == PEOPLE
        assert await bench.database.count("volunteers", {"active": True}) == filled.counties.total()
        assert await bench.database.count("duties", {}) == filled.duties > 0
        for search in searches(filled).values():
            starts = await bench.starts(search)
            await bench.asks(search, starts)
            (found, _, documents), _, _ = await bench.examined(search, starts)
            assert documents >= found
        await bench.database._client.drop_database("search_bench")


def test_a_copy_with_other_keys_or_types_than_the_service_writes_is_noticed() -> None:
    written: list[Document] = [
        {"_id": "a", "rota": None, "skills": []},
        {"_id": "b", "rota": {"revision": 1}, "skills": ["grief"]},
    ]
    shapes = [shape(document) for document in written]
    alike({"_id": "c", "rota": {"revision": 2}, "skills": []}, shapes, everything(shapes))
    others: list[Document] = [
        {"_id": "c", "rota": None},
        {"_id": "c", "rota": None, "skills": [], "more": 1},
        {"_id": "c", "rota": {"revision": "1"}, "skills": []},
        {"_id": "c", "rota": {"revisions": 1}, "skills": []},
        {"_id": "c", "rota": None, "skills": [1]},
    ]
    for copy in others:
        with pytest.raises(AssertionError):
            alike(copy, shapes, everything(shapes))
