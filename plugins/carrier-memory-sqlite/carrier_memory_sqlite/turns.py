"""Turns, from their opening to their end, with what they did on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

import msgspec

from carrier_core import (
    Connection,
    Fenced,
    Intent,
    Journal,
    Memory,
    Outgoing,
    Parking,
    StepRecord,
    StoredPart,
    TurnRecord,
    encode,
)
from carrier_memory_sqlite.database import Database
from carrier_memory_sqlite.inbound import drop, take, take_beside
from carrier_memory_sqlite.memory import SqliteMemory
from carrier_memory_sqlite.outbox import Post, add_intent, add_posts, deliver_posts, posts
from carrier_memory_sqlite.prepared import Prepared, prepared
from carrier_memory_sqlite.queries import queries
from carrier_memory_sqlite.traces import trace_of
from carrier_memory_sqlite.transaction import Place, Stored, Transaction

T = TypeVar("T")

KNOWN_PARTS = 16_384
"""Parts of prompts that are remembered to be stored: most of a prompt was in the one before."""

_SQL = queries("turns")
_OUTBOX = queries("outbox")
_encode = msgspec.json.encode
_step = msgspec.json.Decoder(StepRecord)


class Opened(NamedTuple):
    """What opening a turn did: what it stored, whether somebody joined the room, whether the connection was written."""

    stored: Stored | None
    joined: bool
    connected: bool


class Beside(NamedTuple):
    """What is written beside a turn, made ready outside of the writer thread: steps with their records, parts with
    theirs, memories, reply parts."""

    steps: list[tuple[StepRecord, bytes]]
    parts: list[tuple[str, bytes]]
    memories: tuple[Prepared, ...]
    posts: list[Post]


class Turns(Journal):
    """See :class:`carrier_core.Journal`, section turns: what writes."""

    _database: Database
    _memory: SqliteMemory
    _known: dict[str, None]
    _forgotten: set[str]

    async def open_turn(
        self, turn: TurnRecord, epoch: int, connection: Connection | None, memories: tuple[Memory, ...]
    ) -> bool:
        """Where the turn is there already, nothing of it is written again."""
        record = encode(turn)
        ready = prepared(memories)
        people = self._memory.people
        news = people.news(turn.agent, connection)

        def begin(transaction: Transaction) -> Opened:
            place = self._place(transaction, turn, epoch)
            number = transaction.added(_SQL["open"], (turn.id, place.number, turn.outcome.status.value, turn.started))
            if number is None:
                return Opened(None, joined=False, connected=False)
            transaction.execute(_SQL["draft"], (number, record))
            take(transaction, place, turn.id, turn.inbound, turn.superseded)
            joined = news is not None and people.connect(transaction, turn.agent, news)
            return Opened(transaction.store(ready), joined, connected=news is not None)

        def done(opened: Opened) -> None:
            self._memory.note(opened.stored)
            if opened.connected and news is not None:
                people.note(turn.agent, news)

        return (await self._database.write(begin, done)).joined

    async def activate(self, turn: TurnRecord, epoch: int) -> int:
        """One number in the turn's row."""

        def activate(transaction: Transaction) -> int:
            self._place(transaction, turn, epoch)
            rows = transaction.rows(_SQL["activate"], (turn.id,))
            if not rows:
                raise _gone(turn)
            return int(rows[0][0])

        return await self._database.write(activate)

    async def begin_step(
        self,
        turn: TurnRecord,
        epoch: int,
        intent: Intent,
        steps: tuple[StepRecord, ...] = (),
        parts: tuple[StoredPart, ...] = (),
        memories: tuple[Memory, ...] = (),
    ) -> Intent:
        """The steps come first: an intent of theirs goes, not this one."""
        beside = self._beside(steps, parts, memories)
        return await self._go_on(turn, epoch, beside, lambda transaction, _: add_intent(transaction, intent))

    async def record_steps(
        self,
        turn: TurnRecord,
        epoch: int,
        steps: tuple[StepRecord, ...],
        parts: tuple[StoredPart, ...] = (),
        memories: tuple[Memory, ...] = (),
        outbox: tuple[Outgoing, ...] = (),
    ) -> tuple[StepRecord, ...]:
        """A row for each, until the turn is finished."""
        beside = self._beside(steps, parts, memories, outbox)
        return await self._go_on(turn, epoch, beside, lambda _, recorded: recorded)

    async def park(
        self,
        turn: TurnRecord,
        epoch: int,
        parking: Parking,
        steps: tuple[StepRecord, ...] = (),
        parts: tuple[StoredPart, ...] = (),
        memories: tuple[Memory, ...] = (),
        outbox: tuple[Outgoing, ...] = (),
    ) -> None:
        """A turn that is completed by now does not wait for anybody."""
        record, status = encode(turn), turn.outcome.status.value
        beside = self._beside(steps, parts, memories, outbox)

        def park(transaction: Transaction) -> Stored | None:
            place, number, state = self._find(transaction, turn, epoch)
            if state not in ("running", "parked"):
                return None
            write_steps(transaction, turn.id, number, beside.steps)
            transaction.execute(_OUTBOX["put_off"], (turn.id,))
            transaction.execute(_SQL["move"], ("parked", status, number))
            transaction.execute(_SQL["draft"], (number, record))
            transaction.execute(_SQL["park"], (number, parking.step, parking.until, parking.reason))
            return write(transaction, place, beside)

        await self._database.write(park, lambda stored: self._wrote(stored, beside))

    async def unpark(self, turn: TurnRecord, epoch: int, answer: StepRecord, seq: int | None = None) -> bool:
        """The answer is a step like others."""
        record, raw = encode(turn), _encode(answer)

        def unpark(transaction: Transaction) -> bool:
            place = self._place(transaction, turn, epoch)
            for number, step in transaction.rows(_SQL["parked_at"], (turn.id,)):
                if step == answer.name:
                    write_steps(transaction, turn.id, number, [(answer, raw)])
                    transaction.execute(_SQL["move"], ("running", turn.outcome.status.value, number))
                    transaction.execute(_SQL["draft"], (number, record))
                    transaction.execute(_SQL["unpark"], (number,))
                    if seq is not None:
                        take_beside(transaction, place, turn.id, seq)
                    return True
            if seq is not None:
                drop(transaction, place, seq, "nobody waits for it")
            return False

        return await self._database.write(unpark)

    async def complete(
        self,
        turn: TurnRecord,
        epoch: int,
        memories: tuple[Memory, ...],
        parts: tuple[StoredPart, ...],
        outbox: tuple[Outgoing, ...],
    ) -> None:
        """Completing a turn again changes nothing; a turn that was never opened is written as it ended."""
        record, status = encode(turn), turn.outcome.status.value
        beside = self._beside((), parts, memories, outbox)

        def end(transaction: Transaction) -> Stored | None:
            place = self._place(transaction, turn, epoch)
            rows = transaction.rows(_SQL["complete"], (status, turn.id))
            if rows:
                transaction.execute(_SQL["unpark"], rows[0])
                transaction.execute(_OUTBOX["put_off"], (turn.id,))
            else:
                rows = transaction.rows(_SQL["add_completed"], (turn.id, place.number, status, turn.started))
            if not rows:
                return None
            transaction.execute(_SQL["draft"], (rows[0][0], record))
            take(transaction, place, turn.id, turn.inbound, turn.superseded)
            return write(transaction, place, beside)

        await self._database.write(end, lambda stored: self._wrote(stored, beside))

    async def finish(
        self, turn: TurnRecord, epoch: int, memories: tuple[Memory, ...], outbox: tuple[Outgoing, ...]
    ) -> None:
        """The record has the steps from now on."""
        trace, status = trace_of(turn), turn.outcome.status.value
        ready = prepared(memories)

        def finish(transaction: Transaction) -> Stored | None:
            self._place(transaction, turn, epoch)
            for number, known in transaction.rows(_SQL["ended"], (turn.id,)):
                transaction.execute(_SQL["finish"], (status, trace.write(transaction, known), number))
                transaction.execute(_SQL["drop_draft"], (number,))
                transaction.execute(_SQL["drop_steps"], (number,))
            deliver_posts(transaction, outbox)
            return transaction.store(ready) if ready else None

        await self._database.write(finish, self._memory.note)

    # --- what they have in common ---

    def _place(self, transaction: Transaction, turn: TurnRecord, epoch: int) -> Place:
        if turn.id in self._forgotten:
            raise _gone(turn)
        return transaction.claimed(turn.agent, turn.room, epoch)

    def _beside(
        self,
        steps: Iterable[StepRecord],
        parts: Iterable[StoredPart],
        memories: tuple[Memory, ...],
        outbox: Iterable[Outgoing] = (),
    ) -> Beside:
        return Beside(
            [(step, _encode(step)) for step in steps],
            [(part.digest, encode(part.part)) for part in parts if part.digest not in self._known],
            prepared(memories),
            posts(outbox),
        )

    def _find(self, transaction: Transaction, turn: TurnRecord, epoch: int) -> tuple[Place, int, str]:
        """The place of an opened turn, its number and its state. Fenced if it is not there."""
        place = self._place(transaction, turn, epoch)
        rows = transaction.rows(_SQL["find"], (turn.id,))
        if not rows:
            raise _gone(turn)
        return place, *rows[0]

    async def _go_on(
        self,
        turn: TurnRecord,
        epoch: int,
        beside: Beside,
        job: Callable[[Transaction, tuple[StepRecord, ...]], T],
    ) -> T:
        """Record steps and what comes with them, then do the job, which is given them as they are recorded."""

        def run(transaction: Transaction) -> tuple[T, Stored]:
            place, number, _ = self._find(transaction, turn, epoch)
            recorded = write_steps(transaction, turn.id, number, beside.steps)
            stored = write(transaction, place, beside)
            return job(transaction, recorded), stored

        value, _ = await self._database.write(run, lambda outcome: self._wrote(outcome[1], beside))
        return value

    def _wrote(self, stored: Stored | None, beside: Beside) -> None:
        self._memory.note(stored)
        if stored is not None:
            if len(self._known) > KNOWN_PARTS:
                self._known.clear()
            self._known.update(dict.fromkeys(digest for digest, _ in beside.parts))


