"""The policy for minors: how soon the mandatory report has to be made, and who is called while it is not."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from contracts.base import Tier
from contracts.policies import PolicyPart, Source, Versioned
from services.crisis.domain.policy import Step


class Consent(PolicyPart):
    """From which tier on a person under 14 is helped without a guardian's consent: an emergency waits for nobody."""

    without_from: Tier
    source: Source


class MinorsPolicy(Versioned):
    """One version, whole."""

    report: Annotated[tuple[Step, ...], Field(min_length=1)]
    consent: Consent

    def step(self, number: int) -> Step:
        """The chain's step; the last one repeats for ever."""
        return self.report[min(number, len(self.report) - 1)]
