"""Lines from and bytes to a file descriptor, whatever it is, without ever blocking the event loop.

No thread waits in a read: one that did would keep the process from ending until somebody pressed Enter.
"""

from __future__ import annotations

import os
import select
from collections.abc import Awaitable, Callable

import anyio
import anyio.to_thread

LONGEST_LINE = 4 * 1024 * 1024
"""Bytes. What is longer is taken in pieces, so that an endless line cannot fill the memory."""

_READ_SIZE = 64 * 1024
_WRITE_SIZE = select.PIPE_BUF  # POSIX: as much can be written at once to a pipe that is ready


class Descriptor:
    """A file descriptor; None is one that was closed before the program began."""

    def __init__(self, number: int | None) -> None:
        self._number = number
        self._pollable = True
        self._buffer = bytearray()
        self._searched = 0
        self._ended = False
        self._writing = anyio.Lock()

    async def line(self) -> str | None:
        """The next line without its end; None when there are no more. What is not UTF-8 is replaced."""
        while not self._ended:
            end = self._buffer.find(b"\n", self._searched)
            if end > LONGEST_LINE or (end < 0 and len(self._buffer) >= LONGEST_LINE):
                end = LONGEST_LINE
            if end >= 0:
                return self._take(end)
            self._searched = len(self._buffer)
            piece = await self._read()
            self._buffer += piece
            self._ended = not piece
        return self._take(len(self._buffer)) if self._buffer else None

    async def write(self, text: str) -> None:
        """Write it all. BrokenPipeError when nobody reads any more."""
        if self._number is None:
            raise BrokenPipeError("It was closed before the program began.")
        rest = memoryview(text.encode("utf-8", "replace"))
        async with self._writing:  # one text after the other
            while rest:
                await self._ready(anyio.wait_writable)
                try:
                    rest = rest[os.write(self._number, rest[:_WRITE_SIZE]) :]
                except BlockingIOError:
                    continue  # another process made it non-blocking and was faster

    def _take(self, end: int) -> str:
        line = bytes(self._buffer[:end])
        del self._buffer[: end + (self._buffer[end : end + 1] == b"\n")]
        self._searched = 0
        return line.removesuffix(b"\r").decode("utf-8", "replace")

    async def _read(self) -> bytes:
        if self._number is None:
            return b""
        try:
            await self._ready(anyio.wait_readable)
            if self._pollable:
                return os.read(self._number, _READ_SIZE)
            return await anyio.to_thread.run_sync(os.read, self._number, _READ_SIZE)
        except BlockingIOError:
            return await self._read()
        except OSError:  # a terminal that has gone
            return b""

    async def _ready(self, wait: Callable[[int], Awaitable[None]]) -> None:
        """Wait, unless it is one of those that are always ready: regular files and /dev/null cannot be polled."""
        if self._pollable and self._number is not None:
            try:
                await wait(self._number)
            except PermissionError:
                self._pollable = False
