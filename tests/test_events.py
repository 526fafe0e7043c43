"""The event stream: watchers hear what happens in order, and nothing that happens waits for them or fails by them."""

from types import SimpleNamespace

import anyio
import pytest

from carrier_core import events as module
from carrier_core import specs
from carrier_core.breaker import Quarantine
from carrier_core.contract import Caller, Impl, accepts_of, contract_of
from carrier_core.dispatch import Hooks
from carrier_core.events import Events
from carrier_core.outcomes import Event

WATCHED, IGNORED = "turn_completed", "step_completed"


class Log:
    def __init__(self):
        self.lines = []

    def warning(self, event, **values):
        self.lines.append((event, values))


def table(*watchers):
    """What the compiled table says of events: ``turn_completed`` has these implementations, ``step_completed`` has none."""
    quarantine = Quarantine(lambda: 0.0)
    impls = [
        Impl(f"plugin-{number}", WATCHED, watcher, quarantine.breaker(f"plugin-{number}", WATCHED))
        for number, watcher in enumerate(watchers)
    ]
    callers = {
        spec.__name__: Caller(spec.__name__, contract_of(spec), accepts_of(spec), made)
        for spec, made in ((specs.turn_completed, impls), (specs.step_completed, []))
    }
    return SimpleNamespace(observed=callers)


def event(number, name=WATCHED):
    return Event(name, float(number), data={"number": number})


@pytest.fixture
def log():
    return Log()


def hear(log, act, *watchers):
    """Let ``act(events)`` happen while the watchers watch, close, and return what the plugins failed at."""
    failures = []

    async def whole():
        events = Events(log)
        watching = table(*watchers)
        events.watch(watching)
        async with anyio.create_task_group() as group:
            group.start_soon(events.run, lambda event: watching, Hooks(report=failures.append, budgets={WATCHED: 0.01}))
            await act(events)
            events.close()

    anyio.run(whole)
    return failures


def test_hooks_hear_events_in_order_also_those_from_before_they_ran(log):
    heard = []

    async def watch(event):
        heard.append(event.data["number"])

    async def act(events):
        events.emit(event(0))
        await anyio.wait_all_tasks_blocked()
        for number in range(1, 50):
            events.emit(event(number))

    assert hear(log, act, watch) == []
    assert heard == list(range(50))


def test_what_waits_when_it_is_closed_is_still_heard_and_what_comes_later_is_not(log):
    heard = []

    async def watch(event):
        heard.append(event.data["number"])

    async def act(events):
        events.emit(event(1))
        events.close()
        events.emit(event(2))
        events.close()

    hear(log, act, watch)
    assert heard == [1]


def test_a_watcher_that_fails_is_named_and_the_others_hear_on(log):
    heard = []

    async def broken(event):
        raise ValueError("broken")

    async def hanging(event):
        await anyio.sleep_forever()

    async def watch(event):
        heard.append(event.data["number"])

    async def act(events):
        events.emit(event(1))
        events.emit(event(2))

    failures = hear(log, act, broken, watch, hanging)
    assert heard == [1, 2]
    assert sorted((failure.plugin, failure.how) for failure in failures) == [
        *[("plugin-0", "raised")] * 2,
        *[("plugin-2", "timed_out")] * 2,
    ]


def test_what_happens_does_not_wait_for_a_slow_watcher(log, monkeypatch):
    """Beyond what is kept for it, it misses events, and the log says so once."""
    monkeypatch.setattr(module, "_KEPT", 10)
    heard = []
    gate = anyio.Event()

    async def slow(event):
        await gate.wait()
        heard.append(event.data["number"])

    async def whole():
        events = Events(log)
        watching = table(slow)
        events.watch(watching)
        async with anyio.create_task_group() as group:
            group.start_soon(events.run, lambda event: watching, Hooks())
            events.emit(event(0))
            await anyio.wait_all_tasks_blocked()
            for number in range(1, 100):
                events.emit(event(number))
            gate.set()
            events.close()

    anyio.run(whole)
    assert heard == list(range(11))
    assert [line for line, _ in log.lines] == ["events_dropped"]


def test_an_event_that_nobody_watches_is_not_queued(log, monkeypatch):
    monkeypatch.setattr(module, "_KEPT", 0)

    async def act(events):
        events.emit(event(1, IGNORED))
        events.emit(event(1, "harbour_opened"))

    hear(log, act)
    assert log.lines == []


def test_listeners_hear_every_event_until_they_stop(log):
    heard = []
    events = Events(log)
    stop = events.listen(heard.append)
    events.emit(event(1, IGNORED))
    events.emit(event(2, WATCHED))
    stop()
    stop()
    events.emit(event(3))
    assert [each.data["number"] for each in heard] == [1, 2]


def test_a_listener_may_stop_while_it_hears(log):
    events = Events(log)
    heard = []

    def once(event):
        heard.append(("once", event.data["number"]))
        stop()

    stop = events.listen(once)
    events.listen(lambda event: heard.append(("always", event.data["number"])))
    events.emit(event(1))
    events.emit(event(2))
    assert heard == [("once", 1), ("always", 1), ("always", 2)]


def test_a_listener_that_raises_is_left_out_and_costs_nobody_anything(log):
    events = Events(log)
    heard = []

    def broken(event):
        raise ValueError("broken")

    events.listen(broken)
    events.listen(lambda event: heard.append(event.data["number"]))
    events.emit(event(1))
    events.emit(event(2))
    assert heard == [1, 2]
    assert log.lines == [("listener_failed", {"error": "ValueError: broken"})]


def test_an_event_stream_that_never_ran_leaves_nothing_open(log):
    """A host that is made and not started must not warn when it goes."""
    events = Events(log)
    events.watch(table())
    events.emit(event(1))
    del events
