"""The event stream: what happened, for hooks that watch and for whoever listens. At most once, off the path of the turn."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import anyio

from carrier_core.dispatch import Hooks
from carrier_core.outcomes import Event
from carrier_core.table import Table

_KEPT = 10_000  # events that wait for a slow watcher before new ones are dropped


class _Log(Protocol):
    def warning(self, event: str, **values: Any) -> Any: ...


class Events:
    """Takes events without waiting; a task of the host hands them to the hooks and the listeners."""

    def __init__(self, log: _Log) -> None:
        self._log = log
        self._queue: deque[Event] = deque()
        self._more = anyio.Event()
        self._closed = False
        self._listeners: list[Callable[[Event], None]] = []
        self.done = anyio.Event()
        self._watched: frozenset[str] = frozenset()
        self._dropped = 0

    def watch(self, table: Table) -> None:
        """Note which events any hook of this table watches; others are not queued."""
        names = {name for name in table.observed if table.observed[name].impls}
        self._watched |= names

    def listen(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Call ``listener``, which must not block, with every event from now on; returns how to end that.

        One that raises is not called again: what happens does not depend on who listens.
        """
        self._listeners.append(listener)
        return lambda: self._forget(listener)

    def _forget(self, listener: Callable[[Event], None]) -> None:
        if listener in self._listeners:
            self._listeners.remove(listener)

    def emit(self, event: Event) -> None:
        """Take an event. It is dropped, and counted, if the watchers are too far behind. After the end it is not heard."""
        for listener in tuple(self._listeners):
            try:
                listener(event)
            except Exception as error:
                self._forget(listener)
                self._log.warning("listener_failed", error=f"{type(error).__name__}: {error}")
        if event.name not in self._watched or self._closed:
            return
        if len(self._queue) < _KEPT:
            self._queue.append(event)
            self._more.set()
            return
        self._dropped += 1
        if self._dropped == 1:
            self._log.warning("events_dropped", remedy="A plugin that watches events is too slow.")

    def close(self) -> None:
        """Take no more events; what waits is still handed out."""
        self._closed = True
        self._more.set()

    async def run(self, table_of: Callable[[Event], Table], hooks: Hooks) -> None:
        """Hand events to the hooks that watch them until closed."""
        try:
            while self._queue or not self._closed:
                if not self._queue:
                    self._more = anyio.Event()
                    await self._more.wait()
                    continue
                event = self._queue.popleft()
                await hooks.observe(table_of(event).observed[event.name], event)
        finally:
            self.done.set()
