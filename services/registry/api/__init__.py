"""HTTP routes of the registry."""

from __future__ import annotations

from fastapi import FastAPI

from chassis.db import Database
from services.registry.api import divisions, organisations, rosters, volunteers
from services.registry.api.requests import answers_for_mistakes
from services.registry.keys import Keys


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    answers_for_mistakes(app)
    divisions.routes(app, database)
    organisations.routes(app, database)
    volunteers.routes(app, database, keys)
    rosters.routes(app, database)
