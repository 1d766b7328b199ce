"""A referral as FHIR R4 (4.0.1): the ServiceRequest is the referral, the Task is the work of fulfilling it.

Out go codes and pseudonyms: no name, no text that a person wrote. What comes in is read through `domain/fhir_inbound`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from contracts.crisis import ReferralKind, ReferralState

Document = dict[str, Any]

BSER = "http://hl7.org/fhir/us/bser/CodeSystem/TaskBusinessStatusCS"
STATES = "urn:xinqiao:referral-state"
KINDS = "urn:xinqiao:referral-kind"
TIERS = "urn:xinqiao:tier"
RISK_LEVEL = "urn:xinqiao:severe-disorder-risk-level"
FEEDBACK = "urn:xinqiao:referral-feedback"
DIVISIONS = "urn:xinqiao:division"
PSEUDONYMS = "urn:xinqiao:pseudonym"
UUIDS = "urn:ietf:rfc:3986"

TASK_STATUS: dict[ReferralState, str] = {
    ReferralState.drafted: "draft",
    ReferralState.sent: "requested",
    ReferralState.received: "received",
    ReferralState.accepted: "accepted",
    ReferralState.declined: "rejected",
    ReferralState.scheduled: "in-progress",
    ReferralState.attended: "in-progress",
    ReferralState.unattended: "in-progress",
    ReferralState.completed: "completed",
    ReferralState.cancelled: "cancelled",
    ReferralState.revoked: "cancelled",
    ReferralState.expired: "failed",
    ReferralState.bounced: "requested",
}

BUSINESS_STATUS: dict[ReferralState, tuple[str, str]] = {
    ReferralState.drafted: ("2.0", "Service Request Created"),
    ReferralState.sent: ("2.0", "Service Request Created"),
    ReferralState.received: ("2.0", "Service Request Created"),
    ReferralState.bounced: ("2.0", "Service Request Created"),
    ReferralState.accepted: ("3.0", "Service Request Accepted"),
    ReferralState.declined: ("4.0", "Service Request Declined"),
    ReferralState.scheduled: ("5.1.1", "Service Request Event Scheduled"),
    ReferralState.unattended: ("5.1.2", "Scheduled Service Request Event Unattended"),
    ReferralState.attended: ("5.1.4", "Service Request Event Completed"),
    ReferralState.cancelled: ("6.0", "Service Request Fulfillment Cancelled"),
    ReferralState.revoked: ("6.0", "Service Request Fulfillment Cancelled"),
    ReferralState.completed: ("7.0", "Service Request Fulfillment Completed"),
}
"""HL7 BSeR's code beside our own; it has none for an institution that stays silent."""

REQUEST_STATUS: dict[ReferralState, str] = {
    ReferralState.drafted: "draft",
    ReferralState.declined: "on-hold",
    ReferralState.expired: "on-hold",
    ReferralState.completed: "completed",
    ReferralState.cancelled: "revoked",
    ReferralState.revoked: "revoked",
}
"""Everything else is active."""

PRIORITY = {"imminent": "stat", "high": "asap", "moderate": "urgent", "low": "routine"}


def _urn(referral: Document, part: str) -> str:
    return f"urn:uuid:{uuid5(referral['_id'], part)}"


def _concept(system: str, code: str, display: str | None = None) -> Document:
    coding = {"system": system, "code": code}
    return {"coding": [{**coding, "display": display} if display else coding]}


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def bundle_of(referral: Document, receiver: Document | None, patient: str, moment: datetime) -> Document:
    """A Bundle (collection) of ServiceRequest, Task, Patient by pseudonym, and both organisations by their codes.

    `patient` is the pseudonym that this receiver alone knows the person under.
    """
    state = ReferralState(referral["state"])
    parts = {
        "ServiceRequest": _service_request(referral, state),
        "Task": _task(referral, state),
        "Patient": {"resourceType": "Patient", "identifier": [{"system": PSEUDONYMS, "value": patient}]},
        "Sender": {
            "resourceType": "Organization",
            "identifier": [{"system": DIVISIONS, "value": referral["division"]}],
        },
    }
    if receiver is not None:
        parts["Receiver"] = {
            "resourceType": "Organization",
            "identifier": [{"system": UUIDS, "value": f"urn:uuid:{receiver['_id']}"}],
        }
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": _instant(moment),
        "entry": [{"fullUrl": _urn(referral, name), "resource": resource} for name, resource in parts.items()],
    }


def _service_request(referral: Document, state: ReferralState) -> Document:
    request: Document = {
        "resourceType": "ServiceRequest",
        "id": str(referral["_id"]),
        "identifier": [{"system": UUIDS, "value": f"urn:uuid:{referral['_id']}"}],
        "status": REQUEST_STATUS.get(state, "active"),
        "intent": "order",
        "code": _concept(KINDS, referral["kind"]),
        "subject": {"reference": _urn(referral, "Patient")},
        "authoredOn": _instant(referral["history"][0]["at"]),
        "requester": {"reference": _urn(referral, "Sender")},
    }
    if referral["kind"] == ReferralKind.severe_disorder_programme:
        request["reasonCode"] = [_concept(RISK_LEVEL, str(referral["programme"]["risk_level"]))]
    else:
        request["priority"] = PRIORITY[referral["tier"]]
        request["reasonCode"] = [_concept(TIERS, referral["tier"])]
    if referral["organisation_id"] is not None:
        request["performer"] = [{"reference": _urn(referral, "Receiver")}]
    if referral.get("scheduled_at") is not None:
        request["occurrenceDateTime"] = _instant(referral["scheduled_at"])
    return request


def _task(referral: Document, state: ReferralState) -> Document:
    codings = [{"system": STATES, "code": state.value}]
    if state in BUSINESS_STATUS:
        code, display = BUSINESS_STATUS[state]
        codings.insert(0, {"system": BSER, "code": code, "display": display})
    task: Document = {
        "resourceType": "Task",
        "id": str(referral["_id"]),
        "identifier": [{"system": UUIDS, "value": f"urn:uuid:{referral['_id']}"}],
        "basedOn": [{"reference": _urn(referral, "ServiceRequest")}],
        "status": TASK_STATUS[state],
        "businessStatus": {"coding": codings},
        "intent": "order",
        "code": _concept("http://hl7.org/fhir/CodeSystem/task-code", "fulfill"),
        "focus": {"reference": _urn(referral, "ServiceRequest")},
        "for": {"reference": _urn(referral, "Patient")},
        "authoredOn": _instant(referral["history"][0]["at"]),
        "lastModified": _instant(referral["history"][-1]["at"]),
        "requester": {"reference": _urn(referral, "Sender")},
    }
    if referral["organisation_id"] is not None:
        task["owner"] = {"reference": _urn(referral, "Receiver")}
    if referral["due_at"] is not None:
        task["restriction"] = {"period": {"end": _instant(referral["due_at"])}}
    if referral.get("scheduled_at") is not None:
        task["executionPeriod"] = {"start": _instant(referral["scheduled_at"])}
    if "feedback" in referral:
        task["output"] = [
            {"type": _concept(FEEDBACK, name), "valueCode": referral["feedback"][name]}
            for name in ("outcome", "next_step", "medication")
        ]
    return task


def referral_named(reference: str | None) -> UUID | None:
    """The referral that a reference or an identifier names: `ServiceRequest/<id>`, `urn:uuid:<id>`, or the id alone."""
    if reference is None:
        return None
    try:
        return UUID(reference.rsplit("/", 1)[-1].removeprefix("urn:uuid:"))
    except ValueError:
        return None
