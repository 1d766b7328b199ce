"""Who works at a place as the register has them today: each person once, with a certificate only where one holds."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from chassis.clock import local_day
from chassis.tx import Document, Tx
from services.registry.commands.gate import bare_facts
from services.registry.domain.gate import Requirement, unmet
from services.registry.policy import Policies
from services.registry.store import places as kept

Staff = list[Document] | None


async def staff_of(tx: Tx, places: Sequence[Document], policies: Policies) -> dict[uuid.UUID, Staff]:
    """The links of each place to those who still work there, under the entry that stands for the person.

    `certificate` is true where a verified qualification that the post asks for is valid today; where nobody checked
    one it is None whatever the link claims, and false only where the link itself says that there is none. None for a
    place of which nobody told the staff.
    """
    linked = [one["person_id"] for place in places for one in place["staff"] or ()]
    await tx.load("volunteers", linked)
    merged = [row.get("merged_into") for ident in linked if (row := await tx.get("volunteers", ident)) is not None]
    await tx.load("volunteers", [ident for ident in merged if ident is not None])
    working = {ident: person for ident in linked if (person := await kept.working(tx, ident)) is not None}
    people = {person["_id"]: person for person in working.values()}
    today = local_day(tx.now)
    facts = await bare_facts(tx, list(people.values()), tx.now, today, policies) if people else {}
    rules = policies.qualifications.at(tx.now)
    found: dict[uuid.UUID, Staff] = {}
    for place in places:
        there: dict[uuid.UUID, Document] = {}
        for one in place["staff"] or ():
            if one["person_id"] not in working:
                continue
            ident, post = working[one["person_id"]]["_id"], rules.post(one["occupation"])
            asked = [Requirement("qualification", post.source, post.any_of)] if post is not None else []
            holds = bool(asked) and not unmet(asked, facts[ident], today.isoformat())
            certificate = True if holds else False if one["certificate"] is False else None
            there.setdefault(ident, {**one, "person_id": ident, "certificate": certificate})
        found[place["_id"]] = None if place["staff"] is None else list(there.values())
    return found


async def present_staff(tx: Tx, place: Document, policies: Policies) -> Staff:
    """The same for one place."""
    return (await staff_of(tx, [place], policies))[place["_id"]]
