"""Text as an index and the ranking see it: its words, and whether it only asks.

Both sides, what is stored and what is asked, go through :func:`plain`, so they cannot disagree. Words hold letters and digits
alone: put between quotes, nothing that a person writes can be read as an operator of an index.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple
from unicodedata import category, normalize

from carrier_core.recall.kin import groups
from carrier_core.recall.shelves import AGENT, QUESTION, SELF, length_trait

INDEXED = 65_536
"""Characters of a memory that are indexed. The host cuts messages at 64 KiB; a longer text is a document for fragments."""
ASKED = 2_000
"""Characters of a query that are read, and of a text to tell whether it asks."""

_ACCENTS = re.compile("[\u0300-\u036f]")
_UNSPACED = (  # scripts that put no space between words; Hangul does, but glues particles to them
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]+"
)
_WORD = re.compile(r"[^\W_]+")
_SELF = re.compile(r"\b(?:i|my|me|mine|i'm|we|our)\b", re.IGNORECASE)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """These two take a millisecond or more: not at every start."""
    return re.compile(pattern)


# --- words -----------------------------------------------------------------------------------------------------------


def plain(text: str) -> str:
    """The text without accents and case folded, the words of every script apart from each other.

    Where words are not separated (Chinese, Japanese, Korean, Thai...) every pair of neighbouring characters is a word,
    and so is the last one: a query finds any part of a sentence that is two characters long, and single characters as
    the beginning of a pair (:func:`begins_pair`).
    """
    if text.isascii():
        return text.lower()
    text = _ACCENTS.sub("", normalize("NFKD", text)).casefold()
    if text.isascii():
        return text
    text = _compiled(_UNSPACED).sub(_pairs, normalize("NFC", text))
    return "".join([sign if sign.isalnum() or category(sign)[0] == "M" else " " for sign in text])


def _pairs(run: re.Match[str]) -> str:
    signs = run.group()
    pairs = [signs[at : at + 2] for at in range(len(signs) - 1)]
    return f" {' '.join([*pairs, signs[-1]])} "


def words_in(text: str) -> list[str]:
    """The words of a plain text, in order."""
    return _WORD.findall(text) if text.isascii() else text.split()


def begins_pair(word: str) -> bool:
    """Whether a word of a query is a single sign of a script without spaces: it is looked for as the beginning of a word."""
    return len(word) == 1 and _compiled(_UNSPACED).match(word) is not None


# --- what is stored --------------------------------------------------------------------------------------------------


class Indexed(NamedTuple):
    """What an index takes of a text: its words, those of its groups of kin among them, and its traits for the row's number
    (see :mod:`carrier_core.recall.shelves`)."""

    words: list[str]
    traits: int


def prepare(text: str, by_agent: bool) -> Indexed:
    """What is to be indexed of a memory."""
    text = text[:INDEXED]
    plain_text = plain(text)
    words = words_in(plain_text)
    traits = length_trait(plain_text.count(" ") + 1)
    if by_agent:
        traits |= AGENT
    if _SELF.search(text[:ASKED]):
        traits |= SELF
    if asks_only(text.lower()):
        traits |= QUESTION
    known = groups()
    kin = {sign for word in known.keys() & words for sign in known[word]}
    return Indexed([*words, *kin], traits)


_SENTENCE = re.compile(r"[^.!?;\n。！？؟；]+[.!?;\n。！？؟；]*")
_AUXILIARY = "do|does|did|is|are|was|were|am|can|could|would|will|should|shall|have|has|had|may|might|must"
_SUBJECT = "i|you|we|they|he|she|it|my|your|our|his|her|their|the|this|that|there|anyone|anybody|someone|somebody"
_ASKS = (
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
        if not asks and not _compiled(_ASKS).search(sentence):
            return False
        asked = True
    return asked
