"""Finding plugins: what is installed, what lies in the plugin folder, and how each is imported once it is wanted."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module, metadata
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from carrier_core._version import __version__
from carrier_core.errors import CarrierError, ConfigError, PluginError

if TYPE_CHECKING:
    from carrier_core.settings import PluginSettings

GROUP = "carrier"

_DISTRIBUTION = "carrier-core"
_HERE = str(Path(__file__).parent)


@dataclass(slots=True)
class Plugin:
    """A plugin that was found. ``state`` is off, loaded or failed; ``why`` says why it is not loaded.

    ``origin`` is the distribution, or the path of a single file, whose ``version`` is "file".
    """

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
    requires: tuple[str, ...] = ()
    module: object = None
    error: CarrierError | None = field(default=None, repr=False)
    fault: ConfigError | None = field(default=None, repr=False)

    @property
    def is_file(self) -> bool:
        """Whether it is a single file in the plugin folder."""
        return self.version == "file"


@dataclass(slots=True)
class Registered:
    """A thing and the plugin that registered it, or ``offered`` it while the host ran."""

    plugin: str
    thing: object
    offered: bool = False


def installed() -> Iterator[Plugin]:
    """The entry points of the group, in the order of their names; none is imported."""
    for point in sorted(metadata.entry_points(group=GROUP), key=lambda point: point.name):
        distribution = point.dist
        yield Plugin(
            point.name,
            distribution.name if distribution is not None else point.value,
            distribution.version if distribution is not None else "",
            load=lambda point=point: _load_point(point),  # type: ignore[misc]
            requires=tuple(distribution.requires or ()) if distribution is not None else (),
        )


def single_files(folder: Path) -> Iterator[Plugin]:
    """The Python files of a folder, in the order of their names, but for those that begin with an underscore."""
    for path in sorted(folder.glob("*.py")):
        if not path.name.startswith("_") and not path.is_dir():
            yield Plugin(path.stem, str(path), "file", load=lambda path=path: _load_file(path))  # type: ignore[misc]


def _load_point(point: metadata.EntryPoint) -> object:
    """What the entry point names. Other than ``EntryPoint.load``, it says which part of the name is wrong."""
    named = f"its entry point names {point.value}"
    remedy = f"Reinstall {point.name}, or report it to its author."
    try:
        found: object = import_module(point.module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{point.module}.".startswith(f"{error.name}."):
            raise
        problem = f"{point.name} cannot be loaded: {named}, and there is no module {error.name}."
        raise PluginError(problem, plugin=point.name, remedy=remedy) from error
    for attribute in point.attr.split(".") if point.attr else ():
        try:
            found = getattr(found, attribute)
        except AttributeError as error:
            problem = f"{point.name} cannot be loaded: {named}, and {point.module} has no {attribute}."
            raise PluginError(problem, plugin=point.name, remedy=remedy) from error
    return found


def _load_file(path: Path) -> ModuleType:
    name = f"carrier_single_file_{re.sub(r'[^A-Za-z0-9_]', '_', path.stem)}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None  # its name ends in .py
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where pydantic looks for the names in a Settings class's annotations
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def check_version(plugin: Plugin) -> None:
    """Refuse a plugin that was made for another version of the core, before it is imported."""
    named = re.compile(rf"{_DISTRIBUTION.replace('-', '[-_.]+')}(?![\w.-])", re.IGNORECASE)
    for line in plugin.requires:
        if not named.match(line):
            continue
        from packaging.requirements import Requirement

        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        if not wanted.specifier.contains(__version__, prereleases=True):
            raise PluginError(
                f"{plugin.name} {plugin.version} needs {_DISTRIBUTION}{wanted.specifier}; this is {__version__}.",
                plugin=plugin.name,
                remedy=f"Upgrade whichever is older: pip install --upgrade {plugin.origin} {_DISTRIBUTION}.",
            )


def loading_error(plugin: Plugin, error: BaseException) -> PluginError:
    """What an import or a registration raised, as an error that names the plugin, what happened and the remedy."""
    file, line = _raised_at(error)
    place = "" if file in ("", plugin.origin) else f" ({file}, line {line})"
    off = "put it into `disabled` of [plugins]"
    if isinstance(error, ModuleNotFoundError) and error.name:
        top = error.name.partition(".")[0]
        problem = f"it needs the module {error.name}, which is not installed"
        remedy = f"Install what provides it, such as pip install {top}, or {off}."
    elif isinstance(error, SyntaxError):
        at = f"line {error.lineno} " if error.lineno else ""
        what = "the file" if file in ("", plugin.origin) else file
        problem, place = f"{at}of {what} is not Python: {error.msg}" if at else f"{what} is not Python: {error.msg}", ""
        remedy = f"Correct {'that line' if at else 'the file'}, or {off}."
    else:
        problem = f"it raised {type(error).__name__}" + (f": {said}" if (said := str(error).strip()) else "")
        remedy = f"Correct the file, or {off}." if plugin.is_file else f"Report it to its author, and {off}."
    failed = PluginError(f"{plugin.name} cannot be loaded: {problem}{place}.", plugin=plugin.name, remedy=remedy)
    failed.__cause__ = error
    return failed


def line_in(error: BaseException | None, file: str) -> int:
    """The line of a single-file plugin where an error came up; 1 where it is the file as a whole."""
    if isinstance(error, SyntaxError) and error.filename == file and error.lineno:
        return error.lineno
    trace = error.__traceback__ if error is not None else None
    line = 1
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            line = trace.tb_lineno or 1
        trace = trace.tb_next
    return line


def _raised_at(error: BaseException) -> tuple[str, int]:
    """The innermost line of somebody's own file, rather than of the import machinery or of the core."""
    if isinstance(error, SyntaxError) and error.filename:
        return error.filename, error.lineno or 0
    trace, found = error.__traceback__, ("", 0)
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith(("<frozen", _HERE)):
            found = (file, trace.tb_lineno or 0)
        trace = trace.tb_next
    return found
