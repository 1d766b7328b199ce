"""Volunteers: taken and given as 附件1, known again, masked, read in plain only on record, and erased by their key."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import openpyxl
import pytest
from prometheus_client import REGISTRY

from chassis.clock import local_day, now
from chassis.errors import Refused
from services.registry.domain.mistakes import Mistaken
from services.registry.domain.people_dates import years_between
from services.registry.forms import example_workbook, read_form, reading
from services.registry.imports import export_volunteers, import_volunteers
from tests.services.registry.support import Registry, a_row, workbook

TOWN = "320706016"


def a_person(**fields: Any) -> dict[str, Any]:
    return {"division": TOWN, "name": "张示例", "phone": "000-0000-0001", "person_types": [1, 3], **fields}


async def taken(registry: Registry, *rows: tuple[object, ...], division: str = TOWN, **options: Any) -> Any:
    return await import_volunteers(registry.database, registry.keys, workbook(*rows), division, **options)


async def documents(registry: Registry) -> list[dict[str, Any]]:
    return await registry.database.find("volunteers", {}, sort=[("_id", 1)])


async def test_a_form_is_taken_and_told_without_personal_data(registry: Registry) -> None:
    report = await taken(registry, a_row(), a_row("李示例", "000-0000-0002", types="8=其他：律师", trained="否"))
    assert (report.rows, report.new) == (2, 2)
    first, second = await registry.events("volunteer_registered")
    assert (first["person_types"], first["trained"], first["division"]) == ([1, 3], True, TOWN)
    assert (second["person_types"], second["trained"], second["revision"]) == ([8], False, 1)
    assert first["qualifications"] == []
    everything = json.dumps([row["body"].decode() for row in await registry.database.find("outbox", {})])
    for personal in ("张示例", "0001", "律师", "示例单位"):
        assert personal not in everything


def leaves(value: Any) -> Iterator[bytes]:
    """Every value in a document, as bytes."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    else:
        yield value if isinstance(value, bytes) else str(value).encode()


async def test_nothing_personal_lies_open_in_the_database(registry: Registry) -> None:
    await taken(registry, a_row(types="8=其他：律师"))
    collections = ("volunteers", "submissions", "person_keys", "outbox", "audit_log")
    stored = b"|".join(
        [leaf for name in collections for row in await registry.database.find(name, {}) for leaf in leaves(row)]
    )
    for personal in ("张示例", "000-0000-0001", "律师", "示例单位", "示例培训", "示例填表人", "000-0000-0000"):
        assert personal.encode() not in stored
    assert "浦西社区卫生服务中心".encode() in stored


async def test_the_year_of_birth_is_kept_from_the_age_and_the_day_it_was_given(registry: Registry) -> None:
    await taken(registry, a_row(age="３５"))
    (document,) = await documents(registry)
    assert (document["age"], document["age_given_on"], document["birth_year"]) == (35, "2024-03-28", 1989)


async def test_who_handed_the_form_in_is_kept(registry: Registry) -> None:
    await taken(registry, a_row())
    (submission,) = await registry.database.find("submissions", {})
    assert (submission["unit"], submission["day"], submission["people"]) == ("浦西社区卫生服务中心", "2024-03-28", 1)
    opened = await registry.database.transact(
        lambda tx: registry.keys.persons.open(tx, submission["_id"], submission["sealed"])
    )
    assert opened == {"filled_by": "示例填表人", "phone": "000-0000-0000"}


async def test_the_same_form_again_makes_no_doubles_and_tells_nothing(registry: Registry) -> None:
    rows = [a_row(), a_row("李示例", "000-0000-0002")]
    await taken(registry, *rows)
    await registry.forget_events()
    report = await taken(registry, *reversed(rows))
    assert (report.new, report.changed, report.unchanged) == (0, 0, 2)
    assert len(await documents(registry)) == 2
    assert await registry.database.count("outbox", {}) == 0
    assert await registry.database.count("submissions", {}) == 1


async def test_a_changed_row_changes_the_person_and_bumps_the_revision(registry: Registry) -> None:
    await taken(registry, a_row(), a_row("李示例", "000-0000-0002"))
    await registry.forget_events()
    report = await taken(registry, a_row(phone="00000000001", types="1、2"), a_row("李示例", "000-0000-0002"))
    assert (report.new, report.changed, report.unchanged) == (0, 1, 1)
    (event,) = await registry.events("volunteer_registered")
    assert (event["revision"], event["person_types"]) == (2, [1, 2])
    assert len(await documents(registry)) == 2


async def test_one_wrong_row_and_nobody_is_taken(registry: Registry) -> None:
    with pytest.raises(Mistaken) as caught:
        await taken(registry, a_row(), a_row("李示例", "000-0000-0002", types="9"))
    (mistake,) = caught.value.mistakes
    assert (mistake.sheet, mistake.row, mistake.column) == ("登记表", 6, "人员类型")
    assert await documents(registry) == []
    assert await registry.database.count("outbox", {}) == 0


