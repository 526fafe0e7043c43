"""The record of a finished turn as it is stored: without what the database knows anyway.

A third of it would be the names of parts and memories, which nothing deflates. A part is named by its number, a memory by
the bytes of its id.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from carrier_core import StepRecord, TurnRecord, decode, deflate, encode, inflate, parts_in
from carrier_memory_sqlite.queries import queries
from carrier_memory_sqlite.transaction import Transaction

ID = 32
"""The length of most ids, which are hexadecimal."""

Rows = Callable[[str, tuple[object, ...]], Iterable[tuple[Any, ...]]]

_SQL = queries("turns")
_step = msgspec.json.Decoder(StepRecord)


class Trace(NamedTuple):
    """A record made ready for :meth:`write`, outside of the writer thread. ``digests`` are the parts that it names:
    ``listed`` of them are those of the record, in order; the others are named in steps."""

    turn: TurnRecord
    digests: tuple[str, ...]
    listed: int
    memories: bytes | None
    lean: bytes

    def write(self, transaction: Transaction, trace: int | None) -> int:
        """Store the record, or store it anew; returns its number."""
        numbers = transaction.part_numbers(self.digests)
        parts = None if numbers is None else array("I", [self.listed, *numbers]).tobytes()
        record = deflate(self.lean)
        if parts is None and self.listed:
            memories = () if self.memories else self.turn.memories
            record = deflate(encode(msgspec.structs.replace(self.turn, memories=memories)))
        if trace is None:
            return transaction.added(_SQL["add_trace"], (parts, self.memories, record)) or 0
        transaction.execute(_SQL["set_trace"], (parts, self.memories, record, trace))
        return trace


def trace_of(turn: TurnRecord) -> Trace:
    """The record of a finished turn, made ready."""
    beside = {digest for step in turn.steps for digest in parts_in(step.value)}.difference(turn.parts)
    memories = _bytes(turn.memories)
    left = turn.memories if memories is None else ()
    lean = encode(msgspec.structs.replace(turn, parts=(), memories=left))
    return Trace(turn, (*turn.parts, *beside), len(turn.parts), memories, lean)


def read_trace(rows: Rows, parts: bytes | None, memories: bytes | None, stored: bytes) -> TurnRecord:
    """The record of a finished turn."""
    record = decode(inflate(stored), TurnRecord)
    if memories:
        text = memories.hex()
        ids = tuple([text[at : at + ID] for at in range(0, len(text), ID)])
        record = msgspec.structs.replace(record, memories=ids)
    if parts and not record.parts:
        listed, *numbers = array("I", parts)
        wanted = msgspec.json.encode(numbers[:listed]).decode()
        digests = tuple([digest for (digest,) in rows(_SQL["digests"], (wanted,))]) if listed else ()
        record = msgspec.structs.replace(record, parts=digests)
    return record


def read_draft(rows: Rows, number: int, stored: bytes) -> TurnRecord:
    """The record of a turn that is not finished: its steps lie beside it."""
    steps = tuple([_step.decode(raw) for (raw,) in rows(_SQL["steps"], (number,))])
    return msgspec.structs.replace(decode(stored, TurnRecord), steps=steps)


def _bytes(ids: Sequence[str]) -> bytes | None:
    """Ids as bytes; None if one of them has another form."""
    joined = "".join(ids)
    if len(joined) != ID * len(ids) or any(len(each) != ID for each in ids):
        return None
    try:
        found = bytes.fromhex(joined)
    except ValueError:
        return None
    return found if found.hex() == joined else None
