"""An answer over HTTP while it comes in: what the client is to get of it, and what is to be kept."""

from __future__ import annotations

from msgspec.structs import replace

from carrier_core.testing import tape
from carrier_core.testing.tape import Answered, told
from carrier_core.testing.wire import End

OF_ONE_LEG = ("host", "connection", "keep-alive", "accept-encoding", "proxy-connection")
"""Headers that hold between two neighbours on the way, and are not passed on."""
BODILESS = (204, 304)
"""Codes of answers that have no body (RFC 9112, 6.3)."""


class Arrival:
    """An answer while it comes in. ``is_whole`` once nothing more can belong to it."""

    def __init__(self, method: str) -> None:
        self._method = method
        self._rest = b""
        self._chunks: list[bytes] | None = None
        self._length: int | None = None
        self._end: End = "hang"
        self.head = ""
        self.is_whole = False

    def feed(self, content: bytes) -> bytes:
        """Take in what has arrived; returns what the client is to get of it, once the head is there."""
        if self.head:
            self._take(content)
            return content
        head, end, body = (self._rest + content).partition(b"\r\n\r\n")
        if not end:
            self._rest = head
            return b""
        self._rest = b""
        self._begin(head.decode("latin-1"))
        self._take(body)
        lines = [line for line in self.head.split("\r\n") if line.partition(":")[0].lower() not in OF_ONE_LEG]
        return "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1") + body

    def close(self) -> None:
        """The service has closed the connection, which is the end of a body that has no other."""
        if not self.is_whole:
            self._end = "clean" if self.head and self._chunks is None and self._length is None else "cut"

    def answer(self) -> Answered:
        """The answer as far as it has come."""
        if not self.head:
            return Answered(rest=told(self._rest), end=self._end)
        _, code, *reason = self.head.split("\r\n", 1)[0].split(" ", 2)
        whole = Answered(int(code), "".join(reason), tape.kept(tape.headers_of(self.head)), end=self._end)
        if self._chunks is None:
            return replace(whole, body=told(self._rest))
        line, _, begun = self._rest.partition(b"\r\n")
        chunks, rest = self._chunks, b"" if self.is_whole else begun
        if rest and len(rest) >= _size(line):  # all but the line break after it
            chunks, rest = [*chunks, rest[: _size(line)]], b""
        return replace(whole, chunks=tuple(told(each) for each in chunks), rest=told(rest))

    def _begin(self, head: str) -> None:
        self.head = head
        headers = {name.lower(): value for name, value in tape.headers_of(head).items()}
        if self._method == "HEAD" or int(head.split(" ", 2)[1]) in BODILESS:
            self._length = 0
        elif "chunked" in headers.get("transfer-encoding", "").lower():
            self._chunks = []
        elif "content-length" in headers:
            self._length = int(headers["content-length"])

    def _take(self, content: bytes) -> None:
        self._rest += content
        if self._chunks is None:
            self._done(self._length is not None and len(self._rest) >= self._length)
            return
        while not self.is_whole:
            line, end, after = self._rest.partition(b"\r\n")
            size = _size(line) if end else 0
            if not end or len(after) < size + 2:
                return
            self._rest = after[size + 2 :]
            if size:
                self._chunks.append(after[:size])
            self._done(not size)

    def _done(self, is_whole: bool) -> None:
        if is_whole:
            self.is_whole, self._end = True, "clean"


def _size(line: bytes) -> int:
    """The size of a chunk, by the line before it, which may say more than that."""
    return int(line.partition(b";")[0], 16)
