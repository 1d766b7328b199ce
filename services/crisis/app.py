"""The crisis service put together."""

from __future__ import annotations

from functools import partial

from chassis.consume import Handles
from chassis.service import Blueprint
from chassis.settings import Settings
from contracts.hotline import RiskFlagged
from contracts.matching import CoordinatorCalled, OfferAccepted, ResponderOffered
from contracts.registry import DivisionsListed, OrganisationRegistered
from services.crisis import api, handlers, store
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
            "referral": partial(handlers.referral_due, office=office),
            "follow_up": partial(handlers.follow_up_due, office=office),
        },
        routes=lambda app, service: api.routes(app, service, office),
    )


def handles(office: Office) -> list[Handles]:
    """What each consumed event does."""
    return [
        Handles(RiskFlagged, partial(handlers.take_flag, office=office), partial(handlers.read_ahead, office=office)),
        Handles(DivisionsListed, handlers.keep_divisions, handlers.read_divisions),
        Handles(OrganisationRegistered, handlers.keep_organisation, handlers.read_organisations),
        Handles(ResponderOffered, handlers.note_offer, handlers.read_cases),
        Handles(OfferAccepted, handlers.note_responder, handlers.read_cases),
        Handles(CoordinatorCalled, handlers.note_coordinator, handlers.read_cases),
    ]
