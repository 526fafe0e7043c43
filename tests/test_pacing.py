"""Pacing: a provider's limits hold in every minute, and no room waits for another's backlog."""

from itertools import pairwise

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrier_core.pacing import MINUTE, Pace
from carrier_core.testing.clock import Clock
from tests.virtual import run


class Calls:
    """Calls that are made at a pace: who began when."""

    def __init__(self, pace):
        self.pace = pace
        self.begun = []
        self.running = self.most = 0

    async def call(self, room="r", tokens=0, *, after=0.0, lasts=0.0, used=None, name=None):
        await anyio.sleep(after)
        async with self.pace.turn(room, tokens=tokens) as slot:
            self.begun.append((room if name is None else name, anyio.current_time(), tokens))
            self.running += 1
            self.most = max(self.most, self.running)
            await anyio.sleep(lasts)
            self.running -= 1
            if used is not None:
                slot.used(used)
        return slot

    @property
    def order(self):
        return [name for name, _, _ in self.begun]

    @property
    def times(self):
        return [at for _, at, _ in self.begun]


def play(pace, *calls):
    """Make these calls at the same time, each of them as ``Calls.call`` takes it, and say what came of it."""

    async def whole():
        made = Calls(pace)
        async with anyio.create_task_group() as group:
            for each in calls:
                group.start_soon(lambda each=each: made.call(**each))
                await anyio.lowlevel.checkpoint()
        assert (pace.running, pace.waiting) == (0, 0)
        return made

    return run(whole)


def busiest(begun, weight=lambda tokens: tokens):
    """The most that began within 60 s, from any moment on."""
    return max(
        (sum(weight(t) for _, at, t in begun if start <= at < start + MINUTE) for _, start, _ in begun), default=0
    )


# --- limits ----------------------------------------------------------------------------------------------------------


def test_without_limits_nobody_waits():
    made = play(Pace(), *[{"tokens": 10**9} for _ in range(100)])
    assert set(made.times) == {0.0}


def test_what_a_minute_allows_begins_at_once_and_the_rest_a_minute_later():
    made = play(Pace(requests=3), *[{} for _ in range(7)])
    assert made.times == [0.0] * 3 + [60.0] * 3 + [120.0]


def test_a_place_is_free_again_a_minute_after_its_call_began():
    made = play(Pace(requests=2), {}, {"after": 20.0}, {"after": 30.0}, {"after": 30.0})
    assert made.times == [0.0, 20.0, 60.0, 80.0]


def test_a_pause_saves_nothing_up():
    made = play(Pace(requests=2), *[{"after": 3600.0} for _ in range(5)])
    assert made.times == [3600.0, 3600.0, 3660.0, 3660.0, 3720.0]


def test_tokens_are_bounded_as_requests_are():
    made = play(Pace(tokens=1000), {"tokens": 600}, {"tokens": 400}, {"tokens": 1})
    assert made.times == [0.0, 0.0, 60.0]


def test_only_so_many_calls_run_at_one_time():
    made = play(Pace(at_once=2), *[{"lasts": 10.0} for _ in range(5)])
    assert made.most == 2
    assert made.times == [0.0, 0.0, 10.0, 10.0, 20.0]


def test_a_slot_says_how_long_it_was_waited_for():
    async def whole():
        calls = Calls(Pace(requests=1))
        assert (await calls.call()).waited == 0.0
        await anyio.sleep(12.0)
        assert (await calls.call()).waited == 48.0

    run(whole)


def test_a_call_that_fails_gives_its_place_among_the_running_back():
    pace = Pace(at_once=1)

    async def whole():
        with pytest.raises(ConnectionError):
            async with pace.turn("r"):
                raise ConnectionError
        async with pace.turn("r"):
            assert pace.running == 1

    run(whole)
    assert pace.running == 0


# --- tokens that were thought wrong --------------------------------------------------------------------------------------


def test_a_call_that_needs_more_than_a_minute_allows_waits_for_a_whole_minute_and_is_made():
    made = play(Pace(tokens=1000), {"tokens": 10}, {"tokens": 5000, "after": 1.0})
    assert made.times == [0.0, 60.0]


