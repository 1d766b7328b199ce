"""The gate stays shut: what a role asks for beside a training never waits, and what is not known is no yes."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.clock import now
from chassis.tx import Tx
from contracts.policies import Versions
from services.registry.domain.gate import Facts, GatePolicy, Held, RoleRule, Trained, asked_by, bound, unmet
from services.registry.domain.qualifications import KINDS
from services.registry.domain.trainings import TOPICS
from services.registry.policy import Policies
from tests.services.registry.places_support import COUNTY, TOWN, person
from tests.services.registry.support import Registry
from tests.services.registry.test_gate import codes, days, facts, holdings, trainings
from tests.services.registry.trainings_support import course, insured, pledged, qualified, trained

POLICIES = Policies.load()
GATE = POLICIES.gate.at(now())
SERVICES = POLICIES.qualifications.at(now())
MINORS = POLICIES.people.at(now()).minors
DAY = "2026-11-22"

kinds = st.lists(st.sampled_from(sorted(KINDS)), max_size=3, unique=True).map(tuple)
made_up = st.builds(
    lambda topics, how, own, pledge, insurance: RoleRule(
        role="made-up",
        label="示例岗位",
        trainings=topics,
        training_may_wait=bool(topics) and how == "waits",
        word_counts=bool(topics) and how == "word",
        any_of=own,
        pledge=pledge,
        insurance=insurance,
        source="a test",
    ),
    st.lists(st.sampled_from(sorted(TOPICS)), max_size=3, unique=True).map(tuple),
    st.sampled_from(["waits", "word", "never"]),
    kinds,
    st.booleans(),
    st.booleans(),
)
rules = st.sampled_from(GATE.roles) | made_up
offers = st.frozensets(st.sampled_from(sorted(TOPICS)))
EVERYTHING = Facts(
    active=True,
    minor=False,
    pledged=True,
    held=tuple(Held(kind, "verified") for kind in KINDS),
    trained=(Trained(frozenset(TOPICS), "nation", True, DAY),),
    covers=((DAY, DAY),),
    organisation_kind="hospital",
    age_known=True,
    contactable=True,
    word=True,
    cleared=((DAY, DAY),),
)


def nearly(other: Facts, names: set[str]) -> Facts:
    """Who has everything, but for a few things that are as somebody else's."""
    changed: dict[str, Any] = {name: getattr(other, name) for name in names}
    return replace(EVERYTHING, **changed)


anybody = facts | st.builds(nearly, facts, st.sets(st.sampled_from(sorted(vars(EVERYTHING))), max_size=3))
papers = st.one_of(
    holdings.map(lambda one: ("held", one)),
    trainings.map(lambda one: ("trained", one)),
    st.tuples(st.sampled_from(["covers", "cleared"]), st.tuples(days, days)),
)


def lacking(rule: RoleRule, offered: frozenset[str], known: Facts) -> list[str]:
    """What keeps a person from a role, a code for each thing that is asked for."""
    service = SERVICES.service(rule.service) if rule.service else None
    binding = bound(rule, offered, service, MINORS.barred_roles)
    asked = asked_by(None, binding.rule, None, binding.barred, MINORS.source, binding.by_word)
    return [one.code for one in unmet(asked, known, DAY)]


def reasons(rule: RoleRule, offered: frozenset[str], known: Facts) -> set[str]:
    return set(lacking(rule, offered, known))


def has(known: Facts, kind: str, one: Any) -> Facts:
    changed: dict[str, Any] = {kind: (*getattr(known, kind), one)}
    return replace(known, **changed)


@settings(deadline=None)
@given(rules, offers, anybody)
def test_nobody_may_who_lacks_what_a_role_asks_for(rule: RoleRule, offered: frozenset[str], known: Facts) -> None:
    """Reckoned apart: each thing that is asked for, whatever courses there are."""
    service = SERVICES.service(rule.service) if rule.service else None
    any_of = service.any_of if service else rule.any_of
    adult = rule.adult or rule.role in MINORS.barred_roles or (service is not None and service.adult)
    lacks = not known.active or not known.contactable
    lacks |= adult and (known.minor or not known.age_known)
    lacks |= rule.pledge and not known.pledged
    lacks |= rule.record_check and not any(first <= DAY <= last for first, last in known.cleared)
    lacks |= rule.insurance and not any(first <= DAY <= last for first, last in known.covers)
    lacks |= bool(any_of) and not any(
        one.kind in any_of and one.state == "verified" and (one.valid_from or DAY) <= DAY <= (one.valid_until or DAY)
        for one in known.held
    )
    for topic in rule.trainings:
        done = any(topic in one.topics and one.passed and one.on <= DAY <= (one.until or DAY) for one in known.trained)
        if topic in offered or not (rule.training_may_wait or rule.word_counts):
            lacks |= not done
        elif rule.word_counts:
            lacks |= not (done or known.word)
    assert bool(reasons(rule, offered, known)) == lacks


