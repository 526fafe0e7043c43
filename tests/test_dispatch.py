"""Dispatch: whatever implementations do, each verb keeps its law, and the failure names whose it was.

The property tests compare each verb with a model of it that is written down beside it, in a loop with a virtual clock:
when nothing is left to run, time goes on to the next deadline, so that a hang costs nothing and no test depends on the
machine's speed.
"""

import asyncio
import gc
from typing import Any, NamedTuple

import anyio
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carrier_core.breaker import Quarantine
from carrier_core.contract import Caller, Impl, Verb, accepts_of, contract_of, impl, method, step
from carrier_core.dispatch import Answer, Hooks, running
from carrier_core.errors import CarrierError, InDoubt, NotDone, PluginError, ProviderError
from carrier_core.failures import Failure
from carrier_core.prompts import Authorization, Ruling
from tests.virtual import run

BUDGET = 0.01  # seconds of the virtual clock


# --- hooks to call -----------------------------------------------------------------------------------------------------


class Word(msgspec.Struct, frozen=True):
    text: str


class Stop(msgspec.Struct, frozen=True):
    reason: str


@step(Verb.COLLECT, budget=BUDGET)
async def gathers(word: Word) -> Word | None: ...


@step(Verb.FIRST, budget=BUDGET)
async def answers(word: Word) -> Word | None: ...


@step(Verb.FIRST, budget=BUDGET, effects=True)
async def acts(word: Word) -> Word | None: ...


@step(Verb.TRANSFORM, budget=BUDGET)
async def changes(word: Word) -> Word | Stop | None: ...


@step(Verb.STRICTEST, budget=BUDGET)
async def judges(word: Word) -> Authorization | None: ...


@step(Verb.OBSERVE, budget=BUDGET)
async def watches(word: Word) -> None: ...


@step(Verb.ORDERED, budget=BUDGET)
async def starts(word: Word) -> None: ...


@step(Verb.ORDERED, budget=BUDGET)
async def stops(word: Word) -> None: ...


@step(Verb.AROUND, budget=BUDGET)
async def wraps(word: Word, call: Any) -> Word: ...


@step(Verb.AROUND, budget=BUDGET)
async def wraps_anything(word: Word, call: Any) -> object: ...


@method(budget=BUDGET)
async def does(word: Word) -> Word | None: ...


@method(budget=BUDGET, effects=True)
async def sends(word: Word) -> Word | None: ...


class Odd(BaseException):
    """Neither an Exception nor one of those that Python itself raises."""


class Unshowable(Exception):
    def __str__(self):
        raise ValueError("no words")


async def say(text):
    return Word(text)


# --- implementations that do what they are told ------------------------------------------------------------------------

HOW = {
    "raises": "raised",
    "exits": "raised",
    "odd": "raised",
    "unshowable": "raised",
    "offline": "raised",
    "synchronous": "raised",
    "hangs": "timed_out",
    "mistyped": "mistyped",
    "unawaited": "mistyped",
    "cancelled": "cancelled",
}
WELL = ("answers", "declines", "slow", "nested", "grouped", "late", "late_decline")


class Doing(NamedTuple):
    kind: str
    guard: bool = False
    quarantined: bool = False

    @property
    def how(self):
        """How the model says that it fails; None if it does not."""
        return "quarantined" if self.quarantined else HOW.get(self.kind)

    @property
    def answers(self):
        return self.how is None and self.kind not in ("declines", "late_decline")


def doings(*more):
    kinds = st.sampled_from((*WELL, *HOW, *more))
    return st.lists(st.builds(Doing, kinds, guard=st.booleans(), quarantined=st.booleans()), max_size=6)


async def perform(kind, value):
    """What an implementation of this kind does where ``value`` is its answer."""
    if kind in ("declines",):
        return None
    if kind == "raises":
        raise ValueError("broken")
    if kind == "exits":
        raise SystemExit(3)
    if kind == "odd":
        raise Odd("odd")
    if kind == "unshowable":
        raise Unshowable
    if kind == "offline":
        raise ProviderError("offline", reason="connection")
    if kind == "hangs":
        await anyio.sleep_forever()
    if kind == "mistyped":
        return 17
    if kind == "unawaited":
        return say("nobody waits for this")
    if kind == "cancelled":
        raise asyncio.CancelledError("stray")
    if kind == "slow":
        await anyio.sleep(0)
    if kind == "nested":
        with anyio.move_on_after(0):
            await anyio.sleep_forever()
    if kind == "grouped":
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 0)
            group.start_soon(anyio.sleep_forever)
            await anyio.sleep(0)
            group.cancel_scope.cancel()
    if kind.startswith("late"):
        try:
            await anyio.sleep_forever()
        except asyncio.CancelledError:
            return None if kind == "late_decline" else value
    return value


