"""What the agent can do, in words."""

from __future__ import annotations

import pytest

from carrier_context_standard import Settings, register_context
from carrier_context_standard.abilities import Actions
from carrier_core import Action, ActionCall, ActionResult, Effect, Turn

pytestmark = pytest.mark.anyio


class Wave(Action):
    name = "wave"
    description = "Wave at\nsomebody. Only when they can see it."
    parameters = {"type": "object", "properties": {}}
    effect = Effect.READ

    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        return ActionResult()


class Sing(Wave):
    name = "sing"
    description = "Sing " + "la" * 200


async def test_each_action_has_a_short_line(turn) -> None:
    turn.actions = (Wave(), Sing())

    (part,) = (await Actions().provide(turn)).parts

    heading, wave, sing = part.text.splitlines()
    assert heading == "# What you can do"
    assert wave == "- wave: Wave at somebody."
    assert sing.startswith("- sing: Sing lala")
    assert sing.endswith("…")
    assert len(sing) < 180
    assert (part.key, part.stable, part.provenance.origins) == ("actions", True, ("operator",))


async def test_without_actions_there_is_nothing_to_say(turn) -> None:
    assert await Actions().provide(turn) is None


async def test_examples_show_when_an_action_is_called(turn) -> None:
    wave = Wave()
    wave.examples = ("Ana leaves:\nwave.", "x" * 500, "never shown")
    turn.actions = (wave,)

    (part,) = (await Actions().provide(turn)).parts

    _, _, first, second = part.text.splitlines()
    assert first == "  Example: Ana leaves: wave."
    assert len(second) < 180


async def test_what_a_server_says_of_its_actions_is_its_own_word(turn) -> None:
    foreign = Sing()
    foreign.origins = ("outside:mcp/choir",)
    turn.actions = (foreign, Wave())

    theirs, ours = (await Actions().provide(turn)).parts

    assert "sing" in theirs.text
    assert "wave" not in theirs.text
    assert (theirs.provenance.origins, ours.provenance.origins) == (("outside:mcp/choir",), ("operator",))


def test_they_are_listed_only_where_the_settings_ask_for_it() -> None:
    usual = [context.name for context in register_context(Settings())]

    assert "actions" not in usual
    assert [context.name for context in register_context(Settings(actions=True))] == [*usual, "actions"]


def test_every_context_that_does_not_grow_with_the_conversation_is_bounded() -> None:
    unbounded = [context.name for context in register_context(Settings(actions=True)) if context.size is None]

    assert unbounded == ["character", "recent_messages"]


def test_what_is_dynamic_says_what_it_is_for() -> None:
    described = {context.name: context.description for context in register_context(Settings()) if context.dynamic}

    assert list(described) == ["world", "roles", "relationships", "settings"]
    assert all(described.values())
