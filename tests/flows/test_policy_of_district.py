"""The audit of a district that has policies of its own."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from typer.testing import CliRunner

from contracts.topology import SERVICES
from services.crisis.domain.versions import SHIPPED
from tests.support.polling import eventually
from xinqiao.cli import app
from xinqiao.local import Stack

ROOT = Path(__file__).parents[2]
FLAG = "0193aaaa-0000-7000-8000-0000000000d1"


async def _of_version(stack: Stack, version: str | None) -> str:
    """Make the case of the flag one that was opened under this policy; the policy that it had before."""
    database = stack.installation.database("crisis", "crisis")
    try:

        async def found() -> Any:
            cases = await database.find("cases", {"flags.id": UUID(FLAG)}, limit=1)
            return cases[0]["_id"] if cases else None

        case_id = await eventually(found)

        async def change(tx: Any) -> str:
            case = await tx.get("cases", case_id)
            opened = case["opened_under"]
            if version is not None:
                tx.put("cases", {**case, "opened_under": {**opened, "policy": version}})
            return str(opened["policy"])

        return await database.transact(change)
    finally:
        database.close()


@pytest.fixture
def opened_by_district(stack: Stack) -> Any:
    """A case that was opened under a policy which does not ship."""
    flag = json.loads((ROOT / "contracts/examples/hotline.risk_flagged/v1/minimal.json").read_text())
    flag["id"] = FLAG
    token = stack.installation.token("hotline:12356-yanzhou", ["hotline"], "370812", hotline="12356-yanzhou")
    answer = httpx.post(
        f"{stack.http_url('crisis')}/v1/flags", json=flag, headers={"authorization": f"Bearer {token}"}, timeout=10
    )
    assert answer.status_code == 202, answer.text
    shipped = asyncio.run(_of_version(stack, None))
    yield asyncio.run(_of_version(stack, "district-1"))
    asyncio.run(_of_version(stack, shipped))


@pytest.mark.usefixtures("opened_by_district")
def test_the_audit_reads_the_policies_that_the_services_read(stack: Stack, tmp_path: Path) -> None:
    def audit(**more: str) -> Any:
        environment = {"XINQIAO_SECRETS": str(stack.secrets.root), "XINQIAO_NATS_URL": stack.nats_url, "TERM": "dumb"}
        environment |= {f"XINQIAO_HTTP_{name.upper()}": stack.http_url(name) for name in SERVICES}
        return CliRunner().invoke(app, ["audit"], env={**environment, **more})

    without = audit()
    assert without.exit_code == 1
    assert json.loads(without.output.splitlines()[-1])["wrong"] == 1, without.output
    assert "1 case(s) were opened under policy district-1, which is not known here" in without.output

    (tmp_path / "crisis").mkdir()
    file = tmp_path / "crisis" / "district-1.toml"
    shipped = next(SHIPPED.glob("*.toml")).read_text()
    file.write_text(
        shipped.replace('version = "2026-11"', 'version = "district-1"').replace("2024-01-01T00", "2024-01-02T00")
    )
    assert 'version = "district-1"' in file.read_text()
    known = audit(XINQIAO_POLICY_DIR=str(tmp_path))
    assert known.exit_code == 0, known.output

    file.write_text("version = 7\n")
    broken = audit(XINQIAO_POLICY_DIR=str(tmp_path))
    assert broken.exit_code == 1
    assert "district-1.toml" in broken.output.replace("\n", "")
