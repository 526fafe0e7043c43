"""Character files: finding one, and reading it into a Character, or into the fault that says where it cannot be.

A character file is TOML, YAML or JSON with the fields of ``Character``. ElizaOS's files load as they are; how they
are told apart and what becomes of their fields is in ``carrier_core.eliza``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import msgspec

from carrier_core import eliza
from carrier_core.character import Character, Example, Knowledge, Loaded, Note, Style, is_secret
from carrier_core.configfile import SUFFIXES, Document, is_file, path_below, read_document
from carrier_core.errors import ConfigError
from carrier_core.keylines import KeyPath
from carrier_core.templates import WELL_KNOWN, check_template, template_key

_LISTS = ("bio", "lore", "topics", "adjectives", "post_examples", "plugins")
_KINDS = {
    "str": "text",
    "array": "a list",
    "object": "a table",
    "bool": "true or false",
    "int": "a number",
    "float": "a number",
    "null": "nothing",
}


def find_character(name_or_path: str, folder: Path) -> Path:
    """The file of a character: a path (as it is, or below ``folder``), or the name of a file in ``folder``.

    A name is tried with each suffix, and as ``NAME.character.json`` and the like, which is how ElizaOS's are often
    called. Raises ConfigError, naming the characters that there are, when there is no such file or more than one.
    """
    if "/" in name_or_path or Path(name_or_path).suffix.lower() in SUFFIXES:
        below = path_below(folder, name_or_path)
        path = below if is_file(below) else path_below(Path(), name_or_path)
        if not is_file(path):
            raise _absent(below)
        return path
    found = [path for path in _files(folder) if _stem(path) == name_or_path]
    if not found:
        raise _absent(folder / f"{name_or_path}.toml")
    if len(found) > 1:
        raise ConfigError(
            f"The character {name_or_path!r} is there more than once: {', '.join(path.name for path in found)}.",
            remedy="Keep one of them, or give the file's whole name.",
            file=str(folder),
        )
    return found[0]


def load_character(path: Path) -> Loaded:
    """Read a character's file, native or ElizaOS's.

    Raises ConfigError, with file and line, for a file that is not there (naming those that are), cannot be parsed or
    has a wrong type, and in a native file for an unknown key or a template that cannot be compiled.
    """
    if not is_file(path):
        raise _absent(path)
    document = read_document(path)
    for fault in document.faults:
        raise fault
    foreign = eliza.is_eliza(document)
    data, notes = eliza.to_native(document) if foreign else (dict(document.data), [])
    reading = _Reading(document, eliza.RENAMED if foreign else {})
    character = reading.character(data, notes)
    return Loaded(character, path, tuple(sorted(notes, key=lambda note: note.line or 0)))


def _files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())


def _stem(path: Path) -> str:
    return path.stem.removesuffix(".character")


def _absent(path: Path) -> ConfigError:
    there = sorted({_stem(other) for other in _files(path.parent)})
    near = difflib.get_close_matches(_stem(path).lower(), there, n=1)
    if near:
        remedy = f"Did you mean {near[0]}? The characters there: {', '.join(there)}."
    elif there:
        remedy = f"The characters there: {', '.join(there)}."
    else:
        remedy = "There are no characters in that folder: write one, or correct the path."
    return ConfigError(f"The character file {path} does not exist.", remedy=remedy, file=str(path))


class _Reading:
    """Turns what a file says into a Character, or into the error that says where it cannot."""

    def __init__(self, document: Document, renamed: dict[str, str]) -> None:
        self._document = document
        self._own_name = {ours: theirs for theirs, ours in renamed.items()}  # a field as the file spells it

    def character(self, data: dict[str, object], notes: list[Note]) -> Character:
        data = {key: value for key, value in data.items() if value is not None}
        data["templates"] = self._templates(data.get("templates", {}), notes)
        if isinstance(settings := data.get("settings"), dict):
            data["settings"] = self._settings(settings, ("settings",), notes)
        try:
            character = msgspec.convert(_lists(data), Character)
        except msgspec.ValidationError as error:
            self._invalid(str(error))
        if not character.name.strip():
            self._fail(("name",), "`name` is empty", "Give the character a name.")
        for at, item in enumerate(character.knowledge):
            if bool(item.text) == bool(item.path):
                self._fail(("knowledge", at), f"`knowledge[{at}]` must have either a text or a path", "Give one.")
        return character

    def _templates(self, given: object, notes: list[Note]) -> dict[str, str]:
        if not isinstance(given, dict):
            self._fail(("templates",), f"`templates` must be a table, not {_kind(given)}", "Write one key for each.")
        kept: dict[str, str] = {}
        for name, template in given.items():
            at, key = ("templates", name), template_key(name)
            if not isinstance(template, str):
                self._fail(at, f"`templates.{name}` must be text, not {_kind(template)}", "Write it as a string.")
            if key in kept:
                self._fail(
                    at,
                    f"`templates.{name}` is another spelling of {key}, given above",
                    "Keep one of the two.",
                )
            try:
                check_template(template, key)
            except ConfigError as error:
                self._fail(at, error.message.rstrip("."), error.remedy)
            near = difflib.get_close_matches(key, WELL_KNOWN, n=1, cutoff=0.9)
            if near and near[0] not in key and not self._own_name:  # ElizaOS has many more
                self._fail(at, f"There is no template `{name}`", f"Did you mean {near[0]}?")
            if key not in WELL_KNOWN:
                reason = "kept for plugins that ask for it; Carrier itself uses no template of this name"
                notes.append(Note(f"templates.{name}", reason, self._line(at)))
            kept[key] = template
        return kept

    def _settings(self, given: dict[str, object], path: KeyPath, notes: list[Note]) -> dict[str, object]:
        kept: dict[str, object] = {}
        for key, value in given.items():
            at = (*path, key)
            if is_secret(key):
                reason = "not kept, because secrets do not belong in a character; set it in the environment"
                notes.append(Note(".".join(map(str, at)), reason, self._line(at)))
            else:
                kept[key] = self._settings(value, at, notes) if isinstance(value, dict) else value
        return kept

    def _invalid(self, problem: str) -> NoReturn:
        """msgspec's sentence as one of ours; it never quotes a value, which might be private."""
        said, _, where = problem.partition(" - at `$")
        path = tuple(int(at) if at else name for name, at in re.findall(r"\.(\w+)|\[(\d+)\]", where))
        named = re.findall(r"`([^`]*)`", said)
        if said.startswith("Object contains unknown field"):
            self._unknown(path, named[0])
        if said.startswith("Object missing required field"):
            whose = f"`{self._dotted(path)}`" if path else "The character"
            self._fail(path, f"{whose} has no `{named[0]}`", f"Add `{named[0]}`.")
        expected, got = (_KINDS.get(kind, kind) for kind in (*named, "", "")[:2])
        listed = path and path[0] in (*_LISTS, "style") and expected == "a list"
        what = "text or a list of texts" if listed else expected
        self._fail(path, f"`{self._dotted(path)}` must be {what}, not {got}", "Correct its value.")

    def _unknown(self, path: KeyPath, key: str) -> NoReturn:
        owner = Example if path[:1] == ("message_examples",) else Knowledge if path[:1] == ("knowledge",) else None
        known = (owner or (Style if path else Character)).__struct_fields__
        near = difflib.get_close_matches(template_key(key), known, n=1, cutoff=0.5)
        remedy = f"Did you mean `{near[0]}`?" if near else f"The known keys are {', '.join(known)}."
        if key == "secrets":
            remedy = "Secrets do not belong in a character: set them in the environment."
        self._fail((*path, key), f"The key `{self._dotted((*path, key))}` is unknown", remedy)

    def _fail(self, path: KeyPath, problem: str, remedy: str) -> NoReturn:
        raise ConfigError(f"{problem}.", remedy=remedy, file=str(self._document.path), line=self._line(path)) from None

    def _theirs(self, path: KeyPath) -> KeyPath:
        return (self._own_name.get(str(path[0]), path[0]), *path[1:]) if path else path

    def _line(self, path: KeyPath) -> int:
        return self._document.line(self._theirs(path))

    def _dotted(self, path: KeyPath) -> str:
        parts = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in self._theirs(path))
        return parts.removeprefix(".")


