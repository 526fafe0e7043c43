"""What a reasoning model thought comes back to it in its place, and only where it may."""

from __future__ import annotations

import msgspec
import pytest

from carrier_core import ActionCall, Carry, Part, Prompt, PromptMessage
from carrier_core.testing.wire import events, script, serve

pytestmark = pytest.mark.anyio

HELLO = PromptMessage("user", (Part("hello"),))


def thought(number: int, **more) -> dict:
    return {
        "type": "reasoning",
        "id": f"rs_{number}",
        "summary": [{"type": "summary_text", "text": "I thought."}],
        "content": None,
        "encrypted_content": f"gAAAA{number}",
        "status": None,
        **more,
    }


def kept(number: int) -> dict:
    """What goes back: nothing that is empty, and nothing that only tells how it stands."""
    return {key: thought(number)[key] for key in ("type", "id", "summary", "encrypted_content")}


def message(text: str, **more) -> dict:
    return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}], **more}


@pytest.fixture
def loop(connect, ask, responses):
    """``await loop(items, text)``: the completion that an answer of these items is, and what goes back of it: the items
    between the first message and the results."""

    async def loop(items, text="", *, model="gpt-test", change=lambda message: message):
        told = [responses.text(text, len(items))] if text else []
        first = events(*told, *(responses.item(item, place) for place, item in enumerate(items)), *responses.end())
        async with serve(script(first, events(*responses.end()))) as server:
            provider = connect(server.url, api="responses")
            completion = await ask(provider, Prompt((HELLO,)))
            said = change(PromptMessage("assistant", completion.parts, completion.calls, carry=completion.carry))
            said = msgspec.json.decode(msgspec.json.encode(said), type=PromptMessage)  # as it is once it was recorded
            results = tuple(PromptMessage("tool", (Part("done"),), call=call.id) for call in said.calls)
            await ask(provider, Prompt((HELLO, said, *results)), model)
        sent = server.requests[1]["input"]
        return completion, sent[1 : len(sent) - len(results)]

    return loop


def call(id: str) -> dict:
    return {"type": "function_call", "call_id": id, "name": "ping", "arguments": "{}"}


def names(items: list[dict]) -> list[str]:
    return [item.get("id") or item.get("call_id") or item["content"] for item in items]


async def test_a_thought_comes_back_in_front_of_the_call_that_it_led_to(loop):
    completion, sent = await loop([thought(1), call("a")])
    assert completion.carry.provider == "openai"
    assert sent == [kept(1), call("a")]


async def test_each_thought_has_its_place(loop):
    items = [thought(1), message("Let me see."), thought(2), call("a"), call("b"), thought(3), call("c")]
    _, sent = await loop(items, "Let me see.")
    assert names(sent) == ["rs_1", "Let me see.", "rs_2", "a", "b", "rs_3", "c"]


async def test_the_phase_of_a_text_comes_back(loop):
    _, sent = await loop([message("Let me see.", phase="commentary"), call("a")], "Let me see.")
    assert [item.get("phase") for item in sent] == ["commentary", None]


async def test_a_thought_that_led_nowhere_is_left_out(loop):
    _, sent = await loop([thought(1), call("a"), thought(2)])
    assert names(sent) == ["rs_1", "a"]


async def test_a_thought_that_is_kept_at_openai_only_is_left_out(loop):
    completion, sent = await loop([thought(1, encrypted_content=None), call("a")])
    assert completion.carry is None
    assert names(sent) == ["a"]


async def test_the_open_thoughts_of_other_servers_come_back(loop):
    words = [{"type": "reasoning_text", "text": "Hm."}]
    _, sent = await loop([thought(1, encrypted_content=None, content=words), call("a")])
    assert sent[0]["content"] == words


async def test_another_model_is_not_told(loop):
    _, sent = await loop([thought(1), call("a")], model="gpt-other")
    assert names(sent) == ["a"]


async def test_what_was_changed_since_loses_its_thoughts(loop):
    def cut(message):
        return msgspec.structs.replace(message, calls=message.calls[:1])

    _, sent = await loop([thought(1), call("a"), thought(2), call("b")], change=cut)
    assert names(sent) == ["a"]


async def test_a_carry_of_another_release_is_left_out(loop):
    def older(message):
        return msgspec.structs.replace(message, carry=Carry("openai", {"response": "resp_1"}))

    _, sent = await loop([thought(1), call("a")], change=older)
    assert names(sent) == ["a"]


async def test_an_answer_without_thoughts_has_nothing_to_carry(loop):
    completion, _ = await loop([message("Hi"), call("a")], "Hi")
    assert completion.carry is None
    assert completion.calls == (ActionCall("a", "ping", {}),)
