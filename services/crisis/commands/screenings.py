"""Screenings are taken: each once, whoever sends it how often; what is wrong with one is said, and harms no other."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from chassis.auth import Caller
from chassis.clock import LOCAL, local_day
from chassis.tx import Document, Tx
from contracts.crisis import ScreeningConsent, ScreeningRoute, ScreeningTaken, ScreeningTier
from services.crisis import store
from services.crisis.commands.campaigns import own_sites
from services.crisis.commands.screenings_result import Findings, examine, follow_up, raise_concern
from services.crisis.domain import campaign as campaigns
from services.crisis.domain.campaign import Service
from services.crisis.domain.campaigns_policy import CampaignPolicy, Questionnaire
from services.crisis.domain.identity import identity_number, telephone
from services.crisis.domain.instruments import CareTier
from services.crisis.domain.screening import (
    By,
    Screening,
    State,
    difference,
    rank,
    tally,
    wrong_answer,
)
from services.crisis.office import Office

TAKEN, ALREADY, REFUSED = "taken", "already_taken", "refused"
NOT_OFFERED = {"state": "none"}


@dataclass(frozen=True)
class Outcome:
    """What became of one row: `taken`, `already_taken`, or `refused` with the reason and the field."""

    word: str
    document: Document | None = None
    reason: str | None = None
    detail: str | None = None
    field: str | None = None
    guidance: str | None = None
    """What the person is told."""


@dataclass(frozen=True)
class Fieldwork:
    """What all rows of one upload share."""

    campaign: Document
    sites: dict[str, Document]
    policy: CampaignPolicy
    questionnaire: Questionnaire
    needs: frozenset[str]
    definitions: dict[str, Any]
    caller: Caller


async def take_screenings(
    campaign_id: UUID, rows: Sequence[tuple[UUID, Screening]], caller: Caller, tx: Tx, office: Office
) -> list[Outcome]:
    """Take each row or say why not, in order; `NotFound` where the campaign does not exist for the caller."""
    campaign = await store.the_campaign(tx, campaign_id)
    policy = office.campaigns.of(campaign["policy"])
    questionnaire = policy.questionnaires[campaign["questionnaire"].partition("@")[0]]
    work = Fieldwork(
        campaign=campaign,
        sites=own_sites(campaign, caller),
        policy=policy,
        questionnaire=questionnaire,
        needs=frozenset(item.id for item in questionnaire.needs),
        definitions={
            one["instrument"]: office.instruments.get(one["instrument"], one["variant"], one["version"])
            for one in campaign["instruments"]
        },
        caller=caller,
    )
    await _read_ahead(rows, work, tx, office)
    return [await _take(ident, row, work, tx, office) for ident, row in rows]


async def _read_ahead(rows: Sequence[tuple[UUID, Screening]], work: Fieldwork, tx: Tx, office: Office) -> None:
    """Everything that the rows will look up, in four round trips however many they are."""
    await tx.load("screenings", [ident for ident, _ in rows])
    keys = [key for _, row in rows if (key := _key(row, work.campaign["_id"], office))]
    await tx.load("screening_people", keys)
    known = [people["counts"] for key in keys if (people := await tx.get("screening_people", key))]
    await tx.load("screenings", known)
    await office.keys.load(tx, [person for _, row in rows if (person := person_of(row, office))])


def person_of(row: Screening, office: Office) -> str | None:
    """The person's pseudonym; an identity number comes first, since a household shares a telephone."""
    if row.person is None:
        return None
    return office.pseudonym(identity_number(row.person.identity) or telephone(row.person.phone))


def _key(row: Screening, campaign_id: UUID, office: Office) -> str | None:
    """Under which the person is known in this campaign: husband and wife with one telephone are two persons."""
    person = person_of(row, office)
    if person is None or row.person is None:
        return None
    sex = "" if identity_number(row.person.identity) else row.sex.value
    return f"{campaign_id}:{person}{sex}"


