"""The instruments that there are, and self-tests."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query
from pydantic import ConfigDict, Field

from chassis.auth import ROLES, Caller, caller_with
from chassis.errors import Duplicate, NotFound, Refused
from chassis.tx import Document, Tx
from contracts.base import Answer, FineDivision, Name
from contracts.hotline import AgeBand, SealedContact, Sex
from services.crisis import store
from services.crisis.api.assessments import Answers, Version
from services.crisis.api.desk import Body, Desk, HotlineSystem
from services.crisis.commands.assessments import Taken
from services.crisis.commands.self_test import SelfTest, take_self_test
from services.crisis.domain.instruments import Catalogue, Definition, Item, Kind

Anyone = Annotated[Caller, Depends(caller_with(*ROLES))]
Counter = Annotated[Caller, Depends(caller_with("supervisor", "district_centre", "statistician"))]
LOCAL = ZoneInfo("Asia/Shanghai")
LONGEST = timedelta(days=366)
FIRST, LAST = date(2000, 1, 1), date(2099, 12, 31)


class PostSelfTest(Body):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "id": "01970d3a-6b00-7000-8000-00000000a001",
                    "instrument": "gad-7",
                    "answers": {"q1": 1, "q2": 1, "q3": 0, "q4": 2, "q5": 0, "q6": 1, "q7": 0},
                    "division": "370812001",
                    "age_band": "from_25_to_44",
                }
            ]
        },
    )

    id: UUID
    instrument: Name
    variant: Name | None = None
    version: Version | None = None
    answers: Answers
    division: FineDivision
    age_band: AgeBand = AgeBand.unknown
    sex: Sex = Sex.unknown
    consent_to_follow_up: Answer = Answer.not_asked
    sealed_contact: SealedContact | None = Field(
        None, description="As in `hotline.risk_flagged`; only where the person wants to be contacted."
    )


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""

    @router.get("/instruments", tags=["instruments"])
    async def list_instruments(caller: Anyone) -> dict[str, Any]:
        """Every instrument, variant and version that is known, with its source, its bands and their cut-offs."""
        return {"instruments": [summary(one, desk.office.instruments) for one in desk.office.instruments.all()]}

    @router.get("/instruments/{instrument}", tags=["instruments"])
    async def get_instrument(
        instrument: str,
        caller: Anyone,
        variant: Annotated[str | None, Query(max_length=64)] = None,
        version: Annotated[str | None, Query(max_length=32)] = None,
    ) -> dict[str, Any]:
        """One instrument with its items, what each takes for an answer, and its wording where the operator has it."""
        try:
            definition = desk.office.instruments.get(instrument, variant, version)
        except KeyError as error:
            raise NotFound("there is no such instrument, variant and version") from error
        return whole(definition, desk.office.instruments)

    @router.post("/self-tests", tags=["self-tests"])
    async def post_self_test(body: PostSelfTest, caller: HotlineSystem) -> dict[str, Any]:
        """Score a self-test and say what the person reads. The same id and body again gives the same answer.

        Nothing about the person is kept. A positive or unsafe result raises a flag; `flag_id` is its id. 404: the
        division is not the caller's; 409: the id was used with another body.
        """
        said = Taken(body.instrument, body.variant, body.version, body.answers)
        test = SelfTest(
            body.id, said, body.division, body.age_band, body.sex, body.consent_to_follow_up, body.sealed_contact
        )

        async def command(tx: Tx) -> Document:
            return await take_self_test(test, caller, tx, desk.office)

        try:
            return await desk.do(command)
        except Duplicate:  # the same id came twice at once: now the first is there to be compared with
            return await desk.do(command)

    @router.get("/self-tests/counts", tags=["self-tests"])
    async def count_self_tests(
        caller: Counter, since: Annotated[date, Query()], until: Annotated[date, Query()]
    ) -> dict[str, Any]:
        """How many self-tests were taken in the caller's division from `since` to `until`, both included, and what
        they came to; at most a year.
        """
        if not FIRST <= since <= until <= LAST:
            raise Refused("time_out_of_bounds", "until is not before since, and both are of this century", "until")
        begin = datetime.combine(since, time(), LOCAL)
        end = datetime.combine(until + timedelta(days=1), time(), LOCAL)
        if end > begin + LONGEST:
            raise Refused("time_out_of_bounds", "until lies within a year from since", "until")
        rows = await store.assessments.self_tests_counted(desk.database, caller.division, begin, end)
        return {"counts": [{**row["_id"], **{k: v for k, v in row.items() if k != "_id"}} for row in rows]}


def summary(definition: Definition, instruments: Catalogue) -> dict[str, Any]:
    """What a list shows of an instrument."""
    return {
        "instrument": definition.instrument,
        "variant": definition.variant,
        "version": definition.version,
        "default": instruments.is_default(definition),
        "language": definition.language,
        "title": definition.title,
        "note": definition.note,
        "about": definition.about,
        "self_rated": definition.self_rated,
        "source": definition.source,
        "bands_source": definition.bands_source,
        "bands": [band.model_dump(by_alias=True) for band in definition.bands],
        "manuals": [manual.model_dump() for manual in definition.manuals],
        "texts": _texts(definition, instruments),
    }


def whole(definition: Definition, instruments: Catalogue) -> dict[str, Any]:
    """The same with the items in the order of the form."""
    texts = instruments.texts(definition)
    return summary(definition, instruments) | {
        "method": definition.method,
        "introduction": texts.introduction if texts else None,
        "unanswered": {"unknown": "不知道", "refused": "拒绝回答", "not_asked": "未问"},
        "items": [
            form_item(item, place, texts.items.get(item.id) if texts else None)
            for place, item in enumerate(definition.by_id.values(), 1)
        ],
        "reversed": list(definition.reverse),
        "reverse_source": definition.reverse_source,
        "factors": [factor.model_dump() for factor in definition.factors],
        "components": [component.model_dump() for component in definition.components],
        "rules": [rule.model_dump(by_alias=True, exclude_defaults=True) for rule in definition.rules],
    }


def form_item(item: Item, place: int, text: str | None) -> dict[str, Any]:
    """One item as a form shows it; `text` is absent where the operator has no licensed wording."""
    options = [option.model_dump() for option in item.of.options]
    if item.of.kind is Kind.yes_no:
        options = [{"value": "yes", "label": "是"}, {"value": "no", "label": "否"}]
    skipped = item.of.skipped_if
    return {
        "id": item.id,
        "place": place,
        "text": text,
        "kind": item.of.kind.value,
        "options": options,
        "least": item.least if item.of.kind is Kind.number else None,
        "most": item.most if item.of.kind is Kind.number else None,
        "scored": item.of.scored,
        "optional": item.of.optional,
        "window": item.of.window,
        "skipped_if": {"item": skipped.item, "is": list(skipped.is_)} if skipped else None,
    }


def _texts(definition: Definition, instruments: Catalogue) -> dict[str, Any]:
    texts = instruments.texts(definition)
    if texts is None:
        place = f"instrument_texts/{definition.instrument}.toml"
        detail = f"没有题目文本：{definition.texts_licence}。文本放在策略目录的 {place}。"
        return {"available": False, "detail": detail}
    missing = [ident for ident in definition.by_id if ident not in texts.items]
    return {"available": True, "licence": texts.licence, "language": texts.language, "missing": missing}
