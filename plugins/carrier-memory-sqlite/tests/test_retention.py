"""What goes with a turn, and what stays because another turn names it."""

from __future__ import annotations

import msgspec
import pytest

from carrier_core import MemoryKind, Parking, Part, Retention, Sending, Status, StoredPart

pytestmark = pytest.mark.anyio

DAY = 86_400.0
NOW = 100 * DAY
LEASE = 60.0


async def over(store, scene, name, days, parts=(), steps=()):
    """A turn of so many days ago that is finished, with an inbound row and a reply."""
    journal = store.journal
    row = await journal.append_inbound("tifa", scene.room.id, name, b"{}")
    epoch = await journal.claim_room("tifa", scene.room.id, "me", LEASE)
    turn = scene.turn(name, (row.seq,), Status.REPLIED, started=NOW - days * DAY, parts=parts)
    turn = msgspec.structs.replace(turn, steps=steps)
    stored = tuple(StoredPart(digest, Part(digest)) for digest in parts)
    await journal.complete(turn, epoch, (), stored, (scene.sending(turn),))
    await journal.finish(turn, epoch, (), (scene.sending(turn, state=Sending.SENT),))
    return turn


def counts(store, *tables):
    return [store._database.rows(f"SELECT count(*) FROM {table}")[0][0] for table in tables]


async def test_a_part_goes_with_the_last_turn_that_names_it(store, scene):
    await over(store, scene, "old", 9, ("old", "both", "step"))
    composition = b'{"type":"composition","v":1,"data":{"state":["step"],"messages":[]}}'
    step = msgspec.structs.replace(scene.step("compose/1"), value=msgspec.Raw(composition))
    await over(store, scene, "new", 1, ("both",), (step,))
    assert await store.expire("tifa", (Retention("turn", days=5),), NOW) == 1
    assert [part.digest for part in await store.journal.parts(("old", "both", "step"))] == ["both", "step"]
    assert await store.expire("tifa", (Retention("turn", days=0),), NOW) == 1
    assert counts(store, "parts", "turns", "traces", "outbox", "inbound", "orphans") == [0] * 6
    assert counts(store, "dedupe") == [2], "a repeated event is recognised all the same"


async def test_a_part_of_a_turn_that_goes_on_stays(store, scene):
    await over(store, scene, "old", 9, ("shared",))
    epoch = await store.journal.claim_room("tifa", scene.room.id, "me", LEASE)
    running = scene.turn("running")
    await store.journal.open_turn(running, epoch, None, ())
    composition = b'{"type":"composition","v":1,"data":{"state":[],"messages":[{"role":"user","parts":["shared"]}]}}'
    step = msgspec.structs.replace(scene.step("compose/1"), value=msgspec.Raw(composition))
    await store.journal.record_steps(running, epoch, (step,))
    assert await store.expire("tifa", (Retention("turn", days=5),), NOW) == 1
    assert len(await store.journal.parts(("shared",))) == 1


async def test_the_parts_are_stored_again_after_they_went(store, scene):
    await over(store, scene, "old", 9, ("aa",))
    await store.expire("tifa", (Retention("turn", most=0),), NOW)
    turn = await over(store, scene, "new", 1, ("aa",))
    assert len(await store.journal.parts(("aa",))) == 1
    assert (await store.journal.turn(turn.id)).parts == ("aa",)


async def test_the_answer_to_a_question_goes_with_its_turn(store, scene):
    journal, here = store.journal, ("tifa", scene.room.id)
    seqs = [(await journal.append_inbound(*here, name, b"{}")).seq for name in ("question", "answer")]
    epoch = await journal.claim_room(*here, "me", LEASE)
    turn = scene.turn("1", seqs[:1])
    await journal.open_turn(turn, epoch, None, ())
    await journal.park(turn, epoch, Parking(turn.id, *here, "ask/1", 5.0))
    assert await journal.unpark(turn, epoch, scene.step("ask/1"), seqs[1]) is True
    await journal.complete(turn, epoch, (), (), ())
    await journal.finish(turn, epoch, (), ())
    assert await store.expire("tifa", (Retention("turn", most=0),), NOW) == 1
    assert counts(store, "inbound", "steps", "drafts") == [0, 0, 0]


async def test_memories_leave_the_index_too(store, scene):
    old, new = scene.memory("A white lighthouse.", at=NOW - 9 * DAY), scene.memory("A red lighthouse.", at=NOW)
    await store.memory.put((old, new))
    assert await store.expire("tifa", (Retention(MemoryKind.MESSAGE.value, days=5),), NOW) == 1
    assert [found.memory for found in await store.memory.recall(scene.query("lighthouse"))] == [new]
    assert await store.memory.history("tifa", scene.room.id, limit=9) == (new,)
