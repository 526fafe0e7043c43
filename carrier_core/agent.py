"""AgentRuntime: a character and its configuration, running."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import anyio
import msgspec

from carrier_core import pipeline, specs
from carrier_core.errors import CarrierError, ConfigError, PluginError, single
from carrier_core.failures import Failure, said
from carrier_core.ledger import Ledger
from carrier_core.messages import Entity, Inbound, Memory, Part, Reply, ReplyPart, make_id
from carrier_core.outcomes import Outcome, Ran, Status, StepRecord, TurnRecord
from carrier_core.plugins import CORE, Registered, things_named
from carrier_core.prompts import ActionResult, Completion, Draft, Prompt, State
from carrier_core.records import VERSIONS, encode
from carrier_core.scheduler import Row
from carrier_core.table import Table
from carrier_core.things import Action, Client, Kind, Provider
from carrier_core.turn import Turn

if TYPE_CHECKING:
    from carrier_core.character import Character, CharacterView
    from carrier_core.host import Host
    from carrier_core.memory import MemoryStore
    from carrier_core.settings import AgentSettings, Config


class AgentRuntime:
    """One agent of the host: its character, its narrowed tables of hooks, its models; it handles its turns.

    ``generation`` counts how often its tables were compiled; a turn keeps the one that it began with.
    """

    def __init__(
        self,
        host: Host,
        name: str,
        settings: AgentSettings,
        character: Character,
        config: Config,
        generation: int = 1,
    ) -> None:
        self.host = host
        self.name = name
        self.settings = settings
        self.character = character
        self.generation = generation
        self.trusted = frozenset(config.settings.policy.trusted)
        self._config = config
        self._tables: dict[str, Table] = {}
        self._epochs: dict[str, int] = {}
        self._running: dict[str, tuple[str, anyio.CancelScope]] = {}
        self._stopped: set[str] = set()
        self._ledger = Ledger()
        self._entities: dict[str, Entity] = {}
        self._models: dict[str, tuple[Registered, str]] = {}
        self.kind = self._find_kind()

    # --- what it consists of ---

    @property
    def memory(self) -> MemoryStore:
        """Where it remembers."""
        return self.host.store.memory

    def view(self, room: str) -> CharacterView:
        """The character as it appears in a room: the same choice of bio, lore and examples in every turn."""
        return self.character.view(room)

    def table(self, client: str) -> Table:
        """The implementations that take part in its turns from one client."""
        found = self._tables.get(client)
        if found is None:
            found = self._tables[client] = Table(
                self.host.plugins,
                self.host.quarantine,
                only=self.settings.plugins,
                client=client,
                generation=self.generation,
            )
        return found

    def hears(self, client: str) -> bool:
        """Whether it is reached by this client."""
        return self.settings.clients is None or client in self.settings.clients

    def entity(self, platform: str) -> Entity:
        """The agent itself, as somebody who takes part in rooms of a platform."""
        found = self._entities.get(platform)
        if found is None:
            found = Entity.of(platform, f"agent/{self.name}", name=self.character.name, bot=True)
            self._entities[platform] = found
        return found

    def _find_kind(self) -> Kind:
        entry = self.host.plugins.things[Kind].get(self.settings.kind)
        if entry is None or not isinstance(entry.thing, Kind):
            kinds = things_named(self.host.plugins.all(Kind))
            raise self._config.fault(
                ("agents", self.name, "kind"),
                f"There is no kind of agent {self.settings.kind}.",
                f"There are: {kinds}.",
            )
        return entry.thing

    def model(self, model_class: str) -> tuple[Registered, str]:
        """The provider and the model that a class of model maps to. ConfigError if there is none.

        Without a word in the configuration it is the first provider that has what it needs, a last resort last.
        """
        found = self._models.get(model_class)
        if found is None:
            found = self._models[model_class] = self._choose_model(model_class)
        return found

    def _choose_model(self, model_class: str) -> tuple[Registered, str]:
        models = self.settings.models
        wanted = next((models[key] for key in (model_class, "large") if key in models), "")
        name, _, model = wanted.partition("/")
        if name:
            entry = self.host.plugins.things[Provider].get(name)
            if entry is None or not isinstance(entry.thing, Provider):
                key = model_class if model_class in models else "large"
                there = things_named(self.host.plugins.all(Provider))
                raise self._config.fault(
                    ("agents", self.name, "models", key), f"There is no provider {name}.", f"There are: {there}."
                )
            return entry, model or _default_model(entry.thing, model_class)
        providers = [(e, e.thing) for e in self.host.plugins.all(Provider) if isinstance(e.thing, Provider)]
        ready = [(e, provider) for e, provider in providers if not provider.missing()]
        ready.sort(key=lambda pair: pair[1].last_resort)
        if not ready:
            hints = " ".join(provider.missing() for _, provider in providers)
            raise ConfigError(f"No model provider is ready for the agent {self.name}.", remedy=hints or _NO_PROVIDER)
        return ready[0][0], _default_model(ready[0][1], model_class)

    async def actions(self, turn: Turn) -> tuple[Registered, ...]:
        """The actions that this turn may use: those whose ``validate`` said yes, asked once in a turn."""
        if turn.available is None:
            entries = turn.table.things(Action)
            allowed = []
            for entry in entries:
                if isinstance(entry.thing, Action) and type(entry.thing).validate is Action.validate:
                    allowed.append(entry)
                    continue
                try:
                    if await turn.hooks.call(turn.table.method(entry, Action.validate), turn):
                        allowed.append(entry)
                except CarrierError:
                    self.host.log.warning("action_left_out", action=getattr(entry.thing, "name", ""), turn=turn.id)
            turn.available = tuple(allowed)
        return turn.available

    def split(self, client: str, reply: Reply) -> tuple[tuple[Part, ...], ...]:
        """The reply as the client posts it."""
        entry = self.host.plugins.things[Client].get(client)
        if entry is None or not isinstance(entry.thing, Client):
            return (reply.parts,)
        try:
            return entry.thing.split(reply)
        except (Exception, SystemExit) as error:
            self.host.failed(Failure(entry.plugin, f"{client}.split", "raised", said(error), error))
            return (reply.parts,)

    # --- the steps of the loop, for hooks that want to run one ---

    async def ensure_connection(self, turn: Turn) -> None:
        """Step 3: who spoke and where, and the memory of it, as they would be stored."""
        await pipeline.ensure_connection(turn)

    async def compose_state(self, turn: Turn) -> State:
        """Step 3: what all context contributes to a round."""
        return await pipeline.compose_state(turn)

    async def generate_response(self, turn: Turn, prompt: Prompt) -> Completion:
        """Step 4: what the model answers."""
        return await pipeline.generate_response(turn, prompt)

    async def process_actions(self, turn: Turn, completion: Completion) -> tuple[ActionResult, ...]:
        """Step 5: the results of what the model asked for, each call judged by the policy."""
        return await pipeline.process_actions(turn, completion)

    async def evaluate(self, turn: Turn, draft: Draft) -> pipeline.Judged:
        """Step 6: all verdicts on a draft."""
        return await pipeline.evaluate(turn, draft)

    # --- a turn, from its inbound row to its last record ---

    def turn_id(self, room: str, seq: int) -> str:
        """The id of the turn that answers this row."""
        return turn_id(self.name, room, seq)

    async def handle(self, row: Row) -> None:
        """Handle one message: open its turn, run it, record it, deliver the reply, learn."""
        room = row.inbound.room.id
        epoch = await self._epoch(room)
        turn = Turn(self, self.table(row.inbound.client), self.turn_id(room, row.seq), row.seq, row.inbound, epoch)
        try:
            await self._open(turn)
        except PluginError as error:  # a guard or a wrapper: the turn is recorded and the room is told all the same
            with anyio.CancelScope(shield=True):
                await self._close(turn, pipeline.failed(turn, error.message))
            return
        with anyio.CancelScope() as scope:
            self._running[room] = (turn.id, scope)
            if turn.id in self._stopped:
                scope.cancel()
            try:
                outcome = await pipeline.within(turn)
            finally:
                del self._running[room]
                self._stopped.discard(turn.id)
        if scope.cancelled_caught:
            outcome = Outcome(Status.STOPPED, reason="stopped by the person")
        with anyio.CancelScope(shield=True):
            await self._close(turn, outcome)

    def inherit(self, older: AgentRuntime) -> None:
        """Go on where the runtime of an earlier configuration is: with its claims and the turns that it runs."""
        self._epochs = older._epochs
        self._running = older._running
        self._stopped = older._stopped

    async def _epoch(self, room: str) -> int:
        found = self._epochs.get(room)
        if found is None:
            found = self._epochs[room] = await self.host.store.journal.claim_room(self.name, room, self.host.owner)
        return found

    async def _open(self, turn: Turn) -> None:
        connection, memories = await turn.step("open", lambda: pipeline.ensure_connection(turn))
        record = _record(turn, Outcome(Status.RUNNING), (), trace=False)
        if await self.host.store.journal.open_turn(record, turn.epoch, connection, memories):
            turn.emit("room_joined", entity=turn.person.id, name=turn.person.name)

    async def _close(self, turn: Turn, outcome: Outcome) -> None:
        journal = self.host.store.journal
        memories = known = turn.learned
        try:
            if outcome.reply is not None and not outcome.reply.notice:
                memories += await pipeline.remember_reply(turn, outcome.reply)
        except PluginError as error:  # a guard of what is stored: what may not be remembered is not said either
            outcome = pipeline.failed(turn, error.message)
        outcome = msgspec.structs.replace(outcome, usage=turn.usage)
        outbox = pipeline.outbox_of(turn, outcome.reply) if outcome.reply is not None else ()
        parts, digests = self._ledger.parts_of(turn)
        await journal.complete(_record(turn, outcome, digests, trace=False), turn.epoch, memories, parts, outbox)
        self._ledger.stored(parts)
        receipts, problem = await pipeline.deliver(turn, outbox)
        if problem:
            reason = f"the reply was not delivered: {problem}"
            outcome = msgspec.structs.replace(outcome, status=Status.FAILED, reason=reason)
        try:
            learned = await pipeline.reflect(turn, outcome)
        except CarrierError as error:
            learned = ()
            self.host.log.warning("turn_not_reflected", turn=turn.id, agent=self.name, error=error.message)
        learned += turn.learned[len(known) :]
        outcome = msgspec.structs.replace(outcome, usage=turn.usage)
        record = _record(turn, outcome, digests)
        await journal.finish(record, turn.epoch, learned, receipts)
        name = "turn_failed" if outcome.status is Status.FAILED else "turn_completed"
        turn.emit(name, status=str(outcome.status), reason=outcome.reason, duration_ms=record.duration_ms)
        self.host.finished(record, turn.room.name)

    async def edit(self, inbound: Inbound, memory: Memory) -> None:
        """Remember what somebody made of their words later, after ``transform_memory`` like everything that is stored."""
        client = inbound.client
        turn = Turn(self, self.table(client), make_id("edit", self.name, inbound.dedupe_key), 0, inbound, 0)
        kept = await turn.keep(msgspec.structs.replace(memory, content=inbound.message.content))
        if kept is not None:
            await self.memory.put((kept,))

    def stop(self, room: str, turn: str = "") -> bool:
        """Stop the turn that runs in a room, or the one that is meant, which may still wait; returns whether there was one."""
        running = self._running.get(room)
        if running is not None and turn in ("", running[0]):
            running[1].cancel()
            return True
        if self.host.awaited(turn):
            self._stopped.add(turn)
            return True
        return False

    async def give_up(self, record: TurnRecord) -> tuple[ReplyPart, ...]:
        """End a turn that an earlier process left unfinished, visibly: it is not done again, so nothing happens twice.

        Returns the notice that the room is to be told.
        """
        reply = pipeline.notice(self.settings.failure)
        outcome = Outcome(Status.FAILED, reply, "the daemon stopped in the middle of it")
        room = await self.memory.room(record.room)
        outbox: tuple[ReplyPart, ...] = ()
        if room is not None:
            key = make_id("reply", record.id, "0")
            outbox = (ReplyPart(key, record.id, self.name, room, reply.parts, client=record.client, notice=True),)
        ended = msgspec.structs.replace(record, outcome=outcome)
        await self.host.store.journal.complete(ended, await self._epoch(record.room), (), (), outbox)
        self.host.log.warning("turn_interrupted", turn=record.id, agent=self.name, room=record.room)
        return outbox

    @asynccontextmanager
    async def drafting(self, turn: Turn) -> AsyncIterator[Callable[[str], None]]:
        """Where pieces of a completion go as they arrive: to the client, if it can retract a draft and nobody has to see
        the whole text first."""
        entry = self.host.outlet(turn.client, turn.room.id)
        guarded = any(
            turn.table.has(spec, beside=CORE)
            for spec in (specs.transform_completion, specs.evaluate, specs.transform_reply, specs.around_step)
        )
        if entry is None or guarded or not isinstance(entry.thing, Client) or not entry.thing.retracts:
            yield _ignore
            return
        caller = turn.table.method(entry, Client.draft)
        send, receive = anyio.create_memory_object_stream[str](10_000)

        async def show() -> None:
            with receive:
                async for text in receive:
                    try:
                        await turn.hooks.call(caller, turn.room, turn.id, turn.round, text)
                    except CarrierError as error:  # the whole reply follows, so nothing is lost
                        self.host.log.warning("draft_not_shown", client=turn.client, error=error.message)
                        return

        def emit(text: str) -> None:
            with suppress(anyio.WouldBlock, anyio.BrokenResourceError, anyio.ClosedResourceError):
                send.send_nowait(text)

        with single():
            async with anyio.create_task_group() as group:
                group.start_soon(show)
                with send:
                    yield emit
                group.cancel_scope.deadline = anyio.current_time() + _GRACE


def turn_id(agent: str, room: str, seq: int) -> str:
    """The id of the turn with which an agent answers the row ``seq`` of a room."""
    return make_id("turn", agent, room, str(seq))


_GRACE = 1.0  # seconds that a client has to show the rest of a draft when the completion is there
_NO_PROVIDER = "Enable a plugin that brings a model provider in [plugins]."


def _ignore(text: str) -> None:
    """Where drafts go that nobody may see."""


def _default_model(provider: Provider, model_class: str) -> str:
    return provider.models.get(model_class) or provider.models.get("large", "")


def _record(turn: Turn, outcome: Outcome, digests: tuple[str, ...], *, trace: bool = True) -> TurnRecord:
    """The turn as it is kept; its trace is added when it is whole."""
    return TurnRecord(
        turn.id,
        turn.agent.name,
        turn.room.id,
        turn.person.id,
        turn.client,
        (turn.seq,),
        turn.started,
        outcome,
        round((time.perf_counter() - turn.clock) * 1000, 3),
        tuple([StepRecord(d.name, d.at, round(d.duration_ms, 3), _value(d.value)) for d in turn.steps])
        if trace
        else (),
        tuple(
            [Ran(r.step, r.hook, r.plugin, round(r.seconds * 1000, 3), r.result, describe(r.value)) for r in turn.trace]
        )
        if trace
        else (),
        tuple(turn.used),
        digests,
        turn.seed,
        turn.table.generation,
    )


def _value(value: object) -> msgspec.Raw:
    """The record of a step's value; state and prompts are kept as parts, and what the turn itself keeps not again."""
    if isinstance(value, msgspec.Struct) and type(value) in VERSIONS and not isinstance(value, Outcome):
        return msgspec.Raw(encode(value))
    return msgspec.Raw(b"null")


def describe(value: object) -> str:
    """What an implementation answered, in a line of at most 200 characters."""
    if value is None:
        return ""
    if isinstance(value, str):
        text = value
    elif isinstance(value, State):
        text = ", ".join(dict.fromkeys(part.key or "text" for part in value.parts)) + f" ({len(value.parts)} parts)"
    elif isinstance(value, Prompt):
        text = f"{len(value.messages)} messages, {len(value.tools)} tools"
    elif isinstance(value, tuple):
        text = f"{len(value)} items"
    elif hasattr(value, "text") and isinstance(value.text, str):
        calls = "".join(f" +{call.name}()" for call in getattr(value, "calls", ()))
        text = f"{value.text}{calls}"
    else:
        named = [f"{key}={getattr(value, key)}" for key in _TELLING if getattr(value, key, None) not in (None, "")]
        text = " ".join(named) or type(value).__name__
    return text if len(text) <= 200 else text[:199] + "…"


_TELLING = ("answer", "ruling", "verdict", "status", "reason", "feedback", "native")
