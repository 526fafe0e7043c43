"""Cassettes: the traffic with a service, recorded once and replayed byte for byte, without a network, a key or a bill.

A server on the loopback interface stands in front of the service, so that any library can be what talks to it::

    async with cassette(here / "weather.json", upstream="https://api.example.com") as server:
        ...  # let the library talk to server.url instead

The first run forwards to the service and writes the file; every other one plays the file, and a request that is not in it is a
difference, which is shown. ``tape`` says what is in the file, and what never is.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from difflib import SequenceMatcher, unified_diff
from pathlib import Path
from urllib.parse import urlsplit

import anyio
from anyio.abc import ByteStream

from carrier_core.errors import single
from carrier_core.testing import tape
from carrier_core.testing.arrival import BODILESS, OF_ONE_LEG, Arrival
from carrier_core.testing.tape import Answered, Asked, Recorded, Scrub, bytes_of
from carrier_core.testing.wire import Exchange, Server, chunk, raw, serve, status

__all__ = ["CassetteMismatch", "cassette"]

_GRACE = 2.0  # seconds for the end of an answer that nobody listens to any more
_GONE = (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError)


class CassetteMismatch(AssertionError):
    """What was asked is not what was recorded; the message shows the difference."""


@asynccontextmanager
async def cassette(
    path: str | os.PathLike[str],
    *,
    upstream: str = "",
    record: bool = False,
    scrub: Iterable[str] = (),
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[Server]:
    """Stand in front of ``upstream`` (its URL; a path in it goes before the paths that are asked for) for as long as the block.

    Where there is the file, it is replayed. Every recorded answer is given once, to the first request whose method, path and
    JSON body are those recorded, whatever the order: calls that run side by side come in any. Equal requests get their answers
    in the order of the recording. Any other request is answered with 404, and so that nothing is missed, the block ends with
    CassetteMismatch, as it does where a recorded request was not made.

    Where there is no file, or with ``record``, everything is forwarded, over TLS to an ``https`` address, each piece of an
    answer as it arrives; the file is written when the block ends without an error. ``scrub`` are values that must not be in
    it; they are left out of what is compared as well. One that a service sends in pieces, a few letters in each event, or
    compressed though it is asked not to, is not found. ``tls`` is for a service with a certificate of one's own.

    FileNotFoundError where there is neither a file nor a service; ConnectionError if the service cannot be reached.
    """
    deck = _deck(Path(path), upstream, record, Scrub(scrub), tls)
    try:
        with single():
            async with serve(deck.respond) as server:
                yield server
                await deck.settle()
    except Exception as error:
        if isinstance(deck, _Player) and deck.wrong:
            raise deck.mismatch() from error
        raise
    deck.close()


def _deck(file: Path, upstream: str, record: bool, scrub: Scrub, tls: ssl.SSLContext | None) -> _Player | _Recorder:
    if file.exists() and not record:
        return _Player(file, tape.read(file), scrub)
    if not upstream:
        raise FileNotFoundError(f"There is no cassette {file}. Name the service as upstream= to record one.")
    return _Recorder(file, upstream, scrub, tls)


# --- replaying -----------------------------------------------------------------------------------------------------------


class _Player:
    """Answers from a file. ``wrong`` are the differences so far."""

    def __init__(self, file: Path, recorded: tuple[Recorded, ...], scrub: Scrub) -> None:
        self._file = file
        self._scrub = scrub
        self._recorded = recorded
        self._left = {number: each.request.canonical for number, each in enumerate(recorded, 1)}
        self.wrong: list[str] = []

    async def respond(self, exchange: Exchange) -> None:
        """Answer a request as it was answered when it was recorded."""
        self._scrub.learn_request(exchange.head)
        request = self._scrub.request(tape.asked_of(exchange))
        wanted = request.canonical
        number = next((number for number, canonical in self._left.items() if canonical == wanted), 0)
        if number:
            del self._left[number]
            await _play(self._recorded[number - 1].answer, exchange)
            return
        difference = self._difference(request)
        self.wrong.append(difference)
        error = {"type": "cassette_mismatch", "message": f"This is not in the cassette {self._file.name}. {difference}"}
        await status(404, {"error": error})(exchange)

    async def settle(self) -> None:
        """Nothing is left to wait for."""

    def close(self) -> None:
        """See to it that what was asked is what was recorded."""
        if self.wrong or self._left:
            raise self.mismatch()

    def mismatch(self) -> CassetteMismatch:
        """All that differs."""
        never = [f"Exchange {number} was never asked for: {_lines(text)[0]}" for number, text in self._left.items()]
        parts = [f"{self._file}: this is not what was recorded.", *self.wrong, *never]
        return CassetteMismatch("\n\n".join([*parts, "If the change is meant, record it again: record=True."]))

    def _difference(self, request: Asked) -> str:
        """How a request differs from the one that is most like it: of those left, or else of those answered already."""
        lines = _lines(request.canonical)
        numbers = [*self._left] or [*range(1, len(self._recorded) + 1)]
        if not numbers:
            return f"Nothing is recorded there, but this was asked: {lines[0]}"
        others = {number: _lines(self._recorded[number - 1].request.canonical) for number in numbers}
        closest = max(others, key=lambda number: SequenceMatcher(None, others[number], lines).ratio())
        if others[closest] == lines:
            return f"Exchange {closest} was asked for once more than it is recorded: {lines[0]}"
        recorded = f"recorded as exchange {closest}"
        return "\n".join(unified_diff(others[closest], lines, recorded, "asked", lineterm=""))


def _lines(canonical: str) -> list[str]:
    """A request line by line; a long text in it, which JSON has in one line, is shown in its own lines."""
    return canonical.replace("\\n", "\\n\n").split("\n")


async def _play(answer: Answered, exchange: Exchange) -> None:
    """Send an answer as it was recorded."""
    rest, is_whole = bytes_of(answer.rest), answer.end == "clean"
    if not answer.status:
        await raw(rest, end="hang" if answer.end == "hang" else "cut")(exchange)
        return
    body = bytes_of(answer.body)
    await exchange.send(_head(answer, len(body) + (not is_whole)))
    for piece in answer.chunks or ():
        await exchange.send(chunk(bytes_of(piece)))
    if rest:
        await exchange.send(b"%x\r\n%b" % (len(rest) + 1, rest))
    if answer.chunks is None:
        await exchange.send(body)
    elif is_whole:
        await exchange.send(b"0\r\n\r\n")
    if answer.end == "hang":
        await anyio.sleep_forever()


def _head(answer: Answered, length: int) -> bytes:
    headers = dict(answer.headers)
    if answer.chunks is not None:
        headers["Transfer-Encoding"] = "chunked"
    elif answer.status not in BODILESS:
        headers["Content-Length"] = str(length)
    headers["Connection"] = "close"
    lines = [f"HTTP/1.1 {answer.status} {answer.reason}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


# --- recording -----------------------------------------------------------------------------------------------------------


class _Recorder:
    """Forwards to a service, and writes down what goes by."""

    def __init__(self, file: Path, upstream: str, scrub: Scrub, tls: ssl.SSLContext | None) -> None:
        self._file = file
        self._upstream = upstream
        self._scrub = scrub
        self._to = urlsplit(upstream)
        self._tls = (tls or ssl.create_default_context()) if self._to.scheme == "https" else None
        self._taken: list[Recorded | None] = []
        self._ended = anyio.Event()

    async def respond(self, exchange: Exchange) -> None:
        """Forward a request and its answer, and keep both."""
        self._scrub.learn_request(exchange.head)
        request = tape.asked_of(exchange)
        place = len(self._taken)
        self._taken.append(None)
        coming = Arrival(request.method)
        try:
            async with await self._connect() as stream:
                await self._pass_on(exchange, stream, coming)
        finally:  # cancelled, too: then the service was silent to the end
            self._scrub.learn_answer(coming.head)
            self._taken[place] = Recorded(request, coming.answer())
            self._ended.set()
            self._ended = anyio.Event()

    async def settle(self) -> None:
        """Wait for what is still on its way, for a little."""
        with anyio.move_on_after(_GRACE):
            while None in self._taken:
                await self._ended.wait()

    def close(self) -> None:
        """Write the file."""
        tape.write(self._file, [self._scrub.exchange(each) for each in self._taken if each is not None])

    async def _connect(self) -> ByteStream:
        host, port = self._to.hostname or "", self._to.port or (443 if self._tls else 80)
        try:
            if self._tls is None:
                return await anyio.connect_tcp(host, port)
            return await anyio.connect_tcp(host, port, tls=True, ssl_context=self._tls, tls_standard_compatible=False)
        except (OSError, *_GONE) as error:
            raise ConnectionError(f"{self._upstream} cannot be reached, so nothing is recorded: {error!r}.") from error

    async def _pass_on(self, exchange: Exchange, stream: ByteStream, coming: Arrival) -> None:
        """Send the request on, and the answer back, piece by piece. It is kept to its end, though the client may have left."""
        is_heard = True
        with anyio.CancelScope() as scope:
            try:
                await stream.send(self._forwarded(exchange))
                while not coming.is_whole:
                    piece = coming.feed(await stream.receive())
                    if piece and is_heard:
                        try:
                            await exchange.send(piece)
                        except _GONE:
                            is_heard = False
                            scope.deadline = anyio.current_time() + _GRACE
            except _GONE:
                coming.close()

    def _forwarded(self, exchange: Exchange) -> bytes:
        """The request as the service is to get it: in its own name, for one answer, which is not to be packed."""
        first, *headers = exchange.head.split("\r\n")
        method, path, version = first.split(" ", 2)
        port = f":{self._to.port}" if self._to.port else ""
        lines = [f"{method} {self._to.path.rstrip('/')}{path} {version}", f"Host: {self._to.hostname}{port}"]
        lines += [line for line in headers if line.partition(":")[0].lower() not in OF_ONE_LEG]
        lines += ["Accept-Encoding: identity", "Connection: close", "", ""]
        return "\r\n".join(lines).encode("latin-1") + exchange.content