class Stage:
    """One dispatch: its hooks, and what was called and reported."""

    def __init__(self, **options):
        self.now = 0.0
        self.quarantine = Quarantine(lambda: self.now, failures=3, window=60.0, cooldown=30.0)
        self.called = []
        self.reported = []
        self.trace = []
        self.hooks = Hooks(report=self.report, trace=self.trace, **options)

    def report(self, failure):
        assert isinstance(failure, Failure)
        self.reported.append(failure)

    @property
    def failures(self):
        return [(failure.plugin, failure.how) for failure in self.reported]

    def impl(self, plugin, function, *, hook="hook", guard=False, quarantined=False):
        breaker = self.quarantine.breaker(plugin, hook)
        if quarantined:
            while not breaker.open:
                breaker.failed()
        return Impl(plugin, hook, function, breaker, guard=guard)

    def caller(self, spec, impls):
        return Caller(spec.__name__, contract_of(spec), accepts_of(spec), impls)

    def cast(self, spec, cast, answer):
        """The caller of a hook that these implementations have; ``answer(position, kind, *args)`` is what they say."""

        def make(position, doing):
            async def act(*args):
                assert running.get() is made
                self.called.append(name(position))
                return await perform(doing.kind, answer(position, doing.kind, *args))

            def synchronous(*args):
                self.called.append(name(position))
                return answer(position, doing.kind, *args)

            function = synchronous if doing.kind == "synchronous" else act
            made = self.impl(
                name(position), function, hook=spec.__name__, guard=doing.guard, quarantined=doing.quarantined
            )
            return made

        return self.caller(spec, [make(position, doing) for position, doing in enumerate(cast)])


def name(position):
    return f"plugin-{position}"


def failing(cast):
    return [(name(position), doing.how) for position, doing in enumerate(cast) if doing.how is not None]


def able(cast):
    return [name(position) for position, doing in enumerate(cast) if not doing.quarantined]


def guards(cast):
    return [name(position) for position, doing in enumerate(cast) if doing.how is not None and doing.guard]


def traced(stage):
    return sorted((trace.plugin, trace.result) for trace in stage.trace)


def expected_trace(cast):
    return sorted(
        (name(position), doing.how or ("answered" if doing.answers else "declined"))
        for position, doing in enumerate(cast)
    )


examples = settings(max_examples=120, deadline=None)


# --- collect -------------------------------------------------------------------------------------------------------------


def numbered(position, kind, *args):
    return Word(str(position))


@examples
@given(doings())
def test_collect_loses_only_the_answers_of_those_that_fail(cast):
    async def dispatch():
        stage = Stage()
        error = None
        found = []
        try:
            found = await stage.hooks.collect(stage.cast(gathers, cast, numbered), Word("x"))
        except PluginError as raised:
            error = raised
        assert running.get() is None
        return stage, found, error

    stage, found, error = run(dispatch)
    assert sorted(stage.called) == sorted(able(cast))
    assert sorted(stage.failures) == sorted(failing(cast))
    assert traced(stage) == expected_trace(cast)
    if guards(cast):
        assert error is not None
        assert error.plugin == guards(cast)[0]
    else:
        assert error is None
        assert found == [Answer(name(n), Word(str(n))) for n, doing in enumerate(cast) if doing.answers]


def test_collect_has_one_deadline_for_all():
    async def dispatch():
        stage = Stage()
        await stage.hooks.collect(stage.cast(gathers, [Doing("hangs")] * 20, numbered), Word("x"))
        return stage.failures, anyio.current_time()

    failures, took = run(dispatch)
    assert failures == [(name(n), "timed_out") for n in range(20)]
    assert took == pytest.approx(BUDGET)


