"""A model that calls actions in a real host, and a call as an action sees it without one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

import carrier_actions_standard
from carrier_core import ActionCall, Completion, Finish, Part, PromptMessage
from carrier_core.testing import HostUnderTest, running_host


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Talk:
    """A host with the standard actions, whose model calls what the test tells it to."""

    def __init__(self, running: HostUnderTest) -> None:
        self.running = running
        self.client = running.client
        self.memory = running.store.memory
        self.provider = running.provider

    @staticmethod
    def calls(*named: tuple[str, dict[str, object]], text: str = "") -> Completion:
        """A model that asks for these calls, and may write something beside them."""
        asked = tuple(ActionCall(f"call{n}", name, arguments) for n, (name, arguments) in enumerate(named))
        return Completion((Part(text),) if text else (), asked, Finish.CALLS)

    async def call(
        self, said: str, name: str, /, *, room="main", person: str = "Ana", **arguments: object
    ) -> PromptMessage:
        """Somebody says something, the model calls an action and then says "Well."; what came of the call, as the model was told."""
        self.provider.then(self.calls((name, arguments)), "Well.")
        await self.client.ask(room, person, said)
        return self.told()

    def told(self) -> PromptMessage:
        """What the model was told of its last call."""
        return self.provider.prompts[-1].messages[-1]


@pytest.fixture
async def talk() -> AsyncIterator[Talk]:
    async with running_host([carrier_actions_standard]) as running:
        yield Talk(running)
