"""The compiled table: for one agent and one client, which implementations each hook has. What nobody implements costs nothing."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from carrier_core.breaker import Quarantine
from carrier_core.contract import CORE, Accepts, Caller, Contract, Impl, Verb, accepts_of, contract_of
from carrier_core.discovery import Registered
from carrier_core.prompts import State
from carrier_core.things import Action, Context

if TYPE_CHECKING:
    from carrier_core.plugins import Plugins

P = ParamSpec("P")
R = TypeVar("R")


class Table:
    """``plugins`` narrows it to those named (None: all); things limited to other clients than ``client`` are left out."""

    def __init__(
        self,
        plugins: Plugins,
        quarantine: Quarantine,
        *,
        only: Iterable[str] | None = None,
        client: str = "",
        kind: str = "",
        generation: int = 1,
    ) -> None:
        self.generation = generation
        self._plugins = plugins
        self._quarantine = quarantine
        self._only = None if only is None else {CORE, *only}
        self._client = client
        self._kind = kind
        self._guards = set(plugins.config.settings.policy.guards)
        self._callers: dict[str, Caller[..., Any]] = {name: self._compile(name) for name in plugins.contracts}
        self.observed = {
            name: caller for name, caller in self._callers.items() if plugins.contracts[name].verb is Verb.OBSERVE
        }
        self._things: dict[type, tuple[Registered, ...]] = {}
        self._actions: tuple[tuple[Registered, bool], ...] | None = None
        self._methods: dict[tuple[int, str], Caller[..., Any]] = {}

    def caller(self, spec: Callable[P, Awaitable[R | None]]) -> Caller[P, R]:
        """The implementations of a hook."""
        return cast("Caller[P, R]", self._callers[spec.__name__])

    def has(self, spec: Callable[..., object], *, beside: str = "") -> bool:
        """Whether somebody implements a hook, ``beside`` this plugin."""
        return any(impl.plugin != beside for impl in self._callers[spec.__name__].impls)

    def things(self, sort: type) -> tuple[Registered, ...]:
        """The things of one sort that take part, in order."""
        found = self._things.get(sort)
        if found is None:
            found = self._things[sort] = tuple(entry for entry in self._plugins.all(sort) if self._takes_part(entry))
        return found

    @property
    def actions(self) -> tuple[tuple[Registered, bool], ...]:
        """The actions, each with whether it has to be asked in every turn if it can be used."""
        if self._actions is None:
            entries = [(entry, entry.thing) for entry in self.things(Action)]
            self._actions = tuple(
                [
                    (entry, type(thing).validate is not Action.validate)
                    for entry, thing in entries
                    if isinstance(thing, Action)
                ]
            )
        return self._actions

    def thing(self, sort: type, name: str) -> Registered | None:
        """The thing of one sort with this name, if it takes part."""
        return next((entry for entry in self.things(sort) if getattr(entry.thing, "name", "") == name), None)

    def method(self, entry: Registered, method: Callable[..., Awaitable[object]]) -> Caller[..., Any]:
        """One method of one thing, called through dispatch under its plugin's name."""
        key = (id(entry.thing), method.__name__)
        found = self._methods.get(key)
        if found is None:
            impl, contract, accepts = self._bind(entry, method)
            found = Caller(impl.hook, contract, accepts, (impl,))
            if entry.plugin != CORE:  # what the host makes itself comes and goes: a chat with the daemon, say
                self._methods[key] = found
        return found

    def methods(self, sort: type, method: Callable[..., Awaitable[object]]) -> Caller[..., Any]:
        """One method of all things of a sort, to be called together; those that have to be asked for are left out."""
        key = (id(sort), method.__name__)
        found = self._methods.get(key)
        if found is None:
            entries = [entry for entry in self.things(sort) if not getattr(entry.thing, "dynamic", False)]
            bound = [self._bind(entry, method) for entry in entries]
            impls = tuple(impl for impl, _, _ in bound)
            found = self._methods[key] = Caller(method.__qualname__, contract_of(method), accepts_of(method), impls)
        return found

    def _bind(self, entry: Registered, method: Callable[..., Awaitable[object]]) -> tuple[Impl, Contract, Accepts]:
        hook = f"{getattr(entry.thing, 'name', '')}.{method.__name__}"
        function = getattr(entry.thing, method.__name__)
        breaker = self._quarantine.breaker(entry.plugin, hook)
        contract = contract_of(method)
        if isinstance(entry.thing, Action) and method.__name__ == "perform" and entry.thing.seconds is not None:
            contract = contract._replace(budget=entry.thing.seconds)
        if isinstance(entry.thing, Context) and entry.thing.size is not None:
            function = _within(function, entry.thing.size)
        return Impl(entry.plugin, hook, function, breaker), contract, accepts_of(method)

    def _takes_part(self, entry: Registered) -> bool:
        clients = getattr(entry.thing, "clients", None)
        if clients is not None and self._client not in clients:
            return False
        kinds = getattr(entry.thing, "kinds", None)
        if kinds is not None and self._kind not in kinds:
            return False
        return self._only is None or entry.plugin in self._only

    def _compile(self, hook: str) -> Caller[..., Any]:
        spec = self._plugins.specs[hook]
        names = tuple(spec.__code__.co_varnames[: spec.__code__.co_argcount])
        impls = []
        for found in self._plugins.implementations(hook):
            if self._only is not None and found.plugin_name not in self._only:
                continue
            picks = tuple(names.index(name) for name in found.argnames)
            guard = getattr(found.function, "carrier_guard", False) or f"{found.plugin_name}:{hook}" in self._guards
            impls.append(
                Impl(
                    found.plugin_name,
                    hook,
                    found.function,
                    self._quarantine.breaker(found.plugin_name, hook),
                    picks=None if picks == tuple(range(len(names))) else picks,
                    guard=guard,
                )
            )
        return Caller(hook, self._plugins.contracts[hook], accepts_of(spec), impls)


def _within(provide: Callable[..., Awaitable[object]], size: int) -> Callable[..., Awaitable[object]]:
    """What a context brings, as far as it may."""

    async def bounded(*args: object) -> object:
        state = await provide(*args)
        return state.within(size) if isinstance(state, State) else state

    return bounded