def test_collect_starts_all_before_it_waits_for_any():
    async def dispatch():
        stage = Stage()
        order = []

        def waiter(plugin):
            async def act(word):
                order.append(f"{plugin} begins")
                await anyio.sleep(0.001)
                order.append(f"{plugin} ends")

            return stage.impl(plugin, act)

        await stage.hooks.collect(stage.caller(gathers, [waiter("a"), waiter("b"), waiter("c")]), Word("x"))
        return order

    order = run(dispatch)
    assert [line for line in order[:3] if line.endswith("begins")] == order[:3]
    assert len(order) == 6


# --- first ---------------------------------------------------------------------------------------------------------------


def first_of(cast, effects):
    """The model: (who is called, who fails, the answer's position, whose failure ends it)."""
    called, failed = [], []
    for position, doing in enumerate(cast):
        if not doing.quarantined:
            called.append(name(position))
        if doing.how is not None:
            failed.append((name(position), doing.how))
            if doing.guard or (effects and not doing.quarantined):
                return called, failed, None, doing
        elif doing.answers:
            return called, failed, position, None
    return called, failed, None, None


@examples
@given(doings())
def test_first_falls_through_to_the_first_answer(cast):
    async def dispatch():
        stage = Stage()
        try:
            return stage, await stage.hooks.first(stage.cast(answers, cast, numbered), Word("x"))
        except PluginError as error:
            return stage, error

    stage, answer = run(dispatch)
    called, failed, position, ended = first_of(cast, effects=False)
    assert stage.called == called
    assert stage.failures == failed
    if ended is not None:
        assert isinstance(answer, PluginError)
        assert answer.plugin == failed[-1][0]
    else:
        assert answer == (None if position is None else Answer(name(position), Word(str(position))))


@examples
@given(doings())
def test_first_with_effects_ends_at_a_failure(cast):
    async def dispatch():
        stage = Stage()
        try:
            return stage, await stage.hooks.first(stage.cast(acts, cast, numbered), Word("x"))
        except CarrierError as error:
            return stage, error

    stage, answer = run(dispatch)
    called, failed, position, ended = first_of(cast, effects=True)
    assert stage.called == called
    assert stage.failures == failed
    if ended is None:
        assert answer == (None if position is None else Answer(name(position), Word(str(position))))
    elif ended.guard:
        assert isinstance(answer, PluginError)
        assert "guard" in answer.message
    elif ended.kind == "hangs":
        assert isinstance(answer, InDoubt)
    elif ended.kind == "offline":
        assert isinstance(answer, ProviderError)
    else:
        assert isinstance(answer, PluginError)
        assert answer.plugin == failed[-1][0]


def test_each_that_hangs_in_turn_has_its_own_deadline():
    async def dispatch():
        stage = Stage()
        cast = [*[Doing("hangs")] * 4, Doing("answers")]
        answer = await stage.hooks.first(stage.cast(answers, cast, numbered), Word("x"))
        return answer, anyio.current_time()

    answer, took = run(dispatch)
    assert answer == Answer(name(4), Word("4"))
    assert took == pytest.approx(4 * BUDGET)


# --- transform -----------------------------------------------------------------------------------------------------------


def appended(position, kind, word):
    return Stop(str(position)) if kind == "ends" else Word(f"{word.text} {position}")


@examples
@given(doings("ends"))
def test_transform_keeps_the_last_good_value(cast):
    async def dispatch():
        stage = Stage()
        try:
            return stage, await stage.hooks.transform(stage.cast(changes, cast, appended), Word("x"))
        except PluginError as error:
            return stage, error

    called, failed, value, stopped_by = [], [], Word("x"), None
    for position, doing in enumerate(cast):
        if not doing.quarantined:
            called.append(name(position))
        if doing.how is not None:
            failed.append((name(position), doing.how))
            if doing.guard:
                stopped_by = name(position)
                break
        elif doing.answers:
            value = appended(position, doing.kind, value)
            if isinstance(value, Stop):
                break
    stage, found = run(dispatch)
    assert stage.called == called
    assert stage.failures == failed
    if stopped_by is None:
        assert found == value
    else:
        assert isinstance(found, PluginError)
        assert found.plugin == stopped_by


def after(seconds):
    async def act(word):
        await anyio.sleep(seconds)
        return Word(f"{word.text} {seconds}")

    return act