def write(transaction: Transaction, place: Place, beside: Beside) -> Stored:
    """Write parts, reply parts and memories."""
    transaction.add_parts(beside.parts)
    if beside.posts:
        add_posts(transaction, place, beside.posts)
    return transaction.store(beside.memories) if beside.memories else Stored({}, [], [])


def write_steps(
    transaction: Transaction, turn: str, number: int, steps: Iterable[tuple[StepRecord, bytes]]
) -> tuple[StepRecord, ...]:
    """Record steps that are not recorded yet; returns all of them as they are recorded. Their intents go, or stay in
    doubt; what was recorded is progress."""
    recorded = []
    progress = False
    for step, raw in steps:
        if transaction.wrote(_SQL["add_step"], (number, step.name, raw)):
            progress = True
        else:
            step = _step.decode(transaction.rows(_SQL["step"], (number, step.name))[0][0])
        recorded.append(step)
        transaction.execute(_OUTBOX["doubted" if step.in_doubt else "recorded"], (turn, step.name))
    if progress:
        transaction.execute(_SQL["progress"], (number,))
    return tuple(recorded)


def _gone(turn: TurnRecord) -> Fenced:
    return Fenced(f"Turn {turn.id} is not in the journal: it was never opened, or was forgotten. Nothing was written.")
