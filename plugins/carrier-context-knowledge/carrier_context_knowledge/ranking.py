"""Which of the fragments that a store recalls answer best.

A store ranks memories as messages are ranked: each word counts once, because messages are short. Of a page that says a word
ten times, or has it in its heading, that tells too little. So more fragments are recalled than are shown, and ranked again by what
is in them: BM25 with the frequency of words, those of the headings counted several times.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from math import log
from typing import NamedTuple

from carrier_core import Memory, Recalled
from carrier_core.recall import Sought, plain, prepare, read_query, words_in

SHARE = 0.35
"""What the store's own score counts, which knows of meaning, where there are vectors; the best of each counts as 1."""
NAME = 2
"""How many times a word counts in the headings, and in the name of the document."""
HEADING = 0.5
"""What a word of the last heading counts beside: a section is about what it is called."""
SATURATION, LENGTH = 1.2, 0.5
"""BM25's k1 and b: fragments are cut to about one length, so that b is low."""
TYPICAL = 200
"""Words of a typical fragment."""

_SHORT = 3  # letters of words that are taken as they are
_ENDING = re.compile(r"(?:ies|ing|ed|es|s|y|e)$")


class Ranked(NamedTuple):
    """A fragment with its score: 1 for the best, 0 for one that has nothing to do with the question."""

    memory: Memory
    score: float


class _Counted(NamedTuple):
    """The words of a text, how often each is there, by their stems; how many there are; which are those of its heading."""

    counts: Counter[str]
    size: int
    heading: frozenset[str] = frozenset()


def widened(text: str) -> str:
    """A text with the singular or plural of its words, as far as they can be looked for too: an index finds a word only as it is
    written. Where that would crowd out others, the text as it is."""
    words = _words_of(text)
    forms = [_other_form(word) for word in words if word.isascii() and word.isalpha() and len(word) > _SHORT]
    longer = f"{text}\n{' '.join(forms)}"
    return longer if forms and {*words} <= {*_words_of(longer)} else text


def ranked(text: str, found: Sequence[Recalled]) -> list[Ranked]:
    """Fragments by how well they answer a text, best first. The same fragments always come in the same order."""
    sought = read_query(text, ()).sought
    counted = [_frequencies(recalled.memory) for recalled in found]
    own = _scores(sought, counted)
    most_own = max(own, default=0.0) or 1.0
    most = max((recalled.score for recalled in found), default=0.0) or 1.0
    fused = [
        Ranked(recalled.memory, SHARE * recalled.score / most + (1 - SHARE) * score / most_own)
        for recalled, score in zip(found, own, strict=True)
    ]
    best = max((each.score for each in fused), default=1.0) or 1.0
    scaled = [each._replace(score=each.score / best) for each in fused]
    return sorted(scaled, key=lambda each: (-each.score, each.memory.id))


def _words_of(text: str) -> list[str]:
    return [each.words[0] for each in read_query(text, ()).sought if each.weight == 1.0]


def _other_form(word: str) -> str:
    if word.endswith("s"):
        return f"{word[:-3]}y" if word.endswith("ies") else word[:-1]
    return f"{word[:-1]}ies" if word.endswith("y") and word[-2] not in "aeiou" else f"{word}s"


def _scores(sought: Sequence[Sought], counted: Sequence[_Counted]) -> list[float]:
    """BM25 of each text. A word and its kin are one concept, of which the best counts."""
    concepts: dict[int, list[Sought]] = {}
    for each in sought:
        concepts.setdefault(each.concept, []).append(each)
    scores = [0.0] * len(counted)
    for kin in concepts.values():
        values = [max(each.weight * _frequency(each, text) for each in kin) for text in counted]
        holders = sum(1 for value in values if value)
        rarity = log(1 + (len(counted) - holders + 0.5) / (holders + 0.5))
        for at, value in enumerate(values):
            scores[at] += rarity * value
    return scores


def _frequency(sought: Sought, text: _Counted) -> float:
    """How much a text has of what is sought, 0 to 1, and more where it is called so: the more often the more, but less each
    time."""
    if sought.begins:
        count = sum(number for word, number in text.counts.items() if word.startswith(sought.words[0]))
    else:
        count = sum(text.counts[_stem(word)] for word in sought.words)
    called = HEADING if any(_stem(word) in text.heading for word in sought.words) else 0.0
    return called + count / (count + SATURATION * (1 - LENGTH + LENGTH * text.size / TYPICAL))


def _frequencies(memory: Memory) -> _Counted:
    above = "".join(part.text for part in memory.content if part.key == "headings")
    return _weighted("\n".join(part.text for part in memory.content if part.key != "headings"), above, memory.name)


@lru_cache(maxsize=4_096)  # the same fragments are asked for again and again
def _weighted(body: str, above: str, name: str) -> _Counted:
    """The words of a fragment, those of its headings and of its document's name counted more often."""
    counts = _counted(body)
    for words in (above, name):
        for word, number in _counted(words).items():
            counts[word] += number * NAME
    return _Counted(counts, len(words_in(plain(body))), frozenset(_counted(above.rpartition(" > ")[2])))


def _counted(text: str) -> Counter[str]:
    return Counter(map(_stem, prepare(text, by_agent=False).words))


def _stem(word: str) -> str:
    """The beginning that the forms of a word share, roughly."""
    return _ENDING.sub("", word) if len(word) > _SHORT else word
