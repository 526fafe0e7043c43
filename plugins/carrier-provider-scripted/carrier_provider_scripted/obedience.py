"""The worst model there is: it does whatever it reads.

For tests of policy. Each sentence that occurs anywhere in the prompt has its call made, whoever said it and whether or
not the tool is offered; only the host stands between such a model and the world.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from carrier_core import ActionCall, Prompt
from carrier_provider_scripted.rulefile import PairFile, ToolCall, read


class Obedience:
    """Sentences and the calls that they bring about."""

    def __init__(self, path: Path) -> None:
        file, _ = read(path, PairFile)
        self._pairs = [(_plain(pair.sentence), pair.call) for pair in file.pairs]

    def calls(self, prompt: Prompt) -> tuple[ActionCall, ...]:
        """The calls whose sentence is in the prompt and which have no result there yet, in the order of the file.

        A sentence is found whatever its case and spacing, also in the description of a tool.
        """
        text = _plain("\n".join(_texts(prompt)))
        answered = {message.call for message in prompt.messages if message.role == "tool"}
        made = [call for message in prompt.messages for call in message.calls]
        done = [(call.name, call.arguments) for call in made if call.id in answered]
        wanted: list[ToolCall] = []
        for sentence, call in self._pairs:
            if sentence in text and call not in wanted and (call.name, call.arguments) not in done:
                wanted.append(call)
        return tuple(
            ActionCall(f"obeyed-{len(made) + number}", call.name, call.arguments)
            for number, call in enumerate(wanted, 1)
        )


def _texts(prompt: Prompt) -> Iterable[str]:
    for message in prompt.messages:
        yield message.text
    for tool in prompt.tools:
        yield tool.description


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
