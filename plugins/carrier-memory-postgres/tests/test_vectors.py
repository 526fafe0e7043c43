"""Vectors: what is found by its meaning, on a real server, by a real host and without one."""

from __future__ import annotations

import random
import re

import anyio
import msgspec
import pytest

from carrier_core import Embedder, Part, Readers, Room, impl
from carrier_core.testing import running_host
from carrier_memory_postgres.store import PostgresStore

pytestmark = pytest.mark.anyio

MODEL = "meaning/256"
SYNONYMS = {"automobile": "car", "physician": "doctor"}


def meaning(text: str, width: int = 256) -> tuple[float, ...]:
    """The sum of a direction for every word, the same one for words that mean the same."""
    vector = [0.0] * width
    for word in re.findall(r"\w{3,}", text.lower()):
        direction = random.Random(SYNONYMS.get(word, word))
        vector = [number + direction.gauss(0.0, 1.0) for number in vector]
    return tuple(vector)


async def embed_all(store: PostgresStore, model: str = MODEL, width: int = 256) -> int:
    """Give every memory its vector; how many had none."""
    count = 0
    while waiting := await store.memory.unembedded(model, limit=5):
        await store.memory.embed(model, tuple((memory.id, meaning(memory.text, width)) for memory in waiting))
        count += len(waiting)
    return count


async def found(store: PostgresStore, scene, text: str, *, model: str = MODEL, width: int = 256, **given) -> list[str]:
    query = scene.query(text, vector=meaning(text, width), model=model, **given)
    return [recalled.memory.text for recalled in await store.memory.recall(query)]


# --- the contract ---


async def test_a_memory_without_a_word_of_the_query_is_found_by_its_vector(store, scene):
    await store.memory.put(tuple(scene.memory(text) for text in ("My automobile, scarlet.", "Rain tomorrow.", "Soup.")))
    assert await found(store, scene, "car") == []
    assert await embed_all(store) == 3
    assert await found(store, scene, "car") == ["My automobile, scarlet."]
    assert [recalled.memory.text for recalled in await store.memory.recall(scene.query("car"))] == []


async def test_words_and_meaning_together_rank_above_either(store, scene):
    await store.memory.put(tuple(scene.memory(text) for text in ("An old car.", "An old automobile.", "Old soup.")))
    await embed_all(store)
    assert (await found(store, scene, "old car"))[:2] == ["An old car.", "An old automobile."]


async def test_what_waits_is_given_oldest_first_and_once(store, scene):
    memories = tuple(scene.memory(f"Number {number}.") for number in range(7))
    await store.memory.put(memories[:4])
    assert await store.memory.unembedded(MODEL, limit=3) == memories[:3]
    await store.memory.put(memories[4:])
    assert await store.memory.unembedded(MODEL, limit=9) == memories
    await store.memory.embed(MODEL, tuple((memory.id, meaning(memory.text)) for memory in memories[:5]))
    assert await store.memory.unembedded(MODEL, limit=9) == memories[5:]
    await store.memory.forget((memories[5].id,))
    assert await store.memory.unembedded(MODEL, limit=9) == memories[6:]
    assert await store.memory.unembedded(MODEL, limit=0) == ()


async def test_many_are_handed_out_some_at_a_time(store, scene):
    await store.memory.put(tuple(scene.memory(f"Number {number}.") for number in range(11)))
    assert await embed_all(store) == 11
    await store.memory.put((scene.memory("One more."),))
    assert await embed_all(store) == 1


async def test_what_another_daemon_wrote_is_found_after_a_while(make_store, scene, monkeypatch):
    one, two = make_store(), make_store()
    await one.open(None)
    await two.open(None)
    await two.memory.put((scene.memory("first"),))
    await one.memory.put((scene.memory("second"),))
    assert await embed_all(one) == 2
    late = scene.memory("third")
    await two.memory.put((late,))
    monkeypatch.setattr("carrier_memory_postgres.embedding.AGAIN", -1.0)
    assert await one.memory.unembedded(MODEL, limit=5) == (late,)
    await one.close()
    await two.close()


