"""Sentences: what somebody says, cut into pieces that each say one thing of the speaker.

English only, and careful rather than complete: a question, a condition, a quotation or a text that is to be worked on says
nothing of whoever wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

import msgspec

LONGEST = 8_000
"""Characters of a message that are looked at: what people say of themselves stands at its beginning."""

_QUOTED = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|\"[^\"\n]*\"|“[^”]*”|«[^»]*»|^[ \t]*>.*$", re.S | re.M)
_ENDS = re.compile(r"(?<=[.!?…])[\"')\]]*\s+|\n+|;\s+")
_CLAUSES = re.compile(
    r"(?:,\s*|\s+)(?:and|but|so|because|though|although|while|yet)\s+(?=(?:i(?! are)|we|my|call me|you can call)\b)"
    r"|,\s*(?=(?:i|we|my)\b)",
    re.I,
)
_TASK = re.compile(
    r"\b(?:translate|proofread|paraphrase|rephrase|rewrite|summari[sz]e|spell-?check|grammar|pretend|role-?play|"
    r"repeat after me|imagine|fill in|complete the)\b",
    re.I,
)
_UNREAL = re.compile(
    r"(?:(?:and|but|so|then|or)\s+)?(?:if|unless|when(?:ever)?|suppose|assum(?:e|ing)|pretend|imagine|say|as if|in case|"
    r"would|could|should|had|were|maybe|perhaps|hopefully|ideally|once|until|till)\b",
    re.I,
)
_CORRECTS = re.compile(
    r"(?:oh|well|hm+|ah|oops|wait|hold on)?[,.! ]*(?:actually|no|nope|sorry|correction|i meant|i mean|scratch that|"
    r"in fact|that'?s wrong|wrong)\b",
    re.I,
)
_LEADS = re.compile(
    r"(?:(?:actually|by the way|btw|well|so|oh|ah|hi|hello|hey|hiya|good (?:morning|evening|afternoon)|and|but|also|no|nope|"
    r"yes|yeah|yep|ok|okay|fyi|now|sorry|correction|in fact|to be honest|honestly|these days|nowadays|currently|wait|"
    r"hold on|oops|scratch that|i meant|i mean|"
    r"(?:please |just )?(?:remember|note|know|keep in mind|don't forget)(?: this)?(?: that)?|"
    r"(?:just )?(?:so )?you (?:should )?know(?: that)?|as you (?:may )?know|let me tell you(?: that)?|"
    r"i (?:want|wanted|would like|have) (?:you to know|to tell you)(?: that)?|i think i should say(?: that)?)"
    r"\b(?: there| all| everyone| everybody)?\s*[,:.!–—-]*\s*)+",
    re.I,
)
_NAMED = re.compile(
    r"@?[\w'-]{2,32}(?: [A-Z][\w'-]{1,32})?[,:]\s+(?=(?:i|we|my|call me|you can call|actually|no|sorry|please|remember|note)\b)",
    re.I,
)
_NO_NAME = re.compile(r"(?:he|she|they|it|this|that|said|says|quote|translate|example|sentence|text|if|when)\b", re.I)


class Clause(msgspec.Struct, frozen=True):
    """One piece: ``text`` without what only leads to it. ``corrects`` when the speaker takes something back with it."""

    text: str
    corrects: bool = False


def plain(text: str) -> str:
    """With straight apostrophes and single spaces."""
    return " ".join(text.replace("’", "'").replace("‘", "'").split())


@lru_cache(maxsize=16)
def clauses(text: str) -> tuple[Clause, ...]:
    """What a speaker says of the world and themselves, piece by piece; nothing where the text is one to be worked on."""
    said = _QUOTED.sub(" ", text[:LONGEST].replace("’", "'").replace("‘", "'"))
    return () if _TASK.search(said) else tuple(_clauses(said))


def _clauses(said: str) -> Iterator[Clause]:
    for sentence in _ENDS.split(said):
        whole = plain(sentence or "")
        if not whole or whole.endswith("?"):
            continue
        corrects = _CORRECTS.match(whole) is not None
        named = None if _UNREAL.match(whole) or _NO_NAME.match(whole) else _NAMED.match(whole)
        if named is not None:
            whole = whole[named.end() :]
        if _UNREAL.match(whole):
            continue
        corrects = corrects or _CORRECTS.match(whole) is not None
        for piece in _CLAUSES.split(_without_lead(whole)):
            clause = _without_lead(piece).strip(" .!…,;:–—-")
            if clause and not _UNREAL.match(clause):
                yield Clause(clause, corrects)


def _without_lead(text: str) -> str:
    lead = _LEADS.match(text)
    if lead is None or lead.end() >= len(text):
        return text
    rest = text[lead.end() :]
    boundary = not lead.group()[-1:].isalnum()  # "no" leads to something, "nobody" is a word
    return rest if boundary else text
