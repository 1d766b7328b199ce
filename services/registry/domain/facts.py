"""What counts of what is said of a person: the claim, who stands behind it, and what the registers here say.

A claim is a person type of 附件1, a qualification of 附件4, or to have been trained. What an office enters counts; what
a person tells of oneself counts once an office has seen the papers. The register of qualifications comes before both:
a certificate that was verified counts on its days, and one that is not the person's, was revoked or has run out takes
the claim with it. A paper that nobody could read, or that was closed for its details, says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from services.registry.domain.gate import Held, Trained
from services.registry.domain.people import QUALIFICATIONS
from services.registry.domain.qualifications import AGAINST, KINDS, State

PERSON_TYPE, QUALIFICATION, TRAINED = "person_type", "qualification", "trained"
PRE_SERVICE = "pre_service"
"""鲁文明办〔2023〕10号: 岗前辅导和技能培训; the topic of trainings that makes a volunteer a trained one."""

TYPE_PAPERS: Mapping[int, frozenset[str]] = MappingProxyType(
    {
        1: frozenset({"counsellor"}),
        2: frozenset({"therapist"}),
        3: frozenset({"psychiatrist", "physician", "nurse"}),
        5: frozenset({"social_worker"}),
    }
)
"""The certificates that speak for or against a person type of 附件1. A teacher, a cadre or a student has none."""

_FIRST, _LAST = "0000-01-01", "9999-12-31"


@dataclass(frozen=True, order=True)
class Spell:
    """The days on which a fact counts, both included, as ISO days; None has no end. `code` is 0 for `trained`."""

    fact: str
    code: int
    since: str | None
    until: str | None


@dataclass(frozen=True)
class Told:
    """What counts now or will. A fact that `spells` names counts on the days of one of them, any other one always."""

    person_types: tuple[int, ...]
    qualifications: tuple[int, ...]
    trained: bool
    spells: tuple[Spell, ...] = ()


def claims(person_types: Iterable[int], qualifications: Iterable[int], trained: str) -> frozenset[str]:
    """What is claimed, as words that can be kept: ``person_type:2``, ``qualification:1``, ``trained``."""
    words = {f"{PERSON_TYPE}:{code}" for code in person_types} | {f"{QUALIFICATION}:{code}" for code in qualifications}
    return frozenset(words | ({TRAINED} if trained == "yes" else set()))


def unchecked_after(
    before: frozenset[str], open_before: Iterable[str], now: frozenset[str], by_office: frozenset[str], own_word: bool
) -> list[str]:
    """The claims behind which no office stands, after a change of the claims from `before` to `now`.

    `by_office` are those that an office states with this change; what else is new rests on the person's `own_word`, or
    comes from an office too.
    """
    left = set(open_before) | (now - before if own_word else set())
    return sorted((left & now) - by_office)


def counted(
    claimed: frozenset[str],
    unchecked: Iterable[str],
    held: Sequence[tuple[Held, str | None]],
    trained: Sequence[Trained],
    day: str,
) -> Told:
    """What counts on an ISO day and after it.

    `held` are certificates, each with the reason of its last step; `trained` are trainings that were attended.
    """
    vouched = claimed - set(unchecked)
    papers = [paper for paper, reason in held if paper.state == State.verified or reason in AGAINST]
    spells: list[Spell] = []

    def counts(fact: str, code: int, own: Sequence[Held], days: Sequence[tuple[str | None, str | None]]) -> bool:
        if not own:
            return f"{fact}:{code}" in vouched
        spans = _joined(days, day)
        spells.extend(Spell(fact, code, since, until) for since, until in spans if since or until)
        return bool(spans)

    qualifications = []
    for code in QUALIFICATIONS:
        own = [paper for paper in papers if KINDS[paper.kind].annex == code]
        if counts(QUALIFICATION, code, own, _verified(own)):
            qualifications.append(code)
    types = []
    for code in sorted(int(word.partition(":")[2]) for word in claimed if word.startswith(PERSON_TYPE)):
        own = [paper for paper in papers if paper.kind in TYPE_PAPERS.get(code, ())]
        if counts(PERSON_TYPE, code, own, _verified(own)):
            types.append(code)
    passed = [(one.on, one.until) for one in trained if one.passed and PRE_SERVICE in one.topics]
    spans = _joined(passed, day)
    by_word = TRAINED in vouched
    if not by_word:
        spells.extend(Spell(TRAINED, 0, since, until) for since, until in spans if since or until)
    return Told(tuple(types), tuple(qualifications), by_word or bool(spans), tuple(spells))


def _verified(papers: Iterable[Held]) -> list[tuple[str | None, str | None]]:
    return [(paper.valid_from, paper.valid_until) for paper in papers if paper.state == State.verified]


def _joined(days: Iterable[tuple[str | None, str | None]], day: str) -> list[tuple[str | None, str | None]]:
    """The spans that are not over on a day, those that overlap made one; a beginning that is past is none."""
    spans: list[tuple[str, str]] = []
    for since, until in sorted((since or _FIRST, until or _LAST) for since, until in days):
        if until < day:
            continue
        if spans and since <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], until))
        else:
            spans.append((since, until))
    return [(None if since <= day else since, None if until == _LAST else until) for since, until in spans]


def claims_of(document: Mapping[str, Any]) -> frozenset[str]:
    """The claims of a person's document."""
    return claims(document["person_types"], document["qualifications"], document["trained"])


def vouched_in(document: Mapping[str, Any]) -> frozenset[str]:
    """Those of them behind which an office stands."""
    return claims_of(document) - set(document.get("unchecked", ()))
