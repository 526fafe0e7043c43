"""What is kept in mind of memories is never older than what the database has, whoever wrote it."""

from __future__ import annotations

import msgspec
import pytest

from carrier_core import EVERYONE, MemoryKind, Part, Readers, Room
from carrier_memory_postgres import recall
from carrier_memory_postgres.queries import queries

pytestmark = pytest.mark.anyio


async def texts(store, scene, **given):
    return [memory.text for memory in await store.memory.history(scene.agent, scene.room.id, **given)]


async def recalled(store, query):
    return [found.memory.text for found in await store.memory.recall(query)]


@pytest.fixture
async def two(make_store):
    """Two daemons on one database."""
    stores = make_store(), make_store()
    for store in stores:
        await store.open(None)
    yield stores
    for store in stores:
        await store.close()


async def test_what_another_daemon_says_edits_or_forgets_is_seen(two, scene):
    one, other = two
    said = [scene.memory(f"The lighthouse is number {number}.", key=str(number)) for number in range(3)]
    await one.memory.put(tuple(said))
    for store in two:
        assert await texts(store, scene, limit=9) == [memory.text for memory in said]
        assert len(await recalled(store, scene.query("lighthouse"))) == 3
    edited = msgspec.structs.replace(said[1], content=(Part("The lighthouse is painted."),))
    await other.memory.put((edited,))
    assert await texts(one, scene, limit=9) == [said[0].text, edited.text, said[2].text]
    assert set(await recalled(one, scene.query("lighthouse"))) == {said[0].text, edited.text, said[2].text}
    assert await other.memory.forget((said[0].id,)) == 1
    assert await texts(one, scene, limit=9) == [edited.text, said[2].text]
    assert set(await recalled(one, scene.query("lighthouse"))) == {edited.text, said[2].text}
    last = scene.memory("The lighthouse is far.")
    await other.memory.put((last,))
    assert (await texts(one, scene, limit=1), (await one.memory.history("tifa", "nowhere", limit=1))) == (
        [last.text],
        (),
    )
    assert last.text in await recalled(one, scene.query("lighthouse"))


async def test_what_is_put_up_for_everyone_by_another_daemon_is_found_after_a_while(two, scene, monkeypatch):
    one, other = two
    assert await recalled(one, scene.query("lighthouse")) == []
    await other.memory.put((scene.memory("A lighthouse is a tower.", kind=MemoryKind.DOCUMENT, audience=EVERYONE),))
    monkeypatch.setattr(recall, "FRESH", -1.0)
    assert await recalled(one, scene.query("lighthouse")) == ["A lighthouse is a tower."]


async def test_what_this_daemon_puts_up_is_found_at_once(store, scene):
    assert await recalled(store, scene.query("lighthouse")) == []
    await store.memory.put((scene.memory("A lighthouse is a tower.", kind=MemoryKind.DOCUMENT, audience=EVERYONE),))
    await store.memory.put((scene.memory("I live in a lighthouse."),))
    assert len(await recalled(store, scene.query("lighthouse"))) == 2


async def test_history_is_the_same_whether_it_is_kept_in_mind_or_read(store, make_store, scene):
    said = [scene.memory(f"message {number}") for number in range(150)]
    reader = make_store()
    await reader.open_read_only(None)
    for number, memory in enumerate(said):
        await store.memory.put((memory,))
        if number % 7 == 0:
            for limit in (1, 30):
                kept = await store.memory.history(scene.agent, scene.room.id, limit=limit)
                assert kept == tuple(said[: number + 1][-limit:])
    late = scene.memory("came late", at=said[100].at + 0.5)
    await store.memory.put((late,))
    for limit in (1, 30, 100, 500):
        kept = await store.memory.history(scene.agent, scene.room.id, limit=limit)
        reader._memory.clear()
        assert kept == await reader.memory.history(scene.agent, scene.room.id, limit=limit)
    assert late in kept
    await reader.close()


async def test_one_put_may_name_an_id_twice(store, scene):
    old, new = scene.memory("first version", key="k"), scene.memory("second version?", key="k")
    await store.memory.put((old, new))
    assert await store.memory.get((old.id,)) == (new,)
    assert await texts(store, scene, limit=9) == ["second version?"]
    assert await recalled(store, scene.query("version")) == ["second version?"]
    assert await recalled(store, scene.query("first")) == []


async def test_a_person_in_very_many_rooms_recalls_from_all_of_them(store, scene):
    rooms = [Room.of("local", f"room {number}") for number in range(300)]
    await store.memory.put(tuple(scene.memory(f"lighthouse {room.native}", room=room) for room in rooms))
    everywhere = Readers(scene.room.id, (scene.ana.id,), tuple(room.id for room in rooms))
    found = await store.memory.recall(scene.query("lighthouse", room="", readers=everywhere, limit=1000))
    assert len(found) == 300


async def test_words_that_the_index_could_misread_are_words(store, scene):
    await store.memory.put((scene.memory("O'Neill's café \\ & | ! :* 'quoted' \uf0001 4711"),))
    for text in ("oneill", "café", "cafe", "'quoted'", "4711", "quoted:*", "\uf0001"):
        found = await recalled(store, scene.query(text))
        assert found or text in ("oneill", "\uf0001"), text


async def test_candidates_are_read_once_however_many_of_them_are_excluded_or_gone(store, scene, monkeypatch):
    told = [scene.memory(f"My dog Rex ate sausage {number}.") for number in range(60)]
    await store.memory.put(told)
    recalled, asked = store._database.recalled, []

    async def read(sql, *values):
        rows = await recalled(sql, *values)
        if sql == queries("recall")["payloads"]:
            asked.append(values[0])
            return rows[len(rows) // 2 :]  # half of what was found has been removed since
        return rows

    query = scene.query("Rex", limit=5, exclude=tuple(memory.id for memory in told[-25:]))
    monkeypatch.setattr(store._database, "recalled", read)
    found = await store.memory.recall(query)
    assert len(found) == 5
    assert not {each.memory.id for each in found} & {*query.exclude}
    assert len(asked[0]) == 35, "as many as are looked at, and those that are not"
    rows = [row for some in asked for row in some]
    assert len(rows) == len({*rows})
