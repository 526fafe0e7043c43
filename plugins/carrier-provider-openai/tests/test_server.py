"""How a server is reached: its key, its client, its connections."""

from __future__ import annotations

import anyio
import anyio.from_thread
import pytest

from carrier_core import ProviderError
from carrier_core.testing.wire import events, hang, serve, status
from carrier_provider_openai.provider import OpenAIProvider
from carrier_provider_openai.server import Server


@pytest.mark.parametrize(
    ("base_url", "api", "used"),
    [
        ("", "auto", "responses"),
        ("https://api.openai.com/v1", "auto", "responses"),
        ("http://127.0.0.1:1/v1", "auto", "chat"),
        ("http://127.0.0.1:1/v1", "responses", "responses"),
        ("", "chat", "chat"),
    ],
)
def test_responses_are_for_openai_itself(base_url, api, used):
    assert OpenAIProvider(Server(base_url=base_url), api=api).api == used


@pytest.mark.parametrize(
    ("base_url", "billed_as"), [("", "openai"), ("https://api.openai.com/v1", "openai"), ("http://127.0.0.1:1/v1", "")]
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
async def test_a_call_that_fails_leaves_the_next_one_alone(connect, ask, chat):
    answers = [status(500), events(chat.text("Hi"), *chat.end())]

    async def respond(exchange):
        await answers.pop(0)(exchange)

    async with serve(respond) as server:
        provider = connect(server.url)
        with pytest.raises(ProviderError):
            await ask(provider)
        assert (await ask(provider)).text == "Hi"
