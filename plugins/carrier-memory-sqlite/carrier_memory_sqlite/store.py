"""The store: one SQLite database with a journal and memories."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import anyio.to_thread
import apsw

from carrier_core import Entry, Handled, Retention, Store
from carrier_memory_sqlite.archive import batches
from carrier_memory_sqlite.database import Database
from carrier_memory_sqlite.erasure import forget
from carrier_memory_sqlite.faults import spoiled, translate
from carrier_memory_sqlite.journal import SqliteJournal
from carrier_memory_sqlite.memory import SqliteMemory
from carrier_memory_sqlite.merging import Merging
from carrier_memory_sqlite.restoring import ready, take_in
from carrier_memory_sqlite.retention import expire, sweep
from carrier_memory_sqlite.settings import Settings
from carrier_memory_sqlite.transaction import Stored


class SqliteStore(Store):
    """``carrier.db`` in the state directory."""

    name = "sqlite"
    last_resort = True  # whoever sets up a server's address wants that one

    def __init__(self, settings: Settings | None = None) -> None:
        self._database = Database(settings or Settings())
        self._merging = Merging()
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

    async def tidy(self) -> bool:
        """Merge a piece of the index, once it has many segments: each is looked through by every search."""
        return await self._database.write(self._merging.step)

    async def export(self, agent: str = "") -> AsyncIterator[tuple[Entry, ...]]:
        """Of one state of the database, whatever is written meanwhile; read in a worker thread. Of a damaged one all that
        can be read is given, then ConfigError raised."""
        connection = self._database.snapshot()
        damaged: list[str] = []
        try:
            found = batches(lambda sql, values: connection.cursor().execute(sql, values), agent, damaged)
            while batch := await anyio.to_thread.run_sync(next, found, ()):
                yield batch
            if damaged:
                raise spoiled(damaged, self._database.file)
        except apsw.Error as error:
            raise translate(error, self._database.file) from error
        finally:
            connection.close()

    async def restore(self, entries: tuple[Entry, ...]) -> int:
        """Memories and vectors are made ready in a worker thread."""
        prepared = await anyio.to_thread.run_sync(ready, entries)

        def restored(outcome: tuple[int, Stored]) -> None:
            self._memory.note(outcome[1])
            self._memory.people.clear()
            self._memory.reembed()
            self._journal.restored(entry.record.id for entry in entries if isinstance(entry, Handled))

        new, _ = await self._database.write(lambda transaction: take_in(transaction, prepared), restored)
        return new

    async def forget_person(self, entity: str) -> dict[str, int]:
        """Some rows at a time; then the index, the log and the free space are cleaned."""
        return await forget(self._database, self._journal, self._memory, entity) if entity else {}

    async def expire(self, agent: str, rules: tuple[Retention, ...], now: float, *, limit: int = 500) -> int:
        """Looked for in a worker thread, then removed in one transaction for each rule. When nothing more is found the
        parts go that only turns named which are gone; where these were all, their number is returned."""
        removed = swept = 0
        for rule in rules:
            if removed < limit:
                removed += await expire(self._database, self._memory, agent, rule, now, limit - removed)
        if removed < limit:
            swept = await sweep(self._database, self._journal)
        return removed or swept

    async def health(self) -> str:
        """The size of the file; raises if it cannot be read or the writer has ended."""
        self._database.check()
        size = self._database.file.stat().st_size / 1_000_000
        how = "open" if self._database.writable else "open for reading"
        return f"{how}, {size:.1f} MB"
