"""Screenings: one by one or many in one upload, their pages, and the way back to the person."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from prometheus_client import Counter
from pydantic import ConfigDict, Field, ValidationError

from chassis.auth import Caller, caller_with
from chassis.clock import now
from chassis.errors import NotAllowed, Refused
from services.crisis.api.campaigns import FieldWorker
from services.crisis.api.desk import Body, Desk, WithReason, view
from services.crisis.commands.campaigns import FIELD_WORKERS, PLANNERS
from services.crisis.commands.screenings import REFUSED, Outcome, take_screenings
from services.crisis.commands.screenings_reading import answer_offer, read_contact, seen_screening
from services.crisis.domain.screening import Screening, label

ROWS = Counter("xinqiao_screening_rows", "Screenings sent, by what became of them", ["outcome"])

Follower = Annotated[Caller, Depends(caller_with(*PLANNERS, "duty_officer", "community_worker", "school_counsellor"))]
Anyone = Annotated[Caller, Depends(caller_with(*PLANNERS, "duty_officer", *FIELD_WORKERS))]


class Upload(Body):
    """Rows: each a screening with its `id`. A row that is wrong is answered as refused, and harms no other."""

    rows: list[Any] = Field(min_length=1)

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "rows": [
                        {
                            "id": "01970d3b-0000-7000-8000-0000000ca302",
                            "questionnaire": "elderly@2026-1",
                            "site": "care-point-1",
                            "consent": {"answer": "refused", "at": "2026-11-22T01:00:00Z"},
                            "taken_at": "2026-11-22T01:00:00Z",
                        }
                    ]
                }
            ]
        },
    )


class PeerLeader(Body):
    accepts: bool

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"accepts": True}]})


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""

    @router.put("/campaigns/{campaign_id}/screenings/{screening_id}", tags=["campaigns"])
    async def put_screening(
        campaign_id: UUID, screening_id: UUID, body: Screening, caller: FieldWorker
    ) -> dict[str, Any]:
        """Take one screening. The same again is `already_taken`; another content under the id is a 409; who is not
        eligible is `refused`, and counted as such; any other fault is a 422 with the field.
        """
        outcomes = await desk.database.transact(
            lambda tx: take_screenings(campaign_id, [(screening_id, body)], caller, tx, desk.office)
        )
        (outcome,) = outcomes
        ROWS.labels(outcome.word).inc()
        if outcome.reason == "id_reused":
            raise NotAllowed(outcome.detail or "", reason=outcome.reason, field="id")
        if outcome.word == REFUSED and (outcome.document is None or outcome.document["state"] != "ineligible"):
            raise Refused(outcome.reason or "", outcome.detail or "", f"body.{outcome.field}")
        return _answer(screening_id, outcome)

    @router.post("/campaigns/{campaign_id}/screenings/import", tags=["campaigns"])
    async def import_screenings(campaign_id: UUID, body: Upload, caller: FieldWorker) -> dict[str, Any]:
        """Take many. Every row is answered, in order: `taken`, `already_taken`, or `refused` with reason and field.

        Sent again, whole or in parts, nothing is counted twice. 422 where there are more rows than the policy allows.
        """
        entry = desk.office.campaigns.at(now()).entry
        if len(body.rows) > entry.most_rows:
            raise Refused("too_many", f"at most {entry.most_rows} rows in one upload", "body.rows")
        answers: list[dict[str, Any]] = []
        for start in range(0, len(body.rows), entry.rows_together):
            part = body.rows[start : start + entry.rows_together]
            answers += await _take_part(campaign_id, start, part, caller)
        count = {
            word: sum(1 for one in answers if one["outcome"] == word) for word in ("taken", "already_taken", REFUSED)
        }
        for word, amount in count.items():
            ROWS.labels(word).inc(amount)
        return {**count, "rows": answers}

    async def _take_part(campaign_id: UUID, start: int, part: list[Any], caller: Caller) -> list[dict[str, Any]]:
        """One transaction."""
        answers: dict[int, dict[str, Any]] = {}
        readable: list[tuple[int, UUID, Screening]] = []
        for number, raw in enumerate(part, start):
            try:
                readable.append((number, *_row(raw)))
            except Refused as error:
                answers[number] = {
                    "row": number,
                    "id": _ident(raw),
                    "outcome": REFUSED,
                    "reason": error.reason,
                    "detail": label(error.detail),
                    "field": label(error.field or ""),
                }
        outcomes = await desk.database.transact(
            lambda tx: take_screenings(
                campaign_id, [(ident, row) for _, ident, row in readable], caller, tx, desk.office
            )
        )
        for (number, ident, _), outcome in zip(readable, outcomes, strict=True):
            answers[number] = {"row": number, **_answer(ident, outcome)}
        return [answers[number] for number in sorted(answers)]

    @router.get("/campaigns/{campaign_id}/screenings/{screening_id}", tags=["campaigns"])
    async def get_screening(campaign_id: UUID, screening_id: UUID, caller: Anyone) -> dict[str, Any]:
        """One screening with its results and the person's needs; the person is not named."""
        screening = await desk.database.transact(lambda tx: seen_screening(campaign_id, screening_id, caller, tx))
        return shown(screening)

    @router.post("/campaigns/{campaign_id}/screenings/{screening_id}/peer-leader", tags=["campaigns"])
    async def post_peer_leader(
        campaign_id: UUID, screening_id: UUID, body: PeerLeader, caller: FieldWorker
    ) -> dict[str, Any]:
        """What a person who is well said to the offer to become a peer leader; 409 where nothing was offered."""
        return shown(
            await desk.database.transact(lambda tx: answer_offer(campaign_id, screening_id, body.accepts, caller, tx))
        )

    @router.post("/campaigns/{campaign_id}/screenings/{screening_id}/contact", tags=["campaigns"])
    async def post_contact(campaign_id: UUID, screening_id: UUID, body: WithReason, caller: Follower) -> dict[str, Any]:
        """Who it is, for whoever gets in touch; the reading is logged."""
        return await desk.database.transact(
            lambda tx: read_contact(campaign_id, screening_id, body.reason, caller, tx, desk.office)
        )


