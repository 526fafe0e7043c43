"""Turns, from their opening to their end, with what they did on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeVar

import msgspec

from carrier_core import (
    Connection,
    Intent,
    Journal,
    Memory,
    Outgoing,
    Parking,
    StepRecord,
    StoredPart,
    TurnRecord,
)
from carrier_memory_postgres.batch import Batch
from carrier_memory_postgres.database import Database
from carrier_memory_postgres.memory import PostgresMemory
from carrier_memory_postgres.outbox import Post, add_posts, deliver_posts, posts
from carrier_memory_postgres.prepared import Prepared, prepared
from carrier_memory_postgres.queries import queries
from carrier_memory_postgres.standing import Key, Needs, Place, Standing

T = TypeVar("T")

_SQL = queries("turns")
_encode = msgspec.json.encode
_step = msgspec.json.Decoder(StepRecord)


class Beside(NamedTuple):
    """What is written beside a turn, made ready before the batch: steps with their records, parts, memories, reply parts."""

    steps: list[tuple[StepRecord, bytes]]
    parts: tuple[StoredPart, ...]
    memories: tuple[Prepared, ...]
    posts: list[Post]

    def places(self, turn: TurnRecord) -> tuple[Key, ...]:
        """The places that are written to."""
        places = {(turn.agent, turn.room): None}
        places.update(dict.fromkeys((each.memory.agent, each.memory.room) for each in self.memories))
        places.update(dict.fromkeys(key for key, _, _ in self.posts))
        return tuple(places)


class Turns(Journal):
    """See :class:`carrier_core.Journal`, section turns: what writes."""

    _database: Database
    _memory: PostgresMemory

    async def open_turn(
        self, turn: TurnRecord, epoch: int, connection: Connection | None, memories: tuple[Memory, ...]
    ) -> bool:
        """Where the turn is there already, nothing of it is written again."""
        turn, beside = _bare(turn), self._beside(memories=memories)
        people = self._memory.people
        news = people.news(turn.agent, connection)
        key = ("open", turn.id)

        def begin(batch: Batch) -> bool:
            place = batch.claimed(turn.agent, turn.room, epoch)
            if batch.standing(turn.id) is not None:
                batch.answered.append(key)
                return bool(batch.known.lost.get(key))
            batch.open(turn, place, "running")
            _take(batch, place, turn)
            batch.hear(beside.memories)
            return news is not None and batch.join(turn.agent, news)

        def done(joined: bool, batch: Batch) -> None:
            if news is not None:
                people.note(turn.agent, news)

        needs = Needs(
            places=beside.places(turn),
            turns=((turn.id, ()),),
            participants=() if news is None else ((news.room.id, news.entity.id),),
        )
        return await self._database.write(needs, begin, done, key)

    async def activate(self, turn: TurnRecord, epoch: int) -> int:
        """One number in the turn's row."""

        def activate(batch: Batch) -> int:
            place, standing = batch.open_turn(turn, epoch)
            standing.activations += 1
            batch.touch(standing, place)
            return standing.activations

        return await self._go_on(turn, Beside([], (), (), []), activate)

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

        def begin(batch: Batch) -> Intent:
            place, standing = batch.open_turn(turn, epoch)
            _write(batch, place, standing, beside)
            return batch.begin(standing, intent)

        return await self._go_on(turn, beside, begin)

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

        def record(batch: Batch) -> tuple[StepRecord, ...]:
            place, standing = batch.open_turn(turn, epoch)
            _write(batch, place, standing, beside)
            return tuple([_recorded(batch, standing, step, own) for step, own in beside.steps])

        return await self._go_on(turn, beside, record)

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
        """A turn that has ended by now does not wait for anybody."""
        turn, beside = _bare(turn), self._beside(steps, parts, memories, outbox)

        def park(batch: Batch) -> None:
            place, standing = batch.open_turn(turn, epoch)
            if standing.state not in ("running", "parked"):
                return
            _write(batch, place, standing, beside)
            for intent in [each for each in standing.intents.values() if not each.in_doubt]:
                batch.end(standing, intent, doubted=False)
            standing.state, standing.parking = "parked", parking
            batch.change(turn, standing, place)

        await self._go_on(turn, beside, park)

    async def unpark(self, turn: TurnRecord, epoch: int, answer: StepRecord, seq: int | None = None) -> bool:
        """The answer is a step like others."""
        turn, beside = _bare(turn), self._beside((answer,))
        seqs = () if seq is None else (seq,)
        key = ("unpark", turn.id, answer.name, seq)

        def unpark(batch: Batch) -> bool:
            place = batch.claimed(turn.agent, turn.room, epoch)
            standing = batch.standing(turn.id)
            if standing is None or standing.parking is None or standing.parking.step != answer.name:
                if batch.known.lost.get(key):
                    batch.answered.append(key)
                    return True
                batch.take(place, seqs, discarded="nobody waits for it")
                return False
            _write(batch, place, standing, beside)
            standing.state, standing.parking = "running", None
            batch.change(turn, standing, place)
            batch.take(place, seqs, turn=turn.id)
            return True

        return await self._go_on(turn, beside, unpark, key)

    async def complete(
        self,
        turn: TurnRecord,
        epoch: int,
        memories: tuple[Memory, ...],
        parts: tuple[StoredPart, ...],
        outbox: tuple[Outgoing, ...],
    ) -> None:
        """Completing a turn again changes nothing; a turn that was never opened is written as it ended."""
        turn, beside = _bare(turn), self._beside((), parts, memories, outbox)

        def end(batch: Batch) -> None:
            place = batch.claimed(turn.agent, turn.room, epoch)
            standing = batch.standing(turn.id)
            if standing is None:
                standing = batch.open(turn, place, "completed")
            elif standing.state in ("completed", "finished"):
                return
            else:
                for intent in [each for each in standing.intents.values() if not each.in_doubt]:
                    batch.end(standing, intent, doubted=False)
                standing.state, standing.parking = "completed", None
                batch.change(turn, standing, place)
            _take(batch, place, turn)
            _write(batch, place, standing, beside)

        await self._go_on(turn, beside, end)

    async def finish(
        self, turn: TurnRecord, epoch: int, memories: tuple[Memory, ...], outbox: tuple[Outgoing, ...]
    ) -> None:
        """The record has the steps from now on."""
        beside = self._beside(memories=memories)

        def finish(batch: Batch) -> None:
            place = batch.claimed(turn.agent, turn.room, epoch)
            standing = batch.standing(turn.id)
            if standing is not None and standing.state in ("completed", "finished"):
                batch.finish(turn, standing, place)
            deliver_posts(batch, outbox)
            batch.hear(beside.memories)

        await self._go_on(turn, beside, finish)

    # --- what they have in common ---

    async def _go_on(
        self, turn: TurnRecord, beside: Beside, run: Callable[[Batch], T], key: tuple[object, ...] | None = None
    ) -> T:
        names = tuple([step.name for step, _ in beside.steps])
        needs = Needs(places=beside.places(turn), turns=((turn.id, names),))
        return await self._database.write(needs, run, key=key)

    def _beside(
        self,
        steps: Iterable[StepRecord] = (),
        parts: Iterable[StoredPart] = (),
        memories: tuple[Memory, ...] = (),
        outbox: Iterable[Outgoing] = (),
    ) -> Beside:
        return Beside(
            [(step, _encode(step)) for step in steps],
            tuple(parts),
            prepared(memories),
            posts(outbox),
        )


def _bare(turn: TurnRecord) -> TurnRecord:
    """The record of a turn without its steps: until it is finished these have rows of their own."""
    return msgspec.structs.replace(turn, steps=()) if turn.steps else turn


def _take(batch: Batch, place: Place, turn: TurnRecord) -> None:
    batch.take(place, turn.inbound, turn=turn.id)
    batch.take(place, turn.superseded, discarded="superseded")


def _write(batch: Batch, place: Place, standing: Standing, beside: Beside) -> None:
    if beside.steps:
        batch.record(standing, place, beside.steps)
    for part in beside.parts:
        batch.writes.parts.setdefault(part.digest, part)
    batch.hear(beside.memories)
    add_posts(batch, beside.posts)


def _recorded(batch: Batch, standing: Standing, step: StepRecord, own: bytes) -> StepRecord:
    """A step as it is recorded now."""
    record = batch.steps[standing.id, step.name]
    return step if record is own else _step.decode(record)
