"""The wire: an HTTP server that says what a test wants it to say, byte for byte, and misbehaves on demand.

It is for tests of anything that calls a service over HTTP: the real library, a real socket, and a service that is overloaded,
falls silent or breaks off in the middle of a word::

    async with serve(script(status(503, {}), events({"text": "Hi"}, "[DONE]"))) as server:
        ...  # talk to server.url
    assert len(server.requests) == 2

Every connection serves one request and is closed then, which each answer announces. All of it is on the loopback interface.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Literal

import anyio
from anyio.abc import ByteStream, SocketAttribute

from carrier_core import Json
from carrier_core.errors import single

__all__ = [
    "End",
    "Exchange",
    "Gate",
    "Respond",
    "Server",
    "chunk",
    "events",
    "garbage",
    "hang",
    "nobody",
    "raw",
    "script",
    "serve",
    "slam",
    "status",
    "streamed",
]

End = Literal["clean", "cut", "hang"]
"""How an answer ends: as it should, in the middle of a chunk, or never."""

_LAST_CHUNK = b"0\r\n\r\n"
_ENDS: dict[End, bytes] = {"clean": _LAST_CHUNK, "cut": b"ff\r\ndata: {"}
_TLS_HELLO = 0x16  # the first byte of every TLS connection (RFC 8446, 5.1: a handshake record)


class Gate:
    """A place in an answer where the server waits for the test, and the test for the server.

    The server comes to it, sets ``reached``, and goes on when somebody calls :meth:`open`. One that nobody opens is a hang.
    Several answers may have the same one: ``count`` is how many of them have come to it.
    """

    def __init__(self) -> None:
        self.reached = anyio.Event()
        self.count = 0
        self._opened = anyio.Event()

    def open(self) -> None:
        """Let the server go on, now or as soon as it comes here."""
        self._opened.set()

    async def passed(self) -> None:
        """For the server: tell that it is here and wait."""
        self.count += 1
        self.reached.set()
        await self._opened.wait()


class Exchange:
    """A request and the connection on which it is answered; ``body`` is empty where ``content``, the body as it came, was no
    JSON object."""

    def __init__(self, stream: ByteStream, head: str, body: dict[str, Json], content: bytes = b"") -> None:
        self.stream = stream
        self.head = head
        self.body = body
        self.content = content

    async def send(self, content: bytes) -> None:
        """Send bytes as they are."""
        await self.stream.send(content)


Respond = Callable[[Exchange], Awaitable[None]]
"""What answers a request: whatever it sends is the answer, and the connection is closed when it returns."""


class Server:
    """A server while it runs. ``requests`` are the JSON bodies that it got, in order, and ``heads`` the heads before them.

    A body that is no JSON object is told as an empty one. The hello of TLS counts as a request whose head is empty.
    """

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.requests: list[dict[str, Json]] = []
        self.heads: list[str] = []
        self._changed = anyio.Event()

    async def asked(self, count: int = 1, *, within: float = 20.0) -> None:
        """Wait until that many requests have come. TimeoutError after ``within`` seconds."""
        try:
            with anyio.fail_after(within):
                while len(self.requests) < count:
                    await self._changed.wait()
        except TimeoutError:
            raise TimeoutError(f"{len(self.requests)} of {count} requests came within {within:g} s.") from None

    def _note(self, exchange: Exchange) -> None:
        self.requests.append(exchange.body)
        self.heads.append(exchange.head)
        self._changed.set()
        self._changed = anyio.Event()


@asynccontextmanager
async def serve(respond: Respond) -> AsyncIterator[Server]:
    """Answer every request with ``respond`` for as long as the block. What that raises ends the block, and is raised by it."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    server = Server(listener.extra(SocketAttribute.local_port))  # noqa: S610 - Django's `extra` is another

    async def handle(stream: ByteStream) -> None:
        async with stream:
            try:
                exchange = await _read(stream)
                server._note(exchange)
                await respond(exchange)
                await stream.send_eof()
                async for _ in stream:
                    pass  # until the other end closes: what is still in the buffers here would be lost if this one did
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                pass  # the other end has hung up, as it may at any time

    with single():
        async with listener, anyio.create_task_group() as group:
            group.start_soon(listener.serve, handle)
            yield server
            group.cancel_scope.cancel()


