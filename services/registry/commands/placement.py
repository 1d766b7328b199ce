"""Somebody of the district's inventory is put on at a place: by the gate's word, and with a certificate that holds."""

from __future__ import annotations

from typing import Any

from chassis.clock import local_day
from chassis.errors import NotAllowed, NotFound
from chassis.tx import Document, Tx
from services.registry.commands import gate, places_people
from services.registry.domain.gate import REASONS, Reason, Requirement, unmet
from services.registry.policy import Policies


async def why_not(tx: Tx, person: Document, place: Document, occupation: str, policies: Policies) -> list[Reason]:
    """Every reason why a person may not take a post at a place: what the post, the role of that name and the site ask
    for. None is a yes."""
    today = local_day(tx.now)
    role = occupation if policies.gate.at(tx.now).role(occupation) is not None else None
    answer = await gate.may(tx, person, gate.Asked(today, role=role, place=place), policies)
    reasons = list(answer.reasons)
    post = policies.qualifications.at(tx.now).post(occupation)
    if post is not None:
        facts = (await gate.bare_facts(tx, [person], tx.now, today, policies))[person["_id"]]
        asked = Requirement("qualification", post.source, post.any_of)
        known = {one.code for one in reasons}
        reasons += [one for one in unmet([asked], facts, today.isoformat()) if one.code not in known]
    return reasons


async def put_on(
    tx: Tx,
    place: Document,
    person: Document,
    told: dict[str, Any],
    policies: Policies,
    *,
    by: str,
    inside: str,
) -> Document:
    """The person works at the place from now on; `told` is the link without `certificate`, which nobody claims here:
    it is yes where the post asks for a qualification, and not told where it asks for none."""
    if not person["division"].startswith(place["division"][:6]):
        raise NotFound("there is no such person in the district")
    if reasons := await why_not(tx, person, place, told["occupation"], policies):
        words = "、".join(dict.fromkeys(REASONS[one.code] for one in reasons))
        raise NotAllowed(f"不能安排到这个岗位：{words}", reason=reasons[0].code, field="occupation")
    asks = policies.qualifications.at(tx.now).post(told["occupation"]) is not None
    link = {**told, "certificate": True if asks else None}
    after = await places_people.link_staff(tx, place, person["_id"], link, by=by, inside=inside)
    if after is not place:
        tx.record(
            actor=by,
            action="place.staffed",
            subject=str(place["_id"]),
            reason=told["occupation"],
            division=place["division"],
            person=str(person["_id"]),
        )
    return after
