"""What is asked in Chat Completions, and what is made of the answer."""

from __future__ import annotations

import msgspec
import pytest

from carrier_core import ActionCall, Effort, Finish, Part, Prompt, PromptMessage, Tool, Usage
from carrier_core.testing.wire import Gate, events, serve

pytestmark = pytest.mark.anyio

PING = Tool("ping", "Ping.", {"type": "object"})
CLOSED = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"], "additionalProperties": False}
HELLO = Prompt((PromptMessage("user", (Part("hello"),)),))


def line(role: str, text: str, **more) -> PromptMessage:
    return PromptMessage(role, (Part(text),), **more)


@pytest.fixture
def sent(connect, ask, chat):
    """``await sent(prompt)``: the body of the request that it becomes."""

    async def sent(prompt, **provider):
        async with serve(events(*chat.end())) as server:
            await ask(connect(server.url, **provider), prompt)
        assert server.heads[0].startswith("POST /v1/chat/completions")
        return server.requests[0]

    return sent


# --- the question -----------------------------------------------------------------------------------------------------


async def test_a_compatible_server_gets_one_system_message_in_front(sent):
    said = (line("system", "You are Tifa."), line("user", "hi"), line("assistant", "Hello!"), line("assistant", ""))
    request = await sent(Prompt((*said, line("system", "It is noon."), line("user", "so?"))))
    assert [(message["role"], message["content"]) for message in request["messages"]] == [
        ("system", "You are Tifa.\nIt is noon."),
        ("user", "hi"),
        ("assistant", "Hello!"),
        ("user", "so?"),
    ]


async def test_openai_gets_the_messages_as_they_stand(sent):
    said = (line("system", "You are Tifa."), line("user", "hi"), line("system", "It is noon."))
    request = await sent(Prompt(said), as_openai=True)
    assert [message["role"] for message in request["messages"]] == ["system", "user", "system"]


async def test_only_what_is_set_is_sent(sent):
    request = await sent(HELLO)
    assert request.keys() == {"model", "messages", "stream", "stream_options"}
    assert request["stream_options"] == {"include_usage": True}


async def test_what_is_set_is_sent(sent):
    prompt = Prompt(HELLO.messages, (PING,), max_tokens=5, temperature=0.5, effort=Effort.LOW)
    request = await sent(prompt)
    assert (request["max_tokens"], request["temperature"], request["reasoning_effort"]) == (5, 0.5, "low")
    assert request["tools"] == [
        {"type": "function", "function": {"name": "ping", "description": "Ping.", "parameters": {"type": "object"}}}
    ]


async def test_openai_has_another_name_for_the_limit(sent):
    request = await sent(msgspec.structs.replace(HELLO, max_tokens=5), as_openai=True)
    assert (request["max_completion_tokens"], "max_tokens" in request) == (5, False)


@pytest.mark.parametrize(("as_openai", "strict"), [(True, True), (False, None)])
async def test_a_closed_tool_is_strict_at_openai(sent, as_openai, strict):
    request = await sent(msgspec.structs.replace(HELLO, tools=(Tool("t", "T.", CLOSED),)), as_openai=as_openai)
    assert request["tools"][0]["function"].get("strict") is strict


@pytest.mark.parametrize(("schema", "strict"), [(CLOSED, True), ({"type": "object"}, False)])
async def test_an_answer_with_a_schema(sent, schema, strict):
    request = await sent(msgspec.structs.replace(HELLO, schema=schema))
    assert request["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema, "strict": strict},
    }


async def test_calls_and_their_results_go_back(sent):
    calls = (ActionCall("a", "ping", {"x": "é"}), ActionCall("b", "ping", {}))
    said = (
        PromptMessage("assistant", (), calls),
        line("tool", "pong", call="a"),
        line("tool", "no answer", call="b", failed=True),
    )
    request = await sent(Prompt((*HELLO.messages, *said)))
    asked, first, second = request["messages"][1:]
    assert asked["content"] is None
    assert [(each["id"], each["function"]["arguments"]) for each in asked["tool_calls"]] == [
        ("a", '{"x": "é"}'),
        ("b", "{}"),
    ]
    assert (first["tool_call_id"], first["content"]) == ("a", "pong")
    assert (second["tool_call_id"], second["content"]) == ("b", "The call failed: no answer")


# --- the answer -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("stop", Finish.STOP),
        ("length", Finish.LENGTH),
        ("content_filter", Finish.REFUSED),
        ("new", Finish.UNKNOWN),
    ],
)
async def test_each_reason_to_finish(connect, ask, chat, reason, finish):
    async with serve(events(chat.text("Hi"), *chat.end(reason), "[DONE]")) as server:
        completion = await ask(connect(server.url))
    assert (completion.text, completion.finish) == ("Hi", finish)
    assert completion.usage == Usage(input=9, output=3, cached=4, stored=2, calls=1)


async def test_a_piece_is_passed_on_before_the_answer_ends(connect, chat):
    gate, told = Gate(), []

    def emit(piece):
        told.append(piece)
        gate.open()  # without which the server says no more

    async with serve(events(chat.text("Hi"), gate, *chat.end())) as server:
        await connect(server.url, pause=5.0).generate(HELLO, "m", emit)
    assert told == ["Hi"]


async def test_a_refusal_is_told_as_one(connect, ask, chat):
    async with serve(events(chat.chunk({"refusal": "I will not."}), *chat.end())) as server:
        completion = await ask(connect(server.url))
    assert (completion.text, completion.finish) == ("I will not.", Finish.REFUSED)


async def test_calls_that_come_in_pieces(connect, ask, chat):
    deltas = [
        {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "one", "arguments": '{"x"'}}]},
        {"tool_calls": [{"index": 1, "id": "b", "function": {"name": "two", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]},
    ]
    async with serve(events(*map(chat.chunk, deltas), *chat.end("stop"))) as server:
        completion = await ask(connect(server.url))
    assert [(call.id, call.name, call.arguments) for call in completion.calls] == [
        ("a", "one", {"x": 1}),
        ("b", "two", {}),
    ]
    assert completion.finish is Finish.CALLS


@pytest.mark.parametrize("index", [{"index": 0}, {}], ids=["one index", "no index"])
async def test_calls_that_share_an_index_are_kept_apart(connect, ask, chat, index):
    """As some servers send them; each call whole, or its arguments in a piece that has another id, or none."""
    deltas = [
        {"tool_calls": [{**index, "id": "a", "function": {"name": "one", "arguments": '{"x": 1}'}}]},
        {"tool_calls": [{**index, "id": "b", "function": {"name": "one", "arguments": '{"x"'}}]},
        {"tool_calls": [{**index, "id": "of this piece", "function": {"arguments": ": 2"}}]},
        {"tool_calls": [{**index, "id": "b", "function": {"name": "one", "arguments": "}"}}]},
    ]
    async with serve(events(*map(chat.chunk, deltas), *chat.end("calls"))) as server:
        completion = await ask(connect(server.url))
    assert [(call.id, call.name, call.arguments) for call in completion.calls] == [
        ("a", "one", {"x": 1}),
        ("b", "one", {"x": 2}),
    ]


@pytest.mark.parametrize("usage", [{}, {"prompt_tokens": "many", "completion_tokens": None}, {"prompt_tokens": -1}])
async def test_a_usage_that_is_none_counts_nothing(connect, ask, chat, usage):
    async with serve(events(chat.chunk({}, "stop"), chat.bare(usage=usage))) as server:
        assert (await ask(connect(server.url))).usage == Usage(calls=1)
