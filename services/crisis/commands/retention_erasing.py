"""Erasing what is personal of a person's cases. A key that something else of the person still needs stays."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from chassis.tx import Document, Tx
from services.crisis import store
from services.crisis.case import seal_key
from services.crisis.office import Office

OF_A_CASE: dict[str, str] = {
    "plans": "_id",
    "referrals": "case_id",
    "contacts": "case_id",
    "assessments": "case_id",
    "readings": "case_id",
    "emergency_access": "case_id",
    "sections": "case_id",
    "plan_versions": "case_id",
    "encounters": "case_id",
    "care_records": "_id",
    "guardians": "_id",
    "flag_rows": "case_id",
    "consents": "case_id",
    "tellings": "case_id",
    "transfers": "case_id",
    "consultations": "case_id",
    "accompanied_visits": "case_id",
    "medication_hand_overs": "case_id",
    "hand_over_notes": "case_id",
    "notices": "case_id",
    "urgent": "_id",
    "holds": "_id",
    "grants": "case_id",
}
"""Where else documents of a case lie: the collection, and the field that names the case."""

TEXTS = frozenset({"reason", "reason_ended"})
"""What people wrote in their own words. The audit log keeps the reasons of decisions; why a referral was declined or
withdrawn is nowhere else.
"""


async def cases_of(case: Document, tx: Tx) -> list[Document]:
    """This case and all others of its person, under each pseudonym that the person is known by; the first one first."""
    found: dict[UUID, Document] = {case["_id"]: case}
    names: set[str] = set()
    waiting = [case["person"]]
    while waiting:
        name = waiting.pop()
        if name is None or name in names:
            continue
        names.add(name)
        person = await tx.get("persons", name) or {"cases": [], "also": []}
        others = await store.records.cases_of_person(tx, name)
        others += [one for key in person["cases"] if (one := await tx.get("cases", key)) is not None]
        for other in others:
            if found.setdefault(other["_id"], other) is other:
                waiting.append(other["person"])
        waiting += person.get("also", ())
    return sorted(found.values(), key=lambda one: (one["opened_at"], str(one["_id"])))


async def held(cases: Iterable[Document], tx: Tx) -> bool:
    """Whether any of the cases, or any that was merged into one of them, is under a legal hold."""
    waiting, seen = list(cases), set[UUID]()
    while waiting:
        case = waiting.pop()
        if case["_id"] in seen:
            continue
        seen.add(case["_id"])
        if await tx.get("holds", case["_id"]) is not None:
            return True
        waiting += [one for key in case.get("merged_from", ()) if (one := await tx.get("cases", key)) is not None]
    return False


async def erase(cases: Sequence[Document], tx: Tx, office: Office, *, pseudonyms: bool) -> None:
    """Contacts go, and the keys of the cases' texts; under a key that something else needs the texts themselves go.

    With `pseudonyms` every document forgets the person's as well, and what people wrote as reasons; the texts go then
    in any case. The cases are changed, and not yet written.
    """
    gone = [case["_id"] for case in cases]
    belonging: list[tuple[str, Document]] = []
    keys: set[Any] = set()
    for case in cases:
        if case["person"] is not None or case["flags"]:  # one that was merged has given its flags away
            keys.add(seal_key(case))
        keys |= {row["person"] for row in case["flags"] if row.get("person") is not None}
        for collection, field in OF_A_CASE.items():
            found = await store.records.of_case(tx, collection, field, case["_id"])
            belonging += [(collection, document) for document in found]
    keys |= {key for _, document in belonging for key in _keys(document)}
    stay = {key for key in keys if await store.records.needed_elsewhere(tx, key, gone, registers=pseudonyms)}
    for key in sorted(keys - stay, key=str):
        await office.keys.erase(tx, key)
    for collection, document in belonging:
        if collection == "contacts":
            tx.delete(collection, document["_id"])
            continue
        rest = document
        if pseudonyms:
            rest = _nameless(without_sealed(document))
        elif not stay.isdisjoint(_keys(document)) and without_sealed(document) != document:
            rest = {**without_sealed(document), "person": None}
        if collection == "flag_rows":
            rest = {**rest, "contact_state": "erased"}
        if rest != document:
            tx.put(collection, rest)
    for case in cases:
        case["flags"] = [{**row, "contact_state": "erased"} for row in case["flags"]]
        for field in ("lowering", "report"):
            case[field] = without_sealed(case.get(field))
        if pseudonyms:
            await _forget(case, tx)


def without_sealed(value: Any) -> Any:
    """A document without what was sealed in it, however deep: sealed things are bytes, and nothing else is."""
    if isinstance(value, dict):
        return {name: None if isinstance(inner, bytes) else without_sealed(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [without_sealed(inner) for inner in value if not isinstance(inner, bytes)]
    return value


def _keys(document: Document) -> set[Any]:
    """Under whose keys something of a document may be sealed."""
    told = [document, *document.get("others", ())]
    return {one["person"] for one in told if one.get("person") is not None}


def _nameless(value: Any) -> Any:
    """The same without pseudonyms, and without reasons in people's own words: what a policy gave as one is a code."""
    if isinstance(value, dict):
        hidden = {"person"} if value.get("by") == "policy" else {"person", *TEXTS}
        return {name: None if name in hidden else _nameless(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_nameless(inner) for inner in value]
    return value


async def _forget(case: Document, tx: Tx) -> None:
    """The pseudonyms leave the case, so that nothing joins what happened to who it was."""
    names = {row["person"] for row in case["flags"] if row.get("person") is not None}
    names |= {person["_id"] for person in await store.persons.persons_of(tx, case)}
    for name in sorted(names):
        person = await tx.get("persons", name)
        if person is None:
            continue
        rest = [other for other in person["cases"] if other != case["_id"]]
        if rest or person["case_id"] is not None:
            tx.put("persons", {**person, "cases": rest})
        else:
            tx.delete("persons", name)
    case["person"] = None
    case["flags"] = [{**row, "person": None} for row in case["flags"]]
    for field in ("timeline", "lowering", "report"):
        case[field] = _nameless(case.get(field))
