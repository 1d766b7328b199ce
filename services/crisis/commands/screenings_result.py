"""What a screening's answers say, and what is done about it: encouraged, followed up, referred, or asked again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from chassis.auth import Caller
from chassis.tx import Document, Tx
from contracts.base import Answer, Channel, Tier
from contracts.crisis import CampaignKind, ProgrammeKind, ScreeningTier
from contracts.hotline import Assessment, HotlineLevel, Question, Way
from services.crisis.commands.programmes import enrol
from services.crisis.domain.campaigns_policy import CampaignPolicy
from services.crisis.domain.codes import CareGroup
from services.crisis.domain.instruments import (
    CarePolicy,
    Definition,
    ElderlyTier,
    Result,
    Route,
    WrongAnswer,
    care_tier,
    case_tier,
    elderly_tier,
    route,
    score,
)
from services.crisis.domain.screening import Screening, State, age_band
from services.crisis.intake import raise_flag
from services.crisis.office import Office

SOURCE = "screening"
LEVELS = {
    Tier.imminent: HotlineLevel.high,
    Tier.high: HotlineLevel.high,
    Tier.moderate: HotlineLevel.moderate,
    Tier.low: HotlineLevel.low,
}


@dataclass(frozen=True)
class Findings:
    """What the answers come to; `refusal` is reason, detail and field of an answer that no item has."""

    scored: tuple[tuple[Definition, Result], ...]
    tier: ScreeningTier
    elderly: ElderlyTier
    route: Route
    unsafe: bool
    level: HotlineLevel
    offers_peer_leader: bool
    refusal: tuple[str, str, str] | None
    policy: str

    @property
    def results(self) -> Document:
        """By instrument; the manual's edition is kept with each."""
        return {
            definition.instrument: {
                "variant": result.variant,
                "version": result.version,
                "manual": definition.manual(None).code,
                "edition": definition.manual(None).edition,
                "total": result.total,
                "band": result.band,
                "positive": result.positive,
                "missing": list(result.missing),
                "evidence": list(result.evidence),
            }
            for definition, result in self.scored
        }


def examine(row: Screening, definitions: Mapping[str, Definition], office: Office, tx: Tx) -> Findings:
    """Score what can be scored, even where something else is wrong with the row: danger is seen first."""
    policy = office.care_tiers.at(tx.now)
    refusal = next(
        (
            ("unknown_instrument", "the campaign does not use this instrument", f"instruments.{name}")
            for name in row.instruments
            if name not in definitions
        ),
        None,
    )
    scored: list[tuple[Definition, Result]] = []
    for name, definition in definitions.items():
        answers, wrong = _readable(definition, row.instruments.get(name, {}))
        refusal = refusal or wrong
        scored.append((definition, score(definition, answers)))
    results = [result for _, result in scored]
    tier = care_tier(results, policy)
    plan = policy.plans.get(tier)
    return Findings(
        scored=tuple(scored),
        tier=ScreeningTier(tier.value),
        elderly=elderly_tier(results, policy),
        route=route(tier),
        unsafe=any(result.safety_assessment_needed for result in results),
        level=_level(results, policy),
        offers_peer_leader=plan is not None and "peer_leader" in plan.offers,
        refusal=refusal,
        policy=policy.version,
    )


def _readable(
    definition: Definition, answers: Mapping[str, int | str]
) -> tuple[dict[str, int | str], tuple[str, str, str] | None]:
    """The answers that the instrument has, and what is wrong with the first that it has not."""
    found: dict[str, int | str] = {}
    wrong: tuple[str, str, str] | None = None
    for ident, answer in answers.items():
        field = f"instruments.{definition.instrument}.{ident}"
        item = definition.by_id.get(ident)
        if item is None:
            wrong = wrong or ("no_such_item", "the instrument has no such item", field)
            continue
        try:
            item.read(answer)
        except WrongAnswer as error:
            wrong = wrong or ("no_such_answer", error.detail, field)
            continue
        found[ident] = answer
    return found, wrong


