"""The connections to a service, which the client of an SDK holds."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from typing import ClassVar, Generic, Protocol, TypeVar

import anyio
import anyio.to_thread

LAST_BYTES = 0.2  # seconds that the end of a stream is waited for when its answer is complete


class Closable(Protocol):
    """A client of an SDK."""

    async def close(self) -> None: ...


C = TypeVar("C", bound=Closable)


class Connection(Generic[C]):
    """The one client that all calls to a service share. ``make`` makes it, in a thread and with the first call: to import an
    SDK and the certificates takes up to seconds, in which other rooms go on.

    ``most`` connections are what a client may have, ``most_idle`` what it may keep for ``idle`` seconds; the two are the bounds
    of the SDKs, but the usual 5 seconds would mean a new TLS handshake for most turns of a chat.
    """

    most: ClassVar = 1000
    most_idle: ClassVar = 100
    idle: ClassVar = 60.0

    def __init__(self, make: Callable[[], C]) -> None:
        self.client: C | None = None
        self._make = make
        self._making = anyio.Lock()

    async def open(self) -> C:
        """The client."""
        if self.client is None:
            async with self._making:
                if self.client is None:
                    self.client = await anyio.to_thread.run_sync(self._make)
        return self.client

    async def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        async with self._making:  # a client that is being made is closed too
            client, self.client = self.client, None
        if client is not None:
            await client.close()


async def read_out(events: AsyncIterator[object]) -> None:
    """Read a stream whose answer is complete to its end, which leaves the connection open for the next call. Whatever happens
    to the stream now is no failure."""
    with anyio.move_on_after(LAST_BYTES):
        try:
            async for _ in events:
                pass
        except Exception:  # of the stream, which has brought all that it was asked for
            return


def quieten(*loggers: str) -> None:
    """Keep URLs and headers, which hold secrets, out of the log: from the loggers of an SDK and its HTTP client come warnings
    alone, unless the operator has set a level for them."""
    for name in loggers:
        logger = logging.getLogger(name)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.WARNING)
