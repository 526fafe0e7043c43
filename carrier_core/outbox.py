"""The outbox: reply parts on their way out, in the order of their room, tried again until they are there or given up.

A part is an effect. Its intent is written down before it is handed to its client (the state ``sending``), its receipt after;
of one that was being sent when the process died, the client is asked (``find``), or it is sent again under its key, or it is
in doubt and waits for a person: as the client declares.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice, takewhile
from typing import TYPE_CHECKING

import anyio
import msgspec

from carrier_core import specs
from carrier_core.errors import CarrierError, Fenced, NotDone, Rejected, Unavailable
from carrier_core.journal import Outgoing, Sending
from carrier_core.messages import NotSent, Sent
from carrier_core.things import Client
from carrier_core.turn import Turn

if TYPE_CHECKING:
    from carrier_core.host import Host

Key = tuple[str, str]
"""An agent's name and a room's id."""

_FIRST, _LONGEST = 1.0, 300.0  # seconds until a delivery is tried again: doubled each time, up to the second
_PENDING = (Sending.WAITING, Sending.SENDING)


class Outbox:
    """The lanes of all rooms: what waits in one is delivered by a task of its own; a room without any has no lane."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._lanes: dict[Key, deque[Outgoing]] = {}
        self._turns: dict[str, Turn] = {}
        self._busy: set[Key] = set()
        self._direct: set[str] = set()  # the turns that end and deliver their parts themselves
        self._since: set[str] | None = None  # while somebody looks at the journal: those that did so since
        self._open = False
        self._look = anyio.Event()

    @property
    def waiting(self) -> int:
        """The parts that wait."""
        return sum(len(lane) for lane in self._lanes.values())

    def open(self) -> None:
        """Begin to deliver: the clients have been started."""
        self._open = True
        for key in self._lanes:
            self._start(key)

    def close(self) -> None:
        """Begin no more deliveries; what waits stays in the journal."""
        self._open = False
        self.wake()

    def wake(self) -> None:
        """Look at the clock again: it was set, or something is due earlier than it was."""
        self._look.set()
        self._look = anyio.Event()

    def keys(self, agent: str, room: str) -> frozenset[str]:
        """The keys of the parts that wait in a room."""
        return frozenset(row.part.key for row in self._lanes.get((agent, room), ()))

    # --- at once, as part of the turn ---

    def begin(self, turn: Turn, rows: tuple[Outgoing, ...]) -> tuple[Outgoing, ...]:
        """The rows as they are to be stored: the first one as being sent, if nothing is before it and its client is there."""
        self._direct.add(turn.id)
        self._took(turn)
        key = (turn.agent.name, turn.room.id)
        if not rows or key in self._lanes or not self._host.clients.is_up(turn.client, turn.room.id):
            return rows
        return (self._begun(rows[0]), *rows[1:])

    @contextmanager
    def looking(self) -> Iterator[None]:
        """While the journal is looked at, whose answer may be old when it is put here: whatever was in hand since is known."""
        self._since = set(self._direct)
        try:
            yield
        finally:
            self._since = None

    def _took(self, turn: Turn) -> None:
        if self._since is not None:
            self._since.add(turn.id)

    def release(self, turn: str) -> None:
        """A turn has ended, however: what is left of its reply may be taken up by whoever looks at the room."""
        self._direct.discard(turn)

    async def send(self, turn: Turn, rows: tuple[Outgoing, ...]) -> tuple[Outgoing, ...]:
        """Deliver rows that :meth:`begin` began, in order. One that fails keeps those behind it back."""
        done: list[Outgoing] = []
        for row in rows:
            if done:
                row = self._begun(row)
                await self._note(turn, (done[-1], row))
            done.append(await self._attempt(turn, row))
            if done[-1].state not in (Sending.SENT, Sending.IN_DOUBT):
                break
        rest = rows[len(done) :]
        if done[-1].state is Sending.DEAD:
            rest = tuple(_after(row, done[-1]) for row in rest)
        return (*done, *rest)

    # --- later, in the room's lane ---

    def put(self, agent: str, room: str, rows: tuple[Outgoing, ...], turn: Turn | None = None) -> None:
        """Deliver these after what waits in the room already. Without their ``turn`` they were read from the journal: those that
        a turn has delivered itself since are left to it."""
        lane = self._lanes.get((agent, room))
        known = {row.part.key for row in lane or ()}
        direct = (self._since or self._direct) if turn is None else ()
        fresh = [
            row for row in rows if row.state in _PENDING and row.part.key not in known and row.part.turn not in direct
        ]
        if not fresh:
            return
        if lane is None:
            lane = self._lanes[agent, room] = deque()
        lane.extend(fresh)
        if turn is not None:
            self._turns[turn.id] = turn
            self._took(turn)
        if self._open:
            self._start((agent, room))

    def _start(self, key: Key) -> None:
        if key not in self._busy:
            self._busy.add(key)
            self._host.spawn(self._work, key)

    async def _work(self, key: Key) -> None:
        lane = self._lanes[key]
        try:
            while lane and self._open:
                await self._next(key, lane)
        except Fenced as error:
            self._host.log.warning("room_lost", agent=key[0], room=key[1], error=error.message)
            turns = [self._turns.pop(row.part.turn, None) for row in lane]
            self._host.lost(*key, next((turn.epoch for turn in turns if turn is not None), 0))
            lane.clear()
        except Unavailable:
            return  # the host stops; the journal knows what is left
        finally:
            self._busy.discard(key)
            if not lane:
                self._lanes.pop(key, None)

    async def _next(self, key: Key, lane: deque[Outgoing]) -> None:
        row = lane[0]
        if not await self._is_due(row):
            return
        turn = await self._turn(key, row)
        if turn is None:
            self._host.log.error("reply_without_turn", turn=row.part.turn, agent=key[0])
            lane.popleft()
            return
        with anyio.CancelScope(shield=True):
            lane[0] = row = await self._tried(turn, row)
            done = [row]
            if row.state is Sending.DEAD:
                done += [_after(other, row) for other in _behind(row, lane)]
            await self._note(turn, tuple(done))
            if row.state in _PENDING:
                return
            for _ in done:
                lane.popleft()
            if row.state is not Sending.SENT:
                await turn.agent.handling.undelivered(turn, row)
        if not any(other.part.turn == turn.id for other in lane):
            self._turns.pop(turn.id, None)

    async def _is_due(self, row: Outgoing) -> bool:
        """Wait until a row may be tried, or until it should be looked at again (then False)."""
        host = self._host
        look = self._look
        if not host.clients.is_up(row.part.client, row.part.room.id):
            if host.clients.runs(row.part.client):
                await host.clients.come_up(row.part.client)
            else:
                await look.wait()  # until somebody opens it
            return False
        left = self._earliest(row) - host.clock()
        if left <= 0:
            return True
        with anyio.move_on_after(min(left, _LONGEST)):
            await look.wait()
        return False

    def _earliest(self, row: Outgoing) -> float:
        """When a row may be tried: what another process may still be sending only after its deadline."""
        if row.state is Sending.SENDING and not self._host.store.exclusive and not self._idempotent(row):
            return max(row.due, row.deadline)
        return row.due

    async def _turn(self, key: Key, row: Outgoing) -> Turn | None:
        turn = self._turns.get(row.part.turn)
        if turn is None:
            agent = self._host.agents.get(key[0])
            turn = await agent.handling.revive(row.part.turn) if agent is not None else None
            if turn is not None:
                self._turns[turn.id] = turn
        return turn

    async def _tried(self, turn: Turn, row: Outgoing) -> Outgoing:
        if row.state is Sending.SENDING and not self._idempotent(row):
            return await self._judged(turn, row, row.error or "the process died while it was being sent")
        doubtful = row.state is Sending.SENDING
        row = self._begun(row)
        await self._note(turn, (row,))
        return await self._attempt(turn, row, doubtful=doubtful)

    # --- one attempt ---

    def _begun(self, row: Outgoing) -> Outgoing:
        deadline = self._host.clock() + self._host.clients.seconds(row.part.client, row.part.room.id)
        return msgspec.structs.replace(row, state=Sending.SENDING, attempts=row.attempts + 1, deadline=deadline)

    async def _note(self, turn: Turn, rows: tuple[Outgoing, ...]) -> None:
        journal = self._host.store.journal
        await self._host.outage.outlast(lambda: journal.deliver(turn.agent.name, turn.room.id, turn.epoch, rows))

    async def _attempt(self, turn: Turn, row: Outgoing, *, doubtful: bool = False) -> Outgoing:
        """Hand a part over. ``doubtful``: an earlier attempt may have reached the platform, whatever this one comes to."""
        turn.hooks.step = "deliver"
        try:
            answer = await turn.hooks.first(turn.table.caller(specs.deliver), turn, row.part)
        except NotDone as error:
            return self._later(row, error.message, error.retry_after, doubtful=doubtful)
        except Rejected as error:
            if doubtful:
                return msgspec.structs.replace(row, state=Sending.IN_DOUBT, error=error.message)
            return self._dead(row, error.message)
        except CarrierError as error:
            return await self._judged(turn, row, error.message)
        if answer is None:
            return self._dead(row, "no hook delivered it")
        at = answer.value.at or self._host.clock()
        return msgspec.structs.replace(row, state=Sending.SENT, native=answer.value.native, at=at, error="")

    async def _judged(self, turn: Turn, row: Outgoing, error: str) -> Outgoing:
        """What became of a part of which it is not known whether it was taken."""
        entry = self._host.outlet(row.part.client, row.part.room.id)
        if entry is None:
            return msgspec.structs.replace(row, state=Sending.IN_DOUBT, error=error)
        if self._idempotent(row):
            return self._later(row, error, doubtful=True)
        try:
            found = await turn.hooks.call(turn.table.method(entry, Client.find), row.part)
        except CarrierError as failed:
            row = msgspec.structs.replace(row, attempts=row.attempts + 1)
            return self._later(row, f"{error}; asking for it failed: {failed.message}", doubtful=True)
        if isinstance(found, Sent):
            at = found.receipt.at or self._host.clock()
            return msgspec.structs.replace(row, state=Sending.SENT, native=found.receipt.native, at=at, error="")
        if isinstance(found, NotSent):
            return self._later(row, error)
        self._host.log.error("reply_in_doubt", turn=turn.id, client=row.part.client, part=row.part.number, error=error)
        return msgspec.structs.replace(row, state=Sending.IN_DOUBT, error=error)

    def _later(
        self, row: Outgoing, error: str, retry_after: float | None = None, *, doubtful: bool = False
    ) -> Outgoing:
        """The row as it is to be tried again; a doubtful one stays marked as being sent until it is known what became of it."""
        if row.attempts >= self._host.config.settings.limits.delivery_attempts:
            if doubtful:
                return msgspec.structs.replace(row, state=Sending.IN_DOUBT, error=error)
            return self._dead(row, f"{error} (tried {row.attempts} times)")
        wait = min(_FIRST * 2 ** max(0, row.attempts - 1), _LONGEST) if retry_after is None else retry_after
        self._host.log.warning(
            "reply_delayed", turn=row.part.turn, client=row.part.client, part=row.part.number, error=error, seconds=wait
        )
        state = Sending.SENDING if doubtful else Sending.WAITING
        return msgspec.structs.replace(row, state=state, error=error, due=self._host.clock() + wait)

    def _dead(self, row: Outgoing, error: str) -> Outgoing:
        self._host.log.error(
            "reply_not_delivered", turn=row.part.turn, client=row.part.client, part=row.part.number, error=error
        )
        return msgspec.structs.replace(row, state=Sending.DEAD, error=error)

    def _idempotent(self, row: Outgoing) -> bool:
        entry = self._host.outlet(row.part.client, row.part.room.id)
        return entry is not None and isinstance(entry.thing, Client) and entry.thing.idempotent


def _behind(row: Outgoing, lane: Iterable[Outgoing]) -> Iterator[Outgoing]:
    """The other parts of the first row's reply, which stand right behind it in its lane. What its turn says besides has numbers of
    its own."""
    following = islice(lane, 1, None)
    return takewhile(lambda other: other.part.turn == row.part.turn and other.part.number > row.part.number, following)


def _after(row: Outgoing, dead: Outgoing) -> Outgoing:
    """A part behind one that was given up: it is not sent, so that no reply begins in its middle."""
    return msgspec.structs.replace(
        row, state=Sending.DEAD, error=f"part {dead.part.number} before it was not delivered"
    )
