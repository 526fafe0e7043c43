"""Vectors: what is found by its meaning, in a real file, by a real host and without one."""

from __future__ import annotations

import random
import re
import subprocess
import sys

import anyio
import apsw
import msgspec
import pytest

import carrier_memory_sqlite
from carrier_core import Embedder, Part, Readers, impl
from carrier_core.testing import running_host
from carrier_memory_sqlite import embedding, schema, vectors
from carrier_memory_sqlite.store import SqliteStore

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


async def embed_all(store: SqliteStore, model: str = MODEL, width: int = 256) -> int:
    """Give every memory its vector; how many had none."""
    count = 0
    while waiting := await store.memory.unembedded(model, limit=5):
        await store.memory.embed(model, tuple((memory.id, meaning(memory.text, width)) for memory in waiting))
        count += len(waiting)
    return count


async def found(store: SqliteStore, scene, text: str, *, model: str = MODEL, width: int = 256, **given) -> list[str]:
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


async def test_more_than_is_looked_for_at_once_is_found_all_the_same(store, scene, monkeypatch):
    monkeypatch.setattr(embedding, "BACKLOG", 4)
    await store.memory.put(tuple(scene.memory(f"Number {number}.") for number in range(11)))
    assert await embed_all(store) == 11
    await store.memory.put((scene.memory("One more."),))
    assert await embed_all(store) == 1


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


async def test_what_is_forgotten_leaves_no_vector(store, scene, tmp_path):
    memories = tuple(scene.memory(f"My automobile {number}.") for number in range(300))
    await store.memory.put((*memories, scene.memory("A grey automobile.")))
    await embed_all(store)
    assert len(await found(store, scene, "car", limit=500)) >= vectors.EXACT
    assert await store.memory.forget(tuple(memory.id for memory in memories)) == 300
    assert await found(store, scene, "car") == ["A grey automobile."]
    with apsw.Connection(str(tmp_path / "state" / "carrier.db")) as connection:
        assert connection.execute("SELECT count(*) FROM vectors").get == 1


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


async def test_bits_are_read_again_when_too_many_are_kept(store, scene, monkeypatch):
    monkeypatch.setattr(vectors, "MOST", 3)
    rooms = (scene.room, scene.other, scene.group)
    everywhere = Readers(scene.room.id, (scene.ana.id,), tuple(room.id for room in rooms))
    for number in range(3):
        await store.memory.put(tuple(scene.memory(f"My automobile {number}.", room=room) for room in rooms))
        await embed_all(store)
        results = await found(store, scene, "car", room="", readers=everywhere, limit=50)
        assert len(results) == 3 * (number + 1)


async def test_vectors_are_there_after_a_restart_and_for_readers(tmp_path, scene):
    store = SqliteStore()
    await store.open(tmp_path)
    await store.memory.put((scene.memory("My automobile."),))
    await embed_all(store)
    await store.memory.put((scene.memory("My physician."),))
    await store.close()
    await store.open(tmp_path)
    reader = SqliteStore()
    await reader.open_read_only(tmp_path)
    assert await found(store, scene, "car") == await found(reader, scene, "car") == ["My automobile."]
    assert len(await reader.memory.unembedded(MODEL, limit=5)) == 1
    assert await embed_all(store) == 1
    assert await found(reader, scene, "doctor") == ["My physician."]
    await reader.close()
    await store.close()


async def test_a_database_without_vectors_gets_their_tables(tmp_path, scene):
    file = tmp_path / "carrier.db"
    connection = apsw.Connection(str(file))
    schema.migrate(connection, file, {1: schema.migrations()[1]})
    connection.close()
    store = SqliteStore()
    await store.open(tmp_path)
    await store.memory.put((scene.memory("My automobile."),))
    assert await embed_all(store) == 1
    await store.close()


def test_numpy_is_not_loaded_before_there_is_a_vector(tmp_path):
    script = (
        "import asyncio, sys; from pathlib import Path; from carrier_core import Query, Readers\n"
        "from carrier_memory_sqlite.store import SqliteStore\n"
        "async def main():\n"
        "    store = SqliteStore(); await store.open(Path(sys.argv[1]))\n"
        "    await store.memory.unembedded('m/8', limit=5)\n"
        "    await store.memory.recall(Query('tifa', 'car', Readers('r')))\n"
        "    print('numpy' in sys.modules)\n"
        "    await store.memory.recall(Query('tifa', 'car', Readers('r'), vector=(1.0,) * 8, model='m/8'))\n"
        "    print('numpy' in sys.modules); await store.close()\n"
        "asyncio.run(main())"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


# --- in a host ---


class Meaning(Embedder):
    """Understands synonyms. ``down`` makes it fail."""

    def __init__(self, dimension: int = 256) -> None:
        self.name = "meaning"
        self.dimension = dimension
        self.down = False

    async def embed(self, texts: tuple[str, ...]) -> tuple[tuple[float, ...], ...]:
        if self.down:
            raise OSError("no route to it")
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


async def embedded(running) -> None:
    """Wait until every memory has its vector. A store of its own asks, so that what the host's has in mind stays."""
    with anyio.fail_after(10):
        store = SqliteStore()
        await store.open_read_only(running.folder / "state")
        while await store.memory.unembedded(running.host.embedding.model, limit=1):
            await anyio.lowlevel.checkpoint()
        await store.close()


async def test_a_person_is_remembered_by_meaning_across_restarts_and_embedders(tmp_path):
    plugin = Plugin(None)
    async with running_host([carrier_memory_sqlite, plugin], folder=tmp_path) as running:
        client = running.client
        await running.ask("My automobile is scarlet.")
        await running.ask("Which car have I got?")
        assert "My automobile is scarlet." not in plugin.found
    for dimension in (256, 256, 300):
        plugin = Plugin(Meaning(dimension))
        async with running_host([carrier_memory_sqlite, plugin], folder=tmp_path, client=client) as running:
            await embedded(running)
            await running.ask("Which car have I got?")
            assert plugin.found[0] == "My automobile is scarlet."
            await running.ask("And which automobile?", room="another", person="Bea")
            assert set(plugin.found) <= {"And which automobile?"}


async def test_an_embedder_that_is_down_costs_no_turn_and_no_memory(tmp_path):
    meaningful = Meaning()
    plugin = Plugin(meaningful)
    async with running_host([carrier_memory_sqlite, plugin], folder=tmp_path) as running:
        client = running.client
        meaningful.down = True
        await running.ask("My automobile is scarlet.")
        assert (await running.last()).outcome.status == "replied"
        assert running.told("plugin_failed")
        assert "no route" in running.host.degraded["embedder meaning"]
    meaningful.down = False
    async with running_host([carrier_memory_sqlite, plugin], folder=tmp_path, client=client) as running:
        await embedded(running)
        await running.ask("Which car have I got?")
    assert plugin.found[0] == "My automobile is scarlet."
