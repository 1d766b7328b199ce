"""The types of teams and the roles in them, with the names that papers give them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from contracts.codes import ProblemCategory
from services.registry.domain.relations import CHECK_INS, DEPARTMENTS, RESOURCES


@dataclass(frozen=True)
class TeamType:
    """`levels` and `hosts` (kinds of organisation) bound what is not empty; `unites` has organisations as members."""

    label: str
    group: str
    levels: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    unites: bool = False
    governs: bool = False
    numbered: bool = False
    external: bool = False


_SCHOOLS = ("school", "university")
GROUPS = {
    "corps": "总队和专业队",
    "experts": "专家团队",
    "lecture": "宣讲团",
    "service": "服务队",
    "rescue": "应急救援",
    "medical": "医疗专业队",
    "mutual_aid": "互助队",
    "unit": "单位队伍",
    "union": "联合会和联盟",
    "governing": "领导和统筹机构",
}
TEAM_TYPES: Mapping[str, TeamType] = MappingProxyType(
    {
        "corps": TeamType("新时代文明实践志愿服务总队", "corps", ("province", "city", "county")),
        "professional": TeamType("省级专业志愿服务队", "corps", ("province",), numbered=True),
        "psychology": TeamType("心理专业志愿服务队", "corps"),
        "expert_a": TeamType("天使团队", "experts"),
        "expert_b": TeamType("先生团队", "experts"),
        "school_expert_pool": TeamType("百名心理专家进校园专家库", "experts"),
        "lecture": TeamType("宣讲团", "lecture"),
        "report": TeamType("报告团", "lecture"),
        "lecture_cadres": TeamType("党员干部宣讲队", "lecture"),
        "lecture_scholars": TeamType("专家学者宣讲队", "lecture"),
        "lecture_people": TeamType("基层百姓宣讲队", "lecture"),
        "three_professions": TeamType("精神卫生、心理健康、社会工作服务队", "service"),
        "local_talent": TeamType("群众身边的志愿服务队", "service", ("county", "town", "village")),
        "children_backbone": TeamType("帮扶困境儿童骨干志愿服务组织", "service", ("city", "county", "town")),
        "grid": TeamType("网格员队伍", "service", ("town", "village")),
        "general": TeamType("志愿服务队", "service"),
        "emergency": TeamType("应急救援专业志愿服务队", "rescue"),
        "external_rescue": TeamType("外来心理救援队", "rescue", external=True),
        "medical": TeamType("医疗专业志愿服务队", "medical", ("province", "city", "county")),
        "neighbours": TeamType("邻里互助队", "mutual_aid", ("town", "village")),
        "villagers": TeamType("村民互助会", "mutual_aid", ("town", "village")),
        "agency": TeamType("机关心理健康志愿服务队", "unit", hosts=("government",)),
        "enterprise": TeamType("企业心理健康志愿服务队", "unit", hosts=("enterprise",)),
        "school": TeamType("学校心理健康教育工作队伍", "unit", hosts=_SCHOOLS),
        "federation": TeamType("志愿服务联合会（协会）", "union", unites=True),
        "alliance": TeamType("志愿者联盟", "union", unites=True),
        "task_force": TeamType("工作专班", "governing", unites=True, governs=True),
        "leading_group": TeamType("工作领导小组", "governing", unites=True, governs=True),
        "working_body": TeamType("专门工作机构", "governing", unites=True, governs=True),
    }
)


@dataclass(frozen=True)
class Role:
    """`types` bounds the teams that have the role where it is not empty; `ring` is that of a school's network."""

    label: str
    types: tuple[str, ...] = ()
    ring: str = ""


CORE_RING = "core"
RINGS = {"core": "支撑", "backbone": "骨干", "member": "成员"}
CHILDREN_DATABASE = "children_database"
MEMBER_ROLES: Mapping[str, Role] = MappingProxyType(
    {
        "leader": Role("队长（组长）"),
        "deputy": Role("副队长（副组长）"),
        "secretary": Role("秘书（联络员）"),
        "supervisor": Role("督导"),
        "expert": Role("专家"),
        "member": Role("队员（成员）"),
        "grid_worker": Role("网格员", ("grid", "general", "three_professions", "local_talent")),
        CHILDREN_DATABASE: Role("困境儿童数据库管理人", ("children_backbone",)),
        "full_time_psychology_teacher": Role("专职心理健康教育教师", ring=CORE_RING),
        "class_teacher": Role("班主任", ring="backbone"),
        "part_time_psychology_teacher": Role("兼职心理健康教育教师", ring="backbone"),
        "school_staff": Role("教职员工", ring="member"),
        "parent": Role("家长", ring="member"),
    }
)
PROBLEMS = {category.value: category.label for category in ProblemCategory}
LOANS = {"sunk": "力量下沉", "lateral": "同级支援"}
PARTY_BUILDING = {"branch": "建有党组织", "led": "党建引领", "none": "无"}

CODE_LISTS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "types": {code: kind.label for code, kind in TEAM_TYPES.items()},
        "groups": GROUPS,
        "roles": {code: role.label for code, role in MEMBER_ROLES.items()},
        "rings": RINGS,
        "problems": PROBLEMS,
        "loans": LOANS,
        "party_building": PARTY_BUILDING,
        "departments": DEPARTMENTS,
        "resources": RESOURCES,
        "check_ins": CHECK_INS,
    }
)