async def test_an_empty_vector_says_that_there_is_nothing_to_embed(store, scene):
    silent, broken = scene.memory(""), scene.memory("Zero.")
    await store.memory.put((silent, broken, scene.memory("A car.")))
    await store.memory.embed(MODEL, ((silent.id, ()), (broken.id, (0.0,) * 256), ("unknown", meaning("car"))))
    assert await embed_all(store) == 1
    assert await found(store, scene, "automobile") == ["A car."]


async def test_an_edit_takes_the_old_vector_away(store, scene):
    car = scene.memory("My automobile.", key="k")
    await store.memory.put((car, scene.memory("Rain tomorrow.")))
    await embed_all(store)
    assert await found(store, scene, "car") == ["My automobile."]
    await store.memory.put((msgspec.structs.replace(car, content=(Part("My physician."),)),))
    assert await found(store, scene, "car") == []
    assert await embed_all(store) == 1
    assert await found(store, scene, "doctor") == ["My physician."]


async def test_the_vector_of_a_text_that_was_edited_meanwhile_is_not_kept(store, scene):
    car = scene.memory("My automobile.")
    await store.memory.put((car,))
    (given,) = await store.memory.unembedded(MODEL, limit=5)
    edited = msgspec.structs.replace(car, content=(Part("My physician."),))
    await store.memory.put((edited,))
    await store.memory.embed(MODEL, ((given.id, meaning(given.text)),))
    assert await found(store, scene, "car") == []
    assert await store.memory.unembedded(MODEL, limit=5) == (edited,)


async def test_what_is_forgotten_leaves_no_vector(store, scene, sql):
    memories = tuple(scene.memory(f"My automobile {number}.") for number in range(300))
    await store.memory.put((*memories, scene.memory("A grey automobile.")))
    await embed_all(store)
    assert len(await found(store, scene, "car", limit=500)) >= 128
    assert await store.memory.forget(tuple(memory.id for memory in memories)) == 300
    assert await found(store, scene, "car") == ["A grey automobile."]
    assert await sql("SELECT count(*) FROM carrier.vectors_1") == [(1,)]


async def test_other_embedders_keep_their_vectors_and_are_not_searched(store, scene):
    await store.memory.put((scene.memory("My automobile."),))
    await embed_all(store)
    assert await found(store, scene, "car", model="wide/320", width=320) == []
    assert await found(store, scene, "car", model="other/256") == []
    assert await embed_all(store, "wide/320", 320) == 1
    assert await found(store, scene, "car", model="wide/320", width=320) == ["My automobile."]
    assert await found(store, scene, "car") == ["My automobile."]
    assert await embed_all(store) == 0
    assert await found(store, scene, "car", width=320) == []  # a vector that is not of its embedder's length
    assert await found(store, scene, "car") == ["My automobile."]


async def test_vectors_are_there_after_a_restart_and_for_readers(make_store, scene):
    store, reader = make_store(), make_store()
    await store.open(None)
    await store.memory.put((scene.memory("My automobile."),))
    await embed_all(store)
    await store.memory.put((scene.memory("My physician."),))
    await store.close()
    await store.open(None)
    await reader.open_read_only(None)
    assert await found(store, scene, "car") == await found(reader, scene, "car") == ["My automobile."]
    assert len(await reader.memory.unembedded(MODEL, limit=5)) == 1
    assert await embed_all(store) == 1
    assert await found(reader, scene, "doctor") == ["My physician."]
    await reader.close()
    await store.close()


async def test_a_changed_dimension_keeps_the_old_vectors_and_makes_new_ones(store, scene, sql):
    await store.memory.put((scene.memory("My automobile."), scene.memory("Rain tomorrow.")))
    assert await embed_all(store) == 2
    assert await embed_all(store, "meaning/300", 300) == 2
    assert await found(store, scene, "car") == ["My automobile."]
    assert await found(store, scene, "car", model="meaning/300", width=300) == ["My automobile."]
    assert await found(store, scene, "car", model="unknown/8", width=8) == []
    assert await sql("SELECT name, dimension FROM carrier.embedders ORDER BY embedder") == [
        ("meaning/256", 256),
        ("meaning/300", 300),
    ]


