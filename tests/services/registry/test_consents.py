"""Consents and their withdrawal, minors and their guardians, and the pledge of confidentiality."""

from __future__ import annotations

from typing import Any

import pytest

from services.registry.domain.consents import NEXT, Consent, allows
from services.registry.imports import import_volunteers
from tests.services.registry.places_support import person, place, staffed
from tests.services.registry.support import Registry, a_row, workbook

TOWN = "320706016"
GUARDIAN = {"name": "李示例", "phone": "000-0000-0002", "relation": "母亲"}
GIVEN = {"state": "given", "version": "2026-11", "on": "2026-03-02"}


async def a_volunteer(client: Any, **fields: Any) -> dict[str, Any]:
    body = {"division": TOWN, "name": "张示例", "phone": "000-0000-0001", "person_types": [7], **fields}
    made = await client.post("/v1/volunteers", json=body)
    assert made.status_code == 201, made.text
    return dict(made.json())


async def test_a_minor_waits_for_the_guardians_consent_and_becomes_active_with_it(registry: Registry) -> None:
    async with registry.client("320706") as client:
        minor = await a_volunteer(client, age=16)
        assert (minor["minor"], minor["active"], minor["waits_for"]) == (True, False, ["guardian_consent"])
        waiting = (await client.get("/v1/volunteers", params={"waiting": "true"})).json()["items"]
        assert [item["id"] for item in waiting] == [minor["id"]]
        path = f"/v1/volunteers/{minor['id']}"
        assert (await client.patch(path, json={"active": True})).json()["active"] is False
        unnamed = await client.put(f"{path}/consents/guardian", json=GIVEN)
        assert (unnamed.status_code, unnamed.json()["field"]) == (422, "guardian")
        body = {**GIVEN, "guardian": GUARDIAN}
        agreed = (await client.put(f"{path}/consents/guardian", json=body)).json()
        assert (agreed["active"], agreed["minor"], agreed["waits_for"]) == (True, True, [])
        again = (await client.put(f"{path}/consents/guardian", json=body)).json()
        assert again == agreed
        taken_back = {**GIVEN, "state": "withdrawn", "on": "2026-04-01"}
        stopped = (await client.put(f"{path}/consents/guardian", json=taken_back)).json()
        assert (stopped["active"], stopped["waits_for"]) == (False, ["guardian_consent"])
    told = await registry.events("volunteer_registered")
    assert [(event["active"], event["minor"]) for event in told] == [(False, True), (True, True), (False, True)]
    consents = await registry.events("consent_recorded")
    assert [(event["purpose"], event["given"], event["revision"]) for event in consents] == [
        ("guardian", True, 1),
        ("guardian", False, 2),
    ]
    assert "李示例" not in str(await registry.database.find("volunteers", {}))


async def test_the_guardian_is_read_in_plain_on_record_only(registry: Registry) -> None:
    async with registry.client("320706", subject="registrar-7") as client:
        minor = await a_volunteer(client, age=16)
        path = f"/v1/volunteers/{minor['id']}"
        await client.put(f"{path}/consents/guardian", json={**GIVEN, "guardian": GUARDIAN})
        listed = (await client.get(f"{path}/consents")).json()
        assert [(item["purpose"], item["guardian_named"]) for item in listed["items"]] == [("guardian", True)]
        assert "李" not in str(listed)
        opened = await client.post(f"{path}/guardian/reveal", json={"reason": "联系监护人"})
        assert {name: opened.json()[name] for name in GUARDIAN} == GUARDIAN
        assert opened.headers["cache-control"] == "no-store"
    (record,) = await registry.database.find("audit_log", {"action": "guardian.revealed"})
    assert (record["actor"], record["reason"]) == ("registrar-7", "联系监护人")
    async with registry.client("370812") as client:
        assert (await client.post(f"{path}/guardian/reveal", json={"reason": "核对"})).status_code == 404
    async with registry.client("320706", "coordinator") as client:
        assert (await client.post(f"{path}/guardian/reveal", json={"reason": "核对"})).status_code == 403
        assert (await client.put(f"{path}/consents/matching", json=GIVEN)).status_code == 403


async def test_minors_in_a_form_are_kept_counted_and_not_active(registry: Registry) -> None:
    rows = (a_row(age=35), a_row("李示例", "000-0000-0002", age=10))
    report = await import_volunteers(registry.database, registry.keys, workbook(*rows), TOWN)
    assert (report.new, report.waiting) == (2, 1)
    active = {row["age"]: row["active"] for row in await registry.database.find("volunteers", {})}
    assert active == {35: True, 10: False}


