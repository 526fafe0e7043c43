"""What a server sends without being asked, counted: one that floods is cut off before it costs the daemon more than itself."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mcp.shared._stream_protocols import ReadStream, WriteStream
    from mcp.shared.message import SessionMessage

LONGEST_MESSAGE: Final = 4 * 1024 * 1024
"""Bytes of one message. Reading JSON of this size takes some 50 ms, in which nothing else happens."""

MOST_BYTES: Final = 32 * 1024 * 1024
"""Bytes that a server may send from one request to the next."""

MOST_MESSAGES: Final = 5_000
"""Messages that a server may send from one request to the next: progress, logs, changes, questions."""


class Meter:
    """Counts what comes in since the last request. ``over`` is called, once, with what is too much, as the end of a sentence."""

    def __init__(self, over: Callable[[str], None]) -> None:
        self._over = over
        self._bytes = 0
        self._messages = 0
        self.full = False

    def asked(self) -> None:
        """A request goes out."""
        self._bytes = self._messages = 0

    def received(self, count: int) -> bool:
        """So many bytes came in; returns whether that is too much."""
        self._bytes += count
        if self._bytes > MOST_BYTES:
            self._fill(f"sent more than {MOST_BYTES // 1024**2} MB without being asked")
        return self.full

    def heard(self) -> bool:
        """A message came in; returns whether that is one too many."""
        self._messages += 1
        if self._messages > MOST_MESSAGES:
            self._fill(f"sent more than {MOST_MESSAGES:,} messages without being asked")
        return self.full

    def overlong(self) -> None:
        """A message is longer than any may be."""
        self._fill(f"sent a message of more than {LONGEST_MESSAGE // 1024**2} MB")

    def _fill(self, what: str) -> None:
        if not self.full:
            self.full = True
            self._over(what)


class Reading:
    """A transport's stream of messages, counted. It ends where the meter is full."""

    def __init__(self, inner: ReadStream[SessionMessage | Exception], meter: Meter) -> None:
        self._inner = inner
        self._meter = meter
        self.see: Callable[[SessionMessage | Exception], None] = lambda message: None
        """Is shown each message before anybody else reads it."""

    @property
    def last_context(self) -> object:
        """Whose context the last message was sent in; the SDK asks for it."""
        return getattr(self._inner, "last_context", None)

    async def receive(self) -> SessionMessage | Exception:
        """The next message. EndOfStream where there is none."""
        from anyio import EndOfStream

        try:
            return await self.__anext__()
        except StopAsyncIteration:
            raise EndOfStream from None

    async def aclose(self) -> None:
        """Close it."""
        await self._inner.aclose()

    def __aiter__(self) -> Reading:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        message = await self._inner.__anext__()
        if self._meter.heard():
            raise StopAsyncIteration
        self.see(message)
        return message

    async def __aenter__(self) -> Reading:
        await self._inner.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._inner.__aexit__(kind, error, trace)


class Writing:
    """A transport's stream for messages; the meter begins anew with each request."""

    def __init__(self, inner: WriteStream[SessionMessage], meter: Meter) -> None:
        self._inner = inner
        self._meter = meter
        self.see: Callable[[SessionMessage], None] = lambda message: None
        """Is shown each message that goes out."""

    async def send(self, item: SessionMessage, /) -> None:
        """Send a message."""
        from mcp_types import JSONRPCRequest

        if isinstance(item.message, JSONRPCRequest):
            self._meter.asked()
        self.see(item)
        await self._inner.send(item)

    async def aclose(self) -> None:
        """Close it."""
        await self._inner.aclose()

    async def __aenter__(self) -> Writing:
        await self._inner.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._inner.__aexit__(kind, error, trace)
