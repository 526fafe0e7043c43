"""Which of several things somebody means."""

from __future__ import annotations

import pytest

from carrier_actions_standard.likeness import best, same, same_of, telling


@pytest.mark.parametrize(
    ("wanted", "meant"),
    [
        ("where I live", ["Ana lives in Porto."]),
        ("Porto", ["Ana lives in Porto."]),
        ("my dog's name", ["The dog's name is Rex."]),
        ("the dogs", ["The dog's name is Rex.", "Ana has two dogs."]),
        ("that I have a dog called Rex", []),
        ("it", []),
        ("", []),
    ],
)
def test_what_has_all_the_words_that_tell_anything_is_meant(wanted: str, meant: list[str]) -> None:
    facts = ["Ana lives in Porto.", "The dog's name is Rex.", "Ana has two dogs."]

    assert best(wanted, facts, lambda fact: fact) == meant


def test_the_same_words_are_the_same_whatever_stands_between_them() -> None:
    assert same("Ana lives in Porto.", "ana lives  in porto")
    assert not same("Ana lives in Porto.", "Ana lives in Faro.")


def test_little_words_tell_nothing() -> None:
    assert telling("What is it that you have of mine?") == frozenset()


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("I like tea", "ana likes tea.", True),
        ("I'm a baker", "Ana is a baker", True),
        ("My dog is called Rex.", "Ana's dog is called Rex.", True),
        ("I have a dog", "Ana has a dog.", True),
        ("I like tea", "Ben likes tea.", False),
        ("I like tea", "Ana does not like tea.", False),
        ("I like tea", "I like coffee", False),
    ],
)
def test_the_first_person_is_whoever_has_the_name(one: str, other: str, is_same: bool) -> None:
    assert same_of("Ana", one, other) is is_same
