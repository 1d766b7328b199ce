"""The database of children in difficulty: who may look, what is sealed, and what statistics tell."""

from __future__ import annotations

import json
import uuid
from datetime import date, timedelta

from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st

from chassis.clock import local_day, now
from services.registry.domain.children import NEXT, State, key_of, scopes, told_count, turns_of_age
from tests.services.registry.children_support import SECRETS, a_child, given, helper, keeper, listed
from tests.services.registry.places_support import COUNTY, OTHER_TOWN, TOWN, person, villages
from tests.services.registry.support import Registry
from tests.services.registry.teams_support import team

CODES = st.sampled_from(["37", "3708", "370812", "370812001", "370812001001", "370812002", "320706"])


async def test_a_role_opens_nothing_and_a_keeper_opens_the_own_divisions_alone(registry: Registry) -> None:
    who = await keeper(registry)
    async with registry.client(COUNTY, "volunteer", subject=who) as client:
        ident = await listed(client)
        assert (await client.get(f"/v1/children/{ident}")).json()["name"] == "童**"
    for role in ("registrar", "coordinator", "volunteer", "privacy_officer", "statistician", "auditor"):
        async with registry.client(COUNTY, role) as stranger:
            for answer in (
                await stranger.put(f"/v1/children/{uuid.uuid4()}", json=a_child()),
                await stranger.get("/v1/children"),
                await stranger.get(f"/v1/children/{ident}"),
                await stranger.post(f"/v1/children/{ident}/reveal", json={"reason": "review"}),
                await stranger.post(f"/v1/children/{ident}/moves", json={"to": "ended", "reason": "resolved"}),
            ):
                assert answer.status_code == 403, (role, answer.text)
                assert "童*" not in answer.text
    elsewhere = await keeper(registry, 91, "320706")
    async with registry.client("", "volunteer", subject=elsewhere) as client:
        assert (await client.get(f"/v1/children/{ident}")).status_code == 404
        assert (await client.post(f"/v1/children/{ident}/reveal", json={"reason": "review"})).status_code == 404
        assert (await client.get("/v1/children")).json()["items"] == []
        assert (await client.put(f"/v1/children/{uuid.uuid4()}", json=a_child())).status_code == 404
        assert (await client.put(f"/v1/children/{ident}", json=a_child(division="320706"))).status_code == 404
    # The token of a keeper bounds the reach, too.
    async with registry.client("320706", "volunteer", subject=who) as client:
        assert (await client.get(f"/v1/children/{ident}")).status_code == 404


async def test_who_kept_it_once_or_left_does_not_any_more(registry: Registry) -> None:
    yesterday = str(local_day(now()) - timedelta(days=1))
    past, present = await keeper(registry, 90, until=yesterday), await keeper(registry, 91, TOWN)
    async with registry.client(COUNTY, "volunteer", subject=past) as client:
        assert (await client.get("/v1/children")).json()["reason"] == "not_a_keeper"
    async with registry.client(COUNTY, "volunteer", subject=present) as client:
        assert (await client.get("/v1/children")).status_code == 200
    async with registry.client(COUNTY) as client:
        await client.post(f"/v1/volunteers/{present}/erase", json={"reason": "本人要求"})
    async with registry.client(COUNTY, "volunteer", subject=present) as client:
        assert (await client.get("/v1/children")).status_code == 403


async def test_what_tells_who_a_child_is_is_sealed_and_never_told(registry: Registry) -> None:
    who = await keeper(registry)
    async with registry.client(COUNTY, "volunteer", subject=who) as client:
        ident = await listed(client)
        again = await client.put(f"/v1/children/{ident}", json=a_child())
        assert (again.status_code, again.json()["revision"]) == (200, 1)
        changed = await client.put(f"/v1/children/{ident}", json=a_child(needs="陪伴"))
        assert changed.json()["revision"] == 2
        twin = await client.put(f"/v1/children/{uuid.uuid4()}", json=a_child())
        assert twin.status_code == 409
        shown = (
            changed.text + (await client.get("/v1/children")).text + (await client.get(f"/v1/children/{ident}")).text
        )
        plain = await client.post(f"/v1/children/{ident}/reveal", json={"reason": "visit"})
        assert (plain.json()["school"], plain.headers["cache-control"]) == ("示例小学", "no-store")
    stored = repr(await registry.database.find("children", {}))
    events = await registry.events("child_record_moved")
    audit = repr(await registry.database.find("audit_log", {}))
    for secret in (*SECRETS, "2016-05-01"):
        assert secret not in shown + stored + json.dumps(events, ensure_ascii=False) + audit
    assert events == [{"record_id": ident, "revision": number, "state": "listed"} for number in (1, 2)]


