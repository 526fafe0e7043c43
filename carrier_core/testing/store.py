"""A store in memory: the contract of journal and memory in its simplest form, for tests and to read."""

from __future__ import annotations

from pathlib import Path

from carrier_core import Receipt, ReplyPart, Store, Unavailable
from carrier_core.testing.journal import InMemoryJournal
from carrier_core.testing.memory import InMemoryMemory


class InMemoryStore(Store):
    """Keeps what it has as long as the object lives: a second host on the same object finds what the first left.

    ``outbox`` are the parts to be delivered, by key, and ``receipts`` those that were.
    """

    name = "memory"

    def __init__(self) -> None:
        self._memory = self.memory = InMemoryMemory()
        self._journal = self.journal = InMemoryJournal(self._memory)
        self._open = False

    @property
    def outbox(self) -> dict[str, ReplyPart]:
        """What is to be delivered or was, by its key."""
        return self._journal.outbox

    @property
    def receipts(self) -> dict[str, Receipt]:
        """What was delivered, by its key."""
        return self._journal.receipts

    async def open(self, folder: Path) -> None:
        """Unavailable if it is open already: it belongs to one host at a time."""
        if self._open:
            raise Unavailable("This store is open already.", remedy="Give each host a store of its own.")
        self._open = True

    async def open_read_only(self, folder: Path) -> None:
        """Nothing lies in the folder that could be opened."""
        raise Unavailable(f"There is no database in {folder}: this store is in memory.")

    async def close(self) -> None:
        """Nothing is lost."""
        self._open = False

    async def health(self) -> str:
        """How much there is."""
        if not self._open:
            raise Unavailable("The store is closed.")
        return f"in memory, {len(self._memory.memories)} memories"
