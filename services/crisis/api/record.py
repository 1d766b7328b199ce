"""The record of a case: sections, plans and reviews, visits, and the lists of codes that they are written in."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, ConfigDict, Field

from chassis.auth import ROLES, Caller, caller_with
from chassis.errors import NotFound
from contracts.base import Answer, FineDivision
from contracts.codes import Code
from contracts.hotline import AgeBand
from services.crisis import store
from services.crisis.api.desk import Body, Desk, Limit, Officer, Reader, Reason, WithReason, view
from services.crisis.commands import record
from services.crisis.commands.record_outreach import open_outreach
from services.crisis.commands.rights import known_case
from services.crisis.domain.codes import Goal, LegalBasis
from services.crisis.domain.pathway import LABELS, NEXT, Stage
from services.crisis.domain.record import PLAN_FIELDS, PersonalOrNone, Section
from services.crisis.domain.services import LISTS_OF_ALL, ServiceType

Anyone = Annotated[Caller, Depends(caller_with(*ROLES))]


class NewSection(Body):
    """One section; `id` is the client's, so that sending it again enters it once."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "id": "01970d3b-0000-7000-8000-0000000005ec",
                    "section": {
                        "kind": "means",
                        "means": ["medicine"],
                        "access": "at_hand",
                        "restriction": "agreed",
                        "note": "药品由张示例保管",
                    },
                }
            ]
        },
    )

    id: UUID
    section: Section
    at: AwareDatetime | None = Field(None, description="When it was so; now where absent.")


class ReadSections(WithReason):
    """A reading of what is personal, with its reason."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reason": "接班了解情况", "kind": "who_is_near"}]}
    )

    kind: str | None = Field(None, pattern="^[a-z_]{1,30}$")


class SafetyPlan(Body):
    """The six fields of a safety plan; one that is not filled shows as missing."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "warning_signs": "整夜睡不着，反复想到自己是负担",
                    "coping_strategies": "听音乐、洗热水澡、下楼走一圈",
                    "distractions": "和测试员甲去公园打球",
                    "who_can_help": "张示例，000-0000-0001",
                    "professionals": "本区心理援助热线、测试医院心理门诊",
                    "safe_environment": "家中药品交由家人保管",
                    "review_at": None,
                }
            ]
        },
    )

    warning_signs: PersonalOrNone = None
    coping_strategies: PersonalOrNone = None
    distractions: PersonalOrNone = Field(None, description="People and places that take the mind off.")
    who_can_help: PersonalOrNone = None
    professionals: PersonalOrNone = Field(None, description="Professionals and agencies to turn to.")
    safe_environment: PersonalOrNone = None
    review_at: AwareDatetime | None = None


class Measure(Body):
    """What is to be done, and how often."""

    service: ServiceType
    every_days: int = Field(ge=1, le=366)


class CarePlan(Body):
    """The individual plan of a person: goals, measures, and when it is looked at again."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "goals": ["sleep", "support_network"],
                    "measures": [{"service": "4-3", "every_days": 7}],
                    "text": "每周一次线上咨询，四周后复评",
                    "review_at": None,
                }
            ]
        },
    )

    goals: tuple[Goal, ...] = Field(min_length=1, max_length=9)
    measures: tuple[Measure, ...] = Field(min_length=1, max_length=20)
    text: PersonalOrNone = None
    review_at: AwareDatetime | None = None


class BeginEncounter(Body):
    """A visit begins; `id` is the client's."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "id": "01970d3b-0000-7000-8000-00000000e0c0",
                    "organisation_id": "00000000-0000-7000-8000-0000000000a1",
                }
            ]
        },
    )

    id: UUID
    organisation_id: UUID