async def _take(ident: UUID, row: Screening, work: Fieldwork, tx: Tx, office: Office) -> Outcome:
    digest = office.digest("screening " + json.dumps(row.model_dump(mode="json"), sort_keys=True))
    present = await tx.get("screenings", ident)
    if present is not None:
        if present["campaign_id"] != work.campaign["_id"]:
            return _reused()
        if present["state"] in (State.taken, State.declined):
            return _known(present, office) if present["digest"] == digest else _reused()
    findings = examine(row, work.definitions, office, tx)
    refusal = _why_not(row, work, tx) or findings.refusal
    age = row.age_in(local_day(row.taken_at).year)
    ineligible = None
    if refusal is None and row.consent.answer is ScreeningConsent.given:
        ineligible = _eligibility(work).reason_against(age, row.residence, row.group)
    if refusal is None and ineligible is not None:
        refusal = (ineligible, "the person is not one of those whom the campaign is for", _field_of(ineligible))
    if refusal is not None and ineligible is None and not (findings.unsafe and row.site in work.sites):
        return Outcome(REFUSED, None, *refusal)
    if present is not None and present["digest"] == digest and refusal is not None:
        return Outcome(REFUSED, present, *refusal)
    document = _document(ident, row, digest, findings, work, tx, office)
    if present is not None:
        document["flag_id"], document["flagged_for"] = present["flag_id"], present["flagged_for"]
    if refusal is not None:
        document |= {"state": (State.ineligible if ineligible else State.refused).value, "reason": refusal[0]}
        document |= {"answers": {}, "instruments": {}, "services": [], "ask_again": False, "peer_leader": NOT_OFFERED}
    if refusal is not None and not findings.unsafe:
        document["person"] = None
    raise_concern(document, row, findings, work.campaign, work.policy, tx, office)
    again = False
    if document["state"] == State.taken:
        again = await _among_the_persons_own(document, row, work, tx, office)
        await _keep_contact(document, row, tx, office)
        await _follow_up(document, row, work, tx, office)
    if present is not None:
        _count(present, tally(present, work.needs), {}, tx)
    _count(document, {}, tally(document, work.needs), tx)
    tx.put("screenings", document)
    if refusal is not None:
        return Outcome(REFUSED, document, *refusal)
    _tell(document, again, tx)
    return Outcome(TAKEN, document, guidance=_guidance(document, office))


def _known(present: Document, office: Office) -> Outcome:
    return Outcome(ALREADY, present, guidance=_guidance(present, office))


def _guidance(document: Document, office: Office) -> str | None:
    if document["tier"] is None:
        return None
    return office.care_tiers.of(document["care_policy"]).plans[CareTier(document["tier"])].guidance


def _reused() -> Outcome:
    return Outcome(REFUSED, None, "id_reused", "this id was taken before with another content", "id")


def _eligibility(work: Fieldwork) -> campaigns.Eligibility:
    rule = work.campaign["eligibility"]
    return campaigns.Eligibility(
        rule["min_age"], rule["max_age"], frozenset(rule["residence"]), frozenset(rule["groups"])
    )


def _field_of(reason: str) -> str:
    return {"not_resident": "residence", "not_in_group": "group"}.get(reason, "age")


Refusal = tuple[str, str, str]


def _why_not(row: Screening, work: Fieldwork, tx: Tx) -> Refusal | None:
    """Reason, detail and field of what is wrong with a row; `None` for one that may be taken."""
    campaign = work.campaign
    if campaigns.State(campaign["state"]) not in campaigns.TAKES:
        return "campaign_not_running", f"the campaign is {campaign['state']}", "campaign"
    site = work.sites.get(row.site)
    if site is None:
        return "unknown_site", "the campaign has no such site for you", "site"
    if row.batch is not None and row.batch not in site["batches"]:
        return "unknown_batch", "the site has no such batch", "batch"
    if row.questionnaire != campaign["questionnaire"]:
        return "another_questionnaire", f"the campaign asks by {campaign['questionnaire']}", "questionnaire"
    return _wrong_time(row, work, tx) or _without_consent(row, work) or _wrong_content(row, work)


