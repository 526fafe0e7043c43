"""Plugins: found through entry points and single files, loaded, checked and registered; each failure names its plugin.

pluggy's own loader is not used: there an exception in one ``load`` aborts all, a second plugin of the same name is skipped in
silence, and a plugin that is not enabled would be imported.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib import metadata
from pathlib import Path
from types import ModuleType

import pluggy

from carrier_core import defaults, specs
from carrier_core._version import __version__
from carrier_core.dispatch import PROJECT, Contract
from carrier_core.errors import CarrierError, ConfigError, PluginError
from carrier_core.memory import Store
from carrier_core.settings import Config, PluginSettings, section_of
from carrier_core.things import (
    Action,
    Client,
    Command,
    Context,
    Embedder,
    Evaluator,
    Kind,
    Provider,
    Recaller,
    Thing,
)

GROUP = "carrier"
CORE = "carrier"
"""The name under which the host's own implementations, the default of every step, run."""

SORTS: dict[str, type] = {
    "register_clients": Client,
    "register_providers": Provider,
    "register_embedders": Embedder,
    "register_stores": Store,
    "register_recallers": Recaller,
    "register_actions": Action,
    "register_context": Context,
    "register_evaluators": Evaluator,
    "register_kinds": Kind,
    "register_commands": Command,
}
"""Which hook registers which sort of thing."""


@dataclass(slots=True)
class Plugin:
    """A plugin that was found. ``state`` is off, loaded or failed; ``why`` says why it is not loaded."""

    name: str
    origin: str
    version: str = ""
    state: str = "off"
    why: str = ""
    required: bool = False
    settings: PluginSettings | None = None
    hooks: tuple[str, ...] = ()
    things: tuple[str, ...] = ()
    load: Callable[[], object] | None = None
    requires: str = ""
    module: object = None
    error: CarrierError | None = field(default=None, repr=False)
    fault: ConfigError | None = field(default=None, repr=False)


@dataclass(slots=True)
class Registered:
    """A thing and the plugin that registered it."""

    plugin: str
    thing: object


