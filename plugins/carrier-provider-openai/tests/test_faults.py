"""Servers that misbehave: each fault has a reason, names what it is about, and says what to do."""

from __future__ import annotations

import json
import logging
import shutil
import socket
import ssl
import subprocess
import traceback
from contextlib import ExitStack
from itertools import count

import anyio
import pytest
from anyio.streams.tls import TLSListener

from carrier_core import Finish, Part, Prompt, PromptMessage, ProviderError
from carrier_core.testing.wire import events, garbage, hang, nobody, raw, serve, slam, status, streamed

pytestmark = pytest.mark.anyio


@pytest.fixture
def fails(ask):
    """``await fails(provider)``: the error, which every fault is, and which names the model and a remedy."""

    async def fails(provider, prompt="hello") -> ProviderError:
        with pytest.raises(ProviderError) as caught:
            await ask(provider, prompt)
        fault = caught.value
        assert fault.message.startswith(provider.name)
        assert "gpt-test" in fault.message
        assert fault.remedy
        assert (fault.__cause__, fault.__context__) == (None, None)
        return fault

    return fails


# --- what a server says of itself -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "error", "reason"),
    [
        (400, {"message": "Too long.", "code": "context_length_exceeded"}, "length"),
        (400, {"message": "The maximum context length is 4096 tokens.", "code": 400}, "length"),
        (400, {"message": "Not this.", "code": "content_filter"}, "refused"),
        (400, {"message": "Unknown parameter."}, "invalid"),
        (400, {"message": "Unknown parameter.", "type": ["no", "text"]}, "invalid"),
        (401, {"message": "Wrong key."}, "auth"),
        (403, {"message": "Not you."}, "auth"),
        (404, {"message": "No such model.", "code": "model_not_found"}, "invalid"),
        (408, {"message": "Too slow."}, "timeout"),
        (413, {"message": "Too large."}, "length"),
        (429, {"message": "No money.", "code": "insufficient_quota"}, "rate_limit"),
        (500, {"message": "Ouch."}, "server"),
        (502, {"message": "Ouch."}, "server"),
        (503, {"message": "Too many."}, "overloaded"),
        (529, {"message": "Too many."}, "overloaded"),
    ],
)
async def test_each_status_has_a_reason(connect, fails, protocol, code, error, reason):
    async with serve(status(code, {"error": error})) as server:
        fault = await fails(connect(server.url, api=protocol.api))
    assert fault.reason == reason
    assert error["message"].rstrip(".") in fault.message
    assert fault.retry_after is None
    assert len(server.requests) == 1, "whether to try again is the host's decision"


@pytest.mark.parametrize(("header", "least", "most"), [("2.5", 2.5, 2.5), ("Fri, 01 Jan 2100 00:00:00 GMT", 1e8, 1e11)])
async def test_retry_after_is_passed_on(connect, fails, protocol, header, least, most):
    async with serve(status(429, {"error": {"message": "Wait."}}, retry_after=header)) as server:
        fault = await fails(connect(server.url, api=protocol.api))
    assert (fault.reason, least <= fault.retry_after <= most) == ("rate_limit", True)


async def test_an_unknown_model_is_named_with_the_place_to_correct_it(connect, fails, protocol):
    error = {"message": "The model does not exist.", "code": "model_not_found"}
    async with serve(status(404, {"error": error})) as server:
        fault = await fails(connect(server.url, api=protocol.api))
    assert "model gpt-test" in fault.message
    assert "`models`" in fault.remedy


async def test_a_page_of_a_gateway_is_told_in_a_line(connect, fails, protocol):
    async with serve(status(502, "<html>\n<h1>Bad Gateway</h1>\n" + "<br>\n" * 500)) as server:
        fault = await fails(connect(server.url, api=protocol.api))
    assert fault.reason == "server"
    assert "502" in fault.message
    assert "\n" not in fault.message
    assert len(fault.message) < 500


@pytest.mark.parametrize("code", [400, 500])
async def test_a_picture_that_is_refused_has_a_remedy_of_its_own(connect, fails, protocol, code):
    async with serve(status(code, {"error": {"message": "image input is not supported"}})) as server:
        fault = await fails(connect(server.url, api=protocol.api))
    assert "images = false" in fault.remedy


async def test_a_wrong_key_is_a_fault_of_the_variable_or_of_the_servers_section(connect, fails, protocol):
    error = {"message": "Incorrect API key.", "code": "invalid_api_key"}
    async with serve(status(401, {"error": error})) as server:
        first = await fails(connect(server.url, api=protocol.api))
        other = await fails(connect(server.url, api=protocol.api, name="groq"))
    assert "OPENAI_API_KEY" in first.remedy
    assert "[plugin.carrier-provider-openai.servers.groq]" in other.remedy


