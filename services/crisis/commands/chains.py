"""The chain of a case that came in a community or a school: each hop is received by a named person, or the next is
called as well. The line's own chain, the acknowledgement clock, runs beside it where the policy says so, and in its
place where nobody of the chain is called.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from chassis.auth import Caller
from chassis.errors import NotAllowed, NotFound
from chassis.tx import Document, Tx
from contracts.base import Tier
from contracts.crisis import HopCalled, HopOverdue, HopReceived, ReferralState
from contracts.hotline import RiskFlagged, Setting
from services.crisis import store
from services.crisis.case import LINE, nearest, need_decision, need_next_step, new_referral, note, start_clock
from services.crisis.commands.rights import OFFICERS, institution_of
from services.crisis.domain import chains
from services.crisis.domain.chains import Chain
from services.crisis.domain.chains_notices import Addressee, NoticeState
from services.crisis.domain.chains_policy import SettingChain
from services.crisis.domain.matters import Matter
from services.crisis.domain.referral import ACCEPTED, ENDED, WAITING
from services.crisis.office import Office
from services.crisis.store import concerns as store_of_hops
from services.crisis.store.chains_notices import unreceived_of

TIMER = "hop"
CLASS = "class_teacher"
OF_SCHOOL = frozenset({CLASS, "school_counsellor"})
OF_INSTITUTION = "receiver"
HOP_ROLES = ("volunteer", "community_worker", CLASS, "school_counsellor", OF_INSTITUTION, "department", *OFFICERS)
"""Who may be a hop."""

ASKED = {
    "receive": "请具名签收",
    "hold": "已签收，请继续负责",
    "wait": "已转下一级，对方签收前请继续负责",
}


# What flags and time do


async def begin_chain(case: Document, flag: RiskFlagged, tx: Tx, office: Office) -> None:
    """A case that came in a community or a school gets its chain, and the first hop is called.

    A school's warning that names no school has nobody to be received by: the line takes it, as everything else. What
    was once withheld from the class stays so in every later chain of the same school.
    """
    if flag.setting is Setting.line or (flag.setting is Setting.school and flag.organisation_id is None):
        return
    before = case.get("chain")
    if before is not None and not _replaceable(before, flag):
        await _tell_again(case, flag, tx, office)
        return
    policy = office.chains.at(tx.now)
    rules = policy.settings[flag.setting]
    kept_from_class = any(one["withheld"] and _of_same(one, flag) for one in case.get("past_chains", ()))
    chain = chains.begin(
        rules,
        policy.version,
        flag.setting,
        rules.withheld_start if kept_from_class else flag.starts_at,
        await _raised_by(flag, tx),
        flag.organisation_id,
        tx.now,
    )
    if before is not None:
        case["past_chains"] = [*case.get("past_chains", []), before][-10:]
    case["chain"] = chain
    note(case, tx, "chain_began", "policy", setting=flag.setting.value, withheld=chain["withheld"])
    if chains.holding(chain) is None or chains.HopState.passing in [hop["state"] for hop in chain["hops"]]:
        await _call(case, chains.to_call(chain), rules, tx, office)
    _arm(case, tx)
    if "acknowledgement" in case and not chains.carries(chain, Tier(case["tier"]), LINE):
        line_takes(case, tx, office)


async def _raised_by(flag: RiskFlagged, tx: Tx) -> tuple[str, str] | None:
    """Role and subject of who raised the concern that the flag was made of."""
    concern = await tx.get("concerns", concern_of(flag))
    return None if concern is None else (concern["role"].replace("_", "-"), concern["raised_by"])


def concern_of(flag: RiskFlagged) -> UUID | None:
    """The concern that a flag may come from: its id is the flag's contact."""
    try:
        return UUID(flag.contact)
    except ValueError:
        return None


def _replaceable(chain: Chain, flag: RiskFlagged) -> bool:
    """Another school or community begins its own chain, once nobody of the present one is called."""
    return not _of_same(chain, flag) and not chain["called"]


def _of_same(chain: Chain, flag: RiskFlagged) -> bool:
    """Whether a chain is of the school or community that the flag comes from."""
    return bool(chain["setting"] == flag.setting.value and chain["organisation_id"] == flag.organisation_id)


async def _tell_again(case: Document, flag: RiskFlagged, tx: Tx, office: Office) -> None:
    """More about a person whose chain is under way: who holds it has to look again, and the class may have to go."""
    chain = case["chain"]
    rules = _rules(case, office)
    withheld_start = rules.place(rules.withheld_start)
    if withheld_start is not None and rules.place(flag.starts_at) == withheld_start and not chain["withheld"]:
        chains.withhold(chain, withheld_start)
        note(case, tx, "chain_withheld", "policy", flag_id=flag.id)
        for notice in await unreceived_of(tx, case["_id"]):
            if notice["to"] == Addressee.class_:
                tx.put("notices", {**notice, "state": NoticeState.withdrawn.value})
    await _call(case, chains.to_call(chain), rules, tx, office)
    _arm(case, tx)


