"""The lists that other services write down as well, beside those of the record: one definition, in the contracts."""

from __future__ import annotations

from contracts.codes import CODE_LISTS, Code, ServiceGroup, ServiceType
from services.crisis.domain.codes import LISTS

LISTS_OF_ALL: dict[str, type[Code]] = {**LISTS, **{name: one.codes for name, one in CODE_LISTS.items()}}

__all__ = ["LISTS_OF_ALL", "ServiceGroup", "ServiceType"]
