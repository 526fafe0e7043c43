"""Lingering: what should be durable before anything that takes long is written down only if it does take long."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar

import anyio

T = TypeVar("T")

_MOST = 16  # times that work may let others go first without being said to wait


async def beside(
    work: Callable[[], Awaitable[T]], write: Callable[[], Awaitable[object]], spawn: Callable[..., object]
) -> T:
    """Do what is quick as a rule; once it waits for anything, write down meanwhile what it would be a pity to lose.

    ``spawn`` starts a task that outlives this one: what is being written is written to its end, whatever becomes of the work.
    """
    done: list[T] = []
    writing: list[_Writing] = []

    async def run() -> None:
        done.append(await work())

    def begin() -> None:
        writing.append(_Writing(write))
        spawn(writing[0].run)

    try:
        await _watched(run(), begin)
    finally:
        with anyio.CancelScope(shield=True):  # what comes next must not be written before it
            for each in writing:
                await each.over.wait()
    for each in writing:
        if each.error is not None:
            raise each.error
    return done[0]


class _Writing:
    """Something that is being written. ``error`` is why it could not be."""

    def __init__(self, write: Callable[[], Awaitable[object]]) -> None:
        self._write = write
        self.over = anyio.Event()
        self.error: Exception | None = None

    async def run(self) -> None:
        try:
            await self._write()
        except Exception as error:  # a store's own, too: it is the turn's, and not the host's
            self.error = error
        finally:
            self.over.set()


@coroutine
def _watched(call: Coroutine[Any, Any, None], waits: Callable[[], None]) -> Generator[Any, Any, None]:
    """Run a coroutine in this task; ``waits`` is called once when it waits for something, as opposed to letting others go first,
    which every task group does at its end: then nothing comes out of the coroutine that would have to happen."""
    yields = 0
    try:
        awaited = call.send(None)
        while True:
            yields += 1
            if yields == _MOST or (awaited is not None and yields < _MOST):
                yields = _MOST
                waits()
            try:
                sent = yield awaited
            except BaseException as error:
                awaited = call.throw(error)
            else:
                awaited = call.send(sent)
    except StopIteration:
        return
