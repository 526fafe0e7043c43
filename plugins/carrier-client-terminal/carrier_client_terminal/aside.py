"""What others print while a chat has the screen: log lines, a plugin's ``print``."""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

import anyio

from carrier_client_terminal.visible import visible_log


class Aside(io.TextIOBase):
    """Stands in for ``sys.stdout`` and for a ``sys.stderr`` that is a terminal; takes whole lines from any thread."""

    def __init__(self, original: TextIO, show: Callable[[str], Awaitable[None]]) -> None:
        self._original = original
        self._show = show
        self._loop = asyncio.get_running_loop()
        self._written: list[str] = []
        self._wake = anyio.Event()
        self._ended = False

    @property
    def encoding(self) -> str:  # type: ignore[override]  # typeshed has an attribute, which a subclass may compute
        """That of the terminal."""
        return self._original.encoding

    def isatty(self) -> bool:
        """As the terminal says, so that whoever wrote in colours still does."""
        return self._original.isatty()

    def fileno(self) -> int:
        """That of the terminal, for child processes."""
        return self._original.fileno()

    def writable(self) -> bool:
        """Always."""
        return True

    def flush(self) -> None:
        """Nothing during the chat: whole lines are shown as soon as the screen is free."""
        if self._ended:
            self._original.flush()

    def write(self, text: str) -> int:
        """Keep it until its line is whole and the screen is free; a logger may still have this after the chat."""
        if self._ended:
            return self._original.write(text)
        self._written.append(text)
        if "\n" in text:
            self._loop.call_soon_threadsafe(self._awake)
        return len(text)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Stand in; what is left in the end goes to the original."""
        stdout, stderr = sys.stdout, sys.stderr
        sys.stdout = self
        if stderr is not None and stderr.isatty():
            sys.stderr = self  # a redirected one stays redirected
        try:
            yield
        finally:
            sys.stdout, sys.stderr = stdout, stderr
            self._ended = True
            rest = self._take(whole=False)
            try:
                self._original.write(rest)
                self._original.flush()
            except OSError:
                pass  # the terminal has gone

    async def run(self) -> None:
        """Show line after line until cancelled."""
        while True:
            await self._wake.wait()
            self._wake = anyio.Event()
            text = self._take(whole=True)
            if text:
                await self._show(text.removesuffix("\n"))

    def _awake(self) -> None:
        self._wake.set()

    def _take(self, *, whole: bool) -> str:
        count = len(self._written)  # other threads may append meanwhile
        text = "".join(self._written[:count])
        end = text.rfind("\n") + 1 if whole else len(text)
        self._written[:count] = [text[end:]] if text[end:] else []
        return visible_log(text[:end])
