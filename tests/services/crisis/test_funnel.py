"""The office's counts: the four activities, the share of students who were helped, the three stages."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chassis.clock import local_day, new_id
from chassis.tx import Document, Tx
from contracts.base import Tier
from contracts.crisis import ReferralState
from contracts.hotline import RiskFlagged
from services.crisis.domain.funnel import bounds, share
from services.crisis.store.funnel import activities_of, funnel_of, students_helped, students_left
from tests.services.crisis.campaign_world import UNSAFE, WELL, Field, known, refusal, screening
from tests.services.crisis.incidents import ok, refused
from tests.services.crisis.test_chains_notices import tell, warned
from tests.services.crisis.test_concerns import raised, token
from tests.services.crisis.world import BY_TIER, COUNTY, NEIGHBOUR, TOWN, World, person

ROUTES = {"GET /v1/activities", "GET /v1/indicators/students-helped", "GET /v1/funnel"}
INDICATOR = "/v1/indicators/students-helped"
ADDRESSES = ("/v1/activities", INDICATOR, "/v1/funnel")


@pytest.fixture
def reader(world: World) -> dict[str, str]:
    return world.keys.token("supervisor")


def period(world: World, days: int = 1, **said: Any) -> dict[str, Any]:
    """From yesterday on: a test may begin shortly before midnight."""
    today = local_day(world.now)
    return {
        "division": COUNTY,
        "from": str(today - timedelta(days=1)),
        "to": str(today + timedelta(days=days)),
        **said,
    }


async def asked(client: httpx.AsyncClient, address: str, headers: dict[str, str], **said: Any) -> dict[str, Any]:
    return await ok(client.get(address, params=said, headers=headers))


async def intervene(world: World, client: httpx.AsyncClient, case_id: UUID) -> None:
    section = {"kind": "intervention", "actions": [{"action": "safety_plan", "progress": "done"}]}
    body = {"id": str(new_id()), "section": section}
    await ok(client.post(f"/v1/cases/{case_id}/sections", json=body, headers=world.keys.token("duty_officer")))


# What people do is counted


async def test_the_share_of_students_helped_grows_with_each_who_is_and_tells_who_is_left(
    world: World, client: httpx.AsyncClient, reader: dict[str, str]
) -> None:
    empty = await asked(client, INDICATOR, reader, **period(world))
    assert (empty["numerator"], empty["denominator"], empty["share"]) == (0, 0, None), "nobody is not none of them"
    first = await warned(world, client)
    await raised(
        world, client, "class_teacher", way="school_warning", answers=WARNED, contact={"phone": "000-0000-0002"}
    )
    second = next(case["_id"] for case in await world.cases() if case["_id"] != first)
    await world.flag(caller=person(9), **BY_TIER[Tier.high])
    told = await asked(client, INDICATOR, reader, **period(world))
    assert (told["numerator"], told["denominator"], told["share"]) == (0, 2, 0.0), "an adult caller is no student"
    assert set(told["left"]["cases"]) == {str(first), str(second)}
    await intervene(world, client, first)
    told = await asked(client, INDICATOR, reader, **period(world))
    assert (told["numerator"], told["share"], told["left"]) == (1, 0.5, {"students": 1, "cases": [str(second)]})
    await intervene(world, client, first)
    assert (await asked(client, INDICATOR, reader, **period(world)))["numerator"] == 1, "a student counts once"
    at_department = await asked(client, INDICATOR, world.keys.token("department"), **period(world))
    assert at_department["left"] == {"students": 1}, "which cases they are is for officers alone"
    later = period(world, **{"from": str(local_day(world.now) + timedelta(days=2))}, days=9)
    assert (await asked(client, INDICATOR, reader, **later))["denominator"] == 0
    town = await asked(client, INDICATOR, world.keys.token("supervisor", division=TOWN), **period(world, division=TOWN))
    assert town["denominator"] == 2
    assert set(told["definitions"]) == {"numerator", "denominator", "left"}


WARNED = {
    "act_in_progress": "no",
    "plan_within_72_hours": "no",
    "attempt_within_2_weeks": "no",
    "signs": ["absence"],
    "suspected_harm_to_minor": "no",
    "withhold_from_class": False,
    "age_band": "from_14_to_17",
}


async def test_a_referral_that_is_accepted_is_an_intervention(
    world: World, client: httpx.AsyncClient, reader: dict[str, str]
) -> None:
    case = await world.flag(caller=person(1), care_group="student", **BY_TIER[Tier.high])
    assert (await asked(client, INDICATOR, reader, **period(world)))["numerator"] == 0
    await world.refer(case["_id"])
    await world.answer(await world.referral(case["_id"]), ReferralState.received)
    assert (await asked(client, INDICATOR, reader, **period(world)))["numerator"] == 0, "sent is not accepted"
    await world.answer(await world.referral(case["_id"]), ReferralState.accepted)
    assert (await asked(client, INDICATOR, reader, **period(world)))["numerator"] == 1


@pytest.mark.parametrize(("kind", "students"), [("school_classes", 1), ("teachers", 0)])
async def test_a_screening_in_class_is_a_students_and_one_of_teachers_is_not(
    world: World, client: httpx.AsyncClient, reader: dict[str, str], kind: str, students: int
) -> None:
    field = Field(world, client)
    await field.begin(kind=kind)
    said = {"age": 15, "consent": {"by": "guardian", "contact": "yes"}} if students else {"age": 35}
    taken = await field.take(screening(UNSAFE, answers={}, person=known(1), **said))
    assert taken.status_code == 200, taken.text
    await world.take(*world.emitted(RiskFlagged))
    assert (await asked(client, INDICATOR, reader, **period(world)))["denominator"] == students
    school = await asked(client, "/v1/activities", reader, **period(world, setting="school"))
    assert school["activities"]["assessment"]["screenings"] == students


async def test_the_four_activities_are_counted_for_all_and_for_schools(
    world: World, client: httpx.AsyncClient, reader: dict[str, str]
) -> None:
    student = await warned(world, client)
    adult = (await world.flag(caller=person(9), **BY_TIER[Tier.high]))["_id"]
    for case_id in (student, adult):
        await intervene(world, client, case_id)
        answers = dict.fromkeys(WELL, 1)
        await ok(
            client.put(
                f"/v1/cases/{case_id}/assessments/{new_id()}",
                json={"instrument": "phq-9", "answers": answers},
                headers=world.keys.token("duty_officer"),
            )
        )
    await world.refer(adult)
    school = token(world, "school_counsellor")
    for to, advice in (("home", "come_to_talk"), ("home", "see_a_doctor"), ("class", "keep_an_eye")):
        answer, notice = await tell(client, student, school, to=to, advice=advice)
        assert answer.status_code == 200
    received = f"/v1/notices/{notice['id']}/receive"
    await ok(client.post(received, json={}, headers=token(world, "class_teacher")))
    every = (await asked(client, "/v1/activities", reader, **period(world)))["activities"]
    assert every["assessment"] == {"total": 2, "screenings": 0, "assessments": 2, "self_tests": 0}
    assert every["intervention"] == {"total": 2, "sections": 2, "programmes": 0}
    assert every["referral"] == {"total": 1}
    assert every["home_school"] == {"total": 2, "received": 0, "class": 1}
    schools = (await asked(client, "/v1/activities", reader, **period(world, setting="school")))["activities"]
    assert [schools[name]["total"] for name in ("assessment", "intervention", "referral", "home_school")] == [
        1,
        1,
        0,
        2,
    ]


async def test_the_three_stages_lead_from_publicity_to_warning_to_intervention(
    world: World, client: httpx.AsyncClient, reader: dict[str, str]
) -> None:
    keeper = world.keys.token("department", sub="keeper")
    row = f"/v1/ledgers/{COUNTY}/{local_day(world.now).year}"
    await ok(client.post(row, headers=keeper))
    for participants in (120, 30):
        held = {"kind": "publicity", "title": "心理健康进社区", "held_on": str(local_day(world.now))}
        evidence = f"{row}/task-14/evidence/{new_id()}"
        await ok(client.put(evidence, json={**held, "participants": participants}, headers=keeper))
    field = Field(world, client)
    await field.begin()
    await field.take(screening(WELL, person=known(1), services=["education"]))
    await field.take(screening(WELL, person=known(1)))
    await field.take(refusal())
    taken = await field.take(screening(UNSAFE, person=known(2)))
    assert taken.status_code == 200, taken.text
    await world.take(*world.emitted(RiskFlagged))
    await raised(world, client, "volunteer")
    told = await asked(client, "/v1/funnel", reader, **period(world))
    front, middle, end = told["front"], told["middle"], told["end"]
    assert (front["asked"], front["publicity_activities"], front["publicity_participants"]) == (4, 2, 150)
    assert front["education"] >= 1
    assert middle == {"screened": 2, "self_tests": 0, "screenings_flagged": 1, "concerns": 1, "flagged": 2}
    assert end == {"intervention": 0, "referral_attended": 0, "follow_up_kept": 0, "any": 0}
    case = (await world.cases())[0]["_id"]
    await intervene(world, client, case)
    after = await asked(client, "/v1/funnel", reader, **period(world))
    assert (after["end"]["intervention"], after["end"]["any"]) == (1, 1)
    assert {f"{stage}.{name}" for stage in ("front", "middle", "end") for name in told[stage]} == set(
        told["definitions"]
    ), "each number is told what it counts"


async def test_a_count_is_for_the_office_within_its_own_division(world: World, client: httpx.AsyncClient) -> None:
    said = period(world)
    for address in ADDRESSES:
        for role in ("duty_officer", "volunteer", "statistician", "class_teacher", "receiver"):
            await refused(client.get(address, params=said, headers=world.keys.token(role)), 403)
        for role in ("supervisor", "district_centre", "department"):
            await ok(client.get(address, params=said, headers=world.keys.token(role)))
            for division in (NEIGHBOUR, TOWN):
                beside = world.keys.token(role, division=division)
                await refused(client.get(address, params=said, headers=beside), 404)
        headers = world.keys.token("department")
        for wrong, field in (
            ({"division": "37x"}, "query.division"),
            ({"from": "yesterday"}, "query.from"),
            ({"from": "0001-01-01"}, "query.from"),
            ({"to": "9999-12-31"}, "query.to"),
            ({"to": "2020-01-01"}, "query.to"),
            ({"from": "2001-01-01"}, "query.to"),
        ):
            await refused(client.get(address, params={**said, **wrong}, headers=headers), 422, field)
    headers = world.keys.token("department")
    await refused(
        client.get("/v1/activities", params={**said, "setting": "moon"}, headers=headers), 422, "query.setting"
    )


# Random small histories: what is counted is what a recount by hand comes to

START, END = bounds(date(2026, 3, 2), date(2026, 3, 8))
MOMENTS = {
    "before": START - timedelta(milliseconds=1),
    "first": START,
    "in": START + timedelta(days=3),
    "last": END - timedelta(milliseconds=1),
    "after": END,
}
WITHIN = {"first", "in", "last"}
STUDENT = {"school", "chain", "warning", "group", "said"}
DIVISIONS = (f"3799{number:05d}" for number in itertools.count())
FEW = settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
whens = st.lists(st.sampled_from(list(MOMENTS)), max_size=2)
# Most things are not done for most people, or nobody would be left.
seldom = st.integers(0, 4).flatmap(lambda dice: st.just([]) if dice else whens)


@dataclass
class History:
    """One case, and when what was done for the person. `who` numbers the persons; none is an unknown caller."""

    kind: str
    who: int | None
    state: str
    flags: list[str]
    older: list[str]
    interventions: list[str]
    responded: list[str]
    accepted: list[str]
    attended: list[str]
    programmes: list[str]
    programmes_of_case: list[str]
    follow_ups: list[str]

    @property
    def counts(self) -> bool:
        return self.state != "merged" and happened(self.flags + self.older)

    @property
    def student(self) -> bool:
        return self.counts and self.kind in STUDENT


histories = st.builds(
    History,
    kind=st.sampled_from([*sorted(STUDENT), "teacher", "adult"]),
    who=st.none() | st.integers(1, 3),
    state=st.sampled_from(["open", "closed", "merged"]),
    flags=whens,
    older=seldom,
    interventions=seldom,
    responded=seldom,
    accepted=seldom,
    attended=seldom,
    programmes=seldom,
    programmes_of_case=seldom,
    follow_ups=seldom,
)


def happened(said: list[str]) -> bool:
    return bool(WITHIN.intersection(said))


def rows(said: list[str], field: str = "at", **more: Any) -> list[Document]:
    return [{**more, field: MOMENTS[when].astimezone(UTC)} for when in said]


def write(history: History, case_id: UUID, division: str, tx: Tx) -> None:
    """The documents, as far as they are counted, that such a history leaves."""
    known_as = None if history.who is None else f"{division}-{history.who}"
    tx.put(
        "cases",
        {
            "_id": case_id,
            "division": division,
            "state": history.state,
            "person": known_as,
            "rank": 1,
            "opened_at": START,
            "setting": "school" if history.kind in ("school", "teacher") else "line",
            "chain": {"setting": "school"} if history.kind == "chain" else None,
            "way": {"warning": "school_warning", "teacher": "screening_result"}.get(history.kind, "hotline_contact"),
            "care_group": "student" if history.kind == "group" else None,
            "flags": rows(history.flags, "flagged_at"),
            "older_flags": len(history.older),
            "timeline": rows(history.responded, kind="responder_accepted") + rows(["in"], kind="opened"),
            "responder": {"state": "released"},
        },
    )
    for row in rows(history.older, "flagged_at"):
        tx.put("flag_rows", {**row, "_id": uuid4(), "case_id": case_id})
    about = {"case_id": case_id, "division": division}
    for row in rows(history.interventions, kind="intervention") + rows(["in"], kind="note"):
        tx.put("sections", {**row, **about, "_id": uuid4(), "codes": {}})
    if history.kind == "said":
        section = {"kind": "care_group", "codes": {"groups": ["poor", "student"]}, "at": START - timedelta(days=40)}
        tx.put("sections", {**section, **about, "_id": uuid4()})
    steps = rows(history.accepted, state="accepted") + rows(history.attended, state="attended")
    tx.put("referrals", {**about, "_id": uuid4(), "history": [*steps, *rows(["in"], state="drafted")]})
    for said, more in ((history.programmes, {"person": known_as}), (history.programmes_of_case, {"case_id": case_id})):
        contacts = rows(said, "ended_at", state="kept") + rows(["in"], "ended_at", state="missed")
        begun = START - timedelta(days=300)
        if more != {"person": None}:
            tx.put("programmes", {**more, "_id": uuid4(), "division": "11", "contacts": contacts, "started_at": begun})
    contacts = rows(history.follow_ups, "ended_at", state="kept") + rows(["in"], "ended_at", state="refused")
    tx.put("plans", {"_id": case_id, "division": division, "follow_ups": contacts})


@FEW
@given(st.lists(histories, max_size=6))
async def test_who_is_helped_and_who_is_left_equal_a_recount(world: World, said: list[History]) -> None:
    division = next(DIVISIONS)
    keys = [new_id() for _ in said]

    async def body(tx: Tx) -> None:
        for key, history in zip(keys, said, strict=True):
            write(history, key, division, tx)

    await world.do(body)
    students: dict[Any, bool] = {}
    latest: dict[Any, UUID] = {}
    for key, history in zip(keys, said, strict=True):
        if not history.student:
            continue
        who = key if history.who is None else history.who
        # A programme looks after the person, whichever of the person's cases it was.
        of_person = [] if history.who is None else [w for one in said if one.who == history.who for w in one.programmes]
        done = (history.interventions, history.responded, history.accepted, history.programmes_of_case, of_person)
        students[who] = students.get(who, False) or any(happened(when) for when in done)
        latest[who] = key
    helped, flagged = await students_helped(world.database, division, (START, END))
    assert (helped, flagged) == (sum(students.values()), len(students))
    left = await students_left(world.database, division, (START, END), 50)
    assert set(left) == {latest[who] for who, found in students.items() if not found}
    assert len(left) == len(set(left))

    told = await funnel_of(world.database, division, (START, END), (date(2026, 3, 2), date(2026, 3, 8)))
    flagged_cases = [history for history in said if history.counts]
    stages = {
        "intervention": [happened(one.interventions) for one in flagged_cases],
        "referral_attended": [happened(one.attended) for one in flagged_cases],
        "follow_up_kept": [happened(one.follow_ups) for one in flagged_cases],
    }
    assert told["middle"]["flagged"] == len(flagged_cases)
    assert told["end"] == {
        **{name: sum(found) for name, found in stages.items()},
        "any": sum(map(any, zip(*stages.values(), strict=True))),
    }


screened = st.tuples(
    st.sampled_from(["taken", "declined", "ineligible", "refused"]),
    st.sampled_from(list(MOMENTS)),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
notices = st.tuples(
    st.sampled_from(["home", "class"]),
    st.sampled_from(["sent", "received", "withdrawn"]),
    st.sampled_from(list(MOMENTS)),
)
activities = st.tuples(st.integers(0, 300), st.integers(1, 12))


@FEW
@given(
    st.lists(screened, max_size=8),
    st.lists(notices, max_size=6),
    st.lists(activities, max_size=4),
    st.fixed_dictionaries(dict.fromkeys(("self_tests", "concerns", "assessments", "sections", "sent"), whens)),
    st.booleans(),
)
async def test_activities_and_stages_equal_a_recount(
    world: World,
    screenings: list[tuple[str, str, bool, bool, bool, bool]],
    told_to: list[tuple[str, str, str]],
    publicity: list[tuple[int, int]],
    acts: dict[str, list[str]],
    student: bool,
) -> None:
    division = next(DIVISIONS)
    classes, others, case_id = new_id(), new_id(), new_id()

    async def body(tx: Tx) -> None:
        tx.put("campaigns", {"_id": classes, "division": division, "kind": "school_classes"})
        tx.put("campaigns", {"_id": others, "division": division, "kind": "elderly_care_point"})
        tx.put("cases", {"_id": case_id, "division": division, "state": "open", "way": "walk_in", "flags": []})
        if student:
            case = await tx.get("cases", case_id)
            assert case is not None
            tx.put("cases", {**case, "care_group": "student"})
        for state, when, double, flag, education, in_class in screenings:
            row = {"_id": uuid4(), "division": division, "state": state, "taken_at": MOMENTS[when], "double": double}
            row["campaign_id"] = classes if in_class else others
            row["services"] = ["assessment", "education"] if education else []
            tx.put("screenings", {**row, "flag_id": uuid4() if flag else None})
        for to, state, when in told_to:
            tx.put("notices", {"_id": uuid4(), "division": division, "to": to, "state": state, "at": MOMENTS[when]})
        for participants, day in publicity:
            held = {"kind": "publicity", "held_on": f"2026-03-{day:02d}", "participants": participants}
            tx.put("ledger_evidence", {"_id": uuid4(), "division": division, **held})
        about = {"division": division, "case_id": case_id}
        for row in rows(acts["self_tests"]):
            tx.put("self_tests", {**row, "_id": uuid4(), "division": division})
        for row in rows(acts["concerns"], "raised_at"):
            tx.put("concerns", {**row, "_id": uuid4(), "division": division})
        for row in rows(acts["assessments"]):
            tx.put("assessments", {**row, **about, "_id": uuid4()})
        for row in rows(acts["sections"], kind="intervention"):
            tx.put("sections", {**row, **about, "_id": uuid4(), "codes": {}})
        tx.put("referrals", {**about, "_id": uuid4(), "history": rows(acts["sent"], state="sent")})

    await world.do(body)

    def number(name: str) -> int:
        return sum(when in WITHIN for when in acts[name])

    def notices_to(addressee: str, *states: str) -> int:
        return sum(to == addressee and state in states and when in WITHIN for to, state, when in told_to)

    now_in = [row for row in screenings if row[1] in WITHIN]
    taken = [row for row in now_in if row[0] == "taken"]
    span = (START, END)
    for school in (False, True):
        counted = await activities_of(world.database, division, span, school)
        of_case = 1 if student or not school else 0
        assert counted["assessment"]["screenings"] == sum(not school or row[5] for row in taken)
        assert counted["assessment"]["assessments"] == of_case * number("assessments")
        assert counted["assessment"]["self_tests"] == (0 if school else number("self_tests"))
        assert counted["assessment"]["total"] == sum(
            counted["assessment"][name] for name in ("screenings", "assessments", "self_tests")
        )
        assert counted["intervention"]["total"] == of_case * number("sections")
        assert counted["referral"]["total"] == of_case * happened(acts["sent"])
        assert counted["home_school"] == {
            "total": notices_to("home", "sent", "received"),
            "received": notices_to("home", "received"),
            "class": notices_to("class", "sent", "received"),
        }
    told = await funnel_of(world.database, division, span, (date(2026, 3, 2), date(2026, 3, 8)))
    held = [participants for participants, day in publicity if 2 <= day <= 8]
    assert told["front"] == {
        "asked": sum(row[0] in ("taken", "declined") for row in now_in),
        "education": sum(row[4] for row in taken),
        "publicity_activities": len(held),
        "publicity_participants": sum(held),
    }
    assert told["middle"] == {
        "screened": sum(not row[2] for row in taken),
        "self_tests": number("self_tests"),
        "screenings_flagged": sum(row[3] for row in now_in),
        "concerns": number("concerns"),
        "flagged": 0,
    }


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_a_share_lies_between_none_and_all(helped: int, left: int) -> None:
    found = share(helped, helped + left)
    assert (found is None) == (helped + left == 0)
    assert found is None or 0 <= found <= 1


def test_a_period_lasts_whole_days_of_the_place() -> None:
    start, end = bounds(date(2026, 3, 2), date(2026, 3, 2))
    assert (start, end) == (datetime(2026, 3, 1, 16, tzinfo=UTC), datetime(2026, 3, 2, 16, tzinfo=UTC))
