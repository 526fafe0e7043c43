"""Plugins: loaded, checked and registered in the configuration's order; each failure names its plugin.

pluggy's own loader is not used: there an exception in one ``load`` aborts all, a second plugin of the same name is skipped in
silence, and a plugin that is not enabled would be imported.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from types import ModuleType

import pluggy

from carrier_core import defaults, specs
from carrier_core._version import __version__
from carrier_core.configfile import is_folder
from carrier_core.contract import CORE, PROJECT, Contract, contract_of
from carrier_core.discovery import (
    GROUP,
    Plugin,
    Registered,
    check_version,
    installed,
    line_in,
    loading_error,
    single_files,
)
from carrier_core.errors import CarrierError, ConfigError, PluginError
from carrier_core.memory import Store
from carrier_core.sections import PLUGIN_NAME
from carrier_core.settings import Config, PluginSettings, section_of
from carrier_core.signatures import Misfit, check_hook, check_spec, check_thing
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
)

__all__ = ["CORE", "GROUP", "SORTS", "Plugin", "Plugins", "Registered", "choose_store", "load_plugins", "things_named"]

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

_OFFERED = "offered action "
_DISABLE_ONE = "Disable one of the two plugins in [plugins]."


class Plugins:
    """All plugins of one host, and the things that they registered, by sort and name.

    ``extra`` are plugin objects by name that need not be installed: they are enabled, unless the configuration disables
    them, go in their own order, and take the place of what is installed under their names.
    """

    def __init__(self, config: Config, *, extra: Mapping[str, object] | None = None) -> None:
        self._extra = dict(extra or {})
        self.config = config
        self.manager = pluggy.PluginManager(PROJECT)
        self.manager.add_hookspecs(specs)
        self.manager.register(defaults, name=CORE)
        self.contracts: dict[str, Contract] = {}
        self.specs: dict[str, Callable[..., object]] = {}
        self._spec_owners: dict[str, str] = {}
        self._add_specs(CORE, _marked(specs, "carrier_contract"))
        self.found: dict[str, Plugin] = {}
        self.things: dict[type, dict[str, Registered]] = {sort: {} for sort in SORTS.values()}
        self.faults: list[ConfigError] = []
        self._ranks: dict[str, int] = {}

    # --- finding ---

    def find(self) -> None:
        """Find what is installed and what lies in the plugin folder, and which of it is enabled; imports nothing."""
        there = (plugin for plugin in installed() if plugin.name not in self._extra)
        extra = (Plugin(name, "given", module=module) for name, module in self._extra.items())
        files = self.config.plugin_folder if is_folder(self.config.plugin_folder) else None
        for plugin in (*extra, *there, *(single_files(files) if files else ())):
            other = self.found.get(plugin.name)
            if other is not None:
                self._duplicate(plugin, other)
            elif self._named_well(plugin):
                self._choose(plugin)
                self.found[plugin.name] = plugin
        chosen = self.config.settings.plugins
        for key in ("enabled", "disabled", "required", "order"):
            for position, name in enumerate(getattr(chosen, key)):
                if name not in self.found:
                    self.faults.append(self._not_installed(key, position, name))
        if "folder" in chosen.model_fields_set and not files:
            problem = f"There is no folder {self.config.plugin_folder}."
            self.faults.append(self.config.fault(("plugins", "folder"), problem, "Make it, or correct `folder`."))

    def _choose(self, plugin: Plugin) -> None:
        """Whether it runs, and why not."""
        chosen = self.config.settings.plugins
        plugin.required = plugin.name in chosen.required
        switched_on = plugin.is_file or plugin.required or plugin.name in self._extra
        if plugin.name in chosen.disabled:
            plugin.why = "disabled in [plugins]"
        elif not (switched_on or plugin.name in chosen.enabled):
            plugin.why = "not in `enabled` of [plugins]"
        elif client := next((name for name in self._clients_off() if plugin.name.endswith(f"client-{name}")), ""):
            self._switch_off(plugin, client)
        else:
            plugin.state = "found"

    def _clients_off(self) -> Iterator[str]:
        clients = self.config.settings.clients
        yield from (name for name, keys in clients.items() if keys.get("enabled") is False)

    def _switch_off(self, plugin: Plugin, client: str) -> None:
        """Leave out a plugin whose client ``[clients.NAME] enabled = false`` switches off."""
        plugin.state, plugin.why = "off", f"[clients.{client}] has enabled = false"
        if plugin.required:
            problem = f"{plugin.name} is required, but its client is switched off."
            path = ("clients", client, "enabled")
            self.faults.append(self.config.fault(path, problem, "Switch it on, or take it out of `required`."))

    def _named_well(self, plugin: Plugin) -> bool:
        """Whether the configuration can speak of it."""
        if plugin.name in self._extra or (plugin.name != CORE and PLUGIN_NAME.fullmatch(plugin.name)):
            return True
        if plugin.is_file:
            rule = f"letters, digits, dots, - and _, and not be {CORE}"
            problem = f"A plugin cannot be called {plugin.name!r}."
            remedy = f"Rename the file: its name may consist of {rule}."
            self.faults.append(ConfigError(problem, remedy=remedy, file=plugin.origin, line=1))
        return False

    def _not_installed(self, key: str, position: int, name: str) -> ConfigError:
        near = get_close_matches(name, self.found, 1)
        out = f"take it out of `{key}`"
        remedy = (
            f"Did you mean {near[0]}? Otherwise install it, or {out}."
            if near
            else f"Install it (pip install {name}), or {out}."
        )
        return self.config.fault(("plugins", key, position), f"The plugin {name} is not installed.", remedy)

    def _duplicate(self, plugin: Plugin, other: Plugin) -> None:
        if plugin.name in self.config.settings.plugins.disabled:
            return
        message = f"Two plugins are called {plugin.name}: {other.origin} and {plugin.origin}."
        remedy = "Rename the file." if plugin.is_file else "Uninstall one of the two."
        if plugin.is_file:
            self.faults.append(ConfigError(message, remedy=remedy, file=plugin.origin, line=1))
        elif plugin.name in {*self.config.settings.plugins.enabled, *self.config.settings.plugins.required}:
            self.faults.append(self._enabling(plugin.name, message, remedy))

    # --- loading ---

    def load(self) -> None:
        """Import, check and register what is enabled. A plugin that fails is left out, with its error."""
        ordered = self._in_order()
        self._ranks = {plugin.name: rank for rank, plugin in enumerate(ordered)}
        for plugin in ordered:
            self._guarded(plugin, self._import)
        classes = {plugin.name: type(plugin.settings) for plugin in ordered if plugin.settings is not None}
        self.faults.extend(self.config.claim_faults(classes))
        for plugin in ordered:
            self._guarded(plugin, self._own_specs)
        for plugin in ordered:
            self._guarded(plugin, self._register)
        for plugin in (Plugin(CORE, "carrier_core", __version__, module=defaults, state="found"), *ordered):
            self._guarded(plugin, self._things_of)
        self._check_sections(ordered, classes)
        for plugin in ordered:
            if plugin.state == "found":
                plugin.state = "loaded"

    def _in_order(self) -> list[Plugin]:
        chosen = self.config.settings.plugins
        names = dict.fromkeys((*chosen.order, *chosen.enabled, *chosen.required, *self._extra, *sorted(self.found)))
        return [plugin for name in names if (plugin := self.found.get(name)) and plugin.state == "found"]

    def _guarded(self, plugin: Plugin, act: Callable[[Plugin], None]) -> None:
        if plugin.state != "found":
            return
        try:
            act(plugin)
        except CarrierError as error:
            self._fail(plugin, self._placed(plugin, error))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # sys.exit() of a module, for one
            self._fail(plugin, loading_error(plugin, error))

    def _fail(self, plugin: Plugin, error: CarrierError) -> None:
        if plugin.module is not None and self.manager.is_registered(plugin.module):
            self.manager.unregister(plugin.module)
        for registered in self.things.values():
            for name in [name for name, entry in registered.items() if entry.plugin == plugin.name]:
                del registered[name]
        plugin.state, plugin.error, plugin.why = "failed", error, error.message
        plugin.hooks = plugin.things = ()
        if isinstance(error, ConfigError):
            self.faults.append(error)
        else:
            plugin.fault = self._fault_of(plugin, error)

    def _placed(self, plugin: Plugin, error: CarrierError) -> CarrierError:
        """An error about a file that the plugin's settings name is, without a line in that file, one of these settings."""
        if isinstance(error, ConfigError) and error.line is None and plugin.settings is not None:
            section = section_of(plugin.name, type(plugin.settings)).split(".", 1)
            for key, value in plugin.settings:
                if error.file is not None and str(value) == error.file:
                    return self.config.fault((*section, key), error.message, error.remedy)
        return error

    def _fault_of(self, plugin: Plugin, error: CarrierError) -> ConfigError:
        """The error on the line that enables the plugin, or in its file where it is a single one."""
        at = (error.file, error.line) if isinstance(error, Misfit) else ("", 0)
        if plugin.is_file:
            line = at[1] if at[0] == plugin.origin else line_in(error.__cause__, plugin.origin)
            return ConfigError(error.message, remedy=error.remedy, file=plugin.origin, line=line)
        message = f"{error.message.rstrip('.')} ({at[0]}, line {at[1]})." if at[0] else error.message
        return self._enabling(plugin.name, message, error.remedy)

    def _enabling(self, name: str, message: str, remedy: str) -> ConfigError:
        """A fault on the line that enables a plugin."""
        chosen = self.config.settings.plugins
        key = "enabled" if name in chosen.enabled else "required"
        listed: Sequence[str] = getattr(chosen, key)
        path = ("plugins", key, listed.index(name)) if name in listed else ("plugins",)
        return self.config.fault(path, message, remedy)

    def _import(self, plugin: Plugin) -> None:
        check_version(plugin)
        if plugin.load is not None:
            plugin.module = plugin.load()
        if isinstance(plugin.module, type):
            problem = f"{plugin.name} is the class {plugin.module.__name__}."
            raise Misfit(problem, plugin=plugin.name, remedy="Let the entry point name an instance.", at=plugin.module)
        cls = getattr(plugin.module, "Settings", None)
        if cls is None:
            return
        if not (isinstance(cls, type) and issubclass(cls, PluginSettings)):
            problem = f"{plugin.name}: `Settings` is not a subclass of carrier_core.PluginSettings."
            raise Misfit(problem, plugin=plugin.name, remedy="Subclass it, or call it something else.", at=cls)
        client = next((name for name in self._clients_off() if section_of(plugin.name, cls) == f"clients.{name}"), "")
        if client:
            self._switch_off(plugin, client)
            return
        faults = self.config.plugin_faults(plugin.name, cls)
        if faults:
            self.faults.extend(faults[1:])
            raise faults[0]
        plugin.settings = self.config.plugin(plugin.name, cls)

    def _check_sections(self, ordered: Iterable[Plugin], classes: Mapping[str, type[PluginSettings]]) -> None:
        """Find sections that belong to nobody. Those of plugins that are off, or failed, are left alone."""
        known = [section_of(name, cls) for name, cls in classes.items()]
        bare = {f"plugin.{plugin.name}" for plugin in ordered if plugin.state == "found" and plugin.settings is None}
        bare |= {f"clients.{name}" for name in self.things[Client]}
        off = [name for name, plugin in self.found.items() if plugin.state != "found"]
        self.faults.extend(self.config.unknown_sections(known, off, bare - set(known)))

    def take_secrets(self) -> None:
        """Take the enabled plugins' secrets out of the environment that child processes see."""
        for plugin in self.found.values():
            if plugin.settings is not None:
                for name in self.config.secret_names(type(plugin.settings), plugin.name):
                    os.environ.pop(name, None)

    # --- hooks ---

    def _own_specs(self, plugin: Plugin) -> None:
        """Add the hooks that a plugin lets others implement: functions marked with ``step`` under its own name."""
        home = getattr(plugin.module, "__name__", type(plugin.module).__module__)
        marked = [
            (name, spec)
            for name, spec in _marked(plugin.module, "carrier_contract")
            if f"{spec.__module__}.".startswith(f"{home}.")  # the others' are imported to be implemented
        ]
        for name, spec in marked:
            if not name.startswith(_prefix(plugin.name)):
                problem = f"{plugin.name} specifies the hook {name}."
                remedy = f"Hooks of a plugin begin with its own name: {_prefix(plugin.name)}{name}."
                raise Misfit(problem, plugin=plugin.name, hook=name, remedy=remedy, at=spec)
            if name in self.specs:
                problem = f"{plugin.name} specifies the hook {name}, which {self._spec_owners[name]} has already."
                raise Misfit(problem, plugin=plugin.name, hook=name, remedy="Give it another name.", at=spec)
            check_spec(plugin.name, name, spec)
        if marked:
            own = ModuleType(home)
            own.__dict__.update(marked)
            self.manager.add_hookspecs(own)
            self._add_specs(plugin.name, marked)

    def _add_specs(self, owner: str, marked: Iterable[tuple[str, Callable[..., object]]]) -> None:
        for name, spec in marked:
            self.contracts[name] = contract_of(spec)
            self.specs[name] = spec
            self._spec_owners[name] = owner

    def _register(self, plugin: Plugin) -> None:
        hooks = []
        for name, function in _marked(plugin.module, f"{PROJECT}_impl"):
            hook = getattr(function, f"{PROJECT}_impl")["specname"] or name
            owner = next(
                (
                    other
                    for other, entry in self.found.items()
                    if entry.state != "found" and hook.startswith(_prefix(other))
                ),
                "",
            )
            check_hook(plugin.name, hook, function, self.specs, owner)
            hooks.append(hook)
        if not hooks:
            problem = f"{plugin.name} implements no hook."
            remedy = "Mark a function that is named like a hook with @impl from carrier_core."
            raise PluginError(problem, plugin=plugin.name, remedy=remedy)
        twin = self.manager.get_name(plugin.module)
        if twin is not None:
            raise PluginError(f"{plugin.name} is the same module as {twin}.", plugin=plugin.name, remedy=_DISABLE_ONE)
        self.manager.register(plugin.module, name=plugin.name)
        plugin.hooks = tuple(sorted(hooks))

    def implementations(self, hook: str) -> list[pluggy.HookImpl]:
        """The implementations of a hook, first to last: those with ``tryfirst``, the others, those with ``trylast``, and
        the host's own; among equals in the order of the plugins. (pluggy has the ``trylast`` of the later ones last.)"""

        def place(found: pluggy.HookImpl) -> tuple[bool, int, int]:
            group = 0 if found.tryfirst else 2 if found.trylast else 1
            return found.plugin_name == CORE, group, self._ranks.get(found.plugin_name, 0)

        found: list[pluggy.HookImpl] = getattr(self.manager.hook, hook).get_hookimpls()
        return sorted(found, key=place)

    # --- things ---

    def _things_of(self, plugin: Plugin) -> None:
        names = []
        for hook, sort in SORTS.items():
            for registrar in self.manager.subset_hook_caller(hook, []).get_hookimpls():
                if registrar.plugin_name == plugin.name:
                    returned = registrar.function(*[plugin.settings] * len(registrar.argnames))
                    names += [self._add(plugin, hook, sort, thing, registrar.function) for thing in _listed(returned)]
        plugin.things = tuple(names)

    def _add(self, plugin: Plugin, hook: str, sort: type, thing: object, registrar: Callable[..., object]) -> str:
        name = check_thing(plugin.name, hook, sort, thing, registrar)
        other = self.things[sort].get(name)
        if other is not None:
            problem = (
                f"{plugin.name}, {hook}: the {sort.__name__.lower()} {name} is there already, from {other.plugin}."
            )
            raise Misfit(problem, plugin=plugin.name, hook=hook, remedy=_DISABLE_ONE, at=type(thing))
        self.things[sort][name] = Registered(plugin.name, thing)
        return f"{sort.__name__.lower()} {name}"

    def offer(self, plugin: str, actions: Sequence[Action]) -> None:
        """Put other actions in the place of those that a plugin offered before; all or none. Misfit names one that cannot be."""
        others = {
            name: entry for name, entry in self.things[Action].items() if not (entry.plugin == plugin and entry.offered)
        }
        for action in actions:
            name = check_thing(plugin, "offer", Action, action, type(action).__init__)
            if name in others:
                problem = f"{plugin} offers the action {name}, which is there already, from {others[name].plugin}."
                raise Misfit(problem, plugin=plugin, hook="offer", remedy="Give it another name.", at=type(action))
            others[name] = Registered(plugin, action, offered=True)
        self.things[Action] = others
        found = self.found.get(plugin)
        if found is not None:
            kept = tuple(each for each in found.things if not each.startswith(_OFFERED))
            found.things = (*kept, *[f"{_OFFERED}{action.name}" for action in actions])

    def all(self, sort: type) -> tuple[Registered, ...]:
        """The things of one sort, in the order of their plugins."""
        return tuple(self.things[sort].values())


