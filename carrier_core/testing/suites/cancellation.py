"""Whether a coroutine lets a cancellation pass through."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Generator
from typing import Any, Generic, TypeVar

import anyio

T = TypeVar("T")


class _Watched(Generic[T]):
    """Awaits something and notes whether a cancellation was thrown into it."""

    def __init__(self, inner: Awaitable[T]) -> None:
        self._inner = inner
        self.thrown = False

    def __await__(self) -> Generator[Any, Any, T]:
        inner = self._inner.__await__()
        error: BaseException | None = None
        value: Any = None
        while True:
            try:
                if error is not None:
                    waits_for = inner.throw(error)
                else:
                    waits_for = inner.send(value)
            except StopIteration as stop:
                result: T = stop.value
                return result
            error = value = None
            try:
                value = yield waits_for
            except asyncio.CancelledError as cancelled:
                self.thrown = True
                error = cancelled
            except BaseException as other:
                error = other


async def swallowed(call: Awaitable[object], *, within: float = 10.0) -> str:
    """What became of a call that was cancelled while it waited, if not a cancellation; empty if all is well.

    A call that never waits cannot be cancelled, and is well.
    """
    watched = _Watched(call)
    ended = ""
    with anyio.move_on_after(within, shield=True) as patience:
        with anyio.CancelScope() as scope:
            scope.cancel()
            try:
                result = await watched
                ended = f"it returned {type(result).__name__}"
            except Exception as error:
                ended = f"it raised {type(error).__name__}: {error}"
    if patience.cancelled_caught:
        return f"it went on for {within:g} s"
    return ended if watched.thrown else ""
