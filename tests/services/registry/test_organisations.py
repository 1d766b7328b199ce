"""Organisations: the units of the pilot districts, who of them receives referrals, and who backs whom up."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from services.registry.domain.mistakes import Mistaken
from services.registry.imports import ORGANISATIONS, PILOT_DIVISIONS, import_organisations, load_divisions
from tests.services.registry.support import Registry

HEADER = "name,division,kind,receives_referrals,around_the_clock,backup\n"


def a_hospital(**fields: Any) -> dict[str, Any]:
    return {
        "name": "示例医院",
        "division": "320706016",
        "kind": "hospital",
        "receives_referrals": True,
        **fields,
    }


async def test_the_sixteen_units_of_the_allocation_table_are_registered_once(registry: Registry) -> None:
    await load_divisions(registry.database, PILOT_DIVISIONS)
    report = await import_organisations(registry.database, ORGANISATIONS)
    assert (report.rows, report.new) == (19, 19)
    rows = await registry.database.find("organisations", {"division": {"$regex": "^320706"}})
    assert len(rows) == 16
    by_name = {row["name"]: row for row in rows}
    assert by_name["浦西社区卫生服务中心"]["division"] == "320706016"
    assert by_name["岗埠农场医院"]["kind"] == "hospital"
    schools = {row["name"] for row in rows if not row["receives_referrals"]}
    assert schools == {"连云港师范高等专科学校", "江苏海洋大学", "连云港中等专业学校"}
    by_id = {row["_id"]: row for row in rows}
    for row in rows:
        if row["receives_referrals"]:
            assert by_id[row["backup_id"]]["receives_referrals"]
            assert row["backup_id"] != row["_id"]
    elsewhere = await registry.database.find("organisations", {"division": {"$regex": "^370812"}})
    assert elsewhere
    assert all(row["name"].startswith("示例") for row in elsewhere)
    events = await registry.events("organisation_registered")
    assert {event["organisation_id"] for event in events} == {str(row["_id"]) for row in [*rows, *elsewhere]}
    assert all(event["revision"] == 1 for event in events)
    await registry.forget_events()
    again = await import_organisations(registry.database, ORGANISATIONS)
    assert (again.new, again.changed, again.unchanged) == (0, 0, 19)
    assert await registry.events("organisation_registered") == []


async def test_a_changed_row_bumps_the_revision_of_that_organisation_alone(registry: Registry) -> None:
    rows = "甲医院,320706016,hospital,1,0,乙医院\n乙医院,320706018,hospital,1,0,\n"
    await import_organisations(registry.database, (HEADER + rows).encode())
    await registry.forget_events()
    report = await import_organisations(
        registry.database, (HEADER + rows.replace("8,hospital,1,0", "8,hospital,1,1")).encode()
    )
    assert (report.changed, report.unchanged) == (1, 1)
    (event,) = await registry.events("organisation_registered")
    assert (event["name"], event["revision"], event["around_the_clock"]) == ("乙医院", 2, True)


@pytest.mark.parametrize(
    ("row", "column"),
    [
        (",320706,hospital,1,0,", "name"),
        ("丙医院,999999,hospital,1,0,", "division"),
        ("丙医院,320706,castle,1,0,", "kind"),
        ("丙医院,320706,hospital,yes,0,", "receives_referrals"),
        ("丙医院,320706,hospital,1,0,没有的医院", "backup"),
        ("丙医院,320706,hospital,1,0,丙医院", "backup"),
        ("丙医院,320706,hospital,1,0,丁学校", "backup"),
        ("甲医院,320706018,hospital,1,0,", "name"),
    ],
)
async def test_a_mistake_names_row_and_column_and_no_row_is_taken(registry: Registry, row: str, column: str) -> None:
    content = f"{HEADER}甲医院,320706016,hospital,1,0,\n丁学校,320706,school,0,0,\n{row}\n"
    with pytest.raises(Mistaken) as caught:
        await import_organisations(registry.database, content.encode())
    (mistake,) = caught.value.mistakes
    assert (mistake.row, mistake.column) == (4, column)
    assert await registry.database.count("organisations", {}) == 0


async def test_an_organisation_is_registered_changed_and_read(registry: Registry) -> None:
    async with registry.client("320706") as client:
        made = await client.post("/v1/organisations", json=a_hospital())
        assert made.status_code == 201
        ident = made.json()["id"]
        same = await client.put(f"/v1/organisations/{ident}", json=a_hospital())
        assert (same.status_code, same.json()["revision"]) == (200, 1)
        changed = await client.put(f"/v1/organisations/{ident}", json=a_hospital(active=False))
        assert changed.json()["revision"] == 2
        assert (await client.get(f"/v1/organisations/{ident}")).json() == changed.json()
    events = await registry.events("organisation_registered")
    assert [(event["revision"], event["active"]) for event in events] == [(1, True), (2, False)]


async def test_two_organisations_of_a_county_cannot_share_a_name(registry: Registry) -> None:
    async with registry.client("") as client:
        assert (await client.post("/v1/organisations", json=a_hospital())).status_code == 201
        again = await client.post("/v1/organisations", json=a_hospital(division="320706018"))
        assert again.status_code == 409
        elsewhere = await client.post("/v1/organisations", json=a_hospital(division="370812"))
        assert elsewhere.status_code == 201


async def test_the_backup_must_be_another_that_receives(registry: Registry) -> None:
    async with registry.client("320706") as client:
        school = (
            await client.post("/v1/organisations", json=a_hospital(name="示例学校", receives_referrals=False))
        ).json()
        other = (await client.post("/v1/organisations", json=a_hospital(name="示例后备医院"))).json()
        for backup in (school["id"], str(uuid.uuid4())):
            answer = await client.post("/v1/organisations", json=a_hospital(backup_id=backup))
            assert (answer.status_code, answer.json()["field"]) == (422, "backup_id")
        answer = await client.put(f"/v1/organisations/{other['id']}", json={**other, "backup_id": other["id"]})
        assert answer.status_code == 422
        answer = await client.post("/v1/organisations", json=a_hospital(backup_id=other["id"]))
        assert answer.json()["backup_id"] == other["id"]


async def test_an_organisation_outside_the_callers_division_does_not_exist(registry: Registry) -> None:
    async with registry.client("") as client:
        ident = (await client.post("/v1/organisations", json=a_hospital(division="370812"))).json()["id"]
    async with registry.client("320706") as client:
        assert (await client.get(f"/v1/organisations/{ident}")).status_code == 404
        assert (await client.put(f"/v1/organisations/{ident}", json=a_hospital())).status_code == 404
        assert (await client.post("/v1/organisations", json=a_hospital(division="370812"))).status_code == 404
        assert (await client.get("/v1/organisations", params={"division": "370812"})).status_code == 404
        assert (await client.get("/v1/organisations")).json()["items"] == []
        assert (await client.get(f"/v1/organisations/{uuid.uuid4()}")).status_code == 404
    async with registry.client("", "duty_officer") as client:
        assert (await client.get(f"/v1/organisations/{ident}")).status_code == 200
        assert (await client.post("/v1/organisations", json=a_hospital())).status_code == 403


async def test_a_list_by_division_is_paged_without_gaps_or_doubles(registry: Registry) -> None:
    rows = "".join(f"示例机构{number},320706016,primary_care,{number % 2},0,\n" for number in range(25))
    await import_organisations(registry.database, (HEADER + rows + "示例外区,370812,hospital,1,0,\n").encode())
    names: list[str] = []
    async with registry.client("320706") as client:
        after = None
        while True:
            asked = {"limit": "10", "division": "320706016", **({"after": after} if after else {})}
            page = (await client.get("/v1/organisations", params=asked)).json()
            names += [item["name"] for item in page["items"]]
            after = page["next"]
            if after is None:
                break
        receiving = (await client.get("/v1/organisations", params={"receives_referrals": "true"})).json()["items"]
        assert (await client.get("/v1/organisations", params={"limit": 201})).status_code == 422
    assert sorted(names) == sorted(f"示例机构{number}" for number in range(25))
    assert len(receiving) == 12


async def test_a_file_of_organisations_is_taken_over_http(registry: Registry) -> None:
    async with registry.client("320706") as client:
        content = f"{HEADER}示例医院,320706016,hospital,1,0,\n".encode()
        answer = await client.post("/v1/organisations/import", content=content)
        assert answer.json()["new"] == 1
        outside = await client.post("/v1/organisations/import", content=content.replace(b"320706016", b"370812"))
        assert outside.status_code == 422
        assert outside.json()["errors"][0]["column"] == "division"
        assert (await client.post("/v1/organisations/import", content=b"\xff\xfe")).json()["reason"] == "not_utf8"
        assert (await client.post("/v1/organisations/import", content=b"a,b\n")).json()["reason"] == "no_header"
