"""A clock that goes on only when it is told to."""

from __future__ import annotations

import anyio.lowlevel

START = 1_767_261_600.0
"""1 January 2026, 10:00 UTC."""


class Clock:
    """Seconds since the epoch; call it to read it. Two runs of a test read the same times."""

    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> float:
        """Go on, and read it."""
        self.now += seconds
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Go on, where a host would wait."""
        self.advance(seconds)
        await anyio.lowlevel.checkpoint()
