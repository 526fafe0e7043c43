"""The stream of an answer: its events, as far as they matter, and what each of them brings.

They are read as the SDK splits them, before it makes its own types of them: those leave out the pings by which the service
shows that it is still thinking, and cost more than all the rest.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

from carrier_core import Finish, Json, Usage
from carrier_core.providing import Answer, Faults
from carrier_provider_anthropic.faults import broken_off
from carrier_provider_anthropic.thinking import Block

if TYPE_CHECKING:
    from carrier_provider_anthropic.tools import Tools

FINISH = {
    "end_turn": Finish.STOP,
    "stop_sequence": Finish.STOP,
    "tool_use": Finish.CALLS,
    "max_tokens": Finish.LENGTH,
    "refusal": Finish.REFUSED,
}
"""By ``stop_reason``; what is new is UNKNOWN."""


class Counted(msgspec.Struct):
    """Tokens so far; what is None has been told before."""

    input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    output_tokens: int | None = None


class Begun(msgspec.Struct):
    """The message that begins."""

    usage: Counted | None = None


class Piece(msgspec.Struct):
    """A block that begins, or a piece of one, or of the message; a field is for some types only."""

    type: str = ""
    id: str | None = None
    name: str | None = None
    input: Json = None
    text: str | None = None
    partial_json: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    stop_reason: str | None = None


class Event(msgspec.Struct):
    """An event; a field is for some types only."""

    type: str
    index: int = 0
    message: Begun | None = None
    content_block: Piece | None = None
    delta: Piece | None = None
    usage: Counted | None = None
    error: Json = None


_decode = msgspec.json.Decoder(Event).decode


def _event(data: str) -> Event:
    try:
        return _decode(data)
    except msgspec.DecodeError:  # half a character, as some servers cut them, is none to this decoder
        return msgspec.convert(json.loads(data), Event)


class Reader:
    """Reads the events of one answer. ``ended`` when the service says that it is complete."""

    def __init__(self, answer: Answer, tools: Tools, faults: Faults) -> None:
        self.ended = False
        self._answer = answer
        self._tools = tools
        self._faults = faults
        self._content: dict[int, _Text | _Thought | str] = {}
        self._whole: dict[int, Json] = {}
        self._counted = Counted(0, 0, 0, 0)
        self._stopped: str | None = None

    def read(self, data: str) -> None:
        """Take what an event brings. A ProviderError if it says that the answer failed; types that are new are passed over."""
        event = _event(data)
        kind = event.type
        if kind == "content_block_delta" and event.delta is not None:
            self._add(event.index, event.delta)
        elif kind == "content_block_start" and event.content_block is not None:
            self._start(event.index, event.content_block)
        elif kind == "message_start" and event.message is not None:
            self._count(event.message.usage)
        elif kind == "message_delta":
            self._count(event.usage)
            if event.delta is not None and event.delta.stop_reason:
                self._stopped = event.delta.stop_reason
        elif kind == "message_stop":
            self._end()
        elif kind == "error":
            raise broken_off(event.error, self._faults)

    def thoughts(self) -> list[Block | int | str]:
        """The content in the form of :class:`Thoughts`; empty where nothing was thought, or no call came of it."""
        blocks = [block for _, block in sorted(self._content.items())]
        if not {_Thought, str} <= {type(block) for block in blocks}:
            return []
        return [block if isinstance(block, str) else block.kept() for block in blocks]

    def _start(self, index: int, block: Piece) -> None:
        if block.type == "tool_use":
            self._content[index] = block.id or ""
            self._answer.add_call(index, block.id, self._tools.meant_by(block.name or ""), None)
            if block.input:  # a server of somebody else may send all arguments at once; pieces take their place
                self._whole[index] = block.input
        elif block.type == "text":
            self._content[index] = _Text()
            self._add(index, block)
        elif block.type in ("thinking", "redacted_thinking"):
            self._content[index] = _Thought(block.data)
            self._add(index, block)

    def _add(self, index: int, piece: Piece) -> None:
        if piece.text:
            self._answer.add_text(piece.text)
            block = self._content.get(index)
            if isinstance(block, _Text):
                block.length += len(piece.text)
        elif piece.partial_json:
            self._whole.pop(index, None)
            self._answer.add_call(index, None, None, piece.partial_json)
        elif piece.thinking or piece.signature:
            block = self._content.get(index)
            if isinstance(block, _Thought):
                block.pieces.append(piece.thinking or "")
                block.signature = piece.signature or block.signature

    def _count(self, told: Counted | None) -> None:
        """Counts are of all so far. Those of the input are without what was read from or written to the cache; ours are with it."""
        if told is None:
            return
        counted = self._counted
        for name in Counted.__struct_fields__:
            if (number := getattr(told, name)) is not None:
                setattr(counted, name, number)
        read, written = counted.cache_read_input_tokens or 0, counted.cache_creation_input_tokens or 0
        total = (counted.input_tokens or 0) + read + written
        self._answer.usage = Usage(total, counted.output_tokens or 0, read, 1, written)

    def _end(self) -> None:
        self.ended = True
        for index, arguments in self._whole.items():
            self._answer.add_call(index, None, None, json.dumps(arguments))
        if self._stopped == "model_context_window_exceeded":
            raise self._faults.error("length", "came to the end of its context window in the middle of its answer")
        if self._stopped is not None:
            self._answer.finish = FINISH.get(self._stopped, Finish.UNKNOWN)


class _Text:
    __slots__ = ("length",)

    def __init__(self) -> None:
        self.length = 0

    def kept(self) -> int:
        return self.length


class _Thought:
    __slots__ = ("data", "pieces", "signature")

    def __init__(self, data: str | None) -> None:
        self.data = data
        self.pieces: list[str] = []
        self.signature = ""

    def kept(self) -> Block:
        if self.data is not None:
            return {"type": "redacted_thinking", "data": self.data}
        return {"type": "thinking", "thinking": "".join(self.pieces), "signature": self.signature}
