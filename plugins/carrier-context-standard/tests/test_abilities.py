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


def test_they_are_listed_only_where_the_settings_ask_for_it() -> None:
    usual = [context.name for context in register_context(Settings())]

    assert usual == ["character", "knowledge", "recent_messages", "actors", "time", "memories", "attachments"]
    assert [context.name for context in register_context(Settings(actions=True))] == [*usual, "actions"]
