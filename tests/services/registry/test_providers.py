"""Providers: check digits, what each type is verified by, and identity numbers that nobody reads by accident."""

from __future__ import annotations

import json
import uuid
from datetime import date, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.registry.domain.providers import (
    SIGNS,
    credit_check,
    flaw_in_credit_code,
    flaw_in_identity,
    identity_check,
    organisation_check,
    organisation_part_holds,
    written_plainly,
)
from services.registry.domain.providers_status import NEXT, State
from tests.services.registry.places_support import COUNTY, organisation, person
from tests.services.registry.support import Registry
from tests.services.registry.teams_support import put, refused, team

TODAY = date(2026, 11, 22)


def credit_code(first: str = "52370812MJE000001") -> str:
    return first + credit_check(first)


def identity(first: str = "00000019900101000") -> str:
    return first + identity_check(first)


FIRSTS = st.builds(
    lambda head, area, tail: head + area + tail,
    st.text(SIGNS, min_size=2, max_size=2),
    st.text("0123456789", min_size=6, max_size=6),
    st.text(SIGNS, min_size=9, max_size=9),
)


@settings(deadline=None)
@given(FIRSTS, st.integers(0, 17), st.sampled_from(SIGNS))
def test_one_wrong_sign_in_a_credit_code_is_found(first: str, place: int, sign: str) -> None:
    code = credit_code(first)
    assert flaw_in_credit_code(code) is None
    changed = code[:place] + sign + code[place + 1 :]
    assert (flaw_in_credit_code(changed) is None) is (changed == code)


@settings(deadline=None)
@given(FIRSTS, st.integers(8, 16))
def test_two_neighbours_that_changed_places_in_a_credit_code_are_found(first: str, place: int) -> None:
    code = credit_code(first)
    swapped = code[:place] + code[place + 1] + code[place] + code[place + 2 :]
    assert (flaw_in_credit_code(swapped) is None) is (swapped == code)


@given(st.text(max_size=20))
def test_whatever_is_written_is_a_code_or_has_a_flaw(text: str) -> None:
    code = written_plainly(text)
    if flaw_in_credit_code(code) is None:
        assert len(code) == 18
        assert not set(code) & set("IOSVZ")


def test_the_check_digits_are_those_of_the_standards() -> None:
    # Worked by hand: weights 1, 3, 9 … modulo 31, and 3, 7, 9, 10, 5, 8, 4, 2 modulo 11.
    assert credit_check("10000000000000000") == "Y"
    assert credit_check("01000000000000000") == "W"
    assert credit_check("00000000000000000") == "0"
    assert credit_check("00000000000000001") == "3"
    assert organisation_check("D2143569") == "X"
    assert organisation_check("00000000") == "0"
    assert identity_check("11010519491231002") == "X"


@settings(deadline=None)
@given(st.dates(date(1900, 1, 1), TODAY), st.text("0123456789", min_size=9, max_size=9), st.integers(0, 17))
def test_an_identity_number_holds_only_with_its_check_digit_and_a_day_that_was(
    born: date, rest: str, place: int
) -> None:
    number = identity(f"{rest[:6]}{born:%Y%m%d}{rest[6:]}")
    assert flaw_in_identity(number, TODAY) is None
    wrong = str((int(number[place]) + 1) % 10) if number[place] != "X" else "0"
    assert flaw_in_identity(number[:place] + wrong + number[place + 1 :], TODAY) is not None
    assert flaw_in_identity(number, born - timedelta(1)) is not None
    assert flaw_in_identity(identity(f"{rest[:6]}20230230{rest[6:]}"), TODAY) is not None


def test_a_code_is_read_as_people_write_it() -> None:
    code = credit_code()
    assert written_plainly(f" {code[:8].lower()}-{code[8:]} ") == code
    assert written_plainly("３７０") == "370"
    assert organisation_part_holds(code[:8] + "D2143569X0") is True


def a_provider(**fields: Any) -> dict[str, Any]:
    return {"type": "social_organisation", "division": COUNTY, **fields}


VERIFY = {"status": "verified", "reason": "已核对原件"}


