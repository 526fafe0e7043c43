"""Provenance: no text gains trust or readers by being mixed with another."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrier_core.provenance import AGENT, EVERYONE, OPERATOR, Audience, Provenance, Readers, derive, outside, person

ROOMS = ("r1", "r2", "r3")
PERSONS = ("ana", "ben", "cleo")
ORIGINS = (OPERATOR, AGENT, person("ana"), person("ben"), outside("https://example.org"))


def some(names, least=0):
    return st.lists(st.sampled_from(names), min_size=least, max_size=4).map(tuple)


audiences = st.builds(Audience, some(ROOMS), st.none() | some(PERSONS))
provenances = st.builds(Provenance, some(ORIGINS), audiences)
everybody = [subset for size in range(4) for subset in combinations(PERSONS, size)]
worlds = st.fixed_dictionaries({room: st.sampled_from(everybody) for room in ROOMS})
"""Who is in which room."""


def knows(audience, reader, world):
    """The model: whether this reader, in this world, is one of the audience."""
    return all(reader in world[room] for room in audience.rooms) and (
        audience.persons is None or reader in audience.persons
    )


def readers_of(room, world, listed):
    """Those who would read a text that is said in a room, as a store tells it."""
    present = world[room]
    if not listed or not present:
        return Readers(room)
    shared = tuple(sorted(each for each in world if set(present) <= set(world[each])))
    return Readers(room, tuple(present), shared)


# --- audiences -------------------------------------------------------------------------------------------------------------


@given(audiences, audiences, audiences)
def test_the_intersection_is_associative_commutative_and_idempotent(a, b, c):
    assert (a & b) & c == a & (b & c)
    assert a & b == b & a
    assert a & a == a
    assert hash(a & b) == hash(b & a)


@given(audiences)
def test_everyone_is_neutral(audience):
    assert audience & EVERYONE == audience == EVERYONE & audience
    assert audience & Audience() == audience


@given(audiences, audiences, worlds, st.sampled_from(PERSONS))
def test_whoever_is_in_an_intersection_is_in_both(a, b, world, reader):
    assert knows(a & b, reader, world) == (knows(a, reader, world) and knows(b, reader, world))


@settings(max_examples=500)
@given(audiences, worlds, st.sampled_from(ROOMS), st.booleans())
def test_nobody_who_is_outside_is_ever_admitted(audience, world, room, listed):
    if audience.admits(readers_of(room, world, listed)):
        assert all(knows(audience, reader, world) for reader in world[room])


@settings(max_examples=500)
@given(audiences, worlds, st.sampled_from(ROOMS))
def test_where_all_readers_are_known_those_who_may_know_it_are_admitted(audience, world, room):
    readers = readers_of(room, world, listed=True)
    if readers.persons and all(knows(audience, reader, world) for reader in world[room]):
        assert audience.admits(readers)


@given(audiences, audiences, worlds, st.sampled_from(ROOMS), st.booleans())
def test_an_intersection_admits_no_more_than_each_of_its_sides(a, b, world, room, listed):
    readers = readers_of(room, world, listed)
    assert (a & b).admits(readers) == (a.admits(readers) and b.admits(readers))


unlisted = pytest.mark.parametrize("persons", [None, ()])


@unlisted
def test_readers_who_cannot_be_listed_are_admitted_to_the_rooms_own_text_alone(persons):
    """An empty list is no list: somebody reads what is said in a room, even if nobody was seen there."""
    readers = Readers("r1", persons, ("r1", "r2"))
    assert EVERYONE.admits(readers)
    assert Audience(("r1",)).admits(readers)
    assert not Audience(("r2",)).admits(readers)
    assert not Audience(("r1", "r2")).admits(readers)
    assert not Audience((), ("ana",)).admits(readers)
    assert not Audience(("r1",), ("ana",)).admits(readers)
    assert not Audience((), ()).admits(readers)


def test_nobody_is_an_audience_too():
    nobody = Audience((), ("ana",)) & Audience((), ("ben",))
    assert nobody == Audience((), ())
    assert nobody != EVERYONE
    assert not nobody.admits(Readers("r1", ("ana",), ("r1",)))


def test_what_was_told_in_a_direct_message_does_not_surface_in_a_group():
    told = Audience(("dm",))
    assert told.admits(Readers("dm", ("ana",), ("dm", "group")))
    assert told.admits(Readers("dm2", ("ana",), ("dm", "dm2", "group")))
    assert not told.admits(Readers("group"))
    assert not told.admits(Readers("dm3", ("ana", "ben"), ("group",)))


def test_equal_audiences_are_equal_values():
    assert Audience(("b", "a", "b"), ("z", "y", "z")) == Audience(("a", "b"), ("y", "z"))
    assert len({Audience(("b", "a")), Audience(("a", "b"))}) == 1


# --- what is derived ---------------------------------------------------------------------------------------------------------


@given(st.lists(provenances, max_size=6), provenances)
def test_one_more_source_never_takes_an_origin_away_nor_adds_a_reader(inputs, more):
    less, whole = derive(inputs), derive([*inputs, more])
    assert {*less.origins} <= {*whole.origins}
    assert {*more.origins} <= {*whole.origins}
    assert whole.audience == less.audience & more.audience


@given(st.lists(provenances, max_size=6), st.randoms())
def test_the_order_of_the_sources_and_their_repetition_do_not_matter(inputs, random):
    shuffled = [*inputs, *inputs]
    random.shuffle(shuffled)
    assert derive(inputs) == derive(shuffled)


@given(st.lists(provenances, max_size=4), st.lists(provenances, max_size=4))
def test_deriving_in_two_steps_is_deriving_in_one(first, second):
    assert derive([derive(first), derive(second)]) == derive([*first, *second])


def test_what_is_derived_bears_the_name_of_who_derived_it():
    made = derive([Provenance((OPERATOR,), plugin="a", hook="b")], plugin="summary", hook="reflect")
    assert (made.plugin, made.hook) == ("summary", "reflect")