async def test_a_dry_run_tells_what_would_happen_and_changes_nothing(registry: Registry) -> None:
    await taken(registry, a_row())
    await registry.forget_events()
    report = await taken(registry, a_row(age=36), a_row("李示例", "000-0000-0002"), dry_run=True)
    assert (report.new, report.changed, report.dry_run) == (1, 1, True)
    (document,) = await documents(registry)
    assert document["revision"] == 1
    assert await registry.database.count("outbox", {}) == 0


async def test_an_unknown_division_is_refused(registry: Registry) -> None:
    with pytest.raises(Refused) as caught:
        await taken(registry, a_row(), division="320706999")
    assert caught.value.field == "division"


async def test_a_person_of_another_unit_of_the_county_is_no_double_and_not_taken_over(registry: Registry) -> None:
    await taken(registry, a_row())
    with pytest.raises(Mistaken) as caught:
        await taken(registry, a_row(), division="320706018", inside="320706018")
    assert caught.value.mistakes[0].reason == "registered_elsewhere"
    moved = await taken(registry, a_row(), division="320706018", inside="320706")
    assert moved.changed == 1
    (document,) = await documents(registry)
    assert document["division"] == "320706018"


async def test_the_same_person_in_another_county_is_another_entry(registry: Registry) -> None:
    await taken(registry, a_row())
    await taken(registry, a_row(), division="370812")
    assert len({row["identity"] for row in await documents(registry)}) == 2


async def test_qualifications_known_from_annex_4_survive_a_form_of_annex_1(registry: Registry) -> None:
    async with registry.client("320706") as client:
        body = a_person(
            qualifications=[3, 6], other_qualification="示例资质", sex="female", age=35, education="本科",
            trained="yes", training="2023年5月 示例培训", employer="示例单位", post="职员",
        )  # fmt: skip
        made = (await client.post("/v1/volunteers", json=body)).json()
    assert made["qualifications"] == [3, 6]
    report = await taken(registry, a_row())
    assert report.unchanged == 1
    await taken(registry, a_row(post="主任"))
    event = (await registry.events("volunteer_registered"))[-1]
    assert (event["qualifications"], event["person_types"], event["revision"]) == ([3, 6], [1, 3], 2)


async def test_a_register_of_a_thousand_people_is_one_transaction(registry: Registry) -> None:
    report = await import_volunteers(registry.database, registry.keys, example_workbook(1000, 1), TOWN)
    assert report.new == 1000
    assert len({row["at"] for row in await registry.database.find("outbox", {})}) == 1


async def test_an_export_is_read_back_without_a_change_and_is_on_record(registry: Registry) -> None:
    await import_volunteers(registry.database, registry.keys, example_workbook(40, 3), TOWN)
    content = await export_volunteers(registry.database, registry.keys, "320706", actor="a", reason="上报")
    today = local_day(now())
    given = read_form(content, today).entries
    told = read_form(example_workbook(40, 3), today).entries
    assert {replace(entry.person, age=None) for entry in given} == {replace(entry.person, age=None) for entry in told}
    years = years_between(date(2024, 3, 28), today)
    older = {entry.person.name: (entry.person.age or 0) + years for entry in told}
    assert {entry.person.name: entry.person.age for entry in given} == older
    (taken_in,) = await registry.database.find("audit_log", {"action": "volunteers.imported"})
    assert (taken_in["division"], taken_in["details"]) == (TOWN, {"new": 40, "changed": 0})
    (record,) = await registry.database.find("audit_log", {"action": "volunteers.exported"})
    assert record["division"] == "320706"
    assert (record["actor"], record["reason"], record["details"]["people"]) == ("a", "上报", 40)
    await registry.forget_events()
    back = await import_volunteers(registry.database, registry.keys, content, TOWN)
    assert (back.new, back.changed, back.unchanged) == (0, 0, 40)


# Over HTTP


async def test_lists_are_masked_and_paged(registry: Registry) -> None:
    await taken(registry, *[a_row(f"张示例{sign}", f"000-0000-{n:04d}") for n, sign in enumerate("甲乙丙丁戊")])
    await taken(registry, a_row("外区示例", "000-0000-0099"), division="370812")
    async with registry.client("320706", "coordinator") as client:
        first = (await client.get("/v1/volunteers", params={"limit": 3})).json()
        second = (await client.get("/v1/volunteers", params={"limit": 3, "after": first["next"]})).json()
        shown = first["items"] + second["items"]
        assert [item["phone"] for item in shown] == [f"***{n:04d}" for n in range(5)]
        assert {item["name"] for item in shown} == {"张**"}
        assert second["next"] is None
        one = (await client.get(f"/v1/volunteers/{shown[0]['id']}")).json()
        assert one == shown[0]
        assert "示例" not in json.dumps(shown, ensure_ascii=False)
        only = await client.get("/v1/volunteers", params={"person_type": 2})
        assert only.json()["items"] == []


