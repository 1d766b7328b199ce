"""The survey of what units are able to do: the staff form, who has answered, and counts that tell of nobody."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections import Counter
from datetime import date, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.auth import issue
from chassis.clock import local_day, now
from chassis.tx import Tx
from services.registry.domain.capacity import Standing, Window, flaw_in, standing
from services.registry.domain.capacity_policy import Question, SurveyForm
from services.registry.domain.capacity_results import ALONE, Answer, Told, results, small
from services.registry.policy import Policies
from tests.services.registry.places_support import COUNTY, OTHER_TOWN, TOWN, organisation, villages
from tests.services.registry.support import Registry

POLICY = Policies.load().capacity.of("2026-11")
STAFF = POLICY.forms["staff"]
TODAY = local_day(now())


def filled(people: int, **answers: Any) -> dict[str, Any]:
    """The staff form of a unit whose people are all of the first option of each split."""
    told: dict[str, Any] = {"staff": people}
    for one in STAFF.questions:
        if one.kind == "split":
            told[one.code] = {option: people if not number else 0 for number, option in enumerate(one.options)}
    return {**told, **answers}


def a_survey(*units: str, **fields: Any) -> dict[str, Any]:
    days = {"opens_on": str(TODAY), "due_on": str(TODAY), "closes_on": str(TODAY + timedelta(days=9))}
    return {"division": COUNTY, "title": "示例调查", "forms": ["staff"], "units": list(units), **days, **fields}


async def asked(client: httpx.AsyncClient, *units: str, **fields: Any) -> str:
    ident = str(uuid.uuid4())
    answer = await client.put(f"/v1/capacity-surveys/{ident}", json=a_survey(*units, **fields))
    assert answer.status_code == 201, answer.text
    return ident


async def answered(
    client: httpx.AsyncClient, survey: str, unit: str, answers: dict[str, Any], form: str = "staff", status: int = 200
) -> dict[str, Any]:
    path = f"/v1/capacity-surveys/{survey}/units/{unit}/forms/{form}"
    answer = await client.put(path, json={"answers": answers})
    assert answer.status_code == status, answer.text
    told: dict[str, Any] = answer.json()
    return told


def of_unit(registry: Registry, unit: str) -> httpx.AsyncClient:
    """A client whose token names the organisation that it receives for."""
    claims = {"sub": "receiver-1", "roles": ["receiver"], "division": TOWN, "organisation": unit}
    token = issue(registry.signing_key, "xinqiao-local", "xinqiao", 600, **claims)
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=registry.app),
        base_url="http://registry",
        headers={"authorization": f"Bearer {token}"},
    )


async def closed(client: httpx.AsyncClient, survey: str, *units: str, **fields: Any) -> None:
    """The survey is closed before its day."""
    yesterday = str(TODAY - timedelta(days=1))
    days = dict.fromkeys(("opens_on", "due_on", "closes_on"), yesterday)
    answer = await client.put(f"/v1/capacity-surveys/{survey}", json=a_survey(*units, **fields, **days))
    assert answer.status_code == 200, answer.text


# The forms


def test_form_three_asks_what_the_staff_is_able_to_do_in_words_that_people_read() -> None:
    assert (STAFF.number, STAFF.title) == (3, "服务人员的服务能力情况调查表")
    labels = {one.code: one.label for one in STAFF.questions}
    assert set(labels) == {
        "staff",
        "occupation",
        "employment",
        "education",
        "years",
        "certified",
        "trained",
        "able",
        "able_besides",
        "wants",
    }
    for one in STAFF.questions:
        for words in (one.label, *one.options.values()):
            assert any("\u4e00" <= sign <= "\u9fff" for sign in words)


def test_no_form_has_a_question_into_which_a_name_could_be_written() -> None:
    kinds = {one.kind for form in POLICY.forms.values() for one in form.questions}
    assert kinds <= {"count", "split", "choice", "several", "yes_no"}
    assert {form.number for form in POLICY.forms.values()} == {1, 2, 3}


@pytest.mark.parametrize(
    ("changed", "reason", "field"),
    [
        ({"staff": -1}, "bad_count", "answers.staff"),
        ({"staff": True}, "bad_count", "answers.staff"),
        ({"employment": {"full_time": 2, "part_time": 2}}, "bad_sum", "answers.employment"),
        ({"employment": {"full_time": 3}}, "unknown_option", "answers.employment"),
        ({"employment": {"full_time": 3, "part_time": 0, "zhang": 0}}, "unknown_option", "answers.employment"),
        ({"employment": 3}, "unknown_option", "answers.employment"),
        ({"employment": {"full_time": 9, "part_time": 0}}, "more_than_all", "answers.employment.full_time"),
        ({"remark": 1}, "unknown_question", "answers.remark"),
        ({"able": {}}, "unknown_option", "answers.able"),
    ],
)
def test_an_answer_that_does_not_fit_is_named(changed: dict[str, Any], reason: str, field: str) -> None:
    assert flaw_in(STAFF, filled(3)) is None
    flaw = flaw_in(STAFF, filled(3, **changed))
    assert flaw is not None
    assert (flaw.reason, flaw.field) == (reason, field)


def test_every_question_is_to_be_answered() -> None:
    for one in STAFF.questions:
        flaw = flaw_in(STAFF, {code: value for code, value in filled(3).items() if code != one.code})
        assert flaw is not None
        assert (flaw.reason, flaw.field) == ("missing", f"answers.{one.code}")


def test_each_form_can_be_answered_and_takes_no_other_words() -> None:
    for form in POLICY.forms.values():
        answers: dict[str, Any] = {}
        for one in form.questions:
            first = next(iter(one.options), "")
            answers[one.code] = {
                "count": 0,
                "split": dict.fromkeys(one.options, 0),
                "choice": first,
                "several": [first],
                "yes_no": False,
            }[one.kind]
            assert flaw_in(form, {**answers, one.code: "张示例"}) is not None
        assert flaw_in(form, answers) is None


# Windows


DAYS = st.dates(date(2026, 1, 1), date(2026, 1, 20))


@given(st.tuples(DAYS, DAYS, DAYS).map(lambda days: Window(*sorted(days))), DAYS, st.booleans(), st.booleans())
def test_a_unit_stands_in_one_place_only(window: Window, day: date, first: bool, late: bool) -> None:
    forms = ["institution", "staff"]
    told = standing(forms, {"institution": False, **({"staff": late} if first else {})}, window, day)
    if first:
        assert told is (Standing.late if late else Standing.answered)
    else:
        assert told is (Standing.missing if day > window.due_on else Standing.awaited)
    assert not (window.takes(day) and window.closed(day))


# Results that tell of nobody


FORM = SurveyForm(
    number=3,
    title="示例表",
    source="no published source",
    questions=(
        Question(code="staff", label="人数", kind="count"),
        Question(
            code="kind",
            label="类别",
            kind="split",
            of="staff",
            whole=True,
            options={"aa": "甲", "bb": "乙", "cc": "丙"},
        ),
        Question(code="able", label="能力", kind="split", of="staff", options={"aa": "甲", "bb": "乙"}),
    ),
)
FEW = 5


@st.composite
def units(draw: st.DrawFn) -> Answer:
    parts = [draw(st.integers(0, 12)) for _ in range(3)]
    people = sum(parts)
    able = {code: draw(st.integers(0, people)) for code in ("aa", "bb")}
    answers = {"staff": people, "kind": dict(zip(("aa", "bb", "cc"), parts, strict=True)), "able": able}
    assert flaw_in(FORM, answers) is None
    return Answer(draw(st.sampled_from(["370812001", "370812002", "370812003", "370812004"])), answers)


def _sizes(told: dict[str, Told], code: str, rows: dict[str, dict[str, int]]) -> dict[str, int]:
    """The people of each told row of a split, as anybody can read them."""
    if code == "staff":
        return {}
    return {name: told["staff"].rows[name][ALONE] for name in rows}


@settings(deadline=None, max_examples=150)
@given(st.lists(units(), max_size=14))
def test_no_count_of_a_few_people_is_told_or_left_over(given_units: list[Answer]) -> None:
    told = results(FORM, given_units, 9, FEW)
    true: dict[str, Counter[str]] = {code: Counter() for code in told}
    for unit in given_units:
        true["staff"][ALONE] += unit.answers["staff"]
        for code in ("kind", "able"):
            true[code].update(unit.answers[code])
    people = true["staff"][ALONE]
    for code, one in told.items():
        # What is told of the whole is true, and no count of a few.
        for option, count in one.total.items():
            assert count is None or (count == true[code][option] and not small(count, FEW))
            if code == "able" and count is not None and one.rows:
                assert not small(people - count, FEW)
        for row in one.rows.values():
            assert not any(small(count, FEW) for count in row.values())
        # The rest is told as one row, of at least two divisions, and is what the whole leaves over.
        if one.others is not None:
            assert len(one.rest) >= 2
            assert not any(small(count, FEW) for count in one.others.values())
        for option, count in one.total.items():
            if one.rows:
                left = (one.others or {}).get(option, 0)
                assert count == sum(row[option] for row in one.rows.values()) + left
        # A split is told for no division whose people are not told.
        assert set(one.rows) <= set(told["staff"].rows)
        for name, size in _sizes(told, code, one.rows).items():
            if code == "able":
                assert not any(small(size - count, FEW) for count in one.rows[name].values())
    # What is withheld of a split that sums to a count that is told is no count of a few, and of two options at least.
    hidden = [option for option, count in told["kind"].total.items() if count is None]
    if hidden and told["staff"].total[ALONE] is not None:
        assert len(hidden) >= 2
        assert not small(sum(true["kind"][option] for option in hidden), FEW)


def test_a_small_town_is_told_together_with_another() -> None:
    def unit(town: str, people: int) -> Answer:
        return Answer(
            f"{town}001", {"staff": people, "kind": {"aa": people, "bb": 0, "cc": 0}, "able": {"aa": 0, "bb": 0}}
        )

    told = results(FORM, [unit("370812001", 3), unit("370812002", 9), unit("370812003", 30)], 9, FEW)
    assert told["staff"].rows == {"370812003": {ALONE: 30}}
    assert (told["staff"].rest, told["staff"].others) == (("370812001", "370812002"), {ALONE: 12})
    assert told["staff"].total == {ALONE: 42}
    alone = results(FORM, [unit("370812001", 3)], 9, FEW)
    assert {count for one in alone.values() for count in one.total.values()} == {None}
    assert all(not one.rows for one in alone.values())


# Over HTTP


async def test_the_forms_are_read_with_their_labels(registry: Registry) -> None:
    async with registry.client(COUNTY, "coordinator") as client:
        told = (await client.get("/v1/capacity-forms")).json()
        staff = next(form for form in told["items"] if form["id"] == "staff")
        occupation = next(one for one in staff["questions"] if one["code"] == "occupation")
        assert occupation["options"]["psychiatrist"] == "精神科执业医师"
        assert (await client.get("/v1/capacity-forms", params={"version": "1999"})).json()["field"] == "version"
    async with registry.client(COUNTY, "auditor") as stranger:
        assert (await stranger.get("/v1/capacity-forms")).status_code == 403


async def test_a_survey_asks_units_within_a_window_and_what_was_answered_stays(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        one, two = [await organisation(client, f"示例{name}卫生院", "primary_care") for name in "甲乙"]
        ident = await asked(client, one)
        path = f"/v1/capacity-surveys/{ident}"
        assert (await client.put(path, json=a_survey(one))).json()["revision"] == 1
        changed = (await client.put(path, json=a_survey(one, two))).json()
        assert (changed["revision"], changed["asked"], changed["version"]) == (2, 2, "2026-11")
        await answered(client, ident, one, filled(3))
        for fields, status, field in (
            ({"units": []}, 422, "body.units"),
            ({"units": [one, one]}, 422, "body.units"),
            ({"units": [one, str(uuid.uuid4())]}, 422, "units.1"),
            ({"due_on": str(TODAY - timedelta(days=1))}, 422, "due_on"),
            ({"closes_on": str(TODAY - timedelta(days=1))}, 422, "closes_on"),
            ({"forms": ["staff", "service"]}, 409, "forms"),
            ({"units": [two]}, 409, "units"),
        ):
            answer = await client.put(path, json={**a_survey(one, two), **fields})
            assert (answer.status_code, answer.json()["field"]) == (status, field), answer.text
        strange = await client.put(f"/v1/capacity-surveys/{uuid.uuid4()}", json=a_survey(one, forms=["magic"]))
        assert (strange.status_code, strange.json()["field"]) == (422, "forms")
        (listed,) = (await client.get("/v1/capacity-surveys")).json()["items"]
        assert (listed["id"], listed["asked"]) == (ident, 2)
        await closed(client, ident, one, two)
        late = await client.put(path, json=a_survey(one, two))
        assert (late.status_code, late.json()["reason"]) == (409, "closed")
    events = await registry.events("capacity_survey_asked")
    assert [(event["revision"], event["units"]) for event in events] == [(1, 1), (2, 2), (3, 2)]


async def test_who_is_late_and_who_is_missing_is_listed(registry: Registry) -> None:
    yesterday, tomorrow = str(TODAY - timedelta(days=1)), str(TODAY + timedelta(days=1))
    async with registry.client(COUNTY) as client:
        units = [await organisation(client, f"示例{name}卫生院", "primary_care") for name in "甲乙丙"]
        soon = await asked(client, *units, opens_on=tomorrow, due_on=tomorrow)
        refused = await answered(client, soon, units[0], filled(3), status=409)
        assert refused["reason"] == "not_open"
        ident = await asked(client, *units)
        await answered(client, ident, units[0], filled(3))

        async def standings() -> dict[str, str]:
            rows = (await client.get(f"/v1/capacity-surveys/{ident}/units")).json()["items"]
            assert [row["id"] for row in rows] == sorted(units)
            return {row["id"]: row["standing"] for row in rows}

        assert await standings() == dict(zip(units, ["answered", "awaited", "awaited"], strict=True))
        body = a_survey(*units, opens_on=yesterday, due_on=yesterday)
        assert (await client.put(f"/v1/capacity-surveys/{ident}", json=body)).status_code == 200
        assert (await answered(client, ident, units[1], filled(4)))["late"] is True
        # A correction after the day does not make a punctual answer late.
        assert (await answered(client, ident, units[0], filled(5)))["late"] is False
        assert await standings() == dict(zip(units, ["answered", "late", "missing"], strict=True))
        (missing,) = (await client.get(f"/v1/capacity-surveys/{ident}/units", params={"standing": "missing"})).json()[
            "items"
        ]
        assert (missing["name"], missing["label"], missing["outstanding"]) == ("示例丙卫生院", "逾期未报", ["staff"])
        first = (await client.get(f"/v1/capacity-surveys/{ident}/units", params={"limit": 2})).json()
        rest = (await client.get(f"/v1/capacity-surveys/{ident}/units", params={"after": first["next"]})).json()
        assert [row["id"] for row in (*first["items"], *rest["items"])] == sorted(units)
        told = (await client.get(f"/v1/capacity-surveys/{ident}")).json()
        assert told["counts"] == {"answered": 1, "late": 1, "awaited": 0, "missing": 1}


async def test_a_unit_answers_once_and_corrects_until_the_survey_closes(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        unit = await organisation(client, "示例甲卫生院", "primary_care")
        other = await organisation(client, "示例乙卫生院", "primary_care")
        ident = await asked(client, unit)
        assert [(await answered(client, ident, unit, filled(3)))["revision"] for _ in range(2)] == [1, 1]
        assert (await answered(client, ident, unit, filled(4)))["revision"] == 2
        path = f"/v1/capacity-surveys/{ident}/units/{unit}/forms/staff"
        assert (await client.get(path)).json()["answers"] == filled(4)
        wrong = await answered(client, ident, unit, filled(3, employment={"full_time": 1, "part_time": 1}), status=422)
        assert (wrong["field"], wrong["reason"]) == ("answers.employment", "bad_sum")
        assert (await answered(client, ident, unit, filled(3, staff="三"), status=422))["field"].startswith(
            "body.answers.staff"
        )
        await answered(client, ident, other, filled(3), status=404)
        await answered(client, ident, unit, {}, "service", status=404)
        assert (await client.get(path.replace(unit, other))).status_code == 404
        await closed(client, ident, unit)
        assert (await answered(client, ident, unit, filled(5), status=409))["reason"] == "closed"
    events = await registry.events("capacity_answered")
    assert [(event["revision"], event["form"], event["late"]) for event in events] == [
        (1, "staff", False),
        (2, "staff", False),
    ]
    assert "answers" not in json.dumps(events)


async def test_results_are_told_by_division_once_the_survey_is_closed_and_of_nobody_alone(registry: Registry) -> None:
    await villages(registry)
    async with registry.client(COUNTY) as client:
        big = await organisation(client, "示例甲卫生院", "primary_care", TOWN)
        more = await organisation(client, "示例乙卫生院", "primary_care", OTHER_TOWN)
        silent = await organisation(client, "示例丙卫生院", "primary_care", OTHER_TOWN)
        ident = await asked(client, big, more, silent)
        path = f"/v1/capacity-surveys/{ident}/results/staff"
        await answered(client, ident, big, filled(12, employment={"full_time": 10, "part_time": 2}))
        await answered(client, ident, more, filled(8, employment={"full_time": 6, "part_time": 2}))
        early = await client.get(path)
        assert (early.status_code, early.json()["reason"]) == (409, "still_open")
        await closed(client, ident, big, more, silent)
        told = (await client.get(path)).json()
        assert (told["units"], told["few"]) == ({"asked": 3, "answered": 2}, 5)
        questions = {one["code"]: one for one in told["questions"]}
        assert questions["staff"]["total"] == 20
        assert questions["staff"]["divisions"] == [
            {"division": TOWN, "counts": 12},
            {"division": OTHER_TOWN, "counts": 8},
        ]
        # Four part-time people in all: neither by town nor on the whole.
        assert questions["employment"]["divisions"] == []
        assert questions["employment"]["total"] == {"full_time": None, "part_time": None}
        assert questions["occupation"]["divisions"][0]["counts"]["psychiatrist"] == 12
        assert (await client.get(path.replace("staff", "service"))).status_code == 404
    async with registry.client(TOWN, "statistician") as narrower:
        assert (await narrower.get(path)).status_code == 404


async def test_what_units_offer_is_counted_by_unit(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        units = [await organisation(client, f"示例{name}卫生院", "primary_care") for name in "甲乙"]
        ident = await asked(client, *units, forms=["service", "institution"])
        for number, unit in enumerate(units):
            services = ["publicity", "guidance"][: number + 1]
            told = {"services": services, "other_work": [], "days_open": "six_seven", "records": True}
            told["hotline"] = bool(number)
            await answered(client, ident, unit, told, "service")
        await closed(client, ident, *units, forms=["service", "institution"])
        questions = (await client.get(f"/v1/capacity-surveys/{ident}/results/service")).json()["questions"]
        totals = {one["code"]: one["total"] for one in questions}
        assert (totals["services"]["publicity"], totals["services"]["guidance"]) == (2, 1)
        assert (totals["hotline"], totals["days_open"]["six_seven"]) == ({"yes": 1, "no": 1}, 2)


async def test_a_unit_answers_for_itself_alone_and_others_do_not_see_the_survey(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        unit, other = [await organisation(client, f"示例{name}卫生院", "primary_care") for name in "甲乙"]
        ident = await asked(client, unit, other)
    answers = {"answers": filled(3)}

    def path(of: str) -> str:
        return f"/v1/capacity-surveys/{ident}/units/{of}/forms/staff"

    async with registry.client(TOWN, "receiver") as receiver:
        # A receiver's token names the organisation; one that names none answers for nobody.
        assert (await receiver.put(path(unit), json=answers)).status_code == 404
    async with of_unit(registry, unit) as own:
        assert (await own.put(path(unit), json=answers)).status_code == 200
        assert (await own.get(path(unit))).status_code == 200
        assert (await own.put(path(other), json=answers)).status_code == 404
        assert (await own.put(f"/v1/capacity-surveys/{ident}", json=a_survey(unit))).status_code == 403
    async with registry.client("320706") as outside:
        for method, route, body in (
            ("PUT", f"/v1/capacity-surveys/{ident}", a_survey(unit)),
            ("PUT", path(unit), answers),
            ("GET", path(unit), None),
            ("GET", f"/v1/capacity-surveys/{ident}", None),
            ("GET", f"/v1/capacity-surveys/{ident}/units", None),
            ("GET", f"/v1/capacity-surveys/{ident}/results/staff", None),
        ):
            assert (await outside.request(method, route, json=body)).status_code == 404, route
        assert (await outside.get("/v1/capacity-surveys")).json()["items"] == []
    async with registry.client(COUNTY, "statistician") as reader:
        assert (await reader.put(path(unit), json=answers)).status_code == 403
        assert (await reader.get(path(unit))).status_code == 403
        assert (await reader.get(f"/v1/capacity-surveys/{ident}/units")).status_code == 200


async def test_a_unit_finds_what_it_is_asked_and_reads_no_more_of_it_than_that(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        mine, other = [await organisation(client, f"示例{name}卫生院", "primary_care") for name in "甲乙"]
        both = await asked(client, mine, other)
        await asked(client, other)
        shut = await asked(client, mine)
        await closed(client, shut, mine)
        await answered(client, both, other, filled(3))
    async with of_unit(registry, mine) as unit:
        (item,) = (await unit.get("/v1/capacity-surveys/mine")).json()["items"]
        assert (item["id"], item["unit_id"], item["standing"], item["outstanding"]) == (
            both,
            mine,
            "awaited",
            ["staff"],
        )
        head = (await unit.get(f"/v1/capacity-surveys/{both}")).json()
        assert (head["title"], head["forms"], head["due_on"]) == ("示例调查", ["staff"], str(TODAY))
        assert not {"units", "counts"} & head.keys()
        for path in (f"/v1/capacity-surveys/{both}/units", f"/v1/capacity-surveys/{both}/results/staff"):
            assert (await unit.get(path)).status_code == 404
        await answered(unit, both, mine, filled(4))
        (item,) = (await unit.get("/v1/capacity-surveys/mine")).json()["items"]
        assert (item["standing"], item["outstanding"], list(item["answered"])) == ("answered", [], ["staff"])
        assert (await unit.get(f"/v1/capacity-surveys/{uuid.uuid4()}")).status_code == 404
    async with of_unit(registry, str(uuid.uuid4())) as stranger:
        assert (await stranger.get("/v1/capacity-surveys/mine")).json()["items"] == []
        assert (await stranger.get(f"/v1/capacity-surveys/{both}")).status_code == 404
    async with registry.client(COUNTY) as office:
        assert (await office.get("/v1/capacity-surveys/mine")).status_code == 403
        assert (await office.get(f"/v1/capacity-surveys/{both}")).json()["counts"]["answered"] == 2


async def test_a_unit_that_answers_while_it_is_left_out_orphans_no_survey(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        one, two = [await organisation(client, f"示例{name}卫生院", "primary_care") for name in "甲乙"]
        ident = await asked(client, one, two)
        form = f"/v1/capacity-surveys/{ident}/units/{two}/forms/staff"
        left, told = await asyncio.gather(
            client.put(f"/v1/capacity-surveys/{ident}", json=a_survey(one)),
            client.put(form, json={"answers": filled(3)}),
        )
        assert sorted((left.status_code, told.status_code)) in ([200, 404], [200, 409])
        # Even one that was orphaned before is read.
        row = await registry.database.get("capacity_surveys", uuid.UUID(ident))
        assert row is not None

        async def orphan(tx: Tx) -> None:
            stray = {"_id": f"{ident}:{uuid.uuid4()}:staff", "survey_id": row["_id"], "organisation_id": uuid.uuid4()}
            tx.put("capacity_answers", {**stray, "form": "staff", "late": False, "first_on": str(TODAY)})

        await registry.database.transact(orphan)
        assert (await client.get(f"/v1/capacity-surveys/{ident}")).status_code == 200


async def test_an_answer_writes_the_survey_so_that_a_change_of_it_meets_the_answer(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        unit = await organisation(client, "示例甲卫生院", "primary_care")
        ident = await asked(client, unit)
        for people in (3, 4):
            await answered(client, ident, unit, filled(people))
        row = await registry.database.get("capacity_surveys", uuid.UUID(ident))
        assert row is not None
        assert (row["answered"], row["revision"]) == (1, 1)


def test_the_services_of_the_forms_are_those_of_the_gate() -> None:
    services = {one.code for one in Policies.load().qualifications.of("2026-11").services}
    asked_for = [one for form in POLICY.forms.values() for one in form.questions if one.services]
    assert {one.code for one in asked_for} == {"services", "able"}
    assert all(set(one.options) == services for one in asked_for)