def test_what_runs_when_the_deadline_ends_has_failed_and_those_behind_it_have_a_new_one():
    async def dispatch():
        stage = Stage()
        impls = [stage.impl(plugin, after(0.006)) for plugin in ("a", "b", "c")]
        return stage, await stage.hooks.transform(stage.caller(changes, impls), Word("x"))

    stage, found = run(dispatch)
    assert found == Word("x 0.006 0.006")
    assert stage.failures == [("b", "timed_out")]


@pytest.mark.parametrize("late", ["late", "late_decline", "hangs"])
def test_one_that_swallows_the_deadline_costs_nothing_behind_it(late):
    async def slowly(word):
        await anyio.sleep(0.009)
        return Word(f"{word.text} slowly")

    async def dispatch():
        stage = Stage()
        impls = [*stage.cast(changes, [Doing(late)], appended).impls, stage.impl("b", slowly), stage.impl("c", slowly)]
        return stage, await stage.hooks.transform(stage.caller(changes, impls[:2]), Word("x"))

    stage, found = run(dispatch)
    assert found == Word("x 0 slowly" if late == "late" else "x slowly")
    assert ("b", "timed_out") not in stage.failures


def test_one_that_turns_the_deadline_into_an_error_has_failed_once():
    async def bitter(word):
        try:
            await anyio.sleep_forever()
        except asyncio.CancelledError as error:
            raise RuntimeError("I was not finished") from error

    async def dispatch():
        stage = Stage()
        impls = [stage.impl("a", bitter), stage.impl("b", after(0.009))]
        return stage, await stage.hooks.transform(stage.caller(changes, impls), Word("x"))

    stage, found = run(dispatch)
    assert found == Word("x 0.009")
    assert stage.failures == [("a", "raised")]


# --- strictest -----------------------------------------------------------------------------------------------------------

RULINGS = {"allows": Ruling.ALLOW, "asks": Ruling.ASK, "denies": Ruling.DENY}


def ruled(position, kind, *args):
    return Authorization(RULINGS.get(kind, Ruling.ALLOW), str(position))


@examples
@given(doings(*RULINGS, *RULINGS))
def test_strictest_denies_when_anybody_fails_and_else_takes_the_strictest(cast):
    async def dispatch():
        stage = Stage()
        return stage, await stage.hooks.strictest(stage.cast(judges, cast, ruled), Word("x"))

    stage, found = run(dispatch)
    assert sorted(stage.called) == sorted(able(cast))
    assert sorted(stage.failures) == sorted(failing(cast))
    given_rulings = [RULINGS.get(doing.kind, Ruling.ALLOW) for doing in cast if doing.answers]
    if failing(cast):
        assert found.ruling is Ruling.DENY
        assert found.reason.startswith(failing(cast)[0][0])
    elif not given_rulings:
        assert found is None
    elif Ruling.DENY in given_rulings:
        assert found.ruling is Ruling.DENY
    elif Ruling.ASK in given_rulings:
        assert found.ruling is Ruling.ASK
    else:
        assert found.ruling is Ruling.ALLOW


@pytest.mark.parametrize("ruling", ["allow", "sure", None, ["allow"]])
def test_a_ruling_that_is_none_denies(ruling):
    async def careless(word):
        return Authorization(ruling)

    async def dispatch():
        stage = Stage()
        return await stage.hooks.strictest(stage.caller(judges, [stage.impl("a", careless)]), Word("x"))

    found = run(dispatch)
    assert found.ruling is Ruling.DENY
    assert "a could not judge it" in found.reason


def test_a_ruling_of_a_newer_release_does_not_count_as_allowed():
    async def dispatch():
        stage = Stage()
        cast = stage.cast(judges, [Doing("allows")], ruled).impls

        async def newer(word):
            return Authorization(Ruling("maybe"))

        return await stage.hooks.strictest(stage.caller(judges, [*cast, stage.impl("b", newer)]), Word("x"))

    assert run(dispatch).ruling is Ruling.UNKNOWN


# --- observe -------------------------------------------------------------------------------------------------------------


def nothing(position, kind, *args):
    return None


def no_wrong_type(cast):
    """A hook that returns nothing takes whatever comes, but for a coroutine that nobody awaits."""
    return [doing._replace(kind="declines") if doing.kind == "mistyped" else doing for doing in cast]


