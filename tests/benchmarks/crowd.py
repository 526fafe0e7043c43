"""A database in which an agent remembers what very many people said: ten memories in each room, built once and kept.

Each room has a person of its own; every fifth person is in the next room too, and one room in fifty is a group of eight. Of
the ten memories eight are messages, by turns of the person and the agent, and two are facts: one that the room may know, one
that its person alone may know. One fact in a thousand is for everyone. They are taken in through ``Store.restore``.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import anyio

from carrier_core import AGENT as AGENT_ORIGIN
from carrier_core import (
    OPERATOR,
    Audience,
    Entity,
    Entry,
    Memory,
    MemoryKind,
    Part,
    Provenance,
    Room,
    RoomKind,
    make_id,
    person,
)
from carrier_core.archive import Heard, Participant, Resident
from carrier_core.archive import Place as Numbers
from tests.benchmarks.backends import Backend, Site
from tests.benchmarks.talk import AGENT, Place, Speech, place, running

CONTENT = 3  # to be raised when anything here, or what is said, changes
IN_A_ROOM = 10
AT_ONCE = 500  # rooms in one transaction
NOW = 1_790_000_000.0  # when the last of it was said
DAY = 86_400.0
_MODEL = "carrier-provider-scripted"


def memories_of(where: Place, speech: Speech, count: int, at: float = NOW) -> Iterator[Memory]:
    """So many messages of a room, by turns of its person and the agent, a minute apart."""
    room, entity = where
    here = Audience((room.id,))
    heard = Provenance((person(entity.id),), here, "local", "receive")
    answered = Provenance((AGENT_ORIGIN, OPERATOR, person(entity.id)), here, _MODEL, "scripted.generate")
    for number in range(count):
        by_agent = bool(number % 2)
        yield Memory(
            make_id("memory", room.id, str(number)),
            AGENT,
            room.id,
            MemoryKind.MESSAGE,
            (Part(speech.line(), provenance=answered if by_agent else None),),
            at - (count - number) * 60,
            answered if by_agent else heard,
            entity="" if by_agent else entity.id,
            name="Tifa" if by_agent else entity.name,
            by_agent=by_agent,
            turn=make_id("turn", AGENT, room.id, str(number // 2 + 1)),
        )


def _fact(where: Place, speech: Speech, key: str, audience: Audience, at: float) -> Memory:
    room, entity = where
    origin = OPERATOR if audience == Audience() else person(entity.id)
    provenance = Provenance((origin,), audience, "carrier-actions-standard", "remember.perform")
    part = Part(speech.line(), provenance=provenance)
    return Memory(make_id("fact", room.id, key), AGENT, room.id, MemoryKind.FACT, (part,), at, provenance)


def room_of(number: int) -> tuple[Room, Entity, list[Entity]]:
    """The room of this number, its person, and all who are in it."""
    room, entity = place(number)
    if number % 50 == 49:
        group = Room.of("local", room.native, kind=RoomKind.GROUP)
        return group, entity, [place(number - back)[1] for back in range(8)]
    before = [place(number - 1)[1]] if number % 5 == 1 else []
    return room, entity, [entity, *before]


def entries_of(number: int) -> Iterator[Entry]:
    """All that is kept of the room of this number."""
    room, entity, people = room_of(number)
    speech = Speech(number)
    at = NOW - (number * 7919 % 300) * DAY
    said = IN_A_ROOM - 2
    yield room
    yield entity
    yield from (Participant(room.id, each.id) for each in people)
    yield Resident(AGENT, room.id)
    yield Numbers(AGENT, room.id, said // 2, 1)
    yield from (Heard(AGENT, make_id("local", "", "event", f"{number}/{seq}"), seq) for seq in range(1, said // 2 + 1))
    yield from memories_of((room, entity), speech, said, at)
    everyone = number % (1000 // IN_A_ROOM) == 0
    yield _fact((room, entity), speech, "1", Audience() if everyone else Audience((room.id,)), at)
    yield _fact((room, entity), speech, "2", Audience((), (entity.id,)), at)


async def fill(site: Site, store: str, numbers: Sequence[int]) -> float:
    """Take in the rooms of these numbers; returns the seconds that it took, the closing included."""
    started = time.perf_counter()
    async with running(site, store) as host:
        for start in range(0, len(numbers), AT_ONCE):
            some = numbers[start : start + AT_ONCE]
            entries = sorted((entry for number in some for entry in entries_of(number)), key=_order)
            await host.store.restore(tuple(entries))
        while await host.store.tidy():  # as it would have done while so much was said
            pass
        while await host.store.tidy():  # which a daemon has done by the time that it has so much
            pass
    return time.perf_counter() - started


def _order(entry: Entry) -> bool:
    return isinstance(entry, Memory)  # after what it belongs to


def kept(server: Backend, memories: int) -> tuple[Path, float]:
    """The database with so many memories, made if it is not there; and the seconds that it took, 0 if it was."""
    template = server.folder / f"crowd-{server.name}-{memories}-{_version(server)}"
    if server.has(template):
        return template, 0.0
    print(f"Making a database of {memories} memories, which is kept in {server.folder} ...", flush=True)
    with server.making(template) as site:
        return template, anyio.run(fill, site, server.plugin, range(memories // IN_A_ROOM))


def _version(server: Backend) -> str:
    """What a kept database was made with: the content, and the plugin's schema and index."""
    digest = hashlib.blake2b(b"%d" % CONTENT, digest_size=4)
    root = Path(__file__).parents[2]
    paths = [*(root / "plugins" / server.plugin).rglob("migrations/*.sql")]
    paths += [root / "carrier_core" / "recall" / name for name in ("words.py", "kin.py", "shelves.py", "lists/kin.txt")]
    for path in sorted(paths):
        digest.update(path.read_bytes())
    return digest.hexdigest()
