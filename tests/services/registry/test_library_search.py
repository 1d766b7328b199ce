"""Search in Chinese: by words, not by signs that happen to stand together."""

from __future__ import annotations

import subprocess
import sys
import uuid
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from services.registry.domain.library_terms import MOST_QUERY_TERMS, TERM_LIMIT, asked, plain_text, rank, weighed
from tests.services.registry.library_support import COUNTY, ELSEWHERE, TOWN, audio, item, titles, told, video
from tests.services.registry.support import Registry

SHELF = [
    ("失眠的认知行为疗法", "改善睡眠质量的六周练习。"),
    ("如何帮助孩子缓解考试焦虑", "中、高考前家长能做什么。"),
    ("亲子之间的沟通技巧", "倾听、表达与约定。"),
    ("老年人的孤独与陪伴", "空巢老人的一年四季。"),
    ("大学生物实验安全", "与心理无关的一本。"),
    ("中小学生心理健康教育", "班主任手册。"),
    ("职场压力", "附：失眠时可以做的三件事。"),
]


async def shelf(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        for title, description in SHELF:
            await item(client, title=title, description=description)


FIRST = [
    ("失眠", "失眠的认知行为疗法"),
    ("考试焦虑", "如何帮助孩子缓解考试焦虑"),
    ("亲子沟通", "亲子之间的沟通技巧"),
    ("老年人孤独", "老年人的孤独与陪伴"),
    ("学生", "中小学生心理健康教育"),
    ("生物", "大学生物实验安全"),
    ("心理健康", "中小学生心理健康教育"),
    ("空巢老人", "老年人的孤独与陪伴"),
    ("睡眠", "失眠的认知行为疗法"),
]


async def test_resources_are_found_by_the_words_inside(registry: Registry) -> None:
    await shelf(registry)
    async with registry.client(COUNTY, "volunteer") as client:
        for query, first in FIRST:
            assert (await titles(client, query))[0] == first


async def test_signs_that_happen_to_stand_together_are_no_word(registry: Registry) -> None:
    await shelf(registry)
    async with registry.client(COUNTY) as client:
        await item(client, title="大学 生物")
        assert await titles(client, "学生") == ["中小学生心理健康教育"]
        assert await titles(client, "眠的") == []


async def test_the_title_counts_more_than_the_description_and_more_words_more_than_one(registry: Registry) -> None:
    await shelf(registry)
    async with registry.client(COUNTY) as client:
        assert await titles(client, "失眠") == ["失眠的认知行为疗法", "职场压力"]
        both = await titles(client, "职场失眠")
        assert both[0] == "职场压力"
        await item(client, title="练习册", description="失眠。失眠。")
        assert (await titles(client, "失眠"))[:2] == ["失眠的认知行为疗法", "练习册"]


async def test_the_subject_is_found_where_the_title_does_not_say_it(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        await item(client, **audio(title="夜雨", tags=["insomnia"]))
        assert await titles(client, "失眠") == ["夜雨"]


async def test_wide_signs_and_capitals_make_no_difference(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        await item(client, title="ＡＢＣ理论与１２３５６热线")
        for query in ("abc", "Abc 理论", "12356", "１２３５６"):
            assert await titles(client, query) == ["ABC理论与12356热线"]


async def test_a_word_that_no_dictionary_has_is_found(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        await item(client, title="内卷之下的家长")
        await item(client, title="内地试卷")
        assert await titles(client, "内卷") == ["内卷之下的家长"]


async def test_search_is_filtered_as_lists_are(registry: Registry) -> None:
    async with registry.client() as client:
        await item(client, title="失眠读本", division=ELSEWHERE)
        await item(client, title="失眠读本甲", audiences=["elderly"], tags=["insomnia"])
        await item(client, **video(title="失眠短片", division=TOWN))
    async with registry.client(COUNTY) as client:
        assert set(await titles(client, "失眠")) == {"失眠读本甲", "失眠短片"}
        for params, found in (
            ({"kind": "video"}, "失眠短片"),
            ({"audience": "elderly"}, "失眠读本甲"),
            ({"tag": "insomnia"}, "失眠读本甲"),
            ({"tag": "adaptive"}, "失眠短片"),
            ({"licence": "reserved"}, "失眠读本甲"),
            ({"division": TOWN}, "失眠短片"),
        ):
            assert await titles(client, "失眠", **params) == [found]
        wrong = await client.get("/v1/library/search", params={"q": "失眠", "division": ELSEWHERE})
        assert wrong.status_code == 404


async def test_pages_hold_every_find_once_in_the_order_of_their_rank(registry: Registry) -> None:
    async with registry.client(COUNTY) as client:
        for number in range(7):
            await item(
                client, title="失眠读本" if number % 2 else "睡眠读本", description="失眠" * (number % 3) or None
            )
        whole = (await client.get("/v1/library/search", params={"q": "失眠读本"})).json()["items"]
        paged: list[str] = []
        after: dict[str, str] = {}
        while True:
            page = (await client.get("/v1/library/search", params={"q": "失眠读本", "limit": 2, **after})).json()
            paged += [one["id"] for one in page["items"]]
            if page["next"] is None:
                break
            after = {"after": page["next"]}
        assert paged == [one["id"] for one in whole]
        assert len(set(paged)) == 7
        other = await client.get("/v1/library/search", params={"q": "焦虑", **after})
        assert (other.status_code, other.json()["field"]) == (422, "after")


HOSTILE = [".*", "^失", "$where", "$title", '{"$ne": null}', "{$gt: ''}", "'; return true; //", "\\", "terms.t", "%00"]


async def test_a_query_is_words_and_nothing_else(registry: Registry) -> None:
    await shelf(registry)
    async with registry.client(COUNTY) as client:
        for query in HOSTILE:
            answer = await client.get("/v1/library/search", params={"q": query})
            if answer.status_code == 422:
                assert answer.json()["field"] == "q"
            else:
                assert answer.status_code == 200
                assert answer.json()["items"] == []
        await item(client, title="$title 与 $ne 的说明")
        assert await titles(client, "$title") == ["$title 与 $ne 的说明"]


async def test_a_query_without_words_is_refused(registry: Registry) -> None:
    wrong: list[dict[str, str]] = [{}, {"q": ""}, {"q": "字" * 101}, {"q": "！？。"}]
    async with registry.client(COUNTY) as client:
        for params in wrong:
            answer = await client.get("/v1/library/search", params=params)
            assert (answer.status_code, answer.json()["field"].removeprefix("query.")) == (422, "q")


async def test_a_new_title_is_found_and_the_old_one_no_more(registry: Registry) -> None:
    ident = str(uuid.uuid4())
    async with registry.client(COUNTY) as client:
        await client.put(f"/v1/library/items/{ident}", json=told(title="失眠读本"))
        await client.put(f"/v1/library/items/{ident}", json=told(title="焦虑读本"))
        assert await titles(client, "失眠") == []
        assert await titles(client, "焦虑") == ["焦虑读本"]


async def test_the_database_ranks_as_the_rule_says(registry: Registry) -> None:
    await shelf(registry)
    query = "老年人失眠焦虑与心理健康"
    words = asked(query)
    expected = {title: rank(weighed(title, "", text), words) for title, text in SHELF}
    async with registry.client(COUNTY) as client:
        found = await titles(client, query)
    assert set(found) == {title for title, value in expected.items() if value}
    assert all(expected[one] >= expected[two] for one, two in pairwise(found))


PIECES = st.sampled_from(
    [
        *"失眠焦虑抑郁亲子沟通老年人孤独大学生物心理健康教育内卷的与龘",
        "考试焦虑",
        "心理健康",
        "中小学生",
        "孤独症儿童",
        "南京市长江大桥",
        "研究生命起源",
        " ",
        "《",
        "ABC",
        "１２",
        "ẞ",
        "Ⅳ",
        "𠮷",
    ]
)


@given(st.lists(PIECES, max_size=14).map("".join) | st.text(max_size=40))
@settings(max_examples=400, deadline=None)
def test_a_text_is_found_by_each_of_its_own_words(title: str) -> None:
    weights = weighed(title, "", "")
    for word in weights:
        assert set(asked(word)) & weights.keys(), word
        assert rank(weights, asked(word)) > 0
    if any(sign.isalnum() for sign in plain_text(title)):
        assert weights


@given(st.text(max_size=100))
@settings(max_examples=200, deadline=None)
def test_whatever_is_asked_is_few_short_plain_words(query: str) -> None:
    words = asked(query)
    assert len(words) <= MOST_QUERY_TERMS
    assert all(0 < len(word) <= TERM_LIMIT for word in words)
    assert not any(sign in word for word in words for sign in "$.*{}[]\\\"'^")


def test_the_dictionary_is_not_in_memory_before_the_first_word_is_cut() -> None:
    code = (
        "import sys\n"
        "import services.registry.app\n"
        "from services.registry.domain.library_terms import asked\n"
        "asked('cbt 12356')\n"
        "assert 'rjieba' not in sys.modules\n"
        "assert asked('失眠') == ['失眠']\n"
        "assert 'rjieba' in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "jieba" not in done.stderr
