"""The code lists of places, with the names that official papers give them.

A code never changes its meaning. What a district calls a place by is its name; the type says what kind it is.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A type of place: what papers call it, and the group it is counted in."""

    label: str
    group: str


TYPES: dict[str, Kind] = {
    "centre": Kind("心理健康中心（社会心理服务中心）", "network"),
    "minor_centre": Kind("未成年人心理健康辅导中心", "network"),
    "station": Kind("心理健康服务站点（心灵驿站）", "network"),
    "counselling_room": Kind("心理咨询室", "network"),
    "governance_room": Kind("综治中心心理咨询室（心灵驿站）", "network"),
    "village_room": Kind("村（社区）社会工作室（心灵驿站）", "network"),
    "care_point": Kind("老年心理关爱点", "network"),
    "school_room": Kind("学校心理辅导室（心声教室）", "unit"),
    "agency_room": Kind("机关心理咨询室（健康驿站）", "unit"),
    "enterprise_room": Kind("企业心理咨询室（健康驿站）", "unit"),
    "hospital_corner": Kind("医院心理健康角（医路阳光）", "medical"),
    "psychology_clinic": Kind("心理科门诊", "medical"),
    "child_clinic": Kind("儿童青少年心理门诊", "medical"),
    "practice_centre": Kind("新时代文明实践中心", "practice"),
    "practice_office": Kind("新时代文明实践所", "practice"),
    "practice_station": Kind("新时代文明实践站", "practice"),
    "practice_room": Kind("心语小屋", "practice"),
    "marriage_room": Kind("婚辅小站", "practice"),
    "training_base": Kind("心理培训基地", "practice"),
    "rukang_home": Kind("如康家园（残疾人之家）", "practice"),
    "custody_site": Kind("公安监管场所心理服务点", "special"),
    "release_base": Kind("刑满释放人员过渡性安置基地心理服务点", "special"),
    "drug_recovery_office": Kind("社区戒毒社区康复工作办公室心理服务点", "special"),
    "justice_office": Kind("司法所心理服务点", "special"),
    "correction_centre": Kind("社区矫正中心心理服务点", "special"),
    "aid_station": Kind("救助管理站心理服务点", "special"),
    "petition_reception": Kind("信访接待场所心理服务点", "special"),
    "hospital_station": Kind("医院志愿服务站", "public"),
    "transport_station": Kind("车站志愿服务站", "public"),
    "mall_station": Kind("商场志愿服务站", "public"),
    "scenic_station": Kind("景区志愿服务站", "public"),
    "community_volunteer_centre": Kind("社区志愿服务中心", "public"),
    "university_volunteer_centre": Kind("高校志愿服务中心", "public"),
    "governance_centre": Kind("综治中心", "public"),
    "community_service_centre": Kind("城乡社区综合服务中心", "public"),
    "activity_venue": Kind("活动阵地", "venue"),
}

GROUPS = {
    "network": "服务网络",
    "unit": "单位内设",
    "medical": "医疗机构",
    "practice": "文明实践与社会阵地",
    "special": "特殊人群服务场所",
    "public": "公共场所",
    "venue": "活动阵地",
}

VENUES = {
    "library": "图书馆",
    "museum": "博物馆",
    "art_museum": "美术馆",
    "cultural_hall": "文化馆（站）",
    "memorial_hall": "纪念馆",
    "exhibition_hall": "展览馆",
    "youth_palace": "青少年宫",
    "children_centre": "儿童活动中心",
    "fuxing_youth_palace": "复兴少年宫",
    "self_reliance_hall": "自强讲堂",
    "disability_aid_base": "助残基地",
    "neighbourhood_centre": "邻里中心",
    "community_health_station": "社区卫生服务站",
    "village_clinic": "村卫生室",
    "governance_centre": "综治中心",
    "community_service_centre": "城乡社区综合服务中心",
    "village_committee": "村（居）民委员会",
    "practice_site": "新时代文明实践中心（所、站）",
    "marriage_registry": "婚姻登记处",
    "other": "其他",
}
"""The houses that a place is in: public venues, and where care points are set up."""

HOSTS = {
    "agency_or_enterprise": "机关企事业单位",
    "school": "中小学校",
    "elderly_care": "养老机构",
    "psychology_provider": "社会心理服务机构",
    "governance": "基层社会治理机构",
}
"""The five kinds of host that stations are set up with."""

TIERS = {"county": "区（县）级", "town": "镇（街）级", "village": "村（居）级"}
TIER_DIGITS = {"county": 6, "town": 9, "village": 12}
SYSTEMS = {
    "education": "教育系统",
    "enterprise": "企事业单位系统",
    "medical": "医疗系统",
    "community": "农村及基层社区系统",
}

