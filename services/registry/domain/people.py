"""People as 附件1 and 附件4 of 海心联办〔2024〕1号 ask for them, and how the cells of both are read.

One person may be a volunteer, in the talent base, or both. Two code lists look alike and are not: `PERSON_TYPES` of
附件1 and `QUALIFICATIONS` of 附件4. 2 is 心理治疗师 in both, 1 and 3 are not the same; none is read as the other.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

PERSON_TYPES = {
    1: "心理咨询师",
    2: "心理治疗师",
    3: "医务人员",
    4: "教师",
    5: "社会工作者",
    6: "村居委会工作人员",
    7: "高校学生",
    8: "其他",
}
QUALIFICATIONS = {
    1: "精神科执业医师",
    2: "心理治疗师",
    3: "心理咨询师",
    4: "学校专职心理教师",
    5: "学校兼职心理教师",
    6: "其他",
}
OTHER_TYPE = 8
OTHER_QUALIFICATION = 6

VOLUNTEER, TALENT = "volunteer", "talent"
ROLES = {VOLUNTEER: "志愿者", TALENT: "社会心理服务人才"}
"""Whom 附件1 registers, and whom 附件4 does."""

SEXES = {"男": "male", "女": "female", "": "unknown", "不详": "unknown", "未知": "unknown"}
SEX_LABELS = {"male": "男", "female": "女", "unknown": ""}
NOT_TRAINED = frozenset(
    {"否", "无", "没有", "没", "未", "未参加", "未参加过", "没参加过", "没有参加过", "不是", "未培训"}
)
TRAINED = re.compile(r"^(是|有|已参加|参加过|√|✓|✔)[\s:,;。.、(]*")
NAME_LIMIT = 50
TEXT_LIMIT = 200
AGES = range(1, 121)
PHONE = re.compile(r"^\+?[0-9][0-9\- ]{5,18}$")


class Flawed(Exception):
    """A cell that cannot be read; says what to do."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class Registration:
    """A person as told by the person or the unit. `trained` is ``yes``, ``no`` or ``unknown``.

    `birth_date` is an ISO day or empty; where it is known, `age` is not kept. The codes of `source`, `tags`,
    `professions`, `networks` and `workforce` are those of `domain.talent`; neither form asks for them.
    """

    name: str
    phone: str
    sex: str = "unknown"
    age: int | None = None
    education: str = ""
    person_types: tuple[int, ...] = ()
    other_type: str = ""
    qualifications: tuple[int, ...] = ()
    other_qualification: str = ""
    trained: str = "unknown"
    training: str = ""
    employer: str = ""
    post: str = ""
    roles: tuple[str, ...] = (VOLUNTEER,)
    major: str = ""
    birth_date: str = ""
    source: str = ""
    tags: tuple[str, ...] = ()
    professions: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    workforce: str = ""

    def personal(self) -> dict[str, str]:
        """The fields that are kept under the person's own key: all that the person is known by, and all free text."""
        return {name: getattr(self, name) for name in PERSONAL}

    def with_personal(self, fields: Mapping[str, str]) -> Registration:
        """The same with the personal fields put back."""
        return replace(self, **{name: fields.get(name, "") for name in PERSONAL})  # type: ignore[arg-type]


PERSONAL = (
    "name",
    "phone",
    "education",
    "other_type",
    "other_qualification",
    "training",
    "employer",
    "post",
    "major",
    "birth_date",
)
OPEN = (
    "sex",
    "age",
    "person_types",
    "qualifications",
    "trained",
    "roles",
    "source",
    "tags",
    "professions",
    "networks",
    "workforce",
)
"""The fields that are kept in clear: codes and an age, which tell nobody who it is."""


def merged(told: Registration, known: Registration) -> Registration:
    """What a form tells put onto what is known: an empty cell takes nothing away, and roles add up.

    What the form does not ask for stays, and so does the content of a training to which it only says yes.
    """
    changes: dict[str, object] = {"roles": tuple(role for role in ROLES if role in {*told.roles, *known.roles})}
    blank = Registration("", "")
    for name in (*PERSONAL, *OPEN):
        if name != "roles" and getattr(told, name) == getattr(blank, name):
            changes[name] = getattr(known, name)
    if told.person_types:
        changes["other_type"] = told.other_type
    if told.qualifications:
        changes["other_qualification"] = told.other_qualification
    if told.trained == "no":
        changes["training"] = ""
    return replace(told, **changes)  # type: ignore[arg-type]


