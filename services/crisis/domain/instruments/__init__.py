"""Instruments: definitions as data, scoring as pure functions, and what a result leads to."""

from contracts.crisis import ScreeningRoute as Route
from contracts.crisis import ScreeningTier as CareTier
from services.crisis.domain.instruments.care import (
    CarePolicy,
    ElderlyTier,
    care_tier,
    case_tier,
    elderly_tier,
    higher,
    route,
)
from services.crisis.domain.instruments.catalogue import Catalogue, catalogue
from services.crisis.domain.instruments.definition import Definition, Item, Kind, Manual, Texts, WrongAnswer
from services.crisis.domain.instruments.scoring import Part, Result, score

__all__ = [
    "CarePolicy",
    "CareTier",
    "Catalogue",
    "Definition",
    "ElderlyTier",
    "Item",
    "Kind",
    "Manual",
    "Part",
    "Result",
    "Route",
    "Texts",
    "WrongAnswer",
    "care_tier",
    "case_tier",
    "catalogue",
    "elderly_tier",
    "higher",
    "route",
    "score",
]
