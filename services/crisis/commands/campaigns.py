"""Campaigns: planned, run, ended, reported; who may see which, and how far they are."""

from __future__ import annotations

from uuid import UUID

from chassis.auth import Caller
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from contracts.crisis import CampaignMoved
from services.crisis import store
from services.crisis.domain.campaign import FIXED, Kind, State, allows
from services.crisis.domain.campaigns_policy import CampaignPolicy
from services.crisis.office import Office

PLANNERS = ("supervisor", "district_centre")
FIELD_WORKERS = ("surveyor", "community_worker", "school_counsellor")
"""Who takes screenings."""


async def plan_campaign(campaign_id: UUID, said: Document, caller: Caller, tx: Tx, office: Office) -> Document:
    """A campaign as it shall be: new, or changed as far as its state allows. The same again changes nothing.

    Raises `Refused` with the field, `NotFound` for another division's, `NotAllowed` once it can no more be changed.
    """
    campaign = await tx.get("campaigns", campaign_id)
    if campaign is not None and not caller.sees(campaign["division"]):
        raise NotFound("there is no such campaign")
    if not caller.sees(said["division"]):
        raise NotFound("there is no such division within yours")
    if campaign is not None and campaign["said"] == said:
        return campaign
    policy = office.campaigns.at(tx.now) if campaign is None else office.campaigns.of(campaign["policy"])
    await _check_places(said, tx)
    content = _content(said, policy, office)
    if campaign is None:
        campaign = {
            "_id": campaign_id,
            "state": None,
            "policy": policy.version,
            "planned_at": tx.now,
            "history": [],
            **content,
        }
        _move(campaign, State.planned, caller.subject, "planned", tx)
    else:
        _may_change(campaign, said)
        campaign |= content
        tx.put("campaigns", campaign)
    tx.record(
        actor=caller.subject,
        action="campaign_planned",
        subject=str(campaign_id),
        reason="campaign_plan",
        division=campaign["division"],
        state=campaign["state"],
    )
    return campaign


def _may_change(campaign: Document, said: Document) -> None:
    state = State(campaign["state"])
    if state is State.planned:
        return
    if state is not State.running:
        raise NotAllowed(f"the campaign has {state}: its plan stays as it is", reason="campaign_over", field="state")
    for field in FIXED:
        if campaign["said"][field] != said[field]:
            raise NotAllowed(
                f"the campaign runs: {field} stays as it was planned", reason="campaign_runs", field=f"body.{field}"
            )
    if gone := sorted({site["code"] for site in campaign["sites"]} - {site["code"] for site in said["sites"]}):
        raise NotAllowed(f"the campaign runs: site {gone[0]} stays", reason="campaign_runs", field="body.sites")


async def _check_places(said: Document, tx: Tx) -> None:
    """Every site lies in the campaign's division, in a county that the registry knows."""
    places = [site["division"] or said["division"] for site in said["sites"]]
    await tx.load("divisions", [said["division"], *places])
    if await tx.get("divisions", said["division"]) is None:
        raise Refused("unknown_division", f"there is no division {said['division']}", "body.division")
    for number, place in enumerate(places):
        field = f"body.sites.{number}.division"
        if not place.startswith(said["division"]):
            raise Refused("outside", "the site lies outside the campaign's division", field)
        if len(place) < 6:
            raise Refused("too_coarse", "say in which county, town or village the site is", field)
        if await tx.get("divisions", place) is None:
            raise Refused("unknown_division", f"there is no division {place}", field)