async def test_every_reading_is_in_the_log_which_keepers_and_privacy_officers_read(registry: Registry) -> None:
    who = await keeper(registry)
    async with registry.client(COUNTY, "volunteer", subject=who) as client:
        ident = await listed(client)
        for reason in ("visit", "school"):
            assert (await client.post(f"/v1/children/{ident}/reveal", json={"reason": reason})).status_code == 200
        assert (await client.post(f"/v1/children/{ident}/reveal", json={})).json()["field"] == "body.reason"
        first = (await client.get(f"/v1/children/{ident}/reads", params={"limit": 1})).json()
        rest = (await client.get(f"/v1/children/{ident}/reads", params={"after": first["next"]})).json()
    assert [one["reason"] for one in [*first["items"], *rest["items"]]] == ["visit", "school"]
    assert {one["by"] for one in first["items"]} == {who}
    assert "name" in first["items"][0]["fields"]
    async with registry.client(COUNTY, "privacy_officer") as officer:
        assert len((await officer.get(f"/v1/children/{ident}/reads")).json()["items"]) == 2
    async with registry.client("320706", "privacy_officer") as officer:
        assert (await officer.get(f"/v1/children/{ident}/reads")).status_code == 404
    async with registry.client(COUNTY) as registrar:
        assert (await registrar.get(f"/v1/children/{ident}/reads")).status_code == 403
    records = await registry.database.find("audit_log", {"action": "child.read"})
    assert [record["reason"] for record in records] == ["visit", "school"]


async def test_erasing_leaves_nothing_that_tells_who_it_was(registry: Registry) -> None:
    who, volunteer = await keeper(registry), await helper(registry)
    async with registry.client(COUNTY, "volunteer", subject=who) as client:
        ident = await listed(client)
        task = await given(client, ident, volunteer)
        await client.post(f"/v1/children/{ident}/reveal", json={"reason": "review"})
    async with registry.client(COUNTY, "privacy_officer") as officer:
        for _ in range(2):
            erased = await officer.post(f"/v1/children/{ident}/erase", json={"reason": "guardian_request"})
            assert (erased.json()["state"], erased.json()["division"]) == ("erased", COUNTY)
            assert "name" not in erased.json()
        assert len((await officer.get(f"/v1/children/{ident}/reads")).json()["items"]) == 1
    assert await registry.database.get("person_keys", key_of(ident)) is None
    stored = await registry.database.get("children", uuid.UUID(ident))
    assert stored is not None
    assert not {"identity"} & set(stored)
    assert (stored["sealed"], stored["difficulties"], stored["help"], stored["of_age_year"]) == (None, [], [], None)
    async with registry.client(COUNTY, "volunteer", subject=volunteer) as client:
        look = await client.post(f"/v1/children-tasks/{task}/look", json={"reason": "visit"})
        assert look.status_code == 404
    left = await registry.database.get("children_tasks", uuid.UUID(task))
    assert left is not None
    assert (left["division"], left["help"], left["volunteer_id"]) == (COUNTY, [], None)
    async with registry.client(COUNTY, "volunteer", subject=who) as client:
        assert (await client.post(f"/v1/children/{ident}/reveal", json={"reason": "review"})).status_code == 409
        assert (await client.put(f"/v1/children/{ident}", json=a_child())).status_code == 409
        back = {"to": "listed", "reason": "again"}
        assert (await client.post(f"/v1/children/{ident}/moves", json=back)).status_code == 409
    assert len(await registry.database.find("audit_log", {"action": "child.erased"})) == 1
    assert (await registry.events("child_record_moved"))[-1]["state"] == "erased"


async def test_a_record_that_ended_takes_its_tasks_back_and_is_listed_again(registry: Registry) -> None:
    who, volunteer = await keeper(registry), await helper(registry)
    async with registry.client(COUNTY, "volunteer", subject=who) as client:
        ident = await listed(client)
        await given(client, ident, volunteer)
        for _ in range(2):
            ended = await client.post(f"/v1/children/{ident}/moves", json={"to": "ended", "reason": "resolved"})
            assert (ended.json()["state"], ended.json()["helpers"]) == ("ended", 0)
        (task,) = (await client.get(f"/v1/children/{ident}")).json()["tasks"]
        assert task["state"] == "withdrawn"
        assert (await client.put(f"/v1/children/{ident}", json=a_child(needs="陪伴"))).status_code == 409
        again = await client.post(f"/v1/children/{ident}/moves", json={"to": "listed", "reason": "again"})
        assert again.json()["state"] == "listed"
    events = await registry.events("child_record_moved")
    assert [event["state"] for event in events] == ["listed", "listed", "ended", "listed"]


