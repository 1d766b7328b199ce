"""What people decide about a case. Each needs a right, a named person, and where it matters a reason."""

from services.crisis.commands.closing import close, release
from services.crisis.commands.contacts import erase_contacts, reveal_contacts
from services.crisis.commands.emergency import call_emergency, confirm_emergency, stand_down
from services.crisis.commands.follow_ups import record_attempt, set_preferences
from services.crisis.commands.follow_ups_decisions import decide, propose_ending
from services.crisis.commands.queue import acknowledge
from services.crisis.commands.reading import listed, read_case
from services.crisis.commands.referrals import answer_referral, cancel_referral, refer
from services.crisis.commands.rights import OFFICERS, in_office, institution_of, responds
from services.crisis.commands.risk import agree_to_lower, propose_lowering, raise_risk

__all__ = [
    "OFFICERS",
    "acknowledge",
    "agree_to_lower",
    "answer_referral",
    "call_emergency",
    "cancel_referral",
    "close",
    "confirm_emergency",
    "decide",
    "erase_contacts",
    "in_office",
    "institution_of",
    "listed",
    "propose_ending",
    "propose_lowering",
    "raise_risk",
    "read_case",
    "record_attempt",
    "refer",
    "release",
    "responds",
    "reveal_contacts",
    "set_preferences",
    "stand_down",
]
