"""The desk: what an operator can ask of a store, or of a host that runs on it, about turns, schedules and people.

Answers are JSON, the same for the command line and the control socket. Ids may be shortened to a beginning that no other one
has. What cannot be done is a CarrierError that says why; its exit code is 64 where what was asked cannot be understood.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Protocol, cast

import msgspec

from carrier_core import questions
from carrier_core.archive import Entry
from carrier_core.booking import book, shown, unbook
from carrier_core.errors import CarrierError
from carrier_core.journal import Intent, Outgoing, Parking, Sending
from carrier_core.memory import Store
from carrier_core.messages import Entity, Memory, Room
from carrier_core.naming import member, person_named, room_named, wrong
from carrier_core.outcomes import Status, TurnRecord
from carrier_core.prompts import Json
from carrier_core.why import summary, turn_named

STUCK = (Sending.IN_DOUBT, Sending.DEAD)
"""The states of a reply part that waits for a person."""

ANSWERS = ("approve", "refuse")
"""What an operator may answer a turn that waits."""

_LEASE = 30.0  # seconds for which a room is claimed while a delivery of it is written
_MOST = 10_000  # reply parts that wait for a person, of which one is looked for


class Worker(Protocol):
    """An agent of a running host."""

    async def epoch(self, room: str) -> int:
        """The epoch under which it works on a room."""


class Agenda(Protocol):
    """What fires the schedules of a running host."""

    def wake(self) -> None:
        """Look at the schedules again."""


class Outbox(Protocol):
    """What delivers the replies of a running host."""

    def put(self, agent: str, room: str, rows: tuple[Outgoing, ...]) -> None:
        """Deliver these."""


class Running(Protocol):
    """A host that runs on the store, as far as the desk needs it."""

    @property
    def agents(self) -> Mapping[str, Worker]:
        """Its agents, by name."""

    @property
    def agenda(self) -> Agenda:
        """Its schedules."""

    @property
    def outbox(self) -> Outbox:
        """Its replies on their way."""

    def nudge(self, agent: str, room: str) -> None:
        """Look at a room's work again, soon."""

    async def look(self, agent: str, room: str) -> None:
        """Look at a room's work again, now."""

    def forget(self) -> None:
        """Keep nothing in mind of what was removed."""


