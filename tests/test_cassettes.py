"""Cassettes: what a service said once is said again, byte for byte, and whatever else is asked shows how it differs."""

from __future__ import annotations

import gzip
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

import anyio
import httpx2
import pytest
from anyio.streams.tls import TLSListener
from openai import APIError, APIStatusError, AsyncOpenAI

from carrier_core.testing import CassetteMismatch, cassette, wire

pytestmark = pytest.mark.anyio

KEY = "sk-live-0123456789abcdef"
SAY = {"model": "m", "messages": [{"role": "user", "content": "Hello.\nHow are you?"}]}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cassettes" / "talk.json"


async def said(url: str, body: object = None, *, path: str = "/v1/say", head: str = "", method: str = "POST") -> bytes:
    """All that a server says to a request, byte for byte."""
    content = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    first = f"{method} {path} HTTP/1.1\r\nHost: x\r\n{head}Content-Length: {len(content)}\r\n\r\n"
    with anyio.fail_after(20):
        async with await anyio.connect_tcp("127.0.0.1", urlsplit(url).port) as stream:
            await stream.send(first.encode() + content)
            return b"".join([piece async for piece in stream])


async def both(file: Path, respond: wire.Respond, ask: Callable[[str], object], **settings) -> tuple[object, object]:
    """What ``ask`` comes to while it is recorded, and when that is replayed without a service."""
    async with wire.serve(respond) as service, cassette(file, upstream=service.url, **settings) as server:
        recorded = await ask(server.url)
    async with cassette(file, **settings) as server:
        replayed = await ask(server.url)
    return recorded, replayed


async def asking(
    running: AbstractAsyncContextManager[wire.Server],
    *requests: dict,
    then: Exception | None = None,
    answers: list[bytes] | None = None,
) -> None:
    """Make requests, one after another, within a cassette; ``then`` fails what is in its block."""
    async with running as server:
        for request in requests:
            answer = await said(server.url, **request)
            if answers is not None:
                answers.append(answer)
        if then is not None:
            raise then


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


# --- what is replayed ----------------------------------------------------------------------------------------------------

CHUNKS = ({"n": 1}, b": ping\n\n", "[DONE]", b"data: \xc3", b"\xa4\xff\n\n")
STREAM = wire.streamed(*CHUNKS)


@pytest.mark.parametrize(
    "respond",
    [
        wire.events(*CHUNKS),
        wire.events({"n": 1}, end="cut"),
        wire.events(end="cut"),
        wire.status(200, {"text": "Hello."}),
        wire.status(429, {"error": {"message": "Wait."}}, retry_after="7"),
        wire.status(204),
        wire.status(502, b"\xff<html>"),
        wire.raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nto the end"),
        wire.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nnot to the end"),
        wire.raw(b"HTTP/1.1 2"),
        wire.slam(),
        *(wire.raw(STREAM[:length]) for length in range(90, len(STREAM), 7)),
    ],
)
async def test_bodies_are_replayed_byte_for_byte_however_they_end(file, respond):
    async with wire.serve(respond) as service:
        sent = body_of(await said(service.url, SAY))
    recorded, replayed = await both(file, respond, lambda url: said(url, SAY))
    assert body_of(recorded) == sent
    assert heard(replayed) == heard(recorded)


def heard(answer: bytes) -> tuple[object, ...]:
    """What a library makes of an answer: the status, the pieces of the body, how it ends."""
    import h11

    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="POST", target="/", headers=[("Host", "x")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(answer)
    connection.receive_data(b"")
    status, pieces = 0, []
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Response):
                status = (
                    event.status_code,
                    event.reason,
                    [pair for pair in event.headers if pair[0] != b"content-length"],
                )
                status = status if b"chunked" in dict(event.headers).values() else status[:2]
            elif isinstance(event, h11.Data):
                pieces.append((bytes(event.data), event.chunk_start, event.chunk_end))
            elif isinstance(event, h11.EndOfMessage):
                return status, pieces, "clean"
    except h11.RemoteProtocolError:
        return status, pieces, "cut"


async def test_a_chunk_stays_a_chunk_and_a_text_a_text(file):
    _, replayed = await both(file, wire.events(*CHUNKS), lambda url: said(url, SAY))
    assert body_of(replayed) == body_of(STREAM)
    [exchange] = json.loads(file.read_text())["exchanges"]
    assert exchange["request"] == {"method": "POST", "path": "/v1/say", "body": SAY}
    chunks = exchange["answer"]["chunks"]
    assert chunks[:3] == ['data: {"n": 1}\n\n', ": ping\n\n", "data: [DONE]\n\n"]
    assert [*chunks[3]] == ["base64"]


