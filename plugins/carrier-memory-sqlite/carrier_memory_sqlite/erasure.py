"""The course of forgetting a person: find, remove, and clean the bytes of the file."""

from __future__ import annotations

import mmap
from collections import Counter
from functools import partial
from pathlib import Path

import anyio.to_thread

from carrier_memory_sqlite import forgetting, spending
from carrier_memory_sqlite.database import Database
from carrier_memory_sqlite.forgetting import Named, name_of, some
from carrier_memory_sqlite.journal import SqliteJournal
from carrier_memory_sqlite.memory import SqliteMemory
from carrier_memory_sqlite.retention import drop_turns, sweep
from carrier_memory_sqlite.transaction import Transaction

AT_ONCE = 200
"""Rows that are removed in one transaction, so that rooms go on meanwhile."""
PASSES = 3
"""How often what names a person is looked for: a turn that ended meanwhile may have written of them."""

_TABLES = {"inbound": "drop_inbound", "outbox": "drop_post", "schedules": "drop_schedule", "parts": "drop_part"}


async def forget(database: Database, journal: SqliteJournal, memory: SqliteMemory, entity: str) -> dict[str, int]:
    """Remove a person; returns how many rows of each sort were removed or emptied. Unavailable, with nothing left that
    could be read through the store, where another program keeps the log from being cleared."""
    gone: Counter[str] = Counter()
    for _ in range(PASSES):
        named = await database.apart(lambda rows: forgetting.find(rows, entity))
        removed = await _remove(database, journal, memory, entity, named)
        gone.update(removed)
        if not any(removed.values()):
            break
    await sweep(database, journal)
    await _clean(database, name_of(entity))
    return dict(gone)


async def _remove(
    database: Database, journal: SqliteJournal, memory: SqliteMemory, entity: str, named: Named
) -> Counter[str]:
    gone: Counter[str] = Counter()
    journal.forgot(named.keys)
    for numbers in some(named.turns, AT_ONCE):
        gone.update(await database.write(partial(drop_turns, numbers=numbers, over=False)))
    for numbers in some(named.speak, AT_ONCE):
        empty = partial(forgetting.empty_turns, numbers=numbers, name=name_of(entity), lost=named.lost)
        gone["turns"] += await database.write(empty)
    for sort, table in _TABLES.items():
        keys: list[int] | list[str] = getattr(named, sort)
        for chosen in some(keys, AT_ONCE):
            gone[sort] += await database.write(partial(forgetting.drop_rows, table=table, keys=chosen))
    for rows in some(named.memories, AT_ONCE):
        gone["vectors"] += await database.write(partial(forgetting.drop_rows, table="drop_vectors", keys=rows))
        gone["memories"] += await memory.drop(rows)
    gone.update(await database.write(lambda transaction: spending.forget(transaction, entity)))
    gone.update(await database.write(lambda transaction: forgetting.drop_person(transaction, entity)))
    journal.forgot(())
    memory.forgot()
    return gone


async def _clean(database: Database, name: bytes) -> None:
    """Whatever is deleted is overwritten at once, but the index and the log keep things longer, and a database that an
    older release wrote has free pages that were not overwritten."""
    first = True
    while await database.write(partial(forgetting.merge, first=first)):
        first = False
    with database.quiet():
        await database.alone(Transaction.clear_log)
        if await anyio.to_thread.run_sync(_holds, database.file, name):
            await database.alone(Transaction.rewrite)
            await database.alone(Transaction.clear_log)


def _holds(file: Path, name: bytes) -> bool:
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content.find(name) >= 0
