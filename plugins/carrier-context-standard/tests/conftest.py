"""A turn as context sees it, without a host: what it can ask for is given by the test."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace

import msgspec
import pytest

from carrier_core import (
    Attachment,
    Audience,
    Character,
    Entity,
    Inbound,
    Memory,
    MemoryKind,
    Part,
    Provenance,
    Question,
    Recalled,
    Room,
    RoomKind,
    make_id,
    person,
)

NOON = 1_777_809_600.0
"""Sunday, 3 May 2026, 12:00 UTC."""

ANA = Entity.of("test", "ana", name="Ana")
BEN = Entity.of("test", "ben", name="Ben")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Log:
    """What was said in the log."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, object]]] = []

    def warning(self, event: str, **values: object) -> None:
        self.lines.append((event, values))


class StubTurn:
    """A turn in which Ana says something to the agent ``tifa``; fields can be set as a test needs them."""

    def __init__(self, text: str = "Where do I live?", *, kind: RoomKind = RoomKind.DM, at: float = NOON) -> None:
        self.room = Room.of("test", "room", kind=kind)
        self.person = ANA
        self.now = at
        self.people: tuple[Entity, ...] = (ANA,)
        self.past: tuple[Memory, ...] = ()
        self.recalls: tuple[Memory, ...] = ()
        self.knows: tuple[Memory, ...] = ()
        self.waiting: tuple[tuple[Question, Provenance], ...] = ()
        self.asked: list[tuple[str, tuple[str, ...]]] = []
        self.actions: tuple[object, ...] = ()
        self.log = Log()
        self.agent = SimpleNamespace(
            name="tifa", host=SimpleNamespace(log=self.log), actions=self._actions, character=None, view=None
        )
        self.is_character({"name": "Tifa", "system": "Be kind.", "bio": ["Tifa keeps a tea house."]})
        self.says(text)

    def is_character(self, fields: dict[str, object]) -> None:
        """Give the agent a character."""
        self.agent.character = msgspec.convert(fields, Character)
        self.agent.view = self.agent.character.view

    def says(self, text: str, *, files: tuple[Attachment, ...] = ()) -> None:
        """What Ana says in this turn."""
        inbound = Inbound.say(self.room, self.person, text, event="now", at=self.now, attachments=files)
        self.message = inbound.message
        self.spoken = Provenance((person(ANA.id),), Audience((self.room.id,)), "test", "receive")

    def memory(self, text: str, who: Entity | None = ANA, *, kind: MemoryKind = MemoryKind.MESSAGE, **fields) -> Memory:
        """Something that was said in this room at noon; by the agent where ``who`` is None."""
        origin = "agent" if who is None else person(who.id)
        values = {
            "id": make_id("memory", text),
            "agent": "tifa",
            "room": self.room.id,
            "kind": kind,
            "content": (Part(text),),
            "at": NOON,
            "provenance": Provenance((origin,), Audience((self.room.id,)), "test", "receive"),
            "entity": "" if who is None else who.id,
            "name": "Tifa" if who is None else who.name,
            "by_agent": who is None,
        }
        return Memory(**(values | fields))

    async def history(self, limit: int | None = None) -> tuple[Memory, ...]:
        return self.past

    async def participants(self) -> tuple[Entity, ...]:
        return self.people

    async def recall(self, text: str, *, exclude: Iterable[str] = (), **wishes) -> tuple[Recalled, ...]:
        self.asked.append((text, tuple(exclude)))
        return tuple(Recalled(memory) for memory in self.recalls)

    async def known(self, kind: MemoryKind, *, room: str = "", person: str = "", limit: int = 50) -> tuple[Memory, ...]:
        fits = [memory for memory in self.knows if memory.kind is kind]
        return tuple([memory for memory in fits if room in ("", memory.room) and person in ("", memory.entity)][:limit])

    async def choices(self) -> tuple[tuple[Question, Provenance], ...]:
        return self.waiting

    async def _actions(self, turn: object) -> tuple[SimpleNamespace, ...]:
        return tuple(SimpleNamespace(thing=action) for action in self.actions)


@pytest.fixture
def turn() -> StubTurn:
    """Ana asks where she lives, in a DM."""
    return StubTurn()


@pytest.fixture
def group() -> StubTurn:
    """The same in a group, where Ben is too."""
    made = StubTurn(kind=RoomKind.GROUP)
    made.people = (ANA, BEN)
    return made
