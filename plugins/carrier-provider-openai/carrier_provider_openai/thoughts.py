"""What a reasoning model thought, which it wants back with the results of its calls: nothing of it is kept at OpenAI.

It is encrypted there. A reasoning item must come back in its place: in front of what followed it, for the same model.
(https://developers.openai.com/api/docs/guides/reasoning, "Keeping reasoning items in context")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import msgspec

from carrier_core import Carry, Json

if TYPE_CHECKING:
    from openai.types.responses import EasyInputMessageParam, ResponseInputItemParam

_FIELDS = ("id", "type", "summary", "content", "encrypted_content")  # the others are refused when they come back


class _Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    """The data of a carry. ``thoughts`` are reasoning items, each with the number of pieces (the text, and each call) that
    came before it; ``pieces`` is how many there were in all; ``phase`` is what the model called its text."""

    model: str
    pieces: int
    thoughts: tuple[tuple[int, dict[str, Json]], ...] = ()
    phase: str = ""


class Thoughts:
    """The reasoning items of an answer that is being received."""

    def __init__(self, provider: str, model: str) -> None:
        self._provider = provider
        self._model = model
        self._said = False
        self._calls = 0
        self._phase = ""
        self._thoughts: list[tuple[int, dict[str, Json]]] = []

    def passed(self, *, call: bool = False, phase: str | None = None) -> None:
        """Another item of the answer is whole: a call, or a text."""
        if call:
            self._calls += 1
        else:
            self._said, self._phase = True, phase or ""

    def add(self, item: dict[str, object]) -> None:
        """A reasoning item. One without content is only a reference to what was never stored."""
        kept = {key: item[key] for key in _FIELDS if item.get(key) is not None}
        if kept.get("encrypted_content") or kept.get("content"):
            self._thoughts.append((self._calls + self._said, cast("dict[str, Json]", kept)))

    def carry(self) -> Carry | None:
        """What is wanted back; None if there is nothing."""
        pieces = self._calls + self._said
        thoughts = tuple(
            thought for thought in self._thoughts if thought[0] < pieces
        )  # one that led nowhere is refused
        if not thoughts and not self._phase:
            return None
        kept = _Kept(self._model, pieces, thoughts, self._phase)
        return Carry(self._provider, cast("Json", msgspec.to_builtins(kept)))


def thoughts_of(carry: Carry, model: str, items: list[ResponseInputItemParam]) -> list[ResponseInputItemParam]:
    """The items of an answer with those of its reasoning among them. Left out if they come from another model, or if the
    answer is not what it was."""
    try:
        kept = msgspec.convert(carry.data, _Kept)
    except msgspec.ValidationError:  # of another release
        return items
    if kept.model != model or kept.pieces != len(items):
        return items
    whole = list(items)
    if kept.phase and items[0].get("type") == "message":
        message = cast("EasyInputMessageParam", {**items[0], "phase": kept.phase})
        whole[0] = message
    for place, thought in reversed(kept.thoughts):
        whole.insert(place, cast("ResponseInputItemParam", thought))
    return whole
