"""The configuration as a whole: a file, what overrides it, and every fault in it with its place and remedy.

``load`` reads it, ``Config.settings`` is what belongs to the core, ``Config.plugin`` gives one plugin its own section
and its own secrets.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from carrier_core.configfile import Document, find_config, is_file, path_below, read_document
from carrier_core.environment import Layer, Variable, read_layers
from carrier_core.errors import ConfigError
from carrier_core.faults import Location, nearest, translate
from carrier_core.keylines import KeyPath
from carrier_core.overrides import of_section, override, unknown_variable
from carrier_core.sections import (
    AgentMemory,
    AgentSettings,
    HostLimits,
    LogSettings,
    MemorySettings,
    PluginSettings,
    PluginsSettings,
    PolicySettings,
    Settings,
    TurnLimits,
    secret,
    well_known,
)
from carrier_core.shape import Place, environment_names, plain, secret_fields

__all__ = [
    "AgentMemory",
    "AgentSettings",
    "Config",
    "HostLimits",
    "LogSettings",
    "MemorySettings",
    "PluginSettings",
    "PluginsSettings",
    "PolicySettings",
    "Settings",
    "TurnLimits",
    "find_config",
    "load",
    "secret",
    "section_of",
    "well_known",
]

Model = TypeVar("Model", bound=BaseModel)
Own = TypeVar("Own", bound=PluginSettings)

_PLUGINS_OWN = ("clients", "plugin")  # what is below these two belongs to plugins


def section_of(name: str, cls: type[PluginSettings]) -> str:
    """The section of the plugin ``name``: ``plugin.NAME``, or the one that its class names."""
    return cls.section or f"plugin.{name}"


def load(path: Path, environ: Mapping[str, str], cwd: Path | None = None) -> Config:
    """Read the configuration at ``path``, overridden by ``.env`` (in ``cwd``, the current folder without it, and beside
    the file), ``environ`` and systemd's credentials. Raises nothing: see ``Config.faults``."""
    try:
        document = read_document(path)
        unread: tuple[ConfigError, ...] = ()
    except ConfigError as error:
        document, unread = Document(path, {}, {(): 1}), (error,)
    return Config(document, read_layers(environ, (cwd or Path.cwd(), path.parent)), unread)


