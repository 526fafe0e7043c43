"""How a server is reached: its key, its client, its connections."""

from __future__ import annotations

import subprocess
import sys

import anyio
import anyio.from_thread
import pytest

from carrier_core import ProviderError
from carrier_core.testing.wire import events, hang, serve, status, streamed
from carrier_provider_openai.provider import OpenAIProvider
from carrier_provider_openai.server import Server


@pytest.mark.parametrize(
    ("base_url", "api", "used"),
    [
        ("", "auto", "responses"),
        ("https://api.openai.com/v1", "auto", "responses"),
        ("https://eu.api.openai.com/v1", "auto", "responses"),
        ("https://api.openai.com.example/v1", "auto", "chat"),
        ("http://127.0.0.1:1/v1", "auto", "chat"),
        ("http://127.0.0.1:1/v1", "responses", "responses"),
        ("", "chat", "chat"),
    ],
)
def test_responses_are_for_openai_itself(base_url, api, used):
    assert OpenAIProvider(Server(base_url=base_url), api=api).api == used


@pytest.mark.parametrize(
    ("base_url", "billed_as"),
    [
        ("", "openai"),
        ("https://api.openai.com/v1", "openai"),
        ("https://eu.api.openai.com/v1", ""),
        ("http://127.0.0.1:1/v1", ""),
    ],
)
def test_only_what_openai_does_has_its_prices(base_url, billed_as):
    assert OpenAIProvider(Server(base_url=base_url)).billed_as == billed_as


@pytest.mark.anyio
@pytest.mark.parametrize("key", ["sk-ключ", "sk-one\nsk-two", "sk\x00"])
async def test_a_key_that_is_none_is_told_without_showing_it(key):
    provider = OpenAIProvider(Server(key=key))
    with pytest.raises(ProviderError) as caught:
        await provider.generate(None, "m", lambda piece: None)
    assert caught.value.reason == "auth"
    assert "OPENAI_API_KEY" in str(caught.value)
    assert key[:5] not in str(caught.value)


@pytest.mark.anyio
async def test_a_line_break_after_the_key_does_not_matter(connect, ask, protocol, key):
    async with serve(events(*protocol.end())) as server:
        await ask(connect(server.url, api=protocol.api, key=f" {key}\n"))
    assert f"Bearer {key}\r\n" in server.heads[0]


@pytest.mark.anyio
async def test_a_closed_provider_opens_new_connections(connect, ask, chat):
    async with serve(events(chat.text("Hi"), *chat.end())) as server:
        provider = connect(server.url)
        await ask(provider)
        await provider.close()
        assert (await ask(provider)).text == "Hi"


@pytest.mark.anyio
async def test_first_calls_at_one_time_share_a_client(connect, ask, chat, monkeypatch):
    opened = []
    make = Server._open
    monkeypatch.setattr(Server, "_open", lambda server: opened.append(make(server)) or opened[-1])
    async with serve(events(chat.text("Hi"), *chat.end())) as server, anyio.create_task_group() as group:
        provider = connect(server.url)
        for _ in range(5):
            group.start_soon(ask, provider)
    assert len(opened) == 1
    assert len(server.requests) == 5


@pytest.mark.anyio
async def test_closing_waits_for_a_client_that_is_being_made(connect, ask, monkeypatch):
    began, opened, make = anyio.Event(), [], Server._open

    def slowly(server):
        anyio.from_thread.run_sync(began.set)
        opened.append(make(server))
        return opened[-1]

    async def call(provider):
        with pytest.raises(ProviderError):
            await ask(provider)

    monkeypatch.setattr(Server, "_open", slowly)
    async with serve(hang()) as server, anyio.create_task_group() as group:
        provider = connect(server.url)
        group.start_soon(call, provider)
        await began.wait()
        await provider.close()
    assert [client.is_closed() for client in opened] == [True]


@pytest.mark.anyio
async def test_connections_are_used_again(connect, ask, protocol):
    """Because every stream is read to its end."""
    answer = streamed(protocol.text("Hi"), *protocol.end()).replace(b"Connection: close\r\n", b"")
    connections = 0

    async def talk(stream):
        nonlocal connections
        connections += 1
        async with stream:
            try:
                while True:
                    got = b""
                    while not got.endswith(b"}"):
                        got += await stream.receive()
                    await stream.send(answer)
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                pass

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, talk)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        provider = connect(f"http://127.0.0.1:{port}", api=protocol.api)
        for _ in range(3):
            assert (await ask(provider)).text == "Hi"
        await provider.close()
        group.cancel_scope.cancel()
    assert connections == 1


@pytest.mark.anyio
async def test_a_call_that_fails_leaves_the_next_one_alone(connect, ask, chat):
    answers = [status(500), events(chat.text("Hi"), *chat.end())]

    async def respond(exchange):
        await answers.pop(0)(exchange)

    async with serve(respond) as server:
        provider = connect(server.url)
        with pytest.raises(ProviderError):
            await ask(provider)
        assert (await ask(provider)).text == "Hi"


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_nothing_is_left_for_the_first_answer_to_import_or_to_make(api):
    """Both would stop every room, for most of a second. Shown by what a process has before it and after."""
    code = f"""
import sys, anyio
from carrier_core import Part, Prompt, PromptMessage
from carrier_core.testing.wire import events, serve
from carrier_provider_openai.provider import OpenAIProvider
from carrier_provider_openai.server import Server

ENDS = {{
    "chat": {{"choices": [{{"index": 0, "delta": {{"content": "Hi"}}, "finish_reason": "stop"}}]}},
    "responses": {{"type": "response.completed", "response": {{"status": "completed"}}}},
}}

async def main():
    async with serve(events(ENDS["{api}"])) as server:
        provider = OpenAIProvider(Server(base_url=server.url, key="k"), api="{api}")
        await provider._server._connection.open()
        from openai.types.responses import Response, ResponseCompletedEvent
        made = [Response.__pydantic_complete__, ResponseCompletedEvent.__pydantic_complete__]
        before = set(sys.modules)
        await provider.generate(Prompt((PromptMessage("user", (Part("hi"),)),)), "m", lambda piece: None)
        print(sorted(set(sys.modules) - before), made == [True] * 2)
        await provider.close()

anyio.run(main)
"""
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.strip() == f"[] {api == 'responses'}"