@pytest.mark.parametrize("respond", [wire.hang(), wire.events({"n": 1}, end="hang"), wire.raw(b"HTTP/1.", end="hang")])
async def test_silence_is_replayed_as_silence(file, respond, monkeypatch):
    monkeypatch.setattr("carrier_core.testing.cassettes._GRACE", 0.05)

    async def ask(url: str) -> bytes:
        got = b""
        with anyio.move_on_after(0.05) as waiting:
            async with await anyio.connect_tcp("127.0.0.1", urlsplit(url).port) as stream:
                await stream.send(b"GET / HTTP/1.1\r\n\r\n")
                async for piece in stream:
                    got += piece
        assert waiting.cancelled_caught
        return body_of(got)

    recorded, replayed = await both(file, respond, ask)
    assert replayed == recorded


async def test_a_client_that_leaves_early_has_the_whole_answer_recorded(file):
    gate = wire.Gate()

    async def leave(url: str) -> None:
        async with await anyio.connect_tcp("127.0.0.1", urlsplit(url).port) as stream:
            await stream.send(b"GET / HTTP/1.1\r\n\r\n")
            while b"one" not in await stream.receive():
                pass
        gate.open()

    async with (
        wire.serve(wire.events("one", gate, "two", "x" * 500_000, "three")) as service,
        cassette(file, upstream=service.url) as server,
    ):
        await leave(server.url)
    async with cassette(file) as server:
        assert body_of(await said(server.url, method="GET", path="/")).endswith(b"data: three\n\n\r\n0\r\n\r\n")


async def test_a_stream_is_passed_on_as_it_arrives(file):
    gate = wire.Gate()
    async with (
        wire.serve(wire.events("one", gate, "two")) as service,
        cassette(file, upstream=service.url) as server,
        await anyio.connect_tcp("127.0.0.1", urlsplit(server.url).port) as stream,
    ):
        await stream.send(b"GET / HTTP/1.1\r\n\r\n")
        got = b""
        with anyio.fail_after(20):
            while b"one" not in got:
                got += await stream.receive()
            assert b"two" not in got
            gate.open()
            while b"two" not in got:
                got += await stream.receive()


async def test_the_service_is_asked_in_its_own_name_below_its_own_path(file):
    async with wire.serve(wire.status(200, {})) as service:
        async with cassette(file, upstream=f"{service.url}/base/") as server:
            await said(server.url, SAY, path="/v1/say?beta=1", head="Accept-Encoding: gzip\r\nX-Api-Version: 2\r\n")
        [head] = service.heads
        assert service.requests == [SAY]
    lines = head.split("\r\n")
    assert lines[0] == "POST /base/v1/say?beta=1 HTTP/1.1"
    assert f"Host: {service.url.removeprefix('http://')}" in lines
    assert {"Accept-Encoding: identity", "Connection: close", "X-Api-Version: 2"} < {*lines}
    assert "gzip" not in head
    async with cassette(file) as server:
        assert body_of(await said(server.url, SAY, path="/v1/say?beta=1")) == b"{}"


async def test_a_service_behind_tls_is_recorded(file):
    # A cipher without certificates: it needs no key that somebody could take for a secret.
    context = {side: ssl.SSLContext(side) for side in (ssl.PROTOCOL_TLS_SERVER, ssl.PROTOCOL_TLS_CLIENT)}
    for each in context.values():
        each.check_hostname, each.verify_mode = False, ssl.CERT_NONE
        each.maximum_version = ssl.TLSVersion.TLSv1_2
        each.set_ciphers("AECDH:@SECLEVEL=0")

    async def answer(stream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(wire.streamed("over TLS"))

    plain = await anyio.create_tcp_listener(local_host="127.0.0.1")
    url = f"https://127.0.0.1:{plain.extra(anyio.abc.SocketAttribute.local_port)}"
    listener = TLSListener(plain, context[ssl.PROTOCOL_TLS_SERVER], standard_compatible=False)
    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, answer)
        async with cassette(file, upstream=url, tls=context[ssl.PROTOCOL_TLS_CLIENT]) as server:
            assert b"over TLS" in await said(server.url, SAY)
        group.cancel_scope.cancel()
    async with cassette(file) as server:
        assert b"over TLS" in await said(server.url, SAY)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_service_that_cannot_be_reached_is_told_and_nothing_is_written(file, scheme):
    with wire.nobody() as url, pytest.raises(ConnectionError, match="cannot be reached, so nothing is recorded"):
        await asking(cassette(file, upstream=url.replace("http", scheme)), {"body": SAY})
    assert not file.exists()


