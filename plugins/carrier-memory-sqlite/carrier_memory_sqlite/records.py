"""Turns as they are read: to be gone on with, or to be looked at."""

from __future__ import annotations

from carrier_core import InboundRow, Journal, OpenTurn, Parking, Part, StoredPart, TurnRecord, decode, inflate
from carrier_memory_sqlite.database import Database
from carrier_memory_sqlite.outbox import intents_of
from carrier_memory_sqlite.queries import queries
from carrier_memory_sqlite.traces import Rows, read_draft, read_trace

_SQL = queries("turns")
_INBOUND = queries("inbound")
_OUTBOX = queries("outbox")


class Records(Journal):
    """See :class:`carrier_core.Journal`, section turns: what reads."""

    _database: Database

    async def reopen(self, turn: str) -> OpenTurn | None:
        """With the rows that it answers."""
        rows = self._database.rows
        for number, state, activations, place, *stored in rows(_SQL["reopen"], (turn,)):
            record = record_of(rows, number, *stored)
            parking = None
            for step, until, reason in rows(_SQL["parking"], (number,)):
                parking = Parking(turn, record.agent, record.room, step, until, reason)
            taken = [
                InboundRow(seq, payload)
                for seq in record.inbound
                for (payload,) in rows(_INBOUND["taken"], (place, seq, turn))
            ]
            return OpenTurn(
                record,
                tuple(taken),
                intents_of(rows(_OUTBOX["intents_of_turn"], (turn,))),
                activations,
                parking,
                state in ("completed", "finished"),
            )
        return None

    async def parked(self) -> tuple[Parking, ...]:
        """By their time."""
        return tuple([Parking(*row) for row in self._database.rows(_SQL["parked"])])

    async def turn(self, turn: str) -> TurnRecord | None:
        """The exact id before any beginning; None where a beginning fits several."""
        rows = self._database.rows(_SQL["turn"], (turn,))
        if not rows and turn:
            rows = self._database.rows(_SQL["turns_like"], (turn, turn + "\U0010ffff"))
        return self._record(*rows[0]) if len(rows) == 1 else None

    async def turns(
        self, *, agent: str = "", room: str = "", status: str = "", limit: int = 20
    ) -> tuple[TurnRecord, ...]:
        """By the order of their opening. All turns of a room lie together; others are looked for in a worker thread."""
        if agent and room:
            found = self._database.rows(_SQL["turns_of_place"], (status, limit, agent, room))
        elif agent or room:
            sql = _SQL["turns_of_agent" if agent else "turns_of_room"]
            found = await self._database.aside(lambda rows: rows(sql, (status, limit, agent or room)))
        elif status:
            found = await self._database.aside(lambda rows: rows(_SQL["turns"], (status, limit)))
        else:
            found = self._database.rows(_SQL["turns"], (status, limit))
        return tuple([self._record(*row) for row in found])

    async def parts(self, digests: tuple[str, ...]) -> tuple[StoredPart, ...]:
        """In the order asked for."""
        rows = self._database.rows
        return tuple(
            [StoredPart(key, decode(inflate(part), Part)) for key in digests for (part,) in rows(_SQL["part"], (key,))]
        )

    def _record(self, number: int, *stored: bytes | None) -> TurnRecord:
        return record_of(self._database.rows, number, *stored)


def record_of(
    rows: Rows,
    number: int,
    draft: bytes | None = None,
    parts: bytes | None = None,
    memories: bytes | None = None,
    trace: bytes | None = None,
) -> TurnRecord:
    """The record of a turn, from its draft or its trace."""
    if draft is not None:
        return read_draft(rows, number, draft)
    return read_trace(rows, parts, memories, trace or b"")
