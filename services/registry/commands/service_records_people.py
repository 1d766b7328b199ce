"""Whose service an organiser may write down: the people of the own division, and those who are lent to it."""

from __future__ import annotations

import uuid

from chassis.auth import Caller
from chassis.clock import local_day
from chassis.errors import NotAllowed, NotFound
from chassis.tx import Document, Tx
from services.registry import store
from services.registry.commands.stars import entries_of
from services.registry.domain.service_records import Span
from services.registry.store.teams import loans_of


async def standing_person(tx: Tx, ident: uuid.UUID) -> Document:
    """The entry that stands for this one, wherever it is; raises `NotFound`, and `NotAllowed` once it was erased."""
    found = await store.volunteer(tx, ident)
    if found is None:
        raise NotFound("there is no such volunteer")
    person = await store.survivor(tx, found)
    if person["erased"]:
        raise NotAllowed("the person was erased")
    return person


async def lent_to(tx: Tx, ident: uuid.UUID, span: Span, caller: Caller) -> tuple[Document, str]:
    """A person of elsewhere, and the division within the caller's that has the person lent on the day of the service.

    Raises `NotFound` where there is none, whether or not there is such a person.
    """
    found = await store.volunteer(tx, ident)
    person = await store.survivor(tx, found) if found is not None else None
    if person is not None and not person["erased"]:
        day = local_day(span.starts_at).isoformat()
        for entry in await entries_of(tx, person):
            for loan in await loans_of(tx, entry):
                if loan["since"] <= day <= loan["until"] and caller.sees(loan["division"]):
                    return person, str(loan["division"])
    raise NotFound("there is no such volunteer")
