"""Lingering: what should be durable before anything that takes long is written down only if it does take long."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from carrier_core.dispatch import eagerly
from carrier_core.errors import single

T = TypeVar("T")


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

            await eagerly(run(), begin)
    return done[0]
