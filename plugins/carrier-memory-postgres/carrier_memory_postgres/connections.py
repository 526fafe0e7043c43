"""Connections to the server, and a few of them that are shared by those who read."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar

import asyncpg  # type: ignore[import-untyped]

from carrier_core import Unavailable
from carrier_memory_postgres.faults import is_gone, translate
from carrier_memory_postgres.settings import Settings

T = TypeVar("T")

Row = tuple[Any, ...]

FIRST, LONGEST = 0.02, 1.0
"""Seconds until the server is tried again: doubled each time, up to the second."""
_CLOSING = 2.0  # seconds that the server is given to take leave


_BY_INDEX = {"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off"}
"""Every statement of a turn finds its rows by an index. Plans are kept; one that was made while the tables were empty would
read them from end to end when they have grown."""


class Link(Protocol):
    """What is used of a connection of asyncpg."""

    async def fetch(
        self,
        query: str,
        *values: object,
        timeout: float | None = None,  # noqa: ASYNC109 (asyncpg's own)
    ) -> list[Row]:
        """The rows of a query."""

    async def execute(
        self,
        query: str,
        *values: object,
        timeout: float | None = None,  # noqa: ASYNC109 (asyncpg's own)
    ) -> str:
        """Run a statement, or several without values; returns what the server says of it."""

    def cursor(
        self, query: str, *values: object, prefetch: int | None = None, timeout: float | None = None
    ) -> AsyncIterator[Row]:
        """The rows of a query, some at a time; in a transaction."""

    def transaction(self, *, isolation: str | None = None, readonly: bool = False) -> Any:
        """A transaction as a context."""

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 (asyncpg's own)
        """Take leave of the server."""

    def terminate(self) -> None:
        """Hang up."""

    def is_closed(self) -> bool:
        """Whether it cannot be used any more."""


class Unhurried:
    """A connection whose statements may take ``seconds``: of what looks through everything there is."""

    def __init__(self, link: Link, seconds: float) -> None:
        self._link = link
        self._seconds = seconds

    async def fetch(self, query: str, *values: object) -> list[Row]:
        """The rows of a query."""
        return await self._link.fetch(query, *values, timeout=self._seconds)

    async def execute(self, query: str) -> str:
        """Run a statement, or several."""
        return await self._link.execute(query, timeout=self._seconds)

    def cursor(self, query: str, *values: object, prefetch: int | None = None) -> AsyncIterator[Row]:
        """The rows of a query, some at a time."""
        return self._link.cursor(query, *values, prefetch=prefetch, timeout=self._seconds)


class Speaker(Protocol):
    """What a transaction needs of a connection."""

    async def fetch(self, query: str, *values: object) -> list[Row]:
        """The rows of a query."""

    async def execute(self, query: str) -> str:
        """Run a statement, or several."""

    def cursor(self, query: str, *values: object, prefetch: int | None = None) -> AsyncIterator[Row]:
        """The rows of a query, some at a time."""


class Server:
    """Where the database is: makes connections to it. ``variable`` is what an operator names it with."""

    def __init__(self, settings: Settings, url: str, variable: str) -> None:
        self.url = url
        self.variable = variable
        self._settings = settings
        self._path = settings.namespace

    def look_in(self, *namespaces: str) -> None:
        """Look for tables and types in these schemas from the next connection on."""
        self._path = ", ".join(dict.fromkeys(f'"{name}"' for name in namespaces))

    def copy_path(self, other: Server) -> None:
        """Look for tables and types where another server's connections do."""
        self._path = other._path

    async def connect(self, role: str, seconds: float = 0.0) -> Link:
        """A new connection; ``role`` is shown in pg_stat_activity. ``seconds``: how long a statement may take, if longer
        than usual. A CarrierError without a password if there is none."""
        settings = self._settings
        try:
            async with asyncio.timeout(settings.connect_seconds):
                link: Link = await asyncpg.connect(
                    self.url,
                    command_timeout=seconds or settings.statement_seconds,
                    statement_cache_size=512,
                    max_cached_statement_lifetime=0,
                    server_settings={
                        "application_name": f"carrier {role}",
                        "search_path": self._path,
                        "jit": "off",  # no statement runs long enough to be worth compiling
                        **({} if seconds else _BY_INDEX),
                        "lock_timeout": f"{round(settings.busy_seconds * 1000)}",
                        "idle_in_transaction_session_timeout": f"{round(settings.statement_seconds * 1000)}",
                        "tcp_keepalives_idle": "30",
                        "tcp_keepalives_interval": "10",
                    },
                )
        except Exception as error:
            raise translate(error, self.url, self.variable) from None  # what it says may hold the URL
        return link


class Pool:
    """At most ``size`` connections to a server, each lent to one reader at a time."""

    def __init__(self, server: Server, size: int, patience: float) -> None:
        self._server = server
        self._patience = patience
        self._idle: list[Link] = []
        self._lent: set[Link] = set()
        self._places = asyncio.Semaphore(size)
        self._closed = False

    async def rows(self, sql: str, *values: object) -> list[Row]:
        """The rows of a query."""
        return await self.run(lambda link: link.fetch(sql, *values))

    async def run(self, work: Callable[[Link], Awaitable[T]]) -> T:
        """What ``work`` returns, which may run again: while the server cannot be reached it is, for some seconds."""
        until = time.monotonic() + self._patience
        delay = FIRST
        while True:
            try:
                async with self.link() as link:
                    return await work(link)
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, Unavailable) as error:
                left = until - time.monotonic()
                if not (is_gone(error) or isinstance(error, Unavailable)) or left <= 0 or self._closed:
                    raise translate(error, self._server.url, self._server.variable) from None
            await asyncio.sleep(min(delay, max(left, 0.0)))
            delay = min(delay * 2, LONGEST)

    @asynccontextmanager
    async def link(self) -> AsyncIterator[Link]:
        """A connection for one reader. It is given up where it fails."""
        if self._closed:
            raise closed()
        async with self._places:
            link = self._take() or await self._server.connect("reader")
            self._lent.add(link)
            try:
                yield link
            except asyncpg.PostgresError as error:
                self._give_back(link, sound=not is_gone(error))
                raise
            except Exception as error:
                lost = link.is_closed()
                self._give_back(link, sound=False)
                if lost:  # one that was cut may answer with any error of asyncpg's
                    raise ConnectionError(type(error).__name__) from error
                raise
            except BaseException:
                self._give_back(link, sound=False)  # somebody was cancelled in the middle of an answer, say
                raise
            self._give_back(link, sound=True)

    def _give_back(self, link: Link, *, sound: bool) -> None:
        self._lent.discard(link)
        if sound and not self._closed and not link.is_closed():
            self._idle.append(link)
        else:
            link.terminate()

    def _take(self) -> Link | None:
        while self._idle:
            link = self._idle.pop()
            if not link.is_closed():
                return link
        return None

    async def close(self) -> None:
        """Close all; what is lent is hung up."""
        self._closed = True
        for link in self._lent:
            link.terminate()
        while self._idle:
            await leave(self._idle.pop())


async def leave(link: Link) -> None:
    """Close a connection, whatever state it is in."""
    try:
        await link.close(timeout=_CLOSING)
    except Exception:
        link.terminate()


def closed() -> Unavailable:
    """The error of a store that is not open."""
    return Unavailable("The database is not open.", remedy="Open the store first.")


def lock_key(*names: str) -> int:
    """The number of an advisory lock."""
    digest = hashlib.blake2b("\0".join(("carrier", *names)).encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
