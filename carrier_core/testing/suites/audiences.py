"""Random rooms, persons, memories and audiences, for the law that nothing is recalled outside of its audience."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

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
    Store,
    make_id,
)

_KINDS = (RoomKind.DM, RoomKind.DM, RoomKind.GROUP, RoomKind.THREAD)
_PEOPLE = 3

Numbers = Sequence[int]


class Known(NamedTuple):
    """A memory; the same ``number`` again replaces the older. ``rooms`` and ``persons`` are its audience."""

    number: int
    room: int
    rooms: Numbers
    persons: Numbers | None
    kind: MemoryKind


class Case(NamedTuple):
    """Who is in which room, what is known and what of it is forgotten; where it is asked, by which persons of which rooms
    (None: by whoever is there), and whether the query is limited to that room. Rooms and persons are numbers."""

    members: frozenset[tuple[int, int]]
    known: Sequence[Known]
    forgotten: frozenset[int]
    room: int
    readers: tuple[Numbers | None, Numbers] | None
    limited: bool


def _some(numbers: range, least: int = 0) -> st.SearchStrategy[Numbers]:
    """Any choice of these, each as likely as any other."""
    return st.sampled_from(
        [chosen for size in range(least, len(numbers) + 1) for chosen in combinations(numbers, size)]
    )


_rooms = st.integers(0, len(_KINDS) - 1)
_known = st.builds(
    Known,
    st.integers(0, 9),
    _rooms,
    _some(range(len(_KINDS))).filter(lambda rooms: len(rooms) < 3),
    st.none() | _some(range(_PEOPLE)),
    st.sampled_from((MemoryKind.MESSAGE, MemoryKind.FACT, MemoryKind.DOCUMENT)),
)
cases = st.builds(
    Case,
    st.frozensets(st.tuples(_rooms, st.integers(0, _PEOPLE - 1)), min_size=2, max_size=8),
    st.lists(_known, min_size=4, max_size=10),
    st.frozensets(st.integers(0, 9), max_size=2),
    _rooms,
    st.none() | st.tuples(st.none() | _some(range(_PEOPLE), 1), _some(range(len(_KINDS)))),
    st.booleans(),
)


class Village:
    """The rooms and people of one case; ``name`` tells them from those of other cases in the same store."""

    def __init__(self, name: str) -> None:
        self.agent = f"robin-{name}"
        self._rooms = [Room.of("fake", f"{name}/r{number}", kind=kind) for number, kind in enumerate(_KINDS)]
        self._people = [Entity.of("fake", f"{name}/p{number}", name=f"Person{number}") for number in range(_PEOPLE)]

    async def check(self, store: Store, case: Case) -> None:
        """Exactly what all readers may know, and what the query asks for, is recalled."""
        for room, person in case.members:
            await store.memory.connect(self.agent, Connection(self._people[person], self._rooms[room]))
        stored = {memory.id: memory for memory in map(self._memory, case.known)}
        for known in case.known:
            await store.memory.put((self._memory(known),))
        gone = {self._id(number) for number in case.forgotten}
        await store.memory.forget(tuple(gone))
        readers = await self._readers(store, case)
        scope = self._rooms[case.room].id if case.limited else ""
        query = Query(self.agent, "Where is the lighthouse?", readers, room=scope, limit=100)
        recalled = {found.memory.id for found in await store.memory.recall(query)}
        assert recalled <= stored.keys() - gone, "something was recalled that is not there"
        for key, memory in stored.items():
            admitted = memory.provenance.audience.admits(readers)
            assert admitted or key not in recalled, f"{readers} read what they may not know: {memory}"
            elsewhere = scope and memory.kind is MemoryKind.MESSAGE and memory.room != scope
            assert not (elsewhere and key in recalled), "a message of another room was recalled"
            wanted = admitted and not elsewhere and key not in gone
            assert not wanted or key in recalled, f"what {readers} may know was not recalled: {memory}"

    async def _readers(self, store: Store, case: Case) -> Readers:
        room = self._rooms[case.room]
        if case.readers is None:
            return await store.memory.readers(room)
        persons, rooms = case.readers
        named = None if persons is None else tuple(self._people[number].id for number in persons)
        return Readers(room.id, named, tuple(self._rooms[number].id for number in rooms))

    def _id(self, number: int) -> str:
        return make_id("memory", self.agent, str(number))

    def _memory(self, known: Known) -> Memory:
        rooms = tuple(sorted(self._rooms[number].id for number in known.rooms))
        persons = None if known.persons is None else tuple(sorted(self._people[n].id for n in known.persons))
        return Memory(
            self._id(known.number),
            self.agent,
            self._rooms[known.room].id,
            known.kind,
            (Part(f"The lighthouse number {known.number} is white."),),
            float(known.number),
            Provenance((), Audience(rooms, persons)),
            entity=self._people[0].id,
            name=self._people[0].name,
        )
