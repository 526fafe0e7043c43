"""A turn: the handling of one message, and what hooks can ask of the host while it goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from time import perf_counter
from typing import TYPE_CHECKING, NamedTuple, TypeVar, cast

import msgspec

from carrier_core import specs
from carrier_core.contract import Caller
from carrier_core.discovery import Registered
from carrier_core.dispatch import Hooks, Trace, running
from carrier_core.errors import CarrierError, PluginError
from carrier_core.failures import Failure
from carrier_core.messages import (
    Entity,
    Inbound,
    Memory,
    MemoryKind,
    Message,
    Part,
    PartKind,
    Query,
    Recalled,
    Room,
    make_id,
)
from carrier_core.outcomes import Event, Step
from carrier_core.prompts import ActionCall, ActionResult, Completion, Prompt, State, Usage
from carrier_core.provenance import Audience, Provenance, Readers, outside, person
from carrier_core.stamp import Stamp
from carrier_core.table import Table

if TYPE_CHECKING:
    from carrier_core.agent import AgentRuntime

T = TypeVar("T")


_NESTED = 3  # slashes in the name of a step within a step: STEP/plugin/hook/n


class Done(NamedTuple):
    """A step that was done: its name, when it began, its milliseconds, its value."""

    name: str
    at: float
    duration_ms: float
    value: object


class Turn:
    """The handling of one inbound by one agent, from receipt to reply.

    Hooks get it as their first argument. ``now`` (seconds since the epoch) and ``seed`` are the turn's own clock and
    randomness: the same when a turn is resumed. ``person`` is who is spoken with, ``round`` counts from 1 once the model
    is asked. ``state`` and ``prompt`` are those of the last round.
    """

    def __init__(self, agent: AgentRuntime, table: Table, turn: str, seq: int, inbound: Inbound, epoch: int) -> None:
        self.id = turn
        self.agent = agent
        self.table = table
        self.seq = seq
        self.epoch = epoch
        self.inbound = inbound
        self.memory_id = make_id("memory", agent.name, inbound.message.id)  # two agents in one room each have their own
        self.now = inbound.message.at
        self.seed = int(turn[:8], 16)
        self.round = 0
        self.state: State | None = None
        self.prompt: Prompt | None = None
        self.calls: tuple[ActionCall, ...] = ()
        self.results: tuple[ActionResult, ...] = ()
        self.usage = Usage()
        self.steps: list[Done] = []
        self.trace: list[Trace] = []
        self.used: dict[str, None] = {}
        self.prompts: list[Prompt] = []
        self.clock = perf_counter()
        self.audience = Audience((inbound.room.id,))
        host = agent.host
        self.started = host.clock()
        self.stamp = Stamp(self.audience, agent.trusted)
        self.hooks = Hooks(budgets=host.budgets, report=self._report, trace=self.trace, admit=self.stamp.answer)
        self.spoken = Provenance((person(inbound.message.sender.id),), self.audience, inbound.client, "receive")
        self._quoted = Provenance(
            (outside(f"{inbound.room.platform}/quoted"),), self.audience, inbound.client, "receive"
        )
        self.stamp.show(self.spoken)
        self.stamp.show(self._quoted)
        self._readers: Readers | None = None
        self._histories: dict[int, tuple[Memory, ...]] = {}
        self._recalled: dict[Query, tuple[Recalled, ...]] = {}
        self._learned: list[Memory] = []
        self._count = 0
        self._asked: Counter[str] = Counter()
        self._step = ""
        self.available: tuple[Registered, ...] | None = None

    # --- who and where ---

    @property
    def message(self) -> Message:
        """What was said."""
        return self.inbound.message

    @property
    def room(self) -> Room:
        """Where it was said."""
        return self.inbound.room

    @property
    def person(self) -> Entity:
        """Who said it."""
        return self.inbound.message.sender

    @property
    def client(self) -> str:
        """The name of the client that it came in through."""
        return self.inbound.client

    # --- what hooks may ask ---

    async def history(self, limit: int | None = None) -> tuple[Memory, ...]:
        """The last messages of the room before this one, oldest first; the agent's ``conversation_length`` of them."""
        count = self.agent.settings.conversation_length if limit is None else limit
        found = self._histories.get(count)
        if found is None:
            memories = await self.agent.memory.history(self.agent.name, self.room.id, limit=count + 1)
            found = tuple(memory for memory in memories if memory.id != self.memory_id)[-count:] if count else ()
            self.stamp.show_memories(found)
            self._histories[count] = found
        return found

    async def recall(
        self, text: str, *, kinds: Iterable[MemoryKind] = (), limit: int | None = None, exclude: Iterable[str] = ()
    ) -> tuple[Recalled, ...]:
        """What is remembered about ``text`` that everyone in the room may know, best first."""
        wanted = self.agent.settings.memory
        readers = await self.readers()
        embedding = self.agent.host.embedding
        query = Query(
            self.agent.name,
            text,
            readers,
            kinds=tuple(kinds) or tuple(MemoryKind(kind) for kind in wanted.kinds),
            room=self.room.id if wanted.scope == "room" else "",
            speaker=self.person.id,
            exclude=(self.memory_id, *exclude),
            limit=limit or wanted.results,
            threshold=wanted.threshold,
            vector=await embedding.of(self.hooks, text) if embedding is not None else (),
            model=embedding.model if embedding is not None else "",
        )
        if query in self._recalled:  # a later round asks the same
            return self._recalled[query]
        answer = await self.hooks.first(self.table.caller(specs.recall), self, query)
        found = tuple(
            recalled
            for recalled in (answer.value if answer else ())
            if recalled.memory.provenance.audience.admits(readers)
        )
        self.stamp.show_memories(recalled.memory for recalled in found)
        self._recalled[query] = found
        return found

    async def readers(self) -> Readers:
        """Who would read a reply in this room."""
        if self._readers is None:
            self._readers = await self.agent.memory.readers(self.room)
        return self._readers

    async def participants(self) -> tuple[Entity, ...]:
        """Who was seen in this room, the agents of this host left out."""
        people = await self.agent.memory.participants(self.room.id)
        self.stamp.show(Provenance(tuple([person(entity.id) for entity in people]), self.audience))
        return people

    async def compose(self) -> State:
        """The state of this round, made at the first call: what :func:`~carrier_core.specs.provide_state` collects."""
        if self.state is None:
            self.state = await self.agent.compose_state(self)
        return self.state

    async def generate(self, prompt: Prompt) -> Completion:
        """Ask a model from within a hook. The call is metered and journaled as the hook's own."""
        impl = running.get()
        plugin, hook = (impl.plugin, impl.hook) if impl is not None else ("carrier", "turn")
        prompt = cast("Prompt", self.stamp.answer(impl, prompt)) if impl is not None else prompt
        within = f"{self._step}/{plugin}/{hook}"
        name = f"{within}/{self._asked[within]}"
        self._asked[within] += 1

        async def ask() -> Completion:
            answer = await self.hooks.first(self.table.caller(specs.generate), self, prompt)
            if answer is None:
                raise CarrierError(
                    "Nobody answered the prompt.", remedy="Enable a plugin that brings a model provider."
                )
            self.meter(answer.value)
            return answer.value

        outer = self._step
        try:
            with self.stamp.asking(prompt):
                return await self.step(name, ask)
        finally:
            self.hooks.step = self._step = outer

    async def remember(
        self, text: str, *, kind: MemoryKind = MemoryKind.FACT, provenance: Provenance | None = None
    ) -> Memory | None:
        """Remember something of this turn; it is stored when the turn ends. None if a hook dropped it.

        The provenance that a plugin gives is checked like that of a part; without one the text comes from outside.
        """
        number, self._count = self._count, self._count + 1  # before anything is awaited: hooks run side by side
        impl = running.get()
        part = Part(text, provenance=provenance if impl is not None else provenance or self.spoken)
        if impl is not None:
            part = self.stamp.part(part, impl.plugin, impl.hook)
        memory = Memory(
            make_id("memory", self.id, str(number)),
            self.agent.name,
            self.room.id,
            kind,
            (part,),
            self.now,
            part.provenance or self.spoken,
            entity=self.person.id,
            name=self.person.name,
            turn=self.id,
        )
        kept = await self.keep(memory)
        if kept is not None:
            self._learned.append(kept)
        return kept

    # --- what the pipeline uses ---

    def origin(self, part: Part) -> Provenance:
        """Whose words a part of the message are: the person's, or, quoted, forwarded and attached, somebody else's."""
        if part.kind is PartKind.TEXT:
            return self.spoken
        return part.provenance or self._quoted

    @property
    def learned(self) -> tuple[Memory, ...]:
        """What was remembered in this turn so far."""
        return tuple(self._learned)

    async def keep(self, memory: Memory) -> Memory | None:
        """The memory as it is to be stored, after ``transform_memory``; None if it was dropped."""
        caller = self.table.caller(specs.transform_memory)
        if not caller.impls:
            return memory
        kept = await self.hooks.transform(caller, self, memory)
        if not isinstance(kept, Memory):
            return None
        return msgspec.structs.replace(
            kept,
            id=memory.id,
            agent=memory.agent,
            room=memory.room,
            provenance=memory.provenance,
            turn=memory.turn,
        )

    async def step(self, name: str, call: Callable[[], Awaitable[T]]) -> T:
        """Do a named step: within its wrappers, timed, and kept for the record."""
        self.hooks.step = name
        if name.count("/") < _NESTED:
            self._step = name
        at, started = self.agent.host.clock(), perf_counter()
        caller = cast("Caller[..., T]", self.table.caller(specs.around_step))
        value = await (self._wrapped(caller, name, call) if caller.impls else call())
        duration = (perf_counter() - started) * 1000
        self.steps.append(Done(name, at, duration, value))
        if self.table.observed["step_completed"].impls:
            self.emit("step_completed", step=name, duration_ms=round(duration, 3))
        return value

    async def _wrapped(self, caller: Caller[..., T], name: str, call: Callable[[], Awaitable[T]]) -> T:
        made: list[T] = []

        async def inner() -> T:
            made.append(await call())
            return made[0]

        value = cast("T", await self.hooks.around(caller, self, Step(name), call=inner))
        if made and value is made[0]:
            return value
        outermost = caller.impls[0]
        if made and type(value) is not type(made[0]):
            raise PluginError(
                f"A wrapper of the step {name} returned {type(value).__name__}, expected {type(made[0]).__name__}.",
                plugin=outermost.plugin,
                hook=outermost.hook,
            )
        return cast("T", self.stamp.answer(outermost, value))

    def meter(self, completion: Completion) -> None:
        """Count a model call."""
        self.usage += msgspec.structs.replace(completion.usage, calls=max(1, completion.usage.calls))
        self.emit(
            "model_called",
            provider=completion.provider,
            model=completion.model,
            input=completion.usage.input,
            output=completion.usage.output,
        )

    def emit(self, event: str, **data: str | float | bool | None) -> None:
        """Tell whoever watches."""
        self.agent.host.events.emit(
            Event(event, self.agent.host.clock(), self.agent.name, self.room.id, self.id, data=dict(data))
        )

    def _report(self, failure: Failure) -> None:
        self.agent.host.failed(failure, agent=self.agent.name, room=self.room.id, turn=self.id)
