"""The segments of the index are merged while the store is in use, and what is found stays the same."""

from __future__ import annotations

import apsw
import pytest

from carrier_memory_sqlite import merging
from carrier_memory_sqlite.settings import Settings
from carrier_memory_sqlite.store import SqliteStore

pytestmark = pytest.mark.anyio


def segments(file) -> int:
    connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return connection.execute("SELECT count(DISTINCT segid) FROM words_idx").get
    finally:
        connection.close()


async def test_many_segments_become_one_piece_by_piece(scene, tmp_path, monkeypatch):
    monkeypatch.setattr(merging, "MANY", 2)
    store = SqliteStore(Settings())
    await store.open(tmp_path)
    try:
        for batch in range(5):
            await store.memory.put(tuple(scene.memory(f"the harbour of {batch} {n}") for n in range(700 - 100 * batch)))
            await store.memory.put((scene.memory(f"the door code of house {batch} is 4711"),))
        before = await store.memory.recall(scene.query("door code"))
        assert segments(tmp_path / "carrier.db") >= 2
        steps = 0
        while await store.tidy():
            steps += 1
            await store.memory.put((scene.memory(f"meanwhile {steps}"),))
            assert steps < 1000
        assert segments(tmp_path / "carrier.db") == 1
        assert await store.tidy() is False
        assert await store.memory.recall(scene.query("door code")) == before
    finally:
        await store.close()


def test_segments_are_merged_when_they_are_many_or_no_longer_small():
    assert not merging.worthwhile([])
    assert not merging.worthwhile([1000])
    assert not merging.worthwhile([1000, 30, 20])
    assert merging.worthwhile([30, 1000, 40])
    assert merging.worthwhile([1000, *[1] * (merging.MANY - 1)])
