"""A journal in memory: inbound rows, who works on a room, and the turns."""

from __future__ import annotations

import time
from collections.abc import Callable

import anyio.lowlevel
import msgspec

from carrier_core import (
    Appended,
    Connection,
    Fenced,
    Handled,
    Heard,
    InboundRow,
    Intent,
    Memory,
    OpenTurn,
    Outgoing,
    Parking,
    Place,
    Queued,
    StepRecord,
    StoredPart,
    TurnRecord,
    Unavailable,
    Work,
)
from carrier_core.testing.database import UNFINISHED, UNSETTLED, kept
from carrier_core.testing.effects import InMemoryEffects
from carrier_core.testing.memory import InMemoryMemory

_replace = msgspec.structs.replace


class InMemoryJournal(InMemoryEffects):
    """See :class:`carrier_core.Journal`. Each method waits once and then does all of its work, so nothing is half done.

    ``clock`` is what leases are measured by, in seconds.
    """

    def __init__(self, memory: InMemoryMemory, clock: Callable[[], float] = time.time) -> None:
        super().__init__(memory.database)
        self._memory = memory
        self._clock = clock
        self._owners: dict[tuple[str, str], str] = {}
        self._leases: dict[str, float] = {}

    def release(self) -> None:
        """End all leases: whoever had them is gone."""
        self._leases.clear()

    # --- inbound ---

    async def append_inbound(self, agent: str, room: str, dedupe_key: str, payload: bytes) -> Appended:
        """The first payload of a key is kept."""
        await anyio.lowlevel.checkpoint()
        return self.append(agent, room, dedupe_key, payload)

    def append(self, agent: str, room: str, dedupe_key: str, payload: bytes) -> Appended:
        """The first payload of a key is kept."""
        known = self.database.ledger.get((agent, dedupe_key))
        if known is not None:
            return Appended(known.seq, is_new=False)
        place = self._place(agent, room)
        seq = place.seq + 1
        self.database.places[agent, room] = _replace(place, seq=seq)
        self.database.ledger[agent, dedupe_key] = Heard(agent, dedupe_key, seq)
        self.database.inbound[agent, room, seq] = Queued(agent, room, seq, msgspec.Raw(payload))
        return Appended(seq, is_new=True)

    async def ready(self) -> tuple[tuple[str, str], ...]:
        """In the order in which the rooms were first heard of."""
        database = self.database
        busy = {(turn.record.agent, turn.record.room) for turn in database.turns.values() if turn.state in UNFINISHED}
        busy.update((row.agent, row.room) for row in database.inbound.values() if not row.turn and not row.discarded)
        busy.update(
            (post.part.agent, post.part.room.id) for post in database.outbox.values() if post.state in UNSETTLED
        )
        return tuple(place for place in database.places if place in busy)

    async def work(self, agent: str, room: str) -> Work:
        """Rows by their numbers, the others in the order in which they were written."""
        database = self.database
        turns = [
            turn.record.id
            for turn in database.turns.values()
            if (turn.record.agent, turn.record.room) == (agent, room) and turn.state in UNFINISHED
        ]
        rows = [InboundRow(row.seq, bytes(row.payload)) for row in database.waiting(agent, room)]
        return Work(tuple(turns), tuple(rows), tuple(database.to_send(agent, room)))

    async def discard(
        self, agent: str, room: str, seqs: tuple[int, ...], reason: str, rewritten: tuple[InboundRow, ...] = ()
    ) -> None:
        """Rows that were taken already stay as they are."""
        await anyio.lowlevel.checkpoint()
        self.database.take(agent, room, seqs, discarded=reason)
        waiting = {row.seq: row for row in self.database.waiting(agent, room)}
        for row in rewritten:
            if row.seq in waiting:
                changed = _replace(waiting[row.seq], payload=msgspec.Raw(row.payload))
                self.database.inbound[agent, room, row.seq] = changed

    # --- whose a room is ---

    async def claim_room(self, agent: str, room: str, owner: str, lease: float) -> int:
        """One more than the last."""
        await anyio.lowlevel.checkpoint()
        holder = self._owners.get((agent, room), owner)
        if holder != owner and self._leases.get(holder, 0.0) > self._clock():
            raise Unavailable(f"{holder} works on room {room} for {agent}.", remedy="Wait until its lease is over.")
        self._owners[agent, room] = owner
        self._leases[owner] = self._clock() + lease
        place = self._place(agent, room)
        self.database.places[agent, room] = _replace(place, epoch=place.epoch + 1)
        return place.epoch + 1

    async def heartbeat(self, owner: str, lease: float) -> None:
        """From now on."""
        await anyio.lowlevel.checkpoint()
        self._leases[owner] = self._clock() + lease

    def _place(self, agent: str, room: str) -> Place:
        return self.database.places.setdefault((agent, room), Place(agent, room))

    def _fence(self, agent: str, room: str, epoch: int) -> None:
        current = self._place(agent, room).epoch
        if current != epoch:
            raise Fenced(f"Epoch {epoch} of room {room} is over: for {agent} it is at {current}. Nothing was written.")

    # --- turns ---

    async def open_turn(
        self, turn: TurnRecord, epoch: int, connection: Connection | None, memories: tuple[Memory, ...]
    ) -> bool:
        """A turn that is there stays as it is."""
        await anyio.lowlevel.checkpoint()
        self._fence(turn.agent, turn.room, epoch)
        if turn.id in self.database.turns:
            return False
        self.database.turns[turn.id] = Handled(_replace(kept(turn), steps=()), "running")
        self._take(turn)
        self._memory.store(memories)
        return connection is not None and self._memory.join(turn.agent, connection)

    def _take(self, turn: TurnRecord) -> None:
        self.database.take(turn.agent, turn.room, turn.inbound, turn=turn.id)
        self.database.take(turn.agent, turn.room, turn.superseded, discarded="superseded")

    def _opened(self, turn: TurnRecord, epoch: int) -> Handled:
        """An open turn, which this epoch may write to."""
        self._fence(turn.agent, turn.room, epoch)
        handled = self.database.turns.get(turn.id)
        if handled is None:
            raise Fenced(f"Turn {turn.id} is not there, or not there any more. Nothing was written.")
        return handled

    async def activate(self, turn: TurnRecord, epoch: int) -> int:
        """One more than the last."""
        await anyio.lowlevel.checkpoint()
        handled = self._opened(turn, epoch)
        self.database.turns[turn.id] = _replace(handled, activations=handled.activations + 1)
        return handled.activations + 1

    async def begin_step(
        self,
        turn: TurnRecord,
        epoch: int,
        intent: Intent,
        steps: tuple[StepRecord, ...] = (),
        parts: tuple[StoredPart, ...] = (),
        memories: tuple[Memory, ...] = (),
    ) -> Intent:
        """The first intent of a key is kept."""
        await anyio.lowlevel.checkpoint()
        self._opened(turn, epoch)
        self._record(turn.id, steps, parts, memories)
        return self.database.intents.setdefault(intent.key, kept(intent))

    async def record_steps(
        self,
        turn: TurnRecord,
        epoch: int,
        steps: tuple[StepRecord, ...],
        parts: tuple[StoredPart, ...] = (),
        memories: tuple[Memory, ...] = (),
        outbox: tuple[Outgoing, ...] = (),
    ) -> tuple[StepRecord, ...]:
        """The first record of a step is kept."""
        await anyio.lowlevel.checkpoint()
        self._opened(turn, epoch)
        self._post(outbox)
        return self._record(turn.id, steps, parts, memories)

    def _record(
        self, turn: str, steps: tuple[StepRecord, ...], parts: tuple[StoredPart, ...], memories: tuple[Memory, ...]
    ) -> tuple[StepRecord, ...]:
        handled = self.database.turns[turn]
        known = {step.name: step for step in handled.record.steps}
        before = len(known)
        for step in steps:
            known.setdefault(step.name, step)
        if len(known) > before:
            record = kept(_replace(handled.record, steps=tuple(known.values())))
            self.database.turns[turn] = _replace(handled, record=record, activations=0)
        given = {step.name for step in steps}
        for key, intent in [*self.database.intents.items()]:
            if intent.turn == turn and intent.step in given:
                self._ended(key, in_doubt=known[intent.step].in_doubt)
        self._remember(parts, memories)
        return tuple(known[step.name] for step in steps)

    def _remember(self, parts: tuple[StoredPart, ...], memories: tuple[Memory, ...]) -> None:
        for part in parts:
            self.database.parts.setdefault(part.digest, StoredPart(part.digest, kept(part.part)))
        self._memory.store(memories)

    # --- parking ---

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
        """A turn that has ended stays as it is."""
        await anyio.lowlevel.checkpoint()
        if self._opened(turn, epoch).state not in ("running", "parked"):
            return
        self._record(turn.id, steps, parts, memories)
        self._change(turn, "parked", parking)
        self._call_off(turn)
        self._post(outbox)

    async def unpark(self, turn: TurnRecord, epoch: int, answer: StepRecord, seq: int | None = None) -> bool:
        """The row of an answer that comes too late is nobody's."""
        await anyio.lowlevel.checkpoint()
        self._fence(turn.agent, turn.room, epoch)
        handled = self.database.turns.get(turn.id)
        seqs = () if seq is None else (seq,)
        if handled is None or handled.parking is None or handled.parking.step != answer.name:
            self.database.take(turn.agent, turn.room, seqs, discarded="nobody waits for it")
            return False
        self._record(turn.id, (answer,), (), ())
        self._change(turn, "running")
        self.database.take(turn.agent, turn.room, seqs, turn=turn.id)
        return True

    def _change(self, turn: TurnRecord, state: str, parking: Parking | None = None) -> None:
        """Write the record as it is given, but for its steps: those are in the journal already."""
        handled = self.database.turns[turn.id]
        record = _replace(kept(turn), steps=handled.record.steps)
        self.database.turns[turn.id] = _replace(handled, record=record, state=state, parking=parking)

    async def parked(self) -> tuple[Parking, ...]:
        """By the end of their waiting."""
        waiting = [handled.parking for handled in self.database.turns.values() if handled.parking is not None]
        return tuple(sorted(waiting, key=lambda parking: parking.until))

    # --- the end of a turn ---

    async def complete(
        self,
        turn: TurnRecord,
        epoch: int,
        memories: tuple[Memory, ...],
        parts: tuple[StoredPart, ...],
        outbox: tuple[Outgoing, ...],
    ) -> None:
        """A turn that has ended stays as it is; one that was never opened is written as it ended."""
        await anyio.lowlevel.checkpoint()
        self._fence(turn.agent, turn.room, epoch)
        handled = self.database.turns.setdefault(turn.id, Handled(_replace(turn, steps=()), "running"))
        if handled.state in ("completed", "finished"):
            return
        self._change(turn, "completed")
        self._call_off(turn)
        self._take(turn)
        self._remember(parts, memories)
        self._post(outbox)

    async def finish(
        self, turn: TurnRecord, epoch: int, memories: tuple[Memory, ...], outbox: tuple[Outgoing, ...]
    ) -> None:
        """Of a turn that has not ended the record stays as it is."""
        await anyio.lowlevel.checkpoint()
        self._fence(turn.agent, turn.room, epoch)
        handled = self.database.turns.get(turn.id)
        if handled is not None and handled.state in ("completed", "finished"):
            self.database.turns[turn.id] = _replace(handled, record=kept(turn), state="finished")
        self._memory.store(memories)
        self.database.settle(outbox)

    async def reopen(self, turn: str) -> OpenTurn | None:
        """By the exact id."""
        handled = self.database.turns.get(turn)
        if handled is None:
            return None
        intents = tuple(intent for intent in self.database.intents.values() if intent.turn == turn)
        completed = handled.state in ("completed", "finished")
        rows = self.database.rows(handled)
        return OpenTurn(handled.record, rows, intents, handled.activations, handled.parking, completed)

    # --- looking back ---

    async def turn(self, turn: str) -> TurnRecord | None:
        """The exact id before any beginning; None where a beginning fits several."""
        known = self.database.turns
        fits = [turn] if turn in known else [key for key in known if turn and key.startswith(turn)]
        return known[fits[0]].record if len(fits) == 1 else None

    async def turns(
        self, *, agent: str = "", room: str = "", status: str = "", limit: int = 20
    ) -> tuple[TurnRecord, ...]:
        """By the order of their opening."""
        records = [handled.record for handled in reversed(self.database.turns.values())]
        fits = [
            turn
            for turn in records
            if agent in ("", turn.agent) and room in ("", turn.room) and status in ("", turn.outcome.status.value)
        ]
        return tuple(fits[:limit])

    async def parts(self, digests: tuple[str, ...]) -> tuple[StoredPart, ...]:
        """In the order asked for."""
        return tuple(self.database.parts[digest] for digest in digests if digest in self.database.parts)
