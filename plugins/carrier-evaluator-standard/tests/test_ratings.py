"""What people think of a reply."""

from __future__ import annotations

import pytest

from carrier_evaluator_standard.ratings import of_reaction, rated


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("Good bot!", 1),
        ("good bot", 1),
        ("👍", 1),
        ("👍🏽", 1),
        ("👍👍👍", 1),
        ("❤️", 1),
        ("Thanks, that was very helpful!", 1),
        ("Perfect, thank you!", 1),
        ("That really helped.", 1),
        ("You're right", 1),
        ("Bad bot.", -1),
        ("👎", -1),
        ("That's wrong.", -1),
        ("No, that's not right", -1),
        ("That didn't help at all", -1),
        ("useless", -1),
    ],
)
def test_a_message_that_is_a_rating(text: str, score: int) -> None:
    found = rated(text)
    assert found is not None
    assert found.score == score


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Hello",
        "Is that right?",
        "What is wrong with my car?",
        "A good bot needs care, I think, and patience too.",
        "I like it",
        "thanks",
        "🌊",
        "wrong way home",
        "the answer",
    ],
)
def test_a_message_that_is_none(text: str) -> None:
    assert rated(text) is None


@pytest.mark.parametrize(("value", "score"), [("👍", 1), ("thumbsup", 1), (":+1:", 1), ("👎🏿", -1), ("-1", -1)])
def test_a_reaction_that_says_good_or_bad(value: str, score: int) -> None:
    found = of_reaction(value)
    assert found is not None
    assert found.score == score


@pytest.mark.parametrize("value", ["", "🌊", "eyes", "👍 👎"])
def test_a_reaction_that_says_neither(value: str) -> None:
    assert of_reaction(value) is None
