"""What a store in memory keeps: the rows of an archive, by their keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from carrier_core import (
    Embedded,
    Entity,
    Entry,
    Handled,
    Heard,
    Hold,
    InboundRow,
    Intent,
    Memory,
    Outgoing,
    Participant,
    Place,
    Queued,
    Resident,
    Room,
    Schedule,
    Sending,
    Spent,
    StoredPart,
    World,
    decode,
    encode,
)
from carrier_core.archive import ORDER
from carrier_core.journal import CounterKey

T = TypeVar("T", bound=msgspec.Struct)
Key = str | tuple[str, str] | tuple[str, str, int] | CounterKey

UNFINISHED = ("running", "completed")
"""The states of a turn that is to be gone on with."""
UNSETTLED = (Sending.WAITING, Sending.SENDING)
"""The states of a reply part that somebody still has to deliver."""


@dataclass
class Database:
    """Each table is in the order in which its rows were written. A row is replaced as a whole and stands where it stood."""

    worlds: dict[str, World] = field(default_factory=dict)
    rooms: dict[str, Room] = field(default_factory=dict)
    entities: dict[str, Entity] = field(default_factory=dict)
    participants: dict[tuple[str, str], Participant] = field(default_factory=dict)
    residents: dict[tuple[str, str], Resident] = field(default_factory=dict)
    places: dict[tuple[str, str], Place] = field(default_factory=dict)
    ledger: dict[tuple[str, str], Heard] = field(default_factory=dict)
    inbound: dict[tuple[str, str, int], Queued] = field(default_factory=dict)
    parts: dict[str, StoredPart] = field(default_factory=dict)
    turns: dict[str, Handled] = field(default_factory=dict)
    intents: dict[str, Intent] = field(default_factory=dict)
    outbox: dict[str, Outgoing] = field(default_factory=dict)
    schedules: dict[str, Schedule] = field(default_factory=dict)
    counters: dict[CounterKey, Spent] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    memories: dict[str, Memory] = field(default_factory=dict)
    vectors: dict[tuple[str, str], Embedded] = field(default_factory=dict)

    def waiting(self, agent: str, room: str) -> Iterator[Queued]:
        """The rows of a room that nobody has taken, in order."""
        place = self.places.get((agent, room))
        for seq in range(1, place.seq + 1 if place else 1):
            row = self.inbound.get((agent, room, seq))
            if row is not None and not row.turn and not row.discarded:
                yield row

    def take(self, agent: str, room: str, seqs: tuple[int, ...], *, turn: str = "", discarded: str = "") -> None:
        """Take rows that wait out of the queue."""
        for seq in seqs:
            row = self.inbound.get((agent, room, seq))
            if row is not None and not row.turn and not row.discarded:
                self.inbound[agent, room, seq] = msgspec.structs.replace(row, turn=turn, discarded=discarded)

    def rows(self, handled: Handled) -> tuple[InboundRow, ...]:
        """The inbound rows that a turn answers."""
        turn = handled.record
        found = [self.inbound.get((turn.agent, turn.room, seq)) for seq in turn.inbound]
        return tuple(
            InboundRow(row.seq, bytes(row.payload)) for row in found if row is not None and row.turn == turn.id
        )

    def to_send(self, agent: str, room: str) -> Iterator[Outgoing]:
        """The reply parts that are to be delivered in a room, in order."""
        return (
            post
            for post in self.outbox.values()
            if post.state in UNSETTLED and (post.part.agent, post.part.room.id) == (agent, room)
        )

    def settle(self, posts: tuple[Outgoing, ...]) -> None:
        """Note how far deliveries are; the parts stay what they were, and what is not there is left out."""
        for post in posts:
            known = self.outbox.get(post.part.key)
            if known is not None:
                self.outbox[post.part.key] = msgspec.structs.replace(post, part=known.part)


def kept(value: T) -> T:
    """The value as it comes back from a record, as a store on a disk would give it. TypeError if it cannot be recorded."""
    return decode(encode(value), type(value))


TABLES: dict[type[Entry], tuple[str, Callable[..., Key], bool]] = {
    World: ("worlds", lambda row: row.id, True),
    Room: ("rooms", lambda row: row.id, True),
    Entity: ("entities", lambda row: row.id, True),
    Participant: ("participants", lambda row: (row.room, row.entity), True),
    Resident: ("residents", lambda row: (row.agent, row.room), True),
    Place: ("places", lambda row: (row.agent, row.room), True),
    Heard: ("ledger", lambda row: (row.agent, row.key), True),
    Queued: ("inbound", lambda row: (row.agent, row.room, row.seq), False),
    StoredPart: ("parts", lambda row: row.digest, False),
    Handled: ("turns", lambda row: row.record.id, False),
    Intent: ("intents", lambda row: row.key, True),
    Outgoing: ("outbox", lambda row: row.part.key, False),
    Schedule: ("schedules", lambda row: row.id, True),
    Spent: ("counters", lambda row: row.counter, True),
    Hold: ("holds", lambda row: row.key, True),
    Memory: ("memories", lambda row: row.id, False),
    Embedded: ("vectors", lambda row: (row.model, row.memory), True),
}
"""By type of row: its table, its key, and whether an archive has the rows in the order of their keys."""

assert tuple(TABLES) == ORDER
