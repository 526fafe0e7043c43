"""Which memories have no vector yet, and giving them theirs."""

from __future__ import annotations

from collections.abc import Iterable

import anyio.to_thread

from carrier_core import Memory, decode, inflate
from carrier_core.recall import shelf_of
from carrier_memory_sqlite.database import Database
from carrier_memory_sqlite.queries import queries
from carrier_memory_sqlite.transaction import Stored, Transaction

BACKLOG = 10_000
"""Rows without a vector that are looked for at once: that reads all memories, some 0.2 s for 200,000 of them."""

Given = tuple[tuple[str, tuple[float, ...]], ...]

_SQL = queries("vectors")
_PAYLOAD = queries("memory")["payload"]


class Embeddings:
    """What waits for an embedder, kept in mind once it has asked. Changed on the event loop only."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._model = ""
        self._waiting: dict[int, None] = {}
        self._whole = False  # there are no others, so that what is written from now on is noted
        self._given: dict[str, int] = {}  # hashes of the records that were handed out last

    async def unembedded(self, model: str, limit: int) -> tuple[Memory, ...]:
        """Memories without a vector of this embedder, oldest first."""
        if limit < 1:
            return ()
        if not self._database.writable:
            rows: Iterable[int] = await self._missing(model, limit)
        else:
            if model != self._model:
                self.clear()
                self._model = model
            if not self._waiting and not self._whole:
                await self._look()
            rows = tuple(self._waiting)
        self._given = {}
        found: list[Memory] = []
        for row in rows:
            if len(found) == limit:
                break
            found += self._hand_out(row)
        return tuple(found)

    async def embed(self, model: str, vectors: Given) -> None:
        """Store vectors, in one transaction; those of texts that changed since they were handed out are left out."""
        ready = await anyio.to_thread.run_sync(_packed, vectors)
        given = dict(self._given)

        def store(transaction: Transaction) -> list[int]:
            embedder = embedder_of(transaction, model)
            written = []
            for (key, _), (bits, numbers) in zip(vectors, ready, strict=True):
                for row, payload in transaction.rows(_SQL["memory"], (key,)):
                    if given.get(key, hash(payload)) == hash(payload):
                        transaction.execute(_SQL["add"], (row, embedder, shelf_of(row), bits, numbers))
                        written.append(row)
            return written

        def stored(rows: list[int]) -> None:
            if model == self._model:
                for row in rows:
                    self._waiting.pop(row, None)

        await self._database.write(store, stored)

    def note(self, stored: Stored) -> None:
        """That memories were written, or left, durably."""
        for row in stored.left:
            self._waiting.pop(row, None)
        if self._whole:
            self._waiting.update(dict.fromkeys(stored.rows))

    def clear(self) -> None:
        """Keep nothing in mind."""
        self._model, self._whole = "", False
        self._waiting, self._given = {}, {}

    async def _look(self) -> None:
        self._whole = True
        try:
            rows = await self._missing(self._model, BACKLOG)
        except BaseException:
            self._whole = False
            raise
        self._whole = len(rows) < BACKLOG
        self._waiting = dict.fromkeys(rows) | self._waiting  # what was written meanwhile comes last

    async def _missing(self, model: str, limit: int) -> list[int]:
        return [row for (row,) in await self._database.aside(lambda rows: rows(_SQL["missing"], (model, limit)))]

    def _hand_out(self, row: int) -> tuple[Memory, ...]:
        """The memory of a row; none if it is gone, or was written by a newer release in a way unknown here."""
        for (payload,) in self._database.rows(_PAYLOAD, (row,)):
            memory = decode(inflate(payload), object)
            if isinstance(memory, Memory):
                self._given[memory.id] = hash(payload)
                return (memory,)
        self._waiting.pop(row, None)
        return ()


def embedder_of(transaction: Transaction, model: str) -> int:
    """The number of an embedder, which is added if it is new."""
    rows = transaction.rows(_SQL["embedder"], (model,)) or transaction.rows(_SQL["add_embedder"], (model,))
    return int(rows[0][0])


def _packed(vectors: Given) -> list[tuple[bytes, bytes]]:
    from carrier_memory_sqlite.vectors import packed  # numpy is loaded only where a vector is used, and aside

    return packed(vector for _, vector in vectors)
