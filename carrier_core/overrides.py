"""Setting keys from variables: which key a name spells, and what its text means there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

from carrier_core.environment import HOST_VARIABLES, PREFIX, Layer, Variable
from carrier_core.errors import ConfigError
from carrier_core.faults import Location, nearest
from carrier_core.shape import Place, from_text, plain


def override(
    variable: Variable, keys: tuple[str, ...], root: Place, data: dict[str, object], location: Location
) -> list[ConfigError]:
    """Set in ``data`` what the variable says at ``keys``, which are spelled without case and dashes; or the fault."""
    if variable.problem:
        return [variable.fault(f"${variable.name}: {variable.problem}.", "Correct its value.")]
    path = _path(keys, root, data)
    if not path:
        return [unknown_variable(variable, root, data, location)]
    table = data
    for key in path[:-1]:
        if not isinstance(table.get(key), dict):
            table[key] = {}
        table = cast("dict[str, object]", table[key])
    _merge(table, path[-1], from_text(variable.value, root.at(path).annotation))
    location.set(path, variable)
    return []


def unknown_variable(variable: Variable, root: Place, data: Mapping[str, object], location: Location) -> ConfigError:
    """The fault of a variable with our prefix that spells no key."""
    prefix = PREFIX + "".join(f"{plain(str(key)).upper()}__" for key in location.base)
    known = [prefix + name for name in _names(root, data)]
    remedy = nearest(variable.name.upper(), known if location.base else [*known, *HOST_VARIABLES])
    return variable.fault(f"${variable.name} sets no key that there is.", remedy)


def of_section(layer: Layer, section: str) -> Iterator[tuple[Variable, tuple[str, ...]]]:
    """The variables of a layer that set keys of ``section``, with the path below it."""
    wanted = tuple(plain(section).split(".", 1))
    for variable in layer:
        if len(variable.keys) > 2 and variable.keys[:2] == wanted:
            yield variable, variable.keys[2:]


def _path(keys: tuple[str, ...], root: Place, data: Mapping[str, object]) -> tuple[str, ...]:
    """The keys as the file or the class spells them; empty where there is no such key."""
    place, table, path = root, data, list[str]()
    for spelled in keys:
        key = next((each for each in table if plain(each) == spelled), None)
        key = key or place.inside(spelled).name or spelled
        place = place.inside(key)
        if not spelled or place.annotation is None:
            return ()
        inner = table.get(key)
        table = inner if isinstance(inner, Mapping) else {}
        path.append(key)
    return tuple(path)


def _merge(table: dict[str, object], key: str, value: object) -> None:
    """A table, given as JSON, changes the keys that it names and leaves the others."""
    present = table.get(key)
    if isinstance(value, dict) and isinstance(present, dict):
        for name, part in value.items():
            _merge(present, name, part)
    else:
        table[key] = value


def _names(place: Place, data: object) -> Iterator[str]:
    """How the keys that there are, or may be, are spelled as variables."""
    written = data if isinstance(data, Mapping) else {}
    for key in dict.fromkeys((*place.keys, *written)):
        inner = place.inside(key)
        if inner.is_table:
            yield from (f"{plain(key).upper()}__{name}" for name in _names(inner, written.get(key)))
        elif inner.annotation is not None:
            yield plain(key).upper()