class MoveEncounter(Body):
    """The stage that the visit goes on to; `organisation_id` where another one acts from now on."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"stage": "assessment"}]})

    stage: Stage
    organisation_id: UUID | None = None


class Outreach(Body):
    """Help that nobody has asked for: why it may be offered, to whom, and what is known."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "id": "01970d3b-0000-7000-8000-0000000000f1",
                    "division": "370812001",
                    "legal_basis": "pipl_13_4",
                    "reason": "一线值守人员出现严重心理行为问题，主动干预",
                    "age_band": "from_25_to_44",
                    "act_in_progress": "no",
                    "plan_within_72_hours": "unknown",
                    "attempt_within_2_weeks": "unknown",
                    "phone": "000-0000-0001",
                    "name": "张示例",
                }
            ]
        },
    )

    id: UUID
    division: FineDivision
    legal_basis: LegalBasis
    reason: Reason
    age_band: AgeBand = AgeBand.unknown
    act_in_progress: Answer = Answer.not_asked
    plan_within_72_hours: Answer = Answer.not_asked
    attempt_within_2_weeks: Answer = Answer.not_asked
    danger_to_others: Answer = Answer.not_asked
    suspected_harm_to_minor: Answer = Answer.not_asked
    name: PersonalOrNone = None
    phone: PersonalOrNone = None
    address: PersonalOrNone = None
    note: PersonalOrNone = None


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""

    @router.get("/codes", tags=["record"])
    async def list_codes(caller: Anyone) -> dict[str, Any]:
        """All code lists, each code with its words."""
        lists = {name: _words(codes) for name, codes in LISTS_OF_ALL.items()}
        lists["stages"] = [{"code": stage.value, "label": LABELS[stage]} for stage in Stage]
        return {"lists": lists}

    @router.get("/codes/{name}", tags=["record"])
    async def get_codes(name: str, caller: Anyone) -> dict[str, Any]:
        """One code list; a list that is not known is 404."""
        codes = LISTS_OF_ALL.get(name)
        if codes is None:
            raise NotFound("there is no such list")
        return {"name": name, "codes": _words(codes)}

    @router.post("/outreach", status_code=202, tags=["record"])
    async def post_outreach(body: Outreach, caller: Officer) -> dict[str, Any]:
        """Open a case for somebody who has not asked for it; 422 without its legal basis, 409 where the id is taken."""
        said = body.model_dump(exclude={"id", "division", "legal_basis", "reason"}, exclude_none=True)
        return await desk.do(
            lambda tx: open_outreach(
                body.id, body.division, body.legal_basis, body.reason, said, caller, tx, desk.office
            )
        )

    @router.post("/cases/{case_id}/sections", tags=["record"])
    async def add_section(case_id: UUID, body: NewSection, caller: Reader) -> dict[str, Any]:
        """Enter a section; what is personal in it is sealed. A red flag or a warning raises, and asks a supervisor."""
        return await desk.do(
            lambda tx: record.add_section(case_id, body.id, body.section, body.at, caller, tx, desk.office)
        )

    @router.get("/cases/{case_id}/sections", tags=["record"])
    async def list_sections(
        case_id: UUID,
        caller: Officer,
        kind: Annotated[str | None, Query(pattern="^[a-z_]{1,30}$")] = None,
        after: UUID | None = None,
        limit: Limit = 50,
    ) -> dict[str, Any]:
        """The typed timeline by its codes, the earliest first; `after` is the id of the last one seen."""
        await desk.database.transact(lambda tx: known_case(case_id, caller, tx))
        found = await store.record.sections_of(desk.database, case_id, limit, after, kind)
        return {"sections": [view(record.shown(section)) for section in found]}

    @router.post("/cases/{case_id}/sections/read", tags=["record"])
    async def read_sections(case_id: UUID, body: ReadSections, caller: Reader) -> dict[str, Any]:
        """The sections with what is personal in them; the reading is logged."""
        found = await desk.database.transact(
            lambda tx: record.open_sections(case_id, body.kind, body.reason, caller, tx, desk.office)
        )
        return {"sections": [view(section) for section in found]}

    @router.get("/cases/{case_id}/record", tags=["record"])
    async def get_record(case_id: UUID, caller: Officer) -> dict[str, Any]:
        """The service record: individual plan, safety plan and re-assessment by their codes, sections and visits."""
        case = await desk.database.transact(lambda tx: known_case(case_id, caller, tx))
        about = await desk.database.get("care_records", case_id)
        sections = await store.record.sections_of(desk.database, case_id, 200, None, None)
        encounters = await store.record.encounters_of(desk.database, case_id, 200)
        return {
            "case_id": case_id,
            "state": case["state"],
            "tier": case["tier"],
            "about": view(about) if about else None,
            "sections": [view(record.shown(section)) for section in sections],
            "encounters": [view(encounter) for encounter in encounters],
        }

    @router.put("/cases/{case_id}/safety-plan", tags=["record"])
    async def put_safety_plan(case_id: UUID, body: SafetyPlan, caller: Officer) -> dict[str, Any]:
        """A new version of the safety plan; the same content again makes none. Earlier versions stay."""
        texts = {name: text for name in PLAN_FIELDS if (text := getattr(body, name)) is not None}
        return await desk.do(
            lambda tx: record.set_plan_version(
                case_id, record.SAFETY_PLAN, {}, texts, body.review_at, caller, tx, desk.office
            )
        )

    @router.post("/cases/{case_id}/safety-plan/read", tags=["record"])
    async def read_safety_plan(case_id: UUID, body: WithReason, caller: Reader) -> dict[str, Any]:
        """All versions of the safety plan in plain, the latest first; the reading is logged."""
        found = await desk.database.transact(
            lambda tx: record.open_plan(case_id, record.SAFETY_PLAN, body.reason, caller, tx, desk.office)
        )
        return {"versions": [view(version) for version in found]}

    @router.put("/cases/{case_id}/care-plan", tags=["record"])
    async def put_care_plan(case_id: UUID, body: CarePlan, caller: Officer) -> dict[str, Any]:
        """A new version of the individual plan. Under 14, outside an emergency, the guardian must consent: 403."""
        codes = {
            "goals": [goal.value for goal in body.goals],
            "measures": [{"service": one.service.value, "every_days": one.every_days} for one in body.measures],
        }
        texts = {"text": body.text} if body.text is not None else {}
        return await desk.do(
            lambda tx: record.set_plan_version(
                case_id, record.CARE_PLAN, codes, texts, body.review_at, caller, tx, desk.office
            )
        )

    @router.post("/cases/{case_id}/care-plan/read", tags=["record"])
    async def read_care_plan(case_id: UUID, body: WithReason, caller: Reader) -> dict[str, Any]:
        """All versions of the individual plan in plain, the latest first; the reading is logged."""
        found = await desk.database.transact(
            lambda tx: record.open_plan(case_id, record.CARE_PLAN, body.reason, caller, tx, desk.office)
        )
        return {"versions": [view(version) for version in found]}

    @router.get("/pathway", tags=["record"])
    async def get_pathway(caller: Anyone) -> dict[str, Any]:
        """The stages of a visit, and which may follow which."""
        return {
            "stages": [
                {"stage": stage.value, "label": LABELS[stage], "next": sorted(one.value for one in NEXT[stage])}
                for stage in Stage
            ]
        }

    @router.post("/cases/{case_id}/encounters", tags=["record"])
    async def begin_encounter(case_id: UUID, body: BeginEncounter, caller: Officer) -> dict[str, Any]:
        """A visit begins with its reception. Under 14, outside an emergency, the guardian must consent: 403."""
        return await desk.do(
            lambda tx: record.begin_encounter(case_id, body.id, body.organisation_id, caller, tx, desk.office)
        )

    @router.post("/cases/{case_id}/encounters/{encounter_id}/move", tags=["record"])
    async def move_encounter(case_id: UUID, encounter_id: UUID, body: MoveEncounter, caller: Officer) -> dict[str, Any]:
        """The visit goes on; psychotherapy anywhere but in a medical institution is 403."""
        return await desk.do(
            lambda tx: record.move_encounter(
                case_id, encounter_id, body.stage, body.organisation_id, caller, tx, desk.office
            )
        )

    @router.get("/cases/{case_id}/encounters", tags=["record"])
    async def list_encounters(case_id: UUID, caller: Officer, limit: Limit = 50) -> dict[str, Any]:
        """The visits of a case, the latest first."""
        await desk.database.transact(lambda tx: known_case(case_id, caller, tx))
        found = await store.record.encounters_of(desk.database, case_id, limit)
        return {"encounters": [view(encounter) for encounter in found]}


def _words(codes: type[Code]) -> list[dict[str, str]]:
    return [{"code": code.value, "label": code.label} for code in codes]