@examples
@given(doings().map(no_wrong_type))
def test_observe_never_fails(cast):
    async def dispatch():
        stage = Stage()
        assert await stage.hooks.observe(stage.cast(watches, cast, nothing), Word("x")) is None
        return stage

    stage = run(dispatch)
    assert sorted(stage.called) == sorted(able(cast))
    assert sorted(stage.failures) == sorted(failing(cast))


# --- ordered -------------------------------------------------------------------------------------------------------------


@examples
@given(doings().map(no_wrong_type), doings().map(no_wrong_type), st.sets(st.integers(0, 5)), st.permutations(range(6)))
def test_a_failed_start_unwinds_what_was_started(cast, stopping, required, order):
    """The hooks that stop have an order of their own; it is the order of the start that is gone back."""
    required = {name(position) for position in required}

    async def dispatch():
        stage = Stage()
        begin, end = stage.cast(starts, cast, nothing), stage.cast(stops, stopping, nothing)
        shuffled = [end.impls[position] for position in order if position < len(stopping)]
        try:
            found = await stage.hooks.ordered(begin, stage.caller(stops, shuffled), required.__contains__, Word("x"))
        except PluginError as error:
            return stage, error
        return stage, found

    called, failed, started, fatal = [], [], [], None
    for position, doing in enumerate(cast):
        if not doing.quarantined:
            called.append(name(position))
        if doing.how is None:
            started.append(position)
            continue
        failed.append((name(position), doing.how))
        if name(position) in required:
            fatal = name(position)
            break
    stage, found = run(dispatch)
    if fatal is None:
        assert [(failure.plugin, failure.how) for failure in found] == failed
        assert stage.called == called
        assert stage.failures == failed
        return
    back = [position for position in reversed(started) if position < len(stopping)]
    assert isinstance(found, PluginError)
    assert found.plugin == fatal
    assert stage.called == called + [name(n) for n in back if not stopping[n].quarantined]
    assert stage.failures == failed + [(name(n), stopping[n].how) for n in back if stopping[n].how is not None]


# --- around --------------------------------------------------------------------------------------------------------------

WRAPPERS = {
    "raises": "raised",
    "raises_after": "raised",
    "twice": "raised",
    "exits": "raised",
    "odd": "raised",
    "hangs": "timed_out",
    "hangs_after": "timed_out",
    "mistyped": "mistyped",
    "nothing": "mistyped",
    "unawaited": "mistyped",
    "cancelled": "cancelled",
}
INWARD = ("passes", "passes", "passes", "changes", "late_after", "within", "rescues", "raises_after", "twice")


async def wrap(kind, number, call):
    mine = Word(f"{kind} {number}")
    if kind in ("passes", "hangs_after", "raises_after"):
        value = await call()
        await perform(kind.removesuffix("_after"), None)
        return value
    if kind in ("changes", "late_after"):
        await call()
        return await perform(kind.removesuffix("_after"), mine)
    if kind == "twice":
        await call()
        return await call()
    if kind == "within":
        async with anyio.create_task_group():
            with anyio.fail_after(10 * BUDGET):
                value = await call()
        return value
    if kind == "rescues":
        try:
            return await call()
        except Exception:
            return mine
    if kind == "unawaited":
        return call()
    if kind == "nothing":
        return None
    return await perform(kind, mine)


def onion(layers, inner_fails, position=0):
    """The model: the value or (who, how), and the failures in the order of their telling."""
    if position == len(layers):
        return (("inner", "raised"), []) if inner_fails else (Word("inner"), [])
    layer, who = layers[position], name(position)
    if layer.quarantined:
        told = [(who, "quarantined")]
        if layer.guard:
            return told[0], told
        value, failed = onion(layers, inner_fails, position + 1)
        return value, told + failed
    value, failed = Word(f"{layer.kind} {position}"), []
    if layer.kind in (*INWARD, "hangs_after"):
        inner, failed = onion(layers, inner_fails, position + 1)
        broken = not isinstance(inner, Word)
        if broken and layer.kind != "rescues":
            # A task group of the wrapper's own puts what went wrong into a group: then it is the wrapper that raised.
            return ((who, "raised"), [*failed, (who, "raised")]) if layer.kind == "within" else (inner, failed)
        if layer.kind in ("passes", "within") or (layer.kind == "rescues" and not broken):
            value = inner
    how = WRAPPERS.get(layer.kind)
    return ((who, how), [*failed, (who, how)]) if how else (value, failed)


