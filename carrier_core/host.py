"""The host: it wires plugins, store, agents and clients together, takes what comes in and keeps it all running."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskGroup

from carrier_core import specs
from carrier_core.agenda import Agenda
from carrier_core.agent import AgentRuntime, turn_id
from carrier_core.approving import answer_in
from carrier_core.asking import Asking
from carrier_core.breaker import Quarantine
from carrier_core.budgets import Budgets
from carrier_core.clients import LOCAL, Clients
from carrier_core.contract import Caller
from carrier_core.dispatch import Hooks
from carrier_core.endings import Endings
from carrier_core.errors import (
    CarrierError,
    Fenced,
    NotDone,
    PluginError,
    ProviderError,
    Rejected,
    Unavailable,
    single,
)
from carrier_core.events import Events
from carrier_core.failures import Failure
from carrier_core.intake import Intake
from carrier_core.logs import logger
from carrier_core.memory import Store, forget_room
from carrier_core.messages import (
    Entity,
    Inbound,
    InboundKind,
    Room,
)
from carrier_core.models import choose_embedder
from carrier_core.outage import Outage
from carrier_core.outbox import Outbox
from carrier_core.outcomes import Event
from carrier_core.plugins import CORE, Plugins, Registered, choose_store, load_plugins
from carrier_core.prices import Prices
from carrier_core.prompts import Json
from carrier_core.records import decode
from carrier_core.scheduler import Rooms, Row
from carrier_core.table import Table
from carrier_core.things import Accepted, Action, Embedder
from carrier_core.upkeep import Upkeep
from carrier_core.why import explain

if TYPE_CHECKING:
    from carrier_core.embedding import Embedding
    from carrier_core.settings import Config

_COMPOSING = (
    256  # turns that gather their context at a time: more of them would only wait for the store, and its budget
)
_LAST_EVENTS = 5.0  # seconds that watchers have for what happened last when the host stops


class Host:
    """One process that runs agents. Make it with a configuration without faults, then ``async with host.running()``.

    ``state`` is the folder of the embedded store. ``clock`` gives seconds since the epoch, ``monotonic`` seconds that only
    go forward. ``clients`` chooses which clients run: ``daemon`` (all but the interactive ones), ``interactive`` or ``none``.
    """

    def __init__(
        self,
        config: Config,
        state: Path,
        *,
        plugins: Plugins | None = None,
        clients: str = "daemon",
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config = config
        self.state = state
        self.clock = clock
        self.log = logger()
        self.owner = f"{os.uname().nodename}/{os.getpid()}/{os.urandom(4).hex()}"
        limits = config.settings.limits
        self.budgets = dict(limits.budgets)
        self.quarantine = Quarantine(
            monotonic,
            failures=limits.breaker_failures,
            window=limits.breaker_window,
            cooldown=limits.breaker_cooldown,
            exempt=CORE,
        )
        self.plugins = plugins or load_plugins(config)
        self.table = Table(self.plugins, self.quarantine)
        self.hooks = Hooks(budgets=self.budgets, report=self.failed)
        self.events = Events(self.log)
        self.events.watch(self.table)
        self.agents: dict[str, AgentRuntime] = {}
        self.store: Store = choose_store(config, self.plugins)
        self.rooms: Rooms
        self.ready = anyio.Event()
        self.degraded: dict[str, str] = {}
        self.embedding: Embedding | None = None
        self.clients = Clients(self, clients)
        self.outage = Outage(self)
        settings = config.settings
        self.prices = Prices(settings.models, clock=clock)
        self.spending = Budgets(
            self.store.journal, settings.budgets, zone=limits.zone, clock=clock, outlast=self.outage.outlast
        )
        self.asking = Asking(self)
        self.composing = anyio.Semaphore(_COMPOSING, fast_acquire=True)
        self.suspects = anyio.Lock()  # held by the one turn that runs of those that were often cut off
        self.intake = Intake(self)
        self.outbox = Outbox(self)
        self.agenda = Agenda(self)
        self.upkeep = Upkeep(self)
        self.endings = Endings(self.store, clock)
        self._looking = anyio.Lock()
        self._started: list[str] = []
        self._group: TaskGroup

    # --- initialisation ---

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Host]:
        """Start everything, hand out the host when it is ready, stop everything in reverse."""
        self.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        await self.store.open(self.state)
        try:
            with single():
                async with anyio.create_task_group() as group:
                    self._group = group
                    self.rooms = Rooms(group, self._handle, most=self.config.settings.limits.rooms)
                    self.rooms.close()
                    unobserved = Hooks(budgets=self.budgets, report=self._unobserved)
                    group.start_soon(self.events.run, self._table_of, unobserved)
                    try:
                        await self._start()
                        yield self
                    finally:
                        with anyio.CancelScope(shield=True):
                            await self._stop()
                        group.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await self._close_store()

    async def _close_store(self) -> None:
        """Close the store, after what is not written yet of the usage: that of turns that were cut off by the stop, too."""
        try:
            await self.spending.flush()
        except Exception as error:  # the store's, whatever it is; what is held stays counted
            self.log.warning("usage_not_written", error=str(error))
        await self.store.close()

    def _table_of(self, event: Event) -> Table:
        """Whoever takes part in an agent's turns hears of them; of what concerns no agent all do."""
        agent = self.agents.get(event.agent)
        return self.table if agent is None else agent.table("")

    async def _start(self) -> None:
        for plugin in self.plugins.found.values():
            if plugin.state == "failed":
                self.degraded[plugin.name] = plugin.why
                self.log.warning("plugin_left_out", plugin=plugin.name, why=plugin.why)
        await self._start_plugins()
        self._start_embedding()
        for name in self.config.settings.agents:
            await self._start_agent(name)
        await self.clients.start(self._group)
        await self._recover()
        self.rooms.open()
        self.outbox.open()
        self.spawn(self.agenda.run)
        self.spawn(self.upkeep.run)
        self.spawn(self.spending.run)
        self.ready.set()

    async def _start_plugins(self) -> None:
        start: Caller[..., None] = self.table.caller(specs.start_host)
        stop: Caller[..., None] = self.table.caller(specs.stop_host)
        for impl in start.impls:
            found = self.plugins.found.get(impl.plugin)
            settings = found.settings if found is not None else None
            alone = start.only(impl)
            failures = await self.hooks.ordered(alone, stop, lambda plugin: False, self, settings)
            if not failures:
                self._started.append(impl.plugin)
                continue
            self.degraded[impl.plugin] = failures[0].message
            if self.plugins.found[impl.plugin].required:
                await self.hooks.unwind(stop, self._started, self)
                self._started.clear()
                raise PluginError(
                    f"{impl.plugin} is required and did not start: {failures[0].message}.",
                    plugin=impl.plugin,
                    hook="start_host",
                ) from failures[0].error
        self._started += [
            impl.plugin for impl in stop.impls if impl.plugin not in self._started and impl.plugin not in self.degraded
        ]

    def _start_embedding(self) -> None:
        embedder = choose_embedder(self.config, self.plugins.things[Embedder])
        if embedder is not None:
            from carrier_core.embedding import Embedding

            self.embedding = Embedding(self, embedder)
            self._group.start_soon(self.embedding.run)

    async def _start_agent(self, name: str) -> None:
        agent = self._make_agent(self.config, name)
        table = agent.table("")
        self.events.watch(table)
        failures = await self.hooks.ordered(
            table.caller(specs.start_agent),
            table.caller(specs.stop_agent),
            lambda plugin: self.plugins.found[plugin].required,
            agent,
        )
        for failure in failures:
            self.degraded[failure.plugin] = f"{name}: {failure.message}"
        self.agents[name] = agent

    def _make_agent(self, config: Config, name: str, generation: int = 1) -> AgentRuntime:
        """An agent as a configuration has it. ConfigError names what cannot be used."""
        from carrier_core.characterfile import load_character

        loaded = load_character(config.character_path(name))
        for note in loaded.notes:
            self.log.info("character_note", agent=name, field=note.field, reason=note.reason, line=note.line)
        agent = AgentRuntime(self, name, config.settings.agents[name], loaded.character, config, generation)
        for model_class in {"large", *agent.settings.models} - {"embedding"}:
            agent.models.chain(model_class)
        return agent

    async def reload(self, config: Config) -> tuple[str, ...]:
        """Take over agents, characters, limits and policy of a configuration that was read again, all or nothing.

        Returns what changed but needs a restart. Turns that run end as they began, but for the policy.
        """
        again = config.needs_restart(self.config)
        made = {}
        for name in config.settings.agents:
            older = self.agents.get(name)
            made[name] = self._make_agent(config, name, older.generation + 1 if older else 1)
            if older is not None:
                made[name].inherit(older)
        limits = config.settings.limits
        self.spending.configure(config.settings.budgets, limits.zone)
        started = [name for name in made if name not in self.agents]
        gone = [agent for name, agent in self.agents.items() if name not in made]
        self.config, self.agents = config, made
        self.budgets.clear()
        self.budgets.update(limits.budgets)
        self.prices = Prices(config.settings.models, clock=self.clock)
        self.asking.limit(limits)
        for name, agent in made.items():
            table = agent.table("")
            self.events.watch(table)
            if name in started:
                stop: Caller[..., None] = table.caller(specs.stop_agent)
                await self.hooks.ordered(table.caller(specs.start_agent), stop, lambda plugin: False, agent)
        for agent in gone:
            await self._stop_agent(agent)
        return again

    async def _stop_agent(self, agent: AgentRuntime) -> None:
        await self.hooks.unwind(agent.table("").caller(specs.stop_agent), [*self.plugins.found, CORE], agent)

    async def _recover(self) -> None:
        """Take up what an earlier process left: turns go on after their last recorded step, messages that wait are
        answered, replies that are not out yet are delivered. What comes in meanwhile queues behind."""
        for agent, room in await self.store.journal.ready():
            if agent in self.agents:
                try:
                    await self.look(agent, room)
                except Exception as error:  # a row that cannot be read keeps its own room back, and no other
                    self.log.exception("room_not_taken_up", agent=agent, room=room, error=str(error))
                    self.degraded[f"room {room}"] = str(error)

    async def look(self, agent: str, room: str) -> None:
        """Look at what the journal has to do in a room, and take up what nobody works on.

        What it reads may be old when it acts on it: whatever this process has had in hand since is left to that.
        """
        runtime = self.agents.get(agent)
        if runtime is None:
            return
        async with self._looking:
            with self.outbox.looking():
                await self._take_up(runtime, room)

    async def _take_up(self, runtime: AgentRuntime, room: str) -> None:
        agent = runtime.name
        on_the_way = self.outbox.keys(agent, room)
        work = await self.store.journal.work(agent, room)
        rows = [Row(row.seq, decode(row.payload, Inbound)) for row in work.rows]
        for key in work.turns:
            if not self.endings.knows(key):
                turn = await runtime.handling.revive(key)
                if turn is None:
                    await runtime.handling.give_up(key)
                elif self._here(turn.client, room) and not self.endings.knows(key):
                    self.queue(runtime, Row(turn.seqs[0], turn.inbound, key))
        for row in rows:
            if row.inbound.kind is not InboundKind.MESSAGE:
                if self._here(row.inbound.client, room):
                    await self.intake.apply(runtime, row)
            elif not self.endings.knows(runtime.turn_id(room, row.seq)) and self._here(row.inbound.client, room):
                self.queue(runtime, row)
        left = [row for row in work.outbox if row.part.key not in on_the_way]
        self.outbox.put(agent, room, tuple(row for row in left if self._here(row.part.client, room)))

    def _here(self, client: str, room: str) -> bool:
        """Whether work of this client is this process's: the daemon does all, a chat only its own."""
        return self.clients.mode == "daemon" or self.outlet(client, room) is not None

    def offer(self, plugin: str, actions: Sequence[Action]) -> None:
        """Put other actions in the place of those that a plugin has offered before, at any time: for tools that are known only once
        somebody was asked, a server or a catalogue. What it registered at start stays. Turns that run keep what they began with.

        PluginError, and nothing changes, where one is malformed or has a name that is taken.
        """
        self.plugins.offer(plugin, actions)
        for agent in self.agents.values():
            agent.recompile()

    def nudge(self, agent: str, room: str) -> None:
        """Have the room looked at soon: somebody changed what is to be done there."""
        self.spawn(self._looked, agent, room)

    async def _looked(self, agent: str, room: str) -> None:
        await self.outage.outlast(lambda: self.look(agent, room))

    def lost(self, agent: str, room: str, epoch: int) -> None:
        """Another daemon has claimed a room since this epoch: what is left there is looked at again when the claim is to be
        had."""
        runtime = self.agents.get(agent)
        if runtime is not None:
            runtime.lost(room, epoch)
            self.nudge(agent, room)

    def spawn(self, work: Callable[..., Coroutine[object, object, None]], *args: object) -> None:
        """Have something done beside everything else, as long as the host runs."""
        self._group.start_soon(work, *args)

    async def _stop(self) -> None:
        """Let running turns end, within the limit; then stop agents and plugins, the last started first."""
        if hasattr(self, "rooms"):
            self.rooms.close()
            self.outbox.close()
            with anyio.move_on_after(self.config.settings.limits.stop_seconds):
                await self.rooms.idle()
        self.outage.stopping.set()
        try:
            await self.store.journal.heartbeat(self.owner, 0.0)
        except CarrierError as error:  # the lease runs out by itself
            self.log.warning("lease_not_released", error=error.message)
        if self.embedding is not None:
            self.embedding.stop()
        for agent in reversed(self.agents.values()):
            await self._stop_agent(agent)
        await self.hooks.unwind(self.table.caller(specs.stop_host), self._started, self)
        self.events.close()
        with anyio.move_on_after(_LAST_EVENTS):
            await self.events.done.wait()

    # --- reception ---

    async def accept(self, inbound: Inbound) -> Accepted:
        """Take what a client hands over; returns once it is durable for every agent that hears it.

        Unavailable while the store is away: the platform is not told, so that it hands it over again.
        """
        return await self.intake.accept(inbound)

    def queue(self, agent: AgentRuntime, row: Row) -> None:
        """Queue what is to be handled in its room."""
        turn = row.turn or agent.turn_id(row.inbound.room.id, row.seq)
        self.endings.begun(turn)
        self.rooms.push(agent.name, row.inbound.room.id, row)

    # --- turns ---

    async def _handle(self, agent: str, row: Row) -> None:
        room = row.inbound.room.id
        turn = row.turn or turn_id(agent, room, row.seq)
        runtime = self.agents.get(agent)
        if runtime is None:
            why = "the agent was taken out of the configuration; the message is kept for when it is back"
            self.log.warning("message_kept", agent=agent, room=room, why=why)
            self.endings.abandoned(turn, agent, why)
            return
        try:
            await runtime.handling.handle(row)
        except Unavailable as error:  # the host stops while the store is away: the next process goes on
            self.endings.abandoned(turn, agent, error.message)
        except Fenced as error:
            self.log.warning("room_lost", agent=agent, room=room, error=error.message)
            runtime.lost(room)
            self.nudge(agent, room)
        except Exception as error:
            self.log.exception("turn_not_recorded", agent=agent, room=room, turn=turn, error=str(error))
            if self.endings.raised(turn):  # it goes on after its last recorded step, or fails visibly there
                self.nudge(agent, room)
            else:
                self.endings.abandoned(turn, agent, str(error))
        finally:
            self.endings.left(turn)

    def forget(self) -> None:
        """Keep nothing in mind of what was in the store: something was removed from it."""
        self.endings.forget()
        for agent in self.agents.values():
            agent.ledger.forget()

    async def wait(self, turn: str) -> dict[str, Json]:
        """Wait until a turn has ended; what ``carrierd chat --json`` prints."""
        return await self.endings.wait(turn)

    async def why(self, turn: str) -> dict[str, Json]:
        """What ``carrierd why TURN --json`` prints."""
        return await explain(self.store, turn)

    async def ask(self, *, agent: str, room: str, person: str, text: str) -> dict[str, Json]:
        """Say something in a room of the command line and wait for the answer."""
        agent = agent or next(iter(self.agents))
        where = Room.of(LOCAL, room)
        who = Entity.of(LOCAL, person)
        event = f"{self.owner}/{os.urandom(8).hex()}"
        said = Inbound.say(where, who, text, event=event, at=self.clock(), client=LOCAL, agent=agent)
        accepted = await self.accept(said)
        turn = accepted.heard[0].turn if accepted.heard else accepted.resumed
        if not turn:
            remedy = "`carrierd approvals` lists what waits for an answer." if answer_in(text)[0] else ""
            raise CarrierError(f"The message was not taken: {accepted.reason}.", remedy=remedy)
        return await self.wait(turn)

    async def reset(self, agent: str, room: str) -> int:
        """Forget what was said and noted in a room, given its id; not who may do what there."""
        return await forget_room(self.store.memory, agent, room)

    # --- what plugins and clients see of it ---

    def outlet(self, client: str, room: str) -> Registered | None:
        """The way out to a room: a connection to this daemon that has it open, or the client if it runs here."""
        return self.clients.outlet(client, room)

    async def status(self) -> dict[str, Json]:
        """What the daemon is doing."""
        return {
            "ready": self.ready.is_set(),
            "pid": os.getpid(),
            "agents": list(self.agents),
            "clients": self.clients.status(),
            "plugins": {name: plugin.state for name, plugin in self.plugins.found.items()},
            "degraded": dict(self.degraded),
            "quarantined": [f"{plugin}:{hook}" for plugin, hook in self.quarantine.quarantined()],
            "running": self.rooms.busy,
            "queued": self.rooms.queued,
            "undelivered": self.outbox.waiting,
        }

    def failed(self, failure: Failure, *, agent: str = "", room: str = "", turn: str = "") -> None:
        """Log and tell that an implementation failed. The host's own defaults fail because something they called did, which
        was told already."""
        if failure.plugin == CORE and isinstance(failure.error, CarrierError):
            return
        if isinstance(failure.error, ProviderError):  # whoever asked the provider says what comes of it
            log, event = self.log.debug, "provider_failed"
        elif isinstance(failure.error, (NotDone, Rejected)):  # the other side's no, which whoever acted goes on with
            log, event = self.log.info, "effect_not_done"
        else:
            log, event = self.log.warning, "plugin_failed"
        log(
            event,
            plugin=failure.plugin,
            hook=failure.hook,
            how=failure.how,
            message=failure.message,
            **({"turn": turn} if turn else {}),
        )
        if failure.opened:
            self.log.error("plugin_quarantined", plugin=failure.plugin, hook=failure.hook)
        data: dict[str, Json] = {"hook": failure.hook, "how": failure.how, "message": failure.message}
        self.events.emit(Event("plugin_failed", self.clock(), agent, room, turn, failure.plugin, data))

    def _unobserved(self, failure: Failure) -> None:
        """A watcher of events failed: logged only, because an event about it could fail it again."""
        self.log.warning(
            "plugin_failed", plugin=failure.plugin, hook=failure.hook, how=failure.how, message=failure.message
        )
