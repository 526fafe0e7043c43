"""Text as an index sees it: its words, and what a message is."""

from __future__ import annotations

import hashlib
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrier_core.recall.kin import WORDS_VERSION
from carrier_core.recall.shelves import AGENT, QUESTION, SELF
from carrier_core.recall.words import asks_only, begins_pair, plain, prepare, words_in


@pytest.mark.parametrize(
    "text",
    [
        "Where do I live?",
        "where do i live",
        "Hi Tifa! Where do I live?",
        "hey tifa where do i live",
        "What's my name? And how old am I?",
        "Do you remember my dog's name?",
        "Tell me where I live.",
        "remind me of my sister's name",
        "Is my birthday in March?",
        "Have I told you that I live in Porto?",
        "Que horas são？",
    ],
)
def test_messages_that_only_ask(text):
    assert asks_only(text.lower())


@pytest.mark.parametrize(
    "text",
    [
        "I live in Porto.",
        "My name is Ana and I live in Porto.",
        "Do you like fish? My dog is called Rex.",
        "When I was young I lived in Faro.",
        "Remember that I live in Porto.",
        "I live in Porto, you know?",
        "Porto",
        "",
        "???",
    ],
)
def test_messages_that_say_something(text):
    assert not asks_only(text.lower())


def test_traits():
    assert prepare("Where do I live?", by_agent=False).traits & (QUESTION | SELF | AGENT) == QUESTION | SELF
    assert prepare("You live in Porto.", by_agent=True).traits & (QUESTION | SELF | AGENT) == AGENT


def test_accents_and_case_do_not_matter():
    assert plain("São João, ÉLÉONORE straße") == "sao joao, eleonore strasse"
    assert words_in(plain("Ünïcode_word")) == ["unicode", "word"]


def test_scripts_without_spaces_are_taken_in_pairs():
    assert words_in(plain("私は東京に住む")) == ["私は", "は東", "東京", "京に", "に住", "住む", "む"]
    assert begins_pair("京")
    assert not begins_pair("東京")
    assert not begins_pair("a")


def test_a_text_cannot_contain_the_signs_of_groups():
    groups = set(prepare("mother", by_agent=False).words) - {"mother"}
    assert len(groups) >= 1
    assert not groups & set(plain("".join(groups)))


@given(st.text())
def test_words_hold_letters_and_digits_alone(text):
    for word in prepare(text, by_agent=False).words:
        assert word
        assert not set(word) & set(" \0\"'*:()&|!<>_")


def test_a_change_of_the_groups_needs_another_version():
    """Where this fails: raise WORDS_VERSION, so that existing indexes are made anew, and note the new hash here."""
    kin = (files("carrier_core.recall") / "lists" / "kin.txt").read_bytes()
    assert (WORDS_VERSION, hashlib.blake2b(kin, digest_size=8).hexdigest()) == (1, "8cbe6ec5bde0d003")
