"""Nothing is recalled that one of the readers may not know."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from carrier_core import (
    Audience,
    Connection,
    Entity,
    Memory,
    MemoryKind,
    Part,
    Provenance,
    Query,
    Readers,
    Room,
    RoomKind,
    make_id,
)
from carrier_memory_sqlite.store import SqliteStore

KINDS = (RoomKind.DM, RoomKind.DM, RoomKind.GROUP, RoomKind.THREAD)
ROOMS = tuple(Room.of("local", f"r{number}", kind=kind) for number, kind in enumerate(KINDS))
PEOPLE = tuple(Entity.of("local", f"p{number}", name=f"Person{number}") for number in range(4))
IDS = [person.id for person in PEOPLE]

rooms = st.sampled_from(ROOMS)
members = st.frozensets(st.tuples(rooms, st.sampled_from(PEOPLE)), max_size=10)
audiences = st.builds(
    Audience,
    st.lists(rooms.map(lambda room: room.id), unique=True, max_size=2).map(lambda ids: tuple(sorted(ids))),
    st.none() | st.lists(st.sampled_from(IDS), unique=True, max_size=3).map(lambda ids: tuple(sorted(ids))),
)
kinds = st.sampled_from((MemoryKind.MESSAGE, MemoryKind.FACT, MemoryKind.DOCUMENT))
written = st.lists(st.tuples(st.integers(0, 9), rooms, audiences, kinds, st.booleans()), min_size=1, max_size=14)
readings = st.one_of(
    st.none(),
    st.builds(
        Readers,
        rooms.map(lambda room: room.id),
        st.none() | st.lists(st.sampled_from(IDS), unique=True, min_size=1).map(tuple),
        st.lists(rooms.map(lambda room: room.id), unique=True).map(tuple),
    ),
)


def memory(number: int, room: Room, audience: Audience, kind: MemoryKind, by_agent: bool) -> Memory:
    content = (Part(f"The lighthouse number {number} is white."),)
    return Memory(
        make_id("m", str(number)), "tifa", room.id, kind, content, float(number), Provenance((), audience),
        entity="" if by_agent else PEOPLE[0].id, by_agent=by_agent,
    )  # fmt: skip


async def check(
    folder: Path, joined, batches, room: Room, given_readers, scoped: bool, forgotten: frozenset[int]
) -> None:
    store = SqliteStore()
    await store.open(folder)
    for at, entity in joined:
        await store.memory.connect("tifa", Connection(entity, at))
    stored: dict[str, Memory] = {}
    for entry in batches:
        made = memory(*entry)
        await store.memory.put((made,))
        stored[made.id] = made
    await store.memory.forget(tuple(make_id("m", str(number)) for number in forgotten))
    readers = given_readers or await store.memory.readers(room)
    query = Query("tifa", "Where is the lighthouse?", readers, room=room.id if scoped else "", limit=100)
    expected = {
        key
        for key, each in stored.items()
        if each.provenance.audience.admits(readers)
        and not (scoped and each.kind is MemoryKind.MESSAGE and each.room != room.id)
        and key not in {make_id("m", str(number)) for number in forgotten}
    }
    found = {result.memory.id for result in await store.memory.recall(query)}
    assert found == expected
    reader = SqliteStore()
    await reader.open_read_only(folder)
    assert {result.memory.id for result in await reader.memory.recall(query)} == expected
    # By vectors alone, and before all of them were taken away again: the same memories, and no other.
    everything = await store.memory.unembedded("m/4", limit=100)
    await store.memory.embed("m/4", tuple((each.id, (1.0, 1.0, -1.0, 0.5)) for each in everything))
    by_meaning = Query("tifa", "?", readers, room=query.room, limit=100, vector=(1.0, 1.0, -1.0, 0.5), model="m/4")
    both = msgspec.structs.replace(by_meaning, text=query.text)
    for asked in (by_meaning, both):
        for each in (store, reader):
            assert {result.memory.id for result in await each.memory.recall(asked)} == expected
    await store.memory.forget(tuple(expected))
    assert await store.memory.recall(both) == ()
    await reader.close()
    await store.close()


@settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(members, written, rooms, readings, st.booleans(), st.frozensets(st.integers(0, 9), max_size=3))
def test_all_that_the_readers_may_know_is_recalled_and_nothing_else(joined, batches, room, readers, scoped, forgotten):
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(check(Path(folder), joined, batches, room, readers, scoped, forgotten))


def test_another_person_in_another_room_does_not_get_it(tmp_path):
    async def run() -> None:
        store = SqliteStore()
        await store.open(tmp_path)
        ana, bea = PEOPLE[:2]
        mine, hers = ROOMS[:2]
        await store.memory.connect("tifa", Connection(ana, mine))
        await store.memory.connect("tifa", Connection(bea, hers))
        secret = memory(1, mine, Audience((mine.id,)), MemoryKind.MESSAGE, False)
        await store.memory.put((secret,))
        for scope in ("", hers.id, mine.id):
            readers = await store.memory.readers(hers)
            query = Query("tifa", "lighthouse", readers, room=scope, speaker=bea.id)
            assert await store.memory.recall(query) == ()
        readers = await store.memory.readers(mine)
        found = await store.memory.recall(Query("tifa", "lighthouse", readers, room=mine.id))
        assert [result.memory for result in found] == [secret]
        await store.close()

    asyncio.run(run())
