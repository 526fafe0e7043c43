"""The event stream: what happened, for hooks that watch and for whoever listens. At most once, off the path of the turn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

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
        self._send: MemoryObjectSendStream[Event]
        self._receive: MemoryObjectReceiveStream[Event]
        self._send, self._receive = anyio.create_memory_object_stream(_KEPT)
        self._listeners: list[Callable[[Event], None]] = []
        self._watched: frozenset[str] = frozenset()
        self._dropped = 0

    def watch(self, table: Table) -> None:
        """Note which events any hook of this table watches; others are not queued."""
        names = {name for name in table.observed if table.observed[name].impls}
        self._watched |= names

    def listen(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Call ``listener``, which must not block, with every event from now on; returns how to end that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def emit(self, event: Event) -> None:
        """Take an event. It is dropped, and counted, if the watchers are too far behind."""
        for listener in self._listeners:
            listener(event)
        if event.name not in self._watched:
            return
        try:
            self._send.send_nowait(event)
        except anyio.WouldBlock:
            self._dropped += 1
            if self._dropped == 1:
                self._log.warning("events_dropped", remedy="A plugin that watches events is too slow.")

    def close(self) -> None:
        """Take no more events; what waits is still handed out."""
        self._send.close()

    async def run(self, table: Table, hooks: Hooks) -> None:
        """Hand events to the hooks that watch them until closed."""
        async for event in self._receive:
            await hooks.observe(table.observed[event.name], event)
