"""A journal in memory."""

from __future__ import annotations

import anyio.lowlevel

from carrier_core import (
    Appended,
    Connection,
    Fenced,
    InboundRow,
    Journal,
    Memory,
    Part,
    Receipt,
    ReplyPart,
    StoredPart,
    TurnRecord,
    decode,
    encode,
)
from carrier_core.testing.memory import InMemoryMemory


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
