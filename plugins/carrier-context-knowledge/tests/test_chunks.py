"""Documents in pieces: none too large, none lost, each with its headings."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from carrier_context_knowledge.blocks import Block, Outline, Shape
from carrier_context_knowledge.chunks import ENOUGH, MOST, chunks
from carrier_context_knowledge.measure import words

WORDS = st.lists(st.text(alphabet="abcXYZ漢字.?é0", min_size=1, max_size=30), max_size=700).map(" ".join)
TEXTS = st.one_of(WORDS, st.text(max_size=200), st.lists(WORDS, max_size=4).map("\n- ".join))
EVENTS = st.lists(
    st.one_of(st.tuples(st.integers(1, 9), st.text(max_size=250)), st.tuples(st.sampled_from(Shape), TEXTS)),
    max_size=12,
)


def bare(text: str) -> str:
    return re.sub(r"\s", "", text)


def outlined(events) -> Outline:
    outline = Outline()
    for what, text in events:
        if isinstance(what, Shape):
            outline.add(text, what)
        else:
            outline.enter(what, text)
    return outline


@settings(max_examples=60, deadline=None)
@given(EVENTS)
def test_no_word_is_lost_and_none_is_added(events) -> None:
    blocks = outlined(events).script().blocks

    found = chunks(blocks)

    assert bare("".join(chunk.text for chunk in found)) == bare("".join(block.text for block in blocks))
    said = {bare(piece) for chunk in found for piece in (*chunk.headings, chunk.text)}
    for what, text in events:
        if not isinstance(what, Shape) and bare(text) and len(text) <= 200:
            assert any(bare(text) in piece for piece in said)


@settings(max_examples=60, deadline=None)
@given(EVENTS, st.text(alphabet="ab |", max_size=300), st.text(alphabet="`", max_size=4))
def test_chunks_are_bounded_and_the_same_every_time(events, head: str, tail: str) -> None:
    blocks = [block._replace(head=head, tail=tail) for block in outlined(events).script().blocks]

    found = chunks(blocks)

    assert found == chunks(blocks)
    assert all(0 < words(chunk.text) <= MOST for chunk in found)
    assert all(chunk.text.strip() for chunk in found)


def test_a_section_is_one_chunk_and_two_sections_are_two() -> None:
    outline = Outline()
    outline.enter(1, "Handbook")
    outline.enter(2, "Holidays")
    outline.add("28 days.")
    outline.add("Ask early.")
    outline.enter(2, "Pay")
    outline.add("On the 25th.")

    first, second = chunks(outline.script().blocks)

    assert (first.text, first.headings) == ("28 days.\n\nAsk early.", ("Handbook", "Holidays"))
    assert (second.text, second.headings) == ("On the 25th.", ("Handbook", "Pay"))


def test_a_long_paragraph_is_cut_after_sentences() -> None:
    text = " ".join(f"Sentence number {number} has some seven words." for number in range(200))

    found = chunks([Block(text)])

    assert len(found) > 3
    assert all(chunk.text.startswith("Sentence") and chunk.text.endswith("words.") for chunk in found)
    assert all(words(chunk.text) > ENOUGH // 2 for chunk in found[:-1])


def test_code_and_lists_stay_together_where_they_fit() -> None:
    code = "\n".join(f"line({number})" for number in range(100))
    listed = "\n".join(f"- item {number}" for number in range(80))
    blocks = [
        Block("word " * 250),
        Block(code, shape=Shape.CODE, head="```python", tail="```"),
        Block(listed, shape=Shape.LIST),
    ]

    found = chunks(blocks)

    assert [f"```python\n{code}\n```" in chunk.text for chunk in found].count(True) == 1
    assert [listed in chunk.text for chunk in found].count(True) == 1


def test_what_is_too_long_is_cut_at_lines_and_repeats_its_head() -> None:
    rows = "\n".join(f"| row {number} | {number * 7} |" for number in range(300))

    found = chunks([Block(rows, shape=Shape.TABLE, head="| name | value |\n| --- | --- |")])

    assert len(found) > 2
    assert all(chunk.text.startswith("| name | value |\n| --- | --- |\n| row ") for chunk in found)
    assert all(chunk.text.endswith("|") for chunk in found)


def test_a_chunk_knows_its_pages() -> None:
    found = chunks([Block("one", page=1), Block("two", page=2), Block("word " * 400, page=3)])

    assert [(chunk.page, chunk.last) for chunk in found] == [(1, 2), (3, 3)]


def test_a_scrap_at_the_end_goes_with_what_is_before_it() -> None:
    assert [words(chunk.text) for chunk in chunks([Block("a " * 320), Block("b " * 20)])] == [340]