async def test_a_failed_handshake_is_told(file):
    async with wire.serve(wire.garbage()) as service:
        with pytest.raises(ConnectionError, match="SSL"):
            await asking(cassette(file, upstream=service.url.replace("http", "https")), {"body": SAY})


# --- when it records and when it replays ---------------------------------------------------------------------------------


async def test_a_file_is_replayed_although_the_service_is_named_unless_it_is_to_be_recorded_again(file):
    async with wire.serve(wire.script(wire.status(200, "old"), wire.status(200, "new"))) as service:
        for record, heard in ((False, b"old"), (False, b"old"), (True, b"new"), (False, b"new")):
            async with cassette(file, upstream=service.url, record=record) as server:
                assert body_of(await said(server.url, SAY)) == heard
    assert len(service.requests) == 2


async def test_what_fails_in_the_block_leaves_no_file_behind(file):
    async with wire.serve(wire.status(200, {})) as service:
        with pytest.raises(LookupError, match="mine"):
            await asking(cassette(file, upstream=service.url), {"body": SAY}, then=LookupError("mine"))
    assert not file.parent.exists()


async def test_without_a_file_and_a_service_there_is_nothing_to_do(file):
    with pytest.raises(FileNotFoundError, match="Name the service as upstream="):
        async with cassette(file):
            pass


@pytest.mark.parametrize(
    ("text", "said"), [("{}", "is no cassette"), ('{"cassette": 2, "exchanges": []}', "of version 2")]
)
async def test_a_file_that_cannot_be_read_is_named(tmp_path, text, said):
    (tmp_path / "other.json").write_text(text)
    with pytest.raises(ValueError, match=f"other.json.*{said}"):
        async with cassette(tmp_path / "other.json"):
            pass


# --- what differs --------------------------------------------------------------------------------------------------------


async def recorded(file: Path, *bodies: object) -> None:
    """A cassette of these requests, each answered with its number."""
    answers = [wire.status(200, {"n": number}) for number in range(1, len(bodies) + 1)]
    async with wire.serve(wire.script(*answers)) as service, cassette(file, upstream=service.url) as server:
        for body in bodies:
            await said(server.url, body)


async def test_answers_go_to_whoever_asks_the_same_in_any_order(file):
    await recorded(file, {"a": 1, "b": [2]}, {"c": 3}, {"c": 3})
    async with cassette(file) as server:
        heard = [body_of(await said(server.url, body)) for body in ({"c": 3}, {"b": [2], "a": 1}, {"c": 3})]
    assert heard == [b'{"n": 2}', b'{"n": 1}', b'{"n": 3}']


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ({"body": {**SAY, "model": "n"}}, ['-  "model": "m"', '+  "model": "n"', "recorded as exchange 2"]),
        (
            {"body": {"model": "m", "messages": [{"role": "user", "content": "Hello.\nWho are you?"}]}},
            ["-How are you?", "+Who are you?"],
        ),
        ({"body": SAY, "path": "/v2/say"}, ["-POST /v1/say", "+POST /v2/say"]),
        ({"body": SAY, "method": "PUT"}, ["-POST /v1/say", "+PUT /v1/say"]),
        ({"body": b"no json"}, ["+no json"]),
    ],
)
async def test_a_request_that_was_not_recorded_is_refused_with_the_difference(file, asked, shown):
    await recorded(file, {"other": True}, SAY)
    answers: list[bytes] = []
    with pytest.raises(CassetteMismatch) as caught:
        await asking(cassette(file), asked, {"body": {"other": True}}, {"body": SAY}, answers=answers)
    assert [answer[:13] for answer in answers] == [b"HTTP/1.1 404 ", b"HTTP/1.1 200 ", b"HTTP/1.1 200 "]
    error = json.loads(body_of(answers[0]))["error"]
    assert error["type"] == "cassette_mismatch"
    for each in (*shown, str(file.name)):
        assert each in error["message"]
        assert each in str(caught.value)
    assert "record it again: record=True" in str(caught.value)


async def test_a_mismatch_is_told_rather_than_what_came_of_it(file):
    await recorded(file, SAY)
    with pytest.raises(CassetteMismatch) as caught:
        await asking(cassette(file), {"body": {}}, then=LookupError("an answer is missing"))
    assert isinstance(caught.value.__cause__, LookupError)


async def test_what_the_test_itself_fails_with_is_left_alone(file):
    await recorded(file, SAY)
    with pytest.raises(LookupError, match="mine"):
        await asking(cassette(file), then=LookupError("mine"))


