"""The 15-minute circle, its map, the three-level network, and who is expected to have a place."""

from __future__ import annotations

import math
import uuid
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.clock import now
from services.registry.domain.coverage import (
    EARTH_METRES,
    Place,
    Point,
    State,
    Village,
    Way,
    metres_between,
    reached,
    walk_minutes,
)
from services.registry.policy import Policies
from tests.services.registry.places_support import (
    COUNTY,
    TOWN,
    VILLAGES,
    organisation,
    person,
    place,
    staffed,
    villages,
)
from tests.services.registry.support import Registry

CIRCLE = Policies.load().coverage.at(now()).circle
HOME = Point(35.55, 116.83, "cgcs2000")
FIRST, SECOND, THIRD, ELSEWHERE = sorted(VILLAGES)
DEGREE = math.pi * EARTH_METRES / 180


def north(metres: float, datum: str = "cgcs2000") -> Point:
    return Point(HOME.latitude + metres / DEGREE, HOME.longitude, datum)


def judged(village: Village, *places: Place) -> tuple[State, Way]:
    (found,) = reached([village], places, CIRCLE)
    return found.state, found.way


def test_fifteen_minutes_end_where_the_policy_says() -> None:
    assert CIRCLE.minutes == 15
    edge = CIRCLE.metres
    here = Place("p", FIRST, HOME)
    assert judged(Village(SECOND, north(edge - 1)), here) == (State.covered, Way.coordinates)
    assert judged(Village(SECOND, north(edge + 1)), here) == (State.uncovered, Way.nothing_near)
    assert walk_minutes(HOME, north(edge), CIRCLE) == pytest.approx(15, abs=1e-6)


def test_coordinates_come_before_the_name_of_the_village() -> None:
    far = Place("p", FIRST, north(3000))
    assert judged(Village(FIRST, HOME), far) == (State.uncovered, Way.nothing_near)
    assert judged(Village(FIRST, None), far) == (State.covered, Way.same_village)
    assert judged(Village(FIRST, HOME), Place("p", FIRST, None)) == (State.covered, Way.same_village)


def test_a_declared_neighbour_is_covered_and_what_nobody_knows_is_said() -> None:
    declaring = Place("p", FIRST, None, frozenset({SECOND}))
    assert judged(Village(SECOND, None), declaring) == (State.covered, Way.declared)
    assert judged(Village(THIRD, None), declaring) == (State.unknown, Way.village_without_point)
    assert judged(Village(THIRD, HOME), declaring) == (State.unknown, Way.place_without_point)
    assert judged(Village(ELSEWHERE, HOME), declaring) == (State.uncovered, Way.nothing_near)
    assert judged(Village(ELSEWHERE, None), declaring) == (State.unknown, Way.no_place_in_town)
    somewhere = Place("p", COUNTY, None)
    assert judged(Village(ELSEWHERE, HOME), somewhere) == (State.unknown, Way.place_without_point)


def test_points_of_different_coordinate_systems_are_not_compared() -> None:
    beside = Place("p", SECOND, Point(HOME.latitude, HOME.longitude, "gcj02"))
    assert judged(Village(FIRST, HOME), beside) == (State.unknown, Way.place_without_point)
    same = Place("p", SECOND, Point(HOME.latitude, HOME.longitude, "wgs84"))
    assert judged(Village(FIRST, HOME), same) == (State.covered, Way.coordinates)


POINTS = st.builds(Point, st.floats(35.4, 35.7), st.floats(116.6, 117.0), st.just("wgs84"))


@settings(deadline=None)
@given(st.lists(POINTS, max_size=12), POINTS)
def test_the_nearest_place_is_found_as_if_every_one_had_been_measured(points: list[Point], home: Point) -> None:
    places = [Place(str(number), ELSEWHERE, point) for number, point in enumerate(points)]
    (found,) = reached([Village(FIRST, home)], places, CIRCLE)
    within = [minutes for point in points if (minutes := walk_minutes(home, point, CIRCLE)) <= CIRCLE.minutes]
    assert (found.state is State.covered) == bool(within)
    if within:
        assert found.minutes == round(min(within), 1)


@given(POINTS, POINTS)
def test_distances_are_the_same_both_ways_and_about_those_of_a_plane(one: Point, other: Point) -> None:
    metres = metres_between(one, other)
    assert metres == pytest.approx(metres_between(other, one))
    middle = math.radians((one.latitude + other.latitude) / 2)
    plane = math.hypot(
        (one.latitude - other.latitude) * DEGREE, (one.longitude - other.longitude) * DEGREE * math.cos(middle)
    )
    assert metres == pytest.approx(plane, rel=0.001, abs=0.01)


# Over HTTP


