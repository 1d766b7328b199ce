"""How long a record is kept, by its class, and how access in an emergency is bounded."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import Field, model_validator

from contracts.policies import PolicyPart, Source, Versioned

Days = Annotated[int, Field(gt=0, le=100 * 366)]


class RecordClass(StrEnum):
    """What kind of record a case is; a law or a local rule says how long each is kept."""

    hotline = "hotline"
    counselling = "counselling"
    opened_in_error = "opened_in_error"


class Keeping(PolicyPart):
    """Days after closing: until what is personal is erased, and until the record itself is deleted."""

    personal_days: Days
    record_days: Days
    source: Source

    @model_validator(mode="after")
    def _personal_first(self) -> Keeping:
        if self.personal_days > self.record_days:
            raise ValueError("what is personal cannot be kept longer than the record")
        return self


class Registers(PolicyPart):
    """How long what is personal is kept outside of cases, in days."""

    personal_days: Days
    source: Source


class EmergencyAccess(PolicyPart):
    minutes: int = Field(gt=0, le=24 * 60)
    source: Source
    review_hours: int = Field(gt=0, le=24 * 90)
    review_source: Source


class Reading(PolicyPart):
    slot_minutes: int = Field(gt=0, le=24 * 60)
    source: Source


class RecordsPolicy(Versioned):
    """One version, whole; every class has to be spoken of."""

    classes: dict[RecordClass, Keeping]
    registers: Registers
    emergency_access: EmergencyAccess
    reading: Reading

    @model_validator(mode="after")
    def _each_class(self) -> RecordsPolicy:
        missing = [one.value for one in RecordClass if one not in self.classes]
        if missing:
            raise ValueError(f"nothing is said about {', '.join(missing)}")
        return self

    def personal_until(self, kind: RecordClass, closed_at: datetime) -> datetime:
        """When what is personal is erased."""
        return closed_at + timedelta(days=self.classes[kind].personal_days)

    def record_until(self, kind: RecordClass, closed_at: datetime) -> datetime:
        """When the record itself is deleted."""
        return closed_at + timedelta(days=self.classes[kind].record_days)
