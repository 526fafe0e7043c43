"""Every fault of a model's service, over a real socket with the real SDK, as people and operators meet it.

The rows are the table of docs/models.md: ``python tests/test_model_faults.py`` writes it anew from what happens.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import anyio
import pytest
import structlog

import carrier_provider_anthropic
import carrier_provider_openai
from carrier_core.testing import running_host, wire

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).parents[1] / "docs" / "models.md"
BEGIN, END = "<!-- begin faults -->\n", "<!-- end faults -->"
KEY = "sk-test-0123456789"
SORRY = "Sorry, something went wrong on my side and I could not answer that. Please try again."
SHORT, LONG = 1.0, 60.0  # seconds of patience with a service that is silent, and with any other

# --- the protocols -------------------------------------------------------------------------------------------------------

Events = tuple[object, ...]


class Protocol(NamedTuple):
    """How a service speaks: the events of an answer in pieces, which it may be cut after, and of a call."""

    provider: str
    section: str
    answer: Callable[..., Events]
    call: Callable[[str, str], Events]
    named: str = ""
    error: Callable[[str, str], object] = lambda message, code: {"error": {"message": message, "code": code}}
    too_long: tuple[str, str] = ("The prompt is too long.", "context_length_exceeded")
    path: str = "/v1"
    last: int = 3  # events after the text of an answer

    def begun(self) -> Events:
        """The events of an answer up to the middle."""
        return self.answer("I was ", "about to")[: -self.last]


def _chunk(delta: dict, finish: str | None = None) -> dict:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def _chat(*pieces: str, finish: str = "stop") -> Events:
    return (*[_chunk({"content": piece}) for piece in pieces], _chunk({}, finish), "[DONE]")


def _chat_call(name: str, arguments: str) -> Events:
    function = {"name": name, "arguments": arguments}
    call = {"tool_calls": [{"index": 0, "id": "call-a", "type": "function", "function": function}]}
    return (_chunk(call), _chunk({}, "tool_calls"), "[DONE]")


def _response(status: str, output: list[dict], **more: object) -> dict:
    usage = {
        "input_tokens": 9,
        "output_tokens": 3,
        "total_tokens": 12,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    }
    return {
        "id": "r",
        "object": "response",
        "created_at": 1,
        "model": "m",
        "status": status,
        "output": output,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": usage,
        **more,
    }


def _responses(*pieces: str, finish: str = "stop") -> Events:
    more = {"incomplete_details": {"reason": "content_filter"}} if finish == "content_filter" else {}
    deltas = [
        {
            "type": "response.output_text.delta",
            "delta": piece,
            "item_id": "i",
            "output_index": 0,
            "content_index": 0,
            "sequence_number": number,
            "logprobs": [],
        }
        for number, piece in enumerate(pieces)
    ]
    state = "incomplete" if more else "completed"
    last = {"type": f"response.{state}", "sequence_number": 99, "response": _response(state, [], **more)}
    return (*deltas, last)


def _responses_call(name: str, arguments: str) -> Events:
    item = {"type": "function_call", "id": "f", "call_id": "call-a", "name": name, "arguments": arguments}
    done = {"type": "response.output_item.done", "output_index": 0, "sequence_number": 1, "item": item}
    return (done, {"type": "response.completed", "sequence_number": 2, "response": _response("completed", [item])})


def _message(block: dict, deltas: list[dict], stop: str) -> Events:
    usage = {"input_tokens": 9, "output_tokens": 1}
    begun = {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    return (
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": block},
        *[{"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas],
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": stop, "stop_sequence": None},
            "usage": {"output_tokens": 3},
        },
        {"type": "message_stop"},
    )


def _messages(*pieces: str, finish: str = "stop") -> Events:
    stop = {"stop": "end_turn", "content_filter": "refusal"}[finish]
    deltas = [{"type": "text_delta", "text": piece} for piece in pieces]
    return _message({"type": "text", "text": ""}, deltas, stop)


def _messages_call(name: str, arguments: str) -> Events:
    block = {"type": "tool_use", "id": "toolu_a", "name": name, "input": {}}
    return _message(block, [{"type": "input_json_delta", "partial_json": arguments}], "tool_use")


PROTOCOLS = {
    "Chat Completions": Protocol("openai", 'plugin.carrier-provider-openai]\napi = "chat"', _chat, _chat_call, last=2),
    "Responses": Protocol(
        "openai", 'plugin.carrier-provider-openai]\napi = "responses"', _responses, _responses_call, last=1
    ),
    "Messages": Protocol(
        "anthropic",
        "plugin.carrier-provider-anthropic]",
        _messages,
        _messages_call,
        "type",
        lambda message, code: {"type": "error", "error": {"type": code, "message": message}},
        ("prompt is too long: 300000 tokens > 200000 maximum", "invalid_request_error"),
        "",
    ),
}

# --- the faults ------------------------------------------------------------------------------------------------------------


class Fault(NamedTuple):
    """What goes wrong with a service at its first answer; the following ones are whole, unless it ``stays`` wrong."""

    respond: Callable[[Protocol], wire.Respond]
    stays: bool = False
    url: str = ""
    patience: float = LONG


def _status(code: int, message: str, kind: str = "", **headers: str) -> Callable[[Protocol], wire.Respond]:
    return lambda protocol: wire.status(code, protocol.error(message, kind), **headers)


def _events(make: Callable[[Protocol], Events], end: wire.End = "clean") -> Callable[[Protocol], wire.Respond]:
    return lambda protocol: wire.events(*make(protocol), named=protocol.named, end=end)


FAULTS = {
    "429 with `retry-after`": Fault(_status(429, "Slow down.", retry_after="7")),
    "429 without": Fault(_status(429, "Slow down.")),
    "500": Fault(_status(500, "Ouch.")),
    "502": Fault(_status(502, "Bad gateway.")),
    "503": Fault(_status(503, "Too many.")),
    "529": Fault(_status(529, "Too many.")),
    "connection refused": Fault(lambda protocol: wire.slam(), stays=True, url="nobody"),
    "the server hangs up": Fault(lambda protocol: wire.slam()),
    "TLS failure": Fault(lambda protocol: wire.garbage(), stays=True, url="https"),
    "DNS failure": Fault(lambda protocol: wire.slam(), stays=True, url="http://nowhere.invalid"),
    "wrong key (401)": Fault(_status(401, "Wrong key."), stays=True),
    "unknown model (404)": Fault(_status(404, "There is no such model."), stays=True),
    "prompt too long (400)": Fault(lambda protocol: wire.status(400, protocol.error(*protocol.too_long)), stays=True),
    "content refused": Fault(_events(lambda protocol: protocol.answer(finish="content_filter")), stays=True),
    "a stream that is cut": Fault(_events(lambda protocol: protocol.begun(), "cut")),
    "a clean end without a stop reason": Fault(_events(lambda protocol: protocol.begun())),
    "silence before the first token": Fault(lambda protocol: wire.hang(), patience=SHORT),
    "silence between tokens": Fault(_events(lambda protocol: protocol.begun(), "hang"), patience=SHORT),
    "invalid JSON in a tool's arguments": Fault(_events(lambda protocol: protocol.call("reply", '{"text": '))),
    "an unknown tool called": Fault(_events(lambda protocol: protocol.call("fly", "{}"))),
    "an empty completion": Fault(_events(lambda protocol: protocol.answer())),
    "a completion of 1 MB": Fault(_events(lambda protocol: protocol.answer(*["word " * 100] * 2_000))),
}


class Row(NamedTuple):
    """What came of a fault: what the person read, what the log said, how often the service was asked."""

    seen: str
    logged: str
    asked: int


@contextmanager
def _at(fault: Fault, protocol: Protocol, server: wire.Server) -> Iterator[str]:
    """The address that the provider is given."""
    if fault.url == "nobody":
        with wire.nobody() as url:
            yield url + protocol.path
    elif fault.url == "https":
        yield server.url.replace("http:", "https:") + protocol.path
    else:
        yield (fault.url or server.url) + protocol.path


async def what_comes_of(fault: Fault, protocol: Protocol) -> Row:
    """Meet a fault in a host of one agent, with an answer after it."""
    good = wire.events(*protocol.answer("All ", "is well."), named=protocol.named)
    wrong = fault.respond(protocol)
    async with wire.serve(wrong if fault.stays else wire.script(wrong, good)) as server:
        with _at(fault, protocol, server) as url, structlog.testing.capture_logs() as logs:
            config = (
                f'[{protocol.section}\napi_key = "{KEY}"\nbase_url = "{url}"\n'
                f"first_timeout = {fault.patience}\npause_timeout = {fault.patience}\n"
                f'[agents.robin.models]\nlarge = "{protocol.provider}/m"\n'
            )
            plugin = {"openai": carrier_provider_openai, "anthropic": carrier_provider_anthropic}[protocol.provider]
            async with running_host({f"carrier-provider-{protocol.provider}": plugin}, config=config) as running:
                answer = await running.ask("hello")
    failed = [line for line in logs if line["event"] == "model_failed"]
    logged = f"`{failed[0]['reason']}`" if failed else "nothing"
    assert not any(KEY in json.dumps(line, default=str) for line in logs)
    assert not any(line["event"] in ("plugin_failed", "turn_raised") for line in logs)
    seen = "the answer" if answer == "All is well." or answer.startswith("word word") else answer
    return Row(seen, logged, len(failed) + 1 if seen == "the answer" else len(failed) or 1)


def told(name: str, row: Row) -> str:
    """A row of the table."""
    seen = "the agent's `failure` sentence" if row.seen == SORRY else row.seen
    times = {1: "no", 2: "yes"}.get(row.asked, f"yes, {row.asked - 1} times")
    return f"| {name} | {seen} | {row.logged} | {times} |"


@pytest.fixture(scope="module")
def table() -> dict[str, str]:
    """The rows that the page has, by the name of the fault."""
    _, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    lines = [line for line in rest.partition(END)[0].splitlines() if line.startswith("| ")]
    return {line.split(" | ")[0].removeprefix("| "): line for line in lines[1:]}


each = pytest.mark.parametrize(("name", "protocol"), list(itertools.product(FAULTS, PROTOCOLS)))


@each
async def test_a_fault_ends_as_the_page_says(name, protocol, table):
    assert told(name, await what_comes_of(FAULTS[name], PROTOCOLS[protocol])) == table[name]


def test_the_page_has_no_other_rows(table):
    assert list(table) == list(FAULTS)


def write() -> None:
    """Write the table anew; all protocols have to agree."""
    rows = ["| Fault | What the person sees | What the log says | Tried again |", "|---|---|---|---|"]
    for name, fault in FAULTS.items():
        found = {told(name, anyio.run(what_comes_of, fault, protocol)): key for key, protocol in PROTOCOLS.items()}
        if len(found) > 1:
            raise SystemExit("\n".join(f"{protocol}: {row}" for row, protocol in found.items()))
        rows += found
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n" + "\n".join(rows) + f"\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(write())
