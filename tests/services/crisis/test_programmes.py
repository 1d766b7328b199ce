"""Programmes: one mechanism for those who are looked after over months, and the tasks of who looks after them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID, uuid4

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from chassis.auth import Caller
from chassis.clock import new_id
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from contracts.base import Answer
from contracts.crisis import ProgrammeBegun, ProgrammeEnded
from contracts.hotline import RiskFlagged, Setting, Way
from services.crisis.commands import programmes as commands
from services.crisis.domain import follow_up
from services.crisis.domain.follow_up import AttemptChannel, Outcome
from services.crisis.domain.programmes import (
    Ground,
    Loss,
    Programme,
    ProgrammeReport,
    ProgrammesPolicy,
    State,
    allows,
    grief_is_prolonged,
)
from services.crisis.domain.versions import SHIPPED, load_versions
from tests.services.crisis.world import (
    COUNTY,
    HOSPITAL,
    NEIGHBOUR,
    OFFICER,
    SUPERVISOR,
    TOWN,
    MovedClock,
    World,
    person,
    shared_keys,
)
from tests.support.emptied import make_empty

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
CALM: dict[str, Any] = dict.fromkeys(("act_in_progress", "plan_within_72_hours", "attempt_within_2_weeks"), "no")
WORKER = Caller("worker-a", frozenset({"community_worker"}), COUNTY)
CONTACT = {"name": "张示例", "phone": "000-0000-0001", "address": "甲镇示例路一号", "note": "出院后由姐姐照顾"}
ROUTES = {
    "POST /v1/programmes",
    "GET /v1/programmes",
    "GET /v1/programmes/{programme_id}",
    "POST /v1/programmes/{programme_id}/contacts/{contact_id}/attempts",
    "POST /v1/programmes/{programme_id}/assign",
    "POST /v1/programmes/{programme_id}/organisations",
    "POST /v1/programmes/{programme_id}/contact",
    "POST /v1/programmes/{programme_id}/review",
    "POST /v1/programmes/{programme_id}/end",
    "GET /v1/tasks",
    "POST /v1/tasks/{contact_id}/outcome",
    "POST /v1/tasks/{contact_id}/contact",
}


async def enrol(world: World, kind: Programme, number: int | None = 1, **more: Any) -> Document:
    said: dict[str, Any] = {"case_id": None, "incident_id": None, "contact": None, "division": COUNTY, **more}
    who = person(number) if number is not None else None
    return await world.do(
        lambda tx: commands.enrol(kind, person=who, caller_subject="officer-a", tx=tx, office=world.office, **said)
    )


async def programme(world: World, ident: UUID) -> Document:
    found = await world.database.get("programmes", ident)
    assert found is not None
    return found


async def until_due(world: World, ident: UUID) -> Document:
    """Let time pass until a contact of the programme is due."""
    while not (due := [one for one in (await programme(world, ident))["contacts"] if one["state"] == "due"]):
        planned = [one["due_at"] for one in (await programme(world, ident))["contacts"] if one["state"] == "planned"]
        await world.pass_time(max(min(planned) - world.now, timedelta(0)) + timedelta(seconds=1))
    found: Document = due[0]
    return found


async def tell(
    world: World, ident: UUID, contact_id: UUID, outcome: str, caller: Caller = OFFICER, **report: Any
) -> Document:
    told = ProgrammeReport.model_validate(report) if report else None

    async def body(tx: Tx) -> Document:
        return await commands.record_contact(
            await commands.seen_programme(ident, OFFICER, tx),
            contact_id,
            Outcome(outcome),
            caller,
            tx,
            world.office,
            channel=AttemptChannel.visit,
            report=told,
        )

    return await world.do(body)


async def end(world: World, ident: UUID, ground: Ground, caller: Caller = OFFICER, why: str | None = None) -> Document:
    return await world.do(lambda tx: commands.end(ident, ground, "会商决定", why, caller, tx, world.office))


async def go_through(world: World, ident: UUID, span: timedelta, **report: Any) -> None:
    """Let time pass, and keep every contact that falls due with these answers."""

    async def call() -> None:
        for one in (await programme(world, ident))["contacts"]:
            if one["state"] == "due":
                await tell(world, ident, one["id"], "reached", **report)

    await world.pass_time(span, call)


# Rules


def test_a_programme_moves_along_these_ways_and_no_others() -> None:
    table = {state: {other for other in State if allows(state, other)} for state in State}
    assert table == {
        State.running: {State.review, State.ended},
        State.review: {State.running, State.ended},
        State.ended: set(),
    }


@given(st.sampled_from(Answer), st.dates(date(2024, 1, 1), date(2026, 1, 1)), st.integers(0, 800))
def test_no_grief_is_called_prolonged_within_six_months_of_the_loss(answer: Answer, lost: date, days: int) -> None:
    """ICD-11 6B42."""
    found = grief_is_prolonged(answer, lost, lost + timedelta(days=days), 183)
    assert found is (answer is Answer.yes and days >= 183)


@given(st.sampled_from(Programme), st.integers(0, 1000))
def test_the_first_contact_comes_soon_whatever_the_anchor_and_none_lies_before_it(kind: Programme, ago: int) -> None:
    rules = load_versions(ProgrammesPolicy, "programmes").of("2026-11").programmes[kind]
    start = datetime(2026, 12, 1, 4, tzinfo=UTC)
    moments = rules.moments(start - ago * DAY, start)
    assert moments[0][1] - start == timedelta(hours=rules.first_within_hours)
    assert [moment for _, moment in moments] == sorted({moment for _, moment in moments})
    names = [phase.name for phase in rules.phases]
    places = [names.index(name) for name, _ in moments]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("days = [3, 14, 30]", "days = [14, 3]", "must ascend"),
        ("days = [60, 100]", "days = [20]", "must ascend"),
        ("grief_from_days = 183\n", "", "stand together"),
        ("[programmes.elderly_mild]", "[programmes.elderly]", "elderly"),
        ("days = [7, 30]", "days = [7]\nevery_days = 30", "only the last phase"),
        ("most = 3", "most = 9", "attempts.most"),
    ],
)
def test_a_programmes_policy_that_makes_no_sense_is_refused(tmp_path: Path, old: str, new: str, place: str) -> None:
    text = (SHIPPED / "programmes" / "2026-11.toml").read_text()
    assert old in text
    (tmp_path / "programmes").mkdir()
    (tmp_path / "programmes" / "district.toml").write_text(text.replace(old, new, 1))
    with pytest.raises(ValueError, match=place):
        load_versions(ProgrammesPolicy, "programmes", tmp_path)


# Enrolling


async def test_the_same_enrolment_again_is_the_same_and_another_under_its_id_is_refused(world: World) -> None:
    ident = uuid4()
    first = await enrol(world, Programme.reintegration, ident=ident, contact=CONTACT)
    again = await enrol(world, Programme.reintegration, ident=ident, contact=CONTACT)
    assert first["_id"] == again["_id"] == ident
    with pytest.raises(NotAllowed) as refusal:
        await enrol(world, Programme.reintegration, ident=ident, contact={"phone": "000-0000-0009"})
    assert (refusal.value.reason, refusal.value.field) == ("id_reused", "id")
    joined = await enrol(world, Programme.reintegration)
    assert joined["_id"] == ident, "who is in the programme stays in it"
    assert (await enrol(world, Programme.reintegration, number=2))["_id"] != ident
    assert (await enrol(world, Programme.post_incident, incident_id=uuid4()))["_id"] != ident
    with pytest.raises(Refused) as unknown:
        await enrol(world, Programme.reintegration, number=3, division="999999")
    assert unknown.value.field == "division"
    assert [event.kind for event in world.emitted(ProgrammeBegun)] == [
        "reintegration",
        "reintegration",
        "post_incident",
    ]


async def test_nothing_personal_is_kept_in_the_clear(world: World) -> None:
    made = await enrol(world, Programme.reintegration, contact=CONTACT)
    (sealed,) = await world.database.find("programme_contacts", {})
    whole = repr([made, sealed, *await world.database.find("programmes", {}), *(e.body() for e in world.events)])
    assert made["contact_state"] == "kept"
    for value in CONTACT.values():
        assert value not in whole


# Going through


async def test_people_after_an_incident_are_looked_after_until_somebody_closes_it(world: World) -> None:
    """The list goes on, month after month, and no last contact makes it forget anyone."""
    incident = uuid4()
    ident = (await enrol(world, Programme.post_incident, incident_id=incident))["_id"]
    await go_through(world, ident, 400 * DAY, **CALM)
    found = await programme(world, ident)
    kept = [one for one in found["contacts"] if one["state"] == "kept"]
    assert len(kept) >= 14
    assert found["state"] == "running"
    assert f"programme:{ident}" in await world.timers()
    with pytest.raises(NotAllowed, match="incident is not closed"):
        await end(world, ident, Ground.incident_closed)

    async def close_incident(tx: Tx) -> None:
        tx.put("incidents", {"_id": incident, "state": "closed"})

    await world.do(close_incident)
    await end(world, ident, Ground.incident_closed)
    assert f"programme:{ident}" not in await world.timers()
    assert [event.ground for event in world.emitted(ProgrammeEnded)] == ["incident_closed"]


async def test_elderly_people_with_a_mild_result_are_seen_again_and_again(world: World) -> None:
    ident = (await enrol(world, Programme.elderly_mild))["_id"]
    await go_through(world, ident, 400 * DAY, **CALM)
    dues = [one["due_at"] for one in (await programme(world, ident))["contacts"]]
    gaps = [later - earlier for earlier, later in pairwise(dues[2:])]
    assert len(dues) >= 6
    assert all(80 * DAY < gap < 100 * DAY for gap in gaps)


async def test_who_is_missed_twice_in_a_row_is_put_before_the_office(world: World) -> None:
    ident = (await enrol(world, Programme.reintegration))["_id"]
    for _ in range(2):
        await until_due(world, ident)
        await world.pass_time(73 * HOUR)
    found = await programme(world, ident)
    assert [one["state"] for one in found["contacts"]][:2] == ["missed", "missed"]
    assert found["concerns"] == ["contact_missed", "lost_contact"]
    await end(world, ident, Ground.lost_contact)
    assert (await programme(world, ident))["state"] == "ended"


async def test_who_refuses_is_not_called_on_and_the_office_decides(world: World) -> None:
    ident = (await enrol(world, Programme.reintegration))["_id"]
    contact = await until_due(world, ident)
    await tell(world, ident, contact["id"], "refused_to_talk")
    found = await programme(world, ident)
    assert (found["state"], found["concerns"]) == ("review", ["contact_refused"])
    assert {one["state"] for one in found["contacts"]} == {"refused", "void"}
    with pytest.raises(Refused) as refusal:
        await world.do(lambda tx: commands.review(ident, "看过", None, OFFICER, tx, world.office))
    assert refusal.value.field == "next_at"
    soon = world.now + DAY
    await world.do(lambda tx: commands.review(ident, "社工再试一次", soon, OFFICER, tx, world.office))
    assert (await programme(world, ident))["state"] == "running"
    await end(world, ident, Ground.wish)


async def test_a_risk_that_a_contact_shows_becomes_a_case_at_once(world: World) -> None:
    ident = (await enrol(world, Programme.reintegration, division=TOWN, contact=CONTACT))["_id"]
    contact = await until_due(world, ident)
    told = await tell(world, ident, contact["id"], "reached", **{**CALM, "plan_within_72_hours": "yes"})
    (flag,) = world.emitted(RiskFlagged)
    assert (flag.hotline, flag.way, flag.setting) == (
        "programme-reintegration",
        Way.screening_result,
        Setting.community,
    )
    assert (flag.caller, flag.place, flag.plan_within_72_hours) == (person(), TOWN, Answer.yes)
    assert told["contacts"][0]["flag_id"] == flag.id
    assert told["concerns"] == ["risk_flagged"]
    assert "000-0000-0001" not in flag.model_dump_json()
    await world.take(flag)
    case = await world.case_of(flag.id)
    assert (case["tier"], case["flags"][0]["contact_state"]) == ("high", "kept")
    assert [one["action"] for one in await world.audit_log()] == ["contact_passed_on"]
    await end(world, ident, Ground.followed_as_case)


async def test_a_contact_without_risk_raises_nothing(world: World) -> None:
    ident = (await enrol(world, Programme.reintegration))["_id"]
    contact = await until_due(world, ident)
    await tell(world, ident, contact["id"], "reached", **CALM, mood=30)
    assert world.emitted(RiskFlagged) == []
    with pytest.raises(NotAllowed, match="kept"):
        await tell(world, ident, contact["id"], "reached", **CALM)


async def test_a_programme_is_complete_when_its_phases_are_and_the_last_screening_was_asked_and_calm(
    world: World,
) -> None:
    ident = (await enrol(world, Programme.reintegration))["_id"]
    with pytest.raises(NotAllowed, match="still to come"):
        await end(world, ident, Ground.completed)
    await go_through(world, ident, 100 * DAY, **CALM)
    await go_through(world, ident, 100 * DAY, mood=60)
    assert (await programme(world, ident))["concerns"] == ["phases_complete"]
    with pytest.raises(NotAllowed, match="did not ask") as refusal:
        await end(world, ident, Ground.completed)
    assert refusal.value.field == "ground"
    soon = world.now + DAY
    await world.do(lambda tx: commands.review(ident, "补问", soon, OFFICER, tx, world.office))
    await go_through(world, ident, 2 * DAY, **CALM)
    await end(world, ident, Ground.completed)
    done = await programme(world, ident)
    assert (done["state"], done["end"]["ground"], done["end"]["overridden"]) == ("ended", "completed", False)
    with pytest.raises(NotAllowed, match="has ended"):
        await end(world, ident, Ground.completed)


async def test_a_ground_that_does_not_hold_takes_a_supervisor_who_did_not_enrol(world: World) -> None:
    ident = (await enrol(world, Programme.reintegration))["_id"]
    with pytest.raises(NotAllowed, match="does not hold"):
        await end(world, ident, Ground.died)
    for caller in (OFFICER, Caller("officer-a", frozenset({"supervisor"}), COUNTY)):
        with pytest.raises(NotAllowed) as refusal:
            await end(world, ident, Ground.died, caller, "户籍注销证明")
        assert refusal.value.status == 403
    await end(world, ident, Ground.died, SUPERVISOR, "户籍注销证明")
    entry = (await world.audit_log())[-1]
    assert (entry["action"], entry["reason"]) == ("programme_end_overridden", "户籍注销证明")
    with pytest.raises(Refused):
        await end(world, (await enrol(world, Programme.reintegration, number=2))["_id"], Ground.incident_closed)


# Over HTTP: officers


async def test_a_programme_goes_its_way_over_http(world: World, client: httpx.AsyncClient) -> None:
    token = world.keys.token
    officer, elsewhere = token("duty_officer", sub="officer-a"), token("duty_officer", "supervisor", division=NEIGHBOUR)
    body: Document = {
        "id": str(uuid4()),
        "kind": "reintegration",
        "division": TOWN,
        "person_identifier": "000-0000-0001",
    }
    body |= {"contact": CONTACT, "worker": "worker-a", "contact_preferences": {"earliest": "18:00", "latest": "20:00"}}
    assert (await client.post("/v1/programmes", json=body, headers=token("community_worker"))).status_code == 403
    assert (await client.post("/v1/programmes", json=body, headers=elsewhere)).status_code == 404
    for wrong, field in (
        ({"kind": "gardening"}, "body.kind"),
        ({"division": "37"}, "body.division"),
        ({"division": None}, "division"),
        ({"contact": {"mail": "x"}}, "body.contact.mail"),
        ({"organisations": [str(new_id())]}, "organisations"),
        ({"kind": "bereavement"}, "loss"),
        ({"contact_preferences": {"earliest": "18:00"}}, "latest"),
    ):
        answer = await client.post("/v1/programmes", json={**body, **wrong}, headers=officer)
        assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text
    made = await client.post("/v1/programmes", json=body, headers=officer)
    assert made.status_code == 200, made.text
    assert (made.json()["label"], made.json()["state"]) == ("回归关怀", "running")
    assert (await client.post("/v1/programmes", json=body, headers=officer)).json()["id"] == body["id"]
    assert (await client.post("/v1/programmes", json={**body, "worker": "b"}, headers=officer)).status_code == 409
    assert "张示例" not in made.text
    assert "said" not in made.json()

    path = f"/v1/programmes/{body['id']}"
    contact_id = made.json()["contacts"][0]["id"]
    early = {"outcome": "reached", "channel": "visit"}
    answer = await client.post(f"{path}/contacts/{contact_id}/attempts", json=early, headers=officer)
    assert (answer.status_code, answer.json()["reason"]) == (409, "not_due"), "a contact days ahead is not kept today"
    await world.pass_time(datetime.fromisoformat(made.json()["contacts"][0]["due_at"]) - world.now)
    for verb, command, said in (
        ("POST", "/assign", {"worker": "worker-b"}),
        ("POST", "/organisations", {"organisations": [str(HOSPITAL)]}),
        ("POST", "/contact", {"reason": "回访"}),
        ("POST", "/review", {"reason": "已看过"}),
        ("POST", f"/contacts/{contact_id}/attempts", {"outcome": "no_answer", "channel": "visit"}),
        ("POST", "/end", {"ground": "wish", "reason": "本人要求"}),
        ("GET", "", None),
    ):
        address = path + command
        assert (await client.request(verb, address, json=said, headers=elsewhere)).status_code == 404, address
        assert (await client.request(verb, address, json=said, headers=token("community_worker"))).status_code == 403
        if said is not None:
            extra = await client.request(verb, address, json={**said, "x": 1}, headers=officer)
            assert (extra.status_code, extra.json()["field"]) == (422, "body.x")
        answer = await client.request(verb, address, json=said, headers=officer)
        assert answer.status_code == (409 if command == "/end" else 200), answer.text
    seen = (await client.get(path, headers=officer)).json()
    assert (seen["worker"], seen["organisations"]) == ("worker-b", [str(HOSPITAL)])
    assert [one["kind"] for one in seen["history"]][:4] == [
        "enrolled",
        "contact_due",
        "assigned",
        "organisations_linked",
    ]
    missing = await client.post(f"{path}/contacts/{new_id()}/attempts", json={"outcome": "no_answer"}, headers=officer)
    assert missing.status_code == 404
    read = await client.post(f"{path}/contact", json={"reason": "回访"}, headers=officer)
    assert read.json()["contact"] == CONTACT
    assert [one["action"] for one in await world.audit_log()].count("contact_read") == 2


async def test_programmes_are_listed_by_what_comes_next_and_paged(world: World, client: httpx.AsyncClient) -> None:
    made = [
        str((await enrol(world, Programme.post_incident, number, incident_id=new_id()))["_id"]) for number in (1, 2)
    ]
    made += [str((await enrol(world, Programme.reintegration, 3))["_id"])]
    other = str((await enrol(world, Programme.reintegration, 4, division=NEIGHBOUR))["_id"])
    officer = world.keys.token("duty_officer")
    seen: list[dict[str, Any]] = []
    after = ""
    while True:
        page = (await client.get(f"/v1/programmes?limit=1{after}", headers=officer)).json()
        seen += page["programmes"]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert [one["id"] for one in seen] == made
    assert other not in [one["id"] for one in seen]
    only = (await client.get("/v1/programmes?kind=reintegration", headers=officer)).json()["programmes"]
    assert [one["id"] for one in only] == made[2:]
    assert (await client.get("/v1/programmes?state=ended", headers=officer)).json()["programmes"] == []
    for query, field in (("kind=x", "query.kind.0"), ("limit=0", "query.limit"), ("after=x", "query.after")):
        answer = await client.get(f"/v1/programmes?{query}", headers=officer)
        assert (answer.status_code, answer.json()["field"]) == (422, field)


# Over HTTP: community workers


async def test_a_community_worker_sees_the_own_tasks_and_no_more_of_them_than_it_takes(
    world: World, client: httpx.AsyncClient
) -> None:
    mine = await enrol(world, Programme.reintegration, 1, division=TOWN, contact=CONTACT, worker="worker-a")
    await enrol(world, Programme.reintegration, 2, division=TOWN, worker="worker-b")
    await enrol(world, Programme.reintegration, 3, division=TOWN)
    worker = world.keys.token("community_worker", sub="worker-a")
    other = world.keys.token("community_worker", sub="worker-b")
    assert (await client.get("/v1/tasks", headers=worker)).json() == {"tasks": [], "next": None}
    contact = await until_due(world, mine["_id"])
    await world.pass_time(HOUR)
    (task,) = (await client.get("/v1/tasks", headers=worker)).json()["tasks"]
    assert set(task) == {
        "id",
        "kind",
        "label",
        "division",
        "due_at",
        "window_until",
        "attempts_left",
        "contact_preferences",
    }
    assert (task["id"], task["attempts_left"]) == (str(contact["id"]), 3)
    assert (await client.get("/v1/tasks", headers=world.keys.token("duty_officer"))).status_code == 403
    moved = world.keys.token("community_worker", sub="worker-a", division=NEIGHBOUR)
    assert (await client.get("/v1/tasks", headers=moved)).json()["tasks"] == []

    for command, said in (("contact", {"reason": "上门"}), ("outcome", {"outcome": "not_at_home"})):
        address = f"/v1/tasks/{task['id']}/{command}"
        assert (await client.post(address, json=said, headers=other)).status_code == 404
        assert (await client.post(address, json=said, headers=moved)).status_code == 404
        assert (await client.post(address, json=said, headers=world.keys.token("duty_officer"))).status_code == 403
        assert (await client.post(f"/v1/tasks/{new_id()}/{command}", json=said, headers=worker)).status_code == 404
        extra = await client.post(address, json={**said, "x": 1}, headers=worker)
        assert (extra.status_code, extra.json()["field"]) == (422, "body.x")
    read = await client.post(f"/v1/tasks/{task['id']}/contact", json={"reason": "上门"}, headers=worker)
    assert read.json()["contact"] == {name: CONTACT[name] for name in ("name", "phone", "address")}
    (entry,) = await world.audit_log()
    assert (entry["action"], entry["actor"], entry["reason"]) == ("contact_read", "worker-a", "上门")


async def test_a_community_workers_visit_is_an_outcome_and_trouble_that_is_seen_reaches_a_professional(
    world: World, client: httpx.AsyncClient
) -> None:
    made = await enrol(world, Programme.reintegration, 1, division=TOWN, contact=CONTACT, worker="worker-a")
    contact = await until_due(world, made["_id"])
    worker = world.keys.token("community_worker", sub="worker-a")
    address = f"/v1/tasks/{contact['id']}"
    away = await client.post(f"{address}/outcome", json={"outcome": "not_at_home"}, headers=worker)
    assert away.json() == {"id": str(contact["id"]), "state": "due", "flag_id": None}
    seen = await client.post(
        f"{address}/outcome", json={"outcome": "reached", "needs_professional": "yes"}, headers=worker
    )
    (flag,) = world.emitted(RiskFlagged)
    assert seen.json() == {"id": str(contact["id"]), "state": "kept", "flag_id": str(flag.id)}
    assert flag.way is Way.concern
    await world.take(flag)
    assert (await world.case_of(flag.id))["tier"] == "moderate", "nobody asked about danger: that is no all-clear"
    again = await client.post(f"{address}/outcome", json={"outcome": "reached"}, headers=worker)
    assert again.status_code == 409
    closed = await client.post(f"{address}/contact", json={"reason": "再看"}, headers=worker)
    assert closed.status_code == 404, "who is done does not read on"


# Whatever happens


class ProgrammesAtWork(RuleBasedStateMachine):
    """Enrolments, contacts, reviews, ends and time in any order."""

    uri: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.world: World = self.wait(self.open())
        self.states: dict[Any, str] = {}
        self.contacts: dict[Any, str] = {}

    def wait(self, what: Awaitable[Any]) -> Any:
        async def run() -> Any:
            return await what

        return self.runner.run(run())

    async def open(self) -> World:
        world = World(MovedClock(self.uri, "crisis", "test_programmes"), shared_keys())
        await make_empty(world.database, self.uri, world.blueprint.collections)
        await world.settle_in()
        return world

    def teardown(self) -> None:
        async def drop() -> None:
            self.world.database.close()

        self.wait(drop())
        self.runner.close()

    def ask(self, what: Callable[[], Awaitable[Any]]) -> bool:
        try:
            self.wait(what())
        except (NotAllowed, NotFound, Refused):
            return False
        return True

    def pick(self, data: st.DataObject) -> Document:
        found = self.wait(self.world.database.find("programmes", {}, sort=[("started_at", 1), ("_id", 1)]))
        return dict(found[data.draw(st.integers(0, len(found) - 1))])

    @rule(kind=st.sampled_from(Programme), number=st.integers(1, 2), ago=st.integers(0, 300))
    def enrol(self, kind: Programme, number: int, ago: int) -> None:
        lost = None
        if kind is Programme.bereavement:
            on = self.world.now.date() - ago * DAY
            lost = Loss.model_validate({"kind": "illness", "kinship": "parent", "on": on})
        self.wait(enrol(self.world, kind, number, loss=lost))

    @rule(hours=st.sampled_from([1, 80, 24 * 40, 24 * 120]))
    def time_passes(self, hours: int) -> None:
        self.wait(self.world.pass_time(timedelta(hours=hours)))

    @rule(hours=st.sampled_from([30, 24 * 70]))
    def nothing_runs_for_a_while(self, hours: int) -> None:
        self.wait(self.world.be_away(timedelta(hours=hours)))

    @precondition(lambda self: self.states)
    @rule(data=st.data(), outcome=st.sampled_from(Outcome), plan=st.sampled_from(Answer))
    def try_somebody(self, data: st.DataObject, outcome: Outcome, plan: Answer) -> None:
        found = self.pick(data)
        opened = [one for one in found["contacts"] if follow_up.is_open(one)]
        if opened:
            report = {**CALM, "plan_within_72_hours": plan} if outcome is Outcome.reached else {}
            place = data.draw(st.integers(0, min(1, len(opened) - 1)))
            self.ask(lambda: tell(self.world, found["_id"], opened[place]["id"], outcome, **report))

    @precondition(lambda self: self.states)
    @rule(data=st.data(), hours=st.sampled_from([None, 5, 24 * 20]))
    def review(self, data: st.DataObject, hours: int | None) -> None:
        found = self.pick(data)
        at = None if hours is None else self.world.now + timedelta(hours=hours)
        office = self.world.office
        self.ask(lambda: self.world.do(lambda tx: commands.review(found["_id"], "看过", at, OFFICER, tx, office)))

    @precondition(lambda self: self.states)
    @rule(data=st.data(), ground=st.sampled_from(Ground), why=st.sampled_from([None, "另有书面说明"]))
    def end(self, data: st.DataObject, ground: Ground, why: str | None) -> None:
        found = self.pick(data)
        done = self.ask(lambda: end(self.world, found["_id"], ground, SUPERVISOR, why))
        assert not done or found["state"] != "ended"

    @invariant()
    def nobody_is_forgotten(self) -> None:
        self.wait(self.check())

    async def check(self) -> None:
        timers = {key for key in await self.world.timers() if key.startswith("programme:")}
        wanted = set()
        for found in await self.world.database.find("programmes", {}):
            key, state = found["_id"], found["state"]
            before = self.states.get(key, "running")
            assert before == state or allows(State(before), State(state)) or (before, state) == ("review", "ended")
            self.states[key] = state
            opened = [one for one in found["contacts"] if follow_up.is_open(one)]
            assert (state == "running") is bool(opened), "a programme that runs has something to come"
            assert state != "review" or found["concerns"], "and one that waits shows what for"
            if opened:
                wanted.add(f"programme:{key}")
            for one in found["contacts"]:
                self.fits(one)
            assert (found["end"] is not None) is (state == "ended")
        assert timers == wanted

    def fits(self, contact: Document) -> None:
        before, present = self.contacts.get(contact["id"], "planned"), contact["state"]
        steps = {before, *follow_up.NEXT[follow_up.State(before)]}
        steps |= {to for step in list(steps) for to in follow_up.NEXT[follow_up.State(step)]}
        assert present in steps
        self.contacts[contact["id"]] = present
        assert follow_up.counted(contact) <= 3
        assert present != "missed" or not any(one["outcome"] == "reached" for one in contact["attempts"])
        assert (present == "kept") is ("report" in contact)


def test_programmes_keep_their_promises_whatever_happens(mongod: str) -> None:
    ProgrammesAtWork.uri = mongod
    run_state_machine_as_test(
        ProgrammesAtWork,
        settings=settings(
            max_examples=6,
            stateful_step_count=20,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
