"""The actions in a real host: what a person sees of them, and what is stored."""

from __future__ import annotations

import pytest

import carrier_actions_standard
from carrier_core import ActionCall, Completion, Finish, MemoryKind, Part, person
from carrier_core.testing import running_host

pytestmark = pytest.mark.anyio


def calls(*named: tuple[str, dict[str, object]], text: str = "") -> Completion:
    """A model that asks for these calls, and may write something beside them."""
    asked = tuple(ActionCall(f"call{n}", name, arguments) for n, (name, arguments) in enumerate(named))
    return Completion((Part(text),) if text else (), asked, Finish.CALLS)


@pytest.fixture
async def running():
    async with running_host([carrier_actions_standard]) as host:
        yield host


async def test_the_model_is_offered_all_five(running) -> None:
    await running.ask("Hello")

    (prompt,) = running.provider.prompts
    assert [tool.name for tool in prompt.tools] == ["reply", "ignore", "none", "continue", "remember"]


async def test_reply_is_what_the_person_reads(running) -> None:
    running.provider.then(calls(("reply", {"text": "Hello, Ana!"})))

    assert await running.ask("Hello") == "Hello, Ana!"
    assert len(running.provider.prompts) == 1


async def test_ignore_sends_nothing_whatever_was_written(running) -> None:
    running.provider.then(calls(("ignore", {}), text="Go away."))

    assert await running.ask("Hey you") == ""
    assert (await running.last()).outcome.status == "silent"


async def test_none_sends_what_was_written(running) -> None:
    running.provider.then(calls(("none", {}), text="Well."))

    assert await running.ask("Hm") == "Well."
    assert len(running.provider.prompts) == 1


async def test_continue_asks_the_model_again_and_ends(running) -> None:
    running.provider.then(*(calls(("continue", {}), text=f"Part {number}.") for number in range(9)))

    assert await running.ask("Tell me a story") == "Part 0.\nPart 1.\nPart 2.\nPart 3."


async def test_what_a_model_writes_down_is_a_fact_of_the_room_and_not_the_persons_word(running) -> None:
    running.provider.then(calls(("remember", {"text": "Ana lives in Porto."})), "Noted.")

    assert await running.ask("I live in Porto.") == "Noted."

    (fact,) = await running.store.memory.list(kind=MemoryKind.FACT)
    assert fact.text == "Ana lives in Porto."
    assert set(fact.provenance.origins) == {"agent", person(running.client.person("Ana").id)}
    assert running.provider.prompts[1].messages[-1].text == "Remembered: Ana lives in Porto."


async def test_what_the_person_says_word_for_word_is_theirs(running) -> None:
    running.provider.then(calls(("remember", {"text": "I live in Porto."})), "Noted.")

    await running.ask("Please remember: I live in Porto.")

    (fact,) = await running.store.memory.list(kind=MemoryKind.FACT)
    assert fact.provenance.origins == (person(running.client.person("Ana").id),)


async def test_a_fact_is_kept_with_the_plugin_that_stored_it(running) -> None:
    running.provider.then(calls(("remember", {"text": "Ana lives in Porto."})), "Noted.")
    await running.ask("I live in Porto.")

    (fact,) = await running.store.memory.list(kind=MemoryKind.FACT)
    assert (fact.provenance.plugin, fact.provenance.hook) == ("carrier-actions-standard", "remember.perform")


async def test_a_wrong_call_can_be_corrected(running) -> None:
    running.provider.then(
        calls(("remember", {"fact": "x"})), calls(("remember", {"text": "Ana has a cat."})), "Now I have it."
    )

    assert await running.ask("I have a cat.") == "Now I have it."

    assert "unknown field `fact`" in running.provider.prompts[1].messages[-1].text
    assert [fact.text for fact in await running.store.memory.list(kind=MemoryKind.FACT)] == ["Ana has a cat."]