async def test_a_plain_reading_needs_the_role_and_a_reason_and_is_on_record(registry: Registry) -> None:
    await taken(registry, a_row())
    (document,) = await documents(registry)
    path = f"/v1/volunteers/{document['_id']}/reveal"
    before = REGISTRY.get_sample_value("xinqiao_personal_reads_total", {"what": "volunteer"}) or 0
    async with registry.client("320706", "coordinator") as client:
        assert (await client.post(path, json={"reason": "回访"})).status_code == 403
    async with registry.client("320706", subject="registrar-7") as client:
        assert (await client.post(path, json={})).status_code == 422
        answer = await client.post(path, json={"reason": "核对登记"})
    assert answer.json()["name"] == "张示例"
    assert answer.json()["phone"] == "000-0000-0001"
    assert answer.headers["cache-control"] == "no-store"
    (record,) = await registry.database.find("audit_log", {"action": "volunteer.revealed"})
    assert (record["actor"], record["subject"], record["reason"]) == ("registrar-7", str(document["_id"]), "核对登记")
    assert record["division"] == document["division"]
    assert REGISTRY.get_sample_value("xinqiao_personal_reads_total", {"what": "volunteer"}) == before + 1


async def test_a_volunteer_outside_the_callers_division_does_not_exist(registry: Registry) -> None:
    await taken(registry, a_row(), division="370812")
    (document,) = await documents(registry)
    ident = document["_id"]
    async with registry.client("320706") as client:
        assert (await client.get(f"/v1/volunteers/{ident}")).status_code == 404
        assert (await client.post(f"/v1/volunteers/{ident}/reveal", json={"reason": "核对"})).status_code == 404
        assert (await client.post(f"/v1/volunteers/{ident}/erase", json={"reason": "核对"})).status_code == 404
        assert (await client.patch(f"/v1/volunteers/{ident}", json={"active": False})).status_code == 404
        assert (await client.post("/v1/volunteers", json=a_person(division="370812"))).status_code == 404
        imported = await client.post("/v1/volunteers/import", params={"division": "370812"}, content=workbook(a_row()))
        assert imported.status_code == 404
        assert (await client.get("/v1/volunteers", params={"division": "370812"})).status_code == 404
        exported = await client.post("/v1/volunteers/export", json={"division": "370812", "reason": "上报"})
        assert exported.status_code == 404
    assert await registry.database.count("audit_log", {"action": "volunteer.revealed"}) == 0


async def test_an_erased_person_is_gone_and_others_are_told(registry: Registry) -> None:
    await taken(registry, a_row(), a_row("李示例", "000-0000-0002"))
    ident = (await documents(registry))[0]["_id"]
    async with registry.client("320706") as client:
        answer = await client.post(f"/v1/volunteers/{ident}/erase", json={"reason": "本人要求"})
        assert answer.status_code == 200
        assert (answer.json()["erased"], answer.json()["active"]) == (True, False)
        again = await client.post(f"/v1/volunteers/{ident}/erase", json={"reason": "本人要求"})
        assert again.json() == answer.json()
        assert (await client.post(f"/v1/volunteers/{ident}/reveal", json={"reason": "核对"})).status_code == 409
        assert (await client.patch(f"/v1/volunteers/{ident}", json={"active": True})).status_code == 409
        listed = (await client.get("/v1/volunteers")).json()["items"]
    assert [item["erased"] for item in listed] == [True, False]
    assert await registry.database.get("person_keys", ident) is None
    document = await registry.database.get("volunteers", ident)
    assert document is not None
    assert not {"sealed", "identity", "digest", "birth_year", "sex"} & document.keys()
    event = (await registry.events("volunteer_registered"))[-1]
    assert (event["volunteer_id"], event["revision"], event["active"]) == (str(ident), 2, False)
    assert event["person_types"] == []
    (record,) = await registry.database.find("audit_log", {"action": "volunteer.erased"})
    assert record["division"] == TOWN
    assert (await taken(registry, a_row())).new == 1


