"""The pytest plugin of Carrier. It is imported in every pytest run of an environment, so it imports nothing by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from carrier_core.testing.hosts import HostUnderTest

pytest.register_assert_rewrite("carrier_core.testing.suites")


def pytest_configure(config: pytest.Config) -> None:
    """Choose asyncio, unless trio is there: then tests of other things may want to run on both, and it is theirs to say."""
    if find_spec("trio") is None:
        from carrier_core.testing import backend

        config.pluginmanager.register(backend, "carrier-asyncio")


@pytest.fixture
def make_host(tmp_path: Path) -> Callable[..., AbstractAsyncContextManager[HostUnderTest]]:
    """``async with make_host(plugins, ...) as running``: see :func:`carrier_core.testing.running_host`. The files of all
    hosts that a test makes are in one folder, so that the second finds what the first one stored."""
    from functools import partial

    from carrier_core.testing.hosts import running_host

    return partial(running_host, folder=tmp_path)


@pytest.fixture
async def carrier(
    make_host: Callable[..., AbstractAsyncContextManager[HostUnderTest]],
) -> AsyncIterator[HostUnderTest]:
    """A running host with nothing but the kit: an echo, a fake client and a store in memory."""
    async with make_host() as running:
        yield running
