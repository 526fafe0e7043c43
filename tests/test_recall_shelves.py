"""Row numbers: a scope is a range, and who may look at a shelf finds it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from carrier_core import EVERYONE, Audience, Readers
from carrier_core.recall.shelves import (
    AGENT,
    QUESTION,
    SELF,
    Shelf,
    keys_for,
    keys_of,
    last_of,
    length_trait,
    pack,
    place_of,
    shelf_of,
    words_of,
)

ids = st.sampled_from(("a", "b", "c"))
sets = st.lists(ids, unique=True).map(lambda names: tuple(sorted(names)))


@given(st.integers(1, 2**27 - 1), st.integers(1, 2**30 - 1), st.integers(0, 63))
def test_a_row_holds_shelf_place_and_traits_and_stands_within_its_shelf(shelf, place, traits):
    row = pack(shelf, place, traits)
    assert (shelf_of(row), place_of(row), row & 63) == (shelf, place, traits)
    assert Shelf(shelf, EVERYONE).first < row <= Shelf(shelf, EVERYONE).last < Shelf(shelf + 1, EVERYONE).first
    assert last_of(row) == Shelf(shelf, EVERYONE).last
    assert row < 2**63


@given(st.builds(Audience, sets, st.none() | sets), st.builds(Readers, ids, st.none() | sets, sets))
def test_whoever_is_admitted_finds_the_shelf(audience, readers):
    nobody = readers.persons == () or audience.persons == ()
    if audience.admits(readers) and not nobody:
        assert set(keys_of(audience)) & set(keys_for(readers))


def test_lengths_are_told_roughly():
    assert QUESTION | AGENT | SELF == 7
    for words in (1, 2, 5, 12, 50, 100):
        assert words / 2 <= words_of(length_trait(words)) <= words * 1.5
    assert words_of(length_trait(10_000)) == 96
