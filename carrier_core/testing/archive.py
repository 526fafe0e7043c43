"""The archive of a store in memory: its rows, which are those of an archive already."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from carrier_core import (
    Embedded,
    Entity,
    Entry,
    Handled,
    Heard,
    Hold,
    Intent,
    Memory,
    Outgoing,
    Participant,
    Place,
    Queued,
    Resident,
    Room,
    Schedule,
    Spending,
    Spent,
    StoredPart,
    World,
    decode,
)
from carrier_core.archive import ORDER
from carrier_core.ledger import digests_of
from carrier_core.outcomes import Composition
from carrier_core.testing.database import TABLES, Database


def entries(database: Database, agent: str = "") -> Iterator[tuple[Entry, ...]]:
    """All rows, or those that concern one agent: a batch for each type of which there are some."""
    for kind in ORDER:
        name, key, is_sorted = TABLES[kind]
        rows: Iterable[Entry] = [*getattr(database, name).values()]
        if agent:
            rows = filter(_concerns(database, agent)[kind], rows)
        batch = tuple(sorted(rows, key=key) if is_sorted else rows)
        if batch:
            yield batch


def take_in(database: Database, rows: tuple[Entry, ...]) -> int:
    """Add rows that are not there yet; returns how many that were. The numbers of a place never go back."""
    new, spending = 0, Spending(database.counters, database.holds)
    for row in rows:
        if isinstance(row, Spent | Hold):
            new += spending.restore(row)
            continue
        name, key, _ = TABLES[type(row)]
        table = getattr(database, name)
        known = table.get(key(row))
        if known is None:
            table[key(row)] = row
            new += 1
        elif isinstance(row, Place):
            table[key(row)] = Place(row.agent, row.room, max(row.seq, known.seq), max(row.epoch, known.epoch))
    return new


def digests(handled: Handled) -> set[str]:
    """The hashes of all prompt parts that a turn names, in its record and in its steps."""
    found = {*handled.record.parts}
    for step in handled.record.steps:
        value = None if bytes(step.value) == b"null" else decode(step.value, object)
        if isinstance(value, Composition):
            found.update(digests_of(value))
    return found


def _concerns(database: Database, agent: str) -> dict[type[Entry], Callable[..., bool]]:
    """By type: whether a row concerns the agent. Rooms do in which it was, people whom it met there."""
    rooms = {room for of, room in (*database.residents, *database.places) if of == agent}
    people = {entity for room, entity in database.participants if room in rooms}
    worlds = {database.rooms[room].world for room in rooms if room in database.rooms}
    turns = [handled for handled in database.turns.values() if handled.record.agent == agent]
    named = {digest for handled in turns for digest in digests(handled)}
    return {
        World: lambda row: row.id in worlds,
        Room: lambda row: row.id in rooms,
        Entity: lambda row: row.id in people,
        Participant: lambda row: row.room in rooms,
        StoredPart: lambda row: row.digest in named,
        Handled: lambda row: row.record.agent == agent,
        Outgoing: lambda row: row.part.agent == agent,
        Embedded: lambda row: database.memories[row.memory].agent == agent,
        **dict.fromkeys((Resident, Place, Heard, Queued, Intent, Schedule, Memory), lambda row: row.agent == agent),
        **dict.fromkeys((Spent, Hold), lambda row: row.concerns(agent)),
    }
