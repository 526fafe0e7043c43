"""What a real host learns from its turns, after the reply."""

from __future__ import annotations

import msgspec
import pytest

import carrier_evaluator_standard
from carrier_core import (
    Action,
    ActionCall,
    ActionResult,
    Attachment,
    Completion,
    Effect,
    Finish,
    Memory,
    MemoryKind,
    Part,
    PartKind,
    Turn,
    impl,
    person,
)
from carrier_core.testing import HostUnderTest, running_host

pytestmark = pytest.mark.anyio

SECTION = "[plugin.carrier-evaluator-standard]\n"


@pytest.fixture
async def running():
    async with running_host([carrier_evaluator_standard]) as host:
        yield host


async def learned(running: HostUnderTest, kind: MemoryKind = MemoryKind.FACT) -> tuple[Memory, ...]:
    """What is known of one kind, oldest first."""
    return tuple(reversed(await running.store.memory.list(kind=kind)))


async def texts(running: HostUnderTest, kind: MemoryKind = MemoryKind.FACT) -> list[str]:
    return [memory.text for memory in await learned(running, kind)]


async def test_what_a_person_says_of_themselves_is_learned_as_their_words(running) -> None:
    await running.ask("Hi! My name is Ana Silva and I live in Porto.")

    ana = running.client.person("Ana")
    name, home = await learned(running)
    assert (name.text, home.text) == ("Ana's name is Ana Silva.", "Ana lives in Porto.")
    assert home.provenance.origins == (person(ana.id),)
    assert home.provenance.audience.rooms == (home.room,)
    assert (home.provenance.plugin, home.provenance.hook) == ("", "")
    assert home.content[0].provenance.plugin == "carrier-evaluator-standard"
    assert home.turn == (await running.last()).id


async def test_a_fact_is_corrected_in_place_and_not_kept_twice(running) -> None:
    for text in ("I live in Porto.", "I live in Porto!", "Actually, I moved to Lisbon.", "I live in Lisbon"):
        await running.ask(text)

    (home,) = await learned(running)
    assert home.text == "Ana lives in Lisbon."
    assert [was["value"] for was in home.data["was"]] == ["Porto"]


async def test_what_the_agent_says_teaches_nothing(running) -> None:
    running.provider.then("I live in a lighthouse. My name is Robin.")

    await running.ask("Who are you?")

    assert await texts(running) == []


async def test_what_is_quoted_or_attached_teaches_nothing(running) -> None:
    client = running.client
    quoted = Part("I live in Faro.", kind=PartKind.QUOTE)
    attached = Part("I live in Braga.", kind=PartKind.ATTACHMENT, attachment=Attachment("text/plain", "a.txt"))
    for extra in (quoted, attached):
        said = client.message(client.dm("Ana"), "Ana", "Look at this")
        message = msgspec.structs.replace(said.message, content=(*said.message.content, extra))
        (accepted,) = await client.hand_over(msgspec.structs.replace(said, message=message))
        await client.host.wait(accepted.heard[0].turn)

    assert await texts(running) == []


async def test_a_bot_teaches_nothing(running) -> None:
    room = running.client.group("harbour")

    await running.client.say(
        room, running.client.person("Botty", bot=True), "Robin, I live in Porto.", mentions=("robin",)
    )
    await running.client.ask(room, "Ana", "Robin, hello!")

    assert await texts(running) == []


async def test_what_is_only_overheard_in_a_group_is_learned_there(running) -> None:
    room = running.client.group("harbour")

    assert await running.client.ask(room, "Ana", "I live in Porto.") == ""

    (home,) = await learned(running)
    assert home.provenance.audience.rooms == (room.id,)


async def test_each_part_can_be_turned_off() -> None:
    off = 'facts = "off"\nrelationships = false\ngoals = false\nratings = false\nquality = "off"\nsafety = false\n'
    async with running_host([carrier_evaluator_standard], config=SECTION + off) as running:
        for text in ("I live in Porto. Bob is my brother. My goal is to run.", "Good bot!"):
            await running.ask(text)

        kinds = {memory.kind for memory in await running.store.memory.list()}

    assert kinds == {MemoryKind.MESSAGE}


