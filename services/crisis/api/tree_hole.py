"""Tree-holes: the next post for a human to read, the answer, and how well the list of terms does in the field."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import ConfigDict, Field

from chassis.auth import Caller, caller_with
from contracts.base import Answer
from services.crisis import commands, store
from services.crisis.api.desk import Body, Desk, Limit, Officer, Reason, view
from services.crisis.commands import tree_hole
from services.crisis.commands.tree_hole import Judgement
from services.crisis.domain.tree_hole import Level, PostState

Reader = Annotated[Caller, Depends(caller_with(*commands.OFFICERS, "school_counsellor"))]


class Said(Body):
    """What was asked of the author and answered; what was not asked stays so."""

    act_in_progress: Answer = Answer.not_asked
    plan_within_72_hours: Answer = Answer.not_asked
    attempt_within_2_weeks: Answer = Answer.not_asked
    danger_to_others: Answer = Answer.not_asked
    suspected_harm_to_minor: Answer = Answer.not_asked


class Judge(Body):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"judgement": "risk", "reason": "留言提到已写遗书", "said": {"plan_within_72_hours": "unknown"}}
            ]
        },
    )

    judgement: Judgement
    reason: Reason
    said: Said = Field(default_factory=Said)


def add(router: APIRouter, desk: Desk) -> None:
    """The routes of this part."""

    @router.post("/posts/next", tags=["tree-hole"])
    async def read_next(caller: Reader) -> dict[str, Any]:
        """The most urgent post, then the longest waiting, with its text and the plan; null where none waits."""
        post = await desk.database.transact(lambda tx: tree_hole.read_next(caller, tx, desk.office))
        return {"post": view(post) if post else None}

    @router.post("/posts/{post_id}/answer", tags=["tree-hole"])
    async def answer(post_id: UUID, body: Judge, caller: Reader) -> dict[str, Any]:
        """The human's answer, which is kept; a risk becomes a case, and who is unsure asks a second reader."""
        said = {name: value for name, value in body.said if value is not Answer.not_asked}
        return await desk.do(
            lambda tx: tree_hole.answer_post(post_id, body.judgement, said, body.reason, caller, tx, desk.office)
        )

    @router.get("/posts", tags=["tree-hole"])
    async def list_posts(caller: Officer, state: PostState | None = None, limit: Limit = 50) -> dict[str, Any]:
        """Posts of the caller's division without their texts, those due first."""
        found = await store.tree_hole.posts(desk.database, caller.division, state, limit)
        return {"posts": [view(post) for post in found]}

    @router.get("/tree-hole/figures", tags=["tree-hole"])
    async def figures(caller: Officer) -> dict[str, Any]:
        """How the list does here: of what it found, how much was a risk; of the sample without terms, how much was."""
        rows = await store.tree_hole.answers(desk.database, caller.division)
        return {"versions": [_figures(version, rows) for version in sorted({row["_id"]["policy"] for row in rows})]}


def _figures(version: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    counts: dict[tuple[str | None, str | None], int] = {
        (row["_id"].get("level"), row["_id"].get("answer")): row["posts"]
        for row in rows
        if row["_id"]["policy"] == version
    }
    listed = (Level.urgent.value, Level.look.value)
    risk_found = sum(counts.get((one, Judgement.risk.value), 0) for one in listed)
    answered = risk_found + sum(counts.get((one, Judgement.no_risk.value), 0) for one in listed)
    sample_risk = counts.get((Level.sample.value, Judgement.risk.value), 0)
    sample = sample_risk + counts.get((Level.sample.value, Judgement.no_risk.value), 0)
    return {
        "policy": version,
        "posts": sum(counts.values()),
        "found_and_answered": answered,
        "found_and_risk": risk_found,
        "sample_answered": sample,
        "sample_and_risk": sample_risk,
        "precision": risk_found / answered if answered else None,
        "missed_share_of_sample": sample_risk / sample if sample else None,
    }
