"""The stems of English words: the algorithm that M. F. Porter published in 1980 ("An algorithm for suffix stripping",
Program 14/3), so that "lives", "lived" and "living" are one word of the index.

PostgreSQL has stemmers too, but its parser of texts goes by the locale of the database; these go by the text alone.
"""

from __future__ import annotations

import re
from functools import lru_cache

_MEASURED = re.compile(r"V+C+")
_PLAIN = re.compile(r"[a-z]{3,40}")

_SECOND = {
    "ational": "ate", "tional": "tion", "enci": "ence", "anci": "ance", "izer": "ize", "abli": "able", "alli": "al",
    "entli": "ent", "eli": "e", "ousli": "ous", "ization": "ize", "ation": "ate", "ator": "ate", "alism": "al",
    "iveness": "ive", "fulness": "ful", "ousness": "ous", "aliti": "al", "iviti": "ive", "biliti": "ble",
}  # fmt: skip
_THIRD = {"icate": "ic", "ative": "", "alize": "al", "iciti": "ic", "ical": "ic", "ful": "", "ness": ""}
_FOURTH = (
    "ement", "ance", "ence", "able", "ible", "ment", "ant", "ent", "ism", "ate", "iti", "ous", "ive", "ize", "ion",
    "al", "er", "ic", "ou",
)  # fmt: skip


@lru_cache(maxsize=16_384)
def stem(word: str) -> str:
    """The stem of a word in lower case; a word that is not made of the letters a to z is its own."""
    if not _PLAIN.fullmatch(word):
        return word
    word = _plural(word)
    word = _past(word)
    if word.endswith("y") and _has_vowel(word[:-1]):
        word = word[:-1] + "i"
    word = _replaced(word, _SECOND)
    word = _replaced(word, _THIRD)
    word = _stripped(word)
    return _tidy(word)


def _shape(word: str) -> str:
    """The word as V and C, vowels and consonants; a y is a vowel after a consonant."""
    shape = ""
    for sign in word:
        vowel = sign in "aeiou" or (sign == "y" and shape.endswith("C"))
        shape += "V" if vowel else "C"
    return shape


def _measure(word: str) -> int:
    return len(_MEASURED.findall(_shape(word)))


def _has_vowel(word: str) -> bool:
    return "V" in _shape(word)


def _is_short(word: str) -> bool:
    """Whether it ends like "hop": consonant, vowel, consonant other than w, x or y."""
    return _shape(word).endswith("CVC") and word[-1] not in "wxy"


def _plural(word: str) -> str:
    if word.endswith(("sses", "ies")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _past(word: str) -> str:
    if word.endswith("eed"):
        return word[:-1] if _measure(word[:-3]) else word
    for ending in ("ed", "ing"):
        rest = word.removesuffix(ending)
        if rest != word:
            return _mended(rest) if _has_vowel(rest) else word
    return word


def _mended(word: str) -> str:
    """What is left when "ed" or "ing" was taken away, as a word."""
    if word.endswith(("at", "bl", "iz")):
        return word + "e"
    if len(word) > 1 and word[-1] == word[-2] and _shape(word)[-1] == "C" and word[-1] not in "lsz":
        return word[:-1]
    return word + "e" if _measure(word) == 1 and _is_short(word) else word


def _replaced(word: str, endings: dict[str, str]) -> str:
    """With the longest of these endings that it has replaced by another."""
    for size in range(7, 2, -1):
        new = endings.get(word[-size:]) if len(word) > size else None
        if new is not None:
            return word[:-size] + new if _measure(word[:-size]) else word
    return word


def _stripped(word: str) -> str:
    for ending in _FOURTH:
        if word.endswith(ending):
            rest = word[: -len(ending)]
            cut = _measure(rest) > 1 and (ending != "ion" or rest.endswith(("s", "t")))
            return rest if cut else word
    return word


def _tidy(word: str) -> str:
    if word.endswith("e"):
        rest = word[:-1]
        measure = _measure(rest)
        if measure > 1 or (measure == 1 and not _is_short(rest)):
            word = rest
    return word[:-1] if word.endswith("ll") and _measure(word[:-1]) > 1 else word
