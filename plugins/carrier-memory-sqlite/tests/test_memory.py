"""Memories as they are put, listed, edited and forgotten; who takes part where."""

from __future__ import annotations

import msgspec
import pytest

from carrier_core import EVERYONE, MemoryKind, Part, Readers, Room, World

pytestmark = pytest.mark.anyio


async def texts(store, scene, **given):
    return [memory.text for memory in await store.memory.history(scene.agent, scene.room.id, **given)]


async def recalled(store, query):
    return [found.memory.text for found in await store.memory.recall(query)]


async def test_history_is_the_last_messages_oldest_first(store, scene):
    for number in range(10):
        await store.memory.put((scene.memory(f"message {number}"),))
    await store.memory.put((scene.memory("elsewhere", room=scene.other), scene.memory("fact", kind=MemoryKind.FACT)))
    assert await texts(store, scene, limit=3) == ["message 7", "message 8", "message 9"]
    assert await texts(store, scene, limit=3, before=1_000_003.0) == ["message 0", "message 1"]
    assert len(await texts(store, scene, limit=100)) == 10
    assert await texts(store, scene, limit=0) == []
    assert await store.memory.history("bot", scene.room.id, limit=5) == ()


async def test_history_is_the_same_whether_it_is_kept_in_mind_or_read(store, scene, tmp_path):
    said = [scene.memory(f"message {number}") for number in range(100)]
    for memory in said[:50]:
        await store.memory.put((memory,))
    await store.memory.history(scene.agent, scene.room.id, limit=30)
    for memory in said[50:]:
        await store.memory.put((memory,))
    late = scene.memory("came late", at=said[70].at + 0.5)
    for limit in (1, 30, 100, 500):
        assert await store.memory.history(scene.agent, scene.room.id, limit=limit) == tuple(said[-limit:])
    await store.memory.put((late,))
    kept = await store.memory.history(scene.agent, scene.room.id, limit=100)
    await store.close()
    await store.open(tmp_path / "state")
    assert await store.memory.history(scene.agent, scene.room.id, limit=100) == kept
    assert kept[70] == late


async def test_messages_of_one_moment_stay_in_the_order_in_which_they_came(store, scene):
    for number in range(8):
        await store.memory.put((scene.memory(f"{number}?" if number % 2 else f"{number}", at=5.0),))
    assert await texts(store, scene, limit=8) == ["0", "1?", "2", "3?", "4", "5?", "6", "7?"]


async def test_a_known_id_replaces_the_memory_in_every_index(store, scene):
    await store.memory.put((scene.memory("before"),))
    old = scene.memory("I live in Porto.", key="k")
    await store.memory.put((old, scene.memory("after")))
    assert await recalled(store, scene.query("Porto")) == ["I live in Porto."]
    new = msgspec.structs.replace(old, content=(Part("I have moved to the lighthouse?"),))
    await store.memory.put((new,))
    assert await texts(store, scene, limit=9) == ["before", "I have moved to the lighthouse?", "after"]
    assert await recalled(store, scene.query("Porto")) == []
    assert await recalled(store, scene.query("lighthouse")) == [new.text]
    assert await store.memory.get((old.id,)) == (new,)


async def test_an_edit_may_change_room_and_audience(store, scene):
    old = scene.memory("the code is swordfish", key="k")
    await store.memory.put((old,))
    new = scene.memory("the code is swordfish", key="k", room=scene.other)
    await store.memory.put((new,))
    assert await recalled(store, scene.query("swordfish")) == []
    there = scene.query("swordfish", room=scene.other.id, readers=Readers(scene.other.id))
    assert await recalled(store, there) == [new.text]
    assert await texts(store, scene, limit=9) == []


async def test_one_put_may_name_an_id_twice(store, scene):
    old, new = scene.memory("first version", key="k"), scene.memory("second version?", key="k")
    await store.memory.put((old, new))
    assert await store.memory.get((old.id,)) == (new,)
    assert await recalled(store, scene.query("version")) == ["second version?"]
    assert await recalled(store, scene.query("first")) == []


async def test_forget_removes_from_every_table_and_index(store, scene):
    said = [scene.memory(f"lighthouse {number}") for number in range(3)]
    await store.memory.put(tuple(said))
    assert len(await recalled(store, scene.query("lighthouse"))) == 3
    await store.memory.history(scene.agent, scene.room.id, limit=30)
    assert await store.memory.forget((said[0].id, said[1].id, "unknown")) == 2
    assert await texts(store, scene, limit=9) == ["lighthouse 2"]
    assert await recalled(store, scene.query("lighthouse")) == ["lighthouse 2"]
    assert await store.memory.get((said[0].id,)) == ()
    assert store._database.rows("SELECT count(*) FROM words_docsize") == [(1,)]
    assert await store.memory.forget((said[0].id,)) == 0


async def test_forgetting_what_is_not_indexed_yet(store, scene):
    said = scene.memory("lighthouse")
    await store.memory.put((said,))
    assert await store.memory.forget((said.id,)) == 1
    assert await recalled(store, scene.query("lighthouse")) == []
    assert store._database.rows("SELECT count(*) FROM unindexed") == [(0,)]