def plain(value: object) -> str:
    """A cell's text: full-width signs made plain, white space reduced to single blanks, control characters dropped."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    words = " ".join(unicodedata.normalize("NFKC", str(value)).split())
    return "".join(sign for sign in words if unicodedata.category(sign) != "Cc")


def read_name(text: str) -> str:
    """A name; blanks that pad a short Chinese name (张 三) are taken out."""
    if not text:
        raise Flawed("missing", "姓名为空，请填写")
    parts = text.split(" ")
    if all(not part.isascii() for part in parts):
        text = "".join(parts)
    if len(text) > NAME_LIMIT:
        raise Flawed("too_long", f"姓名最多 {NAME_LIMIT} 个字")
    if not any(sign.isalpha() for sign in text):
        raise Flawed("bad_name", "姓名里没有文字，请填写真实姓名")
    return text


def read_phone(text: str) -> str:
    if not text:
        raise Flawed("missing", "联系电话为空，请填写")
    if not PHONE.match(text):
        raise Flawed("bad_phone", "联系电话须为 6 至 20 位数字（可含 + 和 -）；请把单元格设为文本后重填")
    return text


def read_sex(text: str) -> str:
    try:
        return SEXES[text]
    except KeyError:
        raise Flawed("bad_sex", "性别填“男”或“女”，不清楚的留空") from None


def read_age(text: str) -> int | None:
    if not text:
        return None
    digits = text.removesuffix("岁").removesuffix("周").strip()
    if not (digits.isascii() and digits.isdigit()) or int(digits[:4]) not in AGES:
        raise Flawed("bad_age", f"年龄填 {AGES.start} 至 {AGES.stop - 1} 的整数")
    return int(digits)


def read_text(text: str, label: str) -> str:
    if len(text) > TEXT_LIMIT:
        raise Flawed("too_long", f"{label}最多 {TEXT_LIMIT} 个字，这里有 {len(text)} 个")
    return text


def read_training(text: str) -> tuple[str, str]:
    """Whether the person was trained, and when and in what as written: ``是：2023年5月 …``, ``否``, or the content."""
    if not text:
        return "unknown", ""
    if text.rstrip("。.") in NOT_TRAINED:
        return "no", ""
    if text[0] in "否未没":
        raise Flawed("bad_training", "参加过请写“是”和培训时间及内容，没有参加过只写“否”")
    return "yes", read_text(TRAINED.sub("", text), "培训时间及内容")


NONE_OF_THEM = frozenset({"", "无", "没有", "不选", "无资质", "/", "-", "—", "——"})
_SEPARATORS = re.compile(r"[、,;/|.\s]+|(?<=\d)和(?=\d)")
_PIECE = re.compile(r"^(\d{1,9})[=:\-(]*(.*?)\)?$")


def read_codes(text: str, labels: Mapping[int, str], other: int) -> tuple[tuple[int, ...], str]:
    """The codes of a multiple choice, in order, and the free text that comes with `other`.

    Written ``1、3``, ``1,3``, ``1 3``, ``1/3``, with the labels (``1=心理咨询师``), or as labels alone. What follows
    the words of `other` and is no code belongs to them.
    """
    if text in NONE_OF_THEM:
        return (), ""
    codes: set[int] = set()
    words: list[str] = []
    by_label = {label: code for code, label in labels.items() if code != other}
    for piece in filter(None, _SEPARATORS.split(text)):
        match = _PIECE.match(piece)
        code, rest = (int(match[1]), match[2].strip()) if match else (by_label.get(piece, 0), "")
        if code in by_label.values() and rest in ("", labels[code]):
            codes.add(code)
        elif code == other:
            codes.add(other)
            words.append(_own_words(rest))
        elif other in codes or (match is None and piece.startswith("其他")):
            codes.add(other)
            words.append(_own_words(piece))
        elif match is None:
            raise Flawed("bad_code", f"看不懂这一项，请填代码 1 至 {len(labels)}，多项写作 1、3")
        elif code in labels:
            raise Flawed("bad_code", f"代码 {code} 是“{labels[code]}”，与后面写的文字不符")
        else:
            raise Flawed("bad_code", f"{code} 不在 1 至 {len(labels)} 之内；多项请分开写作 1、3")
    free_text = "、".join(word for word in words if word)
    if other in codes and not free_text:
        raise Flawed("missing_text", f"选 {other} 要写明是什么，例如 {other}=其他：律师")
    return tuple(sorted(codes)), read_text(free_text, "“其他”的说明")


def _own_words(text: str) -> str:
    return re.sub(r"^其他(请说明)?", "", text).strip(" :=-()（）_")


def write_codes(codes: Collection[int], other: int, free_text: str) -> str:
    """The way 附件1 writes a multiple choice; `read_codes` reads it back."""
    return "、".join(f"{code}=其他:{free_text}" if code == other else str(code) for code in sorted(codes))


def identity_parts(name: str, phone: str) -> tuple[str, str]:
    """What tells a person from another: the name and the digits of the number."""
    return name, re.sub(r"\D", "", phone)


def masked_name(name: str) -> str:
    """The first sign, and two stars whatever the length: ``张**``."""
    return f"{name[:1]}**"


def masked_phone(phone: str) -> str:
    """The last four digits: ``***0001``."""
    return f"***{re.sub(r'[^0-9]', '', phone)[-4:]}"