def _content(said: Document, policy: CampaignPolicy, office: Office) -> Document:
    """The plan with what it refers to: the questionnaire's version, and each instrument's."""
    code, _, version = said["questionnaire"].partition("@")
    questionnaire = policy.questionnaires.get(code)
    if questionnaire is None or questionnaire.version != version:
        known = ", ".join(f"{name}@{one.version}" for name, one in policy.questionnaires.items())
        raise Refused("unknown_questionnaire", f"there are {known}", "body.questionnaire")
    kind = Kind(said["kind"])
    least = policy.populations[kind].min_age
    rule = said["eligibility"]
    min_age = least if rule["min_age"] is None else rule["min_age"]
    if min_age < least:
        raise Refused("too_young", f"a campaign of this kind is for {least} and over", "body.eligibility.min_age")
    if rule["max_age"] is not None and rule["max_age"] < min_age:
        raise Refused("nobody", "nobody is of such an age", "body.eligibility.max_age")
    if kind is Kind.incident_mass and said["incident_id"] is None:
        raise Refused("needed", "a mass screening names its incident", "body.incident_id")
    return {
        "said": said,
        **{name: said[name] for name in ("kind", "title", "division", "questionnaire", "host", "starts", "ends")},
        "incident_id": said["incident_id"],
        "eligibility": {**rule, "min_age": min_age},
        "instruments": _instruments(said["instruments"], office),
        "sites": [{**site, "division": site["division"] or said["division"]} for site in said["sites"]],
        "places": sorted({site["division"] or said["division"] for site in said["sites"]}),
        "target": sum(site["target"] + sum(site["batches"].values()) for site in said["sites"]),
    }


def _instruments(wanted: list[Document], office: Office) -> list[Document]:
    """Each with the variant and version that are used from now on, whatever is published later."""
    found: list[Document] = []
    for number, one in enumerate(wanted):
        try:
            definition = office.instruments.get(one["instrument"], one["variant"], one["version"])
        except KeyError as error:
            detail = "there is no such instrument, variant and version"
            raise Refused("unknown_instrument", detail, f"body.instruments.{number}") from error
        found.append({"instrument": one["instrument"], "variant": definition.variant, "version": definition.version})
    return found


async def move_campaign(campaign_id: UUID, state: State, reason: str, caller: Caller, tx: Tx) -> Document:
    """Begin, end, begin again or report a campaign. Where it is already so, nothing happens."""
    campaign = await store.the_campaign(tx, campaign_id)
    if not caller.sees(campaign["division"]):
        raise NotFound("there is no such campaign")
    present = State(campaign["state"])
    if present is state:
        return campaign
    if not allows(present, state):
        raise NotAllowed(f"a campaign that is {present} cannot become {state}", reason="state", field="body.state")
    _move(campaign, state, caller.subject, reason, tx)
    tx.record(
        actor=caller.subject,
        action="campaign_moved",
        subject=str(campaign_id),
        reason=reason,
        division=campaign["division"],
        state=state.value,
    )
    return campaign


def _move(campaign: Document, state: State, by: str, reason: str, tx: Tx) -> None:
    previous = State(campaign["state"]) if campaign["state"] else None
    campaign["state"] = state.value
    campaign["history"] = [*campaign["history"], {"at": tx.now, "state": state.value, "by": by, "reason": reason}]
    tx.put("campaigns", campaign)
    tx.emit(
        CampaignMoved(
            **tx.stamp(campaign["division"]),
            campaign_id=campaign["_id"],
            division=campaign["division"],
            kind=Kind(campaign["kind"]),
            previous=previous,
            state=state,
            target=campaign["target"],
            policy=campaign["policy"],
        )
    )


def own_sites(campaign: Document, caller: Caller) -> dict[str, Document]:
    """The sites that exist for a caller, by code: those of the caller's division, and a school's only for the school.

    Raises `NotFound` where there is none.
    """
    bound_to_school = caller.roles & {"school_counsellor"} and not caller.roles & {*PLANNERS, "surveyor"}
    found = {
        site["code"]: site
        for site in campaign["sites"]
        if caller.sees(site["division"])
        and not (bound_to_school and site["organisation_id"] and site["organisation_id"] != caller.organisation)
    }
    if not found:
        raise NotFound("there is no such campaign")
    return found
