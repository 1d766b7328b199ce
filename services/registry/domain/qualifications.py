"""Qualifications of a person: what there are, and the way of one from what is claimed to what somebody checked."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from services.registry.domain.people import OTHER_QUALIFICATION, QUALIFICATIONS


class State(StrEnum):
    """Where a qualification stands. `expired` is reckoned when it is read: nobody has to write it down."""

    entered = "entered"
    verified = "verified"
    expired = "expired"
    rejected = "rejected"
    withdrawn = "withdrawn"


NEXT: dict[State, frozenset[State]] = {
    State.entered: frozenset({State.verified, State.rejected, State.withdrawn}),
    State.verified: frozenset({State.expired, State.withdrawn}),
    # A certificate that was renewed is another one, with its own number and days.
    State.expired: frozenset({State.withdrawn}),
    State.rejected: frozenset(),
    State.withdrawn: frozenset(),
}


def allows(present: State, following: State) -> bool:
    return following in NEXT[present]


@dataclass(frozen=True)
class Kind:
    """A kind of certificate, and the code of 附件4 that it stands for, where that has one of its own."""

    label: str
    annex: int = OTHER_QUALIFICATION


KINDS: dict[str, Kind] = {
    "psychiatrist": Kind(QUALIFICATIONS[1], 1),
    "therapist": Kind(QUALIFICATIONS[2], 2),
    "counsellor": Kind(QUALIFICATIONS[3], 3),
    "school_full_time": Kind(QUALIFICATIONS[4], 4),
    "school_part_time": Kind(QUALIFICATIONS[5], 5),
    "physician": Kind("临床执业医师"),
    "nurse": Kind("护士执业资格"),
    "social_worker": Kind("社会工作者职业资格"),
    "teacher_mental_health": Kind("教师心理健康教育资格"),
    "mental_health_guide": Kind("心理健康指导师"),
    "other": Kind("其他"),
}

REASONS = {
    "checked": "已核对原件或发证机关记录",
    "not_at_issuer": "发证机关查无此证",
    "other_person": "证件不属于本人",
    "unreadable": "证明材料无法辨认",
    "wrong_details": "登记内容与证件不符",
    "revoked": "证件已被吊销或注销",
    "entered_by_mistake": "误登记",
    "own_wish": "本人要求撤回",
}
"""Why a qualification moved; codes, because free text about a person does not go into a log."""

AGAINST = frozenset({"not_at_issuer", "other_person", "revoked"})
"""The reasons that speak against what is claimed; the others close a paper and say nothing of the person."""

FITS = {
    State.verified: frozenset({"checked"}),
    State.rejected: frozenset({"not_at_issuer", "other_person", "unreadable", "wrong_details"}),
    State.withdrawn: frozenset({"revoked", "entered_by_mistake", "own_wish"}),
}


def standing(state: str, valid_until: str | None, day: str) -> State:
    """The state on an ISO day: what was verified is expired after its last day."""
    if state == State.verified and valid_until is not None and valid_until < day:
        return State.expired
    return State(state)


MEDIA = {b"%PDF-": "application/pdf", b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


def media_type(content: bytes) -> str | None:
    """What a proof file is, by its first bytes; None for what is neither a PDF, a PNG nor a JPEG."""
    return next((kind for sign, kind in MEDIA.items() if content.startswith(sign)), None)
