"""What is searched for at once: pairs of codes, kept with the person, by which an index finds who has both.

A list of who holds a qualification and one of who is free on an evening each are long, and few people may be in both;
one index cannot lead by two lists. So what a person is, can do and is called on for is kept in pairs with each other
and with each block of free time. Sex and languages are in no pair: they leave out few, or are rare by themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

from services.registry.domain.people import TALENT


def pairs(person: Mapping[str, Any]) -> list[str]:
    """The pairs of a person's, or of a search's, codes: ``q3 f13`` is qualification 3 and free in block 13.

    Reads the lists `person_types`, `qualifications`, `skills`, `roles` and `free_blocks`, which may be absent. At most
    1,604; most people have fewer than twenty.
    """
    kinds = (
        [f"t{code}" for code in person.get("person_types", ())],
        [f"q{code}" for code in person.get("qualifications", ())],
        [f"s-{name}" for name in person.get("skills", ())],
        [name for name in person.get("roles", ()) if name == TALENT],
        [f"f{block}" for block in person.get("free_blocks", ())],
    )
    return sorted(f"{one} {other}" for left, right in combinations(kinds, 2) for one in left for other in right)
