"""Flags that share a transaction give what they give one by one, and cost a handful of round trips."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from chassis.tx import Document
from contracts.base import Event
from contracts.hotline import RiskFlagged
from tests.services.crisis.world import (
    BY_TIER,
    COUNTY,
    HIGH,
    IMMINENT,
    LOW,
    NEIGHBOUR,
    TOWN,
    World,
    a_flag,
    person,
)


def mixed_flags(world: World, number: int) -> list[RiskFlagged]:
    """Repeat callers, unknown callers, all tiers, three counties, consents and contacts; always the same ones."""
    dice = random.Random(7)
    flags = []
    for place in range(number):
        said: dict[str, Any] = dict(dice.choice(list(BY_TIER.values())))
        said |= {question: dice.choice(["unknown", "refused"]) for question in said if dice.random() < 0.05}
        said.pop("hotline_level", None)
        county = dice.choices([COUNTY, NEIGHBOUR, "320706"], [5, 3, 2])[0]
        if dice.random() < 0.7:
            said["caller"] = person(dice.randrange(number // 3))
        if dice.random() < 0.3:
            said["sealed_contact"] = world.keys.seal({"phone": f"000-0000-{place:04}"})
        if county == COUNTY and dice.random() < 0.3:
            said["division"] = TOWN
        said["consent_to_follow_up"] = dice.choice(["yes", "no", "unknown", "refused", "not_asked"])
        said["age_band"] = dice.choice(["under_14", "from_25_to_44"])
        flags.append(a_flag(county, **said))
    return flags


async def books(world: World) -> list[Any]:
    """What the books say, without ids and moments."""
    found = []
    for case in await world.cases():
        referral = await world.database.get("referrals", case["referral_id"]) if case["referral_id"] else None
        found.append(
            {
                **{
                    name: case[name] for name in ("tier", "division", "minor", "consent", "assessment_needed", "person")
                },
                "flags": [(row["id"], row["tier"], row["contact_state"]) for row in case["flags"]],
                "emergency": case["emergency"]["state"],
                "responder": case["responder"]["state"],
                "clock": (case["acknowledgement"]["state"], case["acknowledgement"]["role"]),
                "referral": referral and (referral["state"], referral["organisation_id"], referral["tier"]),
                "plan": [item["state"] for item in await world.follow_ups(case["_id"])],
                "timeline": [(line["kind"], line.get("tier")) for line in case["timeline"]],
            }
        )
    return sorted(found, key=lambda case: str(case["flags"][0]))


def counted(events: list[Event]) -> Counter[str]:
    return Counter(event.TYPE for event in events)


async def reset(world: World) -> None:
    for collection in ("cases", "persons", "plans", "referrals", "contacts", "person_keys", "timers"):
        await world.database.clear(collection)
    world.events.clear()


async def test_two_hundred_flags_in_one_group_give_the_same_as_one_by_one(world: World) -> None:
    flags = mixed_flags(world, 200)
    await world.take(*flags)
    together, told = await books(world), counted(world.events)
    await reset(world)
    for flag in flags:
        await world.take(flag)
    apart = await books(world)
    assert together == apart
    assert told == counted(world.events)
    assert 66 < len(apart) < 200
    assert {case["tier"] for case in apart} == {"low", "moderate", "high", "imminent"}
    assert sum(len(case["flags"]) for case in apart) == 200


async def test_two_flags_of_a_new_person_in_one_group_are_one_case_that_is_raised(world: World) -> None:
    await world.take(a_flag(caller=person(), **HIGH), a_flag(caller=person(), **IMMINENT))
    (case,) = await world.cases()
    assert (case["tier"], len(case["flags"])) == ("imminent", 2)
    assert case["emergency"]["state"] == "required"
    assert counted(world.events)["crisis.risk_raised"] == 1
    assert counted(world.events)["crisis.case_opened"] == 1


async def test_who_calls_from_another_county_is_referred_where_the_case_is(world: World) -> None:
    case = await world.flag(COUNTY, caller=person(), **LOW)
    await world.flag(NEIGHBOUR, caller=person(), **HIGH)
    referral = await world.referral(case["_id"])
    assert (await institution(world, referral))["county"] == COUNTY


async def institution(world: World, referral: Document) -> Document:
    found = await world.database.get("organisations", referral["organisation_id"])
    assert found is not None
    return found


async def reads_for(world: World, flags: list[RiskFlagged]) -> int:
    """How often a group of flags asks the database."""
    asked = 0
    take = next(one for one in world.blueprint.handles if one.event is RiskFlagged)

    async def body(tx: Any) -> None:
        session = tx._session
        for name in ("fetch", "query"):

            async def counting(*args: Any, inner: Any = getattr(session, name), **more: Any) -> Any:
                nonlocal asked
                asked += 1
                return await inner(*args, **more)

            setattr(session, name, counting)
        assert take.load is not None
        await take.load(flags, tx)
        for flag in flags:
            await take.handler(flag, tx)

    await world.do(body)
    return asked


async def test_the_number_of_round_trips_does_not_grow_with_the_group(world: World) -> None:
    """New callers, unknown callers and callers with an open case that is raised."""
    asked = []
    for number in (10, 200):
        await reset(world)
        before = [a_flag(caller=person(place), **LOW) for place in range(number // 2)]
        await world.take(*before)
        contact = world.keys.seal({"phone": "000-0000-0001"})
        flags = [a_flag(caller=person(place), sealed_contact=contact, **HIGH) for place in range(number)]
        flags += [a_flag(sealed_contact=contact, **IMMINENT) for _ in range(number)]
        asked.append(await reads_for(world, flags))
    assert asked[0] == asked[1]
