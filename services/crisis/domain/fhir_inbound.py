"""What other systems send as FHIR R4 (4.0.1), read strictly as far as it is used.

Elements that are not used are let pass, as FHIR wants it; those that change the meaning of the rest
(`modifierExtension`, `implicitRules`) are refused. A refusal names the element by its path, `Task.output[0].type`.

Own models and not a library's: of the standard's hundreds of elements these few are used, each bounded here in length.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from contracts.base import Answer
from contracts.crisis import ReferralState
from contracts.hotline import AgeBand, Sex
from services.crisis.domain.fhir import BSER, DIVISIONS, FEEDBACK, referral_named
from services.crisis.domain.referral import Medication, NextStep, OutcomeCode

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]
Code = Annotated[str, StringConstraints(pattern=r"^[^\s]+(\s[^\s]+)*$", max_length=64)]
Uri = Annotated[str, StringConstraints(pattern=r"^\S+$", max_length=256)]
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9\-.]{1,64}$")]
Instant = Annotated[
    str,
    StringConstraints(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$"
    ),
]
QUESTIONS = "urn:xinqiao:flag-question"
ASKED = (
    "act_in_progress",
    "plan_within_72_hours",
    "attempt_within_2_weeks",
    "danger_to_others",
    "suspected_harm_to_minor",
    "consent_to_follow_up",
)


class Element(BaseModel):
    """A part of a resource."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _nothing_that_changes_the_meaning(cls, given: Any) -> Any:
        if isinstance(given, dict):
            for name in ("modifierExtension", "implicitRules"):
                if name in given:
                    raise ValueError(f"{name} is not understood here")
        return given


class Coding(Element):
    system: Uri | None = None
    code: Code | None = None
    display: Text | None = None


class CodeableConcept(Element):
    coding: tuple[Coding, ...] = Field((), max_length=50, strict=False)
    text: Text | None = None


class Identifier(Element):
    system: Uri | None = None
    value: Text | None = None


class Reference(Element):
    reference: Text | None = None
    identifier: Identifier | None = None


class Period(Element):
    start: Instant | None = None
    end: Instant | None = None


class Output(Element):
    type: CodeableConcept
    value_code: Code | None = Field(None, alias="valueCode")
    value_string: Text | None = Field(None, alias="valueString")


class Task(Element):
    """What a receiver's system says about the work on a referral."""

    resource_type: Literal["Task"] = Field(alias="resourceType")
    id: Id | None = None
    identifier: tuple[Identifier, ...] = Field((), max_length=20, strict=False)
    based_on: tuple[Reference, ...] = Field((), alias="basedOn", max_length=20, strict=False)
    focus: Reference | None = None
    status: Code
    status_reason: CodeableConcept | None = Field(None, alias="statusReason")
    business_status: CodeableConcept | None = Field(None, alias="businessStatus")
    intent: Code
    execution_period: Period | None = Field(None, alias="executionPeriod")
    output: tuple[Output, ...] = Field((), max_length=20, strict=False)


class HumanName(Element):
    text: Text | None = None
    family: Text | None = None
    given: tuple[Text, ...] = Field((), max_length=10, strict=False)


class ContactPoint(Element):
    system: Code | None = None
    value: Text | None = None


class Address(Element):
    text: Text | None = None


class Patient(Element):
    """Whom a hospital refers to us. What is personal is sealed before anything is kept."""

    resource_type: Literal["Patient"] = Field(alias="resourceType")
    identifier: tuple[Identifier, ...] = Field((), max_length=20, strict=False)
    name: tuple[HumanName, ...] = Field((), max_length=10, strict=False)
    telecom: tuple[ContactPoint, ...] = Field((), max_length=20, strict=False)
    address: tuple[Address, ...] = Field((), max_length=10, strict=False)
    gender: Literal["male", "female", "other", "unknown"] | None = None
    birth_date: Annotated[str, StringConstraints(pattern=r"^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$")] | None = Field(
        None, alias="birthDate"
    )


class ServiceRequest(Element):
    """A referral form of a hospital."""

    resource_type: Literal["ServiceRequest"] = Field(alias="resourceType")
    id: Id | None = None
    identifier: tuple[Identifier, ...] = Field((), max_length=20, strict=False)
    status: Code
    intent: Code
    subject: Reference
    performer_type: CodeableConcept | None = Field(None, alias="performerType")
    location_code: tuple[CodeableConcept, ...] = Field((), alias="locationCode", max_length=10, strict=False)
    reason_code: tuple[CodeableConcept, ...] = Field((), alias="reasonCode", max_length=50, strict=False)