@settings(deadline=None)
@given(rules, offers, anybody, papers)
def test_a_paper_more_takes_nothing_and_a_paper_less_gives_nothing(
    rule: RoleRule, offered: frozenset[str], known: Facts, paper: tuple[str, Any]
) -> None:
    before, after = lacking(rule, offered, known), lacking(rule, offered, has(known, *paper))
    assert before or not after, "a paper more turned a yes into a no"
    assert not after or before, "a paper less turned a no into a yes"
    assert len(after) <= len(before)


@settings(deadline=None)
@given(rules, offers, anybody, st.sampled_from(sorted(TOPICS)))
def test_a_course_that_is_offered_asks_for_more_and_never_for_less(
    rule: RoleRule, offered: frozenset[str], known: Facts, topic: str
) -> None:
    assert reasons(rule, offered, known) <= reasons(rule, offered | {topic}, known)


def test_who_answers_cases_waits_for_no_offer_and_the_role_asks_what_its_service_asks() -> None:
    for name in ("responder", "counsellor", "crisis-team"):
        rule = GATE.role(name)
        assert rule is not None
        assert (rule.pledge, rule.training_may_wait) == (True, False)
    for name, service in (("counsellor", "counselling"), ("crisis-team", "crisis_intervention")):
        rule = GATE.role(name)
        assert rule is not None
        assert rule.service == service
    assert all(SERVICES.service(rule.service) for rule in GATE.roles if rule.service)
    assert set(MINORS.barred_roles) <= {rule.role for rule in GATE.roles}


@pytest.mark.parametrize(
    "told",
    [
        {"training_may_wait": True},
        {"word_counts": True},
        {"trainings": ["pre_service"], "training_may_wait": True, "word_counts": True},
        {"service": "counselling", "any_of": ["counsellor"]},
        {"trainings": ["magic"]},
        {"any_of": ["magician"]},
    ],
)
def test_a_rule_that_says_two_things_at_once_is_no_policy(told: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="made-up"):
        RoleRule(role="made-up", label="示例岗位", source="a test", **told)


def test_a_role_names_a_service_that_there_is() -> None:
    lost = GATE.roles[1].model_copy(update={"service": "magic"})
    gate = Versions((GATE.model_copy(update={"roles": (lost,)}),))
    with pytest.raises(ValueError, match="no service magic"):
        replace(POLICIES, gate=gate)


def test_a_role_has_one_rule() -> None:
    with pytest.raises(ValueError, match="each role once"):
        GatePolicy(**{**GATE.model_dump(), "roles": [GATE.roles[0].model_dump()] * 2})


# Over HTTP


async def on_duty(client: httpx.AsyncClient, role: str, who: str, day: int = 1) -> httpx.Response:
    roster = await client.put(f"/v1/rosters/of-{role}", json={"division": COUNTY, "role": role})
    assert roster.status_code == 200, roster.text
    turn = {"starts_at": f"2030-12-{day:02d}T01:00:00Z", "ends_at": f"2030-12-{day:02d}T05:00:00Z"}
    return await client.post(f"/v1/rosters/of-{role}/duties", json={"duties": [{"volunteer_id": who, **turn}]})


async def test_without_any_course_pledge_qualification_and_insurance_are_asked_for_all_the_same(
    registry: Registry,
) -> None:
    async with registry.client(COUNTY) as client:
        who = await person(client)
        everything = ["training_missing", "training_missing", "qualification_missing", "pledge_missing"]
        assert await codes(client, who, role="counsellor") == everything
        assert await codes(client, who, role="crisis-team") == [*everything, "insurance_missing"]
        assert (await on_duty(client, "crisis-team", who)).status_code == 409
        await client.patch(f"/v1/volunteers/{who}", json={"trained": "yes"})
        await pledged(client, who)
        await insured(client, who, "2026-01-01", "2031-12-31")
        assert await codes(client, who, role="crisis-team") == ["qualification_missing"]
        assert await codes(client, who, service="crisis_intervention") == ["qualification_missing"]
        await qualified(client, who, "social_worker", registry, valid_until="2031-12-31")
        assert await codes(client, who, role="crisis-team", service="crisis_intervention") == []
        assert (await on_duty(client, "crisis-team", who)).status_code == 201