async def _read(stream: ByteStream) -> Exchange:
    got = await stream.receive()
    if got[0] == _TLS_HELLO:
        return Exchange(stream, "", {})
    while b"\r\n\r\n" not in got:
        got += await stream.receive()
    head, _, body = got.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    while length and len(body) < int(length[1]):
        body += await stream.receive()
    try:
        told = json.loads(body or b"{}")
    except ValueError:
        told = {}
    return Exchange(stream, head.decode("latin-1"), told if isinstance(told, dict) else {}, body)


# --- answers ---------------------------------------------------------------------------------------------------------


def status(code: int, body: object = None, **headers: str) -> Respond:
    """Answer with a status code and a body: bytes and texts as they are, whatever else as JSON. None is no body at all.

    ``headers`` are further ones, with underscores for dashes: ``retry_after="7"``.
    """
    kind = "text/plain" if isinstance(body, str | bytes) else "application/json"
    content = b"" if body is None else _bytes(body)
    return raw(_head(code, kind, headers, f"Content-Length: {len(content)}") + content)


def events(
    *data: object, end: End = "clean", named: str = "", pace: float = 0.0, code: int = 200, **headers: str
) -> Respond:
    """Answer with server-sent events, each in a chunk of its own.

    An event is whatever JSON can say, or a text that is sent as it is (``"[DONE]"``); bytes are no event but sent as a chunk,
    and at a :class:`Gate` the server waits. ``named`` is the field of an event that is its name too, for protocols whose events
    have one. ``pace`` seconds go by before each event. Then the stream ends: ``clean``, ``cut`` within a chunk, or it ``hang``s.
    """
    head = _stream_head(code, headers)
    pieces = [each if isinstance(each, Gate) else chunk(_event(each, named)) for each in data]

    async def respond(exchange: Exchange) -> None:
        await exchange.send(head)
        for piece in pieces:
            if isinstance(piece, Gate):
                await piece.passed()
                continue
            if pace:
                await anyio.sleep(pace)
            await exchange.send(piece)
        if end == "hang":
            await anyio.sleep_forever()
        await exchange.send(_ENDS[end])

    return respond


def streamed(*data: object, named: str = "", code: int = 200, **headers: str) -> bytes:
    """All bytes that :func:`events` would send, to be cut anywhere: ``raw(streamed(...)[:200])``."""
    return b"".join([_stream_head(code, headers), *(chunk(_event(each, named)) for each in data), _LAST_CHUNK])


def raw(content: bytes, *, end: Literal["cut", "hang"] = "cut") -> Respond:
    """Send these bytes, which are head and all. Then close the connection, or let it ``hang``."""

    async def respond(exchange: Exchange) -> None:
        if content:
            await exchange.send(content)
        if end == "hang":
            await anyio.sleep_forever()

    return respond


def script(*responds: Respond) -> Respond:
    """Answer the first request with the first of these, the second with the second; the last answers all that come after."""
    coming = list(responds)

    async def respond(exchange: Exchange) -> None:
        await (coming.pop(0) if len(coming) > 1 else coming[0])(exchange)

    return respond


def hang() -> Respond:
    """Take the request and never say a word."""
    return raw(b"", end="hang")


def slam() -> Respond:
    """Take the request and close the connection without a word."""
    return raw(b"")


def garbage() -> Respond:
    """Answer with what is neither HTTP nor TLS. At an ``https`` address it is how a TLS handshake fails."""
    return raw(b"\x00garbage\xff\r\n" * 64)


@contextmanager
def nobody() -> Iterator[str]:
    """The URL of a port at which nobody listens, and which nobody else can get for as long as the block: connection refused."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


# --- bytes -----------------------------------------------------------------------------------------------------------


def _stream_head(code: int, headers: Mapping[str, str]) -> bytes:
    return _head(code, "text/event-stream", headers, "Transfer-Encoding: chunked")


def _head(code: int, kind: str, headers: Mapping[str, str], framing: str) -> bytes:
    lines = [f"HTTP/1.1 {code} Told", f"Content-Type: {kind}", framing, "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def _event(data: object, named: str) -> bytes:
    if isinstance(data, bytes):
        return data
    name = f"event: {data[named]}\n".encode() if named and isinstance(data, Mapping) and named in data else b""
    return b"%sdata: %s\n\n" % (name, _bytes(data))


def _bytes(data: object) -> bytes:
    if isinstance(data, bytes):
        return data
    return (data if isinstance(data, str) else json.dumps(data)).encode()


def chunk(content: bytes) -> bytes:
    """Bytes as a chunk of a body of ``Transfer-Encoding: chunked``."""
    return b"%x\r\n%s\r\n" % (len(content), content)
