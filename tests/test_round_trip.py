"""Everything that a store keeps, from one store into another and back, on real databases."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from carrier_core import Entry, Store
from carrier_core.archive import ORDER
from carrier_core.archivefile import entries, read, written
from carrier_core.testing.suites.inventory import fill
from tests.faults.server import Server

pytestmark = pytest.mark.anyio


@pytest.fixture
def url() -> Iterator[str]:
    """Of a new database on a server of the test's own."""
    server = Server()
    yield server.make()
    server.end()


def embedded() -> Store:
    return pytest.importorskip("carrier_memory_sqlite.store").SqliteStore()


def served(url: str) -> Store:
    settings = pytest.importorskip("carrier_memory_postgres.settings").Settings(url=url)
    return pytest.importorskip("carrier_memory_postgres.store").PostgresStore(settings)


async def lines_of(store: Store) -> bytes:
    return b"".join([line async for line in written(store)])


async def taken_over(store: Store, lines: bytes) -> list[Entry]:
    taken = []
    for batch in read(io.BytesIO(lines)):
        found = entries(batch.lines, batch.first)
        assert await store.restore(found) == len(found)
        taken += found
    return taken


async def test_a_store_with_every_kind_of_row_is_the_same_after_a_journey(tmp_path: Path, url: str) -> None:
    first, second, third = embedded(), served(url), embedded()
    for number, store in enumerate((first, second, third)):
        await store.open(tmp_path / str(number))
    try:
        await fill(first)
        lines = await lines_of(first)
        taken = await taken_over(second, lines)
        assert {type(entry) for entry in taken} == set(ORDER)
        there = await lines_of(second)
        assert there.splitlines() == lines.splitlines()
        await taken_over(third, there)
        assert (await lines_of(third)).splitlines() == lines.splitlines()
        for store in (second, third):
            assert sorted(await store.journal.ready()) == sorted(await first.journal.ready())
            for agent, room in await first.journal.ready():
                assert await store.journal.work(agent, room) == await first.journal.work(agent, room)
            assert await store.journal.parked() == await first.journal.parked()
            assert await store.journal.doubts() == await first.journal.doubts()
            assert await store.journal.schedules() == await first.journal.schedules()
    finally:
        for store in (first, second, third):
            await store.close()
