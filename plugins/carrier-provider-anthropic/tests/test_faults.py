"""A service that misbehaves: each fault has a reason, names what it is about, says what to do, and is no other exception."""

from __future__ import annotations

import logging
import re
import socket
import traceback

import anyio
import pytest

from carrier_core import Finish, Part, Prompt, PromptMessage, ProviderError, Tool
from carrier_core.providing import Meter
from carrier_core.testing import wire

pytestmark = pytest.mark.anyio

ASKED = Prompt((PromptMessage("user", (Part("hello"),)),), (Tool("get_weather", "The weather.", {"type": "object"}),))


@pytest.fixture
def failed(make, kit):
    """``await failed(respond)``: the error that a call ends with."""

    async def failed(respond: wire.Respond, url: str = "", **settings) -> ProviderError:
        async with wire.serve(respond) as server:
            error = await fault(make(url or server.url, **settings))
        assert len(server.requests) == (not url)  # whether to try again is the host's decision
        return error

    return failed


async def fault(provider, prompt: Prompt = ASKED) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await provider.generate(prompt, "claude-test", lambda piece: None)
    assert caught.value.message.startswith("anthropic")
    assert "claude-test" in caught.value.message
    assert caught.value.remedy
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    return caught.value


# --- refused at once ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind", "said", "reason", "remedy"),
    [
        (400, "invalid_request_error", "max_tokens: too small.", "invalid", "`models`"),
        (400, "invalid_request_error", "prompt is too long: 200001 tokens > 200000 maximum", "length", "history"),
        (400, "invalid_request_error", "input length and `max_tokens` exceed context limit", "length", "history"),
        (400, "invalid_request_error", "Your credit balance is too low to access the API.", "auth", "plan"),
        (400, "invalid_request_error", "You have reached your specified API usage limits.", "auth", "plan"),
        (400, "invalid_request_error", "Output blocked by content filtering policy", "refused", "another way"),
        (
            400,
            "invalid_request_error",
            "max_tokens: 9 > 8, the maximum allowed number of output tokens",
            "invalid",
            "Lower",
        ),
        (401, "authentication_error", "invalid x-api-key", "auth", "ANTHROPIC_API_KEY"),
        (402, "billing_error", "There is an issue with your billing.", "auth", "plan"),
        (403, "permission_error", "Not you.", "auth", "ANTHROPIC_API_KEY"),
        (404, "not_found_error", "model: claude-test", "invalid", "a model that there is"),
        (413, "request_too_large", "Request exceeds the maximum size", "length", "history"),
        (429, "rate_limit_error", "Too many tokens.", "rate_limit", "Wait"),
        (500, "api_error", "Internal server error", "server", "later"),
        (502, "", "Bad gateway", "server", "later"),
        (503, "", "Unavailable", "overloaded", "later"),
        (504, "timeout_error", "Request timed out.", "timeout", "time-out"),
        (529, "overloaded_error", "Overloaded", "overloaded", "later"),
    ],
)
async def test_each_status_has_a_reason(failed, kit, code, kind, said, reason, remedy):
    error = await failed(wire.status(code, kit.failure(kind, said) if kind else said))
    remedies = error.remedy.replace("conversation_length", "history")
    assert (error.reason, error.retry_after) == (reason, None)
    assert said.rstrip(".") in error.message
    assert remedy in remedies


async def test_a_code_in_the_details_is_more_exact_than_the_type(failed, kit):
    said = kit.failure("rate_limit_error", "No more this month.", error_code="enforced_spend_limit_reached")
    assert (await failed(wire.status(429, said))).reason == "auth"


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("0.5", 0.5), ("soon", None)])
async def test_retry_after_is_passed_on(failed, kit, header, seconds):
    error = await failed(wire.status(429, kit.failure("rate_limit_error"), retry_after=header))
    assert (error.reason, error.retry_after) == ("rate_limit", seconds)


@pytest.mark.parametrize("body", [None, "", "<html>Bad gateway</html>", "[]", b"\xff", {"error": "no"}, {"error": {}}])
async def test_a_status_with_any_body(failed, body):
    assert (await failed(wire.status(502, body))).reason == "server"


# --- no connection -----------------------------------------------------------------------------------------------------


async def test_nobody_is_there(make):
    with wire.nobody() as url:
        error = await fault(make(url))
    assert error.reason == "connection"
    assert url in error.message
    assert "base_url" in error.remedy


async def test_there_is_no_such_name(make):
    error = await fault(make("http://carrier.invalid"))
    assert error.reason == "connection"
    assert "carrier.invalid" in error.message


async def test_nobody_accepts_a_connection(make):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        with socket.create_connection(listener.getsockname()):  # there is no place for another
            error = await fault(make(f"http://127.0.0.1:{listener.getsockname()[1]}", connect_timeout=0.1))
    assert (error.reason, "ConnectTimeout" in error.message) == ("connection", True)


