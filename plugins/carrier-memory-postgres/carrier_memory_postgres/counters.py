"""Counters and holds as rows: locked, so that several daemons count in them, and written."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from carrier_core import CounterKey, Spending
from carrier_memory_postgres.connections import Speaker
from carrier_memory_postgres.queries import queries

_SQL = queries("spending")


class LockedSpending(Spending):
    """What a transaction has in hand. Holds are locked before counters, and each in the order of their keys, so that two
    daemons do not wait for each other. They still may where a counter is made while it is looked for: then the server ends
    one of the two transactions, which is run again."""

    def __init__(self) -> None:
        super().__init__()
        self._stored: set[str] = set()  # holds that have a row
        self._fresh: set[CounterKey] = set()  # counters whose row was added, to have something to lock

    async def load(self, link: Speaker, holds: Collection[str], counters: Iterable[CounterKey]) -> None:
        """Take these in hand, and the counters of these holds."""
        if holds:
            await self._load_holds(link, "holds", sorted(holds))
        of_holds = {charge.counter for hold in self.holds.values() for charge in hold.charges}
        wanted = of_holds.union(counters).difference(self.counters, self._fresh)
        # One that is there may be gone, and one that is not may be there, by the time that it is asked for.
        while wanted:
            wanted -= self.take(await link.fetch(_SQL["lock"], *_columns(self.names(wanted))))
            if wanted:
                added = {tuple(row) for row in await link.fetch(_SQL["add"], *_columns(self.names(wanted)))}
                fresh = {key for key in wanted if self.names([key])[0] in added}
                self._fresh |= fresh
                wanted -= fresh

    async def load_past(self, link: Speaker, now: float) -> set[CounterKey]:
        """Take in hand all holds, and the counters that may go by now; these counters."""
        await self._load_all_holds(link)
        return self.take(await link.fetch(_SQL["past"], now))

    async def load_naming(self, link: Speaker, entity: str) -> None:
        """Take in hand what is needed to forget a person. Nobody holds or settles until the transaction has ended."""
        await self._load_all_holds(link)
        self.take(await link.fetch(_SQL["naming"], entity))
        await self.load(link, (), self.touched_by_forgetting(entity))

    async def _load_all_holds(self, link: Speaker) -> None:
        """Those that are there, and no more can come: whoever holds or settles looks for holds before it locks anything."""
        await link.execute(_SQL["lock_holds"])
        await self._load_holds(link, "all_holds")

    async def _load_holds(self, link: Speaker, name: str, *values: object) -> None:
        self.take((), [payload for (payload,) in await link.fetch(_SQL[name], *values)])
        self._stored |= self.holds.keys()

    async def write(self, link: Speaker) -> None:
        """Write what has changed. Rows that were added and are not needed go."""
        self.changed |= self._fresh
        settled = self._stored & self.changed_holds
        for name, rows in (("count", self.rows()), ("drop", self.gone())):
            if rows:
                await link.fetch(_SQL[name], *_columns(rows))
        if settled:
            await link.fetch(_SQL["drop_holds"], sorted(settled))
        if records := self.records():
            await link.fetch(_SQL["keep_holds"], *_columns(records))


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
