"""A store in memory: the contract of journal and memory in its simplest form, for tests and to read."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import anyio.lowlevel

from carrier_core import Entry, Receipt, ReplyPart, Retention, Sending, Store, Unavailable
from carrier_core.testing import archive, retention
from carrier_core.testing.journal import InMemoryJournal
from carrier_core.testing.memory import InMemoryMemory


class InMemoryStore(Store):
    """Keeps what it has as long as the object lives: a second host on the same object finds what the first left.

    ``outbox`` are the reply parts, by key, and ``receipts`` those that were delivered. ``clock`` is what leases are measured
    by, in seconds.
    """

    name = "memory"

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._memory = self.memory = InMemoryMemory()
        self._journal = self.journal = InMemoryJournal(self._memory, clock)
        self._open = False

    @property
    def outbox(self) -> dict[str, ReplyPart]:
        """What is to be delivered or was, by its key."""
        return {key: post.part for key, post in self._memory.database.outbox.items()}

    @property
    def receipts(self) -> dict[str, Receipt]:
        """What was delivered, by its key."""
        posts = self._memory.database.outbox.items()
        return {key: Receipt(key, post.native, post.at) for key, post in posts if post.state is Sending.SENT}

    async def open(self, folder: Path) -> None:
        """Unavailable if it is open already: it belongs to one host at a time."""
        if self._open:
            raise Unavailable("This store is open already.", remedy="Give each host a store of its own.")
        self._open = True

    async def open_read_only(self, folder: Path) -> None:
        """Nothing lies in the folder that could be opened."""
        raise Unavailable(f"There is no database in {folder}: this store is in memory.")

    async def close(self) -> None:
        """Nothing is lost but the leases."""
        self._open = False
        self._journal.release()

    async def export(self, agent: str = "") -> AsyncIterator[tuple[Entry, ...]]:
        """A batch for each type of which there is something."""
        for batch in archive.entries(self._memory.database, agent):
            await anyio.lowlevel.checkpoint()
            yield batch

    async def restore(self, entries: tuple[Entry, ...]) -> int:
        """All at once."""
        await anyio.lowlevel.checkpoint()
        return archive.take_in(self._memory.database, entries)

    async def forget_person(self, entity: str) -> dict[str, int]:
        """All at once."""
        await anyio.lowlevel.checkpoint()
        return retention.forget_person(self._memory, entity)

    async def expire(self, agent: str, rules: tuple[Retention, ...], now: float, *, limit: int = 500) -> int:
        """The oldest first, a turn with all that belongs to it counting as one."""
        await anyio.lowlevel.checkpoint()
        return retention.expire(self._memory, agent, rules, now, limit)

    async def health(self) -> str:
        """How much there is."""
        if not self._open:
            raise Unavailable("The store is closed.")
        return f"in memory, {len(self._memory.database.memories)} memories"
