"""Responses, streamed, with nothing stored there: OpenAI's own protocol.

Its current models take no tools through Chat Completions unless their reasoning is switched off.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from carrier_core import Finish, Prompt, PromptMessage, Usage
from carrier_provider_openai.answer import Answer
from carrier_provider_openai.faults import BrokenOff

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types.responses import (
        FunctionToolParam,
        Response,
        ResponseInputItemParam,
        ResponseStreamEvent,
        ResponseUsage,
    )
    from openai.types.responses.response_usage import InputTokensDetails

FINISH = {"max_output_tokens": Finish.LENGTH, "content_filter": Finish.REFUSED}


async def ask(client: AsyncOpenAI, prompt: Prompt, model: str, answer: Answer) -> None:
    """Send the prompt and read the stream to its end."""
    from openai import omit

    stream = await client.responses.create(
        model=model,
        input=[item for message in prompt.messages for item in _items(message)],
        tools=_tools(prompt) or omit,
        max_output_tokens=omit if prompt.max_tokens is None else prompt.max_tokens,
        temperature=omit if prompt.temperature is None else prompt.temperature,
        store=False,
        stream=True,
    )
    async with stream:
        async for event in stream:
            _read(event, answer)


def _read(event: ResponseStreamEvent, answer: Answer) -> None:
    """Take what one event of the stream brings."""
    if event.type == "response.output_text.delta" or event.type == "response.refusal.delta":
        answer.add_text(event.delta)
    elif event.type == "response.output_item.done":
        if event.item.type == "function_call":
            answer.add_call(event.output_index, event.item.call_id, event.item.name, event.item.arguments)
        elif event.item.type == "message" and any(part.type == "refusal" for part in event.item.content):
            answer.refused = True
    elif event.type == "response.completed" or event.type == "response.incomplete":
        answer.finish = _finish(event.response)
        if event.response.usage is not None:
            answer.usage = _usage(event.response.usage)
    elif event.type == "response.failed":
        error = event.response.error
        raise BrokenOff(error.code if error else None, error.message if error else None)
    elif event.type == "error":
        raise BrokenOff(event.code, event.message)


def _finish(response: Response) -> Finish:
    if response.status == "completed":
        return Finish.STOP
    details = response.incomplete_details
    return FINISH.get(details.reason or "", Finish.UNKNOWN) if details is not None else Finish.UNKNOWN


def _items(message: PromptMessage) -> list[ResponseInputItemParam]:
    """One message in the protocol's form: what was said, and each call, are items of their own."""
    if message.role == "tool":
        return [{"type": "function_call_output", "call_id": message.call, "output": message.text}]
    if message.role == "system":
        return [{"type": "message", "role": "system", "content": message.text}]
    if message.role == "user":
        return [{"type": "message", "role": "user", "content": message.text}]
    items: list[ResponseInputItemParam] = []
    if message.text:
        items.append({"type": "message", "role": "assistant", "content": message.text})
    for call in message.calls:
        arguments = json.dumps(call.arguments, ensure_ascii=False)
        items.append({"type": "function_call", "call_id": call.id, "name": call.name, "arguments": arguments})
    return items


def _tools(prompt: Prompt) -> list[FunctionToolParam]:
    # Not strict: the strict mode wants every property to be required, which is not what a schema says.
    return [
        {
            "type": "function",
            "name": tool.name,
            "description": tool.description,
            "parameters": dict(tool.parameters),
            "strict": False,
        }
        for tool in prompt.tools
    ]


def _usage(usage: ResponseUsage) -> Usage:
    details: InputTokensDetails | None = usage.input_tokens_details  # which some servers leave out
    cached = details.cached_tokens if details is not None else 0
    return Usage(usage.input_tokens, usage.output_tokens, cached, 1)