def test_a_call_of_unknown_size_waits_where_nothing_is_left():
    made = play(Pace(tokens=1000), {"tokens": 1000}, {"tokens": 0, "after": 1.0})
    assert made.times == [0.0, 60.0]


def test_what_was_not_used_is_there_for_the_next_at_once():
    made = play(Pace(tokens=1000), {"tokens": 1000, "lasts": 5.0, "used": 300}, {"tokens": 700, "after": 1.0})
    assert made.times == [0.0, 5.0]


def test_what_was_used_beyond_the_limit_is_taken_from_the_next_minute():
    made = play(
        Pace(tokens=1000),
        {"tokens": 1000, "lasts": 5.0, "used": 1600},
        {"tokens": 400, "after": 6.0},
        {"tokens": 400, "after": 7.0},
    )
    assert made.times == [0.0, 60.0, 120.0]


def test_a_debt_is_paid_while_nobody_asks():
    made = play(Pace(tokens=1000), {"tokens": 1000, "used": 1900}, {"tokens": 1000, "after": 120.0})
    assert made.times == [0.0, 120.0]


def test_a_usage_told_wrong_stops_nobody_for_longer_than_two_minutes():
    made = play(Pace(tokens=1000), {"tokens": 10, "used": 10**12}, {"tokens": 1000, "after": 1.0})
    assert made.times == [0.0, 120.0]


def test_usage_can_be_told_more_than_once_and_after_the_call():
    async def whole():
        pace = Pace(tokens=1000)
        async with pace.turn("r", tokens=900) as slot:
            slot.used(1500)
            slot.used(100)
        slot.used(400)
        calls = Calls(pace)
        await calls.call(tokens=600)
        await calls.call(tokens=1)
        assert calls.times == [0.0, 60.0]

    run(whole)


def test_what_is_corrected_after_its_minute_frees_nothing():
    made = play(
        Pace(tokens=1000),
        {"tokens": 900, "lasts": 70.0, "used": 0},
        {"tokens": 1000, "after": 65.0},
        {"tokens": 9, "after": 71.0},
    )
    assert made.times == [0.0, 65.0, 125.0]


def test_what_is_given_back_is_given_back_once():
    made = play(
        Pace(tokens=1000), {"tokens": 1000, "used": 0}, {"tokens": 1000, "after": 60.0}, {"tokens": 1, "after": 61.0}
    )
    assert made.times == [0.0, 60.0, 120.0]


def test_nobody_is_let_off_what_another_owes():
    async def whole():
        pace = Pace(tokens=1000)
        calls = Calls(pace)
        async with pace.turn("r") as first, pace.turn("r", tokens=2000) as second:
            await anyio.sleep(10.0)
            second.used(1000)
            first.used(300)
            second.used(800)  # its places go to what the first one owes, for a minute from now on
        await calls.call(tokens=800)
        assert calls.times == [70.0]

    run(whole)


def test_one_that_asked_for_too_much_owes_only_what_it_used():
    made = play(Pace(tokens=1000), {"tokens": 2000, "used": 1200}, {"tokens": 800, "after": 1.0})
    assert made.times == [0.0, 60.0]


# --- who is next ---------------------------------------------------------------------------------------------------------


def test_within_a_room_first_come_first_served():
    made = play(Pace(requests=1), *[{"name": number} for number in range(6)])
    assert made.order == list(range(6))


def test_a_room_with_500_calls_delays_another_room_by_at_most_one_of_its_own():
    made = play(Pace(requests=1), *[{"room": "busy"} for _ in range(500)], {"room": "quiet", "after": 90.0})
    assert made.times[made.order.index("quiet")] == 180.0


def test_rooms_take_turns():
    rooms = [room for room in "abc" for _ in range(3)]
    made = play(Pace(at_once=1), *[{"room": room, "lasts": 1.0} for room in rooms])
    assert made.order == ["a", "a", "b", "c", "a", "b", "c", "b", "c"]


