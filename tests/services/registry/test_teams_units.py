"""Agencies and enterprises: a team of volunteers with the party and mass department, and a room of the unit's own."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.services.registry.places_support import COUNTY, organisation, place
from tests.services.registry.support import Registry
from tests.services.registry.teams_support import a_team, refused, team


async def unit(client: httpx.AsyncClient, ident: str) -> dict[str, object]:
    items = (await client.get("/v1/unit-teams")).json()["items"]
    found: dict[str, object] = next(one for one in items if one["id"] == ident)
    return found


@pytest.mark.parametrize(
    ("kind", "team_type", "room_type", "label"),
    [
        ("government", "agency", "agency_room", "机关心理咨询室"),
        ("enterprise", "enterprise", "enterprise_room", "企业心理咨询室"),
    ],
)
async def test_a_unit_has_its_team_and_its_room_registered(
    registry: Registry, kind: str, team_type: str, room_type: str, label: str
) -> None:
    async with registry.client(COUNTY) as client:
        own = await organisation(client, "示例单位", kind)
        assert (await unit(client, own))["missing"] == ["team", "room"]
        room = await place(client, type=room_type, organisation_id=own, services=["employee_assistance"])
        links: dict[str, Any] = {"organisation_id": own, "place_id": room, "lead_department": "party_mass"}
        ident = await team(client, type=team_type, **links)
        # A team that is only proposed and a room that is only planned are not there yet.
        assert (await unit(client, own))["missing"] == ["team", "room"]
        await client.post(f"/v1/teams/{ident}/status", json={"status": "active", "reason": "示例组建"})
        assert (await unit(client, own))["missing"] == ["room"]
        opened = await client.post(f"/v1/places/{room}/status", json={"status": "open", "reason": "示例开放"})
        assert label in opened.json()["type_label"]
        found = await unit(client, own)
        assert found["missing"] == []
        assert found["teams"] == [{"id": ident, "lead_department": "party_mass"}]
        assert found["rooms"] == [{"id": room, "type": room_type}]
        await client.post(f"/v1/teams/{ident}/status", json={"status": "dissolved", "reason": "示例解散"})
        assert (await unit(client, own))["missing"] == ["team"]


async def test_a_units_team_sits_in_no_other_units_room(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        one = await organisation(client, "示例机关", "government")
        other = await organisation(client, "示例局", "government")
        theirs = await place(client, type="agency_room", organisation_id=other)
        body = a_team(type="agency", organisation_id=one, place_id=theirs)
        await refused(client, "teams", body, "place_id")
        await refused(client, "teams", a_team(type="agency", place_id=theirs), "organisation_id")
        firm = await organisation(client, "示例企业", "enterprise")
        await refused(client, "teams", a_team(type="agency", organisation_id=firm), "organisation_id")
        await refused(client, "teams", a_team(type="enterprise", organisation_id=one), "organisation_id")


async def test_units_are_listed_by_kind_page_by_page_within_the_division(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        office = await organisation(client, "示例机关", "government")
        firm = await organisation(client, "示例企业", "enterprise")
        await organisation(client, "示例学校", "school")
        for kind, expected in (("government", office), ("enterprise", firm)):
            items = (await client.get("/v1/unit-teams", params={"kind": kind})).json()["items"]
            assert [one["id"] for one in items] == [expected]
        first = (await client.get("/v1/unit-teams", params={"limit": 1})).json()
        second = (await client.get("/v1/unit-teams", params={"limit": 1, "after": first["next"]})).json()
        assert {first["items"][0]["id"], second["items"][0]["id"]} == {office, firm}
        assert (await client.get("/v1/unit-teams", params={"kind": "school"})).status_code == 422
    async with registry.client("320706") as outside:
        assert (await outside.get("/v1/unit-teams")).json()["items"] == []
        assert (await outside.get("/v1/unit-teams", params={"division": COUNTY})).status_code == 404
    async with registry.client(COUNTY, "hotline") as stranger:
        assert (await stranger.get("/v1/unit-teams")).status_code == 403
