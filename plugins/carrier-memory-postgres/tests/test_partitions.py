"""Memories lie in partitions by agent and month, which come and go by themselves."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import pytest

from carrier_core import MemoryKind, Retention
from carrier_memory_postgres.partitions import NONE, bounds, month_of

pytestmark = pytest.mark.anyio

DAY = 86_400.0
NOW = datetime(2026, 11, 15, 12, tzinfo=UTC).timestamp()
NOVEMBER = 2026 * 12 + 10


@pytest.fixture(autouse=True)
def november(monkeypatch):
    """The middle of a month, whatever day it is."""
    monkeypatch.setattr(time, "time", lambda: NOW)


async def partitions(sql) -> list[tuple[str, int]]:
    """What lies where: the partitions that have rows, and how many."""
    names = [row[0] for row in await sql("SELECT name FROM carrier.partitions ORDER BY name")]
    counts = [(name, (await sql(f"SELECT count(*) FROM carrier.{name}"))[0][0]) for name in names]
    return [(name.split("_", 2)[2], count) for name, count in counts if count]


def test_a_time_belongs_to_its_month_unless_that_is_far_away():
    assert month_of(NOW, NOW) == NOVEMBER
    assert bounds(NOVEMBER) == (
        datetime(2026, 11, 1, tzinfo=UTC).timestamp(),
        datetime(2026, 12, 1, tzinfo=UTC).timestamp(),
    )
    assert month_of(bounds(NOVEMBER)[1], NOW) == NOVEMBER + 1
    assert month_of(bounds(NOVEMBER)[0] - 0.001, NOW) == NOVEMBER - 1
    for far in (0.0, -1e18, 1e18, float("inf"), float("nan"), NOW + 90 * DAY):
        assert month_of(far, NOW) == NONE


async def test_a_month_gets_its_partition_with_its_first_row(store, scene, sql):
    for days in (0, 30, 60, 9_000, -400):
        await store.memory.put((scene.memory(f"lighthouse {days}", at=NOW - days * DAY),))
    await store.memory.put((scene.memory("lighthouse", at=NOW, agent="bot"),))
    assert await partitions(sql) == [
        ("2026_09", 1),
        ("2026_10", 1),
        ("2026_11", 1),
        ("rest", 2),
        ("2026_11", 1),
    ]
    assert len(await store.memory.history("tifa", scene.room.id, limit=9)) == 5
    assert len(await store.memory.recall(scene.query("lighthouse", limit=9))) == 5


async def test_this_and_the_next_month_are_made_ahead(make_store, scene, sql, monkeypatch):
    store = make_store()
    await store.open(None)
    await store.memory.put((scene.memory("one", at=NOW),))
    await store.close()
    monkeypatch.setattr(time, "time", lambda: NOW + 90 * DAY)
    await store.open(None)
    made = [name for (name,) in await sql("SELECT name FROM carrier.partitions WHERE since IS NOT NULL ORDER BY name")]
    assert made == ["memories_1_2026_11", "memories_1_2027_02", "memories_1_2027_03"]
    await store.close()


async def test_what_came_from_the_future_moves_when_its_month_comes(store, scene, sql, monkeypatch):
    """A clock that jumped has left rows where they have no month; the month takes them when it is made."""
    later = NOW + 90 * DAY
    early = scene.memory("lighthouse of the future", at=later)
    await store.memory.put((early,))
    assert await partitions(sql) == [("rest", 1)]
    monkeypatch.setattr(time, "time", lambda: later)
    await store.memory.put((scene.memory("lighthouse of today", at=later + 1),))
    assert await partitions(sql) == [("2027_02", 2)]
    assert await store.memory.get((early.id,)) == (early,)
    assert len(await store.memory.recall(scene.query("lighthouse"))) == 2


async def test_a_memory_that_is_edited_into_another_month_moves(store, scene, sql):
    await store.memory.put((scene.memory("lighthouse", key="k", at=NOW - 40 * DAY),))
    new = scene.memory("lighthouse", key="k", at=NOW)
    await store.memory.put((new,))
    assert await partitions(sql) == [("2026_11", 1)]
    assert await store.memory.list() == (new,)


async def test_two_daemons_make_a_partition_once(make_store, scene, sql):
    import asyncio

    one, two = make_store(), make_store()
    await one.open(None)
    await two.open(None)
    async with asyncio.TaskGroup() as group:
        for number in range(20):
            store = (one, two)[number % 2]
            group.create_task(store.memory.put((scene.memory(f"{number}", at=NOW, agent=f"agent{number % 5}"),)))
    assert await partitions(sql) == [("2026_11", 4)] * 5
    await one.close()
    await two.close()


async def test_a_month_of_which_nothing_is_kept_is_dropped_as_a_whole(store, scene, sql):
    said = [scene.memory(f"lighthouse {days}", at=NOW - days * DAY) for days in (1, 20, 50, 51, 52)]
    fact = scene.memory("A lighthouse is a tower.", kind=MemoryKind.FACT, at=NOW - 50 * DAY)
    await store.memory.put((*said, fact))
    await store.memory.unembedded("m/2", limit=9)
    await store.memory.embed("m/2", tuple((memory.id, (1.0, 0.5)) for memory in (*said, fact)))
    rules = (Retention("message", days=40.0),)
    assert await store.expire("tifa", rules, NOW) == 3
    assert await store.expire("tifa", rules, NOW) == 0
    assert await partitions(sql) == [("2026_09", 1), ("2026_10", 1), ("2026_11", 1)], "a fact keeps its month"
    assert await store.expire("tifa", (*rules, Retention("fact", days=40.0)), NOW) == 1
    names = [name for (name,) in await sql("SELECT name FROM carrier.partitions WHERE since IS NOT NULL ORDER BY name")]
    assert names == ["memories_1_2026_10", "memories_1_2026_11"]
    assert await sql("SELECT to_regclass('carrier.memories_1_2026_09')::text") == [(None,)]
    for table in ("remembered", "vectors_1"):
        assert await sql(f"SELECT count(*) FROM carrier.{table}") == [(2,)], table
    assert await store.memory.history("tifa", scene.room.id, limit=9) == (said[1], said[0])
    assert {found.memory.id for found in await store.memory.recall(scene.query("lighthouse"))} == {
        memory.id for memory in said[:2]
    }


async def test_rows_of_a_month_that_was_dropped_meanwhile_are_stored_all_the_same(make_store, scene, sql):
    one, two = make_store(), make_store()
    await one.open(None)
    await two.open(None)
    old = NOW - 50 * DAY
    await one.memory.put((scene.memory("lighthouse", at=old),))
    assert await two.expire("tifa", (Retention("message", days=40.0),), NOW) == 1
    late = scene.memory("a late lighthouse", at=old)
    await one.memory.put((late,))
    assert await one.memory.list() == (late,)
    await one.close()
    await two.close()
