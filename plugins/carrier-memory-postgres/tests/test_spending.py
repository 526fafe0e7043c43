"""What several daemons spend together. The laws of the contract are in test_conformance.py."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from carrier_core import Charge, Hold, Settlement, Spent, Usage, make_id

pytestmark = pytest.mark.anyio

DAY = "2027-01-31"
ANA = make_id("ana")
HOST = Charge(("host", ""), DAY, most_tokens=100, until=50.0)


def charge(name, most=None):
    return Charge(("agent", name), DAY, most_tokens=most)


def call(key, *charges, tokens=10):
    return Hold(key, charges, Usage(tokens), 1.0)


@pytest.fixture
async def daemons(make_store, tmp_path):
    """Two stores on one database."""
    stores = [make_store(), make_store()]
    for store in stores:
        await store.open(tmp_path)
    yield stores
    for store in stores:
        await store.close()


async def test_two_daemons_never_take_the_same_room(daemons):
    """Counters that are there already and new ones, in whatever order a call names them."""
    made = []

    async def work(daemon, worker):
        """One call after another, so that the two are at it in turns."""
        journal = daemons[daemon].journal
        for number in range(20):
            charges = (HOST, charge("abcd"[number % 4], 80), charge("abcd"[worker % 3], 80))
            key = f"{daemon}/{worker}/{number}"
            if not await journal.hold(call(key, *(charges if worker % 2 else charges[::-1]), tokens=2)):
                made.append(key)
                if number % 5 == 0:
                    await journal.settle((Settlement(key, charges, Usage(2)),))

    async with asyncio.TaskGroup() as group:
        for worker in range(4):
            for daemon in (0, 1):
                group.create_task(work(daemon, worker))
    assert len(made) == 50
    for store in daemons:
        counters = {each.scope: (each.usage + each.held).input for each in await store.journal.spent()}
        assert counters.pop(HOST.scope) == 100
        assert max(counters.values()) <= 80


async def test_daemons_count_in_one_counter_and_lose_nothing(daemons):
    async def settle(daemon, number):
        made = [Settlement(f"{daemon}/{number}/{each}", (HOST, charge("a")), Usage(1, 2, calls=1)) for each in range(3)]
        await daemons[daemon].journal.settle(tuple(made))

    async with asyncio.TaskGroup() as group:
        for number in range(25):
            for daemon in (0, 1):
                group.create_task(settle(daemon, number))
                group.create_task(daemons[daemon].journal.expire_spent(40.0))
    total = Usage(150, 300, calls=150)
    assert await daemons[0].journal.spent() == (
        Spent(("agent", "a"), DAY, total),
        Spent(HOST.scope, DAY, total, until=50.0),
    )


async def test_a_hold_of_one_daemon_is_settled_by_another(daemons):
    one, two = daemons
    assert await one.journal.hold(call("c1", HOST, tokens=80)) == ()
    assert await two.journal.hold(call("c2", HOST, tokens=30)) == (HOST,)
    assert await two.journal.hold(call("c1", HOST, tokens=30)) == ()
    await two.journal.settle((Settlement("c1", (HOST,), Usage(20)),))
    assert await one.journal.hold(call("c3", HOST, tokens=80)) == ()


@pytest.mark.parametrize("remove", ["expire_spent", "forget_person"])
async def test_whoever_removes_counters_locks_none_before_the_calls_that_are_being_settled(daemons, url, sql, remove):
    """Otherwise the two would wait for each other, until the server ends one of them."""
    one, two = daemons
    assert await one.journal.hold(call("c1", HOST, Charge(("person", "tifa", ANA), DAY, until=50.0))) == ()
    waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    link = await asyncpg.connect(url, server_settings={"search_path": "carrier"})
    async with asyncio.TaskGroup() as group, link.transaction():
        await link.fetch("SELECT FROM holds WHERE key = 'c1' FOR UPDATE")  # as one does who settles it
        group.create_task(two.forget_person(ANA) if remove == "forget_person" else two.journal.expire_spent(60.0))
        async with asyncio.timeout(20):
            while not await sql(waiting):
                pass
        assert len(await link.fetch("SELECT FROM spent FOR NO KEY UPDATE NOWAIT")) == 2
    await link.close()
    left = {each.scope for each in await one.journal.spent()}
    assert left == ({HOST.scope} if remove == "forget_person" else set())
    assert [entry async for entries in one.export() for entry in entries if ANA in repr(entry)] == []


async def test_a_call_that_is_refused_leaves_no_row(store, sql):
    assert await store.journal.hold(call("c1", HOST, charge("new"), tokens=101)) == (HOST,)
    tables = ("spent", "holds")
    assert [await sql(f"SELECT count(*) FROM carrier.{table}") for table in tables] == [[(0,)], [(0,)]]


async def test_a_counter_may_go_while_somebody_counts_in_it(daemons):
    """Whoever waited for it makes it anew."""
    one, two = daemons

    async def count(number):
        await one.journal.settle((Settlement(str(number), (HOST,), Usage(1)),))

    async with asyncio.TaskGroup() as group:
        for number in range(60):
            group.create_task(count(number))
            if number % 3 == 0:
                group.create_task(two.journal.expire_spent(60.0))
    await two.journal.expire_spent(60.0)
    assert await one.journal.spent() == ()
    await count(60)
    assert await two.journal.spent() == (Spent(HOST.scope, DAY, Usage(1), until=50.0),)
