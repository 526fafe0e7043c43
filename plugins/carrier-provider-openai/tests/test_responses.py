"""What is asked in Responses, and what is made of the answer."""

from __future__ import annotations

import msgspec
import pytest

from carrier_core import ActionCall, Effort, Finish, Part, Prompt, PromptMessage, Tool, Usage
from carrier_core.testing.wire import events, serve

pytestmark = pytest.mark.anyio

PING = Tool("ping", "Ping.", {"type": "object"})
CLOSED = {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"], "additionalProperties": False}
HELLO = Prompt((PromptMessage("user", (Part("hello"),)),))


@pytest.fixture
def sent(connect, ask, responses):
    """``await sent(prompt)``: the body of the request that it becomes."""

    async def sent(prompt, **provider):
        async with serve(events(*responses.end())) as server:
            await ask(connect(server.url, api="responses", **provider), prompt)
        assert server.heads[0].startswith("POST /v1/responses")
        return server.requests[0]

    return sent


# --- the question -----------------------------------------------------------------------------------------------------


async def test_only_what_is_set_is_sent_and_nothing_is_kept(sent):
    request = await sent(HELLO, as_openai=True)
    assert request.keys() == {"model", "input", "stream", "store"}
    assert request["store"] is False


async def test_what_is_set_is_sent(sent):
    request = await sent(Prompt(HELLO.messages, (PING,), max_tokens=50, temperature=0.5))
    assert (request["max_output_tokens"], request["temperature"]) == (50, 0.5)
    assert request["tools"] == [
        {
            "type": "function",
            "name": "ping",
            "description": "Ping.",
            "parameters": {"type": "object"},
            "strict": False,
        }
    ]


async def test_a_closed_tool_is_strict(sent):
    request = await sent(msgspec.structs.replace(HELLO, tools=(Tool("t", "T.", CLOSED),)))
    assert request["tools"][0]["strict"] is True


@pytest.mark.parametrize(
    ("effort", "as_openai", "include"),
    [
        (Effort.HIGH, True, ["reasoning.encrypted_content"]),
        (Effort.NONE, True, None),
        (Effort.HIGH, False, None),
    ],
)
async def test_an_effort_is_passed_on_and_the_thoughts_wanted_of_openai(sent, effort, as_openai, include):
    request = await sent(msgspec.structs.replace(HELLO, effort=effort), as_openai=as_openai)
    assert request["reasoning"] == {"effort": str(effort)}
    assert request.get("include") == include


async def test_an_effort_of_another_release_is_not_sent(sent):
    request = await sent(msgspec.structs.replace(HELLO, effort=Effort.UNKNOWN))
    assert "reasoning" not in request


@pytest.mark.parametrize(("schema", "strict"), [(CLOSED, True), ({"type": "object"}, False)])
async def test_an_answer_with_a_schema(sent, schema, strict):
    request = await sent(msgspec.structs.replace(HELLO, schema=schema))
    assert request["text"] == {"format": {"type": "json_schema", "name": "answer", "schema": schema, "strict": strict}}


async def test_calls_and_their_results_go_back(sent):
    messages = (
        PromptMessage("system", (Part("You are Tifa."),)),
        PromptMessage("user", (Part("ping?"),)),
        PromptMessage("assistant", (Part("Let me see."),), (ActionCall("a", "ping", {"x": "é"}),)),
        PromptMessage("tool", (Part("no answer"),), call="a", failed=True),
    )
    *said, call, result = (await sent(Prompt(messages)))["input"]
    assert [(item["role"], item["content"]) for item in said] == [
        ("system", "You are Tifa."),
        ("user", "ping?"),
        ("assistant", "Let me see."),
    ]
    assert call == {"type": "function_call", "call_id": "a", "name": "ping", "arguments": '{"x": "é"}'}
    assert result == {"type": "function_call_output", "call_id": "a", "output": "The call failed: no answer"}


# --- the answer -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("stop", Finish.STOP),
        ("length", Finish.LENGTH),
        ("content_filter", Finish.REFUSED),
        (None, Finish.UNKNOWN),
    ],
)
async def test_each_reason_why_a_response_ends(connect, ask, responses, reason, finish):
    async with serve(events(responses.text("It began"), *responses.end(reason))) as server:
        completion = await ask(connect(server.url, api="responses"))
    assert (completion.text, completion.finish) == ("It began", finish)
    assert completion.usage == Usage(input=9, output=3, cached=4, stored=2, calls=1)


async def test_a_refusal_is_told_as_one(connect, ask, responses):
    piece = {"type": "response.refusal.delta", "delta": "I will not.", "output_index": 0, "content_index": 0}
    item = {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "I will not."}]}
    async with serve(events(piece, responses.item(item), *responses.end())) as server:
        completion = await ask(connect(server.url, api="responses"))
    assert (completion.text, completion.finish) == ("I will not.", Finish.REFUSED)


async def test_two_calls_at_once(connect, ask, responses):
    calls = [responses.call('{"x": 1}', id="a", name="one"), responses.call("{}", id="b", name="two", number=1)]
    async with serve(events(*calls, *responses.end())) as server:
        completion = await ask(connect(server.url, api="responses"))
    assert [(call.id, call.name, call.arguments) for call in completion.calls] == [
        ("a", "one", {"x": 1}),
        ("b", "two", {}),
    ]
    assert completion.finish is Finish.CALLS


async def test_two_texts_of_one_answer_are_two_paragraphs(connect, responses):
    told: list[str] = []
    texts = [responses.text("Let me "), responses.text("see."), responses.text("It rains.", number=2)]
    async with serve(events(*texts, *responses.end())) as server:
        completion = await connect(server.url, api="responses").generate(HELLO, "m", told.append)
    assert completion.text == "Let me see.\n\nIt rains."
    assert told == ["Let me ", "see.", "\n\n", "It rains."]
