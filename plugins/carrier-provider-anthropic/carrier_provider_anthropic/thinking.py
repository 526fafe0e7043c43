"""Thinking: how a model is told to, and how what it thought is given back to it in its place.

In a loop of calls the API wants the thoughts that led to a call back with its result, unchanged and in their order. They
are in the completion's carry, with the model that had them and a digest of what it had been asked: since the 5th generation
the API refuses thoughts that another model had, or that were about another prompt, so these are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from carrier_core import Carry, Effort

if TYPE_CHECKING:
    from carrier_core import Json, PromptMessage
    from carrier_provider_anthropic.models import Traits

Block = dict[str, Any]

LEAST_BUDGET = 1024  # tokens; the API takes no smaller one, and only one that is smaller than `max_tokens`
SHARES = {Effort.LOW: 0.25, Effort.MEDIUM: 0.5, Effort.HIGH: 0.75}
"""Of `max_tokens`, for models that are told in tokens how much to think."""


def thinking_settings(effort: Effort | None, traits: Traits, max_tokens: int) -> dict[str, Any]:
    """The parameters for an effort. None and NONE are no thinking; a model that always thinks is told to keep it short."""
    if effort in (None, Effort.NONE, Effort.UNKNOWN):
        if traits.off is None:
            return {"output_config": {"effort": "low"}} if effort is Effort.NONE else {}
        return {"thinking": {"type": traits.off}} if traits.eager or effort is Effort.NONE else {}
    if traits.thinking == "adaptive":
        return {"thinking": {"type": "adaptive"}, "output_config": {"effort": effort.value}}
    budget = max(LEAST_BUDGET, int(max_tokens * SHARES[effort]))
    return {"thinking": {"type": "enabled", "budget_tokens": budget}} if budget < max_tokens else {}


class Thoughts(msgspec.Struct, frozen=True):
    """What is carried. ``content`` are the blocks of the answer in their order: thoughts as they came, for a text the number
    of its characters, for a call its id. ``prefix`` is the digest of what was asked."""

    model: str
    prefix: str
    content: list[Block | int | str]

    @classmethod
    def of(cls, carry: Carry) -> Thoughts | None:
        """What a carry holds; None if it is something else."""
        try:
            return msgspec.convert(carry.data, cls)
        except msgspec.ValidationError:
            return None

    def carry(self, provider: str) -> Carry:
        """As data that can be recorded."""
        data: Json = msgspec.to_builtins(self)
        return Carry(provider, data)

    def among(self, message: PromptMessage, calls: dict[str, Block]) -> list[Block] | None:
        """The content of an assistant message with the thoughts in their place; ``calls`` are the blocks of its calls, by id.

        None if it is another message than the one that they were kept for.
        """
        text, start = message.text, 0
        blocks: list[Block] = []
        left = dict(calls)
        for item in self.content:
            if isinstance(item, int):
                said = text[start : start + item]
                start += item
                if said.strip():
                    blocks.append({"type": "text", "text": said})
            elif isinstance(item, str):
                if item not in left:
                    return None
                blocks.append(left.pop(item))
            else:
                blocks.append(item)
        return blocks if start == len(text) and not left else None
