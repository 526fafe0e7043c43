"""Whatever is learned, of whomever, wherever: nobody is told what not everyone in their room was told."""

from __future__ import annotations

from dataclasses import dataclass, field

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import carrier_evaluator_standard
from carrier_core import (
    Audience,
    Context,
    Memory,
    MemoryKind,
    Part,
    Prompt,
    Provenance,
    Room,
    RoomKind,
    State,
    Turn,
    impl,
    make_id,
    person,
)
from carrier_core.testing import HostUnderTest, running_host

PEOPLE = ("Ana", "Ben", "Cleo")
ROOMS = {
    "dm-ana": RoomKind.DM,
    "dm-ben": RoomKind.DM,
    "dm-cleo": RoomKind.DM,
    "second-dm-ana": RoomKind.DM,
    "harbour": RoomKind.GROUP,
    "market": RoomKind.GROUP,
    "thread": RoomKind.THREAD,
    "api-ana": RoomKind.API,
}
OWN = {"dm-ana": "Ana", "dm-ben": "Ben", "dm-cleo": "Cleo", "second-dm-ana": "Ana", "api-ana": "Ana"}
WAYS = (
    "Robin, I live in {mark}.",
    "Robin, actually I moved to {mark}.",
    "Robin, I like {mark}.",
    "Robin, my name is {mark}.",
    "Robin, my favourite colour is {mark}.",
    "Robin, {mark} is my brother.",
    "Robin, my goal is to visit {mark}.",
    "Robin, I no longer live in {mark}. I hate {mark}.",
)
QUESTION = "Robin, who lives in which place, who likes what, whose name and goal and colour and brother is it?"

CONFIG = """
[plugins]
enabled = ["carrier-context-standard"{more}]

[policy]
trusted = ["carrier-context-standard", "everything"]

[agents.robin]
conversation_length = 4

[agents.robin.memory]
kinds = ["message", "fact", "goal", "document", "fragment"]
scope = "{scope}"
results = 100
"""


class Everything(Context):
    """All that a turn may know, of every kind: what any context could bring."""

    name = "everything"

    async def provide(self, turn: Turn) -> State:
        """A part for each memory."""
        known = [memory for kind in MemoryKind for memory in await turn.known(kind)]
        return State(tuple(Part(f"{memory.text} {memory.data}", self.name, memory.provenance) for memory in known))


@impl
def register_context() -> Context:
    return Everything()


@dataclass(frozen=True)
class Told:
    """Something that is said in a room by somebody, with a word in it that nobody else says."""

    room: str
    who: str
    way: int


@dataclass(frozen=True)
class Noted:
    """A fact that is for those who are in all of these rooms and, if any are, named."""

    rooms: tuple[str, ...]
    people: tuple[str, ...] | None


@dataclass
class World:
    """Who was told what: kept apart from the host, by whom a test sees in which room. What was told in a room is for those who
    are there."""

    there: dict[str, set[str]] = field(default_factory=lambda: {room: set() for room in ROOMS})
    marks: dict[str, Noted] = field(default_factory=dict)

    def may_know(self, mark: str, room: str) -> bool:
        """Whether everyone who reads a room was told: it was said there, or those who read it are known and were all there."""
        told = self.marks[mark]
        readers = self.there[room] if ROOMS[room] is RoomKind.DM else set()  # nobody knows who reads along elsewhere
        if told.people is not None and not (readers and readers <= set(told.people)):
            return False
        return all(each == room or (readers and readers <= self.there[each]) for each in told.rooms)

    def leaks(self, prompt: Prompt, room: str) -> list[tuple[str, str]]:
        """The words in a prompt that not everyone who reads the room was told."""
        text = "\n".join(part.text for part in prompt.parts)
        return [(mark, room) for mark in self.marks if mark in text and not self.may_know(mark, room)]


def place(name: str) -> Room:
    return Room.of("fake", name, kind=ROOMS[name])


@st.composite
def tellings(draw: st.DrawFn) -> list[Told | Noted]:
    told: list[Told | Noted] = []
    for _ in range(draw(st.integers(2, 9))):
        if draw(st.integers(0, 3)) == 0:
            rooms = draw(st.sets(st.sampled_from(sorted(ROOMS)), max_size=2))
            people = draw(st.none() | st.sets(st.sampled_from(PEOPLE)))
            told.append(Noted(tuple(sorted(rooms)), None if people is None else tuple(sorted(people))))
            continue
        room = draw(st.sampled_from(sorted(ROOMS)))
        who = OWN.get(room) or draw(st.sampled_from(PEOPLE))
        told.append(Told(room, who, draw(st.integers(0, len(WAYS) - 1))))
    return told


