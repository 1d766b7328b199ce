"""Where the database of children meets the rest: the gate at every reading, offences, merges, leavers, birthdays."""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st

import chassis.db
from chassis.clock import local_day, now
from chassis.tx import Document, Tx
from services.registry.commands import children_due
from services.registry.domain.children import Age, key_of
from services.registry.domain.children_checks import cleared
from services.registry.domain.gate import REASONS
from tests.services.registry.children_support import (
    a_check,
    a_child,
    a_task,
    checked,
    fit,
    given,
    helper,
    keeper,
    listed,
)
from tests.services.registry.places_support import COUNTY, OTHER_TOWN, TOWN, organisation, person, villages
from tests.services.registry.support import Registry
from tests.services.registry.teams_support import team
from tests.services.registry.trainings_support import pledged

LOOK = {"reason": "visit"}
TODAY = local_day(now())


async def a_minor(client: httpx.AsyncClient) -> str:
    """Sixteen, with the guardian's consent, the pledge and a query that is clear."""
    young = {"division": TOWN, "name": "小示例", "phone": "000-0000-0007", "person_types": [7], "age": 16}
    ident = str((await client.post("/v1/volunteers", json=young)).json()["id"])
    guardian = {"name": "李示例", "phone": "000-0000-0002", "relation": "母亲"}
    consent = {"state": "given", "version": "2026-11", "on": "2026-03-02", "guardian": guardian}
    await client.put(f"/v1/volunteers/{ident}/consents/guardian", json=consent)
    await pledged(client, ident)
    await checked(client, ident)
    return ident


async def appointed(client: httpx.AsyncClient, backbone: str, who: str) -> httpx.Response:
    term = {"person_id": who, "role": "children_database", "since": "2026-01-01"}
    return await client.put(f"/v1/teams/{backbone}/terms/{uuid.uuid4()}", json=term)


async def merged(registry: Registry, stays: str, goes: str) -> None:
    async with registry.client(COUNTY) as client:
        answer = await client.post(f"/v1/volunteers/{stays}/merge", json={"other": goes, "reason": "同一人"})
        assert answer.status_code == 200, answer.text


async def rewritten(registry: Registry, collection: str, ident: str, **fields: Any) -> None:
    """A document as time, and nobody's hand, would have left it."""

    async def write(tx: Tx) -> None:
        row = await tx.get(collection, uuid.UUID(ident))
        assert row is not None
        tx.put(collection, {**row, **fields})

    await registry.database.transact(write)


async def born_on(registry: Registry, child: str, day: date) -> None:
    """The child as if it had been listed with this birth date years ago."""

    async def write(tx: Tx) -> None:
        row = await tx.get("children", uuid.UUID(child))
        assert row is not None
        known = await registry.keys.persons.open(tx, key_of(row["_id"]), row["sealed"])
        sealed = await registry.keys.persons.seal(tx, key_of(row["_id"]), {**known, "birth_date": day.isoformat()})
        tx.put("children", {**row, "sealed": sealed, "of_age_year": day.year + 18})

    await registry.database.transact(write)


async def sweep(registry: Registry) -> int:
    """The daily look to its end; how many portions it took."""
    portions = 0

    async def fire(tx: Tx) -> bool:
        (timer,) = await tx.find("timers", {"kind": children_due.TIMER})
        if timer["due_at"] > tx.now:
            return False
        tx.delete("timers", timer["_id"])
        await children_due.children_due(timer["key"], tx, registry.keys)
        return True

    await registry.database.transact(children_due.arm)
    while await registry.database.transact(fire):
        portions += 1
    return portions


async def entries(registry: Registry, action: str) -> list[Document]:
    return await registry.database.find("audit_log", {"action": action}, sort=[("_id", 1)])


# Who may read everything


async def test_who_keeps_the_database_meets_what_a_helper_has_to(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        backbone = await team(client, type="children_backbone", division=COUNTY, active=True)
        young, unsigned, unchecked = await a_minor(client), await person(client, 1), await person(client, 2, "王示例")
        await checked(client, unsigned)
        await pledged(client, unchecked)
        for who, reason in (
            (young, "minor_barred"),
            (unsigned, "pledge_missing"),
            (unchecked, "record_check_missing"),
        ):
            answer = await appointed(client, backbone, who)
            assert (answer.status_code, answer.json()["reason"]) == (409, reason), answer.text
            assert answer.json()["field"] == "person_id"
        await pledged(client, unsigned)
        assert (await appointed(client, backbone, unsigned)).status_code == 200


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"minor_until": str(TODAY + timedelta(days=1))}, "minor_barred"),
        ({"pledge": {"version": "2019-01", "signed_on": "2019-01-02"}}, "pledge_missing"),
        ({"consents": {"matching": {"state": "withdrawn"}}}, "matching_consent"),
        ({"minor_until": None, "birth_year": None}, "age_unknown"),
    ],
)
async def test_a_keeper_who_lacks_something_since_the_appointment_reads_nothing(
    registry: Registry, fields: dict[str, Any], reason: str
) -> None:
    who = await keeper(registry)
    async with registry.client(COUNTY, "volunteer", subject=who) as client:
        child = await listed(client)
        await rewritten(registry, "volunteers", who, **fields)
        for answer in (
            await client.get("/v1/children"),
            await client.get(f"/v1/children/{child}"),
            await client.post(f"/v1/children/{child}/reveal", json=LOOK),
            await client.get(f"/v1/children/{child}/reads"),
            await client.put(f"/v1/children/{child}", json=a_child()),
            await client.put(f"/v1/children-tasks/{uuid.uuid4()}", json=a_task(child, who)),
        ):
            assert (answer.status_code, answer.json()["reason"]) == (403, reason), answer.text
    assert await entries(registry, "child.read") == []


