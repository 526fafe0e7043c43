"""How completions come about: pieces, waiting, failures, tokens."""

from __future__ import annotations

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrier_core import Completion, Finish, Part, Prompt, PromptMessage, ProviderError, Tool, Usage
from carrier_provider_scripted import provider


@pytest.fixture
def waited(monkeypatch):
    """The seconds that were waited, which the tests do not wait."""
    seconds: list[float] = []

    async def sleep(delay: float) -> None:
        seconds.append(delay)

    monkeypatch.setattr(provider.anyio, "sleep", sleep)
    return seconds


def rule(**keys: object) -> str:
    lines = [f"{key} = {value}" for key, value in keys.items()]
    return "\n".join(["version = 1", "[[rules]]", *lines])


@pytest.mark.anyio
async def test_the_text_comes_in_pieces(talk):
    ana = talk(rule(text="'abcdefghij'"), chunk=4)
    completion = await ana.say("hello")
    assert ana.pieces == ["abcd", "efgh", "ij"]
    assert completion.text == "abcdefghij"
    assert (completion.provider, completion.model, completion.finish) == ("scripted", "scripted", Finish.STOP)


@pytest.mark.anyio
async def test_a_rule_may_be_slow(talk, waited):
    await talk(rule(text="'abcdef'", latency=2, pace=0.5), chunk=2).say("hello")
    assert waited == [2, 0.5, 0.5]


@pytest.mark.anyio
async def test_the_settings_say_how_slow_where_a_rule_does_not(talk, waited):
    await talk(rule(text="'abcd'"), chunk=2, latency=1, pace=3).say("hello")
    await talk(rule(text="'abcd'", latency=0, pace=0), chunk=2, latency=1, pace=3).say("hello")
    assert waited == [1, 3]


@pytest.mark.anyio
async def test_a_rule_may_fail(talk, waited):
    ana = talk(rule(latency=1, failure="{ reason = 'overloaded', message = 'Full.', retry_after = 9 }"))
    with pytest.raises(ProviderError, match="Full") as caught:
        await ana.say("hello")
    assert (caught.value.reason, caught.value.retry_after) == ("overloaded", 9)
    assert waited == [1]
    assert ana.pieces == []


@pytest.mark.anyio
async def test_tokens_are_estimated_or_stated(talk):
    ana = talk(rule(text="'four'"))
    ana.state.clear()
    ana.tools = (Tool("abcd", "12345678", {}),)
    assert (await ana.say("12345")).usage == Usage(input=5, output=1, calls=1)
    ana = talk(rule(text="'four'", usage="{ input = 100, cached = 90 }"))
    assert (await ana.say("hello")).usage == Usage(input=100, output=1, cached=90, calls=1)


@pytest.mark.anyio
async def test_a_reason_to_finish(talk):
    assert (await talk(rule(text="'And then'", finish="'length'")).say("hello")).finish is Finish.LENGTH


@pytest.mark.anyio
async def test_without_a_rule_there_is_no_answer(talk):
    ana = talk("version = 1\nstandard = false\n[[rules]]\ncontains = 'ping'\ntext = 'pong'")
    with pytest.raises(ProviderError, match=r"rules\.toml") as caught:
        await ana.say("hello")
    assert caught.value.reason == "invalid"
    assert caught.value.remedy


@pytest.mark.anyio
async def test_a_template_that_cannot_be_rendered_names_its_line(talk):
    ana = talk("version = 1\n[[rules]]\ncontains = 'a'\ntext = '{{ message.nothing() }}'")
    with pytest.raises(ProviderError, match=r"rules\.toml:4") as caught:
        await ana.say("a")
    assert caught.value.reason == "invalid"


@pytest.mark.anyio
async def test_a_template_cannot_reach_out(talk):
    ana = talk("version = 1\n[[rules]]\ntext = 'a{{ message.__class__ }}{{ history.__init__.__globals__ }}b'")
    assert (await ana.say("hello")).text == "ab"
    ana = talk("version = 1\n[[rules]]\ntext = '{{ message.__class__() }}'")
    with pytest.raises(ProviderError, match="unsafe"):
        await ana.say("hello")


@pytest.mark.anyio
async def test_the_same_prompt_gets_the_same_completion(talk):
    assert await talk().say("I like tea") == await talk().say("I like tea")


@pytest.mark.anyio
async def test_calls_have_ids_of_their_own(talk):
    ana = talk(rule(contains="'go'", repeat="true", calls="[{ name = 'a' }, { name = 'b' }]"))
    first = await ana.say("go")
    second = await ana.result(first.calls[0], "done")
    ids = [call.id for completion in (first, second) for call in completion.calls]
    assert len(set(ids)) == 4


@pytest.mark.anyio
async def test_a_message_of_a_megabyte_is_answered(talk):
    reply = (await talk().say("remember " + "a!" * 500_000)).text
    assert len(reply) < 1000


@settings(max_examples=100, deadline=None)
@given(message=st.text(), memory=st.text(), name=st.text(max_size=5))
def test_whatever_is_said_is_answered(message, memory, name):
    said = PromptMessage("user", (Part(message, name=name),))
    recalled = PromptMessage("system", (Part(memory, key="memories", name=name),))

    async def answer() -> Completion:
        return await PROVIDER.generate(Prompt((recalled, said)), "scripted", lambda piece: None)

    completion = anyio.run(answer)
    assert completion.text
    assert len(completion.text) < 2500


PROVIDER = provider.ScriptedProvider()
