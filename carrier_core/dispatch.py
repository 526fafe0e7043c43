"""The verbs: how the implementations of a hook are called, together or in turn, and what a failure costs.

pluggy keeps the implementations and their order; it does not call them, because its caller cannot await, and one
exception aborts its call. Every call of a plugin goes through this module, which names the plugin, bounds its time,
checks the type of what it answers, and reports what went wrong. A dispatch has one deadline: whatever is running when it
ends has failed; the verbs that go in turn arm it again for those that follow.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping, Sequence
from contextvars import ContextVar
from time import perf_counter
from types import coroutine
from typing import Any, Generic, Literal, NamedTuple, ParamSpec, TypeVar, cast

import anyio

from carrier_core.contract import Caller, Impl
from carrier_core.errors import PluginError
from carrier_core.failures import PASSING, Failure, effect_error, is_cancelled, mistyped, said, stop_at_guard
from carrier_core.prompts import Authorization, Ruling

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Answer(NamedTuple, Generic[T]):
    """What one implementation answered, and whose it is."""

    plugin: str
    value: T


class Trace(NamedTuple):
    """One implementation that ran, for ``why``; the value is described when the turn is stored."""

    step: str
    hook: str
    plugin: str
    seconds: float
    result: str
    value: object


running: ContextVar[Impl | None] = ContextVar("running", default=None)
"""The implementation that runs now, so that what it asks of the host can be attributed to it."""

_step: ContextVar[str] = ContextVar("step", default="")  # of the task that runs: some steps of a turn run side by side

_UNFINISHED = Failure("", "", "unfinished", "")


class Hooks:
    """Calls hooks on behalf of one turn, or of the host itself.

    ``budgets`` overrides the seconds of single hooks; ``report`` is told of every failure; ``trace``, where it is given,
    collects what ran; ``step`` is the name that the trace puts beside it; ``admit`` sees each answer before anybody else
    and may return it changed.
    """

    __slots__ = ("admit", "budgets", "report", "trace")

    def __init__(
        self,
        *,
        budgets: Mapping[str, float] | None = None,
        report: Callable[[Failure], None] = lambda failure: None,
        trace: list[Trace] | None = None,
        admit: Callable[[Impl, object], object] | None = None,
    ) -> None:
        self.admit = admit
        self.budgets = budgets or {}
        self.report = report
        self.trace = trace

    @property
    def step(self) -> str:
        """The step that this task is at."""
        return _step.get()

    @step.setter
    def step(self, name: str) -> None:
        _step.set(name)

    # --- the verbs ---

    async def collect(self, caller: Caller[P, R], *args: P.args, **kwargs: P.kwargs) -> list[Answer[R]]:
        """All at once under one deadline; the answers in order, each with its plugin; a failure costs its own."""
        answers, failures = await self._together(caller, args)
        stop_at_guard(failures)
        return answers

    async def first(self, caller: Caller[P, R], *args: P.args, **kwargs: P.kwargs) -> Answer[R] | None:
        """In order until one answers. None declines, a failure falls through; with effects a failure ends the step."""

        def settle(impl: Impl, outcome: object) -> bool:
            if isinstance(outcome, Failure):
                if caller.effects and outcome.how != "quarantined":
                    raise effect_error(caller, outcome)
                return False
            answered.append(Answer(impl.plugin, cast("R", outcome)))
            return True

        answered: list[Answer[R]] = []
        await self._in_turn(caller, args, settle)
        return answered[0] if answered else None

    async def transform(self, caller: Caller[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """In order, each on what the one before returned; the value is the last argument.

        None keeps the value and a failure keeps the last good one. An answer of another type than the value (``Drop``,
        ``Block``) ends the dispatch and is returned.
        """
        values: list[object] = list(args)
        kind = type(values[-1])

        def settle(impl: Impl, outcome: object) -> bool:
            if not isinstance(outcome, Failure):
                values[-1] = outcome
            return not isinstance(values[-1], kind)

        await self._in_turn(caller, values, settle)
        return cast("R", values[-1])

    async def strictest(
        self, caller: Caller[P, Authorization], *args: P.args, **kwargs: P.kwargs
    ) -> Authorization | None:
        """All at once; deny over ask over allow; a failure denies; None when nobody answered."""
        answers, failures = await self._together(caller, args)
        for failure in failures:
            return Authorization(Ruling.DENY, f"{failure.plugin} could not judge it: {failure.message}")
        for plugin, given in answers:
            ruling: object = given.ruling
            if not isinstance(ruling, Ruling):  # a struct's fields are not checked when it is made
                return Authorization(Ruling.DENY, f"{plugin} could not judge it: it ruled {ruling!r}")
        return max((answer.value for answer in answers), key=lambda given: _STRICTNESS[given.ruling], default=None)

    async def observe(self, caller: Caller[P, R], *args: P.args, **kwargs: P.kwargs) -> None:
        """All at once; whatever they answer or raise changes nothing."""
        await self._together(caller, args)

    async def ordered(
        self,
        start: Caller[P, R],
        stop: Caller[P, R],
        required: Callable[[str], bool],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> list[Failure]:
        """Start one after another. A failure of a required plugin stops those already started, in reverse, and raises."""
        failures: list[Failure] = []
        started: list[str] = []
        for impl in start.impls:
            failed = await self._alone(start, impl, args)
            if isinstance(failed, Failure):
                failures.append(failed)
                if required(impl.plugin):
                    await self.unwind(stop, started, *args)
                    raise PluginError(
                        f"{impl.plugin} is required and did not start: {failed.message}.",
                        plugin=impl.plugin,
                        hook=start.hook,
                    ) from failed.error
            else:
                started.append(impl.plugin)
        return failures

    async def unwind(self, stop: Caller[P, R], plugins: Sequence[str], *args: object) -> None:
        """Stop these plugins, the last first, each within the budget, whatever the others do."""
        for plugin in reversed(dict.fromkeys(plugins)):
            for impl in reversed(stop.impls):
                if impl.plugin == plugin:
                    await self._alone(stop, impl, args)

    async def around(self, caller: Caller[..., Any], *args: object, call: Callable[[], Awaitable[T]]) -> T:
        """The wrappers of the hook about ``call``, the first outermost. Each may call inward once; failures propagate."""
        for impl in reversed(caller.impls):
            call = _Wrapped(self, caller, impl, args, call)
        return await call()

    async def call(self, caller: Caller[..., R], *args: object) -> R | None:
        """One method of one registered thing; a failure is raised, as the error that it was where that is Carrier's."""
        impl = caller.impls[0]
        outcome = await self._alone(caller, impl, args)
        if isinstance(outcome, Failure):
            raise effect_error(caller, outcome)
        return cast("R | None", outcome)

    # --- how they are called ---

    async def _together(self, caller: Caller[P, R], args: Sequence[object]) -> tuple[list[Answer[R]], list[Failure]]:
        impls = caller.impls
        if not impls:
            return [], []
        outcomes: list[object] = [_UNFINISHED] * len(impls)

        async def one(position: int, impl: Impl) -> None:
            outcomes[position] = await self._attempt(caller, impl, args)

        started = perf_counter()
        with self._deadline(caller):
            if len(impls) == 1:
                await one(0, impls[0])
            else:
                # Most answer without ever waiting, so each begins in this task; whoever does wait goes on here, while
                # those behind it get tasks of their own. A task for each would cost four times as much.
                try:
                    async with anyio.create_task_group() as group:
                        left = iter(enumerate(impls))

                        def spread() -> None:
                            for position, impl in left:
                                group.start_soon(one, position, impl)

                        for position, impl in left:
                            await _eagerly(one(position, impl), spread)
                except BaseExceptionGroup as several:  # only what is nobody's failure comes out of an attempt
                    raise several.exceptions[0] from None
        answers: list[Answer[R]] = []
        failures: list[Failure] = []
        for impl, outcome in zip(impls, outcomes, strict=True):
            if outcome is _UNFINISHED:
                outcome = self._timed_out(caller, impl, started)
            if isinstance(outcome, Failure):
                failures.append(outcome)
            elif outcome is not None:
                answers.append(Answer(impl.plugin, cast("R", outcome)))
        return answers, failures

    async def _in_turn(
        self, caller: Caller[P, R], args: Sequence[object], settle: Callable[[Impl, object], bool]
    ) -> None:
        """Hand every answer and failure to ``settle`` until it returns True, arming the deadline again after a time-out."""
        position = 0
        while position < len(caller.impls):
            started = perf_counter()
            with self._deadline(caller) as scope:
                for impl in caller.impls[position:]:
                    outcome = await self._attempt(caller, impl, args)
                    position += 1
                    if isinstance(outcome, Failure):
                        stop_at_guard((outcome,))
                    if outcome is not None and settle(impl, outcome):
                        return
                    if scope.cancel_called:
                        break  # it answered, but late: those that follow get a deadline of their own
            if scope.cancelled_caught:
                late = self._timed_out(caller, caller.impls[position], started)
                stop_at_guard((late,))
                if settle(caller.impls[position], late):
                    return
                position += 1

    async def _alone(self, caller: Caller[P, R], impl: Impl, args: Sequence[object]) -> object:
        started = perf_counter()
        with self._deadline(caller):
            return await self._attempt(caller, impl, args)
        return self._timed_out(caller, impl, started)

    async def _attempt(self, caller: Caller[P, R], impl: Impl, args: Sequence[object]) -> object:
        """The answer of one implementation, None, or its failure. Only a cancellation from outside is raised."""
        if not impl.breaker.allows():
            return self._failed(impl, "quarantined", "it is quarantined because it kept failing", 0.0)
        started = perf_counter()
        token = running.set(impl)
        try:
            value = await impl.call(args)
        except anyio.get_cancelled_exc_class() as error:
            if is_cancelled():
                impl.breaker.released()
                raise
            return self._failed(impl, "cancelled", "it awaited something that was cancelled", started, error)
        except PASSING:
            impl.breaker.released()
            raise
        except BaseException as error:
            return self._failed(impl, "raised", said(error), started, error)
        finally:
            running.reset(token)
        if value is not None:
            wrong = mistyped(caller.accepts, value)
            if not wrong and self.admit is not None:
                try:
                    value = self.admit(impl, value)
                except Exception as error:  # the type is right, but its fields hold what they must not
                    wrong = f"its {type(value).__name__} is malformed ({said(error)})"
            if wrong:
                return self._failed(impl, "mistyped", wrong, started)
        impl.breaker.succeeded()
        if self.trace is not None:
            result = "declined" if value is None else "answered"
            self.trace.append(Trace(self.step, impl.hook, impl.plugin, perf_counter() - started, result, value))
        return value

    def _timed_out(self, caller: Caller[P, R], impl: Impl, started: float) -> Failure:
        message = f"it did not answer within {self._budget(caller):g} s"
        return self._failed(impl, "timed_out", message, started)

    def _failed(
        self, impl: Impl, how: str, message: str, started: float, error: BaseException | None = None
    ) -> Failure:
        opened = how != "quarantined" and impl.breaker.failed(error)
        failure = Failure(impl.plugin, impl.hook, how, message, error, impl.guard, opened)
        if self.trace is not None:
            seconds = perf_counter() - started if started else 0.0
            self.trace.append(Trace(self.step, impl.hook, impl.plugin, seconds, how, message))
        self.report(failure)
        return failure

    def _deadline(self, caller: Caller[P, R]) -> anyio.CancelScope | _Unbounded:
        if caller.bounded or caller.hook in self.budgets:
            return anyio.move_on_after(self._budget(caller))
        return _UNBOUNDED

    def _budget(self, caller: Caller[P, R]) -> float:
        return self.budgets.get(caller.hook, caller.budget)


