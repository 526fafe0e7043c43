"""Measure: how much a text is for a model, and where it can be cut."""

from __future__ import annotations

import re
from collections.abc import Callable

WORD = 16
"""Characters that count as one word at most: what has no spaces (a key, a URL, base64) is not short because of that."""

# Scripts that put no space between words; a pair of their signs is about a word. Hangul has spaces, and long words.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
_WORD = re.compile(rf"[{_UNSPACED}]{{1,2}}|[^\s{_UNSPACED}]{{1,{WORD}}}")
_END = re.compile(r"[.!?…]['\")\]’”»]{0,3}(?=\s)|[。！？][」』”）]{0,3}|[؟।](?=\s)")
_SHORT = frozenset(
    "mr mrs ms dr prof st jr sr vs etc e.g i.e cf no nr vol p pp fig ca approx inc ltd co corp dept al "
    "z.b d.h u.a bzw usw evtl ggf abs art str sra"
    " jan feb mar apr jun jul aug sep sept oct nov dec".split()
)
_OPENS = "\"'([{«“‘„¿¡"


def words(text: str) -> int:
    """About how many words a text has."""
    return len(_WORD.findall(text))


def sentences(text: str) -> list[str]:
    """The text cut after its sentences; together they are the text. What only looks like an end (``Dr.``, ``3.``, a small letter
    after the stop) is none."""
    found, start = [], 0
    for match in _END.finditer(text):
        end = match.end()
        while end < len(text) and text[end].isspace():
            end += 1
        if end > start and _is_end(text, start, match, end):
            found.append(text[start:end])
            start = end
    if start < len(text):
        found.append(text[start:])
    return found


def _is_end(text: str, start: int, match: re.Match[str], after: int) -> bool:
    if after >= len(text):
        return True
    if text[match.start()] != ".":
        return True
    following = text[after]
    if following.islower():
        return False
    before = text[max(start, match.start() - 12) : match.start()].split()
    last = before[-1].lstrip(_OPENS) if before else ""
    if last.isdecimal() and "\n" in text[match.end() : after]:
        return True
    return not (last.casefold() in _SHORT or last.isdecimal() or (len(last) == 1 and last.isupper()))


def lines(text: str) -> list[str]:
    """The text cut after its lines; together they are the text."""
    return text.splitlines(keepends=True)


def items(text: str) -> list[str]:
    """A list cut before its outermost items; together they are the text. A line that is indented belongs to the item above."""
    found: list[str] = []
    for line in lines(text):
        if found and (line[:1].isspace() or not line.strip()):
            found[-1] += line
        else:
            found.append(line)
    return found


def runs(text: str, most: int) -> list[str]:
    """The text cut into pieces of at most so many words; together they are the text. A word is cut only where it is too long
    to be one."""
    matches = list(_WORD.finditer(text))
    found, start, first = [], 0, 0
    while len(matches) - first > most:
        last = first + most
        while last > first + 1 and matches[last].start() == matches[last - 1].end() and not _apart(text, matches[last]):
            last -= 1
        if last == first + 1:
            last = first + most  # one word longer than a piece
        end = matches[last].start()
        found.append(text[start:end])
        start, first = end, last
    found.append(text[start:])
    return found


def _apart(text: str, match: re.Match[str]) -> bool:
    """Whether a script without spaces goes on here: between its words is no space anyway."""
    return re.match(f"[{_UNSPACED}]", text[match.start()]) is not None


def packed(atoms: list[str], most: int) -> list[str]:
    """Neighbours put together again, as long as they are at most so many words."""
    found: list[str] = []
    size = 0
    for atom in atoms:
        weight = words(atom)
        if found and size + weight <= most:
            found[-1] += atom
            size += weight
        else:
            found.append(atom)
            size = weight
    return found


def cut(text: str, most: int, *cuts: Callable[[str], list[str]]) -> list[str]:
    """The text in pieces of at most so many words, cut the first way that is given; what is still too long, the next way, and
    at last between words. Together they are the text."""
    if words(text) <= most:
        return [text]
    if not cuts:
        return runs(text, most)
    return packed([piece for atom in cuts[0](text) for piece in cut(atom, most, *cuts[1:])], most)
