"""How models are told to think or not to, and how what they thought comes back to them."""

from __future__ import annotations

import msgspec
import pytest

from carrier_core import Carry, Effort, Finish, Part, Prompt, PromptMessage, Tool
from carrier_core.testing import wire

pytestmark = pytest.mark.anyio

OPUS, SONNET, HAIKU, OLD, LOCAL = (
    "claude-opus-5-5",
    "claude-sonnet-5-5",
    "claude-haiku-5-5",
    "claude-haiku-4-5",
    "qwen3",
)
PING = Tool("ping", "Ping.", {"type": "object"})


@pytest.mark.parametrize(
    ("model", "effort", "thinking", "told"),
    [
        (SONNET, None, {"type": "between_tools"}, None),
        (SONNET, Effort.NONE, {"type": "between_tools"}, None),
        (SONNET, Effort.LOW, {"type": "adaptive"}, "low"),
        (HAIKU, None, {"type": "disabled"}, None),
        (HAIKU, Effort.HIGH, {"type": "adaptive"}, "high"),
        (OPUS, None, None, None),  # it cannot be told not to
        (OPUS, Effort.NONE, None, "low"),
        (OPUS, Effort.MEDIUM, {"type": "adaptive"}, "medium"),
        ("claude-opus-4-8", None, None, None),  # it does not unless it is told to
        ("claude-opus-4-8", Effort.NONE, {"type": "disabled"}, None),
        ("claude-opus-4-8", Effort.LOW, {"type": "adaptive"}, "low"),
        ("claude-newest-9", None, None, None),
        ("claude-newest-9", Effort.NONE, None, "low"),
        (OLD, None, None, None),
        (OLD, Effort.LOW, {"type": "enabled", "budget_tokens": 2_000}, None),
        (OLD, Effort.HIGH, {"type": "enabled", "budget_tokens": 6_000}, None),
        (LOCAL, None, None, None),
        (LOCAL, Effort.NONE, {"type": "disabled"}, None),
        (LOCAL, Effort.MEDIUM, {"type": "enabled", "budget_tokens": 4_000}, None),
    ],
)
async def test_each_model_is_told_in_its_own_way(sent, kit, model, effort, thinking, told):
    body = await sent(Prompt(kit.hello.messages, effort=effort, max_tokens=8_000), model)
    assert body.get("thinking") == thinking
    assert body.get("output_config", {}).get("effort") == told


@pytest.mark.parametrize(("limit", "budget"), [(4_000, 1_024), (1_025, 1_024), (1_024, None), (10, None)])
async def test_a_budget_is_one_that_the_api_takes(sent, kit, limit, budget):
    body = await sent(Prompt(kit.hello.messages, effort=Effort.LOW, max_tokens=limit), OLD)
    assert body.get("thinking", {}).get("budget_tokens") == budget


# --- back to them ------------------------------------------------------------------------------------------------------


def asked(*rounds: PromptMessage, model_effort: Effort = Effort.LOW, time: str = "noon", **more) -> Prompt:
    system = PromptMessage("system", (Part("You are Robin.", stable=True),))
    moving = PromptMessage("system", (Part(f"It is {time}."),))
    messages = (system, moving, PromptMessage("user", (Part("Ping!"),)), *rounds)
    return Prompt(messages, (PING,), effort=model_effort, **more)


@pytest.fixture
async def loop(make, kit):
    """``await loop(model, prompt_of_second_round)``: the completion of the first round, and the body of the second."""

    async def loop(said, second, *, model: str = SONNET, second_model: str = ""):
        first = kit.events(kit.begun(), said, kit.ended("tool_use"))
        async with wire.serve(wire.script(first, kit.events(kit.answer("Done.")))) as server:
            provider = make(server.url)
            completion = await provider.generate(asked(), model, lambda piece: None)
            carry = completion.carry and msgspec.json.decode(msgspec.json.encode(completion.carry), type=Carry)
            rounds = (
                PromptMessage("assistant", completion.parts, completion.calls, carry=carry),
                *(PromptMessage("tool", (Part("pong"),), call=call.id) for call in completion.calls),
            )
            await provider.generate(second(*rounds), second_model or model, lambda piece: None)
        return completion, server.requests[1]

    return loop


def interleaved(kit) -> list[dict[str, object]]:
    return [
        *kit.thought("Shall ", "I?", signature="one", index=0),
        *kit.text("Well, ", index=1),
        *kit.block(2, {"type": "redacted_thinking", "data": "secret"}),
        *kit.call('{"x": 1}', index=3, id="toolu_1", name="ping"),
        *kit.text("and ", "again.", index=4),
        *kit.thought(signature="two", index=5),
        *kit.call("{}", index=6, id="toolu_2", name="ping"),
    ]


