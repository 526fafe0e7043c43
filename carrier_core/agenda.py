"""The agenda: what is to happen at a time. Schedules whose slot has come, and parked turns that have waited long enough."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import anyio
import msgspec

from carrier_core.errors import CarrierError, Unavailable
from carrier_core.journal import Parking
from carrier_core.messages import Inbound, Message, Part, make_id
from carrier_core.outcomes import Answer
from carrier_core.records import encode
from carrier_core.scheduler import Row
from carrier_core.schedules import Schedule, mended, plan

if TYPE_CHECKING:
    from carrier_core.host import Host

T = TypeVar("T")

_LONGEST = 60.0
"""Seconds after which the clock is looked at again at the latest: it may have been set."""


class Agenda:
    """One task for all of it. The journal is the truth; this knows only when to look."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._parked: list[tuple[float, str]] = []
        self._waiting: dict[str, Parking] = {}
        self._look = anyio.Event()
        self._last = float("inf")
        self._unread: set[str] = set()

    def wake(self) -> None:
        """Look again: a schedule was set or cancelled, or the clock was."""
        self._look.set()

    def wait_for(self, parking: Parking) -> None:
        """Wake a turn that parked when its time is over."""
        self._waiting[parking.turn] = parking
        heapq.heappush(self._parked, (parking.until, parking.turn))
        self.wake()

    def answered(self, parking: Parking) -> None:
        """A turn that parked waits no more."""
        self._waiting.pop(parking.turn, None)

    def waiting(self, agent: str, room: str) -> tuple[Parking, ...]:
        """The turns of a room that wait, as far as this process has to do with them."""
        return tuple([each for each in self._waiting.values() if each.room == room and each.agent == agent])

    async def run(self) -> None:
        """Go on until cancelled. While the store is away it is asked again later."""
        for parking in await self._host.outage.outlast(self._host.store.journal.parked):
            self.wait_for(parking)
        while True:
            self._look = look = anyio.Event()
            try:
                after = await self.tick()
            except Unavailable as error:
                self._host.log.warning("agenda_delayed", error=error.message)
                after = 1.0
            with anyio.move_on_after(after):
                await look.wait()

    async def tick(self) -> float:
        """Do what is due; returns the seconds until it is worth looking again."""
        host = self._host
        if host.clock() < self._last:  # the clock was set back, or this process has just begun
            await self._mend()
        self._last = host.clock()
        while any([await self._fire(schedule) for schedule in await self._due()]):
            pass
        await self._expire()
        later = [each.next_at for each in await host.store.journal.schedules() if each.agent in host.agents]
        times = [at for at in later if at > host.clock()][:1] + [at for at, _ in self._parked[:1]]
        left = min(times, default=float("inf")) - host.clock()
        return min(max(left, 0.05), _LONGEST)

    async def _due(self) -> list[Schedule]:
        """The schedules whose slot has come. Those of agents that are not configured wait, and keep nobody back."""
        journal, limit = self._host.store.journal, 100
        while True:
            due = await journal.due(self._host.clock(), limit=limit)
            found = [schedule for schedule in due if schedule.agent in self._host.agents]
            if found or len(due) < limit:
                return found
            limit *= 10

    async def _mend(self) -> None:
        """Set schedules right whose next slot is further away than it can be: the clock was ahead when it was set."""
        journal = self._host.store.journal
        for schedule in await journal.schedules():
            right = self._planned(mended, schedule)
            if right is not None:
                await journal.schedule(right)

    def _planned(self, how: Callable[[Schedule, float], T], schedule: Schedule) -> T | None:
        """What is planned for a schedule; None, and a word in the log, where it cannot be read here."""
        try:
            return how(schedule, self._host.clock())
        except CarrierError as error:
            if schedule.id not in self._unread:
                self._unread.add(schedule.id)
                self._host.log.error(
                    "schedule_unusable", schedule=schedule.id, agent=schedule.agent, error=error.message
                )
            return None

    async def _fire(self, schedule: Schedule) -> bool:
        """Turn the slots of a schedule that have come into messages of its room; whether anything changed."""
        host = self._host
        agent = host.agents[schedule.agent]
        planned = self._planned(plan, schedule)
        if planned is None:
            return False
        if planned.skipped:
            host.log.warning("slots_skipped", schedule=schedule.id, agent=schedule.agent, count=planned.skipped)
        changed = False
        slots = planned.slots
        if not slots or slots[0] != schedule.next_at:  # the first one that was missed is not among those that count
            then = slots[0] if slots else planned.next_at
            await host.store.journal.fire(schedule, None, then)
            changed = True
            schedule = moved(schedule, then or 0.0)
        for position, slot in enumerate(slots):
            then = slots[position + 1] if position + 1 < len(slots) else planned.next_at
            inbound = inbound_of(moved(schedule, slot))
            with anyio.CancelScope(shield=True):
                taken = await host.store.journal.fire(moved(schedule, slot), encode(inbound), then)
                if taken is not None and taken.is_new:
                    host.queue(agent, Row(taken.seq, inbound))
                else:  # somebody was quicker, or it was done and this process was not told
                    await host.look(schedule.agent, schedule.room.id)
            changed = True
        return changed

    async def _expire(self) -> None:
        """Go on with the turns that have waited long enough, without an answer."""
        host = self._host
        later: list[tuple[float, str]] = []
        while self._parked and self._parked[0][0] <= host.clock():
            _, turn = heapq.heappop(self._parked)
            parking = self._waiting.get(turn)
            if parking is None or parking.until > host.clock():
                continue
            if parking.agent not in host.agents:  # it may be configured again
                later.append((host.clock() + _LONGEST, turn))
                continue
            del self._waiting[turn]
            await host.agents[parking.agent].handling.answer(parking, Answer(at=host.clock(), expired=True))
        for each in later:
            heapq.heappush(self._parked, each)


def moved(schedule: Schedule, slot: float) -> Schedule:
    """The schedule with another next slot."""
    return msgspec.structs.replace(schedule, next_at=slot)


def inbound_of(schedule: Schedule) -> Inbound:
    """What a slot of a schedule hands over: what the person would have said."""
    key = make_id("message", schedule.id, schedule.key)
    message = Message(key, schedule.person, (Part(schedule.text, provenance=schedule.provenance),), schedule.next_at)
    return Inbound(
        schedule.key, schedule.room, message, client=schedule.client, agent=schedule.agent, schedule=schedule.id
    )
