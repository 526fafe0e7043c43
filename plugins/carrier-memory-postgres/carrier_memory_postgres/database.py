"""The connections to one database: a writer, those who read, and those who read from a replica."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

import asyncpg  # type: ignore[import-untyped]

from carrier_core import CarrierError, ConfigError, Unavailable
from carrier_memory_postgres.batch import Batch
from carrier_memory_postgres.connections import Link, Pool, Row, Server, closed, leave
from carrier_memory_postgres.faults import VARIABLE, address, require_url, translate
from carrier_memory_postgres.partitions import make_ahead
from carrier_memory_postgres.prepared import Stored
from carrier_memory_postgres.queries import queries
from carrier_memory_postgres.schema import migrate, namespace_of_vectors, require_current
from carrier_memory_postgres.settings import Settings
from carrier_memory_postgres.standing import Needs
from carrier_memory_postgres.writer import Writer

T = TypeVar("T")

READ_VARIABLE = "`read_url` in [plugin.carrier-memory-postgres]"
_OLD_WRITERS = queries("database")["forget_writers"]


class Database:
    """One schema in one database, which any number of processes may share."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.outdated: Callable[[], None] = lambda: None
        self.stored: Callable[[Stored], None] = lambda stored: None  # told of memories that were written
        self._server: Server | None = None
        self._writer: Writer | None = None
        self._pool: Pool | None = None
        self._replica: Pool | None = None

    # --- open and close ---

    async def open(self) -> None:
        """Connect, bring the schema up to date, start the writer."""
        server = self._prepare()
        link = await server.connect("writer")
        try:
            await migrate(link, self.settings.namespace, server.url)
            link = await self._look_for_vectors(server, link, "writer")
            await link.execute("BEGIN")
            await make_ahead(link)
            await link.fetch(_OLD_WRITERS)
            await link.execute("COMMIT")
            writer = Writer(server, self.settings.retry_seconds)
            writer.outdated, writer.stored = self.outdated, self.stored
            await writer.open(link)
        except BaseException as error:
            link.terminate()
            if isinstance(error, CarrierError) or not isinstance(error, Exception):
                raise
            raise translate(error, server.url) from None
        self._writer = writer
        self._start(server)

    async def open_read_only(self) -> None:
        """Connect; nothing can be written."""
        server = self._prepare()
        link = await server.connect("reader")
        try:
            await require_current(link, self.settings.namespace, server.url)
            link = await self._look_for_vectors(server, link, "reader")
        except Exception as error:
            raise translate(error, server.url) from None
        finally:
            await leave(link)
        self._start(server)

    async def close(self) -> None:
        """Write what is queued, close every connection."""
        writer, pools = self._writer, (self._pool, self._replica)
        self._writer = self._pool = self._replica = self._server = None
        try:
            if writer is not None:
                await writer.close()
        finally:
            for pool in pools:
                if pool is not None:
                    await pool.close()

    def _prepare(self) -> Server:
        if self._server is not None:
            raise Unavailable("The database is open already.", remedy="Close the store before opening it again.")
        url = self.settings.url
        return Server(self.settings, require_url(url.get_secret_value() if url else ""), VARIABLE)

    async def _look_for_vectors(self, server: Server, link: Link, role: str) -> Link:
        """See that the type of vectors is found in whatever schema the extension is; a new connection, if need be."""
        namespace = await namespace_of_vectors(link)
        if not namespace:
            raise ConfigError(
                f"The extension pgvector is not set up in {address(server.url)}.",
                remedy="Let a superuser run CREATE EXTENSION vector in this database.",
            )
        server.look_in(self.settings.namespace, namespace)
        await leave(link)
        return await server.connect(role)

    def _start(self, server: Server) -> None:
        self._server = server
        self._pool = Pool(server, self.settings.pool_size, self.settings.retry_seconds)
        if self.settings.read_url is not None:
            replica = Server(
                self.settings, require_url(self.settings.read_url.get_secret_value(), READ_VARIABLE), READ_VARIABLE
            )
            replica.copy_path(server)
            self._replica = Pool(replica, self.settings.pool_size, 0.0)

    # --- use ---

    @property
    def writable(self) -> bool:
        """Whether it was opened for writing."""
        return self._writer is not None

    @property
    def pool(self) -> Pool:
        """The connections that read."""
        if self._pool is None:
            raise closed()
        return self._pool

    @property
    def writer(self) -> Writer:
        """The one who writes."""
        if self._writer is None:
            raise closed() if self._pool is None else self._read_only()
        return self._writer

    async def rows(self, sql: str, *values: object) -> list[Row]:
        """The rows of a query."""
        return await self.pool.rows(sql, *values)

    async def recalled(self, sql: str, *values: object) -> list[Row]:
        """The rows of a query about memories: from the replica, if there is one and it answers."""
        if self._replica is not None:
            try:
                return await self._replica.rows(sql, *values)
            except Unavailable:
                pass  # it is there to take a load off the primary, not to be relied on
        return await self.pool.rows(sql, *values)

    async def apart(self, role: str, seconds: float, work: Callable[[Link], Awaitable[T]]) -> T:
        """What ``work`` returns, done on a connection of its own, where each statement may take so many seconds."""
        server = self._server
        if server is None:
            raise closed()
        link = await server.connect(role, seconds)
        try:
            return await work(link)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError) as error:
            raise translate(error, server.url) from None
        finally:
            await leave(link)

    async def write(
        self,
        needs: Needs,
        run: Callable[[Batch], T],
        done: Callable[[T, Batch], None] | None = None,
        key: Hashable = None,
        alone: Callable[[Batch], Any] | None = None,
    ) -> T:
        """Run a request in the writer; returns its value once it is durable (see :class:`Writer`)."""
        return await self.writer.write(needs, run, done, key, alone)

    async def check(self) -> str:
        """How it is, in words; raises what keeps it from working."""
        if self._server is None:
            raise closed()
        size = (await self.rows(queries("database")["size"], self.settings.namespace))[0][0]
        how = "open" if self.writable else "open for reading"
        return f"{how}, {address(self._server.url)}, {size / 1_000_000:.1f} MB"

    def _read_only(self) -> CarrierError:
        return Unavailable("The database was opened for reading only.", remedy="Ask the daemon to write.")
