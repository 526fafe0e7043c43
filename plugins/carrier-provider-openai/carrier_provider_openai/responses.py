"""Responses, streamed, with nothing stored there: OpenAI's own protocol.

Its current models take no tools through Chat Completions unless their reasoning is switched off.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from carrier_core import Finish, Json, Prompt, PromptMessage
from carrier_core.providing import Answer
from carrier_provider_openai import content
from carrier_provider_openai.faults import BrokenOff
from carrier_provider_openai.strict import is_strict
from carrier_provider_openai.thoughts import Thoughts, thoughts_of
from carrier_provider_openai.usage import usage

if TYPE_CHECKING:
    from openai import AsyncOpenAI, AsyncStream
    from openai.types.responses import (
        FunctionToolParam,
        Response,
        ResponseInputItemParam,
        ResponseInputMessageContentListParam,
        ResponseOutputItem,
        ResponseStreamEvent,
        ResponseTextConfigParam,
    )

# Of the kinds that come in every answer; what is in them does not matter.
_ITEMS: tuple[dict[str, Json], ...] = (
    {"type": "reasoning", "id": "", "summary": []},
    {
        "type": "message",
        "id": "",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "", "annotations": []}],
    },
    {"type": "function_call", "call_id": "", "name": "", "arguments": ""},
)

FINISH = {"max_output_tokens": Finish.LENGTH, "content_filter": Finish.REFUSED}


async def ask(
    client: AsyncOpenAI, prompt: Prompt, model: str, *, is_openai: bool, images: bool
) -> AsyncStream[ResponseStreamEvent]:
    """Send the prompt; returns the stream of the answer."""
    from openai import omit

    effort = content.EFFORTS.get(prompt.effort)
    said = [item for message in prompt.messages for item in _items(message, model, images)]
    tools = {"tools": _tools(prompt)} if prompt.tools else {}
    thinks = effort not in (None, "none")  # a model that cannot would refuse to include what it thought
    return await client.responses.create(
        model=model,
        extra_body={"input": said, **tools},  # which the SDK sends as they are, and does not copy bit by bit for 9 ms
        text=omit if prompt.schema is None else _format(prompt.schema),
        max_output_tokens=omit if prompt.max_tokens is None else prompt.max_tokens,
        temperature=omit if prompt.temperature is None else prompt.temperature,
        reasoning=omit if effort is None else {"effort": effort},
        include=["reasoning.encrypted_content"] if is_openai and thinks else omit,
        store=False,
        stream=True,
    )


def prepare(client: AsyncOpenAI) -> None:
    """Have the SDK make the types of its events. It would do so with the first one, for most of a second, in which no other
    room could go on; this is called in a thread."""
    import httpx2
    from openai import Stream
    from openai.types.responses import ResponseStreamEvent

    _ = client.responses  # which it imports then
    tools = [{"type": "function", "name": "", "parameters": {}}]
    response = {
        "output": _ITEMS,
        "tools": tools,
        "tool_choice": "auto",
        "text": {"format": {"type": "text"}},
        "usage": {},
    }
    items = [{"type": "response.output_item.done", "item": item} for item in _ITEMS]
    events = [{"type": "response.output_text.delta"}, *items, {"type": "response.completed", "response": response}]
    content = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
    with suppress(Exception):  # without it the first answer is a little later, and that is all
        stream: Stream[object] = Stream(
            cast_to=cast("Any", ResponseStreamEvent),
            response=httpx2.Response(200, content=content.encode()),
            client=cast("Any", client),
        )
        for _event in stream:
            pass


class Reading:
    """Takes what each event of the stream brings."""

    def __init__(self, answer: Answer, provider: str, model: str) -> None:
        self._answer = answer
        self._thoughts = Thoughts(provider, model)
        self._calls = 0
        self._speaking: int | None = None

    def take(self, event: ResponseStreamEvent) -> bool:
        """One event. True if it was the last one that matters."""
        if event.type == "response.output_text.delta" or event.type == "response.refusal.delta":
            self._say(event.output_index, event.delta)
        elif event.type == "response.output_item.done":
            self._item(event.item)
        elif event.type == "response.completed" or event.type == "response.incomplete":
            self._end(event.response)
            return True
        elif event.type == "response.failed":
            error = event.response.error
            raise BrokenOff(error.code if error else None, error.message if error else None)
        elif event.type == "error":
            raise BrokenOff(event.code, event.message)
        return False

    def _say(self, index: int, piece: str) -> None:
        if self._speaking is not None and index != self._speaking:
            self._answer.add_text("\n\n")  # what it said before it thought, or called, and after
        self._speaking = index
        self._answer.add_text(piece)

    def _item(self, item: ResponseOutputItem) -> None:
        """A part of the answer that is whole."""
        if item.type == "function_call":
            self._thoughts.passed(call=True)
            self._answer.add_call(self._calls, item.call_id, item.name, item.arguments)
            self._calls += 1
        elif item.type == "message":
            self._thoughts.passed(phase=item.phase)
            self._answer.refused = self._answer.refused or any(part.type == "refusal" for part in item.content or ())
        elif item.type == "reasoning":
            self._thoughts.add(item.to_dict())

    def _end(self, response: Response) -> None:
        answer = self._answer
        answer.finish = _finish(response)
        answer.carry = self._thoughts.carry()
        told = response.usage
        if told is not None:
            answer.usage = usage(told.input_tokens, told.output_tokens, told.input_tokens_details)


def _finish(response: Response) -> Finish:
    if response.status == "completed":
        return Finish.STOP
    details = response.incomplete_details
    return FINISH.get(details.reason or "", Finish.UNKNOWN) if details is not None else Finish.UNKNOWN


def _items(message: PromptMessage, model: str, images: bool) -> list[ResponseInputItemParam]:
    """One message in the protocol's form: what was said, and each call, are items of their own."""
    if message.role == "tool":
        return [{"type": "function_call_output", "call_id": message.call, "output": content.result(message)}]
    if message.role == "system":
        return [{"type": "message", "role": "system", "content": message.text}]
    if message.role == "user":
        return [{"type": "message", "role": "user", "content": _said(message) if images else message.text}]
    items: list[ResponseInputItemParam] = []
    if message.text:
        items.append({"type": "message", "role": "assistant", "content": message.text})
    for call in message.calls:
        written = content.arguments(call)
        items.append({"type": "function_call", "call_id": call.id, "name": call.name, "arguments": written})
    return items if message.carry is None else thoughts_of(message.carry, model, items)


def _said(message: PromptMessage) -> str | ResponseInputMessageContentListParam:
    pieces = content.pieces(message)
    if len(pieces) == 1 and pieces[0][0] == "text":
        return pieces[0][1]
    return [
        {"type": "input_text", "text": piece}
        if kind == "text"
        else {"type": "input_image", "image_url": piece, "detail": "auto"}
        for kind, piece in pieces
    ]


def _tools(prompt: Prompt) -> list[FunctionToolParam]:
    return [
        {
            "type": "function",
            "name": tool.name,
            "description": tool.description,
            "parameters": dict(tool.parameters),
            "strict": is_strict(tool.parameters),  # without a word OpenAI would make it so, and the schema another
        }
        for tool in prompt.tools
    ]


def _format(schema: Mapping[str, Json]) -> ResponseTextConfigParam:
    return {"format": {"type": "json_schema", "name": "answer", "schema": dict(schema), "strict": is_strict(schema)}}
