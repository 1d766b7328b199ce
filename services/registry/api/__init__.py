"""HTTP routes of the registry."""

from __future__ import annotations

from fastapi import FastAPI

from chassis.db import Database
from services.registry.api import (
    agreements,
    availability,
    calendar,
    complaints,
    consents,
    coverage,
    divisions,
    doubles,
    gate,
    honours,
    insurance,
    library,
    organisations,
    people_search,
    places,
    providers,
    qualifications,
    recruitment,
    recruitment_applications,
    relations,
    rosters,
    rosters_hand_over,
    service_records,
    service_records_extract,
    staffing,
    standards,
    stars,
    swaps,
    talent,
    teams,
    trainings,
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
    availability,
    swaps,
    rosters_hand_over,
    calendar,
    people_search,
    library,
    service_records,
    service_records_extract,
    stars,
    honours,
    complaints,
    qualifications,
    trainings,
    insurance,
    gate,
    agreements,
    providers,
    relations,
    teams,
    recruitment,
    recruitment_applications,
)


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    """All routes of the service; each part adds its own."""
    answers_for_mistakes(app)
    for part in PARTS:
        part.routes(app, database, keys)
