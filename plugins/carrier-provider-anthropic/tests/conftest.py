"""The API as the tests of this plugin play it: what it says, event by event, and what it takes."""

from __future__ import annotations

import re
from collections import Counter
from itertools import count, pairwise

import pytest

from carrier_core import Part, Prompt, PromptMessage
from carrier_core.testing import running_aimock, wire
from carrier_provider_anthropic.provider import AnthropicProvider

KEY = "sk-ant-test-0123456789"

FIXTURES = {
    "fixtures": [
        {
            "match": {"userMessage": "weather", "hasToolResult": False},
            "response": {
                "content": "Let me see.",
                "toolCalls": [
                    {"name": "get_weather", "arguments": '{"city": "Porto"}'},
                    {"name": "get_weather", "arguments": '{"city": "Lagos"}'},
                ],
                "usage": {"input_tokens": 20, "output_tokens": 9},
            },
        },
        {"match": {"toolResultContains": "rain"}, "response": {"content": "Take an umbrella."}},
        {
            "match": {"userMessage": "ponder"},
            "response": {"content": "It is 42.", "reasoning": "Six by nine?", "reasoningSignature": "signed"},
        },
        {
            "match": {"userMessage": "hurry"},
            "response": {
                "error": {"message": "Slow down", "type": "rate_limit_error", "code": "rate_limit_exceeded"},
                "status": 429,
                "retryAfter": 7,
            },
        },
        {
            "match": {"userMessage": ""},
            "response": {
                "content": "Hello from afar! It is good to hear from you.",
                "usage": {"input_tokens": 11, "output_tokens": 7},
            },
        },
    ]
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def aimock():
    """`@copilotkit/aimock`, a server that we have not written."""
    with running_aimock(FIXTURES, key=KEY) as server:
        yield server


@pytest.fixture
async def make(anyio_backend):
    """Makes providers, and closes them in the end."""
    made = []

    def make(url: str, **settings) -> AnthropicProvider:
        made.append(AnthropicProvider(base_url=url, **{"api_key": KEY, **settings}))
        return made[-1]

    yield make
    for provider in made:
        await provider.close()


@pytest.fixture
def sent(make):
    """``await sent(prompt, model)``: the body of the request that a prompt is sent as."""

    async def sent(prompt: Prompt, model: str = "claude-sonnet-5-5", **settings) -> dict:
        async with wire.serve(wire.events(*answer("Hi"), named="type")) as server:
            await make(server.url, **settings).generate(prompt, model, lambda piece: None)
        (body,) = server.requests
        assert objections(body) == []
        return body

    return sent


# --- what the API says -----------------------------------------------------------------------------------------------


def begun(**usage: int) -> dict[str, object]:
    """The first event of an answer."""
    message = {"id": "msg_1", "type": "message", "role": "assistant", "content": [], "model": "m", "stop_reason": None}
    return {"type": "message_start", "message": {**message, "usage": {"input_tokens": 9, "output_tokens": 1, **usage}}}


def block(index: int, start: dict[str, object], *deltas: dict[str, object]) -> list[dict[str, object]]:
    """A block of content in its pieces."""
    pieces = [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
    end = {"type": "content_block_stop", "index": index}
    return [{"type": "content_block_start", "index": index, "content_block": start}, *pieces, end]


def text(*pieces: str, index: int = 0) -> list[dict[str, object]]:
    return block(index, {"type": "text", "text": ""}, *({"type": "text_delta", "text": piece} for piece in pieces))


def call(*arguments: str, index: int = 0, id: str = "toolu_1", name: str = "get_weather") -> list[dict[str, object]]:
    deltas = ({"type": "input_json_delta", "partial_json": piece} for piece in arguments)
    return block(index, {"type": "tool_use", "id": id, "name": name, "input": {}}, *deltas)


def thought(*pieces: str, signature: str = "signed", index: int = 0) -> list[dict[str, object]]:
    deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces]
    start = {"type": "thinking", "thinking": "", "signature": ""}
    return block(index, start, *deltas, {"type": "signature_delta", "signature": signature})


def ended(reason: str | None = "end_turn", **usage: int) -> list[dict[str, object]]:
    """The last events of an answer."""
    delta = {"stop_reason": reason, "stop_sequence": None}
    return [
        {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 3, **usage}},
        {"type": "message_stop"},
    ]


