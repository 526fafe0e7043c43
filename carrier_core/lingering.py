"""Lingering: what should be durable before anything that takes long is written down only if it does take long."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar

import anyio

from carrier_core.errors import CarrierError

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

    await _watched(run(), begin)
    for each in writing:
        await each.over.wait()
        if each.error is not None:
            raise each.error
    return done[0]


class _Writing:
    """Something that is being written. ``error`` is why it could not be."""

    def __init__(self, write: Callable[[], Awaitable[object]]) -> None:
        self._write = write
        self.over = anyio.Event()
        self.error: CarrierError | None = None

    async def run(self) -> None:
        try:
            await self._write()
        except CarrierError as error:
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
