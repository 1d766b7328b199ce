"""Who provides services, what each type is verified by, and the check digits of the codes.

GB 32100 (统一社会信用代码): 18 signs, the last one checks the first 17 modulo 31. GB 11714: its signs 9 to 17 are the
code of the organisation, whose ninth checks the eight before modulo 11. GB 11643 (公民身份号码): 18 signs, the last
one checks the first 17 modulo 11 (ISO 7064, MOD 11-2).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Any

from services.registry.domain.people import plain


class Type(StrEnum):
    social_organisation = "social_organisation"
    volunteer_team = "volunteer_team"
    natural_person = "natural_person"
    other = "other"


TYPES = {
    Type.social_organisation: "社会组织",
    Type.volunteer_team: "志愿服务队伍",
    Type.natural_person: "自然人",
    Type.other: "其他",
}
KINDS = {
    "psychiatric": "精神卫生医疗机构",
    "social_work": "社会工作服务机构",
    "psychosocial": "社会心理服务机构",
}
"""支持精神卫生医疗机构、社会工作服务机构、社会心理服务机构等参与心理服务工作."""

SIGNS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CREDIT = re.compile(rf"^[{SIGNS}]{{2}}[0-9]{{6}}[{SIGNS}]{{10}}$")
_CREDIT_WEIGHTS = tuple(pow(3, place, 31) for place in range(17))
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_IDENTITY = re.compile(r"^[0-9]{17}[0-9X]$")
_IDENTITY_WEIGHTS = tuple(pow(2, 17 - place, 11) for place in range(17))
_IDENTITY_SIGNS = "10X98765432"


def written_plainly(code: str) -> str:
    """Half-width, upper-case and without blanks or hyphens, as people copy codes from certificates."""
    return re.sub(r"[\s-]", "", plain(code)).upper()


def credit_check(first: str) -> str:
    """The 18th sign for the first 17 of a 统一社会信用代码; raises `ValueError` for a sign that codes do not have."""
    total = sum(SIGNS.index(sign) * weight for sign, weight in zip(first, _CREDIT_WEIGHTS, strict=True))
    return SIGNS[-total % 31]


def organisation_check(first: str) -> str:
    """The ninth sign for the first eight of an organisation's code (GB 11714)."""
    total = sum(int(sign, 36) * weight for sign, weight in zip(first, _ORGANISATION_WEIGHTS, strict=True))
    return "0123456789X"[-total % 11]


def organisation_part_holds(code: str) -> bool:
    """Whether signs 9 to 17 of a credit code agree with GB 11714; codes given out later need not."""
    return organisation_check(code[8:16]) == code[16]


def identity_check(first: str) -> str:
    """The 18th sign for the first 17 of a 公民身份号码."""
    return _IDENTITY_SIGNS[sum(int(s) * w for s, w in zip(first, _IDENTITY_WEIGHTS, strict=True)) % 11]


def flaw_in_credit_code(code: str) -> str | None:
    """What is wrong with a credit code written plainly, for people; None where it holds."""
    if not _CREDIT.match(code):
        return "统一社会信用代码为 18 位数字和大写字母（不含 I、O、S、V、Z），第 3 至 8 位为区划"
    if credit_check(code[:17]) != code[17]:
        return "统一社会信用代码的校验位不对，请对照证书核对"
    return None


def flaw_in_identity(number: str, today: date) -> str | None:
    """The same for an identity number; the birth date in it is a day that was."""
    if not _IDENTITY.match(number):
        return "身份证件号码为 18 位，末位可为 X"
    if identity_check(number[:17]) != number[17]:
        return "身份证件号码的校验位不对，请对照证件核对"
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return "身份证件号码中的出生日期不存在"
    return None if date(1900, 1, 1) <= born <= today else "身份证件号码中的出生日期不可能"


PROOFS: Mapping[Type, tuple[str, ...]] = {
    Type.social_organisation: ("organisation_id", "credit_code"),
    Type.volunteer_team: ("supervisor_id",),
    Type.natural_person: ("person_id", "identity_number"),
    Type.other: ("supervisor_id",),
}
"""What each type is verified by: 统一社会信用代码, 主管单位, 身份证件."""

_BELONGS: Mapping[str, frozenset[Type]] = {
    "credit_code": frozenset({Type.social_organisation, Type.other}),
    "organisation_id": frozenset({Type.social_organisation, Type.other}),
    "kind": frozenset({Type.social_organisation, Type.other}),
    "person_id": frozenset({Type.natural_person}),
    "identity_number": frozenset({Type.natural_person}),
    "team_id": frozenset({Type.volunteer_team}),
}


def misplaced(kind: Type, told: Mapping[str, Any]) -> str | None:
    """The first field that was told and that a provider of this type does not have."""
    return next((name for name, types in _BELONGS.items() if told.get(name) is not None and kind not in types), None)


def unproven(kind: Type, told: Mapping[str, Any]) -> tuple[str, ...]:
    """What is still needed before a provider of this type can be verified."""
    return tuple(name for name in PROOFS[kind] if not told.get(name))
