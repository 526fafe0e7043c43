"""What the model is told that it can look up."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

import carrier_context_standard
from carrier_core import (
    Action,
    ActionCall,
    ActionResult,
    Audience,
    Effect,
    Memory,
    MemoryKind,
    Part,
    Provenance,
    Turn,
    World,
    impl,
    person,
)
from carrier_core.testing import HostUnderTest, running_host

pytestmark = pytest.mark.anyio

CONFIG = """
[policy]
trusted = ["carrier-context-standard"]

[agents.robin]
conversation_length = 4

[agents.robin.roles]
owner = ["fake:ana"]

[agents.robin.retention]
message = { days = 90, most = 1000 }
"""


class LookUp(Action):
    name = "look_up"
    description = "Look up what is asked for."
    parameters = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    effect = Effect.READ

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[Part, ...]]] = []

    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        state = await turn.provide(call.arguments["name"])
        self.asked.append((call.arguments["name"], () if state is None else state.parts))
        return ActionResult("done", provenance=call.provenance)


class Brings:
    def __init__(self) -> None:
        self.action = LookUp()

    @impl
    def register_actions(self) -> Action:
        return self.action


@pytest.fixture
async def running() -> AsyncIterator[HostUnderTest]:
    brings = Brings()
    async with running_host([carrier_context_standard, brings], config=CONFIG) as made:
        made.look_up = brings.action
        yield made


async def looked_up(
    running: HostUnderTest, name: str, *, room="main", said: str = "Robin, who is here?"
) -> tuple[Part, ...]:
    """What a context brings when the model asks for it."""
    from carrier_core import Completion, Finish

    running.provider.then(Completion((), (ActionCall("1", "look_up", {"name": name}),), Finish.CALLS), "Well.")
    await running.client.ask(room, "Ana", said)
    asked, parts = running.look_up.asked[-1]
    assert asked == name
    return parts


async def test_the_prompt_names_what_can_be_looked_up_and_does_not_hold_it(running) -> None:
    await running.ask("Hello")
    (prompt,) = running.provider.prompts

    (part,) = prompt.select("look_up")
    assert [line.split(":")[0] for line in part.text.splitlines()[1:]] == [
        "- world",
        "- roles",
        "- relationships",
        "- settings",
    ]
    assert part.provenance.origins == ("operator",)
    assert {part.key for part in prompt.parts}.isdisjoint({"world", "roles", "relationships", "settings"})


async def test_without_the_action_nothing_can_be_looked_up() -> None:
    async with running_host([carrier_context_standard], config=CONFIG) as running:
        await running.ask("Hello")
        (prompt,) = running.provider.prompts

    assert prompt.select("look_up") == ()


async def test_the_world_is_where_the_conversation_takes_place(running) -> None:
    import msgspec

    world = World.of("fake", "harbour", name="Old\nHarbour")
    for name in ("hall", "kitchen"):
        room = running.client.group(name, world=world)
        inbound = msgspec.structs.replace(running.client.message(room, "Ana", "Robin, hello."), world=world)
        (accepted,) = await running.client.hand_over(inbound)
        await running.host.wait(accepted.heard[0].turn)

    host, names = await looked_up(running, "world", room=running.client.group("hall", world=world))

    assert host.text == "You are in a group, which others may read along, on the platform fake."
    assert host.provenance.origins == ("operator",)
    assert names.text == "This room is called hall. You take part in other rooms there too: kitchen."
    assert names.provenance.origins == ("outside:fake/rooms",)


async def test_roles_are_told_of_everyone_in_the_room(running) -> None:
    hall = running.client.group("hall")
    await running.client.ask(hall, "Ben", "Robin, hello.")

    (part,) = await looked_up(running, "roles", room=hall)

    assert part.text.splitlines()[:3] == [
        "What people are to you here:",
        "- Ana (ana): owner, who is speaking to you now",
        "- Ben (ben): guest",
    ]
    assert set(part.provenance.origins) == {person(running.client.person(name).id) for name in ("Ana", "Ben")}


async def test_relationships_that_the_room_may_know_are_told_those_of_the_speaker_first(running) -> None:
    ana, dm = running.client.person("Ana"), running.client.dm("Ana")
    elsewhere = running.client.dm("Ben")
    for number, (text, people, room) in enumerate(
        (
            ("Ben is Ana's brother.", [ana.id, "ben"], dm),
            ("Cleo and Dan talk with each other.", ["cleo", "dan"], dm),
            ("Ben is in love.", ["ben", "eve"], elsewhere),
        )
    ):
        said = Provenance((person(ana.id),), Audience((room.id,)))
        memory = Memory(
            str(number) * 32,
            "robin",
            room.id,
            MemoryKind.RELATIONSHIP,
            (Part(text, provenance=said),),
            float(number),
            said,
        )
        fields = {key: getattr(memory, key) for key in memory.__struct_fields__}
        await running.store.memory.put((Memory(**fields | {"data": {"people": people}}),))

    parts = await looked_up(running, "relationships", room=dm)

    assert [part.text for part in parts] == ["Ben is Ana's brother.", "Cleo and Dan talk with each other."]
    assert parts[0].memory == "0" * 32
    assert parts[0].provenance.origins == (person(ana.id),)


async def test_the_agent_can_know_how_it_is_set_up_and_no_secrets(running) -> None:
    (part,) = await looked_up(running, "settings")

    assert "an agent of the kind conversational" in part.text
    assert "time zone is UTC" in part.text
    assert "the last 4 messages" in part.text
    assert "You keep each message for 90 days, 1000 of them at most." in part.text
    assert part.provenance.origins == ("operator",)
    assert str(running.folder) not in part.text
