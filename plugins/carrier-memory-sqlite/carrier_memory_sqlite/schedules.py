"""What agents are to be told, and when."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from carrier_core import Appended, Journal, Schedule, decode, encode
from carrier_memory_sqlite.database import Database, Row
from carrier_memory_sqlite.inbound import append
from carrier_memory_sqlite.queries import queries
from carrier_memory_sqlite.transaction import Transaction

SKIPPED = Appended(0, is_new=False)
"""The answer for a slot that was only skipped: no row has this number."""

_SQL = queries("schedules")


class Schedules(Journal):
    """See :class:`carrier_core.Journal`, section schedules."""

    _database: Database

    async def schedule(self, schedule: Schedule) -> None:
        """One row."""
        await self._database.write(lambda transaction: keep(transaction, schedule))

    async def cancel(self, schedule: str) -> bool:
        """One row."""
        return await self._database.write(lambda transaction: transaction.wrote(_SQL["cancel"], (schedule,)))

    async def schedules(self, *, agent: str = "") -> tuple[Schedule, ...]:
        """From the index of times."""
        return schedules_of(self._database.rows(_SQL["schedules"], (agent,)))

    async def due(self, now: float, *, limit: int = 100) -> tuple[Schedule, ...]:
        """From the index of times."""
        return schedules_of(self._database.rows(_SQL["due"], (now, limit)))

    async def fire(self, schedule: Schedule, payload: bytes | None, next_at: float | None) -> Appended | None:
        """The row, the ledger's entry and the next slot are one transaction."""

        def fire(transaction: Transaction) -> Appended | None:
            found = transaction.rows(_SQL["slot"], (schedule.id, schedule.next_at))
            if not found:
                return None
            if next_at is None:
                transaction.execute(_SQL["cancel"], (schedule.id,))
            else:
                known = (*schedules_of(found), schedule)[0]
                keep(transaction, msgspec.structs.replace(known, next_at=next_at))
            if payload is None:
                return SKIPPED
            return append(transaction, schedule.agent, schedule.room.id, schedule.key, payload)

        return await self._database.write(fire)


def keep(transaction: Transaction, schedule: Schedule) -> None:
    """Write a schedule, or write it anew."""
    transaction.execute(_SQL["keep"], (schedule.id, schedule.agent, schedule.next_at, encode(schedule)))


def schedules_of(rows: Iterable[Row]) -> tuple[Schedule, ...]:
    """The schedules of records; one that a newer release wrote in a way unknown here is left out."""
    found = (decode(payload, object) for (payload,) in rows)
    return tuple([schedule for schedule in found if isinstance(schedule, Schedule)])
