"""Servers that misbehave: each fault has a reason, names what it is about, and says what to do."""

from __future__ import annotations

import logging
import traceback

import anyio
import pytest

from carrier_core import Part, Prompt, PromptMessage, ProviderError
from carrier_provider_openai.provider import OpenAIProvider

pytestmark = pytest.mark.anyio

HELLO = Prompt((PromptMessage("user", (Part("hello"),)),))


async def fails(provider: OpenAIProvider, prompt: Prompt = HELLO) -> ProviderError:
    pieces: list[str] = []
    with pytest.raises(ProviderError) as caught:
        await provider.generate(prompt, "gpt-test", pieces.append)
    await provider.close()
    assert caught.value.message.startswith("openai")
    assert "gpt-test" in caught.value.message
    assert caught.value.remedy
    return caught.value


def provider_at(url: str, key: str, **settings) -> OpenAIProvider:
    return OpenAIProvider(api_key=key, base_url=url, **settings)


@pytest.mark.parametrize(
    ("code", "error", "reason"),
    [
        (400, {"message": "Too long.", "code": "context_length_exceeded"}, "invalid"),
        (400, {"message": "Not this.", "code": "content_filter"}, "refused"),
        (401, {"message": "Wrong key."}, "auth"),
        (403, {"message": "Not you."}, "auth"),
        (404, {"message": "No such model.", "code": "model_not_found"}, "invalid"),
        (408, {"message": "Too slow."}, "timeout"),
        (429, {"message": "No money.", "code": "insufficient_quota"}, "rate_limit"),
        (500, {"message": "Ouch."}, "server"),
        (502, {"message": "Ouch."}, "server"),
        (503, {"message": "Too many."}, "overloaded"),
        (529, {"message": "Too many."}, "overloaded"),
    ],
)
async def test_each_status_has_a_reason(serve, kit, code, error, reason):
    async with serve(kit.status(code, {"error": error})) as server:
        fault = await fails(provider_at(server.url, kit.key))
    assert fault.reason == reason
    assert error["message"].rstrip(".") in fault.message
    assert len(server.requests) == 1  # whether to try again is the host's decision


@pytest.mark.parametrize(("header", "least", "most"), [("2.5", 2.5, 2.5), ("Fri, 01 Jan 2100 00:00:00 GMT", 1e8, 1e11)])
async def test_retry_after_is_passed_on(serve, kit, header, least, most):
    async with serve(kit.status(429, {"error": {"message": "Wait."}}, Retry_After=header)) as server:
        fault = await fails(provider_at(server.url, kit.key))
    assert least <= fault.retry_after <= most


@pytest.mark.parametrize("header", ["", "soon", "nan"])
async def test_a_retry_after_that_means_nothing_is_left_out(serve, kit, header):
    async with serve(kit.status(429, {"error": {"message": "Wait."}}, Retry_After=header)) as server:
        assert (await fails(provider_at(server.url, kit.key))).retry_after is None


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_a_stream_that_ends_cleanly_but_without_a_reason_is_no_answer(serve, kit, api):
    delta = kit.chunk({"content": "I was about to"})
    if api == "responses":
        delta = {"type": "response.output_text.delta", "delta": "I was about to", "output_index": 0}
    for end in ((), ("[DONE]",)):
        async with serve(kit.events(delta, *end)) as server:
            assert (await fails(provider_at(server.url, kit.key, api=api))).reason == "incomplete"


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_a_stream_that_is_cut_is_a_broken_connection(serve, kit, api):
    async with serve(kit.events(kit.chunk({"content": "I was"}), end="cut")) as server:
        assert (await fails(provider_at(server.url, kit.key, api=api))).reason == "connection"


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_a_server_that_falls_silent_is_given_up(serve, kit, api):
    async with serve(kit.events(kit.chunk({"content": "I was"}), end="hangs")) as server:
        fault = await fails(provider_at(server.url, kit.key, api=api, timeout=0.2))
    assert fault.reason == "timeout"
    assert "0.2 s" in fault.message


async def test_a_server_that_is_not_there(serve, kit):
    async with serve(kit.events()) as server:
        pass
    fault = await fails(provider_at(server.url, kit.key))
    assert fault.reason == "connection"
    assert server.url in fault.message
    assert "base_url" in fault.remedy


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        (["no json"], "invalid"),
        ([{"choices": "none"}], "invalid"),
        ([{"error": {"message": "Overloaded.", "type": "overloaded_error"}}], "overloaded"),
        ([{"error": {"message": "Broken."}}], "server"),
    ],
)
async def test_an_event_that_is_no_answer(serve, kit, events, reason):
    async with serve(kit.events(*events)) as server:
        assert (await fails(provider_at(server.url, kit.key))).reason == reason


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"type": "error", "code": "rate_limit_exceeded", "message": "Slow down."}, "rate_limit"),
        (
            {"type": "response.failed", "response": {"error": {"code": "server_error", "message": "Ouch."}}},
            "server",
        ),
        ({"type": "response.failed", "response": {}}, "server"),
        ({"type": "response.completed"}, "invalid"),
    ],
)
async def test_an_event_of_responses_that_is_no_answer(serve, kit, event, reason):
    async with serve(kit.events(event)) as server:
        assert (await fails(provider_at(server.url, kit.key, api="responses"))).reason == reason


@pytest.mark.parametrize("arguments", ["{city: Porto", "[1]", '"Porto"', "null"])
async def test_a_call_with_unreadable_arguments_is_not_made(serve, kit, arguments):
    delta = kit.chunk(kit.call(arguments))
    async with serve(kit.events(delta, kit.chunk(finish="tool_calls"))) as server:
        fault = await fails(provider_at(server.url, kit.key))
    assert fault.reason == "invalid"
    assert "get_weather" in fault.message


async def test_a_call_that_the_limit_cut_is_incomplete(serve, kit):
    delta = kit.chunk(kit.call('{"city": "Por'))
    async with serve(kit.events(delta, kit.chunk(finish="length"))) as server:
        assert (await fails(provider_at(server.url, kit.key))).reason == "incomplete"


async def test_the_key_is_nowhere_to_be_read(serve, kit, caplog):
    caplog.set_level(logging.DEBUG)
    error = {"message": f"The key {kit.key} is wrong.", "code": "invalid_api_key"}
    async with serve(kit.status(401, {"error": error})) as server:
        provider = provider_at(server.url, kit.key)
        fault = await fails(provider)
    told = [str(fault), repr(fault), repr(provider), caplog.text, *traceback.format_exception(fault)]
    assert kit.key not in "\n".join(told)
    assert fault.__cause__ is None
    assert fault.__context__ is None
    assert server.url not in caplog.text  # URLs can hold secrets too


async def test_what_a_server_says_is_cut_to_a_line(serve, kit):
    async with serve(kit.status(500, {"error": {"message": "no\n" * 1000}})) as server:
        fault = await fails(provider_at(server.url, kit.key))
    assert "\n" not in fault.message
    assert len(fault.message) < 500


async def test_cancellation_passes_through(serve, kit):
    pieces: list[str] = []
    async with serve(kit.events(kit.chunk({"content": "I was"}), end="hangs")) as server:
        provider = provider_at(server.url, kit.key)
        with anyio.CancelScope() as scope:

            def stop(piece: str) -> None:
                pieces.append(piece)
                scope.cancel()

            await provider.generate(HELLO, "gpt-test", stop)
        await provider.close()
    assert scope.cancelled_caught
    assert pieces == ["I was"]
