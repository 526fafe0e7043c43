"""What a model answers, put together from the pieces of a stream, whichever protocol brings them."""

from __future__ import annotations

import json
from collections.abc import Callable

from carrier_core.messages import Part
from carrier_core.metering import tell_usage
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
        self._half = ""
        self._calls: dict[int, _Call] = {}
        self.finish: Finish | None = None
        self.refused = False
        self._usage = Usage(calls=1)
        self.carry: Carry | None = None

    @property
    def usage(self) -> Usage:
        """What the service has said of the tokens by now. It counts for an answer that breaks off too."""
        return self._usage

    @usage.setter
    def usage(self, usage: Usage) -> None:
        self._usage = usage
        tell_usage(usage)

    def add_text(self, piece: str | None) -> None:
        """A piece of the text. Half a character, where a service cuts one in two, waits for the other half."""
        if piece and (self._half or not piece.isascii()):
            piece = self._half + piece
            self._half = piece[-1] if "\ud800" <= piece[-1] <= "\udbff" else ""
            piece = _mended(piece.removesuffix(self._half))
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
        if self._half:
            self._half = ""
            self.add_text("\ufffd")
        finish = Finish.REFUSED if self.refused else self.finish
        begun = {} if finish is Finish.REFUSED else self._calls  # what was broken off is not carried out
        calls = tuple(
            ActionCall(_mended(call.id) or f"call-{number}", _mended(call.name), _arguments(call, faults, finish))
            for number, (_, call) in enumerate(sorted(begun.items()), 1)
        )
        if calls and finish is Finish.STOP:  # which is what some services say then
            finish = Finish.CALLS
        text = "".join(self._pieces)
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
    text = _mended("".join(call.arguments))
    if not text.strip():
        arguments: Json = {}
    else:
        try:
            arguments = json.loads(text)
            if "\\u" in text:
                json.dumps(arguments, ensure_ascii=False).encode()  # half a character could not be recorded
        except (ValueError, RecursionError):
            arguments = None
    if not call.name or not isinstance(arguments, dict):
        raise faults.unreadable_call(call.name, text, cut=finish is Finish.LENGTH)
    return arguments


def _mended(text: str) -> str:
    """The text with the halves of characters (surrogates, in the escapes of JSON) put together; one alone becomes �."""
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
