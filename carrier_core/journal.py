"""The journal: what makes an accepted message safe. A contract that store plugins fulfil.

A room's work belongs to whoever claimed the room last: every write carries the epoch of that claim, and a stale epoch
raises :class:`~carrier_core.errors.Fenced`. Payloads are opaque records (:mod:`carrier_core.records`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import msgspec

from carrier_core.messages import Memory, Part, Receipt, ReplyPart
from carrier_core.outcomes import Connection, TurnRecord


class Appended(msgspec.Struct, frozen=True, gc=False):
    """The place of an inbound row in its room, and whether it is new or a repetition of one that is there already."""

    seq: int
    is_new: bool


class InboundRow(msgspec.Struct, frozen=True, gc=False):
    """An inbound as it was appended: its sequence number and its record."""

    seq: int
    payload: bytes


class StoredPart(msgspec.Struct, frozen=True, gc=False):
    """A part of a prompt, kept once under its content hash."""

    digest: str
    part: Part


class Journal(ABC):
    """Inbound rows, turns and the outbox of one store. All methods are durable when they return."""

    @abstractmethod
    async def append_inbound(self, agent: str, room: str, dedupe_key: str, payload: bytes) -> Appended:
        """Append an inbound to the room of the agent, unless that agent has one with this key."""

    @abstractmethod
    async def ready(self) -> tuple[tuple[str, str], ...]:
        """The (agent, room) pairs that have inbound rows which no turn has taken."""

    @abstractmethod
    async def pending(self, agent: str, room: str) -> tuple[InboundRow, ...]:
        """The rows of a room that no turn has taken, in order."""

    @abstractmethod
    async def claim_room(self, agent: str, room: str, owner: str) -> int:
        """Make ``owner`` the one who works on the room; returns its epoch, higher than any before."""

    @abstractmethod
    async def open_turn(
        self, turn: TurnRecord, epoch: int, connection: Connection | None, memories: tuple[Memory, ...]
    ) -> bool:
        """Begin a turn: it takes its inbound rows; who spoke and what was said is stored with it, in one transaction.

        Returns whether the entity was seen in the room for the first time. Opening a turn again changes nothing and
        returns False. A stale epoch raises Fenced.
        """

    @abstractmethod
    async def complete(
        self,
        turn: TurnRecord,
        epoch: int,
        memories: tuple[Memory, ...],
        parts: tuple[StoredPart, ...],
        outbox: tuple[ReplyPart, ...],
    ) -> None:
        """End a turn: its outcome and trace, what it remembers and what is to be delivered, in one transaction."""

    @abstractmethod
    async def finish(
        self, turn: TurnRecord, epoch: int, memories: tuple[Memory, ...], receipts: tuple[Receipt, ...]
    ) -> None:
        """After the delivery: the receipts, what was learned, and the whole trace, in one transaction.

        A turn that was completed and never finished is safe all the same: it lacks receipts and trace.
        """

    @abstractmethod
    async def discard(self, agent: str, room: str, seqs: tuple[int, ...], reason: str) -> None:
        """Take inbound rows out of the queue without a turn (an edit that was applied, a message that was dropped)."""

    @abstractmethod
    async def unfinished(self) -> tuple[TurnRecord, ...]:
        """The turns that were opened and never completed."""

    @abstractmethod
    async def turn(self, turn: str) -> TurnRecord | None:
        """The turn with this id, or None. A unique beginning of an id will do."""

    @abstractmethod
    async def turns(self, *, agent: str = "", room: str = "", limit: int = 20) -> tuple[TurnRecord, ...]:
        """The latest turns, newest first."""

    @abstractmethod
    async def parts(self, digests: tuple[str, ...]) -> tuple[StoredPart, ...]:
        """The stored parts with these hashes; those that are gone are left out."""
