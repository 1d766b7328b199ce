"""Two cases of one person become one, flags of another person get a case of their own, and nothing is lost by it."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.auth import Caller
from chassis.clock import new_id
from chassis.errors import NotAllowed, NotFound
from chassis.tx import Document, Tx
from contracts.base import Answer, Tier
from contracts.crisis import (
    CaseOpened,
    CasesMerged,
    CaseSplit,
    HopCalled,
    HopOverdue,
    ReferralState,
    ResponderReleased,
    RiskRaised,
)
from contracts.hotline import RiskFlagged
from services.crisis.commands import chains, chains_notices
from services.crisis.commands.merging import merge
from services.crisis.commands.merging_split import split
from services.crisis.commands.minors import keep_guardian, open_guardian
from services.crisis.commands.record import set_plan_version
from services.crisis.commands.retention import hold, release_hold
from services.crisis.commands.risk import raise_risk
from services.crisis.commands.urgent import UrgentReason, put_urgent
from services.crisis.domain.case_states import NEXT, State
from services.crisis.domain.chains_notices import Addressee, Advice, Means
from services.crisis.domain.codes import Relation
from services.crisis.domain.merging import compared, same_number
from tests.services.crisis.test_concerns import SCHOOL, a_school
from tests.services.crisis.test_routes import is_problem
from tests.services.crisis.world import (
    BY_TIER,
    COUNTY,
    HIGH,
    IMMINENT,
    LOW,
    MODERATE,
    NEIGHBOUR,
    NO,
    OFFICER,
    SUPERVISOR,
    TOWN,
    World,
    a_flag,
    person,
)

REASON = {"reason": "核实为同一人"}
HOUR = timedelta(hours=1)
CITY_SUPERVISOR = Caller("supervisor-c", frozenset({"supervisor"}), "3708")
CITY_OFFICER = Caller("officer-c", frozenset({"duty_officer"}), "3708")


async def merged(world: World, gone: UUID, into: UUID, caller: Caller = SUPERVISOR) -> Document:
    return await world.do(lambda tx: merge(gone, into, "核实为同一人", caller, tx, world.office))


async def parted(world: World, case: UUID, *flags: UUID, ident: UUID | None = None) -> Document:
    key = ident or new_id()
    return await world.do(lambda tx: split(case, key, flags, "另一人的来电", SUPERVISOR, tx, world.office))


async def timers_of(world: World, key: UUID) -> set[str]:
    return {timer.split(":")[0] for timer in await world.timers() if str(key) in timer}


# Merging


async def test_the_case_that_goes_on_has_the_higher_tier_and_everything_of_both(world: World) -> None:
    for number, (kept_tier, gone_tier) in enumerate(product(Tier, Tier)):
        kept = await world.flag(caller=person(2 * number), consent_to_follow_up="yes", **BY_TIER[kept_tier])
        gone = await world.flag(caller=person(2 * number + 1), consent_to_follow_up="yes", **BY_TIER[gone_tier])
        after = await merged(world, gone["_id"], kept["_id"])
        highest = Tier.highest([kept_tier, gone_tier])
        assert after["tier"] == highest
        assert {row["id"] for row in after["flags"]} == {row["id"] for row in kept["flags"] + gone["flags"]}
        assert after["opened_at"] == kept["opened_at"]
        assert after["acknowledgement"]["due_at"] <= min(
            one["acknowledgement"]["due_at"] for one in (kept, gone) if one["tier"] == highest
        )
        items = [item for item in await world.follow_ups(kept["_id"]) if item["state"] == "planned"]
        assert len(items) == len(world.office.policies.at(world.now).follow_up[highest].hours)
        if highest in (Tier.imminent, Tier.high):
            assert (await world.referral(kept["_id"]))["state"] == "drafted"
        raised = [
            (event.case_id, event.previous, event.tier)
            for event in world.emitted(RiskRaised)
            if event.case_id == kept["_id"]
        ]
        assert raised == ([(kept["_id"], kept_tier, gone_tier)] if gone_tier.rank > kept_tier.rank else [])
        pointer = await world.case(gone["_id"])
        assert (pointer["state"], pointer["merged_into"], pointer["flags"]) == ("merged", kept["_id"], [])
        assert await timers_of(world, gone["_id"]) == {"retention"}
        assert {item["state"] for item in await world.follow_ups(gone["_id"])} <= {"void"}
        assert pointer["responder"]["state"] in ("none", "released")


async def test_merging_is_told_once_and_the_same_again_changes_nothing(world: World) -> None:
    kept = (await world.flag(caller=person(1), **MODERATE))["_id"]
    gone = (await world.flag(caller=person(2), **MODERATE))["_id"]
    first = await merged(world, gone, kept)
    second = await merged(world, gone, kept)
    assert second["timeline"] == first["timeline"]
    (told,) = world.emitted(CasesMerged)
    assert (told.case_id, told.merged_case_id, told.tier) == (kept, gone, "moderate")
    actions = [entry["action"] for entry in await world.audit_log()]
    assert actions.count("cases_merged") == 1
    with pytest.raises(NotAllowed):
        await merged(world, kept, gone)
    with pytest.raises(NotAllowed, match="into itself"):
        await merged(world, kept, kept)


async def test_later_flags_of_either_pseudonym_join_the_case_that_goes_on_and_the_next_one_too(world: World) -> None:
    kept = (await world.flag(caller=person(1), **MODERATE))["_id"]
    gone = (await world.flag(caller=person(2), **MODERATE))["_id"]
    await merged(world, gone, kept)
    assert (await world.flag(caller=person(2), **LOW))["_id"] == kept
    assert (await world.flag(caller=person(1), **LOW))["_id"] == kept
    await world.acknowledge(kept, SUPERVISOR)
    await world.close(kept)
    again = (await world.flag(caller=person(2), **LOW))["_id"]
    assert again != kept
    assert (await world.flag(caller=person(1), **LOW))["_id"] == again, "they are one person from now on"
    assert len(world.emitted(CaseOpened)) == 3


async def test_an_unknown_persons_case_takes_the_name_of_the_one_it_meets(world: World) -> None:
    kept = (await world.flag(**MODERATE))["_id"]
    gone = (await world.flag(caller=person(2), **MODERATE))["_id"]
    assert (await merged(world, gone, kept))["person"] == person(2)
    assert (await world.flag(caller=person(2), **LOW))["_id"] == kept


async def test_the_nearer_follow_up_of_the_same_tier_is_kept_and_nothing_of_what_was_tried_is_lost(
    world: World,
) -> None:
    older = (await world.flag(caller=person(1), **HIGH))["_id"]
    await world.acknowledge(older, SUPERVISOR)
    due = await world.until_due(older)
    await world.attempt(older, due["id"], "no_answer")
    newer = (await world.flag(caller=person(2), **HIGH))["_id"]
    await merged(world, older, newer)
    items = await world.follow_ups(newer)
    tried = next(item for item in items if item["id"] == due["id"])
    assert (tried["state"], len(tried["attempts"])) == ("due", 1)
    assert sorted(item["ordinal"] for item in items) == list(range(1, len(items) + 1))
    assert "follow_up" in await timers_of(world, newer)


async def test_a_clock_that_waits_is_not_stopped_by_a_case_that_was_taken(world: World) -> None:
    taken = (await world.flag(caller=person(1), **HIGH))["_id"]
    await world.acknowledge(taken, SUPERVISOR)
    waiting = await world.flag(caller=person(2), **HIGH)
    after = await merged(world, waiting["_id"], taken)
    assert after["acknowledgement"]["state"] == "waiting"
    assert after["acknowledgement"]["due_at"] == waiting["acknowledgement"]["due_at"]
    assert "acknowledgement" in await timers_of(world, taken)


async def test_the_stricter_wish_about_being_called_is_kept(world: World, client: httpx.AsyncClient) -> None:
    kept = (await world.flag(caller=person(1), **MODERATE))["_id"]
    gone = (await world.flag(caller=person(2), **MODERATE))["_id"]
    wish = {"call_back": "never"}

    async def ask_not_to_be_called(tx: Tx) -> None:
        case = await tx.get("cases", gone)
        assert case is not None
        tx.put("cases", {**case, "contact_preferences": wish})

    await world.do(ask_not_to_be_called)
    assert (await merged(world, gone, kept))["contact_preferences"] == wish


async def test_an_act_in_progress_is_still_one_after_merging(world: World) -> None:
    kept = (await world.flag(caller=person(1), **MODERATE))["_id"]
    gone = await world.flag(caller=person(2), **IMMINENT)
    after = await merged(world, gone["_id"], kept)
    assert (after["emergency"]["state"], after["emergency"]["due_at"]) == ("required", gone["emergency"]["due_at"])
    assert "emergency" in await timers_of(world, kept)


async def test_the_referral_that_is_further_on_goes_on(world: World) -> None:
    kept = (await world.flag(caller=person(1), **HIGH))["_id"]
    gone = (await world.flag(caller=person(2), **HIGH))["_id"]
    sent = await world.refer(gone)
    await world.answer(sent, ReferralState.received)
    drafted = await world.referral(kept)
    await merged(world, gone, kept)
    going_on = await world.referral(kept)
    assert (going_on["_id"], going_on["state"], going_on["case_id"]) == (sent["_id"], "received", kept)
    other = await world.database.get("referrals", drafted["_id"])
    assert other is not None
    assert other["state"] == "cancelled"
    assert "referral" in {timer.split(":")[0] for timer in await world.timers() if str(sent["_id"]) in timer}


async def test_the_responder_of_the_other_case_is_released_and_somebody_looks_at_it(world: World) -> None:
    kept = (await world.flag(caller=person(1), **MODERATE))["_id"]
    gone = await world.flag(caller=person(2), **MODERATE)
    await merged(world, gone["_id"], kept)
    assert gone["responder"]["request_id"] in [event.request_id for event in world.emitted(ResponderReleased)]
    assert (await world.case(kept))["responder"]["state"] == "requested"


async def test_what_is_known_of_a_child_and_of_harm_holds_for_the_case_that_goes_on(world: World) -> None:
    kept = (await world.flag(caller=person(1), **MODERATE))["_id"]
    told = {"age_band": "under_14", "suspected_harm_to_minor": "yes"}
    gone = (await world.flag(caller=person(2), **{**MODERATE, **told}))["_id"]
    after = await merged(world, gone, kept)
    assert (after["minor"], after["under_14"], after["access"]) == (True, True, "strict")
    assert (after["harm_to_minor"], after["report"]["state"]) == ("yes", "required")
    assert "report" in await timers_of(world, kept)


async def test_contacts_and_sections_go_along_under_the_key_they_were_sealed_with(
    world: World, client: httpx.AsyncClient
) -> None:
    sealed = [world.keys.seal({"phone": f"000-0000-000{number}"}) for number in (1, 2)]
    kept = (await world.flag(caller=person(1), sealed_contact=sealed[0], **MODERATE))["_id"]
    gone = (await world.flag(caller=person(2), sealed_contact=sealed[1], **MODERATE))["_id"]
    supervisor = world.keys.token("supervisor", sub="supervisor-a")
    note = {"id": str(new_id()), "section": {"kind": "note", "text": "愿意明天再谈"}}
    await client.post(f"/v1/cases/{gone}/sections", json=note, headers=supervisor)
    answer = await client.post(f"/v1/cases/{gone}/merge", json={"into": str(kept), **REASON}, headers=supervisor)
    assert answer.json()["id"] == str(kept)
    found = (await client.post(f"/v1/cases/{kept}/contact", json=REASON, headers=supervisor)).json()["contacts"]
    assert {one["phone"] for one in found} == {"000-0000-0001", "000-0000-0002"}
    (read,) = (await client.post(f"/v1/cases/{kept}/sections/read", json=REASON, headers=supervisor)).json()["sections"]
    assert read["texts"] == {"text": "愿意明天再谈"}
    shown = (await client.get(f"/v1/cases/{gone}", headers=supervisor)).json()
    assert (shown["state"], shown["merged_into"]) == ("merged", str(kept))


SCHOOLED: dict[str, Any] = {"way": "school_warning", "setting": "school", "organisation_id": SCHOOL, **LOW}
WITHHELD = {**SCHOOLED, "starts_at": "school-counsellor"}
TEACHER = Caller("teacher-a", frozenset({"class_teacher"}), COUNTY, organisation=str(SCHOOL))


async def no_word_to_the_class(world: World, key: UUID) -> None:
    """The class is not called, sees nothing, and is told nothing for a month."""
    case = await world.case(key)
    assert case["chain"]["withheld"]
    assert "class-teacher" not in case["chain"]["called"]
    assert await world.do(lambda tx: chains.hops_of(TEACHER, 10, tx)) == []
    (timer,) = await world.database.find("timers", {"_id": f"hop:{key}"})
    assert timer["due_at"] == min(hop["due_at"] for hop in case["chain"]["hops"] if hop["state"] == "called")
    before = len(world.events)
    await world.pass_time(timedelta(days=30))
    told = [one for one in world.events[before:] if isinstance(one, HopCalled | HopOverdue)]
    assert "class-teacher" not in {one.role for one in told}
    assert "school-counsellor" in {one.role for one in told}


@pytest.mark.parametrize(("kept_said", "gone_said"), [(SCHOOLED, WITHHELD), (WITHHELD, SCHOOLED), (LOW, WITHHELD)])
async def test_a_warning_that_is_withheld_from_the_class_stays_so_whichever_case_goes_on(
    world: World, kept_said: dict[str, Any], gone_said: dict[str, Any]
) -> None:
    await a_school(world)
    kept = (await world.flag(caller=person(1), **kept_said))["_id"]
    gone = (await world.flag(caller=person(2), **gone_said))["_id"]
    await merged(world, gone, kept)
    await no_word_to_the_class(world, kept)


async def test_a_withheld_warning_of_a_school_goes_on_in_place_of_a_communitys_chain(world: World) -> None:
    await a_school(world)
    kept = (await world.flag(caller=person(1), setting="community", **LOW))["_id"]
    assert (await world.case(kept))["acknowledgement"]["state"] == "chain"
    gone = (await world.flag(caller=person(2), **WITHHELD))["_id"]
    after = await merged(world, gone, kept)
    assert after["past_chains"][-1]["called"] == []
    assert after["acknowledgement"]["state"] == "waiting", "whoever held the other chain is not asked: the line is"
    await no_word_to_the_class(world, kept)


@pytest.mark.parametrize("told_in", ["kept", "gone"])
async def test_what_was_sent_to_the_class_and_not_received_is_withdrawn(world: World, told_in: str) -> None:
    await a_school(world)
    said = (SCHOOLED, WITHHELD) if told_in == "kept" else (WITHHELD, SCHOOLED)
    kept, gone = [(await world.flag(caller=person(n), **one))["_id"] for n, one in enumerate(said, 1)]
    ident, about = new_id(), kept if told_in == "kept" else gone
    await world.do(
        lambda tx: chains_notices.send_notice(
            about, ident, Addressee.class_, Advice.keep_an_eye, Means.telephone, SUPERVISOR, tx
        )
    )
    await merged(world, gone, kept)
    notice = await world.database.get("notices", ident)
    assert notice is not None
    assert (notice["case_id"], notice["state"]) == (kept, "withdrawn")
    with pytest.raises(NotFound):
        await world.do(lambda tx: chains_notices.receive_notice(ident, None, TEACHER, tx))


async def test_a_case_that_has_no_chain_takes_over_the_other_one(world: World) -> None:
    await a_school(world)
    kept = (await world.flag(caller=person(1), **LOW))["_id"]
    gone = (await world.flag(caller=person(2), **SCHOOLED))["_id"]
    after = await merged(world, gone, kept)
    assert (after["chain"]["called"], after["chain"]["withheld"]) == (["class-teacher"], False)
    assert "hop" in await timers_of(world, kept)
    assert "hop" not in await timers_of(world, gone)
    (row,) = await world.do(lambda tx: chains.hops_of(TEACHER, 10, tx))
    assert row["case_id"] == kept


@pytest.mark.parametrize("both", [False, True])
async def test_an_urgent_case_stays_on_the_list_until_the_earlier_end(world: World, both: bool) -> None:
    kept = (await world.flag(caller=person(1), **HIGH))["_id"]
    gone = (await world.flag(caller=person(2), **LOW))["_id"]
    first = await world.do(lambda tx: put_urgent(gone, UrgentReason.means_at_hand, OFFICER, tx, world.office))
    if both:
        await world.pass_time(HOUR)
        await world.do(lambda tx: put_urgent(kept, UrgentReason.nobody_near, OFFICER, tx, world.office))
    await merged(world, gone, kept)
    (row,) = await world.database.find("urgent", {})
    assert (row["_id"], row["tier"], row["put_at"]) == (kept, "high", first["put_at"])
    assert row["expires_at"] == first["expires_at"]
    (timer,) = await world.database.find("timers", {"kind": "urgent"})
    assert (timer["_id"], timer["due_at"]) == (f"urgent:{kept}", first["expires_at"])


async def test_of_two_guardians_the_one_who_is_suspected_holds_and_the_other_is_still_known(world: World) -> None:
    child = {**MODERATE, "age_band": "under_14"}
    kept = (await world.flag(caller=person(1), **child))["_id"]
    gone = (await world.flag(caller=person(2), **child))["_id"]

    async def guardian(key: UUID, relation: Relation, suspected: Answer, name: str) -> None:
        said = (relation, Answer.yes, suspected, {"name": name}, SUPERVISOR)
        await world.do(lambda tx: keep_guardian(key, *said, tx, world.office))

    await guardian(kept, Relation.mother, Answer.no, "张示例")
    await guardian(gone, Relation.father, Answer.yes, "测试员甲")
    after = await merged(world, gone, kept)
    assert (after["guardian"]["relation"], after["guardian"]["suspected"]) == ("father", "yes")
    read = await world.do(lambda tx: open_guardian(kept, "征得同意", SUPERVISOR, tx, world.office))
    assert (read["name"], [one["name"] for one in read["others"]]) == ("测试员甲", ["张示例"])
    await guardian(kept, Relation.father, Answer.yes, "测试员乙")
    read = await world.do(lambda tx: open_guardian(kept, "征得同意", SUPERVISOR, tx, world.office))
    assert (read["name"], [one["name"] for one in read["others"]]) == ("测试员乙", ["张示例"])
    (row,) = await world.database.find("guardians", {})
    await world.do(lambda tx: world.office.keys.erase(tx, row["person"]))
    read = await world.do(lambda tx: open_guardian(kept, "征得同意", SUPERVISOR, tx, world.office))
    assert "name" not in str(read), "under one key, which erases both"


@pytest.mark.parametrize("first", ["kept", "gone"])
async def test_the_earlier_review_of_two_plans_is_kept_with_its_clock(world: World, first: str) -> None:
    kept = (await world.flag(caller=person(1), **MODERATE))["_id"]
    gone = (await world.flag(caller=person(2), **MODERATE))["_id"]
    soon, late = world.now + timedelta(days=2), world.now + timedelta(days=9)

    async def planned(key: UUID, kind: str, review_at: datetime) -> None:
        await world.do(
            lambda tx: set_plan_version(key, kind, {}, {"note": "甲"}, review_at, SUPERVISOR, tx, world.office)
        )

    await planned(kept, "care_plan", soon if first == "kept" else late)
    await planned(gone, "safety_plan", late if first == "kept" else soon)
    await merged(world, gone, kept)
    (record,) = await world.database.find("care_records", {})
    assert record["_id"] == kept
    assert abs(record["review_due_at"] - soon) < timedelta(seconds=1)
    assert record["care_plan"] is not None
    assert record["safety_plan"] is not None
    (timer,) = await world.database.find("timers", {"_id": f"review:{kept}"})
    assert timer["due_at"] == record["review_due_at"]
    await world.pass_time(timedelta(days=3))
    assert "review_due" in (await world.case(kept))["decisions_needed"]


async def test_a_programme_of_the_case_follows_it(world: World) -> None:
    kept = (await world.flag(caller=person(1), **MODERATE))["_id"]
    gone = (await world.flag(caller=person(2), **MODERATE))["_id"]
    ident = new_id()

    async def enrol(tx: Tx) -> None:
        tx.insert("programmes", {"_id": ident, "case_id": gone, "division": COUNTY, "state": "running"})

    await world.do(enrol)
    await merged(world, gone, kept)
    programme = await world.database.get("programmes", ident)
    assert programme is not None
    assert programme["case_id"] == kept


async def test_what_a_case_under_a_legal_hold_gave_away_is_not_erased(world: World) -> None:
    sealed = world.keys.seal({"phone": "000-0000-0001"})
    held = (await world.flag(caller=person(1), sealed_contact=sealed, **LOW))["_id"]
    kept = (await world.flag(caller=person(2), **LOW))["_id"]
    await world.do(lambda tx: hold(held, "警方调取", SUPERVISOR, tx))
    await merged(world, held, kept)
    await world.acknowledge(kept)
    await world.close(kept)
    until = (await world.case(kept))["retention"]["personal_until"]
    await world.be_away(until - world.now + timedelta(days=1))
    assert len(await world.database.find("contacts", {"case_id": kept})) == 1
    assert (await world.case(kept))["retention"]["stripped_at"] is None
    await world.do(lambda tx: release_hold(held, "结案", CITY_SUPERVISOR, tx))
    await world.be_away(timedelta(minutes=1))
    assert await world.database.find("contacts", {"case_id": kept}) == []


async def test_cases_of_two_counties_are_merged_by_a_supervisor_who_sees_both(
    world: World, client: httpx.AsyncClient
) -> None:
    kept = (await world.flag(caller=person(1), **MODERATE))["_id"]
    gone = (await world.flag(NEIGHBOUR, caller=person(2), **MODERATE))["_id"]
    address, body = f"/v1/cases/{gone}/merge", {"into": str(kept), **REASON}
    is_problem(await client.post(address, json=body, headers=world.keys.token("supervisor")), 404)
    neighbour = world.keys.token("supervisor", division=NEIGHBOUR)
    is_problem(await client.post(address, json=body, headers=neighbour), 404)
    is_problem(await client.post(address, json=body, headers=world.keys.token("duty_officer", division="3708")), 403)
    is_problem(await client.post(address, json={"into": "x", **REASON}, headers=neighbour), 422, "body.into")
    is_problem(await client.post(address, json=body, headers=world.keys.token("receiver")), 403)
    assert (await merged(world, gone, kept, CITY_SUPERVISOR))["_id"] == kept


async def test_within_a_county_the_officer_on_the_line_may_merge(world: World) -> None:
    kept = (await world.flag(caller=person(1), **MODERATE))["_id"]
    gone = (await world.flag(caller=person(2), division=TOWN, **MODERATE))["_id"]
    assert (await merged(world, gone, kept, OFFICER))["merged_from"] == [gone]


@given(st.sampled_from(State), st.sampled_from(State))
def test_a_case_that_was_merged_stays_so(one: State, other: State) -> None:
    assert set(NEXT) == set(State)
    assert NEXT[State.merged] == frozenset()
    assert (other in NEXT[one]) == ((one, other) in {("open", "closed"), ("open", "merged"), ("closed", "open")})


# Splitting


async def test_flags_of_another_person_get_a_case_and_a_clock_of_their_own(world: World) -> None:
    case = await world.flag(caller=person(), **LOW)
    key = case["_id"]
    joined = await world.flag(caller=person(), **HIGH)
    flag = joined["flags"][-1]["id"]
    await world.acknowledge(key, SUPERVISOR)
    fresh = await parted(world, key, flag)
    assert (fresh["tier"], fresh["acknowledgement"]["state"], fresh["person"]) == ("high", "waiting", None)
    assert [row["id"] for row in fresh["flags"]] == [flag]
    assert (await world.referral(fresh["_id"]))["state"] == "drafted"
    assert {"acknowledgement", "follow_up"} <= await timers_of(world, fresh["_id"])
    rest = await world.case(key)
    assert (rest["tier"], len(rest["flags"])) == ("high", 1), "lowering takes two persons"
    assert (await world.flag(caller=person(), **LOW))["_id"] == key, "a shared telephone stays where it was"
    (told,) = world.emitted(CaseSplit)
    assert (told.case_id, told.from_case_id, told.flags, told.tier) == (fresh["_id"], key, 1, "high")
    assert (await world.audit_log())[-1]["action"] == "case_split"


async def test_what_was_merged_by_mistake_is_parted_with_its_person(world: World) -> None:
    kept = (await world.flag(caller=person(1), **MODERATE))["_id"]
    gone = await world.flag(caller=person(2), **HIGH)
    await merged(world, gone["_id"], kept)
    fresh = await parted(world, kept, gone["flags"][0]["id"])
    assert fresh["person"] == person(2)
    assert (await world.flag(caller=person(2), **LOW))["_id"] == fresh["_id"]
    assert (await world.flag(caller=person(1), **LOW))["_id"] == kept
    await world.acknowledge(kept, SUPERVISOR)
    one, two = [await world.database.get("persons", person(number)) for number in (1, 2)]
    assert one is not None
    assert two is not None
    assert (one["also"], two["also"]) == ([], [])


async def test_one_officer_who_parts_the_flag_does_not_lower_the_person(world: World) -> None:
    case = await world.flag(caller=person(1), **LOW)
    key = case["_id"]
    await merged(world, (await world.flag(**LOW))["_id"], key)
    await world.do(lambda tx: raise_risk(key, Tier.high, "家属电话告知", SUPERVISOR, tx, world.office))
    fresh = await world.do(
        lambda tx: split(key, new_id(), [case["flags"][0]["id"]], "另一人的来电", OFFICER, tx, world.office)
    )
    assert (fresh["person"], fresh["tier"], fresh["rank"]) == (person(1), "high", Tier.high.rank)
    assert fresh["acknowledgement"]["state"] == "waiting"
    assert world.emitted(CaseSplit)[-1].tier == "high"
    assert (await world.case(key))["tier"] == "high"


async def test_an_act_in_progress_goes_with_the_person_too(world: World) -> None:
    case = await world.flag(caller=person(1), **LOW)
    await merged(world, (await world.flag(**LOW))["_id"], case["_id"])
    await world.do(lambda tx: raise_risk(case["_id"], Tier.imminent, "正在实施", SUPERVISOR, tx, world.office))
    fresh = await parted(world, case["_id"], case["flags"][0]["id"])
    assert (fresh["tier"], fresh["emergency"]["state"]) == ("imminent", "required")


async def test_wishes_the_guardian_and_a_legal_hold_are_both_cases(world: World) -> None:
    child = {**MODERATE, "age_band": "under_14"}
    key = (await world.flag(caller=person(1), **child))["_id"]
    gone = await world.flag(caller=person(2), **child)
    await merged(world, gone["_id"], key)
    texts = {"name": "张示例"}
    said = (Relation.mother, Answer.yes, Answer.no, texts, SUPERVISOR)
    await world.do(lambda tx: keep_guardian(key, *said, tx, world.office))
    await world.do(lambda tx: hold(key, "警方调取", SUPERVISOR, tx))

    async def wish(tx: Tx) -> None:
        case = await tx.get("cases", key)
        assert case is not None
        tx.put("cases", {**case, "contact_preferences": {"call_back": "never"}})

    await world.do(wish)
    fresh = await parted(world, key, gone["flags"][0]["id"])
    assert fresh["contact_preferences"] == {"call_back": "never"}
    assert fresh["guardian"]["relation"] == "mother"
    held = await world.database.get("holds", fresh["_id"])
    assert held is not None
    assert held["by"] == SUPERVISOR.subject
    await world.do(lambda tx: world.office.keys.erase(tx, person(1)))
    read = await world.do(lambda tx: open_guardian(fresh["_id"], "征得同意", SUPERVISOR, tx, world.office))
    assert read["name"] == "张示例", "the copy is sealed under the key of the case that it is in"


async def test_an_act_in_progress_goes_with_its_flag(world: World) -> None:
    key = (await world.flag(caller=person(), **LOW))["_id"]
    flag = (await world.flag(caller=person(), **IMMINENT))["flags"][-1]["id"]
    fresh = await parted(world, key, flag)
    assert fresh["emergency"]["state"] == "required"
    assert (await world.case(key))["emergency"]["state"] == "required", "until a person stands it down"


async def test_the_contact_goes_with_its_flag(world: World, client: httpx.AsyncClient) -> None:
    key = (await world.flag(caller=person(), **LOW))["_id"]
    sealed = world.keys.seal({"phone": "000-0000-0002"})
    flag = (await world.flag(caller=person(), sealed_contact=sealed, **LOW))["flags"][-1]["id"]
    supervisor = world.keys.token("supervisor")
    body = {"id": str(new_id()), "flag_ids": [str(flag)], "reason": "共用电话"}
    answers = [await client.post(f"/v1/cases/{key}/split", json=body, headers=supervisor) for _ in range(2)]
    assert [answer.json()["id"] for answer in answers] == [body["id"]] * 2, "sent again it is one case"
    assert len(world.emitted(CaseSplit)) == 1
    found = await client.post(f"/v1/cases/{body['id']}/contact", json=REASON, headers=supervisor)
    assert [one["phone"] for one in found.json()["contacts"]] == ["000-0000-0002"]
    assert (await client.post(f"/v1/cases/{key}/contact", json=REASON, headers=supervisor)).json()["contacts"] == []
    seen = (await client.get(f"/v1/flags/{flag}", headers=supervisor)).json()
    assert seen["case_id"] == body["id"]


async def test_a_split_that_does_not_go_is_refused(world: World, client: httpx.AsyncClient) -> None:
    case = await world.flag(caller=person(), **LOW)
    key, only = case["_id"], str(case["flags"][0]["id"])
    supervisor = world.keys.token("supervisor")
    address = f"/v1/cases/{key}/split"

    def body(*flags: str, **more: Any) -> dict[str, Any]:
        return {"id": str(new_id()), "flag_ids": list(flags), "reason": "共用电话", **more}

    is_problem(await client.post(address, json=body(only), headers=supervisor), 422, "flag_ids")
    is_problem(await client.post(address, json=body(str(new_id())), headers=supervisor), 422, "flag_ids")
    is_problem(await client.post(address, json=body(), headers=supervisor), 422, "body.flag_ids")
    is_problem(await client.post(address, json=body(only, id=str(key)), headers=supervisor), 409, "id")
    elsewhere = world.keys.token("supervisor", division=NEIGHBOUR)
    is_problem(await client.post(address, json=body(only), headers=elsewhere), 404)
    is_problem(await client.post(address, json=body(only), headers=world.keys.token("volunteer")), 403)


# Doubles


async def doubles_of(client: httpx.AsyncClient, key: UUID, headers: dict[str, str]) -> dict[str, list[str]]:
    answer = await client.get(f"/v1/cases/{key}/doubles", headers=headers)
    assert answer.status_code == 200, answer.text
    return {one["id"]: one["signals"] for one in answer.json()["doubles"]}


async def test_cases_with_the_same_telephone_or_name_are_proposed_and_nobody_else(
    world: World, client: httpx.AsyncClient
) -> None:
    def sealed(**fields: str) -> str:
        return world.keys.seal(fields)

    officer = world.keys.token("duty_officer")
    case = await world.flag(caller=person(1), sealed_contact=sealed(phone="000-0000-0001", name="张示例"), **LOW)
    phone = await world.flag(caller=person(2), sealed_contact=sealed(phone="000 0000 0001"), **LOW)
    both = await world.flag(sealed_contact=sealed(phone="00000000001", name="张 示例"), **LOW)
    await world.flag(caller=person(4), sealed_contact=sealed(phone="000-0000-0009", name="测试员甲"), **LOW)
    far = await world.flag(NEIGHBOUR, caller=person(5), sealed_contact=sealed(phone="000-0000-0001"), **LOW)
    found = await doubles_of(client, case["_id"], officer)
    assert found == {str(both["_id"]): ["same_name", "same_phone"], str(phone["_id"]): ["same_phone"]}
    assert list(found) == [str(both["_id"]), str(phone["_id"])], "the best supported first"
    city = world.keys.token("supervisor", division="3708")
    assert str(far["_id"]) in await doubles_of(client, case["_id"], city)
    elsewhere = world.keys.token("supervisor", division=NEIGHBOUR)
    is_problem(await client.get(f"/v1/cases/{case['_id']}/doubles", headers=elsewhere), 404)
    is_problem(await client.get(f"/v1/cases/{case['_id']}/doubles", headers=world.keys.token("auditor")), 403)
    await merged(world, phone["_id"], case["_id"])
    assert list(await doubles_of(client, case["_id"], officer)) == [str(both["_id"])]


async def test_unknown_persons_of_one_village_at_one_time_are_proposed(world: World, client: httpx.AsyncClient) -> None:
    officer = world.keys.token("duty_officer")
    one = await world.flag(division=TOWN, **LOW)
    other = await world.flag(division=TOWN, caller=person(), **LOW)
    await world.flag(**LOW)
    assert await doubles_of(client, one["_id"], officer) == {str(other["_id"]): ["same_place_and_time"]}


async def test_one_contact_of_an_unknown_caller_that_was_flagged_twice_is_proposed(
    world: World, client: httpx.AsyncClient
) -> None:
    first = await world.flag(contact="c-1", **LOW)
    second = await world.flag(contact="c-1", **LOW)
    await world.flag(contact="c-1", hotline="line-2", **LOW)
    officer = world.keys.token("duty_officer")
    assert await doubles_of(client, first["_id"], officer) == {str(second["_id"]): ["same_contact"]}


async def test_what_is_compared_is_no_telephone_number(world: World) -> None:
    await world.flag(sealed_contact=world.keys.seal({"phone": "000-0000-0001", "name": "张示例"}), **LOW)
    (contact,) = await world.database.find("contacts", {})
    assert set(contact["same"]) == {"phone", "name"}
    assert all(len(mark) == 64 for mark in contact["same"].values())
    assert "00000000001" not in str(contact)


@given(st.text(max_size=30))
def test_a_number_is_compared_by_its_digits_alone(said: str) -> None:
    number = same_number(said)
    assert number is None or (number.isdigit() and len(number) >= 7)


def test_the_country_is_no_part_of_a_mobile_number() -> None:
    for said in ("+86 130-0000-0001", "0086 13000000001", "8613000000001", "13000000001"):
        assert same_number(said) == "13000000001"
    assert same_number("0530-1234567") == "05301234567"
    assert same_number("110") is None
    assert compared({"note": "x"}, lambda text: text) == {}


# Many flags


async def test_a_case_has_any_number_of_flags_and_each_is_found(
    world: World, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.crisis.case.FLAGS_IN_A_CASE", 3)
    flags: list[RiskFlagged] = [a_flag(caller=person(), **NO) for _ in range(8)]
    for flag in flags:
        await world.take(flag)
    (case,) = await world.cases()
    assert ([row["id"] for row in case["flags"]], case["older_flags"]) == ([flag.id for flag in flags[-3:]], 5)
    officer = world.keys.token("duty_officer")
    for flag in flags:
        told = (await client.get(f"/v1/flags/{flag.id}", headers=officer)).json()
        assert told["case_id"] == str(case["_id"])
    listed = (await client.get(f"/v1/cases/{case['_id']}/flags?limit=4", headers=officer)).json()
    assert len(listed["flags"]) == 3
    assert len(listed["older"]) == 4
    other = (await world.flag(caller=person(2), **MODERATE))["_id"]
    await merged(world, case["_id"], other)
    told = (await client.get(f"/v1/flags/{flags[0].id}", headers=officer)).json()
    assert told["case_id"] == str(other)
    elsewhere = world.keys.token("supervisor", division=NEIGHBOUR)
    is_problem(await client.get(f"/v1/cases/{other}/flags", headers=elsewhere), 404)
    assert case["division"] == COUNTY


ROUTES = {
    "GET /v1/cases/{case_id}/doubles",
    "GET /v1/cases/{case_id}/flags",
    "POST /v1/cases/{case_id}/merge",
    "POST /v1/cases/{case_id}/split",
}
