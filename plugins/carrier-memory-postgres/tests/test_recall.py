"""What people told is found when they ask for it, among sixty other messages and things that look like it."""

from __future__ import annotations

import random
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest

from carrier_core import AGENT, Audience, Entity, Memory, MemoryKind, Part, Provenance, Room, make_id, person

pytestmark = pytest.mark.anyio

ANA = Entity.of("local", "ana", name="Ana")
BEA = Entity.of("local", "bea", name="Bea")


class Case(NamedTuple):
    """A room: what was told in it first, all that was said, and what is asked in the end."""

    room: Room
    said: Memory
    conversation: tuple[Memory, ...]
    questions: tuple[str, ...]


def line(room: Room, number: int, text: str) -> Memory:
    """A message, said by Ana, by Bea or by the agent, as the beginning of the line says."""
    speaker, by_agent = ANA, False
    if text.startswith("> "):
        text, by_agent = text[2:], True
    elif text.startswith("Bea: "):
        text, speaker = text[5:], BEA
    return Memory(
        make_id("line", room.id, str(number)),
        "tifa",
        room.id,
        MemoryKind.MESSAGE,
        (Part(text),),
        1_000_000.0 + number,
        Provenance((AGENT if by_agent else person(speaker.id),), Audience((room.id,))),
        entity="" if by_agent else speaker.id,
        name="Tifa" if by_agent else speaker.name,
        by_agent=by_agent,
    )


# Facts that answer the same question are not told in one room.
RIVALS = (
    ("live", "moved", "grew"),
    ("work", "job"),
    ("old", "seven"),
    ("name", "called", "named"),
    ("cat", "parrot"),
    ("band", "cello"),
    ("food", "vegetarian"),
)


def rivals(one: str, other: str) -> bool:
    return any(any(word in one for word in group) and any(word in other for word in group) for group in RIVALS)


def cases() -> list[Case]:
    """One room for each fact of ``facts.toml``: told first; then decoys, other facts and chatter, some sixty messages."""
    data = tomllib.loads((Path(__file__).parent / "facts.toml").read_text("utf-8"))
    made = []
    for number, fact in enumerate(data["fact"]):
        shuffler = random.Random(number)
        room = Room.of("local", f"room-{number}")
        others = [other["said"] for other in data["fact"] if other is not fact]
        others = [other for other in others if not rivals(other, fact["said"])]
        rest = [*data["chatter"], *fact["decoys"], *shuffler.sample(others, 8)]
        shuffler.shuffle(rest)
        conversation = tuple(line(room, at, text) for at, text in enumerate([fact["said"], *rest]))
        made.append(Case(room, conversation[0], conversation, tuple(fact["asked"])))
    return made


async def ranks(store, scene) -> dict[str, int]:
    """The rank of the fact for every question; 99 where it is not among the first five."""
    found: dict[str, int] = {}
    for case in cases():
        for entity in (ANA, BEA):
            await store.memory.connect("tifa", scene.connection(entity, case.room))
        await store.memory.put(case.conversation)
        readers = await store.memory.readers(case.room)
        for question in case.questions:
            query = scene.query(question, room=case.room.id, readers=readers, speaker=ANA.id)
            ids = [result.memory.id for result in await store.memory.recall(query)]
            found[f"{question} <- {case.said.text}"] = ids.index(case.said.id) + 1 if case.said.id in ids else 99
    return found


async def test_facts_are_recalled(store, scene):
    found = await ranks(store, scene)
    first = sum(rank == 1 for rank in found.values()) / len(found)
    print(f"\n{len(found)} questions about {len(cases())} facts: recall@1 {first:.2f}")
    assert len(cases()) >= 30
    assert min(len(case.conversation) for case in cases()) >= 60
    assert {question: rank for question, rank in found.items() if rank > 3} == {}
    assert first >= 0.8


async def test_where_ana_lives_comes_first(store, scene):
    found = await ranks(store, scene)
    assert found["Where do I live? <- My name is Ana and I live in Porto."] == 1
    assert found["What is my name? <- My name is Ana and I live in Porto."] == 1


async def said(store, scene, *texts: str) -> None:
    for number, text in enumerate(texts):
        await store.memory.put((line(scene.room, number, text),))


async def asked(store, scene, text: str, **given: object) -> list[str]:
    return [result.memory.text for result in await store.memory.recall(scene.query(text, **given))]


async def test_a_question_ranks_below_any_statement(store, scene):
    await said(store, scene, "Where do I live?", "I live in Porto.", "Where do I live?", "tell me where I live")
    assert (await asked(store, scene, "Where do I live?"))[0] == "I live in Porto."


async def test_what_the_agent_said_ranks_below_what_people_said(store, scene):
    await said(store, scene, "I live in Porto.", "> You live in Porto, and I live in your computer.")
    assert (await asked(store, scene, "Where do I live?"))[0] == "I live in Porto."
    assert (await asked(store, scene, "Where do you live?"))[0].startswith("You live")


async def test_the_one_who_asks_is_preferred_to_others(store, scene):
    await said(store, scene, "I live in Porto.", "Bea: I live in Oslo.")
    assert (await asked(store, scene, "Where do I live?", speaker=ANA.id))[0] == "I live in Porto."
    assert (await asked(store, scene, "Where do I live?", speaker=BEA.id))[0] == "I live in Oslo."


async def test_somebody_who_is_named_is_preferred(store, scene):
    await store.memory.connect("tifa", scene.connection(ANA))
    await store.memory.connect("tifa", scene.connection(BEA))
    await said(store, scene, "Bea: I live in Oslo.", "I live in Porto.", "My cousin lives in Rome.")
    assert (await asked(store, scene, "Where does Bea live?"))[0] == "I live in Oslo."


async def test_the_newer_of_equals_comes_first(store, scene):
    await said(store, scene, "I live in Porto.", "I live in Faro.")
    assert (await asked(store, scene, "Where do I live?"))[0] == "I live in Faro."


async def test_an_answer_that_does_not_repeat_the_question_is_found_by_it(store, scene):
    await said(store, scene, "Hello.", "> Hello! Which city do you live in?", "Porto.", "> Lovely.")
    assert "Porto." in (await asked(store, scene, "Which city do I live in?"))[:2]
