"""The schemas that servers declare: judged, brought into a form that every model takes, and used to check arguments.

What a server sends is not to be relied on. A schema that is no schema, or a bomb (references that double at each level, regular
expressions that take years), costs the tool that has it, and nothing else.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from carrier_core import Json

MOST_BYTES: Final = 32_768
"""Of a schema, as JSON. The biggest of the reference servers has 2 kB."""

MOST_SCHEMAS: Final = 1_000
"""Schemas within a schema, references written out."""

DEEPEST: Final = 16
"""Schemas in schemas."""

_NAME = re.compile(
    r"[A-Za-z0-9_.-]{1,64}"
)  # what model services take as the name of a property; else they refuse all tools

_INSIDE = frozenset("items additionalProperties contains propertyNames not if then else unevaluatedItems".split())
_LISTS = frozenset("allOf anyOf oneOf prefixItems".split())
_MAPS = frozenset("properties patternProperties dependentSchemas".split())
_VALUES = frozenset(
    "type enum const default examples description title format pattern required minimum maximum exclusiveMinimum "
    "exclusiveMaximum multipleOf minLength maxLength minItems maxItems uniqueItems minContains maxContains minProperties "
    "maxProperties dependentRequired readOnly writeOnly deprecated".split()
)
_BESIDE = ("description", "title", "default")  # of what stands beside a reference
_UNCHECKED = frozenset(("pattern", "patternProperties"))  # somebody else's regular expressions may run for years

_LONGEST = 300  # characters of what a model is told of its arguments


class Unfit(Exception):
    """A schema cannot be used; the text says why, as the end of a sentence."""


def normal(schema: dict[str, Json]) -> dict[str, Json]:
    """The schema of type object as JSON Schema 2020-12, with what it refers to written out where it stands, because not every
    model follows references, and without keywords that are not of the standard. Where it contains itself, anything goes.

    :class:`Unfit` if it is none, is too big or refers elsewhere.
    """
    schema = {clean(key): _clean(value) for key, value in schema.items()}
    try:
        size = len(msgspec.json.encode(schema))
    except (ValueError, OverflowError, RecursionError):
        raise Unfit("cannot be written down") from None  # numbers beyond 64 bits, say
    if size > MOST_BYTES:
        raise Unfit(f"has more than {MOST_BYTES:,} bytes")
    made = _Writer(schema).write(schema, 0, ())
    if not isinstance(made, dict) or made.get("type") != "object":
        raise Unfit("is not of type object")
    made.setdefault("properties", {})
    if flaw := _flaw(made):
        raise Unfit(f"is no JSON schema: {flaw}")
    return made


class _Writer:
    """Writes one schema anew."""

    def __init__(self, root: dict[str, Json]) -> None:
        self._root = root
        self._left = MOST_SCHEMAS

    def write(self, schema: Json, depth: int, within: tuple[str, ...]) -> Json:
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, dict):
            raise Unfit(f"is no JSON schema: {type(schema).__name__} stands where a schema should be")
        self._left -= 1
        if self._left < 0 or depth > DEEPEST:
            raise Unfit(f"has more than {MOST_SCHEMAS} schemas in it, or more than {DEEPEST} in one another")
        reference = schema.get("$ref")
        if reference is not None:
            return self._referred(reference, schema, depth, within)
        made: dict[str, Json] = {}
        for key, value in schema.items():
            if key in _INSIDE and not isinstance(value, list):
                made[key] = self.write(value, depth + 1, within)
            elif key in _LISTS or key == "items":  # until draft 7, a tuple was declared in `items`
                made["prefixItems" if key == "items" else key] = self._listed(value, depth, within)
            elif key in _MAPS:
                made[key] = self._mapped(key, value, depth, within)
            elif key in _VALUES and not (key.startswith("exclusive") and isinstance(value, bool)):  # so in draft 4
                made[key] = _clean(value)
        return made

    def _listed(self, value: Json, depth: int, within: tuple[str, ...]) -> Json:
        if not isinstance(value, list):
            raise Unfit("is no JSON schema: a list of schemas is none")
        return [self.write(each, depth + 1, within) for each in value]

    def _mapped(self, key: str, value: Json, depth: int, within: tuple[str, ...]) -> Json:
        if not isinstance(value, dict):
            raise Unfit(f"is no JSON schema: its {key} are no table")
        for name in value if key == "properties" else ():
            if not _NAME.fullmatch(name):
                raise Unfit(f"has a property called {clean(name)[:64]!r}, which models are not offered")
        return {clean(name): self.write(each, depth + 1, within) for name, each in value.items()}

    def _referred(self, reference: Json, schema: dict[str, Json], depth: int, within: tuple[str, ...]) -> Json:
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise Unfit(f"refers to {clean(str(reference))[:100]!r}, which is elsewhere")
        if reference in within:
            return {}
        found = self.write(self._at(reference), depth + 1, (*within, reference))
        beside: dict[str, Json] = {key: _clean(schema[key]) for key in _BESIDE if key in schema}
        return {**found, **beside} if isinstance(found, dict) else found

    def _at(self, reference: str) -> Json:
        """What a JSON pointer (RFC 6901) names."""
        place: Json = self._root
        for step in reference[1:].split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            if isinstance(place, dict) and key in place:
                place = place[key]
            elif isinstance(place, list) and key.isdecimal() and int(key) < len(place):
                place = place[int(key)]
            else:
                raise Unfit(f"refers to {clean(reference)[:100]!r}, which is not there")
        return place


def violation(value: Json, schema: dict[str, Json]) -> str:
    """What is wrong with a value by a schema in :func:`normal` form, for a model; empty if nothing is, or if that cannot be told.

    Regular expressions are left to the server, which judges for itself in any case.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    checkable = _checkable(schema)
    assert isinstance(checkable, dict)
    try:
        error = best_match(Draft202012Validator(checkable).iter_errors(value))
    except Exception:  # a number beyond all bounds, say: the schema's fault, not that of the value
        return ""
    if error is None:
        return ""
    place = "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in error.absolute_path)
    told = error.message if len(error.message) <= _LONGEST else f"{error.message[: _LONGEST - 1]}…"
    return f"{told} - at `${place}`" if place else told


def _flaw(schema: dict[str, Json]) -> str:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return clean(error.message)[:_LONGEST]
    return ""


def _checkable(schema: Json) -> Json:
    """The schema without what is not checked here."""
    if isinstance(schema, list):
        return [_checkable(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    left_out = _UNCHECKED | {"additionalProperties"} if "patternProperties" in schema else _UNCHECKED
    made: dict[str, Json] = {}
    for key, value in schema.items():
        if key in _MAPS and key not in left_out and isinstance(value, dict):
            made[key] = {name: _checkable(each) for name, each in value.items()}
        elif key not in left_out:
            made[key] = _checkable(value) if key in _INSIDE | _LISTS else value
    return made


def clean(text: str) -> str:
    """The text without what cannot be stored: lone surrogates and NUL."""
    if "\0" in text:
        text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    return text if text.isascii() else text.encode(errors="replace").decode()


def _clean(value: Json) -> Json:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_clean(each) for each in value]
    if isinstance(value, dict):
        return {clean(key): _clean(each) for key, each in value.items()}
    return value
