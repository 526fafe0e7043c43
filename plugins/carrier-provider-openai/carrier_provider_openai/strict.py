"""Which JSON schemas OpenAI's strict mode takes: with it, what a model writes keeps to the schema for certain."""

from __future__ import annotations

from collections.abc import Mapping

from carrier_core import Json

# https://developers.openai.com/api/docs/guides/structured-outputs, "Supported schemas"
_KNOWN = frozenset(
    "type title description properties required additionalProperties items anyOf enum const $ref $defs definitions "
    "pattern format minimum maximum exclusiveMinimum exclusiveMaximum multipleOf minItems maxItems".split()
)
_FORMATS = frozenset("date-time time date duration email hostname ipv4 ipv6 uuid".split())


def is_strict(schema: Mapping[str, Json]) -> bool:
    """Whether the strict mode takes a schema of type object: every object in it requires all its properties and has no
    others, and nothing is used that the mode does not know."""
    return "anyOf" not in schema and schema.get("type") == "object" and _strict(schema)


def _strict(schema: Json | Mapping[str, Json]) -> bool:
    if not isinstance(schema, Mapping) or not schema.keys() <= _KNOWN:
        return False
    if "format" in schema and schema["format"] not in _FORMATS:
        return False
    if ("properties" in schema or schema.get("type") == "object") and not _closed(schema):
        return False
    inner = [schema["items"]] if "items" in schema else []
    for key in ("properties", "$defs", "definitions"):
        named = schema.get(key)
        inner += named.values() if isinstance(named, dict) else ()
    choices = schema.get("anyOf")
    inner += choices if isinstance(choices, list) else ()
    return all(map(_strict, inner))


def _closed(schema: Mapping[str, Json]) -> bool:
    properties, required = schema.get("properties"), schema.get("required")
    return (
        schema.get("additionalProperties") is False
        and isinstance(properties, dict)
        and isinstance(required, list)
        and set(properties) == {str(name) for name in required}
    )
