"""Minors: guardians, the mandatory report to the police, and the strict access class."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from chassis import observe
from chassis.auth import Caller
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.sealing import Unreadable
from chassis.tx import Document, Tx
from contracts.base import Answer, Tier
from contracts.crisis import HarmSituationCode, MandatoryReportMade, MandatoryReportRequired
from services.crisis import store
from services.crisis.case import check_responder, need_decision, note, raise_tier, seal_key
from services.crisis.commands.emergency import UNCONFIRMED
from services.crisis.commands.reasons import ERASED, reason_of, sealed_reason
from services.crisis.commands.rights import known_case, seen_case
from services.crisis.domain.codes import HarmSituation, Relation, ReportedTo, SpecialPopulation
from services.crisis.domain.matters import Matter
from services.crisis.domain.report import State, allows, asked_for
from services.crisis.office import Office

HARM = "suspected_harm_to_minor"
"""The question of a flag, as the policy's rules name it."""
REPORT = "report"
"""The timer of a report that is to be made, one a case."""


# The duty


def follow_harm(case: Document, tx: Tx, office: Office, *, new: bool = False) -> None:
    """Bring the report's state up to what is known of harm now; `new` where a contact has just said yes to it."""
    report = case.get("report") or {"state": State.none.value}
    present = State(report["state"])
    state = asked_for(present, Answer(case["harm_to_minor"]), case["minor"], new=new)
    if state is State.required and present is not State.required:
        _require(case, report, tx, office)
    elif state is not present:
        case["report"] = {"state": state.value} | ({"since": tx.now} if state is State.unclear else {})


def _require(case: Document, report: Document, tx: Tx, office: Office) -> None:
    policy = office.minors.at(tx.now)
    step = policy.step(0)
    due_at = tx.now + step.time
    case["report"] = {
        "state": State.required.value,
        "since": tx.now,
        "due_at": due_at,
        "step": 0,
        "role": step.role,
        "policy": policy.version,
        "proposal": None,
        "earlier": [*report.get("earlier", []), *([made] if (made := report.get("made")) else [])][-20:],
        "made": None,
    }
    tx.set_timer(REPORT, case["_id"], due_at)
    note(case, tx, "report_required", "policy")
    tx.emit(
        MandatoryReportRequired(
            **tx.stamp(case["division"]),
            case_id=case["_id"],
            division=case["division"],
            report_by=due_at,
            policy=policy.version,
        )
    )


async def report_due(case_id: UUID, tx: Tx, office: Office) -> None:
    """The report is not made: the next role is called, the last one again and again, and a supervisor sees it."""
    case = await tx.get("cases", case_id)
    if case is None or case["state"] != "open":
        return
    report = case["report"]
    if report["state"] != State.required:
        return
    if report["due_at"] > tx.now:
        tx.set_timer(REPORT, case_id, report["due_at"])
        return
    step = office.minors.of(report["policy"]).step(report["step"] + 1)
    due_at = tx.now + step.time
    case["report"] = {**report, "step": report["step"] + 1, "role": step.role, "due_at": due_at}
    tx.set_timer(REPORT, case_id, due_at)
    need_decision(case, Matter.report_not_made)
    note(case, tx, "report_overdue", "policy", step=report["step"] + 1, called=step.role)
    tx.put("cases", case)


async def answer_harm(case_id: UUID, answer: Answer, reason: str, caller: Caller, tx: Tx, office: Office) -> Document:
    """What the caller found out about harm to a minor. A yes brings the duty to report; a no does not end it."""
    case = await seen_case(case_id, caller, tx)
    if answer is Answer.not_asked:
        raise Refused("not_an_answer", "not to have asked is no answer that can be given", "answer")
    if case["harm_to_minor"] == Answer.yes and answer is not Answer.yes:
        raise NotAllowed("harm is known; that no report is required takes two persons")
    case["harm_to_minor"] = answer.value
    follow_harm(case, tx, office, new=answer is Answer.yes)
    if answer is Answer.yes:
        await _raise_as_a_flag_would(case, caller, tx, office)
    note(case, tx, "harm_asked", caller.subject, answer=answer.value)
    tx.record(
        actor=caller.subject,
        action="harm_to_minor_answered",
        subject=str(case_id),
        division=case["division"],
        reason=reason,
        answer=answer.value,
    )
    tx.put("cases", case)
    return case


async def _raise_as_a_flag_would(case: Document, caller: Caller, tx: Tx, office: Office) -> None:
    policy = office.policies.at(tx.now)
    tiers = [rule.tier for rule in policy.tiering.answers if (rule.question, rule.answer) == (HARM, Answer.yes)]
    tier = Tier.highest([Tier.low, *tiers])
    if tier.rank > case["rank"]:
        receivers = await store.receivers_of(tx, [case["division"][:6]])
        await raise_tier(case, tx, policy, tier, receivers, caller.subject, f"{HARM}=yes")


