"""A registry to talk to: a real database with a few divisions, keys, tokens, and an HTTP client."""

from __future__ import annotations

import base64
import io
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openpyxl
import pytest
from fastapi import FastAPI
from joserfc.jwk import OKPKey

from chassis.auth import Tokens, issue
from chassis.db import Database
from chassis.http import create_app
from services.registry.api import routes
from services.registry.imports import load_divisions
from services.registry.keys import Keys
from services.registry.store import COLLECTIONS
from tests.support.emptied import make_empty
from tests.support.servers import open_database

TREE = [
    ("32", "江苏省"),
    ("3207", "连云港市"),
    ("320706", "海州区"),
    ("320706016", "浦西街道"),
    ("320706018", "新南街道"),
    ("37", "山东省"),
    ("3708", "济宁市"),
    ("370812", "兖州区"),
    ("370812001", "鼓楼街道"),
]


@dataclass
class Registry:
    """The parts of a registry under test."""

    database: Database
    keys: Keys
    app: FastAPI
    signing_key: OKPKey

    def client(self, division: str = "", *roles: str, subject: str = "registrar-1") -> httpx.AsyncClient:
        """A client whose token has these roles (a registrar's, where none is named) in a division."""
        claims: dict[str, Any] = {"sub": subject, "roles": list(roles or ("registrar",)), "division": division}
        token = issue(self.signing_key, "xinqiao-local", "xinqiao", 600, **claims)
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.app),
            base_url="http://registry",
            headers={"authorization": f"Bearer {token}"},
        )

    async def events(self, kind: str) -> list[dict[str, Any]]:
        """The bodies of the events that wait to be published, in their order."""
        rows = await self.database.find("outbox", {}, sort=[("_id", 1)])
        return [json.loads(row["body"]) for row in rows if row["headers"]["ce-type"] == f"registry.{kind}"]

    async def forget_events(self) -> None:
        await self.database.clear("outbox")


@pytest.fixture
async def registry(mongod: str, tmp_path: Path) -> AsyncIterator[Registry]:
    """A registry that knows the tree above and nothing else, its outbox empty."""
    database = open_database(mongod, "registry", "test_registry")
    await make_empty(database, mongod, COLLECTIONS)
    await load_divisions(database, TREE)
    await database.clear("outbox")
    master = tmp_path / "master.key"
    master.write_text(base64.b64encode(os.urandom(32)).decode())
    signing_key = OKPKey.generate_key("Ed25519", parameters={"kid": "test"}, auto_kid=False)
    public = tmp_path / "keys.json"
    public.write_text(json.dumps({"keys": [signing_key.as_dict(private=False)]}))
    keys = Keys.read(master)
    app = create_app("registry", Tokens(public, "xinqiao-local", "xinqiao"), {})
    routes(app, database, keys)
    yield Registry(database, keys, app, signing_key)
    database.close()


HEADER = (
    "姓名",
    "性别",
    "年龄",
    "学历",
    "人员类型 (可多选)\n1=心理咨询师 2=心理治疗师",
    "是否参加过\n心理健康相关培训",
    "工作单位/部门/学生请注明专业",
    "职务",
    "联系电话",
)


def workbook(*rows: tuple[object, ...], header: tuple[str, ...] = HEADER) -> bytes:
    """A form as a person would fill it in; the first of the rows is row 5 of the sheet `登记表`."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "登记表"
    sheet.append(["海州区社区心理服务志愿者登记表"])
    sheet.append(["浦西社区卫生服务中心"])
    sheet.append(["填表人： 示例填表人 联系电话： 000-0000-0000 2024 年 3 月 28 日"])
    sheet.append(header)
    for row in rows:
        sheet.append(list(row))
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def a_row(name: str = "张示例", phone: object = "000-0000-0001", **cells: object) -> tuple[object, ...]:
    """One person's row, with the cells named that shall be otherwise."""
    row: dict[str, object] = {
        "name": name,
        "sex": "女",
        "age": 35,
        "education": "本科",
        "types": "1、3",
        "trained": "是：2023年5月 示例培训",
        "employer": "示例单位",
        "post": "职员",
        "phone": phone,
    }
    return tuple({**row, **cells}.values())
