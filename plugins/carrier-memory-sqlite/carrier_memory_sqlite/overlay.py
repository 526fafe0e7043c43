"""What a reader sees of memories that the process which writes has not indexed yet."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import apsw

from carrier_core import Memory, decode, inflate
from carrier_memory_sqlite.database import Row
from carrier_memory_sqlite.prepared import words_of
from carrier_memory_sqlite.queries import queries

Rows = Callable[[str, tuple[object, ...]], list[Row]]

_RECALL = queries("recall")


def memories_of(rows: Iterable[Row]) -> tuple[Memory, ...]:
    """The memories of records; one that a newer release wrote in a way unknown here is left out."""
    found = (decode(inflate(payload), object) for (payload,) in rows)
    return tuple(memory for memory in found if isinstance(memory, Memory))


def overlaid(rows: Rows) -> Rows:
    """Searches of the index and of what waits for it beside."""
    waiting = rows(_RECALL["waiting"], (-1,))
    if not waiting:
        return rows
    beside = apsw.Connection(":memory:")
    beside.execute(rows(_RECALL["index_sql"], ())[0][0])
    beside.executemany(_RECALL["index"], [(row, words_of(payload)) for row, payload in waiting])

    def both(sql: str, values: tuple[object, ...]) -> list[Row]:
        return [*beside.execute(sql, values).fetchall(), *rows(sql, values)]

    return both
