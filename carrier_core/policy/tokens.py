"""Tokens: the words of a message, with what clauses look at: their kind, where a clause may begin, and whose words they may be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

from carrier_core.policy.vocabulary import (
    ADDRESSED,
    ASKING,
    BOUNDARY,
    CLOSING,
    FUNCTION,
    NOT,
    OPENING,
    OTHERS,
    POINTING,
    READING,
    RELATION,
    REPORT,
    SPEAKER,
    STOPS,
)

_TOKEN = re.compile(r"\S+")
_WITHOUT = ("nothing", "nobody", "none", "without", "neither", "nor", "no")  # words that mean more than a not
_BEFORE = 30  # words before a colon that are looked at


class Whose(IntEnum):
    """Whose words a token is part of. Those that may be a letter's ask for nothing, but may take back what was asked for before."""

    OWN = 0
    LETTER = 1
    QUOTED = 2


class Token(NamedTuple):
    """A word: as it is compared, what kind it is, whether a clause may begin with it, the mark with which a sentence ends behind
    it, and whose it is. Kinds are word, function, relation, own (the speaker's name), I, he, you and not."""

    text: str
    kind: str
    starts: bool
    stop: str
    whose: Whose


def tokens_of(text: str, own: frozenset[str], most: int) -> list[Token]:
    """The words of a text, somewhat more than ``most`` of them if it has more. ``own`` are those of the speaker's name."""
    made: list[Token] = []
    mark = ""  # the quotation mark that has been opened
    below = letter = False  # under "summarise this:", or behind "what does this mail want?", stands somebody's letter
    for line in text.casefold().replace("’", "'").split("\n"):
        if made:
            made[-1] = made[-1]._replace(stop=made[-1].stop or ".")
        cited = below or line.lstrip().startswith(">")
        below = below or line.rstrip().endswith(":")
        first, sentence, starts = len(made), len(made), True
        for each in _TOKEN.finditer(line):
            if len(made) > most:
                return made
            found = each[0]
            opened = found[: len(found) - len(found.lstrip(OPENING))]
            mark = mark or next((each for each in opened if each in '"“„«‹`'), "")
            word = found.strip(OPENING + CLOSING).lstrip("#@")
            tail = found[len(found.rstrip(CLOSING)) :]
            if word:
                whose = Whose.QUOTED if mark or cited else Whose.LETTER if letter else Whose.OWN
                made += _split(word, own, starts, whose)
                starts = False
            if mark and any(each in '"”“»›`' for each in (tail if opened else found[1:] if len(found) > 1 else found)):
                mark = ""
            letter = letter or (":" in tail and _introduces(made[max(sentence, len(made) - _BEFORE) :]))
            marks = [each for each in tail if each in STOPS]
            if made and marks:
                made[-1] = made[-1]._replace(stop="?" if "?" in marks else ".")
                sentence = len(made)
            starts = starts or any(each in ".!?;…,—–(" for each in tail) or (not word and found in ("-", "—", "–"))
        letter = letter or _leads_over(made[first:])
    return made


def _introduces(said: list[Token]) -> bool:
    """Whether what stands before a colon hands over a text: "read this mail for me:". A clause of one word is none of its own."""
    end = len(said)
    while end:
        begin = end - 1
        while begin and not said[begin].starts:
            begin -= 1
        clause = said[begin:end]
        if any(each.text in READING for each in clause):
            return True
        if len(clause) > 1 and any(each.kind == "word" or each.text in REPORT for each in clause):
            return False
        end = begin
    return False


def _leads_over(line: list[Token]) -> bool:
    """Whether a line says of those below it that they are a text: by a question that is no request, or "translate this"."""
    if not line:
        return False
    words = {each.text for each in line}
    is_about, is_request = bool(words & READING), bool(words & ASKING)
    is_elsewhere = any("." in word or "/" in word for word in words)  # "can you read example.org/menu?"
    if line[-1].stop == "?":
        return not is_request or (is_about and not is_elsewhere)
    return is_about and bool(words & POINTING) and not is_elsewhere


def written(leaf: str | float | None) -> str:
    """A number as people write it: 500 where it is 500.0."""
    return str(int(leaf)) if isinstance(leaf, float) and leaf.is_integer() else str(leaf)


def _split(word: str, own: frozenset[str], starts: bool, whose: Whose) -> Iterator[Token]:
    """A word as one or two tokens: ``don't`` is a form of do, and a not."""
    starts = starts or word in BOUNDARY
    number = re.fullmatch(r"[$€£¥]?(\d[\d,]*(?:\.\d+)?)(?:[$€£¥%])?", word)
    if number:
        yield Token(number[1].replace(",", ""), "word", starts, "", whose)
        return
    if word in NOT or (word.endswith("n't") and len(word) > 3):
        if word.endswith("n't"):
            yield Token(word[:-3], "function", starts, "", whose)
        yield Token(word if word in _WITHOUT else "not", "not", starts, "", whose)
        return
    bare = word.removesuffix("'s")
    kind = (
        "own" if bare in own
        else "I" if word in SPEAKER
        else "he" if word in OTHERS
        else "you" if word in ADDRESSED
        else "relation" if word in RELATION
        else "function" if word in FUNCTION or word in REPORT
        else "word"
    )  # fmt: skip
    yield Token(bare if kind == "word" else word, kind, starts, "", whose)
