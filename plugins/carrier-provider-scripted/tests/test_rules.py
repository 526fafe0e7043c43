"""Which rule answers, and what its templates can use."""

from __future__ import annotations

import pytest

from carrier_core import Part, Prompt, PromptMessage, Tool

pytestmark = pytest.mark.anyio

PING = Tool("ping", "Pings.", {"type": "object"})


def rules(*entries: str) -> str:
    return "\n".join(["version = 1", *(f"[[rules]]\n{entry}" for entry in entries), "[[rules]]\ntext = 'none'"])


async def heard(ana, text: str) -> str:
    return (await ana.say(text)).text


async def test_the_first_rule_that_applies_answers(talk):
    ana = talk(rules("contains = 'tea'\ntext = '1'", "pattern = 't.a'\ntext = '2'"))
    assert [await heard(ana, text) for text in ("TEA", "Toad", "coffee")] == ["1", "2", "none"]


async def test_the_agents_first_words(talk):
    ana = talk(rules("when.first = true\ntext = 'Welcome.'"))
    assert [await heard(ana, "hello"), await heard(ana, "hello")] == ["Welcome.", "none"]


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("Where is it?", True),
        ("and where do I live", True),
        ("Tell me where it is", True),
        ("It is here.", False),
        ("I know where it is", False),
        ("Really?!", True),
    ],
)
async def test_questions(talk, text, asks):
    assert await heard(talk(rules("when.question = true\ntext = 'asked'")), text) == ("asked" if asks else "none")


async def test_memories(talk):
    ana = talk(rules("when.has_memories = true\ntext = '{{ memories[0].name }}: {{ memories[0].text }}'"))
    assert await heard(ana, "hello") == "none"
    ana.recalls("I like tea.")
    assert await heard(ana, "hello") == "Ana: I like tea."


async def test_offered_tools(talk):
    ana = talk(rules("when.tools = ['ping']\ntext = '{{ tools }}'"))
    assert await heard(ana, "hello") == "none"
    ana.tools = (PING,)
    assert await heard(ana, "hello") == "('ping',)"


async def test_the_class_of_model(talk):
    ana = talk(rules("when.model = 'small'\ntext = 'small'"))
    message = PromptMessage("user", (Part("hello"),))
    for model, text in (("small", "small"), ("large", "none")):
        completion = await ana.provider.generate(Prompt((message,), model=model), "m", lambda piece: None)
        assert completion.text == text


async def test_what_templates_know(talk):
    ana = talk(
        rules(
            "contains = 'names'\ntext = '{{ person }} and {{ agent }}'",
            "contains = 'time'\ntext = '{{ state.time }}{{ state.nothing.at.all }}'",
            "contains = 'history'\ntext = '{{ history[0].role }}: {{ history[0].text }}'",
            "contains = 'twice'\ntext = '{{ pick(1, 2, 3) == pick(1, 2, 3) }}'",
            "contains = 'turn'\ntext = '{{ message|second_person }}'",
        )
    )
    ana.state.append(Part("It is noon.", key="time"))
    assert await heard(ana, "names") == "Ana and Tifa"
    assert await heard(ana, "time") == "It is noon."
    assert await heard(ana, "history") == "user: names"
    assert await heard(ana, "twice") == "True"
    assert await heard(ana, "I turn to my cat") == "You turn to your cat"


async def test_whom_the_agent_talks_with_is_not_its_name(talk):
    ana = talk(rules("contains = 'names'\ntext = '[{{ agent }}]'"))
    ana.state[:] = [Part("You are talking with Ana.", key="actors")]
    assert await heard(ana, "names") == "[]"


async def test_arguments_are_templates_at_any_depth(talk):
    ana = talk(
        rules("calls = [{ name = 'ping', arguments = { a = ['{{ message }}', 2], b = { c = '{{ person }}' } } }]")
    )
    (call,) = (await ana.say("hello")).calls
    assert call.arguments == {"a": ["hello", 2], "b": {"c": "Ana"}}


async def test_only_results_of_this_turn_count(talk):
    ana = talk(rules("contains = 'go'\nsteps = [{ calls = [{ name = 'ping' }] }, { text = '{{ result }}' }]"))
    for result in ("one", "two"):
        completion = await ana.say("go")
        assert (await ana.result(completion.calls[0], result)).text == result


async def test_what_is_quoted_is_not_what_was_said(talk):
    from carrier_core import PartKind

    ana = talk(rules("contains = 'tea'\ntext = 'tea'"))
    quoted = PromptMessage("user", (Part("I like tea", kind=PartKind.QUOTE), Part("Ana: why?", name="Ana")))
    completion = await ana.provider.generate(Prompt((quoted,)), "m", lambda piece: None)
    assert completion.text == "none"


async def test_every_built_in_template_compiles():
    from carrier_provider_scripted.rules import Rules

    for rule in Rules()._rules:
        rule.compile()
