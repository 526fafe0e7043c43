"""Servers for the tests of this plugin, on the loopback interface: an independent one, and one that misbehaves."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from anyio.abc import ByteStream

KEY = "sk-test-0123456789"

FIXTURES = {
    "fixtures": [
        {
            "match": {"userMessage": "hello"},
            "response": {
                "content": "Hello from afar! It is good to hear from you.",
                "usage": {
                    "prompt_tokens": 11,
                    "completion_tokens": 7,
                    "input_tokens": 11,
                    "output_tokens": 7,
                },
            },
        },
        {
            "match": {"userMessage": "weather", "hasToolResult": False},
            "response": {"toolCalls": [{"name": "get_weather", "arguments": '{"city": "Porto", "days": 2}'}]},
        },
        {
            "match": {"userMessage": "weather", "toolResultContains": "rain"},
            "response": {"content": "Take an umbrella."},
        },
        {
            "match": {"userMessage": "hurry"},
            "response": {
                "error": {
                    "message": "Slow down",
                    "type": "rate_limit_error",
                    "code": "rate_limit_exceeded",
                },
                "status": 429,
                "retryAfter": 7,
            },
        },
    ]
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def aimock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of `@copilotkit/aimock`, a server that we have not written. It takes KEY and no other key."""
    script = os.environ.get("CARRIER_TEST_AIMOCK", "")
    node = shutil.which("node")
    if not script or not Path(script).is_file() or node is None:
        pytest.skip("CARRIER_TEST_AIMOCK names no file, or there is no node: npm install @copilotkit/aimock")
    fixtures = tmp_path_factory.mktemp("aimock") / "fixtures.json"
    fixtures.write_text(json.dumps(FIXTURES))
    process = subprocess.Popen(
        [node, script, "--port", "0", "--host", "127.0.0.1", "--fixtures", str(fixtures)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "AIMOCK_API_KEYS": KEY},
    )
    try:
        assert process.stdout is not None
        told = []
        for line in process.stdout:
            told.append(line)
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                break
        else:
            pytest.fail(f"aimock did not start: {''.join(told)}")
        yield found[0]
    finally:
        process.terminate()
        process.communicate()


Respond = Callable[[ByteStream], Awaitable[None]]


class Server:
    """A server that answers every request as one test wants it. ``requests`` are the bodies that it got."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[dict[str, object]] = []
        self.heads: list[str] = []


@asynccontextmanager
async def _serve(respond: Respond) -> AsyncIterator[Server]:
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    server = Server(f"http://127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}/v1")

    async def handle(stream: ByteStream) -> None:
        async with stream:
            got = b""
            while b"\r\n\r\n" not in got:
                got += await stream.receive()
            head, _, body = got.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            while length and len(body) < int(length[1]):
                body += await stream.receive()
            server.heads.append(head.decode())
            server.requests.append(json.loads(body or b"{}"))
            await respond(stream)

    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, handle)
        yield server
        group.cancel_scope.cancel()


@pytest.fixture
def serve() -> Callable[[Respond], object]:
    """``async with serve(respond) as server``: a raw server for as long as the block."""
    return _serve


def status(code: int, body: object, **headers: str) -> Respond:
    """Answers with a status and a JSON body."""

    async def respond(stream: ByteStream) -> None:
        content = json.dumps(body).encode()
        lines = [f"HTTP/1.1 {code} X", "Content-Type: application/json", f"Content-Length: {len(content)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await stream.send("\r\n".join([*lines, "Connection: close", "", ""]).encode() + content)

    return respond


def events(*data: object, end: str = "clean") -> Respond:
    """Streams events. Then it ends cleanly, is ``cut`` in the middle of a chunk, or ``hangs``."""

    async def respond(stream: ByteStream) -> None:
        await stream.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for event in data:
            line = f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n".encode()
            await stream.send(b"%x\r\n%s\r\n" % (len(line), line))
        if end == "clean":
            await stream.send(b"0\r\n\r\n")
        elif end == "cut":
            await stream.send(b"ff\r\ndata: {")
        else:
            await anyio.sleep_forever()

    return respond


def chunk(delta: dict[str, object] | None = None, finish: str | None = None, **more: object) -> dict[str, object]:
    """A chunk of Chat Completions."""
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [choice],
        **more,
    }


def call(arguments: str, name: str = "get_weather") -> dict[str, object]:
    """A delta that asks for a call."""
    function = {"name": name, "arguments": arguments}
    return {"tool_calls": [{"index": 0, "id": "call-a", "type": "function", "function": function}]}


class Kit:
    """What the tests say to a misbehaving server, and about it."""

    key = KEY
    status = staticmethod(status)
    events = staticmethod(events)
    chunk = staticmethod(chunk)
    call = staticmethod(call)


@pytest.fixture
def kit() -> type[Kit]:
    return Kit
