"""What people say of whom they know."""

from __future__ import annotations

import pytest

from carrier_evaluator_standard.ties import ties


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Bob is my brother.", [("Bob", "brother", False)]),
        ("Actually, Bob is my cousin", [("Bob", "cousin", False)]),
        ("Bob is no longer my boss", [("Bob", "boss", True)]),
        ("Bob is not my brother.", [("Bob", "brother", True)]),
        ("My mum's name is Clara Santos.", [("Clara Santos", "mother", False)]),
        ("I have a younger sister called Eva", [("Eva", "sister", False)]),
        ("I'm married to Dora", [("Dora", "spouse", False)]),
        ("Ben and I are colleagues", [("Ben", "colleague", False)]),
    ],
)
def test_what_people_say_of_whom_they_know(text: str, expected: list[tuple[str, str, bool]]) -> None:
    assert [(tie.name, tie.tag, tie.ended) for tie in ties(text)] == expected


@pytest.mark.parametrize(
    "text",
    [
        "He is my brother",
        "This is my friend",
        "Music is my friend",
        "Is Bob my brother?",
        "If Bob is my brother",
        "bob's my uncle",
    ],
)
def test_what_names_nobody(text: str) -> None:
    assert ties(text) == ()


def test_what_may_be_no_name_is_not_sure() -> None:
    (tie,) = ties("My sister is Portuguese")
    assert not tie.sure
