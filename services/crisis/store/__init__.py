"""Every query of the crisis service; each module says the shape of the documents that it is about."""

from __future__ import annotations

from typing import Any

from services.crisis.store import (
    assessments,
    campaigns,
    cases,
    chains_notices,
    concerns,
    emergency_plans,
    expert_groups,
    experts,
    funnel,
    groups,
    hotlines,
    incidents,
    ledger,
    merging,
    minors,
    persons,
    programmes,
    queue,
    record,
    records,
    referrals,
    risk_register,
    shifts,
    tree_hole,
    urgent,
)
from services.crisis.store.campaigns import campaigns_within, counts_of, the_campaign, the_screening, to_ask_again
from services.crisis.store.cases import (
    contacts_of,
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
    unsent,
)
from services.crisis.store.follow_ups import due_plans, referral_states

PARTS = (
    assessments,
    campaigns,
    cases,
    concerns,
    chains_notices,
    records,
    emergency_plans,
    expert_groups,
    incidents,
    referrals,
    record,
    minors,
    persons,
    merging,
    tree_hole,
    programmes,
    queue,
    shifts,
    urgent,
    hotlines,
    experts,
    funnel,
    groups,
    ledger,
    risk_register,
)
COLLECTIONS: dict[str, list[Any]] = {
    name: [*indexes, *records.MORE_INDEXES.get(name, ())]
    for part in PARTS
    for name, indexes in part.COLLECTIONS.items()
}

__all__ = [
    "COLLECTIONS",
    "campaigns_within",
    "contacts_of",
    "counts_of",
    "due_plans",
    "has_divisions",
    "knows_divisions",
    "needing_attention",
    "open_cases",
    "receivers_of",
    "referral_states",
    "referrals_for",
    "the_campaign",
    "the_case",
    "the_plan",
    "the_referral",
    "the_screening",
    "to_ask_again",
    "under",
    "unsent",
]
