"""What a model of a compatible server thought aloud goes back with its calls, and only to servers that sent it."""

from __future__ import annotations

import msgspec
import pytest

from carrier_core import (
    Action,
    ActionCall,
    ActionResult,
    Carry,
    Effect,
    Part,
    Prompt,
    PromptMessage,
    ProviderError,
    impl,
)
from carrier_core.testing import running_host
from carrier_core.testing.wire import Respond, events, script, serve, status

pytestmark = pytest.mark.anyio

HELLO = PromptMessage("user", (Part("hello"),))
SIGNED = {"google": {"thought_signature": "c2ln"}}


def asked(chat, *deltas: dict, extra: object = None) -> Respond:
    """An answer of two calls, with these pieces before it; ``extra`` comes with the second call."""
    first, second = chat.call("{}", id="a"), chat.call("{}", id="b", number=1)
    if extra is not None:
        second["choices"][0]["delta"]["tool_calls"][0]["extra_content"] = extra
    return events(*(chat.chunk(delta) for delta in deltas), first, second, *chat.end("calls"))


@pytest.fixture
def loop(connect, ask, chat):
    """``await loop(answer, ...)``: the messages of the last request of a conversation in which each answer's calls are carried
    out, as they are once they were recorded; ``carry`` takes the place of what is to be carried."""

    async def loop(*answers, carry=None):
        async with serve(script(*answers, events(*chat.end()))) as server:
            provider = connect(server.url)
            messages = [HELLO]
            for _ in answers:
                completion = await ask(provider, Prompt(tuple(messages)))
                said = PromptMessage("assistant", completion.parts, completion.calls, carry=carry or completion.carry)
                messages.append(msgspec.json.decode(msgspec.json.encode(said), type=PromptMessage))
                messages += [PromptMessage("tool", (Part("done"),), call=call.id) for call in completion.calls]
            await ask(provider, Prompt(tuple(messages)))
        return [message for message in server.requests[-1]["messages"] if message["role"] == "assistant"]

    return loop


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
async def test_thoughts_go_back_in_the_field_that_they_came_in(loop, chat, field):
    answer = asked(chat, {field: "Let me"}, {field: " see."}, {"content": "One moment."})
    (said,) = await loop(answer)
    assert said[field] == "Let me see."
    assert said["content"] == "One moment."
    assert [call["id"] for call in said["tool_calls"]] == ["a", "b"]


async def test_what_comes_in_two_fields_goes_back_in_one(loop, chat):
    (said,) = await loop(asked(chat, {"reasoning": "Hm.", "reasoning_content": "Hm."}))
    assert said["reasoning_content"] == "Hm."
    assert "reasoning" not in said


async def test_a_call_without_a_thought_has_the_field_all_the_same(loop, chat):
    """DeepSeek refuses the message without it, and Kimi where it is empty."""
    thought, none, empty = (
        asked(chat, {"reasoning_content": "Hm."}),
        asked(chat),
        asked(chat, {"reasoning_content": ""}),
    )
    assert [said["reasoning_content"] for said in await loop(thought, none, empty)] == ["Hm.", " ", " "]


async def test_what_comes_with_a_call_goes_back_with_it(loop, chat):
    (said,) = await loop(asked(chat, extra=SIGNED))
    assert [call.get("extra_content") for call in said["tool_calls"]] == [None, SIGNED]
    assert {*said} == {"role", "content", "tool_calls"}


@pytest.mark.parametrize("odd", [{}, {"reasoning_content": None}, {"reasoning": {"a": 1}}, {"thinking": "Hm."}])
async def test_a_server_that_tells_no_thoughts_is_sent_none(loop, chat, odd):
    (said,) = await loop(asked(chat, odd))
    assert {*said} == {"role", "content", "tool_calls"}
    assert {*said["tool_calls"][0]} == {"id", "type", "function"}


async def test_thoughts_without_calls_are_not_kept(connect, ask, chat):
    answer = events(chat.chunk({"reasoning_content": "Hm."}), chat.text("Hello."), *chat.end())
    async with serve(answer) as server:
        completion = await ask(connect(server.url), Prompt((HELLO,)))
    assert (completion.text, completion.carry) == ("Hello.", None)


