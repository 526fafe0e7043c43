"""What is asked of a server, and what is made of its answer."""

from __future__ import annotations

import pytest

from carrier_core import ActionCall, Finish, Part, Prompt, PromptMessage, Tool, Usage
from carrier_provider_openai.provider import OpenAIProvider

pytestmark = pytest.mark.anyio

HELLO = Prompt((PromptMessage("user", (Part("hello"),)),))


def provider_at(url: str, key: str, **settings) -> OpenAIProvider:
    return OpenAIProvider(api_key=key, base_url=url, **settings)


async def test_a_compatible_server_gets_one_system_message_in_front(serve, kit):
    def line(role: str, text: str) -> PromptMessage:
        return PromptMessage(role, (Part(text),))

    said = (
        line("system", "You are Tifa."),
        line("user", "hi"),
        line("assistant", "Hello!"),
        line("assistant", ""),
    )
    async with serve(kit.events(kit.chunk(finish="stop"))) as server:
        provider = provider_at(server.url, kit.key)
        prompt = Prompt((*said, line("system", "It is noon."), line("user", "so?")))
        await provider.generate(prompt, "llama", lambda piece: None)
        await provider.close()
    assert [(message["role"], message["content"]) for message in server.requests[0]["messages"]] == [
        ("system", "You are Tifa.\nIt is noon."),
        ("user", "hi"),
        ("assistant", "Hello!"),
        ("user", "so?"),
    ]


async def test_what_is_sent_to_a_compatible_server(serve, kit):
    async with serve(kit.events(kit.chunk({"content": "Hi"}), kit.chunk(finish="stop"))) as server:
        provider = OpenAIProvider(base_url=server.url)  # which needs no key
        prompt = Prompt(HELLO.messages, (Tool("ping", "Ping.", {"type": "object"}),), max_tokens=5, temperature=0.5)
        completion = await provider.generate(prompt, "llama", lambda piece: None)
        await provider.close()
    (request,) = server.requests
    assert completion.text == "Hi"
    assert server.heads[0].startswith("POST /v1/chat/completions")
    assert request["stream_options"] == {"include_usage": True}
    assert (request["max_tokens"], request["temperature"]) == (5, 0.5)
    assert request["tools"][0]["function"] == {
        "name": "ping",
        "description": "Ping.",
        "parameters": {"type": "object"},
    }


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("stop", Finish.STOP),
        ("length", Finish.LENGTH),
        ("content_filter", Finish.REFUSED),
        ("new", Finish.UNKNOWN),
    ],
)
async def test_each_reason_to_finish(serve, kit, reason, finish):
    async with serve(kit.events(kit.chunk({"content": "Hi"}), kit.chunk(finish=reason))) as server:
        provider = provider_at(server.url, kit.key)
        assert (await provider.generate(HELLO, "gpt-test", lambda piece: None)).finish is finish
        await provider.close()


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("max_output_tokens", Finish.LENGTH), ("content_filter", Finish.REFUSED), (None, Finish.UNKNOWN)],
)
async def test_each_reason_why_a_response_is_incomplete(serve, kit, reason, finish):
    usage = {"input_tokens": 9, "output_tokens": 3, "input_tokens_details": {"cached_tokens": 4}}
    end = {"status": "incomplete", "incomplete_details": {"reason": reason}, "usage": usage}
    events = [
        {"type": "response.output_text.delta", "delta": "It began", "output_index": 0},
        {"type": "response.incomplete", "response": end},
    ]
    async with serve(kit.events(*events)) as server:
        provider = provider_at(server.url, kit.key, api="responses")
        completion = await provider.generate(HELLO, "gpt-test", lambda piece: None)
        await provider.close()
    assert (completion.text, completion.finish) == ("It began", finish)
    assert completion.usage == Usage(input=9, output=3, cached=4, calls=1)


async def test_a_refusal_is_told_as_one(serve, kit):
    async with serve(kit.events(kit.chunk({"refusal": "I will not."}), kit.chunk(finish="stop"))) as server:
        provider = provider_at(server.url, kit.key)
        completion = await provider.generate(HELLO, "gpt-test", lambda piece: None)
        await provider.close()
    assert (completion.text, completion.finish) == ("I will not.", Finish.REFUSED)


async def test_calls_that_come_in_pieces(serve, kit):
    deltas = [
        {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "one", "arguments": '{"x"'}}]},
        {"tool_calls": [{"index": 1, "id": "b", "function": {"name": "two", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]},
    ]
    events = [*map(kit.chunk, deltas), kit.chunk(finish="stop")]
    async with serve(kit.events(*events)) as server:
        provider = provider_at(server.url, kit.key)
        completion = await provider.generate(HELLO, "gpt-test", lambda piece: None)
        await provider.close()
    assert [(call.id, call.name, call.arguments) for call in completion.calls] == [
        ("a", "one", {"x": 1}),
        ("b", "two", {}),
    ]
    assert completion.finish is Finish.CALLS


async def test_responses_are_not_kept_at_openai(serve, kit):
    messages = (
        PromptMessage("system", (Part("You are Tifa."),)),
        PromptMessage("user", (Part("ping?"),)),
        PromptMessage("assistant", (Part("Let me see."),), (ActionCall("a", "ping", {"x": "é"}),)),
        PromptMessage("tool", (Part("pong"),), call="a"),
    )
    done = {"type": "response.completed", "response": {"status": "completed"}}
    async with serve(kit.events(done)) as server:
        provider = provider_at(server.url, kit.key, api="responses")
        await provider.generate(
            Prompt(messages, (Tool("ping", "Ping.", {"type": "object"}),), max_tokens=50),
            "m",
            lambda piece: None,
        )
        await provider.close()
    (request,) = server.requests
    assert server.heads[0].startswith("POST /v1/responses")
    assert (request["store"], request["max_output_tokens"]) == (False, 50)
    assert [item["type"] for item in request["input"]] == ["message"] * 3 + [
        "function_call",
        "function_call_output",
    ]
    assert (request["input"][3]["arguments"], request["input"][4]["output"]) == ('{"x": "é"}', "pong")
    assert request["tools"][0]["name"] == "ping"


@pytest.mark.parametrize(
    ("base_url", "api", "used"),
    [
        ("", "auto", True),
        ("https://api.openai.com/v1", "auto", True),
        ("http://127.0.0.1:1/v1", "auto", False),
        ("http://127.0.0.1:1/v1", "responses", True),
        ("", "chat", False),
    ],
)
def test_responses_are_for_openai_itself(base_url, api, used):
    assert OpenAIProvider(base_url=base_url, api=api)._responses is used
