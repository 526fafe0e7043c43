"""Facts: what is known of somebody, one memory for each, corrected in place and with what it was before.

A fact belongs to whoever told it and to those who heard it. The same told in another room is another memory, so that a
correction in one neither shows in the other nor destroys what was told there.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from carrier_core import Audience, Entity, Json, Memory, MemoryKind, Part, Provenance, derive, make_id, outside
from carrier_evaluator_standard.claims import PETS, Claim, alike, same, wholly
from carrier_evaluator_standard.fields import fields_of, items_of, shown

EARLIER = 20
"""Earlier values that a fact keeps."""

_TEXTS = {
    "nickname": ("{who} likes to be called {value}.", "{who} does not want to be called {value} any more."),
    "home": ("{who} lives in {value}.", "{who} no longer lives in {value}."),
    "origin": ("{who} is from {value}.", "{who} is not from {value}."),
    "job": ("{who} works as {value}.", "{who} no longer works as {value}."),
    "employer": ("{who} works at {value}.", "{who} no longer works at {value}."),
    "field of work": ("{who} works in {value}.", "{who} no longer works in {value}."),
    "studies": ("{who} studies {value}.", "{who} no longer studies {value}."),
    "birth year": ("{who} was born in {value}.", "{who} was not born in {value}."),
    "birthplace": ("{who} was born in {value}.", "{who} was not born in {value}."),
    "age": ("{who} is {value} years old.", "{who} is no longer {value} years old."),
    "diet": ("{who} is {value}.", "{who} is no longer {value}."),
    "allergies": ("{who} is allergic to {value}.", "{who} is not allergic to {value}."),
    "languages": ("{who} speaks {value}.", "{who} does not speak {value}."),
    "prefers": ("{who} prefers {value}.", "{who} no longer prefers {value}."),
    "likes": ("{who} likes {value}.", "{who} no longer likes {value}."),
    "dislikes": ("{who} does not like {value}.", "{who} has nothing against {value}."),
    "summary": ("{value}", ""),
}
_GENERIC = ("{who}'s {attribute} is {value}.", "{who}'s {attribute} is no longer {value}.")
_PET = ("{who} has a {attribute} called {value}.", "{who} no longer has a {attribute} called {value}.")


class Teller(msgspec.Struct, frozen=True):
    """Who tells the agent something, where and when. ``spoken`` is the provenance of their own words."""

    agent: str
    room: str
    person: Entity
    spoken: Provenance
    at: float
    turn: str


class Told(msgspec.Struct, frozen=True):
    """A claim with whom it is about, the teller where ``subject`` is empty. ``replaces`` is the value that it corrects, where
    that was said. ``made`` is the provenance where the words are not the teller's own; ``text`` then may be the sentence."""

    claim: Claim
    subject: str = ""
    replaces: str = ""
    made: Provenance | None = None
    text: str = ""


def fact_id(agent: str, person: str, audience: Audience, attribute: str, *, subject: str = "", value: str = "") -> str:
    """The id of a fact: the same whenever the same is told of the same by the same person to the same audience. ``value`` is
    for an attribute that may have several."""
    heard = (*audience.rooms, "/", *(audience.persons or ()))
    return make_id("memory", agent, "fact", person, *heard, "/", subject.casefold(), attribute, alike(value))


def merged(teller: Teller, told: Iterable[Told], known: Iterable[Memory]) -> tuple[Memory, ...]:
    """The facts that are new or have changed, after all that was told. ``known`` are the teller's facts in this room."""
    facts = {memory.id: memory for memory in known if _is_own(memory, teller)}
    changed: dict[str, Memory] = {}
    for each in told:
        learned = _ended(teller, each, facts) if each.claim.ended else _learned(teller, each, facts)
        for memory in learned:
            facts[memory.id] = changed[memory.id] = memory
    return tuple(changed.values())


def repeated(teller: Teller, changed: Iterable[Memory], known: Iterable[Memory]) -> tuple[Memory, ...]:
    """The facts that say the same as one that is kept, or that has changed and said it before, in free words: what an action noted of
    the teller in this room, as "Ana likes tea" or "I like tea". They would stand beside it, and be wrong after the next
    correction. ``known`` are all facts as they were before, those that an action noted in this turn among them."""
    changed, known = tuple(changed), tuple(known)
    current = {memory.id: memory for memory in (*known, *changed) if _is_own(memory, teller)}
    said = {alike(text) for memory in changed for text in _texts(memory)} | {
        alike(each.text) for each in current.values()
    }
    values = {_pair(memory, value) for memory in changed for value in (*_values(memory), value_of(memory))}
    values |= {_pair(memory, value_of(memory)) for memory in current.values()}
    values.add(("name", alike(teller.person.name)))
    return tuple(
        memory
        for memory in known
        if memory.kind is MemoryKind.FACT
        and (memory.agent, memory.room, memory.entity) == (teller.agent, teller.room, teller.person.id)
        and "attribute" not in fields_of(memory)
        and (alike(memory.text) in said or _is_among(memory, values))
    )


def _is_among(note: Memory, values: set[tuple[str, str]]) -> bool:
    """Whether a note in the first person says nothing but what these attributes and values do."""
    told = wholly(note.text)
    return bool(told) and all((claim.attribute, alike(claim.value)) in values for claim in told)


