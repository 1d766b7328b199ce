"""What is told of a person to those who choose by it: what an office or a certificate stands behind, on its days."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.tx import Tx
from services.registry.domain.facts import PRE_SERVICE, Told, claims, counted, unchecked_after
from services.registry.domain.gate import Held, Trained
from services.registry.domain.qualifications import FITS, KINDS, REASONS, State
from services.registry.imports import import_volunteers
from tests.services.registry.service_support import COUNTY, TOWN, a_volunteer
from tests.services.registry.support import Registry, a_row, workbook
from tests.services.registry.test_recruitment import an_applicant, opened
from tests.services.registry.trainings_support import course, held_session, qualified

DAY = "2026-11-22"
DOCTOR = claims([3], [1], "yes")


# The rule


def told(
    claimed: frozenset[str] = DOCTOR,
    unchecked: Any = (),
    held: tuple[Held, ...] = (),
    trained: tuple[Trained, ...] = (),
    day: str = DAY,
) -> Told:
    """`held` are certificates that were closed, where they were, because they are not what they seemed."""
    reasons = {"rejected": "not_at_issuer", "withdrawn": "revoked", "verified": "checked"}
    return counted(claimed, unchecked, [(one, reasons.get(one.state)) for one in held], trained, day)


def test_what_an_office_entered_counts_and_what_a_person_says_of_oneself_does_not() -> None:
    assert told() == Told((3,), (1,), True)
    assert told(unchecked=DOCTOR) == Told((), (), False)


@pytest.mark.parametrize("state", ["rejected", "withdrawn"])
def test_a_certificate_that_does_not_hold_takes_the_claim_with_it(state: str) -> None:
    papers = (Held("psychiatrist", state),)
    assert told(held=papers) == Told((), (), True)
    assert told(held=(*papers, Held("psychiatrist", "entered"))) == Told((), (), True)
    assert told(held=(*papers, Held("psychiatrist", "verified"))) == Told((3,), (1,), True)


@pytest.mark.parametrize("reason", sorted(REASONS.keys() - {"checked"}))
def test_only_what_speaks_against_a_claim_takes_it_away(reason: str) -> None:
    state = "rejected" if reason in FITS[State.rejected] else "withdrawn"
    against = reason in ("not_at_issuer", "other_person", "revoked")
    got = counted(DOCTOR, (), [(Held("psychiatrist", state), reason)], [], DAY)
    assert got == (Told((), (), True) if against else Told((3,), (1,), True))
    assert counted(DOCTOR, DOCTOR, [(Held("psychiatrist", state), reason)], [], DAY) == Told((), (), False)


def test_a_claim_that_waits_for_its_verification_is_no_more_than_before() -> None:
    papers = (Held("therapist", "entered"),)
    assert told(claims([2], [2], "no"), held=papers) == Told((2,), (2,), False)
    assert told(claims([2], [2], "no"), ["person_type:2", "qualification:2"], papers) == Told((), (), False)


def test_a_verified_certificate_counts_whoever_claimed_it_and_the_type_of_work_only_where_it_is_claimed() -> None:
    papers = (Held("therapist", "verified"),)
    assert told(frozenset(), held=papers) == Told((), (2,), False)
    assert told(claims([2], [], "no"), ["person_type:2"], papers) == Told((2,), (2,), False)


def test_a_certificate_counts_on_its_days_and_is_told_with_them() -> None:
    papers = (Held("psychiatrist", "verified", "2020-01-01", "2026-12-31"),)
    spells = [(one.fact, one.code, one.since, one.until) for one in told(held=papers).spells]
    assert spells == [("qualification", 1, None, "2026-12-31"), ("person_type", 3, None, "2026-12-31")]
    assert told(held=papers, day="2027-01-01") == Told((), (), True)


def test_a_renewed_certificate_leaves_no_gap_and_one_that_begins_later_counts_later() -> None:
    papers = (
        Held("counsellor", "verified", "2020-01-01", "2026-12-31"),
        Held("counsellor", "verified", "2026-12-01", "2029-12-31"),
        Held("counsellor", "verified", "2031-01-01", None),
    )
    days = [(one.since, one.until) for one in told(frozenset(), held=papers).spells]
    assert days == [(None, "2029-12-31"), ("2031-01-01", None)]


def test_who_passed_the_training_here_is_trained_as_long_as_it_counts() -> None:
    passed = Trained(frozenset({PRE_SERVICE}), "county", True, "2026-01-01", "2027-01-01")
    done = told(claims([5], [], "no"), trained=(passed,))
    assert (done.trained, [(one.fact, one.until) for one in done.spells]) == (True, [("trained", "2027-01-01")])
    assert not told(claims([5], [], "no"), trained=(passed,), day="2027-01-02").trained
    failed = Trained(frozenset({PRE_SERVICE}), "county", False, "2026-01-01", None)
    other = Trained(frozenset({"elderly_care"}), "county", True, "2026-01-01", None)
    assert not told(claims([5], [], "no"), trained=(failed, other)).trained
    assert told(DOCTOR, trained=(failed,)).trained, "the office's word stands"


days = st.sampled_from([None, "2026-01-01", "2026-11-21", DAY, "2026-11-23", "2028-01-01"])
papers_st = st.lists(
    st.builds(
        Held,
        st.sampled_from(sorted(KINDS)),
        st.sampled_from(["entered", "verified", "rejected", "withdrawn"]),
        days,
        days,
    ),
    max_size=5,
)
claims_st = st.builds(
    claims,
    st.lists(st.integers(1, 8), max_size=3),
    st.lists(st.integers(1, 6), max_size=3),
    st.sampled_from(["yes", "no", "unknown"]),
)


@settings(deadline=None)
@given(claims_st, papers_st, st.data())
def test_nothing_counts_that_neither_an_office_nor_a_valid_certificate_stands_behind(
    claimed: frozenset[str], papers: list[Held], data: st.DataObject
) -> None:
    unchecked = data.draw(st.sets(st.sampled_from(sorted(claimed)))) if claimed else set()
    got = told(claimed, unchecked, tuple(papers))
    verified = {KINDS[one.kind].annex for one in papers if one.state == "verified" and (one.valid_until or DAY) >= DAY}
    vouched = claimed - unchecked
    for code in got.qualifications:
        assert code in verified or f"qualification:{code}" in vouched
    assert verified <= set(got.qualifications)
    assert {f"person_type:{code}" for code in got.person_types} <= claimed
    refused = {KINDS[one.kind].annex for one in papers if one.state in ("rejected", "withdrawn")}
    assert not (refused - verified) & set(got.qualifications)


@settings(deadline=None)
@given(claims_st, claims_st, claims_st, st.data())
def test_nobody_vouches_for_oneself_and_nothing_an_office_said_is_lost(
    before: frozenset[str], after: frozenset[str], office: frozenset[str], data: st.DataObject
) -> None:
    open_before = data.draw(st.sets(st.sampled_from(sorted(before)))) if before else set()
    own = set(unchecked_after(before, open_before, after, frozenset(), own_word=True))
    assert after - own == (before & after) - open_before
    by_office = set(unchecked_after(before, open_before, after, office, own_word=False))
    assert by_office == (open_before & after) - office


# As it is told


async def last_told(registry: Registry, who: str) -> dict[str, Any]:
    events = [one for one in await registry.events("volunteer_registered") if one["volunteer_id"] == who]
    return max(events, key=lambda one: one["revision"])


def facts(event: dict[str, Any]) -> tuple[list[int], list[int], bool]:
    return event["person_types"], event["qualifications"], event["trained"]


async def taken(registry: Registry, number: int = 1, **decision: Any) -> str:
    """The id of a volunteer who applied as a psychiatrist that was trained, and was taken."""
    call = await opened(registry)
    path = f"/v1/recruitments/{call}/applications"
    claimed = {"person_types": [3], "qualifications": [1], "trained": "yes", "training": "2023年5月 岗前培训"}
    async with registry.client(TOWN, "volunteer", subject=f"portal-{number}") as portal:
        made = await portal.post(path, json=an_applicant(number, **claimed))
        assert made.status_code == 201, made.text
    async with registry.client(COUNTY) as client:
        listed = await client.get(path)
        assert listed.status_code == 200, listed.text
        (row,) = listed.json()["items"]
        body = {"to": "accepted", "reason": "符合条件", **decision}
        answer = await client.post(f"{path}/{row['id']}/decision", json=body)
        assert answer.status_code == 200, answer.text
    return str(answer.json()["volunteer_id"])


async def verified(registry: Registry, client: httpx.AsyncClient, who: str, kind: str) -> str:
    """A certificate that another registrar looked at."""
    ident = await qualified(client, who, kind)
    async with registry.client(COUNTY, subject="registrar-2") as other:
        step = {"state": "verified", "reason": "checked"}
        answer = await other.post(f"/v1/qualifications/{ident}/steps", json=step)
    assert answer.status_code == 200, answer.text
    return ident


async def test_what_an_applicant_says_counts_only_after_the_papers_were_seen(registry: Registry) -> None:
    who = await taken(registry)
    for event in await registry.events("volunteer_registered"):
        assert facts(event) == ([], [], False), "not even for a moment"
    async with registry.client(COUNTY) as client:
        shown = (await client.get(f"/v1/volunteers/{who}")).json()
        assert shown["unchecked"] == ["person_type:3", "qualification:1", "trained"]
        await client.patch(f"/v1/volunteers/{who}", json={"person_types": [3]})
    assert facts(await last_told(registry, who)) == ([3], [], False), "the office named it"
    async with registry.client(COUNTY) as client:
        await verified(registry, client, who, "psychiatrist")
    assert facts(await last_told(registry, who)) == ([3], [1], False)


async def test_an_acceptance_on_checked_papers_vouches_for_them(registry: Registry) -> None:
    who = await taken(registry, checked=True)
    assert facts(await last_told(registry, who)) == ([3], [1], True)


async def test_who_is_registered_does_not_become_a_therapist_by_applying(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        body = {
            "division": TOWN,
            "name": "张示例",
            "phone": "000-0000-0001",
            "birth_date": "1990-05-04",
            "person_types": [1, 3],
            "trained": "yes",
            "training": "2023年5月 岗前培训",
        }
        made = await client.post("/v1/volunteers", json=body)
        assert made.status_code == 201, made.text
        known = made.json()["id"]
    assert await taken(registry) == known
    assert facts(await last_told(registry, known)) == ([1, 3], [], True)


async def test_a_form_of_a_unit_vouches_for_what_it_says(registry: Registry) -> None:
    who = await taken(registry)
    rows = workbook(a_row(name="张示例", phone="000-0000-0001", types="3", trained="否"))
    await import_volunteers(registry.database, registry.keys, rows, TOWN)
    assert facts(await last_told(registry, who)) == ([3], [], False)


async def test_of_who_is_new_no_papers_are_read(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """An import of a hundred thousand rows asks nothing about people who were not there before."""
    find = Tx.find

    async def watched(tx: Tx, collection: str, query: Any, **more: Any) -> Any:
        assert collection not in ("qualifications", "attendances")
        return await find(tx, collection, query, **more)

    monkeypatch.setattr(Tx, "find", watched)
    rows = workbook(*(a_row(name=f"张示例{number}", phone=f"000-0000-{number:04d}") for number in range(1, 4)))
    await import_volunteers(registry.database, registry.keys, rows, TOWN)
    assert len(await registry.events("volunteer_registered")) == 3


async def test_a_certificate_that_is_revoked_or_rejected_takes_the_claim_along(registry: Registry) -> None:
    async with registry.client(COUNTY) as client, registry.client(COUNTY, subject="registrar-2") as other:
        who = await a_volunteer(registry, person_types=[2], qualifications=[2])
        assert facts(await last_told(registry, who)) == ([2], [2], False)
        ident = await verified(registry, client, who, "therapist")
        event = await last_told(registry, who)
        assert facts(event) == ([2], [2], False)
        spell = {"since": None, "until": "2030-12-31"}
        assert {"fact": "qualification", "code": 2, **spell} in event["spells"]
        await other.post(f"/v1/qualifications/{ident}/steps", json={"state": "withdrawn", "reason": "revoked"})
        assert facts(await last_told(registry, who)) == ([], [], False)
        again = await qualified(client, who, "therapist")
        await other.post(f"/v1/qualifications/{again}/steps", json={"state": "rejected", "reason": "not_at_issuer"})
        assert facts(await last_told(registry, who)) == ([], [], False)
        await verified(registry, client, who, "therapist")
        assert facts(await last_told(registry, who)) == ([2], [2], False)


async def test_a_paper_that_cannot_be_read_leaves_a_vouched_responder_where_matching_finds_one(
    registry: Registry,
) -> None:
    async with registry.client(COUNTY) as client, registry.client(COUNTY, subject="registrar-2") as other:
        who = await a_volunteer(registry, person_types=[2], qualifications=[2])

        async def closed(state: str, reason: str) -> dict[str, Any]:
            """What the person's page says that counts, after a paper was closed so."""
            ident = await qualified(client, who, "therapist")
            step = {"state": state, "reason": reason}
            assert (await other.post(f"/v1/qualifications/{ident}/steps", json=step)).status_code == 200
            shown: dict[str, Any] = (await client.get(f"/v1/volunteers/{who}")).json()["counts"]
            event = await last_told(registry, who)
            assert (shown["person_types"], shown["qualifications"], shown["trained"]) == facts(event), "as it is told"
            return shown

        for step in (("rejected", "unreadable"), ("rejected", "wrong_details"), ("withdrawn", "own_wish")):
            assert await closed(*step) == {"person_types": [2], "qualifications": [2], "trained": False, "spells": []}
        assert (await closed("rejected", "other_person"))["qualifications"] == []
        listed = (await client.get("/v1/volunteers")).json()["items"]
        assert [row["counts"]["person_types"] for row in listed] == [[]], "the claim is shown beside what counts of it"
        assert listed[0]["person_types"] == [2]
        await verified(registry, client, who, "therapist")
        spell = {"fact": "qualification", "code": 2, "since": None, "until": "2030-12-31"}
        assert spell in (await client.get(f"/v1/volunteers/{who}")).json()["counts"]["spells"]


