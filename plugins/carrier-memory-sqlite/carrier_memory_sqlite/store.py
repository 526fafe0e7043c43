"""The store: one SQLite database with a journal and memories."""

from __future__ import annotations

from pathlib import Path

from carrier_core import Store
from carrier_memory_sqlite.database import Database
from carrier_memory_sqlite.journal import SqliteJournal
from carrier_memory_sqlite.memory import SqliteMemory
from carrier_memory_sqlite.settings import Settings


class SqliteStore(Store):
    """``carrier.db`` in the state directory."""

    name = "sqlite"

    def __init__(self, settings: Settings | None = None) -> None:
        self._database = Database(settings or Settings())
        self._memory = self.memory = SqliteMemory(self._database)
        self._journal = self.journal = SqliteJournal(self._database, self._memory)

    async def open(self, folder: Path) -> None:
        """Take the folder's lock, open or create the file, bring the schema up to date, start the writer."""
        self._database.open(folder)

    async def open_read_only(self, folder: Path) -> None:
        """Open the file without the lock; nothing can be written."""
        self._database.open_read_only(folder)

    async def close(self) -> None:
        """Also forgets what was kept in mind, so that the store may be opened on another folder."""
        await self._database.close()
        self._memory.clear()
        self._journal.clear()

    async def health(self) -> str:
        """The size of the file; raises if it cannot be read or the writer has ended."""
        self._database.check()
        size = self._database.file.stat().st_size / 1_000_000
        how = "open" if self._database.writable else "open for reading"
        return f"{how}, {size:.1f} MB"
