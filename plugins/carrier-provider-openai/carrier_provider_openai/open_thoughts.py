"""What a reasoning model thought aloud in Chat Completions, which its server wants back with the results of its calls.

The protocol has no place for it; servers have added fields of their own, and some refuse a message with calls that comes back without
them: ``reasoning_content`` of DeepSeek (https://api-docs.deepseek.com/guides/thinking_mode), Kimi, vLLM and llama.cpp,
``reasoning`` of Ollama and newer vLLM, and in each call the ``extra_content`` of Gemini
(https://ai.google.dev/gemini-api/docs/thought-signatures). No server is sent any that did not send them, or refuse to do without:
then they are blank.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

import msgspec

from carrier_core import Carry, Json, PromptMessage

_FIELDS = ("reasoning_content", "reasoning")
_EXTRA = "extra_content"
_NOTHING = " "  # where nothing was thought: the field has to be there, and Kimi refuses an empty one


class _Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """The data of a carry: the model, the name of the field, its text, and what came with each call."""

    model: str = ""
    field: str = ""
    text: str = ""
    extras: tuple[Json, ...] = ()


class OpenThoughts:
    """The thoughts of an answer that is being received."""

    def __init__(self, provider: str, model: str) -> None:
        self._provider = provider
        self._model = model
        self._field = ""
        self._pieces: list[str] = []
        self._extras: dict[int, Json] = {}

    def add(self, fields: Mapping[str, object]) -> None:
        """The fields of a piece of the answer that the protocol does not know."""
        for field in _FIELDS:
            if isinstance(piece := fields.get(field), str):
                self._field = self._field or field
                if field == self._field:  # some send both
                    self._pieces.append(piece)

    def add_to_call(self, number: int, fields: Mapping[str, object]) -> None:
        """Those of a piece of a call."""
        if extra := fields.get(_EXTRA):
            self._extras[number] = cast("Json", extra)

    def carry(self, calls: int) -> Carry | None:
        """What is wanted back with so many calls; None if there is nothing."""
        if not calls or not (self._field or self._extras):
            return None
        extras = tuple([self._extras.get(number) for number in range(calls)]) if self._extras else ()
        kept = _Kept(self._model, self._field, "".join(self._pieces), extras)
        return Carry(self._provider, cast("Json", msgspec.to_builtins(kept)))


class GivenBack:
    """What goes back with the messages of a prompt to a model: what that model thought, since others may not know the fields.

    ``wanted`` is the field that it refuses to do without, where that is known.
    """

    def __init__(self, messages: Iterable[PromptMessage], model: str, *, wanted: str = "") -> None:
        kept = [(id(message), _kept(message)) for message in messages if message.carry is not None]
        self._kept = {key: each for key, each in kept if each.model == model}
        self._wanted = wanted
        self._field = wanted or next((each.field for each in self._kept.values() if each.field), "")

    def with_text(self) -> dict[str, str]:
        """The fields of a message without calls, of which nothing was kept."""
        return {self._wanted: _NOTHING} if self._wanted else {}

    def with_calls(self, message: PromptMessage) -> dict[str, str]:
        """The fields of a message with calls."""
        kept = self._kept.get(id(message), _Kept())
        field = kept.field or self._field
        return {field: kept.text or _NOTHING} if field else {}

    def with_call(self, message: PromptMessage, number: int) -> dict[str, Json]:
        """The fields of one of its calls."""
        extras = self._kept.get(id(message), _Kept()).extras
        return {_EXTRA: extras[number]} if number < len(extras) and extras[number] else {}


def wanted_by(refusal: str) -> str:
    """The field without which a server does not take a prompt that it refuses with these words; empty if they are about something
    else. It may be wanted of what another model said, and of plain text."""
    return next((field for field in _FIELDS[:1] if field in refusal), "")


def _kept(message: PromptMessage) -> _Kept:
    try:
        return msgspec.convert(message.carry and message.carry.data, _Kept)
    except msgspec.ValidationError:  # of another release
        return _Kept()
