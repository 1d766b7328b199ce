"""A tree-hole's post: its states, and the terms that put it before a human. The list orders; it decides nothing."""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from contracts.policies import PolicyPart, Source, Versioned


class PostState(StrEnum):
    """`kept` was not chosen for reading; of what is `forgotten` the text is erased and the answer kept."""

    waiting = "waiting"
    with_reader = "with_reader"
    answered = "answered"
    kept = "kept"
    forgotten = "forgotten"


NEXT: dict[PostState, frozenset[PostState]] = {
    PostState.waiting: frozenset({PostState.with_reader}),
    PostState.with_reader: frozenset({PostState.waiting, PostState.answered}),
    PostState.answered: frozenset({PostState.forgotten}),
    PostState.kept: frozenset({PostState.forgotten}),
    PostState.forgotten: frozenset(),
}


def allows(present: PostState, following: PostState) -> bool:
    """Whether a post may move so."""
    return following in NEXT[present]


class Level(StrEnum):
    """How soon a human reads: `sample` has no term, and is read so that misses can be counted."""

    urgent = "urgent"
    look = "look"
    sample = "sample"


RANKS = {Level.urgent: 2, Level.look: 1, Level.sample: 0}

Word = Annotated[str, StringConstraints(min_length=1, max_length=20)]


class Terms(PolicyPart):
    """Words of one meaning."""

    id: Annotated[str, StringConstraints(pattern=r"^[a-z_]{2,40}$")]
    level: Level
    source: Source
    words: tuple[Word, ...] = Field(min_length=1)


class Idioms(PolicyPart):
    source: Source
    words: tuple[Word, ...]


class Reading(PolicyPart):
    urgent_minutes: int = Field(gt=0, le=24 * 60)
    look_minutes: int = Field(gt=0, le=7 * 24 * 60)
    source: Source
    holding_minutes: int = Field(gt=0, le=24 * 60)
    holding_source: Source
    sample_percent: int = Field(ge=0, le=100)
    sample_source: Source
    keep_days: int = Field(gt=0, le=3653)
    keep_source: Source


class Plan(PolicyPart):
    source: Source
    steps: tuple[str, ...] = Field(min_length=1)


class TreeHolePolicy(Versioned):
    """One version of the term list and of how it is read, whole."""

    reading: Reading
    plan: Plan
    idioms: Idioms
    terms: tuple[Terms, ...]


_BETWEEN = re.compile(r"[\s\W_]+")


def plain(text: str) -> str:
    """The text as terms are sought in it: one width, one case, and nothing between the characters."""
    return _BETWEEN.sub("", unicodedata.normalize("NFKC", text).casefold())


def found(text: str, policy: TreeHolePolicy) -> list[Terms]:
    """The groups of terms that a text holds, the most urgent first."""
    sought = plain(text)
    for idiom in sorted(policy.idioms.words, key=len, reverse=True):
        sought = sought.replace(idiom, "\n")  # a gap, so that what stands on both sides makes no new word
    held = [group for group in policy.terms if any(plain(word) in sought for word in group.words)]
    return sorted(held, key=lambda group: -RANKS[group.level])


def level(post_id: UUID, text: str, policy: TreeHolePolicy) -> tuple[Level | None, tuple[str, ...]]:
    """How soon a human reads it, and by which groups of terms; `None` where none is found and no sample is due."""
    groups = found(text, policy)
    if groups:
        return groups[0].level, tuple(group.id for group in groups)
    # The last digits of a UUIDv7 are random, and the same post is drawn the same way again.
    return (Level.sample if post_id.int % 100 < policy.reading.sample_percent else None), ()
