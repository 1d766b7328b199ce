"""Reporting, put together."""

from __future__ import annotations

from chassis.consume import Handles
from chassis.service import Blueprint
from chassis.settings import Settings
from contracts.registry import DivisionsListed
from services.reporting.api import routes
from services.reporting.domain import COUNTED
from services.reporting.handlers import count, load_generation, load_places, note_divisions
from services.reporting.policy import read_policy
from services.reporting.store import COLLECTIONS


def blueprint(settings: Settings) -> Blueprint:
    """What the service is made of. Raises `ValueError` where its policy does not hold."""
    policy = read_policy(settings.policies)
    return Blueprint(
        title="Xinqiao reporting",
        collections=COLLECTIONS,
        handles=[
            *(Handles(event, count, load_generation) for event in COUNTED),
            Handles(DivisionsListed, note_divisions, load_places),
        ],
        routes=lambda app, service: routes(app, service, policy),
    )