class Entry(Element):
    full_url: Uri | None = Field(None, alias="fullUrl")
    resource: dict[str, Any]


class Bundle(Element):
    resource_type: Literal["Bundle"] = Field(alias="resourceType")
    type: Literal["collection", "transaction", "batch", "message", "document"]
    entry: tuple[Entry, ...] = Field((), max_length=50, strict=False)


class Misread(ValueError):
    """An element that cannot be read, by its path."""

    def __init__(self, path: str, detail: str) -> None:
        super().__init__(detail)
        self.path = path
        self.detail = detail


E = TypeVar("E", bound=Element)


def read(model: type[E], document: Any, root: str | None = None) -> E:
    """A resource as sent; raises `Misread` with the path of the first element that is wrong."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        raise Misread(_path(root or model.__name__, first["loc"]), str(first["msg"])) from error


def _path(root: str, steps: tuple[int | str, ...]) -> str:
    path = root
    for step in steps:
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    return path


# A receiver's system tells how far it is


class Said(BaseModel):
    """A receiver's answer, in our own words."""

    model_config = ConfigDict(frozen=True)

    state: ReferralState
    reason: str | None = None
    at: datetime | None = None
    feedback: tuple[OutcomeCode, NextStep, Medication, str | None] | None = None


BY_STATUS = {
    "received": ReferralState.received,
    "accepted": ReferralState.accepted,
    "rejected": ReferralState.declined,
    "completed": ReferralState.completed,
}
BY_BUSINESS = {
    "3.0": (ReferralState.accepted, {"accepted", "ready", "in-progress"}),
    "4.0": (ReferralState.declined, {"rejected"}),
    "5.1.1": (ReferralState.scheduled, {"accepted", "ready", "in-progress"}),
    "5.1.2": (ReferralState.unattended, {"in-progress", "on-hold"}),
    "5.1.4": (ReferralState.attended, {"in-progress"}),
    "7.0": (ReferralState.completed, {"completed"}),
}
"""BSeR's business status, and the statuses that it may stand with: the two must not contradict each other."""


def said_by(task: Task) -> Said:
    """What a Task says about its referral; raises `Misread`."""
    state = _state(task)
    reason = None
    if task.status_reason is not None:
        words = (task.status_reason.text, *(coding.display or coding.code for coding in task.status_reason.coding))
        reason = next((word for word in words if word), None)
    at = None
    if state is ReferralState.scheduled:
        start = task.execution_period.start if task.execution_period else None
        if start is None:
            raise Misread("Task.executionPeriod.start", "an appointment needs its time")
        try:
            at = datetime.fromisoformat(start)
        except ValueError as error:
            raise Misread("Task.executionPeriod.start", str(error)) from error
    feedback = _feedback(task) if state is ReferralState.completed else None
    return Said(state=state, reason=reason[:500] if reason else None, at=at, feedback=feedback)


def _state(task: Task) -> ReferralState:
    codings = task.business_status.coding if task.business_status else ()
    business = next((one.code for one in codings if one.system == BSER), None)
    if business in BY_BUSINESS:
        state, statuses = BY_BUSINESS[business]
        if task.status not in statuses:
            raise Misread("Task.businessStatus", f"{business} does not go with the status {task.status}")
        return state
    if business not in (None, "2.0"):
        raise Misread("Task.businessStatus", f"the business status {business} is no answer to a referral")
    if task.status == "in-progress":
        raise Misread("Task.businessStatus", "what is in progress says whether it is scheduled, attended or unattended")
    if task.status not in BY_STATUS:
        raise Misread("Task.status", f"{task.status} is no answer to a referral")
    return BY_STATUS[task.status]


def _feedback(task: Task) -> tuple[OutcomeCode, NextStep, Medication, str | None]:
    codes: dict[str, str] = {}
    text: str | None = None
    for place, output in enumerate(task.output):
        name = next((one.code for one in output.type.coding if one.system == FEEDBACK), None)
        if name == "text":
            text = output.value_string
        elif name is not None:
            if output.value_code is None:
                raise Misread(f"Task.output[{place}].valueCode", "the feedback is a code")
            codes[name] = output.value_code
    try:
        return (
            OutcomeCode(codes.get("outcome", "")),
            NextStep(codes.get("next_step", "none")),
            Medication(codes.get("medication", "unknown")),
            text,
        )
    except ValueError as error:
        raise Misread("Task.output", f"the feedback has outcome, next_step and medication: {error}") from error


