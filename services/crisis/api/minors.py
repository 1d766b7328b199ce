"""Minors and the strict access class: harm, the mandatory report, guardians."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import ConfigDict, Field, StringConstraints

from contracts.base import Answer
from services.crisis import store
from services.crisis.api.desk import Body, Desk, Limit, Officer, Reason, Supervisor, WithReason, view
from services.crisis.commands import minors
from services.crisis.commands.reading import listed
from services.crisis.domain.codes import HARM_SOURCE, HarmSituation, Relation, ReportedTo, SpecialPopulation
from services.crisis.domain.record import PersonalOrNone

Reference = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[0-9A-Za-z_-]{1,64}$")]
"""A number of the police's or of ours; never a name."""


class HarmAnswer(Body):
    """What was found out about harm to the minor; “unknown” and “refused” are answers."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"answer": "yes", "reason": "未成年人自述遭家人殴打"}]}
    )

    answer: Answer
    reason: Reason


class MakeReport(Body):
    """The report that the caller has made."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"situation": "injuries_or_neglect", "to": "police_110", "reference": "BJ-20261122-001"}]
        },
    )

    situation: HarmSituation = Field(description=f"{HARM_SOURCE}: one of the nine.")
    to: ReportedTo
    reference: Reference | None = None


class ConfirmReport(Body):
    """The police's own number of the report."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"receipt": "JJ-20261122-017"}]})

    receipt: Reference


class Guardian(Body):
    """Who the guardian is; the name and the telephone are sealed."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "relation": "grandparent",
                    "consent": "yes",
                    "suspected": "no",
                    "name": "张示例",
                    "phone": "000-0000-0001",
                }
            ]
        },
    )

    relation: Relation
    consent: Answer = Field(description="To help outside an emergency: 个人信息保护法 art. 31.")
    suspected: Answer = Field(
        Answer.not_asked, description="Whether this guardian is suspected of the harm, and then is not asked."
    )
    name: PersonalOrNone = None
    phone: PersonalOrNone = None


class AccessClass(Body):
    """The access class; one of the special populations belongs in the strict one."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"class": "strict", "population": "community_corrections", "reason": "司法所转来的社区矫正对象"}
            ]
        },
    )

    access: Literal["ordinary", "strict"] = Field(alias="class")
    population: SpecialPopulation | None = None
    reason: Reason


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""

    @router.get("/reports-to-make", tags=["minors"])
    async def list_reports(caller: Officer, limit: Limit = 50) -> dict[str, Any]:
        """Open cases whose report is not made, or where nobody knows yet about harm to a minor."""
        found = await store.minors.reports_to_make(desk.database, caller.division, limit)
        return {"cases": [view(listed(case, caller)) for case in found]}

    @router.post("/cases/{case_id}/harm", tags=["minors"])
    async def answer_harm(case_id: UUID, body: HarmAnswer, caller: Officer) -> dict[str, Any]:
        """What was found out about harm to a minor; a yes requires the report, and a no after a yes is 409."""
        return await desk.do(lambda tx: minors.answer_harm(case_id, body.answer, body.reason, caller, tx, desk.office))

    @router.post("/cases/{case_id}/report", tags=["minors"])
    async def make_report(case_id: UUID, body: MakeReport, caller: Officer) -> dict[str, Any]:
        """The caller has reported to the police; 409 where no report is required."""
        return await desk.do(
            lambda tx: minors.make_report(case_id, body.situation, body.to, body.reference, caller, tx)
        )

    @router.post("/cases/{case_id}/report/received", tags=["minors"])
    async def confirm_report(case_id: UUID, body: ConfirmReport, caller: Officer) -> dict[str, Any]:
        """The police has confirmed the report under its own number; 409 where none was made."""
        return await desk.do(lambda tx: minors.confirm_report(case_id, body.receipt, caller, tx))

    @router.post("/cases/{case_id}/report/not-required", tags=["minors"])
    async def propose_no_report(case_id: UUID, body: WithReason, caller: Officer) -> dict[str, Any]:
        """The first person's proposal; the report stays required until a supervisor agrees."""
        return await desk.do(lambda tx: minors.propose_no_report(case_id, body.reason, caller, tx, desk.office))

    @router.post("/cases/{case_id}/report/not-required/agree", tags=["minors"])
    async def agree_to_no_report(case_id: UUID, body: WithReason, caller: Supervisor) -> dict[str, Any]:
        """The second person agrees; 403 for the one who proposed it."""
        return await desk.do(lambda tx: minors.agree_to_no_report(case_id, body.reason, caller, tx, desk.office))

    @router.put("/cases/{case_id}/guardian", tags=["minors"])
    async def put_guardian(case_id: UUID, body: Guardian, caller: Officer) -> dict[str, Any]:
        """Who the guardian is, and whether the guardian consents; 409 where the person is not a minor."""
        texts = {name: text for name in ("name", "phone") if (text := getattr(body, name)) is not None}
        return await desk.do(
            lambda tx: minors.keep_guardian(
                case_id, body.relation, body.consent, body.suspected, texts, caller, tx, desk.office
            )
        )

    @router.post("/cases/{case_id}/guardian/read", tags=["minors"])
    async def read_guardian(case_id: UUID, body: WithReason, caller: Officer) -> dict[str, Any]:
        """The guardian in plain; the reading is logged."""
        return await desk.do(lambda tx: minors.open_guardian(case_id, body.reason, caller, tx, desk.office))

    @router.put("/cases/{case_id}/access-class", tags=["minors"])
    async def put_access_class(case_id: UUID, body: AccessClass, caller: Officer) -> dict[str, Any]:
        """Into the strict class by any officer, out of it by a supervisor; under 14 it stays strict (409)."""
        return await desk.do(
            lambda tx: minors.set_access_class(
                case_id, body.access == "strict", body.population, body.reason, caller, tx, desk.office
            )
        )
