"""What a person tells for rosters, kept with the person and told without times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from chassis.tx import Document, Tx
from contracts.registry import AvailabilityTold
from services.registry.domain.availability import Window, blocks, free_minutes, merged
from services.registry.domain.people_search import pairs


@dataclass(frozen=True)
class Told:
    """Codes, the own weekly cap in hours (None: the policy's), quiet hours in minutes of the day, free windows."""

    languages: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    hours_a_week: int | None = None
    quiet: tuple[int, int] | None = None
    windows: Sequence[Window] = ()


def tell_availability(tx: Tx, person: Document, told: Told) -> Document:
    """The person with it; nothing happens where all is as it was. Turns that are there already stay."""
    windows = merged(told.windows)
    quiet = {"start": told.quiet[0], "end": told.quiet[1]} if told.quiet else None
    before = person["rota"] or {}
    rota = {
        "revision": before.get("revision", 0),
        "hours_a_week": told.hours_a_week,
        "quiet": quiet,
        "windows": [asdict(window) for window in windows],
    }
    languages, skills = sorted(set(told.languages)), sorted(set(told.skills))
    if before == rota and (person["languages"], person["skills"]) == (languages, skills):
        return person
    rota["revision"] = before.get("revision", 0) + 1
    document = {
        **person,
        "rota": rota,
        "languages": languages,
        "skills": skills,
        "free_blocks": blocks(windows),
    }
    document["pairs"] = pairs(document)
    tx.put("volunteers", document)
    tx.emit(
        AvailabilityTold(
            **tx.stamp(person["division"]),
            volunteer_id=person["_id"],
            revision=rota["revision"],
            division=person["division"],
            languages=tuple(languages),
            skills=tuple(skills),
            hours_a_week=told.hours_a_week,
            free_hours=free_minutes(windows) // 60,
        )
    )
    return document
