"""Records of turns as they are stored: small, and the same when they are read."""

from __future__ import annotations

import msgspec
import pytest

from carrier_core import Part, Provenance, Retention, Status, StoredPart, deflate, encode, inflate, make_id, person
from carrier_memory_postgres.forgetting import find, forget_person
from carrier_memory_postgres.standing import Needs

pytestmark = pytest.mark.anyio


def shown(count, memories):
    """Parts as they are stored, the first of which come from these memories."""
    names = [*memories, *[""] * (count - len(memories))]
    return tuple(
        StoredPart(make_id("part", str(number)), Part(f"Part {number}.", memory=memory))
        for number, memory in enumerate(names)
    )


@pytest.fixture
async def answered(store, scene):
    """Stores a turn with its parts, and what it is remembered as."""

    async def answer(name, stored=(), **given):
        journal = store.journal
        seq = (await journal.append_inbound(scene.agent, scene.room.id, name, b"{}")).seq
        epoch = await journal.claim_room(scene.agent, scene.room.id, "me", 60.0)
        turn = scene.turn(name, (seq,), status=Status.REPLIED, **given)
        await journal.open_turn(msgspec.structs.replace(turn, parts=(), memories=()), epoch, scene.connection(), ())
        await journal.complete(turn, epoch, (), stored, ())
        completed = await journal.turn(turn.id)
        await journal.finish(turn, epoch, (), ())
        return turn, completed

    return answer


def test_a_record_is_inflated_as_it_was_and_one_that_was_not_deflated_as_it_is():
    record = encode(Part("What you see is what you get: Žofie 🙂 " * 9))
    assert inflate(deflate(record)) == record
    assert len(deflate(record)) < len(record) / 3
    assert inflate(record) == record


async def test_a_turn_that_shows_many_parts_is_small_and_reads_as_it_was(store, answered, sql):
    memories = tuple(make_id("memory", str(number)) for number in range(40))
    parts = shown(45, memories)
    digests = tuple(part.digest for part in parts)
    turn, completed = await answered("many", parts, parts=digests, memories=tuple(reversed(memories)))
    assert completed == turn
    assert await store.journal.turn(turn.id) == turn
    assert await store.journal.turns() == (turn,)
    assert (await store.journal.reopen(turn.id)).record == turn
    assert (await sql("SELECT octet_length(record) FROM carrier.turns"))[0][0] < len(encode(turn)) / 8


async def test_a_turn_keeps_the_names_of_what_is_not_stored(store, answered):
    parts = shown(3, ("m" * 32,))
    digests = tuple(part.digest for part in parts)
    for name, given in {
        "part": {"parts": (*digests, "gone")},
        "memory": {"parts": digests, "memories": ("m" * 32, "another")},
        "no part": {"memories": ("m" * 32,)},
    }.items():
        turn, completed = await answered(name, parts, **given)
        assert completed == turn
        assert await store.journal.turn(turn.id) == turn


async def test_a_part_stays_as_long_as_a_turn_names_it(store, answered, scene):
    parts = shown(2, ())
    first, second = (part.digest for part in parts)
    await answered("old", parts, parts=(first, second))
    turn, _ = await answered("new", (), parts=(second,), started=100 * 86_400.0)
    rules = (Retention("turn", days=30.0),)
    while await store.expire(scene.agent, rules, 101 * 86_400.0):
        pass
    assert [part.digest for part in await store.journal.parts((first, second))] == [second]
    assert await store.journal.turns() == (turn,)


async def test_what_names_a_person_since_the_search_began_is_forgotten_too(store, answered, scene):
    theirs = StoredPart("theirs", Part("Ana lives in Porto.", provenance=Provenance((person(scene.ana.id),))))
    await answered("before", (theirs,), parts=("theirs",), person=scene.bea.id)
    await store.memory.put((scene.memory("I live in Porto."),))
    found = await store._database.apart("forgetting", 60.0, lambda link: find(link, scene.ana.id))
    later = StoredPart("later", Part("Ana moved.", provenance=Provenance((person(scene.ana.id),))))
    await answered("after", (later,), parts=("later",), person=scene.bea.id)
    await answered("own", ())
    await store.memory.put((scene.memory("I moved to Lisbon."), scene.memory("Hello.", entity=scene.bea)))
    gone = {}

    async def forget(batch):
        gone.update(await forget_person(batch, scene.ana.id, found))

    await store._database.write(Needs(), lambda batch: None, alone=forget)
    assert (gone["memories"], gone["parts"], gone["turns"]) == (2, 2, 3)
    assert [memory.text for memory in await store.memory.list()] == ["Hello."]
    assert {turn.parts for turn in await store.journal.turns()} == {()}
    assert await store.journal.parts(("theirs", "later")) == ()


async def test_a_turn_that_was_finished_while_a_person_was_looked_for_is_emptied_not_dropped(store, scene):
    """It was another's, and waited behind a message that named them: what it became is kept, without their words."""
    journal, place = store.journal, (scene.agent, scene.room.id)
    epoch = await journal.claim_room(*place, "me", 60.0)
    turns = []
    for name in ("finished", "running"):
        payload = f"Say hello to {scene.ana.id}".encode()
        seq = (await journal.append_inbound(*place, name, payload)).seq
        turns.append(scene.turn(name, (seq,), person=scene.bea.id))
        await journal.open_turn(turns[-1], epoch, scene.connection(scene.bea), ())
    found = await store._database.apart("forgetting", 60.0, lambda link: find(link, scene.ana.id))
    over = scene.turn("finished", turns[0].inbound, Status.REPLIED, person=scene.bea.id)
    theirs = StoredPart("theirs", Part("Ana moved.", provenance=Provenance((person(scene.ana.id),))))
    over = msgspec.structs.replace(over, parts=("theirs",))
    await journal.complete(over, epoch, (), (theirs,), ())
    await journal.finish(over, epoch, (), ())

    async def forget(batch):
        await forget_person(batch, scene.ana.id, found)

    await store._database.write(Needs(), lambda batch: None, alone=forget)
    (left,) = await journal.turns()
    assert (left.id, left.outcome.status, left.parts) == (over.id, Status.REPLIED, ())
    assert (await journal.reopen(over.id)).inbound == ()
