"""What ``carrierd check`` checks beyond the configuration's own form: plugins, characters, and the names that refer to them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from carrier_core.characterfile import load_character
from carrier_core.errors import CarrierError, ConfigError
from carrier_core.host import choose_store
from carrier_core.keylines import KeyPath
from carrier_core.plugins import Plugins
from carrier_core.settings import Config
from carrier_core.things import Action, Client, Kind, Provider


def faults_of(config: Config) -> list[ConfigError]:
    """All faults, those of the configuration's form alone if it has any, because nothing can be loaded then."""
    if config.faults:
        return list(config.faults)
    plugins = Plugins(config)
    plugins.find()
    plugins.load()
    faults = list(plugins.faults)
    faults += [plugin.fault for plugin in plugins.found.values() if plugin.fault is not None]
    faults += _names(config, plugins)
    for name in config.settings.agents:
        faults += _agent(config, plugins, name)
    if not faults:
        faults += _raised(lambda: choose_store(config, plugins))
    unique = {(fault.where, fault.message): fault for fault in faults}
    return sorted(unique.values(), key=lambda fault: (fault.file or "", fault.line or 0))


def notes_of(config: Config) -> list[str]:
    """What is no fault but worth knowing: fields of characters that have no meaning here."""
    notes = []
    for name in config.settings.agents:
        loaded = load_character(config.character_path(name))
        notes += [f"{loaded.path}:{note.line or 1}: {note.field}: {note.reason}." for note in loaded.notes]
    return notes


def _raised(act: object) -> list[ConfigError]:
    try:
        act()  # type: ignore[operator]
    except ConfigError as error:
        return [error]
    except CarrierError as error:
        return [ConfigError(error.message, remedy=error.remedy)]
    return []


def _names(config: Config, plugins: Plugins) -> Iterator[ConfigError]:
    """Names of hooks, plugins and actions that the sections refer to and that are not there."""
    settings = config.settings
    for hook in settings.limits.budgets:
        yield from _known(config, ("limits", "budgets", hook), "hook", hook, plugins.specs)
    for position, guard in enumerate(settings.policy.guards):
        plugin, _, hook = guard.partition(":")
        path: KeyPath = ("policy", "guards", position)
        if not any(_known(config, path, "plugin", plugin, plugins.found)):
            implemented = plugins.found[plugin].hooks
            if hook not in implemented:
                there = ", ".join(implemented) or "none"
                yield config.fault(path, f"{plugin} does not implement the hook {hook}.", f"It implements: {there}.")
        else:
            yield from _known(config, path, "plugin", plugin, plugins.found)
    for position, plugin in enumerate(settings.policy.trusted):
        yield from _known(config, ("policy", "trusted", position), "plugin", plugin, plugins.found)
    for position, action in enumerate(settings.policy.allow):
        yield from _known(config, ("policy", "allow", position), "action", action, plugins.things[Action])


def _agent(config: Config, plugins: Plugins, name: str) -> Iterator[ConfigError]:
    agent = config.settings.agents[name]
    path: KeyPath = ("agents", name)
    yield from _raised(lambda: load_character(config.character_path(name)))
    yield from _known(config, (*path, "kind"), "kind of agent", agent.kind, plugins.things[Kind])
    for position, client in enumerate(agent.clients or ()):
        yield from _known(config, (*path, "clients", position), "client", client, plugins.things[Client])
    for position, plugin in enumerate(agent.plugins or ()):
        yield from _known(config, (*path, "plugins", position), "plugin", plugin, plugins.found)
    for key, model in agent.models.items():
        provider = model.partition("/")[0]
        yield from _known(config, (*path, "models", key), "provider", provider, plugins.things[Provider])


def _known(config: Config, path: KeyPath, what: str, name: str, there: Iterable[str]) -> Iterator[ConfigError]:
    if name in there:
        return
    near = get_close_matches(name, there, 1)
    remedy = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(sorted(there)) or 'none'}."
    yield config.fault(path, f"There is no {what} {name}.", remedy)