def _lists(data: dict[str, object]) -> dict[str, object]:
    """The same fields, with a list wherever a single text or item stands for one."""
    out = {key: _listed(value) if key in _LISTS else value for key, value in data.items()}
    if isinstance(style := out.get("style"), dict):
        out["style"] = {key: _listed(value) for key, value in style.items() if value is not None}
    if "knowledge" in out:
        known = _listed(out["knowledge"])
        out["knowledge"] = _each(known, lambda item: {"text": item} if isinstance(item, str) else item)
    examples = out.get("message_examples")
    if isinstance(examples, list) and examples and all(isinstance(line, dict) for line in examples):
        out["message_examples"] = [examples]  # one exchange, without a list around it
    return out


def _listed(value: object) -> object:
    value = [value] if isinstance(value, str) else value
    return _each(value, lambda item: item.strip() if isinstance(item, str) else item)


def _each(value: object, change: Callable[[object], object]) -> object:
    return [change(item) for item in value] if isinstance(value, list) else value


def _kind(value: object) -> str:
    names = {
        dict: "object",
        list: "array",
        bool: "bool",
        int: "int",
        float: "float",
        str: "str",
        type(None): "null",
    }
    return _KINDS[names[type(value)]] if type(value) in names else f"a {type(value).__name__}"
