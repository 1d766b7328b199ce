"""The talent base and the volunteers are one register: two forms, two roles, one person; coded lists; large files."""

from __future__ import annotations

import io
import uuid
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from chassis.clock import local_day, now
from services.registry.domain.mistakes import Mistaken
from services.registry.domain.people import PERSON_TYPES, QUALIFICATIONS, Registration
from services.registry.domain.people_dates import Training, born, minor_until, trainings_told
from services.registry.domain.talent import TAGS, preferred_groups
from services.registry.forms import ANNEX_4, Submission, example_workbook, read_form, write_form
from services.registry.imports import export_volunteers, import_volunteers
from services.registry.imports import volunteers as importing
from tests.services.registry.hostile.files import csv_of, xls
from tests.services.registry.support import Registry, a_row, workbook

TOWN = "320706016"


def talents(*people: Registration) -> bytes:
    return write_form(people, Submission("附件4", "示例学校", day=date(2024, 4, 30)), "海州区", ANNEX_4)


def a_talent(name: str = "张示例", phone: str = "000-0000-0001", **fields: Any) -> Registration:
    told: dict[str, Any] = {"sex": "female", "age": 35, "major": "心理学", "qualifications": (3, 4), "trained": "yes"}
    return Registration(name, phone, **{**told, "roles": ("talent",), **fields})


async def taken(registry: Registry, content: bytes, **options: Any) -> Any:
    return await import_volunteers(registry.database, registry.keys, content, TOWN, **options)


async def documents(registry: Registry) -> list[dict[str, Any]]:
    return await registry.database.find("volunteers", {}, sort=[("_id", 1)])


def a_person(**fields: Any) -> dict[str, Any]:
    return {"division": TOWN, "name": "张示例", "phone": "000-0000-0001", "person_types": [1], **fields}


async def test_one_person_in_both_forms_is_one_entry_with_two_roles_and_two_lists_of_codes(registry: Registry) -> None:
    await taken(registry, workbook(a_row(types="1、3")))
    report = await taken(registry, talents(a_talent()), layout=ANNEX_4)
    assert (report.new, report.changed) == (0, 1)
    (document,) = await documents(registry)
    assert document["roles"] == ["volunteer", "talent"]
    assert (document["person_types"], document["qualifications"]) == ([1, 3], [3, 4])
    event = (await registry.events("volunteer_registered"))[-1]
    assert (event["roles"], event["person_types"], event["qualifications"]) == (["volunteer", "talent"], [1, 3], [3, 4])
    async with registry.client("320706") as client:
        opened = (await client.post(f"/v1/volunteers/{document['_id']}/reveal", json={"reason": "核对"})).json()
    # What only 附件1 asks for stays: an empty cell, or a bare yes, takes nothing away.
    assert (opened["major"], opened["training"], opened["employer"]) == ("心理学", "2023年5月 示例培训", "示例单位")
    assert opened["trainings"] == [{"when": "2023-05", "content": "示例培训"}]


async def test_both_forms_again_change_and_tell_nothing(registry: Registry) -> None:
    await taken(registry, workbook(a_row()))
    await taken(registry, talents(a_talent()), layout=ANNEX_4)
    await registry.forget_events()
    for content, layout in ((workbook(a_row()), None), (talents(a_talent()), ANNEX_4)):
        report = await taken(registry, content, **({"layout": layout} if layout else {}))
        assert (report.new, report.changed, report.unchanged) == (0, 0, 1)
    assert await registry.events("volunteer_registered") == []


