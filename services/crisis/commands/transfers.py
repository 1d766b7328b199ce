"""A case that moves to another office: asked for by its owner, and moved only when a named person there accepts."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from chassis.auth import Caller
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from contracts.base import Tier
from contracts.crisis import CaseTransferred, ReferralState
from services.crisis import store
from services.crisis.case import (
    UNANSWERED,
    nearest,
    need_decision,
    need_next_step,
    note,
    passed_to,
    release_responder,
    request_responder,
    seal_key,
)
from services.crisis.commands.chains import line_takes
from services.crisis.commands.reasons import reason_of, sealed_reason
from services.crisis.commands.referrals_consent import pass_consent_gate
from services.crisis.commands.rights import institution_of, seen_case
from services.crisis.domain.matters import Matter
from services.crisis.domain.transfer import State, allows, owner_of
from services.crisis.office import Office
from services.crisis.store.referrals import referrals_of_case, the, unfinished_of_case


async def request_transfer(
    case_id: UUID,
    ident: UUID,
    to_division: str | None,
    to_organisation: UUID | None,
    reason: str,
    override_reason: str | None,
    caller: Caller,
    tx: Tx,
    office: Office,
) -> Document:
    """Ask another office to take the case. Nothing moves yet: the owner acts, and its clock runs.

    `ident` is the transfer's id, chosen by the client: the same request again is answered with what there is.
    """
    case = await seen_case(case_id, caller, tx)
    division, organisation_id = await _addressed(case, to_division, to_organisation, tx)
    owner = owner_of(case)
    known = await tx.get("transfers", ident)
    if known is not None:
        if (known["case_id"], known["to_division"], known["to_organisation_id"]) != (
            case_id,
            division,
            organisation_id,
        ):
            raise NotAllowed("this id was used for another transfer", reason="id_reused", field="id")
        return known
    if (division, organisation_id) == (owner["division"], owner["organisation_id"]):
        raise Refused("own_office", "the case is this office's already", "to_division")
    if case.get("transfer_id") is not None:
        raise NotAllowed("another office has been asked already", reason="transfer_pending")
    if organisation_id is not None:
        await pass_consent_gate(case, organisation_id, override_reason, caller, tx, office)
    minutes = office.referral.at(tx.now).transfer.answer_minutes[Tier(case["tier"])]
    transfer: Document = {
        "_id": ident,
        "case_id": case_id,
        "state": State.requested.value,
        "tier": case["tier"],
        "from_division": owner["division"],
        "from_organisation_id": owner["organisation_id"],
        "sender_division": caller.division,
        "to_division": division,
        "to_organisation_id": organisation_id,
        "requested_by": caller.subject,
        "requested_at": tx.now,
        "due_at": tx.now + timedelta(minutes=minutes),
        "answered_by": None,
        "ended_at": None,
        "reason_ended": None,
    }
    case["transfer_id"] = ident
    tx.insert("transfers", transfer)
    tx.set_timer("transfer", ident, transfer["due_at"])
    note(case, tx, "transfer_requested", caller.subject, transfer_id=ident, to_division=division)
    tx.record(
        actor=caller.subject,
        action="transfer_requested",
        subject=str(case_id),
        division=owner["division"],
        reason=reason,
        to_division=division,
    )
    tx.put("cases", case)
    return transfer


async def _addressed(
    case: Document, to_division: str | None, to_organisation: UUID | None, tx: Tx
) -> tuple[str, UUID | None]:
    """The office that is meant: a division's, or an organisation's in the division where the case is or its own."""
    if to_organisation is not None:
        organisation = await tx.get("organisations", to_organisation)
        if organisation is None:
            raise Refused("unknown_organisation", "there is no such organisation", "to_organisation")
        inside = organisation["division"]
        # A city's institution works cases where the people live; the case stays with its county.
        division = to_division or (inside if len(inside) >= 6 else case["division"])
    elif to_division is not None:
        division = to_division
    else:
        raise Refused("office_missing", "name the division or the organisation", "to_division")
    if await tx.get("divisions", division) is None:
        raise Refused("unknown_division", f"there is no division {division}", "to_division")
    return division, to_organisation


def receives(transfer: Document, caller: Caller) -> bool:
    """Whether the caller belongs to the office that is asked: never to the one that asks.

    An organisation is known by the token; a division's office by the token's division, which must not be the sender's.
    """
    if caller.subject == transfer["requested_by"]:
        return False
    if transfer["to_organisation_id"] is not None:
        return institution_of(caller) == transfer["to_organisation_id"] and caller.sees(transfer["to_division"])
    sender = {transfer["from_division"], transfer["sender_division"]}
    return caller.sees(transfer["to_division"]) and caller.division not in sender


def sends(transfer: Document, caller: Caller) -> bool:
    """Whether the caller belongs to the office that asked."""
    return caller.sees(transfer["from_division"])


async def seen_transfer(transfer_id: UUID, caller: Caller, tx: Tx) -> Document:
    """A transfer, for either side: the old office sees that and to whom the case went, and no more of it."""
    transfer = await the(tx, "transfers", transfer_id, "transfer")
    if not (receives(transfer, caller) or sends(transfer, caller)):
        raise NotFound("there is no such transfer")
    return transfer


async def shown(transfer: Document, tx: Tx, office: Office) -> Document:
    """A transfer as either side reads it: why it ended in plain, and not whose case it is."""
    reason = await reason_of({**transfer, "reason": transfer["reason_ended"]}, tx, office)
    return {name: value for name, value in transfer.items() if name not in ("person", "sealed")} | {
        "reason_ended": reason
    }


async def accept_transfer(transfer_id: UUID, caller: Caller, tx: Tx, office: Office) -> Document:
    """A named person of the receiving office takes the case: from now on it is that office's alone."""
    transfer, case = await _answered(transfer_id, State.accepted, caller, tx)
    if transfer["state"] == State.accepted:
        return transfer
    old = case["division"]
    _end(transfer, case, State.accepted, caller.subject, tx)
    case["owner"] = {
        "division": transfer["to_division"],
        "organisation_id": transfer["to_organisation_id"],
        "since": tx.now,
    }
    case["division"] = transfer["to_division"]
    if case["acknowledgement"]["state"] == "acknowledged":
        # Who had taken it is of the other office: the person who accepts is the one who has it now.
        case["acknowledgement"] = {**passed_to(case["acknowledgement"], caller), "at": tx.now}
        case["held_by"] = caller.subject
    else:
        # While a clock waits nobody there has it yet, and nobody of the old office holds it any more.
        case["held_by"] = None
        line_takes(case, tx, office)  # of a chain as well: whoever held a hop may be of the other office
    case["decisions_needed"] = [one for one in case["decisions_needed"] if one != Matter.transfer_unanswered]
    await _move_what_belongs(case, tx, office)
    await need_next_step(case, tx)
    note(case, tx, "transferred", caller.subject, transfer_id=transfer_id, from_division=old)
    tx.record(
        actor=caller.subject,
        action="case_transferred",
        subject=str(case["_id"]),
        division=case["division"],
        reason="accepted",
        from_division=old,
    )
    tx.emit(
        CaseTransferred(
            **tx.stamp(case["division"]),
            transfer_id=transfer_id,
            case_id=case["_id"],
            previous_division=old,
            division=case["division"],
            organisation_id=transfer["to_organisation_id"],
            tier=Tier(case["tier"]),
        )
    )
    tx.put("cases", case)
    return transfer


