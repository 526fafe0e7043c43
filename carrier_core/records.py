"""Recorded values: ``{type, v, data}``, so that what one release wrote, every later one reads.

Fields are added with defaults and never renamed; where a change cannot be expressed so, the type's version goes up and
an upcaster turns the older data into the newer. What this release does not know is kept as it is, in ``Unrecognised``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

import msgspec

from carrier_core import archive, journal, messages, outcomes, prompts, schedules
from carrier_core.messages import Memory
from carrier_core.provenance import shared

T = TypeVar("T")
Data = dict[str, object]


class Unrecognised(msgspec.Struct, frozen=True, gc=False):
    """A record of a type or version that this release does not know, untouched."""

    type: str
    v: int
    data: msgspec.Raw


class _Envelope(msgspec.Struct, gc=False):
    type: str
    v: int
    data: msgspec.Raw


VERSIONS: dict[type[msgspec.Struct], int] = {
    messages.Inbound: 1,
    messages.Memory: 1,
    messages.Part: 1,
    messages.Reply: 1,
    messages.ReplyPart: 1,
    messages.Receipt: 1,
    prompts.State: 1,
    prompts.Prompt: 1,
    prompts.Completion: 1,
    prompts.ActionResult: 1,
    prompts.Evaluation: 1,
    prompts.Decision: 1,
    prompts.Draft: 1,
    outcomes.Connection: 1,
    outcomes.Outcome: 1,
    outcomes.TurnRecord: 1,
    outcomes.Event: 1,
    outcomes.Composition: 1,
    outcomes.Outline: 1,
    outcomes.Answer: 1,
    outcomes.Approval: 1,
    prompts.Judged: 1,
    journal.Intent: 1,
    journal.Parking: 1,
    journal.Outgoing: 1,
    journal.StoredPart: 1,
    journal.Spent: 1,
    journal.Hold: 1,
    schedules.Schedule: 1,
    messages.World: 1,
    messages.Room: 1,
    messages.Entity: 1,
    archive.Place: 1,
    archive.Heard: 1,
    archive.Queued: 1,
    archive.Handled: 1,
    archive.Participant: 1,
    archive.Resident: 1,
    archive.Embedded: 1,
}
"""The types that are recorded, each with its present version."""

UPCASTERS: dict[tuple[str, int], Callable[[Data], Data]] = {}
"""From (type, version) to a function that turns its data into that of the next version."""

_BY_NAME = {kind.__name__.lower(): kind for kind in VERSIONS}
_encoder = msgspec.json.Encoder()
_envelope = msgspec.json.Decoder(_Envelope)
_decoders = {kind: msgspec.json.Decoder(kind) for kind in VERSIONS}


def encode(value: msgspec.Struct) -> bytes:
    """The record of a value; what was not recognised goes back as it came. TypeError if its type is not recorded."""
    if isinstance(value, Unrecognised):
        return _encoder.encode(_Envelope(value.type, value.v, value.data))
    kind = type(value)
    if kind not in VERSIONS:
        raise TypeError(f"{kind.__name__} is not a recorded type; add it to VERSIONS with a golden file.")
    return b'{"type":"%b","v":%d,"data":%b}' % (kind.__name__.lower().encode(), VERSIONS[kind], _encoder.encode(value))


def decode(record: bytes | msgspec.Raw, expected: type[T]) -> T:
    """The value of a record. TypeError if it is not of the expected type; pass ``object`` to accept all."""
    value = _decode(record)
    if not isinstance(value, expected):
        raise TypeError(f"The record is a {type(value).__name__}, expected {expected.__name__}.")
    return value


def _shared(memory: Memory) -> Memory:
    """A memory that nobody else has yet, with the names and provenances that others of its room have too: they are two
    thirds of it, and what is one object is hashed and compared at once."""
    share = msgspec.structs.force_setattr
    for field in ("agent", "room", "entity", "name"):
        share(memory, field, _name(getattr(memory, field)))
    share(memory, "provenance", shared(memory.provenance))
    for part in memory.content:
        if part.provenance is not None:
            share(part, "provenance", shared(part.provenance))
    return memory


@lru_cache(maxsize=8_192)
def _name(name: str) -> str:
    return name  # not sys.intern: some releases of Python keep for good what is interned


def _decode(record: bytes | msgspec.Raw) -> object:
    envelope = _envelope.decode(record)
    kind = _BY_NAME.get(envelope.type)
    if kind is None or envelope.v > VERSIONS[kind]:
        return Unrecognised(envelope.type, envelope.v, envelope.data)
    if envelope.v == VERSIONS[kind]:
        value = _decoders[kind].decode(envelope.data)
        return _shared(value) if isinstance(value, Memory) else value
    steps = [UPCASTERS.get((envelope.type, version)) for version in range(envelope.v, VERSIONS[kind])]
    data = msgspec.json.decode(envelope.data, type=Data)
    for upcast in steps:
        if upcast is None:  # of a version that was never released
            return Unrecognised(envelope.type, envelope.v, envelope.data)
        data = upcast(data)
    # By way of JSON again, because what is held as raw JSON inside cannot be made from Python's values.
    return _decoders[kind].decode(_encoder.encode(data))
