"""The gate: whether a person may do something on a day, and every reason why not.

What is asked is a list of requirements, what is known of the person is a set of facts; each requirement that is not
met is one reason. More that is fulfilled takes reasons away and never adds one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, model_validator

from services.registry.domain.insurance import covers
from services.registry.domain.qualifications import KINDS, State, standing
from services.registry.domain.qualifications_policy import Service
from services.registry.domain.trainings import TOPICS
from services.registry.domain.trainings_policy import Site
from services.registry.domain.versions import PolicyPart, Source, Versioned

REASONS = {
    "inactive": "未登记在册或已停用",
    "matching_consent": "已撤回用于服务对接和联系的同意",
    "minor_barred": "未成年人不得承担",
    "age_unknown": "年龄不详，不能确认已成年",
    "pledge_missing": "未签署现行保密承诺书",
    "qualification_missing": "缺少所需资质",
    "qualification_unverified": "资质尚未核验",
    "qualification_expired": "资质已过有效期",
    "training_missing": "未完成所需培训",
    "training_not_passed": "培训尚未考核通过",
    "training_expired": "培训已过有效期",
    "insurance_missing": "没有有效保险",
    "place_not_medical": "只能在医疗机构内开展",
    "record_check_missing": "没有在有效期内的违法犯罪记录查询结果",
}
Words = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,62}$")]


class RoleRule(PolicyPart):
    """What a role on a roster asks for; a role without a rule is taken by nobody.

    A training is asked for as a record of it from the moment at which a course in it is first offered in the division.
    Until then nobody can have one: with `training_may_wait` it is not asked for, with `word_counts` the office's word
    that the person was trained (附件1) does, and otherwise nobody may. Nothing but a training waits for an offer.
    `service` names the service whose qualifications the role asks for, where `any_of` does not name them itself.
    `adult` is for what no minor does, `record_check` for who is with children: see `domain.children_checks`.
    """

    role: Words
    label: Annotated[str, Field(min_length=2, max_length=64)]
    trainings: tuple[str, ...] = ()
    training_may_wait: bool = False
    word_counts: bool = False
    service: str | None = None
    any_of: tuple[str, ...] = ()
    pledge: bool = False
    insurance: bool = False
    adult: bool = False
    record_check: bool = False
    source: Source

    @model_validator(mode="after")
    def known(self) -> RoleRule:
        if set(self.trainings) - TOPICS.keys() or set(self.any_of) - KINDS.keys():
            raise ValueError(f"{self.role}: a training or a qualification that is not known")
        if (self.training_may_wait or self.word_counts) and not self.trainings:
            raise ValueError(f"{self.role}: what may wait for an offer is a training, and none is named")
        if self.training_may_wait and self.word_counts:
            raise ValueError(f"{self.role}: a training waits, or the office's word does; not both")
        if self.service is not None and self.any_of:
            raise ValueError(f"{self.role}: the qualifications are those of the service or its own, not both")
        return self


class GatePolicy(Versioned):
    roles: tuple[RoleRule, ...]

    @model_validator(mode="after")
    def once(self) -> GatePolicy:
        names = [one.role for one in self.roles]
        if len(set(names)) != len(names):
            raise ValueError("each role once")
        return self

    def role(self, name: str) -> RoleRule | None:
        return next((one for one in self.roles if one.role == name), None)


@dataclass(frozen=True)
class Binding:
    """A role as it binds: `by_word` trainings for which the office's word does, `waits` those not offered yet."""

    rule: RoleRule | None = None
    by_word: frozenset[str] = frozenset()
    waits: tuple[str, ...] = ()
    barred: bool = False


def bound(rule: RoleRule, offered: Collection[str], service: Service | None, barred: Collection[str]) -> Binding:
    """A role's rule where courses in the topics `offered` were ever offered; `service` is the one that it names.

    Of all that a role asks for only a training waits for an offer. `barred` are the roles that minors do not take.
    """
    waits = tuple(topic for topic in rule.trainings if topic not in offered)
    asked = tuple(topic for topic in rule.trainings if not (rule.training_may_wait and topic in waits))
    any_of = service.any_of if service is not None else rule.any_of
    return Binding(
        rule.model_copy(update={"trainings": asked, "any_of": any_of}),
        frozenset(waits) if rule.word_counts else frozenset(),
        waits,
        rule.adult or rule.role in barred or (service is not None and service.adult),
    )


@dataclass(frozen=True)
class Requirement:
    """One thing that is needed. `any_of` are kinds of qualification, kinds of organisation, or one topic.

    `word` is of a training: the office's word that the person was trained does as well as a record.
    """

    need: str
    source: str
    any_of: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    passed: bool = True
    word: bool = False


@dataclass(frozen=True)
class Held:
    """A qualification: its state as written, and ISO days (None has no end)."""

    kind: str
    state: str
    valid_from: str | None = None
    valid_until: str | None = None