async def test_the_talent_base_goes_out_in_its_layout_and_comes_back_unchanged(registry: Registry) -> None:
    await taken(registry, example_workbook(30, 4, layout=ANNEX_4), layout=ANNEX_4)
    await taken(registry, workbook(a_row("李示例", "000-1111-0002")))
    await registry.forget_events()
    content = await export_volunteers(registry.database, registry.keys, "320706", layout=ANNEX_4)
    sheet = openpyxl.load_workbook(io.BytesIO(content)).worksheets[0]
    assert sheet["A1"].value == "海州区社会心理服务人才信息库"
    assert len(read_form(content, local_day(now()), ANNEX_4).entries) == 30  # who is a volunteer only is not among them
    report = await taken(registry, content, layout=ANNEX_4)
    assert (report.new, report.changed, report.unchanged) == (0, 0, 30)


async def test_one_wrong_row_of_annex_4_and_nobody_is_taken(registry: Registry) -> None:
    book = openpyxl.load_workbook(io.BytesIO(talents(a_talent(), a_talent("李示例", "000-0000-0002"))))
    book.worksheets[0]["F6"] = "9"
    stream = io.BytesIO()
    book.save(stream)
    with pytest.raises(Mistaken) as caught:
        await taken(registry, stream.getvalue(), layout=ANNEX_4)
    (mistake,) = caught.value.mistakes
    assert (mistake.sheet, mistake.row, mistake.column) == ("附件4", 6, "资质")
    assert "1 至 6" in mistake.detail
    assert await documents(registry) == []


async def test_the_talent_base_over_http_keeps_who_handed_it_in(registry: Registry) -> None:
    async with registry.client("320706") as client:
        asked = {"division": TOWN}
        dry = await client.post("/v1/talent/import", params={**asked, "dry_run": "true"}, content=talents(a_talent()))
        assert (dry.json()["new"], await documents(registry)) == (1, [])
        good = await client.post("/v1/talent/import", params=asked, content=talents(a_talent()))
        assert (good.status_code, good.json()["new"]) == (200, 1)
        assert (await client.post("/v1/talent/import", params={"division": "370812"}, content=b"x")).status_code == 404
        out = await client.post("/v1/talent/export", json={"division": "320706", "reason": "上报"})
        assert read_form(out.content, local_day(now()), ANNEX_4).entries[0].person.qualifications == (3, 4)
        assert out.headers["cache-control"] == "no-store"
        outside = await client.post("/v1/talent/export", json={"division": "370812", "reason": "上报"})
        assert outside.status_code == 404
        listed = (await client.get("/v1/volunteers", params={"role": "talent"})).json()["items"]
        assert [item["roles"] for item in listed] == [["talent"]]
        assert (await client.get("/v1/volunteers", params={"role": "volunteer"})).json()["items"] == []
    (submission,) = await registry.database.find("submissions", {})
    assert (submission["form"], submission["unit"], submission["day"]) == ("附件4", "示例学校", "2024-04-30")
    async with registry.client("320706", "coordinator") as client:
        assert (await client.post("/v1/talent/import", params=asked, content=b"x")).status_code == 403


@pytest.mark.parametrize("make", [csv_of, xls], ids=["csv", "xls"])
async def test_other_formats_are_taken_over_http(registry: Registry, make: Any) -> None:
    async with registry.client("320706") as client:
        answer = await client.post("/v1/volunteers/import", params={"division": TOWN}, content=make(a_row()))
    assert (answer.status_code, answer.json()["new"]) == (200, 1)


# Ages


async def test_a_birth_date_is_sealed_its_year_is_not_and_the_age_is_derived(registry: Registry) -> None:
    async with registry.client("320706") as client:
        made = (await client.post("/v1/volunteers", json=a_person(birth_date="1940-02-29"))).json()
        assert made["birth_year"] == 1940
        assert made["age"] in (local_day(now()).year - 1940, local_day(now()).year - 1941)
        opened = (await client.post(f"/v1/volunteers/{made['id']}/reveal", json={"reason": "核对"})).json()
        assert opened["birth_date"] == "1940-02-29"
        late = await client.post("/v1/volunteers", json=a_person(phone="000-0000-0009", birth_date="2999-01-01"))
        assert (late.status_code, late.json()["field"]) == (422, "birth_date")
    (document,) = await documents(registry)
    assert "1940-02-29" not in str(document)
    assert document["age"] is None