def _level(results: list[Result], policy: CarePolicy) -> HotlineLevel:
    tiers = [tier for result in results if (tier := case_tier(result, policy)) is not None]
    return LEVELS[Tier.highest(tiers)] if tiers else HotlineLevel.unknown


def raise_concern(
    document: Document,
    row: Screening,
    findings: Findings,
    campaign: Document,
    policy: CampaignPolicy,
    tx: Tx,
    office: Office,
) -> None:
    """An unsafe answer becomes a flag at once, from an incomplete form too, and from one that cannot be taken; so does
    a result that refers. The flag becomes the case, and the case the referral.
    """
    why = "unsafe" if findings.unsafe else "refer" if findings.route is Route.refer else None
    if why is None or document["flag_id"] is not None:
        return
    if why == "refer" and document["state"] != State.taken:
        return
    flag = raise_flag(
        tx,
        source=SOURCE,
        way=Way.screening_result,
        channel=Channel.other,
        division=document["division"],
        contact=document["_id"],
        contact_started_at=min(row.started_at or row.taken_at, tx.now),
        setting=policy.populations[CampaignKind(campaign["kind"])].setting,
        caller=document["person"],
        # A school's teachers are screened under the school's chain too, and are no students.
        care_group=CareGroup.student.value if campaign["kind"] == CampaignKind.school_classes else None,
        age_band=age_band(document["age"]),
        sex=row.sex,
        assessment=_assessment(findings, row),
        hotline_level=findings.level,
        consent_to_follow_up=row.consent.contact,
        referral_wanted=True,
        sealed_contact=office.envelope.seal(_contact(row)) if row.person else None,
    )
    document["flag_id"], document["flagged_for"] = flag.id, why


def _assessment(findings: Findings, row: Screening) -> Assessment | None:
    """The instrument that says most: that of the unsafe answer, and else the first that is positive."""
    definition, result = min(
        findings.scored, key=lambda one: (not one[1].safety_assessment_needed, one[1].positive is not True)
    )
    said = row.instruments.get(definition.instrument, {})
    asked = {
        condition.item: condition
        for rule in definition.rules
        if rule.safety and rule.total_above is None
        for condition in rule.when
    }
    questions = tuple(
        Question(
            item=definition.by_id[name].of.reported_as or name,
            answer=_yes_or_no(said.get(name), condition, definition, name),
        )
        for name, condition in asked.items()
    )
    return Assessment(instrument=result.instrument, version=result.version, answers=questions, total=result.total)


def _yes_or_no(given: Any, condition: Any, definition: Definition, name: str) -> Answer:
    if given is None:
        return Answer.not_asked
    if given in (Answer.unknown, Answer.refused, Answer.not_asked):
        return Answer(given)
    try:
        value = definition.by_id[name].read(given)
    except WrongAnswer:
        return Answer.unknown
    return Answer.yes if condition.holds(given, value) else Answer.no


def _contact(row: Screening) -> dict[str, str]:
    """What it takes to get in touch, in the fields that a flag's seal holds."""
    if row.person is None:
        return {}
    fields = row.person.model_dump(include={"name", "phone", "address"}, exclude_none=True)
    return fields | ({"note": f"监护人：{row.person.guardian}"} if row.person.guardian else {})


async def follow_up(
    document: Document,
    row: Screening,
    programme: ProgrammeKind | None,
    present: UUID | None,
    incident_id: UUID | None,
    caller: Caller,
    tx: Tx,
    office: Office,
) -> None:
    """A mild result brings an intervention plan with contacts that recur, for whoever is known and did not say no."""
    wanted = document["route"] == Route.intervene_and_follow_up and not document["unsafe"]
    if programme is None or not wanted or document["person"] is None:
        return
    if row.consent.contact in (Answer.no, Answer.refused):
        return
    document["programme_id"] = present
    if present is None:
        enrolled = await enrol(
            programme,
            division=document["division"],
            person=document["person"],
            case_id=None,
            incident_id=incident_id,
            contact=_contact(row),
            caller_subject=caller.subject,
            tx=tx,
            office=office,
        )
        document["programme_id"] = enrolled["_id"]