async def note(running: HostUnderTest, noted: Noted, mark: str) -> None:
    """Put a fact into the store that says whom it is for."""
    people = None if noted.people is None else tuple(running.client.person(name).id for name in noted.people)
    audience = Audience(tuple(place(room).id for room in noted.rooms), people)
    provenance = Provenance((person("nobody"),), audience)
    content = (Part(f"Somebody lives in {mark} and likes it.", provenance=provenance),)
    key = make_id("noted", mark)
    memory = Memory(key, "robin", place("market").id, MemoryKind.FACT, content, running.clock(), provenance)
    await running.store.memory.put((memory,))


async def play(running: HostUnderTest, told: list[Told | Noted]) -> tuple[World, dict[str, Prompt]]:
    """Say all of it; then somebody of each room asks there. Returns who was told what, and the prompt of each room."""
    world = World()
    for number, each in enumerate(told):
        mark = f"Zq{number}x"
        if isinstance(each, Noted):
            world.marks[mark] = each
            await note(running, each, mark)
            continue
        world.there[each.room].add(each.who)
        world.marks[mark] = Noted((each.room,), None)
        before = len(running.provider.prompts)
        await running.client.ask(place(each.room), each.who, WAYS[each.way].format(mark=mark))
        for prompt in running.provider.prompts[before:]:
            assert world.leaks(prompt, each.room) == []
    prompts = {}
    for room, people in world.there.items():
        for who in sorted(people):
            await running.client.ask(place(room), who, QUESTION)
            prompts[room] = running.provider.prompts[-1]
            assert world.leaks(prompts[room], room) == []
    assert running.told("plugin_failed") == []
    return world, prompts


def host(scope: str = "audience", more: str = "", **wishes):
    config = CONFIG.format(scope=scope, more=more)
    plugins = {"carrier-evaluator-standard": carrier_evaluator_standard, "everything": register_context}
    return running_host(plugins, config=config, **wishes)


@settings(max_examples=40, deadline=None)
@given(told=tellings(), scope=st.sampled_from(["room", "audience"]))
def test_nobody_is_told_what_was_not_for_them(told: list[Told | Noted], scope: str) -> None:
    async def run() -> None:
        async with host(scope) as running:
            await play(running, told)

    anyio.run(run)


@settings(max_examples=8, deadline=None)
@given(told=tellings())
def test_nobody_is_told_what_was_not_for_them_by_the_real_store(told: list[Told | Noted]) -> None:
    async def run() -> None:
        async with host(more=', "carrier-memory-sqlite"') as running:
            assert running.store.name == "sqlite"
            await play(running, told)

    anyio.run(run)


@pytest.mark.anyio
async def test_what_was_for_them_they_are_told() -> None:
    """The property above would hold of an agent that knows nothing."""
    told = [
        Told("dm-ana", "Ana", 0),
        Told("second-dm-ana", "Ana", 2),
        Told("harbour", "Ana", 3),
        Told("harbour", "Ben", 4),
    ]
    async with host() as running:
        world, prompts = await play(running, told)

    def seen(room: str) -> set[str]:
        return {mark for mark in world.marks for part in prompts[room].select("everything") if mark in part.text}

    assert seen("dm-ana") == seen("second-dm-ana") == {"Zq0x", "Zq1x", "Zq2x", "Zq3x"}
    assert seen("harbour") == {"Zq2x", "Zq3x"}


@pytest.mark.anyio
async def test_a_correction_in_one_room_neither_shows_in_another_nor_destroys_what_was_told_there() -> None:
    told = [Told("dm-ana", "Ana", 0), Told("harbour", "Ana", 1), Told("dm-ana", "Ana", 1), Told("harbour", "Ana", 1)]
    async with host() as running:
        _, prompts = await play(running, told)
        facts = await running.store.memory.list(kind=MemoryKind.FACT)

    assert sorted(fact.text for fact in facts) == ["Ana lives in Zq2x.", "Ana lives in Zq3x."]
    assert not any("Zq2x" in part.text or "Zq0x" in part.text for part in prompts["harbour"].parts)
