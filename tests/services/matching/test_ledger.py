"""The audit of matching names what differs from the log, by kind."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from chassis.clock import new_id
from contracts.base import Event
from contracts.matching import CoordinatorCalled, OfferAccepted, ResponderOffered
from services.matching import offering
from services.matching.domain.ledger import Facts, held_against
from tests.services.matching.support import COUNTY, Memory, a_release, a_request, on_duty


class Day:
    """Three requests: one held, one waiting, one released."""

    def __init__(self) -> None:
        self.memory = Memory()
        self.events: list[Event] = []

    async def passes(self) -> Day:
        await on_duty(self.memory, COUNTY, COUNTY)
        self.held, self.released, self.waiting = a_request(), a_request(), a_request()
        release = a_release(self.released)
        await self.memory.receive(self.held)
        await self.memory.transact(partial(offering.accept, self.memory.open_offer(self.held.request_id)))
        await self.memory.receive(self.released)
        await self.memory.receive(release)
        self.open = a_request()
        await self.memory.receive(self.open, self.waiting)
        self.events = [self.held, self.released, self.waiting, self.open, release, *self.memory.events]
        return self

    def facts(self) -> Facts:
        rows = {name: list(self.memory[name].values()) for name in ("requests", "offers", "responders")}
        return held_against(
            self.events, rows["requests"], rows["offers"], rows["responders"], set(self.memory["timers"])
        )

    def kinds(self) -> set[str]:
        return {kind for kind, _ in self.facts().differences}

    def first(self, kind: type[Event]) -> Any:
        return next(event for event in self.events if type(event) is kind)

    def offer_of(self, request: Any) -> Any:
        return next(o for o in self.memory["offers"].values() if o["request_id"] == request.request_id)


async def test_a_day_that_went_well_has_no_difference() -> None:
    facts = (await Day().passes()).facts()
    assert facts == Facts(requests=4, answered=4, differences=[])


def lose_a_request(day: Day) -> None:
    del day.memory["requests"][day.waiting.request_id]


def lose_an_event(kind: type[Event], day: Day) -> None:
    day.events.remove(day.first(kind))


def tell_an_offer_twice(day: Day) -> None:
    day.events.append(day.first(ResponderOffered).model_copy(update={"id": new_id()}))


def forget_a_release(day: Day) -> None:
    day.memory["requests"][day.released.request_id]["state"] = "waiting"


def give_somebody_two(day: Day) -> None:
    day.offer_of(day.open)["responder_id"] = day.offer_of(day.held)["responder_id"]


def lose_a_deadline(day: Day) -> None:
    del day.memory["timers"][f"offer:{day.offer_of(day.open)['_id']}"]


def lose_the_watch(day: Day) -> None:
    del day.memory["timers"]["look:37"]


def make_up_an_offer(day: Day) -> None:
    day.events.append(day.first(ResponderOffered).model_copy(update={"id": new_id(), "offer_id": new_id()}))


@pytest.mark.parametrize(
    ("harm", "kind"),
    [
        (lose_a_request, "lost"),
        (partial(lose_an_event, OfferAccepted), "lost"),
        (partial(lose_an_event, ResponderOffered), "lost"),
        (partial(lose_an_event, CoordinatorCalled), "lost"),
        (forget_a_release, "lost"),
        (tell_an_offer_twice, "duplicated"),
        (give_somebody_two, "duplicated"),
        (lose_a_deadline, "stuck"),
        (lose_the_watch, "stuck"),
        (make_up_an_offer, "wrong"),
    ],
)
async def test_each_harm_is_named(harm: Callable[[Day], None], kind: str) -> None:
    day = await Day().passes()
    harm(day)
    assert kind in day.kinds()
