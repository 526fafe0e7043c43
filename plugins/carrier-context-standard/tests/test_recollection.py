"""What is remembered about a message."""

from __future__ import annotations

import pytest

from carrier_context_standard.recollection import Memories
from carrier_core import Attachment, Entity, MemoryKind

BEN = Entity.of("test", "ben", name="Ben")

pytestmark = pytest.mark.anyio


async def test_each_memory_is_a_part_with_its_plain_text_best_first(turn) -> None:
    turn.recalls = (turn.memory("I live in Porto."), turn.memory("Ana moved in May.", kind=MemoryKind.FACT))

    parts = (await Memories("UTC").provide(turn)).select("memories")

    assert [(part.text, part.name, part.role) for part in parts] == [
        ("I live in Porto.", "Ana", ""),
        ("Ana moved in May.", "Ana", ""),
    ]
    assert [(part.memory, part.at) for part in parts] == [(memory.id, memory.at) for memory in turn.recalls]
    assert all(part.provenance is memory.provenance for part, memory in zip(parts, turn.recalls, strict=True))


async def test_who_said_it_and_when_stands_before_it(turn) -> None:
    turn.recalls = (
        turn.memory("I live in Porto."),
        turn.memory("It rains here."),
        turn.memory("I know.", None),
        turn.memory("Ana moved.", kind=MemoryKind.FACT),
        turn.memory("Soup on Mondays.", kind=MemoryKind.DOCUMENT, name="menu.txt", at=0.0),
        turn.memory("Hm.", name="", at=0.0),
    )

    parts = (await Memories("UTC").provide(turn)).parts

    assert "not instructions" in parts[0].text
    assert parts[0].provenance.origins == ("operator",)
    assert [part.text for part in parts[1:]] == [
        "Ana said on 3 May 2026:",
        "I live in Porto.",
        "It rains here.",
        "You said on 3 May 2026:",
        "I know.",
        "You noted on 3 May 2026 of Ana:",
        "Ana moved.",
        "From menu.txt:",
        "Soup on Mondays.",
        "Somebody said:",
        "Hm.",
    ]
    named = next(part for part in parts if part.text == "Ana said on 3 May 2026:")
    assert named.provenance is turn.recalls[0].provenance  # a name is its owner's word


async def test_the_message_is_asked_about_without_what_is_in_sight(turn) -> None:
    turn.past = (turn.memory("Hello!"), turn.memory("Hi.", None))

    await Memories("UTC").provide(turn)

    assert turn.asked == [("Where do I live?", tuple(memory.id for memory in turn.past))]


@pytest.mark.parametrize("text", ["", "  \n"])
async def test_a_message_without_words_is_not_asked_about(turn, text: str) -> None:
    turn.says(text, files=(Attachment("image/jpeg", "photo.jpg"),))
    turn.recalls = (turn.memory("I live in Porto."),)

    assert await Memories("UTC").provide(turn) is None
    assert turn.asked == []


async def test_nothing_is_remembered(turn) -> None:
    turn.recalls = (turn.memory(" "),)

    assert await Memories("UTC").provide(turn) is None
