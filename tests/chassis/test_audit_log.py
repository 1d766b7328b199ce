"""The audit log read back."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from joserfc.jwk import OKPKey

from chassis import audit_log
from chassis.auth import Tokens, issue
from chassis.db import Database
from chassis.http import create_app
from chassis.tx import Tx
from tests.support.servers import open_database


@pytest.fixture
async def database(mongod: str, database_name: str) -> AsyncIterator[Database]:
    opened = open_database(mongod, "crisis", database_name)
    await opened.prepare({}, 30)

    async def three(tx: Tx) -> None:
        for division in ("370812", "370812001", "320706"):
            tx.record(actor="a", action="looked", subject="s", reason="because", division=division)

    await opened.transact(three)
    yield opened
    opened.close()


async def test_an_auditor_reads_the_entries_of_the_own_division(database: Database, tmp_path: Path) -> None:
    key = OKPKey.generate_key("Ed25519", {"kid": "test"})
    (tmp_path / "keys").write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    app = create_app("test", Tokens(tmp_path / "keys", "issuer", "xinqiao"), {})
    audit_log.routes(app, database)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as client:

        async def read(division: str, role: str = "auditor") -> list[str] | int:
            token = issue(key, "issuer", "xinqiao", 60, sub="someone", roles=[role], division=division)
            answer = await client.get("/v1/audit-log", headers={"authorization": f"Bearer {token}"})
            if answer.status_code != 200:
                return answer.status_code
            return [entry["division"] for entry in answer.json()["entries"]]

        assert await read("370812") == ["370812", "370812001"]
        assert await read("32") == ["320706"]
        assert await read("") == ["370812", "370812001", "320706"]
        assert await read("", "supervisor") == 403
    assert await audit_log.broken_links(database) == []