class Config:
    """A configuration that has been read. ``path`` is its file, ``folder`` the folder of that, ``faults`` are all that
    the core can tell by itself, in the order of the lines."""

    def __init__(self, document: Document, layers: tuple[Layer, ...], unread: tuple[ConfigError, ...] = ()) -> None:
        self.path = document.path
        self.folder = document.path.parent
        self._document = document
        self._layers = layers
        self._location = Location(document)
        faults = [*unread, *document.faults, *(fault for layer in layers for fault in layer.faults)]
        data = self._core_data(faults)
        for variable in self._ours():
            is_switch = variable.keys[0] == "clients" and variable.keys[2:] == ("enabled",)
            if is_switch or variable.keys[0] not in _PLUGINS_OWN:
                faults += override(variable, variable.keys, Place(Settings), data, self._location)
            elif len(variable.keys) < 3:
                faults.append(unknown_variable(variable, Place(Settings), data, self._location))
        self._settings, wrong = _validate(Settings, data, self._location)
        if not unread:
            faults += wrong
        if self._settings is not None and not self._settings.agents and not unread:
            faults.append(self.fault(("agents",), "No agent is configured.", "Write a section [agents.NAME]."))
        self.faults = self._in_order(faults)

    @property
    def settings(self) -> Settings:
        """The settings of the core. Raises the first fault where there is one."""
        if self.faults or self._settings is None:
            raise self.faults[0]
        return self._settings

    def replaced(self, settings: Settings) -> Config:
        """This configuration with other settings of the core; the plugins' sections and where everything is stay as they are."""
        other = copy.copy(self)
        other._settings = settings
        return other

    def needs_restart(self, running: Config) -> tuple[str, ...]:
        """The sections that differ from those of ``running`` and are only read at start."""
        sections = ("plugins", "memory", "clients", "plugin")
        changed = [key for key in sections if self._document.data.get(key) != running._document.data.get(key)]
        ours, theirs = self.settings.limits, running.settings.limits
        fixed = ("rooms", "breaker_failures", "breaker_window", "breaker_cooldown")
        changed += [f"limits.{key}" for key in fixed if getattr(ours, key) != getattr(theirs, key)]
        if _embedders(self) != _embedders(running):
            changed.append("agents.*.models.embedding")
        return tuple(changed)

    @property
    def plugin_folder(self) -> Path:
        """Where single-file plugins are looked for; it need not exist."""
        return path_below(self.folder, self.settings.plugins.folder)

    def fault(self, path: KeyPath, message: str, remedy: str) -> ConfigError:
        """A fault that somebody else found in the value at ``path``, such as ``("plugins", "enabled", 0)``: it gets
        the line of that key, or the variable that set it."""
        return self._location.fault(path, message, remedy)

    def character_path(self, agent: str) -> Path:
        """The character file of an agent: a path, seen from this file's folder, or a name in ``characters/``.

        Raises ConfigError, on the line of the agent's `character`, when there is none.
        """
        from carrier_core.characterfile import find_character  # with the templates, which most commands do not need

        name = self.settings.agents[agent].character
        if is_file(path_below(self.folder, name)):
            return path_below(self.folder, name)
        try:
            return find_character(name, self.folder / "characters")
        except ConfigError as error:
            raise self.fault(("agents", agent, "character"), error.message, error.remedy) from None

    def plugin(self, name: str, cls: type[Own]) -> Own:
        """The settings of the enabled plugin ``name``, whose class is ``cls``. Raises the first fault of its section."""
        settings, faults = self._plugin(name, cls)
        if settings is None or faults:
            raise faults[0]
        return settings

    def plugin_faults(self, name: str, cls: type[PluginSettings]) -> tuple[ConfigError, ...]:
        """All faults of the section of the plugin ``name``, in the order of the lines."""
        return self._plugin(name, cls)[1]

    def unknown_sections(
        self, known: Iterable[str], installed: Iterable[str] = (), bare: Iterable[str] = ()
    ) -> tuple[ConfigError, ...]:
        """The faults of sections and variables that belong to no plugin.

        ``known`` are the sections of the enabled plugins that have settings (``section_of``), ``installed`` the names
        of the other plugins that are there. Those that are not enabled are not imported, so that the name of their
        section is not known: any whose last word is the end of the plugin's name passes, and so does a client that is
        ``enabled = false``. ``bare`` are the sections that enabled plugins would have if they had settings: of these only
        `enabled` of a client means something.
        """
        sections, names, without = tuple(known), tuple(plain(name) for name in installed), tuple(bare)
        off = self._clients_off()
        spelled = {plain(section) for section in (*sections, *off)}
        spelled_bare = {plain(section) for section in without}
        faults = []
        for kind in _PLUGINS_OWN:
            for name in dict(_tables(self._document.data, kind)):
                whole = f"{kind}.{name}"
                if whole in without:
                    faults += self._useless_keys(kind, name)
                elif whole not in sections and whole not in off and not _is_left_alone(plain(name), names):
                    message = f"The section [{whole}] belongs to no plugin that is installed."
                    faults.append(self.fault((kind, name), message, nearest(whole, sections)))
        for variable in self._ours():
            kind, name = (*variable.keys, "")[:2]
            if kind not in _PLUGINS_OWN or len(variable.keys) < 3 or _is_left_alone(name, names):
                continue
            if f"{kind}.{name}" in spelled_bare:
                if kind != "clients" or variable.keys[2:] != ("enabled",):
                    faults.append(variable.fault(f"${variable.name}: {_bare(kind, name)}", "Remove it."))
            elif f"{kind}.{name}" not in spelled:
                message = f"${variable.name}: [{kind}.{name}] belongs to no plugin that is installed."
                faults.append(variable.fault(message, nearest(f"{kind}.{name}", sections)))
        return self._in_order(faults)

    def _useless_keys(self, kind: str, name: str) -> list[ConfigError]:
        """The faults of a section whose plugin has no settings."""
        section = dict(_tables(self._document.data, kind))[name]
        keys = [key for key in section if (kind, key) != ("clients", "enabled")] if isinstance(section, dict) else []
        return [self.fault((kind, name, key), _bare(kind, name), "Remove it.") for key in keys]

    def secret_names(self, cls: type[PluginSettings], name: str = "") -> tuple[str, ...]:
        """The environment variables that may hold the secrets of a plugin: the well-known names, and those there are
        for its section, for which ``name`` is the plugin's own. They belong to it alone."""
        secrets = secret_fields(cls)
        found = {each for field, names in environment_names(cls).items() if field in secrets for each in names}
        for layer in self._layers:
            for variable, keys in of_section(layer, section_of(name, cls)):
                if Place(cls).at(keys[:1]).is_secret:
                    found.add(variable.name)
        return tuple(sorted(found))

    def claim_faults(self, plugins: Mapping[str, type[PluginSettings]]) -> tuple[ConfigError, ...]:
        """The faults of enabled plugins (by name) of which two claim one section or one secret's environment name."""
        faults: list[ConfigError] = []
        owners: dict[str, str] = {}
        for name, cls in plugins.items():
            secrets, named = secret_fields(cls), environment_names(cls)
            claims = [f"the section [{section_of(name, cls)}]"]
            claims += [f"${each}" for field in named if field in secrets for each in named[field]]
            for claim in dict.fromkeys(claims):
                owner = owners.setdefault(claim, name)
                if owner != name:
                    message = f"The plugins {owner} and {name} both claim {claim}."
                    faults.append(self._plugin_fault(name, message, "Put one of them into `disabled` of [plugins]."))
        return self._in_order(faults)

    def _plugin_fault(self, name: str, message: str, remedy: str) -> ConfigError:
        """A fault of a plugin as a whole: on the line where it is enabled, if the file enables it by name."""
        enabled = self._settings.plugins.enabled if self._settings else ()
        entry = (enabled.index(name),) if name in enabled else ()
        return self.fault(("plugins", "enabled", *entry), message, remedy)

    def _core_data(self, faults: list[ConfigError]) -> dict[str, object]:
        """What the core checks: of the plugins' sections only that they are tables, and `enabled` of clients."""
        data = copy.deepcopy(self._document.data)
        for key in Settings.model_fields:
            if key in data and data[key] is None:  # YAML's way to write an empty table
                data[key] = {}
        agents = data.get("agents")
        if isinstance(agents, dict):
            data["agents"] = {name: {} if agent is None else agent for name, agent in agents.items()}
        for kind in _PLUGINS_OWN:
            if not isinstance(data.get(kind, {}), dict):
                continue
            kept: dict[str, object] = {}
            for name, section in _tables(data, kind):
                if not isinstance(section, dict):
                    message = f"`{name}` in [{kind}] must be a table."
                    faults.append(self.fault((kind, name), message, f"Write a section [{kind}.{name}]."))
                elif kind == "clients" and "enabled" in section:
                    kept[name] = {"enabled": section["enabled"]}
                else:
                    kept[name] = {}
            data[kind] = kept
        return data

    def _clients_off(self) -> tuple[str, ...]:
        clients = self._settings.clients if self._settings else {}
        return tuple(f"clients.{name}" for name, keys in clients.items() if keys.get("enabled") is False)

    def _ours(self) -> Iterator[Variable]:
        for layer in self._layers:
            yield from (variable for variable in layer if variable.keys)

    def _plugin(self, name: str, cls: type[Own]) -> tuple[Own | None, tuple[ConfigError, ...]]:
        section = section_of(name, cls)
        kind, _, key = section.partition(".")
        location = Location(self._document, (kind, key))
        written = dict(_tables(self._document.data, kind)).get(key)
        data: dict[str, object] = copy.deepcopy(written) if isinstance(written, dict) else {}
        if kind == "clients" and "enabled" not in cls.model_fields:
            data.pop("enabled", None)
        faults: list[ConfigError] = []
        for layer in self._layers:
            for field, names in environment_names(cls).items():
                claimed = next((layer.variables[each] for each in names if each in layer.variables), None)
                if claimed is not None:
                    faults += override(claimed, (field,), Place(cls), data, location)
            for variable, keys in of_section(layer, section):
                if keys != ("enabled",) or kind != "clients" or "enabled" in cls.model_fields:
                    faults += override(variable, keys, Place(cls), data, location)
        settings, wrong = _validate(cls, data, location)
        return self._placed(settings), self._in_order([*faults, *wrong])

    def _placed(self, settings: Own | None) -> Own | None:
        """Relative paths in a plugin's settings are seen from this file's folder, like all others in it."""
        if settings is None:
            return None
        values = {name: getattr(settings, name) for name in type(settings).model_fields}
        moved = {name: placed for name, value in values.items() if (placed := self._moved(value)) is not value}
        return settings.model_copy(update=moved) if moved else settings

    def _moved(self, value: object) -> object:
        """A path, or several, seen from this file's folder."""
        if isinstance(value, Path):
            return path_below(self.folder, value)
        if isinstance(value, (tuple, list)) and any(isinstance(each, Path) for each in value):
            return type(value)([self._moved(each) for each in value])
        return value

    def _in_order(self, faults: Iterable[ConfigError]) -> tuple[ConfigError, ...]:
        """The faults of the file first, by line, then those from outside it."""
        main = str(self.path)
        return tuple(sorted(faults, key=lambda fault: (fault.file != main, fault.file or "", fault.line or 0)))


