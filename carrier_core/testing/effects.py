"""What a journal in memory keeps of the world outside: deliveries, effects in doubt, schedules, and what was spent."""

from __future__ import annotations

from abc import abstractmethod
from operator import itemgetter

import anyio.lowlevel
import msgspec

from carrier_core import (
    Appended,
    Charge,
    Hold,
    Intent,
    Journal,
    Outgoing,
    Schedule,
    Sending,
    Settlement,
    Spending,
    Spent,
    TurnRecord,
)
from carrier_core.testing.database import Database, kept


class InMemoryEffects(Journal):
    """The second half of :class:`carrier_core.testing.journal.InMemoryJournal`."""

    def __init__(self, database: Database) -> None:
        self.database = database

    @abstractmethod
    def append(self, agent: str, room: str, dedupe_key: str, payload: bytes) -> Appended:
        """Append an inbound, inside a transaction."""

    @abstractmethod
    def _fence(self, agent: str, room: str, epoch: int) -> None: ...

    # --- the outbox ---

    def _post(self, outbox: tuple[Outgoing, ...]) -> None:
        for post in outbox:
            self.database.outbox.setdefault(post.part.key, kept(post))

    async def deliver(self, agent: str, room: str, epoch: int, outbox: tuple[Outgoing, ...]) -> None:
        """A key of another room is an unknown one: the epoch is that of this room."""
        await anyio.lowlevel.checkpoint()
        self._fence(agent, room, epoch)
        known = self.database.outbox
        here = [post.part for post in known.values() if (post.part.agent, post.part.room.id) == (agent, room)]
        keys = {part.key for part in here}
        self.database.settle(tuple(post for post in outbox if post.part.key in keys))

    async def outbox(
        self, *, agent: str = "", turn: str = "", states: tuple[Sending, ...] = (), limit: int = 100
    ) -> tuple[Outgoing, ...]:
        """The first of them."""
        found = [
            post
            for post in self.database.outbox.values()
            if agent in ("", post.part.agent) and turn in ("", post.part.turn) and (not states or post.state in states)
        ]
        return tuple(found[:limit])

    # --- effects of actions ---

    def _ended(self, key: str, *, in_doubt: bool) -> None:
        if in_doubt:
            self.database.intents[key] = msgspec.structs.replace(self.database.intents[key], in_doubt=True)
        else:
            del self.database.intents[key]

    def _call_off(self, turn: TurnRecord) -> None:
        for key, intent in [*self.database.intents.items()]:
            if intent.turn == turn.id and not intent.in_doubt:
                del self.database.intents[key]

    async def doubts(self, *, agent: str = "") -> tuple[Intent, ...]:
        """By the time at which they were begun."""
        found = [intent for intent in self.database.intents.values() if intent.in_doubt and agent in ("", intent.agent)]
        return tuple(sorted(found, key=lambda intent: intent.at))

    async def settle_doubt(self, key: str) -> bool:
        """An intent that is not in doubt is left alone."""
        await anyio.lowlevel.checkpoint()
        intent = self.database.intents.get(key)
        if intent is None or not intent.in_doubt:
            return False
        del self.database.intents[key]
        return True

    # --- schedules ---

    async def schedule(self, schedule: Schedule) -> None:
        """By its id."""
        await anyio.lowlevel.checkpoint()
        self.database.schedules[schedule.id] = kept(schedule)

    async def cancel(self, schedule: str) -> bool:
        """By its id."""
        await anyio.lowlevel.checkpoint()
        return self.database.schedules.pop(schedule, None) is not None

    async def schedules(self, *, agent: str = "") -> tuple[Schedule, ...]:
        """Those of one moment by their ids."""
        found = [schedule for schedule in self.database.schedules.values() if agent in ("", schedule.agent)]
        return tuple(sorted(found, key=lambda schedule: (schedule.next_at, schedule.id)))

    async def due(self, now: float, *, limit: int = 100) -> tuple[Schedule, ...]:
        """Those of this very moment too."""
        return tuple(schedule for schedule in await self.schedules() if schedule.next_at <= now)[:limit]

    async def fire(self, schedule: Schedule, payload: bytes | None, next_at: float | None) -> Appended | None:
        """A slot that is skipped has the number 0, and is not new."""
        await anyio.lowlevel.checkpoint()
        known = self.database.schedules.get(schedule.id)
        if known is None or known.next_at != schedule.next_at:
            return None
        if next_at is None:
            del self.database.schedules[schedule.id]
        else:
            self.database.schedules[schedule.id] = msgspec.structs.replace(known, next_at=next_at)
        if payload is None:
            return Appended(0, is_new=False)
        return self.append(known.agent, known.room.id, known.key, payload)

    # --- spending ---

    def _spending(self) -> Spending:
        return Spending(self.database.counters, self.database.holds)

    async def hold(self, hold: Hold) -> tuple[Charge, ...]:
        """All counters are in hand."""
        await anyio.lowlevel.checkpoint()
        return self._spending().hold(kept(hold))

    async def settle(self, settlements: tuple[Settlement, ...]) -> None:
        """One after the other."""
        await anyio.lowlevel.checkpoint()
        spending = self._spending()
        for settlement in settlements:
            spending.settle(settlement)

    async def spent(self, *, scope: tuple[str, ...] = (), window: str = "", limit: int = 10_000) -> tuple[Spent, ...]:
        """The first of them."""
        found = [
            counter
            for _, counter in sorted(self.database.counters.items(), key=itemgetter(0))
            if counter.scope[: len(scope)] == scope and counter.window.startswith(window)
        ]
        return tuple(found[:limit])

    async def expire_spent(self, now: float) -> int:
        """All at once."""
        await anyio.lowlevel.checkpoint()
        past = {key for key, counter in self.database.counters.items() if 0 < counter.until < now}
        self._spending().drop(past)
        return len(past)
