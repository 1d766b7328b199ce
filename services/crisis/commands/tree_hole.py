"""Posts of tree-holes: taken in, read by a human, and answered. Only the answer makes a flag."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from chassis import observe
from chassis.auth import Caller
from chassis.errors import NotAllowed, NotFound, Refused
from chassis.sealing import Unreadable
from chassis.tx import Document, Tx
from contracts.base import Channel
from contracts.crisis import PostOverdue
from contracts.hotline import PostPublished, Way
from services.crisis import store
from services.crisis.domain.tree_hole import RANKS, Level, PostState, allows, level
from services.crisis.intake import raise_flag
from services.crisis.office import Office

TIMER = "post"


class Judgement(StrEnum):
    """What a human says about a post; who is unsure asks a second reader."""

    risk = "risk"
    no_risk = "no_risk"
    unsure = "unsure"


async def keep_post(post: PostPublished, tx: Tx, office: Office) -> None:
    """A post comes in: sealed under its author's key, and before a human where the list or the sample says so.

    A text that cannot be opened is not a text without risk: a human asks the site.
    """
    policy = office.tree_hole.at(tx.now)
    person = post.author or str(post.id)
    try:
        text = office.envelope.open_text(post.sealed_post)
        sealed: bytes | None = await office.keys.seal(tx, person, {"text": text, **_contact(post, office)})
        urgency, terms = level(post.id, text, policy)
    except (Unreadable, ValueError):
        sealed, urgency, terms = None, Level.look, ("unreadable",)
    minutes = policy.reading.urgent_minutes if urgency is Level.urgent else policy.reading.look_minutes
    due_at = tx.now + timedelta(minutes=minutes) if urgency else tx.now + timedelta(days=policy.reading.keep_days)
    tx.insert(
        "posts",
        {
            "_id": post.id,
            "hotline": post.hotline,
            "post": post.post,
            "division": post.place,
            "posted_at": post.posted_at,
            "author": post.author,
            "person": person,
            "age_band": post.age_band.value,
            "sex": post.sex.value,
            "state": (PostState.waiting if urgency else PostState.kept).value,
            "level": urgency.value if urgency else None,
            "rank": RANKS[urgency] if urgency else -1,
            "terms": list(terms),
            "policy": policy.version,
            "sealed": sealed,
            "due_at": due_at,
            "called": None,
            "reader": None,
            "readers": [],
            "answer": None,
            "flag_id": None,
        },
    )
    tx.set_timer(TIMER, post.id, due_at)


async def read_next(caller: Caller, tx: Tx, office: Office) -> Document | None:
    """The most urgent post, then the longest waiting, in plain for the one who asks; the reading is logged."""
    post = await store.tree_hole.next_post(tx, caller.division, caller.subject)
    if post is None:
        return None
    policy = office.tree_hole.at(tx.now)
    _move(post, PostState.with_reader)
    post["reader"] = caller.subject
    post["readers"] = [*post["readers"], caller.subject]
    post["due_at"] = tx.now + timedelta(minutes=policy.reading.holding_minutes)
    tx.set_timer(TIMER, post["_id"], post["due_at"])
    tx.put("posts", post)
    return {**await _opened(post, caller, tx, office), "plan": list(policy.plan.steps)}


async def answer_post(
    post_id: UUID, judgement: Judgement, said: dict[str, Any], reason: str, caller: Caller, tx: Tx, office: Office
) -> Document:
    """What the reader says of the post. `risk` raises a flag in the same commit; `unsure` asks another reader.

    `said` holds answers to a flag's questions, by field, as far as they were asked.
    """
    post = await tx.get("posts", post_id)
    if post is None or not caller.sees(post["division"]):
        raise NotFound("there is no such post")
    if PostState(post["state"]) is not PostState.with_reader:
        raise NotAllowed(f"a post that is {post['state']} is not answered")
    if post["reader"] != caller.subject:
        raise NotAllowed("another person reads this post", status=403)
    if said and judgement is not Judgement.risk:
        raise Refused("answers_without_risk", "questions are answered where a risk is seen", "said")
    policy = office.tree_hole.at(tx.now)
    tx.record(
        actor=caller.subject,
        action="post_judged",
        subject=str(post_id),
        division=post["division"],
        reason=reason,
        judgement=judgement.value,
        policy=post["policy"],
    )
    post["reader"] = None
    if judgement is Judgement.unsure:
        _move(post, PostState.waiting)
        post["due_at"] = tx.now + timedelta(minutes=policy.reading.urgent_minutes)
        post["rank"], post["called"] = RANKS[Level.urgent], "supervisor"
    else:
        _move(post, PostState.answered)
        post["answer"] = {"answer": judgement.value, "by": caller.subject, "at": tx.now}
        post["due_at"] = tx.now + timedelta(days=policy.reading.keep_days)
    if judgement is Judgement.risk:
        contact = {name: value for name, value in (await _plain(post, tx, office)).items() if name != "text"}
        flag = raise_flag(
            tx,
            source=post["hotline"],
            way=Way.tree_hole_post,
            channel=Channel.tree_hole,
            division=post["division"],
            contact=post_id,
            caller=post["author"],
            age_band=post["age_band"],
            sex=post["sex"],
            sealed_contact=office.envelope.seal(contact) if contact else None,
            **said,
        )
        post["flag_id"] = flag.id
    tx.set_timer(TIMER, post_id, post["due_at"])
    tx.put("posts", post)
    return post


async def post_due(post_id: UUID, tx: Tx, office: Office) -> None:
    """Nobody has read it in time, or its reader said nothing: a supervisor is called. A text kept long enough goes."""
    post = await tx.get("posts", post_id)
    if post is None or post["state"] == PostState.forgotten:
        return
    if post["due_at"] > tx.now:
        tx.set_timer(TIMER, post_id, post["due_at"])
        return
    state = PostState(post["state"])
    if state in (PostState.kept, PostState.answered):
        _move(post, PostState.forgotten)
        post["sealed"] = None
        if post["author"] is None:
            await office.keys.erase(tx, post["person"])
        tx.put("posts", post)
        return
    policy = office.tree_hole.at(tx.now)
    if state is PostState.with_reader:
        _move(post, PostState.waiting)
        # Who held it without an answer may be asked again: nobody else may be there at night.
        post.update(reader=None, readers=[reader for reader in post["readers"] if reader != post["reader"]])
    post["called"] = "supervisor"
    post["due_at"] = tx.now + timedelta(minutes=policy.reading.urgent_minutes)
    tx.set_timer(TIMER, post_id, post["due_at"])
    tx.put("posts", post)
    tx.emit(
        PostOverdue(
            **tx.stamp(post["division"]),
            post_id=post_id,
            division=post["division"],
            urgent=post["rank"] == RANKS[Level.urgent],
            called="supervisor",
        )
    )


async def _opened(post: Document, caller: Caller, tx: Tx, office: Office) -> Document:
    tx.record(
        actor=caller.subject, action="post_read", subject=str(post["_id"]), division=post["division"], reason="reading"
    )
    observe.PERSONAL_READS.labels("post").inc()
    return {**post, "text": (await _plain(post, tx, office)).get("text")}


async def _plain(post: Document, tx: Tx, office: Office) -> dict[str, str]:
    """What was sealed of a post; nothing where it could never be read, or its author was erased."""
    if post["sealed"] is None:
        return {}
    try:
        return await office.keys.open(tx, post["person"], post["sealed"])
    except Unreadable:
        return {}


def _contact(post: PostPublished, office: Office) -> dict[str, str]:
    """What it takes to reach the author; one that cannot be opened must not stop the post."""
    try:
        return office.envelope.open(post.sealed_contact) if post.sealed_contact else {}
    except Unreadable:
        return {}


def _move(post: Document, following: PostState) -> None:
    present = PostState(post["state"])
    if not allows(present, following):
        raise NotAllowed(f"a post that is {present} cannot become {following}")
    post["state"] = following.value