# --- no connection ----------------------------------------------------------------------------------------------------


async def test_a_server_that_is_not_there(connect, fails, protocol):
    with nobody() as url:
        fault = await fails(connect(url, api=protocol.api))
    assert fault.reason == "connection"
    assert url in fault.message
    assert "base_url" in fault.remedy


async def test_a_server_that_takes_no_connection_is_given_up(connect, fails, protocol):
    with socket.socket() as busy, ExitStack() as waiting:
        busy.bind(("127.0.0.1", 0))
        busy.listen(0)
        for _ in range(4):  # more than its queue holds; nobody is let in
            other = waiting.enter_context(socket.socket())
            other.setblocking(False)
            other.connect_ex(busy.getsockname())
        fault = await fails(connect(f"http://127.0.0.1:{busy.getsockname()[1]}", api=protocol.api, connect=0.2))
    assert (fault.reason, "ConnectTimeout" in fault.message) == ("connection", True)


async def test_a_name_that_nobody_has(connect, fails, protocol):
    fault = await fails(connect("http://carrier.invalid", api=protocol.api))
    assert fault.reason == "connection"
    assert "carrier.invalid" in fault.message


async def test_what_is_no_tls_where_it_should_be(connect, fails, protocol):
    async with serve(garbage()) as server:
        fault = await fails(connect(server.url.replace("http:", "https:"), api=protocol.api))
    assert fault.reason == "connection"
    assert "SSL" in fault.message


async def test_a_certificate_that_nobody_vouches_for(connect, fails, protocol, tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl to make a certificate with")
    own = ["-keyout", tmp_path / "key.pem", "-out", tmp_path / "certificate.pem", "-subj", "/CN=localhost"]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", *own]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    plain = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    port = plain.extra(anyio.abc.SocketAttribute.local_port)

    async def talk(stream):
        raise AssertionError("a key was sent to a server that nobody vouches for")

    async with TLSListener(plain, context) as listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, talk)
        fault = await fails(connect(f"https://localhost:{port}", api=protocol.api))
        group.cancel_scope.cancel()
    assert fault.reason == "connection"
    assert "CERTIFICATE_VERIFY_FAILED" in fault.message


async def test_a_server_that_hangs_up_without_a_word(connect, fails, protocol):
    async with serve(slam()) as server:
        assert (await fails(connect(server.url, api=protocol.api))).reason == "connection"


async def test_what_is_no_http(connect, fails, protocol):
    async with serve(garbage()) as server:
        assert (await fails(connect(server.url, api=protocol.api))).reason == "connection"


# --- silence ----------------------------------------------------------------------------------------------------------


async def test_a_server_that_does_not_begin_is_given_up(connect, fails, protocol):
    async with serve(hang()) as server:
        fault = await fails(connect(server.url, api=protocol.api, first=0.2))
    assert (fault.reason, "did not begin to answer within 0.2 s" in fault.message) == ("timeout", True)
    assert "time-outs in [plugin.carrier-provider-openai]" in fault.remedy


async def test_headers_are_no_sign_of_an_answer(connect, fails, protocol):
    async with serve(events(end="hang")) as server:
        fault = await fails(connect(server.url, api=protocol.api, first=0.2))
    assert "did not begin to answer within 0.2 s" in fault.message


async def test_a_server_that_falls_silent_is_given_up(connect, fails, protocol):
    async with serve(events(protocol.text("I was"), end="hang")) as server:
        fault = await fails(connect(server.url, api=protocol.api, pause=0.2))
    assert (fault.reason, "fell silent for 0.2 s" in fault.message) == ("timeout", True)


async def test_an_answer_that_does_not_end_is_given_up(connect, fails, protocol):
    async with serve(events(*[protocol.text("and ")] * 200, pace=0.01)) as server:
        fault = await fails(connect(server.url, api=protocol.api, total=0.3))
    assert (fault.reason, "did not end its answer within 0.3 s" in fault.message) == ("timeout", True)


# --- streams that end badly -------------------------------------------------------------------------------------------


async def test_a_stream_that_is_cut_anywhere_is_no_answer(connect, fails, protocol):
    whole = streamed(protocol.text("It is "), protocol.text("🌊"), protocol.call('{"x": 1}'), *protocol.end("calls"))
    said = whole.rindex(b"}") + 1  # where all is said
    cuts = count()

    async def cut(exchange):
        await raw(whole[: next(cuts)])(exchange)

    async with serve(cut) as server:
        provider = connect(server.url, api=protocol.api)
        reasons = {place: (await fails(provider)).reason for place in range(said)}
    assert {*reasons.values()} == {"connection"}