async def _move_what_belongs(case: Document, tx: Tx, office: Office) -> None:
    """What an office finds by its division goes with the case, and so do the referrals; a draft is addressed anew, and
    so is a call that nobody took.
    """
    for collection, document in await store.merging.of_its_office(tx, case["_id"]):
        tx.put(collection, {**document, "division": case["division"]})
    for referral in await referrals_of_case(tx, case["_id"]):
        referral["division"] = case["division"]
        if referral["state"] == ReferralState.drafted:
            receiver = nearest(case["division"], await store.receivers_of(tx, [case["division"][:6]]))
            referral["organisation_id"] = receiver["_id"] if receiver else None
            referral["backup_id"] = receiver["backup_id"] if receiver else None
        tx.put("referrals", referral)
    beside = await unfinished_of_case(tx, case["_id"])
    for collection in ("consultations", "accompanied_visits", "tellings"):
        for one in beside[collection]:
            tx.put(collection, {**one, "division": case["division"]})
    if case["responder"]["state"] in UNANSWERED:
        release_responder(case, tx)
        request_responder(case, tx, office.policies.at(tx.now))


async def decline_transfer(transfer_id: UUID, reason: str, caller: Caller, tx: Tx, office: Office) -> Document:
    """The receiving office says no, by a named person and with a reason; the case stays where it is."""
    transfer, case = await _answered(transfer_id, State.declined, caller, tx)
    if transfer["state"] == State.declined:
        return transfer
    transfer |= await sealed_reason(seal_key(case), reason, tx, office)
    _end(transfer, case, State.declined, caller.subject, tx)
    need_decision(case, Matter.transfer_unanswered)
    note(case, tx, "transfer_declined", caller.subject, transfer_id=transfer_id)
    _record_end(transfer, reason, caller, tx)
    tx.put("cases", case)
    return transfer


