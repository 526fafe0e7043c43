"""What the requests of one transaction work on: rows that are read under the locks of their places, and what is to be
written.

All requests of a batch say what they need; that is read with a handful of queries, however many requests there are. Then
they run one after the other on what was read, without waiting for anything; and what they leave is written with one
statement for each table (:mod:`carrier_memory_postgres.writing`). A request that raises a CarrierError has changed nothing.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from carrier_core import Connection, Entity, Fenced, Intent, Parking, Room, StepRecord, TurnRecord, World
from carrier_memory_postgres.connections import Speaker, lock_key
from carrier_memory_postgres.counters import LockedSpending
from carrier_memory_postgres.prepared import Prepared, Stored
from carrier_memory_postgres.queries import queries
from carrier_memory_postgres.standing import Key, Known, Needs, Place, Standing, Writes

T = TypeVar("T", Entity, Room, World)

_SQL = queries("batch")
_step = msgspec.json.Decoder(StepRecord)


class Batch:
    """One transaction. ``number`` is written with it, so that it can be told whether it was committed."""

    def __init__(self, link: Speaker, known: Known, writer: str, number: int) -> None:
        self.link = link
        self.known = known
        self.writes = Writes()
        self.writer = writer
        self.number = number
        self.answered: list[Hashable] = []
        self.held: set[str] = set()  # the owners whose locks this session has
        self.stored = Stored({}, [], [], [], {})
        self.generation = 0
        self._places: dict[Key, Place] = {}
        self._by_number: dict[int, Place] = {}
        self._turns: dict[str, Standing] = {}
        self._heard: dict[Key, int] = {}
        self.steps: dict[Key, bytes] = {}
        self.schedules: dict[str, tuple[float, bytes]] = {}
        self.spending = LockedSpending()
        self._participants: set[Key] = set()
        self._gone: set[str] = set()

    # --- reading ---

    async def load(self, needs: Iterable[Needs]) -> None:
        """Lock the places and read what the requests need."""
        all_needs = list(needs)
        await self._lock(sorted({place for each in all_needs for place in each.places}))
        self.known.outdate(self.generation)
        await self._load_turns([turn for each in all_needs for turn in each.turns])
        keys = sorted({key for each in all_needs for key in each.keys})
        if keys:
            rows = await self.link.fetch(_SQL["heard"], *_columns(keys))
            self._heard = {(agent, key): seq for agent, key, seq in rows}
        ids = sorted({key for each in all_needs for key in each.schedules})
        if ids:
            rows = await self.link.fetch(_SQL["schedules"], ids)
            self.schedules = {key: (next_at, payload) for key, next_at, payload in rows}
        await self._find_gone([place for each in all_needs for place in each.claims])
        people = sorted({pair for each in all_needs for pair in each.participants})
        if people:
            rows = await self.link.fetch(_SQL["participants"], *_columns(people))
            self._participants = {(room, entity) for room, entity in rows}
        holds = {key for each in all_needs for key in each.holds}
        await self.spending.load(self.link, holds, {key for each in all_needs for key in each.counters})

    async def _lock(self, keys: list[Key]) -> None:
        if not keys:
            self.generation = (await self.link.fetch(_SQL["generation"], self.writer, self.number))[0][0]
            return
        values = (*_columns(keys), self.writer, self.number)
        rows = await self.link.fetch(_SQL["lock"], *values)
        missing = sorted({*keys} - {(row[1], row[2]) for row in rows})
        if missing:
            await self.link.fetch(_SQL["add_places"], *_columns(missing))
            rows = await self.link.fetch(_SQL["lock"], *values)
        for row in rows:
            self.generation = row[8]
            place = Place(row[:8])
            self._places[place.agent, place.room] = self._by_number[place.number] = place

    async def _load_turns(self, wanted: list[tuple[str, tuple[str, ...]]]) -> None:
        unknown: dict[str, None] = {}
        recorded: list[Key] = []
        for turn, names in wanted:
            standing = self.known.turns.get(turn)
            if standing is not None and self._is_valid(standing):
                self._turns[turn] = standing
                recorded += [(turn, name) for name in names if name in standing.steps]
            else:
                unknown[turn] = None
                recorded += [(turn, name) for name in names]
        if unknown:
            ids = list(unknown)
            for key, place, state, activations, agent, room, step, until, reason, steps in await self.link.fetch(
                _SQL["turns"], ids
            ):
                standing = self._turns[key] = Standing(key, place, state, activations)
                standing.generation = self.generation
                standing.epoch = self._by_number[place].epoch if place in self._by_number else 0
                standing.steps = frozenset(steps or ())
                if state == "parked":
                    standing.parking = Parking(key, agent, room, step, until, reason)
            there = [turn for turn in ids if turn in self._turns]
            for row in await self.link.fetch(_SQL["intents"], there) if there else ():
                intent = Intent(*row)
                if intent.turn in self._turns:
                    self._turns[intent.turn].intents[intent.key] = intent
        recorded = [(turn, name) for turn, name in recorded if turn in self._turns and name in self._turns[turn].steps]
        if recorded:
            for turn, name, record in await self.link.fetch(_SQL["steps"], *_columns(recorded)):
                self.steps[turn, name] = record

    async def _find_gone(self, places: Iterable[Key]) -> None:
        """Find out which owners of these places, other than those here, have no session any more."""
        owners = {self._places[key].owner for key in places if self._places[key].lives} - self.held
        if owners:
            keys = {lock_key("owner", owner): owner for owner in owners}
            held = {row[0] for row in await self.link.fetch(_SQL["held"], list(keys))}
            self._gone = {owner for key, owner in keys.items() if key not in held}

    def _is_valid(self, standing: Standing) -> bool:
        place = self._by_number.get(standing.place)
        return place is not None and place.epoch == standing.epoch and self.generation == standing.generation

    # --- what requests ask ---

    def place(self, agent: str, room: str) -> Place:
        """A place that the request has asked for."""
        return self._places[agent, room]

    def claimed(self, agent: str, room: str, epoch: int) -> Place:
        """The place, if this epoch is that of its last claim. Fenced otherwise."""
        place = self._places[agent, room]
        if place.epoch != epoch:
            raise Fenced(
                f"Epoch {epoch} of room {room} is over, it is at {place.epoch}: another owner has claimed it since. "
                "Nothing was written."
            )
        return place

    def standing(self, turn: str) -> Standing | None:
        """How a turn stands, or None if there is none."""
        return self._turns.get(turn)

    def open_turn(self, turn: TurnRecord, epoch: int) -> tuple[Place, Standing]:
        """The place and the standing of a turn that this epoch may go on with. Fenced where it is not there."""
        place = self.claimed(turn.agent, turn.room, epoch)
        standing = self._turns.get(turn.id)
        if standing is None:
            raise Fenced(f"Turn {turn.id} is not there, or not there any more. Nothing was written.")
        return place, standing

    def seq_of(self, agent: str, key: str) -> int | None:
        """The number under which an agent has heard the event of this key, or None."""
        return self._heard.get((agent, key))

    def is_participant(self, room: str, entity: str) -> bool:
        """Whether an entity was seen in a room."""
        return (room, entity) in self._participants

    def is_held(self, place: Place) -> bool:
        """Whether the lease of the one who claimed a place last lives, and its session too."""
        lease = self.writes.leases.get(place.owner)
        if lease is not None:
            return lease > 0
        return place.lives and place.owner not in self._gone

    # --- what requests change ---

    def append(self, agent: str, room: str, key: str, payload: bytes) -> int:
        """Append an inbound; its number."""
        place = self._places[agent, room]
        place.seq += 1
        place.changed = True
        self._heard[agent, key] = place.seq
        self.writes.heard.append((agent, key, place.seq))
        self.writes.appended[place.number, place.seq] = [payload, None, None]
        return int(place.seq)

    def take(self, place: Place, seqs: Iterable[int], *, turn: str | None = None, discarded: str | None = None) -> None:
        """Take rows that wait out of the queue."""
        for seq in seqs:
            key = (place.number, seq)
            new = self.writes.appended.get(key)
            if new is None:
                self.writes.taken.setdefault(key, (turn, discarded))
            elif new[1] is None and new[2] is None:
                new[1:] = [turn, discarded]

    def rewrite(self, place: Place, seq: int, payload: bytes) -> None:
        """Give a row that waits another payload."""
        key = (place.number, seq)
        new = self.writes.appended.get(key)
        if new is not None:
            if new[1] is None and new[2] is None:
                new[0] = payload
        elif key not in self.writes.taken:
            self.writes.rewritten[key] = payload

    def open(self, turn: TurnRecord, place: Place, state: str) -> Standing:
        """A new turn."""
        standing = self._turns[turn.id] = Standing(turn.id, place.number, state, 1)
        self.writes.opened[turn.id] = (place.number, turn.started)
        self.change(turn, standing, place)
        return standing

    def change(self, turn: TurnRecord, standing: Standing, place: Place) -> None:
        """Write a turn's record, and how it stands."""
        self.writes.records[turn.id] = turn
        self.touch(standing, place)

    def finish(self, turn: TurnRecord, standing: Standing, place: Place) -> None:
        """Write the whole record of a turn. Its steps go: the record has them."""
        if standing.state != "finished":
            self.writes.finished[turn.id] = None
        if standing.steps:
            self._drop_steps(standing)
        standing.state = "finished"
        self.change(turn, standing, place)

    def touch(self, standing: Standing, place: Place) -> None:
        """Write how a turn stands."""
        standing.epoch, standing.generation = place.epoch, self.generation
        self.writes.standings[standing.id] = standing

    def record(self, standing: Standing, place: Place, steps: Sequence[tuple[StepRecord, bytes]]) -> None:
        """Record steps that are not there yet; intents of all of them go, or are in doubt."""
        for step, record in steps:
            if step.name not in standing.steps:
                standing.steps |= {step.name}
                self.steps[standing.id, step.name] = self.writes.steps[standing.id, step.name] = record
                if standing.activations:
                    standing.activations = 0
                    self.touch(standing, place)
        named = {step.name for step, _ in steps}
        for intent in [each for each in standing.intents.values() if each.step in named]:
            self.end(standing, intent, doubted=_in_doubt(self.steps[standing.id, intent.step]))

    def _drop_steps(self, standing: Standing) -> None:
        for name in standing.steps:
            self.writes.steps.pop((standing.id, name), None)
        standing.steps = frozenset()
        self.writes.dropped_steps.append(standing.id)

    def begin(self, standing: Standing, intent: Intent) -> Intent:
        """Write down an intent; the one of its key that is there, if there is one."""
        known = standing.intents.get(intent.key)
        if known is None:
            known = standing.intents[intent.key] = self.writes.intents[intent.key] = intent
        return known

    def end(self, standing: Standing, intent: Intent, *, doubted: bool) -> None:
        """Remove an intent, or leave it in doubt."""
        fresh = self.writes.intents.pop(intent.key, None) is not None
        if doubted:
            kept = standing.intents[intent.key] = msgspec.structs.replace(intent, in_doubt=True)
            if fresh:
                self.writes.intents[intent.key] = kept
            else:
                self.writes.doubted[intent.key] = None
            return
        del standing.intents[intent.key]
        self.writes.doubted.pop(intent.key, None)
        if not fresh:
            self.writes.ended_intents[intent.key] = None

    def hear(self, memories: Iterable[Prepared]) -> None:
        """Store memories."""
        for ready in memories:
            self.writes.memories.append(ready)
            self._places[ready.memory.agent, ready.memory.room].heard = True

    def join(self, agent: str, connection: Connection) -> bool:
        """Store a connection; whether the entity is new in the room."""
        entity, room, world = connection.entity, connection.room, connection.world
        writes = self.writes
        writes.entities[entity.id] = _merged(writes.entities.get(entity.id), entity)
        writes.rooms[room.id] = _merged(writes.rooms.get(room.id), room)
        if world is not None:
            writes.worlds[world.id] = _merged(writes.worlds.get(world.id), world)
        writes.residents[agent, room.id] = None
        pair = (room.id, entity.id)
        is_new = pair not in self._participants
        if is_new:
            self._participants.add(pair)
            writes.participants[pair] = None
        return is_new

    def committed(self) -> None:
        """Keep in mind what the next batches would have to read again."""
        known = self.known
        for turn, standing in self._turns.items():
            if standing.state == "finished":
                known.turns.pop(turn, None)
            else:
                known.turns[turn] = standing
        known.settled = known.next_number
        for key, place in self._places.items():
            if place.heard:
                self.stored.heard[key] = place.changes + 1

    @property
    def places(self) -> Iterable[Place]:
        """All places of the batch."""
        return self._places.values()


def _columns(rows: Iterable[tuple[Any, ...]], width: int = 2) -> list[list[Any]]:
    """Rows as columns, each an array of its own."""
    columns = [list(column) for column in zip(*rows, strict=True)]
    return columns or [[] for _ in range(width)]


def _in_doubt(record: bytes) -> bool:
    return _step.decode(record).in_doubt


def _merged(known: T | None, new: T) -> T:
    """The newer of two, with the names of the older where it has none."""
    if known is None:
        return new
    empty = {name: getattr(known, name) for name in ("name", "username", "world") if getattr(new, name, None) == ""}
    return msgspec.structs.replace(new, **empty)