async def test_who_lets_a_keeper_in_or_out_is_on_record(registry: Registry) -> None:
    async with registry.client(COUNTY, subject="registrar-7") as client:
        who, path = await person(client, 90), f"/terms/{uuid.uuid4()}"
        await fit(client, who)
        backbone = await team(client, type="children_backbone", division=COUNTY, active=True)
        term = {"person_id": who, "role": "children_database", "since": "2026-01-01"}
        for _ in range(2):
            assert (await client.put(f"/v1/teams/{backbone}{path}", json=term)).status_code == 200
        assert (
            await client.put(f"/v1/teams/{backbone}{path}", json={**term, "until": "2099-01-01"})
        ).status_code == 200
        assert (await client.delete(f"/v1/teams/{backbone}{path}")).status_code == 200
        other = {"person_id": who, "role": "leader", "since": "2026-01-01"}
        assert (await client.put(f"/v1/teams/{backbone}{path}", json=other)).status_code == 200
    found = await registry.database.find("audit_log", {"action": {"$regex": "^child_keeper"}}, sort=[("_id", 1)])
    assert [row["action"] for row in found] == ["child_keeper.granted", "child_keeper.changed", "child_keeper.removed"]
    assert {(row["actor"], row["subject"], row["details"]["team"]) for row in found} == {("registrar-7", who, backbone)}


async def test_who_left_is_let_out_on_record_and_may_still_have_the_term_ended(registry: Registry) -> None:
    who = await keeper(registry)
    async with registry.client(COUNTY) as client:
        await client.patch(f"/v1/volunteers/{who}", json={"active": False})
        ((found),) = await registry.database.find("teams", {"type": "children_backbone"})
        term = {**found["members"][0]}
        ident = term.pop("id")
        body = {"person_id": who, "role": "children_database", "since": "2026-01-01", "until": "2026-02-01"}
        assert (await client.put(f"/v1/teams/{found['_id']}/terms/{ident}", json=body)).status_code == 200
        longer = await client.put(f"/v1/teams/{found['_id']}/terms/{ident}", json={**body, "until": "2099-01-01"})
        assert (longer.status_code, longer.json()["reason"]) == (409, "inactive")
    assert [row["reason"] for row in await entries(registry, "child_keeper.changed")] == ["left", "term"]


async def test_who_lists_or_changes_a_child_is_on_record_with_no_more_than_the_county(registry: Registry) -> None:
    await villages(registry)
    who = await keeper(registry)
    async with registry.client(COUNTY, "volunteer", subject=who) as client:
        child = await listed(client, division="370812001001")
        for _ in range(2):
            await client.put(f"/v1/children/{child}", json=a_child(division="370812001001", needs="陪伴"))
    found = await entries(registry, "child.written")
    assert [(row["actor"], row["subject"], row["reason"], row["division"]) for row in found] == [
        (who, child, "listed", COUNTY),
        (who, child, "changed", COUNTY),
    ]


# The record of offences


