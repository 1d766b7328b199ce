"""Tree-holes: a list of terms orders the reading, a human decides, and what the list misses can be counted."""

from __future__ import annotations

import csv
import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.clock import new_id
from chassis.errors import Refused
from chassis.tx import Document
from contracts.crisis import PostOverdue
from contracts.hotline import PostPublished, RiskFlagged
from services.crisis.domain.tree_hole import NEXT, Level, PostState, TreeHolePolicy, found, level, plain
from services.crisis.domain.versions import load_versions
from tests.services.crisis.test_contact import everything
from tests.services.crisis.test_routes import is_problem
from tests.services.crisis.world import COUNTY, NEIGHBOUR, TOWN, World, person, stamp

ROUTES = {
    "POST /v1/posts/next",
    "POST /v1/posts/{post_id}/answer",
    "GET /v1/posts",
    "GET /v1/tree-hole/figures",
}
POLICY = load_versions(TreeHolePolicy, "tree_hole").of("2026-11")
URGENT, LOOK, OTHER = "我写好遗书了，今晚就走", "觉得自己是大家的累赘", "今天的晚霞很好看"
REASON = "读后判断"
NOT_SAMPLED = UUID(int=POLICY.reading.sample_percent + 100 * 7)


def a_post(world: World, text: Any = URGENT, county: str = COUNTY, **said: Any) -> PostPublished:
    content = text if isinstance(text, bytes) else json.dumps({"text": text}).encode()
    contact = said.pop("contact", None)
    said = {**stamp(county), "hotline": "tree-hole-1", "post": uuid4().hex, "county": county, **said}
    said.setdefault("posted_at", world.now)
    if contact:
        said["sealed_contact"] = world.keys.seal(contact)
    return PostPublished.model_validate({**said, "sealed_post": world.keys.seal(content)})


async def take(world: World, text: Any = URGENT, county: str = COUNTY, **said: Any) -> Document:
    post = a_post(world, text, county, **said)
    await world.take(post)
    kept = await world.database.get("posts", post.id)
    assert kept is not None
    return kept


async def read_next(client: httpx.AsyncClient, headers: dict[str, str]) -> Any:
    answer = await client.post("/v1/posts/next", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["post"]


async def judge(
    client: httpx.AsyncClient, post: Any, judgement: str, headers: dict[str, str], **said: str
) -> httpx.Response:
    body = {"judgement": judgement, "reason": REASON, **({"said": said} if said else {})}
    return await client.post(f"/v1/posts/{post['id']}/answer", json=body, headers=headers)


# The list


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (URGENT, Level.urgent),
        ("真的不想活了", Level.urgent),
        ("想 死", Level.urgent),
        ("自-杀", Level.urgent),
        ("ZiSha", Level.urgent),
        ("笑死我了，可是其实我真的想死", Level.urgent),
        (LOOK, Level.look),
        ("笑死我了哈哈哈", None),
        ("饿死了，想死你做的饭", None),
        ("死党明天来看我", None),
        (OTHER, None),
    ],
)
def test_the_list_finds_what_stands_for_danger_and_lets_idioms_be(text: str, expected: Level | None) -> None:
    assert level(NOT_SAMPLED, text, POLICY)[0] is expected


@given(
    st.text(max_size=60),
    st.sampled_from([word for group in POLICY.terms for word in group.words]),
    st.text(max_size=60),
)
def test_no_words_around_a_term_hide_it(before: str, word: str, after: str) -> None:
    """Only an idiom of the list, word for word, takes something out."""
    text = before + word + after
    if not any(idiom in plain(text) for idiom in POLICY.idioms.words):
        assert found(text, POLICY)


@given(st.uuids(), st.text(max_size=200))
def test_every_post_without_a_term_is_drawn_for_reading_with_the_share_of_the_policy(ident: UUID, text: str) -> None:
    urgency, terms = level(ident, text, POLICY)
    assert (urgency, terms) == level(ident, text, POLICY), "the same post is drawn the same way again"
    if not terms:
        drawn = ident.int % 100 < POLICY.reading.sample_percent
        assert urgency is (Level.sample if drawn else None)