async def test_each_type_is_verified_by_its_own_proof(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        unit, office = (
            await organisation(client, "示例社工机构", "service_provider"),
            await organisation(client, "示例主管单位", "government"),
        )
        one, group = await person(client), await team(client)
        told: dict[str, dict[str, Any]] = {
            "social_organisation": {"organisation_id": unit, "kind": "social_work", "credit_code": credit_code()},
            "volunteer_team": {"team_id": group, "supervisor_id": office},
            "natural_person": {"person_id": one, "identity_number": identity()},
            "other": {"supervisor_id": office},
        }
        last = {
            "social_organisation": "credit_code",
            "volunteer_team": "supervisor_id",
            "natural_person": "identity_number",
            "other": "supervisor_id",
        }
        for kind, fields in told.items():
            lacking = {name: value for name, value in fields.items() if name != last[kind]}
            ident = await put(client, "providers", a_provider(type=kind, **lacking))
            early = await client.post(f"/v1/providers/{ident}/status", json=VERIFY)
            assert (early.status_code, early.json()["field"]) == (409, last[kind])
            full = await client.put(f"/v1/providers/{ident}", json=a_provider(type=kind, **fields))
            assert (full.status_code, full.json()["unproven"]) == (200, [])
            verified = await client.post(f"/v1/providers/{ident}/status", json=VERIFY)
            assert verified.json()["status"] == "verified"
        found = (await client.get("/v1/providers", params={"status": "verified", "kind": "social_work"})).json()
        assert [item["type"] for item in found["items"]] == ["social_organisation"]
    records = await registry.database.find("audit_log", {"action": "provider.verified"})
    assert [record["details"]["type"] for record in records] == list(told)


async def test_what_is_wrong_with_a_provider_is_refused_by_field(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        one, code = await person(client), credit_code()
        wrong = code[:17] + ("0" if code[17] != "0" else "1")
        for fields, field in (
            ({"credit_code": wrong}, "credit_code"),
            ({"credit_code": "123"}, "credit_code"),
            ({"type": "natural_person", "credit_code": code}, "credit_code"),
            ({"type": "natural_person", "identity_number": "1"}, "identity_number"),
            ({"type": "natural_person", "identity_number": identity()}, "person_id"),
            ({"identity_number": identity()}, "identity_number"),
            ({"person_id": one}, "person_id"),
            ({"kind": "wizards"}, "body.kind"),
            ({"type": "volunteer_team", "team_id": str(uuid.uuid4())}, "team_id"),
            ({"supervisor_id": str(uuid.uuid4())}, "supervisor_id"),
            ({"type": "wizard"}, "body.type"),
        ):
            await refused(client, "providers", a_provider(**fields), field)
        await put(client, "providers", a_provider(credit_code=code))
        again = await client.put(f"/v1/providers/{uuid.uuid4()}", json=a_provider(credit_code=code))
        assert again.status_code == 409


async def test_another_proof_takes_the_verification_away(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        unit = await organisation(client, "示例社工机构", "service_provider")
        body = a_provider(organisation_id=unit, credit_code=credit_code())
        ident = await put(client, "providers", body)
        await client.post(f"/v1/providers/{ident}/status", json=VERIFY)
        same = await client.put(f"/v1/providers/{ident}", json=body)
        assert (same.json()["status"], same.json()["revision"]) == ("verified", 2)
        other = {**body, "credit_code": credit_code("52370812MJE000002")}
        changed = await client.put(f"/v1/providers/{ident}", json=other)
        assert (changed.json()["status"], changed.json()["revision"]) == ("registered", 3)
    events = await registry.events("provider_registered")
    assert [event["status"] for event in events] == ["registered", "verified", "registered"]
    assert credit_code() not in json.dumps(events)


async def test_an_identity_number_is_sealed_shown_only_on_record_and_goes_with_the_person(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        one, two, number = await person(client), await person(client, 2), identity()
        body = a_provider(type="natural_person", person_id=one)
        ident = await put(client, "providers", {**body, "identity_number": number})
        shown = await client.put(f"/v1/providers/{ident}", json=body)
        assert (shown.json()["identity_known"], shown.json()["revision"]) == (True, 1)
        second = {**body, "person_id": two, "identity_number": number}
        assert (await client.put(f"/v1/providers/{uuid.uuid4()}", json=second)).status_code == 409
        stored = await registry.database.find("providers", {})
        everything = repr(stored) + shown.text + json.dumps(await registry.events("provider_registered"))
        assert number not in everything
        plain = await client.post(f"/v1/providers/{ident}/reveal", json={"reason": "核对证件"})
        assert (plain.json()["identity_number"], plain.headers["cache-control"]) == (number, "no-store")
        (record,) = await registry.database.find("audit_log", {"action": "provider.revealed"})
        assert (record["actor"], record["reason"], record["subject"]) == ("registrar-1", "核对证件", ident)
        await client.post(f"/v1/volunteers/{one}/erase", json={"reason": "本人要求"})
        (left,) = await registry.database.find("providers", {})
        assert left["status"] == "ended"
        assert not {"identity_key", "sealed"} & set(left)
        assert (await client.post(f"/v1/providers/{ident}/reveal", json={"reason": "核对证件"})).status_code == 409
    async with registry.client(COUNTY, "coordinator") as client:
        assert (await client.post(f"/v1/providers/{ident}/reveal", json={"reason": "核对证件"})).status_code == 403
        assert (await client.put(f"/v1/providers/{ident}", json=body)).status_code == 403
    async with registry.client("320706") as client:
        for answer in (
            await client.get(f"/v1/providers/{ident}"),
            await client.post(f"/v1/providers/{ident}/reveal", json={"reason": "核对证件"}),
            await client.post(f"/v1/providers/{ident}/status", json=VERIFY),
        ):
            assert answer.status_code == 404


def test_who_ended_does_not_come_back() -> None:
    assert NEXT[State.ended] == frozenset()
    assert set(NEXT) == set(State)