async def test_what_is_wrong_with_a_record_is_refused_by_field(registry: Registry) -> None:
    who, today = await keeper(registry), local_day(now())
    async with registry.client(COUNTY, "volunteer", subject=who) as client:
        for fields, field in (
            ({"birth_date": "1990-01-01"}, "birth_date"),
            ({"birth_date": str(today + timedelta(days=1))}, "birth_date"),
            ({"basis_on": str(today + timedelta(days=1))}, "basis_on"),
            ({"guardian": None}, "guardian"),
            ({"guardian_phone": "无"}, "guardian_phone"),
            ({"name": "12"}, "name"),
            ({"difficulties": []}, "body.difficulties"),
            ({"difficulties": ["bad"]}, "body.difficulties.0"),
            ({"help": ["money"]}, "body.help.0"),
            ({"basis": "hearsay"}, "body.basis"),
            ({"division": "3708"}, "body.division"),
            ({"division": "370812999"}, "division"),
            ({"secret": 1}, "body.secret"),
        ):
            answer = await client.put(f"/v1/children/{uuid.uuid4()}", json=a_child(**fields))
            assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text


async def test_records_are_listed_by_what_keepers_ask_for_page_by_page(registry: Registry) -> None:
    await villages(registry)
    who, volunteer = await keeper(registry), await helper(registry)
    this_year = local_day(now()).year
    async with registry.client(COUNTY, "volunteer", subject=who) as client:
        one = await listed(client)
        two = await listed(client, name="童二示例", division=OTHER_TOWN, difficulties=["orphan"], help=["skills"])
        old = await listed(client, name="童三示例", birth_date=f"{this_year - 18}-12-31")
        await given(client, one, volunteer)

        async def found(**asked: object) -> set[str]:
            return {item["id"] for item in (await client.get("/v1/children", params=asked)).json()["items"]}  # type: ignore[arg-type]

        assert await found() == {one, two, old}
        assert await found(division=TOWN) == {one, old}
        assert await found(difficulty="orphan") == await found(help="skills") == {two}
        assert await found(helped=True) == {one}
        assert await found(helped=False) == {two, old}
        assert await found(due=True) == {old}
        assert await found(state="ended") == set()
        paged: list[str] = []
        after = None
        while True:
            asked = {"limit": 1, **({"after": after} if after else {})}
            page = (await client.get("/v1/children", params=asked)).json()
            paged += [item["id"] for item in page["items"]]
            after = page["next"]
            if after is None:
                break
        assert sorted(paged) == sorted({one, two, old})
        assert (await client.get("/v1/children", params={"division": "320706"})).status_code == 404
        assert (await client.get("/v1/children", params={"difficulty": "bad"})).status_code == 422


async def test_three_levels_of_backbone_organisations_and_what_each_keeper_reaches(registry: Registry) -> None:
    await villages(registry)
    asked = {"division": COUNTY}
    async with registry.client(COUNTY, "statistician") as reader:
        bare = (await reader.get("/v1/children-database/backbone", params=asked)).json()
        assert bare["levels"]["town"]["without_keeper"] == [TOWN, OTHER_TOWN]
        assert bare["complete"] is False
    city, county, town = [await keeper(registry, 90 + n, code) for n, code in enumerate(("3708", COUNTY, TOWN))]
    async with registry.client(COUNTY) as client:
        await team(client, type="children_backbone", division=OTHER_TOWN, active=True)
    async with registry.client(COUNTY, "statistician") as reader:
        levels = (await reader.get("/v1/children-database/backbone", params=asked)).json()["levels"]
        assert {level: one["with_keeper"] for level, one in levels.items()} == {"city": 1, "county": 1, "town": 1}
        assert (levels["town"]["without_team"], levels["town"]["without_keeper"]) == ([], [OTHER_TOWN])
        assert levels["town"]["expected"] == 2
    await keeper(registry, 93, OTHER_TOWN)
    async with registry.client(COUNTY, "statistician") as reader:
        assert (await reader.get("/v1/children-database/backbone", params=asked)).json()["complete"] is True
        assert (await reader.get("/v1/children-database/backbone", params={"division": "320706"})).status_code == 404
        assert (await reader.get("/v1/children-database/backbone", params={"division": "37"})).status_code == 422
    async with registry.client("", "volunteer", subject=city) as client:
        far = await listed(client, division=OTHER_TOWN)
    async with registry.client("", "volunteer", subject=town) as client:
        near = await listed(client, name="童二示例")
        assert [item["id"] for item in (await client.get("/v1/children")).json()["items"]] == [near]
        assert (await client.get(f"/v1/children/{far}")).status_code == 404
    async with registry.client("", "volunteer", subject=county) as client:
        assert {item["id"] for item in (await client.get("/v1/children")).json()["items"]} == {near, far}