class Plugins:
    """All plugins of one host, and the things that they registered, by sort and name."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.manager = pluggy.PluginManager(PROJECT)
        self.manager.add_hookspecs(specs)
        self.manager.register(defaults, name=CORE)
        self.contracts: dict[str, Contract] = {}
        self.specs: dict[str, Callable[..., object]] = {}
        self._add_specs(specs)
        self.found: dict[str, Plugin] = {}
        self.things: dict[type, dict[str, Registered]] = {sort: {} for sort in SORTS.values()}
        self.faults: list[ConfigError] = []

    # --- finding ---

    def find(self) -> None:
        """Find what is installed and what lies in the plugin folder, and which of it is enabled; imports nothing."""
        chosen = self.config.settings.plugins
        for plugin in (*_installed(), *_single_files(self.config.plugin_folder)):
            other = self.found.get(plugin.name)
            if other is not None:
                self._duplicate(plugin, other)
                continue
            plugin.required = plugin.name in chosen.required
            single = plugin.version == "file"
            enabled = plugin.name in chosen.enabled or plugin.required or single
            if plugin.name in chosen.disabled:
                plugin.why = "disabled in [plugins]"
            elif not enabled:
                plugin.why = "not in `enabled` of [plugins]"
            elif self._client_off(plugin):
                plugin.why = "its client is disabled"
            else:
                plugin.state = "found"
            self.found[plugin.name] = plugin
        for key in ("enabled", "disabled", "required", "order"):
            for position, name in enumerate(getattr(chosen, key)):
                if name not in self.found:
                    self.faults.append(self._not_installed(key, position, name))

    def _client_off(self, plugin: Plugin) -> bool:
        """Whether ``[clients.NAME] enabled = false`` switches the plugin off whose name ends in that client's."""
        clients = self.config.settings.clients
        return any(
            keys.get("enabled") is False and plugin.name.endswith(f"client-{name}") for name, keys in clients.items()
        )

    def _not_installed(self, key: str, position: int, name: str) -> ConfigError:
        near = get_close_matches(name, self.found, 1)
        remedy = f"Did you mean {near[0]}?" if near else f"Install it (pip install {name}) or take it out of `{key}`."
        return self.config.fault(("plugins", key, position), f"The plugin {name} is not installed.", remedy)

    def _duplicate(self, plugin: Plugin, other: Plugin) -> None:
        message = f"Two plugins are called {plugin.name}: {other.origin} and {plugin.origin}."
        self.faults.append(
            self.config.fault(("plugins",), message, "Uninstall one, or rename the file of the one that is a file.")
        )

    # --- loading ---

    def load(self) -> None:
        """Import, check and register what is enabled. A plugin that fails is left out, with its error."""
        ordered = self._in_order()
        for plugin in ordered:
            self._guarded(plugin, self._import)
        self._claims(ordered)
        for plugin in ordered:
            self._guarded(plugin, self._own_specs)
        for plugin in reversed(ordered):  # pluggy calls last registered first
            self._guarded(plugin, self._register)
        self._gather_things(ordered)
        for plugin in ordered:
            if plugin.state == "found":
                plugin.state = "loaded"

    def _in_order(self) -> list[Plugin]:
        chosen = self.config.settings.plugins
        names = dict.fromkeys((*chosen.order, *chosen.enabled, *chosen.required, *sorted(self.found)))
        return [plugin for name in names if (plugin := self.found.get(name)) and plugin.state == "found"]

    def _guarded(self, plugin: Plugin, act: Callable[[Plugin], None]) -> None:
        if plugin.state == "failed":
            return
        try:
            act(plugin)
        except CarrierError as error:
            self._fail(plugin, error)
        except (Exception, SystemExit) as error:
            self._fail(plugin, _loading_error(plugin, error))

    def _fail(self, plugin: Plugin, error: CarrierError) -> None:
        if plugin.module is not None and self.manager.is_registered(plugin.module):
            self.manager.unregister(plugin.module)
        for registered in self.things.values():
            for name in [name for name, entry in registered.items() if entry.plugin == plugin.name]:
                del registered[name]
        plugin.state, plugin.error, plugin.why = "failed", error, error.message
        if isinstance(error, ConfigError):
            self.faults.append(error)
        else:
            plugin.fault = self._fault_of(plugin, error)

    def _fault_of(self, plugin: Plugin, error: CarrierError) -> ConfigError:
        """The error on the line that enables the plugin, or in its file where it is a single one."""
        if plugin.version == "file":
            return ConfigError(
                error.message, remedy=error.remedy, file=plugin.origin, line=_line_in(error, plugin.origin)
            )
        chosen = self.config.settings.plugins
        key = "enabled" if plugin.name in chosen.enabled else "required"
        listed: Sequence[str] = getattr(chosen, key)
        path = ("plugins", key, listed.index(plugin.name)) if plugin.name in listed else ("plugins",)
        return self.config.fault(path, error.message, error.remedy)

    def _import(self, plugin: Plugin) -> None:
        _check_version(plugin)
        if plugin.load is not None:
            plugin.module = plugin.load()
        cls = getattr(plugin.module, "Settings", None)
        if cls is None:
            return
        if not (isinstance(cls, type) and issubclass(cls, PluginSettings)):
            raise PluginError(
                f"{plugin.name}: `Settings` is not a subclass of carrier_core.PluginSettings.",
                plugin=plugin.name,
                remedy="Subclass it, or call the class something else.",
            )
        faults = self.config.plugin_faults(plugin.name, cls)
        if faults:
            self.faults.extend(faults[1:])
            raise faults[0]
        plugin.settings = self.config.plugin(plugin.name, cls)

    def _claims(self, ordered: Iterable[Plugin]) -> None:
        classes = {plugin.name: type(plugin.settings) for plugin in ordered if plugin.settings is not None}
        self.faults.extend(self.config.claim_faults(classes))
        sections = [section_of(name, cls) for name, cls in classes.items()]
        off = [name for name, plugin in self.found.items() if plugin.state != "found"]
        self.faults.extend(self.config.unknown_sections(sections, off))

    def take_secrets(self) -> None:
        """Take the enabled plugins' secrets out of the environment that child processes see."""
        for plugin in self.found.values():
            if plugin.settings is not None:
                for name in self.config.secret_names(type(plugin.settings), plugin.name):
                    os.environ.pop(name, None)

    def _own_specs(self, plugin: Plugin) -> None:
        """Add the hooks that a plugin lets others implement: functions marked with ``step`` under its own name."""
        home = getattr(plugin.module, "__name__", type(plugin.module).__module__)
        marked = [name for name, spec in _marked(plugin.module, "carrier_contract") if spec.__module__ == home]
        prefix = plugin.name.removeprefix("carrier-").replace("-", "_") + "_"
        for name in marked:
            if not name.startswith(prefix):
                raise PluginError(
                    f"{plugin.name} specifies the hook {name}.",
                    plugin=plugin.name,
                    remedy=f"Hooks of a plugin begin with its own name: {prefix}{name}.",
                )
        if marked:
            self.manager.add_hookspecs(plugin.module)  # type: ignore[arg-type]
            self._add_specs(plugin.module)

    def _add_specs(self, module: object) -> None:
        for name, function in _marked(module, "carrier_contract"):
            self.contracts[name] = function.carrier_contract  # type: ignore[attr-defined]
            self.specs[name] = function

    def _register(self, plugin: Plugin) -> None:
        hooks = []
        for name, function in _marked(plugin.module, f"{PROJECT}_impl"):
            hook = getattr(function, f"{PROJECT}_impl")["specname"] or name
            self._check(plugin, hook, function)
            hooks.append(hook)
        if not hooks:
            raise PluginError(
                f"{plugin.name} implements no hook.",
                plugin=plugin.name,
                remedy="Mark a function that is named like a hook with @impl from carrier_core.",
            )
        try:
            self.manager.register(plugin.module, name=plugin.name)
        except (pluggy.PluginValidationError, ValueError) as error:
            raise PluginError(str(error), plugin=plugin.name) from error
        plugin.hooks = tuple(sorted(hooks))

    def _check(self, plugin: Plugin, hook: str, function: Callable[..., object]) -> None:
        """Refuse what could only fail later: an unknown hook, an argument that is never passed, sync for async."""

        def refuse(problem: str, remedy: str) -> PluginError:
            return PluginError(f"{plugin.name}, hook {hook}: {problem}.", plugin=plugin.name, hook=hook, remedy=remedy)

        spec = self.specs.get(hook)
        if spec is None:
            near = get_close_matches(hook, self.specs, 1)
            hint = f"Did you mean {near[0]}?" if near else "See docs/hooks.md for the hooks there are."
            raise refuse("there is no such hook", hint)
        options = getattr(function, f"{PROJECT}_impl")
        if options["wrapper"] or options["hookwrapper"]:
            raise refuse("pluggy's wrappers cannot await", "Implement around_step or around_turn instead.")
        if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
            raise refuse("it is a generator", "Return the answer instead of yielding it.")
        wanted = inspect.iscoroutinefunction(spec)
        if inspect.iscoroutinefunction(function) != wanted:
            raise refuse(
                f"it is {'not ' if wanted else ''}async",
                f"Write `{'async def' if wanted else 'def'} {function.__name__}`.",
            )
        known = list(inspect.signature(spec).parameters)
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.KEYWORD_ONLY):
                raise refuse(f"the parameter {parameter} is never passed", f"It may take: {', '.join(known)}.")
            if parameter.default is not parameter.empty:
                raise refuse(f"{parameter.name} has a default, so it is never passed", "Take the default away.")
            if parameter.name not in known:
                raise refuse(f"there is no argument {parameter.name}", f"It may take: {', '.join(known)}.")

    # --- things ---

    def _gather_things(self, ordered: Iterable[Plugin]) -> None:
        for plugin in (Plugin(CORE, "carrier_core", __version__, module=defaults, state="found"), *ordered):
            self._guarded(plugin, self._things_of)

    def _things_of(self, plugin: Plugin) -> None:
        names = []
        for hook, sort in SORTS.items():
            for registrar in self.manager.subset_hook_caller(hook, []).get_hookimpls():
                if registrar.plugin_name != plugin.name:
                    continue
                args = [plugin.settings] * len(registrar.argnames)
                for thing in _listed(registrar.function(*args)):
                    names.append(self._add(plugin, hook, sort, thing))
        plugin.things = tuple(names)

    def _add(self, plugin: Plugin, hook: str, sort: type, thing: object) -> str:
        def refuse(problem: str, remedy: str = "") -> PluginError:
            return PluginError(f"{plugin.name}, {hook}: {problem}.", plugin=plugin.name, hook=hook, remedy=remedy)

        if not isinstance(thing, sort):
            raise refuse(
                f"it returned {type(thing).__name__}, expected {sort.__name__}",
                f"Subclass carrier_core.{sort.__name__}.",
            )
        name = getattr(thing, "name", "")
        if not isinstance(name, str) or not name:
            raise refuse(f"a {sort.__name__.lower()} has no name", "Set the class attribute `name`.")
        _check_methods(thing, sort, refuse)
        other = self.things[sort].get(name)
        if other is not None:
            raise refuse(
                f"there is a {sort.__name__.lower()} {name} already, from {other.plugin}",
                "Disable one of the two plugins in [plugins].",
            )
        self.things[sort][name] = Registered(plugin.name, thing)
        return f"{sort.__name__.lower()} {name}"

    def all(self, sort: type) -> tuple[Registered, ...]:
        """The things of one sort, in the order of their plugins."""
        return tuple(self.things[sort].values())


