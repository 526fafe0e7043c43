"""What the tests of this plugin ask the provider."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from carrier_core import ActionCall, Completion, Part, Prompt, PromptMessage, Tool
from carrier_provider_scripted.obedience import Obedience
from carrier_provider_scripted.provider import ScriptedProvider
from carrier_provider_scripted.rules import Rules


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Talk:
    """A conversation of Ana with the provider, as the host would have it: each prompt holds what was said before."""

    def __init__(self, provider: ScriptedProvider) -> None:
        self.provider = provider
        self.messages: list[PromptMessage] = []
        self.memories: list[Part] = []
        self.state: list[Part] = [Part("You are Tifa: warm and brave.", key="character")]
        self.tools: tuple[Tool, ...] = ()
        self.pieces: list[str] = []

    def recalls(self, *texts: str, name: str = "Ana") -> None:
        """What the host recalls, best first."""
        for text in texts:
            self.memories.append(Part(text, key="memories", name=name, memory=f"m{len(self.memories)}"))

    async def say(self, text: str) -> Completion:
        """Ana says something."""
        self.messages.append(PromptMessage("user", (Part(text, name="Ana"),)))
        return await self.go_on()

    async def result(self, call: ActionCall, text: str) -> Completion:
        """A call has come to something."""
        self.messages.append(PromptMessage("tool", (Part(text),), call=call.id))
        return await self.go_on()

    async def go_on(self) -> Completion:
        """The next completion."""
        self.pieces.clear()
        completion = await self.provider.generate(self.prompt, "scripted", self.pieces.append)
        self.messages.append(PromptMessage("assistant", completion.parts, completion.calls))
        return completion

    @property
    def prompt(self) -> Prompt:
        system = PromptMessage("system", (*self.state, *self.memories))
        return Prompt((system, *self.messages), self.tools)


@pytest.fixture
def talk(tmp_path) -> Callable[..., Talk]:
    """``talk(rules, pairs)``: a conversation under these files' texts; without rules under the built-in ones."""

    def begin(rules: str | None = None, pairs: str | None = None, **settings) -> Talk:
        made = []
        for name, text in (("rules.toml", rules), ("pairs.toml", pairs)):
            path = tmp_path / name
            if text is not None:
                path.write_text(text, encoding="utf-8")
            made.append(None if text is None else path)
        return Talk(
            ScriptedProvider(Rules(made[0]) if made[0] else None, Obedience(made[1]) if made[1] else None, **settings)
        )

    return begin
