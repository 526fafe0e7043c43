"""Progress: the steps of a turn, each done once. What is recorded already returns its value; what is not is recorded.

A step is durable before anything else begins that takes long, costs money or acts; until then it is kept back, so that a turn
that does nothing of the sort is written down in one transaction, with its end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar, cast

import anyio
import msgspec

from carrier_core import specs
from carrier_core.contract import Caller
from carrier_core.errors import CarrierError, PluginError
from carrier_core.journal import Intent, OpenTurn, Outgoing, StoredPart
from carrier_core.messages import Memory, Reply, make_id
from carrier_core.outcomes import Outcome, Status, Step, StepRecord, TurnRecord
from carrier_core.prompts import ActionResult, Completion
from carrier_core.recording import Done, opened, steps_of, value_of

if TYPE_CHECKING:
    from carrier_core.turn import Turn

T = TypeVar("T")

_step: ContextVar[str] = ContextVar("turn_step", default="")

_DRAFT = "draft"  # the step of the intent that says that a draft was shown
_NESTED = 3  # slashes in the name of a step within a step: STEP/plugin/hook/n


class Progress:
    """How far a turn is. ``done`` are its steps in order, ``step`` the one that runs, ``learned`` what was remembered in it.

    ``resumed`` is the turn as the journal had it when it was taken up again; None where it begins.
    """

    def __init__(self, turn: Turn, resumed: OpenTurn | None) -> None:
        self._turn = turn
        self.resumed = resumed
        self._writing = anyio.Lock(fast_acquire=True)
        self.done: list[Done] = []
        self.learned: list[Memory] = []
        self._kept = 0  # of what was learned, how much is stored
        self._counts: Counter[str] = Counter()
        self._had: dict[str, object] = {}
        self._unrecorded: list[Done] = []
        self._recorded = {step.name: step for step in resumed.record.steps} if resumed is not None else {}
        self._intents = {intent.step: intent for intent in resumed.intents} if resumed is not None else {}
        self._acting: Intent | None = None
        self.drafted = self._intents.pop(_DRAFT, None) is not None

    @property
    def step(self) -> str:
        """The step that this task is at; steps within it are not told apart."""
        return _step.get()

    @step.setter
    def step(self, name: str) -> None:
        _step.set(name)

    @property
    def record(self) -> TurnRecord:
        """The turn as it is kept while it runs."""
        return opened(self._turn, Outcome(Status.RUNNING))

    @property
    def at(self) -> float:
        """When the effect that is under way was begun, or else the turn: the same time when the turn is resumed."""
        return self._acting.at if self._acting is not None else self._turn.started

    @property
    def unstored(self) -> tuple[Memory, ...]:
        """What was remembered and is not stored yet."""
        return tuple(self.learned[self._kept :])

    def numbered(self, name: str) -> str:
        """The name with how often it was asked for in this turn: the same when the turn is resumed."""
        number = self._counts[name]
        self._counts[name] += 1
        return f"{name}/{number}"

    def repeat(self) -> None:
        """What this step asks for is numbered from the beginning: it is done again, and has what it had."""
        within = f"{self.step}/"
        self._had |= {each.name: each.value for each in self.done if each.name.startswith(within)}
        for name in [name for name in self._counts if name.startswith(within)]:
            del self._counts[name]

    async def recorded(self, name: str) -> object | None:
        """The recorded value of this name; None where nothing is recorded under it."""
        if name in self._had:
            return self._had[name]
        found = self._recorded.get(name)
        return None if found is None else (await value_of(found, self._turn.agent.host.store.journal))[0]

    # --- steps ---

    async def run(self, name: str, call: Callable[[], Awaitable[T]]) -> T:
        """Do a named step: within its wrappers, timed, and kept for the record. A recorded step returns its value."""
        turn = self._turn
        turn.hooks.step = name
        if name.count("/") < _NESTED:
            self.step = name
        if name in self._had:
            return cast("T", self._had[name])
        recorded = self._recorded.get(name)
        if recorded is not None:
            return await self._replay(recorded)
        at, started = turn.agent.host.clock(), perf_counter()
        caller = cast("Caller[..., T]", turn.table.caller(specs.around_step))
        value = await (self._wrapped(caller, Step(name), call) if caller.impls else call())
        self._did(Done(name, at, (perf_counter() - started) * 1000, value))
        return value

    async def effect(
        self,
        name: str,
        what: str,
        seconds: float,
        allow: Callable[[], Awaitable[T | None]],
        call: Callable[[Intent | None], Awaitable[T]],
    ) -> T:
        """Do a named step that acts on the world: its intent is written down before, its record right after, and nothing
        pluggable lies between. ``allow`` answers instead of the effect where that is refused; ``call`` is given the intent of
        an earlier attempt whose end nobody wrote down, and may take ``seconds``."""
        turn = self._turn
        made: list[T] = []

        async def act() -> T:
            earlier = self._intents.pop(name, None)
            at, started = turn.agent.host.clock(), perf_counter()
            value = await allow() if earlier is None else None
            doubtful = False
            if value is None:
                self._acting = earlier or await self._begin(name, what, at, seconds)
                value = await call(earlier)
                doubtful = self._acting is None
                self._acting = None
            self._did(Done(name, at, (perf_counter() - started) * 1000, value, doubtful))
            await self.flush()
            made.append(value)
            return value

        turn.hooks.step = self.step = name
        recorded = self._recorded.get(name)
        if recorded is not None:
            return await self._replay(recorded)
        caller = cast("Caller[..., T]", turn.table.caller(specs.around_step))
        await (self._wrapped(caller, Step(name), act) if caller.impls else act())
        if not made:
            raise CarrierError(f"A wrapper of the step {name} did not call inward.")
        return made[0]

    async def _begin(self, name: str, what: str, at: float, seconds: float) -> Intent:
        """Write down that an effect is about to happen, with all that led to it."""
        turn = self._turn
        key = make_id("effect", turn.id, name)
        intent = Intent(key, turn.id, turn.agent.name, turn.room.id, name, at, at + seconds, what)
        journal = turn.agent.host.store.journal
        async with self.storing() as (steps, parts, memories):
            await self._persist(lambda: journal.begin_step(self.record, turn.epoch, intent, steps, parts, memories))
        return intent

    def doubt(self) -> None:
        """Say of the effect that is being recorded that nobody knows whether it happened."""
        self._acting = None

    async def leave_in_doubt(self) -> None:
        """Record of effects that were cut off that nobody knows what became of them: the turn ends here."""
        turn = self._turn
        left = list(self._intents.values()) if self._acting is None else [self._acting, *self._intents.values()]
        self._intents.clear()
        self._acting = None
        for intent in left:
            if not intent.in_doubt:
                value = ActionResult(f"It is not known whether this was carried out: {intent.what}", ok=False)
                self._did(Done(intent.step, intent.at, 0.0, value, in_doubt=True))
                turn.agent.host.log.error("action_in_doubt", turn=turn.id, agent=turn.agent.name, key=intent.key)
        if left:
            await self.flush()

    async def open_draft(self, *, lasting: bool) -> None:
        """Note that a draft of the reply is about to be shown; before the first piece of it. A ``lasting`` one would stay where
        it is if the process died, so its intent is written down, and whoever goes on edits it into the reply."""
        if self.drafted:
            return
        self.drafted = True
        if lasting:
            turn = self._turn
            journal, now = turn.agent.host.store.journal, turn.agent.host.clock()
            key = make_id("draft", turn.id)
            intent = Intent(key, turn.id, turn.agent.name, turn.room.id, _DRAFT, now, now)
            await self._persist(lambda: journal.begin_step(self.record, turn.epoch, intent))

    # --- the record ---

    async def flush(self) -> None:
        """Make durable what was done so far: before anything that takes long begins, so that it is not done again."""
        if not self._unrecorded and len(self.learned) == self._kept:
            return
        turn = self._turn
        journal = turn.agent.host.store.journal
        with anyio.CancelScope(shield=True):
            async with self.storing() as (steps, parts, memories):
                await self._persist(lambda: journal.record_steps(self.record, turn.epoch, steps, parts, memories))

    def unnote(self, name: str) -> None:
        """Take back what was noted under a name and is not recorded yet."""
        self.done[:] = [each for each in self.done if each.name != name]
        self._unrecorded[:] = [each for each in self._unrecorded if each.name != name]

    def note(self, name: str, value: msgspec.Struct) -> None:
        """Note something under a name, to be recorded with what is done next."""
        self._did(Done(name, self._turn.agent.host.clock(), 0.0, value))

    async def post(self, name: str, reply: Reply, outbox: tuple[Outgoing, ...]) -> None:
        """Have something delivered while the turn goes on, as a step of its own, once. What was done before is recorded with it."""
        turn = self._turn
        self._did(Done(name, turn.agent.host.clock(), 0.0, reply))
        journal = turn.agent.host.store.journal
        with anyio.CancelScope(shield=True):
            async with self.storing() as (steps, parts, memories):
                await self._persist(
                    lambda: journal.record_steps(self.record, turn.epoch, steps, parts, memories, outbox)
                )
            turn.agent.host.outbox.put(turn.agent.name, turn.room.id, outbox, turn)

    @asynccontextmanager
    async def storing(self) -> AsyncIterator[tuple[tuple[StepRecord, ...], tuple[StoredPart, ...], tuple[Memory, ...]]]:
        """What was done and remembered since the last time, for whoever stores it: steps, the parts they name, memories. One at a
        time, in the order in which it was done; what could not be stored is there the next time."""
        async with self._writing:
            done, memories, ledger = tuple(self._unrecorded), self.unstored, self._turn.agent.ledger
            steps, parts = steps_of(done, self._turn.used, ledger)
            self._unrecorded.clear()
            self._kept += len(memories)
            try:
                yield steps, parts, memories
            except BaseException:
                self._unrecorded[:0] = done
                self._kept -= len(memories)
                raise
            ledger.stored(parts)

    def take_memories(self) -> tuple[Memory, ...]:
        """What was remembered since the last time, where the turn ends: its record has the steps."""
        memories = self.unstored
        self._unrecorded.clear()
        self._kept += len(memories)
        return memories

    def _did(self, done: Done) -> None:
        self.done.append(done)
        self._unrecorded.append(done)
        turn = self._turn
        if turn.table.observed["step_completed"].impls:
            turn.emit("step_completed", step=done.name, duration_ms=round(done.duration_ms, 3))

    async def _persist(self, write: Callable[[], Awaitable[T]]) -> T:
        return await self._turn.agent.host.outage.outlast(write)

    async def _replay(self, recorded: StepRecord) -> T:
        """The recorded value of a step: only its wrappers run again, and they cannot change it."""
        turn = self._turn
        value, used = await value_of(recorded, turn.agent.host.store.journal)
        caller = turn.table.caller(specs.around_step)
        if caller.impls:

            async def again() -> object:
                return value

            await turn.hooks.around(caller, turn, Step(recorded.name, replayed=True), call=again)
        self.done.append(Done(recorded.name, recorded.at, recorded.duration_ms, value, recorded.in_doubt))
        turn.used.update(dict.fromkeys(used))
        if isinstance(value, Completion):
            turn.usage += msgspec.structs.replace(value.usage, calls=max(1, value.usage.calls))
        return cast("T", value)

    async def _wrapped(self, caller: Caller[..., T], step: Step, call: Callable[[], Awaitable[T]]) -> T:
        turn = self._turn
        made: list[T] = []

        async def inner() -> T:
            made.append(await call())
            return made[0]

        value = cast("T", await turn.hooks.around(caller, turn, step, call=inner))
        if made and value is made[0]:
            return value
        outermost = caller.impls[0]
        if made and type(value) is not type(made[0]):
            raise PluginError(
                f"A wrapper of the step {step.name} returned {type(value).__name__}, expected {type(made[0]).__name__}.",
                plugin=outermost.plugin,
                hook=outermost.hook,
            )
        return cast("T", turn.stamp.answer(outermost, value))
