"""The five services and their 25 sub-types (鲁文明委〔2022〕7号), as the code list of what was given to a person."""

from __future__ import annotations

from services.crisis.domain.codes import LISTS, Code


class ServiceGroup(Code):
    """The five services, “五为”."""

    elderly = "elderly", "为老"
    young = "young", "为小"
    hardship = "hardship", "为困难群体"
    psychological = "psychological", "为需要心理疏导和情感慰藉群体"
    public = "public", "为社会公共需要"


class ServiceType(Code):
    """The 25 sub-types, numbered by service and place: `3-4` is the fourth of the third service."""

    daily_care = "1-1", "生活照料志愿服务"
    company = "1-2", "精神陪伴志愿服务"
    culture_and_health = "1-3", "文体健康志愿服务"
    digital_help = "1-4", "智慧助老志愿服务"
    active_elderly = "1-5", "老有所为志愿服务"
    ideals = "2-1", "理想信念宣讲志愿服务"
    help_for_children = "2-2", "生活救助志愿服务"
    mental_health_education = "2-3", "心理健康教育志愿服务"
    social_practice = "2-4", "社会实践志愿服务"
    job_training = "2-5", "就业培训志愿服务"
    benefits = "3-1", "送优惠政策志愿服务"
    everyday_help = "3-2", "生活帮扶志愿服务"
    disability = "3-3", "爱心助残志愿服务"
    medical_aid = "3-4", "医疗救助志愿服务"
    skills = "3-5", "技能提升志愿服务"
    legal_aid = "3-6", "法律援助志愿服务"
    experts_five_in = "4-1", "心理专家“五进”志愿服务"
    mental_health_training = "4-2", "心理健康培训志愿服务"
    experts_online = "4-3", "心理专家在线志愿服务"
    theory = "5-1", "理论宣讲志愿服务"
    emergency_rescue = "5-2", "应急救援志愿服务"
    environment = "5-3", "生态环保志愿服务"
    epidemic = "5-4", "疫情防控志愿服务"
    local_governance = "5-5", "基层治理志愿服务"
    civility = "5-6", "文明风尚志愿服务"

    @property
    def group(self) -> ServiceGroup:
        return tuple(ServiceGroup)[int(self.value[0]) - 1]


LISTS_OF_ALL: dict[str, type[Code]] = {**LISTS, "service-groups": ServiceGroup, "service-types": ServiceType}
