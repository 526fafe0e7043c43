"""Drafts that no person should be shown, and ordinary ones."""

from __future__ import annotations

import pytest

from carrier_core import Part, Prompt, PromptMessage
from carrier_evaluator_standard.quality import empty_promise, flaw, said_before


@pytest.mark.parametrize(
    "text",
    [
        "As an AI language model, I cannot do that.",
        "I am just a large language model.",
        "As an AI, I don't have feelings.",
        "Hello [Your Name], welcome!",
        "Hello [insert name here], welcome!",
        "Hello {{userName}}, welcome!",
        "Hello ${name}!",
        "{% if name %}Hello{% endif %}",
        "Lorem ipsum dolor sit amet.",
        "<thought>She is sad.</thought> I am sorry to hear that.",
        "<response><text>Hello!</text></response>",
        "Hello!<|im_end|>",
        '{"text": "Hello!", "action": "REPLY"}',
        '```json\n{"response": "Hello!"}\n```',
        "The tide comes in at two o'clock. " * 3,
        "A long line that says the same thing.\n" * 4,
    ],
)
def test_what_no_person_should_be_shown(text: str) -> None:
    assert flaw(text, "When is high water?")


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("Hello, Ana!", "Hi"),
        ("Ha ha ha! No, no, no!", "Really?"),
        ("Yes. Yes. Yes.", "Sure?"),
        ("See [the docs](https://example.org) and [1].", "Where?"),
        ("The list is [1, 2, 3] and x[0] is 1.", "What is x?"),
        ("Use `{{name}}` in the file.", "How do I fill in a name?"),
        ("```html\n<output>{{ name }}</output>\n```", "How?"),
        ("Dear [Your Name],\nthank you for your letter.", "Write me a letter to my landlord"),
        ('{"text": "Hello!"}', "Give me that as JSON"),
        ("<response>ok</response>", "What does the XML look like?"),
        ("An AI language model predicts the next word.", "What is a language model?"),
        ("a < b and b > c, so a is less.", "Why?"),
        ("I <3 this!", "Look"),
        ("Set PATH to $HOME/bin.", "How?"),
        ("Chorus:\nWe sail away\nWe sail away\nWe sail away", "Sing"),
        ("{not json at all}", "Hm"),
    ],
)
def test_ordinary_drafts_pass(text: str, asked: str) -> None:
    assert flaw(text, asked) == ""


def test_a_bound_of_length_is_the_operators() -> None:
    assert flaw("x" * 101, longest=100)
    assert flaw("x" * 100, longest=100) == ""
    assert flaw("x" * 10_000) == ""


@pytest.mark.parametrize(
    "text",
    [
        "I'll get back to you on that.",
        "Give me a moment…",
        "One moment, please.",
        "Please hold on while I look.",
        "Let me check that and get back to you.",
    ],
)
def test_a_promise_to_come_back_is_empty(text: str) -> None:
    assert empty_promise(text)


@pytest.mark.parametrize(
    "text",
    [
        "I will tell you now.",
        "Let me check: it is 14:05.",
        "Let me know when you are back.",
        "Wait for the tide.",
        "In a moment of doubt, ask.",
    ],
)
def test_what_is_no_such_promise(text: str) -> None:
    assert empty_promise(text) == ""


LONG = "The tide comes in at five past two this afternoon."


def talk(*lines: tuple[str, str]) -> Prompt:
    parts = [Part(text, "recent_messages", role=role, memory=f"m{number}") for number, (role, text) in enumerate(lines)]
    return Prompt(tuple(PromptMessage(part.role, (part,)) for part in parts))


def test_the_last_message_once_more_is_sent_back() -> None:
    prompt = talk(("user", "When is high water?"), ("assistant", LONG))

    assert said_before(prompt, LONG, "And low water?")
    assert said_before(prompt, LONG.upper(), "And low water?")


@pytest.mark.parametrize("asked", ["When is high water?", "Say that again, please", "Can you repeat it?"])
def test_it_may_be_asked_for_again(asked: str) -> None:
    assert said_before(talk(("user", "Ana: When is high water?"), ("assistant", LONG)), LONG, asked) == ""


def test_courtesy_and_what_was_said_long_ago_may_come_again() -> None:
    prompt = talk(("assistant", LONG), ("user", "Thanks"), ("assistant", "You're welcome!"))

    assert said_before(prompt, "You're welcome!", "Thank you") == ""
    assert said_before(prompt, LONG, "And today?") == ""
    assert said_before(Prompt(()), LONG, "And today?") == ""
