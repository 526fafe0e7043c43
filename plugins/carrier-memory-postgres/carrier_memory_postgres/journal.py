"""The journal: what it writes, and what it finds when it looks back."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from carrier_core import InboundRow, Intent, OpenTurn, Parking, Part, StepRecord, StoredPart, TurnRecord, decode
from carrier_memory_postgres.connections import Row
from carrier_memory_postgres.database import Database
from carrier_memory_postgres.inbound import Inbounds
from carrier_memory_postgres.memory import PostgresMemory
from carrier_memory_postgres.outbox import Outbox
from carrier_memory_postgres.queries import queries
from carrier_memory_postgres.schedules import Schedules
from carrier_memory_postgres.turns import Turns

_SQL = queries("turns")
_step = msgspec.json.Decoder(StepRecord)


class PostgresJournal(Inbounds, Turns, Outbox, Schedules):
    """See :class:`carrier_core.Journal`."""

    def __init__(self, database: Database, memory: PostgresMemory) -> None:
        self._database = database
        self._memory = memory

    async def reopen(self, turn: str) -> OpenTurn | None:
        """In one query, so that it is the state of one moment."""
        rows = await self._database.rows(_SQL["reopen"], turn)
        if not rows:
            return None
        state, record, activations, agent, room, step, until, reason, steps, inbound, intents = rows[0]
        found = decode(record, TurnRecord)
        if state != "finished":
            found = msgspec.structs.replace(found, steps=_steps(steps))
        payloads = {row[0]: row[1] for row in inbound or ()}
        parking = Parking(turn, agent, room, step, until, reason) if state == "parked" else None
        return OpenTurn(
            found,
            tuple([InboundRow(seq, payloads[seq]) for seq in found.inbound if seq in payloads]),
            tuple([Intent(*intent) for intent in intents or ()]),
            activations,
            parking,
            completed=state in ("completed", "finished"),
        )

    async def parked(self) -> tuple[Parking, ...]:
        """By the end of their waiting."""
        return tuple([Parking(*row) for row in await self._database.rows(_SQL["parked"])])

    async def turn(self, turn: str) -> TurnRecord | None:
        """The exact id before any beginning; None where a beginning fits several."""
        rows = await self._database.rows(_SQL["turn"], turn)
        if not rows and turn:
            rows = await self._database.rows(_SQL["turns_like"], turn, turn + "\U0010ffff")
        return _turns(rows)[0] if len(rows) == 1 else None

    async def turns(
        self, *, agent: str = "", room: str = "", status: str = "", limit: int = 20
    ) -> tuple[TurnRecord, ...]:
        """By the order of their opening."""
        if agent or room:
            return _turns(await self._database.rows(_SQL["turns_of"], agent, room, status, limit))
        return _turns(await self._database.rows(_SQL["turns"], status, limit))

    async def parts(self, digests: tuple[str, ...]) -> tuple[StoredPart, ...]:
        """In the order asked for."""
        rows = await self._database.rows(_SQL["parts"], list(digests))
        return tuple([StoredPart(digest, decode(part, Part)) for digest, part in rows])


def _turns(rows: Iterable[Row]) -> tuple[TurnRecord, ...]:
    found = []
    for state, record, steps in rows:
        turn = decode(record, TurnRecord)
        found.append(turn if state == "finished" else msgspec.structs.replace(turn, steps=_steps(steps)))
    return tuple(found)


def _steps(records: Iterable[bytes] | None) -> tuple[StepRecord, ...]:
    return tuple([_step.decode(record) for record in records or ()])
