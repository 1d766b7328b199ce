"""Screening campaigns: planned, moved on, watched."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import ConfigDict, Field, Strict, StringConstraints, model_validator

from chassis.auth import Caller, caller_with
from chassis.errors import NotFound
from contracts.base import DivisionCode, Name
from contracts.crisis import CampaignKind, CampaignState
from services.crisis import store
from services.crisis.api.desk import Body, Desk, Limit, Reason, view
from services.crisis.commands.campaigns import FIELD_WORKERS, PLANNERS, move_campaign, own_sites, plan_campaign
from services.crisis.commands.campaigns_form import form
from services.crisis.commands.screenings import counter
from services.crisis.domain.campaign import Host, Residence
from services.crisis.domain.campaigns_policy import Code
from services.crisis.domain.screening import progress_of

Planner = Annotated[Caller, Depends(caller_with(*PLANNERS))]
FieldWorker = Annotated[Caller, Depends(caller_with(*FIELD_WORKERS))]
Watcher = Annotated[Caller, Depends(caller_with(*PLANNERS, *FIELD_WORKERS, "duty_officer", "department"))]
Target = Annotated[int, Strict(), Field(ge=0, le=1_000_000)]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
Age = Annotated[int, Strict(), Field(ge=0, le=130)]


class Site(Body):
    """A care point, a community, a class."""

    code: Code
    name: Words
    division: DivisionCode | None = Field(None, description="Where it lies; the campaign's where it is not said.")
    organisation_id: UUID | None = Field(None, description="A school: its counsellors see no other school's site.")
    target: Target = 0
    batches: Annotated[dict[Code, Target], Field(max_length=50)] = Field({}, description="Targets of its batches.")


class Used(Body):
    """An instrument; the default variant and the newest version where they are not said."""

    instrument: Name
    variant: Name | None = None
    version: Annotated[str, StringConstraints(min_length=1, max_length=32)] | None = None


class EligibilityRule(Body):
    """Whom the campaign is for, besides what its kind asks for."""

    min_age: Age | None = None
    max_age: Age | None = None
    residence: Annotated[tuple[Residence, ...], Field(max_length=3)] = ()
    groups: Annotated[tuple[Code, ...], Field(max_length=200)] = ()


class Plan(Body):
    """A campaign as it shall be."""

    kind: CampaignKind
    title: Words
    division: DivisionCode
    sites: Annotated[list[Site], Field(min_length=1, max_length=500)]
    questionnaire: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,40}@[a-z0-9.-]{1,32}$")]
    instruments: Annotated[list[Used], Field(min_length=1, max_length=10)]
    host: Host = Host.none
    starts: date
    ends: date
    eligibility: EligibilityRule = EligibilityRule()
    incident_id: UUID | None = None

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "kind": "elderly_care_point",
                    "title": "示例区老年心理关爱点年度评估",
                    "division": "370812",
                    "sites": [
                        {"code": "care-point-1", "name": "示例关爱点一", "division": "370812001", "target": 120},
                        {"code": "care-point-2", "name": "示例关爱点二", "target": 80, "batches": {"autumn": 40}},
                    ],
                    "questionnaire": "elderly@2026-1",
                    "instruments": [{"instrument": "gds-15"}, {"instrument": "phq-9"}],
                    "host": "physical_exam",
                    "starts": "2026-09-01",
                    "ends": "2026-12-20",
                    "eligibility": {"min_age": 65, "residence": ["resident"]},
                }
            ]
        },
    )

    @model_validator(mode="after")
    def _agrees(self) -> Plan:
        codes = [site.code for site in self.sites]
        if len(set(codes)) < len(codes):
            raise ValueError("two sites have the same code")
        names = [one.instrument for one in self.instruments]
        if len(set(names)) < len(names):
            raise ValueError("an instrument is named twice")
        if self.ends < self.starts:
            raise ValueError("the campaign ends before it starts")
        return self


class Move(Body):
    state: CampaignState
    reason: Reason

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"state": "running", "reason": "各关爱点已准备就绪"}]}
    )


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""

    @router.put("/campaigns/{campaign_id}", tags=["campaigns"])
    async def put_campaign(campaign_id: UUID, body: Plan, caller: Planner) -> dict[str, Any]:
        """Plan a campaign, or change it; 409 for what a campaign that runs does not change any more."""
        said = body.model_dump(mode="json")
        return shown(await desk.do(lambda tx: plan_campaign(campaign_id, said, caller, tx, desk.office)))

    @router.post("/campaigns/{campaign_id}/move", tags=["campaigns"])
    async def post_move(campaign_id: UUID, body: Move, caller: Planner) -> dict[str, Any]:
        """Begin it, end it, begin it again, report it; 409 for a state that does not follow."""
        return shown(await desk.do(lambda tx: move_campaign(campaign_id, body.state, body.reason, caller, tx)))

    @router.get("/campaigns", tags=["campaigns"])
    async def list_campaigns(caller: Watcher, state: CampaignState | None = None, limit: Limit = 50) -> dict[str, Any]:
        """Campaigns of the caller's division, or with a site there: the latest first."""
        found = await store.campaigns_within(desk.database, caller.division, state, limit)
        return {"campaigns": [shown(view(one)) for one in found if _sees(one, caller)]}

    @router.get("/campaigns/{campaign_id}", tags=["campaigns"])
    async def get_campaign(campaign_id: UUID, caller: Watcher) -> dict[str, Any]:
        """One campaign with its sites and history."""
        campaign = await _campaign(campaign_id)
        own_sites(campaign, caller)
        return shown(view(campaign))

    @router.get("/campaigns/{campaign_id}/form", tags=["campaigns"])
    async def get_form(campaign_id: UUID, caller: FieldWorker) -> dict[str, Any]:
        """All that a tablet needs to work without a network: sites, questions with their answers, what to say."""
        return form(await _campaign(campaign_id), caller, desk.office)

    @router.get("/campaigns/{campaign_id}/progress", tags=["campaigns"])
    async def get_progress(campaign_id: UUID, caller: Watcher) -> dict[str, Any]:
        """By site and batch: target, taken, refused, not eligible, doubles, results, flags, and what is outstanding."""
        campaign = await _campaign(campaign_id)
        places = [
            (site, batch, target)
            for site in own_sites(campaign, caller).values()
            for batch, target in ((None, site["target"]), *site["batches"].items())
        ]
        counts = await store.counts_of(
            desk.database, [counter(campaign_id, site["code"], batch) for site, batch, _ in places]
        )
        rows = [
            {"site": site["code"], "name": site["name"], "batch": batch}
            | progress_of(target, counts.get(counter(campaign_id, site["code"], batch), {}))
            for site, batch, target in places
        ]
        return {"campaign_id": campaign_id, "state": campaign["state"], "sites": rows}

    @router.get("/campaigns/{campaign_id}/ask-again", tags=["campaigns"])
    async def list_to_ask_again(campaign_id: UUID, caller: Watcher, limit: Limit = 50) -> dict[str, Any]:
        """Screenings whose answers gave no result, and after which the person was not asked again."""
        campaign = await _campaign(campaign_id)
        found = await store.to_ask_again(desk.database, campaign_id, sorted(own_sites(campaign, caller)), limit)
        return {
            "screenings": [
                {
                    "id": one["_id"],
                    **{name: one[name] for name in ("site", "batch", "taken_at", "contact_kept", "by")},
                    "missing": {name: len(result["missing"]) for name, result in one["results"].items()},
                }
                for one in found
            ]
        }

    async def _campaign(campaign_id: UUID) -> dict[str, Any]:
        campaign = await desk.database.get("campaigns", campaign_id)
        if campaign is None:
            raise NotFound("there is no such campaign")
        return campaign


def _sees(campaign: dict[str, Any], caller: Caller) -> bool:
    try:
        return bool(own_sites(campaign, caller))
    except NotFound:
        return False


def shown(campaign: dict[str, Any]) -> dict[str, Any]:
    """A campaign as it is answered: without the words in which it was said."""
    return {name: value for name, value in campaign.items() if name not in ("said", "places")}
