"""Organisations, and who receives referrals."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from contracts.registry import OrganisationKind

NAME_LIMIT = 128


@dataclass(frozen=True)
class Organisation:
    """An organisation as told. `backup_id` receives when this one declines or stays silent."""

    name: str
    division: str
    kind: OrganisationKind
    receives_referrals: bool
    around_the_clock: bool = False
    backup_id: uuid.UUID | None = None
    active: bool = True

    @property
    def key(self) -> str:
        """What no two organisations share: the name within a county."""
        return f"{self.division[:6]}:{self.name}"
