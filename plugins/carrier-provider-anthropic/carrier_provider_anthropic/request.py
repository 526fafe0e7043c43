"""What the API is asked, made from a prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from carrier_core import Effort
from carrier_provider_anthropic.conversation import Conversation
from carrier_provider_anthropic.models import traits_of
from carrier_provider_anthropic.thinking import Block, thinking_settings
from carrier_provider_anthropic.tools import Tools

if TYPE_CHECKING:
    from carrier_core import Prompt

MARK = {"type": "ephemeral"}


class Request:
    """A prompt for one model. ``parameters`` are those of the SDK's ``messages.create``.

    ``max_tokens`` is for prompts that set no limit. ``sampled`` says that the server has a temperature: Anthropic's API has had
    none since its version 2026-10-21.
    """

    def __init__(self, prompt: Prompt, model: str, *, max_tokens: int, sampled: bool) -> None:
        traits = traits_of(model)
        self.model = model
        self.tools = Tools(prompt.tools)
        self._conversation = Conversation(prompt.messages, model, traits, self.tools)
        self._marked: list[Block] = []
        self._mark()
        max_tokens = prompt.max_tokens or max_tokens
        effort = prompt.effort
        if traits.thinking == "budget" and self._conversation.unthought:
            effort = None  # it must not begin to think in the middle of a loop of calls
        self.parameters: dict[str, Any] = {
            "model": model,
            "max_tokens": max_tokens,
            "messages": self._conversation.messages,
            **thinking_settings(effort, traits, max_tokens),
        }
        if self._conversation.system:
            self.parameters["system"] = self._conversation.system
        if self.tools.blocks:
            self.parameters["tools"] = self.tools.blocks
        if prompt.schema is not None:
            self.parameters.setdefault("output_config", {})["format"] = _format(prompt.schema)
        if prompt.temperature is not None and sampled and effort in (None, Effort.NONE):
            self.parameters["extra_body"] = {"temperature": prompt.temperature}

    def prefix(self) -> str:
        """The digest of what is asked. Called when it has been sent: it takes the marks off."""
        for block in self._marked:
            block.pop("cache_control", None)
        return self._conversation.prefix()

    def _mark(self) -> None:
        """Say up to where later prompts will be the same: tools, what seldom changes, what was said before this turn, and
        in a loop of calls all of it. The API takes four marks."""
        conversation = self._conversation
        blocks = [self.tools.blocks[-1] if self.tools.blocks else None, conversation.stable, conversation.settled]
        last = next(message for message in reversed(conversation.messages) if message["role"] == "user")["content"][-1]
        if last["type"] == "tool_result":
            blocks.append(last)
        for block in blocks:
            if block is not None and "cache_control" not in block:
                block["cache_control"] = MARK
                self._marked.append(block)


def _format(schema: dict[str, Any]) -> dict[str, object]:
    from anthropic import transform_schema

    return {"type": "json_schema", "schema": transform_schema(schema)}
