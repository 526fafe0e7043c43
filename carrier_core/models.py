"""Models: what a class of model stands for, for one agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from carrier_core.discovery import Registered
from carrier_core.errors import ConfigError
from carrier_core.plugins import things_named
from carrier_core.things import Provider

if TYPE_CHECKING:
    from carrier_core.sections import AgentSettings, ModelSettings
    from carrier_core.settings import Config

_NO_PROVIDER = "Enable a plugin that brings a model provider in [plugins]."


class Choice(NamedTuple):
    """A model that can be asked, and the registration of the provider that has it."""

    entry: Registered
    provider: Provider
    model: str


class Models:
    """What the classes of model stand for, for one agent."""

    def __init__(self, config: Config, agent: str, providers: tuple[Registered, ...]) -> None:
        self._config = config
        self._agent = agent
        self._settings: AgentSettings = config.settings.agents[agent]
        self._entries = {entry.thing.name: entry for entry in providers if isinstance(entry.thing, Provider)}
        self._chains: dict[str, tuple[Choice, ...]] = {}

    def settings(self, model_class: str) -> ModelSettings | None:
        """What the operator says about a class; where that is nothing, about ``large``."""
        models = self._settings.models
        return next((models[key] for key in (model_class, "large") if key in models), None)

    def chain(self, model_class: str) -> tuple[Choice, ...]:
        """The models of a class, in the order in which they are asked. ConfigError if there is none.

        Without a word in the configuration it is that of the first provider that has what it needs, a last resort last.
        """
        found = self._chains.get(model_class)
        if found is None:
            settings = self.settings(model_class)
            found = self._chains[model_class] = (
                (self._default(model_class),)
                if settings is None
                else tuple(self._named(name, model_class) for name in settings.use)
            )
        return found

    def _named(self, name: str, model_class: str) -> Choice:
        provider, _, model = name.partition("/")
        entry = self._entries.get(provider)
        if entry is None:
            key = model_class if model_class in self._settings.models else "large"
            there = things_named(tuple(self._entries.values()))
            raise self._config.fault(
                ("agents", self._agent, "models", key), f"There is no provider {provider}.", f"There are: {there}."
            )
        return _choice(entry, model, model_class)

    def _default(self, model_class: str) -> Choice:
        choices = [_choice(entry, "", model_class) for entry in self._entries.values()]
        missing = [missing_of(choice.entry) for choice in choices]
        ready = [choice for choice, lacking in zip(choices, missing, strict=True) if not lacking]
        if not ready:
            hints = " ".join(missing)
            raise ConfigError(f"No model provider is ready for the agent {self._agent}.", remedy=hints or _NO_PROVIDER)
        return min(ready, key=lambda choice: choice.provider.last_resort)


def choose_embedder(config: Config, there: Mapping[str, Registered]) -> Registered | None:
    """The embedder that the agents name, else the first there is. ConfigError where they name several: the agents share one
    store, whose vectors are those of one embedder."""
    wanted = {
        name: settings.models["embedding"].use[0]
        for name, settings in config.settings.agents.items()
        if "embedding" in settings.models
    }
    for agent, name in wanted.items():
        path = ("agents", agent, "models", "embedding")
        if name not in there:
            raise config.fault(path, f"There is no embedder {name}.", f"There are: {things_named(there.values())}.")
        if name != next(iter(wanted.values())):
            problem = f"{agent} wants the embedder {name}, another agent another one."
            raise config.fault(path, problem, "Name the same for all agents: they share one store.")
    return there[next(iter(wanted.values()))] if wanted else next(iter(there.values()), None)


def missing_of(entry: Registered) -> str:
    """What keeps a provider from working, as a sentence; empty when it is ready."""
    provider = entry.thing
    assert isinstance(provider, Provider)
    try:
        return provider.missing()
    except Exception as error:
        return f"{entry.plugin} failed in {provider.name}.missing ({type(error).__name__}: {error})."


def _choice(entry: Registered, model: str, model_class: str) -> Choice:
    provider = entry.thing
    assert isinstance(provider, Provider)
    own = provider.models.get(model_class) or provider.models.get("large", "")
    return Choice(entry, provider, model or own)
