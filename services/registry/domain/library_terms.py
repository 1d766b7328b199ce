"""Words of a text and of a query, cut the same way.

rjieba cuts (jieba's dictionary and rules in Rust). It was chosen over jieba, whose dictionary takes three times the
memory (107 MB against 33), which imports pkg_resources, logs to the console and reads a cache that anybody may have
put into the machine's folder for temporary files; jieba-fast and pkuseg are no longer kept. Its guesses at words that
the dictionary lacks (HMM) stay off: they depend on what stands beside a word, and a query has other neighbours than
the text.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise

QUERY_LIMIT = 100
MOST_QUERY_TERMS = 40
MOST_TERMS = 2000
TERM_LIMIT = 64
_WHOLE_LIMIT = 12
TITLE, LABEL, DESCRIPTION = 12, 4, 1
"""What a word weighs by where it stands."""
_MOST_TIMES = 5
"""More often than this a word in one field counts no more."""
MATCH = 100_000
"""What each further word of the query weighs, so that more of the query found comes before more often found."""

_HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_RUNS = re.compile(rf"[{_HAN}]+|[^\W_{_HAN}]+")
_IS_HAN = re.compile(rf"[{_HAN}]")
_TELL_NOTHING = """
的 了 和 与 及 或 之 在 是 也 都 而 对 为 从 以 于 有 这 那 就 把 被 让 给 吗 呢 吧 啊 地 得 着 们 我 你 他 她 它
我们 你们 他们 如何 怎么 怎样 什么 为什么 怎么办 以及 一个 一些 这个 那个 关于
a an and are for in is of on or the to with
"""
STOP = frozenset(_TELL_NOTHING.split())


def plain_text(text: str) -> str:
    """Full-width signs made plain, Latin letters small; the same again changes nothing."""
    for _ in range(3):
        text = unicodedata.normalize("NFKC", text).casefold()
    return text


def terms_of(text: str) -> Iterator[str]:
    """The words of a text, in their order and as often as they stand there, words inside of words included."""
    for run in _RUNS.findall(plain_text(text)):
        yield from _words(run)


def _words(run: str) -> list[str]:
    if not _IS_HAN.match(run):
        return [run[:TERM_LIMIT]]
    # Imported with the first text that is cut: the dictionary takes memory that a registry without a library needs not.
    import rjieba

    words = rjieba.cut_for_search(run, False)
    # Signs that no word of the dictionary holds together are found by twos: 内卷 is cut into 内 and 卷.
    pairs = [one + two for one, two in pairwise(words) if len(one) == len(two) == 1]
    return [*words, *pairs]


def weighed(title: str, labels: str, description: str) -> dict[str, int]:
    """The words by which a resource is found, each with its weight; those of the title come first."""
    weights: Counter[str] = Counter()
    for text, weight in ((title, TITLE), (labels, LABEL), (description, DESCRIPTION)):
        for word, times in Counter(_telling(text)).items():
            if word in weights or len(weights) < MOST_TERMS:
                weights[word] += weight * min(times, _MOST_TIMES)
    return dict(weights)


def _telling(text: str) -> list[str]:
    """The words that tell something; all of them where none does."""
    words = list(terms_of(text))
    return [word for word in words if word not in STOP] or words


def asked(query: str) -> list[str]:
    """The words that a query asks for, each once; single signs only where there is nothing longer.

    A short query's whole runs are among them, so that a word which the dictionary would rather cut is found as well.
    """
    runs = [run for run in _RUNS.findall(plain_text(query)) if len(run) <= _WHOLE_LIMIT and run not in STOP]
    words = [*dict.fromkeys([*_telling(query), *runs])]
    longer = [word for word in words if len(word) > 1 or not _IS_HAN.match(word)]
    return (longer or words)[:MOST_QUERY_TERMS]


def rank(weights: Mapping[str, int], words: list[str]) -> int:
    """What the query in `store.library.found_page` works out, said again: the more of the words, the higher."""
    hits = [weights[word] for word in words if word in weights]
    return len(hits) * MATCH + min(sum(hits), MATCH - 1)