def test_a_small_call_does_not_overtake_a_large_one():
    made = play(
        Pace(tokens=1000),
        {"room": "a", "tokens": 500},
        {"room": "a", "tokens": 900, "name": "large", "after": 1.0},
        {"room": "b", "tokens": 1, "name": "small", "after": 2.0},
    )
    assert made.order == ["a", "large", "small"]
    assert made.times == [0.0, 60.0, 60.0]


# --- giving up -----------------------------------------------------------------------------------------------------------


def test_who_gives_up_has_taken_nothing_and_the_next_is_not_kept_waiting():
    pace = Pace(requests=2, tokens=1000)

    async def gives_up(made):
        with anyio.move_on_after(10.0):
            await made.call("a", 900)
        assert anyio.current_time() == 10.0

    async def whole():
        made = Calls(pace)
        await made.call("x", 500)
        async with anyio.create_task_group() as group:
            group.start_soon(gives_up, made)
            await anyio.sleep(1.0)
            assert pace.waiting == 1
            group.start_soon(made.call, "b", 500)
        assert made.begun == [("x", 0.0, 500), ("b", 10.0, 500)]
        assert pace.waiting == 0

    run(whole)


def test_who_is_cancelled_when_its_turn_comes_passes_it_on():
    pace = Pace(at_once=1)

    async def whole():
        made = Calls(pace)
        async with anyio.create_task_group() as group, anyio.create_task_group() as doomed:
            slot = pace.turn("x")
            await slot.__aenter__()
            doomed.start_soon(made.call, "a")
            await anyio.wait_all_tasks_blocked()
            group.start_soon(made.call, "b")
            await anyio.wait_all_tasks_blocked()
            doomed.cancel_scope.cancel()
            await slot.__aexit__(None, None, None)  # calls the first one, which is about to leave
        assert made.order == ["b"]
        assert (pace.running, pace.waiting) == (0, 0)

    run(whole)


def test_a_room_whose_call_gives_up_keeps_its_place():
    pace = Pace(requests=1)

    async def whole():
        made = Calls(pace)
        await made.call("x")
        async with anyio.create_task_group() as group, anyio.create_task_group() as doomed:
            doomed.start_soon(made.call, "a")
            await anyio.wait_all_tasks_blocked()
            for room in ("b", "a"):
                group.start_soon(made.call, room)
                await anyio.wait_all_tasks_blocked()
            doomed.cancel_scope.cancel()
        assert made.order == ["x", "a", "b"]

    run(whole)


# --- rest, and limits that change ------------------------------------------------------------------------------------------


def test_a_service_that_asks_for_rest_gets_it():
    pace = Pace()

    async def whole():
        made = Calls(pace)
        pace.rest(30.0)
        pace.rest(10.0)
        assert pace.resting == 30.0
        async with anyio.create_task_group() as group:
            group.start_soon(made.call)
            await anyio.sleep(20.0)
            pace.rest(60.0)
        assert made.times == [80.0]
        assert pace.resting == 0.0

    run(whole)


def test_limits_can_be_changed_while_somebody_waits():
    pace = Pace(requests=1)

    async def whole():
        made = Calls(pace)
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(made.call)
            await anyio.sleep(10.0)
            pace.limit(requests=3)
            await anyio.sleep(10.0)
            pace.limit()
        assert made.times == [0.0, 10.0, 10.0, 20.0, 20.0]

    run(whole)


def test_a_limit_that_is_lowered_waits_for_what_has_begun():
    pace = Pace(requests=4, tokens=4000)

    async def whole():
        made = Calls(pace)
        for _ in range(4):
            await made.call(tokens=1000)
            await anyio.sleep(10.0)
        pace.limit(requests=2, tokens=1500)
        await made.call(tokens=1000)
        assert made.times[-1] == 90.0

    run(whole)


