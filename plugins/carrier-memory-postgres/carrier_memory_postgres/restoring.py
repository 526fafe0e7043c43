"""Taking an archive in: entries that are not there yet are added, in one transaction for each batch."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import msgspec

from carrier_core import (
    CounterKey,
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
    Spent,
    StoredPart,
    World,
    deflate,
    encode,
)
from carrier_memory_postgres.batch import Batch
from carrier_memory_postgres.parts import hashed, store_parts
from carrier_memory_postgres.prepared import prepared
from carrier_memory_postgres.queries import queries
from carrier_memory_postgres.standing import Key, Needs
from carrier_memory_postgres.storing import next_numbers, store_memories
from carrier_memory_postgres.traces import packed
from carrier_memory_postgres.vectors import add_vectors, make_table
from carrier_memory_postgres.writing import entity_row, progress, room_row, world_row

_SQL = queries("archive")
_ADD_STEPS = queries("writing")["add_steps"]
_encode = msgspec.json.encode


def needs_of(entries: Iterable[Entry]) -> Needs:
    """The places that entries belong to, the holds and the counters."""
    places: dict[Key, None] = {}
    holds: list[str] = []
    counters: list[CounterKey] = []
    for entry in entries:
        if isinstance(entry, Place | Queued | Memory):
            places[entry.agent, entry.room] = None
        elif isinstance(entry, Handled):
            places[entry.record.agent, entry.record.room] = None
        elif isinstance(entry, Outgoing):
            places[entry.part.agent, entry.part.room.id] = None
        elif isinstance(entry, Spent):
            counters.append(entry.counter)
        elif isinstance(entry, Hold):
            holds.append(entry.key)
            counters += [charge.counter for charge in entry.charges]
    return Needs(places=tuple(places), holds=tuple(holds), counters=tuple(counters))


async def take_in(batch: Batch, entries: Sequence[Entry]) -> int:
    """Add what is not there; returns how many that were."""
    batch.known.turns.clear()
    new = 0
    for kind, add in _KINDS.items():
        found = [entry for entry in entries if type(entry) is kind]
        if found:
            new += await add(batch, found)
    return new


def _by(name: str, row: Callable[[Any], tuple[Any, ...]]) -> Callable[[Batch, list[Any]], Awaitable[int]]:
    """Adds entries with one statement, as the rows that they are."""

    async def add(batch: Batch, entries: list[Any]) -> int:
        return len(await batch.link.fetch(_SQL[name], *_columns(map(row, entries))))

    return add


async def _places(batch: Batch, entries: list[Place]) -> int:
    """The numbers of a place never go back."""
    new = 0
    for entry in entries:
        place = batch.place(entry.agent, entry.room)
        new += not (place.seq or place.epoch)
        place.seq, place.epoch = max(place.seq, entry.seq), max(place.epoch, entry.epoch)
        place.changed = True
    return new


async def _inbound(batch: Batch, entries: list[Queued]) -> int:
    rows = []
    for entry in entries:
        place = batch.place(entry.agent, entry.room)
        if entry.seq > place.seq:
            place.seq, place.changed = entry.seq, True
        rows.append((place.number, entry.seq, bytes(entry.payload), entry.turn or None, entry.discarded or None))
    return len(await batch.link.fetch(_SQL["add_inbound"], *_columns(rows)))


async def _parts(batch: Batch, entries: list[StoredPart]) -> int:
    there = await hashed(batch.link, (entry.digest for entry in entries), entries)
    return len(await store_parts(batch.link, entries, there))


async def _turns(batch: Batch, entries: list[Handled]) -> int:
    shown = await hashed(batch.link, {digest for entry in entries for digest in entry.record.parts})
    rows = []
    for entry, number in zip(entries, await next_numbers(batch, len(entries)), strict=True):
        turn, parking = entry.record, entry.parking
        place = batch.place(turn.agent, turn.room).number
        is_over = entry.state == "finished"
        record = deflate(packed(turn if is_over else msgspec.structs.replace(turn, steps=()), shown))
        waits = (None, None, None) if parking is None else (parking.step, parking.until, parking.reason)
        status = turn.outcome.status.value
        rows.append((turn.id, number, place, turn.started, entry.state, entry.activations, status, record, *waits))
    new = {row[0] for row in await batch.link.fetch(_SQL["add_turns"], *_columns(rows))}
    steps = [
        (entry.record.id, step.name, _encode(step))
        for entry in entries
        if entry.record.id in new and entry.state != "finished"
        for step in entry.record.steps
    ]
    if steps:
        await batch.link.fetch(_ADD_STEPS, *_columns(steps))
    return len(new)


async def _posts(batch: Batch, entries: list[Outgoing]) -> int:
    rows = []
    for post in entries:
        place = batch.place(post.part.agent, post.part.room.id).number
        rows.append((post.part.key, place, post.part.turn, deflate(encode(post.part)), *progress(post)))
    return len(await batch.link.fetch(_SQL["add_posts"], *_columns(rows)))


async def _spending(batch: Batch, entries: list[Spent] | list[Hold]) -> int:
    return sum([batch.spending.restore(entry) for entry in entries])


async def _memories(batch: Batch, entries: list[Memory]) -> int:
    """Written at once: vectors of the same batch may be theirs."""
    there = {row[0] for row in await batch.link.fetch(_SQL["remembered"], [entry.id for entry in entries])}
    new = prepared({entry.id: entry for entry in entries if entry.id not in there}.values())
    if new:
        batch.hear(new)
        await store_memories(batch)
        batch.writes.memories.clear()
    return len(new)


async def _vectors(batch: Batch, entries: list[Embedded]) -> int:
    there = {row[0]: row[1] for row in await batch.link.fetch(_SQL["remembered"], [entry.memory for entry in entries])}
    new = 0
    for model in dict.fromkeys(entry.model for entry in entries):
        vectors = {entry.memory: entry.vector for entry in entries if entry.model == model and entry.memory in there}
        table = await make_table(batch.link, model, vectors.values())
        rows = [(there[memory], vector) for memory, vector in vectors.items()]
        new += await add_vectors(batch.link, table, rows, anew=False)
    return new


def _columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


_KINDS: dict[type, Callable[[Batch, list[Any]], Awaitable[int]]] = {
    World: _by("add_worlds", world_row),
    Room: _by("add_rooms", room_row),
    Entity: _by("add_entities", entity_row),
    Participant: _by("add_participants", msgspec.structs.astuple),
    Resident: _by("add_residents", msgspec.structs.astuple),
    Place: _places,
    Heard: _by("add_heard", msgspec.structs.astuple),
    Queued: _inbound,
    StoredPart: _parts,
    Handled: _turns,
    Intent: _by("add_intents", msgspec.structs.astuple),
    Outgoing: _posts,
    Schedule: _by("add_schedules", lambda each: (each.id, each.agent, each.next_at, encode(each))),
    Spent: _spending,
    Hold: _spending,
    Memory: _memories,
    Embedded: _vectors,
}
"""How entries of each type are taken in; in the order of an archive."""
