"""The crisis service over HTTP; each part of it is a module that adds its routes."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI

from chassis.service import Service
from services.crisis.api import cases, flags, follow_ups, referrals
from services.crisis.api.desk import Desk
from services.crisis.office import Office

PARTS = (flags, cases, referrals, follow_ups)


def routes(app: FastAPI, service: Service, office: Office) -> None:
    """All routes of the service."""
    router = APIRouter(prefix="/v1")
    desk = Desk(service.database, service.bus, office)
    for part in PARTS:
        part.add(router, desk)
    app.include_router(router)
