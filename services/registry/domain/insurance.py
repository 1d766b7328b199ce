"""Insurance of people on duty: which kinds there are, and whether one holds."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from services.registry.domain.versions import Source, Versioned

KINDS = {"accident": "人身意外伤害保险", "liability": "志愿服务责任保险", "employer": "单位雇主责任保险"}


class InsurancePolicy(Versioned):
    """How many days before its end an insurance shows on the list of what is due."""

    warn_days: Annotated[int, Field(ge=1, le=366)]
    source: Source


def covers(valid_from: str, valid_until: str, day: str) -> bool:
    """Whether a policy holds on an ISO day; its first and its last day count."""
    return valid_from <= day <= valid_until
