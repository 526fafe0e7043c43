"""Forgetting a person: whatever names them goes, from every table and index and from the bytes of the file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

import msgspec

from carrier_core import Outcome, StepRecord, TurnRecord, encode, inflate, parts_in, parts_of
from carrier_memory_sqlite.queries import queries
from carrier_memory_sqlite.records import record_of
from carrier_memory_sqlite.traces import Rows, trace_of
from carrier_memory_sqlite.transaction import Transaction

MERGED = 256
"""Pages of the index that are merged at once, so that others may write in between."""

T = TypeVar("T")

_SQL = queries("forgetting")
_TURNS = queries("turns")
_step = msgspec.json.Decoder(StepRecord)
_replace = msgspec.structs.replace


class Named(NamedTuple):
    """What names a person, by its number in its table. ``keys`` are the ids of the turns that go, ``lost`` the hashes and
    ids of the parts and memories that do: turns that ``speak`` of the person or of these stay, without their words."""

    inbound: list[int]
    parts: list[int]
    memories: list[int]
    outbox: list[int]
    schedules: list[str]
    turns: list[int]
    keys: set[str]
    speak: list[int]
    lost: frozenset[str]


def name_of(entity: str) -> bytes:
    """An id as it stands in a record."""
    return msgspec.json.encode(entity)[1:-1]


# --- in a reader -----------------------------------------------------------------------------------------------------


def find(rows: Rows, entity: str) -> Named:
    """All that names a person. It reads everything there is."""
    name = name_of(entity)
    inbound = [*rows(_SQL["inbound"], (name,))]
    parts = [(number, key) for number, key, stored in rows(_SQL["parts"], ()) if name in inflate(stored)]
    memories = [(row, key) for row, key, stored in rows(_SQL["memories"], ()) if name in inflate(stored)]
    found = Named(
        [number for number, _ in inbound],
        [number for number, _ in parts],
        [row for row, _ in memories],
        [post for post, stored in rows(_SQL["outbox"], ()) if name in inflate(stored)],
        [key for (key,) in rows(_SQL["schedules"], (name,))],
        [],
        set(),
        [],
        frozenset(key for _, key in (*parts, *memories)),
    )
    taken = {turn for _, turn in inbound if turn}
    for number, key, state, *stored in rows(_SQL["turns"], ()):
        record = record_of(rows, number, *stored)
        if record.person == entity or (key in taken and state != "finished"):
            found.turns.append(number)
            found.keys.add(key)
        elif speaks(record, name, found.lost):
            found.speak.append(number)
    return found


def speaks(record: TurnRecord, name: bytes, lost: frozenset[str]) -> bool:
    """Whether a record names a person, or what was lost with them."""
    return name in encode(record) or not lost.isdisjoint((*parts_of(record), *record.memories))


# --- in the writer ---------------------------------------------------------------------------------------------------


def drop_rows(transaction: Transaction, table: str, keys: Iterable[object]) -> int:
    """Remove rows of a table by the statement of this name; how many there were."""
    if table == "drop_part":
        transaction.forget_parts()
    return sum(transaction.removed(_SQL[table], (key,)) for key in keys)


def drop_person(transaction: Transaction, entity: str) -> Counter[str]:
    """Remove the entity, and the rooms that were theirs alone: their names are the person's."""
    name = name_of(entity)
    transaction.execute(_SQL["drop_dms"], (entity,))
    transaction.execute(_SQL["drop_residents"], (entity,))
    gone: Counter[str] = Counter(participants=transaction.removed(_SQL["drop_participant"], (entity,)))
    gone["entities"] = transaction.removed(_SQL["drop_entity"], (entity,))
    for table in ("drop_shelf_keys", "drop_shelves"):
        transaction.execute(_SQL[table], (name,))
    transaction.forget_shelves()
    return gone


def empty_turns(transaction: Transaction, numbers: Iterable[int], name: bytes, lost: frozenset[str]) -> int:
    """Take out of turns of others what names a person or was lost with them, and texts of which nobody can tell whose
    they are; returns how many turns that were."""
    emptied = 0
    for number in numbers:
        for key, _, trace, *stored in transaction.rows(_SQL["turn"], (number,)):
            record = emptied_record(record_of(transaction.rows, number, *stored), name, lost)
            if trace is not None:
                trace_of(record).write(transaction, trace)
            else:
                transaction.execute(_TURNS["draft"], (number, encode(_replace(record, steps=()))))
                kept = {step.name for step in record.steps}
                for step, _ in transaction.rows(_SQL["steps"], (number,)):
                    if step not in kept:
                        transaction.execute(_SQL["drop_step"], (number, step))
            transaction.execute(_SQL["hush_parking"], (number,))
            transaction.execute(_SQL["hush_intents"], (key,))
            emptied += 1
    return emptied


def emptied_record(record: TurnRecord, name: bytes, lost: frozenset[str]) -> TurnRecord:
    """The record without what it must not have any more. It says how the turn ended, and what ran."""

    def may_stay(step: StepRecord) -> bool:
        return name not in bytes(step.value) and lost.isdisjoint(parts_in(step.value))

    return _replace(
        record,
        outcome=Outcome(record.outcome.status, usage=record.outcome.usage),
        steps=tuple([step for step in record.steps if may_stay(step)]),
        ran=tuple([_replace(ran, contributed="") for ran in record.ran]),
        memories=tuple([each for each in record.memories if each not in lost]),
        parts=tuple([each for each in record.parts if each not in lost]),
    )


def merge(transaction: Transaction, *, first: bool) -> bool:
    """Merge some of the index, so that words that were taken out of it are not in it any more; whether that goes on."""
    before = transaction.written
    transaction.execute(_SQL["merge"], (-MERGED if first else MERGED,))
    return transaction.written - before >= 2


def some(items: Sequence[T], count: int) -> Iterator[Sequence[T]]:
    """The items, so many at a time."""
    return (items[start : start + count] for start in range(0, len(items), count))
