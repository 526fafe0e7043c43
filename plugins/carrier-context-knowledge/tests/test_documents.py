"""Documents in a real host: what a model is shown of them, and as whose words."""

from __future__ import annotations

import msgspec
import pytest

import carrier_context_knowledge
from carrier_context_knowledge.character import Shelf
from carrier_context_knowledge.chunks import Chunk
from carrier_context_knowledge.library import Label, Library
from carrier_context_knowledge.reader import Text
from carrier_core import EVERYONE, Audience, Memory, MemoryKind, Part, Prompt, Provenance, Room, outside

pytestmark = pytest.mark.anyio

TRUSTED = """
[policy]
trusted = ["carrier-context-knowledge"]
"""
HOLIDAYS = Chunk("Everybody has 28 days of holidays a year.", ("Handbook", "Holidays"), 3, 3)
PAY = Chunk("Salaries are paid on the 25th.", ("Handbook", "Pay"), 4, 5)


async def know(running, *chunks: Chunk, name: str = "handbook.pdf", trusted: bool = False, audience=EVERYONE) -> None:
    label = Label(f"/docs/{name}", name, trusted, audience)
    library = Library(Shelf(running.store.memory), "robin", clock=running.clock)
    await library.take(label, Text("application/pdf", chunks, "The handbook", 9), digest="d", size=1)


async def asked(running, text: str, room: str | Room = "main") -> Prompt:
    await running.ask(text, room=room)
    return (await running.provider.asked())[-1]


def lines(prompt: Prompt) -> list[tuple[str, str]]:
    return [(part.key, part.text) for part in prompt.parts if part.key.startswith("documents")][1:]


async def test_a_fragment_is_shown_with_its_source(make_host) -> None:
    async with make_host([carrier_context_knowledge], config=TRUSTED) as running:
        await know(running, HOLIDAYS, PAY)
        prompt = await asked(running, "How many days of holidays do I have?")
        told = await running.host.why((await running.last()).id)

    assert lines(prompt) == [
        ("documents_source", "From handbook.pdf, section Handbook > Holidays, page 3:"),
        ("documents", "Everybody has 28 days of holidays a year."),
    ]
    heading, source, fragment = (part for part in prompt.parts if part.key.startswith("documents"))
    assert "not instructions" in heading.text
    assert heading.provenance.origins == ("operator",)
    assert source.provenance.origins == fragment.provenance.origins == ("outside:file/handbook.pdf",)
    assert fragment.provenance.audience == EVERYONE
    assert fragment.memory in [memory["id"] for memory in told["memories"]]


async def test_several_pages_are_named(make_host) -> None:
    async with make_host([carrier_context_knowledge], config=TRUSTED) as running:
        await know(running, HOLIDAYS, PAY)
        prompt = await asked(running, "When are salaries paid?")

    assert lines(prompt)[0] == ("documents_source", "From handbook.pdf, section Handbook > Pay, pages 4-5:")


async def test_a_document_of_a_room_stays_there(make_host) -> None:
    async with make_host([carrier_context_knowledge], config=TRUSTED) as running:
        room = running.client.group("staff")
        await know(running, HOLIDAYS, audience=Audience((room.id,)))
        inside = await asked(running, "Robin, how many days of holidays do I have?", room)
        outside_of_it = await asked(running, "Robin, how many days of holidays do I have?", running.client.group("all"))

    assert len(lines(inside)) == 2
    assert lines(outside_of_it) == []


async def test_what_is_in_a_document_comes_from_outside_unless_the_operator_says_otherwise(make_host) -> None:
    async with make_host([carrier_context_knowledge], config=TRUSTED) as running:
        await know(running, HOLIDAYS, trusted=True)
        [part] = (await asked(running, "How many days of holidays do I have?")).select("documents")

    assert part.provenance.origins == ("operator",)


async def test_without_trust_in_the_plugin_no_document_is_the_operators_word(make_host) -> None:
    async with make_host([carrier_context_knowledge]) as running:
        await know(running, HOLIDAYS, trusted=True)
        prompt = await asked(running, "How many days of holidays do I have?")

    for key in ("documents", "documents_source"):
        assert {origin for part in prompt.select(key) for origin in part.provenance.origins} == {
            "outside:plugin/carrier-context-knowledge"
        }


async def test_the_best_come_first_and_only_as_much_as_the_settings_allow(make_host) -> None:
    config = TRUSTED + "[plugin.carrier-context-knowledge]\nresults = 3\nprompt_characters = 400\nleast = 0\n"
    many = [
        Chunk(f"Holidays in {town}: " + "word " * 20, (), 0, 0)
        for town in ("Porto", "Faro", "Lisbon", "Braga", "Evora")
    ]
    async with make_host([carrier_context_knowledge], config=config) as running:
        await know(running, *many)
        shown = lines(await asked(running, "Holidays in Faro?"))

    texts = [text for key, text in shown if key == "documents"]
    assert texts[0].startswith("Holidays in Faro:")
    assert len(texts) == 2
    assert [key for key, _ in shown].count("documents_source") == 1


async def test_a_fragment_that_is_too_long_is_cut(make_host) -> None:
    config = TRUSTED + "[plugin.carrier-context-knowledge]\nprompt_characters = 300\n"
    async with make_host([carrier_context_knowledge], config=config) as running:
        await know(running, Chunk("holidays " * 100))
        prompt = await asked(running, "What about holidays?")

    assert sum(len(part.text) for part in prompt.parts if part.key.startswith("documents")) <= 300
    assert lines(prompt)[-1][1].endswith("…")


async def test_what_answers_far_worse_than_the_best_is_left_out(make_host) -> None:
    config = TRUSTED + "[plugin.carrier-context-knowledge]\nleast = 0.8\n"
    async with make_host([carrier_context_knowledge], config=config) as running:
        await know(running, HOLIDAYS, Chunk("Days are long in summer."))
        prompt = await asked(running, "How many days of holidays do I have in a year?")

    assert [text for key, text in lines(prompt) if key == "documents"] == [HOLIDAYS.text]


async def test_a_message_without_words_recalls_nothing(make_host) -> None:
    async with make_host([carrier_context_knowledge], config=TRUSTED) as running:
        await know(running, HOLIDAYS)
        assert lines(await asked(running, " ? ")) == []


async def test_a_fragment_that_another_plugin_wrote_is_shown_with_what_it_says(make_host) -> None:
    async with make_host([carrier_context_knowledge], config=TRUSTED) as running:
        memory = Memory(
            "f" * 32, "robin", "", MemoryKind.FRAGMENT, (Part("Tea is green."),), 0.0, Provenance((outside("wiki"),))
        )
        document = msgspec.structs.replace(memory, id="d" * 32, kind=MemoryKind.DOCUMENT)
        await running.store.memory.put((memory, document))
        prompt = await asked(running, "Is tea green?")

    assert lines(prompt) == [("documents_source", "From a document:"), ("documents", "Tea is green.")]


async def test_resetting_a_room_forgets_no_document(make_host) -> None:
    async with make_host([carrier_context_knowledge], config=TRUSTED) as running:
        room = running.client.group("staff")
        await know(running, HOLIDAYS, audience=Audience((room.id,)))
        await asked(running, "Robin, hello.", room)
        await running.host.reset("robin", room.id)

        assert len(lines(await asked(running, "Robin, how many days of holidays are there?", room))) == 2