# From a post to a case


async def test_a_post_becomes_a_case_only_by_a_humans_answer(world: World, client: httpx.AsyncClient) -> None:
    post = await take(world, URGENT, author=person(5), contact={"phone": "000-0000-0001"})
    assert (post["state"], post["level"], post["terms"]) == ("waiting", "urgent", ["farewell"])
    assert await world.cases() == []
    assert world.emitted(RiskFlagged) == []
    reader = world.keys.token("duty_officer", sub="reader-a")
    read = await read_next(client, reader)
    assert read["text"] == URGENT
    assert "110" in "".join(read["plan"]), "the emergency plan comes with the post"
    assert (await judge(client, read, "risk", reader, plan_within_72_hours="yes")).status_code == 200
    await world.take(*world.emitted(RiskFlagged))
    (case,) = await world.cases()
    assert (case["channel"], case["way"], case["tier"], case["person"]) == (
        "tree_hole",
        "tree_hole_post",
        "high",
        person(5),
    )
    kept = await world.database.get("posts", post["_id"])
    assert kept is not None
    assert (kept["answer"]["answer"], kept["answer"]["by"]) == ("risk", "reader-a")
    answer = await client.post(f"/v1/cases/{case['_id']}/contact", json={"reason": REASON}, headers=reader)
    assert answer.json()["contacts"][0]["phone"] == "000-0000-0001"
    actions = [(entry["action"], entry["actor"]) for entry in await world.audit_log()]
    assert ("post_read", "reader-a") in actions
    assert ("post_judged", "reader-a") in actions
    assert await world.follow_ups(case["_id"]), "the poster is followed up"


async def test_what_was_written_is_nowhere_in_plain(
    world: World, client: httpx.AsyncClient, mongod: str, database_name: str
) -> None:
    post = await take(world, URGENT, author=person(5))
    reader = world.keys.token("duty_officer")
    await judge(client, await read_next(client, reader), "risk", reader)
    held = everything(mongod, database_name)
    assert post["_id"].bytes in held
    assert URGENT.encode() not in held
    for event in world.events:
        assert URGENT.encode() not in event.body()


async def test_no_risk_is_an_answer_and_opens_nothing(world: World, client: httpx.AsyncClient) -> None:
    await take(world)
    reader = world.keys.token("duty_officer")
    answer = await judge(client, await read_next(client, reader), "no_risk", reader)
    assert answer.json()["state"] == "answered"
    assert world.emitted(RiskFlagged) == []
    assert await read_next(client, reader) is None


async def test_who_is_unsure_asks_a_second_reader(world: World, client: httpx.AsyncClient) -> None:
    await take(world, LOOK)
    first, second = (world.keys.token("duty_officer", sub=sub) for sub in ("reader-a", "reader-b"))
    post = await read_next(client, first)
    assert (await judge(client, post, "unsure", first)).json()["state"] == "waiting"
    assert await read_next(client, first) is None, "not the same reader again"
    again = await read_next(client, second)
    assert again["id"] == post["id"]
    assert (await judge(client, again, "risk", second)).status_code == 200
    assert len(world.emitted(RiskFlagged)) == 1


async def test_the_next_post_is_the_most_urgent_then_the_longest_waiting(
    world: World, client: httpx.AsyncClient
) -> None:
    look = await take(world, LOOK)
    late = await take(world, URGENT)
    early = await take(world, URGENT, posted_at=world.now - timedelta(hours=1), division=TOWN)
    await take(world, URGENT, NEIGHBOUR)
    await take(world, OTHER, id=NOT_SAMPLED)
    reader = world.keys.token("duty_officer")
    order = [(await read_next(client, reader))["id"] for _ in range(3)]
    assert order == [str(post["_id"]) for post in (early, late, look)]
    assert await read_next(client, reader) is None


