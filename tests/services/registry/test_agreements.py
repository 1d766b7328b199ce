"""Agreements with partner units: their states, and sixteen signed by the end of October 2023."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.registry.domain.agreements import CLOSED, NEXT, State, allows, progress
from tests.services.registry.places_support import COUNTY, organisation
from tests.services.registry.support import Registry
from tests.services.registry.teams_support import put, refused

BY = date(2023, 10, 31)
SIGNED = {"to": "signed", "reason": "双方已签字盖章", "signed_on": "2023-10-31"}


def terms(centre: str, partner: str, **fields: Any) -> dict[str, Any]:
    return {"kind": "cooperation", "centre_id": centre, "partner_id": partner, "services": ["check_up"], **fields}


async def test_sixteen_partners_signed_by_the_end_of_october_meet_the_target(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        centre = await organisation(client, "示例心理健康中心", "service_provider")
        for number in range(16):
            if number == 15:
                before = (await client.get("/v1/agreements/progress", params={"day": "2023-10-31"})).json()
            partner = await organisation(client, f"示例单位{number}", "government" if number % 2 else "enterprise")
            ident = await put(client, "agreements", terms(centre, partner, services=["check_up", "crisis"]))
            assert (await client.post(f"/v1/agreements/{ident}/steps", json=SIGNED)).status_code == 200
        late = await organisation(client, "示例迟签单位", "school")
        ident = await put(client, "agreements", terms(centre, late))
        await client.post(f"/v1/agreements/{ident}/steps", json={**SIGNED, "signed_on": "2023-11-01"})
        uncounted = await organisation(client, "示例社会机构", "other")
        ident = await put(client, "agreements", terms(centre, uncounted))
        await client.post(f"/v1/agreements/{ident}/steps", json=SIGNED)
        after = (await client.get("/v1/agreements/progress", params={"day": "2023-11-02"})).json()
    assert (before["signed_in_time"], before["met"], before["days_left"], before["target"]) == (15, False, 0, 16)
    assert (after["signed_in_time"], after["signed"], after["met"], after["days_left"]) == (16, 17, True, -2)
    assert (after["by_service"]["crisis"], after["by_service"]["check_up"]) == (16, 17)
    events = [event for event in await registry.events("agreement_signed") if event["signed_on"]]
    assert len(events) == 18
    assert all("name" not in event for event in events)
    async with registry.client("320706") as client:
        assert (await client.get("/v1/agreements/progress")).json()["signed"] == 0
        assert (await client.get("/v1/agreements/progress", params={"division": COUNTY})).status_code == 404
        no_day = await client.get("/v1/agreements/progress", params={"day": "2023-02-30"})
        assert (no_day.status_code, no_day.json()["field"]) == (422, "query.day")


async def test_an_agreement_is_drafted_signed_suspended_and_ended_with_every_step_kept(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        centre, partner = (
            await organisation(client, "示例中心", "service_provider"),
            await organisation(client, "示例机关", "government"),
        )
        body = terms(centre, partner, services=[], valid_from="2023-11-01", valid_until="2099-12-31")
        ident = await put(client, "agreements", body)
        step = f"/v1/agreements/{ident}/steps"
        assert (await client.post(step, json=SIGNED)).json()["field"] == "services"
        body["services"] = ["group", "individual"]
        for revision in (2, 2):
            assert (await client.put(f"/v1/agreements/{ident}", json=body)).json()["revision"] == revision
        twice = await client.put(f"/v1/agreements/{uuid.uuid4()}", json=body)
        assert twice.status_code == 409
        assert (await client.post(step, json={"to": "ended", "reason": "示例"})).status_code == 409
        for wrong in ({**SIGNED, "signed_on": None}, {**SIGNED, "signed_on": "2099-01-01"}):
            answer = await client.post(step, json=wrong)
            assert (answer.status_code, answer.json()["field"]) == (422, "signed_on")
        signed = (await client.post(step, json=SIGNED)).json()
        assert (signed["state"], signed["signed_on"], signed["in_force"]) == ("signed", "2023-10-31", True)
        assert (await client.post(step, json=SIGNED)).json()["revision"] == signed["revision"]
        changed = await client.put(f"/v1/agreements/{ident}", json={**body, "services": ["crisis"]})
        assert changed.status_code == 409
        for to in ("suspended", "signed", "terminated"):
            answer = await client.post(step, json={"to": to, "reason": "示例变更"})
            assert (answer.status_code, answer.json()["signed_on"]) == (200, "2023-10-31")
        assert [entry["state"] for entry in answer.json()["log"]] == [
            "drafted", "signed", "suspended", "signed", "terminated",
        ]  # fmt: skip
        await put(client, "agreements", body)
        ending = (await client.get("/v1/agreements", params={"ends_by": "2099-12-31", "state": "terminated"})).json()
        assert [item["id"] for item in ending["items"]] == [ident]


async def test_what_is_wrong_with_an_agreement_is_refused_and_rights_hold(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        centre, partner = (
            await organisation(client, "示例中心", "service_provider"),
            await organisation(client, "示例机关", "government"),
        )
        for fields, field in (
            ({"partner_id": centre}, "partner_id"),
            ({"partner_id": str(uuid.uuid4())}, "partner_id"),
            ({"centre_id": str(uuid.uuid4())}, "centre_id"),
            ({"services": ["magic"]}, "body.services.0"),
            ({"valid_from": "2026-02-01", "valid_until": "2026-01-01"}, "valid_until"),
            ({"kind": "marriage"}, "body.kind"),
        ):
            await refused(client, "agreements", {**terms(centre, partner), **fields}, field)
        ident = await put(client, "agreements", terms(centre, partner, kind="purchase", contract="示例2026-1"))
    async with registry.client("320706") as client:
        assert (await client.get(f"/v1/agreements/{ident}")).status_code == 404
        assert (await client.post(f"/v1/agreements/{ident}/steps", json=SIGNED)).status_code == 404
        await refused(client, "agreements", terms(centre, partner), "centre_id")
    async with registry.client(COUNTY, "statistician") as client:
        assert (await client.get(f"/v1/agreements/{ident}")).json()["kind"] == "purchase"
        assert (await client.post(f"/v1/agreements/{ident}/steps", json=SIGNED)).status_code == 403


ROWS = st.fixed_dictionaries(
    {
        "partner_id": st.integers(0, 20),
        "partner_kind": st.sampled_from(["government", "other"]),
        "state": st.sampled_from(list(State)),
        "signed_on": st.none() | st.dates(date(2023, 1, 1), date(2023, 12, 31)).map(date.isoformat),
        "services": st.just(["group"]),
    }
)


@settings(deadline=None)
@given(st.lists(ROWS, max_size=40), st.dates(date(2023, 1, 1), date(2024, 1, 31)))
def test_progress_counts_each_partner_once_and_never_what_is_signed_later(
    rows: list[dict[str, Any]], today: date
) -> None:
    found = progress(rows, ["government"], 5, BY, today)
    partners = {row["partner_id"] for row in rows if row["partner_kind"] == "government"}
    assert found.signed_in_time <= found.signed <= len(partners)
    assert found.signed + found.negotiating <= len(partners)
    assert found.met is (found.signed_in_time >= 5)
    after = progress(rows, ["government"], 5, BY, date(2024, 1, 31))
    assert found.signed <= after.signed
    assert progress([*rows, *rows], ["government"], 5, BY, today) == found


def test_what_is_closed_stays_closed_and_only_what_was_signed_is_suspended() -> None:
    assert set(NEXT) == set(State)
    assert {state for state in State if not NEXT[state]} == CLOSED
    assert [state for state in State if allows(state, State.suspended)] == [State.signed]