async def test_a_volunteer_is_registered_and_changed_field_by_field(registry: Registry) -> None:
    async with registry.client("320706") as client:
        made = await client.post("/v1/volunteers", json=a_person(trained="yes", training="示例培训"))
        assert made.status_code == 201
        path = f"/v1/volunteers/{made.json()['id']}"
        assert (await client.post("/v1/volunteers", json=a_person())).status_code == 409
        same = await client.patch(path, json={"person_types": [3, 1]})
        assert same.json()["revision"] == 1
        changed = await client.patch(path, json={"person_types": [8], "other_type": "律师", "qualifications": [1]})
        assert (changed.json()["revision"], changed.json()["person_types"]) == (2, [8])
        opened = (await client.post(f"{path}/reveal", json={"reason": "核对"})).json()
        assert (opened["other_type"], opened["training"], opened["name"]) == ("律师", "示例培训", "张示例")
        stopped = await client.patch(path, json={"active": False})
        assert (stopped.json()["revision"], stopped.json()["active"]) == (3, False)
    events = await registry.events("volunteer_registered")
    assert [(event["revision"], event["active"]) for event in events] == [(1, True), (2, True), (3, False)]
    assert events[1]["qualifications"] == [1]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"person_types": [8]}, "other_type"),
        ({"person_types": [9]}, "body.person_types.0"),
        ({"person_types": []}, "body.person_types"),
        ({"qualifications": [6]}, "other_qualification"),
        ({"qualifications": [7]}, "body.qualifications.0"),
        ({"phone": "无"}, "phone"),
        ({"name": "123"}, "name"),
        ({"age": 0}, "body.age"),
        ({"division": "320706999"}, "division"),
    ],
)
async def test_what_cannot_be_registered_is_answered_with_its_field(
    registry: Registry, fields: dict[str, Any], field: str
) -> None:
    async with registry.client("320706") as client:
        answer = await client.post("/v1/volunteers", json=a_person(**fields))
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert answer.headers["content-type"] == "application/problem+json"
    assert await documents(registry) == []


async def test_a_form_over_http_is_taken_or_answered_with_every_mistake(registry: Registry) -> None:
    async with registry.client("320706") as client:
        asked = {"division": TOWN}
        dry = await client.post(
            "/v1/volunteers/import",
            params={**asked, "dry_run": "true"},
            files={"file": ("form.xlsx", workbook(a_row()))},
        )
        assert (dry.json()["new"], dry.json()["dry_run"]) == (1, True)
        assert await documents(registry) == []
        good = await client.post("/v1/volunteers/import", params=asked, content=workbook(a_row()))
        assert (good.status_code, good.json()["new"]) == (200, 1)
        bad = await client.post(
            "/v1/volunteers/import", params=asked, content=workbook(a_row("李示例", ""), a_row("王示例", types="十"))
        )
        assert bad.status_code == 422
        assert [(item["sheet"], item["row"], item["column"]) for item in bad.json()["errors"]] == [
            ("登记表", 5, "联系电话"),
            ("登记表", 6, "人员类型"),
        ]
        assert "登记表" in bad.json()["detail"]
        wrong = await client.post("/v1/volunteers/import", params=asked, content=b"\x00not a workbook")
        assert (wrong.status_code, wrong.json()["reason"]) == (422, "not_a_workbook")
        large = await client.post("/v1/volunteers/import", params=asked, content=bytes(33 * 1024 * 1024))
        assert large.status_code == 413


async def test_an_upload_that_hides_its_size_is_cut_off(registry: Registry) -> None:
    async def endless() -> Any:
        for _ in range(40):
            yield bytes(1024 * 1024)

    async with registry.client("320706") as client:
        answer = await client.post("/v1/volunteers/import", params={"division": TOWN}, content=endless())
    assert answer.status_code == 413


async def test_a_register_is_exported_over_http(registry: Registry) -> None:
    await taken(registry, a_row(employer="=1+1"))
    async with registry.client("320706") as client:
        answer = await client.post("/v1/volunteers/export", json={"division": "320706", "reason": "上报"})
    assert answer.headers["content-type"].endswith("spreadsheetml.sheet")
    sheet = openpyxl.load_workbook(io.BytesIO(answer.content)).worksheets[0]
    assert sheet["A1"].value == "海州区社区心理服务志愿者登记表"
    assert sheet["A5"].value == "张示例"


async def test_too_many_people_for_one_workbook_are_refused(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MAX_PEOPLE", 3)
    with pytest.raises(Refused) as caught:
        await import_volunteers(registry.database, registry.keys, example_workbook(4, 1), TOWN)
    assert caught.value.reason == "too_large"


async def test_an_unknown_volunteer_is_not_found(registry: Registry) -> None:
    async with registry.client("320706") as client:
        assert (await client.get(f"/v1/volunteers/{uuid.uuid4()}")).status_code == 404


async def test_a_person_cannot_be_changed_into_another_who_is_registered(registry: Registry) -> None:
    await taken(registry, a_row(), a_row("李示例", "000-0000-0002"))
    second = (await documents(registry))[1]["_id"]
    async with registry.client("320706") as client:
        answer = await client.patch(f"/v1/volunteers/{second}", json={"name": "张示例", "phone": "000-0000-0001"})
    assert answer.status_code == 409
    document = await registry.database.get("volunteers", second)
    assert document is not None
    assert document["revision"] == 1
