"""What was spent on models, and what is held back for calls that are under way."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from carrier_core import Charge, CounterKey, Hold, Journal, Settlement, Spending, Spent
from carrier_memory_sqlite.database import Database
from carrier_memory_sqlite.queries import queries
from carrier_memory_sqlite.transaction import Transaction

_SQL = queries("spending")


class Spendings(Journal):
    """See :class:`carrier_core.Journal`, section spending."""

    _database: Database

    async def hold(self, hold: Hold) -> tuple[Charge, ...]:
        """A row for the hold, and one for each counter."""

        def held(transaction: Transaction) -> tuple[Charge, ...]:
            spending = loaded(transaction, (hold.key,), hold.charges)
            lacking = spending.hold(hold)
            write(transaction, spending)
            return lacking

        return await self._database.write(held)

    async def settle(self, settlements: tuple[Settlement, ...]) -> None:
        """Each counter is read and written once, whatever the number of settlements."""

        def settle(transaction: Transaction) -> None:
            charges = [charge for each in settlements for charge in each.charges]
            spending = loaded(transaction, [each.key for each in settlements], charges)
            for settlement in settlements:
                spending.settle(settlement)
            write(transaction, spending)

        await self._database.write(settle)

    async def spent(self, *, scope: tuple[str, ...] = (), window: str = "", limit: int = 10_000) -> tuple[Spent, ...]:
        """A range of the table, read in a worker thread."""
        values = (*Spending.between(scope, window), limit)
        return await self._database.aside(lambda rows: tuple(map(Spending.counter, rows(_SQL["spent"], values))))

    async def expire_spent(self, now: float) -> int:
        """From the index of times."""

        def expire(transaction: Transaction) -> int:
            spending = Spending()
            past = spending.take(transaction.rows(_SQL["past"], (now,)))
            if past:
                spending.take((), all_holds(transaction))
                spending.drop(past)
                write(transaction, spending)
            return len(past)

        return await self._database.write(expire)


# --- in the writer ---------------------------------------------------------------------------------------------------


def loaded(transaction: Transaction, keys: Iterable[str], charges: Iterable[Charge]) -> Spending:
    """What a call works on: the holds of these keys, and the counters of the charges and of these holds."""
    spending = Spending()
    spending.take((), [payload for key in keys for (payload,) in transaction.rows(_SQL["hold"], (key,))])
    held = [hold.charges for hold in spending.holds.values()]
    load(transaction, spending, {charge.counter for charge in chain(charges, *held)})
    return spending


def load(transaction: Transaction, spending: Spending, counters: set[CounterKey]) -> None:
    """Take those of these counters in hand that there are, unless they are."""
    names = Spending.names(counters.difference(spending.counters))
    spending.take([row for name in names for row in transaction.rows(_SQL["counter"], name)])


def all_holds(transaction: Transaction) -> list[bytes]:
    """The records of all holds: not many, since most are settled within seconds."""
    return [payload for (payload,) in transaction.rows(_SQL["holds"])]


def write(transaction: Transaction, spending: Spending) -> None:
    """Write what has changed."""
    transaction.executemany(_SQL["count"], spending.rows())
    transaction.executemany(_SQL["drop_counter"], spending.gone())
    transaction.executemany(_SQL["keep_hold"], spending.records())
    transaction.executemany(_SQL["drop_hold"], [(key,) for key in spending.gone_holds()])


# --- for archives and for forgetting ---------------------------------------------------------------------------------


def take_in(transaction: Transaction, entry: Spent | Hold) -> bool:
    """Add a row of an archive that is not there; whether it was new."""
    if isinstance(entry, Hold):
        spending = loaded(transaction, (entry.key,), entry.charges)
    else:
        spending = Spending()
        load(transaction, spending, {entry.counter})
    new = spending.restore(entry)
    write(transaction, spending)
    return new


def forget(transaction: Transaction, entity: str) -> dict[str, int]:
    """Remove a person; returns how many rows of each sort that were."""
    spending = Spending()
    spending.take(transaction.rows(_SQL["naming"], (entity,)), all_holds(transaction))
    load(transaction, spending, spending.touched_by_forgetting(entity))
    gone = spending.forget(entity)
    write(transaction, spending)
    return gone