def position(point: Point) -> dict[str, Any]:
    return {"latitude": point.latitude, "longitude": point.longitude, "datum": point.datum}


async def located(client: httpx.AsyncClient, code: str, point: Point) -> None:
    answer = await client.put(f"/v1/coverage/points/{code}", json=position(point))
    assert answer.status_code == 200, answer.text


async def test_coverage_counts_villages_by_town_and_says_what_is_not_known(registry: Registry) -> None:
    await villages(registry)
    async with registry.client(COUNTY) as client:
        posts = [{"occupation": "counsellor", "planned": 2}]
        ident = await place(client, position=position(HOME), opened=True, posts=posts)
        await place(client, position=position(north(5000)))
        await place(client, type="custody_site", tier=None, position=position(north(5000)), opened=True)
        await located(client, FIRST, north(100))
        await located(client, SECOND, north(5000))
        shown = (await client.get("/v1/coverage", params={"division": COUNTY})).json()
        assert (shown["villages"], shown["covered"], shown["uncovered"], shown["unknown"]) == (4, 1, 1, 2)
        assert (shown["share_at_least"], shown["share_at_most"]) == (0.25, 0.75)
        assert [(town["division"], town["villages"]) for town in shown["towns"]] == [(TOWN, 3), ("370812002", 1)]
        assert shown["items"][0]["place_id"] == ident
        assert shown["items"][0]["minutes"] == pytest.approx(100 * 1.3 / 70, abs=0.1)
        assert shown["accessibility"]["places"] == 1
        assert shown["accessibility"]["posts"] == [{"occupation": "counsellor", "planned": 2, "filled": 0}]
        there, left = await person(client), await person(client, 2)
        for who in (there, left):
            await staffed(client, ident, who)
        await client.patch(f"/v1/volunteers/{left}", json={"active": False})
        again = (await client.get("/v1/coverage", params={"division": COUNTY})).json()
        assert [post["filled"] for post in again["accessibility"]["posts"]] == [1]
        assert shown["circle"]["speed_source"].startswith("no published source")
        outside = (await client.get("/v1/coverage", params={"division": COUNTY, "state": "uncovered"})).json()
        assert [one["village"] for one in outside["items"]] == [SECOND]
        town = (await client.get("/v1/coverage", params={"division": TOWN, "limit": 2})).json()
        assert (town["villages"], town["next"]) == (3, SECOND)
        rest = (await client.get("/v1/coverage", params={"division": TOWN, "after": SECOND})).json()
        assert [one["village"] for one in rest["items"]] == [THIRD]


async def test_coverage_is_of_a_city_at_the_widest_and_of_the_callers_division(registry: Registry) -> None:
    async with registry.client("") as client:
        wide = await client.get("/v1/coverage", params={"division": "37"})
        assert (wide.status_code, wide.json()["field"]) == (422, "division")
    async with registry.client("320706") as client:
        for path in ("", "/map", "/network", "/units?rule=school_room"):
            answer = await client.get(f"/v1/coverage{path}", params={"division": COUNTY, "rule": "school_room"})
            assert answer.status_code == 404
        assert (await client.put(f"/v1/coverage/points/{TOWN}", json=position(HOME))).status_code == 404
    async with registry.client(COUNTY, "statistician") as client:
        assert (await client.get("/v1/coverage", params={"division": COUNTY})).status_code == 200
        assert (await client.put(f"/v1/coverage/points/{TOWN}", json=position(HOME))).status_code == 403


