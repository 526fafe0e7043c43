"""The files of the scripted provider: rules, and the pairs that it obeys.

Both are TOML with ``version = 1``; the README beside this package is their documentation. A fault names the file, the line
and the remedy. Unknown keys are faults, so that a newer file is not half understood.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal, NoReturn, TypeVar

import msgspec

from carrier_core import ConfigError, Json

VERSION = 1

Reason = Literal[
    "auth", "rate_limit", "overloaded", "timeout", "connection", "server", "refused", "invalid", "incomplete"
]
Seconds = Annotated[float, msgspec.Meta(ge=0, le=86_400)]
Tokens = Annotated[int, msgspec.Meta(ge=0)]


class ToolCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A call that the model is to ask for. In rules, every text in ``arguments`` is a template."""

    name: str
    arguments: dict[str, Json] = {}


class Failing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A failure of the provider, as ``ProviderError`` has it."""

    reason: Reason
    message: str = "The rule says that this call fails."
    retry_after: Seconds | None = None


class Counts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Tokens to report instead of the estimate."""

    input: Tokens | None = None
    output: Tokens | None = None
    cached: Tokens = 0


class When(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What else must hold for a rule to be used; what is left out does not matter."""

    first: bool | None = None
    question: bool | None = None
    after_result: bool | None = None
    has_memories: bool | None = None
    tools: tuple[str, ...] = ()
    model: str = ""


class StepSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One completion: text, calls, and how it comes about."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    latency: Seconds | None = None
    pace: Seconds | None = None
    failure: Failing | None = None
    usage: Counts = Counts()
    finish: Literal["stop", "length", "refused"] = "stop"
    introduce: bool = True


class RuleSpec(StepSpec, frozen=True, forbid_unknown_fields=True):
    """A rule: a condition, and one completion or, in ``steps``, one for each round of the turn."""

    pattern: str = ""
    contains: str = ""
    when: When = When()
    steps: tuple[StepSpec, ...] = ()
    repeat: bool = False


class RuleFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of rules. ``standard`` adds the built-in rules behind them; ``introduction`` follows a conversation's first reply."""

    version: int
    rules: tuple[RuleSpec, ...] = ()
    introduction: str = ""
    standard: bool = True


class Pair(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A sentence, and the call that is made wherever it occurs."""

    sentence: Annotated[str, msgspec.Meta(pattern=r"\S")]
    call: ToolCall


class PairFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of pairs."""

    version: int
    pairs: tuple[Pair, ...] = ()


File = TypeVar("File", RuleFile, PairFile)
KeyPath = tuple[str | int, ...]


class Source(msgspec.Struct, frozen=True):
    """The text of a file, to say where in it a fault is."""

    file: str
    text: str

    def line(self, path: KeyPath) -> int:
        """The line of a key, counted from 1; where the key is missing, that of the table it belongs in."""
        lines = _blank_long_strings(self.text).split("\n")
        found = 0
        for position, key in enumerate(path):
            if isinstance(key, int):
                continue
            count = path[position + 1] if position + 1 < len(path) else 0
            found = _find_key(lines, key, found, count if isinstance(count, int) else 0)
        return found + 1

    def fault(self, message: str, remedy: str, path: KeyPath = ()) -> ConfigError:
        """An error at a key."""
        return ConfigError(message, remedy=remedy, file=self.file, line=self.line(path))


def read(path: Path, kind: type[File], packaged: str | None = None) -> tuple[File, Source]:
    """Read a file of rules or pairs. Raises ConfigError. ``packaged`` is its text where that is at hand already."""
    source = Source(str(path), _text(path) if packaged is None else packaged)
    try:
        data = tomllib.loads(source.text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r" \(at line (\d+), column \d+\)$", str(error))
        line = int(at[1]) if at else source.text.count("\n") + 1
        reason = re.sub(r" \(at .*\)$", "", str(error))
        raise ConfigError(
            f"This is not TOML: {reason}.", remedy="Correct that line.", file=source.file, line=line
        ) from None
    if data.get("version") != VERSION or isinstance(data.get("version"), bool):
        given = f"Its version is {data['version']!r}" if "version" in data else "It states no version"
        raise source.fault(f"{given}; version {VERSION} is understood.", f"Write `version = {VERSION}`.", ("version",))
    try:
        return msgspec.convert(data, kind), source
    except msgspec.ValidationError as error:
        _invalid(source, kind, str(error))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text.", remedy="Save it as UTF-8.", file=str(path), line=1) from None
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}.",
            remedy="Correct the path, or write the file.",
            file=str(path),
        ) from None


def _invalid(source: Source, kind: type[File], error: str) -> NoReturn:
    """Say what msgspec found, with the line of the key and, for an unknown key, the nearest known one."""
    reason, _, where = error.partition(" - at `$")
    path: KeyPath = tuple(key or int(index) for key, index in re.findall(r"\.(\w+)|\[(\d+)\]", where) if key or index)
    unknown = re.fullmatch(r"Object contains unknown field `(.*)`", reason)
    if unknown is None:
        raise source.fault(f"{reason}{_at(path)}.", "Correct that value; the README of the plugin lists them.", path)
    known = _fields(kind, path)
    near = difflib.get_close_matches(unknown[1], known, n=1)
    remedy = f"Did you mean `{near[0]}`?" if near else f"Known here: {', '.join(known)}."
    raise source.fault(f"The key `{unknown[1]}` is unknown{_at(path)}.", remedy, (*path, unknown[1]))


def _at(path: KeyPath) -> str:
    shown = "".join(f"[{key + 1}]" if isinstance(key, int) else f".{key}" for key in path).lstrip(".")
    return f" in {shown}" if shown else ""


def _fields(kind: type[msgspec.Struct], path: KeyPath) -> list[str]:
    """The keys of the table at ``path``."""
    tables: dict[str, type[msgspec.Struct]] = {
        "rules": RuleSpec,
        "steps": StepSpec,
        "when": When,
        "calls": ToolCall,
        "call": ToolCall,
        "failure": Failing,
        "usage": Counts,
        "pairs": Pair,
    }
    for key in path:
        kind = tables.get(str(key), kind)
    return list(kind.__struct_fields__)


def _blank_long_strings(text: str) -> str:
    """The text with the inside of multi-line strings blanked out, so that no key is found there."""
    return re.sub(r'"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\'', lambda m: "\n" * m[0].count("\n"), text, flags=re.DOTALL)


def _find_key(lines: list[str], key: str, start: int, count: int) -> int:
    """The line at or after ``start`` that sets ``key``, or, for a list of tables, begins its entry ``count`` (from 0)."""
    header = re.compile(rf"\s*\[\[?\s*(?:[\w\"'-]+\s*\.\s*)*{re.escape(key)}\s*\]")
    assignment = re.compile(rf"(?:^|[\s,{{.])[\"']?{re.escape(key)}[\"']?\s*[.=]")
    for number in range(start, len(lines)):
        if header.match(lines[number]):
            if count == 0:
                return number
            count -= 1
        elif number > start and lines[number].startswith("[[") and lines[start].startswith("[["):
            if lines[number].split("]")[0] == lines[start].split("]")[0]:
                break  # the next entry of the list that it would have to be in
        elif assignment.search(lines[number]):
            return number
    return start
