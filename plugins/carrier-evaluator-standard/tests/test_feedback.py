"""What a model is told of how it is doing."""

from __future__ import annotations

import pytest

import carrier_evaluator_standard
from carrier_core import Context, Turn, impl
from carrier_core.testing import running_host

pytestmark = pytest.mark.anyio

CONFIG = "[plugin.carrier-evaluator-standard]\nfeedback = true\n"


class Looking:
    """Asks for the feedback in every turn."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    @impl
    async def transform_state(self, turn: Turn, state: object) -> None:
        found = await turn.provide("feedback")
        self.seen = [part.text for part in found.parts] if found is not None else []


async def test_ratings_and_verdicts_can_be_looked_up_the_newest_first() -> None:
    looking = Looking()
    async with running_host([carrier_evaluator_standard, looking], config=CONFIG) as running:
        running.provider.then("Hello {{userName}}!", "Hello, Ana!")
        await running.ask("Hi")
        await running.ask("Good bot!")
        await running.ask("Hm")
        assert len(looking.seen) == 2
        assert "good bot" in looking.seen[0].lower()
        assert "placeholder" in looking.seen[1]

        await running.client.react("main", "Ana", running.client.sends[0].turn, "👎")
        await running.ask("And now?")

    assert any("Ana reacted with 👎 to an answer of yours, which is bad." in text for text in looking.seen)


async def test_it_is_not_in_the_prompt_by_itself() -> None:
    async with running_host([carrier_evaluator_standard], config=CONFIG) as running:
        await running.ask("Hi")
        await running.ask("Good bot!")
        await running.ask("Hm")

        assert not any("Good bot" in part.text for part in running.provider.prompts[-1].parts if part.key == "feedback")


async def test_it_is_off_unless_it_is_turned_on() -> None:
    async with running_host([carrier_evaluator_standard]) as running:
        assert "feedback" not in running.host.plugins.things[Context]


async def test_a_room_is_not_told_of_another() -> None:
    looking = Looking()
    async with running_host([carrier_evaluator_standard, looking], config=CONFIG) as running:
        await running.ask("Hi")
        await running.ask("Good bot!")
        await running.ask("Hi", room="other", person="Ben")

    assert looking.seen == []