async def test_a_recorded_request_that_is_not_made_is_a_difference_too(file):
    await recorded(file, SAY, {"other": True})
    with pytest.raises(CassetteMismatch, match="Exchange 2 was never asked for: POST /v1/say"):
        await asking(cassette(file), {"body": SAY})


async def test_a_request_that_is_made_once_more_is_a_difference_too(file):
    await recorded(file, SAY)
    with pytest.raises(CassetteMismatch, match="Exchange 1 was asked for once more than it is recorded"):
        await asking(cassette(file), {"body": SAY}, {"body": SAY})


async def test_nothing_fits_a_cassette_on_which_nothing_is(file):
    await recorded(file)
    with pytest.raises(CassetteMismatch, match="Nothing is recorded there, but this was asked: POST /v1/say"):
        await asking(cassette(file), {"body": SAY})


# --- secrets -------------------------------------------------------------------------------------------------------------

SECRETS = {
    "Authorization": f"Bearer {KEY}",
    "x-api-key": "key-of-another-form",
    "Cookie": "session=abcdefgh; id=12345678",
    "Some-Organization": "org-of-the-operator",
    "Some-Project": "proj_0123456789",
}
TOLD = {
    "Set-Cookie": "track=me-wherever-i-go; Path=/",
    "some-organization": "org-as-it-answers",
    "cf-ray": "8f00000000000000-LIS",
    "retry-after": "1",
    "x-ratelimit-remaining-tokens": "149984",
    "x-request-id": "req_1",
    "Date": "Sat, 21 Nov 2026 10:00:00 GMT",
}


async def test_secrets_are_not_kept_wherever_they_appear(file):
    where = "the-city-nobody-may-know-Évora"
    body = {"model": "m", "user": where, "text": f'quoted "{KEY}"', "key-of-another-form": ["12345678"]}
    told = f"Wrong key {KEY} of org-as-it-answers, in {where}."
    pieces = (f"data: {told[:20]}".encode(), f"{told[20:]}\n\n".encode())  # the key lies in two chunks
    head = "".join(f"{name}: {value}\r\n" for name, value in SECRETS.items())
    answer = {name.replace("-", "_"): value for name, value in TOLD.items()}
    respond = wire.script(wire.status(401, {"error": told}, **answer), wire.events(*pieces, **answer))

    async def ask(url: str) -> tuple[bytes, bytes]:
        path = f"/v1/say?key={KEY}&where={quote(where)}"
        return await said(url, body, head=head, path=path), await said(url, {}, head=head)

    recorded, replayed = await both(file, respond, ask, scrub=[where])
    assert KEY.encode() in recorded[0]  # while it is recorded, everything is as it is
    kept = file.read_text()
    words = [word for value in SECRETS.values() for word in value.split() if len(word) > 7]
    for secret in (*words, "the-city", "vora", "me-wherever-i-go", "org-as-it-answers", "8f00000000000000"):
        assert secret not in kept
    assert "Bearer" not in kept
    for harmless in ("149984", "req_1", "10:00:00 GMT"):
        assert all(harmless.encode() in each for each in replayed)
    assert b"Wrong key [scrubbed] of [scrubbed], in [scrubbed]." in replayed[0]
    assert b"Wrong key [scrubbed] of [scrubbed], in [scrubbed]." in replayed[1]


async def test_what_authorises_is_taken_out_of_bodies_wherever_in_a_request_it_stands(file):
    """In the query of its address, or as one of several cookies; what only looks a little like it stays."""
    head = "Cookie: session=abcdefgh; id=12345678\r\n"
    path = "/v1/say?api_key=only-in-the-query&max_tokens=16000000&keywords=old-bridges&sig=signed-in-query"
    body = {"texts": ["only-in-the-query", "abcdefgh", "signed-in-query"], "about": "old-bridges", "most": 16000000}
    answer = "Hello only-in-the-query, abcdefgh of 12345678!"
    respond = wire.status(200, answer, set_cookie="track=me-wherever-i-go; Max-Age=16000000; HttpOnly")
    _, replayed = await both(file, respond, lambda url: said(url, body, head=head, path=path))
    kept = file.read_text()
    for secret in ("only-in-the-query", "abcdefgh", "12345678", "signed-in-query"):
        assert secret not in kept
    [exchange] = json.loads(kept)["exchanges"]
    assert exchange["request"]["path"].endswith("&max_tokens=16000000&keywords=old-bridges&sig=[scrubbed]")
    assert exchange["request"]["body"] == {"texts": ["[scrubbed]"] * 3, "about": "old-bridges", "most": 16000000}
    assert body_of(replayed) == b"Hello [scrubbed], [scrubbed] of [scrubbed]!"


