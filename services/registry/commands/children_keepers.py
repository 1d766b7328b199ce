"""Who is let into the database of children in difficulty, and out of it: asked of the gate, and on record."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from typing import Any

from chassis.clock import local_day
from chassis.errors import NotAllowed
from chassis.tx import Document, Tx
from services.registry.commands.gate import Asked, may
from services.registry.commands.teams import save as save_team
from services.registry.domain.children import KEEPER
from services.registry.domain.gate import REASONS
from services.registry.domain.teams import ended_term
from services.registry.domain.teams_labels import CHILDREN_DATABASE
from services.registry.policy import Policies
from services.registry.store import children_database as kept
from services.registry.store.places import working


def grants(known: Document | None, told: dict[str, Any]) -> bool:
    """Whether a term as told lets somebody into the database who was not, or for longer than before."""
    if told["role"] != CHILDREN_DATABASE:
        return False
    if known is None or known["role"] != CHILDREN_DATABASE or known["person_id"] != told["person_id"]:
        return True
    longer = known["until"] is not None and (told["until"] is None or told["until"] > known["until"])
    return bool(longer or told["since"] < known["since"])


async def check_keeper(tx: Tx, ident: uuid.UUID | None, policies: Policies) -> None:
    """Raises `NotAllowed` for who may not keep the database."""
    person = await working(tx, ident) if ident is not None else None
    if person is None:
        raise NotAllowed(REASONS["inactive"], reason="inactive", field="person_id")
    if reasons := (await may(tx, person, Asked(local_day(tx.now), role=KEEPER), policies)).reasons:
        words = "、".join(dict.fromkeys(REASONS[one.code] for one in reasons))
        raise NotAllowed(words, reason=reasons[0].code, field="person_id")


def note_keepers(tx: Tx, team: Document, members: Sequence[Document], reason: str, by: str) -> None:
    """Write into the audit log each term of a keeper that comes, goes or changes; for others nothing."""
    before = {term["id"]: term for term in team["members"] if term["role"] == CHILDREN_DATABASE}
    after = {term["id"]: term for term in members if term["role"] == CHILDREN_DATABASE}
    for ident in sorted(before.keys() | after.keys(), key=str):
        if before.get(ident) == after.get(ident):
            continue
        term = after.get(ident) or before[ident]
        tx.record(
            actor=by,
            action="child_keeper.changed" if ident in before and ident in after else _step(ident in after),
            subject=str(term["person_id"]),
            reason=reason,
            division=team["division"],
            team=str(team["_id"]),
            since=term["since"],
            until=term["until"] or "",
        )


def _step(there: bool) -> str:
    return "child_keeper.granted" if there else "child_keeper.removed"


async def end_keeping(tx: Tx, entries: Collection[uuid.UUID], reason: str, by: str) -> None:
    """End the terms by which a person keeps the database, under whichever entry, yesterday; others go on."""
    today = local_day(tx.now)
    for team in await kept.backbones_with(tx, list(entries)):
        members = []
        for term in team["members"]:
            own = term["person_id"] in entries and term["role"] == CHILDREN_DATABASE
            ended = ended_term(term, today) if own else term
            if ended is not None:
                members.append(ended)
        if members != team["members"]:
            note_keepers(tx, team, members, reason, by)
            save_team(tx, team, {**team, "members": members})
