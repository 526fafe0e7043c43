"""What a batch has in hand: what its requests need, how places and turns stand, what is to be written, and what is kept in
mind for the next one."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, NamedTuple

from carrier_core import CounterKey, Entity, Intent, Kept, Outgoing, Parking, Room, StoredPart, TurnRecord, World
from carrier_memory_postgres.parts import Shown
from carrier_memory_postgres.prepared import Prepared

KNOWN_TURNS = 20_000
"""Turns that are kept in mind between the batches that change them."""
KNOWN_PARTS = 65_536
"""Parts of prompts whose numbers are kept in mind: most of a prompt was in the one before. (Each is some 350 bytes.)"""

Key = tuple[str, str]


class Needs(NamedTuple):
    """What a request works on: places (agent, room), turns by id with the names of the steps to be recorded, keys of the
    ledger (agent, key), schedules by id, rooms and entities that may be participants, places whose owner has to be known,
    holds by key, counters."""

    places: tuple[Key, ...] = ()
    turns: tuple[tuple[str, tuple[str, ...]], ...] = ()
    keys: tuple[Key, ...] = ()
    schedules: tuple[str, ...] = ()
    participants: tuple[Key, ...] = ()
    claims: tuple[Key, ...] = ()
    holds: tuple[str, ...] = ()
    counters: tuple[CounterKey, ...] = ()


class Place:
    """An (agent, room) pair: the last sequence number given out, the epoch and owner of its last claim, whether that one's
    lease lives, and how often what was said there has changed. ``changed`` says that it is to be written; ``heard`` that
    something was said there."""

    __slots__ = ("agent", "changed", "changes", "epoch", "heard", "lives", "number", "owner", "room", "seq")

    def __init__(self, row: tuple[Any, ...]) -> None:
        self.number, self.agent, self.room, self.seq, self.epoch, self.owner, lives, self.changes = row
        self.lives = bool(lives)
        self.changed = self.heard = False


class Standing:
    """How a turn stands: what has to be known to go on with it. ``epoch`` and ``generation`` say as of when."""

    __slots__ = ("activations", "epoch", "generation", "id", "intents", "parking", "place", "state", "steps")

    def __init__(self, turn: str, place: int, state: str, activations: int) -> None:
        self.id = turn
        self.place = place
        self.state = state
        self.activations = activations
        self.parking: Parking | None = None
        self.steps: frozenset[str] = frozenset()
        self.intents: dict[str, Intent] = {}
        self.epoch = self.generation = 0


class Writes:
    """What a batch is going to write, by table. Later entries of one key take the place of earlier ones."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str, int]] = []
        self.appended: dict[tuple[int, int], list[Any]] = {}  # payload, turn, discarded
        self.taken: dict[tuple[int, int], tuple[str | None, str | None]] = {}
        self.rewritten: dict[tuple[int, int], bytes] = {}
        self.opened: dict[str, tuple[int, float]] = {}  # place and start of turns that are new
        self.records: dict[str, TurnRecord] = {}
        self.finished: dict[str, None] = {}  # turns that were not before
        self.standings: dict[str, Standing] = {}
        self.steps: dict[Key, bytes] = {}
        self.dropped_steps: list[str] = []
        self.intents: dict[str, Intent] = {}
        self.ended_intents: dict[str, None] = {}
        self.doubted: dict[str, None] = {}
        self.posts: dict[str, tuple[int, str, bytes, Outgoing]] = {}
        self.delivered: dict[str, tuple[int | None, Outgoing]] = {}
        self.parts: dict[str, StoredPart] = {}
        self.memories: list[Prepared] = []
        self.schedules: dict[str, tuple[str, float, bytes] | None] = {}
        self.leases: dict[str, float] = {}
        self.entities: dict[str, Entity] = {}
        self.worlds: dict[str, World] = {}
        self.rooms: dict[str, Room] = {}
        self.residents: dict[Key, None] = {}
        self.participants: dict[Key, None] = {}


class Known:
    """What a writer keeps in mind from one batch to the next. It is forgotten whenever a batch fails."""

    def __init__(self) -> None:
        self.turns: Kept[str, Standing] = Kept(KNOWN_TURNS)
        self.shelves: Kept[tuple[str, str, bool, bytes], int] = Kept(KNOWN_TURNS)
        self.partitions: set[tuple[str, int]] = set()
        self.parts: Kept[str, Shown] = Kept(KNOWN_PARTS)
        self.lost: Kept[Hashable, Any] = Kept(10_000)  # answers that nobody was told
        self._generation = 0
        self.next_number = self.last_number = 0
        self.settled = 0  # what this writer has numbered and not committed is numbered from here on

    def clear(self) -> None:
        """Keep nothing in mind but the answers that are owed."""
        for kept in (self.turns, self.shelves, self.partitions, self.parts):
            kept.clear()
        self.renumber()

    def outdate(self, generation: int) -> None:
        """Forget the numbers of parts if some may have been removed since they were learned."""
        if generation != self._generation:
            self._generation = generation
            self.parts.clear()

    def renumber(self) -> None:
        """Take new numbers from now on. Where a room is taken over from another owner, what is opened there from now on has
        to come after what that one has opened."""
        self.next_number = self.last_number = 0
