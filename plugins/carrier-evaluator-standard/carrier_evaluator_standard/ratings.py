"""Ratings: what people think of a reply, and which drafts were sent back; kept as memories, never learned from blindly."""

from __future__ import annotations

import re

import msgspec

from carrier_core import OPERATOR, Json, Memory, MemoryKind, Part, Provenance, derive, make_id
from carrier_evaluator_standard.facts import Teller
from carrier_evaluator_standard.fields import fields_of, shown
from carrier_evaluator_standard.sentences import plain

GOOD, BAD = 1, -1

LONGEST = 300
"""Characters of a verdict that are kept."""
SHOWN = 200
"""Characters of the reply that a rating tells."""

_LEAD = (
    r"(?:(?:oh|ok|okay|wow|ah|yes|no|hey|haha|thanks|thank you|well|that was(?: a)?|that's(?: a)?|very|so|really),? )*"
)
_TAIL = r"(?:,? (?:bot|robot|thanks|thank you|job|work|answer|reply|one|robin|indeed|so much|a lot|very much))*"
_GOOD = re.compile(
    rf"{_LEAD}(?:good (?:bot|answer|reply|job)|great (?:bot|answer|reply|job)|well done|nice (?:work|job|answer|one)|perfect|"
    rf"excellent|awesome|brilliant|spot on|exactly right|you(?:'re| are) (?:right|the best|amazing)|"
    rf"(?:that )?(?:was |is )?(?:very |really |so |super )?(?:helpful|useful)|(?:that |this )?(?:really )?helped){_TAIL}",
    re.I,
)
_BAD = re.compile(
    rf"{_LEAD}(?:bad (?:bot|answer|reply)|terrible(?: answer)?|awful|useless|stupid (?:bot|answer)|wrong(?: answer)?|"
    rf"(?:that's|that is|this is|you(?:'re| are)) (?:wrong|incorrect|not right|not true|not helpful|useless|mistaken)|"
    rf"not (?:true|right|correct|helpful)|(?:that )?(?:was |is )?(?:unhelpful|nonsense)|"
    rf"(?:that )?(?:did not|didn't) help(?: me)?(?: at all)?){_TAIL}",
    re.I,
)
_UP = frozenset(
    "👍 ❤ 🎉 👏 💯 😍 🙏 ⭐ 🌟 ✅ +1 thumbsup thumbs_up heart tada clap 100 like love :+1: :heart: :thumbsup:".split()
)
_DOWN = frozenset("👎 😡 😠 💩 ❌ 🤮 -1 thumbsdown thumbs_down dislike angry :-1: :thumbsdown:".split())
_MODIFIERS = re.compile("[\ufe0f\u200d\U0001f3fb-\U0001f3ff]")


class Rating(msgspec.Struct, frozen=True):
    """``score`` is 1 for good and -1 for bad; ``said`` is what it was told by."""

    score: int
    said: str


def rated(text: str) -> Rating | None:
    """The rating that a message is, if it is one and nothing else: "Good bot!", a thumb."""
    words = plain(text)
    if not words or len(words) > 80 or words.endswith("?"):
        return None
    reaction = of_reaction(words)
    if reaction is not None:
        return reaction
    bare = re.sub(r"[.!…]+", "", words).strip(" ,;:)(").strip()
    for pattern, score in ((_GOOD, GOOD), (_BAD, BAD)):
        if pattern.fullmatch(bare):
            return Rating(score, words)
    return None


def of_reaction(value: str) -> Rating | None:
    """The rating that a reaction is; None where it says neither good nor bad."""
    signs = [_MODIFIERS.sub("", sign).lower() for sign in value.split()]
    signs = [sign[0] if sign and len(set(sign)) == 1 else sign for sign in signs]  # three thumbs are a thumb
    for known, score in ((_UP, GOOD), (_DOWN, BAD)):
        if signs and all(sign in known for sign in signs):
            return Rating(score, " ".join(value.split())[:80])
    return None


def rating(teller: Teller, given: Rating, reply: Memory) -> Memory:
    """The memory of a rating that was said: one for each person and reply, the same that a reaction to that reply has, so that
    the later takes the place of the earlier."""
    data: dict[str, Json] = {"value": given.said, "score": given.score, "reply": reply.id}
    word = "liked" if given.score > 0 else "did not like"
    made = derive((teller.spoken, reply.provenance))
    origins = tuple(origin for origin in made.origins if origin != OPERATOR)  # for whom a plugin may not speak
    about = " ".join(reply.text.split())[:SHOWN]
    text = f"{shown(teller.person.name)} {word} your answer “{about}” ({given.said})."
    key = make_id("rating", teller.agent, reply.turn or reply.id, teller.person.id)
    return _memory(teller, key, text, Provenance(origins, made.audience), data)


def in_words(memory: Memory) -> str:
    """A rating or verdict as a sentence; a reaction is kept as its sign alone."""
    data = fields_of(memory)
    if "score" in data or "verdict" in data:
        return memory.text
    given = of_reaction(memory.text)
    word = "" if given is None else ", which is good" if given.score > 0 else ", which is bad"
    return f"{shown(memory.name)} reacted with {' '.join(memory.text.split())[:80]} to an answer of yours{word}."


def verdict(teller: Teller, word: str, feedback: str, number: int, provenance: Provenance | None) -> Memory:
    """The memory of a draft that was not accepted, and why; ``number`` tells those of one turn apart."""
    text = " ".join(feedback.split())[:LONGEST]
    data: dict[str, Json] = {"verdict": word, "feedback": text, "turn": teller.turn}
    key = make_id("memory", teller.agent, "verdict", teller.turn, str(number))
    made = provenance or Provenance((), teller.spoken.audience)
    return _memory(teller, key, f"A draft of yours was not accepted: {text}", made, data)


def _memory(teller: Teller, key: str, text: str, provenance: Provenance, data: dict[str, Json]) -> Memory:
    return Memory(
        key,
        teller.agent,
        teller.room,
        MemoryKind.RATING,
        (Part(text, key="rating", provenance=provenance),),
        teller.at,
        Provenance(provenance.origins, provenance.audience & teller.spoken.audience),
        entity=teller.person.id,
        name=teller.person.name,
        turn=teller.turn,
        data=data,
    )
