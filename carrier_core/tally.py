"""The tally: what calls have used, on its way into the store. It is written behind the calls, so that no turn waits for it.

Whatever has come together since the last write goes with the next one, one write at a time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

import anyio
import msgspec

from carrier_core.logs import logger

if TYPE_CHECKING:
    from carrier_core.journal import Charge, Journal, Settlement

_SOON = 1.0
"""Seconds for which what nothing waits for is collected. A process that dies loses so much of the figures, of no budget."""
_AGAIN = 5.0
"""Seconds after a write that failed until the next."""

Write = Callable[[], Awaitable[None]]


class Tally:
    """Settlements that are not written yet. ``outlast`` is what a write is made with: it tries again while the store is away;
    ``written`` is told what was.
    """

    def __init__(
        self,
        journal: Journal,
        outlast: Callable[[Write], Awaitable[object]],
        written: Callable[[tuple[Settlement, ...]], None],
    ) -> None:
        self._journal = journal
        self._outlast = outlast
        self._written = written
        self._kept: list[Settlement] = []
        self._merged: dict[tuple[Charge, ...], Settlement] = {}
        self._batch: tuple[Settlement, ...] = ()
        self._some, self._urgent = anyio.Event(), anyio.Event()
        self._writing = anyio.Lock()

    def add(self, settlement: Settlement, *, is_urgent: bool = False) -> None:
        """Have it written: at once where it lets go of what is held, else soon, summed with others of the same counters."""
        if is_urgent:
            self._kept.append(settlement)
            self._urgent.set()
        else:
            known = self._merged.get(settlement.charges)
            if known is not None:
                settlement = msgspec.structs.replace(known, usage=known.usage + settlement.usage)
            self._merged[settlement.charges] = settlement
        self._some.set()

    async def run(self) -> None:
        """Write, until cancelled. No failure ends it."""
        while True:
            await self._some.wait()
            with anyio.move_on_after(_SOON):
                await self._urgent.wait()
            self._some, self._urgent = anyio.Event(), anyio.Event()
            try:
                await self.flush()
            except Exception as error:  # the store's, whatever it is: there is always a next time
                logger().warning("usage_not_written", error=str(error))
                self._some.set()
                await anyio.sleep(_AGAIN)

    async def flush(self) -> None:
        """Write all that there is by now. What fails is kept, and raised."""
        async with self._writing:
            while batch := self._next():
                with anyio.CancelScope(shield=True):  # a write that is cut off could be done twice
                    await self._outlast(partial(self._journal.settle, batch))
                self._batch = ()
                self._written(batch)

    def _next(self) -> tuple[Settlement, ...]:
        """What is to be written together: after a failure the same again, so that a store may know it by its keys."""
        if not self._batch:
            self._batch = (*self._kept, *self._merged.values())
            self._kept.clear()
            self._merged.clear()
        return self._batch
