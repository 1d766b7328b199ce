"""Organisations between divisions: nobody takes another's, papers stay with them, and therapy inside medicine."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest

from services.registry.domain.mistakes import Mistaken
from services.registry.imports import import_organisations, load_divisions
from tests.services.registry.places_support import COUNTY, OTHER_TOWN, TOWN, organisation, person, place, told, villages
from tests.services.registry.support import Registry
from tests.services.registry.teams_support import put, team
from tests.services.registry.trainings_support import pledged, qualified

HEADER = "name,division,kind,receives_referrals,around_the_clock,backup\n"


def a_clinic(**fields: Any) -> dict[str, Any]:
    return {"name": "示例医院", "division": TOWN, "kind": "hospital", "receives_referrals": True, **fields}


async def added(client: httpx.AsyncClient, **fields: Any) -> str:
    answer = await client.post("/v1/organisations", json=a_clinic(**fields))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_a_town_s_file_takes_no_organisation_of_another_town_away(registry: Registry) -> None:
    await villages(registry)
    async with registry.client(COUNTY) as client:
        ident = await added(client, division=OTHER_TOWN)
    row = f"示例医院,{TOWN},hospital,0,0,\n"
    with pytest.raises(Mistaken) as caught:
        await import_organisations(registry.database, f"{HEADER}{row}".encode(), TOWN)
    (mistake,) = caught.value.mistakes
    assert (mistake.reason, mistake.row, mistake.column) == ("registered_elsewhere", 2, "name")
    kept = await registry.database.get("organisations", uuid.UUID(ident))
    assert kept is not None
    assert (kept["division"], kept["receives_referrals"], kept["revision"]) == (OTHER_TOWN, True, 1)
    # The county, which has both towns, may.
    report = await import_organisations(registry.database, f"{HEADER}{row}".encode(), COUNTY)
    assert report.changed == 1


async def test_a_referral_goes_on_by_itself_within_the_county_or_the_city_alone(registry: Registry) -> None:
    await load_divisions(registry.database, [("370811", "任城区")])
    async with registry.client() as client:
        far = await added(client, division="320706")
        city = await added(client, name="示例市级医院", division="3708")
        next_door = await added(client, name="示例邻县医院", division="370811")
        answer = await client.post("/v1/organisations", json=a_clinic(backup_id=far))
        assert (answer.status_code, answer.json()["field"]) == (422, "backup_id")
        ident = await added(client, backup_id=city)
        moved = await client.put(f"/v1/organisations/{ident}", json=a_clinic(backup_id=next_door))
        assert (moved.status_code, moved.json()["backup_id"]) == (200, next_door)


async def test_an_organisation_leaves_its_county_only_by_being_registered_anew(registry: Registry) -> None:
    async with registry.client() as client:
        ident = await added(client)
        answer = await client.put(f"/v1/organisations/{ident}", json=a_clinic(division="320706"))
        assert (answer.status_code, answer.json()["reason"]) == (409, "leaves_county")
        assert answer.json()["field"] == "division"


async def test_the_papers_of_an_organisation_move_with_it_within_the_county(registry: Registry) -> None:
    await villages(registry)
    async with registry.client(COUNTY) as client:
        school = await organisation(client, "示例学校", "school")
        partner = await organisation(client, "示例医院", "hospital")
        unit = await put(client, "campus-units", {"organisation_id": school, "level": "school", "name": "示例"})
        agreement = await put(
            client,
            "agreements",
            {"kind": "cooperation", "centre_id": school, "partner_id": partner, "services": ["crisis"]},
        )
        pool, expert = await team(client, active=True, type="school_expert_pool"), await person(client)
        await qualified(client, expert, "counsellor", registry)
        await pledged(client, expert)
        term = {"person_id": expert, "role": "expert", "since": "2026-01-01"}
        await client.put(f"/v1/teams/{pool}/terms/{uuid.uuid4()}", json=term)
        visit = {"organisation_id": school, "person_id": expert, "day": "2026-12-01", "state": "planned"}
        visit_id = await put(client, f"teams/{pool}/visits", visit)
        body = {"name": "示例学校", "kind": "school", "receives_referrals": False, "division": OTHER_TOWN}
        assert (await client.put(f"/v1/organisations/{school}", json=body)).status_code == 200
    kept = {
        "campus_units": unit,
        "agreements": agreement,
        "team_visits": visit_id,
    }
    for collection, one in kept.items():
        row = await registry.database.get(collection, uuid.UUID(one))
        assert row is not None
        assert row["division"] == OTHER_TOWN, collection
    async with registry.client(TOWN) as client:
        assert (await client.get("/v1/campus-units")).json()["items"] == []
        assert (await client.get("/v1/agreements")).json()["items"] == []
    async with registry.client(OTHER_TOWN) as client:
        assert [one["id"] for one in (await client.get("/v1/campus-units")).json()["items"]] == [unit]


async def test_therapy_does_not_outlive_the_medical_house_that_it_is_done_in(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        host = await added(client)
        room = await place(client, organisation_id=host, functions=["therapy"])
        for change, field in (({"kind": "government"}, "kind"), ({"active": False}, "active")):
            answer = await client.put(f"/v1/organisations/{host}", json=a_clinic(**change))
            assert (answer.status_code, answer.json()["field"]) == (409, field), change
            assert answer.json()["reason"] == "therapy_outside_medicine"
        file = f"{HEADER}示例医院,{TOWN},government,1,0,\n"
        refused = await client.post("/v1/organisations/import", content=file.encode())
        assert refused.json()["errors"][0]["reason"] == "therapy_outside_medicine"
        # Another kind of medical house may do it, and a place without therapy holds nobody up.
        assert (await client.put(f"/v1/organisations/{host}", json=a_clinic(kind="primary_care"))).status_code == 200
        without = await client.put(f"/v1/places/{room}", json=told(organisation_id=host, functions=["counselling"]))
        assert without.status_code == 200
        assert (await client.put(f"/v1/organisations/{host}", json=a_clinic(active=False))).status_code == 200


async def test_a_field_that_nobody_knows_is_refused_and_not_overlooked(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        answer = await client.post("/v1/organisations", json=a_clinic(around_the_clok=True))
        assert (answer.status_code, answer.json()["field"]) == (422, "body.around_the_clok")
        unit = {"parent": COUNTY, "name": "示例农场", "code": "370812999"}
        answer = await client.post("/v1/divisions", json=unit)
        assert (answer.status_code, answer.json()["field"]) == (422, "body.code")
