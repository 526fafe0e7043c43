"""Endings: which turns are in hand, how those ended that were, and who waits for one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import anyio

from carrier_core.errors import CarrierError
from carrier_core.outcomes import Outcome, Status, TurnRecord
from carrier_core.why import summary

if TYPE_CHECKING:
    from carrier_core.memory import Store
    from carrier_core.prompts import Json

_TRIES = 3  # times that a turn which raised where nothing should is gone on with
_REMEMBERED = 10_000  # ended turns whose summary is kept in memory, for whoever waits for one


class Endings:
    """The turns of a host, from when they are queued on. ``clock`` gives seconds since the epoch."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._waiters: dict[str, anyio.Event] = {}
        self._active: set[str] = set()
        self._ended: dict[str, dict[str, Json]] = {}
        self._raised: dict[str, int] = {}

    def begun(self, turn: str) -> None:
        """It is queued."""
        self._ended.pop(turn, None)
        self._active.add(turn)

    def left(self, turn: str) -> None:
        """Nobody has it in hand any more."""
        self._active.discard(turn)

    def raised(self, turn: str) -> bool:
        """It raised where nothing should; whether it is to be gone on with."""
        self._raised[turn] = self._raised.get(turn, 0) + 1
        return self._raised[turn] <= _TRIES

    def abandoned(self, turn: str, agent: str, why: str) -> None:
        """Tell whoever waits for a turn that it did not come to its end."""
        record = TurnRecord(turn, agent, "", "", "", (), self._clock(), Outcome(Status.FAILED, reason=why))
        self._end(turn, summary(record, ""))

    def finished(self, record: TurnRecord, room: str, also: Iterable[str] = ()) -> None:
        """It has ended or parked: whoever waits for it is told, by any of its ids."""
        for turn in (record.id, *also):
            self._end(turn, summary(record, room))

    def _end(self, turn: str, result: dict[str, Json]) -> None:
        self._active.discard(turn)
        self._raised.pop(turn, None)
        self._ended[turn] = result
        if len(self._ended) > _REMEMBERED:
            del self._ended[next(iter(self._ended))]
        waiter = self._waiters.pop(turn, None)
        if waiter is not None:
            waiter.set()

    def forget(self) -> None:
        """Keep nothing in mind of how they ended: something was removed from the store."""
        self._ended = {turn: {} for turn in self._ended}

    def awaited(self, turn: str) -> bool:
        """Whether it waits in a queue or runs."""
        return turn in self._active

    def knows(self, turn: str) -> bool:
        """Whether it waits in a queue, runs, or ended not long ago."""
        return turn in self._active or turn in self._ended

    async def wait(self, turn: str) -> dict[str, Json]:
        """Wait until it has ended; what ``carrierd chat --json`` prints. CarrierError if there is none of that id."""
        if turn in self._active or turn in self._raised:
            await self._waiters.setdefault(turn, anyio.Event()).wait()
        if self._ended.get(turn):
            return self._ended[turn]
        record = await self._store.journal.turn(turn)
        if record is None:
            raise CarrierError(f"There is no turn {turn}.", remedy="`carrierd why last` shows the latest one.")
        room = await self._store.memory.room(record.room)
        return summary(record, room.name if room is not None else record.room)
