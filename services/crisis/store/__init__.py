"""Every query of the crisis service; each module says the shape of the documents that it is about."""

from __future__ import annotations

from typing import Any

from services.crisis.store import cases
from services.crisis.store.cases import (
    case_of_flag,
    contacts_of,
    due_follow_ups,
    has_divisions,
    knows_divisions,
    needing_attention,
    open_cases,
    receivers_of,
    referrals_for,
    the_case,
    the_plan,
    the_referral,
    under,
)

PARTS = (cases,)
COLLECTIONS: dict[str, list[Any]] = {name: indexes for part in PARTS for name, indexes in part.COLLECTIONS.items()}

__all__ = [
    "COLLECTIONS",
    "case_of_flag",
    "contacts_of",
    "due_follow_ups",
    "has_divisions",
    "knows_divisions",
    "needing_attention",
    "open_cases",
    "receivers_of",
    "referrals_for",
    "the_case",
    "the_plan",
    "the_referral",
    "under",
]
