"""What a person agreed to, and the pledge of confidentiality: given, withdrawn, and what follows for being active."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Any


class Consent(StrEnum):
    """Where a consent to one purpose stands."""

    given = "given"
    withdrawn = "withdrawn"


NEXT: dict[Consent, frozenset[Consent]] = {
    Consent.given: frozenset({Consent.given, Consent.withdrawn}),
    Consent.withdrawn: frozenset({Consent.given}),
}
"""Given again is a new version of the text; what was withdrawn may be given again."""


def allows(present: Consent | None, following: Consent) -> bool:
    """Whether a consent may move; nobody withdraws what was never given."""
    return following is Consent.given if present is None else following in NEXT[present]


class Purpose(StrEnum):
    registration = "registration"
    matching = "matching"
    publication = "publication"
    guardian = "guardian"


PURPOSES: Mapping[Purpose, str] = MappingProxyType(
    {
        Purpose.registration: "登记和保存个人信息",
        Purpose.matching: "用于服务对接和联系",
        Purpose.publication: "公开姓名、照片或事迹",
        Purpose.guardian: "监护人同意未成年人参加志愿服务",
    }
)

GUARDIAN_MISSING = "guardian_consent"
CONSENT_WITHDRAWN = "registration_consent"


def waits_for(consents: Mapping[str, Mapping[str, Any]], minor_until: str | None, today: date) -> list[str]:
    """What keeps a person from being active, in codes; nothing for most.

    A minor waits for the guardian's consent. Who withdrew the consent to the registration is asked nothing more.
    """
    missing = []
    is_minor = minor_until is not None and today.isoformat() < minor_until
    if is_minor and consents.get(Purpose.guardian, {}).get("state") != Consent.given:
        missing.append(GUARDIAN_MISSING)
    if consents.get(Purpose.registration, {}).get("state") == Consent.withdrawn:
        missing.append(CONSENT_WITHDRAWN)
    return missing


def pledge_holds(pledge: Mapping[str, Any] | None, counting: Collection[str]) -> bool:
    """Whether a pledge of confidentiality that counts was signed; the gate asks before any duty."""
    return pledge is not None and pledge["version"] in counting