async def test_a_text_that_no_request_can_hold(make, kit):
    async with wire.serve(kit.events(kit.answer("Hi"))) as server:
        error = await fault(make(server.url), Prompt((PromptMessage("user", (Part("\ud800"),)),)))
    assert (error.reason, server.requests) == ("invalid", [])


async def test_tls_fails(make):
    async with wire.serve(wire.garbage()) as server:
        error = await fault(make(server.url.replace("http:", "https:")))
    assert error.reason == "connection"


@pytest.mark.parametrize("respond", [wire.slam(), wire.garbage(), wire.raw(b"HTTP/1.1 200 OK\r\n")])
async def test_what_comes_back_is_no_answer(failed, respond):
    assert (await failed(respond)).reason == "connection"


@pytest.mark.parametrize("key", ["sk-ant-1\nsk-ant-2", "sk-ant-\x00secret", "sk-ant-ключ"])
async def test_a_key_that_no_header_can_have(make, kit, key):
    async with wire.serve(kit.events(kit.answer("Hi"))) as server:
        error = await fault(make(server.url, api_key=key))
    assert (error.reason, server.requests) == ("auth", [])
    assert "ANTHROPIC_API_KEY" in make(server.url, api_key=key).missing(), "so that it is told before the first call"
    assert "ANTHROPIC_API_KEY" in error.remedy
    assert "sk-ant" not in str(error)


# --- streams that end badly ----------------------------------------------------------------------------------------------


def whole(kit) -> bytes:
    """A short answer that has everything, up to where it is complete."""
    said = [
        kit.begun(),
        *kit.thought("Hm."),
        *kit.text("Hé", "llo", index=1),
        *kit.call('{"city":', ' "Porto"}', index=2),
    ]
    content = wire.streamed(*said, *kit.ended("tool_use"), named="type")
    return content[: content.rindex(b"}") + 1]


async def test_a_stream_that_is_cut_anywhere_is_no_answer(make, kit):
    """At every end of a line, which those of chunks and events are, and at every seventh byte, within words and numbers."""
    content = whole(kit)
    sizes = sorted({*range(0, len(content), 7), *(found.end() for found in re.finditer(rb"\r|\n|}", content))})
    cuts = wire.script(*(wire.raw(content[:size]) for size in sizes))
    async with wire.serve(cuts) as server:
        provider = make(server.url)
        reasons = [(await fault(provider)).reason for _ in sizes]
    assert len(reasons) > 300
    assert {*reasons} == {"connection"}


async def test_what_was_told_before_the_answer_broke_off_is_known(make, kit):
    cut = wire.streamed(kit.begun(), *kit.thought("Hm."), named="type")
    async with wire.serve(wire.raw(cut[: cut.rindex(b"}") + 1])) as server:
        with Meter() as meter:
            assert (await fault(make(server.url))).reason == "connection"
    assert meter.usage is not None
    assert meter.usage.input > 0
    with wire.nobody() as url, Meter() as meter:
        assert (await fault(make(url))).reason == "connection"
    assert meter.usage is None


async def test_a_stream_that_ends_cleanly_anywhere_is_no_answer(make, kit):
    """Also where the framing says that nothing is missing, after any event, the one with the reason to stop among them."""
    said = [kit.begun(), *kit.text("He", "llo"), *kit.call('{"city":', ' "Porto"}', index=1), *kit.ended("tool_use")]
    for size in range(len(said)):
        async with wire.serve(kit.events(said[:size])) as server:
            error = await fault(make(server.url))
        assert error.reason == ("incomplete" if size else "unreadable"), said[:size]


async def test_an_end_without_a_reason_to_stop_is_no_answer(failed, kit):
    error = await failed(kit.events(kit.begun(), kit.text("Hi"), kit.ended(None)))
    assert error.reason == "incomplete"


async def test_the_end_of_the_context_window_is_no_answer(failed, kit):
    assert (await failed(kit.events(kit.answer("Hi", reason="model_context_window_exceeded")))).reason == "length"


async def test_a_page_instead_of_a_stream(failed):
    error = await failed(wire.status(200, "<html>Welcome!</html>"))
    assert (error.reason, "text/plain" in error.message, "base_url" in error.remedy) == ("unreadable", True, True)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ("{no json", "unreadable"),
        ("[]", "unreadable"),
        ("[" * 100_000, "unreadable"),
        ('{"index": 0}', "unreadable"),
        ({"type": "content_block_delta", "index": 0, "delta": "Hi"}, "unreadable"),
        ({"type": "message_start", "message": {"usage": {"input_tokens": "many"}}}, "unreadable"),
        (b"event: message_stop\ndata: \xff\n\n", "unreadable"),
    ],
)
async def test_an_event_that_cannot_be_read(failed, kit, event, reason):
    assert (await failed(wire.events(event, *kit.answer("Hi"), named="type"))).reason == reason


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("overloaded_error", "overloaded"),
        ("rate_limit_error", "rate_limit"),
        ("api_error", "server"),
        ("invalid_request_error", "invalid"),
        ("authentication_error", "auth"),
        ("new_error", "server"),
    ],
)
async def test_an_error_in_the_middle_of_a_stream(failed, kit, kind, reason):
    error = await failed(kit.events(kit.begun(), kit.text("It beg"), kit.failure(kind)))
    assert error.reason == reason
    assert "It went wrong" in error.message


