"""What the gate is asked, put together from what is kept, and its word before anybody is put on duty."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache

from chassis.clock import local_day
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.domain.consents import pledge_holds
from services.registry.domain.duty import Turn
from services.registry.domain.gate import REASONS, Facts, Held, Reason, RoleRule, Trained, asked_by, unmet
from services.registry.policy import Policies
from services.registry.store import places as places_kept
from services.registry.store import qualifications as kept
from services.registry.store import trainings as trainings_kept

shipped = lru_cache(maxsize=1)(Policies.load)
"""The policies where a caller brings none: the gate is never left out."""


@dataclass(frozen=True)
class Answer:
    """Every reason why not, and what the role would ask for once a course is offered."""

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
    version = policies.people.at(moment).pledge.version
    facts = {}
    for person in people:
        ident, until = person["_id"], person.get("minor_until")
        facts[ident] = Facts(
            active=person["active"],
            minor=until is not None and day.isoformat() < until,
            pledged=pledge_holds(person.get("pledge"), version),
            held=tuple(held[ident]),
            trained=tuple(trained[ident]),
            covers=tuple(covers[ident]),
        )
    return facts


async def may(tx: Tx, person: Document, asked: Asked, policies: Policies) -> Answer:
    """Whether a person may do something; no reason is a yes. `Refused` names a service that there is not."""
    rules, service = policies.qualifications.at(tx.now), None
    if asked.service is not None:
        service = rules.service(asked.service)
        if service is None:
            known = "、".join(one.code for one in rules.services)
            raise Refused("unknown_service", f"没有这类服务；有 {known}", "service")
    role, waits = await role_in_force(tx, asked.role, person["division"], policies)
    site, kind = None, None
    if asked.place is not None:
        if asked.place["type"] == "care_point":
            site = policies.trainings.at(tx.now).site(asked.place["care_level"])
        host = asked.place["organisation_id"]
        organisation = await store.organisation(tx, host) if host else None
        kind = organisation["kind"] if organisation else None
    minors = policies.people.at(tx.now).minors
    requirements = asked_by(service, role, site, asked.role in minors.barred_roles, minors.source)
    facts = (await bare_facts(tx, [person], tx.now, asked.day, policies))[person["_id"]]
    whole = Facts(**{**vars(facts), "organisation_kind": kind})
    return Answer(tuple(unmet(requirements, whole, asked.day.isoformat())), waits)


async def role_in_force(
    tx: Tx, role: str | None, division: str, policies: Policies
) -> tuple[RoleRule | None, tuple[str, ...]]:
    """The rule of a role as far as it binds, and the trainings that it will ask for once somebody offers them."""
    rule = policies.gate.at(tx.now).role(role) if role is not None else None
    if rule is None or rule.binds == "always":
        return rule, ()
    offered = await trainings_kept.offered(tx, division, rule.trainings)
    waits = tuple(topic for topic in rule.trainings if topic not in offered)
    if not offered:
        return None, waits
    return rule.model_copy(update={"trainings": tuple(topic for topic in rule.trainings if topic in offered)}), waits


async def check_duties(
    tx: Tx,
    roster: Document,
    duties: Sequence[tuple[uuid.UUID, Turn]],
    people: Mapping[uuid.UUID, Document],
    policies: Policies | None,
) -> None:
    """Raise `NotAllowed`, which names the position, for the first turn that the volunteer may not take.

    A turn that lasts past midnight is looked at on its first day and on its last one.
    """
    policies = policies or shipped()
    minors = policies.people.at(tx.now).minors
    role, _ = await role_in_force(tx, roster["role"], roster["division"], policies)
    barred = roster["role"] in minors.barred_roles
    if role is None and not barred:
        return
    requirements = asked_by(None, role, None, barred, minors.source)
    facts = await bare_facts(tx, list(people.values()), tx.now, local_day(tx.now), policies) if role else {}
    for position, (volunteer, turn) in enumerate(duties):
        person = people[volunteer]
        first, last = local_day(turn.starts_at), local_day(turn.ends_at - timedelta(milliseconds=1))
        for day in dict.fromkeys((first, last)):
            until = person.get("minor_until")
            known = facts.get(volunteer) or Facts(active=person["active"])
            known = Facts(**{**vars(known), "minor": until is not None and day.isoformat() < until})
            if reasons := unmet(requirements, known, day.isoformat()):
                told = "、".join(dict.fromkeys(REASONS[one.code] for one in reasons))
                field = f"duties.{position}.volunteer_id"
                raise NotAllowed(f"duties.{position}: {told}", reason=reasons[0].code, field=field)


async def place_of(tx: Tx, ident: uuid.UUID, inside: str) -> Document:
    """A place in the caller's division; raises `NotFound`."""
    place = await places_kept.place(tx, ident)
    if place is None or not place["division"].startswith(inside):
        raise NotFound("there is no such place")
    return place