async def test_a_post_without_a_term_is_kept_and_its_text_erased_in_time(world: World) -> None:
    post = await take(world, OTHER, id=NOT_SAMPLED)
    assert (post["state"], post["level"]) == ("kept", None)
    await world.pass_time(timedelta(days=91))
    forgotten = await world.database.get("posts", post["_id"])
    assert forgotten is not None
    assert (forgotten["state"], forgotten["sealed"]) == ("forgotten", None)
    assert await world.timers() == set()
    assert not await world.database.find("person_keys", {}), "an unknown author's key has no other use"


async def test_of_the_posts_without_a_term_a_share_is_read(world: World, client: httpx.AsyncClient) -> None:
    sampled = await take(world, OTHER, id=UUID(int=100 * 9))
    assert (sampled["state"], sampled["level"]) == ("waiting", "sample")
    assert (await read_next(client, world.keys.token("duty_officer")))["id"] == str(sampled["_id"])


async def test_what_nobody_reads_in_time_calls_a_supervisor_again_and_again(world: World) -> None:
    post = await take(world)
    await world.pass_time(timedelta(minutes=14))
    assert world.emitted(PostOverdue) == []
    await world.pass_time(timedelta(minutes=2))
    (told,) = world.emitted(PostOverdue)
    assert (told.post_id, told.called, told.urgent) == (post["_id"], "supervisor", True)
    await world.pass_time(timedelta(minutes=60))
    assert len(world.emitted(PostOverdue)) == 5


async def test_what_a_reader_took_and_did_not_answer_goes_to_the_next(world: World, client: httpx.AsyncClient) -> None:
    await take(world)
    first, second = (world.keys.token("duty_officer", sub=sub) for sub in ("reader-a", "reader-b"))
    post = await read_next(client, first)
    assert await read_next(client, second) is None
    await world.pass_time(timedelta(minutes=21))
    assert (await read_next(client, second))["id"] == post["id"]
    is_problem(await judge(client, post, "no_risk", first), 403)


@pytest.mark.parametrize("sealed", [b"", b"[]", b'{"text": 3}', b'{"note": "x"}', b"\xff"], ids=str)
async def test_a_post_that_cannot_be_opened_is_put_before_a_human(
    world: World, client: httpx.AsyncClient, sealed: bytes
) -> None:
    post = await take(world, sealed)
    assert (post["state"], post["terms"]) == ("waiting", ["unreadable"])
    assert (await read_next(client, world.keys.token("duty_officer")))["text"] is None


async def test_a_post_from_nowhere_is_refused_with_its_field(world: World) -> None:
    with pytest.raises(Refused) as refusal:
        await world.take(a_post(world, county="370899"))
    assert refusal.value.field == "county"


# Over HTTP


async def test_posts_are_read_and_answered_by_who_may(world: World, client: httpx.AsyncClient) -> None:
    post = await take(world)
    token = world.keys.token
    is_problem(await client.post("/v1/posts/next", headers=token("volunteer", "class_teacher")), 403)
    assert await read_next(client, token("duty_officer", division=NEIGHBOUR)) is None
    reader = token("duty_officer", sub="reader-a")
    address = f"/v1/posts/{post['_id']}/answer"
    said = {"judgement": "risk", "reason": REASON}
    is_problem(await client.post(address, json=said, headers=reader), 409)
    await read_next(client, reader)
    is_problem(await client.post(address, json={**said, "judgement": "maybe"}, headers=reader), 422, "body.judgement")
    is_problem(await client.post(address, json={**said, "reason": ""}, headers=reader), 422, "body.reason")
    is_problem(await client.post(address, json={**said, "said": {"mood": "no"}}, headers=reader), 422, "body.said.mood")
    wrong = {"judgement": "no_risk", "reason": REASON, "said": {"act_in_progress": "yes"}}
    is_problem(await client.post(address, json=wrong, headers=reader), 422, "said")
    is_problem(await client.post(address, json=said, headers=token("duty_officer", sub="reader-b")), 403)
    is_problem(await client.post(address, json=said, headers=token("duty_officer", division=NEIGHBOUR)), 404)
    is_problem(await client.post(f"/v1/posts/{new_id()}/answer", json=said, headers=reader), 404)
    assert (await client.post(address, json=said, headers=reader)).status_code == 200
    is_problem(await client.post(address, json=said, headers=reader), 409)