def _wrong_time(row: Screening, work: Fieldwork, tx: Tx) -> Refusal | None:
    entry = work.policy.entry
    if row.taken_at > tx.now + timedelta(seconds=entry.future_tolerance_seconds):
        return "time_in_future", "taken_at lies in the future", "taken_at"
    starts, ends = (campaigns.day_of(work.campaign[name]) for name in ("starts", "ends"))
    if not campaigns.in_window(local_day(row.taken_at), starts, ends, entry.window_tolerance_days):
        return "outside_window", f"the campaign lasts from {starts} to {ends}", "taken_at"
    if row.consent.at > row.taken_at:
        return "consent_too_late", "consent comes before the first question", "consent.at"
    if row.started_at is not None and not row.consent.at <= row.started_at <= row.taken_at:
        return "consent_too_late", "consent comes before the first question, and that before the end", "started_at"
    return None


def _without_consent(row: Screening, work: Fieldwork) -> Refusal | None:
    if row.consent.answer is ScreeningConsent.refused:
        for field in ("answers", "instruments", "person"):
            if getattr(row, field):
                return "no_consent", "who refuses is not asked, and not named", field
        return None
    if row.started_at is None:
        return "needed", "say when the first question was asked", "started_at"
    year = row.taken_at.astimezone(LOCAL).year
    minor = row.may_be_below(work.policy.entry.adult_age, year)
    if work.campaign["kind"] == campaigns.Kind.school_classes and row.age_in(year) is None:
        return "needed", "say how old the pupil is", "age"
    if minor and row.consent.by is not By.guardian:
        return "guardian_consent_needed", "for a minor the guardian consents", "consent.by"
    return None


def _wrong_content(row: Screening, work: Fieldwork) -> Refusal | None:
    if row.consent.answer is ScreeningConsent.refused:
        return None
    age = row.age_in(local_day(row.taken_at).year)
    if field := _eligibility(work).unknown(age, row.residence, row.group):
        return "needed", "without it nobody knows whether the campaign is for this person", field
    if wrong := wrong_answer(row.answers, work.questionnaire):
        return "no_such_answer", wrong[1], wrong[0]
    return None


def _document(
    ident: UUID, row: Screening, digest: str, findings: Findings, work: Fieldwork, tx: Tx, office: Office
) -> Document:
    """A screening as it is kept; the person by pseudonym alone."""
    given = row.consent.answer is ScreeningConsent.given
    return {
        "_id": ident,
        "campaign_id": work.campaign["_id"],
        "division": work.sites[row.site]["division"],
        "site": row.site,
        "batch": row.batch,
        "state": (State.taken if given else State.declined).value,
        "reason": None,
        "digest": digest,
        "by": work.caller.subject,
        "at": tx.now,
        "started_at": row.started_at,
        "taken_at": row.taken_at,
        "age": row.age_in(local_day(row.taken_at).year),
        "sex": row.sex.value,
        "residence": row.residence.value if row.residence else None,
        "group": row.group,
        "location_code": row.location_code,
        "consent": {
            "answer": row.consent.answer.value,
            "by": row.consent.by.value,
            "how": row.consent.how.value,
            "at": row.consent.at,
            "contact": row.consent.contact.value,
        },
        "person": person_of(row, office),
        "contact_kept": False,
        "answers": dict(row.answers),
        "instruments": {name: dict(answers) for name, answers in row.instruments.items()},
        "results": findings.results if given else {},
        "tier": findings.tier.value if given else None,
        "elderly_tier": findings.elderly.value if given else None,
        "route": findings.route.value if given else None,
        "unsafe": findings.unsafe,
        "services": _services(row, findings, work) if given else [],
        "peer_leader": {"state": "offered"} if given and findings.offers_peer_leader else NOT_OFFERED,
        "double": False,
        "ask_again": given and findings.tier is ScreeningTier.unknown,
        "flag_id": None,
        "flagged_for": None,
        "programme_id": None,
        "people": None,
        "host": work.campaign["host"],
        "policy": work.policy.version,
        "care_policy": findings.policy,
    }


