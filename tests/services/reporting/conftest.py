"""A reporting service on a fresh database, with tokens."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from joserfc.jwk import OKPKey

from chassis.auth import issue
from chassis.db import Database
from chassis.service import Service
from chassis.settings import Settings
from services.reporting.app import blueprint
from services.reporting.store import COLLECTIONS
from tests.support.servers import open_database

Tokens = Callable[..., dict[str, str]]


@pytest.fixture
async def database(mongod: str, database_name: str) -> AsyncIterator[Database]:
    opened = open_database(mongod, "reporting", database_name)
    await opened.prepare(COLLECTIONS, 30)
    yield opened
    opened.close()


@pytest.fixture
def signing_key() -> OKPKey:
    return OKPKey.generate_key("Ed25519", {"kid": "test"}, private=True)


@pytest.fixture
def token(signing_key: OKPKey) -> Tokens:
    def make(division: str, *roles: str) -> dict[str, str]:
        content = {"sub": "tester", "roles": list(roles or ("statistician",)), "division": division}
        return {"authorization": f"Bearer {issue(signing_key, 'xinqiao-local', 'xinqiao', 600, **content)}"}

    return make


@pytest.fixture
async def http(
    mongod: str, database: Database, signing_key: OKPKey, tmp_path: Path
) -> AsyncIterator[httpx.AsyncClient]:
    (tmp_path / "uri").write_text(mongod)
    (tmp_path / "keys").write_text(json.dumps({"keys": [signing_key.as_dict(private=False)]}))
    settings = Settings(service="reporting", mongo_uri_file=tmp_path / "uri", token_keys_file=tmp_path / "keys")
    service = Service(settings, blueprint(settings))
    service.database.close()
    service.database = database
    transport = httpx.ASGITransport(app=service.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://reporting") as client:
        yield client