@pytest.mark.parametrize("model", [SONNET, OPUS, OLD])
async def test_thoughts_come_back_unchanged_and_in_their_places(loop, kit, model):
    completion, body = await loop(interleaved(kit), asked, model=model)
    assert (completion.text, completion.finish) == ("Well, and again.", Finish.CALLS)
    (answer,) = [message for message in body["messages"] if message["role"] == "assistant"]
    assert answer["content"] == [
        {"type": "thinking", "thinking": "Shall I?", "signature": "one"},
        {"type": "text", "text": "Well, "},
        {"type": "redacted_thinking", "data": "secret"},
        {"type": "tool_use", "id": "toolu_1", "name": "ping", "input": {"x": 1}},
        {"type": "text", "text": "and again."},
        {"type": "thinking", "thinking": "", "signature": "two"},
        {"type": "tool_use", "id": "toolu_2", "name": "ping", "input": {}},
    ]
    assert kit.objections(body) == []


def types(body: dict) -> list[str]:
    return [
        block["type"] for message in body["messages"] if message["role"] == "assistant" for block in message["content"]
    ]


WITHOUT = ["text", "tool_use", "tool_use"]


async def test_another_model_is_not_given_them(loop, kit):
    _, body = await loop(interleaved(kit), asked, second_model=HAIKU)
    assert types(body) == WITHOUT


async def test_they_are_not_given_back_when_something_before_them_has_changed(loop, kit):
    _, body = await loop(interleaved(kit), lambda *rounds: asked(*rounds, time="one o'clock"))
    assert types(body) == WITHOUT


async def test_they_are_not_given_back_when_the_answer_has_changed(loop, kit):
    def edited(said: PromptMessage, *results: PromptMessage) -> Prompt:
        return asked(PromptMessage("assistant", (Part("Well."),), said.calls, carry=said.carry), *results)

    _, body = await loop(interleaved(kit), edited)
    assert types(body) == WITHOUT


async def test_they_are_not_given_back_without_all_of_the_calls(loop, kit):
    def shortened(said: PromptMessage, *results: PromptMessage) -> Prompt:
        return asked(PromptMessage("assistant", said.parts, said.calls[:1], carry=said.carry), *results[:1])

    _, body = await loop(interleaved(kit), shortened)
    assert types(body) == ["text", "tool_use"]


async def test_a_carry_of_another_form_is_passed_over(loop, kit):
    def foreign(said: PromptMessage, *results: PromptMessage) -> Prompt:
        carry = Carry("anthropic", {"blocks": "of another release"})
        return asked(PromptMessage("assistant", said.parts, said.calls, carry=carry), *results)

    _, body = await loop(interleaved(kit), foreign)
    assert types(body) == WITHOUT


async def test_a_loop_that_began_without_thoughts_goes_on_without(loop, kit):
    completion, body = await loop(kit.call("{}", name="ping"), asked, model=OLD)
    assert completion.carry is None
    assert "thinking" not in body  # the API refuses such a loop


async def test_what_was_thought_before_an_answer_is_not_kept(make, kit):
    async with wire.serve(kit.events(kit.begun(), kit.thought("Hm."), kit.text("Hi", index=1), kit.ended())) as server:
        pieces: list[str] = []
        completion = await make(server.url).generate(kit.hello, SONNET, pieces.append)
    assert (completion.text, completion.carry, pieces) == ("Hi", None, ["Hi"])


async def test_thoughts_of_several_rounds(make, kit):
    def said(number: int) -> list:
        return [
            kit.begun(),
            kit.thought(signature=f"thought {number}"),
            kit.call("{}", index=1, id=f"toolu_{number}", name="ping"),
            kit.ended("tool_use"),
        ]

    rounds: list[PromptMessage] = []
    async with wire.serve(wire.script(*(kit.events(*said(number)) for number in range(3)))) as server:
        provider = make(server.url)
        for _ in range(3):
            completion = await provider.generate(asked(*rounds), SONNET, lambda piece: None)
            rounds.append(PromptMessage("assistant", (), completion.calls, carry=completion.carry))
            rounds.append(PromptMessage("tool", (Part("pong"),), call=completion.calls[0].id))
    signatures = [
        block["signature"]
        for message in server.requests[2]["messages"]
        for block in message["content"]
        if block["type"] == "thinking"
    ]
    assert signatures == ["thought 0", "thought 1"]
