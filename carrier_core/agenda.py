"""The agenda: what is to happen at a time. Schedules whose slot has come, and parked turns that have waited long enough."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

import anyio
import msgspec

from carrier_core.errors import CarrierError, Unavailable
from carrier_core.journal import Parking
from carrier_core.messages import Inbound, Message, Part, make_id
from carrier_core.outcomes import Answer
from carrier_core.records import encode
from carrier_core.scheduler import Row
from carrier_core.schedules import Schedule, plan

if TYPE_CHECKING:
    from carrier_core.host import Host

_LONGEST = 60.0
"""Seconds after which the clock is looked at again at the latest: it may have been set."""


class Agenda:
    """One task for all of it. The journal is the truth; this knows only when to look."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._parked: list[tuple[float, str]] = []
        self._waiting: dict[str, Parking] = {}
        self._look = anyio.Event()

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
        while True:
            due = await host.store.journal.due(host.clock())
            fired = [await self._fire(schedule) for schedule in due]
            if not any(fired):
                break
        await self._expire()
        times = [schedule.next_at for schedule in (await host.store.journal.schedules())[:1]] if not due else []
        times += [self._parked[0][0]] if self._parked else []
        left = min(times, default=float("inf")) - host.clock()
        return min(max(left, 0.05), _LONGEST)

    async def _fire(self, schedule: Schedule) -> bool:
        """Turn the slots of a schedule that have come into messages of its room; whether anything changed."""
        host = self._host
        agent = host.agents.get(schedule.agent)
        if agent is None:
            return False  # it waits until the agent is configured again
        try:
            planned = plan(schedule, host.clock())
        except CarrierError as error:
            host.log.error("schedule_unusable", schedule=schedule.id, agent=schedule.agent, error=str(error))
            return await host.store.journal.cancel(schedule.id)
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
        while self._parked and self._parked[0][0] <= host.clock():
            _, turn = heapq.heappop(self._parked)
            parking = self._waiting.get(turn)
            if parking is None or parking.until > host.clock() or parking.agent not in host.agents:
                continue
            del self._waiting[turn]
            await host.agents[parking.agent].handling.answer(parking, Answer(at=host.clock(), expired=True))


def moved(schedule: Schedule, slot: float) -> Schedule:
    """The schedule with another next slot."""
    return msgspec.structs.replace(schedule, next_at=slot)


def inbound_of(schedule: Schedule) -> Inbound:
    """What a slot of a schedule hands over: what the person would have said."""
    key = make_id("message", schedule.id, schedule.key)
    message = Message(key, schedule.person, (Part(schedule.text),), schedule.next_at)
    return Inbound(
        schedule.key, schedule.room, message, client=schedule.client, agent=schedule.agent, schedule=schedule.id
    )
