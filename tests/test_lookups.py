"""A turn's questions to the store."""

from __future__ import annotations

import anyio
import pytest

from carrier_core.lookups import Lookups

pytestmark = pytest.mark.anyio


class Store:
    """Answers when it is let, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.open = anyio.Event()
        self.failures = 0

    async def answer(self) -> str:
        self.asked += 1
        await self.open.wait()
        if self.failures:
            self.failures -= 1
            raise OSError("away")
        return "Porto"


async def test_those_who_ask_at_the_same_time_share_one_question():
    store, lookups, heard = Store(), Lookups(), []

    async def ask() -> None:
        heard.append(await lookups.once("city", store.answer))

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        store.open.set()
    assert (heard, store.asked) == (["Porto"] * 3, 1)
    assert await lookups.once("city", store.answer) == "Porto"
    assert store.asked == 1


async def test_whoever_waited_for_a_question_that_failed_asks_it_again():
    store, lookups, heard = Store(), Lookups(), []
    store.failures = 1

    async def ask() -> None:
        try:
            heard.append(await lookups.once("city", store.answer))
        except OSError:
            heard.append("failed")

    async with anyio.create_task_group() as group:
        group.start_soon(ask)
        group.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        store.open.set()
    assert (sorted(heard), store.asked) == (["Porto", "failed"], 2)


async def test_a_question_whose_asker_is_cut_off_is_asked_by_the_next():
    store, lookups = Store(), Lookups()
    heard: list[str] = []

    async def ask() -> None:
        heard.append(await lookups.once("city", store.answer))

    async with anyio.create_task_group() as group:
        with anyio.CancelScope() as first:
            async with anyio.create_task_group() as cut_off:
                cut_off.start_soon(ask)
                await anyio.wait_all_tasks_blocked()
                group.start_soon(ask)
                await anyio.wait_all_tasks_blocked()
                first.cancel()
        store.open.set()
    assert (heard, store.asked) == (["Porto"], 2)
