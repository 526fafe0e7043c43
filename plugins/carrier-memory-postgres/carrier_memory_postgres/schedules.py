"""What agents are to be told, and when."""

from __future__ import annotations

import msgspec

from carrier_core import Appended, Journal, Schedule, decode, encode
from carrier_memory_postgres.batch import Batch
from carrier_memory_postgres.connections import Row
from carrier_memory_postgres.database import Database
from carrier_memory_postgres.inbound import append
from carrier_memory_postgres.queries import queries
from carrier_memory_postgres.standing import Needs

SKIPPED = Appended(0, is_new=False)
"""The answer for a slot that was only skipped: no row has this number."""

_SQL = queries("schedules")


class Schedules(Journal):
    """See :class:`carrier_core.Journal`, section schedules."""

    _database: Database

    async def schedule(self, schedule: Schedule) -> None:
        """One row."""
        await self._database.write(Needs(schedules=(schedule.id,)), lambda batch: _keep(batch, schedule))

    async def cancel(self, schedule: str) -> bool:
        """One row."""

        def cancel(batch: Batch) -> bool:
            there = batch.schedules.pop(schedule, None) is not None
            if there:
                batch.writes.schedules[schedule] = None
            elif batch.known.lost.get(("cancel", schedule)):
                batch.answered.append(("cancel", schedule))
                return True
            return there

        return await self._database.write(Needs(schedules=(schedule,)), cancel, key=("cancel", schedule))

    async def schedules(self, *, agent: str = "") -> tuple[Schedule, ...]:
        """By their next slots."""
        return _schedules(await self._database.rows(_SQL["schedules"], agent))

    async def due(self, now: float, *, limit: int = 100) -> tuple[Schedule, ...]:
        """From the index of times."""
        return _schedules(await self._database.rows(_SQL["due"], now, limit))

    async def fire(self, schedule: Schedule, payload: bytes | None, next_at: float | None) -> Appended | None:
        """The row, the ledger's entry and the next slot are one transaction."""
        key = ("fire", schedule.id, schedule.next_at)

        def fire(batch: Batch) -> Appended | None:
            found = batch.schedules.get(schedule.id)
            if found is None or found[0] != schedule.next_at:
                answer: Appended | None = batch.known.lost.get(key)
                if answer is not None:
                    batch.answered.append(key)
                return answer
            known = decode(found[1], object)
            if next_at is None:
                del batch.schedules[schedule.id]
                batch.writes.schedules[schedule.id] = None
            else:
                kept = known if isinstance(known, Schedule) else schedule
                _keep(batch, msgspec.structs.replace(kept, next_at=next_at))
            if payload is None:
                return SKIPPED
            return append(batch, schedule.agent, schedule.room.id, schedule.key, payload)

        needs = Needs(
            places=((schedule.agent, schedule.room.id),),
            keys=((schedule.agent, schedule.key),),
            schedules=(schedule.id,),
        )
        return await self._database.write(needs, fire, key=key)


def _keep(batch: Batch, schedule: Schedule) -> None:
    record = encode(schedule)
    batch.schedules[schedule.id] = (schedule.next_at, record)
    batch.writes.schedules[schedule.id] = (schedule.agent, schedule.next_at, record)


def _schedules(rows: list[Row]) -> tuple[Schedule, ...]:
    """The schedules of records; one that a newer release wrote in a way unknown here is left out."""
    found = (decode(payload, object) for (payload,) in rows)
    return tuple([schedule for schedule in found if isinstance(schedule, Schedule)])