async def test_a_large_table_gets_an_index_and_a_scope_of_it_is_found_by_it(make_store, scene, sql):
    """One room in a hundred: the index has to go on until it has found enough there."""
    store = make_store(exact=50)
    await store.open(None)
    rooms = [Room.of("local", f"room {number}") for number in range(100)]
    for number, room in enumerate(rooms):
        said = tuple(scene.memory(f"Word{number * 6 + each}.", room=room) for each in range(6))
        await store.memory.put(said)
    while waiting := await store.memory.unembedded(MODEL, limit=300):
        await store.memory.embed(MODEL, tuple((memory.id, meaning(memory.text)) for memory in waiting))
    assert await sql("SELECT indexed FROM carrier.embedders") == [(True,)]
    everywhere = Readers(scene.room.id, (scene.ana.id,), tuple(room.id for room in rooms[:12]))
    for number in (0, 35, 71):
        results = await found(store, scene, f"word{number}", room="", readers=everywhere, limit=3)
        assert results[0] == f"Word{number}."
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'carrier.vectors_1_nearest'::regclass"
    assert await sql(valid) == [(True,)]
    assert await found(store, scene, "word700", room="", readers=everywhere) == []
    await store.close()


async def test_vectors_too_long_for_an_index_are_compared_all_the_same(make_store, scene, sql):
    store = make_store(exact=1)
    await store.open(None)
    await store.memory.put((scene.memory("My automobile."), scene.memory("Rain tomorrow."), scene.memory("Soup.")))
    for width, indexed in ((2100, True), (4100, False)):
        model = f"meaning/{width}"
        assert await embed_all(store, model, width) == 3
        assert (await found(store, scene, "car", model=model, width=width))[0] == "My automobile."
        assert await sql("SELECT indexed FROM carrier.embedders WHERE name = $1", model) == [(indexed,)]
    await store.close()


# --- in a host ---


class Meaning(Embedder):
    """Understands synonyms."""

    def __init__(self, dimension: int = 256) -> None:
        self.name = "meaning"
        self.dimension = dimension

    async def embed(self, texts: tuple[str, ...]) -> tuple[tuple[float, ...], ...]:
        return tuple(meaning(text, self.dimension) for text in texts)


class Plugin:
    """Registers an embedder, and keeps what a turn recalled of what people said."""

    def __init__(self, embedder: Embedder | None) -> None:
        self._embedder = embedder
        self.found: list[str] = []

    @impl
    def register_embedders(self) -> Embedder | None:
        return self._embedder

    @impl
    async def provide_state(self, turn) -> None:
        found = [recalled.memory for recalled in await turn.recall(turn.message.text)]
        self.found = [memory.text for memory in found if not memory.by_agent]


async def embedded(running, store: PostgresStore) -> None:
    """Wait until every memory has its vector."""
    with anyio.fail_after(10):
        while await store.memory.unembedded(running.host.embedding.model, limit=1):
            await anyio.sleep(0.01)


async def test_a_person_is_remembered_by_meaning_across_restarts_and_embedders(tmp_path, make_store):
    plugin, client = Plugin(None), None
    async with running_host([plugin], folder=tmp_path, store=make_store()) as running:
        client = running.client
        await running.ask("My automobile is scarlet.")
        await running.ask("Which car have I got?")
        assert "My automobile is scarlet." not in plugin.found
    reader = make_store()
    await reader.open_read_only(tmp_path)
    for dimension in (256, 256, 300):
        plugin = Plugin(Meaning(dimension))
        async with running_host([plugin], folder=tmp_path, store=make_store(), client=client) as running:
            await embedded(running, reader)
            await running.ask("Which car have I got?")
            assert plugin.found[0] == "My automobile is scarlet."
            await running.ask("And which automobile?", room="another", person="Bea")
            assert set(plugin.found) <= {"And which automobile?"}
    await reader.close()
