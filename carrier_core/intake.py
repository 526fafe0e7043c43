"""The intake: what clients hand over is made durable for every agent that hears it, and brought to where it is waited for.

Messages queue in their room. What passes the queue (an answer to a parked turn, a stop, an edit) is written down like a
message, so that it is neither lost nor done twice, and taken out of the journal when it has been applied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import anyio
import msgspec

from carrier_core import specs
from carrier_core.approving import OPERATING, answer_in, is_meant
from carrier_core.errors import CarrierError, PluginError
from carrier_core.journal import InboundRow, Parking
from carrier_core.messages import Drop, Inbound, InboundKind, PartKind, make_id, text_of
from carrier_core.outcomes import Answer, Event
from carrier_core.prompts import Json
from carrier_core.provenance import OPERATOR
from carrier_core.rating import rate
from carrier_core.reception import clean
from carrier_core.records import encode
from carrier_core.scheduler import Row
from carrier_core.things import Accepted, Taken

if TYPE_CHECKING:
    from carrier_core.agent import AgentRuntime
    from carrier_core.host import Host

_REMEMBERED = 10_000  # messages whose latest edit is kept in mind, and rows that were applied


class Intake:
    """Where everything that comes in passes through."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._revisions: dict[str, int] = {}
        self._applied: dict[tuple[str, str, int], None] = {}

    async def accept(self, inbound: Inbound) -> Accepted:
        """Take what a client hands over; returns once it is durable for every agent that hears it."""
        host = self._host
        most = host.config.settings.limits.message_bytes
        inbound = clean(inbound, most)
        if inbound.kind is InboundKind.MESSAGE and not inbound.message.content:
            return self._drop(inbound, "the message is empty")
        caller = host.table.caller(specs.receive)
        if caller.impls and inbound.kind is not InboundKind.STOP:
            try:
                received = await host.hooks.transform(caller, inbound)
            except PluginError as error:
                return self._drop(inbound, error.message)
            if isinstance(received, Drop):
                return self._drop(inbound, received.reason)
            assert isinstance(received, Inbound)
            if received is not inbound:
                inbound = clean(received, most)
        if inbound.message.sender.id == OPERATOR:
            return self._drop(inbound, "nobody who speaks in a room is the operator")
        if inbound.kind is InboundKind.MESSAGE:
            inbound = await self._as_answer(inbound)
        hearing = list(self._hearing(inbound))
        if not hearing:
            return self._drop(inbound, f"no agent hears the client {inbound.client}")
        payload = encode(inbound)
        if inbound.kind is InboundKind.MESSAGE:
            return Accepted(tuple([await self._append(agent, inbound, payload) for agent in hearing]))
        passed = [await self._pass(agent, inbound, payload) for agent in hearing]
        return next((each for each in passed if not each.reason), passed[0])

    def _hearing(self, inbound: Inbound) -> Iterable[AgentRuntime]:
        agents = self._host.agents
        if inbound.agent:
            agent = agents.get(inbound.agent)
            if agent is None:
                there = ", ".join(agents) or "none"
                raise CarrierError(f"There is no agent {inbound.agent}.", remedy=f"There are: {there}.")
            return (agent,)
        return (agent for agent in agents.values() if agent.hears(inbound.client))

    # --- what queues ---

    async def _append(self, agent: AgentRuntime, inbound: Inbound, payload: bytes) -> Taken:
        host, room = self._host, inbound.room.id
        with anyio.CancelScope(shield=True):  # what is stored has to be queued too, whatever becomes of the caller
            appended = await host.store.journal.append_inbound(agent.name, room, inbound.dedupe_key, payload)
            turn = agent.turn_id(room, appended.seq)
            if appended.is_new and not host.endings.knows(turn):
                host.queue(agent, Row(appended.seq, inbound))
            elif not host.endings.knows(turn):  # taken before, but perhaps its first receipt was lost on the way here
                await host.look(agent.name, room)
        if appended.is_new:
            self._happened("message_received", inbound, agent.name, turn, kind=str(inbound.kind), seq=appended.seq)
        return Taken(agent.name, appended.seq, turn, appended.is_new)

    # --- what passes the queue ---

    async def _pass(self, agent: AgentRuntime, inbound: Inbound, payload: bytes) -> Accepted:
        """Apply what needs no turn of its own, once; its reason says why nothing came of it."""
        host, room = self._host, inbound.room.id
        with anyio.CancelScope(shield=True):
            appended = await host.store.journal.append_inbound(agent.name, room, inbound.dedupe_key, payload)
            if not appended.is_new:
                await host.look(agent.name, room)  # it may have been stored and then not been applied
                return Accepted(reason="it was taken before")
            applied = await self.apply(agent, Row(appended.seq, inbound))
        self._happened("message_received", inbound, agent.name, "", kind=str(inbound.kind))
        return self._drop(inbound, applied.reason) if applied.reason else applied

    async def apply(self, agent: AgentRuntime, row: Row) -> Accepted:
        """Apply a row that passes the queue, and take it out of the journal; returns what came of it, or why nothing did.

        A process does so once, also where the row stays a while: a stop that is applied again would stop the next turn.
        """
        inbound = row.inbound
        key = (agent.name, inbound.room.id, row.seq)
        if key in self._applied:
            return Accepted()
        self._applied[key] = None
        if len(self._applied) > _REMEMBERED:
            del self._applied[next(iter(self._applied))]
        try:
            return await self._applied_now(agent, row)
        except Exception:
            self._applied.pop(key, None)  # it is still in the journal, for whoever looks next
            raise

    async def _applied_now(self, agent: AgentRuntime, row: Row) -> Accepted:
        inbound = row.inbound
        if inbound.kind in (InboundKind.APPROVAL, InboundKind.CHOICE):
            return await self._answer(agent, row)
        rewritten: tuple[InboundRow, ...] = ()
        reason = ""
        if inbound.kind is InboundKind.STOP:
            reason = await self._stop(agent, row)
            if not reason:
                return Accepted()  # the row goes when the turn has ended
        elif inbound.kind in (InboundKind.EDIT, InboundKind.DELETE):
            rewritten = await self._amend(agent, inbound)
        elif inbound.kind is InboundKind.REACTION:
            reason = await rate(agent, inbound)
        journal = self._host.store.journal
        await journal.discard(agent.name, inbound.room.id, (row.seq,), reason or "applied", rewritten)
        return Accepted(reason=reason)

    async def _answer(self, agent: AgentRuntime, row: Row) -> Accepted:
        """Hand an answer to the turn that waits for it, in the room in which it was asked."""
        inbound = row.inbound
        parking = await self._waiting(agent, inbound, is_meant)
        message = inbound.message
        is_operators = message.sender.id != OPERATOR and self._host.clients.is_operators(inbound.client)
        who = OPERATING if is_operators and inbound.kind is InboundKind.APPROVAL else message.sender
        answer = Answer(message.text, inbound.value, who.id, self._host.clock())
        reason = "no turn waits for it"
        if parking is not None:
            reason = await agent.handling.answer(parking, answer, row.seq, who)
        if parking is not None and not reason:
            self._host.agenda.answered(parking)
            return Accepted(resumed=parking.turn)
        await self._host.store.journal.discard(agent.name, inbound.room.id, (row.seq,), reason)
        return Accepted(reason=reason)

    async def _as_answer(self, inbound: Inbound) -> Inbound:
        """The answer that a message is: ``approve 3fa9c1`` and nothing else, whatever client it came in through, in a room
        where that was asked. What is quoted or forwarded was said by somebody else."""
        value, code = answer_in(text_of(part for part in inbound.message.content if part.kind is PartKind.TEXT))
        if not value:
            return inbound
        for parking in await self._host.store.journal.parked():
            if parking.room == inbound.room.id and is_meant(parking, code):
                return msgspec.structs.replace(inbound, kind=InboundKind.APPROVAL, target=code, value=value)
        return inbound

    async def _waiting(
        self, agent: AgentRuntime, inbound: Inbound, is_it: Callable[[Parking, str], bool]
    ) -> Parking | None:
        """The parked turn that is meant: the one named, or the only one of the room."""
        there = [
            parking
            for parking in await self._host.store.journal.parked()
            if parking.agent == agent.name and parking.room == inbound.room.id and is_it(parking, inbound.target)
        ]
        return there[0] if len(there) == 1 else None

    async def _stop(self, agent: AgentRuntime, row: Row) -> str:
        inbound = row.inbound
        if agent.handling.stop(inbound.room.id, inbound.target, row.seq):
            return ""
        parking = await self._waiting(agent, inbound, lambda parking, target: target in ("", parking.turn))
        if parking is not None and await agent.handling.stop_parked(parking.turn, row.seq):
            self._host.agenda.answered(parking)
            return ""
        return "no such turn is running"

    async def _amend(self, agent: AgentRuntime, inbound: Inbound) -> tuple[InboundRow, ...]:
        """An edit or a deletion changes the memory of the message, and the message itself where it still waits."""
        host, room = self._host, inbound.room
        said = make_id(room.platform, room.realm, "message", inbound.target)
        key = make_id("memory", agent.name, said)
        if inbound.kind is InboundKind.DELETE:
            changed = host.rooms.amend(agent.name, room.id, said, ())
            await host.store.memory.forget((key,))
        elif self._is_newest(key, inbound.revision):
            content, sender = inbound.message.content, inbound.message.sender.id
            changed = host.rooms.amend(agent.name, room.id, said, content, sender)
            for memory in await host.store.memory.get((key,)):
                if memory.entity == sender:
                    await agent.edit(inbound, memory)
        else:
            return ()
        return tuple(InboundRow(row.seq, encode(row.inbound)) for row in changed)

    def _is_newest(self, message: str, revision: int) -> bool:
        """Whether no later edit of a message was taken before; a platform may hand them over in any order."""
        if self._revisions.get(message, -1) >= revision:
            return False
        self._revisions[message] = revision
        if len(self._revisions) > _REMEMBERED:
            del self._revisions[next(iter(self._revisions))]
        return True

    def _drop(self, inbound: Inbound, reason: str) -> Accepted:
        self._happened("message_dropped", inbound, inbound.agent, "", reason=reason)
        return Accepted(reason=reason)

    def _happened(self, name: str, inbound: Inbound, agent: str, turn: str, **data: Json) -> None:
        self._host.events.emit(Event(name, self._host.clock(), agent, inbound.room.id, turn, data=data))
