"""The class–school and the home–school channel: a notice is sent by the school, and received by somebody."""

from __future__ import annotations

from uuid import UUID

from chassis.auth import Caller
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from contracts.base import Answer
from services.crisis.case import note
from services.crisis.commands.chains import CLASS
from services.crisis.commands.rights import OFFICERS, in_office, institution_of
from services.crisis.domain.chains_notices import FITS, Addressee, Advice, Means, NoticeState, allows
from services.crisis.domain.codes import Relation

SENDERS = ("school_counsellor", *OFFICERS)


async def send_notice(
    case_id: UUID, ident: UUID, to: Addressee, advice: Advice, means: Means, caller: Caller, tx: Tx
) -> Document:
    """The school, or an officer, tells the class or the home. The same again is one notice.

    Nothing goes to a class that a case is withheld from. Where harm to the minor is suspected, whoever is at home may
    be the one who does it: a supervisor alone decides that the home is told.
    """
    known = await tx.get("notices", ident)
    said = (case_id, to.value, advice.value, means.value, caller.subject)
    if known is not None:
        if (known["case_id"], known["to"], known["advice"], known["means"], known["by"]) != said:
            raise NotAllowed("this id was taken before with another body", reason="id_reused", field="body.id")
        return known
    case = await _school_case(case_id, caller, tx)
    if case["state"] != "open":
        raise NotAllowed("the case is over")
    if advice not in FITS[to]:
        raise Refused("advice_not_fitting", f"this is not asked of the {to}", "body.advice")
    if to is Addressee.class_ and case["chain"]["withheld"]:
        raise NotAllowed("the case is withheld from the class", reason="withheld")
    if to is Addressee.home and case["harm_to_minor"] == Answer.yes and "supervisor" not in caller.roles:
        raise NotAllowed("harm to the minor is suspected: a supervisor decides that the home is told", status=403)
    notice: Document = {
        "_id": ident,
        "case_id": case_id,
        "division": case["division"],
        "organisation_id": case["chain"]["organisation_id"],
        "to": to.value,
        "advice": advice.value,
        "advice_label": advice.label,
        "means": means.value,
        "state": NoticeState.sent.value,
        "by": caller.subject,
        "at": tx.now,
        "received_by": None,
        "relation": None,
        "received_at": None,
    }
    tx.insert("notices", notice)
    note(case, tx, "notice_sent", caller.subject, notice_id=ident, to=to.value, advice=advice.value)
    tx.put("cases", case)
    return notice


async def receive_notice(ident: UUID, relation: Relation | None, caller: Caller, tx: Tx) -> Document:
    """A teacher of the class has received it by name; or the home has confirmed it to the school, and who there."""
    notice = await tx.get("notices", ident)
    if notice is None or notice["organisation_id"] != institution_of(caller):
        raise NotFound("there is no such notice")
    to_class = notice["to"] == Addressee.class_
    wanted = CLASS if to_class else "school_counsellor"
    case = await tx.get("cases", notice["case_id"])
    if case is None or (to_class and case["chain"]["withheld"]):
        raise NotFound("there is no such notice")
    if wanted not in caller.roles or notice["state"] == NoticeState.withdrawn:
        raise NotFound("there is no such notice")
    if not to_class and relation is None:
        raise Refused("missing", "who at home has confirmed it", "body.relation")
    if to_class and relation is not None:
        raise Refused("not_asked", "the class receives by its teacher's name", "body.relation")
    if not allows(NoticeState(notice["state"]), NoticeState.received):
        if notice["received_by"] == caller.subject:
            return notice
        raise NotAllowed("another person has received this notice")
    notice.update(
        state=NoticeState.received.value,
        received_by=caller.subject,
        relation=relation.value if relation else None,
        received_at=tx.now,
    )
    tx.put("notices", notice)
    note(case, tx, "notice_received", caller.subject, notice_id=ident, to=notice["to"], relation=notice["relation"])
    tx.put("cases", case)
    return notice


def shown(notice: Document, caller: Caller) -> Document:
    """The class sees what is asked of it, and not of which case."""
    if caller.roles.intersection(SENDERS):
        return notice
    return {
        name: notice[name] for name in ("_id", "advice", "advice_label", "state", "at", "received_by", "received_at")
    }


async def _school_case(case_id: UUID, caller: Caller, tx: Tx) -> Document:
    case = await tx.get("cases", case_id)
    chain = case["chain"] if case is not None and case.get("chain") else None
    if case is None or chain is None or chain["organisation_id"] is None or chain["setting"] != "school":
        raise NotFound("there is no such case, or it is not a school's")
    own = "school_counsellor" in caller.roles and institution_of(caller) == chain["organisation_id"]
    if not (own or in_office(case, caller)):
        raise NotFound("there is no such case, or it is not a school's")
    return case