@pytest.mark.parametrize("event", [{"type": "error"}, {"type": "error", "error": "no"}, {"type": "error", "error": {}}])
async def test_an_error_that_says_little(failed, kit, event):
    assert (await failed(kit.events(kit.begun(), event))).reason == "server"


# --- silence ---------------------------------------------------------------------------------------------------------------


async def test_a_service_that_does_not_begin(failed):
    error = await failed(wire.hang(), first_timeout=0.1)
    assert error.reason == "timeout"
    assert "did not begin to answer within 0.1 s" in error.message


async def test_a_service_that_falls_silent(failed, kit):
    error = await failed(kit.events(kit.begun(), kit.text("I was"), end="hang"), pause_timeout=0.1)
    assert error.reason == "timeout"
    assert "0.1 s in the middle" in error.message


async def test_a_service_that_does_not_end(failed, kit):
    said = [{"type": "ping"} for _ in range(1_000)]
    error = await failed(kit.events(kit.begun(), said, pace=0.01), pause_timeout=5, timeout=0.2)
    assert error.reason == "timeout"
    assert "within 0.2 s" in error.message


async def test_pings_are_signs_of_life(make, kit):
    said = [kit.begun(), *({"type": "ping"} for _ in range(30)), *kit.text("Hi"), *kit.ended()]
    async with wire.serve(kit.events(said, pace=0.02)) as server:
        provider = make(server.url, pause_timeout=0.3)  # half of what the pings take
        completion = await provider.generate(ASKED, "claude-test", lambda piece: None)
    assert completion.text == "Hi"


# --- calls -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", ["{city: Porto", "[1]", '"Porto"', "null", '{"city": "Por'])
async def test_a_call_with_unreadable_arguments_is_not_made(failed, kit, arguments):
    error = await failed(kit.events(kit.begun(), kit.call(arguments), kit.ended("tool_use")))
    assert error.reason == "unreadable"
    assert "get_weather" in error.message


async def test_a_call_that_the_limit_cut_is_incomplete(failed, kit):
    error = await failed(kit.events(kit.begun(), kit.call('{"city": "Por'), kit.ended("max_tokens")))
    assert (error.reason, "max_tokens" in error.remedy) == ("incomplete", True)


async def test_a_tool_that_was_not_offered_is_passed_on(make, kit):
    """The host says to the model that there is none of that name."""
    async with wire.serve(kit.events(kit.begun(), kit.call("{}", name="fly"), kit.ended("tool_use"))) as server:
        completion = await make(server.url).generate(ASKED, "claude-test", lambda piece: None)
    assert ([call.name for call in completion.calls], completion.finish) == (["fly"], Finish.CALLS)


# --- what is not told ------------------------------------------------------------------------------------------------------


async def test_a_schema_that_cannot_be_asked_for(make, kit):
    prompt = Prompt(ASKED.messages, schema={"type": "object", "properties": {"age": {}}})
    async with wire.serve(kit.events(kit.answer("Hi"))) as server:
        error = await fault(make(server.url), prompt)
    assert (error.reason, server.requests) == ("invalid", [])
    assert "schema" in error.message.lower()


async def test_the_key_is_nowhere_to_be_read(make, kit, caplog):
    caplog.set_level(logging.DEBUG)
    said = kit.failure("authentication_error", f"The key {kit.key} is wrong.")
    for respond in (wire.status(401, said), kit.events(kit.begun(), said), wire.slam()):
        async with wire.serve(respond) as server:
            provider = make(server.url)
            error = await fault(provider)
        told = [str(error), repr(error), repr(provider), caplog.text, *traceback.format_exception(error)]
        assert kit.key not in "\n".join(told)
        assert server.url not in caplog.text  # URLs can hold secrets too


async def test_what_an_address_holds_is_nowhere_to_be_read(make, kit):
    async with wire.serve(wire.status(500, kit.failure("api_error", "No hunter2 here."))) as server:
        error = await fault(make(server.url.replace("http://", "http://ana:hunter2@")))
    assert len(server.requests) == 1
    assert "hunter2" not in str(error)
    assert server.url in error.message


async def test_what_a_service_says_is_cut_to_a_line(failed, kit):
    error = await failed(wire.status(500, kit.failure("api_error", "no\n" * 1000)))
    assert "\n" not in error.message
    assert len(error.message) < 500


async def test_cancellation_passes_through(make, kit):
    pieces: list[str] = []
    async with wire.serve(kit.events(kit.begun(), kit.text("I was"), end="hang")) as server:
        provider = make(server.url)
        with anyio.CancelScope() as scope:

            def stop(piece: str) -> None:
                pieces.append(piece)
                scope.cancel()

            await provider.generate(ASKED, "claude-test", stop)
    assert scope.cancelled_caught
    assert pieces == ["I was"]
