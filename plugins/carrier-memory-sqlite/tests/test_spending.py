"""What counting costs, and who may read it. The laws of the contract are in test_conformance.py."""

from __future__ import annotations

import asyncio

import pytest

from carrier_core import Charge, Hold, Settlement, Spending, Spent, Unavailable, Usage
from carrier_memory_sqlite.queries import queries
from carrier_memory_sqlite.store import SqliteStore

pytestmark = pytest.mark.anyio

DAY = "2027-01-31"
CHARGES = tuple(Charge(scope, DAY, 10**9) for scope in (("host", ""), ("agent", "tifa"), ("person", "tifa", "ana")))


def commits(store):
    return store._database._writer._transaction.commits


async def test_a_hold_is_one_commit_and_so_are_all_settlements_together(store):
    before = commits(store)
    assert await store.journal.hold(Hold("call", CHARGES, Usage(5), 1.0)) == ()
    assert commits(store) - before == 1
    await store.journal.settle(tuple(Settlement(str(number), CHARGES, Usage(1)) for number in range(200)))
    assert commits(store) - before == 2
    async with asyncio.TaskGroup() as group:
        for number in range(200):
            group.create_task(store.journal.hold(Hold(f"call {number}", CHARGES, Usage(1), 1.0)))
    assert commits(store) - before < 10
    assert {(each.usage.input, each.held.input) for each in await store.journal.spent()} == {(200, 205)}


async def test_counters_are_found_by_indexes(store):
    reads = [("counter", ("a", DAY)), ("spent", (*Spending.between(("use", "tifa"), "2027-01"), 9)), ("past", (5.0,))]
    for name, values in reads:
        plan = store._database.rows(f"EXPLAIN QUERY PLAN {queries('spending')[name]}", values)
        assert [row[3].split()[0] for row in plan] == ["SEARCH"], plan


async def test_whoever_reads_along_sees_what_was_spent(store, tmp_path):
    await store.journal.settle((Settlement("call", CHARGES[:1], Usage(3)),))
    reader = SqliteStore()
    await reader.open_read_only(tmp_path / "state")
    assert await reader.journal.spent() == (Spent(("host", ""), DAY, Usage(3)),)
    with pytest.raises(Unavailable, match="for reading only"):
        await reader.journal.hold(Hold("call", CHARGES, Usage(5), 1.0))
    await reader.close()
