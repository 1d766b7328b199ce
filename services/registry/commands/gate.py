"""What the gate is asked, put together from what is kept, and its word before anybody is put on duty."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache

from chassis.clock import local_day
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.domain.children_checks import cleared
from services.registry.domain.consents import Consent, Purpose, pledge_holds
from services.registry.domain.duty import Turn
from services.registry.domain.facts import TRAINED
from services.registry.domain.gate import (
    REASONS,
    Binding,
    Facts,
    Held,
    Reason,
    RoleRule,
    Trained,
    asked_by,
    bound,
    unmet,
)
from services.registry.domain.people_policy import pledges_that_count
from services.registry.policy import Policies
from services.registry.store import children_database as children_kept
from services.registry.store import places as places_kept
from services.registry.store import qualifications as kept
from services.registry.store import trainings as trainings_kept

shipped = lru_cache(maxsize=1)(Policies.load)
"""The policies where a caller brings none: the gate is never left out."""


@dataclass(frozen=True)
class Answer:
    """Every reason why not, and in which trainings of the role no course was offered here yet."""

    reasons: tuple[Reason, ...]
    not_offered: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asked:
    """What a person would do, where, and on which day of Asia/Shanghai."""

    day: date
    service: str | None = None
    role: str | None = None
    place: Document | None = None


async def bare_facts(
    tx: Tx, people: Sequence[Document], moment: datetime, day: date, policies: Policies
) -> dict[uuid.UUID, Facts]:
    """What is known of these people by id, with what came with entries that were merged into theirs."""
    idents = [person["_id"] for person in people]
    owner = {**await kept.merged_entries(tx, idents), **{ident: ident for ident in idents}}
    held: dict[uuid.UUID, list[Held]] = defaultdict(list)
    for row in await kept.held_by(tx, list(owner)):
        own = Held(row["kind"], row["state"], row["valid_from"], row["valid_until"])
        held[owner[row["person_id"]]].append(own)
    trained: dict[uuid.UUID, list[Trained]] = defaultdict(list)
    for row in await trainings_kept.attended_by(tx, list(owner)):
        done = Trained(frozenset(row["topics"]), row["level"], row["passed"], row["on"], row["until"])
        trained[owner[row["person_id"]]].append(done)
    covers: dict[uuid.UUID, list[tuple[str, str]]] = defaultdict(list)
    for row in await kept.insured(tx, list(owner)):
        covers[owner[row["person_id"]]].append((row["valid_from"], row["valid_until"]))
    checks: dict[uuid.UUID, list[Document]] = defaultdict(list)
    for row in await children_kept.record_checks_of(tx, list(owner)):
        checks[owner[row["person_id"]]].append(row)
    valid_days = policies.children.at(moment).record_check.valid_days
    pledges = pledges_that_count(policies.people, moment)
    facts = {}
    for person in people:
        ident, until = person["_id"], person.get("minor_until")
        matching = person.get("consents", {}).get(Purpose.matching, {})
        facts[ident] = Facts(
            active=person["active"],
            minor=until is not None and day.isoformat() < until,
            age_known=until is not None or person.get("birth_year") is not None,
            contactable=matching.get("state") != Consent.withdrawn,
            word=person.get("trained") == "yes" and TRAINED not in person.get("unchecked", ()),
            pledged=pledge_holds(person.get("pledge"), pledges),
            held=tuple(held[ident]),
            trained=tuple(trained[ident]),
            covers=tuple(covers[ident]),
            cleared=cleared(checks[ident], valid_days),
        )
    return facts


async def may(tx: Tx, person: Document, asked: Asked, policies: Policies) -> Answer:
    """Whether a person may do something; no reason is a yes. `Refused` names a service or a role that there is not."""
    rules, service = policies.qualifications.at(tx.now), None
    if asked.service is not None:
        service = rules.service(asked.service)
        if service is None:
            known = "、".join(one.code for one in rules.services)
            raise Refused("unknown_service", f"没有这类服务；有 {known}", "service")
    binding = Binding()
    if asked.role is not None:
        binding = await binding_role(tx, asked.role, person["division"], policies)
    site, kind = None, None
    if asked.place is not None:
        if asked.place["type"] == "care_point":
            site = policies.trainings.at(tx.now).site(asked.place["care_level"])
        host = asked.place["organisation_id"]
        organisation = await store.organisation(tx, host) if host else None
        kind = organisation["kind"] if organisation else None
    minors = policies.people.at(tx.now).minors
    requirements = asked_by(service, binding.rule, site, binding.barred, minors.source, binding.by_word)
    facts = (await bare_facts(tx, [person], tx.now, asked.day, policies))[person["_id"]]
    whole = Facts(**{**vars(facts), "organisation_kind": kind})
    return Answer(tuple(unmet(requirements, whole, asked.day.isoformat())), binding.waits)


async def binding_role(tx: Tx, name: str, division: str, policies: Policies, as_of: datetime | None = None) -> Binding:
    """What a role asks for in a division at a moment (now where none is named); raises `Refused` for an unknown role.

    A training is asked for as a record once a course in it was offered; that it is not offered any more lifts nothing.
    """
    rule = known_role(name, policies, tx.now)
    minors = policies.people.at(tx.now).minors
    since = await trainings_kept.offered_since(tx, division, rule.trainings)
    offered = {topic for topic, first in since.items() if first <= (as_of or tx.now)}
    service = None
    if rule.service is not None:
        service = policies.qualifications.at(tx.now).service(rule.service)
        if service is None:
            raise ValueError(f"{name}: the policy on qualifications has no service {rule.service}")
    return bound(rule, offered, service, minors.barred_roles)


def known_role(name: str, policies: Policies, moment: datetime, field: str = "role") -> RoleRule:
    """The rule of a role; raises `Refused` where there is none: what nobody thought of asks for nothing."""
    policy = policies.gate.at(moment)
    rule = policy.role(name)
    if rule is None:
        known = "、".join(f"{one.role}（{one.label}）" for one in policy.roles)
        raise Refused("unknown_role", f"没有这个岗位；有 {known}", field)
    return rule


async def check_duties(
    tx: Tx,
    roster: Document,
    duties: Sequence[tuple[uuid.UUID, Turn]],
    people: Mapping[uuid.UUID, Document],
    policies: Policies | None,
) -> None:
    """Raise `NotAllowed`, which names the position, for the first turn that the volunteer may not take."""
    policies = policies or shipped()
    binding = await binding_role(tx, roster["role"], roster["division"], policies)
    facts = await bare_facts(tx, list(people.values()), tx.now, local_day(tx.now), policies)
    for position, (volunteer, turn) in enumerate(duties):
        if reasons := barring(binding, people[volunteer], facts[volunteer], turn, tx.now, policies):
            told = "、".join(dict.fromkeys(REASONS[one.code] for one in reasons))
            field = f"duties.{position}.volunteer_id"
            raise NotAllowed(f"duties.{position}: {told}", reason=reasons[0].code, field=field)


def barring(
    binding: Binding, person: Document, facts: Facts, turn: Turn, moment: datetime, policies: Policies
) -> list[Reason]:
    """Why a person may not take a turn; one that lasts past midnight is looked at on its first day and on its last."""
    source = policies.people.at(moment).minors.source
    asked = asked_by(None, binding.rule, None, binding.barred, source, binding.by_word)
    first, last = local_day(turn.starts_at), local_day(turn.ends_at - timedelta(milliseconds=1))
    until = person.get("minor_until")
    for day in dict.fromkeys((first, last)):
        known = replace(facts, minor=until is not None and day.isoformat() < until)
        if reasons := unmet(asked, known, day.isoformat()):
            return reasons
    return []


async def place_of(tx: Tx, ident: uuid.UUID, inside: str) -> Document:
    """A place in the caller's division; raises `NotFound`."""
    place = await places_kept.place(tx, ident)
    if place is None or not place["division"].startswith(inside):
        raise NotFound("there is no such place")
    return place
