"""Parameters: what an action takes, as a JSON schema, and what is wrong with arguments that do not fit it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from carrier_core.prompts import Json

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

_LONGEST = 300  # characters of what a model is told: a validator may repeat the whole argument
_REFERENCE = "#/$defs/"
_DEEPEST = 16  # levels of structs in structs; deeper ones, or one in itself, stay a reference


def schema_of(kind: type[msgspec.Struct]) -> dict[str, Json]:
    """The JSON schema of a struct, of type object, with all that it refers to put in where it stands: not every model follows
    references. Titles, which say nothing that the names do not, are left out, and so is the struct's own docstring."""
    (root,), components = msgspec.json.schema_components([kind], ref_template=f"{_REFERENCE}{{name}}")
    schema = _inlined(root, components, 0)
    assert isinstance(schema, dict)
    schema.pop("description", None)
    made: dict[str, Json] = msgspec.json.decode(msgspec.json.encode({**schema, "required": schema.get("required", [])}))
    return made  # a default may be a tuple, which JSON has as a list


def _inlined(value: Json, components: Mapping[str, Json], depth: int) -> Json:
    if isinstance(value, list):
        return [_inlined(each, components, depth) for each in value]
    if not isinstance(value, dict):
        return value
    reference = value.get("$ref")
    if isinstance(reference, str):
        if depth >= _DEEPEST:
            raise TypeError(
                f"{reference.removeprefix(_REFERENCE)} is nested too deeply for the arguments of an action."
            )
        target = components[reference.removeprefix(_REFERENCE)]
        rest = {key: each for key, each in value.items() if key != "$ref"}
        found = _inlined(target, components, depth + 1)
        return {**found, **rest} if isinstance(found, dict) else found
    named = value.get("properties")
    made = {key: _inlined(each, components, depth) for key, each in value.items() if key not in ("title", "properties")}
    if isinstance(named, dict):  # a property may well be called title
        made["properties"] = {key: _inlined(each, components, depth) for key, each in named.items()}
    return made


def misfit(arguments: dict[str, Json], kind: type[msgspec.Struct]) -> str:
    """What is wrong with arguments for a struct; empty if nothing is."""
    try:
        msgspec.convert(arguments, kind)
    except msgspec.ValidationError as error:
        return _short(str(error))
    return ""


def violation(arguments: dict[str, Json], schema: Mapping[str, Json]) -> str:
    """What is wrong with arguments by a JSON schema; empty if nothing is."""
    from jsonschema.exceptions import best_match

    error = best_match(_validator(msgspec.json.encode(schema)).iter_errors(arguments))
    if error is None:
        return ""
    place = "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in error.absolute_path)
    return f"{_short(error.message)} - at `${place}`" if place else _short(error.message)


@lru_cache(maxsize=512)
def _validator(schema: bytes) -> Validator:
    from jsonschema import Draft202012Validator
    from referencing import Registry

    # An empty registry: what a schema refers to elsewhere is not fetched.
    return Draft202012Validator(msgspec.json.decode(schema), registry=Registry())


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
