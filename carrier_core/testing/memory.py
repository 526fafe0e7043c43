"""A memory in memory."""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterable
from math import hypot
from typing import TypeVar

import anyio.lowlevel
import msgspec

from carrier_core import (
    Connection,
    Embedded,
    Entity,
    Memory,
    MemoryKind,
    MemoryStore,
    Participant,
    Query,
    Readers,
    Recalled,
    Resident,
    Room,
    World,
)
from carrier_core.testing.database import Database

T = TypeVar("T", Entity, Room, World)

_WORD = re.compile(r"[^\W_]+")


class InMemoryMemory(MemoryStore):
    """See :class:`carrier_core.MemoryStore`. It recalls by the share of the query's words that a memory has."""

    def __init__(self, database: Database | None = None) -> None:
        self.database = database or Database()
        self._given: dict[str, Memory] = {}

    # --- what the journal uses, inside its transactions ---

    def store(self, memories: Iterable[Memory]) -> None:
        """Store memories; one with a known id takes the place of the older."""
        for memory in memories:
            self.database.memories[memory.id] = memory
            self.unembed(memory.id)

    def unembed(self, key: str) -> int:
        """Remove the vectors of a memory; returns how many there were."""
        vectors = self.database.vectors
        of_it = [place for place in vectors if place[1] == key]
        for place in of_it:
            del vectors[place]
        return len(of_it)

    def join(self, agent: str, connection: Connection) -> bool:
        """Store a connection; whether the entity is new in the room."""
        known, entity, room, world = self.database, connection.entity, connection.room, connection.world
        known.entities[entity.id] = _renewed(known.entities.get(entity.id), entity)
        known.rooms[room.id] = _renewed(known.rooms.get(room.id), room)
        if world is not None:
            known.worlds[world.id] = _renewed(known.worlds.get(world.id), world)
        known.residents.setdefault((agent, room.id), Resident(agent, room.id))
        place = (room.id, entity.id)
        is_new = place not in known.participants
        known.participants.setdefault(place, Participant(*place))
        return is_new

    # --- memories ---

    async def put(self, memories: tuple[Memory, ...]) -> None:
        """All at once."""
        await anyio.lowlevel.checkpoint()
        self.store(memories)

    async def get(self, ids: tuple[str, ...]) -> tuple[Memory, ...]:
        """In the order asked for."""
        return tuple(self.database.memories[key] for key in ids if key in self.database.memories)

    async def history(self, agent: str, room: str, *, limit: int, before: float | None = None) -> tuple[Memory, ...]:
        """By time; those of one moment in the order in which they came."""
        found = [
            memory
            for memory in self.database.memories.values()
            if memory.agent == agent
            and memory.room == room
            and memory.kind is MemoryKind.MESSAGE
            and (before is None or memory.at < before)
        ]
        found.sort(key=lambda memory: memory.at)
        return tuple(found[-limit:]) if limit > 0 else ()

    async def recall(self, query: Query) -> tuple[Recalled, ...]:
        """The audience is a filter before anything is compared."""
        await anyio.lowlevel.checkpoint()
        wanted = _words(query.text)
        vectors = {memory: row.vector for (model, memory), row in self.database.vectors.items() if model == query.model}
        found = []
        for memory in reversed(self.database.memories.values()):
            if not _in_scope(memory, query) or not memory.provenance.audience.admits(query.readers):
                continue
            score = len(wanted & _words(memory.text)) / len(wanted) if wanted else 0.0
            score = max(score, _cosine(query.vector, vectors.get(memory.id, ())))
            if score > 0 and score >= query.threshold:
                found.append(Recalled(memory, round(score, 4)))
        found.sort(key=lambda recalled: recalled.score, reverse=True)
        return tuple(found[: max(0, query.limit)])

    async def list(
        self, *, agent: str = "", room: str = "", entity: str = "", kind: MemoryKind | None = None, limit: int = 50
    ) -> tuple[Memory, ...]:
        """By time; those of one moment in the order in which they came, the last first."""
        found = [
            memory
            for memory in reversed(self.database.memories.values())
            if agent in ("", memory.agent)
            and room in ("", memory.room)
            and entity in ("", memory.entity)
            and kind in (None, memory.kind)
        ]
        found.sort(key=lambda memory: memory.at, reverse=True)
        return tuple(found[:limit])

    async def forget(self, ids: tuple[str, ...]) -> int:
        """There is one place where they are."""
        await anyio.lowlevel.checkpoint()
        for key in ids:
            self.unembed(key)
        return sum(self.database.memories.pop(key, None) is not None for key in ids)

    async def unembedded(self, model: str, *, limit: int) -> tuple[Memory, ...]:
        """In the order in which they came."""
        known, vectors = self.database.memories, self.database.vectors
        found = [memory for key, memory in known.items() if (model, key) not in vectors][: max(0, limit)]
        self._given = {memory.id: memory for memory in found}
        return tuple(found)

    async def embed(self, model: str, vectors: tuple[tuple[str, tuple[float, ...]], ...]) -> None:
        """All at once."""
        await anyio.lowlevel.checkpoint()
        for key, vector in vectors:
            memory = self.database.memories.get(key)
            if memory is not None and self._given.get(key, memory) is memory:
                self.database.vectors[model, key] = Embedded(model, key, vector)

    # --- people and rooms ---

    async def connect(self, agent: str, connection: Connection) -> bool:
        """A name that is empty changes nothing."""
        await anyio.lowlevel.checkpoint()
        return self.join(agent, connection)

    async def room(self, room: str) -> Room | None:
        """By its id."""
        return self.database.rooms.get(room)

    async def rooms(self, *, agent: str = "") -> tuple[Room, ...]:
        """By platform and name."""
        rooms = self.database.rooms
        ids = [room for of, room in self.database.residents if of == agent] if agent else [*rooms]
        return tuple(sorted((rooms[key] for key in ids), key=lambda room: (room.platform, room.name, room.id)))

    async def participants(self, room: str) -> tuple[Entity, ...]:
        """By id."""
        return tuple(self.database.entities[key] for key in self._people(room))

    async def readers(self, room: Room) -> Readers:
        """Their rooms are those that all of them have in common."""
        people = self._people(room.id) if room.listed else []
        if not people:
            return Readers(room.id)
        common = set.intersection(*(self._rooms_of(entity) for entity in people))
        return Readers(room.id, tuple(people), tuple(sorted(common)))

    def _rooms_of(self, entity: str) -> set[str]:
        return {room for room, who in self.database.participants if who == entity}

    def _people(self, room: str) -> builtins.list[str]:
        return sorted(who for where, who in self.database.participants if where == room)


def _in_scope(memory: Memory, query: Query) -> bool:
    """Whether a query is about such a memory at all: facts and documents are no room's."""
    elsewhere = query.room and memory.kind is MemoryKind.MESSAGE and memory.room != query.room
    fits = not query.kinds or memory.kind in query.kinds
    return memory.agent == query.agent and fits and not elsewhere and memory.id not in query.exclude


def _cosine(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """How much two vectors are like each other; 0 where one is not there."""
    if len(one) != len(other) or not any(one) or not any(other):
        return 0.0
    return sum(a * b for a, b in zip(one, other, strict=True)) / (hypot(*one) * hypot(*other))


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)}


def _renewed(older: T | None, newer: T) -> T:
    """What is known now: names that the newer one has not are kept."""
    if older is None:
        return newer
    kept = {
        key: getattr(older, key)
        for key in ("name", "username", "world")
        if hasattr(newer, key) and not getattr(newer, key)
    }
    return msgspec.structs.replace(newer, **kept)
