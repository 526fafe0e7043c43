"""A turn as an action sees it, without a host."""

from __future__ import annotations

import msgspec
import pytest

from carrier_core import (
    AGENT,
    OPERATOR,
    ActionCall,
    Audience,
    Entity,
    Inbound,
    Memory,
    MemoryKind,
    Part,
    PartKind,
    Provenance,
    Room,
    Source,
    make_id,
    person,
)

ANA = Entity.of("test", "ana", name="Ana")
ROOM = Room.of("test", "room")
HERE = Audience((ROOM.id,))
WRITTEN = Provenance((AGENT, OPERATOR, "outside:https://example.org", person(ANA.id)), HERE, "a-provider", "generate")
"""What a completion inherits: the character is the operator's, and a page was in the prompt."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class StubTurn:
    """A turn in which Ana says ``I live in Porto.``, and quotes something."""

    def __init__(self) -> None:
        self.calls: tuple[ActionCall, ...] = ()
        self.memory_id = make_id("memory")
        self.spoken = Provenance((person(ANA.id),), HERE, "test", "receive")
        said = Inbound.say(ROOM, ANA, "I live in Porto.", event="1", at=1.0).message
        quote = Part("Ana owes me money.", kind=PartKind.QUOTE)
        self.message = msgspec.structs.replace(said, content=(*said.content, quote))
        self.remembered: list[tuple[str, Provenance | None]] = []
        self.drops = False

    async def remember(self, text: str, *, provenance: Provenance | None = None) -> Memory | None:
        if self.drops:
            return None
        self.remembered.append((text, provenance))
        given = provenance or self.spoken
        return Memory(make_id(text), "tifa", ROOM.id, MemoryKind.FACT, (Part(text, provenance=given),), 1.0, given)

    def call(self, name: str, *, source: Source | None = None, **arguments: object) -> ActionCall:
        """A call of the model, as the host hands it over."""
        return ActionCall("1", name, arguments, WRITTEN, () if source is None else (source,))

    def found_in(self, *parts: str, origins: tuple[str, ...] = (person(ANA.id),)) -> Source:
        """The host's word on where the text is from."""
        return Source("text", parts, Provenance(origins, HERE))


@pytest.fixture
def turn() -> StubTurn:
    return StubTurn()
