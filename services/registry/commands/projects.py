"""The people of a project: from its calls or named one by one, held against the gate, and what they were given."""

from __future__ import annotations

import uuid
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Any

from chassis.clock import local_day
from chassis.errors import NotAllowed, Refused
from chassis.tx import Document, Tx
from contracts.registry import ProjectStaffed
from services.registry import store
from services.registry.commands.divisions import known_division
from services.registry.commands.gate import bare_facts, binding_role, known_role
from services.registry.commands.places import known_organisation
from services.registry.commands.places_people import known_person
from services.registry.domain.gate import Requirement, asked_by, unmet
from services.registry.domain.insurance import covers
from services.registry.domain.projects import SUPPORTS, Member, Step, recruited_and_trained, supported
from services.registry.keys import Keys
from services.registry.store import projects as kept
from services.registry.store import recruitment as calls_kept
from services.registry.store import trainings as trainings_kept
from services.registry.store.qualifications import merged_entries

GIVEN = tuple(code for code in SUPPORTS if code != "insurance")


async def write_project(
    tx: Tx, keys: Keys, ident: uuid.UUID, told: dict[str, Any], before: Document | None, *, inside: str
) -> tuple[Document, bool]:
    """A project as far as its people go; the same again changes nothing. Returns it and whether it is new."""
    await known_division(tx, told["division"])
    await known_organisation(tx, told["organisation_id"], inside)
    service = told["service"]
    if service is not None and keys.policies.qualifications.at(tx.now).service(service) is None:
        raise Refused("unknown_service", "没有这类服务", "service")
    if told["role"] is not None:
        known_role(told["role"], keys.policies, tx.now)
    for position, call in enumerate(told["recruitment_ids"]):
        found = await calls_kept.recruitment(tx, call)
        if found is None or found["kind"] != "recruitment" or not found["division"].startswith(inside):
            raise Refused("unknown_call", "没有这次招募", f"recruitment_ids.{position}")
    for position, course in enumerate(told["course_ids"]):
        if await trainings_kept.course(tx, course) is None:
            raise Refused("unknown_course", "没有这门课程", f"course_ids.{position}")
    if told["supports"] is None:
        told["supports"] = list(keys.policies.projects.at(tx.now).support.needs)
    if before is not None and all(before[name] == value for name, value in told.items()):
        return before, False
    fresh: Document = {"revision": 0, "people": [], "left": [], "reported": None, "reports": 0}
    document = {**fresh, **(before or {}), "_id": ident, **told}
    document["revision"] += 1
    tx.put("projects", document)
    return document, before is None


async def join(tx: Tx, project: Document, person: uuid.UUID, by: str, inside: str) -> Document:
    """Somebody is in the project without a call; who left comes back by it. The same again changes nothing."""
    found = (await known_person(tx, person, inside))["_id"]
    known = {one["person_id"] for one in project["people"]}
    left = [one for one in project["left"] if one["person_id"] != found]
    if found in known and len(left) == len(project["left"]):
        return project
    if len(known) >= kept.MOST_PEOPLE:
        raise NotAllowed(f"一个项目最多 {kept.MOST_PEOPLE} 人")
    entry = {"person_id": found, "by": by, "since": local_day(tx.now).isoformat()}
    people = project["people"] if found in known else [*project["people"], entry]
    return _put(tx, {**project, "people": people, "left": left})


def leave(tx: Tx, project: Document, person: uuid.UUID, by: str) -> Document:
    """Somebody is not in the project any more, however it came into it; the same again changes nothing."""
    if any(one["person_id"] == person for one in project["left"]):
        return project
    entry = {"person_id": person, "by": by, "on": local_day(tx.now).isoformat()}
    return _put(tx, {**project, "left": [*project["left"], entry]})


def _put(tx: Tx, project: Document) -> Document:
    document = {**project, "revision": project["revision"] + 1}
    tx.put("projects", document)
    return document


async def people_in(tx: Tx, project: Document) -> dict[uuid.UUID, Document]:
    """Everybody in a project, under the entry that doubles were merged into; who was erased is not in it."""
    joined = [*await kept.accepted(tx, project["recruitment_ids"]), *(one["person_id"] for one in project["people"])]
    left = {one["person_id"] for one in project["left"]}
    people: dict[uuid.UUID, Document] = {}
    entries = await store.people_of(tx, list(dict.fromkeys(joined)))
    await tx.load("volunteers", [row["merged_into"] for row in entries if row.get("merged_into") is not None])
    for row in entries:
        owner = await store.survivor(tx, row)
        if not owner["erased"] and not left & {row["_id"], owner["_id"]}:
            people[owner["_id"]] = owner
    return people