@pytest.mark.parametrize("age", [61, 78, 99, 120])
async def test_nobody_is_too_old_to_volunteer(registry: Registry, age: int) -> None:
    report = await taken(registry, workbook(a_row(age=age)))
    assert (report.new, report.waiting) == (1, 0)
    (document,) = await documents(registry)
    assert document["active"]


def test_who_may_be_a_minor_is_told_by_the_month_and_never_too_early() -> None:
    day = date(2026, 11, 22)
    assert minor_until(born("2008-11-22", None, None), day, 18) is None
    assert minor_until(born("2008-11-23", None, None), day, 18) == date(2026, 12, 1)
    assert minor_until(born("2008-12-31", None, None), day, 18) == date(2027, 1, 1)
    assert minor_until(born("", 17, date(2026, 11, 22)), day, 18) == date(2027, 12, 1)
    assert minor_until(None, day, 18) is None


# Lists of codes


async def test_source_tags_networks_and_workforce_are_kept_told_and_asked_for(registry: Registry) -> None:
    codes: dict[str, Any] = {
        "source": "self-registered",
        "tags": ["veteran", "five-elders", "rural-culture"],
        "professions": ["lawyer"],
        "networks": ["education", "community"],
        "workforce": "social",
    }
    async with registry.client("320706") as client:
        made = (await client.post("/v1/volunteers", json=a_person(**codes))).json()
        assert made["professions"] == ["lawyer"]
        assert sorted(made["tags"]) == sorted(codes["tags"])
        for asked in (
            {"tag": "veteran"},
            {"profession": "lawyer"},
            {"network": "education"},
            {"workforce": "social"},
            {"source": "self-registered"},
        ):
            assert [item["id"] for item in (await client.get("/v1/volunteers", params=asked)).json()["items"]] == [
                made["id"]
            ]
        for asked in ({"tag": "moral-model"}, {"network": "medical"}, {"source": "organised"}):
            assert (await client.get("/v1/volunteers", params=asked)).json()["items"] == []
        wrong = await client.post("/v1/volunteers", json=a_person(tags=["律师"]))
        assert (wrong.status_code, wrong.json()["field"]) == (422, "body.tags.0")
        unknown = await client.post("/v1/volunteers", json=a_person(nickname="x"))
        assert (unknown.status_code, unknown.json()["field"]) == (422, "body.nickname")
    event = (await registry.events("volunteer_registered"))[0]
    assert (event["source"], event["workforce"]) == ("self-registered", "social")
    assert set(event["tags"]) == set(codes["tags"])
    await taken(registry, workbook(a_row()))
    (document,) = await documents(registry)  # neither form asks for them, so a form takes none away
    assert (document["source"], set(document["tags"])) == ("self-registered", set(codes["tags"]))


def test_every_group_that_the_plans_name_has_a_tag() -> None:
    assert set(TAGS.values()) == {
        "道德模范", "时代楷模", "五老", "农业专家", "资深工匠", "致富能手", "优秀家长", "退役军人", "消防志愿者",
        "乡土文化人才", "科技能人", "新乡贤", "群众性活动带头人",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "groups"),
    [
        ({"person_types": (3,)}, ("medical-worker",)),
        ({"person_types": (4,), "post": "心理教师"}, ("psychology-teacher",)),
        ({"person_types": (4,), "post": "教师"}, ()),
        ({"person_types": (1,), "qualifications": (5,)}, ("psychology-teacher",)),
        ({"person_types": (7,), "employer": "应用心理学专业"}, ("psychology-student",)),
        ({"person_types": (7,), "employer": "土木工程专业"}, ()),
        ({"person_types": (1, 2, 5, 6)}, ()),
    ],
)
def test_the_three_preferred_groups_are_known(fields: dict[str, Any], groups: tuple[str, ...]) -> None:
    assert preferred_groups(Registration("张示例", "000-0000-0001", **fields)) == groups


