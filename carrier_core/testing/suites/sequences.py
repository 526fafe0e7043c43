"""Random sequences of calls of a journal, each answer compared with that of a model."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from carrier_core import (
    Completion,
    Fenced,
    Hold,
    InboundRow,
    Intent,
    OpenTurn,
    Outgoing,
    Parking,
    Part,
    Room,
    Schedule,
    Sending,
    Settlement,
    Spent,
    Status,
    StepRecord,
    Store,
    Usage,
    Work,
    encode,
    make_id,
)
from carrier_core.testing.suites.model import Model, Turn
from carrier_core.testing.suites.scene import ANA, LEASE, ME, OTHER, ROOM, plain

T = TypeVar("T")

STATES = tuple(state for state in Sending if state is not Sending.UNKNOWN)

_small = st.integers(0, 3)
_any = st.integers(0, 7)  # which one of those that there are, modulo their number
_rooms = st.sampled_from((ROOM, OTHER))
_states = st.sampled_from(STATES)
_counters = st.sets(st.sampled_from("abc"))
_replace = msgspec.structs.replace


def check(make_store: Callable[[], Store], folder: Path, sequences: int) -> None:
    """Try some sequences, the same at every run, on one store; each has an agent of its own there."""
    agents = (f"robin-{number}" for number in count())
    how = settings(
        max_examples=sequences,
        stateful_step_count=30,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=[*HealthCheck],
    )
    with start_blocking_portal() as portal:
        session = Session(portal, make_store, folder)

        class OnThisStore(Sequences):
            def __init__(self) -> None:
                super().__init__(session, next(agents))

        try:
            run_state_machine_as_test(OnThisStore, settings=how)
        finally:
            session.close()


class Seen(NamedTuple):
    """What a journal says when it is asked for everything."""

    ready: tuple[tuple[str, str], ...]
    work: tuple[Work, ...]
    parked: tuple[Parking, ...]
    outbox: tuple[Outgoing, ...]
    doubts: tuple[Intent, ...]
    schedules: tuple[Schedule, ...]
    spent: tuple[Spent, ...]
    turns: tuple[OpenTurn | None, ...]


class Session:
    """A store that is open, in an event loop of its own."""

    def __init__(self, portal: BlockingPortal, make_store: Callable[[], Store], folder: Path) -> None:
        self._portal, self._make, self._folder = portal, make_store, folder
        self.open()

    def open(self) -> None:
        """Open a new store on the same folder."""
        self._store = self._make()
        self._portal.call(self._store.open, self._folder)

    def close(self) -> None:
        """Close it."""
        self._portal.call(self._store.close)

    def call(self, method: str, *arguments: object, **named: object) -> Any:
        """Call a method of the journal."""

        async def run() -> object:
            return await getattr(self._store.journal, method)(*arguments, **named)

        return self._portal.call(run)

    def look(self, agent: str, rooms: tuple[str, ...], turns: tuple[str, ...]) -> Seen:
        """All that there is of an agent."""
        return self._portal.call(self._look, agent, rooms, turns)

    async def _look(self, agent: str, rooms: tuple[str, ...], turns: tuple[str, ...]) -> Seen:
        journal = self._store.journal
        return Seen(
            tuple([place for place in await journal.ready() if place[0] == agent]),
            tuple([await journal.work(agent, room) for room in rooms]),
            tuple([parking for parking in await journal.parked() if parking.agent == agent]),
            await journal.outbox(agent=agent),
            await journal.doubts(agent=agent),
            await journal.schedules(agent=agent),
            await journal.spent(scope=("agent", agent)),
            tuple([await journal.reopen(turn) for turn in turns]),
        )


class Sequences(RuleBasedStateMachine):
    """One sequence. At its beginning there is something of everything, so that any rule finds something to work on."""

    def __init__(self, session: Session, agent: str) -> None:
        super().__init__()
        self.call, self.session, self.agent = session.call, session, agent
        self.model = Model(agent, (ROOM, OTHER))
        self.clock = 0.0
        self.reopened = False
        for room in (ROOM, OTHER):
            self.claim(room)
            for event in range(4):
                self.append(room, event if room is ROOM else event + 4)
            for _ in range(2):
                self.open(room, 1, False, False)
        self.begin(0, 0, 1)
        self.park(1, 2, True, True)
        self.begin(2, 1, None)
        self.record(2, [1], True)
        self.complete(3, 2, Sending.WAITING)
        self.schedule(0, ROOM, 1)
        self.schedule(1, OTHER, 1)

    # --- what the rules talk of ---

    def turn(self, number: int, *states: str) -> Turn | None:
        """Some turn in one of these states."""
        return _one([turn for turn in self.model.turns.values() if turn.state in states or not states], number)

    def epoch(self, turn: Turn) -> int:
        return self.model.epochs[turn.record.room]

    def step(self, number: int, *, in_doubt: bool = False) -> StepRecord:
        self.clock += 1.0
        value = msgspec.Raw(encode(Completion((Part(f"said at {self.clock}"),))))
        return StepRecord(f"step/{number}", self.clock, 1.0, value, in_doubt)

    # --- rules ---

    @rule(room=_rooms)
    def claim(self, room: Room) -> None:
        """Every claim has a higher epoch."""
        epoch = self.call("claim_room", self.agent, room.id, ME, LEASE)
        assert epoch > self.model.epochs[room.id]
        self.model.epochs[room.id] = epoch

    @rule(room=_rooms, event=_any)
    def append(self, room: Room, event: int) -> None:
        """An event may come twice, in the other room too."""
        self.clock += 1.0
        row = (room.id, f"event {event}", f'"{self.clock}"'.encode())
        assert self.call("append_inbound", self.agent, *row) == self.model.append(*row)

    @rule(room=_rooms, gone=st.sets(_any, max_size=2), changed=_any)
    def discard(self, room: Room, gone: set[int], changed: int) -> None:
        """Rows that wait and others."""
        rewritten = (InboundRow(changed, b'"changed"'),)
        self.call("discard", self.agent, room.id, tuple(gone), "dropped", rewritten)
        self.model.discard(room.id, tuple(gone), rewritten)

    @rule(room=_rooms, taken=_small, late=st.booleans(), ends=st.booleans())
    def open(self, room: Room, taken: int, late: bool, ends: bool) -> None:
        """A turn takes some rows, the first perhaps because a later one counts; it may end at once."""
        seqs = sorted(self.model.waiting[room.id])[:taken]
        superseded = tuple(seqs[: int(late)])
        turn = self.model.opened(room.id, tuple(seqs[len(superseded) :]), superseded)
        epoch = self.epoch(turn)
        if ends:
            self.call("complete", self.model.record(turn, Status.REPLIED), epoch, (), (), ())
            self.model.complete(turn, ())
        for _ in range(2):
            assert self.call("open_turn", turn.record, epoch, None, ()) is False

    @precondition(lambda self: self.turn(0, "running") is not None)
    @rule(number=_any)
    def activate(self, number: int) -> None:
        """A turn is begun again."""
        turn = self.turn(number, "running")
        if turn is not None:
            turn.begun += 1
            assert self.call("activate", turn.record, self.epoch(turn)) == turn.begun

    @precondition(lambda self: self.turn(0, "running") is not None)
    @rule(number=_any, names=st.lists(_small, unique=True, max_size=2), in_doubt=st.booleans())
    def record(self, number: int, names: list[int], in_doubt: bool) -> None:
        """Steps that may be there already."""
        turn = self.turn(number, "running")
        if turn is not None:
            steps = tuple(self.step(name, in_doubt=in_doubt) for name in names)
            found = self.call("record_steps", turn.record, self.epoch(turn), steps)
            assert plain(found) == plain(self.model.steps(turn, steps))

    @precondition(lambda self: self.turn(0, "running") is not None)
    @rule(number=_any, name=_small, before=st.none() | _small)
    def begin(self, number: int, name: int, before: int | None) -> None:
        """An intent that may be there already, for a step that is not."""
        turn = self.turn(number, "running")
        if turn is None or f"step/{name}" in turn.steps or name == before:
            return
        self.clock += 1.0
        key = make_id(turn.record.id, "intent", str(name))
        at = self.clock
        intent = Intent(key, turn.record.id, self.agent, turn.record.room, f"step/{name}", at, at + 30.0, "act")
        steps = () if before is None else (self.step(before),)
        found = self.call("begin_step", turn.record, self.epoch(turn), intent, steps)
        assert found == self.model.begin(turn, intent, steps)

    @precondition(lambda self: self.turn(0, "running") is not None)
    @rule(number=_any, name=_small, steps=st.booleans(), asks=st.booleans())
    def park(self, number: int, name: int, steps: bool, asks: bool) -> None:
        """A turn waits for a step that was not recorded, or asked to when it cannot."""
        turn = self.turn(number, "running", "parked", "completed")
        if turn is None or f"step/{name}" in turn.steps:
            return
        self.clock += 1.0
        parking = Parking(turn.record.id, self.agent, turn.record.room, f"step/{name}", 900.0 - self.clock)
        done = (self.step(9),) if steps else ()
        posts = (Outgoing(self.model.part(turn, 9)),) if asks else ()
        record = self.model.record(turn, Status.PARKED)
        self.call("park", record, self.epoch(turn), parking, done, (), (), posts)
        self.model.park(turn, parking, done, posts)

    @precondition(lambda self: bool(self.model.parked()))
    @rule(number=_any, name=st.none() | _small, seq=st.none() | _any)
    def unpark(self, number: int, name: int | None, seq: int | None) -> None:
        """An answer to the question, or to another one; its row may be there or not."""
        turn = self.turn(number, "parked") or self.turn(number)
        if turn is None:
            return
        answer = self.step(0 if name is None else name)
        if name is None and turn.parking is not None:
            answer = _replace(answer, name=turn.parking.step)
        record = self.model.record(turn, Status.RUNNING)
        found = self.call("unpark", record, self.epoch(turn), answer, seq)
        assert found is self.model.unpark(turn, answer, seq)

    @rule(number=_any, posts=_small, state=_states)
    def complete(self, number: int, posts: int, state: Sending) -> None:
        """From any state."""
        turn = self.turn(number)
        if turn is not None:
            outbox = tuple(Outgoing(self.model.part(turn, each), state) for each in range(posts))
            record = self.model.record(turn, Status.REPLIED)
            self.call("complete", record, self.epoch(turn), (), (), outbox)
            self.model.complete(turn, outbox)

    @rule(number=_any, post=_small, state=_states)
    def finish(self, number: int, post: int, state: Sending) -> None:
        """From any state, with news of some part."""
        turn = self.turn(number)
        if turn is not None:
            outbox = (Outgoing(self.model.part(turn, post), state, attempts=post),)
            record = _replace(self.model.record(turn, Status.SILENT), steps=tuple(turn.steps.values()))
            self.call("finish", record, self.epoch(turn), (), outbox)
            self.model.finish(turn, outbox)

    @precondition(lambda self: bool(self.model.outbox))
    @rule(number=_any, state=_states, attempts=_small, foreign=st.sampled_from((False, False, True)))
    def deliver(self, number: int, state: Sending, attempts: int, foreign: bool) -> None:
        """News of a part, from the wrong room too, and of one that is not there."""
        post = _one([*self.model.outbox.values()], number)
        assert post is not None
        room = post.part.room.id if not foreign else OTHER.id if post.part.room == ROOM else ROOM.id
        self.clock += 1.0
        told = Outgoing(post.part, state, attempts, self.clock, native=f"n{attempts}")
        unknown = _replace(told, part=_replace(post.part, key="unknown"))
        self.call("deliver", self.agent, room, self.model.epochs[room], (unknown, told))
        self.model.deliver(room, (unknown, told))

    @precondition(lambda self: bool(self.model.intents))
    @rule(number=_any)
    def settle(self, number: int) -> None:
        """An intent that is in doubt or not."""
        doubts = [key for key, intent in self.model.intents.items() if intent.in_doubt]
        key = _one(doubts if number else [*self.model.intents], number) or "unknown"
        assert self.call("settle_doubt", key) is self.model.settle(key)

    @rule(name=_small, room=_rooms, at=_small)
    def schedule(self, name: int, room: Room, at: int) -> None:
        """One that may be there already."""
        key = make_id(self.agent, "schedule", str(name))
        schedule = Schedule(key, self.agent, room, ANA, "Drink.", "every 60", float(at) + name / 8)
        self.call("schedule", schedule)
        self.model.schedules[key] = schedule

    @precondition(lambda self: bool(self.model.schedules))
    @rule(number=_any)
    def cancel(self, number: int) -> None:
        """One that is there or not."""
        key = _one([*self.model.schedules], number) or "unknown"
        assert self.call("cancel", key) is (self.model.schedules.pop(key, None) is not None)

    @precondition(lambda self: bool(self.model.schedules))
    @rule(number=_any, late=st.booleans(), skipped=st.booleans(), then=st.none() | _any)
    def fire(self, number: int, late: bool, skipped: bool, then: int | None) -> None:
        """The present slot or another; none, or the same again, may come after it."""
        schedule = _one([*self.model.schedules.values()], number)
        if schedule is None:
            return
        next_at = None if then is None else then + schedule.next_at % 1.0  # no two schedules have the same time
        if late:
            schedule = _replace(schedule, next_at=schedule.next_at - 0.5)
        slot = (schedule, None if skipped else b'"slot"', next_at)
        found, expected = self.call("fire", *slot), self.model.fire(*slot)
        if not skipped or expected is None:
            assert found == expected

    @rule(number=_small, names=_counters, tokens=_small, more=st.none() | _small)
    def hold(self, number: int, names: set[str], tokens: int, more: int | None) -> None:
        """A call that may be held already, in counters that may be full; it can use more than estimated."""
        key = make_id(self.agent, "call", str(number))
        hold = Hold(key, self.model.charges(names), Usage(tokens), 5.0, None if more is None else Usage(tokens + more))
        assert self.call("hold", hold) == self.model.hold(hold)

    @rule(numbers=st.lists(_small, max_size=2), names=_counters, tokens=_small)
    def spend(self, numbers: list[int], names: set[str], tokens: int) -> None:
        """Calls that may be held or not, in the counters of their holds or in others."""
        keys = [make_id(self.agent, "call", str(number)) for number in numbers]
        calls = tuple(Settlement(key, self.model.charges(names), Usage(tokens)) for key in keys)
        self.call("settle", calls)
        for each in calls:
            self.model.spend(each)

    @rule(number=_any, how=st.sampled_from(("open_turn", "activate", "record_steps", "complete", "finish")))
    def write_with_a_stale_epoch(self, number: int, how: str) -> None:
        """Whoever lost the room writes nothing."""
        turn = self.turn(number)
        if turn is None:
            return
        post = Outgoing(self.model.part(turn, 0), Sending.DEAD, 9)
        arguments: dict[str, tuple[object, ...]] = {
            "open_turn": (None, ()),
            "activate": (),
            "record_steps": ((self.step(8),),),
            "complete": ((), (), (post,)),
            "finish": ((), (post,)),
        }
        try:
            self.call(how, self.model.record(turn, Status.FAILED), self.epoch(turn) - 1, *arguments[how])
        except Fenced:
            return
        raise AssertionError(f"{how} with a stale epoch was not refused")

    @precondition(lambda self: not self.reopened and len(self.model.turns) > 1)
    @rule()
    def restart(self) -> None:
        """Once in a sequence, since opening takes its time."""
        self.reopened = True
        self.session.close()
        self.session.open()

    @invariant()
    def all_is_as_expected(self) -> None:
        """After each of them."""
        model = self.model
        seen = self.session.look(self.agent, (*model.rooms,), (*model.turns,))
        assert {*seen.ready} == model.ready()
        for work, room in zip(seen.work, model.rooms, strict=True):
            assert work == model.work(room)
        assert seen.parked == model.parked()
        assert seen.outbox == (*model.outbox.values(),)
        assert seen.doubts == model.doubts()
        assert seen.spent == model.spent()
        assert seen.schedules == tuple(sorted(model.schedules.values(), key=lambda schedule: schedule.next_at))
        for opened, turn in zip(seen.turns, model.turns.values(), strict=True):
            assert opened is not None
            assert plain(opened.record.steps) == plain((*turn.steps.values(),))
            assert _replace(opened.record, steps=()) == turn.record
            assert (opened.parking, opened.completed) == (turn.parking, turn.is_over)
            assert turn.is_over or opened.activations == turn.begun
            assert {*opened.intents} == {each for each in model.intents.values() if each.turn == turn.record.id}
            assert {row.seq for row in opened.inbound} >= {*turn.record.inbound}


def _one(found: list[T], number: int) -> T | None:
    return found[number % len(found)] if found else None