@pytest.mark.parametrize(("clients", "expected"), [('["fake"]', ["Ana lives in Porto."]), ('["other"]', [])])
async def test_it_can_be_limited_to_clients(clients: str, expected: list[str]) -> None:
    async with running_host([carrier_evaluator_standard], config=f"{SECTION}clients = {clients}\n") as running:
        running.provider.then("Hello {{userName}}!", "Hello!")
        reply = await running.ask("I live in Porto.")

        assert await texts(running) == expected
    assert reply == ("Hello!" if expected else "Hello {{userName}}!")


async def test_two_hosts_of_one_process_have_each_their_own_settings() -> None:
    async with (
        running_host([carrier_evaluator_standard]) as one,
        running_host([carrier_evaluator_standard], config=SECTION + 'facts = "off"\n') as other,
    ):
        for running in (one, other):
            await running.ask("I live in Porto.")

        assert await texts(one) == ["Ana lives in Porto."]
        assert await texts(other) == []


# --- relationships ---------------------------------------------------------------------------------------------------


async def test_who_knows_whom_is_told_and_counted(running) -> None:
    client = running.client
    room = client.group("harbour")
    ben = client.person("Ben")
    await client.ask(room, "Ben", "Morning, all!")
    await client.ask(room, "Ana", "Ben is my brother.")
    await client.say(room, "Ana", "Look at that.", mentions=(ben.id,))
    said = client.said[0]
    await client.say(room, "Ana", "And you?", reply_to=said.message.id)
    await client.ask(room, "Ben", "Fine.")

    (known,) = await learned(running, MemoryKind.RELATIONSHIP)
    ana = client.person("Ana")
    assert known.text == "Ben is Ana's brother."
    assert known.data["people"] == sorted((ana.id, ben.id))
    assert known.data["count"] == 4
    assert set(known.provenance.origins) == {person(ana.id), person(ben.id)}


async def test_a_dm_makes_no_pair_with_the_agent(running) -> None:
    await running.ask("Hello")
    assert await learned(running, MemoryKind.RELATIONSHIP) == ()


# --- goals ------------------------------------------------------------------------------------------------------------


class SetGoal(Action):
    """An action that keeps a goal, as the standard one does."""

    name = "set_goal"
    description = "Keep a goal."
    effect = Effect.WRITE
    parameters = {"type": "object", "properties": {}}

    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        data = {"status": "open", "steps": [{"text": "find a flat", "done": False}], "person": turn.person.id}
        await turn.remember("move to Porto", kind=MemoryKind.GOAL, data=data, key="k", provenance=turn.spoken)
        return ActionResult("Set.")


@impl
def register_actions() -> Action:
    return SetGoal()


async def test_a_goal_that_an_action_keeps_is_followed_and_not_kept_twice() -> None:
    async with running_host([carrier_evaluator_standard, register_actions]) as running:
        running.provider.then(Completion((), (ActionCall("c", "set_goal", {}),), Finish.CALLS), "It is set.")
        await running.ask("My goal is to move to Porto.")
        (goal,) = await learned(running, MemoryKind.GOAL)
        assert goal.text == "move to Porto"

        await running.ask("I finished finding a flat!")
        (after,) = await learned(running, MemoryKind.GOAL)

    assert after.id == goal.id
    assert after.data["status"] == "done"
    assert after.data["was"][-1]["status"] == "open"


