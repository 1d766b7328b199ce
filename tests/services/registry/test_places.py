"""The register of places: what a place is, where, how it stands, and who recorded it."""

from __future__ import annotations

import base64
import json
import uuid
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.registry.domain.places import Span, flaw_in_hours, read_minute, written
from services.registry.domain.places_labels import TYPES
from services.registry.domain.places_status import NEXT, State, allows
from tests.services.registry.places_support import COUNTY, TOWN, organisation, person, place, staffed, told, villages
from tests.services.registry.support import Registry
from tests.services.registry.trainings_support import qualified

VILLAGE = "370812001001"


async def test_a_place_is_registered_once_and_told_with_its_revision(registry: Registry) -> None:
    ident, body = str(uuid.uuid4()), told(systems=["community"], functions=["reception", "referral"])
    async with registry.client(COUNTY) as client:
        assert (await client.put(f"/v1/places/{ident}", json=body)).status_code == 201
        again = await client.put(f"/v1/places/{ident}", json=body)
        assert (again.status_code, again.json()["revision"], again.json()["status"]) == (200, 1, "planned")
        changed = await client.put(f"/v1/places/{ident}", json={**body, "name": "示例驿站"})
        assert changed.json()["revision"] == 2
        assert changed.json()["type_label"] == "心理健康服务站点（心灵驿站）"
    first, second = await registry.events("place_registered")
    assert (first["place_id"], first["revision"], first["type"], first["systems"]) == (
        ident,
        1,
        "station",
        ["community"],
    )
    assert (second["revision"], second["functions"]) == (2, ["reception", "referral"])


async def test_each_field_shows_who_recorded_it_and_what_is_not_told_has_no_stamp(registry: Registry) -> None:
    async with registry.client(COUNTY, subject="one") as client:
        ident = await place(client, rooms=[{"kind": "individual", "area_m2": 12}])
    async with registry.client(COUNTY, subject="two") as client:
        body = told(rooms=[{"kind": "individual", "area_m2": 12}], address="示例路1号")
        shown = (await client.put(f"/v1/places/{ident}", json=body)).json()
        assert (shown["recorded"]["rooms"]["by"], shown["recorded"]["address"]["by"]) == ("one", "two")
        assert "functions" not in shown["recorded"]
        taken_back = (await client.put(f"/v1/places/{ident}", json=told(address="示例路1号"))).json()
        assert "rooms" not in taken_back["recorded"]


SEED_TYPES = {
    "school_room": "心声教室",
    "agency_room": "健康驿站",
    "enterprise_room": "健康驿站",
    "practice_room": "心语小屋",
    "marriage_room": "婚辅小站",
    "hospital_corner": "心理健康角",
    "training_base": "培训基地",
    "care_point": "老年心理关爱点",
    "rukang_home": "如康家园",
    "governance_room": "综治中心",
    "village_room": "社会工作室",
    "custody_site": "公安监管场所",
    "release_base": "刑满释放人员过渡性安置基地",
    "drug_recovery_office": "社区戒毒社区康复工作办公室",
    "justice_office": "司法所",
    "correction_centre": "社区矫正中心",
    "aid_station": "救助管理站",
    "petition_reception": "信访接待场所",
    "hospital_station": "医院",
    "transport_station": "车站",
    "mall_station": "商场",
    "scenic_station": "景区",
    "community_volunteer_centre": "社区志愿服务中心",
    "university_volunteer_centre": "高校志愿服务中心",
}


async def test_every_kind_of_site_that_the_papers_name_is_registered(registry: Registry) -> None:
    await villages(registry)
    async with registry.client(COUNTY) as client:
        for kind, name in SEED_TYPES.items():
            ident = await place(client, type=kind, division=VILLAGE, tier=None)
            listed = (await client.get("/v1/places", params={"type": kind})).json()["items"]
            assert [one["id"] for one in listed] == [ident]
            assert name in listed[0]["type_label"]


async def test_the_seven_places_for_special_groups_are_one_group(registry: Registry) -> None:
    special = [code for code, kind in TYPES.items() if kind.group == "special"]
    assert len(special) == 7
    async with registry.client(COUNTY) as client:
        idents = {await place(client, type=kind, tier=None) for kind in special}
        await place(client)
        listed = (await client.get("/v1/places", params={"group": "special"})).json()["items"]
    assert {one["id"] for one in listed} == idents


