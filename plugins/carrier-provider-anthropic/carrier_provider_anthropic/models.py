"""What is to be known of the models: how they are told to think or not to, and where they take system texts.

The source is Anthropic's documentation of each model ("Thinking", "Mid-conversation system messages"), November 2026.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

DEFAULT_MODELS = {
    "large": "claude-sonnet-5-5",
    "small": "claude-haiku-5-5",
    "reasoning": "claude-opus-5-5",
    "vision": "claude-sonnet-5-5",
}


class Traits(NamedTuple):
    """How a model differs from others.

    ``thinking`` is the form in which it is told to think: it chooses how much by itself (``adaptive``), or is given a number
    of tokens (``budget``). ``eager`` is one that thinks unless it is told not to, and ``off`` the word that tells it; None
    is for models that always think. ``late_system`` says that system messages may stand within the conversation.
    """

    thinking: Literal["adaptive", "budget"]
    eager: bool
    off: Literal["disabled", "between_tools"] | None
    late_system: bool


# By the beginning of the name: the first that fits counts.
_FAMILIES = {
    "claude-fable-5": Traits("adaptive", eager=True, off=None, late_system=True),
    "claude-mythos-5": Traits("adaptive", eager=True, off=None, late_system=True),
    "claude-opus-5-5": Traits("adaptive", eager=True, off=None, late_system=True),
    "claude-sonnet-5-5": Traits("adaptive", eager=True, off="between_tools", late_system=True),
    "claude-haiku-5-5": Traits("adaptive", eager=True, off="disabled", late_system=True),
    "claude-opus-5": Traits("adaptive", eager=True, off="disabled", late_system=True),
    "claude-sonnet-5": Traits("adaptive", eager=True, off="disabled", late_system=False),
    "claude-opus-4-8": Traits("adaptive", eager=False, off="disabled", late_system=True),
    "claude-opus-4-7": Traits("adaptive", eager=False, off="disabled", late_system=False),
    "claude-opus-4-6": Traits("adaptive", eager=False, off="disabled", late_system=False),
    "claude-sonnet-4-6": Traits("adaptive", eager=False, off="disabled", late_system=False),
    "claude-opus-4": Traits("budget", eager=False, off="disabled", late_system=False),
    "claude-sonnet-4": Traits("budget", eager=False, off="disabled", late_system=False),
    "claude-haiku-4": Traits("budget", eager=False, off="disabled", late_system=False),
    # What comes after these: nothing is said to it that one of them refuses.
    "claude-": Traits("adaptive", eager=True, off=None, late_system=False),
}
# A model of somebody else, behind a server that speaks the protocol as it was first.
_FOREIGN = Traits("budget", eager=False, off="disabled", late_system=False)


def traits_of(model: str) -> Traits:
    """What is known of a model, by its name."""
    return next((traits for family, traits in _FAMILIES.items() if model.startswith(family)), _FOREIGN)