async def test_counts_tell_the_preferred_the_school_teachers_and_the_pools(registry: Registry) -> None:
    await taken(
        registry, workbook(a_row(types="3"), a_row("李示例", "000-0000-0002", types="7", employer="心理学专业"))
    )
    await taken(registry, talents(a_talent("王示例", "000-0000-0003", qualifications=())), layout=ANNEX_4)
    await taken(registry, talents(a_talent("赵示例", "000-0000-0004", qualifications=(5,))), layout=ANNEX_4)
    async with registry.client("320706") as client:
        await client.post("/v1/volunteers", json=a_person(phone="000-0000-0005", tags=["outstanding-parent"]))
    async with registry.client("320706", "statistician") as client:
        counts = (await client.get("/v1/people/counts")).json()
        talent = (await client.get("/v1/people/counts", params={"role": "talent"})).json()
        outside = await client.get("/v1/people/counts", params={"division": "370812"})
    assert counts["people"] == 5
    assert {row["code"]: row["people"] for row in counts["preferred"]} == {
        "medical-worker": 1, "psychology-teacher": 1, "psychology-student": 1,
    }  # fmt: skip
    (parents,) = [row for row in counts["tags"] if row["code"] == "outstanding-parent"]
    assert (parents["people"], parents["target"], parents["reached"]) == (1, 100, False)
    assert (talent["people"], talent["school_teachers"]) == (2, {"full_time": 0, "part_time": 1})
    assert talent["qualifications_none"] == 1
    assert outside.status_code == 404
    async with registry.client("320706", "volunteer") as client:
        assert (await client.get("/v1/people/counts")).status_code == 403


async def test_the_lists_are_told_apart_with_their_labels(registry: Registry) -> None:
    async with registry.client("320706", "statistician") as client:
        codes = (await client.get("/v1/people/codes")).json()
    assert codes["person_types"] == {str(code): label for code, label in PERSON_TYPES.items()}
    assert codes["qualifications"] == {str(code): label for code, label in QUALIFICATIONS.items()}
    assert set(codes["professions"].values()) == {"教师", "医生", "律师", "心理咨询师", "社会工作者"}
    assert set(codes["workforce"].values()) == {"职业化队伍", "专业化队伍", "社会化队伍"}
    assert set(codes["networks"].values()) == {"教育系统", "企事业单位系统", "医疗系统", "农村及基层社区系统"}
    assert set(codes["sources"].values()) == {"组织推动", "社会发动"}


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("是：2023年5月 示例培训", [("2023-05", "示例培训")]),
        ("2022年示例讲座；2023.5.6 示例工作坊", [("2022", "示例讲座"), ("2023-05-06", "示例工作坊")]),
        ("示例课程，2023年13月", [("", "示例课程"), ("2023", "")]),
        ("示例课程", [("", "示例课程")]),
        ("是", []),
        ("", []),
    ],
)
def test_a_training_cell_is_told_as_trainings_with_their_times(cell: str, told: list[tuple[str, str]]) -> None:
    assert list(trainings_told(cell)) == [Training(*one) for one in told]


async def test_someone_is_found_by_number_or_name_through_hashes_and_shown_masked(registry: Registry) -> None:
    await taken(registry, workbook(a_row(), a_row("李示例", "000-0000-0002")))
    async with registry.client("320706", "coordinator") as client:
        found = (await client.post("/v1/volunteers/find", json={"phone": "００００ 0000001"})).json()["items"]
        assert [(item["name"], item["phone"]) for item in found] == [("张**", "***0001")]
        both = await client.post("/v1/volunteers/find", json={"name": "张示例", "phone": "000-0000-0002"})
        assert both.json()["items"] == []
        assert (await client.post("/v1/volunteers/find", json={})).status_code == 422
    async with registry.client("370812") as client:
        assert (await client.post("/v1/volunteers/find", json={"name": "张示例"})).json()["items"] == []


