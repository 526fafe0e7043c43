"""The memories: put, get, history, recall, forget."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from carrier_core import (
    CarrierError,
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
)
from carrier_core.recall import Asked, Shelf, keys_for, read_query, read_shelves, shelf_of, speakers
from carrier_memory_sqlite.beginnings import Beginnings
from carrier_memory_sqlite.database import Database, Row
from carrier_memory_sqlite.embedding import Embeddings, Given
from carrier_memory_sqlite.overlay import memories_of, overlaid
from carrier_memory_sqlite.people import People
from carrier_memory_sqlite.prepared import prepared
from carrier_memory_sqlite.queries import queries
from carrier_memory_sqlite.recall import Search
from carrier_memory_sqlite.transaction import Stored, Transaction

if TYPE_CHECKING:
    from carrier_memory_sqlite.vectors import Vectors

KEPT, MEMORIES = 4_096, 16_384
"""Shelves that are kept in mind, by what they are looked for with; and decoded memories, some 700 bytes each."""
TALKS, TALK = 512, 40
"""Rooms whose last messages are kept in mind, and how many of each at least: more than a prompt shows."""
SHORT = 96
"""Searches of the index that one recall makes on the event loop; with more, it goes to the worker thread. A search takes 12
to 40 microseconds; in the thread recalls wait for each other, up to a second where a hundred rooms ask at once."""

Rows = Callable[[str, tuple[object, ...]], list[Row]]

_NONE: dict[int, str] = {}
_SQL = queries("memory")
_RECALL = queries("recall")


class Talk(NamedTuple):
    """The last messages of a room, oldest first; ``whole`` if there are no others; ``size`` is how many were asked for."""

    messages: tuple[Memory, ...]
    whole: bool
    size: int

    def heard(self, memory: Memory) -> Talk | None:
        """The talk with one message more, or None if that came late."""
        if self.messages and self.messages[-1].at > memory.at:
            return None
        messages = (*self.messages, memory)
        if len(messages) <= 2 * self.size:
            return Talk(messages, self.whole, self.size)
        return Talk(messages[-self.size :], whole=False, size=self.size)


class SqliteMemory(MemoryStore):
    """See :class:`carrier_core.MemoryStore`.

    What is kept in mind is changed on the event loop only, when a write is known to be durable. A store that was opened
    for reading keeps nothing: another process may be writing.
    """

    def __init__(self, database: Database) -> None:
        self.people = People(database)
        self._database = database
        self._memories: Kept[int, Memory] = Kept(MEMORIES)
        self._shelves: Kept[tuple[str, str, str], tuple[Shelf, ...]] = Kept(KEPT)
        self._talks: Kept[tuple[str, str], Talk] = Kept(TALKS)
        self._unindexed: dict[int, dict[int, str]] = {}  # by shelf: the ids of memories by row
        self._beginnings = Beginnings(database, self._memory, KEPT)
        self._search = Search(database.match, database.rows, self._memory, self._beginnings.of)
        self._embeddings = Embeddings(database)
        self._vectors: Vectors | None = None  # of the worker thread
        database.indexed = self.note_indexed

    # --- memories ---

    async def put(self, memories: tuple[Memory, ...]) -> None:
        """One transaction for all of them."""
        ready = prepared(memories)
        await self._database.write(lambda transaction: transaction.store(ready), self.note)

    async def get(self, ids: tuple[str, ...]) -> tuple[Memory, ...]:
        """By their unique index."""
        rows = [row for key in ids for row in self._database.rows(_SQL["get"], (key,))]
        return memories_of(rows)

    async def history(self, agent: str, room: str, *, limit: int, before: float | None = None) -> tuple[Memory, ...]:
        """The last messages of a room that was asked for lately are kept in mind."""
        if limit < 1:
            return ()
        if before is not None:
            return self._messages(agent, room, limit, before)
        talk = self._talks.get((agent, room))
        if talk is None or (len(talk.messages) < limit and not talk.whole):
            size = max(limit, TALK)
            messages = self._messages(agent, room, size, float("inf"))
            talk = Talk(messages, whole=len(messages) < size, size=size)
            if self._database.writable:
                self._talks[agent, room] = talk
        return talk.messages[-limit:]

    async def recall(self, query: Query) -> tuple[Recalled, ...]:
        """Search the shelves whose audience admits the readers: see :mod:`carrier_memory_sqlite.recall`."""
        if query.limit < 1:
            return ()
        asked = read_query(query.text, self._speakers(query))
        shelves = self._admitted(query)
        if not self._database.writable:
            return await self._database.aside(
                lambda rows: self._search_aside(rows, query, asked, shelves, overlay=True)
            )
        exclude = frozenset(query.exclude)
        if not all(exclude.issuperset(self._waiting(shelf)) for shelf in shelves):
            try:
                await self._database.write(Transaction.index_now)
            except CarrierError:
                pass  # the disk is full, say: what was indexed before can be recalled all the same
        if len(shelves) * len(asked.sought) <= SHORT and not query.vector:
            return self._search.run(query, asked, shelves)
        return await self._database.aside(lambda rows: self._search_aside(rows, query, asked, shelves, overlay=False))

    async def list(
        self,
        *,
        agent: str = "",
        room: str = "",
        entity: str = "",
        kind: MemoryKind | None = None,
        limit: int = 50,
    ) -> tuple[Memory, ...]:
        """Not needed in a turn, and may look at everything there is: in a worker thread."""
        values = ("" if kind is None else kind.value, entity, agent, room, limit)
        return memories_of(await self._database.aside(lambda rows: rows(_SQL["list"], values)))

    async def of_kind(
        self, agent: str, kind: MemoryKind, *, room: str = "", entity: str = "", limit: int = 50
    ) -> tuple[Memory, ...]:
        """By an index, at once: that of the person, of the room or of the kind."""
        values: tuple[object, ...] = (kind.value, agent, limit)
        if entity:
            return memories_of(self._database.rows(_SQL["of_kind_about"], (*values, room, entity)))
        if room:
            return memories_of(self._database.rows(_SQL["of_kind_in"], (*values, room)))
        return memories_of(self._database.rows(_SQL["of_kind"], values))

    async def forget(self, ids: tuple[str, ...]) -> int:
        """From the table and the index, in one transaction."""

        def forget(transaction: Transaction) -> Stored:
            return Stored({}, transaction.forget(ids), [])

        return len((await self._database.write(forget, self.note)).left)

    async def drop(self, rows: Sequence[int]) -> int:
        """Remove the memories of rows, in one transaction; returns how many there were."""
        left = await self._database.write(lambda transaction: Stored({}, transaction.drop_rows(rows), []), self.note)
        return len(left.left)

    async def unembedded(self, model: str, *, limit: int) -> tuple[Memory, ...]:
        """Looked for once; then what is written is kept in mind until it has its vector."""
        return await self._embeddings.unembedded(model, limit)

    async def embed(self, model: str, vectors: Given) -> None:
        """One transaction for all of them."""
        await self._embeddings.embed(model, vectors)

    # --- people and rooms ---

    async def connect(self, agent: str, connection: Connection) -> bool:
        """What is known already is not written again."""
        if self.people.news(agent, connection) is None:
            return False
        return await self._database.write(
            lambda transaction: self.people.connect(transaction, agent, connection),
            lambda _: self.people.note(agent, connection),
        )

    async def room(self, room: str) -> Room | None:
        """By its id."""
        return self.people.room(room)

    async def rooms(self, *, agent: str = "") -> tuple[Room, ...]:
        """By platform and name."""
        return self.people.rooms(agent)

    async def participants(self, room: str) -> tuple[Entity, ...]:
        """By id, so that the order is the same every time."""
        return self.people.participants(room)

    async def readers(self, room: Room) -> Readers:
        """Their rooms are those that all of them have in common."""
        return self.people.readers(room)

    # --- what is kept in mind ---

    def note(self, stored: Stored | None) -> None:
        """That memories were written, or left, durably."""
        if stored is None:
            return
        self._embeddings.note(stored)
        for row in stored.left:
            self._memories.pop(row, None)
            self._beginnings.changed(row)
            self._unindexed.get(shelf_of(row), {}).pop(row, None)
            self._talks.clear()  # edits are rare, and whose talk it was in is not known here
        for row, memory in stored.rows.items():
            self._memories[row] = memory
            self._beginnings.changed(row, talk=memory.kind is MemoryKind.MESSAGE)
            self._unindexed.setdefault(shelf_of(row), {})[row] = memory.id
            if memory.kind is MemoryKind.MESSAGE:
                self._hear(memory)
        for agent, room, keys in stored.shelves:
            self._shelves.pop((agent, "room", room), None)
            for key in keys:
                self._shelves.pop((agent, "message", key), None)
                self._shelves.pop((agent, "other", key), None)

    def note_indexed(self, rows: Iterable[int]) -> None:
        """That the words of these rows can be found."""
        for row in rows:
            waiting = self._unindexed.get(shelf_of(row), {})
            waiting.pop(row, None)
            if not waiting:
                self._unindexed.pop(shelf_of(row), None)

    def forgot(self) -> None:
        """That somebody is gone: keep nothing in mind of anybody."""
        self.people.clear()
        self._shelves.clear()
        self._beginnings.clear()
        self._talks.clear()
        self._vectors = None

    def reembed(self) -> None:
        """Look anew for what has no vector: some got theirs, or lost it."""
        self._embeddings.clear()

    def clear(self) -> None:
        """Keep nothing in mind."""
        self.people.clear()
        self._memories.clear()
        self._shelves.clear()
        self._beginnings.clear()
        self._talks.clear()
        self._unindexed.clear()
        self._embeddings.clear()
        self._vectors = None

    def _hear(self, memory: Memory) -> None:
        talk = self._talks.get((memory.agent, memory.room))
        if talk is not None:
            longer = talk.heard(memory)
            if longer is None:
                self._talks.pop((memory.agent, memory.room))
            else:
                self._talks[memory.agent, memory.room] = longer

    def _messages(self, agent: str, room: str, limit: int, before: float) -> tuple[Memory, ...]:
        rows = self._database.rows(_SQL["history"], (agent, room, before, limit))
        found = [self._memory(row) for (row,) in reversed(rows)]
        return tuple(memory for memory in found if memory is not None)

    def _memory(self, row: int) -> Memory | None:
        found = self._memories.get(row)
        if found is None:
            for found in memories_of(self._database.rows(_SQL["payload"], (row,))):
                if self._database.writable:
                    self._memories[row] = found
        return found

    # --- recall ---

    def _waiting(self, shelf: Shelf) -> Iterable[str]:
        return self._unindexed.get(shelf.number, _NONE).values()

    def _speakers(self, query: Query) -> frozenset[str]:
        people = self.people.participants(query.room or query.readers.room)
        return speakers([query.agent, *[entity.name for entity in people]])

    def _admitted(self, query: Query) -> tuple[Shelf, ...]:
        """The shelves that all of the query's readers may know, those of the room first."""
        agent, readers, kinds = query.agent, query.readers, query.kinds
        found: dict[Shelf, None] = {}
        messages = not kinds or MemoryKind.MESSAGE in kinds
        if messages and query.room:
            found.update(dict.fromkeys(self._shelves_at(agent, "room", query.room)))
        for key in keys_for(readers):
            if messages and not query.room:
                found.update(dict.fromkeys(self._shelves_at(agent, "message", key)))
            if kinds != (MemoryKind.MESSAGE,):
                found.update(dict.fromkeys(self._shelves_at(agent, "other", key)))
        return tuple(shelf for shelf in found if shelf.audience.admits(readers))

    def _search_aside(
        self, rows: Rows, query: Query, asked: Asked, shelves: tuple[Shelf, ...], *, overlay: bool
    ) -> tuple[Recalled, ...]:
        """Search in the worker thread. With ``overlay`` also what another process has not indexed yet."""

        def memory(row: int) -> Memory | None:
            found = memories_of(rows(_SQL["payload"], (row,)))
            return found[0] if found else None

        def cosines(beside: Sequence[int]) -> dict[int, float]:
            if self._vectors is None:
                from carrier_memory_sqlite.vectors import Vectors  # numpy is loaded only where a vector is used

                self._vectors = Vectors()
            return self._vectors.cosines(rows, query.model, query.vector, shelves, beside)

        search = Search(overlaid(rows) if overlay else rows, rows, memory)
        return search.run(query, asked, shelves, cosines if query.vector else None)

    def _shelves_at(self, agent: str, sort: str, key: str) -> tuple[Shelf, ...]:
        found = self._shelves.get((agent, sort, key))
        if found is None:
            if sort == "room":
                rows = self._database.rows(_RECALL["shelves_of_room"], (agent, key))
            else:
                rows = self._database.rows(_RECALL["shelves_under"], (agent, key, sort == "message"))
            found = read_shelves(rows)
            if self._database.writable:
                self._shelves[agent, sort, key] = found
        return found
