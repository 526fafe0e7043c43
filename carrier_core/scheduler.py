"""Who works on which room: the turns of a room one after another, rooms side by side."""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import anyio
import msgspec
from anyio.abc import TaskGroup

from carrier_core.messages import Inbound, Part


class Row(NamedTuple):
    """An inbound that waits in its room, in the order of ``seq``; or the ``turn`` to be gone on with that answers it."""

    seq: int
    inbound: Inbound
    turn: str = ""


Key = tuple[str, str]
"""An agent's name and a room's id: two agents in one room each have a queue of their own."""


class Rooms:
    """The queues of all rooms. A room has a task only while there is work in it."""

    def __init__(self, group: TaskGroup, handle: Callable[[str, Row], Awaitable[None]], *, most: int) -> None:
        self._group = group
        self._handle = handle
        self._queues: dict[Key, deque[Row]] = {}
        self._waiting: dict[Key, None] = {}  # in order; a room waits once
        self._busy: set[Key] = set()
        self._most = most
        self._closed = False
        self._idle = anyio.Event()
        self._idle.set()

    @property
    def busy(self) -> int:
        """The rooms that are worked on now."""
        return len(self._busy)

    @property
    def queued(self) -> int:
        """The messages that wait."""
        return sum(len(queue) for queue in self._queues.values())

    def push(self, agent: str, room: str, row: Row) -> None:
        """Queue a row in its room, in order even if its receipt was confirmed late."""
        key = (agent, room)
        queue = self._queues.setdefault(key, deque())
        if queue and queue[-1].seq > row.seq:
            rows = list(queue)
            insort(rows, row, key=lambda each: each.seq)
            self._queues[key] = deque(rows)
        else:
            queue.append(row)
        if key not in self._busy:
            self._waiting.setdefault(key)
        self._fill()

    def amend(
        self, agent: str, room: str, message: str, content: tuple[Part, ...], sender: str = ""
    ) -> tuple[Row, ...]:
        """Give a message that still waits the content that its sender gave it since; empty takes it back.

        With a ``sender`` only that one's message is changed. Returns the rows as they are now.
        """
        queue = self._queues.get((agent, room), deque())
        amended = []
        for position, row in enumerate(queue):
            if row.inbound.message.id == message and sender in ("", row.inbound.message.sender.id):
                changed = msgspec.structs.replace(row.inbound.message, content=content)
                queue[position] = row._replace(inbound=msgspec.structs.replace(row.inbound, message=changed))
                if not row.turn:
                    amended.append(queue[position])
        return tuple(amended)

    def following(self, agent: str, room: str, row: Row) -> list[Row]:
        """Take the messages of the same person that wait right behind ``row`` out of the queue."""
        queue = self._queues.get((agent, room), deque())
        taken = []
        while queue and _joins(row.inbound, queue[0]):
            taken.append(queue.popleft())
        return taken

    def cut_off(self, agent: str, room: str) -> str:
        """The turn to be gone on with that is next in a room; empty where there is none."""
        queue = self._queues.get((agent, room))
        return queue[0].turn if queue else ""

    def open(self) -> None:
        """Begin again, with what was queued meanwhile."""
        self._closed = False
        self._fill()

    def close(self) -> None:
        """Begin no more turns; what is queued stays in the journal."""
        self._closed = True

    async def idle(self) -> None:
        """Wait until no room is worked on."""
        while self._busy:
            await self._idle.wait()

    def _fill(self) -> None:
        while self._waiting and len(self._busy) < self._most and not self._closed:
            key = next(iter(self._waiting))
            del self._waiting[key]
            self._busy.add(key)
            if self._idle.is_set():
                self._idle = anyio.Event()
            self._group.start_soon(self._work, key)

    async def _work(self, key: Key) -> None:
        queue = self._queues[key]
        try:
            while queue and not self._closed:
                await self._handle(key[0], queue.popleft())
                queue = self._queues[key]
        finally:
            self._busy.discard(key)
            if not self._queues[key]:
                del self._queues[key]
            if not self._busy:
                self._idle.set()
            self._fill()


def _joins(first: Inbound, row: Row) -> bool:
    """Whether a message can be answered together with another: two persons' words joined would mix their authority."""
    other = row.inbound
    same = first.message.sender.id == other.message.sender.id and first.client == other.client
    return same and not row.turn and not first.schedule and not other.schedule
