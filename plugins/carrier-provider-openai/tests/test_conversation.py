"""A conversation through the real SDK with a server that is not ours."""

from __future__ import annotations

import pytest

from carrier_core import ActionCall, Finish, Part, Prompt, PromptMessage, ProviderError, Tool

pytestmark = pytest.mark.anyio

WEATHER = Tool(
    "get_weather",
    "The weather of a city.",
    {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}},
)


def said(text: str, *more: PromptMessage, tools: tuple[Tool, ...] = ()) -> Prompt:
    system = PromptMessage("system", (Part("You are Tifa.", key="character"), Part("It is noon.", key="time")))
    return Prompt((system, PromptMessage("user", (Part(text),)), *more), tools)


@pytest.fixture(params=["chat", "responses"])
def provider(request, aimock, connect):
    return connect(aimock.url, api=request.param)


async def test_text_arrives_in_pieces_and_as_a_whole(provider):
    pieces: list[str] = []
    completion = await provider.generate(said("hello"), "gpt-test", pieces.append)
    assert completion.text == "Hello from afar! It is good to hear from you."
    assert len(pieces) > 1
    assert "".join(pieces) == completion.text
    assert completion.finish is Finish.STOP
    assert (completion.provider, completion.model) == ("openai", "gpt-test")
    assert (completion.usage.input, completion.usage.output, completion.usage.calls) == (11, 7, 1)


async def test_characters_that_the_server_cuts_in_two_are_whole(provider):
    pieces: list[str] = []
    completion = await provider.generate(said("the sea?"), "gpt-test", pieces.append)
    assert completion.text == "A" + "🌊" * 50
    assert "".join(pieces).encode().decode() == completion.text


async def test_a_tool_is_called_and_its_result_goes_back(provider):
    asked = said("the weather?", tools=(WEATHER,))
    completion = await provider.generate(asked, "gpt-test", lambda piece: None)
    (call,) = completion.calls
    assert completion.finish is Finish.CALLS
    assert (call.name, call.arguments) == ("get_weather", {"city": "Porto", "days": 2})

    answered = said(
        "the weather?",
        PromptMessage("assistant", (), (ActionCall(call.id, call.name, call.arguments),)),
        PromptMessage("tool", (Part("Porto: rain."),), call=call.id),
        tools=(WEATHER,),
    )
    completion = await provider.generate(answered, "gpt-test", lambda piece: None)
    assert completion.text == "Take an umbrella."
    assert completion.calls == ()


async def test_a_rate_limit_says_when_to_come_back(provider):
    with pytest.raises(ProviderError, match="Slow down") as caught:
        await provider.generate(said("hurry"), "gpt-test", lambda piece: None)
    assert caught.value.reason == "rate_limit"
    assert caught.value.retry_after == 7


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_a_wrong_key_names_the_variable_to_set(aimock, connect, api):
    with pytest.raises(ProviderError, match="OPENAI_API_KEY") as caught:
        await connect(aimock.url, api=api, key="sk-wrong-9876543210").generate(said("hello"), "gpt-test", str)
    assert caught.value.reason == "auth"
    assert "gpt-test" in str(caught.value)
    assert "sk-wrong" not in str(caught.value)


async def test_two_calls_at_once_and_their_results(provider):
    asked = said("both cities?", tools=(WEATHER,))
    completion = await provider.generate(asked, "gpt-test", lambda piece: None)
    assert [call.arguments for call in completion.calls] == [{"city": "Porto"}, {"city": "Faro"}]
    assert len({call.id for call in completion.calls}) == 2
    results = (
        PromptMessage("assistant", (), completion.calls, carry=completion.carry),
        *(PromptMessage("tool", (Part("fine"),), call=call.id) for call in completion.calls),
    )
    answered = said("both cities?", *results, tools=(WEATHER,))
    completion = await provider.generate(answered, "gpt-test", lambda piece: None)
    assert completion.text == "Rain here, sun there."
