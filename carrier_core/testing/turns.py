"""Real turns, held in the middle, for what is given a turn: actions, context, evaluators, hooks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager

import anyio
import msgspec

from carrier_core import (
    Attachment,
    Audience,
    CarrierError,
    Decision,
    Entity,
    Memory,
    MemoryKind,
    Part,
    Provenance,
    Room,
    RoomKind,
    Turn,
    impl,
    make_id,
    person,
)
from carrier_core.testing.hosts import HostUnderTest, Objects, named, running_host


class Turns:
    """A host whose turns stop where they are decided, so that a test can look at one. See :func:`running_turns`."""

    def __init__(self) -> None:
        self.running: HostUnderTest
        self._held: Turn | None = None
        self._got = anyio.Event()
        self._released = anyio.Event()
        self._lines = 0

    @impl(tryfirst=True)
    async def decide(self, turn: Turn) -> Decision:
        """Hand the turn to the test, and wait until it is done with it."""
        self._held = turn
        self._got.set()
        await self._released.wait()
        return Decision(False, "it was held by a test")

    @asynccontextmanager
    async def turn(
        self,
        text: str = "Hello.",
        *,
        room: Room | None = None,
        person: str | Entity = "Ana",
        attachments: Sequence[Attachment] = (),
    ) -> AsyncIterator[Turn]:
        """A turn that answers this message, for as long as the block. It ends without a reply."""
        self._got, self._released = anyio.Event(), anyio.Event()
        client = self.running.client
        where = room or client.dm("Ana")
        accepted = await client.say(where, person, text, attachments=attachments)
        if not accepted.heard:
            raise CarrierError(f"Nobody heard it: {accepted.reason}.")
        await self._got.wait()
        assert self._held is not None
        try:
            yield self._held
        finally:
            self._released.set()
            await client.host.wait(accepted.heard[0].turn)

    async def said(
        self, *lines: tuple[str, str], room: Room | None = None, kind: MemoryKind = MemoryKind.MESSAGE
    ) -> None:
        """What was said in a room before, as (name, text); the agent's own lines have its name."""
        where = room or self.running.client.dm("Ana")
        await self.running.store.memory.put(tuple([self._memory(where, name, text, kind) for name, text in lines]))

    def _memory(self, room: Room, name: str, text: str, kind: MemoryKind) -> Memory:
        self._lines += 1
        running = self.running
        agent = next(iter(running.host.agents.values()))
        by_agent = name == agent.character.name
        speaker = agent.entity(room.platform) if by_agent else running.client.person(name)
        provenance = Provenance(("agent" if by_agent else person(speaker.id),), Audience((room.id,)))
        key = make_id("memory", "said before", room.id, str(self._lines))
        at = running.clock.advance(1.0)
        content = (Part(text),) if text else ()
        memory = Memory(key, agent.name, room.id, kind, content, at, provenance, entity=speaker.id, name=name)
        return msgspec.structs.replace(memory, by_agent=by_agent)

    def group(self) -> Room:
        """A room of many."""
        return self.running.client.group("square")

    def dm(self) -> Room:
        """The room where Ana talks with the agent alone."""
        return Room.of("fake", "dm/ana", kind=RoomKind.DM)


@asynccontextmanager
async def running_turns(
    plugins: Objects = (), *, config: str | Mapping[str, object] = "", character: Mapping[str, object] | None = None
) -> AsyncIterator[Turns]:
    """A host with these plugins whose turns can be held: ``async with turns.turn("Hello.") as turn:``."""
    turns = Turns()
    objects = {**named(plugins), "carrier-testing-turns": turns}
    async with running_host(objects, config=config, character=character) as running:
        turns.running = running
        running.host.budgets["decide"] = 3600.0
        yield turns


@asynccontextmanager
async def running_turn(
    text: str = "Hello.",
    *,
    before: Iterable[tuple[str, str]] = (),
    plugins: Objects = (),
    config: str | Mapping[str, object] = "",
    character: Mapping[str, object] | None = None,
) -> AsyncIterator[Turn]:
    """One turn that answers ``text`` after the lines (name, text) that were said ``before``, held for as long as the block."""
    async with running_turns(plugins, config=config, character=character) as turns:
        await turns.said(*before)
        async with turns.turn(text) as turn:
            yield turn