async def test_a_course_that_is_not_offered_any_more_lifts_nothing(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        who = await person(client)
        await client.patch(f"/v1/volunteers/{who}", json={"trained": "yes"})
        await pledged(client, who)
        assert await codes(client, who, role="responder") == []
        one = await course(client, topics=["pre_service"])
        assert await codes(client, who, role="responder") == ["training_missing"]
        body: dict[str, Any] = {"division": COUNTY, "title": "示例培训", "level": "county", "type": "routine"}
        body |= {"topics": ["pre_service"], "active": False}
        assert (await client.put(f"/v1/courses/{one}", json=body)).json()["active"] is False
        assert await codes(client, who, role="responder") == ["training_missing"]
        await client.put(f"/v1/courses/{one}", json={**body, "topics": ["elderly_care"]})
        assert await codes(client, who, role="responder") == ["training_missing"]


async def test_a_course_from_before_offers_were_kept_is_one_when_it_is_offered_again(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident = await course(client, topics=["pre_service"])

        async def forget(tx: Tx) -> None:
            for row in await tx.find("training_offers", {}):
                tx.delete("training_offers", row["_id"])

        await registry.database.transact(forget)
        body = {
            "division": COUNTY,
            "title": "示例培训",
            "level": "county",
            "type": "routine",
            "topics": ["pre_service"],
        }
        assert (await client.put(f"/v1/courses/{ident}", json=body)).json()["revision"] == 1, "as it was"
        (trace,) = await registry.database.find("training_offers", {})
        assert (trace["division"], trace["topic"]) == (COUNTY, "pre_service")


async def test_a_course_that_begins_to_be_offered_takes_nobody_off_a_turn_that_was_made_before(
    registry: Registry,
) -> None:
    async with registry.client(COUNTY) as client:
        who = await person(client)
        await client.patch(f"/v1/volunteers/{who}", json={"trained": "yes"})
        await pledged(client, who)
        assert (await on_duty(client, "responder", who)).status_code == 201
        one = await course(client, topics=["pre_service"])
        await trained(client, one, who)  # whatever is written of the person is a reason to look again
        (turn,) = await registry.database.find("duties", {})
        assert turn["active"] is True
        await client.patch(f"/v1/volunteers/{who}", json={"trained": "no"})
        (turn,) = await registry.database.find("duties", {})
        assert turn["active"] is False, "ethics_privacy rested on the office's word"


@pytest.mark.parametrize("role", ["hotline", "respondr"])
async def test_a_role_that_the_gate_does_not_know_is_on_no_roster(registry: Registry, role: str) -> None:
    async with registry.client(COUNTY) as client:
        refused = await client.put("/v1/rosters/line-1", json={"division": COUNTY, "role": role})
        told = refused.json()
        assert (refused.status_code, told["reason"], told["field"]) == (422, "unknown_role", "role")
        assert all(rule.role in told["detail"] for rule in GATE.roles)
        who = await person(client)
        asked = await client.get(f"/v1/people/{who}/may", params={"role": role})
        assert (asked.status_code, asked.json()["field"]) == (422, "role")
        given_things = dict.fromkeys(("transport", "communication", "meals", "lodging"), True)
        body = {"person_id": who, "role": role, "on": "2026-03-02", **given_things}
        support = await client.put(f"/v1/support-records/{uuid.uuid4()}", json=body)
        assert (support.status_code, support.json()["field"]) == (422, "role")


async def test_whose_age_nobody_knows_is_no_adult(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        body = {"division": TOWN, "name": "张示例", "phone": "000-0000-0009", "person_types": [1], "trained": "yes"}
        who = (await client.post("/v1/volunteers", json=body)).json()["id"]
        await pledged(client, who)
        assert await codes(client, who, role="responder") == ["age_unknown"]
        refused = await on_duty(client, "responder", who)
        assert (refused.status_code, refused.json()["reason"]) == (409, "age_unknown")
        assert (await on_duty(client, "publicist", who)).status_code == 201, "publicity is for minors too"
        await client.patch(f"/v1/volunteers/{who}", json={"age": 40})
        assert await codes(client, who, role="responder") == []