@pytest.mark.parametrize("data", [{"field": 1}, "thoughts", ["a"], {"model": "m", "pieces": 2}])
async def test_a_carry_of_another_release_is_left_out(loop, chat, data):
    (said,) = await loop(asked(chat), carry=Carry("openai", data))
    assert {*said} == {"role", "content", "tool_calls"}


async def test_thoughts_of_another_model_are_not_for_this_one(connect, ask, chat):
    async with serve(script(asked(chat, {"reasoning": "Hm."}, extra=SIGNED), events(*chat.end()))) as server:
        provider = connect(server.url)
        completion = await ask(provider, Prompt((HELLO,)), "thinker")
        said = PromptMessage("assistant", completion.parts, completion.calls, carry=completion.carry)
        await ask(provider, Prompt((HELLO, said)), "talker")
    (sent,) = [message for message in server.requests[1]["messages"] if message["role"] == "assistant"]
    assert {*sent} == {"role", "content", "tool_calls"}


REFUSALS = [
    "The `reasoning_content` in the thinking mode must be passed back to the API.",
    "thinking is enabled but reasoning_content is missing in assistant tool call message at index 2",
]


@pytest.mark.parametrize("words", REFUSALS)
async def test_what_a_server_wants_of_others_is_sent_from_then_on(connect, ask, chat, words):
    """Where another provider began the turn, or a person's past was written before: nothing was kept there."""

    async def insisting(exchange):
        said = [message for message in exchange.body["messages"] if message["role"] == "assistant"]
        missing = any(not message.get("reasoning_content") for message in said)
        refused = status(400, {"error": {"message": words, "type": "invalid_request_error"}})
        await (refused if missing else events(chat.text("Done."), *chat.end()))(exchange)

    text, calls = (
        PromptMessage("assistant", (Part("Hello."),)),
        PromptMessage("assistant", (), (ActionCall("a", "ping", {}),)),
    )
    prompt = Prompt((HELLO, text, HELLO, calls, PromptMessage("tool", (Part("pong"),), call="a")))
    async with serve(insisting) as server:
        provider = connect(server.url)
        assert [(await ask(provider, prompt)).text for _ in range(2)] == ["Done."] * 2
    assert len(server.requests) == 3


async def test_a_server_that_does_not_know_the_field_is_asked_again_only_once(connect, ask, chat):
    refused = status(400, {"error": {"message": "messages.1.reasoning_content: property is unsupported"}})
    async with serve(refused) as server:
        provider = connect(server.url)
        for count in (2, 4):
            with pytest.raises(ProviderError, match="unsupported"):
                await ask(provider)
            assert len(server.requests) == count


async def test_a_server_that_insists_on_them_gets_them(connect, chat):
    """As DeepSeek's does in its thinking mode, which is on unless one turns it off: here in a turn of a host, with an action."""
    refused = status(400, {"error": {"message": "The `reasoning_content` must be passed back to the API."}})
    thinking = events(chat.chunk({"reasoning_content": "Hm."}), chat.call("{}", name="LOOK"), *chat.end("calls"))
    done = events(chat.text("I have looked."), *chat.end())

    async def insisting(exchange):
        calls = [message for message in exchange.body["messages"] if message.get("tool_calls")]
        missing = any(not message.get("reasoning_content") for message in calls)
        await (refused if missing else done if calls else thinking)(exchange)

    async with serve(insisting) as server:
        provider = connect(server.url)

        class Plugin:
            @impl
            def register_providers(self):
                return provider

            @impl
            def register_actions(self):
                return Look()

        async with running_host([Plugin()], config='[agents.robin.models]\nlarge = "openai/thinker"\n') as running:
            assert await running.ask("Look!") == "I have looked."
    assert len(server.requests) == 2


class Look(Action):
    name = "LOOK"
    description = "Look."
    parameters = {"type": "object", "properties": {}}
    effect = Effect.READ

    async def perform(self, turn, call):
        return ActionResult("There is a cat.")