async def make_report(
    case_id: UUID,
    situation: HarmSituation,
    to: ReportedTo,
    reference: str | None,
    caller: Caller,
    tx: Tx,
) -> Document:
    """The caller has reported to the police; the same report again changes nothing."""
    case = await seen_case(case_id, caller, tx)
    report = case.get("report") or {"state": State.none.value}
    made = {"situation": situation.value, "to": to.value, "reference": reference, "by": caller.subject}
    if report["state"] == State.made and made.items() <= report["made"].items():
        return case
    _must_allow(report, State.made)
    case["report"] = {**report, "state": State.made.value, "proposal": None, "made": {**made, "at": tx.now}}
    _settled(case, tx)
    note(case, tx, "report_made", caller.subject, situation=situation.value, to=to.value)
    tx.record(
        actor=caller.subject,
        action="mandatory_report_made",
        subject=str(case_id),
        division=case["division"],
        reason=situation.label,
        situation=situation.value,
        to=to.value,
    )
    seconds = max(0, int((tx.now - report["since"]).total_seconds()))
    tx.emit(
        MandatoryReportMade(
            **tx.stamp(case["division"]),
            case_id=case_id,
            division=case["division"],
            situation=HarmSituationCode(situation.value),
            seconds=seconds,
            on_time=report["step"] == 0,
        )
    )
    tx.put("cases", case)
    return case


async def confirm_report(case_id: UUID, receipt: str, caller: Caller, tx: Tx) -> Document:
    """The police has confirmed that it has the report, under a number of its own."""
    case = await seen_case(case_id, caller, tx)
    report = case.get("report") or {"state": State.none.value}
    if report["state"] == State.received and report["received"]["receipt"] == receipt:
        return case
    _must_allow(report, State.received)
    received = {"receipt": receipt, "by": caller.subject, "at": tx.now}
    case["report"] = {**report, "state": State.received.value, "received": received}
    note(case, tx, "report_received", caller.subject)
    tx.put("cases", case)
    return case


async def propose_no_report(case_id: UUID, reason: str, caller: Caller, tx: Tx, office: Office) -> Document:
    """The first of two persons who decide that no report is required; until the second, it is."""
    case = await seen_case(case_id, caller, tx)
    report = case.get("report") or {"state": State.none.value}
    _must_allow(report, State.not_required)
    sealed = await sealed_reason(seal_key(case), reason, tx, office)
    case["report"] = {**report, "proposal": {"by": caller.subject, "at": tx.now, **sealed}}
    note(case, tx, "no_report_proposed", caller.subject)
    tx.record(
        actor=caller.subject,
        action="no_report_proposed",
        subject=str(case_id),
        division=case["division"],
        reason=reason,
    )
    tx.put("cases", case)
    return case


async def agree_to_no_report(case_id: UUID, reason: str, caller: Caller, tx: Tx, office: Office) -> Document:
    """The second person, a supervisor who is not the first."""
    caller.needs("supervisor")
    case = await seen_case(case_id, caller, tx)
    report = case.get("report") or {"state": State.none.value}
    _must_allow(report, State.not_required)
    proposal = report["proposal"]
    if proposal is None:
        raise NotAllowed("nobody has proposed that no report is required")
    if proposal["by"] == caller.subject:
        raise NotAllowed("deciding against a report takes a second person", status=403)
    decided = {"by": caller.subject, "at": tx.now, "proposed_by": proposal["by"]}
    case["report"] = {**report, "state": State.not_required.value, "proposal": None, "not_required": decided}
    _settled(case, tx)
    note(case, tx, "report_not_required", caller.subject, proposed_by=proposal["by"])
    tx.record(
        actor=caller.subject,
        action="mandatory_report_not_required",
        subject=str(case_id),
        division=case["division"],
        reason=reason,
        proposed_by=proposal["by"],
        proposed_because=await reason_of(proposal, tx, office) or ERASED,
    )
    tx.put("cases", case)
    return case


def _must_allow(report: Document, state: State) -> None:
    if not allows(State(report["state"]), state):
        raise NotAllowed(f"the report is {report['state']}; it cannot become {state}")


def _settled(case: Document, tx: Tx) -> None:
    tx.cancel_timer(REPORT, case["_id"])
    case["decisions_needed"] = [matter for matter in case["decisions_needed"] if matter != Matter.report_not_made]


def check_report(case: Document) -> None:
    """Raises `NotAllowed` while a report is to be made, or nobody has asked a minor about harm."""
    report = case.get("report") or {"state": State.none.value}
    if report["state"] == State.required:
        raise NotAllowed("the mandatory report is not made", reason="report_not_made")
    if report["state"] == State.unclear and case["harm_to_minor"] == Answer.not_asked:
        raise NotAllowed(
            "nobody has asked about harm to this minor: ask, and record the answer; “unknown” is one",
            reason="harm_not_asked",
        )


# Guardians


