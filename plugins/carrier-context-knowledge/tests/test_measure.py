"""How much a text is, and where it can be cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrier_context_knowledge.measure import cut, items, lines, runs, sentences, words

TEXTS = st.text(alphabet=st.sampled_from("ab Z.!? \n\t1。漢字한ก'\")(-*"), max_size=400)


@pytest.mark.parametrize(
    ("text", "count"),
    [("", 0), ("one two  three\n", 3), ("x" * 160, 10), ("漢字漢字", 2), ("漢字 and 字", 3), ("สวัสดี", 3)],
)
def test_words(text: str, count: int) -> None:
    assert words(text) == count


@pytest.mark.parametrize(
    "text",
    [
        "Dr. Ana Silva, e.g. at 3 p.m. on Jan. 5, came. |Then she left.",
        "It costs 3.50 a day! |Really? |Yes.",
        '"Stop." |He did not.',
        "J. R. Smith wrote it. |It sold.",
        "wait... what? |No.",
        "これは文です。|次の文です。|",
        "No end",
        "",
    ],
)
def test_sentences_end_where_they_do(text: str) -> None:
    assert sentences(text.replace("|", "")) == [piece for piece in text.split("|") if piece]


def test_a_list_is_cut_between_its_outermost_items() -> None:
    assert items("- a\n  - b\n\n  more\n- c\n") == ["- a\n  - b\n\n  more\n", "- c\n"]


@given(TEXTS)
def test_cuts_lose_nothing(text: str) -> None:
    for each in (sentences, lines, items):
        assert "".join(each(text)) == text


@given(TEXTS, st.integers(1, 9))
def test_pieces_are_whole_together_and_bounded_each(text: str, most: int) -> None:
    for pieces in (runs(text, most), cut(text, most, sentences, lines)):
        assert "".join(pieces) == text
        assert all(words(piece) <= most for piece in pieces)


def test_only_what_is_too_long_to_be_a_word_is_cut_within() -> None:
    assert runs("alpha beta gamma delta", 2) == ["alpha beta ", "gamma delta"]
    assert runs("averyveryverylongword b c", 2) == ["averyveryverylongword ", "b c"]
    assert [len(piece) for piece in runs("x" * 100, 2)] == [32, 32, 32, 4]
