"""Capacity surveys over HTTP: the forms, who is asked, who has answered, and what it comes to."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Path, Query, Response
from pydantic import AfterValidator, ConfigDict, Field, Strict, StringConstraints

from chassis.auth import Caller, caller_with
from chassis.clock import local_day, now
from chassis.db import Database
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.tx import Document, Tx
from contracts.base import DivisionCode
from services.registry import store
from services.registry.api.places_forms import Day, Form, Words
from services.registry.api.requests import READERS, After, DivisionQuery, Limit, paged, reach, seen
from services.registry.commands import capacity as commands
from services.registry.domain.capacity import STANDINGS, Standing, standing
from services.registry.domain.capacity_policy import CapacityPolicy, SurveyForm
from services.registry.domain.capacity_results import ALONE, Answer, Told, results
from services.registry.domain.divisions import LENGTHS
from services.registry.keys import Keys
from services.registry.store import capacity as kept

Reader = Annotated[Caller, Depends(caller_with(*READERS))]
Registrar = Annotated[Caller, Depends(caller_with("registrar"))]
Answering = Annotated[Caller, Depends(caller_with("registrar", "coordinator", "receiver"))]
Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,62}$")]
FormPath = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{1,62}$")]
Number = Annotated[int, Strict(), Field(ge=0)]
Value = Annotated[bool, Strict()] | Number | Code | list[Code] | dict[Code, Number]
MOST_UNITS = 500


def _each_once(values: list[Any]) -> list[Any]:
    if len(set(values)) != len(values):
        raise ValueError("the same is named twice")
    return values


class SurveyIn(Form):
    """Which units of a division are asked for which forms; days are those of Asia/Shanghai and included."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "division": "370812",
                    "title": "示例区心理健康服务能力调查",
                    "forms": ["staff"],
                    "units": ["01970d3b-0000-7000-8000-00000000e001"],
                    "opens_on": "2026-03-02",
                    "due_on": "2026-03-20",
                    "closes_on": "2026-03-31",
                }
            ]
        },
    )

    division: DivisionCode
    title: Words
    forms: Annotated[list[Code], Field(min_length=1, max_length=16), AfterValidator(_each_once)]
    units: Annotated[list[uuid.UUID], Field(min_length=1, max_length=MOST_UNITS), AfterValidator(_each_once)]
    opens_on: Day
    due_on: Day
    closes_on: Day


