"""Inbound rows, claims, turns, prompt parts, outbox."""

from __future__ import annotations

import asyncio

import pytest

from carrier_core import Appended, Fenced, Part, Receipt, Status, StoredPart

pytestmark = pytest.mark.anyio


async def test_sequence_numbers_are_given_out_per_agent_and_room_in_the_order_of_arrival(store, scene):
    journal = store.journal
    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(journal.append_inbound("tifa", "r1", f"event {number}", b"%d" % number))
            for number in range(200)
        ]
    assert [task.result() for task in tasks] == [Appended(number + 1, True) for number in range(200)]
    assert await journal.append_inbound("tifa", "r2", "elsewhere", b"") == Appended(1, True)
    assert await journal.append_inbound("bot", "r1", "event 1", b"") == Appended(1, True)
    assert [row.payload for row in await journal.pending("tifa", "r1")] == [b"%d" % n for n in range(200)]


async def test_a_repeated_event_is_told_its_first_number_and_stored_once(store):
    journal = store.journal
    first = await journal.append_inbound("tifa", "r1", "event", b"one")
    async with asyncio.TaskGroup() as group:
        again = [group.create_task(journal.append_inbound("tifa", "r1", "event", b"two")) for _ in range(5)]
    assert {task.result() for task in again} == {Appended(first.seq, False)}
    assert [row.payload for row in await journal.pending("tifa", "r1")] == [b"one"]


async def test_ready_lists_rooms_with_rows_that_no_turn_took(store, scene):
    journal = store.journal
    assert await journal.ready() == ()
    one = await journal.append_inbound("tifa", scene.room.id, "a", b"a")
    two = await journal.append_inbound("tifa", scene.room.id, "b", b"b")
    await journal.append_inbound("bot", "r9", "c", b"c")
    assert await journal.ready() == (("tifa", scene.room.id), ("bot", "r9"))
    epoch = await journal.claim_room("tifa", scene.room.id, "me")
    await journal.open_turn(scene.turn("1", (one.seq,)), epoch, None, ())
    assert [row.seq for row in await journal.pending("tifa", scene.room.id)] == [two.seq]
    await journal.discard("tifa", scene.room.id, (two.seq,), "an edit")
    assert await journal.pending("tifa", scene.room.id) == ()
    assert await journal.ready() == (("bot", "r9"),)


async def test_every_claim_has_a_higher_epoch_also_after_a_restart(store, scene, tmp_path):
    assert await store.journal.claim_room("tifa", "r1", "one") == 1
    assert await store.journal.claim_room("tifa", "r1", "two") == 2
    await store.close()
    await store.open(tmp_path / "state")
    assert await store.journal.claim_room("tifa", "r1", "three") == 3


async def test_a_stale_epoch_writes_nothing(store, scene):
    journal = store.journal
    row = await journal.append_inbound("tifa", scene.room.id, "a", b"a")
    stale = await journal.claim_room("tifa", scene.room.id, "one")
    epoch = await journal.claim_room("tifa", scene.room.id, "two")
    turn, said = scene.turn("1", (row.seq,)), scene.memory("I live in Porto.")
    with pytest.raises(Fenced, match="another owner"):
        await journal.open_turn(turn, stale, scene.connection(), (said,))
    assert await journal.turn(turn.id) is None
    assert await store.memory.get((said.id,)) == ()
    assert await store.memory.participants(scene.room.id) == ()
    assert len(await journal.pending("tifa", scene.room.id)) == 1

    await journal.open_turn(turn, epoch, scene.connection(), (said,))
    ended = scene.turn("1", (row.seq,), Status.REPLIED)
    part = StoredPart("aa", Part("prompt"))
    with pytest.raises(Fenced):
        await journal.complete(ended, stale, (scene.memory("no"),), (part,), (scene.post(turn),))
    assert await journal.unfinished() == (turn,)
    assert await journal.parts(("aa",)) == ()
    with pytest.raises(Fenced):
        await journal.finish(ended, stale, (scene.memory("no"),), ())
    assert await store.memory.history("tifa", scene.room.id, limit=9) == (said,)