def _tables(data: Mapping[str, object], kind: str) -> list[tuple[str, object]]:
    """The sections below ``kind``; None, YAML's empty table, as a table."""
    sections = data.get(kind)
    if not isinstance(sections, dict):
        return []
    return [(name, {} if section is None else section) for name, section in sections.items()]


def _bare(kind: str, name: str) -> str:
    return f"The plugin of [{kind}.{name}] has no settings."


def _is_left_alone(section: str, installed: Iterable[str]) -> bool:
    return any(name == section or name.endswith(f"_{section}") for name in installed)


def _validate(
    model: type[Model], data: dict[str, object], location: Location
) -> tuple[Model | None, list[ConfigError]]:
    # As JSON, because pydantic is strict about types there and still makes tuples of lists and dates of text.
    try:
        return model.model_validate_json(json.dumps(data, default=str), strict=True), []
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
    except Exception as error:  # a plugin's class may do anything; what it says may be a secret
        failed = f"The settings class {model.__qualname__} failed with {type(error).__name__}."
        return None, [location.fault((), failed, "This is a fault of the plugin: tell its author, or disable it.")]
    return None, translate(details, Place(model), data, location)


def _embedders(config: Config) -> set[tuple[str, ...]]:
    agents = config.settings.agents.values()
    return {agent.models["embedding"].use for agent in agents if "embedding" in agent.models}