async def test_a_query_is_entered_once_read_by_few_and_withdrawn_with_a_reason(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        who = await person(client, 1)
        ident = await checked(client, who, asked="procuratorate", on="2026-03-02")
        again = await client.put(
            f"/v1/record-checks/{ident}", json=a_check(who, asked="procuratorate", on="2026-03-02")
        )
        assert (again.status_code, again.json()["entered_by"]) == (200, "registrar-1")
        changed = await client.put(f"/v1/record-checks/{ident}", json=a_check(who, on="2026-03-02"))
        assert (changed.status_code, changed.json()["reason"]) == (409, "entered")
        (item,) = (await client.get(f"/v1/people/{who}/record-checks")).json()["items"]
        assert (item["asked"], item["on"], item["result"]) == ("procuratorate", "2026-03-02", "clear")
        assert (item["until"], item["expired"]) == ("2027-03-01", date(2027, 3, 1) < TODAY)
        for body, field in (
            ({"on": str(TODAY + timedelta(days=1))}, "on"),
            ({"asked": "neighbours"}, "body.asked"),
            ({"result": "perhaps"}, "body.result"),
            ({"content": "示例"}, "body.content"),
        ):
            answer = await client.put(f"/v1/record-checks/{uuid.uuid4()}", json=a_check(who, **body))
            assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text
        unknown = await client.put(f"/v1/record-checks/{uuid.uuid4()}", json=a_check(str(uuid.uuid4())))
        assert unknown.status_code == 404
        for _ in range(2):
            gone = await client.post(f"/v1/record-checks/{ident}/withdraw", json={"reason": "entered_by_mistake"})
            assert (gone.json()["withdrawn"], gone.json()["revision"]) == ("entered_by_mistake", 2)
        away = await client.post(f"/v1/record-checks/{uuid.uuid4()}/withdraw", json={"reason": "entered_by_mistake"})
        assert away.status_code == 404
    async with registry.client(COUNTY, "privacy_officer") as officer:
        assert (await officer.get(f"/v1/people/{who}/record-checks")).status_code == 200
        assert (await officer.put(f"/v1/record-checks/{uuid.uuid4()}", json=a_check(who))).status_code == 403
    for role in ("coordinator", "volunteer", "supervisor", "duty_officer"):
        async with registry.client(COUNTY, role, subject=who) as reader:
            assert (await reader.get(f"/v1/people/{who}/record-checks")).status_code == 403
    async with registry.client("320706") as stranger:
        assert (await stranger.get(f"/v1/people/{who}/record-checks")).status_code == 404
        assert (await stranger.put(f"/v1/record-checks/{uuid.uuid4()}", json=a_check(who))).status_code == 404
        left = await stranger.post(f"/v1/record-checks/{ident}/withdraw", json={"reason": "entered_by_mistake"})
        assert left.status_code == 404


async def test_who_is_not_clear_is_stood_down_at_once_and_nobody_else_learns_why(registry: Registry) -> None:
    who, both = await keeper(registry), await keeper(registry, 91)
    async with registry.client(COUNTY, "volunteer", subject=who) as client:
        child = await listed(client)
        task = await given(client, child, both)
        assert (await client.get(f"/v1/children/{child}")).json()["helpers"] == 1
        async with registry.client(COUNTY) as registrar:
            entered = await registrar.put(
                f"/v1/record-checks/{uuid.uuid4()}", json=a_check(both, on="2026-01-05", result="not_clear")
            )
            assert entered.status_code == 201
        shown = (await client.get(f"/v1/children/{child}")).json()
        assert (shown["helpers"], [one["state"] for one in shown["tasks"]]) == (0, ["withdrawn"])
        again = await client.put(f"/v1/children-tasks/{uuid.uuid4()}", json=a_task(child, both))
        assert (again.status_code, again.json()["reason"]) == (409, "record_check_missing")
    async with registry.client(COUNTY, "volunteer", subject=both) as client:
        assert (await client.get("/v1/children")).json()["reason"] == "not_a_keeper"
        assert (await client.post(f"/v1/children-tasks/{task}/look", json=LOOK)).status_code == 409
    (ended,) = await entries(registry, "child_keeper.changed")
    assert (ended["subject"], ended["reason"]) == (both, "record_check")
    async with registry.client(COUNTY, "coordinator") as coordinator:
        told = await coordinator.get(f"/v1/people/{both}/may", params={"role": "child-helper"})
        assert [one["detail"] for one in told.json()["reasons"]] == [REASONS["record_check_missing"]]
    log = repr(await registry.database.find("audit_log", {}))
    events = repr(await registry.database.find("outbox", {}))
    assert "not_clear" not in told.text + log + events


async def test_a_query_counts_a_year_and_is_gone_with_the_person(registry: Registry) -> None:
    who, volunteer = await keeper(registry), await helper(registry)
    async with registry.client(COUNTY, "volunteer", subject=who) as client:
        child = await listed(client)
        task = await given(client, child, volunteer)
    (check,) = await registry.database.find("record_checks", {"person_id": uuid.UUID(volunteer)})
    await rewritten(registry, "record_checks", str(check["_id"]), on=str(TODAY - timedelta(days=365)))
    async with registry.client(COUNTY, "volunteer", subject=volunteer) as client:
        look = await client.post(f"/v1/children-tasks/{task}/look", json=LOOK)
        assert (look.status_code, look.json()["reason"]) == (409, "record_check_missing")
        await rewritten(registry, "record_checks", str(check["_id"]), on=str(TODAY - timedelta(days=364)))
        assert (await client.post(f"/v1/children-tasks/{task}/look", json=LOOK)).status_code == 200
    async with registry.client(COUNTY) as registrar:
        await registrar.post(f"/v1/volunteers/{volunteer}/erase", json={"reason": "本人要求"})
    assert await registry.database.find("record_checks", {"person_id": uuid.UUID(volunteer)}) == []


async def on_duty(client: httpx.AsyncClient, who: str, role: str = "child-helper") -> None:
    """A turn in three days, or in four as a publicist."""
    starts = now().replace(microsecond=0) + timedelta(days=4 if role == "publicist" else 3)
    turn = {"volunteer_id": who, "starts_at": starts.isoformat(), "ends_at": (starts + timedelta(hours=1)).isoformat()}
    roster = await client.put(f"/v1/rosters/of-{role}", json={"division": COUNTY, "role": role})
    assert roster.status_code == 200, roster.text
    answer = await client.post(f"/v1/rosters/of-{role}/duties", json={"duties": [turn]})
    assert answer.status_code == 201, answer.text


async def stood_down(registry: Registry) -> list[tuple[str, str]]:
    """Whose turns, in which roles, were told to be withdrawn."""
    told = await registry.events("duty_rostered")
    return [(event["volunteer_id"], event["role"]) for event in told if not event["active"]]


async def shown_task(client: httpx.AsyncClient, child: str) -> tuple[str, bool]:
    """The state of a child's one task, and whether the child is in the list of those whom somebody helps."""
    (task,) = (await client.get(f"/v1/children/{child}")).json()["tasks"]
    helped = (await client.get("/v1/children", params={"helped": True})).json()["items"]
    waiting = (await client.get("/v1/children", params={"helped": False})).json()["items"]
    assert (child in [one["id"] for one in helped]) != (child in [one["id"] for one in waiting])
    return task["state"], child in [one["id"] for one in helped]


@pytest.mark.parametrize("step", ["not_clear", "unknown", "withdrawn"])
async def test_who_is_not_cleared_any_more_is_off_the_roster_and_the_child_waits_for_help(
    registry: Registry, step: str
) -> None:
    who, volunteer, other = await keeper(registry), await helper(registry), await helper(registry, 2, "王示例")
    async with registry.client(COUNTY, "volunteer", subject=who) as client, registry.client(COUNTY) as registrar:
        child = await listed(client)
        await given(client, child, volunteer)
        for one in (volunteer, other):
            await on_duty(registrar, one)
        await on_duty(registrar, volunteer, "publicist")
        (check,) = (await registrar.get(f"/v1/people/{volunteer}/record-checks")).json()["items"]
        if step == "withdrawn":
            reason = {"reason": "entered_by_mistake"}
            gone = await registrar.post(f"/v1/record-checks/{check['id']}/withdraw", json=reason)
            assert gone.status_code == 200, gone.text
        else:
            await checked(registrar, volunteer, result=step)
        assert await shown_task(client, child) == ("withdrawn", False)
    assert await stood_down(registry) == [(volunteer, "child-helper")]


async def test_an_answer_that_leaves_who_helps_cleared_takes_nothing_back(registry: Registry) -> None:
    who, volunteer = await keeper(registry), await helper(registry)
    async with registry.client(COUNTY, "volunteer", subject=who) as client, registry.client(COUNTY) as registrar:
        child = await listed(client)
        await given(client, child, volunteer)
        await on_duty(registrar, volunteer)
        await checked(registrar, volunteer, on=str(TODAY - timedelta(days=3)), result="unknown")
        second = await checked(registrar, volunteer, asked="procuratorate")
        reason = {"reason": "entered_by_mistake"}
        await registrar.post(f"/v1/record-checks/{second}/withdraw", json=reason)
        assert await shown_task(client, child) == ("given", True)
    assert await stood_down(registry) == []


async def test_queries_go_to_the_county_where_the_person_is_registered_now(registry: Registry) -> None:
    volunteer, reason = await helper(registry), {"reason": "entered_by_mistake"}
    async with registry.client() as centre:
        moved = await centre.patch(f"/v1/volunteers/{volunteer}", json={"division": "320706"})
        assert moved.status_code == 200, moved.text
    (check,) = await registry.database.find("record_checks", {"person_id": uuid.UUID(volunteer)})
    assert check["division"] == "320706"
    async with registry.client(COUNTY) as before:
        left = await before.post(f"/v1/record-checks/{check['_id']}/withdraw", json=reason)
        assert left.status_code == 404
    # A query from before queries went with the person.
    await rewritten(registry, "record_checks", str(check["_id"]), division=COUNTY)
    async with registry.client(COUNTY) as before, registry.client("320706") as here:
        left = await before.post(f"/v1/record-checks/{check['_id']}/withdraw", json=reason)
        assert left.status_code == 404
        taken = await here.post(f"/v1/record-checks/{check['_id']}/withdraw", json=reason)
        assert (taken.status_code, taken.json()["withdrawn"]) == (200, "entered_by_mistake")


CHECKS = st.lists(
    st.builds(
        lambda on, result, withdrawn: {"on": on.isoformat(), "result": result, "withdrawn": withdrawn},
        st.dates(date(2020, 1, 1), date(2030, 12, 31)),
        st.sampled_from(["clear", "not_clear", "unknown"]),
        st.sampled_from([None, "entered_by_mistake"]),
    ),
    max_size=5,
)


@settings(deadline=None)
@over(CHECKS, st.integers(1, 366))
def test_one_answer_that_is_not_clear_outweighs_all_others_and_no_answer_clears_nobody(
    checks: list[dict[str, Any]], days: int
) -> None:
    found = cleared(checks, days)
    counted = [one for one in checks if one["withdrawn"] is None]
    if found:
        ((first, last),) = found
        assert first == max(one["on"] for one in counted)
        assert (date.fromisoformat(last) - date.fromisoformat(first)).days == days - 1
        assert {one["result"] for one in counted if one["on"] == first} == {"clear"}
        assert "not_clear" not in {one["result"] for one in counted}
    only = [one for one in counted if one["result"] == "clear"]
    assert bool(found) or len(only) < len(counted) or not counted


# People who are merged, leave, or are erased


async def test_a_task_goes_with_the_person_through_a_merge(registry: Registry) -> None:
    who, old, new = await keeper(registry), await helper(registry), await helper(registry, 2, "王示例")
    async with registry.client(COUNTY, "volunteer", subject=who) as client:
        child = await listed(client)
        task, body = str(uuid.uuid4()), a_task(child, old)
        assert (await client.put(f"/v1/children-tasks/{task}", json=body)).status_code == 200
        await given(client, child, new)
        assert (await client.get(f"/v1/children/{child}")).json()["helpers"] == 2
        await merged(registry, new, old)
        for subject in (old, new):
            async with registry.client(COUNTY, "volunteer", subject=subject) as helping:
                own = (await helping.get("/v1/children-tasks/own")).json()["items"]
                assert task in [one["id"] for one in own]
                assert (await helping.post(f"/v1/children-tasks/{task}/look", json=LOOK)).status_code == 200
        assert (await client.put(f"/v1/children-tasks/{task}", json=body)).status_code == 200
        assert (await client.get(f"/v1/children/{child}")).json()["helpers"] == 1
        assert (await client.get("/v1/children")).json()["items"][0]["helpers"] == 1


async def test_one_person_helps_few_children_under_whichever_entry(registry: Registry) -> None:
    who, old, new = await keeper(registry), await helper(registry), await helper(registry, 2, "王示例")
    most = registry.keys.policies.children.at(now()).pairs.children_of_a_helper
    async with registry.client(COUNTY, "volunteer", subject=who) as client:
        for number in range(most):
            await given(client, await listed(client, name=f"童示例{'甲乙丙丁戊己庚辛'[number]}"), old)
        await merged(registry, new, old)
        more = await listed(client, name="童示例寅")
        spread = await client.put(f"/v1/children-tasks/{uuid.uuid4()}", json=a_task(more, new))
        assert (spread.status_code, spread.json()["reason"]) == (409, "too_many_children")


async def test_who_keeps_the_database_keeps_it_through_a_merge(registry: Registry) -> None:
    who, other = await keeper(registry), await helper(registry, 2, "库二示例")
    await merged(registry, other, who)
    for subject in (who, other):
        async with registry.client(COUNTY, "volunteer", subject=subject) as client:
            assert (await client.get("/v1/children")).status_code == 200


@pytest.mark.parametrize("step", ["erase", "stop"])
async def test_who_leaves_helps_nobody_and_the_child_waits_for_help(registry: Registry, step: str) -> None:
    who, old, new = await keeper(registry), await helper(registry), await helper(registry, 2, "王示例")
    async with registry.client(COUNTY, "volunteer", subject=who) as client:
        child = await listed(client)
        await given(client, child, old)
        await merged(registry, new, old)
        await registry.forget_events()
        async with registry.client(COUNTY) as registrar:
            if step == "erase":
                await registrar.post(f"/v1/volunteers/{new}/erase", json={"reason": "本人要求"})
            else:
                await registrar.patch(f"/v1/volunteers/{new}", json={"active": False})
        shown = (await client.get(f"/v1/children/{child}")).json()
        assert (shown["helpers"], [one["state"] for one in shown["tasks"]]) == (0, ["withdrawn"])
        waiting = (await client.get("/v1/children", params={"helped": False})).json()["items"]
        assert [one["id"] for one in waiting] == [child]
    assert [event["record_id"] for event in await registry.events("child_record_moved")] == [child]


# Days that pass


async def test_what_ran_out_helps_nobody_and_takes_no_room(registry: Registry) -> None:
    who, volunteer = await keeper(registry), await helper(registry)
    most = registry.keys.policies.children.at(now()).pairs.children_of_a_helper
    async with registry.client(COUNTY, "volunteer", subject=who) as client:
        children = [await listed(client, name=f"童示例{'甲乙丙丁戊己庚辛'[number]}") for number in range(most + 1)]
        tasks = [await given(client, child, volunteer) for child in children[:-1]]
        await given(client, children[0], volunteer)
        assert (await client.get(f"/v1/children/{children[0]}")).json()["helpers"] == 1  # one person, two tasks
        yesterday = str(TODAY - timedelta(days=1))
        await rewritten(registry, "children_tasks", tasks[1], until=yesterday)
        await rewritten(registry, "children", children[1], helped_until=yesterday)
        assert (await client.get(f"/v1/children/{children[1]}")).json()["helpers"] == 0
        helped = {one["id"] for one in (await client.get("/v1/children", params={"helped": True})).json()["items"]}
        waiting = {one["id"] for one in (await client.get("/v1/children", params={"helped": False})).json()["items"]}
        assert (children[1] in helped, waiting) == (False, {children[1], children[-1]})
        await given(client, children[-1], volunteer)


async def test_until_when_a_child_is_helped_follows_from_its_tasks(registry: Registry) -> None:
    who, volunteer = await keeper(registry), await helper(registry)
    async with registry.client(COUNTY, "volunteer", subject=who) as client:
        child = await listed(client)
        soon, late = str(TODAY + timedelta(days=3)), str(TODAY + timedelta(days=9))
        await given(client, child, volunteer, until=soon)
        longer = await given(client, child, volunteer, until=late)
        assert (await client.get(f"/v1/children/{child}")).json()["helped_until"] == late
        await client.post(f"/v1/children-tasks/{longer}/moves", json={"to": "withdrawn"})
        assert (await client.get(f"/v1/children/{child}")).json()["helped_until"] == soon


async def test_who_is_of_age_leaves_on_the_birthday_and_what_ended_is_erased_in_time(registry: Registry) -> None:
    who, volunteer = await keeper(registry), await helper(registry)
    async with registry.client(COUNTY, "volunteer", subject=who) as client:
        grown, nearly, young = [await listed(client, name=f"童示例{sign}") for sign in "甲乙丙"]
        task = await given(client, grown, volunteer)
        await born_on(registry, grown, TODAY.replace(year=TODAY.year - 18, day=min(TODAY.day, 28)))
        tomorrow = TODAY + timedelta(days=1)
        await born_on(registry, nearly, tomorrow.replace(year=tomorrow.year - 18, day=min(tomorrow.day, 28)))
        async with registry.client(COUNTY, "volunteer", subject=volunteer) as helping:
            look = await helping.post(f"/v1/children-tasks/{task}/look", json=LOOK)
            assert (look.status_code, look.json()["reason"]) == (409, "of_age")
        await sweep(registry)
        rows = {one["id"]: one for one in (await client.get("/v1/children")).json()["items"]}
        assert {ident: row["state"] for ident, row in rows.items()} == {
            grown: "ended",
            nearly: "listed" if tomorrow.day <= 28 else rows[nearly]["state"],
            young: "listed",
        }
        assert rows[grown]["ended_on"] == str(TODAY)
        shown = (await client.get(f"/v1/children/{grown}")).json()
        assert [one["state"] for one in shown["tasks"]] == ["withdrawn"]
        back = await client.post(f"/v1/children/{grown}/moves", json={"to": "listed", "reason": "again"})
        assert (back.status_code, back.json()["reason"]) == (409, "of_age")
        keep = registry.keys.policies.children.at(now()).retention.keep_ended_days
        await rewritten(registry, "children", grown, ended_on=str(TODAY - timedelta(days=keep - 1)))
        await sweep(registry)
        assert (await client.get(f"/v1/children/{grown}")).json()["state"] == "ended"
        await rewritten(registry, "children", grown, ended_on=str(TODAY - timedelta(days=keep)))
        await sweep(registry)
        assert (await client.get(f"/v1/children/{grown}")).json()["state"] == "erased"
    assert await registry.database.get("person_keys", key_of(grown)) is None
    reasons = [(row["action"], row["reason"], row["actor"]) for row in await registry.database.find("audit_log", {})]
    assert ("child.ended", "of_age", "") in reasons
    assert ("child.erased", "kept_long_enough", "") in reasons


async def test_the_daily_look_takes_many_records_a_portion_at_a_time(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children_due, "AT_ONCE", 1)
    who = await keeper(registry)
    async with registry.client(COUNTY, "volunteer", subject=who) as client:
        children = [await listed(client, name=f"童示例{sign}") for sign in "甲乙丙"]
        for child in children[:2]:
            await born_on(registry, child, date(TODAY.year - 19, 1, 1))
        assert await sweep(registry) == 3
        listed_still = (await client.get("/v1/children", params={"state": "listed"})).json()["items"]
        assert [one["id"] for one in listed_still] == children[2:]
    (timer,) = await registry.database.find("timers", {"kind": children_due.TIMER})
    assert timer["due_at"] > now()


@pytest.mark.parametrize("lacks", ["query", "pledge"])
async def test_the_daily_look_takes_the_tasks_of_those_back_who_may_not_help_any_more(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, lacks: str
) -> None:
    monkeypatch.setattr(children_due, "AT_ONCE", 1)
    who = await keeper(registry)
    helpers = [await helper(registry, number, f"{sign}示例") for number, sign in enumerate("张王李", 1)]
    async with registry.client(COUNTY, "volunteer", subject=who) as client:
        children = [await listed(client, name=f"童示例{sign}") for sign in "甲乙丙"]
        for child, volunteer in zip(children, helpers, strict=True):
            await given(client, child, volunteer)
        for volunteer in (helpers[0], helpers[2]):
            if lacks == "query":
                (check,) = await registry.database.find("record_checks", {"person_id": uuid.UUID(volunteer)})
                await rewritten(registry, "record_checks", str(check["_id"]), on=str(TODAY - timedelta(days=365)))
            else:
                old = {"version": "2019-01", "signed_on": "2019-01-02"}
                await rewritten(registry, "volunteers", volunteer, pledge=old)
        await registry.forget_events()
        assert await sweep(registry) > 1
        expected = [("withdrawn", False), ("given", True), ("withdrawn", False)]
        assert [await shown_task(client, child) for child in children] == expected
        told = {event["record_id"] for event in await registry.events("child_record_moved")}
        assert told == {children[0], children[2]}
        await sweep(registry)
        assert [await shown_task(client, child) for child in children] == expected
    (timer,) = await registry.database.find("timers", {"kind": children_due.TIMER})
    assert timer["due_at"] > now()


async def test_a_task_is_given_though_the_transaction_is_run_again(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    who, volunteer = await keeper(registry), await helper(registry)
    commit, commits = chassis.db._commit, []

    async def once_more(session: Any) -> None:
        commits.append(session)
        if len(commits) == 1:
            raise chassis.db._Transient()
        await commit(session)

    async with registry.client(COUNTY, "volunteer", subject=who) as client:
        child = await listed(client)
        monkeypatch.setattr(chassis.db, "_commit", once_more)
        answer = await client.put(f"/v1/children-tasks/{uuid.uuid4()}", json=a_task(child, volunteer))
    assert (answer.status_code, len(commits)) == (200, 2), answer.text


# Towns, consent, and what is left


async def test_a_child_that_moved_is_listed_by_the_other_town_once_the_first_let_go(registry: Registry) -> None:
    await villages(registry)
    first, second = await keeper(registry, 91, TOWN), await keeper(registry, 92, OTHER_TOWN)
    async with (
        registry.client(COUNTY, "volunteer", subject=first) as here,
        registry.client(COUNTY, "volunteer", subject=second) as there,
    ):
        child, anew = await listed(here), str(uuid.uuid4())
        taken = await there.put(f"/v1/children/{anew}", json=a_child(division=OTHER_TOWN))
        assert (taken.status_code, taken.json()["reason"]) == (409, "listed_already")
        assert (taken.json()["field"], "联系" in taken.json()["detail"]) == ("name", True)
        (tried,) = await entries(registry, "child.double")
        assert (tried["actor"], tried["subject"], tried["division"]) == (second, anew, COUNTY)
        await here.post(f"/v1/children/{child}/moves", json={"to": "ended", "reason": "moved_away"})
        assert (await there.put(f"/v1/children/{anew}", json=a_child(division=OTHER_TOWN))).status_code == 201
        back = await here.post(f"/v1/children/{child}/moves", json={"to": "listed", "reason": "again"})
        assert (back.status_code, back.json()["reason"]) == (409, "listed_already")
        await there.post(f"/v1/children/{anew}/moves", json={"to": "ended", "reason": "moved_away"})
        back = await here.post(f"/v1/children/{child}/moves", json={"to": "listed", "reason": "again"})
        assert (back.status_code, back.json()["ended_on"]) == (200, None)
        assert (await there.put(f"/v1/children/{uuid.uuid4()}", json=a_child(division=OTHER_TOWN))).status_code == 409


async def test_a_record_is_handed_over_by_one_town_and_taken_by_the_other(registry: Registry) -> None:
    await villages(registry)
    volunteer = await helper(registry)
    first, second = await keeper(registry, 91, TOWN), await keeper(registry, 92, OTHER_TOWN)
    async with (
        registry.client(COUNTY, "volunteer", subject=first) as here,
        registry.client(COUNTY, "volunteer", subject=second) as there,
    ):
        child, path = await listed(here), "/v1/children-database/handed-over"
        task = await given(here, child, volunteer)
        accept = {"division": "370812002001"}
        assert (await there.post(f"/v1/children/{child}/take-over", json=accept)).status_code == 404
        assert (await there.post(f"/v1/children/{child}/hand-over", json={"to": OTHER_TOWN})).status_code == 404
        for to, status in (("320706", 422), ("370812999", 422), (OTHER_TOWN, 200), (OTHER_TOWN, 200)):
            answer = await here.post(f"/v1/children/{child}/hand-over", json={"to": to})
            assert answer.status_code == status, answer.text
            assert status == 200 or answer.json()["field"] == "to"
        assert (await here.get(path)).json()["items"] == []
        assert [(one["id"], one["name"]) for one in (await there.get(path)).json()["items"]] == [(child, "童**")]
        assert (await there.post(f"/v1/children/{child}/reveal", json=LOOK)).status_code == 404
        await here.post(f"/v1/children/{child}/hand-over", json={"to": None})
        assert (await there.get(path)).json()["items"] == []
        await here.post(f"/v1/children/{child}/hand-over", json={"to": OTHER_TOWN})
        astray = await there.post(f"/v1/children/{child}/take-over", json={"division": TOWN})
        assert (astray.status_code, astray.json()["field"]) == (422, "division")
        taken = await there.post(f"/v1/children/{child}/take-over", json=accept)
        assert (taken.json()["division"], taken.json()["handed_to"]) == ("370812002001", None)
        shown = (await there.get(f"/v1/children/{child}")).json()
        assert ([one["state"] for one in shown["tasks"]], shown["helpers"]) == (["withdrawn"], 0)
        assert (await there.post(f"/v1/children/{child}/reveal", json=LOOK)).json()["name"] == "童示例"
        assert (await here.get(f"/v1/children/{child}")).status_code == 404
        assert (await there.post(f"/v1/children/{child}/take-over", json=accept)).status_code == 404
        await there.post(f"/v1/children/{child}/moves", json={"to": "ended", "reason": "resolved"})
        late = await there.post(f"/v1/children/{child}/hand-over", json={"to": TOWN})
        assert (late.status_code, late.json()["reason"]) == (409, "not_listed")
    async with registry.client(COUNTY, "volunteer", subject=volunteer) as helping:
        assert (await helping.post(f"/v1/children-tasks/{task}/look", json=LOOK)).status_code == 409
    for role in ("registrar", "coordinator"):
        async with registry.client(COUNTY, role) as stranger:
            assert (await stranger.get(path)).status_code == 403
            assert (await stranger.post(f"/v1/children/{child}/hand-over", json={"to": TOWN})).status_code == 403
            assert (await stranger.post(f"/v1/children/{child}/take-over", json=accept)).status_code == 403


async def test_who_is_no_office_asks_the_guardian_whatever_civil_affairs_registered(registry: Registry) -> None:
    who = await keeper(registry)
    async with registry.client(COUNTY) as client:
        bureau = await organisation(client, "示例民政局", "government", COUNTY)
        official = await person(client, 95, "官示例")
        await fit(client, official)
        office = await team(
            client, type="children_backbone", division=TOWN, active=True, organisation_id=bureau, name="示例骨干二队"
        )
        assert (await appointed(client, office, official)).status_code == 200
    bare = a_child(basis="civil_affairs", guardian=None, guardian_phone=None)
    async with registry.client(COUNTY, "volunteer", subject=who) as client:
        for fields, field in (
            ({}, "consent_on"),
            ({"consent_on": "2026-03-02"}, "guardian"),
            ({"consent_on": str(TODAY + timedelta(days=1)), "guardian": "李示例"}, "consent_on"),
        ):
            answer = await client.put(f"/v1/children/{uuid.uuid4()}", json={**bare, **fields})
            assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text
        both = {**bare, "consent_on": "2026-03-02", "guardian": "李示例"}
        answer = await client.put(f"/v1/children/{uuid.uuid4()}", json=both)
        assert (answer.status_code, answer.json()["consent_on"]) == (201, "2026-03-02")
    async with registry.client(COUNTY, "volunteer", subject=official) as client:
        answer = await client.put(f"/v1/children/{uuid.uuid4()}", json={**bare, "name": "童二示例"})
        assert answer.status_code == 201, answer.text


def test_nobody_is_of_age_before_eighteen_whatever_a_district_sets() -> None:
    with pytest.raises(ValueError, match="18"):
        Age(adult=17, source="a test")


async def test_why_something_was_read_or_erased_is_a_code_and_no_words_about_a_child(registry: Registry) -> None:
    who = await keeper(registry)
    async with registry.client(COUNTY, "volunteer", subject=who) as client:
        child = await listed(client)
        codes = (await client.get("/v1/children-database/codes")).json()["reasons"]
        assert codes["read"]["visit"] == "上门探访前核对"
        for step in ("reveal", "erase"):
            answer = await client.post(f"/v1/children/{child}/{step}", json={"reason": "童示例的母亲来电"})
            assert (answer.status_code, answer.json()["field"]) == (422, "body.reason")
        moved = await client.post(f"/v1/children/{child}/moves", json={"to": "ended", "reason": "母亲出狱"})
        assert (moved.status_code, moved.json()["field"]) == (422, "body.reason")


async def test_an_erased_child_leaves_no_place_finer_than_the_county_anywhere(registry: Registry) -> None:
    await villages(registry)
    who, volunteer, town = await keeper(registry), await helper(registry), await keeper(registry, 91, TOWN)
    village = "370812001001"
    async with registry.client(COUNTY, "volunteer", subject=town) as client:
        child = await listed(client, division=village)
        task = await given(client, child, volunteer)
        async with registry.client(COUNTY, "volunteer", subject=volunteer) as helping:
            await helping.post(f"/v1/children-tasks/{task}/look", json=LOOK)
        erased = await client.post(f"/v1/children/{child}/erase", json={"reason": "guardian_request"})
        assert erased.status_code == 200, erased.text
    async with registry.client(COUNTY, "volunteer", subject=who) as client:
        shown = await client.get(f"/v1/children/{child}")
        assert (shown.json()["division"], shown.json()["team_id"]) == (COUNTY, None)
    kept = [
        *await registry.database.find("children", {}),
        *await registry.database.find("children_tasks", {}),
        *await registry.database.find("children_reads", {}),
        *await registry.database.find("audit_log", {"action": {"$regex": "^child[.]"}}),
    ]
    assert len(kept) >= 5
    assert {row["division"] for row in kept} == {COUNTY}
    assert not any(str(value).startswith(TOWN) for row in kept for value in row.values())
