"""The directory of lines: what a line is, and what its category asks of it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from services.crisis.domain.shifts import hours_a_day, time_of

if TYPE_CHECKING:
    from services.crisis.domain.shifts_policy import CategoryRules, Lines


class Category(StrEnum):
    """心理120, 安心热线, 雏鹰计划, 忘忧草, 美在心灵, 高校, 12356, 12355, 医院, 24小时免费热线, 微信公众号."""

    psychological_120 = "psychological_120"
    reassurance = "reassurance"
    fledgling = "fledgling"
    forget_me_not = "forget_me_not"
    beauty_of_mind = "beauty_of_mind"
    university = "university"
    line_12356 = "line_12356"
    line_12355 = "line_12355"
    hospital = "hospital"
    district_line = "district_line"
    wechat_account = "wechat_account"


class Population(StrEnum):
    everyone = "everyone"
    affected_by_incident = "affected_by_incident"
    minors = "minors"
    elderly = "elderly"
    appearance_anxiety = "appearance_anxiety"
    students = "students"


class OperatorKind(StrEnum):
    """What kind of organisation runs a line."""

    health_bureau = "health_bureau"
    hospital = "hospital"
    university = "university"
    school = "school"
    counselling_room = "counselling_room"
    social_work = "social_work"
    professional_institution = "professional_institution"
    mass_organisation = "mass_organisation"
    volunteer_team = "volunteer_team"
    other = "other"


class Qualification(StrEnum):
    """What a person who is rostered has learnt, as the roster's maker vouches for."""

    mental_health_teacher = "mental_health_teacher"
    qualified_school_staff = "qualified_school_staff"
    counsellor = "counsellor"
    psychiatrist = "psychiatrist"
    psychotherapist = "psychotherapist"
    social_worker = "social_worker"
    none = "none"


class LineChannel(StrEnum):
    phone = "phone"
    wechat_official_account = "wechat_official_account"
    web_chat = "web_chat"
    sms = "sms"


class LineService(StrEnum):
    aid = "aid"
    self_help = "self_help"
    publicity = "publicity"


def shortfalls(line: dict[str, Any], rules: CategoryRules, lines: Lines) -> list[dict[str, str]]:
    """What keeps a line from opening: each with a stable word, the field, and what is asked, for people to read.

    `line` has `free`, `operator_kind`, `population`, `channels`, `services`, `seats` (square metres each), `opens`
    and `closes` (`HH:MM` in Asia/Shanghai, none for around the clock).
    """
    found: list[dict[str, str]] = []

    def short(reason: str, field: str, detail: str) -> None:
        found.append({"reason": reason, "field": field, "detail": detail})

    if rules.free and not line["free"]:
        short("not_free", "free", f"{rules.name} is free of charge")
    if rules.operators and line["operator_kind"] not in rules.operators:
        short("operator", "operator_kind", f"{rules.name} is run by {', '.join(rules.operators)}")
    if rules.population is not Population.everyone and line["population"] != rules.population:
        short("population", "population", f"{rules.name} is for {rules.population}")
    for channel in rules.channels:
        if channel not in line["channels"]:
            short("channel", "channels", f"{rules.name} is reached by {channel}")
    for service in rules.services:
        if service not in line["services"]:
            short("service", "services", f"{rules.name} offers {service}")
    if hours_a_day(time_of(line["opens"]), time_of(line["closes"])) < rules.hours:
        short("hours", "opens", f"{rules.name} is open {rules.hours} hours a day")
    if rules.seats and LineChannel.phone in line["channels"]:
        if len(line["seats"]) < lines.least_seats:
            short("seats", "seats", f"a line has at least {lines.least_seats} seats")
        if any(area < lines.seat_square_metres for area in line["seats"]):
            short("seat_area", "seats", f"a seat has at least {lines.seat_square_metres:g} square metres")
    return found