async def test_a_body_without_a_length_that_is_cut_anywhere_is_no_answer(connect, fails, protocol):
    """Nothing but the missing end tells such a body from a whole one."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    first, *rest = [
        b"data: %s\n\n" % json.dumps(each).encode()
        for each in (protocol.text("It is "), protocol.text("noon."), protocol.end()[0])
    ]
    whole = b"".join([first, *rest])
    cuts = count(len(first))

    async def cut(exchange):
        await raw(head + whole[: next(cuts)])(exchange)

    async with serve(cut) as server:
        provider = connect(server.url, api=protocol.api)
        reasons = [(await fails(provider)).reason for _ in range(len(first), len(whole) - 1)]
    assert {*reasons} == {"incomplete"}


async def test_a_stream_that_ends_cleanly_but_without_a_reason_is_no_answer(connect, fails, protocol):
    for end in ((), ("[DONE]",)):
        async with serve(events(protocol.text("I was about to"), *end)) as server:
            assert (await fails(connect(server.url, api=protocol.api))).reason == "incomplete"


async def test_a_connection_that_breaks_once_all_is_said_loses_nothing(connect, ask, chat):
    whole = streamed(chat.text("Hi"), *chat.end(), "[DONE]")
    async with serve(raw(whole.removesuffix(b"0\r\n\r\n"))) as server:
        assert (await ask(connect(server.url))).text == "Hi"


@pytest.mark.parametrize("end", ["cut", "hang"])
async def test_what_comes_after_the_end_is_not_waited_for(connect, ask, protocol, end):
    async with serve(events(protocol.text("Hi"), *protocol.end(), end=end)) as server:
        completion = await ask(connect(server.url, api=protocol.api, pause=5.0))
    assert (completion.text, completion.usage.input) == ("Hi", 9)


@pytest.mark.parametrize("page", [{"choices": []}, "<html>Welcome!</html>", None])
async def test_what_is_no_stream_is_a_wrong_address(connect, fails, protocol, page):
    async with serve(status(200, page)) as server:
        fault = await fails(connect(server.url, api=protocol.api))
    assert fault.reason == "unreadable"
    assert "instead of a stream of events" in fault.message
    assert "base_url" in fault.remedy


@pytest.mark.parametrize("event", ["no json", "[1]", '"text"', "1", "{" * 100_000, b"data: \xff\xfe\n\n"])
async def test_an_event_that_cannot_be_read(connect, fails, protocol, event):
    async with serve(events(event, *protocol.end())) as server:
        assert (await fails(connect(server.url, api=protocol.api))).reason == "unreadable"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ({"message": "Overloaded.", "type": "overloaded_error"}, "overloaded"),
        ({"message": "Slow down.", "code": "rate_limit_exceeded"}, "rate_limit"),
        ({"message": "Slow down.", "code": 429}, "rate_limit"),
        ({"message": "The maximum context length is 4096 tokens.", "code": 400}, "length"),
        ({"message": "Broken."}, "server"),
    ],
)
async def test_an_error_in_the_middle_of_an_answer(connect, fails, protocol, error, reason):
    async with serve(events(protocol.text("I was"), {"error": error})) as server:
        fault = await fails(connect(server.url, api=protocol.api))
    assert fault.reason == reason
    assert error["message"].rstrip(".") in fault.message


@pytest.mark.parametrize("event", [{"choices": "none"}, {"choices": [1]}, {"choices": [{"delta": "text"}]}])
async def test_a_chunk_that_is_none(connect, fails, event):
    async with serve(events(event)) as server:
        assert (await fails(connect(server.url))).reason == "unreadable"


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"type": "error", "code": "rate_limit_exceeded", "message": "Slow down."}, "rate_limit"),
        ({"type": "response.failed", "response": {"error": {"code": "server_error", "message": "Ouch."}}}, "server"),
        ({"type": "response.failed", "response": {"error": {"code": "bio_policy", "message": "No."}}}, "refused"),
        ({"type": "response.failed", "response": {}}, "server"),
        ({"type": "response.completed"}, "unreadable"),
        ({"type": "response.output_item.done"}, "unreadable"),
    ],
)
async def test_an_event_of_responses_that_is_no_answer(connect, fails, event, reason):
    async with serve(events(event)) as server:
        assert (await fails(connect(server.url, api="responses"))).reason == reason


# --- answers that cannot be used, and some that can --------------------------------------------------------------------


@pytest.mark.parametrize("arguments", ["{city: Porto", "[1]", '"Porto"', "null", "[" * 100_000])
async def test_a_call_with_unreadable_arguments_is_not_made(connect, fails, protocol, arguments):
    async with serve(events(protocol.call(arguments), *protocol.end("calls"))) as server:
        fault = await fails(connect(server.url, api=protocol.api))
    assert fault.reason == "unreadable"
    assert "get_weather" in fault.message


async def test_half_a_character_is_never_passed_on(connect, ask, fails, protocol):
    """It could not be recorded. JSON's escapes let a server send one, in the text, in arguments and in errors."""
    async with serve(events(protocol.text("It is \ud83c"), protocol.text("\udf0a\ud83c"), *protocol.end())) as server:
        assert (await ask(connect(server.url, api=protocol.api))).text == "It is 🌊\ufffd"
    async with serve(events(protocol.call('{"x": "\\ud83c"}'), *protocol.end("calls"))) as server:
        assert (await fails(connect(server.url, api=protocol.api))).reason == "unreadable"
    async with serve(status(500, {"error": {"message": "Ouch \ud83c"}})) as server:
        assert (await fails(connect(server.url, api=protocol.api))).message.encode()