wrappers = st.lists(
    st.builds(Doing, st.sampled_from((*INWARD, *WRAPPERS, "skips")), guard=st.booleans(), quarantined=st.booleans()),
    max_size=5,
)


@examples
@given(wrappers, st.booleans())
def test_around_is_an_onion_whose_failures_propagate(layers, inner_fails):
    ran = []

    async def inner():
        assert running.get() is None
        ran.append("inner")
        await anyio.sleep(3 * BUDGET)  # it is not the wrappers' time
        if inner_fails:
            raise LookupError("inner")
        return Word("inner")

    async def dispatch():
        stage = Stage()

        def layer(position, doing):
            async def act(word, call):
                assert running.get() is made
                return await wrap(doing.kind, position, call)

            made = stage.impl(name(position), act, guard=doing.guard, quarantined=doing.quarantined)
            return made

        caller = stage.caller(wraps, [layer(position, doing) for position, doing in enumerate(layers)])
        try:
            value = await stage.hooks.around(caller, Word("x"), call=inner)
        except LookupError:
            value = ("inner", "raised")
        except PluginError as error:
            value = (error.plugin, None)
        return stage, value

    stage, value = run(dispatch)
    expected, failed = onion(layers, inner_fails)
    assert len(ran) <= 1
    assert sorted(stage.failures) == sorted(failed)
    if isinstance(expected, Word) or expected[0] == "inner":
        assert value == expected
    else:
        assert value == (expected[0], None)


def test_a_wrapper_may_return_nothing_where_the_step_did():
    async def transparent(word, call):
        return await call()

    async def forgetful(word, call):
        await call()

    async def nothing():
        return None

    async def something():
        return Word("x")

    async def dispatch():
        stage = Stage()
        through = stage.caller(wraps_anything, [stage.impl("a", transparent)])
        assert await stage.hooks.around(through, Word("x"), call=nothing) is None
        with pytest.raises(PluginError, match="b failed"):
            await stage.hooks.around(
                stage.caller(wraps_anything, [stage.impl("b", forgetful)]), Word("x"), call=something
            )
        return stage.failures

    assert run(dispatch) == [("b", "mistyped")]


# --- call ----------------------------------------------------------------------------------------------------------------


@examples
@given(doings().filter(lambda cast: len(cast) == 1), st.booleans())
def test_a_method_raises_its_failure(cast, effects):
    async def dispatch():
        stage = Stage()
        try:
            return stage, await stage.hooks.call(stage.cast(sends if effects else does, cast, numbered), Word("x"))
        except CarrierError as error:
            return stage, error

    doing = cast[0]
    stage, found = run(dispatch)
    assert stage.failures == failing(cast)
    if doing.how is None:
        assert found == (Word("0") if doing.answers else None)
    elif doing.quarantined:
        assert isinstance(found, NotDone if effects else PluginError)
    elif doing.kind == "offline":
        assert isinstance(found, ProviderError)
    elif doing.kind == "hangs" and effects:
        assert isinstance(found, InDoubt)
    else:
        assert isinstance(found, PluginError)
        assert found.plugin == name(0)


def test_an_error_of_an_effect_keeps_what_it_says():
    async def busy(word):
        raise NotDone("Busy.", retry_after=7.0)

    async def dispatch():
        stage = Stage()
        await stage.hooks.first(stage.caller(acts, [stage.impl("a", busy)]), Word("x"))

    with pytest.raises(NotDone) as raised:
        run(dispatch)
    assert raised.value.retry_after == 7.0


# --- every verb ------------------------------------------------------------------------------------------------------------


async def one_word():
    return Word("x")


