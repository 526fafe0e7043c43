"""Memory: what agents remember, of whom and where. A contract that store plugins fulfil.

Journal and memory share one database, so that what a turn remembers is written in the transaction that ends it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from pathlib import Path

from carrier_core.archive import Entry, Retention
from carrier_core.errors import CarrierError, Rejected
from carrier_core.journal import Journal
from carrier_core.messages import Entity, Memory, MemoryKind, Query, Recalled, Room
from carrier_core.outcomes import Connection
from carrier_core.provenance import Readers


class MemoryStore(ABC):
    """Memories, entities, rooms and who takes part in them."""

    @abstractmethod
    async def put(self, memories: tuple[Memory, ...]) -> None:
        """Store memories; one with a known id replaces the older, in every index."""

    @abstractmethod
    async def get(self, ids: tuple[str, ...]) -> tuple[Memory, ...]:
        """The memories with these ids, in this order; those that are not there are left out."""

    @abstractmethod
    async def history(self, agent: str, room: str, *, limit: int, before: float | None = None) -> tuple[Memory, ...]:
        """The last ``limit`` messages of a room as the agent knows them, oldest first, ``before`` a time if given."""

    @abstractmethod
    async def recall(self, query: Query) -> tuple[Recalled, ...]:
        """The memories that answer a query best, best first; never one whose audience does not admit all its readers."""

    @abstractmethod
    async def list(
        self, *, agent: str = "", room: str = "", entity: str = "", kind: MemoryKind | None = None, limit: int = 50
    ) -> tuple[Memory, ...]:
        """The newest memories that fit, newest first."""

    async def of_kind(
        self, agent: str, kind: MemoryKind, *, room: str = "", entity: str = "", limit: int = 50
    ) -> tuple[Memory, ...]:
        """What :meth:`list` gives for one agent and one kind that is not ``message``. Turns ask for this, so a store should have an
        index for it."""
        return await self.list(agent=agent, room=room, entity=entity, kind=kind, limit=limit)

    @abstractmethod
    async def forget(self, ids: tuple[str, ...]) -> int:
        """Remove memories from every table and index; returns how many there were."""

    async def unembedded(self, model: str, *, limit: int) -> tuple[Memory, ...]:
        """Memories that have no vector of this embedder yet, oldest first.

        ``model`` is what tells embedders apart: the name and the dimension, ``name/384``. A store without vectors has none
        to embed.
        """
        return ()

    async def embed(self, model: str, vectors: tuple[tuple[str, tuple[float, ...]], ...]) -> None:
        """Keep vectors of memories, by their ids, until they are edited or forgotten; unknown ids are left out.

        A memory that was edited since :meth:`unembedded` gave it gets no vector of its old text. An empty vector says
        that there is nothing to embed. Those of other embedders stay as they are, and are not searched.
        """
        raise Rejected("This store keeps no vectors.")

    @abstractmethod
    async def connect(self, agent: str, connection: Connection) -> bool:
        """Store an entity, its world and room, and that both the entity and the agent take part in the room.

        Returns whether this is the first time that the entity is seen there. What is known is updated (names).
        """

    @abstractmethod
    async def room(self, room: str) -> Room | None:
        """The room with this id."""

    @abstractmethod
    async def rooms(self, *, agent: str = "") -> tuple[Room, ...]:
        """All rooms, or those that an agent takes part in."""

    @abstractmethod
    async def participants(self, room: str) -> tuple[Entity, ...]:
        """The people and bots that were seen in a room, the agents of this host left out."""

    @abstractmethod
    async def readers(self, room: Room) -> Readers:
        """Who would read a text that is said in the room: see :class:`~carrier_core.provenance.Readers`.

        Persons are listed only where ``room.listed`` and somebody is known to be there.
        """


class Store(ABC):
    """One database with a journal and the memories, opened by the host on its state directory."""

    name: str
    journal: Journal
    memory: MemoryStore
    last_resort: bool = False
    """Whether it is used only where no other store is registered."""
    exclusive: bool = True
    """Whether having it open means that no other process works on it: effects that a dead one left need no waiting."""

    @abstractmethod
    async def open(self, folder: Path) -> None:
        """Open or create the database in the state directory, and bring its schema up to date.

        Unavailable if another process has it (name its pid); ConfigError if it is newer than the code or damaged.
        """

    @abstractmethod
    async def open_read_only(self, folder: Path) -> None:
        """Open an existing database for reading while another process may be writing. Unavailable if there is none."""

    @abstractmethod
    async def close(self) -> None:
        """Write what is pending and close."""

    async def tidy(self) -> bool:
        """Do a little of what keeps the store quick, some hundredths of a second at most; returns whether more is left.

        The host calls it now and then. A store that needs nothing of the kind has nothing to do.
        """
        return False

    # --- everything at once ---

    @abstractmethod
    def export(self, agent: str = "") -> AsyncIterator[tuple[Entry, ...]]:
        """All that is kept, or what concerns one agent, in batches, in the order of :data:`~carrier_core.archive.ORDER`.

        Two stores with the same content give the same entries.
        """

    @abstractmethod
    async def restore(self, entries: tuple[Entry, ...]) -> int:
        """Take in a batch of an archive, in one transaction; what is there already stays. Returns how many were new."""

    @abstractmethod
    async def forget_person(self, entity: str) -> dict[str, int]:
        """Remove a person, by the entity's id, from every table and index, so that nothing of them can be read again.

        That is all that they said, all that has their origin (``person:ID``), the turns that were theirs and every prompt part
        and record that holds their words. The ledger of platform events stays, so that a repeated event is not answered.
        The counters of spending that are theirs alone go; in others their name is taken out of the scope, and those that are
        the same then become one, so that totals stay. The same is done to the charges of holds.
        Returns how many rows of each sort were removed or emptied.
        """

    @abstractmethod
    async def expire(self, agent: str, rules: tuple[Retention, ...], now: float, *, limit: int = 500) -> int:
        """Remove what the rules do not keep, at most some ``limit`` rows at once; returns how many, 0 when nothing is left."""

    @abstractmethod
    async def health(self) -> str:
        """A word on its state for ``carrierd plugins``; raises if it cannot work."""


async def forget_room(store: MemoryStore, agent: str, room: str) -> int:
    """Forget what was said and noted in a room, all but the roles that people have there; returns how many memories it was."""
    count = kept = 0
    while True:
        memories = await store.list(agent=agent, room=room, limit=500 + kept)
        gone = tuple(memory.id for memory in memories if memory.kind is not MemoryKind.ROLE)
        if not gone and len(memories) < 500 + kept:
            return count
        kept = len(memories) - len(gone)
        forgotten = await store.forget(gone)
        if forgotten < len(gone):
            raise CarrierError("The store does not forget what it lists.", remedy="Report it to the store's author.")
        count += forgotten
