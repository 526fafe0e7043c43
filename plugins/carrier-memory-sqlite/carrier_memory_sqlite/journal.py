"""The journal: inbound rows, turns, prompt parts and the outbox."""

from __future__ import annotations

from typing import NamedTuple

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
from carrier_memory_sqlite.database import Database, Row
from carrier_memory_sqlite.memory import SqliteMemory
from carrier_memory_sqlite.queries import queries
from carrier_memory_sqlite.transaction import Place, Stored, Transaction, prepared

SEQ_BITS = 32
KNOWN_PARTS = 16_384
"""Parts of prompts that are remembered to be stored: most of a prompt was in the one before."""

_SQL = queries("journal")


class Opened(NamedTuple):
    """What opening a turn did: what it stored, whether somebody joined the room, whether the connection was written."""

    stored: Stored | None
    joined: bool
    connected: bool


class SqliteJournal(Journal):
    """See :class:`carrier_core.Journal`."""

    def __init__(self, database: Database, memory: SqliteMemory) -> None:
        self._database = database
        self._memory = memory
        self._known: dict[str, None] = {}

    def clear(self) -> None:
        """Keep nothing in mind."""
        self._known.clear()

    # --- inbound ---

    async def append_inbound(self, agent: str, room: str, dedupe_key: str, payload: bytes) -> Appended:
        """One row in the ledger and one in the queue; the sequence number is given out here, in the writer."""

        def append(transaction: Transaction) -> Appended:
            place = transaction.place(agent, room)
            seq = place.seq + 1
            if not transaction.wrote(_SQL["dedupe"], (agent, dedupe_key, seq)):
                rows = transaction.rows(_SQL["seen"], (agent, dedupe_key))
                return Appended(rows[0][0], is_new=False)
            transaction.execute(_SQL["append"], (_row(place, seq), payload))
            transaction.execute(_SQL["number"], (seq, place.number))
            place.seq = seq
            return Appended(seq, is_new=True)

        return await self._database.write(append)

    async def ready(self) -> tuple[tuple[str, str], ...]:
        """From the index of waiting rows, which is as long as the queue."""
        return tuple((agent, room) for agent, room in self._database.rows(_SQL["ready"]))

    async def pending(self, agent: str, room: str) -> tuple[InboundRow, ...]:
        """The waiting rows of one room lie side by side."""
        places = self._database.rows(_SQL["place"], (agent, room))
        if not places:
            return ()
        limits = (places[0][0] << SEQ_BITS, (places[0][0] + 1 << SEQ_BITS) - 1)
        rows = self._database.rows(_SQL["pending"], limits)
        return tuple(InboundRow(row & ((1 << SEQ_BITS) - 1), payload) for row, payload in rows)

    async def discard(self, agent: str, room: str, seqs: tuple[int, ...], reason: str) -> None:
        """The rows stay, with the reason."""

        def discard(transaction: Transaction) -> None:
            place = transaction.place(agent, room)
            transaction.executemany(_SQL["discard"], [(reason, _row(place, seq)) for seq in seqs])

        await self._database.write(discard)

    async def claim_room(self, agent: str, room: str, owner: str) -> int:
        """The epoch is the database's, so it grows over restarts too."""

        def claim(transaction: Transaction) -> int:
            place = transaction.place(agent, room)
            transaction.execute(_SQL["claim"], (place.epoch + 1, owner, place.number))
            place.epoch += 1
            return place.epoch

        return await self._database.write(claim)

    # --- turns ---

    async def open_turn(
        self, turn: TurnRecord, epoch: int, connection: Connection | None, memories: tuple[Memory, ...]
    ) -> bool:
        """Where the turn is there already, nothing of it is written again."""
        record = encode(turn)
        ready = prepared(memories)
        people = self._memory.people
        news = people.news(turn.agent, connection)

        def begin(transaction: Transaction) -> Opened:
            place = _claimed(transaction, turn, epoch)
            values = (turn.id, place.number, turn.started, turn.outcome.status.value, record)
            if not transaction.wrote(_SQL["open_turn"], values):
                return Opened(None, joined=False, connected=False)
            transaction.executemany(_SQL["take"], [(turn.id, _row(place, seq)) for seq in turn.inbound])
            joined = news is not None and people.connect(transaction, turn.agent, news)
            return Opened(transaction.store(ready), joined, connected=news is not None)

        def done(opened: Opened) -> None:
            self._memory.note(opened.stored)
            if opened.connected and news is not None:
                people.note(turn.agent, news)

        return (await self._database.write(begin, done)).joined

    async def complete(
        self,
        turn: TurnRecord,
        epoch: int,
        memories: tuple[Memory, ...],
        parts: tuple[StoredPart, ...],
        outbox: tuple[ReplyPart, ...],
    ) -> None:
        """Completing a turn again changes nothing; a turn that was never opened is written as it ended."""
        record = encode(turn)
        ready = prepared(memories)
        new_parts = [(part.digest, encode(part.part)) for part in parts if part.digest not in self._known]
        posts = [(part.key, part.turn, part.number, encode(part)) for part in outbox]

        def end(transaction: Transaction) -> Stored | None:
            place = _claimed(transaction, turn, epoch)
            status = turn.outcome.status.value
            if not transaction.wrote(_SQL["end_turn"], (status, record, turn.id)):
                values = (turn.id, place.number, turn.started, status, record)
                if not transaction.wrote(_SQL["add_ended_turn"], values):
                    return None
            transaction.executemany(_SQL["take"], [(turn.id, _row(place, seq)) for seq in turn.inbound])
            if new_parts:
                transaction.executemany(_SQL["add_part"], new_parts)
            for key, of, number, payload in posts:
                transaction.execute(_SQL["add_outbox"], (key, place.number, of, number, payload))
            return transaction.store(ready) if ready else Stored({}, [], [])

        def done(stored: Stored | None) -> None:
            self._memory.note(stored)
            if stored is not None:
                if len(self._known) > KNOWN_PARTS:
                    self._known.clear()
                self._known.update(dict.fromkeys(digest for digest, _ in new_parts))

        await self._database.write(end, done)

    async def finish(
        self, turn: TurnRecord, epoch: int, memories: tuple[Memory, ...], receipts: tuple[Receipt, ...]
    ) -> None:
        """A receipt for a part that is not there changes nothing."""
        record = encode(turn)
        ready = prepared(memories)

        def finish(transaction: Transaction) -> Stored | None:
            _claimed(transaction, turn, epoch)
            transaction.execute(_SQL["finish_turn"], (turn.outcome.status.value, record, turn.id))
            for receipt in receipts:
                transaction.execute(_SQL["sent"], (receipt.native, receipt.at, receipt.key))
            return transaction.store(ready) if ready else None

        await self._database.write(finish, self._memory.note)

    async def unfinished(self) -> tuple[TurnRecord, ...]:
        """In the order in which they were opened."""
        return _turns(self._database.rows(_SQL["unfinished"]))

    async def turn(self, turn: str) -> TurnRecord | None:
        """The exact id before any beginning; None where a beginning fits several."""
        rows = self._database.rows(_SQL["turn"], (turn,))
        if not rows and turn:
            rows = self._database.rows(_SQL["turns_like"], (turn, turn + "\U0010ffff"))
        return _turns(rows)[0] if len(rows) == 1 else None

    async def turns(self, *, agent: str = "", room: str = "", limit: int = 20) -> tuple[TurnRecord, ...]:
        """By the order of their opening."""
        if agent and room:
            return _turns(self._database.rows(_SQL["turns_of_place"], (agent, room, limit)))
        if agent or room:
            sql = _SQL["turns_of_agent" if agent else "turns_of_room"]
            return _turns(await self._database.aside(lambda rows: rows(sql, (agent or room, limit))))
        return _turns(self._database.rows(_SQL["turns"], (limit,)))

    async def parts(self, digests: tuple[str, ...]) -> tuple[StoredPart, ...]:
        """In the order asked for."""
        found: list[StoredPart] = []
        for digest in digests:
            for (part,) in self._database.rows(_SQL["part"], (digest,)):
                found.append(StoredPart(digest, decode(part, Part)))
        return tuple(found)


def _row(place: Place, seq: int) -> int:
    return place.number << SEQ_BITS | seq


def _claimed(transaction: Transaction, turn: TurnRecord, epoch: int) -> Place:
    place = transaction.place(turn.agent, turn.room)
    if place.epoch != epoch:
        raise Fenced(
            f"Turn {turn.id} holds epoch {epoch} of room {turn.room}, which is at {place.epoch}: "
            "another owner has claimed it since. Nothing was written."
        )
    return place


def _turns(rows: list[Row]) -> tuple[TurnRecord, ...]:
    return tuple(decode(record, TurnRecord) for (record,) in rows)