# Large files


async def test_a_large_file_is_written_in_parts_and_finished_by_sending_it_again(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(importing, "WHOLE", 10)
    monkeypatch.setattr(importing, "TOGETHER", 20)
    file = tmp_path / "large.xlsx"
    file.write_bytes(example_workbook(50, 1))
    seen: list[tuple[int, int]] = []

    def stop(done: int, total: int) -> None:
        if done >= 30:
            raise RuntimeError("the plug is pulled")

    with pytest.raises(RuntimeError):
        await taken(registry, file, progress=stop)  # type: ignore[arg-type]
    assert 0 < len(await documents(registry)) < 50
    async with registry.client("320706") as client:
        (open_one,) = (await client.get("/v1/people/imports", params={"state": "writing"})).json()["items"]
        assert (open_one["people"], open_one["form"]) == (50, "附件1")
    assert await registry.database.count("submissions", {}) == 0
    report = await taken(registry, file, progress=lambda done, total: seen.append((done, total)))  # type: ignore[arg-type]
    assert (report.rows, report.new, report.unchanged) == (50, 50, 0)
    assert seen[-1] == (50, 50)
    assert len(await documents(registry)) == 50
    assert len(await registry.events("volunteer_registered")) == 50
    (done,) = await registry.database.find("imports", {})
    assert (done["state"], done["done"], done["new"]) == ("finished", 50, 50)
    assert await registry.database.count("submissions", {}) == 1
    again = await taken(registry, file)  # type: ignore[arg-type]
    assert (again.new, again.changed, again.unchanged) == (0, 0, 50)
    assert len(await registry.events("volunteer_registered")) == 50


async def test_one_wrong_row_of_a_large_file_and_nothing_is_written(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "WHOLE", 10)
    monkeypatch.setattr(importing, "TOGETHER", 20)
    book = openpyxl.load_workbook(io.BytesIO(example_workbook(50, 1)))
    book.worksheets[0]["I54"] = "无"
    stream = io.BytesIO()
    book.save(stream)
    with pytest.raises(Mistaken) as caught:
        await taken(registry, stream.getvalue())
    assert [(mistake.row, mistake.column) for mistake in caught.value.mistakes] == [(54, "联系电话")]
    assert await documents(registry) == []
    assert await registry.database.count("imports", {}) == 0


async def test_an_unknown_person_has_no_doubles_consents_or_pledge(registry: Registry) -> None:
    nobody = uuid.uuid4()
    async with registry.client("320706") as client:
        for path in ("doubles", "consents"):
            assert (await client.get(f"/v1/volunteers/{nobody}/{path}")).status_code == 404


async def test_an_entry_of_the_first_release_is_shown_changed_and_taken_over_by_a_form(registry: Registry) -> None:
    await taken(registry, workbook(a_row()))
    (document,) = await documents(registry)
    first = (
        "_id", "turns", "identity", "digest", "revision", "division", "unit", "sex", "age", "age_given_on",
        "birth_year", "person_types", "qualifications", "trained", "active", "erased", "sealed", "changed_at",
    )  # fmt: skip
    older = {name: document[name] for name in first}

    async def put(tx: Any) -> None:
        tx.put("volunteers", older)

    await registry.database.transact(put)
    async with registry.client("320706") as client:
        path = f"/v1/volunteers/{document['_id']}"
        assert (await client.get(path)).json()["roles"] == ["volunteer"]
        assert (await client.get(f"{path}/doubles")).json()["items"] == []
        assert (await client.get("/v1/volunteers")).json()["items"][0]["id"] == str(document["_id"])
        assert (await client.patch(path, json={"post": "主任"})).json()["revision"] == 2
    assert (await taken(registry, talents(a_talent()), layout=ANNEX_4)).changed == 1
