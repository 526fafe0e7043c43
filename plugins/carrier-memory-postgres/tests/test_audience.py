"""Nothing is recalled that one of the readers may not know, whether it is found by its words or by its meaning."""

from __future__ import annotations

import itertools

import msgspec
from anyio.from_thread import start_blocking_portal
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

MODEL, VECTOR = "m/4", (1.0, 1.0, -1.0, 0.5)
KINDS = (RoomKind.DM, RoomKind.DM, RoomKind.GROUP, RoomKind.THREAD)
PLACES, PEOPLE = range(len(KINDS)), range(4)

places = st.sampled_from(PLACES)
members = st.frozensets(st.tuples(places, st.sampled_from(PEOPLE)), max_size=10)
audiences = st.tuples(
    st.lists(places, unique=True, max_size=2), st.none() | st.lists(st.sampled_from(PEOPLE), unique=True, max_size=3)
)
kinds = st.sampled_from((MemoryKind.MESSAGE, MemoryKind.FACT, MemoryKind.DOCUMENT))
written = st.lists(st.tuples(st.integers(0, 9), places, audiences, kinds), min_size=1, max_size=12)
readings = st.none() | st.tuples(
    st.none() | st.lists(st.sampled_from(PEOPLE), unique=True, min_size=1), st.lists(places, unique=True)
)
_numbers = itertools.count()


class World:
    """Rooms, people and an agent of one example's own, in a store that all examples share."""

    def __init__(self) -> None:
        self.name = f"world{next(_numbers)}"
        self.rooms = [Room.of("local", f"{self.name}/r{number}", kind=kind) for number, kind in enumerate(KINDS)]
        self.people = [Entity.of("local", f"{self.name}/p{number}", name=f"Person{number}") for number in PEOPLE]

    def memory(self, number, place, audience, kind) -> Memory:
        rooms, persons = audience
        known = Audience(
            tuple(self.rooms[each].id for each in rooms),
            None if persons is None else tuple(self.people[each].id for each in persons),
        )
        key, text = make_id(self.name, str(number)), f"The lighthouse number {number} is white."
        room = self.rooms[place].id
        return Memory(key, self.name, room, kind, (Part(text),), float(number), Provenance((), known))

    def readers(self, place, reading) -> Readers:
        persons, rooms = reading
        named = None if persons is None else tuple(self.people[each].id for each in persons)
        return Readers(self.rooms[place].id, named, tuple(self.rooms[each].id for each in rooms))


async def check(store, joined, batches, place, reading, scoped: bool, forgotten: frozenset[int]) -> None:
    world = World()
    room = world.rooms[place]
    for at, person in joined:
        await store.memory.connect(world.name, Connection(world.people[person], world.rooms[at]))
    stored = {}
    for entry in batches:
        made = world.memory(*entry)
        await store.memory.put((made,))
        stored[made.id] = made
    gone = {make_id(world.name, str(number)) for number in forgotten}
    await store.memory.forget(tuple(gone))
    readers = world.readers(place, reading) if reading else await store.memory.readers(room)
    expected = {
        key
        for key, each in stored.items()
        if each.provenance.audience.admits(readers)
        and not (scoped and each.kind is MemoryKind.MESSAGE and each.room != room.id)
        and key not in gone
    }
    words = Query(world.name, "Where is the lighthouse?", readers, room=room.id if scoped else "", limit=100)
    waiting = await store.memory.unembedded(MODEL, limit=1000)
    await store.memory.embed(MODEL, tuple((each.id, VECTOR) for each in waiting))
    both = msgspec.structs.replace(words, vector=VECTOR, model=MODEL)
    meaning = msgspec.structs.replace(both, text="?")
    for query in (words, both, meaning):
        assert {result.memory.id for result in await store.memory.recall(query)} == expected
    await store.memory.forget(tuple(stored))
    assert await store.memory.recall(both) == ()


def test_all_that_the_readers_may_know_is_recalled_and_nothing_else(make_store):
    store = make_store()
    with start_blocking_portal() as portal:

        @settings(deadline=None, max_examples=60, database=None, suppress_health_check=[*HealthCheck])
        @given(members, written, places, readings, st.booleans(), st.frozensets(st.integers(0, 9), max_size=3))
        def law(joined, batches, place, reading, scoped, forgotten) -> None:
            portal.call(check, store, joined, batches, place, reading, scoped, forgotten)

        portal.call(store.open, None)
        try:
            law()
        finally:
            portal.call(store.close)