async def members_of(tx: Tx, keys: Keys, project: Document, people: list[Document]) -> dict[uuid.UUID, Member]:
    """These people of a project as they are today: one query for each collection, however many they are.

    An insurance that was given counts as long as the person's insurance holds.
    """
    found = await _against_the_gate(tx, keys, project, people)
    owner = {one["_id"]: one["_id"] for one in people}
    owner |= {gone: into for gone, into in (await merged_entries(tx, list(owner))).items() if gone not in owner}
    given: dict[uuid.UUID, set[str]] = defaultdict(set)
    for record in await kept.supports(tx, project["_id"]):
        ident = owner.get(record["person_id"])
        if ident is None:
            continue
        given[ident] |= {code for code in GIVEN if record[code]}
        if record["insurance_id"] is not None and found[ident].insured:
            given[ident].add("insurance")
    rewards = await kept.incentives(tx, list(found))
    return {
        ident: replace(member, given=frozenset(given[ident]), incentives=rewards[ident])
        for ident, member in found.items()
    }


async def _against_the_gate(tx: Tx, keys: Keys, project: Document, people: list[Document]) -> dict[uuid.UUID, Member]:
    policies, day = keys.policies, local_day(tx.now)
    service = policies.qualifications.at(tx.now).service(project["service"]) if project["service"] else None
    role, barred, by_word = None, False, frozenset[str]()
    if project["role"] is not None:
        binding = await binding_role(tx, project["role"], project["division"], policies)
        role, barred, by_word = binding.rule, binding.barred, binding.by_word
    minors = policies.people.at(tx.now).minors
    asked = asked_by(service, role, None, barred, minors.source, by_word)
    rule = policies.projects.at(tx.now).training
    training = [Requirement("training", rule.source, (topic,)) for topic in rule.topics]
    host = await store.organisation(tx, project["organisation_id"])
    kind = host["kind"] if host is not None else None
    facts = await bare_facts(tx, people, tx.now, day, policies)
    passed = await _courses_passed(tx, people, day.isoformat())
    found = {}
    for ident, known in facts.items():
        if project["course_ids"]:
            trained = set(project["course_ids"]) <= passed[ident]
        else:
            trained = not unmet(training, known, day.isoformat())
        reasons = unmet(asked, replace(known, organisation_kind=kind), day.isoformat())
        insured = any(covers(first, last, day.isoformat()) for first, last in known.covers)
        found[ident] = Member(trained, tuple(dict.fromkeys(one.code for one in reasons)), insured)
    return found


async def _courses_passed(tx: Tx, people: list[Document], day: str) -> dict[uuid.UUID, set[uuid.UUID]]:
    passed: dict[uuid.UUID, set[uuid.UUID]] = defaultdict(set)
    owner = {one["_id"]: one["_id"] for one in people}
    owner |= {gone: into for gone, into in (await merged_entries(tx, list(owner))).items() if gone not in owner}
    for row in await trainings_kept.attended_by(tx, list(owner)):
        if row["passed"] and row["on"] <= day and (row["until"] is None or row["until"] >= day):
            passed[owner[row["person_id"]]].add(row["course_id"])
    return passed


@dataclass(frozen=True)
class Steps:
    """Where a project stands at both steps, and how its calls went."""

    four: Step
    seven: Step
    calls: dict[str, int]


async def steps_of(tx: Tx, keys: Keys, project: Document) -> Steps:
    people = list((await people_in(tx, project)).values())
    members = list((await members_of(tx, keys, project, people)).values())
    calls = {"quota": 0, "applications": 0, "accepted": 0}
    called = 0
    for ident in project["recruitment_ids"]:
        call = await calls_kept.recruitment(tx, ident)
        if call is not None and call["state"] in ("open", "closed"):
            called += 1
            calls = {name: count + call[name] for name, count in calls.items()}
    four = recruited_and_trained(project["needed"], called, members)
    return Steps(four, supported(project["supports"], members), calls)


async def report(tx: Tx, keys: Keys, project: Document) -> Document:
    """Tell the counts of both steps as they are; nothing where they are as told last."""
    steps = await steps_of(tx, keys, project)
    four, seven = steps.four, steps.seven
    told = {
        "needed": project["needed"],
        "recruited": four.counts["recruited"],
        "trained": four.counts["trained"],
        "ready": four.counts["ready"],
        "supported": seven.counts["supported"],
        "insured": seven.by_code["insurance"],
        "recruited_and_trained": four.met,
        "support_given": seven.met,
    }
    if project["reported"] == told:
        return project
    document = {**project, "reported": told, "reports": project["reports"] + 1}
    tx.put("projects", document)
    tx.emit(
        ProjectStaffed(
            **tx.stamp(project["division"]),
            project_id=project["_id"],
            revision=document["reports"],
            division=project["division"],
            **told,
        )
    )
    return document
