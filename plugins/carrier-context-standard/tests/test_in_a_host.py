"""The context in a real host: what a model is shown, in which order, and as whose words."""

from __future__ import annotations

import pytest

import carrier_context_standard
from carrier_core import Attachment, Audience, Memory, MemoryKind, Part, Prompt, Provenance, Room, make_id, person

pytestmark = pytest.mark.anyio

TRUSTED = """
[policy]
trusted = ["carrier-context-standard"]
"""


def shown(prompt: Prompt) -> list[tuple[str, str]]:
    """The parts of a prompt by role and key."""
    return [(message.role, part.key) for message in prompt.messages for part in message.parts]


def origins(prompt: Prompt, key: str) -> set[str]:
    return {origin for part in prompt.select(key) for origin in part.provenance.origins}


async def test_a_prompt_begins_with_what_is_stable_and_ends_with_the_message(make_host) -> None:
    known = {"knowledge": ["Soup on Mondays."]}
    async with make_host([carrier_context_standard], config=TRUSTED, character=known) as running:
        await running.ask("My name is Ana.")
        await running.ask("Who am I?")
        prompt = (await running.provider.asked(2))[1]

    assert shown(prompt) == [
        ("system", "character"),
        ("system", "knowledge"),
        ("user", "recent_messages"),
        ("assistant", "recent_messages"),
        ("system", "time"),
        ("system", "actors"),
        ("user", "message"),
    ]
    assert "You are Robin." in prompt.messages[0].text
    assert "You are talking with Ana." in prompt.messages[3].text


async def test_each_part_is_known_by_whose_words_it_is(make_host) -> None:
    async with make_host([carrier_context_standard], config=TRUSTED) as running:
        ana = person(running.client.person("Ana").id)
        await running.ask("My name is Ana.")
        await running.client.say("main", "Ana", "Look", attachments=[Attachment("image/png", "a.png", size=10)])
        prompt = (await running.provider.asked(2))[1]

    assert origins(prompt, "character") == origins(prompt, "time") == {"operator"}
    assert origins(prompt, "actors") == origins(prompt, "attachments") == {ana}
    mine, replied = prompt.select("recent_messages")
    assert mine.provenance.origins == (ana,)
    assert set(replied.provenance.origins) == {"agent", "operator", ana}


async def test_without_the_operators_trust_nothing_counts_as_the_operators_word(make_host) -> None:
    async with make_host([carrier_context_standard]) as running:
        await running.ask("Hello")
        (prompt,) = await running.provider.asked()

    assert origins(prompt, "character") == {"outside:plugin/carrier-context-standard"}
    assert not any("operator" in part.provenance.origins for part in prompt.parts)


async def test_what_is_out_of_sight_is_remembered_and_what_is_in_sight_is_not_repeated(make_host) -> None:
    config = TRUSTED + "[agents.robin]\nconversation_length = 4\n"
    async with make_host([carrier_context_standard], config=config, character={"name": "Robin"}) as running:
        await running.ask("I live in Porto.")
        for number in range(4):
            await running.ask(f"It is day {number}.")
        await running.ask("Where do I live, in Porto?")
        prompt = (await running.provider.asked(6))[-1]

    lines = {part.memory for part in prompt.select("recent_messages")}
    memories = prompt.select("memories")
    assert len(lines) == 4
    assert "I live in Porto." in [part.text for part in memories]
    assert lines.isdisjoint(part.memory for part in memories)


async def test_people_in_a_group_are_told_apart(make_host) -> None:
    async with make_host([carrier_context_standard], config=TRUSTED) as running:
        room = running.client.group("harbour")
        await running.client.ask(room, "Ana", "Robin, I live in Porto.")
        await running.client.ask(room, "Ben", "Robin, I live in Faro.")
        await running.client.ask(room, "Ana", "Robin, who lives where?")
        prompt = (await running.provider.asked(3))[-1]

    said = [part.text for part in prompt.select("recent_messages") if part.role == "user"]
    assert said == ["Ana: Robin, I live in Porto.", "Ben: Robin, I live in Faro."]
    (actors,) = prompt.select("actors")
    assert actors.text == "In this conversation: Ana and Ben. Ana is speaking to you now."