@dataclass(frozen=True)
class Trained:
    """A training that was attended."""

    topics: frozenset[str]
    level: str
    passed: bool
    on: str
    until: str | None = None


@dataclass(frozen=True)
class Facts:
    """What is known of a person, and in which kind of organisation the work is done (None: not said).

    `age_known` is whether an age or a birth was told at all, `contactable` whether the consent to being matched and
    contacted was not taken back, `word` whether the office vouches that the person was trained. `cleared` are the days
    for which a query of the record of offences came back clear.
    """

    active: bool = False
    minor: bool = True
    pledged: bool = False
    held: tuple[Held, ...] = ()
    trained: tuple[Trained, ...] = ()
    covers: tuple[tuple[str, str], ...] = ()
    organisation_kind: str | None = None
    age_known: bool = False
    contactable: bool = False
    word: bool = False
    cleared: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Reason:
    """Why not; `any_of` and `levels` say what would do."""

    code: str
    any_of: tuple[str, ...]
    levels: tuple[str, ...]
    source: str


def asked_by(
    service: Service | None,
    role: RoleRule | None,
    site: Site | None,
    barred: bool,
    barred_source: str,
    by_word: Collection[str] = (),
) -> list[Requirement]:
    """All that a service, a role and a site ask for; everyone has to be active.

    Who is to serve others is matched and contacted, and the consent to that may be taken back. For the trainings in
    `by_word` the office's word does.
    """
    asked = [Requirement("active", "no published source; set by the district: a person who left does no duty")]
    if service is not None or role is not None:
        asked.append(Requirement("contact", "个人信息保护法第十五条: 个人有权撤回其同意"))
    if barred:
        asked.append(Requirement("adult", role.source if role is not None and role.adult else barred_source))
    if service is not None:
        if service.adult and not barred:
            asked.append(Requirement("adult", service.source))
        if service.any_of:
            asked.append(Requirement("qualification", service.source, service.any_of))
        if service.inside:
            asked.append(Requirement("place", service.source, service.inside))
    if role is not None:
        asked += [Requirement("training", role.source, (one,), word=one in by_word) for one in role.trainings]
        if role.any_of:
            asked.append(Requirement("qualification", role.source, role.any_of))
        if role.pledge:
            asked.append(Requirement("pledge", role.source))
        if role.insurance:
            asked.append(Requirement("insurance", role.source))
        if role.record_check:
            asked.append(Requirement("record_check", role.source))
    if site is not None:
        asked.append(Requirement("training", site.source, (), site.levels, site.passed))
    return asked


def unmet(asked: Iterable[Requirement], facts: Facts, day: str) -> list[Reason]:
    """The reasons why not, on an ISO day of Asia/Shanghai; none is a yes."""
    reasons = []
    for one in asked:
        code = _flaw(one, facts, day)
        if code is not None:
            reasons.append(Reason(code, one.any_of, one.levels, one.source))
    return reasons


def _flaw(one: Requirement, facts: Facts, day: str) -> str | None:
    match one.need:
        case "active":
            return None if facts.active else "inactive"
        case "contact":
            return None if facts.contactable else "matching_consent"
        case "adult":
            if not facts.age_known:
                return "age_unknown"
            return "minor_barred" if facts.minor else None
        case "pledge":
            return None if facts.pledged else "pledge_missing"
        case "qualification":
            return _qualification(one, facts.held, day)
        case "training":
            return None if one.word and facts.word else _training(one, facts.trained, day)
        case "insurance":
            return None if any(covers(first, last, day) for first, last in facts.covers) else "insurance_missing"
        case "record_check":
            # One word whatever the reason: what was found is nobody's business but those who enter it.
            return None if any(covers(first, last, day) for first, last in facts.cleared) else "record_check_missing"
        case "place":
            return None if facts.organisation_kind in one.any_of else "place_not_medical"
    raise ValueError(one.need)


def _qualification(one: Requirement, held: Sequence[Held], day: str) -> str | None:
    found = set()
    for own in held:
        if own.kind not in one.any_of:
            continue
        state = standing(own.state, own.valid_until, day)
        if state is State.verified and (own.valid_from is None or own.valid_from <= day):
            return None
        found.add(state)
    if State.entered in found:
        return "qualification_unverified"
    return "qualification_expired" if State.expired in found else "qualification_missing"


def _training(one: Requirement, trained: Sequence[Trained], day: str) -> str | None:
    found = set()
    for own in trained:
        if not set(one.any_of) <= own.topics or (one.levels and own.level not in one.levels) or own.on > day:
            continue
        if own.until is not None and own.until < day:
            found.add("training_expired")
        elif one.passed and not own.passed:
            found.add("training_not_passed")
        else:
            return None
    return min(found, default="training_missing", key=["training_not_passed", "training_expired"].index)
