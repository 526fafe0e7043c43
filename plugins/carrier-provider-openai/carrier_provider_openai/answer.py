"""What a model answers, put together from the pieces of a stream, whichever protocol brings them."""

from __future__ import annotations

import json
from collections.abc import Callable

from carrier_core import ActionCall, Completion, Finish, Json, Part, Usage
from carrier_provider_openai.faults import Faults


class Answer:
    """An answer that is being received. ``finish`` stays None until the server says why it ended; ``refused`` says that the
    text is a refusal."""

    def __init__(self, emit: Callable[[str], None]) -> None:
        self._emit = emit
        self._pieces: list[str] = []
        self._calls: dict[int, _Call] = {}
        self.finish: Finish | None = None
        self.refused = False
        self.usage = Usage(calls=1)

    def add_text(self, piece: str | None) -> None:
        """A piece of the text."""
        if piece:
            self._pieces.append(piece)
            self._emit(piece)

    def add_call(self, index: int, id: str | None, name: str | None, arguments: str | None) -> None:
        """A piece of the call number ``index``: what is given is added to what was given before."""
        call = self._calls.setdefault(index, _Call())
        call.id = call.id or id or ""
        call.name = call.name or name or ""
        call.arguments += arguments or ""

    def completion(self, provider: str, model: str, faults: Faults) -> Completion:
        """The whole answer. A ProviderError if it was cut off, or asks for a call that cannot be read."""
        if self.finish is None:
            raise faults.incomplete()
        calls = tuple(
            ActionCall(call.id or f"call-{number}", call.name, _arguments(call, faults, self.finish))
            for number, (_, call) in enumerate(sorted(self._calls.items()), 1)
        )
        text = "".join(self._pieces)
        finish = self.finish
        if self.refused:
            finish = Finish.REFUSED
        elif calls and finish is Finish.STOP:  # which is what some servers, and Responses, say then
            finish = Finish.CALLS
        return Completion((Part(text),) if text else (), calls, finish, self.usage, provider, model)


class _Call:
    __slots__ = ("arguments", "id", "name")

    def __init__(self) -> None:
        self.id = self.name = self.arguments = ""


def _arguments(call: _Call, faults: Faults, finish: Finish) -> dict[str, Json]:
    """The arguments of a call.

    What is no JSON object fails the completion: an action must not run with arguments that nobody asked for.
    """
    if not call.arguments.strip():
        return {}
    try:
        arguments = json.loads(call.arguments)
    except ValueError:
        arguments = None
    if not call.name or not isinstance(arguments, dict):
        raise faults.unreadable_call(call.name, call.arguments, cut=finish is Finish.LENGTH)
    return arguments
