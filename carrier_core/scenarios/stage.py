"""The stage: a host for one scenario, with one agent, on an empty store of its own, reached by no client."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from carrier_core.acting import effect_of
from carrier_core.clients import LOCAL
from carrier_core.contract import impl
from carrier_core.errors import CarrierError, ConfigError
from carrier_core.host import Host
from carrier_core.memory import Store
from carrier_core.messages import Entity, Inbound, Room, RoomKind
from carrier_core.plugins import Plugins, Registered, choose_store, load_plugins, things_named
from carrier_core.prices import Prices
from carrier_core.prompts import ActionCall, Authorization, Effect, Ruling
from carrier_core.scenarios.exchange import Exchange, exchange_of
from carrier_core.sections import ModelSettings
from carrier_core.settings import Config
from carrier_core.things import Provider
from carrier_core.turn import Turn

GUARD = "scenario-guard"
"""The name under which the host knows who keeps scenarios from having effects."""


class Harmless:
    """Denies whatever acts outside or spends money, whatever the operator allows the daemon."""

    @impl
    async def authorize(self, turn: Turn, call: ActionCall) -> Authorization | None:
        """No opinion on what reads or writes the agent's own things."""
        if effect_of(turn, call) in (Effect.READ, Effect.WRITE):
            return None
        return Authorization(Ruling.DENY, "it has an effect outside, and scenarios have none without --effects")


class Stage:
    """A running host, and what is said to the agent on it."""

    def __init__(self, host: Host, agent: str) -> None:
        self.host = host
        self.agent = agent

    async def say(
        self, text: str, *, person: str, room: str, bot: bool = False, kind: str = "dm", mention: bool = False
    ) -> Exchange:
        """Say something to the agent and wait for what comes of it."""
        said = Inbound.say(
            Room.of(LOCAL, room, kind=RoomKind(kind)),
            Entity.of(LOCAL, person, bot=bot),
            text,
            event=os.urandom(8).hex(),
            at=self.host.clock(),
            client=LOCAL,
            agent=self.agent,
            mentions=(self.agent,) if mention else (),
        )
        accepted = await self.host.accept(said)
        if not accepted.heard:
            return Exchange(reason=accepted.reason)
        turn = str((await self.host.wait(accepted.heard[0].turn))["turn"])
        record = await self.host.store.journal.turn(turn)
        if record is None:
            raise CarrierError(f"The turn {turn} was not recorded.", remedy="Look at the log for what went wrong.")
        exchange = exchange_of(record)
        return msgspec.structs.replace(exchange, priced=await self._is_priced(exchange))

    async def _is_priced(self, exchange: Exchange) -> bool:
        return bool(exchange.usage.cost) or await are_priced(self.host.prices, self.host.plugins, exchange)


async def are_priced(prices: Prices, plugins: Plugins, exchange: Exchange) -> bool:
    """Whether it is known what all models that answered cost. Of one that nobody names it is not."""
    for name in exchange.models:
        provider, _, model = name.partition("/")
        entry = find_provider(plugins, provider)
        if entry is None or not isinstance(entry.thing, Provider) or not await prices.price(entry.thing, model):
            return False
    return len(exchange.models) == exchange.rounds


@asynccontextmanager
async def staged(
    config: Config, agent: str, *, model: str = "", effects: bool = False, folder: Path | None = None
) -> AsyncIterator[Stage]:
    """A stage for one agent of the configuration, for as long as the block.

    ``model`` stands for its class ``large``, as provider/model; ``folder`` is where the store is kept, a temporary one without
    it. ConfigError if the store would not be an empty one in that folder.
    """
    own = _alone(config, agent, model, () if effects else (GUARD,))
    plugins = load_plugins(own, extra={} if effects else {GUARD: Harmless()})
    own = _with_own_store(own, plugins)
    with TemporaryDirectory(prefix="scenario-") if folder is None else nullcontext(folder) as state:
        async with Host(own, Path(state), plugins=plugins, clients="none").running() as host:
            if await host.store.journal.turns(limit=1) or await host.store.memory.list(limit=1):
                message = f"The store {host.store.name} is not empty, and every scenario begins with an empty one."
                remedy = (
                    "Name a folder for --keep that is not there yet, or enable a plugin whose store is in a folder."
                )
                raise ConfigError(message, remedy=remedy, file=str(config.path))
            yield Stage(host, agent)


def find_provider(plugins: Plugins, name: str) -> Registered | None:
    """The provider of this name."""
    return plugins.things[Provider].get(name)


def check_models(plugins: Plugins, models: tuple[str, ...]) -> None:
    """CarrierError if the provider of a model is not there."""
    for model in models:
        provider = model.partition("/")[0]
        if find_provider(plugins, provider) is None:
            there = things_named(plugins.all(Provider))
            raise CarrierError(f"There is no provider {provider}, of the model {model}.", remedy=f"There are: {there}.")


def _alone(config: Config, agent: str, model: str, guards: tuple[str, ...]) -> Config:
    """The configuration with this agent only, with another model where one is given, and with guards that take part."""
    settings = config.settings
    chosen = settings.agents[agent]
    if model:
        former = chosen.models.get("large") or ModelSettings(use=(model,))
        models = {**chosen.models, "large": former.model_copy(update={"use": (model,)})}
        chosen = chosen.model_copy(update={"models": models})
    if chosen.plugins is not None:
        chosen = chosen.model_copy(update={"plugins": (*chosen.plugins, *guards)})
    return config.replaced(settings.model_copy(update={"agents": {agent: chosen}}))


def _with_own_store(config: Config, plugins: Plugins) -> Config:
    """The configuration with a store that lives in the state folder: a store that several daemons share is somebody's."""
    store = choose_store(config, plugins)
    if store.exclusive:
        return config
    there = (entry.thing for entry in plugins.all(Store))
    own = next((each.name for each in there if isinstance(each, Store) and each.exclusive), None)
    if own is None:
        message = f"The store {store.name} is shared, and every scenario begins with an empty store of its own."
        remedy = "Enable a plugin beside it whose store is in the state folder; scenarios use that one."
        raise config.fault(("memory", "store"), message, remedy)
    settings = config.settings
    memory = settings.memory.model_copy(update={"store": own})
    return config.replaced(settings.model_copy(update={"memory": memory}))
