"""The wire: a server that says what a test wants, as seen by a socket and by a real HTTP library."""

from __future__ import annotations

import json
import socket
import ssl
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import anyio
import pytest

from carrier_core.testing import running_aimock, wire
from carrier_core.testing.aimock import VARIABLE, missing_aimock

pytestmark = pytest.mark.anyio

HEAD = b"POST /v1/say HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"


async def exchange(url: str, body: object = None) -> bytes:
    """All that the server says to a request until it closes the connection."""
    content = json.dumps({} if body is None else body).encode()
    async with await anyio.connect_tcp("127.0.0.1", urlsplit(url).port) as stream:
        await stream.send(HEAD % len(content) + content)
        return b"".join([piece async for piece in stream])


async def fetch(url: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """The same through a library that knows HTTP."""

    def call() -> tuple[int, dict[str, str], bytes]:
        request = Request(url, data=b"{}", headers=headers)
        try:
            with urlopen(request, timeout=20) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except HTTPError as error:
            with error:
                return error.code, dict(error.headers), error.read()

    return await anyio.to_thread.run_sync(call)


# --- what it hears -----------------------------------------------------------------------------------------------------


async def test_requests_are_kept_with_their_heads():
    async with wire.serve(wire.status(200, {})) as server:
        await exchange(server.url, {"model": "m"})
        await exchange(server.url, ["no object"])
    assert server.requests == [{"model": "m"}, {}]
    assert server.heads[0].splitlines()[0] == "POST /v1/say HTTP/1.1"


async def test_a_request_in_pieces_is_put_together():
    async with (
        wire.serve(wire.status(200, {})) as server,
        await anyio.connect_tcp("127.0.0.1", urlsplit(server.url).port) as stream,
    ):
        for piece in (HEAD[:20], HEAD[20:] % 12, b'{"text":', b' ""}'):
            await stream.send(piece)
            await anyio.wait_all_tasks_blocked()
        assert (await stream.receive()).startswith(b"HTTP/1.1 200 ")
    assert server.requests == [{"text": ""}]


async def test_requests_are_waited_for():
    async with wire.serve(wire.hang()) as server, anyio.create_task_group() as group:
        group.start_soon(exchange, server.url)
        await server.asked()
        with pytest.raises(TimeoutError, match="1 of 2 requests"):
            await server.asked(2, within=0.01)
        group.cancel_scope.cancel()


async def test_what_a_responder_of_the_tests_own_raises_ends_the_test():
    async def respond(exchange: wire.Exchange) -> None:
        raise LookupError(exchange.body["text"])

    async def ask() -> None:
        async with wire.serve(respond) as server:
            await exchange(server.url, {"text": "Hello there"})
            await anyio.sleep_forever()

    with pytest.raises(LookupError, match="Hello there"):
        await ask()


async def test_what_fails_in_the_block_is_raised_as_it_is():
    with pytest.raises(LookupError, match="mine"):
        async with wire.serve(wire.hang()):
            raise LookupError("mine")


async def test_whoever_hangs_up_early_disturbs_nobody():
    async with wire.serve(wire.status(200, "x" * 5_000_000)) as server:
        async with await anyio.connect_tcp("127.0.0.1", urlsplit(server.url).port):
            pass
        async with await anyio.connect_tcp("127.0.0.1", urlsplit(server.url).port) as stream:
            await stream.send(HEAD % 0)
            await server.asked()
        assert len(await exchange(server.url)) > 5_000_000


async def test_what_was_sent_arrives_although_the_server_has_finished():
    sent, scope, done = 0, anyio.CancelScope(), anyio.Event()

    async def respond(exchange: wire.Exchange) -> None:
        nonlocal sent
        with scope:
            while True:
                sent += 1000
                await exchange.send(b"x" * 1000)
        done.set()

    async with (
        wire.serve(respond) as server,
        await anyio.connect_tcp("127.0.0.1", urlsplit(server.url).port) as stream,
    ):
        await stream.send(HEAD % 0)
        await server.asked()
        await anyio.wait_all_tasks_blocked()  # every buffer is full
        scope.cancel()
        await done.wait()
        await anyio.wait_all_tasks_blocked()
        read = sum([len(piece) async for piece in stream])
    assert read == sent > 100_000


# --- what it says ------------------------------------------------------------------------------------------------------


async def test_a_status_has_a_body_and_headers():
    async with wire.serve(wire.status(429, {"error": "slow down"}, retry_after="7")) as server:
        code, headers, body = await fetch(server.url)
    assert (code, headers["retry-after"], headers["Connection"]) == (429, "7", "close")
    assert (headers["Content-Type"], json.loads(body)) == ("application/json", {"error": "slow down"})


@pytest.mark.parametrize(("body", "content"), [(None, b""), ("<html>", b"<html>"), (b"\xff", b"\xff"), ([], b"[]")])
async def test_a_body_may_be_anything(body, content):
    async with wire.serve(wire.status(502, body)) as server:
        assert (await fetch(server.url))[::2] == (502, content)


async def test_events_are_streamed_each_in_a_chunk():
    async with wire.serve(wire.events({"n": 1}, "[DONE]", x_request_id="r1")) as server:
        code, headers, body = await fetch(server.url)
        said = await exchange(server.url)
    assert (code, headers["Content-Type"], headers["x-request-id"]) == (200, "text/event-stream", "r1")
    assert body == b'data: {"n": 1}\n\ndata: [DONE]\n\n'
    assert said.partition(b"\r\n\r\n")[2] == b'10\r\ndata: {"n": 1}\n\n\r\ne\r\ndata: [DONE]\n\n\r\n0\r\n\r\n'


async def test_events_may_have_names_and_bytes_are_sent_as_they_are():
    async with wire.serve(wire.events({"type": "start"}, b": ping\n\n", "[DONE]", {"n": 1}, named="type")) as server:
        body = (await fetch(server.url))[2]
    assert body == b'event: start\ndata: {"type": "start"}\n\n: ping\n\ndata: [DONE]\n\ndata: {"n": 1}\n\n'


async def test_a_stream_may_be_cut_in_a_chunk():
    async with wire.serve(wire.events({"n": 1}, end="cut")) as server:
        said = await exchange(server.url)
    assert said.endswith(b'data: {"n": 1}\n\n\r\nff\r\ndata: {')


async def test_a_stream_may_be_cut_after_any_byte():
    whole = wire.streamed({"n": 1}, {"n": 2}, "[DONE]")
    async with wire.serve(wire.events({"n": 1}, {"n": 2}, "[DONE]")) as server:
        assert await exchange(server.url) == whole
    for length in range(len(whole)):
        async with wire.serve(wire.raw(whole[:length])) as server:
            assert await exchange(server.url) == whole[:length]


@pytest.mark.parametrize(
    ("respond", "begin"),
    [
        (wire.hang(), b""),
        (wire.events(end="hang"), b"HTTP/1.1 200"),
        (wire.raw(b"HTTP/1.1 2", end="hang"), b"HTTP/1.1 2"),
    ],
)
async def test_it_may_fall_silent(respond, begin):
    async with (
        wire.serve(respond) as server,
        await anyio.connect_tcp("127.0.0.1", urlsplit(server.url).port) as stream,
    ):
        await stream.send(HEAD % 0)
        await server.asked()
        if begin:
            assert (await stream.receive()).startswith(begin)
        with anyio.move_on_after(0.02) as waiting:
            await stream.receive()
        assert waiting.cancelled_caught


async def test_it_waits_at_a_gate():
    gate = wire.Gate()
    async with (
        wire.serve(wire.events("one", gate, "two")) as server,
        await anyio.connect_tcp("127.0.0.1", urlsplit(server.url).port) as stream,
    ):
        await stream.send(HEAD % 0)
        await gate.reached.wait()
        assert gate.count == 1
        said = b""
        while b"one" not in said:
            said += await stream.receive()
        assert b"two" not in said
        gate.open()
        while b"two" not in said:
            said += await stream.receive()


async def test_events_may_come_slowly():
    async with wire.serve(wire.events("one", "two", pace=60.0)) as server:
        with anyio.move_on_after(0.02) as waiting:
            await exchange(server.url)
    assert waiting.cancelled_caught
    async with wire.serve(wire.events("one", "two", pace=0.001)) as server:
        assert b"two" in await exchange(server.url)


async def test_answers_come_in_turn_and_the_last_repeats():
    async with wire.serve(wire.script(wire.status(503), wire.slam(), wire.status(200))) as server:
        codes = [(await exchange(server.url))[9:12] for _ in range(4)]
    assert codes == [b"503", b"", b"200", b"200"]


async def test_a_handshake_fails_on_garbage():
    async with wire.serve(wire.garbage()) as server:
        with pytest.raises(ssl.SSLError):
            await anyio.connect_tcp("127.0.0.1", urlsplit(server.url).port, tls=True)
        assert (server.heads, server.requests) == ([""], [{}])
        assert not (await exchange(server.url)).startswith(b"HTTP")


async def test_nobody_listens():
    with wire.nobody() as url, socket.socket() as caller, pytest.raises(ConnectionRefusedError):
        caller.connect(("127.0.0.1", urlsplit(url).port))


# --- the independent server ----------------------------------------------------------------------------------------------

HELLO = {"fixtures": [{"match": {"userMessage": "hello"}, "response": {"content": "Hi from afar."}}]}


def ask(url: str, key: str, text: str) -> dict:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": text}]}).encode()
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    with urlopen(Request(f"{url}/v1/chat/completions", data=body, headers=headers), timeout=20) as answer:
        return json.load(answer)


def test_the_independent_server_answers_who_has_the_key_and_keeps_a_journal():
    with running_aimock(HELLO, key="k-1") as server:
        assert ask(server.url, "k-1", "hello there")["choices"][0]["message"]["content"] == "Hi from afar."
        for key, text, code in (("k-2", "hello", 401), ("k-1", "good night", 404)):
            with pytest.raises(HTTPError) as caught:
                ask(server.url, key, text)
            caught.value.close()
            assert caught.value.code == code
        told = [(entry["path"], entry["body"]["messages"][0]["content"]) for entry in server.journal()]
        assert told == [("/v1/chat/completions", "hello there"), ("/v1/chat/completions", "good night")]
    with pytest.raises(OSError, match="refused"):
        ask(server.url, "k-1", "hello")


def test_fixtures_that_are_wrong_are_told():
    if missing := missing_aimock():
        pytest.skip(missing)
    with pytest.raises(RuntimeError, match="did not start"), running_aimock({"fixtures": [{"match": 1}]}):
        pass


def test_what_is_missing_is_the_reason_of_the_skip(monkeypatch, tmp_path):
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(pytest.skip.Exception, match="CARRIER_TEST_AIMOCK names no file"), running_aimock(HELLO):
        pass
    script = tmp_path / "cli.js"
    script.touch()
    monkeypatch.setenv(VARIABLE, str(script))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(pytest.skip.Exception, match="there is no node"), running_aimock(HELLO):
        pass