def _installed() -> Iterator[Plugin]:
    """The entry points of the group, in the order of their names; none is imported."""
    for point in sorted(metadata.entry_points(group=GROUP), key=lambda point: point.name):
        distribution = point.dist
        requires = ""
        if distribution is not None:
            requires = next((line for line in distribution.requires or () if line.startswith("carrier-core")), "")
        yield Plugin(
            point.name,
            distribution.name if distribution is not None else point.value,
            distribution.version if distribution is not None else "",
            load=point.load,
            requires=requires,
        )


def _single_files(folder: Path) -> Iterator[Plugin]:
    if folder.is_dir():
        for path in sorted(folder.glob("*.py")):
            if not path.name.startswith("_"):
                yield Plugin(path.stem, str(path), "file", load=lambda path=path: _load_file(path))  # type: ignore[misc]


def _load_file(path: Path) -> ModuleType:
    name = f"carrier_single_file_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigError(
            "It cannot be read as Python.", file=str(path), remedy="Give the file a name that ends in .py."
        )
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where pydantic looks for the names in a Settings class's annotations
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _marked(module: object, mark: str) -> Iterator[tuple[str, Callable[..., object]]]:
    for name in dir(module):
        if not name.startswith("__"):
            value = getattr(module, name, None)
            if callable(value) and hasattr(value, mark) and not isinstance(value, type):
                yield name, value


