"""Complaints: sealed, looked into and answered by someone whom they are not about."""

from __future__ import annotations

import json
from typing import Any

from chassis.clock import new_id
from services.registry.domain.complaints import NEXT, State, allows
from tests.services.registry.service_support import COUNTY, a_stretch, a_volunteer, an_organisation, write
from tests.services.registry.support import Registry

TEXT = "约定时间没有到岗（示例）"


def about(volunteer: str, **fields: Any) -> dict[str, Any]:
    return {"volunteer_id": volunteer, "kind": "absence", "text": TEXT, **fields}


async def test_a_complaint_goes_its_way_and_its_texts_are_read_on_record_only(registry: Registry) -> None:
    volunteer, ident = await a_volunteer(registry), new_id()
    path = f"/v1/complaints/{ident}"
    async with registry.client(COUNTY, "community_worker") as client:
        made = await client.put(path, json=about(volunteer))
        assert (made.status_code, made.json()["state"]) == (200, "received")
        assert (await client.put(path, json=about(volunteer))).json() == made.json()
        assert (await client.put(path, json=about(volunteer, text="另一件事"))).status_code == 409
        assert (await client.post(f"{path}/steps", json={"to": "looked_into"})).status_code == 403
    async with registry.client(COUNTY, "supervisor", subject="supervisor-1") as client:
        hasty = await client.post(f"{path}/steps", json={"to": "upheld", "answer": "情况属实"})
        assert hasty.status_code == 409
        assert (await client.post(f"{path}/steps", json={"to": "looked_into"})).json()["state"] == "looked_into"
        silent = await client.post(f"{path}/steps", json={"to": "upheld"})
        assert (silent.status_code, silent.json()["field"]) == (422, "answer")
        upheld = await client.post(f"{path}/steps", json={"to": "upheld", "answer": "情况属实，已提醒"})
        assert upheld.json()["state"] == "upheld"
        assert (await client.post(f"{path}/steps", json={"to": "not_upheld", "answer": "不属实"})).status_code == 409
        assert (await client.post(f"{path}/steps", json={"to": "closed"})).json()["state"] == "closed"
        read = await client.post(f"{path}/reveal", json={"reason": "复核"})
        assert (read.json()["text"], read.json()["answer"]) == (TEXT, "情况属实，已提醒")
        assert read.headers["cache-control"] == "no-store"
        listed = (await client.get("/v1/complaints", params={"state": "closed"})).json()["items"]
        assert [row["id"] for row in listed] == [str(ident)]
        assert "示例" not in json.dumps([listed, (await client.get(path)).json()], ensure_ascii=False)
    (audit,) = await registry.database.find("audit_log", {"action": "complaint.revealed"})
    assert (audit["actor"], audit["reason"]) == ("supervisor-1", "复核")
    events = await registry.events("complaint_moved")
    assert [event["state"] for event in events] == ["received", "looked_into", "upheld", "closed"]
    assert volunteer not in json.dumps(events)
    stored = await registry.database.get("complaints", ident)
    assert stored is not None
    assert TEXT.encode() not in stored["sealed"]


async def test_nobody_handles_a_complaint_about_oneself_or_a_record_of_ones_own(registry: Registry) -> None:
    volunteer, organisation = await a_volunteer(registry), await an_organisation(registry)
    record, ident = new_id(), new_id()
    async with registry.client(COUNTY, subject="organiser-1") as client:
        await write(client, volunteer, a_stretch(organisation), record)
        body = about(volunteer, kind="false_record", record_id=str(record))
        assert (await client.put(f"/v1/complaints/{ident}", json=body)).status_code == 200
        unknown = await client.put(f"/v1/complaints/{new_id()}", json=about(volunteer, record_id=str(new_id())))
        assert (unknown.status_code, unknown.json()["field"]) == (422, "record_id")
    path = f"/v1/complaints/{ident}"
    for subject in ("organiser-1", volunteer):
        async with registry.client(COUNTY, subject=subject) as client:
            assert (await client.post(f"{path}/steps", json={"to": "looked_into"})).status_code == 403
            assert (await client.post(f"{path}/reveal", json={"reason": "复核"})).status_code == 403
    async with registry.client(COUNTY, subject="registrar-2") as client:
        assert (await client.post(f"{path}/steps", json={"to": "looked_into"})).status_code == 200


async def test_a_complaint_of_another_division_does_not_exist(registry: Registry) -> None:
    volunteer, ident = await a_volunteer(registry), new_id()
    path = f"/v1/complaints/{ident}"
    async with registry.client(COUNTY) as client:
        await client.put(path, json=about(volunteer))
        assert (await client.put(f"/v1/complaints/{new_id()}", json=about(volunteer, kind="x"))).status_code == 422
    async with registry.client("370812") as client:
        assert (await client.get(path)).status_code == 404
        assert (await client.post(f"{path}/steps", json={"to": "looked_into"})).status_code == 404
        assert (await client.post(f"{path}/reveal", json={"reason": "复核"})).status_code == 404
        assert (await client.put(f"/v1/complaints/{new_id()}", json=about(volunteer))).status_code == 404


def test_a_complaint_moves_as_the_table_says() -> None:
    for state in State:
        assert {following for following in State if allows(state, following)} == NEXT[state]
    assert NEXT[State.looked_into] == {State.upheld, State.not_upheld}
