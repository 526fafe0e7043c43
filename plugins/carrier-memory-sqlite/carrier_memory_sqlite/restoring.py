"""Taking an archive in: entries that are not there yet are added, in the writer."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

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
    Spent,
    StoredPart,
    World,
    encode,
)
from carrier_core.recall import shelf_of
from carrier_memory_sqlite import spending
from carrier_memory_sqlite.embedding import embedder_of
from carrier_memory_sqlite.outbox import add_posts, posts
from carrier_memory_sqlite.prepared import Prepared, prepared
from carrier_memory_sqlite.queries import queries
from carrier_memory_sqlite.traces import trace_of
from carrier_memory_sqlite.transaction import Stored, Transaction

_SQL = queries("archive")
_PEOPLE = queries("people")
_INBOUND = queries("inbound")
_TURNS = queries("turns")
_OUTBOX = queries("outbox")
_MEMORY = queries("memory")
_encode = msgspec.json.encode


class Vector(NamedTuple):
    """A vector made ready for storing: whose and of which memory, its bits and its numbers."""

    model: str
    memory: str
    bits: bytes
    numbers: bytes


def ready(entries: Iterable[Entry]) -> list[object]:
    """Entries as they are taken in, memories and vectors made ready. In any thread but the writer's."""
    return [*map(_ready, entries)]


def _ready(entry: Entry) -> object:
    if isinstance(entry, Memory):
        return prepared((entry,))[0]
    if isinstance(entry, Embedded):
        from carrier_memory_sqlite.vectors import packed  # numpy is loaded only where a vector is used

        return Vector(entry.model, entry.memory, *packed((entry.vector,))[0])
    return entry


def take_in(transaction: Transaction, entries: Sequence[object]) -> tuple[int, Stored]:
    """Add what is not there; returns how many that were, and what became of the memories among them."""
    stored = Stored({}, [], [])
    new = 0
    for entry in entries:
        if isinstance(entry, Prepared):
            new += _memory(transaction, entry, stored)
        else:
            new += _KINDS[type(entry)](transaction, entry)
    return new, stored


def _memory(transaction: Transaction, memory: Prepared, stored: Stored) -> bool:
    if transaction.rows(_MEMORY["row"], (memory.memory.id,)):
        return False
    added = transaction.store((memory,))
    stored.rows.update(added.rows)
    stored.shelves.extend(added.shelves)
    return True


def _vector(transaction: Transaction, vector: Vector) -> bool:
    rows = transaction.rows(_MEMORY["row"], (vector.memory,))
    if not rows:
        return False
    row, embedder = rows[0][0], embedder_of(transaction, vector.model)
    return transaction.wrote(_SQL["add_vector"], (row, embedder, shelf_of(row), vector.bits, vector.numbers))


def _world(transaction: Transaction, world: World) -> bool:
    return transaction.wrote(_SQL["add_world"], msgspec.structs.astuple(world))


def _room(transaction: Transaction, room: Room) -> bool:
    key, platform, native, kind, *rest = msgspec.structs.astuple(room)
    return transaction.wrote(_SQL["add_room"], (key, platform, native, kind.value, *rest))


def _entity(transaction: Transaction, entity: Entity) -> bool:
    return transaction.wrote(_SQL["add_entity"], msgspec.structs.astuple(entity))


def _participant(transaction: Transaction, participant: Participant) -> bool:
    return transaction.wrote(_PEOPLE["join"], (participant.room, participant.entity))


def _resident(transaction: Transaction, resident: Resident) -> bool:
    return transaction.wrote(_PEOPLE["reside"], (resident.agent, resident.room))


def _place(transaction: Transaction, place: Place) -> bool:
    """The numbers of a place never go back."""
    known = transaction.place(place.agent, place.room)
    is_new = not (known.seq or known.epoch)
    known.seq, known.epoch = max(known.seq, place.seq), max(known.epoch, place.epoch)
    transaction.execute(_SQL["set_place"], (known.seq, known.epoch, known.number))
    return is_new


def _heard(transaction: Transaction, heard: Heard) -> bool:
    return transaction.wrote(_INBOUND["dedupe"], (heard.agent, heard.key, heard.seq))


def _queued(transaction: Transaction, row: Queued) -> bool:
    place = transaction.place(row.agent, row.room)
    if row.seq > place.seq:
        place.seq = row.seq
        transaction.execute(_INBOUND["number"], (place.seq, place.number))
    values = (place.number, row.seq, bytes(row.payload), row.turn or None, row.discarded or None, bool(row.turn))
    return transaction.wrote(_SQL["add_inbound"], values)


def _part(transaction: Transaction, part: StoredPart) -> bool:
    return transaction.add_parts([(part.digest, encode(part.part))]) == 1


def _turn(transaction: Transaction, handled: Handled) -> bool:
    record, state = handled.record, handled.state
    place = transaction.place(record.agent, record.room).number
    values = (record.id, place, state, record.outcome.status.value, handled.activations, record.started)
    for (number,) in transaction.rows(_SQL["add_turn"], values):
        if state == "finished":
            trace = trace_of(record).write(transaction, None)
            transaction.execute(_TURNS["finish"], (record.outcome.status.value, trace, number))
        else:
            draft = encode(msgspec.structs.replace(record, steps=()))
            transaction.execute(_TURNS["draft"], (number, draft))
            for step in record.steps:
                transaction.execute(_TURNS["add_step"], (number, step.name, _encode(step)))
        if handled.parking is not None:
            parking = handled.parking
            transaction.execute(_TURNS["park"], (number, parking.step, parking.until, parking.reason))
        return True
    return False


def _intent(transaction: Transaction, intent: Intent) -> bool:
    return transaction.wrote(_OUTBOX["add_intent"], msgspec.structs.astuple(intent))


def _post(transaction: Transaction, post: Outgoing) -> bool:
    place = transaction.place(post.part.agent, post.part.room.id)
    return add_posts(transaction, place, posts((post,))) == 1


def _schedule(transaction: Transaction, schedule: Schedule) -> bool:
    values = (schedule.id, schedule.agent, schedule.next_at, encode(schedule))
    return transaction.wrote(_SQL["add_schedule"], values)


_KINDS: dict[type, Callable[[Transaction, Any], bool]] = {
    Vector: _vector,
    World: _world,
    Room: _room,
    Entity: _entity,
    Participant: _participant,
    Resident: _resident,
    Place: _place,
    Heard: _heard,
    Queued: _queued,
    StoredPart: _part,
    Handled: _turn,
    Intent: _intent,
    Outgoing: _post,
    Schedule: _schedule,
    Spent: spending.take_in,
    Hold: spending.take_in,
}
"""How an entry of each type is taken in; returns whether it was new."""