async def keep_guardian(
    case_id: UUID,
    relation: Relation,
    consent: Answer,
    suspected: Answer,
    texts: dict[str, str],
    caller: Caller,
    tx: Tx,
    office: Office,
) -> Document:
    """Who the guardian is, and whether the guardian consents. One who is suspected of the harm is asked for nothing."""
    case = await seen_case(case_id, caller, tx)
    if not case["minor"]:
        raise NotAllowed("a guardian is kept for a minor")
    known = await tx.get("guardians", case_id)
    others = (known or {}).get("others", [])
    # The others are sealed under the document's key: all of it stays under one.
    person = (known["person"] if known and others else None) or case["person"] or case["flags"][0]["id"]
    sealed = await office.keys.seal(tx, person, texts) if texts else (known or {}).get("sealed")
    codes = {"relation": relation.value, "consent": consent.value, "suspected": suspected.value}
    tx.put(
        "guardians",
        {
            "_id": case_id,
            "case_id": case_id,
            "division": case["division"],
            **codes,
            "by": caller.subject,
            "at": tx.now,
            "person": person if texts or known is None else known["person"],
            "sealed": sealed,
            "others": others,
        },
    )
    case["guardian"] = {**codes, "at": tx.now}
    note(case, tx, "guardian", caller.subject, **codes)
    tx.put("cases", case)
    return case


async def open_guardian(case_id: UUID, reason: str, caller: Caller, tx: Tx, office: Office) -> dict[str, Any]:
    """Name and telephone of the guardian, and of `others` that a case brought which was merged into this one; the
    reading is logged.
    """
    case = await known_case(case_id, caller, tx)
    guardian = await tx.get("guardians", case_id)
    if guardian is None:
        raise NotFound("no guardian is kept for this case")
    tx.record(
        actor=caller.subject, action="guardian_read", subject=str(case_id), division=case["division"], reason=reason
    )
    observe.PERSONAL_READS.labels("minors").inc()
    person = guardian["person"]
    others = [await _opened_guardian(one, person, tx, office) for one in guardian.get("others", ())]
    return await _opened_guardian(guardian, person, tx, office) | ({"others": others} if others else {})


async def _opened_guardian(guardian: Document, person: Any, tx: Tx, office: Office) -> dict[str, Any]:
    try:
        texts = await office.keys.open(tx, person, guardian["sealed"]) if guardian.get("sealed") else {}
    except Unreadable:
        texts = {}
    return {name: guardian[name] for name in ("relation", "consent", "suspected", "by", "at")} | texts


def need_guardians_consent(case: Document, tx: Tx, office: Office) -> None:
    """Raises `NotAllowed` (403) where a person under 14 is not in an emergency and the guardian has not consented.

    A guardian who is suspected of the harm is not asked.
    """
    if not case.get("under_14"):
        return
    guardian = case.get("guardian") or {}
    emergency = (
        case["rank"] >= office.minors.at(tx.now).consent.without_from.rank
        or case["emergency"]["state"] in UNCONFIRMED
        or (case.get("report") or {}).get("state") == State.required
    )
    if emergency or guardian.get("consent") == Answer.yes or guardian.get("suspected") == Answer.yes:
        return
    raise NotAllowed(
        "under 14 this needs the guardian's consent (个人信息保护法 art. 31)", status=403, reason="guardian_consent"
    )


# The strict access class


async def set_access_class(
    case_id: UUID,
    strict: bool,
    population: SpecialPopulation | None,
    reason: str,
    caller: Caller,
    tx: Tx,
    office: Office,
) -> Document:
    """Into the strict class by any officer, out of it by a supervisor; a person under 14 stays in it.

    That somebody is of a special population is taken back or changed by another person than the one who said it.
    """
    case = await seen_case(case_id, caller, tx)
    before = case.get("access", "ordinary")
    said = population.value if population else None
    if case.get("population") is not None and said != case["population"]:
        caller.needs("supervisor")
        if caller.subject == case.get("population_by"):
            raise NotAllowed("taking a special population back takes a second person", status=403)
    if not strict:
        if before == "strict":
            caller.needs("supervisor")
        if case.get("under_14"):
            raise NotAllowed("data of a person under 14 stays in the strict class")
        if population is not None:
            raise Refused("strict_only", "one of the special populations belongs in the strict class", "population")
    case["access"] = "strict" if strict else "ordinary"
    if said != case.get("population"):
        case["population"], case["population_by"] = said, caller.subject
    if strict and before != "strict":
        # Who was asked, or may be asked still, was not chosen for this.
        check_responder(case, tx, office.policies.at(tx.now))
    note(case, tx, "access_class", caller.subject, access=case["access"])
    tx.record(
        actor=caller.subject,
        action="access_class_set",
        subject=str(case_id),
        division=case["division"],
        reason=reason,
        access=case["access"],
        before=before,
    )
    tx.put("cases", case)
    return case
