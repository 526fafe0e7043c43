"""Group commit: what is queued together is written together, and one failure costs only its own request."""

from __future__ import annotations

import asyncio

import pytest

from carrier_core import CarrierError, Unavailable
from carrier_memory_postgres.standing import Needs

pytestmark = pytest.mark.anyio


def commits(store):
    return store._database.writer.batches


async def test_what_is_queued_at_one_time_is_committed_together(store, scene):
    async with asyncio.TaskGroup() as group:
        for number in range(300):
            group.create_task(store.memory.put((scene.memory(f"message {number}"),)))
    assert len(await store.memory.history("tifa", scene.room.id, limit=500)) == 300
    assert commits(store) < 10


async def test_requests_of_all_sorts_share_a_batch_and_keep_their_order(store, scene):
    journal = store.journal
    epoch = await journal.claim_room("tifa", scene.room.id, "me", 60)
    turn = scene.turn("1", (1,))
    before = commits(store)
    async with asyncio.TaskGroup() as group:
        appended = group.create_task(journal.append_inbound("tifa", scene.room.id, "a", b"a"))
        group.create_task(journal.open_turn(turn, epoch, scene.connection(), (scene.memory("I live in Porto."),)))
        again = group.create_task(journal.append_inbound("tifa", scene.room.id, "a", b"b"))
        group.create_task(journal.complete(turn, epoch, (), (), (scene.post(turn),)))
        claimed = group.create_task(journal.claim_room("tifa", scene.room.id, "me", 60))
        late = group.create_task(_outcome(journal.finish(turn, epoch, (), ())))
    assert commits(store) == before + 1
    assert (appended.result().is_new, again.result().is_new) == (True, False)
    assert claimed.result() == epoch + 1
    assert "another owner" in str(late.result())
    work = await journal.work("tifa", scene.room.id)
    assert (work.turns, work.rows, work.outbox) == ((turn.id,), (), (scene.post(turn),))


async def test_a_failing_request_is_rolled_back_alone(store, scene, sql):
    async with asyncio.TaskGroup() as group:
        before = [group.create_task(store.memory.put((scene.memory(f"before {n}"),))) for n in range(5)]
        failing = group.create_task(_outcome(store.memory.put((scene.memory("fine"), scene.memory("a \0 within")))))
        strange = group.create_task(_outcome(store.journal.append_inbound("tifa", "r\ud800", "k", b"")))
        after = [group.create_task(store.memory.put((scene.memory(f"after {n}"),))) for n in range(5)]
    assert all(task.exception() is None for task in before + after)
    assert isinstance(strange.result(), Exception)
    stored = len(await store.memory.history("tifa", scene.room.id, limit=500))
    assert stored == (10 if isinstance(failing.result(), Exception) else 12)
    assert await sql("SELECT count(*) FROM carrier.ledger") == [(0,)]


async def test_a_statement_that_is_refused_is_an_error_that_does_not_pass(store):
    async def broken(batch):
        await batch.link.fetch("SELECT * FROM nowhere")

    failed = await _outcome(store._database.write(Needs(), lambda batch: None, alone=broken))
    assert isinstance(failed, CarrierError)
    assert not isinstance(failed, Unavailable)
    assert "nowhere" in str(failed)
    await store.journal.append_inbound("tifa", "r1", "k", b"")


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


async def test_close_writes_what_is_queued(make_store, tmp_path, scene):
    store = make_store()
    await store.open(tmp_path)
    tasks = [asyncio.create_task(store.memory.put((scene.memory(f"message {n}"),))) for n in range(50)]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*tasks)
    await store.open(tmp_path)
    assert len(await store.memory.history("tifa", scene.room.id, limit=100)) == 50
    await store.close()


async def test_a_lock_of_another_session_is_reported_and_passes(make_store, tmp_path, postgres, database):
    import asyncpg

    store = make_store(busy_seconds=0.05)
    await store.open(tmp_path)
    await store.journal.append_inbound("tifa", "r1", "k1", b"")
    other = await asyncpg.connect(postgres.url(database))
    await other.execute("BEGIN; SELECT * FROM carrier.places FOR UPDATE")
    with pytest.raises(Unavailable, match="holds a lock"):
        await store.journal.append_inbound("tifa", "r1", "k2", b"")
    await other.execute("ROLLBACK")
    await other.close()
    assert (await store.journal.append_inbound("tifa", "r1", "k2", b"")).seq == 2
    await store.close()


async def test_two_daemons_on_one_room_give_out_each_number_once(make_store, tmp_path):
    one, two = make_store(), make_store()
    await one.open(tmp_path)
    await two.open(tmp_path)
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(store.journal.append_inbound("tifa", f"r{number % 3}", f"event {number}", b"x"))
            for number in range(120)
            for store in (one, two)
        ]
    new = [task.result() for task in tasks if task.result().is_new]
    assert len(new) == 120
    for room in range(3):
        rows = (await one.journal.work("tifa", f"r{room}")).rows
        assert [row.seq for row in rows] == list(range(1, 41))
    await one.close()
    await two.close()
