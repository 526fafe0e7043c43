"""Handling: how the turns of an agent begin, go on after a crash, park, and end."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import anyio
import msgspec

from carrier_core import pipeline
from carrier_core.approving import refusal
from carrier_core.errors import CarrierError, Fenced, Parked, PluginError
from carrier_core.journal import Outgoing, Parking, Sending
from carrier_core.lingering import beside
from carrier_core.messages import Entity, Inbound, Memory, make_id
from carrier_core.outcomes import Answer, Connection, Event, Outcome, Status, StepRecord
from carrier_core.provenance import OPERATOR
from carrier_core.recording import ended, opened
from carrier_core.records import decode, encode
from carrier_core.scheduler import Row
from carrier_core.turn import Turn

if TYPE_CHECKING:
    from carrier_core.agent import AgentRuntime


class Handling:
    """The turns of one agent, from their inbound rows to their last record."""

    def __init__(self, agent: AgentRuntime) -> None:
        self._agent = agent
        self._running: dict[str, tuple[str, anyio.CancelScope]] = {}
        self._stops: dict[str, int] = {}

    def inherit(self, older: Handling) -> None:
        """Know of the turns that run under an earlier configuration."""
        self._running = older._running
        self._stops = older._stops

    async def handle(self, row: Row) -> None:
        """Handle what is next in a room: open a turn for it, or go on with one; run it, record it, deliver, learn.

        Unavailable if the host stops while the store is away, Fenced if somebody else has the room: the journal has what is
        left to do.
        """
        room = row.inbound.room.id
        epoch = await self._agent.epoch(room)
        if row.turn:
            await self._resume(row.turn, epoch)
            return
        rows, superseded = self._burst(room, row)
        key = self._agent.turn_id(room, rows[-1].seq)
        turn = Turn(self._agent, self._agent.table(row.inbound.client), key, rows, epoch, superseded=superseded)
        try:
            await self._open(turn)
        except PluginError as error:  # a guard or a wrapper: the turn is recorded and the room is told all the same
            with anyio.CancelScope(shield=True):
                await self._close(turn, pipeline.failed(turn, error.message))
            return
        await self._run(turn)

    async def _run(self, turn: Turn) -> None:
        room = turn.room.id
        try:
            with anyio.CancelScope() as scope:
                self._running[room] = (turn.id, scope)
                if turn.id in self._stops:
                    scope.cancel()
                try:
                    outcome = await pipeline.within(turn)
                finally:
                    del self._running[room]
        except Parked as parked:
            with anyio.CancelScope(shield=True):
                await self._park(turn, parked)
            return
        if scope.cancelled_caught:
            outcome = Outcome(Status.STOPPED, reason="stopped by the person")
        with anyio.CancelScope(shield=True):
            await self._close(turn, outcome)

    def _burst(self, room: str, row: Row) -> tuple[tuple[Row, ...], tuple[int, ...]]:
        """The rows that a turn takes out of the queue, and which of them are not answered because a later one counts."""
        if self._agent.settings.burst == "each":
            return (row,), ()
        rows = (row, *self._agent.host.rooms.following(self._agent.name, room, row))
        return rows, tuple(each.seq for each in rows[:-1]) if self._agent.settings.burst == "latest" else ()

    async def _resume(self, key: str, epoch: int) -> None:
        """Go on with a turn after its last recorded step."""
        turn = await self.revive(key)
        if turn is None:
            await self.give_up(key)
            return
        resumed = turn.progress.resumed
        if resumed is not None and resumed.completed:
            with anyio.CancelScope(shield=True):
                await self._finish(turn, resumed.record.outcome, (), resumed.record.parts)
            return
        limit = self._agent.settings.limits.activations
        if resumed is not None and resumed.activations > limit // 2:
            async with self._agent.host.suspects:
                await self._again(turn, limit)
        else:
            await self._again(turn, limit)

    async def give_up(self, key: str) -> None:
        """End a turn that cannot be gone on with, because the messages that it answers are gone: visibly, and for good."""
        agent, host, journal = self._agent, self._agent.host, self._agent.host.store.journal
        why = "its messages are gone"
        host.log.error("turn_not_resumed", turn=key, agent=agent.name, why=why)
        found = await host.outage.outlast(lambda: journal.reopen(key))
        if found is None:
            host.endings.abandoned(key, agent.name, why)
            return
        record = found.record
        try:
            epoch = await agent.epoch(record.room)
            if not found.completed:
                record = msgspec.structs.replace(record, outcome=Outcome(Status.FAILED, reason=why))
                await host.outage.outlast(lambda: journal.complete(record, epoch, (), (), ()))
            await host.outage.outlast(lambda: journal.finish(record, epoch, (), ()))
        except Fenced:  # another daemon's now, which will come to the same end
            agent.lost(record.room)
            return
        ended_as = {"status": str(record.outcome.status), "reason": record.outcome.reason}
        host.events.emit(Event("turn_failed", host.clock(), agent.name, record.room, key, data={**ended_as}))
        room = await host.store.memory.room(record.room)
        host.endings.finished(record, room.name if room is not None else record.room)

    async def _again(self, turn: Turn, limit: int) -> None:
        """Run a turn that was cut off, if it may be. Those that were often cut off run one after another, so that it is not
        laid to one what another did: of a process that dies again only one of them is to blame."""
        host, room = self._agent.host, turn.room.id
        count = await host.outage.outlast(lambda: host.store.journal.activate(turn.progress.record, turn.epoch))
        if count > limit:
            reason = f"the daemon died in the middle of it {count - 1} times"
            host.log.error("turn_given_up", turn=turn.id, agent=self._agent.name, reason=reason)
            with anyio.CancelScope(shield=True):
                await self._close(turn, pipeline.failed(turn, reason))
            return
        host.log.info("turn_resumed", turn=turn.id, agent=self._agent.name, room=room, activation=count)
        await self._run(turn)

    async def revive(self, key: str) -> Turn | None:
        """A turn of the journal as it can be gone on with; None if the messages that it answers are not kept any more."""
        journal = self._agent.host.store.journal
        found = await self._agent.host.outage.outlast(lambda: journal.reopen(key))
        if found is None or not found.inbound:
            return None
        rows = tuple(Row(row.seq, decode(row.payload, Inbound)) for row in found.inbound)
        answered = tuple(row for row in rows if row.seq in found.record.inbound) or rows
        epoch = await self._agent.epoch(found.record.room)
        left, table = found.record.superseded, self._agent.table(found.record.client)
        turn = Turn(self._agent, table, key, answered, epoch, superseded=left, resumed=found)
        if found.completed:
            turn.usage = found.record.outcome.usage
        return turn

    async def _open(self, turn: Turn) -> None:
        connection, memories = await turn.progress.run("open", lambda: pipeline.ensure_connection(turn))
        journal = self._agent.host.store.journal
        record = turn.progress.record
        if await self._agent.host.outage.outlast(lambda: journal.open_turn(record, turn.epoch, connection, memories)):
            turn.emit("room_joined", entity=turn.person.id, name=turn.person.name)

    async def _park(self, turn: Turn, parked: Parked) -> None:
        """Let a turn wait outside of the queue, after the question has been asked."""
        reply = pipeline.question(turn, parked.say, parked.question) if parked.say else None
        outcome = Outcome(Status.PARKED, reply, parked.reason, turn.usage)
        parking = Parking(turn.id, self._agent.name, turn.room.id, parked.step, parked.until, parked.reason)
        outbox = pipeline.outbox_of(turn, reply, parked.step) if reply is not None else ()
        record = opened(turn, outcome)
        journal = self._agent.host.store.journal
        async with turn.progress.storing() as (steps, parts, memories):
            await self._agent.host.outage.outlast(
                lambda: journal.park(record, turn.epoch, parking, steps, parts, memories, outbox)
            )
        self._agent.host.outbox.put(self._agent.name, turn.room.id, outbox, turn)
        self._agent.host.agenda.wait_for(parking)
        self._agent.host.endings.finished(record, turn.room.name, turn.also)

    async def _close(self, turn: Turn, outcome: Outcome) -> None:
        """End a turn: its outcome and its reply are stored together, then the reply is delivered."""
        journal, host = self._agent.host.store.journal, self._agent.host
        await turn.progress.leave_in_doubt()
        said: tuple[Memory, ...] = ()
        try:
            if outcome.reply is not None and not outcome.reply.notice:
                said = await pipeline.remember_reply(turn, outcome.reply)
        except PluginError as error:  # a guard of what is stored: what may not be remembered is not said either
            outcome = pipeline.failed(turn, error.message)
        outcome = msgspec.structs.replace(outcome, usage=turn.usage)
        memories = turn.progress.take_memories() + said
        outbox = pipeline.outbox_of(turn, outcome.reply) if outcome.reply is not None else ()
        outbox = host.outbox.begin(turn, outbox)
        parts, digests = self._agent.ledger.parts_of(turn.prompts)
        record = ended(turn, outcome, digests, trace=False)
        try:
            await host.outage.outlast(lambda: journal.complete(record, turn.epoch, memories, parts, outbox))
            self._agent.ledger.stored(parts)
            stop = self._stops.pop(turn.id, None)
            if stop is not None:
                await host.outage.outlast(lambda: journal.discard(self._agent.name, turn.room.id, (stop,), "applied"))
            await self._finish(turn, outcome, outbox, digests)
        finally:
            host.outbox.release(turn.id)

    async def _finish(
        self, turn: Turn, outcome: Outcome, outbox: tuple[Outgoing, ...], digests: tuple[str, ...]
    ) -> None:
        """Deliver what :meth:`_close` stored, learn from it, and keep the whole record."""
        journal, host = self._agent.host.store.journal, self._agent.host
        sent = bool(outbox) and outbox[0].state is Sending.SENDING
        if sent:
            outbox = await host.outbox.send(turn, outbox)
        outcome = _with_delivery(outcome, outbox)
        deliver = partial(journal.deliver, self._agent.name, turn.room.id, turn.epoch, outbox)
        learn = partial(pipeline.reflect, turn, outcome)
        try:
            learned = await (beside(learn, partial(host.outage.outlast, deliver), host.spawn) if sent else learn())
        except CarrierError as error:
            learned = ()
            host.log.warning("turn_not_reflected", turn=turn.id, agent=self._agent.name, error=error.message)
        learned += turn.progress.take_memories()
        outcome = msgspec.structs.replace(outcome, usage=turn.usage)
        resumed = turn.progress.resumed
        if resumed is not None and resumed.completed:  # its trace was with the process that died
            record = msgspec.structs.replace(resumed.record, outcome=outcome)
        else:
            record = ended(turn, outcome, digests)
        await host.outage.outlast(lambda: journal.finish(record, turn.epoch, learned, outbox))
        host.outbox.put(self._agent.name, turn.room.id, outbox, turn)
        name = "turn_failed" if outcome.status is Status.FAILED else "turn_completed"
        turn.emit(name, status=str(outcome.status), reason=outcome.reason, duration_ms=record.duration_ms)
        host.endings.finished(record, turn.room.name, turn.also)

    async def undelivered(self, turn: Turn, row: Outgoing) -> None:
        """A reply that was delivered after its turn did not arrive, or nobody knows: the turn says so from now on. What was said
        besides while it went on is another matter."""
        if row.part.key != make_id("reply", turn.id, str(row.part.number)):
            return
        journal = self._agent.host.store.journal
        record = await self._agent.host.outage.outlast(lambda: journal.turn(turn.id))
        if record is None or record.outcome.status is Status.PARKED:
            return
        outcome = _with_delivery(record.outcome, (row,))
        record = msgspec.structs.replace(record, outcome=outcome)
        await self._agent.host.outage.outlast(lambda: journal.finish(record, turn.epoch, (), ()))
        if outcome.status is Status.FAILED:
            turn.emit("turn_failed", status=str(outcome.status), reason=outcome.reason, duration_ms=record.duration_ms)

    def stop(self, room: str, turn: str, seq: int) -> bool:
        """Stop the turn that runs in a room, or the one that is meant, which may still wait; returns whether there was one.

        ``seq`` is the row that asked for it, which is kept until the turn has ended: a stop is not lost either.
        """
        running = self._running.get(room)
        if running is not None and turn in ("", running[0]):
            self._stops[running[0]] = seq
            running[1].cancel()
            return True
        turn = turn or self._agent.host.rooms.cut_off(self._agent.name, room)
        if turn and self._agent.host.endings.awaited(turn):
            self._stops[turn] = seq
            return True
        return False

    async def stop_parked(self, key: str, seq: int) -> bool:
        """End a turn that waits for somebody, as the row ``seq`` asked; whether there was one of that id."""
        turn = await self.revive(key)
        resumed = turn.progress.resumed if turn is not None else None
        if turn is None or resumed is None or resumed.parking is None:
            return False
        self._stops[turn.id] = seq
        with anyio.CancelScope(shield=True):
            await self._close(turn, Outcome(Status.STOPPED, reason="stopped by the person"))
        return True

    async def answer(self, parking: Parking, answer: Answer, seq: int | None = None, who: Entity | None = None) -> str:
        """Give a parked turn what it waits for and let it go on; why not, where it does not wait for it any more or ``who``
        answers may not."""
        turn = await self.revive(parking.turn)
        if turn is None:
            return _NOBODY
        reason = await refusal(turn, parking, answer, who) if who is not None else ""
        if reason:
            return reason
        store, journal = self._agent.host.store, self._agent.host.store.journal
        if (
            who is not None and who.id != OPERATOR
        ):  # by what they are known here, they are looked up when it is weighed again
            connection = Connection(who, turn.room, turn.inbound.world)
            await self._agent.host.outage.outlast(lambda: store.memory.connect(self._agent.name, connection))
        step = StepRecord(parking.step, self._agent.host.clock(), 0.0, msgspec.Raw(encode(answer)))
        if not await self._agent.host.outage.outlast(
            lambda: journal.unpark(turn.progress.record, turn.epoch, step, seq)
        ):
            return _NOBODY
        if not self._agent.host.endings.awaited(turn.id):  # whoever looked at the room meanwhile has queued it
            self._agent.host.queue(self._agent, Row(turn.seqs[0], turn.inbound, turn.id))
        return ""


_NOBODY = "no turn waits for it"


def _with_delivery(outcome: Outcome, outbox: tuple[Outgoing, ...]) -> Outcome:
    """The outcome when it is known what became of the reply."""
    for row in outbox:
        if row.state is Sending.DEAD:
            return msgspec.structs.replace(
                outcome, status=Status.FAILED, reason=f"the reply was not delivered: {row.error}"
            )
    for row in outbox:
        if row.state is Sending.IN_DOUBT:
            return msgspec.structs.replace(
                outcome, reason=f"it is not known whether the reply was delivered: {row.error}"
            )
    return outcome