async def withdraw_transfer(transfer_id: UUID, reason: str, caller: Caller, tx: Tx, office: Office) -> Document:
    """The owner takes its request back."""
    transfer = await the(tx, "transfers", transfer_id, "transfer")
    if not sends(transfer, caller):
        raise NotFound("there is no such transfer")
    if transfer["state"] == State.withdrawn:
        return transfer
    _may_become(transfer, State.withdrawn)
    case = await seen_case(transfer["case_id"], caller, tx)
    transfer |= await sealed_reason(seal_key(case), reason, tx, office)
    _end(transfer, case, State.withdrawn, caller.subject, tx)
    note(case, tx, "transfer_withdrawn", caller.subject, transfer_id=transfer_id)
    _record_end(transfer, reason, caller, tx)
    tx.put("cases", case)
    return transfer


async def _answered(transfer_id: UUID, state: State, caller: Caller, tx: Tx) -> tuple[Document, Document]:
    transfer = await seen_transfer(transfer_id, caller, tx)
    if not receives(transfer, caller):
        raise NotAllowed("only a person of the receiving office may answer", status=403)
    if transfer["state"] != state or transfer["answered_by"] != caller.subject:
        _may_become(transfer, state)
    return transfer, await store.the_case(tx, transfer["case_id"])


def _record_end(transfer: Document, reason: str, caller: Caller, tx: Tx) -> None:
    """Why it was not to be, for the office that asked."""
    tx.record(
        actor=caller.subject,
        action=f"transfer_{transfer['state']}",
        subject=str(transfer["case_id"]),
        division=transfer["from_division"],
        reason=reason,
        to_division=transfer["to_division"],
    )


def _may_become(transfer: Document, state: State) -> None:
    if not allows(State(transfer["state"]), state):
        raise NotAllowed(f"a transfer that is {transfer['state']} cannot become {state}")


def _end(transfer: Document, case: Document, state: State, by: str, tx: Tx) -> None:
    transfer.update(state=state.value, answered_by=by, ended_at=tx.now)
    case["transfer_id"] = None
    tx.put("transfers", transfer)
    tx.cancel_timer("transfer", transfer["_id"])


async def transfer_due(transfer_id: UUID, tx: Tx, office: Office) -> None:
    """Nobody there answered in time: the case stays with its owner, whose supervisor decides."""
    transfer = await tx.get("transfers", transfer_id)
    if transfer is None or transfer["state"] != State.requested:
        return
    if transfer["due_at"] > tx.now:
        tx.set_timer("transfer", transfer_id, transfer["due_at"])
        return
    case = await store.the_case(tx, transfer["case_id"])
    _end(transfer, case, State.expired, "policy", tx)
    need_decision(case, Matter.transfer_unanswered)
    note(case, tx, "transfer_expired", "policy", transfer_id=transfer_id)
    tx.put("cases", case)
