"""The memories: put, get, history, recall, forget."""

from __future__ import annotations

import builtins
from collections.abc import Iterable
from typing import NamedTuple

from carrier_core import (
    Connection,
    Entity,
    Kept,
    Memory,
    MemoryKind,
    MemoryStore,
    Query,
    Readers,
    Recalled,
    Room,
    decode,
    inflate,
)
from carrier_memory_postgres.batch import Batch
from carrier_memory_postgres.connections import Row
from carrier_memory_postgres.database import Database
from carrier_memory_postgres.embedding import Embeddings
from carrier_memory_postgres.people import People
from carrier_memory_postgres.prepared import Stored, prepared
from carrier_memory_postgres.queries import queries
from carrier_memory_postgres.recall import Search
from carrier_memory_postgres.standing import Needs
from carrier_memory_postgres.storing import forget_memories

TALKS, TALK = 512, 40
"""Rooms whose last messages are kept in mind, and how many of each at least: more than a prompt shows."""

_SQL = queries("memory")


class Talk(NamedTuple):
    """The last messages of a room, oldest first, and the number of the change that they are as of; ``whole`` if there are
    no others."""

    messages: tuple[Memory, ...]
    heard: int
    whole: bool

    def after(self, said: list[Memory], heard: int) -> Talk | None:
        """The talk with what was said since, or None if that cannot be told: something else has changed too, or came late."""
        times = [memory.at for memory in (*self.messages[-1:], *said)]
        if heard != self.heard + 1 or times != sorted(times):
            return None
        messages = (*self.messages, *said)
        if len(messages) <= 2 * TALK:
            return Talk(messages, heard, self.whole)
        return Talk(messages[-TALK:], heard, whole=False)


class PostgresMemory(MemoryStore):
    """See :class:`carrier_core.MemoryStore`.

    The last messages of rooms are kept in mind; with every use the database is asked whether they have changed, because
    other processes write too.
    """

    def __init__(self, database: Database) -> None:
        self.people = People(database)
        self._database = database
        self._talks: Kept[tuple[str, str], Talk] = Kept(TALKS)
        self._embeddings = Embeddings(database)
        self._search = Search(database, self._embeddings)

    # --- memories ---

    async def put(self, memories: tuple[Memory, ...]) -> None:
        """One transaction for all of them."""
        ready = prepared(memories)
        places = tuple({(memory.agent, memory.room): None for memory in memories})
        await self._database.write(Needs(places=places), lambda batch: batch.hear(ready))

    async def get(self, ids: tuple[str, ...]) -> tuple[Memory, ...]:
        """By their ids, which lead to their rows."""
        return _memories(await self._database.rows(_SQL["get"], list(ids)))

    async def history(self, agent: str, room: str, *, limit: int, before: float | None = None) -> tuple[Memory, ...]:
        """The last messages of a room that was asked for lately are kept in mind."""
        if limit < 1:
            return ()
        if before is not None:
            rows = await self._database.rows(_SQL["history"], agent, room, limit, before)
            return _memories(reversed(rows))
        talk = self._talks.get((agent, room))
        if talk is not None and len(talk.messages) < limit and not talk.whole:
            talk = None
        size = max(limit, TALK)
        rows = await self._database.rows(_SQL["talk"], agent, room, size, -1 if talk is None else talk.heard)
        if talk is None or rows:
            messages = _memories(row[1:] for row in reversed(rows) if row[1] is not None)
            talk = Talk(messages, rows[0][0] if rows else 0, whole=len(rows) < size)
            if rows:
                self._talks[agent, room] = talk
        return talk.messages[-limit:]

    async def recall(self, query: Query) -> tuple[Recalled, ...]:
        """Search the shelves whose audience admits the readers: see :mod:`carrier_memory_postgres.recall`."""
        if query.limit < 1:
            return ()
        return await self._search.run(query)

    async def list(
        self,
        *,
        agent: str = "",
        room: str = "",
        entity: str = "",
        kind: MemoryKind | None = None,
        limit: int = 50,
    ) -> tuple[Memory, ...]:
        """By time."""
        values = ("" if kind is None else kind.value, entity, agent, room, limit)
        return _memories(await self._database.recalled(_SQL["list"], *values))

    async def of_kind(
        self, agent: str, kind: MemoryKind, *, room: str = "", entity: str = "", limit: int = 50
    ) -> tuple[Memory, ...]:
        """By the index of kinds."""
        if entity:
            return _memories(await self._database.rows(_SQL["of_kind_about"], agent, kind.value, room, limit, entity))
        return _memories(await self._database.rows(_SQL["of_kind"], agent, kind.value, room, limit))

    async def forget(self, ids: tuple[str, ...]) -> int:
        """From the tables and the index, in one transaction."""
        found: builtins.list[int] = []

        async def forget(batch: Batch) -> None:
            found[:] = [await forget_memories(batch, ids)]

        return await self._database.write(Needs(), lambda batch: found[0], alone=forget)

    async def unembedded(self, model: str, *, limit: int) -> tuple[Memory, ...]:
        """Oldest first."""
        return await self._embeddings.unembedded(model, limit)

    async def embed(self, model: str, vectors: tuple[tuple[str, tuple[float, ...]], ...]) -> None:
        """One transaction for all of them, beside the writer: nothing waits for it."""
        await self._embeddings.embed(model, vectors)

    # --- people and rooms ---

    async def connect(self, agent: str, connection: Connection) -> bool:
        """What is known already is not written again."""
        if self.people.news(agent, connection) is None:
            return False
        pair = (connection.room.id, connection.entity.id)
        return await self._database.write(
            Needs(participants=(pair,)),
            lambda batch: batch.join(agent, connection),
            lambda joined, batch: self.people.note(agent, connection),
        )

    async def room(self, room: str) -> Room | None:
        """By its id."""
        return await self.people.room(room)

    async def rooms(self, *, agent: str = "") -> tuple[Room, ...]:
        """By platform and name."""
        return await self.people.rooms(agent)

    async def participants(self, room: str) -> tuple[Entity, ...]:
        """By id, so that the order is the same every time."""
        return await self.people.participants(room)

    async def readers(self, room: Room) -> Readers:
        """Their rooms are those that all of them have in common."""
        return await self.people.readers(room)

    def note(self, stored: Stored) -> None:
        """That memories were written."""
        for number in stored.anew:
            self._embeddings.note(number)
        self._search.note(stored)
        for (agent, room), heard in stored.heard.items():
            talk = self._talks.pop((agent, room), None)
            if talk is not None and not stored.removed:
                said = [
                    memory
                    for memory in stored.rows.values()
                    if (memory.agent, memory.room) == (agent, room) and memory.kind is MemoryKind.MESSAGE
                ]
                later = talk.after(said, heard)
                if later is not None:
                    self._talks[agent, room] = later

    def clear(self) -> None:
        """Keep nothing in mind."""
        self.people.clear()
        self._talks.clear()
        self._search.clear()
        self._embeddings.clear()


def _memories(rows: Iterable[Row]) -> tuple[Memory, ...]:
    """The memories of records; one that a newer release wrote in a way unknown here is left out."""
    found = (decode(inflate(payload), object) for (payload,) in rows)
    return tuple([memory for memory in found if isinstance(memory, Memory)])