async def test_a_turn_is_opened_once(store, scene):
    journal = store.journal
    row = await journal.append_inbound("tifa", scene.room.id, "a", b"a")
    epoch = await journal.claim_room("tifa", scene.room.id, "me")
    turn = scene.turn("1", (row.seq,))
    assert await journal.open_turn(turn, epoch, scene.connection(), (scene.memory("one"),)) is True
    assert await journal.open_turn(turn, epoch, scene.connection(scene.bea), (scene.memory("two"),)) is False
    assert [memory.text for memory in await store.memory.history("tifa", scene.room.id, limit=9)] == ["one"]
    assert await store.memory.participants(scene.room.id) == (scene.ana,)
    assert await journal.open_turn(scene.turn("2"), epoch, scene.connection(), ()) is False


async def test_a_turn_ends_with_what_it_remembers_shows_and_sends(store, scene):
    journal = store.journal
    epoch = await journal.claim_room("tifa", scene.room.id, "me")
    turn, ended = scene.turn("1"), scene.turn("1", (), Status.REPLIED)
    await journal.open_turn(turn, epoch, None, ())
    assert await journal.unfinished() == (turn,)
    said = scene.memory("Hello.", by_agent=True)
    parts = (StoredPart("aa", Part("stable")), StoredPart("bb", Part("Where do I live?")))
    await journal.complete(ended, epoch, (said,), parts, (scene.post(turn), scene.post(turn, 1)))
    assert await journal.unfinished() == ()
    assert await journal.turn(turn.id) == ended
    assert await journal.parts(("bb", "gone", "aa")) == (parts[1], parts[0])
    assert await store.memory.get((said.id,)) == (said,)
    await journal.complete(ended, epoch, (scene.memory("again"),), (), ())
    assert len(await store.memory.history("tifa", scene.room.id, limit=9)) == 1


async def test_a_turn_that_was_never_opened_is_written_as_it_ended(store, scene):
    journal = store.journal
    row = await journal.append_inbound("tifa", scene.room.id, "a", b"a")
    epoch = await journal.claim_room("tifa", scene.room.id, "me")
    ended = scene.turn("1", (row.seq,), Status.FAILED)
    await journal.complete(ended, epoch, (), (), ())
    assert await journal.turn(ended.id) == ended
    assert await journal.unfinished() == ()
    assert await journal.pending("tifa", scene.room.id) == ()


async def test_finish_adds_receipts_and_what_was_learned(store, scene):
    journal = store.journal
    epoch = await journal.claim_room("tifa", scene.room.id, "me")
    turn = scene.turn("1")
    await journal.open_turn(turn, epoch, None, ())
    post = scene.post(turn)
    await journal.complete(scene.turn("1", (), Status.REPLIED), epoch, (), (), (post,))
    whole, fact = scene.turn("1", (), Status.REPLIED, duration_ms=5.0), scene.memory("Ana has a dog.")
    await journal.finish(whole, epoch, (fact,), (Receipt(post.key, "native 7", 3.0), Receipt("unknown")))
    assert await journal.turn(turn.id) == whole
    assert await store.memory.get((fact.id,)) == (fact,)
    sent = store._database.rows("SELECT native, sent_at FROM outbox")
    assert sent == [("native 7", 3.0)]


async def test_a_part_is_stored_once_whichever_turn_shows_it(store, scene):
    journal = store.journal
    epoch = await journal.claim_room("tifa", scene.room.id, "me")
    for number in range(3):
        await journal.open_turn(scene.turn(str(number)), epoch, None, ())
        ended = scene.turn(str(number), (), Status.REPLIED)
        await journal.complete(ended, epoch, (), (StoredPart("aa", Part("same")),), ())
    assert store._database.rows("SELECT count(*) FROM parts") == [(1,)]


async def test_turns_are_found_by_a_unique_beginning_and_listed_newest_first(store, scene):
    journal = store.journal
    names = [str(number) for number in range(6)]
    for name in names:
        room = scene.room.id if int(name) % 2 else scene.other.id
        epoch = await journal.claim_room("tifa", room, "me")
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
