"""The three types of agencies: how each is registered and checked, and what each may provide by law."""

from __future__ import annotations

import uuid
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from chassis.clock import local_day, now
from chassis.tx import Tx
from services.registry.commands import providers_licences
from services.registry.domain.providers_kinds import KindRule, ProvidersPolicy, why_not
from services.registry.domain.qualifications_policy import FLOOR
from services.registry.policy import Policies
from tests.services.registry.places_support import COUNTY, organisation
from tests.services.registry.support import Registry
from tests.services.registry.teams_support import put
from tests.services.registry.test_providers import VERIFY, a_provider, credit_code

POLICY: ProvidersPolicy = Policies.load().providers.at(now())
LICENCE: dict[str, Any] = {
    "kind": "medical",
    "number": "示例许可0001",
    "issuer": "示例区卫生健康局",
    "valid_from": "2026-01-01",
    "valid_until": "2030-12-31",
    "subjects": ["psychiatry"],
}
MEDICAL_ONLY = ["therapy", "diagnosis"]


async def agency(client: httpx.AsyncClient, kind: str, host: str, code: str) -> str:
    """A registered agency of a type."""
    unit = await organisation(client, f"示例机构{code[-4:]}", host)
    return await put(client, "providers", a_provider(kind=kind, organisation_id=unit, credit_code=credit_code(code)))


async def verdict(client: httpx.AsyncClient, ident: str, service: str, **asked: str) -> list[str]:
    answer = await client.get(f"/v1/providers/{ident}/may", params={"service": service, **asked})
    assert answer.status_code == 200, answer.text
    assert answer.json()["may"] is (answer.json()["reasons"] == [])
    return [one["code"] for one in answer.json()["reasons"]]


async def test_a_medical_institution_needs_its_licence_and_then_treats(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident = await agency(client, "psychiatric", "hospital", "12370812MJE000011")
        path = f"/v1/providers/{ident}"
        early = await client.post(f"{path}/status", json=VERIFY)
        assert (early.status_code, early.json()["reason"], early.json()["field"]) == (
            409,
            "licence_missing",
            "licence",
        )
        yesterday = str(local_day(now()) - timedelta(days=1))
        for fields, reason in (
            ({"valid_until": yesterday}, "licence_expired"),
            ({"subjects": ["other"]}, "subject_missing"),
        ):
            await client.put(f"{path}/licence", json={**LICENCE, **fields})
            assert (await client.post(f"{path}/status", json=VERIFY)).json()["reason"] == reason
        assert (await client.put(f"{path}/licence", json=LICENCE)).status_code == 200
        offered = [*MEDICAL_ONLY, "counselling"]
        assert (await client.put(f"{path}/services", json={"services": offered})).json()["services"] == sorted(offered)
        assert await verdict(client, ident, "therapy") == ["not_verified"]
        assert (await client.post(f"{path}/status", json=VERIFY)).json()["status"] == "verified"
        assert await verdict(client, ident, "therapy") == []
        assert await verdict(client, ident, "diagnosis") == []
        assert await verdict(client, ident, "guidance") == ["not_registered_for"]
        assert await verdict(client, ident, "therapy", on="2031-01-01") == ["licence_expired"]
        assert await verdict(client, ident, "therapy", on="2030-12-31") == []
        # The same licence again changes nothing; another one is verified anew.
        same = (await client.put(f"{path}/licence", json=LICENCE)).json()
        assert same["status"] == "verified"
        other = (await client.put(f"{path}/licence", json={**LICENCE, "number": "示例许可0002"})).json()
        assert (other["status"], other["revision"]) == ("registered", same["revision"] + 1)
        assert await verdict(client, ident, "therapy") == ["not_verified"]
    told = (await registry.events("provider_registered"))[-1]
    assert (told["kind"], told["services"]) == ("psychiatric", sorted([*MEDICAL_ONLY, "counselling"]))
    assert "示例许可" not in str(await registry.events("provider_registered"))


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("social_work", "52370812MJE000021"),
        ("psychosocial", "91370812MJE000031"),
        ("psychosocial", "12370812MJE000032"),
        ("psychosocial", "53370812MJE000033"),
    ],
)
async def test_an_agency_that_is_no_medical_institution_counsels_and_never_treats(
    registry: Registry, kind: str, code: str
) -> None:
    async with registry.client(COUNTY) as client:
        ident = await agency(client, kind, "service_provider", code)
        path = f"/v1/providers/{ident}"
        assert (await client.post(f"{path}/status", json=VERIFY)).json()["status"] == "verified"
        for service in MEDICAL_ONLY:
            refused = await client.put(f"{path}/services", json={"services": ["counselling", service]})
            assert (refused.status_code, refused.json()["reason"], refused.json()["field"]) == (
                422,
                "barred_by_law",
                "services.1",
            )
            assert "barred_by_law" in await verdict(client, ident, service)
        assert await verdict(client, ident, "counselling") == ["not_registered_for"]
        kept = await client.put(f"{path}/services", json={"services": ["guidance", "counselling"]})
        assert kept.json()["status"] == "verified"
        assert await verdict(client, ident, "counselling") == []
        await client.post(f"{path}/status", json={"status": "suspended", "reason": "整改"})
        assert await verdict(client, ident, "counselling") == ["not_verified"]