def _listed(things: object) -> Sequence[object]:
    if things is None:
        return ()
    return things if isinstance(things, (list, tuple)) else (things,)


def _check_methods(thing: object, sort: type, refuse: Callable[[str, str], PluginError]) -> None:
    """Each method that the contract has as ``async`` must be so in the thing, and the other way round."""
    for name, declared in inspect.getmembers(sort, inspect.isfunction):
        own = getattr(type(thing), name, None)
        if name.startswith("_") or own is None or own is declared:
            continue
        wanted = inspect.iscoroutinefunction(declared)
        if inspect.iscoroutinefunction(inspect.unwrap(own)) != wanted:
            raise refuse(
                f"{type(thing).__name__}.{name} is {'not ' if wanted else ''}async",
                f"Write `{'async def' if wanted else 'def'} {name}`.",
            )


def _check_version(plugin: Plugin) -> None:
    """Refuse a plugin that was made for another version of the core, before it is imported."""
    if not plugin.requires:
        return
    from packaging.requirements import Requirement

    wanted = Requirement(plugin.requires.partition(";")[0])
    if not wanted.specifier.contains(__version__, prereleases=True):
        raise PluginError(
            f"{plugin.name} {plugin.version} needs carrier-core{wanted.specifier}; this is {__version__}.",
            plugin=plugin.name,
            remedy=f"Upgrade whichever is older: pip install --upgrade {plugin.name} carrier-core.",
        )


def _loading_error(plugin: Plugin, error: BaseException) -> PluginError:
    if isinstance(error, ModuleNotFoundError):
        problem = f"it needs the module {error.name}, which is not installed"
        remedy = f"Install it: pip install {(error.name or '').partition('.')[0]}, or reinstall {plugin.name}."
    elif isinstance(error, SyntaxError):
        problem = f"line {error.lineno} is not Python: {error.msg}"
        remedy = "Correct that line, or disable the plugin."
    else:
        problem = f"it raised {type(error).__name__}: {error}"
        remedy = f"Report it to the author of {plugin.name}, or put it into `disabled` of [plugins]."
    failed = PluginError(f"{plugin.name} cannot be loaded: {problem}.", plugin=plugin.name, remedy=remedy)
    failed.__cause__ = error
    return failed


def _line_in(error: CarrierError, file: str) -> int:
    """The line of a single-file plugin where the error came up; 1 where it is the file as a whole."""
    cause = error.__cause__
    if isinstance(cause, SyntaxError) and cause.filename == file and cause.lineno:
        return cause.lineno
    trace = cause.__traceback__ if cause is not None else None
    line = 1
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def things_named(things: Iterable[Registered]) -> str:
    """Their names, for a message."""
    return ", ".join(sorted(str(getattr(entry.thing, "name", "")) for entry in things)) or "none"


__all__ = ["CORE", "GROUP", "SORTS", "Plugin", "Plugins", "Registered", "Thing", "things_named"]