class AnswersIn(Form):
    """Answers by the question's code: a number of people, people by option, one option, several, or yes and no."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"answers": {"staff": 6, "employment": {"full_time": 4, "part_time": 2}}}],
        },
    )

    answers: Annotated[dict[Code, Value], Field(max_length=60)]


def routes(app: FastAPI, database: Database, keys: Keys) -> None:
    @app.get("/v1/capacity-forms")
    async def list_forms(
        caller: Reader, version: Annotated[str | None, Query(max_length=64, description="In force if absent.")] = None
    ) -> Document:
        """The forms of a version, every question and option with the words that people read."""
        policy = _version(keys, version)
        return {"version": policy.version, "items": [_form(code, form) for code, form in policy.forms.items()]}

    async def survey_in(tx: Tx, ident: uuid.UUID, caller: Caller) -> Document:
        found = await kept.survey(tx, ident)
        if found is None or not caller.sees(found["division"]):
            raise NotFound("there is no such survey")
        return found

    @app.put("/v1/capacity-surveys/{ident}")
    async def ask(ident: uuid.UUID, body: SurveyIn, caller: Registrar, response: Response) -> Document:
        """Ask units for forms; until it closes, units may be added and days put off; the same again changes nothing."""
        seen(caller, body.division)

        async def write(tx: Tx) -> tuple[Document, bool]:
            before = await kept.survey(tx, ident)
            if before is not None and not caller.sees(before["division"]):
                raise NotFound("there is no such survey")
            policy = keys.policies.capacity.at(tx.now)
            return await commands.ask(tx, ident, body.model_dump(), before, policy, caller.subject)

        document, new = await database.transact(write)
        response.status_code = 201 if new else 200
        return _shown(document)

    @app.get("/v1/capacity-surveys")
    async def list_surveys(
        caller: Reader, division: DivisionQuery = None, after: After = None, limit: Limit = 50
    ) -> Document:
        """The surveys of a division, in the order of their ids."""
        rows = await store.page(database, "capacity_surveys", store.within(reach(caller, division)), after, limit)
        return paged([_shown(row) for row in rows], limit)

    @app.get("/v1/capacity-surveys/mine")
    async def own_surveys(caller: Answering, after: After = None, limit: Limit = 50) -> Document:
        """What the unit that the token names is asked and is not closed yet, and what it has still to answer."""
        unit = _unit_of(caller)
        if unit is None:
            raise NotAllowed("令牌没有写明所属单位", status=403, reason="no_unit")
        today = local_day(now())
        rows = await kept.surveys_asking(database, unit, today.isoformat(), after, limit)
        told: dict[uuid.UUID, dict[str, Document]] = {row["_id"]: {} for row in rows}
        for answered in await kept.answers_of(database, list(told), unit):
            told[answered["survey_id"]][answered["form"]] = answered
        return paged([{**_shown(row), **_stands(row, unit, told[row["_id"]], today)} for row in rows], limit)

    @app.get("/v1/capacity-surveys/{ident}")
    async def read_survey(ident: uuid.UUID, caller: Reader) -> Document:
        """A survey, and how many units stand where; a unit of elsewhere that is asked reads what is asked alone."""
        found = await database.get("capacity_surveys", ident)
        asked = found is not None and _unit_of(caller) in found["units"]
        if found is None or not (asked or caller.sees(found["division"])):
            raise NotFound("there is no such survey")
        if not caller.sees(found["division"]):
            return _shown(found)
        counts = dict.fromkeys((one.value for one in Standing), 0)
        for one in await standings(found):
            counts[one["standing"]] += 1
        return {**_shown(found), "units": found["units"], "counts": counts}

    @app.get("/v1/capacity-surveys/{ident}/units")
    async def list_units(
        ident: uuid.UUID,
        caller: Reader,
        wanted: Annotated[Standing | None, Query(alias="standing")] = None,
        after: After = None,
        limit: Limit = 50,
    ) -> Document:
        """The units that were asked, in the order of their ids: who answered, who was late, who is missing."""
        found = await database.look(lambda tx: survey_in(tx, ident, caller))
        rows = [
            one
            for one in await standings(found)
            if (wanted is None or one["standing"] == wanted) and (after is None or one["id"] > after)
        ][:limit]
        known = await kept.organisations(database, [one["id"] for one in rows])
        items = [{**one, **{name: known[one["id"]][name] for name in ("name", "division")}} for one in rows]
        return paged(items, limit)

    async def standings(survey: Document) -> list[Document]:
        late: dict[uuid.UUID, dict[str, Document]] = {unit: {} for unit in survey["units"]}
        for row in await kept.answers(database, survey["_id"]):
            if row["organisation_id"] in late:
                late[row["organisation_id"]][row["form"]] = row
        today = local_day(now())
        return [{"id": unit, **_stands(survey, unit, late[unit], today)} for unit in sorted(late)]

    @app.put("/v1/capacity-surveys/{ident}/units/{organisation_id}/forms/{form}")
    async def answer(
        ident: uuid.UUID, organisation_id: uuid.UUID, form: FormPath, body: AnswersIn, caller: Answering
    ) -> Document:
        """A unit's answers, by a registrar, a coordinator or its own receiver; the same again changes nothing."""

        async def write(tx: Tx) -> Document:
            found = await _asked(tx, ident, organisation_id, caller)
            policy = _version(keys, found["version"])
            return await commands.answer(tx, found, organisation_id, form, body.answers, policy, caller)

        return _answered(await database.transact(write))

    @app.get("/v1/capacity-surveys/{ident}/units/{organisation_id}/forms/{form}")
    async def read_answer(ident: uuid.UUID, organisation_id: uuid.UUID, form: FormPath, caller: Answering) -> Document:
        """What a unit answered, for those who may answer for it."""

        async def read(tx: Tx) -> Document:
            found = await _asked(tx, ident, organisation_id, caller)
            row = await kept.answer(tx, found["_id"], organisation_id, form)
            if row is None:
                raise NotFound("nothing has been answered")
            return row

        return _answered(await database.transact(read))

    @app.get("/v1/capacity-surveys/{ident}/results/{form}")
    async def read_results(ident: uuid.UUID, form: FormPath, caller: Reader) -> Document:
        """What a form comes to, whole and by the next finer division; 409 until the survey is closed.

        Counts of a few people are withheld (null), and what would give them away; see `domain.capacity_results`.
        """
        found = await database.look(lambda tx: survey_in(tx, ident, caller))
        if form not in found["forms"]:
            raise NotFound("the survey does not ask this form")
        if not commands.window_of(found).closed(local_day(now())):
            raise NotAllowed("调查关闭后才公布结果", reason="still_open")
        policy = _version(keys, found["version"])
        asked = set(found["units"])
        rows = [
            row
            for row in await kept.answers(database, ident)
            if row["form"] == form and row["organisation_id"] in asked
        ]
        width = next((length for length in LENGTHS if length > len(found["division"])), LENGTHS[-1])
        told = results(policy.forms[form], [Answer(row["division"], row["answers"]) for row in rows], width, policy.few)
        return {
            "survey_id": ident,
            "division": found["division"],
            "form": form,
            "title": policy.forms[form].title,
            "version": policy.version,
            "few": policy.few,
            "units": {"asked": len(found["units"]), "answered": len(rows)},
            "questions": [_result(policy.forms[form], code, one) for code, one in told.items()],
        }


