"""The task ledger: a row's states, and what stands as evidence for it."""

from __future__ import annotations

from enum import StrEnum


class LedgerState(StrEnum):
    open = "open"
    in_progress = "in_progress"
    done = "done"
    returned = "returned"
    """Another person looked, and it is not done yet."""
    verified = "verified"


NEXT: dict[LedgerState, frozenset[LedgerState]] = {
    LedgerState.open: frozenset({LedgerState.in_progress}),
    LedgerState.in_progress: frozenset({LedgerState.done}),
    LedgerState.done: frozenset({LedgerState.verified, LedgerState.returned}),
    LedgerState.returned: frozenset({LedgerState.in_progress}),
    LedgerState.verified: frozenset(),
}
BY_ANOTHER = frozenset({LedgerState.verified, LedgerState.returned})
"""Only another person than who did it, wrote it or answers for it may say so."""
WRITABLE = frozenset({LedgerState.open, LedgerState.in_progress, LedgerState.returned})
"""What waits to be verified, or is, stays as it was read."""


def allows(present: LedgerState, following: LedgerState) -> bool:
    """Whether a row may move so."""
    return following in NEXT[present]


class OwnerKind(StrEnum):
    unit = "unit"
    person = "person"


class EvidenceKind(StrEnum):
    """What shows that something was done: a thing of this service by its id, a document, or a publicity activity."""

    campaign = "campaign"
    chain_case = "chain_case"
    transfer = "transfer"
    referral = "referral"
    programme = "programme"
    document = "document"
    publicity = "publicity"


COLLECTION: dict[EvidenceKind, str] = {
    EvidenceKind.campaign: "campaigns",
    EvidenceKind.chain_case: "cases",
    EvidenceKind.transfer: "transfers",
    EvidenceKind.referral: "referrals",
    EvidenceKind.programme: "programmes",
}
"""Where a thing of this service is found."""


def wrong_evidence(
    kind: EvidenceKind, *, reference: bool, sha256: bool, held_on: bool, participants: bool
) -> tuple[str, str] | None:
    """The field that this kind wants, or does not have, and what is wrong with it."""
    wanted = {
        "reference": (reference, kind in COLLECTION),
        "sha256": (sha256, kind is EvidenceKind.document),
        "held_on": (held_on, kind is EvidenceKind.publicity),
        "participants": (participants, kind is EvidenceKind.publicity),
    }
    for field, (given, needed) in wanted.items():
        if given != needed:
            return field, f"{kind} {'needs it' if needed else 'has none'}"
    return None


def lacks(following: LedgerState, *, owner: bool, measure: bool, evidence: int) -> str | None:
    """What is missing for a row to move so; nothing where it may."""
    if following is LedgerState.in_progress and not (owner and measure):
        return "who answers for it, and by which measure, comes first"
    if following is LedgerState.done and evidence == 0:
        return "nothing shows that it is done: enter evidence"
    return None