def _services(row: Screening, findings: Findings, work: Fieldwork) -> list[str]:
    """What was done on the spot, and what follows."""
    follow = work.policy.services.follow[ScreeningRoute(findings.route.value)]
    return sorted({Service.assessment, *row.services, *follow})


async def _among_the_persons_own(document: Document, row: Screening, work: Fieldwork, tx: Tx, office: Office) -> bool:
    """Which of the person's screenings counts is decided anew, so the order in which they arrive does not matter.

    Returns whether the person was screened in this campaign before.
    """
    key = _key(row, work.campaign["_id"], office)
    if key is None:
        return False
    people = await tx.get("screening_people", key)
    if people is None:
        tx.put("screening_people", {"_id": key, "counts": document["_id"], "programme_id": None})
        document["people"] = key
        return False
    document["people"] = key
    counting = await tx.get("screenings", people["counts"])
    if counting is not None and rank(document) > rank(counting):
        document |= {"double": True, "ask_again": False}
        return True
    if counting is not None:
        repetition = {**counting, "double": True, "ask_again": False}
        _count(repetition, tally(counting, work.needs), tally(repetition, work.needs), tx)
        tx.put("screenings", repetition)
    tx.put("screening_people", {**people, "counts": document["_id"]})
    return True


async def _follow_up(document: Document, row: Screening, work: Fieldwork, tx: Tx, office: Office) -> None:
    """Once for a person in a campaign, however often the person is screened."""
    people = await tx.get("screening_people", document["people"]) if document["people"] else None
    programme = work.policy.populations[campaigns.Kind(work.campaign["kind"])].programme
    incident = UUID(work.campaign["incident_id"]) if work.campaign["incident_id"] else None
    present = people["programme_id"] if people else None
    await follow_up(document, row, programme, present, incident, work.caller, tx, office)
    if people is not None and document["programme_id"] not in (None, present):
        tx.put("screening_people", {**people, "programme_id": document["programme_id"]})


async def _keep_contact(document: Document, row: Screening, tx: Tx, office: Office) -> None:
    if row.person is None or document["person"] is None:
        return
    fields = row.person.model_dump(exclude_none=True)
    sealed = await office.keys.seal(tx, document["person"], fields)
    document["contact_kept"] = True
    tx.put(
        "screening_contacts",
        {
            "_id": document["_id"],
            "campaign_id": document["campaign_id"],
            "person": document["person"],
            "sealed": sealed,
            "at": tx.now,
        },
    )


def _count(document: Document, before: dict[str, int], after: dict[str, int], tx: Tx) -> None:
    if change := difference(before, after):
        tx.increment("screening_counts", counter(document["campaign_id"], document["site"], document["batch"]), change)


def counter(campaign_id: UUID, site: str, batch: str | None) -> str:
    """The key of a site's and batch's counters."""
    return f"{campaign_id}:{site}:{batch or ''}"


def _tell(document: Document, again: bool, tx: Tx) -> None:
    tx.emit(
        ScreeningTaken(
            **tx.stamp(document["division"]),
            campaign_id=document["campaign_id"],
            screening_id=document["_id"],
            division=document["division"],
            consent=ScreeningConsent(document["consent"]["answer"]),
            tier=ScreeningTier(document["tier"]) if document["tier"] else None,
            route=ScreeningRoute(document["route"]) if document["route"] else None,
            double=again,
            flagged=document["flag_id"] is not None,
            policy=document["policy"],
        )
    )
