"""Which schemas the strict mode takes."""

from __future__ import annotations

import pytest

from carrier_provider_openai.strict import is_strict


def closed(**properties: object) -> dict:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


POINT = closed(x={"type": "number", "minimum": 0}, y={"type": ["number", "null"]})


@pytest.mark.parametrize(
    "schema",
    [
        closed(),
        closed(city={"type": "string", "description": "Where."}, days={"type": "integer", "enum": [1, 2]}),
        closed(at=POINT, line={"type": "array", "items": POINT}),
        closed(at={"anyOf": [POINT, {"type": "null"}]}),
        closed(at={"$ref": "#/$defs/point"}) | {"$defs": {"point": POINT}},
        closed(day={"type": "string", "format": "date"}),
    ],
)
def test_closed_schemas_are_strict(schema):
    assert is_strict(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        closed(x={"type": "string"}) | {"required": []},
        closed(x={"type": "string"}) | {"additionalProperties": True},
        {key: value for key, value in closed().items() if key != "additionalProperties"},
        closed(at={"type": "object", "properties": {"x": {"type": "number"}}}),
        closed(line={"type": "array", "items": {"type": "object"}}),
        closed(at={"anyOf": [{"type": "object"}, {"type": "null"}]}),
        closed(at={"$ref": "#/$defs/point"}) | {"$defs": {"point": {"type": "object"}}},
        closed(x={"type": "string", "default": "y"}),
        closed(x={"type": "string", "maxLength": 5}),
        closed(x={"type": "string", "format": "uri"}),
        closed(x={"oneOf": [{"type": "string"}]}),
        closed(x=True),
        {"anyOf": [POINT]},
        closed() | {"anyOf": [POINT]},
        {"type": "string"},
    ],
)
def test_others_are_not(schema):
    assert not is_strict(schema)
