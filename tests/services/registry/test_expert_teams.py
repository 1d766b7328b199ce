"""Teams of experts: the one that supervises and trains volunteer organisations, and the one that sorts problems."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest

from chassis.clock import local_day, new_id, now
from tests.services.registry.places_support import COUNTY, TOWN, organisation, person
from tests.services.registry.support import Registry
from tests.services.registry.teams_support import put, refused, team

TODAY = local_day(now())


def a_tutoring(team_id: str, **fields: Any) -> dict[str, Any]:
    return {"team_id": team_id, "kind": "supervision", "since": TODAY.isoformat(), "topic": "示例督导", **fields}


async def test_a_team_of_angels_supervises_and_trains_volunteer_organisations(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        angels = await team(client, type="expert_a", name="示例天使团队", active=True)
        volunteers = await organisation(client, "示例心理志愿服务组织", "service_provider")
        helpers = await team(client, name="示例志愿服务队", division=TOWN)
        expert = await person(client)
        term = {"person_id": expert, "role": "expert", "since": TODAY.isoformat()}
        await client.put(f"/v1/teams/{angels}/terms/{new_id()}", json=term)
        body = a_tutoring(angels, organisation_id=volunteers, person_id=expert)
        first = await put(client, "tutorings", body)
        again = await client.put(f"/v1/tutorings/{first}", json=body)
        assert (again.json()["revision"], again.json()["person_id"]) == (1, expert)
        training = await put(client, "tutorings", a_tutoring(angels, kind="training", tutored_team_id=helpers))
        ended = {**body, "until": TODAY.isoformat()}
        assert (await client.put(f"/v1/tutorings/{first}", json=ended)).json()["revision"] == 2
        turned = await client.put(f"/v1/tutorings/{first}", json={**ended, "kind": "training"})
        assert turned.status_code == 409
        old = a_tutoring(angels, organisation_id=volunteers, since="2024-01-01", until="2024-12-31")
        over = await put(client, "tutorings", old)

        async def listed(**asked: Any) -> set[str]:
            return {one["id"] for one in (await client.get("/v1/tutorings", params=asked)).json()["items"]}

        assert await listed(team_id=angels) == {first, training, over}
        assert await listed(team_id=angels, running=True) == {first, training}
        assert await listed(running=False) == {over}
        assert await listed(organisation_id=volunteers, kind="supervision") == {first, over}
        assert await listed(tutored_team_id=helpers) == {training}
        assert (await client.get(f"/v1/tutorings/{first}")).json()["until"] == TODAY.isoformat()
    events = await registry.events("organisations_tutored")
    assert [(event["kind"], event["revision"]) for event in events] == [
        ("supervision", 1),
        ("training", 1),
        ("supervision", 2),
        ("supervision", 1),
    ]
    told = json.dumps(events, ensure_ascii=False)
    assert "示例" not in told
    assert expert not in told


async def test_what_cannot_be_tutored_is_refused_by_its_field(registry: Registry) -> None:
    async with registry.client("320706") as client:
        far = await organisation(client, "示例外区组织", "service_provider", "320706")
    async with registry.client(COUNTY) as client:
        own = await organisation(client, "示例医院", "hospital")
        angels = await team(client, type="expert_a", name="示例天使团队", active=True, organisation_id=own)
        scholars = await team(client, type="expert_b", name="示例先生团队", active=True)
        proposed = await team(client, type="expert_a", name="示例筹建团队")
        volunteers, stranger = await organisation(client, "示例组织", "service_provider"), await person(client)
        for body, field in (
            (a_tutoring(scholars, organisation_id=volunteers), "team_id"),
            (a_tutoring(angels), "organisation_id"),
            (a_tutoring(angels, organisation_id=volunteers, tutored_team_id=scholars), "organisation_id"),
            (a_tutoring(angels, organisation_id=own), "organisation_id"),
            (a_tutoring(angels, organisation_id=far), "organisation_id"),
            (a_tutoring(angels, tutored_team_id=angels), "tutored_team_id"),
            (a_tutoring(angels, tutored_team_id=str(uuid.uuid4())), "tutored_team_id"),
            (a_tutoring(angels, organisation_id=volunteers, person_id=stranger), "person_id"),
            (a_tutoring(angels, organisation_id=volunteers, until="2024-01-01"), "until"),
            (a_tutoring(angels, organisation_id=volunteers, kind="magic"), "body.kind"),
            (a_tutoring(angels, organisation_id=volunteers, extra=1), "body.extra"),
        ):
            await refused(client, "tutorings", body, field)
        waits = await client.put(f"/v1/tutorings/{new_id()}", json=a_tutoring(proposed, organisation_id=volunteers))
        assert waits.status_code == 409, "a team that is only proposed tutors nobody"
        kept = await put(client, "tutorings", a_tutoring(angels, organisation_id=volunteers))
    async with registry.client("320706") as client:
        assert (await client.get(f"/v1/tutorings/{kept}")).status_code == 404
        assert (await client.get("/v1/tutorings")).json()["items"] == []
        body = a_tutoring(angels, organisation_id=far)
        assert (await client.put(f"/v1/tutorings/{new_id()}", json=body)).status_code == 404
        assert (await client.put(f"/v1/tutorings/{kept}", json=body)).status_code == 404
    async with registry.client(COUNTY, "coordinator") as client:
        body = a_tutoring(angels, organisation_id=volunteers)
        assert (await client.put(f"/v1/tutorings/{new_id()}", json=body)).status_code == 403
        assert (await client.get(f"/v1/tutorings/{kept}")).status_code == 200


async def test_a_member_whose_term_is_over_tutors_no_more(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        angels = await team(client, type="expert_a", name="示例天使团队", active=True)
        volunteers, expert = await organisation(client, "示例组织", "service_provider"), await person(client)
        over = (TODAY - timedelta(days=1)).isoformat()
        term = {"person_id": expert, "role": "expert", "since": "2024-01-01", "until": over}
        await client.put(f"/v1/teams/{angels}/terms/{new_id()}", json=term)
        body = a_tutoring(angels, organisation_id=volunteers, person_id=expert, since="2024-06-01")
        await refused(client, "tutorings", body, "person_id")


@pytest.mark.parametrize("categories", [["developmental"], ["developmental", "adaptive", "disorder"]])
async def test_a_team_of_scholars_sorts_by_the_three_categories_and_no_other_team_does(
    registry: Registry, categories: list[str]
) -> None:
    async with registry.client(COUNTY) as client:
        scholars = {"name": "示例先生团队", "type": "expert_b", "division": COUNTY, "problems": categories}
        ident = await put(client, "teams", scholars)
        assert (await client.get(f"/v1/teams/{ident}")).json()["problems"] == sorted(categories)
        await refused(client, "teams", {**scholars, "type": "expert_a"}, "problems")
