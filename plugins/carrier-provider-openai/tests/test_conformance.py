"""What every provider keeps, kept by this one: through the SDK, with a server that repeats what it is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from threading import Thread

import pytest

from carrier_core import Part, Prompt, PromptMessage, Tool
from carrier_core.testing import ProviderConformance
from carrier_core.testing.wire import nobody
from carrier_provider_openai.provider import OpenAIProvider
from carrier_provider_openai.server import Server


class Echo(BaseHTTPRequestHandler):
    """Speaks both protocols; asked for the weather, it calls the tool, until it has a result."""

    protocol_version = "HTTP/1.1"
    numbers = count(1)

    def log_message(self, *args: object) -> None:
        """Nothing is logged."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        items = body.get("messages") or body.get("input")
        last = items[-1]
        said = [item["content"] for item in items if item.get("role") == "user"][-1]
        finished = last.get("role") == "tool" or last.get("type") == "function_call_output"
        call = "weather" in said and bool(body.get("tools")) and not finished
        speak = self.in_chat if self.path.endswith("/chat/completions") else self.in_responses
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in speak(f"You said: {said}", call):
            line = f"data: {json.dumps(event)}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        self.wfile.write(b"0\r\n\r\n")

    def in_chat(self, text: str, call: bool) -> Iterator[dict[str, object]]:
        def chunk(delta: dict[str, object], finish: str | None = None) -> dict[str, object]:
            return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

        if call:
            function = {"name": "get_weather", "arguments": '{"city": "Porto"}'}
            yield chunk({"tool_calls": [{"index": 0, "id": f"call-{next(self.numbers)}", "function": function}]})
        else:
            for start in range(0, len(text), 500):
                yield chunk({"content": text[start : start + 500]})
        yield chunk({}, "tool_calls" if call else "stop")
        yield {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 3}}

    def in_responses(self, text: str, call: bool) -> Iterator[dict[str, object]]:
        if call:
            name, arguments = "get_weather", '{"city": "Porto"}'
            item = {
                "type": "function_call",
                "call_id": f"call-{next(self.numbers)}",
                "name": name,
                "arguments": arguments,
            }
            yield {"type": "response.output_item.done", "output_index": 0, "item": item}
        else:
            for start in range(0, len(text), 500):
                yield {"type": "response.output_text.delta", "delta": text[start : start + 500]}
        usage = {"input_tokens": 9, "output_tokens": 3, "input_tokens_details": {"cached_tokens": 2}}
        yield {"type": "response.completed", "response": {"status": "completed", "usage": usage}}


@contextmanager
def echo() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class TestOpenAI(ProviderConformance):
    echoes = True

    @pytest.fixture(params=["chat", "responses"])
    def provider(self, request, connect):
        with echo() as url:
            yield connect(url, api=request.param)

    @pytest.fixture(params=["chat", "responses"])
    def failing(self, request, connect):
        with nobody() as url:
            yield connect(url, api=request.param)

    @pytest.fixture
    def unready(self):
        return OpenAIProvider(Server())

    @pytest.fixture
    def calling(self):
        tool = Tool("get_weather", "The weather of a city.", {"type": "object"})
        return Prompt((PromptMessage("user", (Part("How is the weather?"),)),), (tool,))
