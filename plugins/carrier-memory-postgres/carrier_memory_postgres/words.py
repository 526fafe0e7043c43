"""Text as the index and the ranking see it: words, what a query is about, whether a message only asks.

Both sides, what is stored and what is asked, go through :func:`plain` and :func:`lexeme`, so they cannot disagree. The
words of a query hold letters and digits alone, in quotes: nothing that a person writes can be read as an operator of the
index.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import cache
from importlib.resources import files
from typing import NamedTuple
from unicodedata import category, normalize

from carrier_core import Memory, encode
from carrier_memory_postgres.shelves import AGENT, QUESTION, SELF, Prepared, label, length_trait
from carrier_memory_postgres.stems import stem as lexeme_of

INDEXED = 65_536
"""Characters of a memory that are indexed. The host cuts messages at 64 KiB; a longer text is a document for fragments."""
LONGEST = 100
"""Characters of a word that are indexed."""
ASKED = 2_000
"""Characters of a query that are read."""
TERMS = 8
"""Words of a question that are looked for, each in a search of its own."""
BACKGROUND = 4
"""Words of a statement that are looked for: it asks for nothing, so what is recalled for it is background."""

_ACCENTS = re.compile("[\u0300-\u036f]")
_UNSPACED = re.compile(  # scripts that put no space between words; Hangul does, but glues particles to them
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]+"
)
_WORD = re.compile(r"[^\W_]+")
_SELF = re.compile(r"\b(?:i|my|me|mine|i'm|we|our)\b", re.IGNORECASE)

# --- words -----------------------------------------------------------------------------------------------------------


def plain(text: str) -> str:
    """The text without accents and case folded, the words of every script apart from each other.

    Where words are not separated (Chinese, Japanese, Korean, Thai...) every pair of neighbouring characters is a word,
    and so is the last one: a query finds any part of a sentence that is two characters long, and single characters as
    the beginning of a pair.
    """
    if text.isascii():
        return text.lower()
    text = _ACCENTS.sub("", normalize("NFKD", text)).casefold()
    if text.isascii():
        return text
    text = _UNSPACED.sub(_pairs, normalize("NFC", text))
    return "".join([sign if sign.isalnum() or category(sign)[0] == "M" else " " for sign in text])


def _pairs(run: re.Match[str]) -> str:
    signs = run.group()
    pairs = [signs[at : at + 2] for at in range(len(signs) - 1)]
    return f" {' '.join([*pairs, signs[-1]])} "


def words_in(text: str) -> list[str]:
    """The words of a plain text, in order."""
    return _WORD.findall(text) if text.isascii() else text.split()


def lexeme(word: str) -> str:
    """A word as it is indexed: its stem, in quotes."""
    return f"'{lexeme_of(word)[:LONGEST]}'"


def term(word: str) -> str:
    """A word as a query of the index; a single sign as the beginning of a pair."""
    return f"{lexeme(word)}:*" if len(word) == 1 and _UNSPACED.match(word) else lexeme(word)


def shelf_word(shelf: int) -> str:
    """The word of the index that stands for a shelf: no text has it, since it begins with a sign for private use."""
    return f"'{_SHELF_SIGN}{shelf}'"


def within(shelves: Iterable[int], words: str) -> str:
    """A query of the index for words on these shelves."""
    return f"({'|'.join(map(shelf_word, shelves))})&({words})"


# --- what is stored --------------------------------------------------------------------------------------------------

_SENTENCE = re.compile(r"[^.!?;\n。！？؟；]+[.!?;\n。！？؟；]*")
_AUXILIARY = "do|does|did|is|are|was|were|am|can|could|would|will|should|shall|have|has|had|may|might|must"
_SUBJECT = "i|you|we|they|he|she|it|my|your|our|his|her|their|the|this|that|there|anyone|anybody|someone|somebody"
_ASKS = re.compile(
    rf"\b(?:what|where|when|who|whom|whose|which|why|how(?: \w+)?)(?: \w+)??(?:'s|'re| (?:{_AUXILIARY})) (?:{_SUBJECT})\b"
    rf"|^(?:\w+,? )??(?:{_AUXILIARY}) (?:{_SUBJECT})\b"
    r"|^(?:\w+,? )??(?:tell me|remind me|guess|any idea|do you know|what about|how about)\b"
)
_DECLARES = re.compile(r"^(?:i|we|my|our|he|she|they|his|her|their|the|it)(?:'\w+)? ")
_GREETINGS = frozenset("hi hey hello hallo hola ola good morning thanks thank bye dear sorry please".split())
_FILLERS = _GREETINGS | frozenset("evening afternoon night you ok okay yes no well oh hmm so and".split())


def asks_only(text: str) -> bool:
    """Whether a text (in lower case) asks and says nothing: such a message holds no answer."""
    asked = False
    for sentence in _SENTENCE.findall(text[:ASKED]):
        words = _WORD.findall(sentence)
        if not words or (len(words) < 4 and (words[0] in _GREETINGS or _FILLERS.issuperset(words))):
            continue  # "Hi Tifa!"
        sentence = sentence.strip()
        asks = sentence.endswith(("?", "？", "؟")) and not _DECLARES.match(sentence)
        if not asks and not _ASKS.search(sentence):
            return False
        asked = True
    return asked


def prepare(text: str, by_agent: bool) -> tuple[str, int]:
    """What is to be indexed for a memory, and its traits (see :mod:`carrier_memory_postgres.shelves`)."""
    text = text[:INDEXED]
    plain_text = plain(text)
    words = words_in(plain_text)
    groups = _groups().keys() & words
    traits = length_trait(plain_text.count(" ") + 1)
    if by_agent:
        traits |= AGENT
    if _SELF.search(text[:ASKED]):
        traits |= SELF
    if asks_only(text.lower()):
        traits |= QUESTION
    marks = {mark for group in groups for mark in _groups()[group]}
    return " ".join(dict.fromkeys(map(lexeme, (*words, *marks)))), traits


def prepared(memories: Iterable[Memory]) -> tuple[Prepared, ...]:
    """Memories made ready for storing."""
    return tuple(
        [
            Prepared(memory, encode(memory), *prepare(memory.text, memory.by_agent), *label(memory))
            for memory in memories
        ]
    )


# --- what is asked ---------------------------------------------------------------------------------------------------

KIN = 0.55
"""What a related word counts beside the word itself."""

_FORMS = (
    (re.compile(r"\bwhere\b.* from\b"), "", "hometown"),
    (re.compile(r"\bhow old\b"), "", "age"),
    (re.compile(r"\bfor (?:a )?living\b|\bwhat (?:do|does|did) (?:i|we|my \w+|\w+) do\b"), "living", "job"),
    (re.compile(r"\bwhat\b.* called\b"), "called", "name"),
    (re.compile(r"\bwho am i\b"), "", "name"),
)
"""Questions whose words say little: a pattern, the word to leave out, and the one that says what is asked for."""


_MAY_ASK = re.compile(r"[?？؟]|\b(?:what|where|when|who|whom|whose|which|why|how|tell|remind|remember|recall)\b")


class Concept(NamedTuple):
    """One thing that a query is about: a query of the index for the word itself, and one for its kin, if it has any."""

    word: str
    kin: str


class Asked(NamedTuple):
    """What a query is about.

    ``stems`` are the beginnings of its words and their kin. ``names`` are the speakers that it names. ``of_self`` when
    it says I, me or my, ``of_agent`` when it says you or your instead.
    """

    concepts: tuple[Concept, ...]
    stems: frozenset[str]
    names: frozenset[str]
    of_self: bool
    of_agent: bool


def read(query: str, speakers: Collection[str]) -> Asked:
    """What a query is about. ``speakers`` are the words of the names of those who speak in the room.

    Stop words and speakers' names are left out: they are in so many messages that they find none. Where nothing else is
    there, the words are taken as they are.
    """
    text = plain(query[:ASKED])
    words = list(dict.fromkeys(words_in(text)))
    said = frozenset(words)
    names = said.intersection(speakers)
    chosen = [word for word in words if word not in _stop() and word not in names]
    asks = _MAY_ASK.search(text) is not None
    if asks:
        for pattern, less, more in _FORMS:
            if pattern.search(text):
                chosen = [word for word in chosen if word not in (less, more)] + [more]
    chosen = chosen or words
    most = TERMS if asks else BACKGROUND
    if len(chosen) > most:
        chosen = sorted(chosen, key=len, reverse=True)[:most]  # the longer a word, the rarer
    of_self = not said.isdisjoint(_OF_SELF)
    of_agent = not of_self and not said.isdisjoint(("you", "your", "yours"))
    concepts, stems = _concepts(chosen, with_kin=asks or len(words) < 5)
    return Asked(concepts, stems, names, of_self, of_agent)


def _concepts(chosen: list[str], *, with_kin: bool) -> tuple[tuple[Concept, ...], frozenset[str]]:
    concepts: list[Concept] = []
    stems: set[str] = set()
    taken: set[str] = set()
    for word in chosen:
        same, related = _asking().get(word) or _asking().get(word.removesuffix("s"), ("", ()))
        kin = [group for group in related if with_kin and group not in taken]
        taken.update(kin)
        stems.add(stem(word))
        for group in (same, *kin):
            stems |= _stems(group)
        concepts.append(Concept(term(same or word), "|".join(map(term, kin))))
    return tuple(concepts), frozenset(stems)


@cache
def _stems(group: str) -> frozenset[str]:
    return frozenset(stem(word) for word in _members().get(group, ()))


_ENDING = re.compile(r"(?:ies|ing|ed|es|s|y|e)$")


def stem(word: str) -> str:
    """The beginning that the forms of a word share, roughly: enough to compare a word with the few that were asked for."""
    return _ENDING.sub("", word) if len(word) > 3 else word


_OF_SELF = frozenset(("i", "my", "me", "mine", "myself", "we", "our", "us", "im"))
_BETWEEN = frozenset(
    "am m was are were have ve had got has a an the to be been also really just not new old still always first "
    "is re will ll would d used go went take do did".split()
)


def tells_of_self(text: str, stems: Collection[str]) -> bool:
    """Whether what was asked for is told of the speaker: "I live", "my sister", "I have a dog", not "my cousin lives"."""
    before = ""
    for word in words_in(plain(text[:ASKED])):
        if before in _OF_SELF and stem(word) in stems:
            return True
        if word not in _BETWEEN:
            before = word
    return False


@cache
def _stop() -> frozenset[str]:
    return frozenset(_resource("stop").split())


# Groups of related words (``words/kin.txt``). Each is a word of its own in the index, a sign of Unicode's private area,
# which no text can contain: a query then looks for one word instead of a dozen.

_FIRST_SIGN = 0xE000
_SHELF_SIGN = "\uf000"
_INFLECTIONS = ("", "s", "es", "ed", "d", "ing")


@cache
def _lines() -> tuple[tuple[str, bool, tuple[str, ...], tuple[str, ...]], ...]:
    """Of each group its sign, whether its words are the same, those that ask, and those that are only found."""
    lines = [line for line in _resource("kin").splitlines() if line and not line.startswith("#")]
    read: list[tuple[str, bool, tuple[str, ...], tuple[str, ...]]] = []
    for number, line in enumerate(lines):
        asking, _, found = line.removeprefix("= ").partition("|")
        read.append((chr(_FIRST_SIGN + number), line.startswith("= "), tuple(asking.split()), tuple(found.split())))
    return tuple(read)


@cache
def _members() -> dict[str, tuple[str, ...]]:
    """The words of a group, by its sign."""
    return {sign: (*asking, *found) for sign, _, asking, found in _lines()}


@cache
def _groups() -> dict[str, tuple[str, ...]]:
    """The groups that a word of a text belongs to, the commonest inflections of their words included."""
    groups: dict[str, dict[str, None]] = {}
    for sign, words in _members().items():
        for word in words:
            for ending in _INFLECTIONS:
                groups.setdefault(word + ending, {})[sign] = None
            groups.setdefault(word.removesuffix("e") + "ing", {})[sign] = None
    return {word: tuple(signs) for word, signs in groups.items()}


@cache
def _asking() -> dict[str, tuple[str, tuple[str, ...]]]:
    """For a word of a query, the group of its other forms, if there is one, and the groups of its kin."""
    same: dict[str, str] = {}
    related: dict[str, list[str]] = {}
    for sign, is_same, asking, _ in _lines():
        for word in asking:
            if is_same:
                same.setdefault(word, sign)
            else:
                related.setdefault(word, []).append(sign)
    return {word: (same.get(word, ""), tuple(related.get(word, ()))) for word in {**same, **related}}


@cache
def _resource(name: str) -> str:
    return (files(__package__) / "words" / f"{name}.txt").read_text("utf-8")
