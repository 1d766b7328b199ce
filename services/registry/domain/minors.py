"""What minors may do: with a guardian's consent, all that the policies do not keep for adults."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from services.registry.domain.consents import Consent, Purpose
from services.registry.domain.gate import GatePolicy, bound
from services.registry.domain.qualifications_policy import QualificationsPolicy

ROLE, SERVICE = "role", "service"


@dataclass(frozen=True)
class Task:
    """A role on rosters or a kind of service, and whether a minor may take it."""

    kind: str
    code: str
    label: str
    minors: bool
    source: str


def barred(code: str, gate: GatePolicy, services: QualificationsPolicy, roles: Collection[str]) -> bool:
    """Whether a role is closed to minors, by the gate's own word; `roles` are those that the policy on people bars."""
    rule = gate.role(code)
    if rule is None:
        return code in roles
    service = services.service(rule.service) if rule.service is not None else None
    return bound(rule, (), service, roles).barred


def tasks(gate: GatePolicy, services: QualificationsPolicy, roles: Collection[str], barred_source: str) -> list[Task]:
    """Every role that has a rule or is barred, and every service."""
    labels = {one.role: (one.label, one.source) for one in gate.roles}
    found = []
    for role in sorted({*labels, *roles}):
        label, source = labels.get(role, (role, barred_source))
        closed = barred(role, gate, services, roles)
        found.append(Task(ROLE, role, label, not closed, barred_source if role in roles else source))
    found += [Task(SERVICE, one.code, one.label, not one.adult, one.source) for one in services.services]
    return found


def guardian_state(consents: Mapping[str, Mapping[str, Any]]) -> str:
    """``given``, ``withdrawn``, or ``missing`` where none was ever told."""
    told = consents.get(Purpose.guardian)
    return "missing" if told is None else Consent(told["state"]).value


def is_minor(minor_until: str | None, day: str) -> bool:
    return minor_until is not None and day < minor_until
