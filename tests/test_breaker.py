"""Quarantine: what keeps failing is left out, tried again after a while, and judged by its own faults only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carrier_core.breaker import Quarantine
from carrier_core.errors import InDoubt, NotDone, ProviderError, Rejected

WINDOW, COOLDOWN = 60.0, 30.0


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def quarantine(clock):
    return Quarantine(clock, failures=3, window=WINDOW, cooldown=COOLDOWN, exempt="carrier")


@pytest.fixture
def breaker(quarantine):
    return quarantine.breaker("weather", "provide_state")


def opened(breaker):
    return [breaker.failed(ValueError("broken")) for _ in range(3)]


def test_the_failure_that_opens_it_says_so(breaker):
    assert opened(breaker) == [False, False, True]
    assert breaker.open
    assert not breaker.allows()


def test_failures_that_lie_further_apart_than_the_window_do_not_open_it(breaker, clock):
    for _ in range(20):
        breaker.failed(ValueError("broken"))
        clock.now += WINDOW / 2 + 0.001
    assert not breaker.open
    assert breaker.allows()


def test_the_window_slides(breaker, clock):
    breaker.failed()
    clock.now += WINDOW
    breaker.failed()
    clock.now += 1
    assert not breaker.failed()
    assert breaker.failed()


@pytest.mark.parametrize(
    "error",
    [
        ProviderError("Overloaded.", reason="overloaded"),
        NotDone("Busy."),
        Rejected("No."),
        InDoubt("Perhaps."),
        ConnectionResetError("gone"),
        TimeoutError("slow"),
    ],
)
def test_errors_of_a_provider_or_a_network_do_not_count(breaker, error):
    assert not any(breaker.failed(error) for _ in range(10))
    assert not breaker.open


def test_after_the_cool_down_one_call_passes_alone(breaker, clock):
    opened(breaker)
    clock.now += COOLDOWN - 0.001
    assert not breaker.allows()
    clock.now += 0.001
    assert breaker.allows()
    assert not breaker.allows()
    assert breaker.open


def test_a_trial_that_succeeds_closes_it_and_forgets_the_failures(breaker, clock):
    opened(breaker)
    clock.now += COOLDOWN
    breaker.allows()
    breaker.succeeded()
    assert not breaker.open
    assert opened(breaker) == [False, False, True]


def test_a_trial_that_fails_opens_it_for_another_cool_down(breaker, clock):
    opened(breaker)
    clock.now += COOLDOWN
    breaker.allows()
    assert not breaker.failed(ValueError("still broken"))
    clock.now += COOLDOWN - 0.001
    assert not breaker.allows()
    clock.now += 0.001
    assert breaker.allows()


def test_a_trial_that_says_nothing_may_be_made_again_at_once(breaker, clock):
    opened(breaker)
    clock.now += COOLDOWN
    breaker.allows()
    breaker.failed(ProviderError("Offline.", reason="connection"))
    assert breaker.open
    assert breaker.allows()
    breaker.released()
    assert breaker.allows()


def test_calls_that_began_before_it_opened_decide_nothing(breaker, clock):
    opened(breaker)
    breaker.succeeded()
    assert breaker.open
    clock.now += COOLDOWN - 1
    breaker.failed(ValueError("late"))
    clock.now += 1
    assert breaker.allows()


def test_a_hook_of_a_plugin_has_one_breaker_however_often_it_is_asked_for(quarantine, breaker):
    assert quarantine.breaker("weather", "provide_state") is breaker
    opened(breaker)
    assert quarantine.breaker("weather", "decide").allows()
    assert quarantine.breaker("clock", "provide_state").allows()
    assert quarantine.quarantined() == (("weather", "provide_state"),)


def test_the_host_itself_is_never_left_out(quarantine):
    core = quarantine.breaker("carrier", "generate")
    assert not any(core.failed(ValueError("broken")) for _ in range(100))
    assert core.allows()


@given(
    st.lists(st.tuples(st.sampled_from(["fail", "succeed", "offline", "release"]), st.integers(0, 100)), max_size=60)
)
def test_whatever_happens_it_passes_at_most_one_trial_and_always_tries_again(events):
    clock = Clock()
    breaker = Quarantine(clock, failures=3, window=WINDOW, cooldown=COOLDOWN).breaker("a", "b")
    for event, seconds in events:
        clock.now += seconds
        passed = breaker.allows()
        if passed and breaker.open:
            assert not breaker.allows()
        if passed:
            {
                "fail": breaker.failed,
                "succeed": breaker.succeeded,
                "offline": lambda: breaker.failed(ConnectionError()),
                "release": breaker.released,
            }[event]()
    clock.now += COOLDOWN
    assert breaker.allows()
