"""What a supervisor may have to decide about, and how."""

from __future__ import annotations

from enum import StrEnum


class Matter(StrEnum):
    """Each waits for a decision of its own, and shows until it has one."""

    follow_up_missed = "follow_up_missed"
    follow_up_plan_ended = "follow_up_plan_ended"
    referral_without_receiver = "referral_without_receiver"
    referral_unattended = "referral_unattended"
    referral_without_outcome = "referral_without_outcome"
    responder_to_check = "responder_to_check"
    """The case was raised, or turned out to be a minor's, after the responder had taken it."""


class Decision(StrEnum):
    continue_ = "continue"
    """Another contact, at a time to be named."""
    visit = "visit"
    """Someone goes there, at a time to be named."""
    refer = "refer"
    """The referral that is under way is the next step."""
    another_responder = "another_responder"
    """The responder is released, and another asked for at the present tier."""
    as_it_is = "as_it_is"
    """What there is suffices."""
    end_follow_up = "end_follow_up"
    """No more contacts from our side."""