class Desk:
    """Answers an operator. ``agents`` are those of the configuration, the default one first; ``host`` runs on the store, if one
    does. ``clock`` gives seconds since the epoch."""

    def __init__(
        self,
        store: Store,
        agents: tuple[str, ...] = (),
        *,
        host: Running | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store = store
        self._agents = agents
        self._host = host
        self._clock = clock
        self._rooms: dict[str, str] = {}

    # --- turns ---

    async def turns(self, *, agent: str = "", room: str = "", status: str = "", limit: int = 20) -> list[Json]:
        """The latest turns, newest first. ``room`` is a name or an id."""
        if status:
            member(Status, status, "status")
        place = (await room_named(self.store, room)).id if room else ""
        records = await self.store.journal.turns(agent=agent, room=place, status=status, limit=limit)
        return [await self._turn(record, await self._outbox(record)) for record in records]

    async def show(self, turn: str) -> dict[str, Json]:
        """One turn: how it went or where it stands, and what became of each part of its reply. ``last`` is the latest."""
        record = await turn_named(self.store, turn)
        outbox = await self._outbox(record)
        opened = await self.store.journal.reopen(record.id)
        parked = opened.parking if opened is not None else None
        begun = tuple(intent for intent in (opened.intents if opened is not None else ()) if not intent.in_doubt)
        return await self._turn(record, outbox) | {
            "parked": None if parked is None else _parked(parked),
            "deliveries": [_delivery(row) for row in outbox],
            "doubts": [await self._doubt(intent) for intent in await self._doubts(record)],
            "begun": [await self._doubt(intent) for intent in begun],
        }

    async def stuck(self, *, agent: str = "", in_doubt: bool = True, dead: bool = False) -> dict[str, Json]:
        """What waits for a person: effects of actions (``doubts``) and reply parts (``deliveries``), the oldest first."""
        states = tuple(state for state, is_asked in zip(STUCK, (in_doubt, dead), strict=True) if is_asked)
        rows = await self.store.journal.outbox(agent=agent, states=states, limit=_MOST) if states else ()
        doubts = await self.store.journal.doubts(agent=agent) if in_doubt else ()
        return {
            "v": 1,
            "doubts": [await self._doubt(intent) for intent in doubts],
            "deliveries": [_delivery(row) for row in rows],
        }

    async def retry(self, key: str) -> dict[str, Json]:
        """Send again what is in doubt or was given up, of a turn or the one delivery of that key."""
        rows, doubts = await self._found(key)
        if not rows and doubts:
            raise CarrierError(
                f"{doubts[0].key} is an action of which nobody knows whether it happened: it is not done again.",
                remedy=f"Look for yourself, then run: carrierd turns discard {doubts[0].key[:12]}.",
            )
        now = self._clock()
        rows = tuple(msgspec.structs.replace(row, state=Sending.WAITING, attempts=0, due=now) for row in rows)
        await self._write(rows)
        return {"v": 1, "retried": [_delivery(row) for row in rows], "running": self._host is not None}

    async def discard(self, key: str) -> dict[str, Json]:
        """Have done with what is in doubt or was given up: of a turn, or the one delivery or action of that key."""
        rows, doubts = await self._found(key)
        rows = tuple(msgspec.structs.replace(row, state=Sending.DISCARDED) for row in rows)
        if rows:
            await self._write(rows)
        settled = [intent for intent in doubts if await self.store.journal.settle_doubt(intent.key)]
        return {
            "v": 1,
            "discarded": [_delivery(row) for row in rows],
            "settled": [await self._doubt(intent) for intent in settled],
        }

    async def answer(self, turn: str, value: str) -> dict[str, Json]:
        """Give a turn that waits the operator's answer, ``approve`` or ``refuse``; it goes on as soon as a host runs."""
        if value not in ANSWERS:
            raise wrong(f"{value} is no answer.", f"There are: {', '.join(ANSWERS)}.")
        record = await turn_named(self.store, turn)
        opened = await self.store.journal.reopen(record.id)
        if opened is None or opened.parking is None:
            raise CarrierError(
                f"The turn {record.id} waits for nobody.", remedy="`carrierd turns --status parked` shows which do."
            )
        await questions.append(self.store, opened.parking, opened, value, at=self._clock())
        if self._host is not None:
            self._host.nudge(record.agent, record.room)
        return {"v": 1, "answered": record.id, "value": value, "running": self._host is not None}

    async def approvals(self, *, agent: str = "") -> dict[str, Json]:
        """What waits for somebody to approve a call or to choose, what ends first before the rest."""
        return await questions.listed(self.store, agent, self._clock())

    async def decide(self, key: str, value: str, reason: str = "") -> dict[str, Json]:
        """Answer the question with this code or id for the operator: ``approve``, ``refuse`` or what is offered. ``taken`` says
        whether its turn goes on; else it does as soon as its agent runs."""
        found = await questions.meant(self.store, key, value, self._clock())
        parking = found.parking
        await questions.append(self.store, parking, found.opened, value, reason, at=self._clock())
        if self._host is not None:
            await self._host.look(parking.agent, parking.room)
        taken = self._host is not None and await questions.is_taken(self.store, found, value)
        return {"v": 1, "answered": found.id, "code": found.code, "turn": parking.turn, "value": value, "taken": taken}

    async def _found(self, key: str) -> tuple[tuple[Outgoing, ...], tuple[Intent, ...]]:
        """What waits for a person under this key: all of a turn, or one. CarrierError if there is nothing."""
        record = await self.store.journal.turn(key) if key else None
        rows = await self.store.journal.outbox(states=STUCK, turn=record.id if record else "", limit=_MOST)
        doubts = await self._doubts(record) if record else await self.store.journal.doubts()
        if record is None:
            rows = tuple(row for row in rows if key and row.part.key.startswith(key))
            doubts = tuple(intent for intent in doubts if key and intent.key.startswith(key))
            if len(rows) + len(doubts) > 1:
                raise wrong(f"Several deliveries begin with {key}.", "Write more of the key.")
        if not rows and not doubts:
            what = f"Nothing of the turn {record.id}" if record else f"No turn and no delivery {key}"
            raise CarrierError(
                f"{what} is in doubt or was given up.", remedy="`carrierd turns --in-doubt --dead` shows what is."
            )
        return rows, doubts

    async def _write(self, rows: tuple[Outgoing, ...]) -> None:
        """Write down the new state of deliveries, which are all of one room."""
        agent, room = rows[0].part.agent, rows[0].part.room.id
        async with self._epoch(agent, room) as epoch:
            await self.store.journal.deliver(agent, room, epoch, rows)
        if self._host is not None:
            self._host.outbox.put(agent, room, rows)

    @asynccontextmanager
    async def _epoch(self, agent: str, room: str) -> AsyncIterator[int]:
        """The epoch of the host that works on the room, or one of our own for as long as it takes."""
        worker = self._host.agents.get(agent) if self._host is not None else None
        if worker is not None:
            yield await worker.epoch(room)
            return
        owner = f"desk/{os.getpid()}/{os.urandom(4).hex()}"
        try:
            yield await self.store.journal.claim_room(agent, room, owner, _LEASE)
        finally:
            await self.store.journal.heartbeat(owner, 0)

    async def _outbox(self, record: TurnRecord) -> tuple[Outgoing, ...]:
        return await self.store.journal.outbox(turn=record.id, limit=_MOST)

    async def _doubts(self, record: TurnRecord) -> tuple[Intent, ...]:
        doubts = await self.store.journal.doubts(agent=record.agent)
        return tuple(intent for intent in doubts if intent.turn == record.id)

    async def _turn(self, record: TurnRecord, outbox: Iterable[Outgoing]) -> dict[str, Json]:
        states = Counter(str(row.state) for row in outbox)
        told = summary(record, await self._name(record.room))
        more: dict[str, Json] = {"person": record.person, "client": record.client, "started": record.started}
        return told | more | {"sending": cast("Json", dict(states))}

    async def _doubt(self, intent: Intent) -> Json:
        told = {name: getattr(intent, name) for name in ("key", "turn", "agent", "step", "at", "deadline", "what")}
        return {**told, "room": await self._name(intent.room)}

    async def _name(self, room: str) -> str:
        """The name of a room, by its id."""
        if room not in self._rooms:
            known = await self.store.memory.room(room)
            self._rooms[room] = known.name if known is not None else room
        return self._rooms[room]

    # --- schedules ---

    async def add(
        self,
        when: str,
        text: str,
        *,
        agent: str = "",
        room: str = "main",
        person: str = "",
        by: str = "operator",
        zone: str = "UTC",
        missed: str = "one",
    ) -> dict[str, Json]:
        """Have an agent, the default one if none is named, told something at its times: see :func:`~carrier_core.booking.book`."""
        agent = agent or next(iter(self._agents), "")
        if agent not in self._agents:
            raise CarrierError(f"There is no agent {agent}.", remedy=f"There are: {', '.join(self._agents)}.")
        now = self._clock()
        schedule = await book(
            self.store, when, text, agent=agent, room=room, person=person, by=by, zone=zone, missed=missed, now=now
        )
        self._wake()
        return shown(schedule)

    async def schedules(self, *, agent: str = "") -> list[Json]:
        """All schedules, the next one first."""
        return [shown(schedule) for schedule in await self.store.journal.schedules(agent=agent)]

    async def cancel(self, key: str) -> dict[str, Json]:
        """Remove a schedule; returns what it was."""
        schedule = await unbook(self.store, key)
        self._wake()
        return shown(schedule)

    def _wake(self) -> None:
        if self._host is not None:
            self._host.agenda.wake()

    # --- people, and all that is kept ---

    async def person(self, name: str) -> Entity:
        """The person with this id, a beginning of it, or this name."""
        return await person_named(self.store, name)

    async def forget(self, memories: tuple[str, ...]) -> int:
        """Remove memories, by their ids; how many there were."""
        return await self.store.memory.forget(memories)

    async def remember(self, memories: tuple[Memory, ...]) -> None:
        """Store memories of agents of the configuration; one with a known id replaces the older."""
        for agent in {memory.agent for memory in memories} - {*self._agents}:
            raise CarrierError(f"There is no agent {agent}.", remedy=f"There are: {', '.join(self._agents)}.")
        await self.store.memory.put(memories)

    async def place(self, room: str) -> Room:
        """The room with this name or id; one of the command line, where there is none."""
        return await room_named(self.store, room, or_new=True)

    async def forget_person(self, entity: str) -> dict[str, int]:
        """Remove a person, by the exact id, from everything; how many rows of each sort that were."""
        counts = await self.store.forget_person(entity)
        if self._host is not None:
            self._host.forget()
        self._wake()
        return counts

    async def restore(self, entries: tuple[Entry, ...]) -> int:
        """Take in a batch of an archive; how many entries were new. When all are in, :meth:`resume`."""
        return await self.store.restore(entries)

    async def resume(self) -> None:
        """Let the host go on with what was taken in."""
        if self._host is not None:
            for agent, room in await self.store.journal.ready():
                self._host.nudge(agent, room)
            self._wake()


# --- as JSON -----------------------------------------------------------------------------------------------------------------


def _delivery(row: Outgoing) -> Json:
    part = row.part
    return {
        "key": part.key,
        "turn": part.turn,
        "agent": part.agent,
        "room": part.room.name,
        "client": part.client,
        "number": part.number,
        "state": str(row.state),
        "attempts": row.attempts,
        "due": row.due,
        "at": row.at,
        "native": row.native,
        "error": row.error,
        "text": part.text,
    }


def _parked(parking: Parking) -> Json:
    return {"step": parking.step, "until": parking.until, "reason": parking.reason}