ROOMS = {
    "reception": "接待登记处",
    "assessment": "心理测查室",
    "individual": "个体咨询室",
    "sandplay": "沙盘室",
    "venting": "宣泄室",
    "biofeedback": "生物反馈治疗室",
    "group": "团体心理活动室",
    "archive": "心理档案资料室",
    "counselling": "心理辅导（咨询）室",
    "painting": "绘画涂鸦室",
    "music": "音乐放松室",
    "lecture": "培训教室",
    "work_area": "工作区",
    "other": "其他",
}
ROOM_NAMES = {label: code for code, label in ROOMS.items()} | {
    "团体心理咨询室": "group",  # the annex lists it as 团体心理活动室 and equips it under this name
    "团体活动室": "group",
    "情绪宣泄室": "venting",
    "沙盘游戏室": "sandplay",
    "心理辅导室": "counselling",
    "心理咨询室": "counselling",
}

EQUIPMENT = {
    "display_board": "心理知识科普展板",
    "sofa": "沙发",
    "chair": "椅子",
    "tea_table": "茶几",
    "table": "桌子",
    "desk_and_chairs": "桌椅",
    "office_desk": "办公桌椅",
    "plants": "绿植",
    "bookshelf": "书架及心理书刊",
    "telephone": "电话",
    "computer": "电脑",
    "printer": "打印机",
    "wall_chart": "心理挂图",
    "hourglass": "沙漏",
    "sandplay_set": "心理沙盘套装",
    "electronic_sandplay": "电子沙盘",
    "striking_device": "智能击打宣泄仪",
    "shouting_device": "智能呐喊宣泄仪",
    "venting_figure": "宣泄人",
    "venting_ball": "宣泄球",
    "venting_floor": "宣泄地板",
    "venting_wall": "宣泄墙",
    "venting_stick": "宣泄棒",
    "biofeedback_device": "生物反馈治疗仪",
    "group_toolbox": "团体活动工具箱",
    "group_desks": "团体活动桌椅",
    "video_equipment": "影像设备",
    "archive_cabinet": "档案柜",
    "data_cabinet": "资料柜",
    "clock": "钟表",
    "air_conditioner": "空调",
    "water_dispenser": "饮水机",
    "other": "其他",
}

FUNCTIONS = {
    "reception": "接待",
    "publicity": "科普宣教",
    "counselling": "心理咨询",
    "guidance": "心理疏导",
    "assessment": "心理测评",
    "therapy": "心理治疗",
    "experience": "心理体验",
    "hotline": "心理热线",
    "crisis": "心理危机干预",
    "platform": "智慧平台",
    "archives": "档案管理",
    "health_record": "建立心理健康档案",
    "referral": "转介",
    "outreach": "上门服务",
}

SERVICES = {
    "individual_counselling": "个体辅导",
    "group_counselling": "团体辅导",
    "training": "培训",
    "before_marriage": "婚前辅导",
    "marriage_and_family": "婚姻家庭辅导",
    "patients_and_families": "患者及家属心理支持",
    "elderly_assessment": "老年人心理健康评估",
    "elderly_care": "老年人心理关爱",
    "employee_assistance": "职工心理辅导",
    "student_counselling": "学生心理辅导",
    "disability_support": "残疾人心理支持",
    "special_population": "特殊人群心理服务",
    "volunteering": "志愿服务",
}

OCCUPATIONS = {
    "administrator": "工作人员",
    "counsellor": "心理咨询师",
    "therapist": "心理治疗师",
    "psychiatrist": "精神科医师",
    "psychology_teacher": "心理健康教育教师",
    "social_worker": "社会工作者",
    "nurse": "护士",
    "grid_worker": "网格员",
    "volunteer": "志愿者",
}

PAIRINGS = {"civilised_unit": "文明单位", "civilised_campus": "文明校园", "volunteer_team": "志愿服务队伍"}
DEMONSTRATIONS = {"county": "县级", "prefecture": "州（市）级", "province": "省级", "nation": "国家级"}
CARE_LEVELS = {"district": "区级", "city": "市级", "nation": "国家级"}
CARE_RANK = {"district": 1, "city": 2, "nation": 3}
WEEKDAYS = ("周一", "周二", "周三", "周四", "周五", "周六", "周日")

CODE_LISTS: dict[str, dict[str, str]] = {
    "types": {code: kind.label for code, kind in TYPES.items()},
    "groups": GROUPS,
    "venues": VENUES,
    "hosts": HOSTS,
    "tiers": TIERS,
    "systems": SYSTEMS,
    "rooms": ROOMS,
    "equipment": EQUIPMENT,
    "functions": FUNCTIONS,
    "services": SERVICES,
    "occupations": OCCUPATIONS,
    "pairings": PAIRINGS,
    "demonstrations": DEMONSTRATIONS,
    "care_levels": CARE_LEVELS,
}