VERBS = {
    "collect": (gathers, lambda hooks, caller: hooks.collect(caller, Word("x"))),
    "first": (answers, lambda hooks, caller: hooks.first(caller, Word("x"))),
    "effects": (acts, lambda hooks, caller: hooks.first(caller, Word("x"))),
    "transform": (changes, lambda hooks, caller: hooks.transform(caller, Word("x"))),
    "strictest": (judges, lambda hooks, caller: hooks.strictest(caller, Word("x"))),
    "observe": (watches, lambda hooks, caller: hooks.observe(caller, Word("x"))),
    "ordered": (starts, lambda hooks, caller: hooks.ordered(caller, caller, lambda plugin: True, Word("x"))),
    "around": (wraps, lambda hooks, caller: hooks.around(caller, Word("x"), call=one_word)),
    "call": (does, lambda hooks, caller: hooks.call(caller, Word("x"))),
}
everywhere = pytest.mark.parametrize("verb", VERBS)
many = pytest.mark.parametrize("count", [1, 3])


@everywhere
@many
def test_cancellation_from_outside_passes_and_is_nobodys_failure(verb, count):
    spec, call = VERBS[verb]

    async def dispatch():
        stage = Stage()
        caller = stage.cast(spec, [Doing("hangs", guard=True)] * count, nothing)
        with anyio.move_on_after(BUDGET / 2) as scope:
            await call(stage.hooks, caller)
        assert scope.cancelled_caught
        assert anyio.current_time() == pytest.approx(BUDGET / 2)
        assert running.get() is None
        return stage

    stage = run(dispatch)
    assert stage.failures == []
    assert stage.quarantine.quarantined() == ()


@everywhere
@many
def test_the_cancellation_of_a_task_passes(verb, count):
    spec, call = VERBS[verb]

    async def dispatch():
        stage = Stage()
        caller = stage.cast(spec, [Doing("hangs")] * count, nothing)
        task = asyncio.ensure_future(call(stage.hooks, caller))
        await asyncio.sleep(BUDGET / 2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return stage.failures

    assert run(dispatch) == []


@everywhere
@many
def test_the_operators_interrupt_passes(verb, count):
    spec, call = VERBS[verb]

    async def interrupted(*args):
        raise KeyboardInterrupt

    async def dispatch():
        stage = Stage()
        impls = [stage.impl(name(position), interrupted) for position in range(count)]
        await call(stage.hooks, stage.caller(spec, impls))

    with pytest.raises(KeyboardInterrupt):
        run(dispatch)


@everywhere
def test_a_call_cut_off_from_outside_leaves_the_trial_of_a_quarantined_one_to_the_next(verb):
    spec, call = VERBS[verb]

    async def dispatch():
        stage = Stage()
        caller = stage.cast(spec, [Doing("hangs", quarantined=True)], nothing)
        stage.now += 31.0
        with anyio.move_on_after(BUDGET / 2):
            await call(stage.hooks, caller)
        return stage, caller.impls[0].breaker

    stage, breaker = run(dispatch)
    assert stage.called == ["plugin-0"]
    assert breaker.open
    assert breaker.allows()


@everywhere
def test_what_keeps_failing_is_quarantined_and_said_so_once(verb):
    spec, call = VERBS[verb]

    async def broken(*args):
        raise ValueError("broken")

    async def dispatch():
        stage = Stage()
        caller = stage.caller(spec, [stage.impl("a", broken)])
        for _ in range(5):
            try:
                await call(stage.hooks, caller)
            except CarrierError:
                pass
        return stage

    stage = run(dispatch)
    assert [failure.how for failure in stage.reported] == ["raised"] * 3 + ["quarantined"] * 2
    assert [failure.opened for failure in stage.reported] == [False, False, True, False, False]
    assert stage.quarantine.quarantined() == (("a", "hook"),)


@everywhere
def test_the_errors_of_a_provider_or_a_network_do_not_count(verb):
    spec, call = VERBS[verb]

    async def offline(*args):
        raise ConnectionResetError("gone")

    async def dispatch():
        stage = Stage()
        caller = stage.caller(spec, [stage.impl("a", offline)])
        for _ in range(5):
            try:
                await call(stage.hooks, caller)
            except CarrierError:
                pass
        return stage

    stage = run(dispatch)
    assert [failure.how for failure in stage.reported] == ["raised"] * 5
    assert stage.quarantine.quarantined() == ()


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb not in ("around", "call")])
def test_a_hook_that_nobody_implements_changes_nothing(verb):
    spec, call = VERBS[verb]

    async def dispatch():
        stage = Stage()
        return await call(stage.hooks, stage.caller(spec, []))

    assert not run(dispatch) or verb == "transform"


