"""The registry, put together."""

from __future__ import annotations

from functools import partial

from chassis.consume import Handles
from chassis.service import Blueprint
from chassis.settings import Settings
from contracts.matching import OfferAccepted
from services.registry import handlers
from services.registry.api import routes
from services.registry.commands import children_due, providers_licences, standing
from services.registry.keys import Keys
from services.registry.store import COLLECTIONS


def blueprint(settings: Settings) -> Blueprint:
    """The registry's parts; raises `ValueError` without a master key."""
    if settings.master_key_file is None:
        raise ValueError("the registry needs XINQIAO_MASTER_KEY_FILE: 32 bytes in base64")
    keys = Keys.read(settings.master_key_file, settings.policies)
    return Blueprint(
        title="Xinqiao registry",
        collections=COLLECTIONS,
        handles=(Handles(OfferAccepted, handlers.await_hours, handlers.load_assignments),),
        timers={
            standing.TIMER: partial(standing.standing_due, policies=keys.policies),
            providers_licences.TIMER: partial(providers_licences.licences_due, policies=keys.policies),
            children_due.TIMER: partial(children_due.children_due, keys=keys),
        },
        routes=lambda app, service: routes(app, service.database, keys),
        prepare=lambda service: service.database.transact(handlers.arm),
    )
