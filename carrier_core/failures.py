"""What an implementation did instead of answering, and what that costs."""

from __future__ import annotations

from collections.abc import Iterable
from types import CoroutineType
from typing import Any, NamedTuple

import anyio

from carrier_core.contract import Accepts, Caller
from carrier_core.errors import CarrierError, InDoubt, NotDone, Parked, PluginError

PASSING = (KeyboardInterrupt, GeneratorExit, Parked)
"""What is not a failure of whoever raised it: the operator's Ctrl-C, the end of a coroutine that is thrown away, a turn that
parks."""


class Failure(NamedTuple):
    """What an implementation did instead of answering. ``how`` is raised, timed_out, mistyped, cancelled or quarantined.

    ``guard``: it stops its step. ``opened``: it was the failure that quarantined the implementation.
    """

    plugin: str
    hook: str
    how: str
    message: str
    error: BaseException | None = None
    guard: bool = False
    opened: bool = False


def said(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # a plugin's exception may fail even to be shown
        return type(error).__name__


def mistyped(accepts: Accepts, value: object) -> str:
    """What is wrong with an answer; empty when nothing is. A coroutine, which nobody will await, is closed."""
    if isinstance(value, CoroutineType):
        value.close()
        return "it returned a coroutine that it did not await"
    return "" if accepts(value) else f"it returned {type(value).__name__}, expected {accepts}"


def is_cancelled() -> bool:
    """Whether the task that runs has really been cancelled, as opposed to a stray ``CancelledError`` that a plugin let out."""
    import asyncio

    if anyio.current_effective_deadline() == float("-inf"):
        return True
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def stop_at_guard(failures: Iterable[Failure]) -> None:
    for failure in failures:
        if failure.guard:
            raise PluginError(
                f"The guard {failure.plugin} failed in {failure.hook} ({failure.message}), so the step was stopped.",
                plugin=failure.plugin,
                hook=failure.hook,
            ) from failure.error


def effect_error(caller: Caller[..., Any], failure: Failure) -> CarrierError:
    """What a failed effect is raised as: Carrier's own errors as they are; doubt where it was cut off in the middle."""
    if isinstance(failure.error, CarrierError):
        return failure.error
    if failure.how == "quarantined" and caller.effects:
        return NotDone(f"{failure.plugin} was not asked for {failure.hook}: {failure.message}.")
    if failure.how == "timed_out" and caller.effects:
        return InDoubt(f"{failure.plugin} was cut off in {failure.hook}: {failure.message}.")
    error = PluginError(
        f"{failure.plugin} failed in {failure.hook}: {failure.message}.", plugin=failure.plugin, hook=failure.hook
    )
    error.__cause__ = failure.error
    return error
