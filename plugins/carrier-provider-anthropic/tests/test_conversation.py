"""A conversation through the real SDK with a server that is not ours."""

from __future__ import annotations

import pytest

from carrier_core import Effort, Finish, Part, Prompt, PromptMessage, ProviderError, Tool
from carrier_core.testing import wire

pytestmark = pytest.mark.anyio

WEATHER = Tool("get_weather", "The weather of a city.", {"type": "object", "properties": {"city": {"type": "string"}}})


def said(text: str, *more: PromptMessage, **settings) -> Prompt:
    system = PromptMessage("system", (Part("You are Tifa.", stable=True), Part("It is noon.")))
    return Prompt((system, PromptMessage("user", (Part(text),)), *more), **settings)


@pytest.fixture
def provider(make, aimock):
    return make(aimock.url)


async def test_text_arrives_in_pieces_and_as_a_whole(provider):
    pieces: list[str] = []
    completion = await provider.generate(said("hello"), "claude-test", pieces.append)
    assert completion.text == "Hello from afar! It is good to hear from you."
    assert len(pieces) > 1
    assert "".join(pieces) == completion.text
    assert completion.finish is Finish.STOP
    assert (completion.usage.input, completion.usage.output, completion.usage.calls) == (11, 7, 1)


async def test_tools_are_called_and_their_results_go_back(provider):
    completion = await provider.generate(said("the weather?", tools=(WEATHER,)), "claude-test", lambda piece: None)
    assert completion.finish is Finish.CALLS
    assert [(call.name, call.arguments) for call in completion.calls] == [
        ("get_weather", {"city": "Porto"}),
        ("get_weather", {"city": "Lagos"}),
    ]
    results = [PromptMessage("tool", (Part("rain"),), call=call.id) for call in completion.calls]
    again = PromptMessage("assistant", completion.parts, completion.calls, carry=completion.carry)
    prompt = said("the weather?", again, *results, tools=(WEATHER,))
    assert (await provider.generate(prompt, "claude-test", lambda piece: None)).text == "Take an umbrella."


async def test_what_it_thinks_is_not_what_it_says(provider):
    pieces: list[str] = []
    completion = await provider.generate(said("ponder", effort=Effort.HIGH), "claude-haiku-4-5", pieces.append)
    assert (completion.text, "".join(pieces)) == ("It is 42.", "It is 42.")


async def test_the_key_is_sent_and_the_server_keeps_what_it_was_asked(provider, aimock, kit):
    await provider.generate(said("hello, journal"), "claude-test", lambda piece: None)
    request = aimock.journal()[-1]
    assert request["path"] == "/v1/messages"
    assert "hello, journal" in str(request["body"])


async def test_a_rate_limit_says_when_to_come_back(provider):
    with pytest.raises(ProviderError, match="Slow down") as caught:
        await provider.generate(said("hurry"), "claude-test", lambda piece: None)
    assert (caught.value.reason, caught.value.retry_after) == ("rate_limit", 7)


async def test_a_wrong_key_names_the_variable_to_set(make, aimock):
    with pytest.raises(ProviderError, match="ANTHROPIC_API_KEY") as caught:
        await make(aimock.url, api_key="sk-wrong-9876543210").generate(said("hello"), "claude-test", lambda piece: None)
    assert caught.value.reason == "auth"
    assert "claude-test" in str(caught.value)
    assert "sk-wrong" not in str(caught.value)


async def test_a_closed_provider_opens_new_connections(provider):
    assert (await provider.generate(said("hello"), "claude-test", lambda piece: None)).text
    await provider.close()
    assert (await provider.generate(said("hello"), "claude-test", lambda piece: None)).text


async def test_the_v1_of_an_address_may_be_there_or_not(make, kit):
    async with wire.serve(kit.events(kit.answer("Hi"))) as server:
        for url in (server.url, f"{server.url}/", f"{server.url}/v1", f"{server.url}/v1/"):
            await make(url).generate(kit.hello, "claude-test", lambda piece: None)
    assert {head.splitlines()[0] for head in server.heads} == {"POST /v1/messages HTTP/1.1"}
    assert all(f"Bearer {kit.key}" in head for head in server.heads)
