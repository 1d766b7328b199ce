"""Code lists of the record, each code with the words that a person reads. A code is never used again for another thing.

Lists that come from the district's own documents name them; the others are lists of this service, for want of a
published one.
"""

from __future__ import annotations

from contracts.codes import Code


class Means(Code):
    """The means of harm that the person named or has at hand."""

    medicine = "medicine", "药物"
    pesticide = "pesticide", "农药、毒物"
    blade = "blade", "刀具、利器"
    rope = "rope", "绳索"
    height = "height", "高处"
    water = "water", "水域"
    gas = "gas", "燃气、烧炭"
    traffic = "traffic", "车辆、轨道"
    other = "other", "其他"
    none_named = "none_named", "未提及手段"
    unknown = "unknown", "不清楚"


class Access(Code):
    """How near the means are."""

    at_hand = "at_hand", "就在手边"
    within_reach = "within_reach", "可以取得"
    out_of_reach = "out_of_reach", "难以取得"
    removed = "removed", "已移除"
    unknown = "unknown", "不清楚"


class Progress(Code):
    """How far an action has come; what was talked of is not done."""

    discussed = "discussed", "讨论过"
    agreed = "agreed", "已同意"
    done = "done", "已完成并核实"
    planned = "planned", "已计划"
    failed = "failed", "未成功"


class NearPerson(Code):
    """Who is with the person, or can be there."""

    parent = "parent", "父母"
    partner = "partner", "配偶、伴侣"
    child = "child", "子女"
    relative = "relative", "其他亲属"
    friend = "friend", "朋友、同学"
    neighbour = "neighbour", "邻居"
    teacher = "teacher", "老师、辅导员"
    colleague = "colleague", "同事"
    community_worker = "community_worker", "社区（村居）工作人员"
    stranger = "stranger", "陌生人"
    nobody = "nobody", "无人"


class Place(Code):
    """Where the person is."""

    home = "home", "家中"
    another_home = "another_home", "他人家中"
    school = "school", "学校"
    workplace = "workplace", "单位"
    hospital = "hospital", "医院"
    height = "height", "楼顶、桥梁等高处"
    water = "water", "河边、水边"
    outdoors = "outdoors", "其他户外"
    vehicle = "vehicle", "车内、途中"
    unknown = "unknown", "不清楚"


class CareGroup(Code):
    """Who the person is, for whom the district's plans name a care of their own (鲁文明办〔2023〕10号 and others)."""

    elderly_alone = "elderly_alone", "独居、空巢老人"
    elderly_disabled = "elderly_disabled", "失能、失智老人"
    elderly_poor = "elderly_poor", "经济困难老人"
    bereaved_parent = "bereaved_parent", "失独（计划生育特殊家庭）"
    widowed = "widowed", "丧偶老人"
    left_behind_child = "left_behind_child", "留守儿童"
    child_in_hardship = "child_in_hardship", "困境儿童"
    student = "student", "在校学生"
    graduate = "graduate", "求职毕业生"
    perinatal = "perinatal", "孕产妇"
    bereaved = "bereaved", "丧亲人员"
    carer = "carer", "长期照护家属"
    disabled = "disabled", "残疾人"
    poor = "poor", "生活困难人员"
    family_conflict = "family_conflict", "家庭关系紧张人员"
    appearance_anxiety = "appearance_anxiety", "过度关注容貌人员"
    employee = "employee", "企业职工"
    high_risk_industry = "high_risk_industry", "高危行业职工"
    civil_servant = "civil_servant", "机关事业单位人员"
    medical_staff = "medical_staff", "医务人员"
    front_line_worker = "front_line_worker", "公安民警等一线工作人员"
    community_worker = "community_worker", "社区工作者、基层工作人员"
    volunteer = "volunteer", "志愿者"
    disaster_survivor = "disaster_survivor", "突发事件受影响人员"
    recovered_patient = "recovered_patient", "治愈患者及家属"


HELPERS = frozenset(
    {CareGroup.medical_staff, CareGroup.front_line_worker, CareGroup.community_worker, CareGroup.volunteer}
)
"""Who helps others and may need help too: 对出现明显应激反应的医务人员,要进行针对性的个体心理治疗."""


