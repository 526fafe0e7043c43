"""A server that answers like each of the model services, at once, in a process of its own whose CPU time nobody counts.

``python -m tests.benchmarks.service`` prints its port. The model that a request asks for is the number of pieces of its answer,
or :data:`STAMPED`: then the first piece says when it was sent, by ``CLOCK_MONOTONIC``.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
from anyio.abc import SocketAttribute, SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

from carrier_core.testing.wire import chunk

STAMPED = "stamped"  # the model whose first chunk says when it was sent
BEGINS, PAUSE = 0.010, 0.003  # seconds until its first chunk, in which the host comes to rest, and between two

# The events of an answer. That with TEXT comes as often as there are pieces of text.
_CHAT = """\
data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"TEXT"},"finish_reason":null}]}

data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}

data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":900,"completion_tokens":30,"total_tokens":930,"prompt_tokens_details":{"cached_tokens":400}}}

data: [DONE]"""
_RESPONSES = """\
event: response.created
data: {"type":"response.created","sequence_number":0,"response":{"id":"r","object":"response","status":"in_progress","output":[]}}

event: response.output_text.delta
data: {"type":"response.output_text.delta","sequence_number":1,"item_id":"m","output_index":0,"content_index":0,"delta":"TEXT","logprobs":[]}

event: response.completed
data: {"type":"response.completed","sequence_number":2,"response":{"id":"r","object":"response","status":"completed","output":[],"usage":{"input_tokens":900,"output_tokens":30,"total_tokens":930,"input_tokens_details":{"cached_tokens":400}}}}"""
_MESSAGES = """\
event: message_start
data: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"usage":{"input_tokens":500,"cache_read_input_tokens":400,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"TEXT"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":30}}

event: message_stop
data: {"type":"message_stop"}"""


class Answer:
    """The bytes of an answer: ``before`` and ``after`` its pieces. Each event is a chunk of its own."""

    def __init__(self, events: str) -> None:
        told = events.split("\n\n")
        at = next(number for number, event in enumerate(told) if "TEXT" in event)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.before = b"".join([head, *map(_chunk, told[:at])])
        self.after = b"".join([*map(_chunk, told[at + 1 :]), b"0\r\n\r\n"])
        self._event = told[at]

    def piece(self, text: str = " word") -> bytes:
        """A piece of the text."""
        return _chunk(self._event.replace("TEXT", text))


def _chunk(event: str) -> bytes:
    return chunk(f"{event}\n\n".encode())


ANSWERS = {"chat": Answer(_CHAT), "responses": Answer(_RESPONSES), "messages": Answer(_MESSAGES)}
PATHS = {b"/v1/chat/completions": "chat", b"/v1/responses": "responses", b"/v1/messages": "messages"}


async def _stamp(stream: SocketStream, answer: Answer) -> None:
    """Send an answer whose first piece says when it was sent."""
    await stream.send(answer.before)
    await anyio.sleep(BEGINS)
    await stream.send(answer.piece(repr(time.monotonic())))
    for _ in range(3):
        await anyio.sleep(PAUSE)
        await stream.send(answer.piece())
    await stream.send(answer.after)


async def _handle(stream: SocketStream) -> None:
    """Answer the requests of a connection. The model that they ask for is the number of pieces, or :data:`STAMPED`."""
    got = BufferedByteReceiveStream(stream)
    async with stream:
        try:
            while True:
                head = await got.receive_until(b"\r\n\r\n", 1 << 16)
                length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
                model = json.loads(await got.receive_exactly(int(length[1]) if length else 0))["model"]
                answer = ANSWERS[PATHS[head.split()[1]]]
                if model == STAMPED:
                    await _stamp(stream, answer)
                else:
                    await stream.send(answer.before + answer.piece() * int(model) + answer.after)
        except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError):
            return  # the other end has hung up


async def serve() -> None:
    """Tell the port, and answer until standard input ends, which it does with the process that started this one."""
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, _handle)
        print(listener.extra(SocketAttribute.local_port), flush=True)
        await anyio.wait_readable(sys.stdin)
        group.cancel_scope.cancel()


@contextmanager
def server() -> Iterator[str]:
    """The URL of a server in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.service"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"


if __name__ == "__main__":
    anyio.run(serve)
