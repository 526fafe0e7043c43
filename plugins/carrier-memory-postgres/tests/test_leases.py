"""Whose a room is: leases by the server's clock, and the end of a session."""

from __future__ import annotations

import subprocess
import sys

import pytest

from carrier_core import Fenced, Status, Unavailable

pytestmark = pytest.mark.anyio


async def test_a_lease_is_measured_by_the_clock_of_the_server(make_store, tmp_path, sql):
    one, two = make_store(), make_store()
    await one.open(tmp_path)
    await two.open(tmp_path)
    epoch = await one.journal.claim_room("tifa", "r1", "one", 60)
    with pytest.raises(Unavailable, match="held by one"):
        await two.journal.claim_room("tifa", "r1", "two", 60)
    await sql("UPDATE carrier.owners SET lease_until = clock_timestamp() - interval '1 millisecond'")
    assert await two.journal.claim_room("tifa", "r1", "two", 60) == epoch + 1
    await one.journal.heartbeat("one", 60)
    with pytest.raises(Unavailable, match="held by two"):
        await one.journal.claim_room("tifa", "r1", "one", 60)
    await one.close()
    await two.close()


async def test_a_session_that_has_ended_keeps_nobody_waiting(make_store, tmp_path):
    one, two = make_store(), make_store()
    await one.open(tmp_path)
    await two.open(tmp_path)
    await one.journal.claim_room("tifa", "r1", "one", 3600)
    with pytest.raises(Unavailable):
        await two.journal.claim_room("tifa", "r1", "two", 3600)
    await one.close()
    assert await two.journal.claim_room("tifa", "r1", "two", 3600) == 2
    await two.close()


async def test_a_killed_process_keeps_nobody_waiting(make_store, tmp_path, url):
    script = (
        "import asyncio, sys; from pathlib import Path\n"
        "from carrier_memory_postgres.settings import Settings; from carrier_memory_postgres.store import PostgresStore\n"
        "async def main():\n"
        "    store = PostgresStore(Settings(url=sys.argv[1])); await store.open(Path('.'))\n"
        "    await store.journal.claim_room('tifa', 'r1', 'one', 3600); print('claimed', flush=True); sys.stdin.read()\n"
        "asyncio.run(main())"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", script, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout.readline() == "claimed\n"
    store = make_store()
    await store.open(tmp_path)
    with pytest.raises(Unavailable, match="held by one"):
        await store.journal.claim_room("tifa", "r1", "two", 60)
    owner.kill()
    owner.wait()
    owner.stdin.close()
    owner.stdout.close()
    await _granted(store)
    await store.close()


async def _granted(store) -> None:
    """Wait until the server has noticed that a session is gone."""
    import anyio

    with anyio.fail_after(10):
        while True:
            try:
                await store.journal.claim_room("tifa", "r1", "two", 60)
            except Unavailable:
                await anyio.sleep(0.01)
            else:
                return


async def test_an_owner_whose_connection_was_cut_is_alive_again_with_the_next_one(make_store, tmp_path, sql):
    one, two = make_store(retry_seconds=10), make_store()
    await one.open(tmp_path)
    await two.open(tmp_path)
    await one.journal.claim_room("tifa", "r1", "one", 3600)
    pid = one._database.writer._link.get_server_pid()
    await sql("SELECT pg_terminate_backend($1)", pid)
    await one.journal.append_inbound("tifa", "r1", "a", b"a")
    await one.journal.heartbeat("one", 3600)
    with pytest.raises(Unavailable, match="held by one"):
        await two.journal.claim_room("tifa", "r1", "two", 60)
    await one.close()
    await two.close()


async def test_whoever_lost_a_room_writes_nothing_there(make_store, tmp_path, scene):
    one, two = make_store(), make_store()
    await one.open(tmp_path)
    await two.open(tmp_path)
    place = ("tifa", scene.room.id)
    row = await one.journal.append_inbound(*place, "a", b"a")
    stale = await one.journal.claim_room(*place, "one", 60)
    turn = scene.turn("1", (row.seq,))
    await one.journal.open_turn(turn, stale, None, ())
    await one.journal.heartbeat("one", 0)
    epoch = await two.journal.claim_room(*place, "two", 60)
    with pytest.raises(Fenced, match="another owner"):
        await one.journal.complete(scene.turn("1", (), Status.REPLIED), stale, (), (), (scene.post(turn),))
    assert await two.journal.activate(turn, epoch) == 2
    assert (await two.journal.work(*place)).outbox == ()
    await one.close()
    await two.close()


async def test_turns_stay_in_order_when_a_room_changes_hands(make_store, tmp_path, scene):
    one, two = make_store(), make_store()
    await one.open(tmp_path)
    await two.open(tmp_path)
    place = ("tifa", scene.room.id)
    opened = []
    for number in range(6):
        store, owner = ((one, "one"), (two, "two"))[number % 2]
        epoch = await store.journal.claim_room(*place, owner, 60)
        turn = scene.turn(str(number))
        await store.journal.open_turn(turn, epoch, None, ())
        opened.append(turn.id)
        await store.journal.heartbeat(owner, 0)
    assert (await one.journal.work(*place)).turns == tuple(opened)
    await one.close()
    await two.close()


async def test_a_turn_that_another_went_on_with_is_read_anew(make_store, tmp_path, scene):
    """What is kept in mind of a turn is void once the room has had another owner."""
    one, two = make_store(), make_store()
    await one.open(tmp_path)
    await two.open(tmp_path)
    place, turn = ("tifa", scene.room.id), scene.turn("1")
    epoch = await one.journal.claim_room(*place, "one", 60)
    await one.journal.open_turn(turn, epoch, None, ())
    await one.journal.heartbeat("one", 0)
    theirs = await two.journal.claim_room(*place, "two", 60)
    assert await two.journal.activate(turn, theirs) == 2
    await two.journal.complete(scene.turn("1", (), Status.SILENT), theirs, (), (), ())
    await two.journal.heartbeat("two", 0)
    epoch = await one.journal.claim_room(*place, "one", 60)
    await one.journal.complete(scene.turn("1", (), Status.FAILED), epoch, (), (), ())
    assert (await one.journal.turn(turn.id)).outcome.status is Status.SILENT
    await one.close()
    await two.close()
