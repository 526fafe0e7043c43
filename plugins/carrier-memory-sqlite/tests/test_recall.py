"""What the index of SQLite is asked for; what is recalled of it is told in the tests of the core."""

from __future__ import annotations

import apsw
import pytest

from carrier_core import Audience, MemoryKind, Readers
from carrier_core.recall import Indexed, read_query
from carrier_memory_sqlite.beginnings import LETTERS, SMALL
from carrier_memory_sqlite.recall import DEEP, MOST, WIDE, expression

pytestmark = pytest.mark.anyio


async def recalled(store, scene, text: str, **given: object) -> list[str]:
    return [result.memory.text for result in await store.memory.recall(scene.query(text, **given))]


@pytest.fixture
def searches(store, monkeypatch) -> list[str]:
    """The words of the searches that are made of the index."""
    made: list[str] = []
    match = store.memory._search._search
    monkeypatch.setattr(
        store.memory._search, "_search", lambda sql, values: made.append(values[0]) or match(sql, values)
    )
    return made


@pytest.mark.parametrize("count", [DEEP - 1, DEEP + 50, MOST, MOST + 100])
async def test_of_a_word_that_is_often_said_the_newest_memories_are_found(store, scene, count):
    await store.memory.put(tuple([scene.memory(f"lighthouse {number}") for number in range(count)]))
    found = await recalled(store, scene, "lighthouse?", limit=DEEP)
    assert len(found) == min(count, DEEP)
    assert set(found) == {f"lighthouse {number}" for number in range(count)[-DEEP:]}


async def test_a_few_facts_are_not_searched_for_words_that_they_cannot_have(store, scene, searches):
    fact = scene.memory("Ana plays the cello.", kind=MemoryKind.FACT)
    await store.memory.put((fact,))
    assert await recalled(store, scene, "bicycle?") == []
    assert searches == []
    assert await recalled(store, scene, "cellos?") == [fact.text]
    assert len(searches) == 1


async def test_facts_that_come_change_and_go_are_found_as_they_are(store, scene):
    fact = scene.memory("Ana plays the cello.", kind=MemoryKind.FACT)
    await store.memory.put((fact,))
    assert await recalled(store, scene, "violin?") == []
    violin = scene.memory("Ana sold her violin.", kind=MemoryKind.FACT)
    await store.memory.put((violin,))
    assert await recalled(store, scene, "violin?") == [violin.text]
    await store.memory.put((scene.memory("Ana sold her bicycle.", kind=MemoryKind.FACT, key="sold"),))
    assert await recalled(store, scene, "bicycle?") == ["Ana sold her bicycle."]
    await store.memory.put((scene.memory("Ana sold her guitar.", kind=MemoryKind.FACT, key="sold"),))
    assert await recalled(store, scene, "guitar?") == ["Ana sold her guitar."]
    assert await recalled(store, scene, "bicycle?") == []
    await store.memory.forget((violin.id,))
    assert await recalled(store, scene, "violin?") == []


async def test_more_than_a_few_facts_are_always_searched(store, scene, searches):
    facts = tuple([scene.memory(f"Ana owns lamp {n}.", kind=MemoryKind.FACT) for n in range(SMALL + 1)])
    await store.memory.put(facts)
    assert await recalled(store, scene, "bicycle?") == []
    assert len(searches) == 1


async def test_a_fact_in_a_script_without_spaces_is_found_by_a_single_sign(store, scene):
    fact = scene.memory("私は東京に住んでいます。", kind=MemoryKind.FACT)
    await store.memory.put((fact,))
    assert await recalled(store, scene, "京") == [fact.text]
    assert await recalled(store, scene, "東京") == [fact.text]


async def test_a_word_that_is_hardly_longer_than_its_stem_is_found(store, scene):
    fact = scene.memory("Two øs in a name.", kind=MemoryKind.FACT)
    await store.memory.put((fact,))
    assert await recalled(store, scene, "ø?") == [fact.text]


def test_what_the_index_takes_for_one_word_begins_alike():
    """So that no search is left out that would have found something."""
    connection = apsw.Connection(":memory:")
    stem = connection.fts5_tokenizer("porter", ["unicode61"])
    words = "dying dies lies spies ties used uses being going does owes aging icing added agreed ability easily only"
    for word in words.split():
        (token,) = stem(
            word.encode(), apsw.FTS5_TOKENIZE_DOCUMENT, None, include_offsets=False, include_colocated=False
        )
        assert "".join(token)[:LETTERS] == word[:LETTERS]


def test_nothing_that_is_asked_is_an_operator():
    found = [expression(sought) for sought in read_query('"x" AND (colour* OR NEAR 京)?', ()).sought]
    assert found
    assert '"京"*' in found
    assert all(part.removesuffix("*").strip('"').isalnum() or "\ue000" <= part[1] < "\uf000" for part in found)


async def test_in_very_many_rooms_one_search_is_made_of_all(store, scene, searches):
    ana, rooms = (scene.ana.id,), tuple([f"room {number}" for number in range(WIDE + 2)])
    for room in rooms:
        fact = scene.memory(f"lighthouse of {room}", audience=Audience((room,), ana), kind=MemoryKind.FACT)
        await store.memory.put((fact,))
    await store.memory.put((scene.memory("a lighthouse elsewhere", audience=Audience(("elsewhere",), ana)),))
    found = await recalled(store, scene, "lighthouse?", readers=Readers(rooms[0], ana, rooms), limit=100)
    assert sorted(found) == sorted(f"lighthouse of {room}" for room in rooms)
    assert len(searches) == 1


async def test_an_index_of_another_version_is_made_anew(store, scene, tmp_path, monkeypatch):
    said = scene.memory("My mum has a lighthouse.")
    await store.memory.put((said,))
    await store.close()
    monkeypatch.setattr("carrier_memory_sqlite.transaction.WORDS_VERSION", 99)
    for module in ("prepared", "beginnings"):
        monkeypatch.setattr(
            f"carrier_memory_sqlite.{module}.prepare", lambda *given: Indexed(["something", "different"], 0)
        )
    await store.open(tmp_path / "state")
    assert await recalled(store, scene, "different?") == [said.text]
    assert await recalled(store, scene, "lighthouse?") == []