async def test_get_keeps_the_order_asked_for(store, scene):
    said = [scene.memory(str(number)) for number in range(3)]
    await store.memory.put(tuple(said))
    assert await store.memory.get((said[2].id, "unknown", said[0].id)) == (said[2], said[0])


async def test_list_fits_agent_room_entity_and_kind_newest_first(store, scene):
    one, two = scene.memory("one"), scene.memory("two", entity=scene.bea)
    three = scene.memory("three", kind=MemoryKind.FACT, room=scene.other)
    four = scene.memory("four", agent="bot")
    await store.memory.put((one, two, three, four))
    memory = store.memory
    assert await memory.list() == (four, three, two, one)
    assert await memory.list(limit=1) == (four,)
    assert await memory.list(agent="tifa") == (three, two, one)
    assert await memory.list(agent="tifa", room=scene.room.id) == (two, one)
    assert await memory.list(room=scene.other.id) == (three,)
    assert await memory.list(entity=scene.bea.id) == (two,)
    assert await memory.list(kind=MemoryKind.FACT) == (three,)
    assert await memory.list(room="nowhere") == ()


async def test_connect_tells_whether_somebody_is_new_in_the_room(store, scene):
    memory = store.memory
    assert await memory.connect("tifa", scene.connection()) is True
    assert await memory.connect("tifa", scene.connection()) is False
    assert await memory.connect("bot", scene.connection()) is False
    assert await memory.connect("tifa", scene.connection(scene.bea)) is True
    assert await memory.connect("tifa", scene.connection(room=scene.other)) is True
    assert set(await memory.participants(scene.room.id)) == {scene.ana, scene.bea}
    assert await memory.room(scene.room.id) == scene.room
    assert await memory.room("nowhere") is None
    assert set(await memory.rooms()) == {scene.room, scene.other}
    assert await memory.rooms(agent="bot") == (scene.room,)


async def test_names_are_updated_and_an_empty_one_changes_nothing(store, scene):
    world = World.of("local", "home", name="Home")
    connection = msgspec.structs.replace(scene.connection(), world=world)
    await store.memory.connect("tifa", connection)
    renamed = msgspec.structs.replace(scene.ana, name="Ana Maria", username="ana_m")
    await store.memory.connect("tifa", msgspec.structs.replace(connection, entity=renamed))
    assert await store.memory.participants(scene.room.id) == (renamed,)
    nameless = msgspec.structs.replace(scene.ana, name="", username="")
    await store.memory.connect("tifa", msgspec.structs.replace(connection, entity=nameless))
    assert await store.memory.participants(scene.room.id) == (renamed,)


async def test_readers_are_listed_in_a_direct_room_only(store, scene):
    memory = store.memory
    assert await memory.readers(scene.room) == Readers(scene.room.id)
    for room in (scene.room, scene.other, scene.group):
        await memory.connect("tifa", scene.connection(room=room))
    rooms = tuple(sorted((scene.room.id, scene.other.id, scene.group.id)))
    assert await memory.readers(scene.room) == Readers(scene.room.id, (scene.ana.id,), rooms)
    assert await memory.readers(scene.group) == Readers(scene.group.id)
    await memory.connect("tifa", scene.connection(scene.bea))
    both = tuple(sorted((scene.ana.id, scene.bea.id)))
    assert await memory.readers(scene.room) == Readers(scene.room.id, both, (scene.room.id,))


async def test_recall_keeps_to_kinds_room_limit_threshold_and_exclusions(store, scene):
    said = scene.memory("The lighthouse is white.")
    there = scene.memory("The lighthouse is far.", room=scene.other)
    fact = scene.memory("Ana painted the lighthouse.", kind=MemoryKind.FACT)
    known = scene.memory("A lighthouse is a tower.", kind=MemoryKind.DOCUMENT, audience=EVERYONE)
    await store.memory.put((said, there, fact, known))
    both = Readers(scene.room.id, (scene.ana.id,), (scene.room.id, scene.other.id))

    async def found(**given):
        return {result.memory.id for result in await store.memory.recall(scene.query("lighthouse", **given))}

    assert await found() == {said.id, fact.id, known.id}
    assert await found(readers=both) == {said.id, fact.id, known.id}
    assert await found(readers=both, room="") == {said.id, there.id, fact.id, known.id}
    assert await found(kinds=(MemoryKind.FACT,)) == {fact.id}
    assert await found(kinds=(MemoryKind.MESSAGE, MemoryKind.DOCUMENT)) == {said.id, known.id}
    assert await found(exclude=(said.id,)) == {fact.id, known.id}
    assert len(await found(limit=1)) == 1
    assert await found(limit=0) == set()
    assert await found(threshold=1e9) == set()


async def test_agents_do_not_share_memories(store, scene):
    await store.memory.put((scene.memory("The lighthouse is white.", agent="bot"),))
    assert await recalled(store, scene.query("lighthouse")) == []


async def test_a_person_in_very_many_rooms_recalls_from_all_of_them(store, scene):
    rooms = [Room.of("local", f"room {number}") for number in range(300)]
    await store.memory.put(tuple(scene.memory(f"lighthouse {room.native}", room=room) for room in rooms))
    everywhere = Readers(scene.room.id, (scene.ana.id,), tuple(room.id for room in rooms))
    found = await store.memory.recall(scene.query("lighthouse", room="", readers=everywhere, limit=1000))
    assert len(found) == 300
