"""A turn: the handling of one or several messages, and what hooks can ask of the host while it goes on."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, cast

import msgspec

from carrier_core import specs
from carrier_core.choosing import choices_in, choose, choose_for
from carrier_core.discovery import Registered
from carrier_core.dispatch import Hooks, Trace, running
from carrier_core.errors import CarrierError, Parked
from carrier_core.failures import Failure
from carrier_core.journal import OpenTurn
from carrier_core.lookups import Lookups
from carrier_core.messages import (
    Entity,
    Inbound,
    Memory,
    MemoryKind,
    Message,
    Part,
    PartKind,
    Query,
    Question,
    Recalled,
    Receipt,
    Role,
    Room,
    RoomKind,
    make_id,
)
from carrier_core.outcomes import Answer, Event
from carrier_core.policy.roles import change_role, role_of
from carrier_core.progress import Progress
from carrier_core.prompts import ActionCall, ActionResult, Completion, Composed, Json, Prompt, State, Usage
from carrier_core.provenance import Audience, Provenance, Readers, derive, outside, person, shared
from carrier_core.reaching import deliver, kept_back, say, voiced
from carrier_core.reception import clean_text
from carrier_core.scheduler import Row
from carrier_core.schedules import Missed, Schedule, first
from carrier_core.stamp import Stamp
from carrier_core.table import Table
from carrier_core.things import Context

if TYPE_CHECKING:
    from carrier_core.agent import AgentRuntime


class Turn:
    """The handling of one inbound by one agent, from receipt to reply; of several, where the agent answers them together.

    Hooks get it as their first argument. ``now`` (seconds since the epoch) and ``seed`` are the turn's own clock and
    randomness: the same when a turn is resumed. ``person`` is who is spoken with, ``round`` counts from 1 once the model
    is asked, ``attempt`` whenever one is; ``can_park`` as long as no reply is decided on. ``state`` and ``prompt`` are those of the last round. ``inbounds`` are all that it takes out of the room's
    queue, in order; those before the last that ``superseded`` names (by sequence number) are remembered, not answered.

    A turn that was cut off is gone on with from ``recorded``: steps that are there return what they returned.
    """

    def __init__(
        self,
        agent: AgentRuntime,
        table: Table,
        turn: str,
        rows: tuple[Row, ...],
        epoch: int,
        *,
        superseded: tuple[int, ...] = (),
        resumed: OpenTurn | None = None,
    ) -> None:
        self.id = turn
        self.agent = agent
        self.table = table
        self.superseded = superseded
        self.seqs = tuple([row.seq for row in rows if row.seq not in superseded])
        self.epoch = epoch
        self.inbounds = tuple([row.inbound for row in rows])
        self.inbound = inbound = joined([row.inbound for row in rows if row.seq not in superseded])
        # Two agents in one room each have their own memory of a message.
        self.memory_id = make_id("memory", agent.name, inbound.message.id)
        self.now = inbound.message.at
        self.seed = int(turn[:8], 16)
        self.round = 0
        self.attempt = 0
        self.can_park = False
        self.state: State | None = None
        self.prompt: Prompt | None = None
        self.calls: tuple[ActionCall, ...] = ()
        self.results: tuple[ActionResult, ...] = ()
        self.usage = Usage()
        self.trace: list[Trace] = []
        self.used: dict[str, None] = {}
        self.prompts: list[Prompt] = []
        self.clock = perf_counter()
        self.spoken = _spoken(inbound)
        self.audience = self.spoken.audience
        host = agent.host
        self.started = resumed.record.started if resumed is not None else host.clock()
        self.stamp = Stamp(self.audience, agent.trusted)
        self.hooks = Hooks(budgets=host.budgets, report=self._report, trace=self.trace, admit=self.stamp.answer)
        self.stamp.show(self.spoken)
        self.stamp.show(self._quoted())
        self._lookups = Lookups()
        self.progress = Progress(self, resumed)
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

    @property
    def addressed(self) -> str:
        """Why what was said is for the agent, in words: in a DM or over an API, scheduled, by a mention or by its name; empty
        where it is said to nobody in particular."""
        message, agent = self.message, self.agent
        if self.inbound.schedule:
            return "it was scheduled"
        if self.room.kind in (RoomKind.DM, RoomKind.API):
            return "a direct message"
        names = {agent.name.lower(), agent.character.name.lower(), agent.character.username.lower()} - {""}
        mentioned = {mention.lower() for mention in message.mentions}
        if mentioned & names or agent.entity(self.room.platform).id in mentioned:
            return "the agent was mentioned"
        if message.sender.bot:
            return ""
        words = {word.strip(".,:;!?@'\"()").lower() for word in message.text.split()}
        return "the agent was addressed by name" if words & names else ""

    # --- what hooks may ask ---

    async def history(self, limit: int | None = None) -> tuple[Memory, ...]:
        """The last messages of the room before this one, oldest first: ``limit`` of them, or, without one, at most the agent's
        ``conversation_length``, and then beginning where they did in the turns before as long as may be, so that a provider
        finds the beginning of the prompt in its cache."""
        count = self.agent.settings.conversation_length if limit is None else limit
        found = await self._lookups.once(count, partial(self._history, count))
        return found if limit is not None or len(found) < count else steady(found)

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
        return await self._lookups.once(query, partial(self._recall, query))  # a later round asks the same

    async def readers(self) -> Readers:
        """Who would read a reply in this room."""
        return await self._lookups.once("readers", partial(self.agent.memory.readers, self.room))

    async def participants(self) -> tuple[Entity, ...]:
        """Who was seen in this room, the agents of this host left out."""
        return await self._lookups.once("participants", self._participants)

    async def compose(self) -> State:
        """The state of this round, made at the first call: what :func:`~carrier_core.specs.provide_state` collects."""
        if self.state is None:
            async with self.agent.host.composing:
                self.state = await self.agent.compose_state(self)
        return self.state

    async def generate(self, prompt: Prompt) -> Completion:
        """Ask a model from within a hook. The call is metered and journaled as the hook's own."""
        impl = running.get()
        plugin, hook = (impl.plugin, impl.hook) if impl is not None else ("carrier", "turn")
        prompt = cast("Prompt", self.stamp.answer(impl, prompt)) if impl is not None else prompt
        outer = self.progress.step
        name = self.progress.numbered(f"{outer}/{plugin}/{hook}")

        async def ask() -> Completion:
            answer = await self.hooks.first(self.table.caller(specs.generate), self, prompt)
            if answer is None:
                raise CarrierError(
                    "Nobody answered the prompt.", remedy="Enable a plugin that brings a model provider."
                )
            self.meter(answer.value)
            return answer.value

        try:
            with self.stamp.asking(prompt):
                completion = await self.progress.run(name, ask)
            await self.progress.flush()
            return completion
        finally:
            self.hooks.step = self.progress.step = outer

    async def known(self, kind: MemoryKind, *, room: str = "", person: str = "", limit: int = 50) -> tuple[Memory, ...]:
        """The memories of one kind that everyone in this room may know, newest first: of a ``room``, of a ``person``, or all of the
        agent's. What this turn remembers is among them."""
        look = partial(self._known, kind, room, person, limit)
        stored = await self._lookups.once(("known", kind, room, person, limit), look)
        own = {
            memory.id: memory
            for memory in self.progress.learned
            if memory.kind is kind and room in ("", memory.room) and person in ("", memory.entity)
        }
        found = [*reversed(own.values()), *[memory for memory in stored if memory.id not in own]]
        return tuple(found[:limit])

    async def forget(self, memories: Iterable[Memory]) -> int:
        """Remove memories that this turn was shown, and what it remembered itself; how many there were. What people are to the
        agent is not among what can be forgotten so."""
        ids = tuple([memory.id for memory in memories if memory.kind is not MemoryKind.ROLE])
        own = [memory for memory in self.progress.unstored if memory.id in ids]
        for memory in own:
            self.progress.learned.remove(memory)
        self._lookups.forget("known")
        return len(own) + await self.agent.memory.forget(ids)

    async def remember(
        self,
        text: str,
        *,
        kind: MemoryKind = MemoryKind.FACT,
        data: Json = None,
        key: str = "",
        person: Entity | None = None,
        provenance: Provenance | None = None,
    ) -> Memory | None:
        """Remember something of this turn; it is stored when the turn ends. None if a hook dropped it.

        With a ``key`` it takes the place of whatever was remembered under that key, of this kind, in this room before. ``person`` is whom it is
        about, the one spoken with if nobody is named. The provenance that a plugin gives is checked like that of a part; without
        one the text comes from outside. CarrierError for a role, which :meth:`set_role` changes.
        """
        if kind is MemoryKind.ROLE:
            raise CarrierError("What somebody is to the agent is no memory of a turn's.", remedy="Call turn.set_role.")
        about = person or self.person
        name = self.progress.numbered(
            f"{self.progress.step}/memory"
        )  # before anything is awaited: hooks run side by side
        impl = running.get()
        part = Part(text, provenance=provenance if impl is not None else provenance or self.spoken)
        if impl is not None:
            part = self.stamp.part(part, impl.plugin, impl.hook)
        memory = Memory(
            make_id("memory", self.agent.name, str(kind), self.room.id, key)
            if key
            else make_id("memory", self.id, name),
            self.agent.name,
            self.room.id,
            kind,
            (part,),
            self.now,
            part.provenance or self.spoken,
            entity=about.id,
            name=about.name,
            turn=self.id,
            data=data,
        )
        kept = await self.keep(memory)
        if kept is not None:
            self.progress.learned.append(kept)
        return kept

    async def role(self, who: Entity | None = None) -> Role:
        """What somebody is to the agent where this turn takes place; the person spoken with if nobody is named."""
        someone = who or self.person
        return await self._lookups.once(("role", someone.id), partial(role_of, self, someone))

    async def set_role(self, who: Entity, role: Role) -> None:
        """Make somebody something else, as the person spoken with wants it. Rejected where they may not."""
        await change_role(self, who, role)
        self._lookups.forget("role")

    async def admits(self, audience: Audience) -> bool:
        """Whether everyone who reads this room may know what has this audience."""
        if audience.persons is None and audience.rooms in ((), (self.room.id,)):
            return True
        return audience.admits(await self.readers())

    async def provide(self, name: str) -> State | None:
        """What one context, which may be dynamic, brings; None for nothing, or where there is none of that name."""
        entry = self.table.thing(Context, name)
        if entry is None or not isinstance(entry.thing, Context):
            return None
        answer: State | None = await self.hooks.call(self.table.method(entry, Context.provide), self)
        return answer

    async def say(self, text: str, *, provenance: Provenance | None = None) -> None:
        """Tell the room something while the turn goes on: that it takes a while, how far it is. It is delivered at once, and once,
        also where the step is done again after a crash; a guard of replies may keep it back. The provenance that a plugin gives
        (``call.own`` for what it makes of its call alone) is checked like that of a part; without one the text comes from outside."""
        await say(self, text, provenance)

    async def deliver(self, room: Room, text: str, *, provenance: Provenance | None = None) -> Receipt:
        """Post a text in another room, for an action whose effect that is; it is remembered there as the agent's own words, of whom
        ``provenance`` says, as for :meth:`say`. NotDone, Rejected or InDoubt say how it failed."""
        return await deliver(self, room, text, provenance)

    async def park(self, reason: str, *, until: float, say: str = "") -> Answer:
        """Wait for somebody: for an approval or a choice whose ``target`` is this turn, or ``until`` a time (seconds since the
        epoch), after which the answer is ``expired``.

        The turn leaves the room's queue, so that the next message is answered; ``say`` is delivered first. When the answer is
        there, the step that parked runs again from its beginning, and this returns at once: so park before acting. An
        action that parks should be ``idempotent``, since its intent is written down before it is performed. CarrierError
        where it cannot wait any more, or not yet (``can_park``), or where a guard of replies keeps ``say`` back.
        """
        name = self.progress.numbered(f"{self.progress.step}/park")
        value = await self.progress.recorded(name)
        if value is None and not self.can_park:
            raise CarrierError("A turn cannot wait for anybody once its reply is decided, nor before it has begun.")
        if value is None:
            blocked = await kept_back(self, voiced(self, Part(say), "park")) if say else ""
            if blocked:
                raise CarrierError(f"The question may not be asked: {blocked}.")
            raise Parked(name, until, reason, say)
        if not isinstance(value, Answer):
            raise CarrierError(f"The answer recorded as {name} cannot be read by this release.")
        return value

    async def choose(
        self, question: str, options: tuple[str, ...], *, until: float, provenance: Provenance | None = None
    ) -> str:
        """Ask the room to choose among options, and wait for it as :meth:`park` does; the option, or an empty text where nobody
        chose in time. ``provenance`` says whose words question and options are, as for :meth:`say`. CarrierError where a guard of
        replies keeps the question back."""
        return await choose(self, question, options, until, provenance)

    async def choices(self) -> tuple[tuple[Question, Provenance], ...]:
        """What turns of this agent wait for somebody in this room to choose, each with whose words the options are."""
        return await choices_in(self)

    async def answer(self, question: str, option: str) -> str:
        """Choose for the person spoken with, who said so, among what a parked turn offers; why it does not count, or nothing."""
        return await choose_for(self, question, option)

    async def schedule(
        self,
        text: str,
        when: str,
        *,
        zone: str = "UTC",
        missed: Missed = Missed.ONE,
        provenance: Provenance | None = None,
    ) -> Schedule:
        """Have this agent told ``text`` in this room later, as the person would tell it: ``at 2027-01-31T18:00``, ``every 1h``
        or ``cron 0 9 * * 1-5``, in an IANA time zone. CarrierError for times that cannot be.

        The provenance that a plugin gives is checked like that of a part; without one the text comes from outside, then as now.
        """
        host, impl = self.agent.host, running.get()
        part = Part(text, provenance=provenance or (None if impl is not None else self.spoken))
        if impl is not None:
            part = self.stamp.part(part, impl.plugin, impl.hook)
        name = self.progress.numbered(f"{self.progress.step}/schedule")
        now = self.progress.at  # not the clock: done again after a crash, it has to be the same slot
        schedule = Schedule(
            make_id("schedule", self.id, name),
            self.agent.name,
            self.room,
            self.person,
            clean_text(part.text),
            when,
            first(when, zone, now),
            self.client,
            zone,
            missed,
            now,
            part.provenance,
        )
        await host.outage.outlast(lambda: host.store.journal.schedule(schedule))
        host.agenda.wake()
        return schedule

    # --- what the pipeline uses ---

    def origin(self, part: Part) -> Provenance:
        """Whose words a part of the message are: the person's, or, quoted, forwarded and attached, somebody else's."""
        if part.kind is PartKind.TEXT:
            return self.spoken  # which is that of a schedule, where one is told
        return part.provenance or self._quoted()

    def told(self, content: tuple[Part, ...]) -> Provenance:
        """The provenance of what was said as a whole: of everybody whose words are in it, those that are repeated too."""
        others = [self.origin(part) for part in content if part.kind is not PartKind.TEXT]
        return derive((self.spoken, *others), plugin=self.client, hook="receive") if others else self.spoken

    def _quoted(self) -> Provenance:
        """That of what was said elsewhere and is repeated here."""
        return Provenance((outside(f"{self.room.platform}/quoted"),), self.audience, self.client, "receive")

    @property
    def also(self) -> tuple[str, ...]:
        """The ids under which its other messages are waited for: each would have had a turn of its own."""
        others = {self.agent.turn_id(self.room.id, seq) for seq in (*self.seqs, *self.superseded)}
        return tuple(others - {self.id})

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

    def compose_with(self, composed: Composed) -> None:
        """Go on with this state and prompt, just made or recorded: what is in them has been shown to the turn."""
        self.state = composed.state
        self.prompt = self.stamp.prompt = composed.prompt
        self.prompts.append(composed.prompt)
        if self.progress.resumed is not None:
            for part in (*composed.state.parts, *composed.prompt.parts):
                if part.provenance is not None:
                    self.stamp.show(part.provenance)
        answered = self._answered()
        for part in (*composed.state.parts, *composed.prompt.parts):
            if part.memory and part.memory not in answered:
                self.used[part.memory] = None

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

    # --- what it looks up ---

    async def _history(self, count: int) -> tuple[Memory, ...]:
        if not count:
            return ()
        memories = await self.agent.memory.history(self.agent.name, self.room.id, limit=count + len(self.inbounds))
        answered = {self.memory_id} if self.superseded else self._answered()
        before = [each for each in memories if each.id not in answered and not (each.by_agent and each.turn == self.id)]
        found = tuple(before[-count:])  # what it has said itself meanwhile is no part of what was said before
        self.stamp.show_memories(found)
        return found

    def _answered(self) -> set[str]:
        """The memories of what it answers."""
        if len(self.inbounds) == 1:
            return {self.memory_id}
        return {make_id("memory", self.agent.name, each.message.id) for each in self.inbounds}

    async def _recall(self, query: Query) -> tuple[Recalled, ...]:
        answer = await self.hooks.first(self.table.caller(specs.recall), self, query)
        found = tuple(
            recalled
            for recalled in (answer.value if answer else ())
            if recalled.memory.provenance.audience.admits(query.readers)
        )
        self.stamp.show_memories(recalled.memory for recalled in found)
        return found

    async def _known(self, kind: MemoryKind, room: str, person: str, limit: int) -> tuple[Memory, ...]:
        memory = self.agent.memory
        most = limit * _SPARE  # some of them nobody here may know
        found = await memory.of_kind(self.agent.name, kind, room=room, entity=person, limit=most)
        admitted = tuple([each for each in found if await self.admits(each.provenance.audience)][:limit])
        self.stamp.show_memories(admitted)
        return admitted

    async def _participants(self) -> tuple[Entity, ...]:
        people = await self.agent.memory.participants(self.room.id)
        self.stamp.show(Provenance(tuple([person(entity.id) for entity in people]), self.audience))
        return people

    def emit(self, event: str, **data: str | float | bool | None) -> None:
        """Tell whoever watches."""
        self.agent.host.events.emit(
            Event(event, self.agent.host.clock(), self.agent.name, self.room.id, self.id, data=dict(data))
        )

    def _report(self, failure: Failure) -> None:
        self.agent.host.failed(failure, agent=self.agent.name, room=self.room.id, turn=self.id)