class Words(HTMLParser):
    """The text inside elements, by tag and class."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, str, str]] = []
        self._open: list[tuple[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open.append((tag, dict(attrs).get("class") or ""))

    def handle_data(self, data: str) -> None:
        if self._open and data.strip():
            self.found.append((*self._open[-1], data))


async def test_the_map_draws_places_and_circles_and_names_the_villages_outside(registry: Registry) -> None:
    await villages(registry)
    async with registry.client(COUNTY) as client:
        await place(client, name='站<script>alert(1)</script>"', position=position(HOME), opened=True)
        await located(client, FIRST, north(100))
        await located(client, SECOND, north(5000))
        answer = await client.get("/v1/coverage/map", params={"division": COUNTY})
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    page = answer.text
    assert "<script" not in page
    assert "href" not in page
    assert page.count('class="circle"') == 1
    labels = [text for tag, kind, text in Words(page).found if (tag, kind) == ("text", "label")]
    assert labels == [VILLAGES[SECOND]]
    assert "圈外的村（居）（1）" in page
    assert "无法判断的村（居）（2）" in page
    assert "村（居）坐标未登记" in page


async def test_a_map_without_any_coordinate_says_so(registry: Registry) -> None:
    await villages(registry)
    async with registry.client(COUNTY) as client:
        await place(client, opened=True, division=FIRST, tier="village")
        page = (await client.get("/v1/coverage/map", params={"division": COUNTY})).text
    assert "<svg" not in page
    assert "还没有登记任何坐标" in page


async def test_points_are_read_from_a_file_all_or_none_and_twice_is_once(registry: Registry) -> None:
    await villages(registry)
    path = "/v1/coverage/points/import?datum=gcj02"
    good = f"code,latitude,longitude\n{FIRST},35.55,116.83\n{SECOND},35.56,116.84\n".encode()
    async with registry.client(COUNTY) as client:
        bad = f"code,latitude,longitude\n{FIRST},116.83,35.55\n320706016,34.5,119.1\n{SECOND},x,1\nabc,1,2\n".encode()
        refused = await client.post(path, content=bad)
        assert refused.status_code == 422
        told = [(one["row"], one["column"]) for one in refused.json()["errors"]]
        assert told == [(2, "latitude"), (3, "code"), (4, "latitude"), (5, "code")]
        for content in (b"", b"a,b\n", "code,纬度".encode("gbk"), b'code,latitude,longitude\n"x'):
            assert (await client.post(path, content=content)).json()["field"] == "file"
        missing = await client.post(path, content=good + b"370812001999,35.5,116.8\n")
        assert missing.json()["errors"][0]["row"] == 4
        assert await registry.events("division_located") == []
        assert (await client.post(path, content=good)).json() == {"rows": 2, "changed": 2, "unchanged": 0}
        assert (await client.post(path, content=good)).json() == {"rows": 2, "changed": 0, "unchanged": 2}
        assert (await client.post("/v1/coverage/points/import?datum=paper", content=good)).status_code == 422
    one, _ = await registry.events("division_located")
    assert (one["division"], one["revision"], one["datum"]) == (FIRST, 1, "gcj02")


def ruled(shown: dict[str, Any], rule: str) -> dict[str, Any]:
    (found,) = [one for one in shown["items"] if one["rule"] == rule]
    return dict(found)


async def test_the_three_levels_show_who_has_a_place_and_who_has_none(registry: Registry) -> None:
    await villages(registry)
    async with registry.client(COUNTY) as client:
        before = (await client.get("/v1/coverage/network", params={"division": COUNTY})).json()
        assert ruled(before, "network_village")["lacking_count"] == 4
        assert ruled(before, "centre_in_county")["there"] == 0
        await place(client, type="centre", division=COUNTY, tier="county", opened=True)
        await place(client, type="governance_room", division=TOWN, tier="county", opened=True)
        await place(client, type="governance_room", division="370812002", opened=True)
        await place(client, type="village_room", division=FIRST, tier="village", opened=True)
        await place(client, type="care_point", division=SECOND, tier="village", opened=True)
        await place(client, type="village_room", division=THIRD, tier="village")
        shown = (await client.get("/v1/coverage/network", params={"division": COUNTY})).json()
    assert ruled(shown, "centre_in_county")["share"] == 1
    assert ruled(shown, "governance_room_in_county")["there"] == 1
    assert [one["division"] for one in ruled(shown, "governance_room_in_town")["lacking"]] == [TOWN]
    village = ruled(shown, "network_village")
    assert (village["required"], village["there"]) == (4, 2)
    assert [one["name"] for one in village["lacking"]] == [VILLAGES[THIRD], VILLAGES[ELSEWHERE]]
    assert ruled(shown, "network_town")["share"] == 1
    optional = ruled(shown, "room_in_village")
    assert (optional["there"], optional["recommended"]) == (1, True)
    points = ruled(shown, "care_point_in_village")
    assert (points["required"], points["there"]) == (4, 1)
    assert ruled(shown, "city_care_point_in_town")["there"] == 0
    assert ruled(shown, "national_care_point_in_county")["lacking_count"] == 1


async def units(client: httpx.AsyncClient, rule: str, **params: str) -> dict[str, Any]:
    answer = await client.get("/v1/coverage/units", params={"division": COUNTY, "rule": rule, **params})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def sized(client: httpx.AsyncClient, ident: str, **size: Any) -> None:
    answer = await client.put(f"/v1/organisations/{ident}/size", json=size)
    assert answer.status_code == 200, answer.text


async def test_general_hospitals_from_level_two_and_psychiatric_ones_need_their_clinics(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        idents = {
            name: await organisation(client, name, "hospital") for name in ("甲医院", "乙医院", "丙医院", "丁医院")
        }
        await sized(client, idents["甲医院"], hospital_class="general", hospital_level=2)
        await sized(client, idents["乙医院"], hospital_class="general", hospital_level=1)
        await sized(client, idents["丙医院"], hospital_class="psychiatric", hospital_level=3)
        shown = await units(client, "general_hospital_clinic")
        assert (shown["required"], shown["there"], shown["missing"], shown["share"]) == (1, 0, 1, 0)
        assert {one["name"]: one["answer"] for one in shown["items"]} == {"甲医院": "lacking", "丁医院": "missing"}
        clinic: dict[str, Any] = {"type": "psychology_clinic", "tier": None, "organisation_id": idents["甲医院"]}
        await place(client, **clinic)
        assert (await units(client, "general_hospital_clinic"))["there"] == 0
        await place(client, **clinic, opened=True)
        assert (await units(client, "general_hospital_clinic"))["share"] == 1
        assert (await units(client, "psychiatric_child_clinic", answer="lacking"))["items"][0]["name"] == "丙医院"
        await place(client, type="child_clinic", tier=None, organisation_id=idents["丙医院"], opened=True)
        assert (await units(client, "psychiatric_child_clinic"))["share"] == 1


async def test_a_hospital_with_its_clinic_stands_in_the_directory_of_referrals(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident = await organisation(client, "甲医院", "hospital")
        await sized(client, ident, hospital_class="general", hospital_level=2)
        await place(client, type="psychology_clinic", tier=None, organisation_id=ident, opened=True)

        async def directory() -> list[str]:
            found = await client.get("/v1/organisations", params={"receives_referrals": True})
            return [one["name"] for one in found.json()["items"]]

        (shown,) = (await units(client, "general_hospital_clinic", answer="there"))["items"]
        assert (shown["name"], shown["receives_referrals"]) == ("甲医院", False)
        assert await directory() == []
        body = {"name": "甲医院", "kind": "hospital", "division": TOWN, "receives_referrals": True}
        assert (await client.put(f"/v1/organisations/{ident}", json=body)).status_code == 200
        (shown,) = (await units(client, "general_hospital_clinic", answer="there"))["items"]
        assert shown["receives_referrals"] is True
        assert await directory() == ["甲医院"]


async def test_units_of_five_hundred_need_a_station_and_smaller_ones_may_buy_the_service(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        large = await organisation(client, "大企业", "enterprise")
        small = await organisation(client, "小企业", "enterprise")
        await organisation(client, "未报企业", "enterprise")
        provider = await organisation(client, "示例服务机构", "service_provider")
        bought = {"provider_id": provider, "purchased_until": "2099-12-31"}
        await sized(client, large, headcount=500, **bought)
        await sized(client, small, headcount=499)
        shown = await units(client, "large_unit_station")
        assert {one["name"]: one["answer"] for one in shown["items"]} == {"大企业": "lacking", "未报企业": "missing"}
        shown = await units(client, "small_unit_service")
        assert {one["name"]: one["answer"] for one in shown["items"]} == {"小企业": "advised", "未报企业": "missing"}
        await sized(client, small, headcount=499, provider_id=provider, purchased_until="2020-12-31")
        assert (await units(client, "small_unit_service"))["there"] == 0
        await sized(client, small, headcount=499, **bought)
        await sized(client, small, headcount=499, **bought)
        assert (await units(client, "small_unit_service"))["share"] == 1
        await place(client, type="enterprise_room", tier=None, organisation_id=large, opened=True)
        assert (await units(client, "large_unit_station"))["share"] == 1
    told = [event["revision"] for event in await registry.events("organisation_sized")]
    assert told == [1, 1, 2, 3]


async def test_every_school_needs_its_room(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        one, _ = [await organisation(client, name, "school") for name in ("甲学校", "乙学校")]
        await place(client, type="school_room", tier=None, organisation_id=one, opened=True)
        shown = await units(client, "school_room")
    assert (shown["required"], shown["there"], shown["share"]) == (2, 1, 0.5)


async def test_sizes_that_cannot_be_are_refused_with_their_field(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        school = await organisation(client, "示例学校", "school")
        for size, field in (
            ({"hospital_class": "general"}, "hospital_class"),
            ({"hospital_level": 2}, "hospital_level"),
            ({"headcount": -1}, "body.headcount"),
            ({"provider_id": str(uuid.uuid4())}, "provider_id"),
            ({"purchased_until": "2200-01-01"}, "body.purchased_until"),
        ):
            answer = await client.put(f"/v1/organisations/{school}/size", json=size)
            assert (answer.status_code, answer.json()["field"]) == (422, field)
        assert (await client.put(f"/v1/organisations/{uuid.uuid4()}/size", json={})).status_code == 404
        unknown = await client.get("/v1/coverage/units", params={"division": COUNTY, "rule": "castle"})
        assert (unknown.status_code, unknown.json()["field"]) == (422, "rule")
