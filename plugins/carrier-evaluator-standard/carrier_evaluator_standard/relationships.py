"""Relationships: who knows whom in a room, and how often they address one another.

One memory for each pair and room, so that what is known of a pair in one room is not told in another.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from carrier_core import Entity, Json, Memory, MemoryKind, Part, Provenance, derive, make_id, person
from carrier_evaluator_standard.facts import Teller
from carrier_evaluator_standard.fields import fields_of, items_of, shown
from carrier_evaluator_standard.ties import Tie

EARLIER = 20
"""Earlier ties that a relationship keeps."""


class Known(msgspec.Struct, frozen=True):
    """Somebody of a pair: by entity id where it is known who that is, else by name."""

    id: str
    name: str

    @property
    def origins(self) -> tuple[str, ...]:
        """Whose word the name is, besides that of whoever spoke it."""
        return () if self.id.startswith("name:") else (person(self.id),)


class Heard(msgspec.Struct, frozen=True):
    """A tie that was told, and whose words it is."""

    tie: Tie
    provenance: Provenance


def pair_id(agent: str, provenance: Provenance, one: str, other: str) -> str:
    """The id of a relationship: the same whoever of the two is named first."""
    first, second = sorted((one, other))
    audience = provenance.audience
    return make_id("memory", agent, "relationship", *audience.rooms, "/", *(audience.persons or ()), "/", first, second)


def updated(
    teller: Teller, heard: Iterable[Heard], met: Iterable[Entity], people: Iterable[Entity], known: Iterable[Memory]
) -> tuple[Memory, ...]:
    """The relationships that are new or have changed: by what was ``heard`` of whom the teller knows, and by whom they addressed.

    ``people`` are those who may be meant by a name; ``known`` the relationships of this room.
    """
    there = [each for each in people if each.id != teller.person.id]
    stored = {memory.id: memory for memory in known if memory.kind is MemoryKind.RELATIONSHIP}
    changed: dict[str, Memory] = {}
    for each in heard:
        other = named(each.tie.name, there)
        if each.tie.sure or not other.id.startswith("name:"):
            _keep(changed, _tied(teller, other, each, stored | changed))
    for entity in {each.id: each for each in met if each.id != teller.person.id}.values():
        _keep(changed, _met(teller, Known(entity.id, entity.name), stored | changed))
    return tuple(changed.values())


def named(name: str, people: Iterable[Entity]) -> Known:
    """Who is meant by a name among these people; by name alone where that is nobody, or more than one."""
    wanted = name.casefold()
    found = {
        each.id: each
        for each in people
        if wanted in (each.name.casefold(), each.username.casefold(), each.name.partition(" ")[0].casefold())
    }
    if len(found) == 1:
        (entity,) = found.values()
        return Known(entity.id, entity.name)
    return Known(f"name:{wanted}", name)


def _keep(changed: dict[str, Memory], memory: Memory | None) -> None:
    if memory is not None:
        changed[memory.id] = memory


def _tied(teller: Teller, other: Known, heard: Heard, known: dict[str, Memory]) -> Memory | None:
    tie = heard.tie
    older = known.get(pair_id(teller.agent, teller.spoken, teller.person.id, other.id))
    data = fields_of(older)
    tags = _tags(data)
    said = {"tag": tie.tag, "who": other.id, "of": teller.person.id}
    of_them = [tag for tag in tags if (tag.get("who"), tag.get("of")) == (other.id, teller.person.id)]
    if tie.ended:
        gone = [tag for tag in of_them if tag["tag"] == tie.tag]
        kept = [tag for tag in tags if tag not in gone]
    else:
        gone = [tag for tag in of_them if tie.corrects and tag["tag"] != tie.tag]
        kept = [tag for tag in tags if tag not in gone and tag != said] + [said]
    if sorted(map(str, kept)) == sorted(map(str, tags)):
        return None
    was = items_of(data.get("was"))[:]
    was += [{**tag, "at": teller.at, "turn": teller.turn} for tag in gone]
    changes: dict[str, Json] = {"tags": [{**tag} for tag in kept], "was": was[-EARLIER:]}
    return _memory(teller, other, older, heard.provenance, changes)


def _met(teller: Teller, other: Known, known: dict[str, Memory]) -> Memory:
    older = known.get(pair_id(teller.agent, teller.spoken, teller.person.id, other.id))
    count = fields_of(older).get("count")
    changes: dict[str, Json] = {"count": count + 1 if isinstance(count, int) else 1, "last": teller.at}
    return _memory(teller, other, older, teller.spoken, changes)


def _memory(teller: Teller, other: Known, older: Memory | None, said: Provenance, changes: dict[str, Json]) -> Memory:
    me = Known(teller.person.id, teller.person.name)
    earlier = fields_of(older).get("names")
    names: dict[str, Json] = {**(earlier if isinstance(earlier, dict) else {}), me.id: me.name, other.id: other.name}
    start: dict[str, Json] = {"tags": [], "count": 0, "last": teller.at, "was": []}
    data: dict[str, Json] = {**start, **fields_of(older), **changes}
    data |= {"people": [*sorted((me.id, other.id))], "names": names}
    inputs = [said, Provenance(other.origins)]
    if older is not None:
        inputs.append(older.provenance)
    made = derive(inputs)
    provenance = Provenance(made.origins, made.audience & teller.spoken.audience)
    return Memory(
        pair_id(teller.agent, teller.spoken, me.id, other.id),
        teller.agent,
        teller.room,
        MemoryKind.RELATIONSHIP,
        (Part(_sentence(me, other, data), key="relationship", provenance=provenance),),
        teller.at,
        provenance,
        entity=teller.person.id,
        name=teller.person.name,
        turn=teller.turn,
        data=data,
    )


def _sentence(me: Known, other: Known, data: dict[str, Json]) -> str:
    names = {me.id: shown(me.name), other.id: shown(other.name)}
    told = [
        f"{names.get(str(tag.get('who')), 'Somebody')} is {names.get(str(tag.get('of')), 'somebody')}'s {tag['tag']}."
        for tag in _tags(data)
    ]
    if told:
        return " ".join(told)
    knows = "talk with each other" if data.get("count") else "know each other"
    return f"{names[me.id]} and {names[other.id]} {knows}."


def _tags(data: dict[str, Json]) -> list[dict[str, str]]:
    tags = [tag for tag in items_of(data.get("tags")) if isinstance(tag, dict) and isinstance(tag.get("tag"), str)]
    return [{key: str(tag.get(key, "")) for key in ("tag", "who", "of")} for tag in tags]
