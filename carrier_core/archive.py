"""The archive: everything that a store keeps as a stream of records, to be taken into another store.

The types here are rows that have no type of their own elsewhere. Beside them a stream has :class:`World`, :class:`Room`,
:class:`Entity`, :class:`Memory`, :class:`StoredPart`, :class:`Outgoing`, :class:`Intent`, :class:`Schedule`,
:class:`Spent` and :class:`Hold`.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from carrier_core.journal import Hold, Intent, Outgoing, Parking, Spent, StoredPart
from carrier_core.messages import Entity, Memory, Room, World
from carrier_core.outcomes import TurnRecord
from carrier_core.schedules import Schedule


class Place(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """An agent in a room: the last sequence number and the last epoch that were given out there."""

    agent: str
    room: str
    seq: int = 0
    epoch: int = 0


class Heard(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """An entry of the ledger: an agent has taken the platform event of this key, as row ``seq`` of its room."""

    agent: str
    key: str
    seq: int


class Queued(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """An inbound row. ``payload`` is the record of the inbound; ``turn`` has taken it, or it was ``discarded``, with that
    reason; otherwise it waits."""

    agent: str
    room: str
    seq: int
    payload: msgspec.Raw
    turn: str = ""
    discarded: str = ""


class Handled(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A turn with its steps so far. ``state`` is running, parked, completed or finished."""

    record: TurnRecord
    state: str
    activations: int = 1
    parking: Parking | None = None


class Participant(msgspec.Struct, frozen=True, gc=False):
    """Somebody who was seen in a room."""

    room: str
    entity: str


class Resident(msgspec.Struct, frozen=True, gc=False):
    """An agent that takes part in a room."""

    agent: str
    room: str


class Embedded(msgspec.Struct, frozen=True, gc=False):
    """The vector of a memory, of the embedder ``model``; empty where there is nothing to embed."""

    model: str
    memory: str
    vector: tuple[float, ...]


Entry: TypeAlias = (
    Place
    | Heard
    | Queued
    | Handled
    | Intent
    | StoredPart
    | Outgoing
    | Schedule
    | Spent
    | Hold
    | World
    | Room
    | Entity
    | Participant
    | Resident
    | Memory
    | Embedded
)
"""One line of an archive."""

ORDER = (
    World,
    Room,
    Entity,
    Participant,
    Resident,
    Place,
    Heard,
    Queued,
    StoredPart,
    Handled,
    Intent,
    Outgoing,
    Schedule,
    Spent,
    Hold,
    Memory,
    Embedded,
)
"""The order of the types in a stream; within one type it is that in which the rows were written, or that of their keys
where a store does not keep the order (worlds, rooms, entities, participants, residents, places, ledger, intents,
schedules, counters, holds and vectors: by agent, room, memory, id or key, in the order of the fields).

An archive of one agent has the counters that are of it (the second word of their scope), and the holds that count in one."""


class Retention(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """How long rows of a ``kind`` are kept for an agent: a kind of memory, or ``turn``, with its steps, parts, inbound rows
    and sent reply parts.

    ``days`` limits their age, ``most`` their number, the newest being kept; None limits nothing. Turns that are not
    finished and replies that are not settled stay.
    """

    kind: str
    days: float | None = None
    most: int | None = None
