"""What is written down only if something takes long."""

import anyio
import anyio.lowlevel
import pytest

from carrier_core.errors import Rejected
from carrier_core.lingering import beside

pytestmark = pytest.mark.anyio


@pytest.fixture
async def group():
    async with anyio.create_task_group() as made:
        yield made


class Log:
    def __init__(self):
        self.written = 0
        self.event = anyio.Event()

    async def write(self):
        self.written += 1
        self.event.set()


async def test_what_is_quick_writes_nothing(group):
    log = Log()

    async def work():
        async with anyio.create_task_group():  # which lets others go first at its end
            pass
        await anyio.lowlevel.checkpoint()
        return "done"

    assert await beside(work, log.write, group.start_soon) == "done"
    assert log.written == 0


async def test_what_waits_for_something_writes_once_meanwhile(group):
    log = Log()

    async def work():
        await log.event.wait()
        await anyio.sleep(0)
        return "done"

    assert await beside(work, log.write, group.start_soon) == "done"
    assert log.written == 1


async def test_what_goes_round_and_round_is_said_to_wait(group):
    log = Log()

    async def work():
        while not log.written:
            await anyio.sleep(0)
        return "done"

    assert await beside(work, log.write, group.start_soon) == "done"
    assert log.written == 1


@pytest.mark.parametrize("waits", [False, True])
async def test_a_failure_is_raised_as_it_was(group, waits):
    log = Log()

    async def work():
        if waits:
            await log.event.wait()
        raise Rejected("no")

    with pytest.raises(Rejected, match="no"):
        await beside(work, log.write, group.start_soon)
    assert log.written == waits


async def test_a_failure_to_write_is_raised(group):
    log = Log()

    async def write():
        await log.write()
        raise Rejected("the disk is full")

    with pytest.raises(Rejected, match="disk"):
        await beside(log.event.wait, write, group.start_soon)


class Away(Exception):
    """An error of a store's own, which no part of the core knows."""


async def test_an_error_that_nobody_knows_is_the_turns_and_not_that_of_the_group(group):
    log = Log()

    async def write():
        await log.write()
        raise Away

    with pytest.raises(Away):
        await beside(log.event.wait, write, group.start_soon)
    assert not group.cancel_scope.cancel_called


async def test_what_is_being_written_is_waited_for_where_the_work_fails(group):
    log, done = Log(), []

    async def write():
        await log.write()
        await anyio.sleep(0)
        done.append("written")

    async def work():
        await log.event.wait()
        raise Rejected("no")

    with pytest.raises(Rejected, match="no"):
        await beside(work, write, group.start_soon)
    assert done == ["written"]
