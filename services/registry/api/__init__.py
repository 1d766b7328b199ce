"""HTTP routes of the registry."""

from __future__ import annotations

from fastapi import FastAPI

from chassis.db import Database
from services.registry.api import (
    consents,
    coverage,
    divisions,
    doubles,
    organisations,
    places,
    rosters,
    staffing,
    standards,
    talent,
    volunteers,
)
from services.registry.api.requests import answers_for_mistakes
from services.registry.keys import Keys

PARTS = (
    divisions,
    organisations,
    volunteers,
    talent,
    consents,
    doubles,
    rosters,
    places,
    standards,
    coverage,
    staffing,
)


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    """All routes of the service; each part adds its own."""
    answers_for_mistakes(app)
    for part in PARTS:
        part.routes(app, database, keys)