async def test_a_template_with_what_people_said_is_not_the_operators_word_alone(make_host) -> None:
    own = {"templates": {"system_template": "{{agentName}} heard: {{recentMessages}}"}}
    async with make_host([carrier_context_standard], config=TRUSTED, character=own) as running:
        ana = person(running.client.person("Ana").id)
        await running.ask("Obey me.")
        await running.ask("Now?")
        first, second = await running.provider.asked(2)

    assert origins(first, "character") == {"operator"}
    assert "Ana: Obey me." in second.select("character")[0].text
    assert origins(second, "character") == {"operator", "agent", ana}


async def test_what_was_said_is_the_same_object_in_the_next_prompt(make_host) -> None:
    async with make_host([carrier_context_standard], config=TRUSTED) as running:
        for text in ("One", "Two", "Three"):
            await running.ask(text)
        _, second, third = await running.provider.asked(3)

    assert third.select("character") == second.select("character")
    assert third.select("recent_messages")[0] is second.select("recent_messages")[0]


async def noted(running, room: Room, text: str, kind: MemoryKind = MemoryKind.FACT, *, name: str = "Ana") -> str:
    """A memory of somebody's words in a room; its id."""
    who = running.client.person(name)
    said = Provenance((person(who.id),), Audience((room.id,)), "a-plugin", "reflect")
    key, content = make_id("memory", text), (Part(text, provenance=said),)
    memory = Memory(key, "robin", room.id, kind, content, running.clock(), said, entity=who.id, name=name)
    await running.store.memory.put((memory,))
    return key


async def test_facts_and_goals_of_the_person_stand_in_every_prompt_once(make_host) -> None:
    async with make_host([carrier_context_standard], config=TRUSTED, character={"name": "Robin"}) as running:
        home = Room.of("fake", "main")
        await noted(running, home, "Ana lives in Porto.")
        await noted(running, home, "Ben lives in Faro.", name="Ben")
        goal = await noted(running, home, "Learn to sail", MemoryKind.GOAL)
        await running.ask("Where does Ana live, and where Ben, in Porto or in Faro?")
        (prompt,) = await running.provider.asked()

    assert [part.text for part in prompt.select("facts")] == ["Ana lives in Porto."]
    assert [(part.text, part.memory) for part in prompt.select("goals")] == [("Learn to sail.", goal)]
    assert [part.text for part in prompt.select("memories")] == ["Ben lives in Faro."]
    assert origins(prompt, "facts") == origins(prompt, "goals") == {person(running.client.person("Ana").id)}


async def test_what_was_told_alone_does_not_stand_in_a_prompt_where_others_read_along(make_host) -> None:
    async with make_host([carrier_context_standard], config=TRUSTED, character={"name": "Robin"}) as running:
        alone, hall = running.client.dm("Ana"), running.client.group("hall")
        for kind in (MemoryKind.FACT, MemoryKind.GOAL, MemoryKind.RELATIONSHIP):
            await noted(running, alone, f"Ana has a secret {kind}.", kind)
        await running.client.ask(hall, "Ben", "Robin, hello.")
        await running.client.ask(hall, "Ana", "Robin, what is my secret fact, goal and relationship?")
        await running.client.ask(alone, "Ana", "And here?")
        _, shared, direct = await running.provider.asked(3)

    assert not any("secret fact." in part.text or "secret goal" in part.text for part in shared.parts)
    assert [part.text for part in direct.select("facts")] == ["Ana has a secret fact."]
    assert [part.text for part in direct.select("goals")] == ["Ana has a secret goal."]


async def test_a_template_can_have_the_goals(make_host) -> None:
    own = {"templates": {"system_template": "{{agentName}} helps with: {{goals}}"}}
    async with make_host([carrier_context_standard], config=TRUSTED, character=own) as running:
        await noted(running, Room.of("fake", "main"), "Learn to sail", MemoryKind.GOAL)
        await running.ask("Hello")
        (prompt,) = await running.provider.asked()

    (part,) = prompt.select("character")
    assert part.text == "Robin helps with: Learn to sail."
    assert set(part.provenance.origins) == {"operator", person(running.client.person("Ana").id)}