async def hop_due(case_id: UUID, tx: Tx, office: Office) -> None:
    """Nobody of the hop received in time: the next one is called as well; the last one again, and the line with it."""
    case = await tx.get("cases", case_id)
    if case is None or case["state"] != "open" or not case.get("chain"):
        return
    chain, rules = case["chain"], _rules(case, office)
    due = chains.due_at(chain)
    if due is None or due > tx.now:
        _arm(case, tx)
        return
    for place in chains.overdue(chain, tx.now):
        hop = chain["hops"][place]
        note(case, tx, "hop_overdue", "policy", hop=place, role=hop["role"])
        tx.emit(
            HopOverdue(
                **tx.stamp(case["division"]),
                case_id=case_id,
                division=case["division"],
                tier=Tier(case["tier"]),
                setting=Setting(chain["setting"]),
                hop=place,
                role=hop["role"],
                organisation_id=await _organisation(case, hop["role"], tx),
            )
        )
        following = chains.callable_next(chain, place)
        if following is not None:
            await _call(case, following, rules, tx, office)
        elif place == len(chain["hops"]) - 1:
            chains.call_again(chain, place, rules, Tier(case["tier"]), tx.now)
            await _tell_called(case, place, tx)
            line_takes(case, tx, office)
        if hop["role"] == OF_INSTITUTION and await _organisation(case, hop["role"], tx) is None:
            line_takes(case, tx, office)  # the referral was not sent: no institution could have received
    await _held_too_long(case, rules, tx, office)
    _arm(case, tx)
    tx.put("cases", case)


async def _held_too_long(case: Document, rules: SettingChain, tx: Tx, office: Office) -> None:
    """To hold a case is not to have dealt with it: after a time the next hop has it too, and the line."""
    place = chains.held_too_long(case["chain"], tx.now)
    if place is None or case["acknowledgement"]["state"] != "chain":
        return
    note(case, tx, "hop_held_too_long", "policy", hop=place, role=case["chain"]["hops"][place]["role"])
    following = chains.callable_next(case["chain"], place)
    if following is not None:
        chains.pass_on(case["chain"], place, tx.now)
        await _call(case, following, rules, tx, office)
    line_takes(case, tx, office)


def line_takes(case: Document, tx: Tx, office: Office) -> None:
    """The line's own clock starts, where only the chain held the case."""
    if case["acknowledgement"]["state"] == "chain":
        start_clock(case, tx, office.policies.at(tx.now))
        note(case, tx, "line_called", "policy")


def acknowledged(case: Document, tx: Tx) -> None:
    """A named officer has taken the case: that is what the line's hop was called for."""
    chain = case.get("chain")
    place = chains.place_of(chain, frozenset(OFFICERS)) if chain else None
    if place is not None:
        _receive(case, place, case["acknowledgement"]["by"], tx)
    elif chain:
        _arm(case, tx)


def end_chain(case: Document, tx: Tx) -> None:
    """The case is over: nobody is called any more."""
    if case.get("chain"):
        chains.end(case["chain"])
        tx.cancel_timer(TIMER, case["_id"])


# What people do


async def receive(case_id: UUID, caller: Caller, tx: Tx, office: Office) -> Document:
    """A named person of the hop that is called has received the case; what is left for the caller to see of it.

    The same person again is no second receipt. Who is no hop of this case cannot tell that there is one.
    """
    case = await _case_at_hand(case_id, tx)
    chain = case["chain"]
    place = await _own_hop(case, caller, tx)
    if place is None:
        held = _held_by(case, caller)
        if held is not None:
            return least(case, held)
        if await _was_called(case, caller, tx):
            raise NotAllowed("another person has received this case")
        raise NotFound("nobody is called here")
    if chain["hops"][place]["role"].replace("-", "_") in OFFICERS:
        raise NotAllowed("the line receives a case by acknowledging it", reason="acknowledge")
    rules = _rules(case, office)
    alone = case["acknowledgement"]["state"] == "chain"
    _receive(case, place, caller.subject, tx, tx.now + rules.hold(Tier(case["tier"])) if alone else None)
    await need_next_step(case, tx)
    tx.put("cases", case)
    return least(case, place)