class Problem(Code):
    """What the person suffers from as a layperson's list says it: no diagnosis (精神卫生法 art. 23)."""

    anxiety_or_depression = "anxiety_or_depression", "焦虑、抑郁"
    insomnia = "insomnia", "失眠"
    post_traumatic_stress = "post_traumatic_stress", "创伤后应激"
    acute_stress = "acute_stress", "急性应激反应"
    grief = "grief", "哀伤"
    family_relations = "family_relations", "家庭关系"
    intimate_relations = "intimate_relations", "婚恋情感"
    school_stress = "school_stress", "学业压力"
    work_stress = "work_stress", "工作压力、职业倦怠"
    money = "money", "经济压力"
    illness = "illness", "躯体疾病困扰"
    addiction = "addiction", "成瘾行为"
    loneliness = "loneliness", "孤独"
    cognition = "cognition", "疑似认知异常"
    other = "other", "其他"


class RedFlag(Code):
    """What wants a psychiatrist's consultation or an admission.

    心理志愿服务方案 篇1: 由精神科医生会诊或转入精神卫生医疗机构治疗.
    """

    self_harm = "self_harm", "自伤"
    suicide = "suicide", "自杀"
    aggression = "aggression", "攻击"
    psychotic_symptoms = "psychotic_symptoms", "其他精神病性症状"


class ElderlyStatus(Code):
    """The result that a care of the elderly distinguishes (老年心理关爱行动)."""

    normal = "normal", "正常"
    mild = "mild", "轻度"
    moderate_or_more = "moderate_or_more", "中度及以上"
    suspected_cognitive = "suspected_cognitive", "疑似认知异常"
    unknown = "unknown", "尚未评估"


class ElderlyNeed(Code):
    """What an elderly person asks for."""

    company = "company", "陪伴"
    talk = "talk", "倾诉疏导"
    family_contact = "family_contact", "与子女联系"
    sleep = "sleep", "改善睡眠"
    memory = "memory", "认知训练与筛查"
    visit_to_doctor = "visit_to_doctor", "就医协助"
    daily_care = "daily_care", "生活照料"
    activities = "activities", "文体活动"
    digital_help = "digital_help", "智能手机使用"
    none_named = "none_named", "暂无需求"
    unknown = "unknown", "不清楚"


class DisputeKind(Code):
    """What a dispute is about."""

    marriage_family = "marriage_family", "婚姻家庭"
    neighbours = "neighbours", "邻里"
    land_housing = "land_housing", "土地、房屋"
    labour = "labour", "劳动"
    medical = "medical", "医疗"
    debt = "debt", "债务"
    loss_of_interest = "loss_of_interest", "利益受损诉求"
    other = "other", "其他"


class ActionKind(Code):
    """What was undertaken. A promise not to die is none of them."""

    listening = "listening", "倾听与情绪支持"
    risk_asked = "risk_asked", "询问自杀风险"
    safety_plan = "safety_plan", "制定安全计划"
    means_restriction = "means_restriction", "限制手段"
    family_called = "family_called", "联系家属"
    community_called = "community_called", "联系社区（村居）"
    emergency_called = "emergency_called", "联系110/120"
    referral = "referral", "转介"
    visit = "visit", "上门走访"
    group_activity = "group_activity", "团体活动"
    material_help = "material_help", "物资、救助帮扶"
    information = "information", "提供信息"
    other = "other", "其他"


class Change(Code):
    """How the person is, compared with the assessment before."""

    better = "better", "好转"
    same = "same", "无变化"
    worse = "worse", "加重"
    unknown = "unknown", "无法判断"


class Goal(Code):
    """What an individual plan aims at."""

    safety = "safety", "保障安全"
    symptom_relief = "symptom_relief", "缓解症状"
    sleep = "sleep", "改善睡眠"
    treatment = "treatment", "接受并坚持治疗"
    support_network = "support_network", "建立支持网络"
    daily_function = "daily_function", "恢复生活、学习、工作"
    grief_work = "grief_work", "哀伤处理"
    dispute_settled = "dispute_settled", "化解矛盾"
    other = "other", "其他"


class LegalBasis(Code):
    """Why a case may be opened for somebody who has not asked for it."""

    pipl_13_4 = "pipl_13_4", "个人信息保护法第十三条第一款第四项：紧急情况下保护生命健康"
    pipl_13_3 = "pipl_13_3", "个人信息保护法第十三条第一款第三项：履行法定职责或法定义务"
    pipl_13_1 = "pipl_13_1", "个人信息保护法第十三条第一款第一项：取得个人同意"
    mental_health_28 = "mental_health_28", "精神卫生法第二十八条：送诊疑似患者、制止危险行为"
    minors_11 = "minors_11", "未成年人保护法第十一条：强制报告"
    emergency_plan = "emergency_plan", "突发事件应对法及应急预案：心理危机干预"


