"""Addresses: which room is meant by the name of a room or of a person.

Names are what people call themselves, so a name that fits several of them is nobody's address, and nothing is guessed. An id is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

from carrier_core import Entity, Kept, Room, RoomKind, Turn, outside, person

if TYPE_CHECKING:
    from carrier_core import Host

_GROUPS = 300  # rooms of many whose people are looked at for a name
_DIRECT = 5_000  # direct rooms that are looked at for a person; who is in one does not change, and is kept in mind
_NEAR = 20  # names that are told of those that could be meant
_KEPT = 20_000  # direct rooms that are kept in mind

_partners: WeakKeyDictionary[Host, Kept[str, tuple[Entity, ...]]] = WeakKeyDictionary()


class Found(NamedTuple):
    """The room that is meant; without one, what is wrong, the names that could be meant, and whose words those are."""

    room: Room | None
    problem: str = ""
    near: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()


async def room_of(turn: Turn, name: str) -> Found:
    """The room that a name leads to: that of a room of the agent's, or the direct room of a person that it knows."""
    wanted = _plain(name)
    rooms = await turn.agent.memory.rooms(agent=turn.agent.name)
    exact = [room for room in rooms if room.id == name.strip()]
    if exact:
        return Found(exact[0])
    people = await people_named(turn, name, rooms)
    if len(people) > 1:
        return await _either(turn, f"Several people are called {name.strip()}. Name one by the id", people)
    theirs = await _direct_rooms(turn, people[0], rooms) if people else []
    named = [room for room in rooms if wanted in (_plain(room.name), _plain(room.native))]
    if len(named) > 1:  # the one beside this room is meant rather than one of another platform
        beside = [room for room in named if (room.platform, room.world) == (turn.room.platform, turn.room.world)]
        named = beside if len(beside) == 1 else named
    meant = theirs or named
    if len(meant) == 1:
        return Found(meant[0])
    if meant:
        return _rooms(f"{name.strip()} can be reached in several rooms. Name one by its id", meant)
    if people:
        return Found(
            None, f"There is no room in which {name.strip()} and you are alone: they have to write to you first"
        )
    return await _nobody(turn, name, rooms)


def problem_of(found: Found) -> str:
    """What a model is told of an address that leads nowhere."""
    near = f" There are: {'; '.join(found.near)}." if found.near else ""
    return f"{found.problem}.{near}"


async def people_named(turn: Turn, name: str, rooms: Sequence[Room] = ()) -> list[Entity]:
    """The people with a name, native id or id; where ``rooms`` are given, those in these rooms too: somebody who calls themselves Bob
    in this room is not the only Bob that may be meant. An id is looked for here first."""
    wanted, key = _plain(name), name.strip()

    def fitting(people: Iterable[Entity]) -> list[Entity]:
        return list({each.id: each for each in people if key == each.id or wanted in _names(each)}.values())

    here = fitting(await turn.participants())
    if not rooms or any(key in (each.id, each.native) for each in here):
        return here
    elsewhere: list[Entity] = [*here]
    near = sorted(
        (room for room in rooms if room.kind is not RoomKind.DM), key=lambda room: room.world != turn.room.world
    )
    for room in near[:_GROUPS]:
        elsewhere += await turn.agent.memory.participants(room.id)
    for room in [room for room in rooms if room.kind is RoomKind.DM][:_DIRECT]:
        elsewhere += await _partners_in(turn, room)
    return fitting(elsewhere)


async def _direct_rooms(turn: Turn, somebody: Entity, rooms: Sequence[Room]) -> list[Room]:
    """The rooms where the agent talks with a person alone."""
    direct = [room for room in rooms if room.kind is RoomKind.DM and room.platform == somebody.platform]
    pairs = [(room, await _partners_in(turn, room)) for room in direct[:_DIRECT]]
    return [room for room, people in pairs if [each.id for each in people] == [somebody.id]]


async def _partners_in(turn: Turn, room: Room) -> tuple[Entity, ...]:
    """Who was seen in a direct room."""
    kept = _partners.get(turn.agent.host)
    if kept is None:
        kept = _partners[turn.agent.host] = Kept(_KEPT)
    people = kept.get(room.id)
    if people is None:
        people = await turn.agent.memory.participants(room.id)
        if people:
            kept[room.id] = people
    return people


async def _either(turn: Turn, problem: str, people: list[Entity]) -> Found:
    """Who could be meant, as far as they are in this room: who is elsewhere is nothing that people here have to know."""
    here = {person.id for person in await turn.participants()}
    shown = [each for each in people if each.id in here]
    near = tuple(f"{each.name} ({each.username or each.native} on {each.platform}, id {each.id})" for each in shown)
    return Found(None, problem, near, tuple(person(each.id) for each in shown))


async def _nobody(turn: Turn, name: str, rooms: Sequence[Room]) -> Found:
    """That there is nobody of the name, with names that the people of this room may know: theirs, and the rooms of their world."""
    problem = f"You know no room and nobody called {name.strip()}"
    people = [each for each in await turn.participants() if each.id != turn.person.id][:_NEAR]
    world = turn.room.world
    beside = [room.name for room in rooms if world and room.world == world and room.kind is not RoomKind.DM][:_NEAR]
    origins = [person(each.id) for each in people] + ([outside(f"{turn.room.platform}/rooms")] if beside else [])
    return Found(None, problem, (*(each.name for each in people), *beside), tuple(origins))


def _rooms(problem: str, rooms: list[Room]) -> Found:
    """Which rooms could be meant."""
    near = tuple(f"{room.name} (on {room.platform}, id {room.id})" for room in rooms[:_NEAR])
    return Found(None, problem, near, tuple({outside(f"{room.platform}/rooms") for room in rooms}))


def _names(somebody: Entity) -> tuple[str, ...]:
    names = (somebody.name, somebody.username, somebody.native)
    return tuple(_plain(name) for name in names if name.strip())


def _plain(name: str) -> str:
    return " ".join(name.split()).lstrip("#@").casefold()