VENUES = [
    "library",
    "museum",
    "art_museum",
    "cultural_hall",
    "memorial_hall",
    "exhibition_hall",
    "youth_palace",
    "children_centre",
    "fuxing_youth_palace",
    "self_reliance_hall",
    "disability_aid_base",
    "neighbourhood_centre",
    "community_health_station",
    "village_clinic",
]


async def test_a_place_says_which_house_it_is_in(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        for venue in VENUES:
            ident = await place(client, type="activity_venue", tier=None, venue=venue)
            listed = (await client.get("/v1/places", params={"venue": venue})).json()["items"]
            assert [one["id"] for one in listed] == [ident]


async def test_a_station_says_which_of_the_five_hosts_and_four_systems_it_is_of(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        lists = (await client.get("/v1/place-codes")).json()["lists"]
        assert (len(lists["hosts"]), len(lists["systems"])) == (5, 4)
        idents = [await place(client, host=host, name=f"示例{host}") for host in lists["hosts"]]
        for host, ident in zip(lists["hosts"], idents, strict=True):
            found = (await client.get("/v1/places", params={"host": host})).json()["items"]
            assert [one["id"] for one in found] == [ident]
        both = await place(client, systems=["education", "medical"])
        found = (await client.get("/v1/places", params={"system": "medical"})).json()["items"]
    assert [one["id"] for one in found] == [both]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"type": "castle"}, "body.type"),
    ({"name": "  "}, "body.name"),
    ({"division": "3708"}, "division"),
    ({"division": "370899"}, "division"),
    ({"grid": "07"}, "grid"),
    ({"tier": "village"}, "tier"),
    ({"type": "practice_centre", "tier": "town"}, "tier"),
    ({"type": "activity_venue"}, "venue"),
    ({"functions": ["therapy"]}, "functions"),
    ({"functions": ["reception", "reception"]}, "body.functions"),
    ({"fees": [{"item": "咨询", "yuan": "1"}]}, "fees"),
    ({"hours": [{"weekday": 1, "opens": "17:00", "closes": "08:00"}]}, "hours"),
    ({"hours": [{"weekday": 8, "opens": "08:00", "closes": "09:00"}]}, "body.hours.0.weekday"),
    ({"hours": [{"weekday": 1, "opens": "8:00", "closes": "09:00"}]}, "body.hours.0"),
    ({"position": {"latitude": 116.8, "longitude": 35.5, "datum": "wgs84"}}, "body.position.latitude"),
    ({"position": {"latitude": 35.5, "longitude": 116.8, "datum": "paper"}}, "body.position.datum"),
    ({"rooms": [{"kind": "individual", "area_m2": 0}]}, "body.rooms.0.area_m2"),
    ({"rooms": [{"kind": "ballroom"}]}, "body.rooms.0.kind"),
    ({"organisation_id": str(uuid.UUID(int=7))}, "organisation_id"),
    ({"parent_id": str(uuid.UUID(int=7))}, "parent_id"),
    ({"neighbours": ["370812001999"]}, "neighbours.0"),
    ({"colour": "green"}, "body.colour"),
]


async def test_what_cannot_be_is_refused_with_its_field(registry: Registry) -> None:
    async with registry.client("37") as client:
        for fields, field in WRONG:
            answer = await client.put(f"/v1/places/{uuid.uuid4()}", json=told(**fields))
            assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text
    assert await registry.events("place_registered") == []


async def test_a_grid_lies_below_a_village(registry: Registry) -> None:
    await villages(registry)
    async with registry.client(COUNTY) as client:
        ident = await place(client, division=VILLAGE, tier="village", grid="G-07")
        assert (await client.get(f"/v1/places/{ident}")).json()["grid"] == "G-07"
        await staffed(client, ident, await person(client), occupation="grid_worker", full_time=False)
        shown = (await client.get(f"/v1/places/{ident}")).json()
    assert [one["occupation"] for one in shown["staff"]] == ["grid_worker"]