async def test_a_secret_may_be_a_number_or_stand_in_json_within_a_text(file):
    secret = 'Ana "Porto" Silva'
    body = {"account": 7700112233, "items": [7700112233, 7, True, None], "arguments": json.dumps({"name": secret})}
    _, replayed = await both(file, wire.status(200, "ok"), lambda url: said(url, body), scrub=["7700112233", secret])
    assert body_of(replayed) == b"ok"
    [exchange] = json.loads(file.read_text())["exchanges"]
    assert exchange["request"]["body"] == {
        "account": "[scrubbed]",
        "items": ["[scrubbed]", 7, True, None],
        "arguments": '{"name": "[scrubbed]"}',
    }


async def test_an_answer_that_is_compressed_all_the_same_can_be_read_when_it_is_replayed(file):
    packed = gzip.compress(b"Hello.")
    _, replayed = await both(file, wire.status(200, packed, content_encoding="gzip"), lambda url: said(url, SAY))
    assert b"content-encoding: gzip\r\n" in replayed
    assert gzip.decompress(body_of(replayed)) == b"Hello."


async def test_what_is_scrubbed_may_be_another_value_when_it_is_replayed(file):
    async with (
        wire.serve(wire.status(200, {})) as service,
        cassette(file, upstream=service.url, scrub=["/tmp/run-1"]) as server,
    ):
        await said(server.url, {"folder": "/tmp/run-1/a"})
    async with cassette(file, scrub=["/tmp/run-22"]) as server:
        assert body_of(await said(server.url, {"folder": "/tmp/run-22/a"})) == b"{}"


# --- the real libraries --------------------------------------------------------------------------------------------------


def piece(content: str | None = None, finish: str | None = None, **more: object) -> dict[str, object]:
    delta = {} if content is None else {"content": content}
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices, **more}


@asynccontextmanager
async def openai(url: str) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key=KEY, base_url=f"{url}/v1", max_retries=1) as client:
        yield client


async def talk(url: str) -> list[object]:
    """A conversation over the SDK: an answer after a retry, a stream, a stream that is cut off."""
    async with openai(url) as client:
        whole = await client.chat.completions.create(**SAY)
        told: list[object] = [whole.to_dict()]
        for text in ("stream", "cut"):
            messages = [{"role": "user", "content": text}]
            stream = await client.chat.completions.create(model="m", messages=messages, stream=True)
            async with stream:
                try:
                    told += [each.to_dict() async for each in stream]
                except (APIError, httpx2.RemoteProtocolError) as error:
                    told.append(type(error).__name__)
    return told


async def test_the_traffic_of_a_real_sdk_is_replayed(file):
    message = {"role": "assistant", "content": "Fine."}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    whole = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": choices}
    service = wire.script(
        wire.status(429, {"error": {"message": "Wait."}}, retry_after_ms="1"),
        wire.status(200, whole),
        wire.events(piece("Hel"), piece("lo."), piece(finish="stop"), "[DONE]"),
        wire.events(piece("Hel"), end="cut"),
    )
    recorded, replayed = await both(file, service, talk)
    assert replayed == recorded
    assert [type(each) for each in recorded[-2:]] == [dict, str]
    statuses = [each["answer"]["status"] for each in json.loads(file.read_text())["exchanges"]]
    assert statuses == [429, 200, 200, 200]
    assert KEY not in file.read_text()


async def test_a_real_sdk_says_what_differs(file):
    await recorded(file, SAY)

    async def ask() -> None:
        messages = [{"role": "user", "content": "Who are you?"}]
        async with cassette(file) as server, openai(server.url) as client:
            await client.chat.completions.create(model="m", messages=messages)

    with pytest.raises(CassetteMismatch, match="Who are you") as caught:
        await ask()
    assert isinstance(caught.value.__cause__, APIStatusError)
    assert "Who are you?" in caught.value.__cause__.message


EVENTS = (
    {
        "type": "message_start",
        "message": {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 3, "output_tokens": 1},
        },
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello."}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 2},
    },
    {"type": "message_stop"},
)


async def test_the_traffic_of_a_sdk_with_named_events_is_replayed(file):
    anthropic = pytest.importorskip("anthropic")

    async def stream(url: str) -> dict[str, object]:
        async with (
            anthropic.AsyncAnthropic(api_key=KEY, base_url=url, max_retries=0) as client,
            client.messages.stream(model="m", max_tokens=9, messages=SAY["messages"]) as events,
        ):
            return (await events.get_final_message()).to_dict()

    recorded, replayed = await both(file, wire.events(*EVENTS, named="type"), stream)
    assert replayed == recorded
    assert replayed["content"][0]["text"] == "Hello."
    assert KEY not in file.read_text()
