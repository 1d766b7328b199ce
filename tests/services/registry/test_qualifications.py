"""Qualifications: claimed by one, verified by another, sealed, proven by a scan, and warned of before they end."""

from __future__ import annotations

import hashlib
import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.clock import local_day, now
from services.registry.domain.people import QUALIFICATIONS
from services.registry.domain.qualifications import FITS, KINDS, NEXT, REASONS, State, allows, media_type, standing
from tests.services.registry.places_support import COUNTY, TOWN, person
from tests.services.registry.support import Registry
from tests.services.registry.trainings_support import certificate, qualified

SCAN = b"%PDF-1.7 a made-up scan"
VERIFY = {"state": "verified", "reason": "checked"}


def test_the_table_lets_nothing_come_back_that_was_closed() -> None:
    assert set(NEXT) == set(State)
    assert NEXT[State.rejected] == NEXT[State.withdrawn] == frozenset()
    assert allows(State.entered, State.verified)
    assert not allows(State.rejected, State.verified)
    assert not allows(State.expired, State.verified)
    assert set().union(*FITS.values()) == REASONS.keys()


def test_each_code_of_annex_4_has_a_kind_of_the_same_words() -> None:
    own = {kind.annex: kind.label for code, kind in KINDS.items() if kind.annex != 6 or code == "other"}
    assert own == QUALIFICATIONS


@given(st.sampled_from(State), st.none() | st.dates().map(str), st.dates().map(str))
def test_only_what_was_verified_expires_and_not_on_its_last_day(state: State, until: str | None, day: str) -> None:
    found = standing(state, until, day)
    expired = state is State.verified and until is not None and until < day
    assert found is (State.expired if expired else state)


