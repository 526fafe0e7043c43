"""A tool of a server is an action like any other."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest

from carrier_actions_mcp.action import Tool
from carrier_actions_mcp.settings import ServerSettings
from carrier_core import Action, ActionCall, ActionResult, Json, Turn
from carrier_core.testing import ActionConformance


class Visiting(Tool):
    """A tool whose server runs for each call anew, because each has an event loop of its own here."""

    keep: Callable[..., object]

    async def perform(self, turn: Turn, call: ActionCall) -> ActionResult:
        async with self.keep(self.server.settings) as kept:
            self.server = kept.server
            return await super().perform(turn, call)


class TestTool(ActionConformance):
    @pytest.fixture
    def action(self, keep, raw) -> Action:
        async def made() -> Visiting:
            async with keep(raw()) as kept:
                return Visiting(kept.server, await kept.tool("echo"))

        action = anyio.run(made)
        action.keep = keep
        return action

    @pytest.fixture
    def arguments(self) -> dict[str, Json]:
        return {"text": "Hello."}


@pytest.mark.parametrize(("effects", "seconds"), [({"note": "write"}, 125.0), ({"note": "read"}, 225.0)])
def test_it_may_take_as_long_as_the_server_may_to_start_and_to_answer(keep, raw, effects, seconds) -> None:
    settings: ServerSettings = raw(seconds=100.0, start_seconds=20.0, effects=effects)

    async def budget() -> float | None:
        async with keep(settings) as kept:
            return Tool(kept.server, await kept.tool("note")).seconds

    assert anyio.run(budget) == seconds
