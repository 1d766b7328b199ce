"""The three types of agencies: what each is checked by, and what it may provide by law.

精神卫生医疗机构、社会工作服务机构、社会心理服务机构. The first needs its licence of practice, or its filing as a
clinic, with a psychiatric subject, and it alone treats and diagnoses (精神卫生法第二十三、二十五、五十一条); the
others are checked by their registration.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, model_validator

from services.registry.domain.places import MEDICAL
from services.registry.domain.providers import KINDS
from services.registry.domain.providers_status import State
from services.registry.domain.qualifications_policy import FLOOR, FOR_EVERY_VOLUNTEER
from services.registry.domain.versions import PolicyPart, Source, Versioned

LICENCES = {"medical": "医疗机构执业许可证", "clinic_filing": "诊所备案凭证"}
"""A 诊所 works by 备案 and has no 执业许可证: 医疗机构管理条例 as changed by 国务院令第752号, since 2022-05-01."""
SUBJECTS = {"psychiatry": "精神科", "clinical_psychology": "临床心理专业", "other": "其他诊疗科目"}
REASONS = {
    "not_verified": "服务主体尚未核验，或已暂停、注销",
    "barred_by_law": "这一类机构依法不得开展这项服务",
    "not_registered_for": "没有登记这项服务",
    "licence_missing": "没有登记执业许可证或诊所备案凭证",
    "licence_expired": "执业许可证或诊所备案凭证不在有效期内",
    "subject_missing": "执业许可证或诊所备案凭证没有精神科诊疗科目",
}


class KindRule(PolicyPart):
    """A type of agency: the kinds of organisation that it is, how its credit code begins, its services.

    It works under one of the `licences`, where it needs any.
    """

    kind: str
    hosts: Annotated[tuple[str, ...], Field(min_length=1)]
    credit_prefixes: tuple[str, ...] = ()
    licences: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    services: Annotated[tuple[str, ...], Field(min_length=1)]
    source: Source

    @model_validator(mode="after")
    def lawful(self) -> KindRule:
        if self.kind not in KINDS or set(self.licences) - LICENCES.keys():
            raise ValueError(f"{self.kind}: no such type, or no such licence")
        if set(self.subjects) - SUBJECTS.keys():
            raise ValueError(f"{self.kind}: no such subject")
        if set(self.services) & FLOOR.keys():
            if not set(self.hosts) <= MEDICAL:
                raise ValueError(f"{self.kind}: 精神卫生法第五十一条: 心理治疗活动应当在医疗机构内开展")
            if not self.licences or not self.subjects:
                raise ValueError(f"{self.kind}: 精神卫生法第二十五条: 诊断、治疗须有执业许可和诊疗科目")
        return self


class ProvidersPolicy(Versioned):
    kinds: tuple[KindRule, ...]

    @model_validator(mode="after")
    def each_once(self) -> ProvidersPolicy:
        if sorted(one.kind for one in self.kinds) != sorted(KINDS):
            raise ValueError(f"each type once: {', '.join(KINDS)}")
        return self

    def of(self, kind: str | None) -> KindRule | None:
        return next((one for one in self.kinds if one.kind == kind), None)


def unfit(rule: KindRule, organisation_kind: str | None, credit_code: str | None) -> str | None:
    """The field that does not suit the type, of those that are told."""
    if organisation_kind is not None and organisation_kind not in rule.hosts:
        return "organisation_id"
    if credit_code is not None and rule.credit_prefixes and not credit_code.startswith(rule.credit_prefixes):
        return "credit_code"
    return None


def flaw_in_licence(rule: KindRule, licence: Mapping[str, Any] | None, day: str) -> str | None:
    """Why the licence does not do on an ISO day; None where it does, or where the type needs none."""
    if not rule.licences:
        return None
    if licence is None or licence["kind"] not in rule.licences:
        return "licence_missing"
    if licence["valid_from"] > day or (licence["valid_until"] is not None and licence["valid_until"] < day):
        return "licence_expired"
    return None if set(licence["subjects"]).intersection(rule.subjects) else "subject_missing"


def lawful_services(rule: KindRule | None) -> tuple[str, ...]:
    """What a provider may offer: by its type, or what every volunteer may do."""
    return rule.services if rule is not None else tuple(sorted(FOR_EVERY_VOLUNTEER))


def why_not(rule: KindRule | None, provider: Mapping[str, Any], service: str, day: str) -> list[str]:
    """Every reason why a provider may not give a service on an ISO day; none is a yes."""
    reasons = []
    if provider["status"] != State.verified:
        reasons.append("not_verified")
    if service not in lawful_services(rule):
        reasons.append("barred_by_law")
    elif service not in provider.get("services", ()):
        reasons.append("not_registered_for")
    if rule is not None and (flaw := flaw_in_licence(rule, provider.get("licence"), day)):
        reasons.append(flaw)
    return reasons
