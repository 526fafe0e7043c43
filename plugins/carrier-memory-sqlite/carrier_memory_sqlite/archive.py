"""An archive of the database: all its rows as entries, read in one state of it, and taken in again."""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Callable, Iterator
from itertools import chain, islice
from typing import Any

import apsw
import msgspec

from carrier_core import (
    Embedded,
    Entity,
    Entry,
    Handled,
    Heard,
    Memory,
    Parking,
    Part,
    Participant,
    Place,
    Queued,
    Resident,
    Room,
    RoomKind,
    Spending,
    StoredPart,
    World,
    decode,
    inflate,
    parts_of,
)
from carrier_memory_sqlite.outbox import intents_of, posts_of
from carrier_memory_sqlite.queries import queries
from carrier_memory_sqlite.records import record_of
from carrier_memory_sqlite.schedules import schedules_of

BATCH = 256
"""Entries that are handed out at once."""

Select = Callable[[str, tuple[object, ...]], Iterator[tuple[Any, ...]]]
"""Runs a query and gives its rows one after another."""

Kind = Callable[[Select, str], Iterator["Entry"]]

DAMAGE = (apsw.CorruptError, apsw.FormatError, apsw.NotADBError, zlib.error, msgspec.DecodeError)
"""What reading a damaged database raises."""

_SQL = queries("archive")
_TURNS = queries("turns")
_SPENDING = queries("spending")
_PAYLOAD = queries("memory")["payload"]


def batches(select: Select, agent: str, damaged: list[str]) -> Iterator[tuple[Entry, ...]]:
    """All entries, or those that concern an agent, some at a time. Of one thread at a time.

    Where the database is damaged the rest of a table is left out, and its name is added to ``damaged``.
    """
    entries = chain.from_iterable(_readable(kind, select, agent, damaged) for kind in _KINDS)
    while batch := tuple(islice(entries, BATCH)):
        yield batch


def _readable(kind: Kind, select: Select, agent: str, damaged: list[str]) -> Iterator[Entry]:
    try:
        yield from kind(select, agent)
    except DAMAGE:
        damaged.append(kind.__name__.strip("_"))


# --- who and where ---------------------------------------------------------------------------------------------------


def _worlds(select: Select, agent: str) -> Iterator[Entry]:
    return (World(*row) for row in select(_SQL["worlds"], (agent,)))


def _rooms(select: Select, agent: str) -> Iterator[Entry]:
    for key, platform, native, kind, *rest in select(_SQL["rooms"], (agent,)):
        yield Room(key, platform, native, RoomKind(kind), *rest)


def _entities(select: Select, agent: str) -> Iterator[Entry]:
    for key, platform, native, name, username, realm, bot in select(_SQL["entities"], (agent,)):
        yield Entity(key, platform, native, name, username, realm, bool(bot))


def _participants(select: Select, agent: str) -> Iterator[Entry]:
    return (Participant(*row) for row in select(_SQL["participants"], (agent,)))


def _residents(select: Select, agent: str) -> Iterator[Entry]:
    return (Resident(*row) for row in select(_SQL["residents"], (agent,)))


# --- the journal -----------------------------------------------------------------------------------------------------


def _places(select: Select, agent: str) -> Iterator[Entry]:
    return (Place(*row) for row in select(_SQL["places"], (agent,)))


def _ledger(select: Select, agent: str) -> Iterator[Entry]:
    return (Heard(*row) for row in select(_SQL["ledger"], (agent,)))


def _inbound(select: Select, agent: str) -> Iterator[Entry]:
    for of, room, seq, payload, turn, discarded in select(_SQL["inbound"], (agent,)):
        yield Queued(of, room, seq, msgspec.Raw(payload), turn or "", discarded or "")


def _parts(select: Select, agent: str) -> Iterator[Entry]:
    """Parts belong to nobody: those of an agent are those that its turns name."""
    named: set[str] = set()
    if agent:
        for handled in _turns(select, agent):
            if isinstance(handled, Handled):
                named |= parts_of(handled.record)
    for digest, part in select(_SQL["parts"], ()):
        if not agent or digest in named:
            yield StoredPart(digest, decode(inflate(part), Part))


def _turns(select: Select, agent: str) -> Iterator[Entry]:
    for number, state, activations, *stored in select(_SQL["turns"], (agent,)):
        record = record_of(select, number, *stored)
        parking = None
        if state == "parked":
            for step, until, reason in select(_TURNS["parking"], (number,)):
                parking = Parking(record.id, record.agent, record.room, step, until, reason)
        yield Handled(record, state, activations, parking)


def _intents(select: Select, agent: str) -> Iterator[Entry]:
    return iter(intents_of(select(_SQL["intents"], (agent,))))


def _outbox(select: Select, agent: str) -> Iterator[Entry]:
    for row in select(_SQL["outbox"], (agent,)):
        yield from posts_of((row,))


def _schedules(select: Select, agent: str) -> Iterator[Entry]:
    return iter(schedules_of(select(_SQL["schedules"], (agent,))))


def _spent(select: Select, agent: str) -> Iterator[Entry]:
    counters = map(Spending.counter, select(_SQL["spent"], ()))
    return (counter for counter in counters if not agent or counter.concerns(agent))


def _holds(select: Select, agent: str) -> Iterator[Entry]:
    spending = Spending()
    spending.take((), [payload for (payload,) in select(_SPENDING["holds"], ())])
    return (hold for hold in spending.holds.values() if not agent or hold.concerns(agent))


# --- memories --------------------------------------------------------------------------------------------------------


def _memories(select: Select, agent: str) -> Iterator[Entry]:
    """What a newer release wrote in a way unknown here is left out. The order comes from an index, so that a damaged page
    costs no more than what is on it."""
    damage: Exception | None = None
    for row in select(_SQL["memories"], (agent,)):
        try:
            for (payload,) in select(_PAYLOAD, row):
                memory = decode(inflate(payload), object)
                if isinstance(memory, Memory):
                    yield memory
        except DAMAGE as error:
            damage = error
    if damage is not None:
        raise damage


def _vectors(select: Select, agent: str) -> Iterator[Entry]:
    for embedder, model in [*select(_SQL["embedders"], ())]:
        for memory, numbers in select(_SQL["vectors"], (agent, embedder)):
            yield Embedded(model, memory, floats(numbers))


def floats(numbers: bytes) -> tuple[float, ...]:
    """The numbers of a stored vector."""
    return tuple(array("f", numbers))


_KINDS: tuple[Kind, ...] = (
    _worlds,
    _rooms,
    _entities,
    _participants,
    _residents,
    _places,
    _ledger,
    _inbound,
    _parts,
    _turns,
    _intents,
    _outbox,
    _schedules,
    _spent,
    _holds,
    _memories,
    _vectors,
)
"""In the order of the types in an archive."""
