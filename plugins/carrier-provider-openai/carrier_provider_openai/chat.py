"""Chat Completions, streamed: what every compatible server speaks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from carrier_core import Finish, Prompt, PromptMessage, Usage
from carrier_provider_openai.answer import Answer

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types import CompletionUsage
    from openai.types.chat import (
        ChatCompletionMessageFunctionToolCallParam,
        ChatCompletionMessageParam,
        ChatCompletionToolParam,
    )

FINISH = {
    "stop": Finish.STOP,
    "tool_calls": Finish.CALLS,
    "function_call": Finish.CALLS,
    "length": Finish.LENGTH,
    "content_filter": Finish.REFUSED,
}


async def ask(client: AsyncOpenAI, prompt: Prompt, model: str, answer: Answer, *, is_openai: bool) -> None:
    """Send the prompt and read the stream to its end."""
    from openai import omit

    limit = omit if prompt.max_tokens is None else prompt.max_tokens
    stream = await client.chat.completions.create(
        model=model,
        messages=_messages(prompt.messages if is_openai else _system_first(prompt.messages)),
        tools=_tools(prompt) or omit,
        # OpenAI's newer models refuse the old name of the limit, other servers do not know the new one.
        max_completion_tokens=limit if is_openai else omit,
        max_tokens=omit if is_openai else limit,
        temperature=omit if prompt.temperature is None else prompt.temperature,
        stream=True,
        stream_options={"include_usage": True},
    )
    async with stream:
        async for chunk in stream:
            if chunk.usage is not None:
                answer.usage = _usage(chunk.usage)
            for choice in chunk.choices or ():
                if choice.delta is not None:
                    answer.add_text(choice.delta.content)
                    answer.add_text(choice.delta.refusal)
                    answer.refused = answer.refused or bool(choice.delta.refusal)
                    for call in choice.delta.tool_calls or ():
                        function = call.function
                        answer.add_call(
                            call.index or 0,
                            call.id,
                            function.name if function else None,
                            function.arguments if function else None,
                        )
                if choice.finish_reason:
                    answer.finish = FINISH.get(choice.finish_reason, Finish.UNKNOWN)


def _system_first(messages: tuple[PromptMessage, ...]) -> tuple[PromptMessage, ...]:
    """The messages with one system message, in front: the templates of many models take no other."""
    system = tuple(part for message in messages if message.role == "system" for part in message.parts)
    others = tuple(message for message in messages if message.role != "system")
    return (PromptMessage("system", system), *others) if system else others


def _messages(messages: tuple[PromptMessage, ...]) -> list[ChatCompletionMessageParam]:
    return [message for given in messages for message in _message(given)]


def _message(message: PromptMessage) -> list[ChatCompletionMessageParam]:
    """One message in the protocol's form; none for an assistant's that neither said nor called anything."""
    if message.role == "system":
        return [{"role": "system", "content": message.text}]
    if message.role == "tool":
        return [{"role": "tool", "tool_call_id": message.call, "content": message.text}]
    if message.role == "user":
        return [{"role": "user", "content": message.text}]
    calls: list[ChatCompletionMessageFunctionToolCallParam] = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": json.dumps(call.arguments, ensure_ascii=False)},
        }
        for call in message.calls
    ]
    if calls:
        return [{"role": "assistant", "content": message.text or None, "tool_calls": calls}]
    return [{"role": "assistant", "content": message.text}] if message.text else []


def _tools(prompt: Prompt) -> list[ChatCompletionToolParam]:
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": dict(tool.parameters),
            },
        }
        for tool in prompt.tools
    ]


def _usage(usage: CompletionUsage) -> Usage:
    details = usage.prompt_tokens_details
    cached = (details.cached_tokens or 0) if details is not None else 0
    return Usage(usage.prompt_tokens or 0, usage.completion_tokens or 0, cached, 1)
