"""How words look in the index of PostgreSQL, and that no query is more than words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrier_core.recall import Sought, read_query
from carrier_memory_postgres.lexemes import LONGEST, expression, lexeme, within


def test_words_are_stemmed_and_cut():
    assert lexeme("lighthouses") == "'lighthous'"
    assert lexeme("7" * 1_000) == f"'{'7' * LONGEST}'"


def test_kin_is_any_of_several_words():
    assert expression(Sought(0, 1.0, ("one", "two"), begins=False)) == "'on'|'two'"


def test_a_single_sign_is_the_beginning_of_a_word():
    assert expression(Sought(0, 1.0, ("京",), begins=True)) == "'京':*"


def test_a_scope_is_a_word_that_no_text_has():
    assert within([3, 7], "'porto'") == "('\uf0003'|'\uf0007')&('porto')"


@given(st.text())
def test_terms_hold_letters_and_digits_alone(text):
    for sought in read_query(text, ()).sought:
        for term in expression(sought).removesuffix(":*").split("|"):
            assert term[0] == term[-1] == "'"
            assert not set(term[1:-1]) & set(" \0'\\:*&|!<>()")


@pytest.mark.anyio
async def test_a_word_that_many_memories_have_finds_the_newest(store, scene):
    await store.memory.put(tuple([scene.memory(f"lighthouse {number}") for number in range(300)]))
    found = [result.memory.text for result in await store.memory.recall(scene.query("lighthouse?", limit=256))]
    assert set(found) == {f"lighthouse {number}" for number in range(300)[-256:]}