class _Unbounded:
    """A deadline that never comes, and costs nothing."""

    cancel_called = cancelled_caught = False

    def __enter__(self) -> _Unbounded:
        return self

    def __exit__(self, *error: object) -> Literal[False]:
        return False


_UNBOUNDED = _Unbounded()
_STRICTNESS = {Ruling.ALLOW: 0, Ruling.ASK: 1, Ruling.DENY: 2, Ruling.UNKNOWN: 3}


class _Wrapped:
    """One layer of an onion: a wrapper and what lies within it. Its budget counts only the time outside its inward call."""

    __slots__ = ("_args", "_call", "_caller", "_entered", "_error", "_hooks", "_impl", "_inner", "_scope")

    def __init__(
        self,
        hooks: Hooks,
        caller: Caller[..., Any],
        impl: Impl,
        args: tuple[object, ...],
        call: Callable[[], Awaitable[Any]],
    ) -> None:
        self._hooks, self._caller, self._impl, self._args, self._call = hooks, caller, impl, args, call
        self._entered = False
        self._error: BaseException | None = None
        self._inner: object = None
        self._scope = anyio.CancelScope()

    async def __call__(self) -> Any:
        hooks, impl = self._hooks, self._impl
        budget = hooks._budget(self._caller)
        started = perf_counter()
        if not impl.breaker.allows():
            stop_at_guard([hooks._failed(impl, "quarantined", "it is quarantined", 0.0)])
            return await self._call()
        token = running.set(impl)
        value: object = _UNFINISHED
        try:
            self._scope.deadline = anyio.current_time() + budget
            with self._scope:
                value = await impl.call((*self._args, self._inward))
        except anyio.get_cancelled_exc_class() as error:
            if error is self._error or is_cancelled():
                impl.breaker.released()
                raise
            message = "it awaited something that was cancelled"
            raise self._blame(hooks._failed(impl, "cancelled", message, started, error)) from error
        except BaseException as error:
            if error is self._error or isinstance(error, PASSING):
                impl.breaker.released()
                raise
            raise self._blame(hooks._failed(impl, "raised", said(error), started, error)) from error
        finally:
            running.reset(token)
        if value is _UNFINISHED:
            raise self._blame(hooks._timed_out(self._caller, impl, started))
        wrong = self._mistyped(value)
        if wrong:
            raise self._blame(hooks._failed(impl, "mistyped", wrong, started))
        impl.breaker.succeeded()
        if hooks.trace is not None:
            seconds = perf_counter() - started
            hooks.trace.append(Trace(hooks.step, impl.hook, impl.plugin, seconds, "passed", None))
        return value

    def _mistyped(self, value: object) -> str:
        """What is wrong with a wrapper's value. It cannot decline: None stands only where it was called in to None."""
        if value is None and (self._inner is not None or not self._caller.accepts.anything):
            return "it returned None, which is no answer of a wrapper"
        return mistyped(self._caller.accepts, value)

    async def _inward(self) -> Any:
        if self._entered:
            raise PluginError(
                f"{self._impl.plugin} called inward twice in {self._impl.hook}; a wrapper may do so once.",
                plugin=self._impl.plugin,
                hook=self._impl.hook,
            )
        self._entered = True
        left = self._scope.deadline - anyio.current_time()
        self._scope.deadline = float("inf")
        token = running.set(None)
        try:
            self._inner = await self._call()
            return self._inner
        except BaseException as error:
            self._error = error
            raise
        finally:
            running.reset(token)
            self._scope.deadline = anyio.current_time() + left

    def _blame(self, failure: Failure) -> PluginError:
        return PluginError(
            f"{failure.plugin} failed in {failure.hook} ({failure.message}).", plugin=failure.plugin, hook=failure.hook
        )


@coroutine
def _eagerly(call: Coroutine[Any, Any, None], waits: Callable[[], None]) -> Generator[Any, Any, None]:
    """Run a coroutine in this task; ``waits`` is called when, and only if, it suspends for the first time."""
    try:
        awaited = call.send(None)
        waits()
        while True:
            try:
                sent = yield awaited
            except BaseException as error:
                awaited = call.throw(error)
            else:
                awaited = call.send(sent)
    except StopIteration:
        return
