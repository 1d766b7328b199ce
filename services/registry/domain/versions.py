"""What every policy of the registry is made of: a version, and a source beside each number."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

Source = Annotated[str, Field(min_length=5)]
"""Where a number comes from; a number without a published source says so."""


class PolicyPart(BaseModel):
    """A table of a policy; a field that is not known is refused by name."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Versioned(PolicyPart):
    """One version of a policy, whole."""

    version: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    in_force_from: AwareDatetime
