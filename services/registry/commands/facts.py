"""What is told of a person to those who choose by it: the claims that count, after the registers kept here."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date
from typing import Any

from chassis.clock import local_day
from chassis.tx import Document, Tx
from contracts.registry import Fact, Spell
from services.registry.domain.facts import Told, claims, claims_of, counted, unchecked_after, vouched_in
from services.registry.domain.gate import Held, Trained
from services.registry.domain.people import Registration
from services.registry.store import qualifications as kept
from services.registry.store import trainings as trainings_kept

Papers = tuple[list[tuple[Held, str | None]], list[Trained]]
SPELLS = 64


async def told_of(tx: Tx, document: Document) -> Told:
    """What counts of a person's claims from today on; whoever is new has no papers here yet, and none are read."""
    ident: uuid.UUID = document["_id"]
    if document["erased"]:
        return Told((), (), False)
    held, trained = ([], []) if document["revision"] == 1 else (await papers_of(tx, [ident]))[ident]
    day = local_day(tx.now).isoformat()
    return counted(claims_of(document), document.get("unchecked", ()), held, trained, day)


def spells_of(told: Told) -> tuple[Spell, ...]:
    """The spells as the event has them; it takes so many that nobody has more."""
    return tuple(
        Spell(fact=Fact(one.fact), code=one.code, since=_day(one.since), until=_day(one.until))
        for one in told.spells[:SPELLS]
    )


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def unchecked_of(
    told: Registration,
    before: Document | None,
    own_word: bool = False,
    by_office: Registration | None = None,
    **_: Any,
) -> list[str]:
    """The claims of a person as told that no office stands behind; see `unchecked_after`."""
    known = claims_of(before) if before else frozenset[str]()
    stated = _claims(by_office) if by_office else frozenset[str]()
    return unchecked_after(known, before.get("unchecked", ()) if before else (), _claims(told), stated, own_word)


def unchecked_together(stays: Document, goes: Document) -> list[str]:
    """The same for two entries that become one: what an office vouched for in either is vouched for."""
    vouched = vouched_in(stays) | vouched_in(goes)
    return sorted((claims_of(stays) | claims_of(goes)) - vouched)


def _claims(told: Registration) -> frozenset[str]:
    return claims(told.person_types, told.qualifications, told.trained)


async def papers_of(tx: Tx, people: Sequence[uuid.UUID]) -> dict[uuid.UUID, Papers]:
    """The certificates of these people, whatever became of them, and the trainings that they attended."""
    read: dict[uuid.UUID, Papers] = tx.memo.get("papers", {})
    if all(ident in read for ident in people):
        return read
    owner, latest = {ident: ident for ident in people}, list(people)
    while latest:  # entries of entries: whatever was ever merged into these
        merged = {one: into for one, into in (await kept.merged_entries(tx, latest)).items() if one not in owner}
        owner.update({one: owner[into] for one, into in merged.items()})
        latest = list(merged)
    found: dict[uuid.UUID, Papers] = {ident: ([], []) for ident in people}
    for row in await kept.papers_of(tx, list(owner)):
        reason = row["log"][-1]["reason"] if row["log"] else None
        held = Held(row["kind"], row["state"], row["valid_from"], row["valid_until"])
        found[owner[row["person_id"]]][0].append((held, reason))
    for row in await trainings_kept.attended_by(tx, list(owner)):
        trained = Trained(frozenset(row["topics"]), row["level"], row["passed"], row["on"], row["until"])
        found[owner[row["person_id"]]][1].append(trained)
    return found


async def read_papers(tx: Tx, people: Sequence[uuid.UUID]) -> None:
    """Read at once what `told_of` asks for, in a transaction that writes or shows many people and writes no papers."""
    tx.memo["papers"] = await papers_of(tx, people) if people else {}
