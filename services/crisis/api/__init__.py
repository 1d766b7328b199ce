"""The crisis service over HTTP; each part of it is a module that adds its routes."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI

from chassis.service import Service
from services.crisis.api import (
    assessments,
    bereavement,
    campaigns,
    cases,
    chains_notices,
    concerns,
    consultations,
    emergency_plans,
    expert_groups,
    experts,
    fhir,
    flags,
    follow_ups,
    forms,
    funnel,
    groups,
    handovers_medical,
    hotlines,
    incidents,
    incidents_critical,
    incidents_people,
    ledger,
    merging,
    minors,
    persons,
    programmes,
    queue,
    receivers,
    record,
    records,
    referrals,
    risk_register,
    screenings,
    self_tests,
    shifts,
    tablet,
    transfers,
    tree_hole,
    urgent,
)
from services.crisis.api.desk import Desk
from services.crisis.office import Office

PARTS = (
    chains_notices,
    concerns,
    forms,
    campaigns,
    screenings,
    assessments,
    self_tests,
    flags,
    cases,
    record,
    minors,
    persons,
    merging,
    referrals,
    receivers,
    transfers,
    consultations,
    handovers_medical,
    fhir,
    follow_ups,
    programmes,
    bereavement,
    records,
    tree_hole,
    queue,
    shifts,
    urgent,
    hotlines,
    experts,
    emergency_plans,
    expert_groups,
    incidents,
    incidents_critical,
    incidents_people,
    funnel,
    groups,
    ledger,
    risk_register,
)


def routes(app: FastAPI, service: Service, office: Office) -> None:
    """All routes of the service."""
    router = APIRouter(prefix="/v1")
    desk = Desk(service.database, service.bus, office)
    for part in PARTS:
        part.add(router, desk)
    app.include_router(router)
    tablet.pages(app, office)
