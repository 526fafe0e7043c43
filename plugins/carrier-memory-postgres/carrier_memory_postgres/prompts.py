"""Which parts a turn has shown to a model, told from its record."""

from __future__ import annotations

import msgspec

from carrier_core import TurnRecord


class _Value(msgspec.Struct):
    """A recorded value, as far as it has to be known here."""

    type: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Line(msgspec.Struct):
    parts: tuple[str, ...] = ()


class _Composition(msgspec.Struct):
    state: tuple[str, ...] = ()
    messages: tuple[_Line, ...] = ()


_value = msgspec.json.Decoder(_Value)
_composition = msgspec.json.Decoder(_Composition)


def parts_of(record: TurnRecord) -> set[str]:
    """The hashes of all parts that a turn names, in its record and in its steps."""
    found = {*record.parts}
    for step in record.steps:
        found |= parts_in(step.value)
    return found


def parts_in(value: msgspec.Raw) -> set[str]:
    """The hashes of the parts that a recorded value names: that of the step ``compose`` does."""
    if b'"composition"' not in bytes(value):
        return set()
    recorded = _value.decode(value)
    if recorded.type != "composition":
        return set()
    composition = _composition.decode(recorded.data)
    return {*composition.state}.union(*[line.parts for line in composition.messages])