def _row(raw: Any) -> tuple[UUID, Screening]:
    """A row of an upload; raises `Refused` with the field."""
    if not isinstance(raw, dict):
        raise Refused("invalid", "a row is an object", "")
    ident = _ident(raw)
    if ident is None:
        raise Refused("invalid", "a row has an id of its own, a UUID", "id")
    try:
        return ident, Screening.model_validate({name: value for name, value in raw.items() if name != "id"})
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False)[0]
        raise Refused("invalid", str(first["msg"]), ".".join(str(step) for step in first["loc"])) from error


def _ident(raw: Any) -> UUID | None:
    try:
        return UUID(raw["id"]) if isinstance(raw, dict) and isinstance(raw.get("id"), str) else None
    except ValueError:
        return None


def _answer(ident: UUID, outcome: Outcome) -> dict[str, Any]:
    """What became of a row; for one that was taken, what to tell the person."""
    answer: dict[str, Any] = {"id": ident, "outcome": outcome.word}
    if outcome.word == REFUSED:
        answer |= {"reason": outcome.reason, "detail": outcome.detail, "field": outcome.field}
    document = outcome.document
    if document is not None:
        answer |= {"flagged": document["flag_id"] is not None}
        if outcome.word != REFUSED:
            answer |= {name: document[name] for name in ("tier", "route", "double")}
            answer |= {"guidance": outcome.guidance, "peer_leader": document["peer_leader"]["state"]}
    return answer


HIDDEN = ("digest", "person", "people")


def shown(screening: dict[str, Any]) -> dict[str, Any]:
    """A screening as it is answered: no pseudonym."""
    return {name: value for name, value in view(screening).items() if name not in HIDDEN}
