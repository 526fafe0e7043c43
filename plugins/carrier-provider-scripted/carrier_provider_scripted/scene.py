"""What a prompt says, as rules and templates see it."""

from __future__ import annotations

import re
from functools import cached_property

import msgspec

from carrier_core import Part, PartKind, Prompt, PromptMessage

MATCHED = 4_000
"""As many characters of a message are looked at; a longer one is cut."""

_ASIDE = ("memories", "facts", "feedback")  # parts that may stand in a person's message and are not the person's words
_AGENT = re.compile(
    r"\b(?:You are|Your name is) (?!(?:talking|speaking|an?|the|not|in)\b)([^\W\d_][\w'’-]*(?: [A-Z][\w'’-]*)?)"
)


class Line(msgspec.Struct, frozen=True):
    """A line of the conversation, or a memory. ``at`` is in seconds since the epoch, 0 where it is not known."""

    text: str
    name: str = ""
    at: float = 0.0
    id: str = ""
    role: str = ""


class Result(msgspec.Struct, frozen=True):
    """What came of a call that was made in this turn."""

    name: str
    text: str


class Scene:
    """One prompt. What is derived from it is worked out when it is first asked for."""

    def __init__(self, prompt: Prompt) -> None:
        self.prompt = prompt
        position = last = len(prompt.messages)
        while position and prompt.messages[position - 1].role != "user":
            position -= 1
        self.asked = prompt.messages[position - 1] if position else None
        self.since = prompt.messages[position:] if position else ()
        self._position = position or last
        self.message = _said(self.asked)[:MATCHED].strip() if self.asked else ""

    @cached_property
    def steps(self) -> int:
        """How many completions of a rule this turn has had already that asked for calls."""
        return sum(any(call.id.startswith("step") for call in message.calls) for message in self.since)

    @cached_property
    def results(self) -> tuple[Result, ...]:
        """What came of this turn's calls, in order."""
        names = {call.id: call.name for message in self.since for call in message.calls}
        return tuple(
            Result(names.get(message.call, ""), message.text) for message in self.since if message.role == "tool"
        )

    @cached_property
    def first(self) -> bool:
        """Whether the agent has not said anything in this conversation yet. A draft that was sent back is not said."""
        messages = self.prompt.messages
        if any(part.key == "feedback" for message in messages[-1:] for part in message.parts):
            messages = messages[: self._position]
        return not any(message.role == "assistant" and message.text.strip() for message in messages)

    @cached_property
    def person(self) -> str:
        """The name of whoever spoke last; empty where the prompt does not tell."""
        parts = self.asked.parts if self.asked else ()
        return next((part.name for part in reversed(parts) if part.name), "")

    @cached_property
    def agent(self) -> str:
        """The agent's name: that of its lines, or what the first system message says; empty where neither tells."""
        for message in reversed(self.prompt.messages):
            if message.role == "assistant" and message.parts and message.parts[0].name:
                return message.parts[0].name
        system = next((message.text for message in self.prompt.messages if message.role == "system"), "")
        found = _AGENT.search(system, 0, MATCHED)
        return found[1] if found else ""

    @cached_property
    def memories(self) -> tuple[Line, ...]:
        """What was recalled, best first: the parts with the key ``memories``."""
        return tuple(
            Line(unnamed(part), part.name, part.at, part.memory, part.role)
            for part in self.prompt.select("memories")
            if part.text.strip()
        )

    @cached_property
    def facts(self) -> tuple[Line, ...]:
        """What is known of the person, newest first: the parts with the key ``facts``."""
        parts = [part for part in self.prompt.select("facts") if part.text.strip()]
        return tuple(Line(unnamed(part), part.name, part.at, part.memory, part.role) for part in parts)

    @cached_property
    def history(self) -> tuple[Line, ...]:
        """The conversation before the last message, oldest first."""
        return tuple(
            Line(unnamed(part), part.name, part.at, part.memory, message.role)
            for message in self.prompt.messages[: self._position - 1]
            if message.role in ("user", "assistant")
            for part in message.parts
            if part.text.strip() and part.key not in ("memories", "facts")
        )

    @cached_property
    def state(self) -> dict[str, str]:
        """The texts of the prompt's parts by their key, a line for each part."""
        grouped: dict[str, list[str]] = {}
        for part in self.prompt.parts:
            if part.key:
                grouped.setdefault(part.key, []).append(part.text)
        return {key: "\n".join(texts) for key, texts in grouped.items()}

    @cached_property
    def tools(self) -> tuple[str, ...]:
        """The names of the tools that are offered."""
        return tuple(tool.name for tool in self.prompt.tools)


def unnamed(part: Part) -> str:
    """The text of a part without the name of its speaker in front."""
    prefix = f"{part.name}: "
    return part.text.removeprefix(prefix) if part.name else part.text


def _said(message: PromptMessage) -> str:
    """What a message says itself: not what it quotes, nor its files."""
    parts = [part for part in message.parts if part.kind is PartKind.TEXT and part.key not in _ASIDE]
    return "\n".join(unnamed(part) for part in parts)