async def pass_on(case_id: UUID, reason: str, caller: Caller, tx: Tx, office: Office) -> Document:
    """The next hop is called, and its clock starts; who passes on stays responsible until somebody there has received.

    The reason goes into the audit log.
    """
    case = await _case_at_hand(case_id, tx)
    chain = case["chain"]
    place = _held_by(case, caller)
    if place is None or chain["hops"][place]["role"].replace("-", "_") not in caller.roles:
        raise NotFound("this caller holds no hop of such a case")
    try:
        following = chains.pass_on(chain, place, tx.now)
    except chains.NotNow as error:
        raise NotAllowed(str(error)) from error
    note(case, tx, "passed_on", caller.subject, hop=place, role=chain["hops"][place]["role"])
    tx.record(
        actor=caller.subject, action="hop_passed_on", subject=str(case_id), division=case["division"], reason=reason
    )
    await _call(case, following, _rules(case, office), tx, office)
    _arm(case, tx)
    tx.put("cases", case)
    return least(case, place)


def least(case: Document, place: int) -> Document:
    """What a hop may read of a case: that it is there, since when, how urgent, and what is asked. Nothing personal."""
    hop = case["chain"]["hops"][place]
    asked = {"received": "hold", "passing": "wait", "passed_on": "wait"}.get(hop["state"], "receive")
    return {
        "case_id": case["_id"],
        "tier": case["tier"],
        "since": case["opened_at"],
        "setting": case["chain"]["setting"],
        "hop": place,
        "role": hop["role"],
        "state": hop["state"],
        "called_at": hop["called_at"],
        "due_at": hop["due_at"] if asked == "receive" else None,
        "received_at": hop["received_at"],
        "asked": asked,
        "asked_label": ASKED[asked],
    }


async def hops_of(caller: Caller, limit: int, tx: Tx) -> list[Document]:
    """The caller's own hops, of each case no more than `least`: those that are called, then those that are held."""
    found: list[Document] = []
    roles = {role for role in HOP_ROLES if role in caller.roles}
    organisation = institution_of(caller)
    if organisation is not None and (at_school := roles & OF_SCHOOL):
        found += await store_of_hops.cases_calling(tx, _as_hops(at_school), None, organisation, limit)
    if organisation is not None and OF_INSTITUTION in roles:
        found += await store_of_hops.cases_calling_institution(tx, organisation, OF_INSTITUTION, limit)
    if elsewhere := roles - OF_SCHOOL - {OF_INSTITUTION}:
        found += await store_of_hops.cases_calling(tx, _as_hops(elsewhere), caller.division, None, limit)
    found += await store_of_hops.cases_held(tx, caller.subject, limit)
    rows: dict[UUID, Document] = {}
    for case in found:
        place = await _own_hop(case, caller, tx)
        if place is None:
            place = _held_by(case, caller)
        if place is not None and case["_id"] not in rows:
            rows[case["_id"]] = least(case, place)
    return list(rows.values())[:limit]


def _as_hops(roles: Iterable[str]) -> list[str]:
    """Roles as tokens name them, as chains do; whoever is an officer is each of the line's."""
    named = {role.replace("_", "-") for role in roles}
    if named & {role.replace("_", "-") for role in OFFICERS}:
        named |= {role.replace("_", "-") for role in OFFICERS}
    return sorted(named)


# Between


async def _case_at_hand(case_id: UUID, tx: Tx) -> Document:
    case = await tx.get("cases", case_id)
    if case is None or not case.get("chain"):
        raise NotFound("there is no such case, or nobody is called to it")
    if case["state"] != "open":
        raise NotFound("there is no such case, or it is over")
    return case


async def _own_hop(case: Document, caller: Caller, tx: Tx) -> int | None:
    """The called hop that the caller may receive for."""
    for place, hop in enumerate(case["chain"]["hops"]):
        called = chains.HopState(hop["state"]) in chains.WAITING
        if called and await _stands_for(hop["role"], case, caller, tx):
            return place
    return None


def _held_by(case: Document, caller: Caller) -> int | None:
    """The hop that the caller holds; none of a case that went to another office, but for a school or institution."""
    place = chains.held_by(case["chain"], caller.subject)
    if place is None or caller.sees(case["division"]):
        return place
    role = case["chain"]["hops"][place]["role"].replace("-", "_")
    return place if role in OF_SCHOOL or role == OF_INSTITUTION else None


async def _was_called(case: Document, caller: Caller, tx: Tx) -> bool:
    """Whether the caller's hop has been called at some time."""
    chain = case["chain"]
    for place, hop in enumerate(chain["hops"]):
        known = hop["called_at"] is not None and not chains.hidden(chain, place)
        if known and await _stands_for(hop["role"], case, caller, tx):
            return True
    return False


