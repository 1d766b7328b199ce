"""The self-test platform: a person takes an instrument alone, at a site that is a hotline's system.

The person stays unknown: what is kept is a row that says what was taken and what it came to. Where the result is
positive or an answer is unsafe, a flag is raised like any hotline's, with the contact that the person chose to leave,
sealed; and nothing that is kept here leads from the row to the flag.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from chassis.auth import Caller
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from contracts.base import Answer, Channel, Tier
from contracts.crisis import SelfTestTaken
from contracts.hotline import AgeBand, Assessment, HotlineLevel, Question, Sex, Way
from services.crisis.commands.assessments import Taken, definition_of, scored
from services.crisis.domain.instruments import (
    CarePolicy,
    CareTier,
    Definition,
    Kind,
    Result,
    Route,
    care_tier,
    case_tier,
    elderly_tier,
    higher,
    route,
)
from services.crisis.intake import raise_flag
from services.crisis.office import Office

LEVELS = {
    Tier.imminent: HotlineLevel.high,
    Tier.high: HotlineLevel.high,
    Tier.moderate: HotlineLevel.moderate,
    Tier.low: HotlineLevel.low,
}


@dataclass(frozen=True)
class SelfTest:
    """What the site sends; `sealed_contact` only where the person wants to be contacted."""

    id: UUID
    taken: Taken
    division: str
    age_band: AgeBand = AgeBand.unknown
    sex: Sex = Sex.unknown
    consent_to_follow_up: Answer = Answer.not_asked
    sealed_contact: str | None = None

    def digest(self) -> str:
        said = [self.taken.instrument, self.taken.variant, self.taken.version, sorted(self.taken.answers.items())]
        who = [self.division, self.age_band, self.sex, self.consent_to_follow_up, self.sealed_contact]
        return hashlib.sha256(json.dumps([said, who]).encode()).hexdigest()


async def take_self_test(test: SelfTest, caller: Caller, tx: Tx, office: Office) -> Document:
    """Score it, count it, raise a flag where it has to be, and say what the person reads. The same again is answered
    the same, and counted once.
    """
    if caller.hotline is None:
        raise NotAllowed("the token names no hotline", status=403)
    if not caller.sees(test.division):
        raise NotFound("the token is for another division")
    before = await tx.get("self_tests", test.id)
    if before is not None and (before["hotline"], before["digest"]) != (caller.hotline, test.digest()):
        raise NotAllowed("this id was taken before with another body", reason="id_reused", field="id")
    taken = test.taken
    if before is not None:
        taken = Taken(before["instrument"], before["variant"], before["version"], taken.answers)
    definition = definition_of(taken, office.instruments)
    if not definition.self_rated:
        raise Refused("not_self_rated", f"{definition.instrument} is not taken alone", "instrument")
    policy = office.care_tiers.at(tx.now) if before is None else office.care_tiers.of(before["policy"])
    result = scored(definition, taken.answers)
    tier = care_tier([result], policy)
    flag_id = _flag_id(test.id, office) if _to_flag(result, tier, policy) else None
    if before is None:
        if await tx.get("divisions", test.division) is None:
            raise Refused("unknown_division", f"there is no division {test.division}", "division")
        _keep(test, definition, result, tier, flag_id, policy, caller, tx)
        if flag_id is not None:
            _raise(test, flag_id, definition, result, tier, policy, caller.hotline, tx)
    return _answer(test, definition, result, tier, flag_id, policy)


def _to_flag(result: Result, tier: CareTier, policy: CarePolicy) -> bool:
    severe = higher(tier, policy.self_test.flag_from) is tier
    return result.safety_assessment_needed or (result.positive is True and severe)


def _flag_id(test: UUID, office: Office) -> UUID:
    """The same for the same test, and not to be worked out from the row without the office's key."""
    return UUID(hex=office.digest(f"self-test:{test}")[:32])


def _keep(
    test: SelfTest,
    definition: Definition,
    result: Result,
    tier: CareTier,
    flag_id: UUID | None,
    policy: CarePolicy,
    caller: Caller,
    tx: Tx,
) -> None:
    tx.insert(
        "self_tests",
        {
            "_id": test.id,
            "digest": test.digest(),
            "hotline": caller.hotline,
            "division": test.division,
            "instrument": definition.instrument,
            "variant": definition.variant,
            "version": definition.version,
            "policy": policy.version,
            "band": result.band,
            "tier": tier.value,
            "unsafe": result.safety_assessment_needed,
            "flagged": flag_id is not None,
            "at": tx.now,
        },
    )
    tx.emit(
        SelfTestTaken(
            **tx.stamp(test.division),
            division=test.division,
            instrument=definition.instrument,
            variant=definition.variant,
            tier=tier,
            positive=result.positive,
            unsafe=result.safety_assessment_needed,
            flagged=flag_id is not None,
            policy=policy.version,
        )
    )


def _raise(
    test: SelfTest,
    flag_id: UUID,
    definition: Definition,
    result: Result,
    tier: CareTier,
    policy: CarePolicy,
    hotline: str,
    tx: Tx,
) -> None:
    level = case_tier(result, policy)
    raise_flag(
        tx,
        source=hotline,
        way=Way.self_test,
        channel=Channel.other,
        division=test.division,
        contact=flag_id,
        ident=flag_id,
        age_band=test.age_band,
        sex=test.sex,
        hotline_level=LEVELS[level] if level else HotlineLevel.unknown,
        assessment=Assessment(
            instrument=definition.instrument,
            version=definition.version,
            answers=questions(definition, test.taken.answers),
            total=result.total if definition.method != "rules" else None,
        ),
        consent_to_follow_up=test.consent_to_follow_up,
        # Nobody can be referred whom nobody can reach.
        referral_wanted=route(tier) is Route.refer and test.sealed_contact is not None,
        sealed_contact=test.sealed_contact,
    )


def questions(definition: Definition, answers: Any) -> tuple[Question, ...]:
    """What a flag tells of the answers: those that a rule about safety reads, as a yes or a no."""
    asked = {condition.item: condition for rule in definition.rules if rule.safety for condition in rule.when}
    found: list[Question] = []
    for ident, condition in asked.items():
        item = definition.by_id[ident]
        given = answers.get(ident)
        if given is None:
            continue
        value = item.read(given)
        said = Answer(given) if value is None else Answer.yes if condition.holds(given, value) else Answer.no
        if item.of.kind is Kind.yes_no and value is not None:
            said = Answer.yes if value else Answer.no
        found.append(Question(item=item.of.reported_as or ident, answer=said, window=item.of.window))
    return tuple(found)


def _answer(
    test: SelfTest, definition: Definition, result: Result, tier: CareTier, flag_id: UUID | None, policy: CarePolicy
) -> Document:
    words = policy.self_test
    plan = policy.plans[tier]
    return {
        "_id": test.id,
        "instrument": definition.instrument,
        "variant": definition.variant,
        "version": definition.version,
        "title": definition.title,
        "manual": {"code": definition.manual(None).code, "edition": definition.manual(None).edition},
        "total": result.total,
        "band": result.band,
        "band_label": definition.band(result.band).label if result.band else None,
        "tier": tier.value,
        "tier_label": plan.label,
        "elderly": elderly_tier([result], policy).value,
        "route": route(tier).value,
        "missing": list(result.missing),
        "messages": [
            *([words.urgent] if result.safety_assessment_needed else []),
            *([words.incomplete] if result.missing else []),
            plan.guidance,
            words.disclaimer,
        ],
        "help": [{"name": one.name, "phone": one.phone} for one in words.help],
        "flag_id": flag_id,
        "policy": policy.version,
    }
