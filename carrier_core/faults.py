"""From pydantic's errors to faults that a person can act on: what is wrong, where, and what to write instead.

A secret is never shown: neither its value, nor a value of which it may be a part, nor as a part of another message.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, cast

from pydantic_core import PydanticUndefined

from carrier_core.configfile import Document
from carrier_core.environment import Variable
from carrier_core.errors import ConfigError
from carrier_core.keylines import KeyPath
from carrier_core.shape import Place, environment_names

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_EXPECTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "path_type": "a path",
    "tuple_type": "a list",
    "list_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a table",
    "mapping_type": "a table",
    "model_type": "a table",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "string_too_short": "text of at least {min_length} characters",
    "string_too_long": "text of at most {max_length} characters",
    "string_pattern_mismatch": "text of the form {pattern}",
    "too_short": "a list of at least {min_length} entries",
    "too_long": "a list of at most {max_length} entries",
}
_HIDDEN = "(not shown: it is a secret)"


class Location:
    """Where in the sources the value of a key path comes from: the file, or the variable that set it."""

    def __init__(self, document: Document, base: KeyPath = ()) -> None:
        self._document = document
        self.base = base
        self._variables: dict[KeyPath, Variable] = {}

    def set(self, path: KeyPath, variable: Variable) -> None:
        """What is at ``path`` and below is now the variable's."""
        self._variables[path] = variable

    def variable(self, path: KeyPath) -> Variable | None:
        """The variable that set ``path`` or what is around it."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._variables:
                return self._variables[path[:length]]
        return None

    def fault(self, path: KeyPath, message: str, remedy: str) -> ConfigError:
        """A fault of the value at ``path``, seen from the base."""
        variable = self.variable(path)
        if variable is not None:
            return variable.fault(f"${variable.name}: {message}", remedy)
        whole = self.base + path
        file = str(self._document.path)
        # Of a section that the file does not have, another section's header would be a misleading line.
        line = self._document.line(whole) if whole[:2] in self._document.lines or not self.base else 1
        return ConfigError(message, remedy=remedy, file=file, line=line)

    def within(self, path: KeyPath) -> str:
        """Where a key of the table at ``path`` is, as TOML writes tables, for messages."""
        names = ".".join(str(key) for key in self.base + path)
        return f"in [{names}]" if names else "at the top of the file"


def nearest(word: str, known: Iterable[str]) -> str:
    """A remedy for a word that is not among the known ones: the nearest of them, or all."""
    choices = sorted(known)
    if not choices:
        return "Remove it."
    folded = {choice.lower(): choice for choice in choices}
    close = difflib.get_close_matches(word.lower(), folded, n=1)
    if close:
        return f"Did you mean `{folded[close[0]]}`?"
    return f"Known here: {', '.join(choices)}." if len(choices) <= 20 else "Remove it."


def translate(
    errors: Iterable[ErrorDetails], root: Place, data: Mapping[str, object], location: Location
) -> list[ConfigError]:
    """One fault for each place that pydantic complains about; the alternatives of a union are joined."""
    grouped: dict[KeyPath, list[ErrorDetails]] = {}
    for error in errors:
        grouped.setdefault(_path(error, root, data), []).append(error)
    faults = [_fault(path, found, root, data, location) for path, found in grouped.items()]
    secrets = sorted(_secrets(root, data, ()), key=len, reverse=True)
    return [_scrubbed(fault, secrets) for fault in faults]


def _path(error: ErrorDetails, root: Place, data: Mapping[str, object]) -> KeyPath:
    """The error's location without the names that pydantic adds for members of unions, and by fields' names."""
    path: KeyPath = ()
    value = cast("object", data)
    absent = error["type"] in {"missing", "extra_forbidden"}
    for index, key in enumerate(error["loc"]):
        if isinstance(value, Mapping) and key in value:
            value = value[str(key)]
        elif isinstance(value, list) and isinstance(key, int) and key < len(value):
            value = value[key]
        elif not (absent and index == len(error["loc"]) - 1):
            continue
        else:
            key = (error["type"] == "missing" and root.at(path).inside(key).name) or key
        path = (*path, key)
    return path


def _fault(
    path: KeyPath, errors: list[ErrorDetails], root: Place, data: Mapping[str, object], location: Location
) -> ConfigError:
    table = root.at(path[:-1])
    name, within = (path[-1] if path else ""), location.within(path[:-1])
    first = errors[0]
    if first["type"] == "extra_forbidden":
        if name == "enabled" and within.startswith("in [plugin."):
            remedy = "List the plugin in `enabled` or `disabled` of [plugins]."
        else:
            remedy = nearest(str(name), table.keys)
        return location.fault(path, f"There is no key `{name}` {within}.", remedy)
    if first["type"] == "missing":
        names = environment_names(table.model).get(str(name), ()) if table.model else ()
        also = f", or set {' or '.join('$' + each for each in names)}" if names else ""
        return location.fault(path, f"The key `{name}` is missing {within}.", f"Add it{also}.")
    if first["loc"] and first["loc"][-1] == "[key]":
        return _wrong_key(path, first, location)
    called = _called(path, location)
    own_words = [error for error in errors if not _is_about_type(error)]
    if own_words:
        reason = str(own_words[0].get("ctx", {}).get("error", own_words[0]["msg"])).rstrip(".")
        return location.fault(path, f"{called}: {reason}.", _remedy(root, path))
    wanted = " or ".join(dict.fromkeys(_expected(error) for error in errors))
    message = f"{called} must be {wanted}, not {_shown(root, path, data)}."
    return location.fault(path, message, _remedy(root, path))


def _called(path: KeyPath, location: Location) -> str:
    """A value by its key: `rooms` in [limits], entry 2 of `enabled` in [plugins]."""
    if not path:
        return f"What is {location.within(())}"
    if isinstance(path[-1], int):
        return f"Entry {path[-1] + 1} of {_called(path[:-1], location)}"
    return f"`{path[-1]}` {location.within(path[:-1])}"


def _wrong_key(path: KeyPath, error: ErrorDetails, location: Location) -> ConfigError:
    name, within = str(path[-1]), location.within(path[:-1])
    context = error.get("ctx", {})
    if error["type"] == "literal_error":
        known = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        return location.fault(path, f"There is no key `{name}` {within}.", nearest(name, known))
    if "error" in context:
        return location.fault(path, f"`{name}` {within}: {context['error']}.", "Rename it.")
    return location.fault(path, f"A key {within} must be {_expected(error)}, not {_text(name)}.", "Rename it.")


def _is_about_type(error: ErrorDetails) -> bool:
    """Whether pydantic wrote the message, rather than the author of a validator."""
    return error["type"] in _EXPECTED or error["msg"].startswith("Input should be ")


def _expected(error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    if error["type"] in {"literal_error", "enum"}:
        return re.sub(r"'([^']*)'", r'"\1"', str(context.get("expected", "")))
    if context.get("min_length") == 1:
        return "text that is not empty" if error["type"] == "string_too_short" else "a list that is not empty"
    template = _EXPECTED.get(error["type"])
    if template is not None:
        numbers = {name: f"{bound:g}" if isinstance(bound, float) else bound for name, bound in context.items()}
        return template.format(**numbers)
    message = error["msg"].removeprefix("Input should be ").removeprefix("a valid ")
    return message[:1].lower() + message[1:]


def _remedy(root: Place, path: KeyPath) -> str:
    place = root.at(path)
    if place.field is None or place.is_secret:
        return "Correct it."
    default = place.field.default
    if default is PydanticUndefined or default is None:
        return "Correct it." if default is PydanticUndefined else "Correct it, or leave it out."
    if isinstance(default, (str, int, float, tuple)) and default not in ("", ()):
        return f"Correct it, or leave it out: the default is {_text(default)}."
    return "Correct it, or leave it out."


def _shown(root: Place, path: KeyPath, data: Mapping[str, object]) -> str:
    value: object = data
    for key in path:
        value = _member(value, key)
    place = root.at(path)
    if place.is_secret:
        return f"{_kind(value)} {_HIDDEN}"
    return _kind(value) if place.annotation is None else _text(value)


def _member(value: object, key: str | int) -> object:
    if isinstance(value, list) and isinstance(key, int):
        return value[key]
    return value.get(key) if isinstance(value, Mapping) else value


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "true or false"
    kinds = ((str, "text"), ((int, float), "a number"), ((list, tuple), "a list"), (Mapping, "a table"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "a value")


def _text(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str, skipkeys=True)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _secrets(place: Place, value: object, path: KeyPath) -> set[str]:
    """The texts that belong where a secret does."""
    if isinstance(value, Mapping):
        return {found for key, part in value.items() for found in _secrets(place.inside(key), part, (*path, key))}
    if isinstance(value, list):
        return {found for part in value for found in _secrets(place.inside(0), part, path)}
    return {str(value)} if place.is_secret else set()


def _scrubbed(fault: ConfigError, secrets: list[str]) -> ConfigError:
    message = fault.message
    for value in secrets:
        if len(value) >= 4:  # shorter ones occur in any sentence
            message = message.replace(value, "*" * 8)
    return ConfigError(message, remedy=fault.remedy, file=fault.file, line=fault.line)