def _pair(memory: Memory, value: str) -> tuple[str, str]:
    """What a fact of the teller says, to be compared; that of another person is none of theirs."""
    data = fields_of(memory)
    about = str(data.get("attribute")) if data.get("subject") == memory.entity else ""
    return about, alike(value)


def _texts(memory: Memory) -> list[str]:
    """A fact as it is and as it was, as sentences."""
    claim = Claim(str(fields_of(memory).get("attribute")), "")
    return [memory.text, *(_sentence(memory.name, claim, value) for value in _values(memory))]


def _values(memory: Memory) -> list[str]:
    """What a fact was."""
    return [str(was.get("value")) for was in items_of(fields_of(memory).get("was")) if isinstance(was, dict)]


def value_of(memory: Memory) -> str:
    """What a fact says now; empty where it is no fact of this plugin, or has ended."""
    value = fields_of(memory).get("value")
    return value if isinstance(value, str) else ""


def is_of(memory: Memory, subject: str, attribute: str) -> bool:
    """Whether a fact is about this attribute of this subject."""
    data = fields_of(memory)
    about = data.get("subject")
    return data.get("attribute") == attribute and isinstance(about, str) and about.casefold() == subject.casefold()


def _is_own(memory: Memory, teller: Teller) -> bool:
    """A fact that this teller may correct: their own, heard by those who hear this."""
    return (
        memory.kind is MemoryKind.FACT
        and memory.agent == teller.agent
        and memory.room == teller.room
        and memory.entity == teller.person.id
        and memory.provenance.audience == teller.spoken.audience
        and isinstance(fields_of(memory).get("attribute"), str)
    )


# --- one claim ----------------------------------------------------------------------------------------------------------


def _learned(teller: Teller, told: Told, facts: dict[str, Memory]) -> list[Memory]:
    claim = told.claim
    older = _corrected(teller, told, facts)
    key = older.id if older is not None else _id(teller, told)
    older = facts.get(key)
    if older is not None and same(value_of(older), claim.value):
        return []
    if older is None and claim.attribute == "name" and not told.subject and same(claim.value, teller.person.name):
        return []  # whoever reads it knows them by that name already
    return [_memory(teller, told, key, older)]


def _ended(teller: Teller, told: Told, facts: dict[str, Memory]) -> list[Memory]:
    """The fact that is no more; none where it was not known, or something else is."""
    ended = []
    for memory in list(facts.values()):
        value = value_of(memory)
        is_meant = value and is_of(memory, _subject(teller, told), told.claim.attribute)
        if is_meant and (not told.claim.value or same(value, told.claim.value)):
            ended.append(_memory(teller, told, memory.id, memory))
    return ended


def _corrected(teller: Teller, told: Told, facts: dict[str, Memory]) -> Memory | None:
    """The fact of an attribute with several that is corrected: the one that was named, or, of a pet, the only one."""
    if not told.claim.many:
        return None
    of_it = [
        memory
        for memory in facts.values()
        if is_of(memory, _subject(teller, told), told.claim.attribute) and value_of(memory)
    ]
    if told.replaces:
        return next((memory for memory in of_it if same(value_of(memory), told.replaces)), None)
    is_the_only = len(of_it) == 1 and told.claim.corrects and told.claim.attribute in PETS
    return of_it[0] if is_the_only else None


def _id(teller: Teller, told: Told) -> str:
    claim = told.claim
    value = claim.value if claim.many else ""
    person, audience = teller.person.id, teller.spoken.audience
    return fact_id(teller.agent, person, audience, claim.attribute, subject=told.subject, value=value)


def _subject(teller: Teller, told: Told) -> str:
    return told.subject or teller.person.id


def _memory(teller: Teller, told: Told, key: str, older: Memory | None) -> Memory:
    claim = told.claim
    value = value_of(older) if older is not None and claim.ended else claim.value
    data: dict[str, Json] = {
        "subject": _subject(teller, told),
        "attribute": claim.attribute,
        "value": None if claim.ended else value,
        "was": _history(older),
    }
    made = told.made or teller.spoken
    if older is not None:
        made = _with_doubts(made, older.provenance)
    text = told.text or _sentence(told.subject or teller.person.name, claim, value)
    return Memory(
        key,
        teller.agent,
        teller.room,
        MemoryKind.FACT,
        (Part(text, key="fact", provenance=made),),
        teller.at,
        Provenance(made.origins, teller.spoken.audience),
        entity=teller.person.id,
        name=teller.person.name,
        turn=teller.turn,
        data=data,
    )


def _history(older: Memory | None) -> list[Json]:
    """What the fact was, oldest first, with what it is until now."""
    if older is None:
        return []
    before = list(items_of(fields_of(older).get("was")))
    if value_of(older):
        before.append({"value": value_of(older), "at": older.at, "turn": older.turn})
    return before[-EARLIER:]


def _with_doubts(made: Provenance, older: Provenance) -> Provenance:
    """What was of doubtful origin stays so in the lineage: a fact keeps the outside origins of what it was."""
    doubtful = tuple(origin for origin in older.origins if origin.startswith(outside("")))
    return derive((made, Provenance(doubtful))) if doubtful else made


def _sentence(who: str, claim: Claim, value: str) -> str:
    """The fact as a sentence that can be understood by itself."""
    texts = _TEXTS.get(claim.attribute, _PET if claim.attribute in PETS else _GENERIC)
    return texts[claim.ended].format(who=shown(who), attribute=claim.attribute, value=value)