async def test_who_takes_the_consent_to_the_registration_back_is_asked_nothing_more(registry: Registry) -> None:
    async with registry.client("320706") as client:
        one = await a_volunteer(client, age=30)
        path = f"/v1/volunteers/{one['id']}/consents"
        never = await client.put(f"{path}/registration", json={**GIVEN, "state": "withdrawn"})
        assert (never.status_code, never.json()["reason"]) == (409, "not_given")
        assert (await client.put(f"{path}/registration", json=GIVEN)).json()["active"] is True
        back = {**GIVEN, "state": "withdrawn", "on": "2026-05-01"}
        assert (await client.put(f"{path}/registration", json=back)).json()["active"] is False
        (item,) = (await client.get(path)).json()["items"]
        assert (item["state"], [entry["state"] for entry in item["history"]]) == ("withdrawn", ["given", "withdrawn"])
        assert item["label"] == "登记和保存个人信息"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"on": "2999-01-01"}, "on"),
        ({"state": "perhaps"}, "body.state"),
        ({"version": ""}, "body.version"),
        ({"guardian": GUARDIAN}, "guardian"),
        ({"extra": 1}, "body.extra"),
    ],
)
async def test_what_is_no_consent_is_refused_with_its_field(
    registry: Registry, change: dict[str, Any], field: str
) -> None:
    async with registry.client("320706") as client:
        one = await a_volunteer(client)
        answer = await client.put(f"/v1/volunteers/{one['id']}/consents/matching", json={**GIVEN, **change})
    assert (answer.status_code, answer.json()["field"]) == (422, field)


async def test_the_pledge_in_force_is_signed_once_and_told(registry: Registry) -> None:
    async with registry.client("320706") as client:
        one = await a_volunteer(client)
        path = f"/v1/volunteers/{one['id']}"
        assert (await client.get(f"{path}/consents")).json()["pledge_holds"] is False
        older = await client.put(f"{path}/pledge", json={"version": "2019-01", "signed_on": "2026-03-02"})
        assert (older.status_code, older.json()["field"]) == (422, "version")
        late = await client.put(f"{path}/pledge", json={"version": "2026-11", "signed_on": "2999-03-02"})
        assert (late.status_code, late.json()["field"]) == (422, "signed_on")
        body = {"version": "2026-11", "signed_on": "2026-03-02"}
        signed = (await client.put(f"{path}/pledge", json=body)).json()
        assert signed["pledge"] == body
        assert (await client.put(f"{path}/pledge", json=body)).json() == signed
        assert (await client.get(f"{path}/consents")).json()["pledge_holds"] is True
    assert [event["pledge_version"] for event in await registry.events("volunteer_registered")] == [None, "2026-11"]
    async with registry.client("370812") as client:
        assert (await client.put(f"{path}/pledge", json=body)).status_code == 404


async def test_erasing_leaves_the_proof_of_a_consent_and_no_guardian(registry: Registry) -> None:
    async with registry.client("320706") as client:
        minor = await a_volunteer(client, age=16)
        path = f"/v1/volunteers/{minor['id']}"
        await client.put(f"{path}/consents/guardian", json={**GIVEN, "guardian": GUARDIAN})
        assert (await client.post(f"{path}/erase", json={"reason": "本人要求"})).status_code == 200
        assert (await client.post(f"{path}/guardian/reveal", json={"reason": "核对"})).status_code == 409
    (document,) = await registry.database.find("volunteers", {})
    assert document["consents"]["guardian"]["version"] == "2026-11"
    assert "sealed" not in document["consents"]["guardian"]
    assert await registry.database.get("person_keys", document["_id"]) is None


def test_nobody_takes_back_what_was_never_given() -> None:
    assert allows(None, Consent.given)
    assert not allows(None, Consent.withdrawn)
    assert {(one, other) for one in Consent for other in NEXT[one]} == {
        (Consent.given, Consent.given),
        (Consent.given, Consent.withdrawn),
        (Consent.withdrawn, Consent.given),
    }


async def test_who_takes_the_consent_to_being_named_back_is_on_no_wall(registry: Registry) -> None:
    async with registry.client("370812") as client:
        ident, who = await place(client), await person(client)
        await staffed(client, ident, who, on_wall=True)

        async def printed() -> str:
            answer = await client.post(f"/v1/places/{ident}/wall", json={"reason": "上墙公示"})
            assert answer.status_code == 200, answer.text
            return answer.text

        assert "张示例" in await printed()
        path = f"/v1/volunteers/{who}/consents/publication"
        await client.put(path, json=GIVEN)
        assert "张示例" in await printed()
        await client.put(path, json={**GIVEN, "state": "withdrawn", "on": "2026-05-01"})
        page = await printed()
        assert "张" not in page
        assert "张" not in (await client.get(f"/v1/places/{ident}/wall")).text
        assert "心理咨询师" in page, "the post is still posted"
