"""Which memories have no vector yet, giving them theirs, and comparing them."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence

from carrier_core import Memory, Query, decode, inflate
from carrier_memory_postgres.connections import Link, Row
from carrier_memory_postgres.database import Database
from carrier_memory_postgres.queries import queries
from carrier_memory_postgres.vectors import Given, Table, add_vectors, build_index, find_table, make_table, nearest

AGAIN = 300.0
"""Seconds until everything is looked through again for what other processes wrote, or left half done."""
BUILDING = 3_600.0
"""Seconds that building an index may take."""
CHECKED = 2_000
"""Vectors after which it is looked whether a table wants an index."""

_SQL = queries("vectors")


class Embeddings:
    """The vectors of memories.

    ``floor`` is the number below which every memory has a vector, as far as this process knows: so that looking for the
    next ones does not mean looking through all.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._model = ""
        self._floor = 0
        self._looked = 0.0
        self._given: dict[str, str] = {}  # hashes of the records that were handed out last
        self._since_check = 0

    async def unembedded(self, model: str, limit: int) -> tuple[Memory, ...]:
        """Memories without a vector of this embedder, oldest first."""
        if limit < 1:
            return ()
        if model != self._model or time.monotonic() - self._looked > AGAIN:
            self._model, self._floor, self._looked = model, 0, time.monotonic()
        settled = self._database.writer.known.settled if self._database.writable else 0
        last, rows = await self._database.pool.run(lambda link: self._missing(link, model, limit))
        self._given = {}
        found: list[Memory] = []
        for _, payload in rows:
            memory = decode(inflate(payload), object)
            if isinstance(memory, Memory):
                self._given[memory.id] = _hash(payload)
                found.append(memory)
        self._floor = rows[0][0] if rows else min(settled or last + 1, last + 1)
        return tuple(found)

    async def embed(self, model: str, vectors: Given) -> None:
        """Store vectors; those of texts that changed since they were handed out are left out."""
        given, wanted = dict(self._given), dict(vectors)
        self._database.writer  # noqa: B018 (raises where nothing can be written)

        async def store(link: Link) -> Table:
            await link.execute("BEGIN")
            try:
                table = await make_table(link, model, wanted.values())
                rows = await link.fetch(_SQL["to_embed"], sorted(wanted))
                unchanged = [(row, wanted[key]) for key, row, digest in rows if given.get(key, digest) == digest]
                self._since_check += await add_vectors(link, table, unchanged, anew=True)
                await link.execute("COMMIT")
            except BaseException:
                link.terminate()
                raise
            return table

        table = await self._database.pool.run(store)
        if self._since_check >= min(CHECKED, max(1, self._database.settings.exact)):
            self._since_check = 0
            await self._index(table, model)

    async def cosines(self, query: Query, shelves: Sequence[int], beside: Sequence[int]) -> dict[int, float]:
        """How like the query's vector the nearest memories on these shelves, and those of the rows given, are."""

        async def compare(link: Link) -> dict[int, float]:
            table = await find_table(link, query.model)
            if table is None:
                return {}
            return await nearest(link, table, query.vector, shelves, beside, self._database.settings.exact)

        return await self._database.pool.run(compare)

    def note(self, number: int) -> None:
        """That the memory of this number was written anew, and has no vector any more."""
        self._floor = min(self._floor, number)

    def clear(self) -> None:
        """Keep nothing in mind."""
        self._model, self._floor, self._given = "", 0, {}

    async def _missing(self, link: Link, model: str, limit: int) -> tuple[int, list[Row]]:
        table = await find_table(link, model)
        sql = table.sql("missing") if table is not None else _SQL["missing_all"]
        last = (await link.fetch(_SQL["last"]))[0][0]
        return last, await link.fetch(sql, self._floor, limit)

    async def _index(self, table: Table, model: str) -> None:
        await self._database.apart(
            "indexer", BUILDING, lambda link: build_index(link, table, model, self._database.settings.exact)
        )


def _hash(payload: bytes) -> str:
    return hashlib.md5(payload, usedforsecurity=False).hexdigest()
