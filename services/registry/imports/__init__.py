"""Whole files taken and given: divisions, organisations, volunteers. The command line and the routes call these."""

from __future__ import annotations

from pathlib import Path

from services.registry.imports.divisions import EDITION, import_divisions, load_divisions
from services.registry.imports.duty import put_on_duty
from services.registry.imports.organisations import import_organisations
from services.registry.imports.report import Report
from services.registry.imports.volunteers import export_volunteers, import_volunteers

DATA = Path(__file__).parent.parent / "data"
PILOT_DIVISIONS = DATA / "pilot-yanzhou-haizhou.csv"
NATIONAL_DIVISIONS = DATA / "national.csv.xz"
ORGANISATIONS = DATA / "organisations.csv"

__all__ = [
    "DATA",
    "EDITION",
    "NATIONAL_DIVISIONS",
    "ORGANISATIONS",
    "PILOT_DIVISIONS",
    "Report",
    "export_volunteers",
    "import_divisions",
    "import_organisations",
    "import_volunteers",
    "load_divisions",
    "put_on_duty",
]
