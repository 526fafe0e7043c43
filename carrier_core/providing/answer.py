"""What a model answers, put together from the pieces of a stream, whichever protocol brings them."""

from __future__ import annotations

import json
from collections.abc import Callable

from carrier_core.messages import Part
from carrier_core.prompts import ActionCall, Carry, Completion, Finish, Json, Usage
from carrier_core.providing.faults import Faults


class Answer:
    """An answer that is being received; ``emit`` is given each piece of text.

    ``finish`` stays None until the service says why it ended; ``refused`` says that the text is a refusal. ``carry`` is what
    the provider wants back with the next prompt.
    """

    def __init__(self, emit: Callable[[str], None]) -> None:
        self._emit = emit
        self._pieces: list[str] = []
        self._calls: dict[int, _Call] = {}
        self.finish: Finish | None = None
        self.refused = False
        self.usage = Usage(calls=1)
        self.carry: Carry | None = None

    def add_text(self, piece: str | None) -> None:
        """A piece of the text."""
        if piece:
            self._pieces.append(piece)
            self._emit(piece)

    def add_call(self, index: int, id: str | None, name: str | None, arguments: str | None) -> None:
        """A piece of the call number ``index``: what is given is added to what was given before."""
        call = self._calls.get(index)
        if call is None:
            call = self._calls[index] = _Call()
        call.id = call.id or id or ""
        call.name = call.name or name or ""
        if arguments:
            call.arguments.append(arguments)

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
        elif calls and finish is Finish.STOP:  # which is what some services say then
            finish = Finish.CALLS
        parts = (Part(text),) if text else ()
        return Completion(parts, calls, finish, self.usage, provider, model, self.carry)


class _Call:
    __slots__ = ("arguments", "id", "name")

    def __init__(self) -> None:
        self.id = self.name = ""
        self.arguments: list[str] = []


def _arguments(call: _Call, faults: Faults, finish: Finish) -> dict[str, Json]:
    """The arguments of a call.

    What is no JSON object fails the completion: an action must not run with arguments that nobody asked for.
    """
    text = "".join(call.arguments)
    if not text.strip():
        arguments: Json = {}
    else:
        try:
            arguments = json.loads(text)
        except (ValueError, RecursionError):
            arguments = None
    if not call.name or not isinstance(arguments, dict):
        raise faults.unreadable_call(call.name, text, cut=finish is Finish.LENGTH)
    return arguments
