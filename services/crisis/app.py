"""The crisis service put together."""

from __future__ import annotations

from functools import partial

from chassis.consume import Handles
from chassis.service import Blueprint
from chassis.settings import Settings
from contracts.hotline import CheckInMissed, PostPublished, RiskFlagged
from contracts.matching import CoordinatorCalled, OfferAccepted, ResponderOffered
from contracts.registry import DivisionsListed, OrganisationRegistered
from services.crisis import api, handlers, programme, receiving, store
from services.crisis.commands import (
    chains,
    concerns,
    consultations,
    expert_groups,
    handovers_medical,
    incidents_aftercare,
    incidents_critical,
    minors,
    record,
    referrals_accompanied,
    referrals_consent,
    retention,
    retention_registers,
    shifts,
    shifts_hand_over,
    shifts_watch,
    transfers,
    tree_hole,
    urgent,
)
from services.crisis.office import Office, open_office


def blueprint(settings: Settings) -> Blueprint:
    """Settings in, service out."""
    if settings.master_key_file is None or settings.sealing_key_file is None:
        raise ValueError("the crisis service needs a master key and a sealing key")
    office = open_office(settings.policies, settings.master_key_file, settings.sealing_key_file)
    return Blueprint(
        title="心桥 危机干预 Xinqiao crisis",
        collections=store.COLLECTIONS,
        handles=handles(office),
        timers={
            "acknowledgement": partial(handlers.acknowledgement_due, office=office),
            "emergency": partial(handlers.emergency_due, office=office),
            "referral": partial(receiving.referral_due, office=office),
            "telling": partial(referrals_consent.telling_due, office=office),
            "transfer": partial(transfers.transfer_due, office=office),
            "consultation": partial(consultations.consultation_due, office=office),
            "accompanied_visit": partial(referrals_accompanied.accompanied_visit_due, office=office),
            "medical_hand_over": partial(handovers_medical.hand_over_due, office=office),
            "follow_up": partial(handlers.follow_up_due, office=office),
            chains.TIMER: partial(chains.hop_due, office=office),
            record.REVIEW: partial(record.review_due, office=office),
            minors.REPORT: partial(minors.report_due, office=office),
            "programme": partial(programme.programme_due, office=office),
            retention.TIMER: partial(retention.retention_due, office=office),
            retention_registers.TIMER: partial(retention_registers.registers_due, office=office),
            "shift": partial(shifts.shift_due, office=office),
            "supervision": partial(shifts_watch.supervision_due, office=office),
            shifts_hand_over.TIMER: partial(shifts_hand_over.hand_over_due, office=office),
            urgent.TIMER: partial(urgent.urgent_due, office=office),
            tree_hole.TIMER: partial(tree_hole.post_due, office=office),
            expert_groups.TIMER: partial(expert_groups.call_out_due, office=office),
            incidents_aftercare.TIMER: partial(incidents_aftercare.aftercare_due, office=office),
            incidents_critical.TIMER: partial(incidents_critical.report_due, office=office),
        },
        routes=lambda app, service: api.routes(app, service, office),
        prepare=lambda service: service.database.transact(retention_registers.arm),
    )


def handles(office: Office) -> list[Handles]:
    """What each consumed event does."""
    return [
        Handles(RiskFlagged, partial(handlers.take_flag, office=office), partial(handlers.read_ahead, office=office)),
        Handles(PostPublished, partial(handlers.take_post, office=office), partial(handlers.read_posts, office=office)),
        Handles(CheckInMissed, partial(concerns.take_check_in, office=office), concerns.read_check_ins),
        Handles(DivisionsListed, handlers.keep_divisions, handlers.read_divisions),
        Handles(OrganisationRegistered, handlers.keep_organisation, handlers.read_organisations),
        Handles(ResponderOffered, handlers.note_offer, handlers.read_cases),
        Handles(OfferAccepted, handlers.note_responder, handlers.read_cases),
        Handles(CoordinatorCalled, handlers.note_coordinator, handlers.read_cases),
    ]
