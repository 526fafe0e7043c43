"""The sums of spending: whatever is held, settled, restored, dropped and forgotten, the counters say what their holds come to."""

from __future__ import annotations

from functools import reduce
from operator import add

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrier_core import Charge, Hold, Settlement, Spending, Spent, Usage

ANA, BEA = "ana", "bea"
SCOPES = [
    ("host", ""),
    ("person", "robin", ANA),
    ("person", "robin", BEA),
    ("use", "robin", ANA, "m"),
    ("use", "robin", "", "m"),
]

charges = st.lists(
    st.builds(
        Charge,
        st.sampled_from(SCOPES),
        st.sampled_from(["day", "month"]),
        st.none() | st.integers(0, 30),
        st.none() | st.integers(0, 30),
        st.sampled_from([0.0, 5.0, 9.0]),
    ),
    max_size=4,
).map(tuple)
usages = st.builds(Usage, st.integers(0, 9), st.integers(0, 9), cost=st.integers(0, 9))
keys = st.sampled_from("abcd")
holds = st.builds(Hold, keys, charges, usages, st.just(1.0), st.none() | usages)
steps = st.one_of(
    holds.map(lambda hold: ("hold", hold)),
    st.builds(Settlement, keys, charges, usages).map(lambda settlement: ("settle", settlement)),
    holds.map(lambda hold: ("restore", hold)),
    st.builds(Spent, st.sampled_from(SCOPES), st.just("day"), usages, usages).map(lambda spent: ("restore", spent)),
    st.sets(st.sampled_from([(scope, "day") for scope in SCOPES]), max_size=2).map(lambda gone: ("drop", gone)),
    st.sampled_from([ANA, BEA]).map(lambda entity: ("forget", entity)),
)


def held(spending, key):
    """What the holds of a counter come to."""
    of_it = [hold.held for hold in spending.holds.values() if key in {charge.counter for charge in hold.charges}]
    return reduce(add, of_it, Usage())


@given(st.lists(steps, max_size=12))
def test_what_is_held_in_a_counter_is_what_its_holds_come_to(course):
    spending = Spending()
    for method, argument in course:
        getattr(spending, method)(argument)
        named = {charge.counter for hold in spending.holds.values() for charge in hold.charges}
        assert named <= {*spending.counters}
        assert {key: counter.held for key, counter in spending.counters.items()} == {
            key: held(spending, key) for key in spending.counters
        }


@given(st.lists(steps, max_size=12), steps)
def test_what_is_told_to_be_written_is_all_that_changed(course, last):
    spending = Spending()
    for method, argument in course:
        getattr(spending, method)(argument)
    counters, known = dict(spending.counters), dict(spending.holds)
    then = Spending(dict(counters), dict(known))
    getattr(then, last[0])(last[1])
    for before, after, told in ((counters, then.counters, then.changed), (known, then.holds, then.changed_holds)):
        assert {key for key in {*before, *after} if before.get(key) != after.get(key)} <= told


@given(st.lists(steps, max_size=12), st.sampled_from([ANA, BEA]))
def test_forgetting_needs_no_other_counter_than_it_says(course, entity):
    """So a store loads what names the person, then what it is told, and comes to the same as with everything in hand."""
    whole = Spending()
    for method, argument in course:
        getattr(whole, method)(argument)
    few = Spending({key: each for key, each in whole.counters.items() if entity in key[0]}, dict(whole.holds))
    touched = few.touched_by_forgetting(entity)
    few.counters |= {key: whole.counters[key] for key in touched if key in whole.counters}
    assert few.forget(entity) == whole.forget(entity)
    assert few.holds == whole.holds
    assert few.counters == {key: whole.counters[key] for key in few.counters}
    assert not any(entity in scope for scope, _ in whole.counters)


@pytest.mark.parametrize("least", [1, 20])
def test_a_call_that_is_refused_changes_nothing(least):
    spending = Spending()
    wide, narrow = Charge(("host", ""), "day", 100), Charge(("agent", "robin"), "day", least - 1)
    assert spending.hold(Hold("a", (wide, narrow), Usage(least), 1.0)) == (narrow,)
    assert (spending.counters, spending.holds, spending.changed, spending.changed_holds) == ({}, {}, set(), set())
