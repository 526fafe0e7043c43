"""The record of a turn as it is stored: without the names of the parts and memories that it shows.

They are more than half of a record, and nothing deflates them. Instead of the hash of a part there is its number, less the one
before it; a memory is told by the place in the record of the part that has it. Such a record begins with a star; that of a turn
whose parts are not all stored is kept as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

import msgspec

from carrier_core import StepRecord, TurnRecord, decode, encode, inflate, parts_in
from carrier_memory_postgres.connections import Speaker
from carrier_memory_postgres.parts import Shown, numbered

MOST = 10_000
"""Parts of one turn up to which its memories are told by them."""

_STAR = b"*"
_FIRST = ord("0")  # the place of a part is a character from this one on: places that follow one another deflate well
_step = msgspec.json.Decoder(StepRecord)
_replace = msgspec.structs.replace


def packed(turn: TurnRecord, shown: Mapping[str, Shown]) -> bytes:
    """The record as it is stored, not yet deflated. ``shown`` are the parts by their hashes."""
    parts = [part for digest in turn.parts if (part := shown.get(digest)) is not None]
    if not parts or len(parts) < len(turn.parts):
        return encode(turn)
    numbers = [part.number for part in parts]
    names = [",".join([str(number - before) for before, number in zip([0, *numbers], numbers, strict=False)])]
    places = _places(turn.memories, parts)
    if places is not None:
        names.append(places)
    left = turn.memories if places is None else ()
    return _STAR + encode(_replace(turn, parts=tuple(names), memories=left))


def _places(memories: Iterable[str], parts: Sequence[Shown]) -> str | None:
    """Memories as the places of the first parts that have them; None where one is in no part."""
    if len(parts) > MOST:
        return None
    where = {part.memory: chr(_FIRST + place) for place, part in reversed([*enumerate(parts)])}
    try:
        return "".join([where[memory] for memory in memories])
    except KeyError:
        return None


class Names(NamedTuple):
    """What an inflated record names: the person who was answered, rows that others took the place of, parts by their numbers
    and by their hashes, memories."""

    person: str
    superseded: tuple[int, ...]
    numbers: tuple[int, ...]
    parts: set[str]
    memories: tuple[str, ...]


class _Turn(msgspec.Struct):
    """A turn, as far as it names something."""

    person: str = ""
    superseded: tuple[int, ...] = ()
    parts: tuple[str, ...] = ()
    memories: tuple[str, ...] = ()
    steps: tuple[StepRecord, ...] = ()


class _Record(msgspec.Struct):
    data: _Turn


_record = msgspec.json.Decoder(_Record)


def names_in(text: bytes) -> Names:
    """What an inflated record names. Reads no more of it."""
    is_packed = text.startswith(_STAR)
    turn = _record.decode(text[1:] if is_packed else text).data
    parts = {*(() if is_packed else turn.parts)}.union(*[parts_in(step.value) for step in turn.steps])
    numbers = _numbers(turn.parts) if is_packed else ()
    return Names(turn.person, turn.superseded, numbers, parts, turn.memories)


def _numbers(parts: Sequence[str]) -> tuple[int, ...]:
    return tuple(accumulate(map(int, parts[0].split(","))))


def unpacked(text: bytes, shown: Mapping[int, Shown]) -> TurnRecord:
    """An inflated record. ``shown`` are the parts by their numbers; those that are gone are left out."""
    if not text.startswith(_STAR):
        return decode(text, TurnRecord)
    record = decode(text[1:], TurnRecord)
    parts = [shown.get(number) for number in _numbers(record.parts)]
    memories = record.memories
    if len(record.parts) > 1:
        found = [parts[ord(place) - _FIRST] for place in record.parts[1]]
        memories = tuple([part.memory for part in found if part is not None])
    return _replace(record, parts=tuple([part.digest for part in parts if part is not None]), memories=memories)


async def read_records(link: Speaker, rows: Iterable[tuple[str, bytes, Sequence[bytes] | None]]) -> list[TurnRecord]:
    """Turns as they were, from their states, their stored records and the records of their steps."""
    read = [(state, inflate(record), steps) for state, record, steps in rows]
    shown = await numbered(link, (number for _, text, _ in read for number in names_in(text).numbers))
    return [
        unpacked(text, shown) if state == "finished" else _replace(unpacked(text, shown), steps=steps_of(steps))
        for state, text, steps in read
    ]


def steps_of(records: Iterable[bytes] | None) -> tuple[StepRecord, ...]:
    """The steps of a turn that is not finished."""
    return tuple([_step.decode(record) for record in records or ()])
