"""Teams: types and levels, the tree, the professional teams of the province, and who may read what."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.registry.domain.teams import LEVEL_OF_DIGITS, closes_a_circle
from services.registry.domain.teams_labels import TEAM_TYPES
from services.registry.domain.teams_status import NEXT, State, allows
from tests.services.registry.places_support import COUNTY, TOWN, organisation, place, villages
from tests.services.registry.support import Registry
from tests.services.registry.teams_support import a_team, put, refused, team

VILLAGE = "370812001001"


async def test_a_team_of_each_of_the_five_levels_knows_its_level_and_stands_below_one_above(registry: Registry) -> None:
    await villages(registry)
    async with registry.client("") as client:
        parent, idents = None, []
        for division in ("37", "3708", COUNTY, TOWN, VILLAGE):
            parent = await team(client, division=division, parent_id=parent, name=f"示例{division}队")
            idents.append(parent)
        shown = [(await client.get(f"/v1/teams/{ident}")).json() for ident in idents]
        assert [one["level"] for one in shown] == list(LEVEL_OF_DIGITS.values())
        assert [one["parent_id"] for one in shown] == [None, *idents[:-1]]
        found = await client.get("/v1/teams", params={"level": "village"})
        assert [one["id"] for one in found.json()["items"]] == idents[-1:]
        below = await client.get("/v1/teams", params={"parent_id": idents[1]})
        assert [one["id"] for one in below.json()["items"]] == [idents[2]]
        await refused(client, "teams", a_team(division="3207", parent_id=idents[1]), "parent_id")
        await refused(client, "teams", a_team(division="37", parent_id=idents[1]), "parent_id")
        await refused(client, "teams", a_team(division="370899"), "division")


async def test_the_corps_of_the_province_and_its_seventeen_professional_teams_are_seeded_once(
    registry: Registry,
) -> None:
    async with registry.client("37") as client:
        first = (await client.post("/v1/provincial-teams/seed")).json()
        again = (await client.post("/v1/provincial-teams/seed")).json()
        assert (first["new"], again["new"]) == (18, 0)
        assert again["teams"] == first["teams"]
        corps, *professional = first["teams"]
        assert (corps["type"], corps["level"], corps["status"]) == ("corps", "province", "active")
        assert [one["number"] for one in professional] == list(range(1, 18))
        assert {one["parent_id"] for one in professional} == {corps["id"]}
        county = await team(client, type="corps", name="示例县级总队", parent_id=corps["id"])
        listed = (await client.get("/v1/teams", params={"type": "professional", "sort": "name"})).json()["items"]
        assert len(listed) == 17
        assert (await client.get(f"/v1/teams/{county}")).json()["type_label"] == "新时代文明实践志愿服务总队"
    events = await registry.events("team_registered")
    assert sum(event["type"] == "professional" and event["status"] == "active" for event in events) == 17
    assert "示例" not in json.dumps(events, ensure_ascii=False)
    async with registry.client(COUNTY) as client:
        assert (await client.post("/v1/provincial-teams/seed")).status_code == 404


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"type": "neighbours"}, "division"),
        ({"type": "medical", "division": TOWN}, "division"),
        ({"type": "professional", "division": "37"}, "number"),
        ({"number": 3}, "number"),
        ({"type": "agency"}, "organisation_id"),
        ({"highest": True}, "highest"),
        ({"problems": ["adaptive"]}, "problems"),
        ({"type": "expert_a", "problems": ["adaptive"]}, "problems"),
        ({"ring_network": True}, "ring_network"),
        ({"type": "external_rescue"}, "origin_region"),
        ({"type": "external_rescue", "origin_region": "42", "valid_from": "2026-03-01"}, "valid_until"),
        (
            {
                "type": "external_rescue",
                "origin_region": "3707",
                "valid_from": "2026-03-01",
                "valid_until": "2026-04-01",
            },
            "origin_region",
        ),
        ({"origin_region": "42"}, "origin_region"),
        ({"valid_from": "2026-03-02", "valid_until": "2026-03-01"}, "valid_until"),
        ({"type": "wizards"}, "body.type"),
        ({"tags": ["wizard"]}, "body.tags.0"),
        ({"name": "  "}, "name"),
        ({"unknown": 1}, "body.unknown"),
        ({"parent_id": str(uuid.uuid4())}, "parent_id"),
        ({"place_id": str(uuid.uuid4())}, "place_id"),
        ({"guiding_id": str(uuid.uuid4())}, "guiding_id"),
    ],
)
async def test_what_does_not_fit_the_type_of_a_team_is_refused_by_field(
    registry: Registry, fields: dict[str, Any], field: str
) -> None:
    async with registry.client("") as client:
        await refused(client, "teams", a_team(**fields), field)
    assert await registry.events("team_registered") == []


async def test_types_that_papers_name_are_registered_with_their_tags_and_found_by_them(registry: Registry) -> None:
    told: dict[str, dict[str, Any]] = {
        "expert_a": {},
        "expert_b": {"problems": ["adaptive", "developmental", "disorder"]},
        "lecture": {"tags": ["five-elders", "model-of-the-times", "moral-model"]},
        "lecture_cadres": {},
        "lecture_scholars": {},
        "lecture_people": {},
        "emergency": {"tags": ["fire-volunteer", "veteran"]},
        "neighbours": {"division": TOWN},
        "villagers": {"division": TOWN},
        "local_talent": {"division": TOWN, "tags": ["new-worthy", "rural-culture"], "party_building": "led"},
    }
    async with registry.client(COUNTY) as client:
        for kind, fields in told.items():
            ident = await team(client, type=kind, **fields)
            shown = (await client.get(f"/v1/teams/{ident}")).json()
            assert {name: shown[name] for name in fields} == fields
            assert shown["type_label"] == TEAM_TYPES[kind].label
        for asked, kinds in (
            ({"group": "mutual_aid"}, {"neighbours", "villagers"}),
            ({"tag": "veteran"}, {"emergency"}),
            ({"tag": "new-worthy"}, {"local_talent"}),
            ({"party_building": "led"}, {"local_talent"}),
            ({"group": "lecture"}, {"lecture", "lecture_cadres", "lecture_scholars", "lecture_people"}),
        ):
            items = (await client.get("/v1/teams", params=asked)).json()["items"]
            assert {one["type"] for one in items} == kinds
        codes = (await client.get("/v1/team-codes")).json()["lists"]
        assert codes["problems"] == {"developmental": "发展性", "adaptive": "适应性", "disorder": "障碍性"}
        assert {"工会", "共青团", "妇联", "残联"} <= set(codes["departments"].values())
        assert (await client.get("/v1/teams", params={"type": "wizards"})).json()["field"] == "type"


async def test_a_professional_medical_team_is_of_three_levels(registry: Registry) -> None:
    async with registry.client("") as client:
        parent = None
        for division in ("37", "3708", COUNTY):
            parent = await team(client, type="medical", division=division, parent_id=parent)
        await refused(client, "teams", a_team(type="medical", division=TOWN, parent_id=parent), "division")
        items = (await client.get("/v1/teams", params={"type": "medical"})).json()["items"]
        assert sorted(one["level"] for one in items) == ["city", "county", "province"]


async def test_a_team_of_an_agency_or_an_enterprise_has_its_unit_its_room_and_its_guide(registry: Registry) -> None:
    async with registry.client("37") as client:
        league = await organisation(client, "示例团委", "government", "37")
    async with registry.client(COUNTY) as client:
        office, firm = (
            await organisation(client, "示例机关", "government"),
            await organisation(client, "示例企业", "enterprise"),
        )
        room = await place(client, type="station")
        links: dict[str, Any] = {
            "organisation_id": office,
            "place_id": room,
            "guiding_id": league,
            "lead_department": "youth_league",
        }
        ident = await team(client, type="agency", **links)
        assert links.items() <= (await client.get(f"/v1/teams/{ident}")).json().items()
        await refused(client, "teams", a_team(type="agency", organisation_id=firm), "organisation_id")
        await team(client, type="enterprise", organisation_id=firm)
        guided = (await client.get("/v1/teams", params={"guiding_id": league})).json()["items"]
        assert [one["id"] for one in guided] == [ident]


async def test_a_county_has_one_highest_body_among_its_task_forces_and_leading_groups(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        force = await team(client, type="task_force", name="示例工作专班", highest=True)
        other = a_team(type="leading_group", name="示例领导小组", highest=True)
        assert (await client.put(f"/v1/teams/{uuid.uuid4()}", json=other)).status_code == 409
        await team(client, type="leading_group", name="示例领导小组")
        await team(client, type="working_body", name="示例专门工作机构")
        highest = (await client.get("/v1/teams", params={"highest": True, "level": "county"})).json()["items"]
        assert [one["id"] for one in highest] == [force]
        gone = await client.post(f"/v1/teams/{force}/status", json={"status": "dissolved", "reason": "示例撤销"})
        assert gone.status_code == 200
        await put(client, "teams", other)


async def test_the_teams_around_the_people_stand_below_the_corps_of_their_county(registry: Registry) -> None:
    await villages(registry)
    async with registry.client(COUNTY) as client:
        corps = await team(client, type="corps", name="示例县级总队", active=True)
        local = {
            tag: await team(
                client, type="neighbours", division=VILLAGE, parent_id=corps, tags=[tag], name=f"示例{tag}队"
            )
            for tag in ("rural-culture", "science-and-technology", "new-worthy", "activity-leader")
        }
        below = (await client.get("/v1/teams", params={"parent_id": corps})).json()["items"]
        assert {one["id"] for one in below} == set(local.values())
        for tag, ident in local.items():
            found = (await client.get("/v1/teams", params={"parent_id": corps, "tag": tag})).json()["items"]
            assert [one["id"] for one in found] == [ident]
        # Whoever is above goes last, and a corps of a town has no county below it.
        dissolved = await client.post(f"/v1/teams/{corps}/status", json={"status": "dissolved", "reason": "示例"})
        assert dissolved.status_code == 409
        town = await team(client, type="general", division=TOWN, parent_id=corps)
        await refused(client, "teams", a_team(parent_id=town), "parent_id")


async def test_an_external_rescue_team_has_its_origin_and_counts_only_while_it_is_valid(registry: Registry) -> None:
    stay: dict[str, Any] = {"origin_region": "42", "valid_from": "2026-03-01", "valid_until": "2026-03-31"}
    async with registry.client(COUNTY) as client:
        ident = await team(client, type="external_rescue", **stay)
        for day, valid in (("2026-02-28", False), ("2026-03-31", True), ("2026-04-01", False)):
            found = (await client.get("/v1/teams", params={"type": "external_rescue", "valid_on": day})).json()["items"]
            assert [one["id"] for one in found] == ([ident] if valid else [])
            standing = await client.get(f"/v1/teams/{ident}/standing", params={"day": day})
            assert standing.json()["valid"] is valid
        late = await client.post(f"/v1/teams/{ident}/status", json={"status": "active", "reason": "示例到岗"})
        assert (late.status_code, late.json()["field"]) == (409, "valid_until")
    (event,) = await registry.events("team_registered")
    assert {name: event[name] for name in stay} == stay


async def test_a_team_is_never_below_itself(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        one = await team(client, name="示例一队")
        two = await team(client, name="示例二队", parent_id=one)
        three = await team(client, name="示例三队", parent_id=two)
        for parent in (one, two, three):
            answer = await client.put(f"/v1/teams/{one}", json=a_team(name="示例一队", parent_id=parent))
            assert (answer.status_code, answer.json()["reason"]) == (422, "circle")
        dissolve = {"status": "dissolved", "reason": "示例解散"}
        assert (await client.post(f"/v1/teams/{two}/status", json=dissolve)).status_code == 409
        moved = await client.put(f"/v1/teams/{one}", json=a_team(name="示例一队", division=TOWN))
        assert (moved.status_code, moved.json()["field"]) == (409, "division")
        assert (await client.post(f"/v1/teams/{three}/status", json=dissolve)).status_code == 200
        again = await client.put(f"/v1/teams/{three}", json=a_team(name="示例三队"))
        assert again.status_code == 409


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 7), st.none() | st.integers(0, 7)), max_size=60))
def test_whatever_is_moved_the_tree_has_no_circles(moves: list[tuple[int, int | None]]) -> None:
    idents = [uuid.UUID(int=number + 1) for number in range(8)]
    above: dict[uuid.UUID, uuid.UUID | None] = {}
    for child, parent in moves:
        ident, wanted = idents[child], None if parent is None else idents[parent]
        if not closes_a_circle(ident, wanted, above.get):
            above[ident] = wanted
    for ident in idents:
        passed, step = set(), above.get(ident)
        while step is not None:
            assert step not in passed
            assert step != ident
            passed.add(step)
            step = above.get(step)


@given(st.sampled_from(list(State)))
def test_every_status_is_in_the_table_and_dissolved_is_for_good(state: State) -> None:
    assert set(NEXT) == set(State)
    assert not allows(State.dissolved, state)
    assert not allows(state, state)


async def test_the_same_team_again_changes_nothing_and_a_wrong_step_is_a_conflict(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident = await team(client)
        same = await client.put(f"/v1/teams/{ident}", json=a_team())
        assert (same.status_code, same.json()["revision"]) == (200, 1)
        early = await client.post(f"/v1/teams/{ident}/status", json={"status": "suspended", "reason": "示例暂停"})
        assert early.status_code == 409
        for _ in range(2):
            moved = await client.post(f"/v1/teams/{ident}/status", json={"status": "active", "reason": "示例组建"})
            assert (moved.status_code, moved.json()["revision"]) == (200, 2)
    assert [event["status"] for event in await registry.events("team_registered")] == ["proposed", "active"]


async def test_teams_of_another_division_are_not_there_and_only_registrars_write(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        ident = await team(client)
    async with registry.client("320706") as client:
        for answer in (
            await client.get(f"/v1/teams/{ident}"),
            await client.put(f"/v1/teams/{ident}", json=a_team(division="320706")),
            await client.get(f"/v1/teams/{ident}/standing"),
            await client.get(f"/v1/teams/{ident}/terms"),
            await client.get("/v1/teams", params={"division": COUNTY}),
            await client.put(f"/v1/teams/{uuid.uuid4()}", json=a_team()),
        ):
            assert answer.status_code == 404
        assert (await client.get("/v1/teams")).json()["items"] == []
    async with registry.client(COUNTY, "coordinator") as client:
        assert (await client.get(f"/v1/teams/{ident}")).status_code == 200
        assert (await client.put(f"/v1/teams/{ident}", json=a_team())).status_code == 403
        assert (await client.get("/v1/children-database/keepers")).status_code == 403


async def test_teams_are_paged_in_every_order_without_gaps_or_doubles(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        made = {await team(client, name=f"示例{number % 3}队") for number in range(7)}
        for sort in ("id", "-id", "name", "-name", "division"):
            found: list[str] = []
            after: str | None = None
            while True:
                asked: dict[str, Any] = {"sort": sort, "limit": 3} | ({"after": after} if after else {})
                page = (await client.get("/v1/teams", params=asked)).json()
                found += [one["id"] for one in page["items"]]
                after = page["next"]
                if after is None:
                    break
            assert len(found) == 7
            assert set(found) == made
        wrong = await client.get("/v1/teams", params={"after": "no cursor"})
        assert (wrong.status_code, wrong.json()["field"]) == (422, "after")
