"""The matching service, put together."""

from __future__ import annotations

from functools import partial

from chassis.consume import Handles
from chassis.service import Blueprint
from chassis.settings import Settings
from contracts.crisis import ResponderReleased, ResponderRequested
from contracts.registry import (
    DivisionsListed,
    DutyRostered,
    VolunteerRegistered,
    VolunteersMerged,
    VolunteersSplit,
)
from services.matching import api, handlers, offering, store
from services.matching.domain.policy import load_policies


def blueprint(settings: Settings) -> Blueprint:
    """Policy files of the district lie in the folder `matching` of the policy folder."""
    policies = load_policies(settings.policies)
    return Blueprint(
        title="心桥 Xinqiao: matching",
        collections=store.COLLECTIONS,
        handles=(
            Handles(DivisionsListed, handlers.note_divisions, handlers.load_divisions),
            Handles(VolunteerRegistered, partial(handlers.note_volunteer, policies=policies), handlers.load_volunteers),
            Handles(VolunteersMerged, partial(handlers.note_merge, policies=policies), handlers.load_merges),
            Handles(VolunteersSplit, handlers.note_split, handlers.load_merges),
            Handles(DutyRostered, partial(handlers.note_duty, policies=policies), handlers.load_duties),
            Handles(
                ResponderRequested,
                partial(handlers.offer_to_next_responder, policies=policies),
                partial(handlers.load_requests, policies=policies),
            ),
            Handles(
                ResponderReleased,
                partial(handlers.release_responder, policies=policies),
                partial(handlers.load_held, policies=policies),
            ),
        ),
        timers={
            offering.OFFER: partial(handlers.expire_offer, policies=policies),
            offering.LOOK: partial(handlers.look_again, policies=policies),
        },
        routes=partial(api.routes, policies=policies),
    )