async def test_psychotherapy_is_a_function_of_places_in_medical_institutions_alone(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        hospital = await organisation(client, "示例医院", "hospital")
        provider = await organisation(client, "示例机构", "service_provider")
        await place(client, functions=["therapy"], organisation_id=hospital)
        body = told(functions=["therapy"], organisation_id=provider)
        answer = await client.put(f"/v1/places/{uuid.uuid4()}", json=body)
    assert (answer.status_code, answer.json()["reason"]) == (422, "therapy_outside_medicine")


async def test_centre_office_and_station_of_civilised_practice_are_a_tree(registry: Registry) -> None:
    await villages(registry)
    async with registry.client(COUNTY) as client:
        centre = await place(client, type="practice_centre", tier=None, division=COUNTY)
        office = await place(client, type="practice_office", tier=None, parent_id=centre)
        station = await place(client, type="practice_station", tier=None, division=VILLAGE, parent_id=office)
        tiers = [(await client.get(f"/v1/places/{one}")).json()["tier"] for one in (centre, office, station)]
        assert tiers == ["county", "town", "village"]
        below = (await client.get("/v1/places", params={"parent_id": office})).json()["items"]
        assert [one["id"] for one in below] == [station]
        for fields in (
            {"type": "practice_office", "tier": None, "parent_id": station},
            {"type": "practice_station", "tier": None, "division": "370812002001", "parent_id": office},
            {"type": "practice_centre", "tier": None, "division": COUNTY, "parent_id": centre},
        ):
            answer = await client.put(f"/v1/places/{uuid.uuid4()}", json=told(**fields))
            assert (answer.status_code, answer.json()["field"]) == (422, "parent_id")
        shut = await client.post(f"/v1/places/{office}/status", json={"status": "closed", "reason": "撤并"})
        assert shut.status_code == 409


async def test_a_village_has_one_care_point_until_it_is_closed(registry: Registry) -> None:
    await villages(registry)
    point: dict[str, Any] = {"type": "care_point", "tier": "village", "division": VILLAGE}
    async with registry.client(COUNTY) as client:
        first = await place(client, **point)
        second = await client.put(f"/v1/places/{uuid.uuid4()}", json=told(**point))
        assert (second.status_code, second.json()["field"]) == (409, "division")
        coarse = await client.put(f"/v1/places/{uuid.uuid4()}", json=told(type="care_point"))
        assert (coarse.status_code, coarse.json()["field"]) == (422, "division")
        await client.post(f"/v1/places/{first}/status", json={"status": "closed", "reason": "撤并"})
        await place(client, **point)


async def test_a_room_of_a_practice_centre_opens_only_with_a_certified_counsellor(registry: Registry) -> None:
    opening = {"status": "open", "reason": "示例开放"}
    async with registry.client(COUNTY) as client:
        ident, who = await place(client, type="practice_room", tier=None), await person(client)
        await staffed(client, ident, who, certificate=False)
        refused = await client.post(f"/v1/places/{ident}/status", json=opening)
        assert (refused.status_code, refused.json()["reason"]) == (409, "no_qualified_counsellor")
        await staffed(client, ident, who, certificate=True)
        await qualified(client, who, "counsellor", registry)
        assert (await client.post(f"/v1/places/{ident}/status", json=opening)).json()["status"] == "open"


async def test_a_place_opens_pauses_and_closes_for_good_and_every_step_stays(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident = await place(client)
        paused = await client.post(f"/v1/places/{ident}/status", json={"status": "suspended", "reason": "装修"})
        assert paused.status_code == 409
        for status in ("open", "open", "suspended", "open", "closed"):
            answer = await client.post(f"/v1/places/{ident}/status", json={"status": status, "reason": "示例"})
            assert answer.json()["status"] == status
        assert [one["status"] for one in answer.json()["status_log"]] == [
            "planned",
            "open",
            "suspended",
            "open",
            "closed",
        ]
        again = await client.post(f"/v1/places/{ident}/status", json={"status": "open", "reason": "示例"})
        assert again.status_code == 409
        typed = await client.put(f"/v1/places/{ident}", json=told(type="centre"))
        assert (typed.status_code, typed.json()["field"]) == (409, "type")
    assert [one["status"] for one in await registry.events("place_registered")][-2:] == ["open", "closed"]


@given(st.sampled_from(State), st.sampled_from(State))
def test_what_is_closed_stays_closed_and_every_other_state_can_be_closed(present: State, following: State) -> None:
    assert allows(present, following) == (following in NEXT[present])
    assert allows(present, State.closed) == (present is not State.closed)
    if present is State.closed:
        assert not allows(present, following)


async def test_lists_are_filtered_sorted_and_paged_without_gap_or_double(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        for number in range(7):
            await place(client, name=f"示例{number % 3}号", opened=number % 2 == 0)
        for sort in ("id", "name", "-name", "division", "-id", "type"):
            seen: list[dict[str, Any]] = []
            after: str | None = None
            for _ in range(10):
                params = {"sort": sort, "limit": 2, **({"after": after} if after else {})}
                page = (await client.get("/v1/places", params=params)).json()
                seen += page["items"]
                after = page["next"]
                if after is None:
                    break
            assert len({one["id"] for one in seen}) == len(seen) == 7, sort
            field = sort.removeprefix("-")
            values = [one[field] for one in seen]
            assert values == sorted(values, reverse=sort.startswith("-")), sort
        shut = (await client.get("/v1/places", params={"status": "planned", "tier": "town"})).json()["items"]
        assert len(shut) == 3


def cursor(*parts: str | None) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


UNLISTABLE: list[tuple[dict[str, Any], str]] = [
    ({"after": "!!"}, "after"),
    ({"after": "W1siYSJdXQ=="}, "after"),
    ({"after": cursor("name", "\ud800", str(uuid.UUID(int=7))), "sort": "name"}, "after"),
    ({"after": cursor("name", "x", str(uuid.UUID(int=7)))}, "after"),
    ({"after": cursor("id", None, "x")}, "after"),
    ({"after": "WyJuYW1lIiwgIngiLCAieCJd"}, "after"),
    ({"sort": "colour"}, "query.sort"),
    ({"type": "castle"}, "type"),
    ({"group": "castle"}, "group"),
    ({"status": "castle"}, "status"),
    ({"system": "castle"}, "system"),
    ({"host": "castle"}, "host"),
    ({"tier": "castle"}, "tier"),
    ({"demonstration": "castle"}, "demonstration"),
    ({"limit": 0}, "query.limit"),
]


async def test_a_list_that_cannot_be_given_names_what_was_wrong(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        for params, field in UNLISTABLE:
            answer = await client.get("/v1/places", params=params)
            assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text


async def test_places_outside_the_callers_division_do_not_exist(registry: Registry) -> None:
    async with registry.client("") as client:
        ident = await place(client)
        hospital = await organisation(client, "示例医院", "hospital")
    async with registry.client("320706") as client:
        assert (await client.get("/v1/places")).json()["items"] == []
        for path in ("", "/wall", "/checks", "/check?standard=station"):
            assert (await client.get(f"/v1/places/{ident}{path}")).status_code == 404
        assert (await client.put(f"/v1/places/{ident}", json=told(division="320706016"))).status_code == 404
        assert (await client.put(f"/v1/places/{uuid.uuid4()}", json=told())).status_code == 404
        body = told(division="320706016", organisation_id=hospital)
        answer = await client.put(f"/v1/places/{uuid.uuid4()}", json=body)
        assert (answer.status_code, answer.json()["field"]) == (422, "organisation_id")
        moved = await client.post(f"/v1/places/{ident}/status", json={"status": "open", "reason": "示例"})
        assert moved.status_code == 404
        fact = await client.put(f"/v1/places/{ident}/facts/independent", json={"value": True})
        assert fact.status_code == 404
    async with registry.client(COUNTY, "statistician") as client:
        assert (await client.get(f"/v1/places/{ident}")).status_code == 200
        assert (await client.put(f"/v1/places/{ident}", json=told())).status_code == 403
    async with registry.client(COUNTY, "volunteer") as client:
        assert (await client.get("/v1/places")).status_code == 403


@given(st.integers(0, 1440))
def test_a_time_of_day_is_written_and_read_back(minute: int) -> None:
    assert read_minute(written(minute)) == minute


@given(st.text(max_size=6))
def test_whatever_is_written_as_a_time_is_a_minute_of_the_day_or_refused(text: str) -> None:
    try:
        assert 0 <= read_minute(text) <= 1440
    except ValueError:
        assert text not in {written(minute) for minute in range(1441)}


SPANS = st.builds(Span, st.integers(1, 7), st.integers(0, 1440), st.integers(0, 1440))


@settings(deadline=None)
@given(st.lists(SPANS, max_size=6))
def test_opening_hours_are_sound_exactly_where_no_minute_is_told_twice(spans: list[Span]) -> None:
    minutes = [(span.weekday, minute) for span in spans for minute in range(span.opens, span.closes)]
    sound = len(set(minutes)) == len(minutes) and all(span.closes > span.opens for span in spans)
    assert (flaw_in_hours(spans) is None) == sound


async def test_opening_hours_are_kept_in_order_and_summed(registry: Registry) -> None:
    hours = [
        {"weekday": 2, "opens": "14:00", "closes": "24:00"},
        {"weekday": 1, "opens": "08:30", "closes": "12:00"},
    ]
    async with registry.client(COUNTY) as client:
        shown = (await client.get(f"/v1/places/{await place(client, hours=hours)}")).json()
    assert [one["weekday"] for one in shown["hours"]] == [1, 2]
    assert shown["open_minutes_a_week"] == 210 + 600
    assert shown["division"] == TOWN
