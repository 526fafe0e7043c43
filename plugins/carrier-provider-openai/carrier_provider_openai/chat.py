"""Chat Completions, streamed: what every compatible server speaks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from carrier_core import Finish, Json, Prompt, PromptMessage
from carrier_core.providing import Answer
from carrier_provider_openai import content
from carrier_provider_openai.open_thoughts import GivenBack, OpenThoughts
from carrier_provider_openai.strict import is_strict
from carrier_provider_openai.usage import usage

if TYPE_CHECKING:
    from openai import AsyncOpenAI, AsyncStream
    from openai.types.chat import (
        ChatCompletionAssistantMessageParam,
        ChatCompletionChunk,
        ChatCompletionContentPartParam,
        ChatCompletionFunctionToolParam,
        ChatCompletionMessageParam,
    )
    from openai.types.shared_params import FunctionDefinition, ResponseFormatJSONSchema

FINISH = {
    "stop": Finish.STOP,
    "tool_calls": Finish.CALLS,
    "function_call": Finish.CALLS,
    "length": Finish.LENGTH,
    "content_filter": Finish.REFUSED,
}


async def ask(
    client: AsyncOpenAI, prompt: Prompt, model: str, *, is_openai: bool, images: bool, wanted: str = ""
) -> AsyncStream[ChatCompletionChunk]:
    """Send the prompt; returns the stream of the answer. ``wanted`` is the field of thoughts that the server refuses to do
    without."""
    from openai import omit

    limit = omit if prompt.max_tokens is None else prompt.max_tokens
    messages = prompt.messages if is_openai else _system_first(prompt.messages)
    given_back = GivenBack(messages, model, wanted=wanted)
    said = [given for message in messages for given in _message(message, images, given_back)]
    tools = {"tools": _tools(prompt, is_openai)} if prompt.tools else {}
    return await client.chat.completions.create(
        model=model,
        messages=[],
        extra_body={
            "messages": said,
            **tools,
        },  # which the SDK sends as they are, and does not copy bit by bit for 3 ms
        response_format=omit if prompt.schema is None else _format(prompt.schema),
        # OpenAI's newer models refuse the old name of the limit, other servers do not know the new one.
        max_completion_tokens=limit if is_openai else omit,
        max_tokens=omit if is_openai else limit,
        temperature=omit if prompt.temperature is None else prompt.temperature,
        reasoning_effort=content.EFFORTS.get(prompt.effort) or omit,
        stream=True,
        stream_options={"include_usage": True},
    )


def prepare(client: AsyncOpenAI) -> None:
    """Have the SDK import what it needs for the first answer. This is called in a thread."""
    _ = client.chat.completions


class Reading:
    """Takes what each chunk of the stream brings."""

    def __init__(self, answer: Answer, provider: str, model: str) -> None:
        self._answer = answer
        self._thoughts = OpenThoughts(provider, model)
        self._calls: dict[int, tuple[int, str]] = {}  # by the server's index: the number of a call, and its id
        self._count = 0

    def take(self, chunk: ChatCompletionChunk) -> bool:
        """One chunk. True if it was the last one that matters: usage comes after the reason to finish, or with it."""
        answer = self._answer
        if chunk.usage is not None:
            told = chunk.usage
            answer.usage = usage(told.prompt_tokens, told.completion_tokens, told.prompt_tokens_details)
        for choice in chunk.choices or ():
            delta = choice.delta
            if delta is not None:
                if delta.model_extra:
                    self._thoughts.add(delta.model_extra)
                answer.add_text(delta.content)
                if delta.refusal:
                    answer.add_text(delta.refusal)
                    answer.refused = True
                for call in delta.tool_calls or ():
                    function = call.function
                    name, written = (function.name, function.arguments) if function else (None, None)
                    number = self._number(call.index or 0, call.id, name)
                    answer.add_call(number, call.id, name, written)
                    if call.model_extra:
                        self._thoughts.add_to_call(number, call.model_extra)
            if choice.finish_reason:
                answer.carry = self._thoughts.carry(self._count)
                answer.finish = FINISH.get(choice.finish_reason, Finish.UNKNOWN)
        return chunk.usage is not None and answer.finish is not None

    def _number(self, index: int, id: str | None, name: str | None) -> int:
        """Which call a piece belongs to. Some servers give all calls of an answer one index, or none: a name with another id
        begins another call. An id alone does not: others make up a new one for every piece."""
        number, known = self._calls.get(index, (-1, ""))
        if number < 0 or (name and id and known and id != known):
            number = self._count
            self._count += 1
            self._calls[index] = (number, id or "")
        return number


def _system_first(messages: tuple[PromptMessage, ...]) -> tuple[PromptMessage, ...]:
    """The messages with one system message, in front: the templates of many models take no other."""
    system = tuple(part for message in messages if message.role == "system" for part in message.parts)
    others = tuple(message for message in messages if message.role != "system")
    return (PromptMessage("system", system), *others) if system else others


def _message(message: PromptMessage, images: bool, given_back: GivenBack) -> list[ChatCompletionMessageParam]:
    """One message in the protocol's form; none for an assistant's that neither said nor called anything."""
    if message.role == "system":
        return [{"role": "system", "content": message.text}]
    if message.role == "tool":
        return [{"role": "tool", "tool_call_id": message.call, "content": content.result(message)}]
    if message.role == "user":
        return [{"role": "user", "content": _said(message) if images else message.text}]
    calls = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": content.arguments(call)},
            **given_back.with_call(message, number),
        }
        for number, call in enumerate(message.calls)
    ]
    if calls:
        fields = given_back.with_calls(message)
        said = {"role": "assistant", "content": message.text or None, **fields, "tool_calls": calls}
        return [cast("ChatCompletionAssistantMessageParam", said)]
    if not message.text:
        return []
    said = {"role": "assistant", "content": message.text, **given_back.with_text()}
    return [cast("ChatCompletionAssistantMessageParam", said)]


def _said(message: PromptMessage) -> str | list[ChatCompletionContentPartParam]:
    """Text alone as it is, which is what every server takes."""
    pieces = content.pieces(message)
    if len(pieces) == 1 and pieces[0][0] == "text":
        return pieces[0][1]
    return [
        {"type": "text", "text": piece} if kind == "text" else {"type": "image_url", "image_url": {"url": piece}}
        for kind, piece in pieces
    ]


def _tools(prompt: Prompt, is_openai: bool) -> list[ChatCompletionFunctionToolParam]:
    tools: list[ChatCompletionFunctionToolParam] = []
    for tool in prompt.tools:
        parameters: dict[str, object] = dict(tool.parameters)
        function: FunctionDefinition = {"name": tool.name, "description": tool.description, "parameters": parameters}
        if is_openai and is_strict(tool.parameters):
            function["strict"] = True
        tools.append({"type": "function", "function": function})
    return tools


def _format(schema: Mapping[str, Json]) -> ResponseFormatJSONSchema:
    return {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": dict(schema), "strict": is_strict(schema)},
    }
