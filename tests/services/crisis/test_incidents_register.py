"""The register comes out the same in whatever order the tablets send, and the numbers are always those of a recount."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.base import Answer
from contracts.crisis import EmergencyKind, EmergencyLevel
from contracts.hotline import AgeBand, RiskFlagged
from services.crisis.commands import incidents, incidents_people
from services.crisis.domain.incidents import Exposure, merge_registrations
from services.crisis.domain.referral import UNDER_WAY
from services.crisis.store.incidents import numbers_of
from tests.services.crisis.incidents import a_screen, ok
from tests.services.crisis.world import COUNTY, OFFICER, SUPERVISOR, TOWN, World

START = datetime(2026, 3, 2, tzinfo=UTC)
FEW = settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])

registrations: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict,
    person_id=st.uuids(version=4),
    recorded_at=st.integers(0, 5).map(lambda hours: START + timedelta(hours=hours)),
    category=st.sampled_from(list(Exposure)),
    division=st.sampled_from([COUNTY, TOWN]),
    age_band=st.sampled_from([AgeBand.under_14, AgeBand.from_14_to_17, AgeBand.from_25_to_44, AgeBand.unknown]),
    consent=st.sampled_from([Answer.not_asked, Answer.unknown, Answer.refused, Answer.no]),
    consent_by=st.just("person"),
    phone=st.sampled_from(["000-0000-0001", "000-0000-0002", None]),
    phone_is_own=st.booleans(),
    name=st.sampled_from(["张示例", "李示例", None]),
    address=st.none(),
    guardian=st.none(),
    remark=st.none(),
)
books = st.lists(registrations, min_size=1, max_size=6, unique_by=lambda row: row["person_id"])


async def an_incident(world: World) -> UUID:
    key = uuid4()
    await world.do(
        lambda tx: incidents.declare(
            key,
            SUPERVISOR,
            tx,
            world.office,
            kind=EmergencyKind.natural_disaster,
            level=EmergencyLevel.four,
            areas=[COUNTY],
            started_at=START,
            reason="地震",
        )
    )
    return key


async def send(world: World, key: UUID, row: dict[str, Any]) -> None:
    said = {name: value for name, value in row.items() if name != "person_id"}
    await world.do(lambda tx: incidents_people.register(key, row["person_id"], OFFICER, tx, world.office, **said))


async def register_of(world: World, key: UUID) -> list[dict[str, Any]]:
    """The register without the ids and the moments of the receiving."""
    found = await world.database.find("incident_people", {"incident_id": key})
    shown = ("person", "category", "categories", "division", "age_band", "minor", "consent", "registrations")
    rows = [{name: person[name] for name in shown} | {"care": person["aftercare"]["reasons"]} for person in found]
    return sorted(rows, key=lambda row: str(row["registrations"]))


@FEW
@given(rows=books, data=st.data())
async def test_the_same_people_sent_in_any_order_and_twice_give_the_same_register(
    world: World, rows: list[dict[str, Any]], data: st.DataObject
) -> None:
    one, other = await an_incident(world), await an_incident(world)
    for row in rows:
        await send(world, one, row)
    for row in data.draw(st.permutations([*rows, *rows])):
        await send(world, other, row)
    assert await register_of(world, one) == await register_of(world, other)
    own = {row["phone"] for row in rows if row["phone"] and row["phone_is_own"]}
    known = [person["person"] for person in await register_of(world, one) if person["person"]]
    assert len(known) == len(set(known)), "nobody is double"
    assert {world.office.pseudonym(phone.replace("-", "")) for phone in own} <= set(known)


@given(books, st.randoms())
def test_what_is_known_of_a_person_does_not_hang_on_the_order(rows: list[dict[str, Any]], chance: Any) -> None:
    said = [{**row, "id": row["person_id"]} for row in rows]
    shuffled = list(said)
    chance.shuffle(shuffled)
    merged = merge_registrations(said)
    assert merged == merge_registrations(shuffled)
    assert merged["minor"] == any(row["age_band"] in (AgeBand.under_14, AgeBand.from_14_to_17) for row in said)
    assert set(merged["categories"]) == {row["category"] for row in said}
    refusals = [row["consent"] for row in said if row["consent"] in (Answer.refused, Answer.no)]
    assert not refusals or merged["consent"] in refusals, "an unasked question takes no refusal back"


acts = st.lists(
    st.tuples(st.sampled_from(["screen", "mark", "close", "session", "stress", "take", "refer"]), st.integers(0, 5)),
    max_size=14,
)


@FEW
@given(rows=books, doings=acts)
async def test_the_numbers_are_always_those_of_a_recount(
    world: World, client: httpx.AsyncClient, rows: list[dict[str, Any]], doings: list[tuple[str, int]]
) -> None:
    key = await an_incident(world)
    address, headers = f"/v1/incidents/{key}", world.keys.token("supervisor", sub="supervisor-b")
    for row in rows:
        await send(world, key, {**row, "consent": Answer.yes, "age_band": AgeBand.from_25_to_44})
    for what, number in doings:
        person_id = rows[number % len(rows)]["person_id"]
        person, ident = f"{address}/people/{person_id}", uuid4()
        helped = {"person_id": str(person_id), "held_at": START.isoformat(), "method": "counselling"}
        match what:
            case "screen":
                body = a_screen(world, person_id, {"wish-to-die": "yes" if number % 2 else "no"})
                await ok(client.put(f"{address}/screens/{ident}", json=body, headers=headers))
            case "mark":
                await ok(client.post(f"{person}/high-risk", json={"reason": "面谈"}, headers=headers))
            case "close":  # refused where the person is not on the list, or the case is open at high risk
                done = {"outcome": "recovered", "reason": "平稳"}
                answer = await client.post(f"{person}/aftercare/close", json=done, headers=headers)
                assert answer.status_code in (200, 409)
            case "session":
                group = {"division": TOWN, "minutes": 50, "led_by": ["expert-1"], "participants": number + 1}
                group |= {"method": "group-support", "held_at": START.isoformat()}
                await ok(client.put(f"{address}/sessions/{ident}", json=group, headers=headers))
            case "stress":
                body = {**helped, "acute_stress": "QE84"}
                await ok(client.put(f"{address}/interventions/{ident}", json=body, headers=headers))
            case "take":
                for flag in world.emitted(RiskFlagged):
                    if not await world.database.find("cases", {"flags.id": flag.id}):
                        await world.take(flag)
            case "refer":
                for case in await world.database.find("cases", {"state": "open", "hotline": "incident"}, limit=1):
                    if (await world.referral(case["_id"]))["state"] == "drafted":
                        await world.refer(case["_id"])
    for division in (COUNTY, TOWN):
        assert await numbers_of(world.database, key, division) == await recount(world, key, division)
    shown = await ok(client.get(f"/v1/incidents/{key}/numbers", headers=headers))
    assert shown["people"] == sum(shown["by_category"].values()) == (await recount(world, key, COUNTY))["people"]


async def recount(world: World, key: UUID, division: str) -> dict[str, Any]:
    """The same numbers, counted by hand from the documents."""
    everyone = await world.database.find("incident_people", {"incident_id": key})
    people = [person for person in everyone if person["division"].startswith(division)]
    deeds = [
        act
        for act in await world.database.find("incident_acts", {"incident_id": key})
        if act["division"].startswith(division)
    ]
    in_case, referred = 0, 0
    for person in people:
        cases = [case for case in await world.cases() if {row["id"] for row in case["flags"]} & set(person["flags"])]
        sent = [await world.database.get("referrals", case["referral_id"]) for case in cases if case["referral_id"]]
        in_case += bool(cases)
        referred += any(one is not None and one["state"] in UNDER_WAY for one in sent)

    def of(kind: str) -> list[dict[str, Any]]:
        return [act for act in deeds if act["kind"] == kind]

    def care(state: str) -> int:
        return sum(person["aftercare"]["state"] == state for person in people)

    screened = {act["entry_id"] for act in of("screen")}
    return {
        "people": len(people),
        "minors": sum(person["age_band"] in ("under_14", "from_14_to_17") for person in people),
        "screened": len(screened),
        "positive": len({act["entry_id"] for act in of("screen") if act["positive"]}),
        "by_category": {one.value: sum(person["category"] == one.value for person in people) for one in Exposure},
        "acute_stress": len({act["entry_id"] for act in of("intervention") if act["acute_stress"]}),
        "aftercare": {state: care(state) for state in ("listed", "followed", "closed")},
        "in_case": in_case,
        "referred": referred,
        "screens": len(of("screen")),
        "group_sessions": len(of("session")),
        "participants": sum(act["participants"] for act in of("session")),
        "interventions": len(of("intervention")),
        "outreaches": 0,
    }
