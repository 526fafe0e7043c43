"""The queue, whose a room is, turns. The laws of the contract are in test_conformance.py."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from carrier_core import Appended, Fenced, Part, Status, StoredPart, Unavailable, encode, make_id

pytestmark = pytest.mark.anyio

LEASE = 60.0


def commits(store):
    return store._database._writer._transaction.commits


# --- the queue and its owner ---------------------------------------------------------------------------------------------


async def test_sequence_numbers_are_given_out_per_agent_and_room_in_the_order_of_arrival(store):
    journal = store.journal
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(journal.append_inbound("tifa", "r1", f"event {number}", b"%d" % number))
            for number in range(200)
        ]
    assert [task.result() for task in tasks] == [Appended(number + 1, True) for number in range(200)]
    assert await journal.append_inbound("tifa", "r2", "elsewhere", b"") == Appended(1, True)
    assert await journal.append_inbound("bot", "r1", "event 1", b"") == Appended(1, True)
    assert [row.payload for row in (await journal.work("tifa", "r1")).rows] == [b"%d" % n for n in range(200)]


async def test_a_repeated_event_is_stored_once_also_when_both_come_at_one_time(store):
    journal = store.journal
    first = await journal.append_inbound("tifa", "r1", "event", b"one")
    async with asyncio.TaskGroup() as group:
        again = [group.create_task(journal.append_inbound("tifa", "r1", "event", b"two")) for _ in range(5)]
    assert {task.result() for task in again} == {Appended(first.seq, False)}
    assert [row.payload for row in (await journal.work("tifa", "r1")).rows] == [b"one"]


async def test_a_lease_belongs_to_the_process(store, tmp_path):
    journal = store.journal
    now = 100.0
    journal.clock = lambda: now
    assert await journal.claim_room("tifa", "r1", "one", LEASE) == 1
    with pytest.raises(Unavailable, match=r"held by one, whose lease lives 60\.0 seconds more"):
        await journal.claim_room("tifa", "r1", "two", LEASE)
    assert await journal.claim_room("tifa", "r1", "one", LEASE) == 2
    now += LEASE
    assert await journal.claim_room("tifa", "r1", "two", LEASE) == 3
    await store.close()
    await store.open(tmp_path / "state")
    assert await journal.claim_room("tifa", "r1", "three", LEASE) == 4, "the lock says that nobody else is there"


async def test_a_heartbeat_writes_nothing(store):
    before = commits(store)
    await store.journal.heartbeat("one", LEASE)
    assert commits(store) == before


# --- turns ---------------------------------------------------------------------------------------------------------------


async def test_a_turn_that_was_forgotten_cannot_be_completed_any_more(store, scene):
    journal = store.journal
    row = await journal.append_inbound("tifa", scene.room.id, "a", b"{}")
    epoch = await journal.claim_room("tifa", scene.room.id, "me", LEASE)
    turn = scene.turn("1", (row.seq,))
    await journal.open_turn(turn, epoch, scene.connection(), (scene.memory("I live in Porto."),))
    await store.forget_person(scene.ana.id)
    with pytest.raises(Fenced, match="forgotten"):
        await journal.complete(turn, epoch, (scene.memory("You live in Porto.", by_agent=True),), (), ())
    with pytest.raises(Fenced, match="forgotten"):
        await journal.record_steps(turn, epoch, (scene.step("act/1/0"),))
    assert await store.memory.list() == ()


@pytest.mark.parametrize(
    ("digests", "memories"),
    [
        ((), ()),
        (("aa", "bb"), ()),
        (("aa", "gone", "bb"), (make_id("a"),)),
        (("bb", "aa"), ("short", make_id("a"))),
        (("aa",), (make_id("a").upper(), make_id("b"))),
    ],
)
async def test_the_record_of_a_finished_turn_comes_back_as_it_was(store, scene, digests, memories):
    journal = store.journal
    epoch = await journal.claim_room("tifa", scene.room.id, "me", LEASE)
    parts = (StoredPart("aa", Part("It rains.")), StoredPart("bb", Part("It is late.")))
    turn = scene.turn("1", (), Status.REPLIED, parts=digests, memories=memories)
    await journal.complete(turn, epoch, (), parts, ())
    assert await journal.turn(turn.id) == turn
    for duration in (1.5, 2.5):
        turn = msgspec.structs.replace(turn, steps=(scene.step("decide"),), duration_ms=duration)
        await journal.finish(turn, epoch, (), ())
        assert encode(await journal.turn(turn.id)) == encode(turn)
    assert store._database.rows("SELECT count(*) FROM traces") == [(1,)]
    assert store._database.rows("SELECT count(*) FROM drafts") == [(0,)]


async def test_turns_are_found_by_a_unique_beginning_and_listed_newest_first(store, scene):
    journal = store.journal
    names = [str(number) for number in range(6)]
    for name in names:
        room = scene.room.id if int(name) % 2 else scene.other.id
        epoch = await journal.claim_room("tifa", room, "me", LEASE)
        await journal.open_turn(scene.turn(name, room=room), epoch, None, ())
    ids = [scene.turn(name).id for name in names]
    assert (await journal.turn(ids[3][:12])).id == ids[3]
    assert await journal.turn("") is None
    assert await journal.turn("zz") is None
    assert [turn.id for turn in await journal.turns()] == ids[::-1]
    assert [turn.id for turn in await journal.turns(limit=2)] == [ids[5], ids[4]]
    assert [turn.id for turn in await journal.turns(agent="tifa", room=scene.room.id)] == [ids[5], ids[3], ids[1]]
    assert [turn.id for turn in await journal.turns(room=scene.other.id)] == [ids[4], ids[2], ids[0]]
    assert [turn.id for turn in await journal.turns(agent="tifa", limit=1)] == [ids[5]]
    assert await journal.turns(agent="bot") == ()
    assert await journal.turns(status="failed") == ()
