"""AgentRuntime: a character and its configuration, running."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING

import anyio
import msgspec

from carrier_core import pipeline
from carrier_core.acting import process_actions
from carrier_core.contract import CORE
from carrier_core.dispatch import running
from carrier_core.errors import CarrierError, PluginError
from carrier_core.failures import Failure, said
from carrier_core.handling import Handling
from carrier_core.ledger import Ledger
from carrier_core.messages import Entity, Inbound, Memory, Part, Reply, make_id
from carrier_core.models import Models
from carrier_core.plugins import Registered, things_named
from carrier_core.prompts import ActionResult, Completion, Draft, Judged, Prompt, State
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

    ``generation`` counts how often its tables were compiled; a turn keeps the one that it began with. ``kind_from`` is the plugin
    that brought its kind; ``rounds``, ``calls`` and ``seconds`` bound its turns: those of the kind, where the operator sets none.
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
        self._claiming: dict[str, anyio.Lock] = {}
        self.handling = Handling(self)
        self.ledger = Ledger()
        self._entities: dict[str, Entity] = {}
        self.models = Models(config, name, host.plugins.all(Provider))
        self.kind, self.kind_from = self._find_kind()
        limits = settings.limits
        self.rounds = limits.rounds or self.kind.rounds
        self.calls = limits.calls or self.kind.calls
        self.seconds = limits.seconds or self.kind.seconds

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
                kind=self.settings.kind,
                generation=self.generation,
            )
        return found

    def recompile(self) -> None:
        """Make its tables anew: what plugins bring has changed. Turns that run keep those that they began with."""
        self.generation += 1
        self._tables = {}

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

    def _find_kind(self) -> tuple[Kind, str]:
        entry = self.host.plugins.things[Kind].get(self.settings.kind)
        if entry is None or not isinstance(entry.thing, Kind):
            kinds = things_named(self.host.plugins.all(Kind))
            raise self._config.fault(
                ("agents", self.name, "kind"),
                f"There is no kind of agent {self.settings.kind}.",
                f"There are: {kinds}.",
            )
        return entry.thing, entry.plugin

    async def actions(self, turn: Turn) -> tuple[Registered, ...]:
        """The actions that this turn may use: those whose ``validate`` said yes, asked once in a turn."""
        if turn.available is None:
            allowed = []
            for entry, asks in turn.table.actions:
                if not asks:
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
        """Step 5: the results of what the model asked for, each call judged by the policy. They are steps of the hook that asks."""
        impl = running.get()
        whose = impl.plugin if impl is not None else CORE
        return await process_actions(turn, completion, turn.progress.numbered(f"{turn.progress.step}/{whose}/actions"))

    async def evaluate(self, turn: Turn, draft: Draft) -> Judged:
        """Step 6: all verdicts on a draft."""
        return await pipeline.evaluate(turn, draft)

    # --- its turns ---

    def turn_id(self, room: str, seq: int) -> str:
        """The id of the turn that answers this row."""
        return turn_id(self.name, room, seq)

    def inherit(self, older: AgentRuntime) -> None:
        """Go on where the runtime of an earlier configuration is: with its claims and the turns that it runs."""
        self._epochs = older._epochs
        self._claiming = older._claiming
        self.handling.inherit(older.handling)

    async def epoch(self, room: str) -> int:
        """The claim of this process on a room; it waits while another daemon has it."""
        found = self._epochs.get(room)
        if found is not None:
            return found
        async with self._claiming.setdefault(room, anyio.Lock()):  # a second claim would end the first one's epoch
            found = self._epochs.get(room)
            if found is None:
                host = self.host
                lease = host.config.settings.limits.lease_seconds
                claim = partial(host.store.journal.claim_room, self.name, room, host.owner, lease)
                found = self._epochs[room] = await host.outage.outlast(claim)
        self._claiming.pop(room, None)
        return found

    def lost(self, room: str, epoch: int = 0) -> None:
        """Somebody else has claimed the room, since this epoch: it has to be claimed again before anything is written there.

        Nothing is forgotten where the epoch is an older one than that of the latest claim.
        """
        if epoch in (0, self._epochs.get(room)):
            self._epochs.pop(room, None)

    async def edit(self, inbound: Inbound, memory: Memory) -> None:
        """Remember what somebody made of their words later, after ``transform_memory`` like everything that is stored. Where a
        guard fails, which is logged, what is stored stays as it was."""
        client = inbound.client
        key = make_id("edit", self.name, inbound.dedupe_key)
        turn = Turn(self, self.table(client), key, (Row(0, inbound),), 0)
        content = inbound.message.content
        try:
            kept = await turn.keep(msgspec.structs.replace(memory, content=content, provenance=turn.told(content)))
        except PluginError:
            return
        if kept is not None:
            await self.memory.put((kept,))


@lru_cache(maxsize=1_024)
def turn_id(agent: str, room: str, seq: int) -> str:
    """The id of the turn with which an agent answers the row ``seq`` of a room."""
    return make_id("turn", agent, room, str(seq))