def _prefix(plugin: str) -> str:
    """What the names of a plugin's own hooks begin with."""
    return re.sub(r"\W", "_", plugin.removeprefix("carrier-")) + "_"


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


def things_named(things: Iterable[Registered]) -> str:
    """Their names, for a message."""
    return ", ".join(sorted(str(getattr(entry.thing, "name", "")) for entry in things)) or "none"


def load_plugins(config: Config, *, extra: Mapping[str, object] | None = None) -> Plugins:
    """Find and load the plugins of a configuration, and ``extra`` objects as :class:`Plugins` has them. The first fault of the
    configuration is raised, and the failure of a required plugin; any other plugin that cannot be loaded is left out."""
    plugins = Plugins(config, extra=extra)
    plugins.find()
    plugins.load()
    plugins.take_secrets()
    if plugins.faults:
        raise plugins.faults[0]
    for plugin in plugins.found.values():
        if plugin.state == "failed" and plugin.required and plugin.error is not None:
            raise plugin.fault or plugin.error
    return plugins


def choose_store(config: Config, plugins: Plugins) -> Store:
    """The store that the configuration names, or the only one there is, last resorts aside. ConfigError if there is none."""
    stores = plugins.things[Store]
    name = config.settings.memory.store
    there = things_named(stores.values())
    if name is not None:
        if name not in stores:
            raise config.fault(("memory", "store"), f"There is no store {name}.", f"There are: {there}.")
        chosen = stores[name].thing
    elif len(stores) == 1:
        chosen = next(iter(stores.values())).thing
    elif len(first := [each.thing for each in stores.values() if not getattr(each.thing, "last_resort", False)]) == 1:
        chosen = first[0]
    elif not stores:
        failed = [p for p in plugins.found.values() if p.state == "failed"]
        why = f" {failed[0].name} failed: {failed[0].why}" if failed else ""
        raise config.fault(
            ("plugins", "enabled"), f"No store for memories is enabled.{why}", "Enable a plugin that brings one."
        )
    else:
        raise config.fault(("memory",), f"There are several stores: {there}.", "Name one as `store` in [memory].")
    assert isinstance(chosen, Store)
    return chosen
