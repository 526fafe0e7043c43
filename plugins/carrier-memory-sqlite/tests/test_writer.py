"""Group commit: what is queued together is written together, and one failure costs only its own request."""

from __future__ import annotations

import asyncio
from hashlib import shake_256

import apsw
import pytest

from carrier_core import Unavailable
from carrier_memory_sqlite.settings import Settings
from carrier_memory_sqlite.store import SqliteStore

pytestmark = pytest.mark.anyio


def commits(store):
    return store._database._writer._transaction.commits


async def test_what_is_queued_at_one_time_is_committed_together(store, scene):
    async with asyncio.TaskGroup() as group:
        for number in range(300):
            group.create_task(store.memory.put((scene.memory(f"message {number}"),)))
    assert len(await store.memory.history("tifa", scene.room.id, limit=500)) == 300
    assert commits(store) < 150


async def test_a_failing_request_is_rolled_back_alone(store, scene):
    write = store._database.write

    def broken(transaction):
        transaction.store(())
        transaction.place("tifa", "half a room")
        transaction.execute("INSERT INTO turns (id) VALUES ('half')")

    def clean(transaction):
        raise LookupError("before anything was written")

    async with asyncio.TaskGroup() as group:
        before = [group.create_task(store.memory.put((scene.memory(f"before {n}"),))) for n in range(5)]
        failing = group.create_task(_outcome(write(broken)))
        refused = group.create_task(_outcome(write(clean)))
        after = [group.create_task(store.memory.put((scene.memory(f"after {n}"),))) for n in range(5)]
    assert isinstance(failing.result(), Unavailable)
    assert isinstance(refused.result(), LookupError)
    assert all(task.exception() is None for task in before + after)
    assert len(await store.memory.history("tifa", scene.room.id, limit=500)) == 10
    assert store._database.rows("SELECT count(*) FROM places WHERE room = 'half a room'") == [(0,)]
    assert await store.journal.append_inbound("tifa", "half a room", "k", b"") is not None


def noise(seed):
    """A text that nothing deflates."""
    return shake_256(str(seed).encode()).hexdigest(4000)


async def _outcome(attempt):
    try:
        return await attempt
    except Exception as error:
        return error


async def test_a_cancelled_callers_request_is_written_all_the_same(store, scene):
    said = scene.memory("I live in Porto.")
    task = asyncio.create_task(store.memory.put((said,)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await store.memory.put((scene.memory("next"),))
    assert await store.memory.get((said.id,)) == (said,)


async def test_close_writes_what_is_queued(tmp_path, scene):
    store = SqliteStore()
    await store.open(tmp_path)
    tasks = [asyncio.create_task(store.memory.put((scene.memory(f"message {n}"),))) for n in range(50)]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*tasks)
    await store.open(tmp_path)
    assert len(await store.memory.history("tifa", scene.room.id, limit=100)) == 50
    await store.close()


async def test_a_full_disk_loses_nothing_and_passes(store, scene):
    connection = store._database._writer._transaction._connection
    stored = scene.memory("stored before")
    await store.memory.put((stored,))
    pages = connection.pragma("page_count")
    connection.pragma("max_page_count", pages + 5)
    outcomes = [await _outcome(store.memory.put((scene.memory(noise(n)),))) for n in range(30)]
    failed = [outcome for outcome in outcomes if outcome is not None]
    assert failed
    assert all("disk is full" in str(error) and "Make room" in str(error) for error in failed)
    before = await store.memory.history("tifa", scene.room.id, limit=500)
    assert before[0] == stored
    assert len(before) == 31 - len(failed)
    with pytest.raises(Unavailable, match="disk is full"):
        await store.memory.put((scene.memory(noise("still full") * 2),))
    assert [found.memory for found in await store.memory.recall(scene.query("stored"))] in ([stored], [])
    connection.pragma("max_page_count", 2**30)
    await store.memory.put((scene.memory("room again"),))
    assert len(await store.memory.history("tifa", scene.room.id, limit=500)) == len(before) + 1
    assert [found.memory for found in await store.memory.recall(scene.query("stored"))] == [stored]


async def test_a_lock_of_another_program_is_reported_and_passes(tmp_path, scene):
    store = SqliteStore(Settings(busy_seconds=0))
    await store.open(tmp_path)
    other = apsw.Connection(str(tmp_path / "carrier.db"))
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable, match="Another program has locked"):
        await store.memory.put((scene.memory("one"),))
    other.execute("ROLLBACK")
    other.close()
    await store.memory.put((scene.memory("two"),))
    assert len(await store.memory.history("tifa", scene.room.id, limit=5)) == 1
    await store.close()


async def test_an_index_that_cannot_be_written_does_not_keep_memories_from_being_stored(store, scene):
    connection = store._database._writer._transaction._connection
    connection.execute("ALTER TABLE words_data RENAME TO away")
    for number in range(3):
        await store.memory.put(tuple(scene.memory(f"message {number}.{n}") for n in range(300)))
    assert len(await store.memory.history("tifa", scene.room.id, limit=1000)) == 900
    connection.execute("ALTER TABLE away RENAME TO words_data")


async def test_the_log_starts_anew_although_searches_hold_on_to_a_state(store, scene, monkeypatch, tmp_path):
    monkeypatch.setattr("carrier_memory_sqlite.transaction.LOG_PAGES", 50)
    monkeypatch.setattr("carrier_memory_sqlite.database.LOG_PAGES", 50)
    exclude = ()
    for number in range(300):
        said = scene.memory(f"message {number} " * 20)
        await store.memory.put((said,))
        exclude = (*exclude, said.id)
        await store.memory.recall(scene.query("Where do I live?", exclude=exclude))
    assert (tmp_path / "state" / "carrier.db-wal").stat().st_size < 400 * 4096
