"""What the crisis service works with: its policies, and its keys."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from chassis.sealing import Envelope, PersonKeys, keyed_hash, read_master_key
from contracts.policies import Versions
from services.crisis.domain.campaigns_policy import CampaignPolicy
from services.crisis.domain.chains_policy import ChainsPolicy, ConcernsPolicy
from services.crisis.domain.forms import Forms, load_forms
from services.crisis.domain.identity import plain
from services.crisis.domain.incidents_policy import IncidentPolicy
from services.crisis.domain.instruments import CarePolicy, Catalogue, catalogue
from services.crisis.domain.ledger_policy import LedgerPolicy
from services.crisis.domain.minors_policy import MinorsPolicy
from services.crisis.domain.policy import Policies, load_policies
from services.crisis.domain.programmes import ProgrammesPolicy
from services.crisis.domain.record_policy import RecordPolicy
from services.crisis.domain.records import RecordsPolicy
from services.crisis.domain.referrals_policy import ReferralRules
from services.crisis.domain.shifts_policy import ShiftPolicy
from services.crisis.domain.tree_hole import TreeHolePolicy
from services.crisis.domain.versions import load_versions


@dataclass(frozen=True)
class Office:
    """What commands, handlers and routes are given besides their transaction."""

    policies: Policies
    chains: Versions[ChainsPolicy]
    concerns: Versions[ConcernsPolicy]
    forms: Forms
    keys: PersonKeys
    envelope: Envelope
    pseudonym: Callable[[str], str]
    """A person's identifier, a telephone number for example, to the pseudonym under which this service knows it."""
    digest: Callable[[str], str]
    """A keyed hash of what was said: tells whether the same is said again, and nothing about what it was."""
    programmes: Versions[ProgrammesPolicy]
    records: Versions[RecordsPolicy]
    tree_hole: Versions[TreeHolePolicy]
    record: Versions[RecordPolicy]
    minors: Versions[MinorsPolicy]
    shifts: Versions[ShiftPolicy]
    referral: Versions[ReferralRules]
    incidents: Versions[IncidentPolicy]
    instruments: Catalogue
    care_tiers: Versions[CarePolicy]
    campaigns: Versions[CampaignPolicy]
    ledger: Versions[LedgerPolicy]


def open_office(policy_folder: Path | None, master_key_file: Path, sealing_key_file: Path) -> Office:
    """Read policies, those that ship and a district's own, and keys; raises `ValueError` that names the file."""
    master_key = read_master_key(master_key_file)
    return Office(
        policies=load_policies(policy_folder),
        chains=load_versions(ChainsPolicy, "chains", policy_folder),
        concerns=load_versions(ConcernsPolicy, "concerns", policy_folder),
        forms=load_forms(),
        keys=PersonKeys(master_key),
        envelope=Envelope(sealing_key_file),
        pseudonym=lambda identifier: keyed_hash(master_key, "person", plain(identifier)),
        digest=partial(keyed_hash, master_key, "digest"),
        programmes=load_versions(ProgrammesPolicy, "programmes", policy_folder),
        records=load_versions(RecordsPolicy, "records", policy_folder),
        tree_hole=load_versions(TreeHolePolicy, "tree_hole", policy_folder),
        record=load_versions(RecordPolicy, "record", policy_folder),
        minors=load_versions(MinorsPolicy, "minors", policy_folder),
        shifts=load_versions(ShiftPolicy, "shifts", policy_folder),
        referral=load_versions(ReferralRules, "referral", policy_folder),
        incidents=load_versions(IncidentPolicy, "incidents", policy_folder),
        instruments=catalogue(policy_folder),
        care_tiers=load_versions(CarePolicy, "care_tiers", policy_folder),
        campaigns=load_versions(CampaignPolicy, "campaigns", policy_folder),
        ledger=load_versions(LedgerPolicy, "ledger", policy_folder),
    )