async def test_a_call_that_the_limit_cut_is_incomplete(connect, fails, protocol):
    async with serve(events(protocol.call('{"city": "Por'), *protocol.end("length"))) as server:
        fault = await fails(connect(server.url, api=protocol.api))
    assert (fault.reason, "max_tokens" in fault.remedy) == ("incomplete", True)


async def test_a_call_of_an_unknown_tool_is_passed_on(connect, ask, protocol):
    """The host tells the model what there is."""
    async with serve(events(protocol.call("{}", name="fly"), *protocol.end("calls"))) as server:
        completion = await ask(connect(server.url, api=protocol.api))
    assert [call.name for call in completion.calls] == ["fly"]


async def test_an_empty_completion_is_one(connect, ask, protocol):
    async with serve(events(*protocol.end())) as server:
        completion = await ask(connect(server.url, api=protocol.api))
    assert (completion.parts, completion.calls, completion.finish) == ((), (), Finish.STOP)


async def test_a_completion_of_a_megabyte_arrives_whole(connect, protocol):
    pieces = [f"{number:08}{'é' * 124}" for number in range(4_096)]  # 256 bytes each
    told: list[str] = []
    async with serve(events(*map(protocol.text, pieces), *protocol.end())) as server:
        provider = connect(server.url, api=protocol.api)
        prompt = Prompt((PromptMessage("user", (Part("hello"),)),))
        completion = await provider.generate(prompt, "gpt-test", told.append)
    assert len(completion.text.encode()) == 1 << 20
    assert completion.text == "".join(pieces)
    assert told == pieces


# --- secrets ----------------------------------------------------------------------------------------------------------


async def test_the_key_is_nowhere_to_be_read(connect, fails, protocol, key, caplog):
    caplog.set_level(logging.DEBUG)
    error = {"message": f"The key {key} is wrong.", "code": "invalid_api_key"}
    async with serve(status(401, {"error": error})) as server:
        provider = connect(server.url, api=protocol.api)
        fault = await fails(provider)
    assert f"Bearer {key}" in server.heads[0]
    told = [str(fault), repr(fault), repr(provider), caplog.text, *traceback.format_exception(fault)]
    assert key not in "\n".join(told)
    assert server.url not in caplog.text, "URLs can hold secrets too"


async def test_what_an_address_holds_is_nowhere_to_be_read(connect, fails, protocol):
    error = {"message": "No hunter2 with 123456 here."}
    async with serve(status(500, {"error": error})) as server:
        url = server.url.replace("http://", "http://ana:hunter2@") + "/v1?123456"
        fault = await fails(connect("", api=protocol.api, base_url=url))
    assert "hunter2" not in str(fault)
    assert "123456" not in str(fault)
    assert server.url in fault.message


async def test_cancellation_passes_through(connect, protocol):
    pieces: list[str] = []
    async with serve(events(protocol.text("I was"), end="hang")) as server:
        provider = connect(server.url, api=protocol.api)
        with anyio.CancelScope() as scope:

            def stop(piece: str) -> None:
                pieces.append(piece)
                scope.cancel()

            await provider.generate(Prompt((PromptMessage("user", (Part("hello"),)),)), "gpt-test", stop)
    assert scope.cancelled_caught
    assert pieces == ["I was"]
