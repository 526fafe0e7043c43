"""An outage of the store: what has to be written is tried again until it is back, so that nothing done is done again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import anyio

from carrier_core.errors import Unavailable

if TYPE_CHECKING:
    from carrier_core.host import Host

T = TypeVar("T")

_FIRST, _LONGEST = 0.05, 5.0  # seconds until a write is tried again: doubled each time, up to the second


class Outage:
    """Outlasts times in which the store cannot be reached. ``stopping`` ends the waiting: the host is about to leave."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._waiting = 0
        self.stopping = anyio.Event()

    async def outlast(self, write: Callable[[], Awaitable[T]]) -> T:
        """The result of a write, whenever it succeeds. Unavailable if the host stops first; other errors as they are."""
        try:
            return await write()
        except Unavailable as error:
            return await self._again(write, error)

    async def _again(self, write: Callable[[], Awaitable[T]], error: Unavailable) -> T:
        host = self._host
        delay = _FIRST
        self._waiting += 1
        if self._waiting == 1:
            host.log.error("store_unavailable", error=error.message, remedy=error.remedy)
        host.degraded["store"] = error.message
        try:
            while not self.stopping.is_set():
                with anyio.move_on_after(delay):
                    await self.stopping.wait()
                delay = min(delay * 2, _LONGEST)
                try:
                    return await write()
                except Unavailable as again:
                    error = again
            raise error
        finally:
            self._waiting -= 1
            if not self._waiting and not self.stopping.is_set():
                host.degraded.pop("store", None)
                host.log.info("store_available")
