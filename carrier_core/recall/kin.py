"""Groups of related words (``lists/kin.txt``), so that a question finds an answer in other words.

Each group is a word of its own in the index, a sign of Unicode's private area, which no text can contain: a query then looks
for one word instead of a dozen.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

WORDS_VERSION = 1
"""Goes up when ``lists/kin.txt`` or what is indexed changes. A store keeps the version that its index was made with, and makes
an index of another version anew when it is opened."""

_FIRST_SIGN = 0xE000
_INFLECTIONS = ("", "s", "es", "ed", "d", "ing")


@cache
def members() -> dict[str, tuple[str, ...]]:
    """The words of a group, by its sign."""
    return {sign: (*asking, *found) for sign, _, asking, found in _lines()}


@cache
def groups() -> dict[str, tuple[str, ...]]:
    """The groups that a word of a text belongs to, the commonest inflections of their words included."""
    found: dict[str, dict[str, None]] = {}
    for sign, words in members().items():
        for word in words:
            for ending in _INFLECTIONS:
                found.setdefault(word + ending, {})[sign] = None
            found.setdefault(word.removesuffix("e") + "ing", {})[sign] = None
    return {word: tuple(signs) for word, signs in found.items()}


@cache
def kin_of() -> dict[str, tuple[str, tuple[str, ...]]]:
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
def stop_words() -> frozenset[str]:
    """Words that are in so many messages that they find none (``lists/stop.txt``)."""
    return frozenset(_list("stop").split())


@cache
def _lines() -> tuple[tuple[str, bool, tuple[str, ...], tuple[str, ...]], ...]:
    """Of each group its sign, whether its words are the same, those that ask, and those that are only found."""
    lines = [line for line in _list("kin").splitlines() if line and not line.startswith("#")]
    read: list[tuple[str, bool, tuple[str, ...], tuple[str, ...]]] = []
    for number, line in enumerate(lines):
        asking, _, found = line.removeprefix("= ").partition("|")
        read.append((chr(_FIRST_SIGN + number), line.startswith("= "), tuple(asking.split()), tuple(found.split())))
    return tuple(read)


def _list(name: str) -> str:
    return (files(__package__) / "lists" / f"{name}.txt").read_text("utf-8")