_SPARE = 4


def _spoken(inbound: Inbound) -> Provenance:
    """Whose words a message are: the sender's; those of a schedule, which nobody says now, have what they had when it was made."""
    scheduled = inbound.message.content[0].provenance if inbound.schedule and inbound.message.content else None
    if scheduled is not None:
        return shared(scheduled)
    sender = person(inbound.message.sender.id)
    return shared(Provenance((sender,), Audience((inbound.room.id,)), inbound.client, "receive"))


def steady(lines: tuple[Memory, ...]) -> tuple[Memory, ...]:
    """The lines without some of the oldest, a quarter of them at most: from the one with the lowest id on. Ids are as good as
    drawn by lot, so while new lines come in at the end the same one stays the lowest for some turns, and no state is needed."""
    oldest = lines[: len(lines) // 4 + 1]
    first = min(range(len(oldest)), key=lambda place: (oldest[place].by_agent, oldest[place].id))
    return lines[first:]


def joined(inbounds: list[Inbound]) -> Inbound:
    """Several messages of one person as one: the last one with the content of all."""
    last = inbounds[-1]
    if len(inbounds) == 1:
        return last
    content = tuple([part for each in inbounds for part in each.message.content])
    mentions = tuple(dict.fromkeys(name for each in inbounds for name in each.message.mentions))
    message = msgspec.structs.replace(last.message, content=content, mentions=mentions)
    return msgspec.structs.replace(last, message=message)