def answer(*pieces: str, reason: str = "end_turn") -> list[dict[str, object]]:
    """A whole answer of text."""
    return [begun(), *text(*pieces), *ended(reason)]


def failure(kind: str, message: str = "It went wrong.", **details: str) -> dict[str, object]:
    """What the API says when it refuses a request, and in a stream when it breaks off."""
    return {"type": "error", "error": {"type": kind, "message": message, "details": details or None}}


# --- what the API takes ----------------------------------------------------------------------------------------------


def objections(body: dict) -> list[str]:
    """What the API would refuse in a request; https://platform.claude.com/docs, as far as a prompt can break its rules."""
    found = []
    messages, tools = body["messages"], body.get("tools", [])
    blocks = [block for message in messages for block in message["content"]]
    roles = [message["role"] for message in messages]
    if roles[0] != "user" or roles[-1] == "assistant":
        found.append(f"it begins with {roles[0]} and ends with {roles[-1]}")
    for (before, after), following in zip(pairwise([*roles, ""]), [*roles[2:], "", ""], strict=False):
        if before == after or (after == "system" and (before != "user" or following == "user")):
            found.append(f"{after} comes after {before} and before {following}")
    found += [f"blank text in {message}" for message in messages if not message["content"]]
    texts = [*body.get("system", []), *(block for block in blocks if block["type"] == "text")]
    found += ["a blank text" for block in texts if not block["text"].strip()]
    names = [tool["name"] for tool in tools] + [block["name"] for block in blocks if block["type"] == "tool_use"]
    ids = [block["id"] for block in blocks if block["type"] == "tool_use"]
    found += [f"the name {name}" for name in (*names, *ids) if not re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name)]
    found += [f"{name} is there twice" for name, times in Counter(tool["name"] for tool in tools).items() if times > 1]
    found += [f"the id {id} is there twice" for id, times in Counter(ids).items() if times > 1]
    for message, following in zip(messages, [*messages[1:], {"content": []}], strict=True):
        called = {block["id"] for block in message["content"] if block["type"] == "tool_use"}
        results = [block for block in following["content"] if block["type"] == "tool_result"]
        if called != {result["tool_use_id"] for result in results} or len(results) != len(called):
            found.append(f"{called} have the results {results}")
        if following["content"][: len(results)] != results:
            found.append("the results do not come first")
    marked = [block for block in (*tools, *body.get("system", []), *blocks) if "cache_control" in block]
    if len(marked) > 4 or any(
        block["type"] in ("thinking", "redacted_thinking") for block in marked if "type" in block
    ):
        found.append(f"cache marks at {marked}")
    return found


class Kit:
    """For the tests, which cannot import this file."""

    key = KEY
    begun = staticmethod(begun)
    block = staticmethod(block)
    text = staticmethod(text)
    call = staticmethod(call)
    thought = staticmethod(thought)
    ended = staticmethod(ended)
    answer = staticmethod(answer)
    failure = staticmethod(failure)
    objections = staticmethod(objections)
    numbers = count(1)

    hello = Prompt((PromptMessage("user", (Part("hello"),)),))

    @staticmethod
    def line(role: str, text: str, **more) -> PromptMessage:
        return PromptMessage(role, (Part(text),), **more)

    @staticmethod
    def events(*said: list | dict, end: str = "clean", **more):
        """Answers with these events, and lists of them."""
        flat = [event for each in said for event in (each if isinstance(each, list) else [each])]
        return wire.events(*flat, named="type", end=end, **more)

    @staticmethod
    def said(body: dict) -> list[tuple[str, ...]]:
        """Who says what in a request, without anything else."""
        return [
            (message["role"], *(block.get("text") or block["type"] for block in message["content"]))
            for message in body["messages"]
        ]


@pytest.fixture
def kit() -> type[Kit]:
    return Kit