async def test_who_passes_the_training_here_is_told_as_trained_until_it_is_corrected_away(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        who = await a_volunteer(registry)
        of = await course(client, division=COUNTY, topics=[PRE_SERVICE], pass_score=60, valid_months=12)
        session = await held_session(client, of, division=TOWN)
        path = f"/v1/training-sessions/{session}/attendances"
        for score, expected in ((59, False), (60, True), (59, False)):
            items = [{"person_id": who, "attended": True, "score": score}]
            answer = await client.put(path, json={"items": items})
            assert answer.status_code == 200, answer.text
            event = await last_told(registry, who)
            assert event["trained"] is expected
            assert [one["fact"] for one in event["spells"]] == ["trained"] * expected


async def test_what_the_other_entry_proved_counts_for_the_person_and_goes_back_with_it(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        stays, goes = await a_volunteer(registry, 11), await a_volunteer(registry, 12)
        await verified(registry, client, goes, "counsellor")
        body = {"other": goes, "reason": "同一人"}
        merged = await client.post(f"/v1/volunteers/{stays}/merge", json=body)
        assert merged.status_code in (200, 201), merged.text
        assert (await last_told(registry, stays))["qualifications"] == [3]
        split = await client.post(f"/v1/volunteers/{goes}/split", json={"reason": "两个人"})
        assert split.status_code == 200, split.text
    assert (await last_told(registry, stays))["qualifications"] == []
    assert (await last_told(registry, goes))["qualifications"] == [3]


async def test_a_merge_vouches_for_what_either_office_vouched_for_and_for_nothing_else(registry: Registry) -> None:
    portal = await taken(registry)
    async with registry.client(COUNTY) as client:
        stays = await a_volunteer(registry, 12, person_types=[3])
        body = {"other": portal, "reason": "同一人"}
        assert (await client.post(f"/v1/volunteers/{stays}/merge", json=body)).status_code in (200, 201)
    assert facts(await last_told(registry, stays)) == ([3], [], False)
    async with registry.client(COUNTY) as client:
        shown = (await client.get(f"/v1/volunteers/{stays}")).json()
    assert shown["unchecked"] == ["qualification:1", "trained"]


async def test_a_form_that_changes_many_people_reads_their_papers_at_once(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def handed_in(trained: str) -> None:
        rows = [a_row(name=f"张示例{n}", phone=f"000-0000-{n:04d}", trained=trained) for n in range(1, 6)]
        await import_volunteers(registry.database, registry.keys, workbook(*rows), TOWN)

    await handed_in("否")
    async with registry.client(COUNTY) as client:
        (who, *_) = [row["id"] for row in (await client.get("/v1/volunteers")).json()["items"]]
        await verified(registry, client, who, "counsellor")
    asked: list[str] = []
    find = Tx.find

    async def watched(tx: Tx, collection: str, query: Any, **more: Any) -> Any:
        asked.append(collection)
        return await find(tx, collection, query, **more)

    monkeypatch.setattr(Tx, "find", watched)
    await handed_in("是：2023年5月 示例培训")
    assert (asked.count("qualifications"), asked.count("attendances")) == (1, 1)
    assert facts(await last_told(registry, who)) == ([1, 3], [3], True)
