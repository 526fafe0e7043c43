"""A store in memory: the contract of journal and memory in its simplest form, for tests and to read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import anyio.lowlevel
import msgspec

from carrier_core import (
    Appended,
    Connection,
    Entity,
    Fenced,
    InboundRow,
    Journal,
    Memory,
    MemoryKind,
    MemoryStore,
    Part,
    Query,
    Readers,
    Recalled,
    Receipt,
    ReplyPart,
    Room,
    Store,
    StoredPart,
    TurnRecord,
    Unavailable,
    decode,
    encode,
)

T = TypeVar("T", Entity, Room)

_WORD = re.compile(r"[^\W_]+")


class InMemoryStore(Store):
    """Keeps what it has as long as the object lives: a second host on the same object finds what the first left.

    ``outbox`` are the parts to be delivered, by key, and ``receipts`` those that were.
    """

    name = "memory"

    def __init__(self) -> None:
        self._memory = self.memory = InMemoryMemory()
        self._journal = self.journal = InMemoryJournal(self._memory)
        self._open = False

    @property
    def outbox(self) -> dict[str, ReplyPart]:
        """What is to be delivered or was, by its key."""
        return self._journal.outbox

    @property
    def receipts(self) -> dict[str, Receipt]:
        """What was delivered, by its key."""
        return self._journal.receipts

    async def open(self, folder: Path) -> None:
        """Unavailable if it is open already: it belongs to one host at a time."""
        if self._open:
            raise Unavailable("This store is open already.", remedy="Give each host a store of its own.")
        self._open = True

    async def open_read_only(self, folder: Path) -> None:
        """Nothing lies in the folder that could be opened."""
        raise Unavailable(f"There is no database in {folder}: this store is in memory.")

    async def close(self) -> None:
        """Nothing is lost."""
        self._open = False

    async def health(self) -> str:
        """How much there is."""
        if not self._open:
            raise Unavailable("The store is closed.")
        return f"in memory, {len(self._memory.memories)} memories"


class _Place:
    """What a journal knows of an agent in a room."""

    def __init__(self) -> None:
        self.seq = 0
        self.epoch = 0
        self.waiting: dict[int, bytes] = {}


class InMemoryJournal(Journal):
    """See :class:`carrier_core.Journal`. Each method waits once and then does all of its work, so nothing is half done."""

    def __init__(self, memory: InMemoryMemory) -> None:
        self.outbox: dict[str, ReplyPart] = {}
        self.receipts: dict[str, Receipt] = {}
        self._memory = memory
        self._places: dict[tuple[str, str], _Place] = {}
        self._keys: dict[tuple[str, str], int] = {}
        self._turns: dict[str, bytes] = {}
        self._unfinished: dict[str, None] = {}
        self._parts: dict[str, bytes] = {}

    def _place(self, agent: str, room: str) -> _Place:
        return self._places.setdefault((agent, room), _Place())

    def _claimed(self, turn: TurnRecord, epoch: int) -> _Place:
        place = self._place(turn.agent, turn.room)
        if place.epoch != epoch:
            raise Fenced(f"Turn {turn.id} holds epoch {epoch} of its room, which is at {place.epoch}.")
        return place

    async def append_inbound(self, agent: str, room: str, dedupe_key: str, payload: bytes) -> Appended:
        """The first payload of a key is kept."""
        await anyio.lowlevel.checkpoint()
        known = self._keys.get((agent, dedupe_key))
        if known is not None:
            return Appended(known, is_new=False)
        place = self._place(agent, room)
        place.seq += 1
        place.waiting[place.seq] = payload
        self._keys[agent, dedupe_key] = place.seq
        return Appended(place.seq, is_new=True)

    async def ready(self) -> tuple[tuple[str, str], ...]:
        """In the order in which the rooms were first heard of."""
        return tuple(key for key, place in self._places.items() if place.waiting)

    async def pending(self, agent: str, room: str) -> tuple[InboundRow, ...]:
        """By sequence number."""
        waiting = self._place(agent, room).waiting
        return tuple(InboundRow(seq, waiting[seq]) for seq in sorted(waiting))

    async def claim_room(self, agent: str, room: str, owner: str) -> int:
        """One more than the last."""
        await anyio.lowlevel.checkpoint()
        place = self._place(agent, room)
        place.epoch += 1
        return place.epoch

    async def open_turn(
        self, turn: TurnRecord, epoch: int, connection: Connection | None, memories: tuple[Memory, ...]
    ) -> bool:
        """A turn that is there stays as it is."""
        await anyio.lowlevel.checkpoint()
        place = self._claimed(turn, epoch)
        if turn.id in self._turns:
            return False
        self._turns[turn.id] = encode(turn)
        self._unfinished[turn.id] = None
        for seq in turn.inbound:
            place.waiting.pop(seq, None)
        self._memory.store(memories)
        return connection is not None and self._memory.join(turn.agent, connection)

    async def complete(
        self,
        turn: TurnRecord,
        epoch: int,
        memories: tuple[Memory, ...],
        parts: tuple[StoredPart, ...],
        outbox: tuple[ReplyPart, ...],
    ) -> None:
        """A turn that has ended stays as it is; one that was never opened is written as it ended."""
        await anyio.lowlevel.checkpoint()
        place = self._claimed(turn, epoch)
        if turn.id in self._turns and turn.id not in self._unfinished:
            return
        self._turns[turn.id] = encode(turn)
        self._unfinished.pop(turn.id, None)
        for seq in turn.inbound:
            place.waiting.pop(seq, None)
        self._memory.store(memories)
        for part in parts:
            self._parts.setdefault(part.digest, encode(part.part))
        for post in outbox:
            self.outbox.setdefault(post.key, post)

    async def finish(
        self, turn: TurnRecord, epoch: int, memories: tuple[Memory, ...], receipts: tuple[Receipt, ...]
    ) -> None:
        """A receipt for a part that is not in the outbox changes nothing."""
        await anyio.lowlevel.checkpoint()
        self._claimed(turn, epoch)
        if turn.id in self._turns and turn.id not in self._unfinished:
            self._turns[turn.id] = encode(turn)
        self._memory.store(memories)
        self.receipts.update({receipt.key: receipt for receipt in receipts if receipt.key in self.outbox})

    async def discard(self, agent: str, room: str, seqs: tuple[int, ...], reason: str) -> None:
        """The reason is not kept."""
        await anyio.lowlevel.checkpoint()
        for seq in seqs:
            self._place(agent, room).waiting.pop(seq, None)

    async def unfinished(self) -> tuple[TurnRecord, ...]:
        """In the order in which they were opened."""
        return tuple(decode(self._turns[turn], TurnRecord) for turn in self._unfinished)

    async def turn(self, turn: str) -> TurnRecord | None:
        """The exact id before any beginning; None where a beginning fits several."""
        fits = [turn] if turn in self._turns else [key for key in self._turns if turn and key.startswith(turn)]
        return decode(self._turns[fits[0]], TurnRecord) if len(fits) == 1 else None

    async def turns(self, *, agent: str = "", room: str = "", limit: int = 20) -> tuple[TurnRecord, ...]:
        """By the order of their opening."""
        records = [decode(record, TurnRecord) for record in reversed(self._turns.values())]
        fits = [turn for turn in records if agent in ("", turn.agent) and room in ("", turn.room)]
        return tuple(fits[:limit])

    async def parts(self, digests: tuple[str, ...]) -> tuple[StoredPart, ...]:
        """In the order asked for."""
        return tuple(
            StoredPart(digest, decode(self._parts[digest], Part)) for digest in digests if digest in self._parts
        )


class InMemoryMemory(MemoryStore):
    """See :class:`carrier_core.MemoryStore`. It recalls by the share of the query's words that a memory has."""

    def __init__(self) -> None:
        self.memories: dict[str, Memory] = {}
        self._entities: dict[str, Entity] = {}
        self._rooms: dict[str, Room] = {}
        self._participants: dict[str, set[str]] = {}
        self._residents: dict[str, set[str]] = {}

    # --- what the journal uses, inside its transactions ---

    def store(self, memories: Iterable[Memory]) -> None:
        """Store memories; one with a known id takes the place of the older."""
        self.memories.update({memory.id: memory for memory in memories})

    def join(self, agent: str, connection: Connection) -> bool:
        """Store a connection; whether the entity is new in the room."""
        entity, room = connection.entity, connection.room
        self._entities[entity.id] = _renewed(self._entities.get(entity.id), entity)
        self._rooms[room.id] = _renewed(self._rooms.get(room.id), room)
        self._residents.setdefault(agent, set()).add(room.id)
        people = self._participants.setdefault(room.id, set())
        is_new = entity.id not in people
        people.add(entity.id)
        return is_new

    # --- memories ---

    async def put(self, memories: tuple[Memory, ...]) -> None:
        """All at once."""
        await anyio.lowlevel.checkpoint()
        self.store(memories)

    async def get(self, ids: tuple[str, ...]) -> tuple[Memory, ...]:
        """In the order asked for."""
        return tuple(self.memories[key] for key in ids if key in self.memories)

    async def history(self, agent: str, room: str, *, limit: int, before: float | None = None) -> tuple[Memory, ...]:
        """By time; those of one moment in the order in which they came."""
        found = [
            memory
            for memory in self.memories.values()
            if memory.agent == agent
            and memory.room == room
            and memory.kind is MemoryKind.MESSAGE
            and (before is None or memory.at < before)
        ]
        found.sort(key=lambda memory: memory.at)
        return tuple(found[-limit:]) if limit > 0 else ()

    async def recall(self, query: Query) -> tuple[Recalled, ...]:
        """The audience is a filter before anything is compared."""
        await anyio.lowlevel.checkpoint()
        wanted = _words(query.text)
        found = []
        for memory in reversed(self.memories.values()):
            if not _in_scope(memory, query) or not memory.provenance.audience.admits(query.readers):
                continue
            score = len(wanted & _words(memory.text)) / len(wanted) if wanted else 0.0
            if score > 0 and score >= query.threshold:
                found.append(Recalled(memory, round(score, 4)))
        found.sort(key=lambda recalled: recalled.score, reverse=True)
        return tuple(found[: max(0, query.limit)])

    async def list(
        self, *, agent: str = "", room: str = "", entity: str = "", kind: MemoryKind | None = None, limit: int = 50
    ) -> tuple[Memory, ...]:
        """By time; those of one moment in the order in which they came, the last first."""
        found = [
            memory
            for memory in reversed(self.memories.values())
            if agent in ("", memory.agent)
            and room in ("", memory.room)
            and entity in ("", memory.entity)
            and kind in (None, memory.kind)
        ]
        found.sort(key=lambda memory: memory.at, reverse=True)
        return tuple(found[:limit])

    async def forget(self, ids: tuple[str, ...]) -> int:
        """There is one place where they are."""
        await anyio.lowlevel.checkpoint()
        return sum(self.memories.pop(key, None) is not None for key in ids)

    # --- people and rooms ---

    async def connect(self, agent: str, connection: Connection) -> bool:
        """A name that is empty changes nothing."""
        await anyio.lowlevel.checkpoint()
        return self.join(agent, connection)

    async def room(self, room: str) -> Room | None:
        """By its id."""
        return self._rooms.get(room)

    async def rooms(self, *, agent: str = "") -> tuple[Room, ...]:
        """By platform and name."""
        ids: Iterable[str] = self._residents.get(agent, ()) if agent else self._rooms
        return tuple(sorted((self._rooms[key] for key in ids), key=lambda room: (room.platform, room.name, room.id)))

    async def participants(self, room: str) -> tuple[Entity, ...]:
        """By id."""
        return tuple(self._entities[key] for key in sorted(self._participants.get(room, ())))

    async def readers(self, room: Room) -> Readers:
        """Their rooms are those that all of them have in common."""
        people = sorted(self._participants.get(room.id, ())) if room.listed else []
        if not people:
            return Readers(room.id)
        common = set.intersection(*(self._rooms_of(entity) for entity in people))
        return Readers(room.id, tuple(people), tuple(sorted(common)))

    def _rooms_of(self, entity: str) -> set[str]:
        return {room for room, people in self._participants.items() if entity in people}


def _in_scope(memory: Memory, query: Query) -> bool:
    """Whether a query is about such a memory at all: facts and documents are no room's."""
    elsewhere = query.room and memory.kind is MemoryKind.MESSAGE and memory.room != query.room
    fits = not query.kinds or memory.kind in query.kinds
    return memory.agent == query.agent and fits and not elsewhere and memory.id not in query.exclude


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)}


def _renewed(older: T | None, newer: T) -> T:
    """What is known now: names that the newer one has not are kept."""
    if older is None:
        return newer
    kept = {
        key: getattr(older, key)
        for key in ("name", "username", "world")
        if hasattr(newer, key) and not getattr(newer, key)
    }
    return msgspec.structs.replace(newer, **kept)