@given(st.binary(max_size=20))
def test_a_scan_is_known_by_its_first_bytes(content: bytes) -> None:
    known = content.startswith((b"%PDF-", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"))
    assert (media_type(content) is not None) is known


async def test_a_claim_is_verified_by_another_than_who_entered_it(registry: Registry) -> None:
    async with registry.client(COUNTY) as client, registry.client(COUNTY, subject="registrar-2") as other:
        who = await person(client)
        ident = await qualified(client, who, "counsellor")
        path = f"/v1/qualifications/{ident}"
        own = await client.post(f"{path}/steps", json=VERIFY)
        assert (own.status_code, own.json()["reason"]) == (403, "same_person")
        async with registry.client(COUNTY, subject=who) as holder:
            assert (await holder.post(f"{path}/steps", json=VERIFY)).status_code == 403
        for _ in range(2):
            verified = await other.post(f"{path}/steps", json=VERIFY)
            assert (verified.status_code, verified.json()["state"], verified.json()["revision"]) == (200, "verified", 2)
        assert (verified.json()["entered_by"], verified.json()["verified_by"]) == ("registrar-1", "registrar-2")
        assert [step["state"] for step in verified.json()["log"]] == ["entered", "verified"]
        late = await other.post(f"{path}/steps", json={"state": "rejected", "reason": "unreadable"})
        assert (late.status_code, late.json()["reason"]) == (409, "bad_step")
        gone = await other.post(f"{path}/steps", json={"state": "withdrawn", "reason": "revoked"})
        assert gone.json()["state"] == "withdrawn"
    told = [
        (event["state"], event["revision"], event["annex_code"])
        for event in await registry.events("qualification_recorded")
    ]
    assert told == [("entered", 1, 3), ("verified", 2, 3), ("withdrawn", 3, 3)]
    (record,) = await registry.database.find("audit_log", {"action": "qualification.verified"})
    assert (record["actor"], record["subject"], record["reason"]) == ("registrar-2", ident, "checked")


async def test_the_same_claim_again_changes_nothing_and_what_was_verified_is_not_rewritten(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        who = await person(client)
        ident = await qualified(client, who, "counsellor", registry)
        path = f"/v1/qualifications/{ident}"
        again = await client.put(path, json=certificate(who))
        assert (again.status_code, again.json()["revision"], again.json()["state"]) == (200, 2, "verified")
        other = await client.put(path, json=certificate(who, number="示例00000002"))
        assert (other.status_code, other.json()["reason"]) == (409, "not_entered")
        stranger = await person(client, 2)
        taken = await client.put(path, json=certificate(stranger))
        assert (taken.status_code, taken.json()["reason"]) == (409, "taken")
    assert len(await registry.events("qualification_recorded")) == 2


async def test_numbers_lie_sealed_are_in_no_list_and_are_read_with_a_reason(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        who = await person(client)
        ident = await qualified(client, who, "counsellor")
        listed = (await client.get("/v1/qualifications")).text + (await client.get(f"/v1/qualifications/{ident}")).text
        stored = str(await registry.database.find("qualifications", {}))
        bodies = str([row["body"].decode() for row in await registry.database.find("outbox", {})])
        for where in (listed, stored, bodies):
            assert "示例00000001" not in where
            assert "示例发证机关" not in where
        path = f"/v1/qualifications/{ident}/reveal"
        assert (await client.post(path, json={})).status_code == 422
        plain = await client.post(path, json={"reason": "核对登记"})
        assert (plain.json()["number"], plain.json()["issuer"]) == ("示例00000001", "示例发证机关")
        assert plain.headers["cache-control"] == "no-store"
        async with registry.client(COUNTY, "coordinator") as reader:
            assert (await reader.post(path, json={"reason": "核对登记"})).status_code == 403
        (record,) = await registry.database.find("audit_log", {"action": "qualification.revealed"})
        assert (record["subject"], record["reason"]) == (ident, "核对登记")
        await client.post(f"/v1/volunteers/{who}/erase", json={"reason": "本人要求"})
        assert (await client.post(path, json={"reason": "核对登记"})).status_code == 409


async def test_a_scan_is_sealed_bounded_and_given_back_on_record(registry: Registry) -> None:
    async with registry.client(COUNTY) as client, registry.client(COUNTY, subject="registrar-2") as other:
        who = await person(client)
        ident = await qualified(client, who, "counsellor")
        path = f"/v1/qualifications/{ident}/proof"
        assert (await client.post(f"{path}/reveal", json={"reason": "核对登记"})).status_code == 404
        large = SCAN + bytes(5_000_000)
        for content, status, reason in ((b"PK\x03\x04 no scan", 422, "bad_file"), (large, 413, "too_large")):
            refused = await client.post(f"{path}/import", content=content)
            assert (refused.status_code, refused.json()["reason"], refused.json()["field"]) == (status, reason, "file")
        for _ in range(2):
            taken = await client.post(f"{path}/import", content=SCAN)
            assert (taken.status_code, taken.json()["has_proof"], taken.json()["revision"]) == (200, True, 2)
        (row,) = await registry.database.find("qualification_files", {})
        assert SCAN not in row["sealed"]
        back = await client.post(f"{path}/reveal", json={"reason": "核对登记"})
        assert (back.content, back.headers["content-type"]) == (SCAN, "application/pdf")
        assert len(await registry.database.find("audit_log", {"action": "qualification.proof_revealed"})) == 1
        plain = await client.post(f"/v1/qualifications/{ident}/reveal", json={"reason": "核对登记"})
        assert plain.json()["sha256"] == hashlib.sha256(SCAN).hexdigest()
        await other.post(f"/v1/qualifications/{ident}/steps", json=VERIFY)
        late = await client.post(f"{path}/import", content=SCAN + b"2")
        assert (late.status_code, late.json()["reason"]) == (409, "not_entered")


async def test_a_scan_that_is_not_the_one_whose_hash_was_told_is_refused(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        who = await person(client)
        digest = hashlib.sha256(SCAN).hexdigest()
        ident = await qualified(client, who, "nurse", sha256=digest)
        path = f"/v1/qualifications/{ident}/proof/import"
        other = await client.post(path, content=SCAN + b"!")
        assert (other.status_code, other.json()["reason"]) == (422, "other_file")
        assert (await client.post(path, content=SCAN)).status_code == 200


async def test_who_attached_the_scan_does_not_verify_it(registry: Registry) -> None:
    async with registry.client(COUNTY) as client, registry.client(COUNTY, subject="registrar-2") as other:
        ident = await qualified(client, await person(client), "counsellor")
        await other.post(f"/v1/qualifications/{ident}/proof/import", content=SCAN)
        refused = await other.post(f"/v1/qualifications/{ident}/steps", json=VERIFY)
        assert (refused.status_code, refused.json()["reason"]) == (403, "same_person")


async def test_the_warning_list_shows_what_ends_soon_the_earliest_first(registry: Registry) -> None:
    today = local_day(now())
    days = registry.keys.policies.qualifications.at(now()).warning.days
    async with registry.client(COUNTY) as client:
        ends = {"soon": 1, "sooner": 0, "last": days, "later": days + 1}
        idents = {}
        for number, (name, distance) in enumerate(ends.items(), 1):
            until = str(today + timedelta(days=distance))
            who = await person(client, number)
            idents[name] = await qualified(client, who, "counsellor", registry, valid_until=until)
        forever = await qualified(client, await person(client, 9), "counsellor", registry, valid_until=None)
        await qualified(client, await person(client, 8), "counsellor", valid_until=str(today))
        found: list[str] = []
        after: str | None = None
        for _ in range(5):
            asked: dict[str, Any] = {"due": True, "sort": "valid_until", "limit": 1}
            page = (await client.get("/v1/qualifications", params=asked | ({"after": after} if after else {}))).json()
            found += [item["id"] for item in page["items"]]
            if (after := page["next"]) is None:
                break
        assert found == [idents["sooner"], idents["soon"], idents["last"]]
        verified = (await client.get("/v1/qualifications", params={"state": "verified"})).json()["items"]
        assert {item["id"] for item in verified} == {*idents.values(), forever}
        row = await registry.database.get("qualifications", uuid.UUID(idents["soon"]))
        assert row is not None

        async def pass_time(tx: Any) -> None:
            tx.put("qualifications", {**row, "valid_until": str(today - timedelta(days=1))})

        await registry.database.transact(pass_time)
        expired = (await client.get("/v1/qualifications", params={"state": "expired"})).json()["items"]
        assert [(item["id"], item["state"]) for item in expired] == [(idents["soon"], "expired")]


async def test_what_has_run_out_is_not_verified_any_more(registry: Registry) -> None:
    yesterday = str(local_day(now()) - timedelta(days=1))
    async with registry.client(COUNTY) as client, registry.client(COUNTY, subject="registrar-2") as other:
        ident = await qualified(client, await person(client), "counsellor", valid_until=yesterday)
        refused = await other.post(f"/v1/qualifications/{ident}/steps", json=VERIFY)
        assert (refused.status_code, refused.json()["reason"]) == (409, "expired")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"kind": "magician"}, "body.kind"),
        ({"number": " "}, "body.number"),
        ({"issuer": ""}, "body.issuer"),
        ({"sha256": "abc"}, "body.sha256"),
        ({"valid_from": "2026-02-02", "valid_until": "2026-02-01"}, "valid_until"),
        ({"phone": "000-0000-0001"}, "body.phone"),
    ],
)
async def test_a_claim_that_cannot_be_is_answered_with_its_field(
    registry: Registry, fields: dict[str, Any], field: str
) -> None:
    async with registry.client(COUNTY) as client:
        body = certificate(await person(client), **fields)
        answer = await client.put(f"/v1/qualifications/{uuid.uuid4()}", json=body)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert await registry.database.find("qualifications", {}) == []


async def test_others_find_nothing_and_readers_change_nothing(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        who = await person(client)
        ident = await qualified(client, who, "counsellor")
        wrong = await client.post(f"/v1/qualifications/{ident}/steps", json={"state": "verified", "reason": "revoked"})
        assert (wrong.status_code, wrong.json()["field"]) == (422, "reason")
        expired = await client.post(f"/v1/qualifications/{ident}/steps", json={"state": "expired", "reason": "checked"})
        assert (expired.status_code, expired.json()["field"]) == (422, "body.state")
    async with registry.client("320706") as outside:
        for answer in (
            await outside.get(f"/v1/qualifications/{ident}"),
            await outside.put(f"/v1/qualifications/{ident}", json=certificate(who)),
            await outside.post(f"/v1/qualifications/{ident}/steps", json=VERIFY),
            await outside.post(f"/v1/qualifications/{ident}/reveal", json={"reason": "核对登记"}),
            await outside.post(f"/v1/qualifications/{ident}/proof/reveal", json={"reason": "核对登记"}),
            await outside.post(f"/v1/qualifications/{ident}/proof/import", content=SCAN),
            await outside.get("/v1/qualifications", params={"division": TOWN}),
        ):
            assert answer.status_code == 404
        assert (await outside.get("/v1/qualifications")).json()["items"] == []
    async with registry.client(COUNTY, "coordinator") as reader:
        assert (await reader.get(f"/v1/qualifications/{ident}")).status_code == 200
        assert (await reader.put(f"/v1/qualifications/{ident}", json=certificate(who))).status_code == 403
        assert (await reader.post(f"/v1/qualifications/{ident}/steps", json=VERIFY)).status_code == 403
        assert (await reader.post(f"/v1/qualifications/{ident}/proof/import", content=SCAN)).status_code == 403
        told = (await reader.get("/v1/qualification-codes")).json()
        assert told["kinds"]["counsellor"] == {"label": "心理咨询师", "annex_code": 3}
        assert "精神卫生法" in json.dumps(told["services"], ensure_ascii=False)
    async with registry.client(COUNTY, "statistician") as stranger:
        assert (await stranger.get("/v1/qualifications")).status_code == 403