async def _stands_for(role: str, case: Document, caller: Caller, tx: Tx) -> bool:
    """Whether the caller is a named person of this role, in the school, institution or division that is meant."""
    held = role.replace("-", "_")
    if held in OFFICERS:
        return bool(caller.roles.intersection(OFFICERS)) and caller.sees(case["division"])
    if held not in caller.roles:
        return False
    if held in OF_SCHOOL or held == OF_INSTITUTION:
        wanted = await _organisation(case, role, tx)
        return wanted is not None and wanted == institution_of(caller)
    return caller.sees(case["division"])


async def _organisation(case: Document, role: str, tx: Tx) -> UUID | None:
    """The school of the chain, or the institution that the referral was sent to, with the consent that takes."""
    held = role.replace("-", "_")
    if held in OF_SCHOOL:
        school: UUID | None = case["chain"]["organisation_id"]
        return school
    if held == OF_INSTITUTION and case["referral_id"] is not None:
        referral = await tx.get("referrals", case["referral_id"])
        sent = referral is not None and ReferralState(referral["state"]) in WAITING | ACCEPTED
        return referral["organisation_id"] if referral is not None and sent else None
    return None


def _rules(case: Document, office: Office) -> SettingChain:
    chain = case["chain"]
    return office.chains.of(chain["policy"]).settings[Setting(chain["setting"])]


async def _call(case: Document, place: int | None, rules: SettingChain, tx: Tx, office: Office) -> None:
    """Call a hop; none where somebody is called already, or nobody is left."""
    if place is None:
        return
    chain = case["chain"]
    chains.call(chain, place, rules, Tier(case["tier"]), tx.now)
    role = chain["hops"][place]["role"].replace("-", "_")
    note(case, tx, "hop_called", "policy", hop=place, role=chain["hops"][place]["role"])
    if role == OF_INSTITUTION:
        await draft_where_none(case, tx, office)
    await _tell_called(case, place, tx)
    if role in OFFICERS and "acknowledgement" in case:
        if case["acknowledgement"]["state"] == "acknowledged":
            _receive(case, place, case["acknowledgement"]["by"], tx)
        else:
            line_takes(case, tx, office)


async def draft_where_none(case: Document, tx: Tx, office: Office) -> None:
    """Draft the case's referral unless one is under way: somebody asked for it, or the medical hop is called."""
    present = await tx.get("referrals", case["referral_id"]) if case["referral_id"] else None
    if present is not None and ReferralState(present["state"]) not in ENDED:
        return
    receivers = tx.memo.get("receivers") or await store.receivers_of(tx, [case["division"][:6]])
    referral = new_referral(case, tx, office.policies.at(tx.now), nearest(case["division"], receivers))
    if referral["organisation_id"] is None:
        need_decision(case, Matter.referral_without_receiver)


async def _tell_called(case: Document, place: int, tx: Tx) -> None:
    hop = case["chain"]["hops"][place]
    tx.emit(
        HopCalled(
            **tx.stamp(case["division"]),
            case_id=case["_id"],
            division=case["division"],
            tier=Tier(case["tier"]),
            setting=Setting(case["chain"]["setting"]),
            hop=place,
            role=hop["role"],
            organisation_id=await _organisation(case, hop["role"], tx),
            receive_by=hop["due_at"],
        )
    )


def _receive(case: Document, place: int, subject: str, tx: Tx, hold_until: datetime | None = None) -> None:
    chain = case["chain"]
    hop = chain["hops"][place]
    on_time = chains.HopState(hop["state"]) is chains.HopState.called and tx.now <= hop["due_at"]
    chains.receive(chain, place, subject, tx.now, hold_until)
    note(case, tx, "hop_received", subject, hop=place, role=hop["role"])
    tx.emit(
        HopReceived(
            **tx.stamp(case["division"]),
            case_id=case["_id"],
            division=case["division"],
            tier=Tier(case["tier"]),
            setting=Setting(chain["setting"]),
            hop=place,
            role=hop["role"],
            organisation_id=chain["organisation_id"] if hop["role"].replace("-", "_") in OF_SCHOOL else None,
            seconds=int((tx.now - hop["called_at"]).total_seconds()),
            on_time=on_time,
        )
    )
    _arm(case, tx)


def _arm(case: Document, tx: Tx) -> None:
    """The clock runs exactly while somebody is called, or holds what only the chain holds."""
    due = chains.due_at(case["chain"])
    if due is None:
        tx.cancel_timer(TIMER, case["_id"])
    else:
        tx.set_timer(TIMER, case["_id"], due)
