"""The official forms about people: titles, header texts, and what a header cell begins with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from services.registry.domain.people import TALENT, VOLUNTEER

UNIT_LABEL = "社区卫生服务中心/学校"


@dataclass(frozen=True)
class Layout:
    """One form: a title, the unit's row, a row with 填表人, 联系电话 and the date, the header, one person a row.

    `columns` are the header's texts in the official order. `starts` is what a header cell begins with, blanks aside;
    the order of the columns does not matter when reading. `key` is the column that no other form has.
    """

    form: str
    title: str
    role: str
    key: str
    columns: Mapping[str, str]
    starts: Mapping[str, Sequence[str]]

    def label(self, column: str) -> str:
        """A column's name as mistakes show it."""
        return {**self.starts, **OPTIONAL}[column][0]

    def places(self, texts: Sequence[str]) -> dict[str, int]:
        """Which column is where, in a row that may be the header."""
        found: dict[str, int] = {}
        for place, text in enumerate(texts):
            squeezed = text.replace(" ", "")
            for name, starts in (*self.starts.items(), *OPTIONAL.items()):
                if name not in found and squeezed.startswith(tuple(starts)):
                    found[name] = place
                    break
        return found

    def is_header(self, texts: Sequence[str]) -> bool:
        """Whether a row is this form's header; some of its columns may be missing, and are then asked for."""
        found = self.places(texts).keys()
        if {"name", self.key} <= found:
            return True
        others = [other for other in LAYOUTS if other is not self]
        taken = any(other.key in other.places(texts) for other in others)
        return not taken and {"name", "phone", "sex"} <= found


OPTIONAL: Mapping[str, Sequence[str]] = MappingProxyType({"birth_date": ("出生日期", "出生年月")})
"""Columns that neither form has and that units add."""

ANNEX_1 = Layout(
    form="附件1",
    title="社区心理服务志愿者登记表",
    role=VOLUNTEER,
    key="person_types",
    columns=MappingProxyType(
        {
            "name": "姓名",
            "sex": "性别",
            "age": "年龄",
            "education": "学历",
            "person_types": "人员类型 (可多选) 1=心理咨询师 2=心理治疗师 3=医务人员 4=教师 5=社会工作者 "
            "6=村居委会工作人员 7=高校学生 8=其他请说明",
            "trained": "是否参加过心理健康相关培训,如参加过,请备注培训时间及内容",
            "employer": "工作单位/部门/学生请注明专业",
            "post": "职务",
            "phone": "联系电话",
        }
    ),
    starts=MappingProxyType(
        {
            "name": ("姓名",),
            "sex": ("性别",),
            "age": ("年龄",),
            "education": ("学历",),
            "person_types": ("人员类型",),
            "trained": ("是否参加过",),
            "employer": ("工作单位",),
            "post": ("职务", "职称"),
            "phone": ("联系电话",),
        }
    ),
)
ANNEX_4 = Layout(
    form="附件4",
    title="社会心理服务人才信息库",
    role=TALENT,
    key="qualifications",
    columns=MappingProxyType(
        {
            "name": "姓名",
            "sex": "性别",
            "age": "年龄",
            "education": "学历",
            "major": "专业",
            "qualifications": "资质（可多选或不选） 1、精神科执业医师 2、心理治疗师 3、心理咨询师 4、学校专职心理教师 "
            "5、学校兼职心理教师 6、其他请说明",
            "trained": "是否参加过心理健康相关培训",
            "employer": "工作单位",
            "post": "职称或职务",
            "phone": "联系电话",
        }
    ),
    starts=MappingProxyType(
        {
            "name": ("姓名",),
            "sex": ("性别",),
            "age": ("年龄",),
            "education": ("学历",),
            "major": ("专业",),
            "qualifications": ("资质",),
            "trained": ("是否参加过",),
            "employer": ("工作单位",),
            "post": ("职称", "职务"),
            "phone": ("联系电话",),
        }
    ),
)
LAYOUTS = (ANNEX_1, ANNEX_4)
