"""What a job in the writer thread works on: the connection, what it looked up before, and what is to be indexed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

import apsw

from carrier_core import Fenced, Memory, deflate
from carrier_core.recall import WORDS_VERSION, keys_of, pack, place_of, shelf_of
from carrier_memory_sqlite.prepared import Prepared, words_of
from carrier_memory_sqlite.queries import queries

MANY = 20_000
"""Rooms and shelves that are kept in mind; beyond it they are looked up again."""


class Place:
    """An (agent, room) pair: its number, the last sequence number given out, the epoch and owner of its last claim."""

    __slots__ = ("epoch", "number", "owner", "seq")

    def __init__(self, number: int, seq: int = 0, epoch: int = 0, owner: str = "") -> None:
        self.number = number
        self.seq = seq
        self.epoch = epoch
        self.owner = owner


class Stored(NamedTuple):
    """What storing memories did, for those who keep copies: rows written, rows left, shelves put up (agent, room, keys)."""

    rows: dict[int, Memory]
    left: list[int]
    shelves: list[tuple[str, str, tuple[str, ...]]]


LOG_PAGES = 4_000
"""Pages of 4 KiB in the write-ahead log before they are moved into the database: the more, the less often a page that
changes all the time is moved."""


class Settled(NamedTuple):
    """What a batch did to the index and the log: rows whose words were indexed, whether any were taken out, and the
    length of the write-ahead log in pages."""

    indexed: Collection[int]
    removed: bool
    log_pages: int


INDEX_AT_ONCE = 512
"""Memories whose words wait to be indexed together. Every time that words are added the index gets another segment to
search, and merges some: one by one that costs some 60 microseconds for a memory, and every search twice as much."""


class Transaction:
    """The writer's view of the database. Of one thread, one transaction after another."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self.execute = connection.cursor().execute
        self.executemany = connection.cursor().executemany
        self._memory = queries("memory")
        self._recall = queries("recall")
        self._inbound = queries("inbound")
        self._turns = queries("turns")
        self._unembed = queries("vectors")["remove"]
        self._places: dict[tuple[str, str], Place] = {}
        self._parts: dict[str, int] = {}
        self._shelves: dict[tuple[str, str, int, bytes], int] = {}
        self._last: dict[int, int] = {}
        self._number = self._first_number = -1
        self._fresh: dict[int, str] = {}  # of this transaction
        self._gone: set[int] = set()  # of this transaction
        self._waiting: dict[int, str] = {}
        self._index_now = self._indexing = False
        self._index_at = INDEX_AT_ONCE
        self._log_pages = 0
        self.commits = 0  # since it was opened
        connection.set_wal_hook(self._logged)

    def _logged(self, _connection: apsw.Connection, _database: str, pages: int) -> int:
        self._log_pages = pages
        return apsw.SQLITE_OK

    # --- its course ---

    @property
    def written(self) -> int:
        """Rows changed since the connection was opened: whether a job wrote anything before it failed."""
        return self._connection.total_changes() + len(self._fresh) + len(self._gone)

    @property
    def active(self) -> bool:
        """Whether the transaction is still there: some errors make SQLite roll it back by itself."""
        return self._connection.in_transaction

    def begin(self) -> None:
        """Start it, waiting for other programs' locks as long as the settings say."""
        self.execute("BEGIN IMMEDIATE")

    def commit(self) -> Settled:
        """Make all of it durable."""
        self._indexing = self._index_now or len(self._waiting) + len(self._fresh) >= self._index_at
        if self._gone:
            gone = [(row,) for row in self._gone]
            self.executemany(self._recall["waited"], gone)
            self.executemany(self._recall["unindex"], gone)
        if self._indexing:
            self._index()
        elif self._fresh:
            self.executemany(self._recall["wait"], [(row,) for row in self._fresh])
        if self._number != self._first_number:
            self.execute(self._memory["set_last_number"], (self._number,))
        self.execute("COMMIT")
        return self._committed()

    def _index(self) -> None:
        """Sorted, because the index takes any other order as a reason to write out what it has gathered."""
        waiting = {row: text for row, text in self._waiting.items() if row not in self._gone} | self._fresh
        self.executemany(self._recall["index"], sorted(waiting.items()))
        self.executemany(self._recall["waited"], [(row,) for row in self._waiting])

    def _committed(self) -> Settled:
        self.commits += 1
        self._first_number = self._number
        for row in self._gone:
            self._waiting.pop(row, None)
        self._waiting.update(self._fresh)
        indexed: tuple[int, ...] = ()
        if self._indexing:
            indexed = tuple(self._waiting)
            self._waiting.clear()
            self._index_at, self._indexing = INDEX_AT_ONCE, False
        settled = Settled(indexed, bool(self._gone), self._log_pages)
        if self._log_pages >= LOG_PAGES:
            try:
                self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            except apsw.Error:
                pass  # the transaction is durable as it is; the next one tries again
        self._gone.clear()
        self._fresh.clear()
        self._index_now = False
        for kept in (self._places, self._parts, self._shelves, self._last):
            if len(kept) > MANY:
                kept.clear()
        return settled

    def rollback(self) -> bool:
        """Undo it, and forget whatever was looked up: it may have been written in this transaction.

        Returns whether it may succeed if it is tried again, because indexing, which nobody asked for, is put off.
        """
        if self._connection.in_transaction:
            self.execute("ROLLBACK")
        put_off = self._indexing and not self._index_now
        if put_off:
            self._index_at = len(self._waiting) + 2 * INDEX_AT_ONCE
        self._number = self._first_number = -1
        self._index_now = self._indexing = False
        for kept in (self._places, self._parts, self._shelves, self._last, self._gone, self._fresh):
            kept.clear()
        return put_off

    def index_now(self) -> None:
        """Index all words that wait when this transaction is committed."""
        self._index_now = True

    def catch_up(self) -> None:
        """Index what was waiting when a process died, or everything, if the index was made by other rules."""
        if self.rows(self._recall["words_version"])[0][0] != WORDS_VERSION:
            self.begin()
            self.execute(self._recall["unindex_all"])
            self.execute(self._recall["wait_all"])
            self.execute(self._recall["set_words_version"], (WORDS_VERSION,))
            self.commit()
        while rows := self.rows(self._recall["waiting"], (10 * INDEX_AT_ONCE,)):
            self.begin()
            self._waiting = {row: words_of(payload) for row, payload in rows}
            self.index_now()
            self.commit()

    def clear_log(self) -> None:
        """Move the write-ahead log into the database and empty its file. Outside of a transaction; BusyError while others
        read."""
        self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)

    def rewrite(self) -> None:
        """Write the whole database anew, without anything in it that is free. Outside of a transaction."""
        self.execute("VACUUM")

    def close(self) -> None:
        """Close the connection; the last one moves the write-ahead log into the database."""
        self._connection.close()

    def rows(self, sql: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """Run a statement to its end; its rows."""
        return self.execute(sql, values).fetchall()

    def wrote(self, sql: str, values: tuple[object, ...]) -> bool:
        """Run a statement that changes one row at most; whether it did."""
        self.execute(sql, values)
        return self._connection.changes() == 1

    def removed(self, sql: str, values: tuple[object, ...]) -> int:
        """Run a statement that changes rows; how many that were."""
        self.execute(sql, values)
        return self._connection.changes()

    def added(self, sql: str, values: tuple[object, ...]) -> int | None:
        """Run a statement that inserts one row at most; its number, None if there was one already."""
        self.execute(sql, values)
        return self._connection.last_insert_rowid() if self._connection.changes() == 1 else None

    # --- rooms ---

    def place(self, agent: str, room: str) -> Place:
        """The (agent, room) pair, which is made if it is new."""
        found = self._places.get((agent, room))
        if found is None:
            rows = self.rows(self._inbound["place"], (agent, room))
            if not rows:
                rows = self.rows(self._inbound["add_place"], (agent, room))
            found = self._places[agent, room] = Place(*rows[0])
        return found

    def claimed(self, agent: str, room: str, epoch: int) -> Place:
        """The pair, if this epoch is that of its last claim. Fenced otherwise."""
        place = self.place(agent, room)
        if place.epoch != epoch:
            raise Fenced(
                f"Epoch {epoch} of room {room} is over, it is at {place.epoch}: another owner has claimed it since. "
                "Nothing was written."
            )
        return place

    # --- parts ---

    def part_numbers(self, digests: Sequence[str], *, lenient: bool = False) -> list[int] | None:
        """The numbers of parts; None if one of them is not stored, or without it if that is asked for."""
        known = self._parts
        for digest in digests:
            if digest not in known:
                for (number,) in self.rows(self._turns["part_number"], (digest,)):
                    known[digest] = number
        numbers = [*map(known.get, digests)]
        return None if None in numbers and not lenient else [*filter(None, numbers)]

    def forget_shelves(self) -> None:
        """Keep no shelf in mind: some were removed."""
        self._shelves.clear()
        self._last.clear()

    def forget_parts(self) -> None:
        """Keep no part in mind: some were removed."""
        self._parts.clear()

    def add_parts(self, parts: Iterable[tuple[str, bytes]]) -> int:
        """Store parts that are not stored yet; returns how many that were."""
        new = 0
        for digest, part in parts:
            number = self.added(self._turns["add_part"], (digest, deflate(part)))
            if number is not None:
                self._parts[digest] = number
                new += 1
        return new

    # --- memories ---

    def store(self, memories: Iterable[Prepared]) -> Stored:
        """Write memories; one with a known id replaces the older and keeps its place in the order."""
        stored = Stored({}, [], [])
        for ready in memories:
            memory = ready.memory
            shelf = self._shelf(ready, stored)
            row = pack(shelf, self._next_place(shelf), ready.traits)
            if not self._insert(row, ready, self._next_number()):
                old, number = self.rows(self._memory["row"], (memory.id,))[0]
                self._remove(old, stored)
                if shelf_of(old) == shelf:
                    row = pack(shelf, place_of(old), ready.traits)
                self._insert(row, ready, number)
            self._fresh[row] = ready.text
            stored.rows[row] = memory
        return stored

    def forget(self, ids: Iterable[str]) -> list[int]:
        """Remove memories; returns the rows that there were."""
        rows = [row for key in ids for row, _ in self.rows(self._memory["row"], (key,))]
        return self.drop_rows(rows)

    def drop_rows(self, rows: Iterable[int]) -> list[int]:
        """Remove the memories of rows; returns the rows that there were."""
        stored = Stored({}, [], [])
        for row in rows:
            if self.rows(self._memory["payload"], (row,)):
                self._remove(row, stored)
        return stored.left

    def _insert(self, row: int, ready: Prepared, number: int) -> bool:
        memory = ready.memory
        place = self.place(memory.agent, memory.room).number
        values = (row, memory.id, place, memory.kind.value, memory.entity, memory.at, number, deflate(ready.payload))
        return self.wrote(self._memory["add"], values)

    def _remove(self, row: int, stored: Stored) -> None:
        self.execute(self._memory["remove"], (row,))
        self.execute(self._unembed, (row,))
        self._gone.add(row)
        self._fresh.pop(row, None)
        stored.rows.pop(row, None)
        stored.left.append(row)

    def _shelf(self, ready: Prepared, stored: Stored) -> int:
        agent, wanted = ready.memory.agent, ready.label
        shelf = self._shelves.get((agent, *wanted))
        if shelf is None:
            rows = self.rows(self._recall["shelf"], (agent, *wanted))
            shelf = int(rows[0][0]) if rows else self._add_shelf(ready, stored)
            self._shelves[agent, *wanted] = shelf
        return shelf

    def _add_shelf(self, ready: Prepared, stored: Stored) -> int:
        agent, (room, messages, audience) = ready.memory.agent, ready.label
        rows = self.rows(self._recall["add_shelf"], (agent, room, messages, audience))
        shelf = int(rows[0][0])
        keys = keys_of(ready.memory.provenance.audience)
        self.executemany(self._recall["add_shelf_key"], [(agent, key, messages, shelf) for key in keys])
        stored.shelves.append((agent, room, keys))
        return shelf

    def _next_place(self, shelf: int) -> int:
        last = self._last.get(shelf)
        if last is None:
            limits = (pack(shelf, 0, 0), pack(shelf + 1, 0, 0) - 1)
            row = self.rows(self._memory["last_row"], limits)[0][0]
            last = 0 if row is None else place_of(row)
        self._last[shelf] = last + 1
        return last + 1

    def _next_number(self) -> int:
        if self._number < 0:
            self._number = self._first_number = self.rows(self._memory["last_number"])[0][0]
        self._number += 1
        return self._number
