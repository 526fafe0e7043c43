"""Ties: what a speaker says of whom they know, found by rules, in English and without a model."""

from __future__ import annotations

import re

import msgspec

from carrier_evaluator_standard.sentences import Clause, clauses


class Tie(msgspec.Struct, frozen=True):
    """``name`` is the speaker's ``tag``: friend, brother, boss. ``ended`` where that is not so; ``corrects`` where it takes the
    place of what was said before. What is not ``sure`` counts only if somebody of that name is known."""

    name: str
    tag: str
    ended: bool = False
    corrects: bool = False
    sure: bool = True


_TAGS = (
    "brother|sister|sibling|mother|mum|mom|father|dad|parent|son|daughter|wife|husband|spouse|partner|girlfriend|boyfriend|"
    "fiancée?|best friend|friend|colleague|co-?worker|boss|manager|assistant|neighbou?r|uncle|aunt|cousin|nephew|niece|"
    "grandmother|grandma|grandfather|grandpa|flatmate|roommate|housemate|teacher|student|doctor|dentist|therapist|mentor|"
    "landlord|landlady|ex-wife|ex-husband|ex|teammate|classmate"
)
_NAME = r"(?P<name>[^\W\d_][\w'-]*(?: [^\W\d_][\w'-]*){0,2})"
_SURE = (
    rf"{_NAME} is (?P<ended>no longer |not )?(?:also |now )?my (?P<tag>{_TAGS})",
    rf"my (?P<tag>{_TAGS})(?:'s name is| is called| is named) {_NAME}",
    rf"i(?:'ve| have)(?: got)? an? (?:older |younger |little |big |twin )?(?P<tag>{_TAGS}) (?:called|named) {_NAME}",
    rf"i(?:'m| am) (?P<tag>married to|engaged to|dating|divorced from|related to) {_NAME}",
    rf"{_NAME} and i are (?P<tag>friends|best friends|colleagues|siblings|cousins|neighbou?rs|married|flatmates)",
)
_UNSURE = (rf"my (?P<tag>{_TAGS}) is {_NAME}",)  # "My sister is Portuguese" names nobody
_RULES = [(re.compile(rule, re.I), True) for rule in _SURE] + [(re.compile(rule, re.I), False) for rule in _UNSURE]

_SAME = {
    "married to": "spouse",
    "married": "spouse",
    "engaged to": "fiancé",
    "dating": "partner",
    "divorced from": "ex",
    "related to": "relative",
    "friends": "friend",
    "best friends": "best friend",
    "colleagues": "colleague",
    "siblings": "sibling",
    "cousins": "cousin",
    "neighbours": "neighbour",
    "neighbors": "neighbour",
    "neighbor": "neighbour",
    "flatmates": "flatmate",
    "mum": "mother",
    "mom": "mother",
    "dad": "father",
    "grandma": "grandmother",
    "grandpa": "grandfather",
    "co-worker": "colleague",
    "coworker": "colleague",
}
_NO_NAMES = frozenset(
    "he she it this that they who there you what here his her these those one nobody somebody someone everyone music work "
    "food coffee time life love god".split()
)


def ties(text: str) -> tuple[Tie, ...]:
    """All that the text says of whom its speaker knows, in order."""
    found = [_tie(clause) for clause in clauses(text)]
    return tuple(dict.fromkeys(tie for tie in found if tie is not None))


def tag_of(words: str) -> str:
    """One word for what has several: "mum" is "mother"."""
    tag = " ".join(words.lower().split())
    return _SAME.get(tag, tag)


def _tie(clause: Clause) -> Tie | None:
    for rule, sure in _RULES:
        found = rule.fullmatch(clause.text)
        if found is None:
            continue
        name = found["name"]
        if name.split()[0].lower() in _NO_NAMES or (sure and not name[0].isupper()):
            continue
        ended = bool(found.groupdict().get("ended"))
        return Tie(name, tag_of(found["tag"]), ended, clause.corrects, sure)
    return None
