"""What a query is about."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from carrier_core.recall.asked import BACKGROUND, TERMS, read_query, speakers, tells_of_self


def words(query: str, names: frozenset[str] = frozenset()) -> list[str]:
    """The words themselves that are looked for, without their kin."""
    return [sought.words[0] for sought in read_query(query, names).sought if sought.weight == 1]


def test_stop_words_and_speakers_names_are_left_out():
    asked = read_query("What is the colour of Ana's house?", speakers(["Ana", "Tifa"]))
    assert [sought.concept for sought in asked.sought if sought.weight == 1] == [0, 1]
    assert asked.names == {"ana"}
    assert not asked.of_self


def test_where_nothing_else_is_left_the_words_are_taken_as_they_are():
    assert words("Who is it?") == ["who", "is", "it"]
    assert words("Ana", speakers(["Ana"])) == ["ana"]
    assert read_query("?! ...", ()).sought == ()


def test_forms_of_a_word_and_its_spellings_are_one_word():
    for one, other in (("colour", "color"), ("mum", "mother"), ("grew", "grow"), ("flight", "fly")):
        assert words(f"{one}?") == words(f"{other}?")


def test_kin_counts_less_and_belongs_to_the_same_concept():
    home, kin = read_query("Where do I live?", ()).sought
    assert (home.concept, kin.concept) == (0, 0)
    assert kin.weight < home.weight


def test_a_single_sign_is_looked_for_as_the_beginning_of_a_pair():
    assert [sought.begins for sought in read_query("京", ()).sought] == [True]
    assert [sought.begins for sought in read_query("東京", ()).sought] == [False, True]
    assert [sought.begins for sought in read_query("a", ()).sought] == [False]


def test_a_statement_is_looked_for_with_fewer_words_than_a_question():
    said = "lighthouse harbour bakery violin mountain recipe camera boat bridge"
    assert len(words(said)) == BACKGROUND
    assert len(words(f"{said}?")) == TERMS


def test_whom_a_query_is_about():
    assert read_query("Where do I live?", ()).of_self
    assert read_query("Where do you live?", ()).of_agent
    assert not read_query("Do you know where I live?", ()).of_agent


def test_what_is_told_of_self_and_not_of_a_cousin():
    stems = read_query("Where do I live?", ()).stems
    assert tells_of_self("I live in Porto.", stems)
    assert tells_of_self("We have always lived in Porto.", stems)
    assert not tells_of_self("My cousin lives in Porto.", stems)


@given(st.text())
def test_what_is_sought_holds_letters_and_digits_alone(text):
    for sought in read_query(text, ()).sought:
        assert sought.words
        for word in sought.words:
            assert word
            assert not set(word) & set(" \0\"'*:()&|!<>_")


def test_a_question_in_any_script_seeks_all_its_words():
    said = "один два три четыре пять шесть"
    assert len(read_query(f"{said}?", ()).sought) == 6
    assert len(read_query(said, ()).sought) == BACKGROUND
