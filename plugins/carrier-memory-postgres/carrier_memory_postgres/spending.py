"""What was spent on models, and what is held back for calls that are under way."""

from __future__ import annotations

from carrier_core import Charge, Hold, Journal, Settlement, Spending, Spent
from carrier_memory_postgres.batch import Batch
from carrier_memory_postgres.database import Database
from carrier_memory_postgres.queries import queries
from carrier_memory_postgres.standing import Needs

_SQL = queries("spending")


class Spendings(Journal):
    """See :class:`carrier_core.Journal`, section spending."""

    _database: Database

    async def hold(self, hold: Hold) -> tuple[Charge, ...]:
        """Under the locks of the counters, which other daemons may count in."""
        needs = Needs(holds=(hold.key,), counters=tuple([charge.counter for charge in hold.charges]))
        return await self._database.write(needs, lambda batch: batch.spending.hold(hold))

    async def settle(self, settlements: tuple[Settlement, ...]) -> None:
        """Each counter is written once, whatever the number of settlements."""
        keys = tuple([each.key for each in settlements])
        key = ("settle", keys)

        def settle(batch: Batch) -> bool:
            if batch.known.lost.get(key):
                batch.answered.append(key)
                return True
            for settlement in settlements:
                batch.spending.settle(settlement)
            return True

        counters = tuple([charge.counter for each in settlements for charge in each.charges])
        await self._database.write(Needs(holds=keys, counters=counters), settle, key=key)

    async def spent(self, *, scope: tuple[str, ...] = (), window: str = "", limit: int = 10_000) -> tuple[Spent, ...]:
        """A range of the table."""
        rows = await self._database.rows(_SQL["spent"], *Spending.between(scope, window), limit)
        return tuple(map(Spending.counter, rows))

    async def expire_spent(self, now: float) -> int:
        """From the index of times."""
        count = [0]

        async def expire(batch: Batch) -> None:
            past = await batch.spending.load_past(batch.link, now)
            batch.spending.drop(past)
            count[0] = len(past)

        return await self._database.write(Needs(), lambda batch: count[0], alone=expire)
