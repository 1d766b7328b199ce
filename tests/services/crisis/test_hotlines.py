"""The directory of lines, what each kind of line has to be, who staffs it, and whom a district calls out."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from chassis.auth import Caller
from chassis.clock import new_id
from chassis.errors import Refused
from contracts.crisis import ResponderRequested, SupervisionGapFilled, SupervisionGapFound
from tests.services.crisis.test_routes import is_problem
from tests.services.crisis.test_shifts import plan, sign_on
from tests.services.crisis.world import COUNTY, HIGH, LOW, NEIGHBOUR, TOWN, World, person

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ROUTES = {
    "PUT /v1/hotlines/{line_id}",
    "GET /v1/hotlines",
    "PUT /v1/call-out-parties/{party_id}",
    "DELETE /v1/call-out-parties/{party_id}",
    "GET /v1/call-out-parties",
}


def a_line(category: str, **said: Any) -> dict[str, Any]:
    return {
        "name": "示例热线",
        "category": category,
        "division": COUNTY,
        "operator": "示例机构",
        "operator_kind": "other",
        "channels": ["phone"],
        "free": True,
        "seats": [4, 5.5],
        "in_service": True,
        **said,
    }


class Directory:
    """A supervisor who keeps the directory."""

    def __init__(self, world: World, client: httpx.AsyncClient) -> None:
        self.client = client
        self.headers = world.keys.token("supervisor", sub="supervisor-a")

    async def put(self, line: dict[str, Any], line_id: UUID | None = None) -> httpx.Response:
        return await self.client.put(f"/v1/hotlines/{line_id or new_id()}", json=line, headers=self.headers)

    async def enter(self, category: str, **said: Any) -> UUID:
        answer = await self.put(a_line(category, **said))
        assert answer.status_code == 200, answer.text
        assert answer.json()["shortfalls"] == []
        return UUID(answer.json()["id"])

    async def listed(self, query: str = "", headers: dict[str, str] | None = None) -> list[dict[str, Any]]:
        answer = await self.client.get(f"/v1/hotlines{query}", headers=headers or self.headers)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["hotlines"])


@pytest.fixture
def directory(world: World, client: httpx.AsyncClient) -> Directory:
    return Directory(world, client)


async def test_who_keeps_the_directory_and_who_reads_it(
    world: World, client: httpx.AsyncClient, directory: Directory
) -> None:
    token, address, line = world.keys.token, f"/v1/hotlines/{new_id()}", a_line("hospital", operator_kind="hospital")
    is_problem(await client.put(address, json=line), 401)
    is_problem(await client.put(address, json=line, headers=token("duty_officer", "volunteer")), 403)
    for division in (NEIGHBOUR, TOWN):
        is_problem(await client.put(address, json=line, headers=token("supervisor", division=division)), 404)
    first = await client.put(address, json=line, headers=token("operator"))
    assert first.status_code == 200
    assert (await client.put(address, json=line, headers=token("operator"))).json() == first.json()
    elsewhere = {**line, "division": NEIGHBOUR}
    is_problem(await client.put(address, json=elsewhere, headers=token("operator", division=NEIGHBOUR)), 404)
    assert len(await directory.listed(headers=token("volunteer"))) == 1
    assert len(await directory.listed(headers=token("volunteer", division=TOWN))) == 1, "the county's line serves it"
    assert await directory.listed(headers=token("volunteer", division=NEIGHBOUR)) == []
    is_problem(await client.get("/v1/hotlines"), 401)
    is_problem(await client.get("/v1/hotlines?category=x", headers=directory.headers), 422, "query.category")


async def test_a_line_that_cannot_be_is_refused_with_its_field(directory: Directory) -> None:
    for said, field in (
        ({"name": " "}, "body.name"),
        ({"division": "x"}, "body.division"),
        ({"seats": [0]}, "body.seats.0"),
        ({"channels": []}, "body.channels"),
        ({"opens": "25:00"}, "body.opens"),
        ({"number": "热线"}, "body.number"),
        ({"extra": 1}, "body.extra"),
    ):
        is_problem(await directory.put(a_line("hospital", **said)), 422, field)


async def test_two_lines_do_not_share_a_code(directory: Directory) -> None:
    first = await directory.enter("university", operator_kind="university", population="students", code="line-1")
    line = a_line("university", operator_kind="university", population="students", code="line-1")
    is_problem(await directory.put(line), 409, "code")
    assert (await directory.put({**line, "name": "改名"}, first)).json()["name"] == "改名"


async def test_psychology_120_is_a_free_line_whose_flags_become_cases(world: World, directory: Directory) -> None:
    is_problem(await directory.put(a_line("psychological_120", free=False)), 422, "free")
    line_id = await directory.enter("psychological_120", code="psy-120")
    case = await world.flag(hotline="psy-120", caller=person(), **HIGH)
    (line,) = await directory.listed(f"?code={case['hotline']}")
    assert (line["id"], line["category"], line["free"]) == (str(line_id), "psychological_120", True)
    assert (case["tier"], case["acknowledgement"]["state"]) == ("high", "waiting")


async def test_the_reassurance_line_is_run_by_a_room_around_the_clock_and_its_roster_has_no_gap_unseen(
    world: World, client: httpx.AsyncClient, directory: Directory
) -> None:
    said = {"operator_kind": "counselling_room", "population": "affected_by_incident"}
    is_problem(await directory.put(a_line("reassurance", **{**said, "operator_kind": "volunteer_team"})), 422)
    is_problem(await directory.put(a_line("reassurance", **said, opens="08:00", closes="22:00")), 422, "opens")
    line_id = await directory.enter("reassurance", **said)
    base = world.now
    for number in range(7):
        if number != 4:
            await plan(world, f"officer-{number}", length=DAY, start=number * DAY, base=base, hotline_id=line_id)
        await plan(world, f"supervisor-{number}", "supervisor", length=DAY, start=number * DAY, base=base)
    gaps = (await client.get("/v1/shifts/gaps?days=6", headers=directory.headers)).json()["gaps"]
    assert [(gap["hotline_id"], gap["role"]) for gap in gaps] == [(str(line_id), "duty_officer")]
    for _ in range(30):
        for shift in await world.database.find(
            "shifts", {"state": "planned", "starts_at": {"$lte": world.now + HOUR / 2}}
        ):
            roles = frozenset({shift["role"]})
            await sign_on(world, shift["_id"], Caller(shift["person"], roles, COUNTY))
        await world.pass_time(HOUR)
    (found,) = world.emitted(SupervisionGapFound)
    assert (found.hotline_id, found.role, found.ahead_hours) == (line_id, "duty-officer", 72)
    await plan(world, "officer-x", length=DAY, start=4 * DAY, base=base, hotline_id=line_id)
    assert [event.hotline_id for event in world.emitted(SupervisionGapFilled)] == [line_id]


async def test_the_youth_line_is_staffed_by_teachers_alone_and_a_minors_case_asks_for_who_may_take_it(
    world: World, directory: Directory
) -> None:
    said = {"operator_kind": "school", "population": "minors"}
    is_problem(await directory.put(a_line("fledgling", operator_kind="school")), 422, "population")
    is_problem(await directory.put(a_line("fledgling", **said, opens="08:00", closes="20:00")), 422, "opens")
    line_id = await directory.enter("fledgling", **said, code="fledgling-1")
    for wrong in (None, "counsellor", "none"):
        with pytest.raises(Refused) as refusal:
            await plan(world, hotline_id=line_id, qualification=wrong)
        assert (refusal.value.reason, refusal.value.field) == ("not_qualified", "qualification")
    for number, right in enumerate(("mental_health_teacher", "qualified_school_staff")):
        await plan(world, f"teacher-{number}", hotline_id=line_id, qualification=right)
    await world.flag(hotline="fledgling-1", caller=person(), age_band="from_14_to_17", **HIGH)
    assert [asked.minor for asked in world.emitted(ResponderRequested)] == [True]


async def test_the_line_for_the_elderly_is_run_by_a_professional_institution_around_the_clock(
    directory: Directory,
) -> None:
    said = {"operator_kind": "professional_institution", "population": "elderly"}
    wrong = {**said, "operator_kind": "volunteer_team"}
    is_problem(await directory.put(a_line("forget_me_not", **wrong)), 422, "operator_kind")
    is_problem(await directory.put(a_line("forget_me_not", **said, opens="06:00", closes="22:00")), 422, "opens")
    await directory.enter("forget_me_not", **said)


async def test_the_line_for_those_who_worry_about_their_looks_is_run_by_a_mass_organisation(
    directory: Directory,
) -> None:
    said = {"operator_kind": "mass_organisation", "population": "appearance_anxiety"}
    is_problem(await directory.put(a_line("beauty_of_mind", **{**said, "operator_kind": "hospital"})), 422)
    await directory.enter("beauty_of_mind", **said, opens="09:00", closes="17:00")
    (line,) = await directory.listed("?category=beauty_of_mind")
    assert (line["operator_kind"], line["opens"], line["closes"]) == ("mass_organisation", "09:00", "17:00")


async def test_the_lines_of_twenty_one_universities_are_a_category_of_their_own(directory: Directory) -> None:
    for number in range(21):
        await directory.enter(
            "university",
            name=f"示例大学{number}心理支持热线",
            operator_kind="university",
            population="students",
            code=f"university-{number}",
        )
    await directory.enter("hospital", operator_kind="hospital")
    seen: list[str] = []
    while page := await directory.listed(f"?category=university&limit=10{f'&after={seen[-1]}' if seen else ''}"):
        seen += [line["id"] for line in page]
    assert len(seen) == len(set(seen)) == 21


async def test_the_districts_free_line_has_a_wechat_account_beside_its_telephone(directory: Directory) -> None:
    said = {"operator_kind": "health_bureau", "account": "心灵驿站", "number": "000-0000-0012"}
    is_problem(await directory.put(a_line("district_line", **said)), 422, "channels")
    both = ["phone", "wechat_official_account"]
    is_problem(await directory.put(a_line("district_line", **said, channels=both, free=False)), 422, "free")
    is_problem(
        await directory.put(a_line("district_line", **said, channels=both, opens="06:00", closes="23:00")), 422, "opens"
    )
    services = ["aid", "publicity"]
    await directory.enter("district_line", **said, channels=both, services=services)
    account = {**said, "number": None, "channels": ["wechat_official_account"], "seats": []}
    is_problem(await directory.put(a_line("wechat_account", **account, services=["aid"])), 422, "services")
    await directory.enter("wechat_account", **account, services=["aid", "self_help"])
    lines = {line["category"]: line for line in await directory.listed()}
    assert lines["district_line"]["channels"] == both
    assert lines["wechat_account"]["account"] == "心灵驿站"


async def test_a_line_that_lacks_something_is_listed_but_not_in_service(directory: Directory) -> None:
    lacking = a_line("line_12356", seats=[3.5], in_service=False)
    answer = await directory.put(lacking)
    assert [one["reason"] for one in answer.json()["shortfalls"]] == ["seats", "seat_area"]
    refused = await directory.put({**lacking, "in_service": True}, UUID(answer.json()["id"]))
    is_problem(refused, 422, "seats")
    (line,) = await directory.listed()
    assert line["in_service"] is False


# Whom a district calls out


def a_party(kind: str, **said: Any) -> dict[str, Any]:
    return {"kind": kind, "division": COUNTY, "name": "示例单位", "number": "000-0000-0011", **said}


async def test_a_district_has_its_health_emergency_and_police_offices_in_its_directory(
    world: World, client: httpx.AsyncClient
) -> None:
    token = world.keys.token
    supervisor, officer = token("supervisor"), token("duty_officer")
    address = f"/v1/call-out-parties/{new_id()}"

    async def seen(headers: dict[str, str] = officer) -> tuple[list[str], list[str]]:
        answer = (await client.get("/v1/call-out-parties", headers=headers)).json()
        return [party["kind"] for party in answer["parties"]], answer["missing"]

    assert await seen() == ([], ["health_bureau", "emergency_bureau", "police_bureau"])
    is_problem(await client.put(address, json=a_party("health_bureau")), 401)
    is_problem(await client.put(address, json=a_party("health_bureau"), headers=officer), 403)
    is_problem(await client.put(address, json=a_party("x"), headers=supervisor), 422, "body.kind")
    is_problem(await client.put(address, json=a_party("health_bureau", number="?"), headers=supervisor), 422)
    elsewhere = token("supervisor", division=NEIGHBOUR)
    is_problem(await client.put(address, json=a_party("health_bureau"), headers=elsewhere), 404)
    first = await client.put(address, json=a_party("health_bureau"), headers=supervisor)
    assert (await client.put(address, json=a_party("health_bureau"), headers=supervisor)).json() == first.json()
    for kind, division in (("emergency_bureau", COUNTY), ("police_bureau", "3708")):
        where = f"/v1/call-out-parties/{new_id()}"
        city = token("district_centre", division="3708")
        answer = await client.put(where, json=a_party(kind, division=division), headers=city)
        assert answer.status_code == 200, answer.text
    assert await seen() == (["emergency_bureau", "health_bureau", "police_bureau"], []), "the nearest first"
    assert await seen(token("duty_officer", division=TOWN)) == await seen()
    assert await seen(token("duty_officer", division=NEIGHBOUR)) == (
        ["police_bureau"],
        ["health_bureau", "emergency_bureau"],
    )
    is_problem(await client.delete(address, headers=elsewhere), 404)
    is_problem(await client.delete(address, headers=officer), 403)
    assert (await client.delete(address, headers=supervisor)).status_code == 200
    assert (await seen())[1] == ["health_bureau"]
    is_problem(await client.get("/v1/call-out-parties?limit=0", headers=officer), 422, "query.limit")
    case = await world.flag(caller=person(), **LOW)
    assert case["state"] == "open"
