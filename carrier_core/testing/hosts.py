"""A real host on a store in memory, with the plugins that a test gives it and no other."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

from carrier_core import Client, Event, Host, Provider, Store, TurnRecord, impl
from carrier_core.plugins import Plugins
from carrier_core.settings import Config, load
from carrier_core.testing.client import FakeClient
from carrier_core.testing.clock import Clock
from carrier_core.testing.provider import EchoProvider
from carrier_core.testing.store import InMemoryStore

KIT = "carrier-testing"
"""The name of the plugin that brings the kit's own store, provider and client."""

AGENT = "robin"

Objects = Iterable[object] | Mapping[str, object]


@dataclass
class HostUnderTest:
    """A host that runs, and what it was made of. ``events`` are those that it told of, in order."""

    host: Host
    client: FakeClient
    store: Store
    provider: Provider
    clock: Clock
    folder: Path
    events: list[Event] = field(default_factory=list)

    async def ask(self, text: str, *, room: str = "main", person: str = "Ana", agent: str = "") -> str:
        """Say something through the fake client and wait until the turn has ended; the text of what came back."""
        return await self.client.ask(room, person, text, agent=agent)

    async def last(self) -> TurnRecord:
        """The record of the latest turn. LookupError if there is none."""
        turns = await self.store.journal.turns(limit=1)
        if not turns:
            raise LookupError("There was no turn yet.")
        return turns[0]

    def told(self, name: str) -> list[Event]:
        """The events of one name."""
        return [event for event in self.events if event.name == name]


class Kit:
    """The kit's own plugin: the store, the provider and the client of a test."""

    def __init__(self, store: Store | None, provider: Provider, client: FakeClient) -> None:
        self._store = store
        self._provider = provider
        self._client = client

    @impl
    def register_stores(self) -> Store | None:
        """The store of the test."""
        return self._store

    @impl
    def register_providers(self) -> Provider:
        """The provider of the test."""
        return self._provider

    @impl
    def register_clients(self) -> Client:
        """The fake client."""
        return self._client


@asynccontextmanager
async def running_host(
    plugins: Objects = (),
    *,
    config: str | Mapping[str, object] = "",
    character: Mapping[str, object] | None = None,
    store: Store | None = None,
    provider: Provider | None = None,
    client: FakeClient | None = None,
    clock: Clock | None = None,
    environ: Mapping[str, str] | None = None,
    folder: Path | None = None,
    clients: str = "daemon",
    strict: bool = True,
) -> AsyncIterator[HostUnderTest]:
    """Run a host for as long as the block.

    ``plugins`` are modules, objects with marked methods, or single marked functions, by name or not; they run in this order
    and need not be installed. ``config`` is TOML or a mapping; without agents in it there is one, ``robin``, whose character
    has the fields of ``character``. A store that a plugin brings is used, else one in memory; any provider that is ready goes
    before the echo. ``folder`` is where the files are, a temporary one without it. ``clients`` is as the host has it. With
    ``strict`` a plugin of ``plugins`` that cannot be loaded is raised; without it, it is left out, as the daemon does.
    """
    if folder is None:
        with TemporaryDirectory() as made:
            async with running_host(
                plugins,
                config=config,
                character=character,
                store=store,
                provider=provider,
                client=client,
                clock=clock,
                environ=environ,
                folder=Path(made),
                clients=clients,
                strict=strict,
            ) as running:
                yield running
        return
    clock = clock or (client.clock if client is not None else Clock())
    client = client or FakeClient(clock=clock)
    provider = provider or EchoProvider()
    objects = named(plugins)
    objects[KIT] = Kit(store or InMemoryStore(), provider, client)
    loaded = load(write_config(folder, config, character or {}), environ or {}, folder)
    found = load_objects(loaded, objects, strict=strict)
    if store is None and len(found.things[Store]) > 1:
        found.things[Store] = {name: entry for name, entry in found.things[Store].items() if entry.plugin != KIT}
    host = Host(loaded, folder / "state", plugins=found, clients=clients, clock=clock, monotonic=clock)
    host.asking.sleep = clock.sleep
    running = HostUnderTest(host, client, host.store, provider, clock, folder)
    host.events.listen(running.events.append)
    async with host.running():
        if clients == "daemon":
            await client.up.wait()
        yield running


def named(plugins: Objects) -> dict[str, object]:
    """Plugin objects by name: of a module its own, with dashes; of an object its class's; of a function the function's."""
    if isinstance(plugins, Mapping):
        return {name: _whole(name, each) for name, each in plugins.items()}
    found: dict[str, object] = {}
    for each in plugins:
        given = getattr(each, "__name__", "") or type(each).__name__
        stem = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+", "-", given.rpartition(".")[2]).strip("-").lower()
        number = 1
        name = stem
        while name in found:
            number += 1
            name = f"{stem}-{number}"
        found[name] = _whole(name, each)
    return found


def _whole(name: str, plugin: object) -> object:
    """A plugin object; a single marked function is put into a module of its own."""
    if isinstance(plugin, type) or not hasattr(plugin, "carrier_impl") or not hasattr(plugin, "__name__"):
        return plugin() if isinstance(plugin, type) else plugin
    module = ModuleType(name)
    setattr(module, plugin.__name__, plugin)
    return module


def write_config(folder: Path, config: str | Mapping[str, object], character: Mapping[str, object]) -> Path:
    """Write a configuration and the characters that it asks for; returns its path.

    An agent that names no character gets one of its own name with the fields of ``character``.
    """
    if isinstance(config, str):
        data: Mapping[str, object] = tomllib.loads(config)
        path, text = folder / "carrier.toml", config
        if "agents" not in data:
            data, text = {**data, "agents": {AGENT: {}}}, f"{config}\n\n[agents.{AGENT}]\n"
    else:
        data = config if "agents" in config else {**config, "agents": {AGENT: {}}}
        path, text = folder / "carrier.json", json.dumps(data, indent=2)
    path.write_text(text, encoding="utf-8")
    characters = folder / "characters"
    characters.mkdir(exist_ok=True)
    agents = data["agents"]
    for name, settings in agents.items() if isinstance(agents, Mapping) else ():
        if not (isinstance(settings, Mapping) and settings.get("character")):
            fields = {"name": name.capitalize(), "system": f"You are {name.capitalize()}.", **character}
            (characters / f"{name}.json").write_text(json.dumps(fields), encoding="utf-8")
    return path


def load_objects(config: Config, objects: Mapping[str, object], *, strict: bool) -> Plugins:
    """Load the plugins of a configuration and these objects. The first fault of the configuration is raised."""
    plugins = Plugins(config, extra=objects)
    plugins.find()
    plugins.load()
    if plugins.faults:
        raise plugins.faults[0]
    for plugin in plugins.found.values():
        wanted = plugin.required or (
            strict and (plugin.name in objects or plugin.name in config.settings.plugins.enabled)
        )
        if plugin.error is not None and wanted:
            raise plugin.error
    return plugins