@everywhere
def test_a_coroutine_for_an_answer_is_closed(verb):
    """Every warning is an error in this suite, so one that was never awaited would fail here."""
    spec, call = VERBS[verb]

    async def hasty(*args):
        return say("nobody waits")

    async def dispatch():
        stage = Stage()
        try:
            await call(stage.hooks, stage.caller(spec, [stage.impl("a", hasty)]))
        except CarrierError:
            pass
        gc.collect()
        return stage

    stage = run(dispatch)
    assert stage.failures == [("a", "mistyped")]
    assert "await" in stage.reported[0].message


@everywhere
def test_budgets_are_the_configurations(verb):
    spec, call = VERBS[verb]

    async def dispatch():
        stage = Stage(budgets={spec.__name__: 5.0})
        try:
            await call(stage.hooks, stage.cast(spec, [Doing("hangs")], nothing))
        except CarrierError:
            pass
        return stage, anyio.current_time()

    stage, took = run(dispatch)
    assert took == pytest.approx(5.0)
    assert stage.failures == [("plugin-0", "timed_out")]
    assert "within 5 s" in stage.reported[0].message


# --- answers -----------------------------------------------------------------------------------------------------------------


@step(Verb.COLLECT)
async def listed(word: Word) -> tuple[Word, ...] | None: ...


@pytest.mark.parametrize(
    ("answer", "fits"),
    [
        (None, True),
        ((), True),
        ((Word("a"), Word("b")), True),
        ([Word("a")], False),
        ((Word("a"), 1), False),
        (1, False),
    ],
)
def test_tuples_are_checked_to_their_elements(answer, fits):
    accepts = accepts_of(listed)
    assert accepts(answer) is fits
    assert str(accepts) == "tuple[Word, ...] or None"


def test_whoever_admits_answers_may_change_them_and_what_it_chokes_on_is_malformed():
    def admit(impl, value):
        return Word(f"{impl.plugin}: {value.text.upper()}")

    async def good(word):
        return Word("hi")

    async def bad(word):
        return Word(None)

    async def dispatch():
        stage = Stage(admit=admit)
        caller = stage.caller(gathers, [stage.impl("a", bad), stage.impl("b", good)])
        return stage, await stage.hooks.collect(caller, Word("x"))

    stage, found = run(dispatch)
    assert found == [Answer("b", Word("b: HI"))]
    assert stage.failures == [("a", "mistyped")]
    assert "malformed" in stage.reported[0].message


def test_an_implementation_gets_the_arguments_that_it_declares():
    async def second(word):
        return word

    async def dispatch():
        stage = Stage()
        entry = Impl("a", "hook", second, stage.quarantine.breaker("a", "hook"), picks=(1,))
        return await stage.hooks.first(stage.caller(answers, [entry]), "turn", Word("x"))

    assert run(dispatch) == Answer("a", Word("x"))


def test_a_mark_keeps_the_function_and_says_whether_it_guards():
    @impl
    async def plain(): ...

    @impl(guard=True, tryfirst=True)
    async def strict(): ...

    assert (plain.carrier_guard, strict.carrier_guard) == (False, True)
    assert (plain.carrier_impl["tryfirst"], strict.carrier_impl["tryfirst"]) == (False, True)


def test_only_narrows_a_hook_to_one_of_its_implementations():
    async def dispatch():
        stage = Stage()
        whole = stage.cast(answers, [Doing("answers"), Doing("answers")], numbered)
        return await stage.hooks.first(whole.only(whole.impls[1]), Word("x"))

    assert run(dispatch) == Answer(name(1), Word("1"))


def test_the_trace_says_what_ran_under_the_steps_name():
    async def dispatch():
        stage = Stage()
        stage.hooks.step = "decide"
        cast = [Doing("raises"), Doing("declines"), Doing("answers"), Doing("answers")]
        await stage.hooks.first(stage.cast(answers, cast, numbered), Word("x"))
        return stage.trace

    trace = run(dispatch)
    assert [(ran.step, ran.hook, ran.plugin, ran.result) for ran in trace] == [
        ("decide", "answers", "plugin-0", "raised"),
        ("decide", "answers", "plugin-1", "declined"),
        ("decide", "answers", "plugin-2", "answered"),
    ]
    assert all(ran.seconds >= 0 for ran in trace)
