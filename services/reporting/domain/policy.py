"""The policy on small counts: its numbers, its version, and what it may not say."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass

LEAST_THRESHOLD = 10


@dataclass(frozen=True)
class SmallCounts:
    """`threshold`: the smallest count, other than zero, that is told outside. `settle_days`: see the policy file."""

    version: str
    threshold: int
    settle_days: int


def parse(text: str) -> SmallCounts:
    """The policy from TOML. Raises `ValueError` where a number has no source, or the threshold is below ten."""
    content = tomllib.loads(text)
    for name in ("threshold", "settle_days"):
        if not content[name].get("source"):
            raise ValueError(f"{name} has no source")
    policy = SmallCounts(
        str(content["version"]), int(content["threshold"]["value"]), int(content["settle_days"]["value"])
    )
    if policy.threshold < LEAST_THRESHOLD:
        raise ValueError(f"the threshold is {policy.threshold}; it may not be below {LEAST_THRESHOLD}")
    if policy.settle_days < 0:
        raise ValueError("settle_days is negative")
    return policy
