"""The built-in rules: a pleasant talk with something that says what it is."""

from __future__ import annotations

import pytest

from carrier_core import ActionCall, Part, PromptMessage, Tool

pytestmark = pytest.mark.anyio

REMEMBER = Tool("remember", "Remembers a text.", {"type": "object", "properties": {"text": {"type": "string"}}})


@pytest.fixture
async def ana(talk):
    """Ana, who has said hello already."""
    begun = talk()
    await begun.say("hello")
    return begun


async def heard(ana, text: str) -> str:
    return (await ana.say(text)).text


async def test_the_first_reply_says_that_it_is_no_language_model(talk):
    ana = talk()
    first, second = await heard(ana, "hello"), await heard(ana, "I like tea")
    assert "no language model" in first
    assert "OPENAI_API_KEY" in first
    assert "language model" not in second


@pytest.mark.parametrize(
    "question",
    [
        "Who are you?",
        "what are you",
        "Are you an AI?",
        "are you a real person?",
        "Am I talking to a human?",
        "Are you ChatGPT",
        "Which model are you?",
        "help",
        "What can you do?",
        "What's your name?",
    ],
)
async def test_whoever_asks_is_told_that_it_is_no_language_model(ana, question):
    assert "no language model" in await heard(ana, question)


async def test_what_it_is_is_said_once(talk):
    assert (await heard(talk(), "Who are you?")).count("stand-in") == 1


async def test_it_knows_its_name(ana):
    assert "Tifa" in await heard(ana, "What is your name?")


@pytest.mark.parametrize("greeting", ["hello", "Hi there!", "hey", "Good morning", "Hello Tifa!"])
async def test_a_greeting_is_returned(ana, greeting):
    assert "Ana" in await heard(ana, greeting)


async def test_nobody_is_called_you(ana):
    ana.messages.append(PromptMessage("user", (Part("hello", name="you"),)))
    assert "you!" not in (await ana.go_on()).text


@pytest.mark.parametrize("text", ["Thanks!", "thank you so much", "Bye!", "Good night, Tifa", "How are you?"])
async def test_small_talk(ana, text):
    reply = await heard(ana, text)
    assert "rule" in reply or text.rstrip("!") in reply


async def test_the_time_comes_from_the_context(ana):
    assert "clock" in await heard(ana, "What time is it?")
    ana.state.append(Part("It is Saturday, 1 June 2030, 12:00 UTC.", key="time"))
    assert "12:00" in await heard(ana, "what's the time")
    assert "1 June" in await heard(ana, "What day is it today?")


async def test_it_calls_the_tool_that_remembers(ana):
    ana.tools = (REMEMBER,)
    completion = await ana.say("Please remember that my sister is called Clara.")
    (call,) = completion.calls
    assert (call.name, call.arguments) == ("remember", {"text": "my sister is called Clara."})
    assert "Clara" in (await ana.result(call, "Remembered.")).text


@pytest.mark.parametrize(
    ("said", "name", "arguments"),
    [
        (
            "Remind me in 10 minutes to take the bread out.",
            "remind_me",
            {"text": "take the bread out", "when": "in 10 minutes"},
        ),
        ("please remind me to call mum tomorrow at 9", "remind_me", {"text": "call mum", "when": "tomorrow at 9"}),
        ("remind us at 18:00 that we leave", "remind_me", {"text": "we leave", "when": "at 18:00"}),
        ("Could you read https://example.org/menu?", "fetch_page", {"url": "https://example.org/menu"}),
        ("summarise <https://example.org/a>, please", "fetch_page", {"url": "https://example.org/a"}),
    ],
)
async def test_it_calls_tools_that_show_what_agents_can_do(ana, said, name, arguments):
    ana.tools = (Tool(name, "", {"type": "object"}),)
    (call,) = (await ana.say(said)).calls
    assert (call.name, call.arguments) == (name, arguments)
    assert "it went well" in (await ana.result(call, "See, it went well.")).text


async def test_it_does_not_claim_to_have_remembered_what_was_refused(ana):
    ana.tools = (REMEMBER,)
    (call,) = (await ana.say("Remember that I like tea.")).calls
    assert "not allowed" in (await ana.result(call, "remember was not allowed: ask the operator.")).text


async def test_a_draft_that_was_sent_back_does_not_count_as_said(talk):
    ana = talk()
    first = await ana.say("I like tea")
    sent_back = ana.messages.pop()
    feedback = Part("Your last draft was not accepted: too short", key="feedback")
    ana.messages.append(PromptMessage("assistant", (*sent_back.parts, feedback)))
    assert (await ana.go_on()).text == first.text


async def test_without_that_tool_it_only_listens(ana):
    completion = await ana.say("Remember that my sister is called Clara.")
    assert completion.calls == ()
    assert "Clara" in completion.text


async def test_a_question_whether_it_remembers_is_a_question(ana):
    ana.tools = (REMEMBER,)
    for question in ("Do you remember my sister?", "Remember my sister?", "Can you remember where I live?"):
        assert (await ana.say(question)).calls == ()


@pytest.mark.parametrize(
    ("text", "echo"),
    [
        ("message number 7", "message number 7"),
        ("I like tea.", "I like tea"),
        ("hello 7", "hello 7"),
        ("What is the capital of France?", "What is the capital of France?"),
        ("Where did I park?", "Where did I park?"),
        ("My name is Ana and this is number 9", "this is number 9"),
        ("first line\nand the second", "first line and the second"),
        ("!?", "!?"),
    ],
)
async def test_a_reply_names_its_message(ana, text, echo):
    assert echo in await heard(ana, text)


async def test_of_a_long_message_it_names_beginning_and_end(ana):
    reply = await heard(ana, "This begins " + "and goes on " * 100 + "until message 17")
    assert "This begins" in reply
    assert "message 17" in reply
    assert len(reply) < 300


async def test_acknowledgements_vary(ana):
    replies = {(await heard(ana, f"I like tea {number}")).replace(str(number), "") for number in range(20)}
    assert len(replies) >= 4


async def test_a_message_without_words(ana):
    assert "without words" in await heard(ana, "")


async def test_the_result_of_a_call_that_somebody_else_wanted_is_told(ana):
    ana.messages.append(PromptMessage("user", (Part("Look it up"),)))
    ana.messages.append(PromptMessage("assistant", (), (ActionCall("x", "search", {}),)))
    assert (await ana.result(ActionCall("x", "search", {}), "Three results.")).text == "Three results."
