"""A matching service on a real database, with tokens for those who call it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pymongo
import pytest
from joserfc.jwk import OKPKey

from chassis.auth import issue
from chassis.service import Service
from chassis.settings import Settings
from services.matching.app import blueprint

Client = Callable[..., httpx.AsyncClient]


@pytest.fixture
def key() -> OKPKey:
    return OKPKey.generate_key("Ed25519", {"kid": "test"})


@pytest.fixture
def service_settings(mongod: str, tmp_path: Path, key: OKPKey) -> Settings:
    Path(tmp_path, "mongo-uri").write_text(mongod)
    Path(tmp_path, "keys.json").write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    with pymongo.MongoClient[Any](mongod) as client:
        client.drop_database("xinqiao_matching")
    return Settings(
        service="matching",
        mongo_uri_file=Path(tmp_path, "mongo-uri"),
        token_keys_file=Path(tmp_path, "keys.json"),
    )


@pytest.fixture
async def service(service_settings: Settings) -> AsyncIterator[Service]:
    """The service with its database, without a broker: what it publishes stays in the outbox."""
    made = Service(service_settings, blueprint(service_settings))
    await made.database.prepare(made.blueprint.collections, 30)
    yield made
    made.database.close()


def client_of(service: Service, key: OKPKey, role: str, subject: str, division: str) -> httpx.AsyncClient:
    """A caller with one role."""
    settings = service.settings
    token = issue(
        key, settings.token_issuer, settings.token_audience, 600, sub=subject, roles=[role], division=division
    )
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=service.app),
        base_url="http://matching",
        headers={"authorization": f"Bearer {token}"},
    )


@pytest.fixture
def caller(service: Service, key: OKPKey) -> Client:
    """Makes a client: `caller(role, subject, division)`."""

    def make(role: str, subject: object, division: str = "370812") -> httpx.AsyncClient:
        return client_of(service, key, role, str(subject), division)

    return make