def _unit_of(caller: Caller) -> uuid.UUID | None:
    """The unit that a token names, if it names one of the register."""
    try:
        return uuid.UUID(caller.organisation) if caller.organisation else None
    except ValueError:
        return None


def _stands(survey: Document, unit: uuid.UUID, rows: Mapping[str, Document], today: date) -> Document:
    """Where a unit stands on a day with what it answered, by form."""
    late = {form: row["late"] for form, row in rows.items()}
    state = standing(survey["forms"], late, commands.window_of(survey), today)
    return {
        "unit_id": unit,
        "standing": state.value,
        "label": STANDINGS[state],
        "answered": {form: {"on": row["first_on"], "late": row["late"]} for form, row in rows.items()},
        "outstanding": [form for form in survey["forms"] if form not in rows],
    }


async def _asked(tx: Tx, ident: uuid.UUID, organisation: uuid.UUID, caller: Caller) -> Document:
    """The survey, if the caller may answer for the unit: one who belongs to a unit answers for that unit alone."""
    found = await kept.survey(tx, ident)
    unit = await store.organisation(tx, organisation)
    office = bool(caller.roles & {"registrar", "coordinator"})
    own = caller.organisation == str(organisation) if caller.organisation is not None or not office else True
    if found is None or unit is None or not own or not caller.sees(unit["division"]):
        raise NotFound("there is no such survey")
    return found


def _version(keys: Keys, version: str | None) -> CapacityPolicy:
    known = keys.policies.capacity
    if version is None:
        return known.at(now())
    try:
        return known.of(version)
    except KeyError as error:
        raise Refused("unknown_version", "没有这个版本的表单", "version") from error


def _form(code: str, form: SurveyForm) -> Document:
    return {"id": code, **form.model_dump(exclude_none=True)}


def _shown(row: Document) -> Document:
    told = {name: value for name, value in row.items() if name not in ("_id", "units", "answered")}
    return {"id": row["_id"], **told, "asked": len(row["units"])}


def _answered(row: Document) -> Document:
    return {name: value for name, value in row.items() if name != "_id"}


def _result(form: SurveyForm, code: str, told: Told) -> Document:
    question = next(one for one in form.questions if one.code == code)

    def plain(counts: Any) -> Any:
        return counts[ALONE] if counts is not None and ALONE in counts else counts

    return {
        "code": code,
        "label": question.label,
        "kind": question.kind,
        "options": question.options,
        "total": plain(told.total),
        "divisions": [{"division": name, "counts": plain(row)} for name, row in told.rows.items()],
        "others": {"divisions": told.rest, "counts": plain(told.others)} if told.others is not None else None,
    }