async def test_statistics_tell_no_small_count_and_no_fine_division(registry: Registry) -> None:
    who, volunteer = await keeper(registry), await helper(registry)
    few = registry.keys.policies.children.at(now()).statistics.few
    async with registry.client(COUNTY, "volunteer", subject=who) as client:
        first = await listed(client, difficulties=["orphan", "poverty"])
        for number in range(few + 1):
            await listed(client, name=f"童示例{'甲乙丙丁戊己庚辛壬癸'[number]}", difficulties=["poverty"])
        await given(client, first, volunteer)
    async with registry.client(COUNTY, "statistician") as reader:
        told = (await reader.get("/v1/children-database/statistics")).json()
        # seven are listed, one is an orphan, one is helped and six wait
        assert (told["children"], told["difficulties"]["poverty"]) == (few, few)
        assert told["difficulties"]["orphan"] is None
        assert (told["helped"], told["waiting"]) == (None, few)
        fine = await reader.get("/v1/children-database/statistics", params={"division": TOWN})
        assert (fine.status_code, fine.json()["field"]) == (422, "division")
        outside = await reader.get("/v1/children-database/statistics", params={"division": "320706"})
        assert outside.status_code == 404
    async with registry.client(COUNTY, "volunteer", subject=who) as client:
        assert (await client.get("/v1/children-database/statistics")).status_code == 403
    async with registry.client(COUNTY, "duty_officer") as reader:
        assert (await reader.get("/v1/children-database/codes")).json()["help"]["heart"] == "扶心"


@over(st.integers(0, 500), st.integers(3, 50))
def test_a_count_that_is_told_is_never_small_and_hides_who_comes_and_goes(count: int, few: int) -> None:
    told = told_count(count, few)
    assert (told is None) is (count < few)
    assert told is None or (told >= few and told % few == 0 and 0 <= count - told < few)


@settings(deadline=None)
@over(st.sets(CODES), st.sampled_from(["", "37", "370812", "370812001", "320706"]), CODES)
def test_a_division_is_open_to_a_keeper_exactly_once_and_only_of_those_held(
    held: set[str], asked: str, place: str
) -> None:
    found = scopes(held, asked)
    expected = place.startswith(asked) and any(place.startswith(one) for one in held)
    assert sum(place.startswith(one) for one in found) == expected


@over(st.dates(date(1950, 1, 1), date(2090, 12, 31)), st.integers(14, 25))
def test_nobody_is_of_age_before_the_birthday(birth: date, adult: int) -> None:
    day = turns_of_age(birth, adult)
    assert day.year == birth.year + adult
    assert (day.month, day.day) == (
        (3, 1) if (birth.month, birth.day) == (2, 29) and day.month == 3 else (birth.month, birth.day)
    )


def test_what_was_erased_stays_erased() -> None:
    assert NEXT[State.erased] == frozenset()
    assert set(NEXT) == set(State)


async def test_a_child_with_the_id_of_a_person_shares_no_key_with_the_person(registry: Registry) -> None:
    who = await keeper(registry)
    async with registry.client(COUNTY) as client:
        volunteer = await person(client)
        async with registry.client(COUNTY, "volunteer", subject=who) as keeping:
            assert (await keeping.get(f"/v1/children/{volunteer}")).status_code == 404
            assert (await keeping.put(f"/v1/children/{volunteer}", json=a_child())).status_code == 201
            await keeping.post(f"/v1/children/{volunteer}/erase", json={"reason": "entered_by_mistake"})
        plain = await client.post(f"/v1/volunteers/{volunteer}/reveal", json={"reason": "核对"})
        assert plain.json()["name"] == "张示例"
