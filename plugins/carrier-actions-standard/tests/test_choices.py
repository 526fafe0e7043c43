"""Which option was chosen, where a turn waits for that."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

import carrier_actions_standard
from carrier_core import Effect, Turn, action, impl
from carrier_core.testing import running_host

pytestmark = pytest.mark.anyio


@action(effect=Effect.READ)
async def ship(turn: Turn) -> str:
    """Ship it, when somebody has chosen how."""
    chosen = await turn.choose("By land or by air?", ("by land", "by air"), until=turn.now + 600)
    return f"It goes {chosen or 'nowhere'}."


@impl
def register_actions():
    return ship


@pytest.fixture
async def asked(talk) -> AsyncIterator[object]:
    """A host in which Ana was asked how to ship something."""
    async with running_host([carrier_actions_standard, register_actions]) as running:
        made = type(talk)(running)
        made.provider.then(made.calls(("ship", {})))
        accepted = await made.client.say("main", "Ana", "Ship it.")
        await made.client.replies(1)
        made.turn = accepted.heard[0].turn
        yield made


async def test_whoever_asked_goes_on_with_what_was_chosen(asked) -> None:
    asked.provider.then(asked.calls(("choose_option", {"option": "air"})), "Well.", "It is under way.")

    await asked.client.ask("main", "Ana", "The one by air, please.")

    await asked.client.replies(3)
    assert "It goes by air." in [message.text for message in asked.provider.prompts[-1].messages]
    assert "It is under way." in asked.client.texts


async def test_what_no_option_or_several_fit_is_told_with_the_options(asked) -> None:
    for option, problem in (("by sea", "No option fits"), ("by", "No option fits")):
        told = await asked.call("By sea.", "choose_option", option=option)

        assert told.failed
        assert told.text == f"{problem}. There are: by land, by air."


async def test_it_is_offered_only_where_a_choice_waits(asked) -> None:
    await asked.running.ask("Hm.")
    await asked.running.ask("Hm.", room="another")

    offered = [{tool.name for tool in prompt.tools} for prompt in asked.provider.prompts]
    assert ["choose_option" in names for names in offered[-2:]] == [True, False]