def names(task: Task) -> set[UUID]:
    """The referrals that a Task names itself as being about; more than one is a contradiction."""
    references = [task.id, *(one.reference for one in task.based_on), task.focus.reference if task.focus else None]
    references += [one.value for one in task.identifier]
    return {found for found in (referral_named(one) for one in references) if found is not None}


# A hospital refers to us


class Referred(BaseModel):
    """A hospital's form, in our own words."""

    model_config = ConfigDict(frozen=True)

    ident: UUID
    division: str | None
    department: str
    identifier: str | None
    contact: dict[str, str]
    age_band: AgeBand
    sex: Sex
    answers: dict[str, Answer]


def referred_by(bundle: Bundle, today: date) -> Referred:
    """The one ServiceRequest of a Bundle with its Patient; raises `Misread`."""
    requests = _resources(bundle, "ServiceRequest")
    if len(requests) != 1:
        raise Misread("Bundle.entry", f"one ServiceRequest is wanted, and {len(requests)} are there")
    place, document = requests[0]
    request = read(ServiceRequest, document, f"Bundle.entry[{place}].resource")
    root = f"Bundle.entry[{place}].resource"
    if request.status != "active":
        raise Misread(f"{root}.status", f"a referral is active, and not {request.status}")
    patients = _resources(bundle, "Patient")
    if len(patients) > 1:
        raise Misread("Bundle.entry", "a referral is about one Patient")
    patient = read(Patient, patients[0][1], f"Bundle.entry[{patients[0][0]}].resource") if patients else None
    references = [request.id, *(one.value for one in request.identifier), bundle.entry[place].full_url]
    ident = next((found for found in map(referral_named, references) if found is not None), None)
    if ident is None:
        raise Misread(f"{root}.identifier", "a referral has an id of its own, a UUID")
    department = next((one.code for one in _codings(request.performer_type) if one.code), "unknown")
    return Referred(
        ident=ident,
        division=next((one.code for concept in request.location_code for one in _codings(concept, DIVISIONS)), None),
        department=department,
        identifier=next((one.value for one in patient.identifier if one.value), None) if patient else None,
        contact=_contact(patient),
        age_band=_age_band(patient, today),
        sex=Sex(patient.gender) if patient and patient.gender in ("male", "female") else Sex.unknown,
        answers=_answers(request, root),
    )


def _resources(bundle: Bundle, kind: str) -> list[tuple[int, dict[str, Any]]]:
    return [
        (place, entry.resource)
        for place, entry in enumerate(bundle.entry)
        if entry.resource.get("resourceType") == kind
    ]


def _codings(concept: CodeableConcept | None, system: str | None = None) -> list[Coding]:
    return [one for one in (concept.coding if concept else ()) if system is None or one.system == system]


def _contact(patient: Patient | None) -> dict[str, str]:
    if patient is None:
        return {}
    name = next((one.text or "".join([one.family or "", *one.given]) for one in patient.name), None)
    phone = next((one.value for one in patient.telecom if one.system in ("phone", "sms") and one.value), None)
    address = next((one.text for one in patient.address if one.text), None)
    return {key: value for key, value in (("name", name), ("phone", phone), ("address", address)) if value}


def _answers(request: ServiceRequest, root: str) -> dict[str, Answer]:
    """Coded as `<question>.<answer>`; a question that is not there was not asked."""
    answers: dict[str, Answer] = {}
    for place, concept in enumerate(request.reason_code):
        for coding in _codings(concept, QUESTIONS):
            question, _, answer = (coding.code or "").partition(".")
            if question not in ASKED or answer not in {one.value for one in Answer}:
                raise Misread(f"{root}.reasonCode[{place}]", f"{coding.code} is neither of {', '.join(ASKED)}.<answer>")
            answers[question] = Answer(answer)
    return answers


BANDS = (
    (14, AgeBand.under_14),
    (18, AgeBand.from_14_to_17),
    (25, AgeBand.from_18_to_24),
    (45, AgeBand.from_25_to_44),
    (60, AgeBand.from_45_to_59),
    (75, AgeBand.from_60_to_74),
)


def _age_band(patient: Patient | None, today: date) -> AgeBand:
    """The band of the age on a day; of a date that is not whole the youngest it can be, so that no minor is missed."""
    if patient is None or patient.birth_date is None:
        return AgeBand.unknown
    parts = [int(part) for part in patient.birth_date.split("-")]
    year, month, day = (*parts, 12, 31)[:3] if len(parts) != 2 else (*parts, 31)
    age = today.year - year - ((today.month, today.day) < (month, day))
    if age < 0:
        return AgeBand.unknown
    return next((band for below, band in BANDS if age < below), AgeBand.from_75)
