"""What the tests of this plugin share: a server of ours that misbehaves, kept as the plugin keeps it, without a host."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
import structlog
from structlog.testing import LogCapture

from carrier_actions_mcp.listed import Listed, Listing
from carrier_actions_mcp.server import Server
from carrier_actions_mcp.settings import ServerSettings
from carrier_core.testing import Clock

RAW = Path(__file__).parent / "raw_server.py"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a test and the raw server talk with each other."""
    made = tmp_path / "raw"
    made.mkdir()
    return made


@pytest.fixture
def done(folder: Path) -> Callable[[], list[str]]:
    """The calls that the raw server carried out."""
    calls = folder / "calls"
    return lambda: calls.read_text().splitlines() if calls.exists() else []


@pytest.fixture
def raw(folder: Path) -> Callable[..., ServerSettings]:
    """Settings of the raw server over its pipes, with further keys."""
    fields = {"command": sys.executable, "args": [str(RAW), str(folder)]}
    return lambda **more: ServerSettings.model_validate({**fields, **more})


class Surroundings:
    """What a server needs of a host; ``logs`` is what it logged."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.clock = Clock()
        capture = LogCapture()
        self.log = structlog.wrap_logger(None, processors=[capture])
        self.logs = capture.entries
        self.pauses: list[float] = []
        self.listings: list[Listing] = []
        self._more = anyio.Event()

    async def learn(self, listing: Listing) -> None:
        self.listings.append(listing)
        self._more.set()
        self._more = anyio.Event()

    async def learned(self, count: int) -> list[Listing]:
        """Wait until that many listings have come."""
        with anyio.fail_after(20):
            while len(self.listings) < count:
                await self._more.wait()
        return self.listings

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await self.clock.sleep(seconds)


class Kept:
    """A server, and what is around it."""

    def __init__(self, server: Server, around: Surroundings) -> None:
        self.server = server
        self.around = around

    @property
    def pid(self) -> int:
        return self.server.transport.pid

    async def tool(self, name: str) -> Listed:
        await self.server.session()
        return next(each for each in self.server.listing.tools if each.name == name)

    async def call(self, name: str, *, repeat: bool = False, **arguments: object):
        return await self.server.call(await self.tool(name), arguments, repeat=repeat)

    async def text(self, name: str, *, repeat: bool = False, **arguments: object) -> str:
        return (await self.call(name, repeat=repeat, **arguments)).content[0].text


Keep = Callable[[ServerSettings], object]


@pytest.fixture
def keep(tmp_path: Path) -> Keep:
    """``async with keep(settings) as kept``: a server as the plugin keeps it."""

    @asynccontextmanager
    async def keeping(given: ServerSettings) -> AsyncIterator[Kept]:
        around = Surroundings(tmp_path / "state")
        server = Server("raw", given, around, around.learn, sleep=around.sleep)
        async with anyio.create_task_group() as group:
            group.start_soon(server.run)
            try:
                yield Kept(server, around)
            finally:
                with anyio.CancelScope(shield=True), anyio.fail_after(20):
                    await server.close()

    return keeping
