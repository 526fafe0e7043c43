"""Likeness: which of several things somebody means who names one in words of their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")

_WORD = re.compile(r"\w+")
_LITTLE = frozenset(
    "a an and are about all am any as at be been but by can did do does for from had has have he her his how i if in is it its "
    "i'm s t me mine my not of on or our out please she so than that the their them then there they thing things this to too "
    "us was we were what when where which who whose why will with you your fact facts goal remember remembered forget "
    "reminder everything something".split()
)
"""Words that do not tell one thing from another."""


_VERBS = {"am": "be", "is": "be", "has": "have", "have": "have", "does": "do", "do": "do", "goes": "go", "go": "go"}


def same(one: str, other: str) -> bool:
    """Whether two texts say the same in the same words."""
    return _WORD.findall(one.casefold()) == _WORD.findall(other.casefold())


def same_of(name: str, one: str, other: str) -> bool:
    """Whether two texts say the same, be it in the first person or of whoever has this name: I like tea, Ana likes tea."""
    return _impersonal(one, name) == _impersonal(other, name)


def _impersonal(text: str, name: str) -> list[str]:
    """The words without their endings, and with the same for I and the name."""
    plain = text.casefold().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").strip()
    if name.strip():
        plain = re.sub(rf"^{re.escape(name.strip().casefold())}(?=\W|$)", "i", plain)
    plain = re.sub(r"^(?:i's|my)\b", "i", re.sub(r"^i'm\b", "i am", plain))
    return [_VERBS.get(word) or _stem(word) for word in _WORD.findall(plain)]


def best(wanted: str, things: Iterable[T], text: Callable[[T], str]) -> list[T]:
    """The things whose text has all words of what is wanted that tell anything; none where there is no such word.

    A word has another if it is the same but for its ending, as live and lives, or dog and dog's.
    """
    words = telling(wanted)
    return [thing for thing in things if words and words <= _found(words, text(thing))]


def telling(text: str) -> frozenset[str]:
    """The words of a text that tell it from others, without their endings."""
    return frozenset(_stem(word) for word in _WORD.findall(text.casefold()) if word not in _LITTLE)


def _found(words: frozenset[str], text: str) -> set[str]:
    there = {_stem(word) for word in _WORD.findall(text.casefold())}
    return {word for word in words if word in there}


def _stem(word: str) -> str:
    """English endings, roughly: what counts is that both sides lose the same."""
    for ending in ("ing", "ies", "ed", "es", "s", "e", "y"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word
