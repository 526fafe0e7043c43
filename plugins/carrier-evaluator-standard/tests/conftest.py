"""Somebody who tells the agent something, and what keeps facts of it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest

from carrier_core import Audience, Entity, Memory, MemoryKind, Part, Provenance, Room, RoomKind, make_id, person
from carrier_evaluator_standard.claims import claims
from carrier_evaluator_standard.facts import Teller, Told, merged
from carrier_evaluator_standard.goals import followed, said_of_goals

NOON = 1_777_809_600.0
"""Sunday, 3 May 2026, 12:00 UTC."""

ANA = Entity.of("test", "ana", name="Ana")
BEN = Entity.of("test", "ben", name="Ben")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Notebook:
    """What an agent has learned in the rooms that it is in, one message after another."""

    def __init__(self) -> None:
        self.pages: dict[str, Memory] = {}
        self._turns = 0

    def teller(self, who: Entity = ANA, room: str = "dm") -> Teller:
        self._turns += 1
        place = Room.of("test", room, kind=RoomKind.DM if room == "dm" else RoomKind.GROUP)
        spoken = Provenance((person(who.id),), Audience((place.id,)), "test", "receive")
        return Teller("robin", place.id, who, spoken, NOON + self._turns, f"turn{self._turns}")

    def put(self, memories: Iterable[Memory]) -> tuple[Memory, ...]:
        kept = tuple(memories)
        self.pages |= {memory.id: memory for memory in kept}
        return kept

    def hears(self, text: str, who: Entity = ANA, room: str = "dm", teller: Teller | None = None) -> tuple[Memory, ...]:
        """The facts that are new or changed."""
        told = tuple(Told(claim) for claim in claims(text))
        return self.put(merged(teller or self.teller(who, room), told, self.pages.values()))

    def hears_of_goals(self, text: str, who: Entity = ANA, room: str = "dm") -> tuple[Memory, ...]:
        """The goals that are new or changed."""
        return self.put(followed(self.teller(who, room), said_of_goals(text), self.pages.values()))

    @property
    def texts(self) -> list[str]:
        return [memory.text for memory in self.pages.values()]


@pytest.fixture
def notebook() -> Notebook:
    return Notebook()


@pytest.fixture
def make_memory():
    """Makes what was said or noted."""
    return memory


def memory(text: str, kind: MemoryKind = MemoryKind.MESSAGE, **fields) -> Memory:
    """Something that was said or noted."""
    spoken = Provenance((person(ANA.id),), Audience((Room.of("test", "dm").id,)))
    made = Memory(
        make_id("memory", text), "robin", Room.of("test", "dm").id, kind, (Part(text, provenance=spoken),), NOON, spoken
    )
    return msgspec.structs.replace(made, **fields)
