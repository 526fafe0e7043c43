"""What a query is about: the words to look for, whom it names, of whom it asks."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import cache, lru_cache
from typing import NamedTuple

from carrier_core.recall.kin import kin_of, members, stop_words
from carrier_core.recall.words import ASKED, begins_pair, plain, words_in

TERMS = 8
"""Words of a question that are looked for, each in a search of its own."""
BACKGROUND = 3
"""Words of a statement that are looked for: it asks for nothing, so what is recalled for it is background."""
KIN = 0.55
"""What a related word counts beside the word itself."""

_FORMS = (
    (r"\bwhere\b.* from\b", "", "hometown"),
    (r"\bhow old\b", "", "age"),
    (r"\bfor (?:a )?living\b|\bwhat (?:do|does|did) (?:i|we|my \w+|\w+) do\b", "living", "job"),
    (r"\bwhat\b.* called\b", "called", "name"),
    (r"\bwho am i\b", "", "name"),
)
"""Questions whose words say little: a pattern, the word to leave out, and the one that says what is asked for."""
_MARK = re.compile(r"[?？؟]")  # which a plain text has not, if it has other letters than English ones
_MAY_ASK = re.compile(r"\b(?:what|where|when|who|whom|whose|which|why|how|tell|remind|remember|recall)\b")
_OF_SELF = frozenset(("i", "my", "me", "mine", "myself", "we", "our", "us", "im"))


class Sought(NamedTuple):
    """One search of the index: for the rows that have any of these words.

    ``concept`` is the thing that the query is about, counted from 0: it has one search for the word itself, and one for its
    kin, if it has any, whose ``weight`` is less. With ``begins`` what is looked for is all words that begin with this one.
    """

    concept: int
    weight: float
    words: tuple[str, ...]
    begins: bool


class Asked(NamedTuple):
    """What a query is about.

    ``stems`` are the beginnings of its words and their kin. ``names`` are the speakers that it names. ``of_self`` when
    it says I, me or my, ``of_agent`` when it says you or your instead.
    """

    sought: tuple[Sought, ...]
    stems: frozenset[str]
    names: frozenset[str]
    of_self: bool
    of_agent: bool


def speakers(names: Iterable[str]) -> frozenset[str]:
    """The words of the names of those who speak in a room, for :func:`read_query`."""
    return frozenset(words_in(plain(" ".join(names))))


def read_query(query: str, speakers: Collection[str]) -> Asked:
    """What a query is about. ``speakers`` are the words of the names of those who speak in the room.

    Stop words and speakers' names are left out: they are in so many messages that they find none. Where nothing else is
    there, the words are taken as they are.
    """
    text = plain(query[:ASKED])
    words = list(dict.fromkeys(words_in(text)))
    said = frozenset(words)
    names = said.intersection(speakers)
    chosen = [word for word in words if word not in stop_words() and word not in names]
    asks = _MARK.search(query, 0, ASKED) is not None or _MAY_ASK.search(text) is not None
    if asks:
        for pattern, less, more in _FORMS:
            if re.search(pattern, text):
                chosen = [word for word in chosen if word not in (less, more)] + [more]
    chosen = chosen or words
    most = TERMS if asks else BACKGROUND
    if len(chosen) > most:
        chosen = sorted(chosen, key=len, reverse=True)[:most]  # the longer a word, the rarer
    of_self = not said.isdisjoint(_OF_SELF)
    of_agent = not of_self and not said.isdisjoint(("you", "your", "yours"))
    sought, stems = _sought(chosen, with_kin=asks or len(words) < 5)
    return Asked(sought, stems, names, of_self, of_agent)


def _sought(chosen: list[str], *, with_kin: bool) -> tuple[tuple[Sought, ...], frozenset[str]]:
    sought: list[Sought] = []
    stems: set[str] = set()
    taken: set[str] = set()
    for concept, word in enumerate(chosen):
        same, related = kin_of().get(word) or kin_of().get(word.removesuffix("s"), ("", ()))
        kin = tuple([group for group in related if with_kin and group not in taken])
        taken.update(kin)
        stems.add(stem(word))
        for group in (same, *kin):
            stems |= _stems(group)
        sought.append(Sought(concept, 1.0, (same or word,), not same and begins_pair(word)))
        if kin:
            sought.append(Sought(concept, KIN, kin, begins=False))
    return tuple(sought), frozenset(stems)


@cache
def _stems(group: str) -> frozenset[str]:
    return frozenset(stem(word) for word in members().get(group, ()))


_ENDING = re.compile(r"(?:ies|ing|ed|es|s|y|e)$")


def stem(word: str) -> str:
    """The beginning that the forms of a word share, roughly: enough to compare a word with the few that were asked for."""
    return _ENDING.sub("", word) if len(word) > 3 else word


_BETWEEN = frozenset(
    "am m was are were have ve had got has a an the to be been also really just not new old still always first "
    "is re will ll would d used go went take do did".split()
)


def tells_of_self(text: str, stems: Collection[str]) -> bool:
    """Whether what was asked for is told of the speaker: "I live", "my sister", "I have a dog", not "my cousin lives"."""
    return not _told_of_self(text[:ASKED]).isdisjoint(stems)


@lru_cache(maxsize=8_192)  # a conversation's messages are looked at again and again
def _told_of_self(text: str) -> frozenset[str]:
    """The stems of the words that a text says of its speaker."""
    found: set[str] = set()
    before = ""
    for word in words_in(plain(text)):
        if before in _OF_SELF:
            found.add(stem(word))
        if word not in _BETWEEN:
            before = word
    return frozenset(found)
