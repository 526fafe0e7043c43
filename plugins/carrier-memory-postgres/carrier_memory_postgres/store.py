"""The store: one schema in a PostgreSQL database with a journal and memories."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from carrier_core import Entry, Retention, Store
from carrier_memory_postgres.archive import batches
from carrier_memory_postgres.batch import Batch
from carrier_memory_postgres.database import Database
from carrier_memory_postgres.forgetting import find, forget_person
from carrier_memory_postgres.journal import PostgresJournal
from carrier_memory_postgres.memory import PostgresMemory
from carrier_memory_postgres.restoring import needs_of, take_in
from carrier_memory_postgres.retention import LONG, Retainer
from carrier_memory_postgres.settings import Settings
from carrier_memory_postgres.standing import Needs


class PostgresStore(Store):
    """The database that ``DATABASE_URL`` names. Several processes may have it open; the state directory is not used."""

    name = "postgres"
    exclusive = False

    def __init__(self, settings: Settings | None = None) -> None:
        self._database = Database(settings or Settings())
        self._memory = self.memory = PostgresMemory(self._database)
        self._journal = self.journal = PostgresJournal(self._database, self._memory)
        self._retainer = Retainer(self._database)
        self._database.outdated, self._database.stored = self._memory.clear, self._memory.note

    async def open(self, folder: Path) -> None:
        """Connect, bring the schema up to date, start the writer."""
        await self._database.open()

    async def open_read_only(self, folder: Path) -> None:
        """Connect; nothing can be written."""
        await self._database.open_read_only()

    async def close(self) -> None:
        """Also forgets what was kept in mind."""
        await self._database.close()
        self._memory.clear()

    async def export(self, agent: str = "") -> AsyncIterator[tuple[Entry, ...]]:
        """In one transaction, so that it is the state of one moment."""
        async with self._database.pool.link() as link:
            async for batch in batches(link, agent):
                yield batch

    async def restore(self, entries: tuple[Entry, ...]) -> int:
        """In one transaction."""
        new: list[int] = []

        async def restore(batch: Batch) -> None:
            new[:] = [await take_in(batch, entries)]

        if not entries:
            return 0
        return await self._database.write(needs_of(entries), lambda batch: new[0], alone=restore)

    async def forget_person(self, entity: str) -> dict[str, int]:
        """Removed in one transaction."""
        gone: dict[str, int] = {}
        found = await self._database.apart("forgetting", LONG, lambda link: find(link, entity))

        async def forget(batch: Batch) -> None:
            gone.clear()
            gone.update(await forget_person(batch, entity, found))

        return await self._database.write(Needs(), lambda batch: dict(gone), alone=forget)

    async def expire(self, agent: str, rules: tuple[Retention, ...], now: float, *, limit: int = 500) -> int:
        """The oldest first."""
        return await self._retainer.expire(agent, rules, now, limit)

    async def health(self) -> str:
        """Where it is and its size; raises if it cannot be read."""
        return await self._database.check()