async def test_the_list_of_posts_shows_no_text(world: World, client: httpx.AsyncClient) -> None:
    await take(world)
    await take(world, OTHER, id=NOT_SAMPLED)
    officer = world.keys.token("duty_officer")
    posts = (await client.get("/v1/posts", headers=officer)).json()["posts"]
    assert len(posts) == 2
    assert all("text" not in post and "sealed" not in post for post in posts)
    assert len((await client.get("/v1/posts?state=waiting", headers=officer)).json()["posts"]) == 1
    is_problem(await client.get("/v1/posts?state=lost", headers=officer), 422, "query.state")
    elsewhere = world.keys.token("duty_officer", division=NEIGHBOUR)
    assert (await client.get("/v1/posts", headers=elsewhere)).json() == {"posts": []}


async def test_how_the_list_does_in_the_field_is_counted_from_the_humans_answers(
    world: World, client: httpx.AsyncClient
) -> None:
    officer = world.keys.token("duty_officer")
    await take(world, OTHER, id=NOT_SAMPLED)
    for text, ident, judgement in (
        (URGENT, None, "risk"),
        (URGENT, None, "no_risk"),
        (LOOK, None, "no_risk"),
        (OTHER, UUID(int=100), "risk"),
        (OTHER, UUID(int=200), "no_risk"),
    ):
        await take(world, text, id=ident or new_id())
        await judge(client, await read_next(client, officer), judgement, officer)
    (figures,) = (await client.get("/v1/tree-hole/figures", headers=officer)).json()["versions"]
    assert figures == {
        "policy": "2026-11",
        "posts": 6,
        "found_and_answered": 3,
        "found_and_risk": 1,
        "sample_answered": 2,
        "sample_and_risk": 1,
        "precision": 1 / 3,
        "missed_share_of_sample": 0.5,
    }


def test_every_state_of_a_post_leads_to_being_forgotten() -> None:
    for state in PostState:
        reached, fresh = {state}, {state}
        while fresh:
            fresh = {following for one in fresh for following in NEXT[one]} - reached
            reached |= fresh
        assert PostState.forgotten in reached


# How well the list does


def the_posts() -> list[dict[str, str]]:
    path = Path(__file__).parent / "tree_hole_posts.tsv"
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def figures_of(posts: list[dict[str, str]]) -> tuple[int, int, int]:
    """Found among those at risk, how many are at risk, and found among the others."""
    risk = [bool(found(post["text"], POLICY)) for post in posts if post["label"] == "risk"]
    return sum(risk), len(risk), sum(bool(found(post["text"], POLICY)) for post in posts if post["label"] == "none")


def test_the_page_on_the_list_tells_the_figures_that_the_list_has_now() -> None:
    page = (Path(__file__).parents[3] / "docs" / "tree-hole.md").read_text()
    posts = the_posts()
    assert len(posts) == 320
    for name, part in (("not looked at", posts[1::2]), ("used for the list", posts[0::2])):
        hits, at_risk, wrong = figures_of(part)
        recall, precision = hits / at_risk, hits / (hits + wrong)
        row = f"| {name} | {hits} of {at_risk} ({recall:.0%}) | {hits} of {hits + wrong} ({precision:.0%}) |"
        assert row in page


def test_the_list_finds_more_than_chance_would() -> None:
    """Among posts it was not made for: what it finds is more often a risk than what it leaves."""
    posts = the_posts()[1::2]
    hits, at_risk, wrong = figures_of(posts)
    assert hits / at_risk > 2 * wrong / (len(posts) - at_risk)
