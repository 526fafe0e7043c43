"""What a declared tool takes, and where each argument goes: read from its declaration, and what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Literal, cast

import msgspec

from carrier_actions_web.template import Template
from carrier_core import Json

Place = Literal["path", "query", "header", "body"]

_PLACES = ("path", "query", "header", "body")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")  # RFC 9110, 5.6.2
_SCALARS = frozenset({"string", "integer", "number", "boolean"})
_BODILESS = frozenset({"GET", "DELETE"})

OURS = frozenset(
    "connection content-length content-type expect host keep-alive proxy-authorization te trailer transfer-encoding "
    "upgrade".split()
)
"""Headers that the client writes itself: another value would break the request, or make two of it."""


class Argument(msgspec.Struct, frozen=True):
    """Where an argument goes, and what it is called there."""

    name: str
    place: Place
    sent_as: str


class Parameters(msgspec.Struct, frozen=True):
    """What a tool takes: the JSON schema that a model is shown, and where its properties go."""

    schema: dict[str, Json]
    arguments: tuple[Argument, ...]


def read_parameters(written: Mapping[str, Json], template: Template, method: str) -> Parameters:
    """The parameters that are written as a JSON schema of type object, or as a short table of names. ValueError, which says what
    is wrong with them."""
    schema = _whole(written)
    if _refers(schema):
        raise ValueError("they refer elsewhere ($ref): write it out")
    properties = cast("dict[str, dict[str, Json]]", schema["properties"])
    arguments = tuple(_argument(name, each, template, method) for name, each in properties.items())
    required = schema.get("required", [])
    for name in template.names:
        if name not in properties:
            raise ValueError(f"`url` has a place for {name}, which is not among them")
        if not isinstance(required, list) or name not in required:
            raise ValueError(f"{name} has a place in `url`, so it must be required")
    taken = [(argument.place, argument.sent_as.lower()) for argument in arguments]
    if len({*taken}) < len(taken):
        raise ValueError("two of them go to the same place under the same name")
    _check_schema(schema)
    return Parameters(schema, arguments)


def _whole(written: Mapping[str, Json]) -> dict[str, Json]:
    """The schema, made where it was written short."""
    properties = written.get("properties")
    if written.get("type") == "object" and isinstance(properties, dict):
        for name, each in properties.items():
            if not isinstance(each, dict):
                raise ValueError(f"{name} must be a table")
        copied: dict[str, Json] = {name: dict(cast("dict[str, Json]", each)) for name, each in properties.items()}
        return {"additionalProperties": False, **written, "properties": copied}
    made: dict[str, Json] = {}
    required: list[Json] = []
    for name, each in written.items():
        if isinstance(each, str):
            each = {"description": each}
        if not isinstance(each, dict):
            raise ValueError(f"{name} must be a description, or a table with type, description and so on")
        needed = each.get("required", True)
        if not isinstance(needed, bool):
            raise ValueError(f"`required` of {name} must be true or false")
        if needed:
            required.append(name)
        made[name] = {"type": "string", **{key: value for key, value in each.items() if key != "required"}}
    return {"type": "object", "properties": made, "required": required, "additionalProperties": False}


def _argument(name: str, schema: dict[str, Json], template: Template, method: str) -> Argument:
    """Where an argument goes. What says so is taken out of its schema, which is the model's."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name} is no name of an argument: a letter, then letters, digits, _ and -")
    place, sent_as = schema.pop("in", None), schema.pop("as", name)
    if place is not None and place not in _PLACES:
        raise ValueError(f"`in` of {name} must be one of {', '.join(_PLACES)}")
    if not isinstance(sent_as, str) or not sent_as:
        raise ValueError(f"`as` of {name} must be what it is called there")
    if name in template.names:
        there = "path" if name in template.in_path else "query"
        if place not in (None, there):
            raise ValueError(f"{name} has a place in `url`, so it cannot go elsewhere")
        place = there
    elif place == "path":
        raise ValueError(f"{name} is to go into the path, but `url` has no {{{name}}}")
    if place is None:
        place = "query" if method in _BODILESS else "body"
    if place == "body" and method == "GET":
        raise ValueError(f"{name} cannot go into the body, which GET does not have")
    if place == "header" and (not HEADER_NAME.fullmatch(sent_as) or sent_as.lower() in OURS):
        raise ValueError(f"{name} cannot be the header {sent_as}")
    if place != "body" and not _is_flat(schema, listed=place == "query" and name not in template.names):
        raise ValueError(f"{name} must be a string, an integer, a number or a boolean to go into the {place}")
    return Argument(name, cast("Place", place), sent_as)


def _is_flat(schema: Mapping[str, Json], *, listed: bool) -> bool:
    """Whether what fits the schema can be written as one text, or, where they may be ``listed``, as several."""
    kind = schema.get("type", "string")
    if kind == "array" and listed:
        items = schema.get("items", {})
        return isinstance(items, dict) and _is_flat(items, listed=False)
    kinds = kind if isinstance(kind, list) else [kind]
    return all(isinstance(each, str) and each in _SCALARS for each in kinds)


def _refers(value: Json) -> bool:
    if isinstance(value, dict):
        return "$ref" in value or "$dynamicRef" in value or any(_refers(each) for each in value.values())
    return isinstance(value, list) and any(_refers(each) for each in value)


def _check_schema(schema: Mapping[str, Json]) -> None:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = ".".join(str(each) for each in error.absolute_path if each != "properties")
        raise ValueError(f"{where or 'what they say'} is no JSON schema: {error.message[:200]}") from None


def names_in(schema: Mapping[str, Json]) -> Iterator[str]:
    """The arguments of a schema."""
    properties = schema.get("properties")
    yield from properties if isinstance(properties, dict) else ()
