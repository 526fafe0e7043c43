"""The connections to one database file: a writer in its own thread, readers here and in a worker thread."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import anyio
import apsw

from carrier_core import CarrierError, ConfigError, Unavailable
from carrier_memory_sqlite.faults import translate
from carrier_memory_sqlite.lock import FolderLock
from carrier_memory_sqlite.schema import migrate, migrations, require_current
from carrier_memory_sqlite.settings import Settings
from carrier_memory_sqlite.transaction import LOG_PAGES, Settled, Transaction
from carrier_memory_sqlite.writer import Writer

T = TypeVar("T")
Row = tuple[Any, ...]

_READ = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_NOMUTEX
_WRITE = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_NOMUTEX


READ_WAIT = 0.2
"""Seconds that a reader waits for a lock, on the event loop. In a database with a write-ahead log only a program that
works on it without one locks readers out."""


OVERWRITTEN_SINCE = 3
"""The first schema whose releases overwrite what they delete: of what older ones deleted the file may hold traces."""


class Database:
    """One file, opened for writing by one process at a time, for reading by any number.

    Reads by an index take some 10 microseconds and run where they are asked for, on the event loop: handing one to a
    thread costs more. What may take long goes through :meth:`aside`.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.file = Path(settings.file)
        self.writable = False
        self.indexed: Callable[[Collection[int]], None] = lambda rows: None  # told of rows whose words were indexed
        self._log_pages = 0
        self._holding = True  # searches may hold on to a state
        self._lock: FolderLock | None = None
        self._writer: Writer | None = None
        self._reader: apsw.Connection | None = None
        self._words: apsw.Connection | None = None
        self._second: apsw.Connection | None = None
        self._turnstile: anyio.CapacityLimiter | None = None
        self._read: Callable[..., apsw.Cursor] | None = None

    # --- open and close ---

    def open(self, folder: Path) -> None:
        """Open or create the file in ``folder`` for this process alone."""
        self._require_closed()
        self.file = folder / self._settings.file
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = FolderLock(folder)
            self._open_writer()
            self._open_reader()
        except BaseException as error:
            self._unlock()
            if isinstance(error, apsw.Error):
                raise translate(error, self.file) from error
            if isinstance(error, OSError):
                raise Unavailable(
                    f"The state directory {folder} cannot be used ({error.strerror}).",
                    remedy="Make it writable for the user that carrierd runs as, or choose another with --state.",
                ) from error
            raise
        self.writable = True

    def open_read_only(self, folder: Path) -> None:
        """Open an existing file for reading, whoever writes to it."""
        self._require_closed()
        self.file = folder / self._settings.file
        if not self.file.exists():
            raise Unavailable(
                f"There is no database {self.file}.", remedy="Start carrierd with this state directory first."
            )
        try:
            self._open_reader()
        except apsw.Error as error:
            raise translate(error, self.file) from error

    async def close(self) -> None:
        """Write what is queued, close every connection, let go of the folder."""
        for reader in (self._reader, self._words, self._second):
            if reader is not None:
                reader.close()
        self._reader = self._words = self._second = self._read = None
        try:
            if self._writer is not None:
                await self._writer.close()
        finally:
            self._writer = None
            self.writable = False
            self._unlock()

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _require_closed(self) -> None:
        if self._reader is not None:
            raise Unavailable(f"{self.file} is open already.", remedy="Close the store before opening it again.")

    def _open_writer(self) -> None:
        os.close(os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        self.file.chmod(0o600)
        connection = self._connect(_WRITE, self._settings.busy_seconds)
        try:
            mode = connection.pragma("journal_mode", "wal")
            if mode != "wal":
                raise Unavailable(
                    f"{self.file} cannot have a write-ahead log (its journal mode stays {mode}).",
                    remedy="Choose a state directory on a local file system.",
                )
            connection.pragma("synchronous", self._settings.synchronous)
            connection.pragma("cache_size", -8_000)  # KiB: ids are spread over their indexes
            connection.pragma("secure_delete", True)  # what is forgotten is overwritten at once, wherever it lay
            found = int(connection.pragma("user_version"))
            migrate(connection, self.file, migrations())
            if 0 < found < OVERWRITTEN_SINCE:
                connection.execute("VACUUM")
            transaction = Transaction(connection)
            transaction.catch_up()
            self._writer = Writer(transaction, self.file, self._settled)
        except BaseException:
            connection.close()
            raise

    def _open_reader(self) -> None:
        connection = self._connect(_READ)
        try:
            require_current(connection, self.file)
        except BaseException:
            connection.close()
            raise
        self._reader = connection
        self._read = connection.cursor().execute
        self._turnstile = anyio.CapacityLimiter(1)

    def _connect(self, flags: int, seconds: float = READ_WAIT) -> apsw.Connection:
        try:
            connection = apsw.Connection(str(self.file), flags=flags)
            connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchall()
        except apsw.CantOpenError:
            if flags != _READ or self._log_left():
                raise
            # On a file system that is read-only there can be no log beside the file, and nobody who writes.
            connection = apsw.Connection(f"{self.file.absolute().as_uri()}?immutable=1", flags | apsw.SQLITE_OPEN_URI)
        connection.set_busy_timeout(round(seconds * 1000))
        connection.pragma("temp_store", "memory")
        return connection

    def _log_left(self) -> bool:
        log = self.file.with_name(f"{self.file.name}-wal")
        return (log.exists() and log.stat().st_size > 0) or os.access(self.file.parent, os.W_OK)

    # --- use ---

    def rows(self, sql: str, values: tuple[object, ...] = ()) -> list[Row]:
        """The rows of a short query, on the event loop."""
        if self._read is None:
            raise self._closed()
        try:
            return self._read(sql, values).fetchall()
        except apsw.SQLError:
            raise
        except apsw.Error as error:
            raise translate(error, self.file) from error

    def match(self, sql: str, values: tuple[object, ...] = ()) -> list[Row]:
        """The rows of a search of the index, on the event loop.

        The index changes only now and then, and every commit of another connection costs a reader all pages that it has
        in memory. So searches have a connection of their own, which goes on reading the state of the database that it
        began with until the index has changed (or the log gets so long that it has to start anew, which a reader in the
        middle of it would prevent).
        """
        if self._words is None:
            if self._reader is None:
                raise self._closed()
            self._words = self._connect(_READ)
        try:
            holds = self._words.in_transaction or not self._holding
            if self._writer is not None and not holds and self._log_pages < LOG_PAGES:
                self._words.execute("BEGIN")
            return self._words.execute(sql, values).fetchall()
        except apsw.SQLError:
            raise
        except apsw.Error as error:
            raise translate(error, self.file) from error

    def _settled(self, settled: Settled) -> None:
        self._log_pages = settled.log_pages
        outdated = settled.indexed or settled.removed or settled.log_pages >= LOG_PAGES
        if outdated and self._words is not None and self._words.in_transaction:
            self._words.execute("COMMIT")
        if settled.indexed:
            self.indexed(settled.indexed)

    async def aside(self, work: Callable[[Callable[[str, tuple[object, ...]], list[Row]]], T]) -> T:
        """Run what may take long in a worker thread, on a connection of its own, one at a time.

        ``work`` is given what :meth:`rows` is here.
        """
        if self._reader is None:
            raise self._closed()
        return await anyio.to_thread.run_sync(self._work, work, limiter=self._turnstile)

    def _work(self, work: Callable[[Callable[[str, tuple[object, ...]], list[Row]]], T]) -> T:
        if self._second is None:
            self._second = self._connect(_READ)
        execute = self._second.cursor().execute
        try:
            return work(lambda sql, values: execute(sql, values).fetchall())
        except apsw.Error as error:
            raise translate(error, self.file) from error

    async def apart(self, work: Callable[[Callable[[str, tuple[object, ...]], Iterator[Row]]], T]) -> T:
        """Run what takes very long in a worker thread, on one state of the database, beside everything else.

        ``work`` is given what runs a query and gives its rows one after another.
        """
        connection = self.snapshot()
        try:
            return await anyio.to_thread.run_sync(work, lambda sql, values: connection.execute(sql, values))
        except apsw.Error as error:
            raise translate(error, self.file) from error
        finally:
            connection.close()

    async def alone(self, job: Callable[[Transaction], T]) -> T:
        """Run a job in the writer thread outside of any transaction."""
        if self._writer is None:
            raise self._closed() if self._reader is None else self._read_only()
        return await self._writer.write(job, alone=True)

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Let no search hold on to a state of the database meanwhile."""
        self._holding = False
        if self._words is not None and self._words.in_transaction:
            self._words.execute("COMMIT")
        try:
            yield
        finally:
            self._holding = True

    def snapshot(self) -> apsw.Connection:
        """A connection of its own that goes on seeing the present state, whatever is written. The caller closes it."""
        if self._reader is None:
            raise self._closed()
        connection = self._connect(_READ)
        connection.pragma("temp_store", "file")
        connection.execute("BEGIN")
        return connection

    async def write(self, job: Callable[[Transaction], T], done: Callable[[T], None] | None = None) -> T:
        """Run a job in the writer thread; returns its value once it is durable (see :class:`Writer`)."""
        if self._writer is None:
            raise self._closed() if self._reader is None else self._read_only()
        return await self._writer.write(job, done)

    def check(self) -> None:
        """Raise what keeps the database from working."""
        if self._reader is None:
            raise self._closed()
        if not self.file.exists():
            raise ConfigError(
                "The database was removed while it was in use.",
                remedy="Stop carrierd and restore a backup.",
                file=str(self.file),
            )
        self.rows("SELECT count(*) FROM sqlite_schema")
        if self.writable and (self._writer is None or not self._writer.alive):
            raise Unavailable(f"The thread that writes {self.file} has ended.", remedy="Restart carrierd.")

    def _closed(self) -> CarrierError:
        return Unavailable(f"{self.file} is not open.", remedy="Open the store first.")

    def _read_only(self) -> CarrierError:
        return Unavailable(
            f"{self.file} was opened for reading only.",
            remedy="Ask the daemon to write, or stop it and try again.",
        )