class SpecialPopulation(Code):
    """Who a case of the strict access class may be about (心理志愿服务方案 篇1: 加强特殊人群管理服务)."""

    detained = "detained", "公安监所被监管人员"
    prisoner = "prisoner", "服刑人员"
    community_corrections = "community_corrections", "社区矫正对象"
    released = "released", "刑满释放人员"
    compulsory_rehabilitation = "compulsory_rehabilitation", "强制隔离戒毒人员"
    rehabilitation_ended = "rehabilitation_ended", "强制隔离戒毒解戒人员"
    community_rehabilitation = "community_rehabilitation", "社区戒毒社区康复人员"
    maintenance_treatment = "maintenance_treatment", "参加戒毒药物维持治疗人员"
    voluntary_rehabilitation = "voluntary_rehabilitation", "自愿戒毒人员"
    severe_mental_disorder = "severe_mental_disorder", "易肇事肇祸严重精神障碍患者"


class MarkKind(Code):
    """What a mark on a person tells whoever meets the person next. It blocks no flag and lowers no tier."""

    repeated_caller = "repeated_caller", "反复来电"
    blocked_abusive = "blocked_abusive", "骚扰辱骂，暂缓接听"
    do_not_call_back = "do_not_call_back", "请勿回拨（共用电话）"
    known_to_services = "known_to_services", "已有机构在跟进"
    special_population = "special_population", "特殊人群"
    hearing_or_language = "hearing_or_language", "听力或语言需协助"


class Relation(Code):
    """Who a guardian is to the minor."""

    mother = "mother", "母亲"
    father = "father", "父亲"
    grandparent = "grandparent", "祖父母、外祖父母"
    other_relative = "other_relative", "其他亲属"
    civil_affairs = "civil_affairs", "民政部门（国家监护）"
    institution = "institution", "儿童福利、救助保护机构"
    unknown = "unknown", "不清楚"


class HarmSituation(Code):
    """The nine situations in which a report is mandatory, art. 4 of 高检发〔2020〕9号, in its order."""

    private_parts_injured = "private_parts_injured", "生殖器官或隐私部位遭受或疑似遭受非正常损伤"
    under_14_sexual_harm = "under_14_sexual_harm", "不满十四周岁的女性遭受或疑似遭受性侵害、怀孕、流产"
    pregnancy_from_14 = "pregnancy_from_14", "十四周岁以上女性遭受或疑似遭受性侵害所致怀孕、流产"
    injuries_or_neglect = (
        "injuries_or_neglect",
        "多处损伤、严重营养不良、意识不清，疑似家庭暴力、欺凌、虐待、殴打或被麻醉",
    )
    unnatural_injury_or_death = "unnatural_injury_or_death", "因自杀、自残、工伤、中毒、被麻醉、殴打等伤残或死亡"
    abandoned = "abandoned", "被遗弃或长期无人照料"
    missing_or_trafficked = "missing_or_trafficked", "来源不明、失踪或被拐卖、收买"
    made_to_beg = "made_to_beg", "被组织乞讨"
    other_serious_harm = "other_serious_harm", "其他严重侵害身心健康，或正在面临不法侵害危险"


class ReportedTo(Code):
    """Who took the report; the police always, others besides."""

    police_110 = "police_110", "110"
    police_station = "police_station", "属地派出所"
    criminal_police = "criminal_police", "公安刑侦部门"


HARM_SOURCE = "《关于建立侵害未成年人案件强制报告制度的意见（试行）》（高检发〔2020〕9号）第四条"
POPULATION_SOURCE = "心理志愿服务方案 篇1 (六)加强特殊人群管理服务"

LISTS: dict[str, type[Code]] = {
    "means": Means,
    "access": Access,
    "progress": Progress,
    "near-persons": NearPerson,
    "places": Place,
    "care-groups": CareGroup,
    "problems": Problem,
    "red-flags": RedFlag,
    "elderly-status": ElderlyStatus,
    "elderly-needs": ElderlyNeed,
    "disputes": DisputeKind,
    "actions": ActionKind,
    "changes": Change,
    "goals": Goal,
    "legal-bases": LegalBasis,
    "special-populations": SpecialPopulation,
    "marks": MarkKind,
    "relations": Relation,
    "harm-situations": HarmSituation,
    "reported-to": ReportedTo,
}
"""The lists by the name under which they are read."""