def test_a_debt_takes_the_places_of_a_limit_that_is_raised():
    pace = Pace(tokens=1000)

    async def whole():
        made = Calls(pace)
        await made.call(tokens=1000, used=1500)
        pace.limit(tokens=2000)
        await made.call(tokens=500)
        await made.call(tokens=1)
        assert made.times == [0.0, 0.0, 60.0]

    run(whole)


def test_a_hosts_own_clock_and_sleep_can_be_used():
    clock = Clock()
    pace = Pace(requests=1, clock=clock, sleep=clock.sleep)
    began = clock()

    async def whole():
        for _ in range(3):
            async with pace.turn("r"):
                pass

    anyio.run(whole)
    assert clock() == began + 120.0


# --- whatever comes ------------------------------------------------------------------------------------------------------

ARRIVALS = st.lists(
    st.fixed_dictionaries(
        {
            "room": st.sampled_from("abcd"),
            "tokens": st.integers(0, 120),
            "after": st.integers(0, 300).map(lambda tenths: tenths / 2),
            "lasts": st.sampled_from([0.0, 0.0, 1.5, 70.0]),
        }
    ),
    max_size=25,
)
LIMITS = st.fixed_dictionaries(
    {
        "requests": st.none() | st.integers(1, 5),
        "tokens": st.none() | st.integers(120, 400),
        "at_once": st.none() | st.integers(1, 3),
    }
)


@settings(deadline=None)
@given(ARRIVALS, LIMITS)
def test_no_minute_has_more_than_its_allowance_and_everybody_gets_through(arrivals, limits):
    made = play(Pace(**limits), *arrivals)
    assert len(made.begun) == len(arrivals)
    if limits["requests"] is not None:
        assert busiest(made.begun, lambda _: 1) <= limits["requests"]
    if limits["tokens"] is not None:
        assert busiest(made.begun) <= limits["tokens"]
    if limits["at_once"] is not None:
        assert made.most <= limits["at_once"]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100), st.integers(0, 60)), max_size=20))
def test_what_was_thought_too_high_is_used_by_others_but_never_twice(calls):
    made = play(
        Pace(tokens=150),
        *[
            {"tokens": guess, "used": min(guess, used), "after": float(after), "name": number}
            for number, (guess, used, after) in enumerate(calls)
        ],
    )
    used = [(name, at, min(calls[name][:2])) for name, at, _ in made.begun]
    assert busiest(used) <= 150


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 1500), st.integers(0, 1500)), min_size=1, max_size=25),
    st.integers(1, 1000),
)
def test_whatever_is_thought_and_used_everybody_gets_through_in_two_minutes_each(calls, limit):
    made = play(Pace(tokens=limit), *[{"room": room, "tokens": guess, "used": used} for room, guess, used in calls])
    assert len(made.begun) == len(calls)
    assert all(later - earlier <= 2 * MINUTE for earlier, later in pairwise([0.0, *made.times]))


@settings(deadline=None)
@given(
    st.lists(st.sampled_from("abcde"), min_size=1, max_size=40),
    st.integers(1, 4),
    st.lists(st.integers(0, 39), max_size=10),
)
def test_nobody_is_overtaken_more_than_once_by_each_other_room(rooms, limit, quitters):
    """All stand in line before the first is served; some give up."""
    pace = Pace(requests=limit)

    async def stays(made, number, room):
        with anyio.move_on_after(90.5 if number in quitters else 10**6):
            await made.call(room, name=number)

    async def whole():
        made = Calls(pace)
        for _ in range(limit):
            await made.call("first")
        async with anyio.create_task_group() as group:
            for number, room in enumerate(rooms):
                group.start_soon(stays, made, number, room)
                await anyio.wait_all_tasks_blocked()
        return [name for name in made.order if name != "first"]

    served = run(whole)
    assert {*range(len(rooms))} - {*quitters} <= {*served}
    for room in "abcde":
        own = [number for number in served if rooms[number] == room]
        assert own == sorted(own)
        places = [served.index(number) for number in own]
        for earlier, later in pairwise([-1, *places]):
            between = [rooms[number] for number in served[earlier + 1 : later]]
            assert len(between) == len({*between})