async def test_what_an_action_noted_in_the_same_words_is_not_kept_beside_it() -> None:
    @impl
    async def perform(turn: Turn, call: ActionCall) -> ActionResult:
        await turn.remember(str(call.arguments["text"]), provenance=turn.spoken)
        return ActionResult("Remembered.")

    def note(text: str) -> Completion:
        return Completion((), (ActionCall("c", "set_goal", {"text": text}),), Finish.CALLS)

    async with running_host([carrier_evaluator_standard, register_actions, perform]) as running:
        running.provider.then(note("Ana lives in Porto"), "Noted.", note("Ana has an appointment"), "Noted.")
        await running.ask("Remember that I live in Porto.")
        await running.ask("And my appointment")
        assert await texts(running) == ["Ana lives in Porto.", "Ana has an appointment"]

        running.provider.then(note("ana lives in porto."), "Noted.", "I see.")
        await running.ask("Note where I live.")
        await running.ask("Actually, I moved to Faro.")
        assert sorted(await texts(running)) == ["Ana has an appointment", "Ana lives in Faro."]


async def test_what_an_action_noted_in_the_first_person_is_not_kept_beside_the_fact() -> None:
    @impl
    async def perform(turn: Turn, call: ActionCall) -> ActionResult:
        await turn.remember(str(call.arguments["text"]), provenance=turn.spoken)
        return ActionResult("Remembered.")

    def note(text: str) -> Completion:
        return Completion((), (ActionCall("c", "set_goal", {"text": text}),), Finish.CALLS)

    async with running_host([carrier_evaluator_standard, register_actions, perform]) as running:
        for text in ("I like tea", "I like tea", "I like cake because my mother bakes it"):
            running.provider.then(note(text), "Noted.")
            await running.ask(f"Please remember that {text}")

        assert sorted(await texts(running)) == [
            "Ana likes cake.",
            "Ana likes tea.",
            "I like cake because my mother bakes it",
        ]


# --- ratings and verdicts ------------------------------------------------------------------------------------------------


async def test_a_rating_is_about_the_last_answer_and_a_later_one_replaces_it(running) -> None:
    running.provider.then("At 14:05.")
    await running.ask("When is high water?")
    await running.ask("Good bot!")
    (good,) = await learned(running, MemoryKind.RATING)
    assert (good.data["score"], good.data["value"]) == (1, "Good bot!")
    assert "At 14:05." in good.text
    assert "operator" not in good.provenance.origins


async def test_a_reaction_and_a_word_on_one_reply_are_one_rating(running) -> None:
    await running.ask("Hello")
    (post,) = running.client.sends
    await running.client.react("main", "Ana", post.turn, "👎")
    await running.ask("Good bot!")

    (one,) = await learned(running, MemoryKind.RATING)
    assert one.data["score"] == 1


async def test_in_a_group_only_what_follows_an_answer_rates_it(running) -> None:
    room = running.client.group("harbour")
    await running.client.ask(room, "Ana", "Robin, hello!")
    await running.client.ask(room, "Ben", "Nice weather.")
    await running.client.ask(room, "Cleo", "That's wrong.")

    assert await learned(running, MemoryKind.RATING) == ()


async def test_why_a_draft_was_not_accepted_is_kept(running) -> None:
    running.provider.then("Hello {{userName}}!", "Hello, Ana!")

    assert await running.ask("Hi") == "Hello, Ana!"

    (kept,) = await learned(running, MemoryKind.RATING)
    assert kept.data["verdict"] == "revise"
    assert "placeholder" in kept.text


# --- faults ------------------------------------------------------------------------------------------------------------------


async def test_what_one_lesson_fails_at_costs_only_its_own(running, monkeypatch) -> None:
    def broken(*given: object) -> tuple[Memory, ...]:
        raise ValueError("boom")

    monkeypatch.setattr("carrier_evaluator_standard.learning.followed", broken)

    await running.ask("I live in Porto. My goal is to run.")

    assert await texts(running) == ["Ana lives in Porto."]


async def test_a_person_who_is_forgotten_leaves_no_facts(running) -> None:
    await running.ask("I live in Porto. Bob is my brother. My goal is to run.")
    await running.ask("Good bot!")

    await running.store.forget_person(running.client.person("Ana").id)

    left = [memory for memory in await running.store.memory.list() if memory.kind is not MemoryKind.MESSAGE]
    assert left == []
