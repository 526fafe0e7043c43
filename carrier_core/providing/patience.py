"""Patience with a service: how long a call waits for the first sign of life, for the next one, and for all of them."""

from __future__ import annotations

from types import TracebackType
from typing import Literal, Self

import anyio

from carrier_core.metering import may_be_billed

Phase = Literal["first", "pause", "total"]


class Silent(TimeoutError):
    """A service was silent for longer than ``seconds``: before the ``first`` sign of life, in a ``pause`` between two, or
    the whole call took longer (``total``)."""

    def __init__(self, phase: Phase, seconds: float) -> None:
        super().__init__(f"{phase}: {seconds:g} s")
        self.phase: Phase = phase
        self.seconds = seconds


class Patience:
    """The time-outs of one call, in seconds; Silent is raised where one of them is over.

    Say :meth:`heard` with each event that arrives::

        with Patience(first=60, pause=30, total=240) as patience:
            async for event in stream:
                patience.heard()

    It is one cancel scope whose deadline moves, because a scope for each event would cost more than reading it does.
    """

    def __init__(self, *, first: float, pause: float, total: float) -> None:
        self._seconds: dict[Phase, float] = {"first": first, "pause": pause, "total": total}
        self._phase: Phase = "first"
        self._scope = anyio.CancelScope()
        self._end = 0.0
        self._was_heard = False

    def heard(self) -> None:
        """There was a sign of life: whatever is begun may be billed."""
        if not self._was_heard:
            self._was_heard = True
            may_be_billed()
        self._wait("pause")

    def __enter__(self) -> Self:
        self._end = anyio.current_time() + self._seconds["total"]
        self._wait("first")
        self._scope.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        passed = bool(self._scope.__exit__(kind, error, trace))
        if self._scope.cancelled_caught:
            raise Silent(self._phase, self._seconds[self._phase])
        return passed

    def _wait(self, phase: Phase) -> None:
        until = anyio.current_time() + self._seconds[phase]
        self._phase = phase if until < self._end else "total"
        self._scope.deadline = min(until, self._end)
