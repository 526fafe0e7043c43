"""Notes of a person as that person would say them: ``Ana lives in Porto`` as ``I live in Porto``, and which of them still hold."""

from __future__ import annotations

import re
from collections.abc import Iterable

_VERBS = {"is": "am", "has": "have", "does": "do", "goes": "go", "was": "was"}
_STEPS_OVER = frozenset(("no", "not", "now", "also", "really", "longer", "never", "always", "usually", "often"))
_SINGLE = re.compile(
    r"I (?:(?:no longer )?live in|am from|work (?:as|at|in)|study|was born (?:in|on)|like to be called)\b"
    r"|I am(?= \d+ years)|My [\w' -]+? is\b",
    re.IGNORECASE,
)


def first_person(text: str, name: str) -> str:
    """A note about whoever has this name in their own words; a note about something else as it is."""
    found = re.match(rf"{re.escape(name)}(?P<own>['’]s)? (?=\S)", text, re.IGNORECASE) if name else None
    if found is None:
        return text
    if found["own"]:
        return f"My {text[found.end() :]}"
    words = text[found.end() :].split(" ")
    for number, word in enumerate(words):
        if word.casefold() not in _STEPS_OVER:
            words[number] = _verb(word)
            break
    return f"I {' '.join(words)}"


def _verb(word: str) -> str:
    lower = word.casefold()
    if lower in _VERBS:
        return _VERBS[lower]
    if lower.endswith("ies") and len(lower) > 4:
        return f"{word[:-3]}y"
    if lower.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    return word[:-1] if lower.endswith("s") and not lower.endswith("ss") and len(lower) > 2 else word


def holding(notes: Iterable[str]) -> list[str]:
    """Those that hold, of notes in the first person, the newest first: of what somebody has one of, such as a home, the newest."""
    kept: dict[str, str] = {}
    for note in notes:
        single = _SINGLE.match(note)
        kept.setdefault(" ".join((single[0] if single else note).casefold().replace("no longer ", "").split()), note)
    return list(kept.values())
