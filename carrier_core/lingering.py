"""Lingering: what should be durable before anything that takes long is written down only if it does take long."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator
from types import coroutine
from typing import Any, TypeVar

import anyio

from carrier_core.errors import single

T = TypeVar("T")

_MOST = 16  # times that work may let others go first without being said to wait


async def beside(work: Callable[[], Awaitable[T]], write: Callable[[], Awaitable[object]]) -> T:
    """Do what is quick as a rule; once it waits for anything, write down meanwhile what it would be a pity to lose."""
    done: list[T] = []

    async def run() -> None:
        done.append(await work())

    async def written() -> None:
        await write()

    with single():
        async with anyio.create_task_group() as group:

            def begin() -> None:
                group.start_soon(written)

            await _watched(run(), begin)
    return done[0]


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
