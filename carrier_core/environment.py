"""Settings that come from outside the file: ``.env``, environment variables, systemd's credentials.

``CARRIER_LIMITS__ROOMS`` sets ``rooms`` in ``[limits]``: two underscores go one table down, case does not count, and a
dash is written as an underscore. A variable that is empty counts as absent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from io import StringIO
from pathlib import Path

import msgspec

from carrier_core.configfile import is_text, read_text
from carrier_core.errors import ConfigError

PREFIX = "CARRIER_"

HOST_VARIABLES = frozenset({"CARRIER_CONFIG", "CARRIER_STATE", "CARRIER_TRACE"})
"""Variables with our prefix that are read by themselves and set no key."""

_TEST = "CARRIER_TEST_"  # what tests and their set-up say to each other

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Variable(msgspec.Struct, frozen=True):
    """A value from outside the file. ``file`` and ``line`` say where it is written, where it is in a file;
    ``problem`` why it cannot be read, which matters once somebody wants it."""

    name: str
    value: str
    file: str | None = None
    line: int | None = None
    problem: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        """The key path that the name spells, in lower case; empty where the name is not one of ours."""
        name = self.name.upper()
        if not name.startswith(PREFIX) or name in HOST_VARIABLES or name.startswith(_TEST):
            return ()
        return tuple(name[len(PREFIX) :].lower().split("__"))

    def fault(self, message: str, remedy: str) -> ConfigError:
        """A fault of this variable."""
        return ConfigError(message, remedy=remedy, file=self.file, line=self.line)


class Layer(msgspec.Struct, frozen=True):
    """The variables of one source, and what is wrong with it."""

    variables: Mapping[str, Variable] = {}
    faults: tuple[ConfigError, ...] = ()

    def __iter__(self) -> Iterator[Variable]:
        return iter(self.variables.values())


def read_layers(environ: Mapping[str, str], folders: Iterable[Path]) -> tuple[Layer, ...]:
    """All sources, the stronger ones last: the ``.env`` of each folder, the environment, the credentials."""
    found = [_dotenv(path) for path in dict.fromkeys(folder / ".env" for folder in folders) if path.is_file()]
    found.append(_environment(environ))
    credentials = environ.get("CREDENTIALS_DIRECTORY")
    if credentials:
        found.append(_credentials(Path(credentials)))
    return tuple(found)


def _environment(environ: Mapping[str, str]) -> Layer:
    found = {}
    for name in sorted(environ):
        problem = "" if is_text(environ[name]) else "it is not UTF-8 text"
        if environ[name]:
            found[name] = Variable(name, environ[name], problem=problem)
    return Layer(found)


def _dotenv(path: Path) -> Layer:
    try:
        text = read_text(path)
    except ConfigError as error:
        return Layer(faults=(error,))
    from dotenv.parser import parse_stream

    found, faults = {}, []
    for binding in parse_stream(StringIO(text)):
        # A binding begins with the empty lines above it.
        blank = len(binding.original.string) - len(binding.original.string.lstrip())
        line = binding.original.line + binding.original.string.count("\n", 0, blank)
        if binding.error or (binding.key and binding.value is None):
            fault = ConfigError(
                "This line is not NAME=value.",
                remedy="Correct it, or put # before it.",
                file=str(path),
                line=line,
            )
            faults.append(fault)
        elif binding.key and binding.value:
            found[binding.key] = Variable(binding.key, binding.value, str(path), line)
    return Layer(found, tuple(faults))


def _credentials(folder: Path) -> Layer:
    """One file per variable, in capitals or not. A file that no variable could be named like is not read."""
    try:
        paths = sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name) and path.is_file())
    except OSError as error:
        fault = ConfigError(
            f"The folder of credentials cannot be read: {error.strerror or error}.",
            remedy="Correct $CREDENTIALS_DIRECTORY, which systemd sets, or unset it.",
            file=str(folder),
        )
        return Layer(faults=(fault,))
    found = {}
    for path in paths:
        try:
            value, problem = read_text(path).rstrip("\r\n"), ""
        except ConfigError as error:
            value, problem = "", error.message
        if value or problem:
            found[path.name.upper()] = Variable(path.name.upper(), value, str(path), problem=problem)
    return Layer(found)
