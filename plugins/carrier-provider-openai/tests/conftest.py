"""What the tests of this plugin share: an independent server, and the two protocols as a server of ours speaks them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from carrier_core import Completion, Part, Prompt, PromptMessage
from carrier_core.testing import Aimock, running_aimock
from carrier_provider_openai.provider import OpenAIProvider
from carrier_provider_openai.server import Server

KEY = "sk-test-0123456789"

SLOW_DOWN = {"message": "Slow down", "type": "rate_limit_error", "code": "rate_limit_exceeded"}
USED = {"prompt_tokens": 11, "completion_tokens": 7, "input_tokens": 11, "output_tokens": 7}
FIXTURES = {
    "fixtures": [
        {
            "match": {"userMessage": "hello"},
            "response": {"content": "Hello from afar! It is good to hear from you.", "usage": USED},
        },
        {
            "match": {"userMessage": "weather", "hasToolResult": False},
            "response": {"toolCalls": [{"name": "get_weather", "arguments": '{"city": "Porto", "days": 2}'}]},
        },
        {
            "match": {"userMessage": "weather", "toolResultContains": "rain"},
            "response": {"content": "Take an umbrella."},
        },
        {
            "match": {"userMessage": "both cities", "hasToolResult": False},
            "response": {
                "toolCalls": [
                    {"name": "get_weather", "arguments": '{"city": "Porto"}'},
                    {"name": "get_weather", "arguments": '{"city": "Faro"}'},
                ]
            },
        },
        {"match": {"userMessage": "the sea"}, "response": {"content": "A" + "🌊" * 50}},
        {"match": {"userMessage": "both cities"}, "response": {"content": "Rain here, sun there."}},
        {"match": {"userMessage": "hurry"}, "response": {"error": SLOW_DOWN, "status": 429, "retryAfter": 7}},
        {"match": {"model": "embedder"}, "response": {"embedding": [0.25, -0.5, 1.0]}},
    ]
}

Event = dict[str, Any]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def aimock() -> Iterator[Aimock]:
    """`@copilotkit/aimock`, a server that we have not written."""
    with running_aimock(FIXTURES, key=KEY) as server:
        yield server


class Chat:
    """Events of Chat Completions."""

    api = "chat"
    path = "/v1/chat/completions"
    finishes = {"stop": "stop", "calls": "tool_calls", "length": "length"}

    def text(self, piece: str) -> Event:
        return self.chunk({"content": piece})

    def call(self, arguments: str, *, id: str = "call-a", name: str = "get_weather", number: int = 0) -> Event:
        function = {"name": name, "arguments": arguments}
        return self.chunk({"tool_calls": [{"index": number, "id": id, "type": "function", "function": function}]})

    def end(self, finish: str = "stop") -> list[Event]:
        usage = {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12}
        details = {"prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2}}
        return [self.chunk({}, self.finishes.get(finish, finish)), self.bare(usage=usage | details)]

    def chunk(self, delta: Event, finish: str | None = None) -> Event:
        return self.bare(choices=[{"index": 0, "delta": delta, "finish_reason": finish}])

    def bare(self, **fields: object) -> Event:
        return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], **fields}


class Responses:
    """Events of Responses."""

    api = "responses"
    path = "/v1/responses"

    def text(self, piece: str, number: int = 0) -> Event:
        return {"type": "response.output_text.delta", "delta": piece, "output_index": number, "content_index": 0}

    def call(self, arguments: str, *, id: str = "call-a", name: str = "get_weather", number: int = 0) -> Event:
        return self.item({"type": "function_call", "call_id": id, "name": name, "arguments": arguments}, number)

    def item(self, item: Event, number: int = 0) -> Event:
        return {"type": "response.output_item.done", "output_index": number, "item": item}

    def end(self, finish: str = "stop") -> list[Event]:
        details = {"input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 2}}
        usage = {"input_tokens": 9, "output_tokens": 3, "total_tokens": 12} | details
        if finish in ("stop", "calls"):
            return [{"type": "response.completed", "response": {"status": "completed", "usage": usage}}]
        reason = {"length": "max_output_tokens"}.get(finish, finish)
        response = {"status": "incomplete", "incomplete_details": {"reason": reason}, "usage": usage}
        return [{"type": "response.incomplete", "response": response}]


@pytest.fixture(params=[Chat, Responses], ids=["chat", "responses"])
def protocol(request: pytest.FixtureRequest) -> Chat | Responses:
    """One protocol, then the other."""
    made: Chat | Responses = request.param()
    return made


@pytest.fixture
def chat() -> Chat:
    return Chat()


@pytest.fixture
def responses() -> Responses:
    return Responses()


@pytest.fixture
def key() -> str:
    return KEY


@pytest.fixture
async def connect(anyio_backend: str) -> AsyncIterator[Callable[..., OpenAIProvider]]:
    """``connect(url, api=...)``: a provider for a server of the test, closed after it. Other keywords are the server's."""
    made: list[OpenAIProvider] = []

    def connect(
        url: str, *, api: str = "chat", images: bool = True, as_openai: bool = False, **server: Any
    ) -> OpenAIProvider:
        there = Server(**{"base_url": f"{url}/v1", "key": KEY, **server})
        there.is_openai = as_openai
        made.append(OpenAIProvider(there, api=api, images=images))
        return made[-1]

    yield connect
    for provider in made:
        await provider.close()


@pytest.fixture
def ask() -> Callable[..., Any]:
    """``await ask(provider, prompt)``: its completion; of a greeting, where there is no prompt."""

    async def ask(provider: OpenAIProvider, prompt: Prompt | str = "hello", model: str = "gpt-test") -> Completion:
        if isinstance(prompt, str):
            prompt = Prompt((PromptMessage("user", (Part(prompt),)),))
        return await provider.generate(prompt, model, lambda piece: None)

    return ask