async def test_each_type_is_what_its_registration_says(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        hospital = await organisation(client, "示例医院", "hospital")
        social = await organisation(client, "示例社工机构", "service_provider")
        for kind, unit, code, field in (
            ("psychiatric", social, "52370812MJE000041", "organisation_id"),
            ("social_work", hospital, "52370812MJE000041", "organisation_id"),
            ("social_work", social, "91370812MJE000041", "credit_code"),
            ("psychosocial", social, "93370812MJE000041", "credit_code"),
        ):
            body = a_provider(kind=kind, organisation_id=unit, credit_code=credit_code(code))
            answer = await client.put(f"/v1/providers/{uuid.uuid4()}", json=body)
            assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text
            if (kind, field) == ("social_work", "credit_code"):
                assert "以 52 开头" in answer.json()["detail"]
        # Another type is another proof.
        body = a_provider(kind="social_work", organisation_id=social, credit_code=credit_code("52370812MJE000041"))
        ident = await put(client, "providers", body)
        await client.post(f"/v1/providers/{ident}/status", json=VERIFY)
        moved = await client.put(f"/v1/providers/{ident}", json={**body, "kind": "psychosocial"})
        assert moved.json()["status"] == "registered"


async def test_the_table_of_types_is_read_and_only_registrars_write(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident = await agency(client, "psychosocial", "service_provider", "52370812MJE000051")
        path = f"/v1/providers/{ident}"
        for body, field in (
            ({"services": ["wizardry"]}, "services.0"),
            ({"services": [1]}, "body.services.0"),
        ):
            answer = await client.put(f"{path}/services", json=body)
            assert (answer.status_code, answer.json()["field"]) == (422, field)
        for fields, field in (
            ({"kind": "driving"}, "body.kind"),
            ({"subjects": []}, "body.subjects"),
            ({"subjects": ["magic"]}, "body.subjects.0"),
            ({"valid_until": "2025-01-01"}, "valid_until"),
        ):
            answer = await client.put(f"{path}/licence", json={**LICENCE, **fields})
            assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text
        strange = await client.get(f"{path}/may", params={"service": "wizardry"})
        assert (strange.status_code, strange.json()["field"]) == (422, "service")
        await client.post(f"{path}/status", json={"status": "ended", "reason": "注销登记"})
        assert (await client.put(f"{path}/licence", json=LICENCE)).status_code == 409
        assert (await client.put(f"{path}/services", json={"services": []})).status_code == 409
    async with registry.client(COUNTY, "statistician") as reader:
        items = (await reader.get("/v1/provider-kinds")).json()["items"]
        assert [item["label"] for item in items] == ["精神卫生医疗机构", "社会工作服务机构", "社会心理服务机构"]
        assert [bool(set(MEDICAL_ONLY) & set(item["services"])) for item in items] == [True, False, False]
        assert (await reader.put(f"{path}/licence", json=LICENCE)).status_code == 403
        assert (await reader.put(f"{path}/services", json={"services": []})).status_code == 403
    async with registry.client("320706") as outside:
        assert (await outside.put(f"{path}/licence", json=LICENCE)).status_code == 404
        assert (await outside.put(f"{path}/services", json={"services": []})).status_code == 404
        assert (await outside.get(f"{path}/may", params={"service": "guidance"})).status_code == 404


@pytest.mark.parametrize(
    "changed",
    [
        {"hosts": ("service_provider",)},
        {"hosts": ("hospital", "service_provider")},
        {"licences": ()},
        {"licences": ("driving",)},
        {"subjects": ()},
        {"kind": "wizards"},
    ],
)
def test_a_districts_own_table_lets_nobody_treat_outside_medicine(changed: dict[str, Any]) -> None:
    lawful = POLICY.of("psychiatric")
    assert lawful is not None
    with pytest.raises(ValidationError):
        KindRule.model_validate({**lawful.model_dump(), **changed})


@given(
    st.sampled_from([None, "psychiatric", "social_work", "psychosocial"]),
    st.sampled_from(sorted(FLOOR)),
    st.sampled_from(["registered", "verified", "suspended", "ended"]),
    st.lists(st.sampled_from(["therapy", "diagnosis", "guidance"])),
    st.none() | st.just({**LICENCE}),
)
def test_who_treats_is_a_verified_medical_institution_with_a_licence(
    kind: str | None, service: str, status: str, services: list[str], licence: dict[str, Any] | None
) -> None:
    provider = {"status": status, "services": services, "licence": licence}
    yes = not why_not(POLICY.of(kind), provider, service, "2026-11-22")
    assert yes is (kind == "psychiatric" and status == "verified" and service in services and licence is not None)


async def test_a_clinic_works_by_its_filing(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident = await agency(client, "psychiatric", "primary_care", "91370812MJE000061")
        path = f"/v1/providers/{ident}"
        filed = {**LICENCE, "kind": "clinic_filing", "number": "示例备案0001", "valid_until": None}
        assert (await client.put(f"{path}/licence", json=filed)).status_code == 200
        await client.put(f"{path}/services", json={"services": ["counselling"]})
        assert (await client.post(f"{path}/status", json=VERIFY)).json()["status"] == "verified"
        assert await verdict(client, ident, "counselling") == []


async def test_who_needs_a_licence_is_suspended_once_it_has_run_out_and_is_seen_before(registry: Registry) -> None:
    today = local_day(now())
    soon = {**LICENCE, "valid_until": str(today + timedelta(days=30))}
    async with registry.client(COUNTY) as client:
        first = await agency(client, "psychiatric", "hospital", "12370812MJE000071")
        second = await agency(client, "psychiatric", "hospital", "12370812MJE000072")
        free = await agency(client, "psychosocial", "service_provider", "52370812MJE000073")
        for ident, licence in ((first, soon), (second, LICENCE), (free, soon)):
            assert (await client.put(f"/v1/providers/{ident}/licence", json=licence)).status_code == 200
            assert (await client.post(f"/v1/providers/{ident}/status", json=VERIFY)).status_code == 200

        async def ending(**asked: str) -> list[str]:
            return [item["id"] for item in (await client.get("/v1/provider-licences", params=asked)).json()["items"]]

        assert set(await ending()) == {first, free}
        assert (await ending(until="2030-12-31"))[-1] == second
        page = (await client.get("/v1/provider-licences", params={"limit": 1})).json()
        more = await ending(limit="1", after=page["next"])
        assert {page["items"][0]["id"], *more} == {first, free}

        async def look() -> None:
            due = partial(providers_licences.licences_due, "", policies=registry.keys.policies)
            await registry.database.transact(due)

        async def ran_out(tx: Tx) -> None:
            for ident in (first, free):
                row = await tx.get("providers", uuid.UUID(ident))
                assert row is not None
                licence = {**row["licence"], "valid_until": str(today - timedelta(days=1))}
                tx.put("providers", {**row, "licence": licence, "licence_until": licence["valid_until"]})

        await look()
        assert (await client.get(f"/v1/providers/{first}")).json()["status"] == "verified"
        await registry.database.transact(ran_out)
        await registry.forget_events()
        for _ in range(2):
            await look()
        stands = [(await client.get(f"/v1/providers/{one}")).json()["status"] for one in (first, second, free)]
        assert stands == ["suspended", "verified", "verified"], "who needs none is not suspended for want of one"
        told = [(event["provider_id"], event["status"]) for event in await registry.events("provider_registered")]
        assert told == [(first, "suspended")]
        timer = await registry.database.get("timers", "licences:")
        assert timer is not None
        assert local_day(timer["due_at"]) == today + timedelta(days=1)
        refused = await client.post(f"/v1/providers/{first}/status", json=VERIFY)
        assert (refused.status_code, refused.json()["reason"]) == (409, "licence_expired")
        await client.put(f"/v1/providers/{first}/licence", json=LICENCE)
        assert (await client.post(f"/v1/providers/{first}/status", json=VERIFY)).json()["status"] == "verified"
    async with registry.client("320706", "statistician") as outside:
        assert (await outside.get("/v1/provider-licences")).json()["items"] == []
        assert (await outside.get("/v1/provider-licences", params={"division": COUNTY})).status_code == 404
