"""Who leaves the register, or is not active any more, leaves the posts that were held: nobody counts on them."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import date

from chassis.clock import local_day
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.commands.children_keepers import note_keepers
from services.registry.commands.children_tasks import take_back
from services.registry.commands.expert_teams import end_tutoring
from services.registry.commands.grids import vacate
from services.registry.commands.places_people import name_responsible, name_street_lead
from services.registry.commands.providers import move_provider
from services.registry.commands.relations import end_relation
from services.registry.commands.teams import save as save_team
from services.registry.domain.providers_status import State as Provider
from services.registry.domain.teams import ended_term, last_day
from services.registry.store import activity_plans, grids, places, teams

REASON = "left"
NOBODY = ""
"""Who did it, in the logs: no person did, it follows from another step."""


async def leave(tx: Tx, person: Document) -> None:
    """End what a person is responsible for under whichever entry, with its events; nothing left, nothing happens.

    A place and a street have no responsible person until one is named; a term of a team that runs ends today, and one
    that would begin later is taken out; a provider that is this person is suspended until it is verified anew.
    Who kept the database of children keeps it no more, and the tasks for children are taken back.
    Nobody answers for the person's grids; guidance and tutoring by this very person end as terms do, and what would
    begin later stays with a last day before its first: it is never in force.
    """
    entries = await store.entries_of(tx, person["_id"])
    for place in await places.in_charge_of(tx, entries):
        await name_responsible(tx, place, None, REASON, by=NOBODY, inside="")
    for lead in await places.leads_of(tx, entries):
        await name_street_lead(tx, lead["_id"], None, REASON, by=NOBODY, inside="")
    today = local_day(tx.now)
    for team in await teams.with_members(tx, entries):
        members = [ended for term in team["members"] if (ended := _ended(term, entries, today)) is not None]
        note_keepers(tx, team, members, REASON, NOBODY)
        save_team(tx, team, {**team, "members": members})
    await take_back(tx, entries, NOBODY)
    for grid in await grids.answered_for(tx, entries):
        vacate(tx, grid, NOBODY)
    for relation in await activity_plans.done_by(tx, "relations", entries, today.isoformat()):
        end_relation(tx, relation, last_day(relation, today))
    for tutoring in await activity_plans.done_by(tx, "tutorings", entries, today.isoformat()):
        end_tutoring(tx, tutoring, last_day(tutoring, today))
    for ident in entries:
        for provider in await teams.providers_of(tx, ident):
            if provider["status"] == Provider.verified:
                move_provider(tx, provider, Provider.suspended, REASON, NOBODY)


def _ended(term: Document, entries: Collection[uuid.UUID], today: date) -> Document | None:
    return ended_term(term, today) if term["person_id"] in entries else term
