"""What ``carrierd check`` checks beyond the configuration's own form: plugins, characters, and the names that refer to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from difflib import get_close_matches

from carrier_core.budgets import unpriced
from carrier_core.character import Loaded
from carrier_core.characterfile import load_character
from carrier_core.clients import LOCAL
from carrier_core.errors import CarrierError, ConfigError
from carrier_core.keylines import KeyPath
from carrier_core.models import Models, choose_embedder, missing_of
from carrier_core.plugins import Plugins, choose_store
from carrier_core.prices import Prices
from carrier_core.sections import Between, PolicyRule, UseLimit
from carrier_core.settings import Config
from carrier_core.things import Action, Client, Embedder, Kind, Provider
from carrier_core.windows import Windows


def examine(config: Config, plugins: Plugins | None = None) -> tuple[list[ConfigError], list[str]]:
    """All faults, the main file's first, by line; and what is no fault but worth knowing.

    Where the configuration's form has faults these are all, because nothing can be loaded then. ``plugins`` are those
    of this configuration where they have been loaded already.
    """
    if config.faults:
        return list(config.faults), []
    if plugins is None:
        plugins = Plugins(config)
        plugins.find()
        plugins.load()
    return _Examination(config, plugins).run()


_ID = re.compile(r"[0-9a-f]{32}")


def _is_pattern(name: str) -> bool:
    return bool(set(name) & set("*?["))


def _properties(action: Action) -> Iterable[str]:
    found = action.parameters.get("properties")
    return found if isinstance(found, dict) else ()


_SLIP = 0.8  # how alike two names have to be for one to be a misspelt other


class _Examination:
    def __init__(self, config: Config, plugins: Plugins) -> None:
        self._config = config
        self._settings = config.settings
        self._plugins = plugins
        self._known_prices = Prices(config.settings.models)
        self._faults: list[ConfigError] = []
        self._notes: list[str] = []

    def run(self) -> tuple[list[ConfigError], list[str]]:
        found = self._plugins.found.values()
        self._failed = [plugin.name for plugin in found if plugin.state == "failed"]
        self._faults += self._plugins.faults
        self._faults += [plugin.fault for plugin in found if plugin.fault is not None]
        self._faults += self._names()
        for name in self._settings.agents:
            self._faults += self._agent(name)
        if not self._failed:  # it may be what was to bring them
            self._try(lambda: choose_store(self._config, self._plugins))
            self._try(lambda: choose_embedder(self._config, self._plugins.things[Embedder]))
        main = str(self._config.path)
        unique = {(fault.file, fault.line, fault.message): fault for fault in self._faults}.values()
        ranked = sorted(unique, key=lambda fault: (fault.file != main, fault.file or "", fault.line or 0))
        return ranked, self._notes

    def _try(self, act: Callable[[], object]) -> None:
        try:
            act()
        except ConfigError as error:
            self._faults.append(error)
        except CarrierError as error:
            self._faults.append(ConfigError(error.message, remedy=error.remedy))

    def _names(self) -> Iterator[ConfigError]:
        """Names of hooks, plugins and actions that the sections refer to and that are not there."""
        plugins, policy = self._plugins, self._settings.policy
        for hook in self._settings.limits.budgets:
            yield from self._known(("limits", "budgets", hook), "hook", hook, plugins.specs)
        for position, guard in enumerate(policy.guards):
            yield from self._guard(("policy", "guards", position), *guard.split(":", 1))
        for position, plugin in enumerate(policy.trusted):
            yield from self._known(("policy", "trusted", position), "plugin", plugin, plugins.found)
        for position, action in enumerate(policy.allow):
            yield from self._action(("policy", "allow", position), action)
        for position, rule in enumerate(policy.rules):
            yield from self._rule(("policy", "rules", position), rule)
            if position + 1 < len(policy.rules) and not rule.model_fields_set - {"ruling", "reason", "approver"}:
                self._notes.append("[[policy.rules]]: a rule fits every call, so those behind it are never looked at.")
        for position, use in enumerate(policy.limits):
            yield from self._names_in(("policy", "limits", position), use)
        for provider in self._settings.limits.providers:
            yield from self._known(("limits", "providers", provider), "provider", provider, self._services())
        for model in self._settings.models:
            yield from self._model(("models", model), *model.partition("/")[::2])
        for position, budget in enumerate(self._settings.budgets):
            for place, agent in enumerate(budget.agents or ()):
                yield from self._known(("budgets", position, "agents", place), "agent", agent, self._settings.agents)
        try:
            Windows(self._settings.limits.zone)
        except ConfigError as error:
            yield self._config.fault(("limits", "zone"), error.message, error.remedy)

    def _model(self, path: KeyPath, provider: str, model: str) -> Iterator[ConfigError]:
        if model:
            yield from self._known(path, "provider", provider, self._services())
        else:
            problem = f'"{provider}" names no model, so nothing is known by it.'
            yield self._config.fault(path, problem, f'Write [models."{provider}/MODEL"].')

    def _services(self) -> set[str]:
        """The names of providers, those of embedders included."""
        things = self._plugins.things
        return {*things[Provider], *[name.partition("/")[0] for name in things[Embedder]]}

    def _action(self, path: KeyPath, action: str) -> Iterator[ConfigError]:
        """An action that is not there may be one that a plugin offers while it runs; unless it looks like a slip of the pen."""
        there = self._plugins.things[Action]
        if action in there or _is_pattern(action):
            return
        if get_close_matches(action, there, 1, _SLIP):
            yield from self._known(path, "action", action, there)
        else:
            what = ".".join(str(key) for key in path if isinstance(key, str))
            self._notes.append(
                f"{what} names the action {action}: no plugin brings it, unless one offers it as it runs."
            )

    def _rule(self, path: KeyPath, rule: PolicyRule) -> Iterator[ConfigError]:
        """What keeps a rule from ever fitting, or from being what it looks like."""
        yield from self._names_in(path, rule)
        for key, names in (("person", rule.person), ("room", rule.room)):
            yield from self._places((*path, key), names or ())
        for client in rule.client or ():
            if not _is_pattern(client) and client != LOCAL:
                yield from self._known((*path, "client"), "client", client, self._plugins.things[Client])
        for argument, wanted in rule.arguments.items():
            least, most = (wanted.min, wanted.max) if isinstance(wanted, Between) else (None, None)
            if least is not None and most is not None and least > most:
                problem = f"{argument}: no number is at least {least:g} and at most {most:g}."
                yield self._config.fault((*path, "arguments"), problem, "Write the lesser one as `min`.")
        entries = [self._plugins.things[Action].get(name) for name in rule.action or ()]
        known = [entry.thing for entry in entries if entry is not None and isinstance(entry.thing, Action)]
        if known and len(known) == len(entries):
            named = {name for action in known for name in _properties(action)}
            for argument in rule.arguments:
                yield from self._known((*path, "arguments", argument), "argument", argument.partition(".")[0], named)
        if rule.ruling == "deny" and rule.approver is not None:
            problem = "Nobody can approve what a rule denies, so `approver` says nothing."
            yield self._config.fault((*path, "approver"), problem, 'Write ruling = "ask", or take it out.')

    def _names_in(self, path: KeyPath, entry: PolicyRule | UseLimit) -> Iterator[ConfigError]:
        for action in entry.action or ():
            yield from self._action((*path, "action"), action)
        for agent in entry.agent or ():
            if not _is_pattern(agent):
                yield from self._known((*path, "agent"), "agent", agent, self._settings.agents)

    def _places(self, path: KeyPath, names: Iterable[str]) -> Iterator[ConfigError]:
        """People and rooms are named by what does not change."""
        for name in names:
            if not (_is_pattern(name) or ":" in name or _ID.fullmatch(name)):
                problem = f'"{name}" is no id: it fits nobody, whatever they call themselves.'
                remedy = 'Write "platform:ID", with the platform\'s own id; that of the command line is `local`: "local:ana".'
                yield self._config.fault(path, problem, remedy)

    def _guard(self, path: KeyPath, plugin: str, hook: str) -> Iterator[ConfigError]:
        found = self._plugins.found.get(plugin)
        if found is None:
            yield from self._known(path, "plugin", plugin, self._plugins.found)
        elif found.state == "off":
            problem = f"The plugin {plugin} does not run ({found.why}), so it guards nothing."
            yield self._config.fault(path, problem, "Enable it, or take the guard out.")
        elif found.state == "loaded" and hook not in found.hooks:
            there = ", ".join(found.hooks)
            yield self._config.fault(path, f"{plugin} does not implement the hook {hook}.", f"It implements: {there}.")

    def _agent(self, name: str) -> Iterator[ConfigError]:
        agent, plugins = self._settings.agents[name], self._plugins
        path: KeyPath = ("agents", name)
        self._try(lambda: self._character(load_character(self._config.character_path(name))))
        yield from self._known((*path, "kind"), "kind of agent", agent.kind, plugins.things[Kind])
        for role, people in agent.roles.items():
            yield from self._places((*path, "roles", role), people)
        for position, client in enumerate(agent.clients or ()):
            if client not in self._clients_off():
                yield from self._known((*path, "clients", position), "client", client, plugins.things[Client])
        for position, plugin in enumerate(agent.plugins or ()):
            yield from self._known((*path, "plugins", position), "plugin", plugin, plugins.found)
            found = plugins.found.get(plugin)
            if found is not None and found.state == "off":
                self._notes.append(f"[agents.{name}] names the plugin {plugin}, which does not run: {found.why}.")
        for key, model in agent.models.items():
            sort, what = (Embedder, "embedder") if key == "embedding" else (Provider, "provider")
            for each in model.use:
                named = each if sort is Embedder else each.partition("/")[0]
                yield from self._known((*path, "models", key), what, named, plugins.things[sort])
        yield from self._providers(name)
        yield from self._prices(name)

    def _providers(self, agent: str) -> Iterator[ConfigError]:
        """Whether a provider can answer: the one that the agent names, which is only noted, or else any."""
        missing = {name: missing_of(entry) for name, entry in self._plugins.things[Provider].items()}
        models = self._settings.agents[agent].models
        named = dict.fromkeys(each.partition("/")[0] for model in models.values() for each in model.use)
        self._notes += [
            f"[agents.{agent}] uses the provider {each}: {why}" for each in named if (why := missing.get(each))
        ]
        if "large" not in models and not self._failed and all(missing.values()):
            remedy = " ".join(missing.values()) or "Enable a plugin that brings one in [plugins]."
            yield self._config.fault(("agents", agent), f"No model provider is ready for the agent {agent}.", remedy)

    def _prices(self, agent: str) -> Iterator[ConfigError]:
        """Models whose price nobody knows, where a budget in dollars would refuse to call them."""
        bounded = [each for each in self._settings.budgets if each.agents is None or agent in each.agents]
        if all(each.usd is None for each in bounded):
            return
        models = Models(self._config, agent, tuple(self._plugins.things[Provider].values()))
        for key in dict.fromkeys(("large", *self._settings.agents[agent].models)):
            path = ("agents", agent, "models", key) if key in self._settings.agents[agent].models else ("agents", agent)
            try:
                chain = models.chain(key) if key != "embedding" else ()
            except ConfigError:  # which is told elsewhere
                continue
            for choice in chain:
                if not self._known_prices.knows(choice.provider, choice.model):
                    error = unpriced(choice.provider.name, choice.model)
                    yield self._config.fault(path, error.message, error.remedy)

    def _character(self, loaded: Loaded) -> None:
        self._notes += [f"{loaded.path}:{note.line or 1}: {note.field}: {note.reason}." for note in loaded.notes]

    def _clients_off(self) -> list[str]:
        return [name for name, keys in self._settings.clients.items() if keys.get("enabled") is False]

    def _known(self, path: KeyPath, what: str, name: str, there: Iterable[str]) -> Iterator[ConfigError]:
        if name in there:
            return
        near = get_close_matches(name, there, 1)
        remedy = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(sorted(there)) or 'none'}."
        if self._failed and what not in ("plugin", "hook"):
            remedy += f" It may be what {' or '.join(self._failed)} brings, which cannot be loaded."
        yield self._config.fault(path, f"There is no {what} {name}.", remedy)
