"""A server as the plugin keeps it: started when it is first needed, shared by all calls, started again with growing pauses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import anyio

from carrier_actions_mcp.listed import Listed, Listing
from carrier_actions_mcp.mask import mask_of
from carrier_actions_mcp.notebook import FOLDER
from carrier_actions_mcp.pipes import Pipes
from carrier_actions_mcp.session import Lost, Refused, Session, Transport, Unsent
from carrier_actions_mcp.web import Web
from carrier_core import InDoubt, Json, NotDone, Rejected

if TYPE_CHECKING:
    from mcp_types import CallToolResult
    from structlog.typing import FilteringBoundLogger

    from carrier_actions_mcp.settings import ServerSettings

LONGEST_REST: Final = 300.0
"""Seconds that a server that keeps failing is left alone before it is tried again."""

PATIENCE: Final = 5.0
"""Seconds of such a pause that a call waits for; beyond them it is told when to come again."""

STEADY: Final = 60.0
"""Seconds after which a server that ran counts as one that had not failed before."""

_LINE = 500  # characters of a line that it says, in the log


async def _forget(why: str) -> None:
    """Nobody wants to know."""


class Surroundings(Protocol):
    """What a server needs of the host."""

    state: Path
    log: FilteringBoundLogger
    clock: Callable[[], float]


class Server:
    """One MCP server. ``learn`` is called with what it lists, before any call goes to a session, and ``fail`` with why it could
    not be started, as the end of a sentence; ``sleep`` waits. ``mask`` hides its keys."""

    def __init__(
        self,
        name: str,
        settings: ServerSettings,
        host: Surroundings,
        learn: Callable[[Listing], Awaitable[None]],
        *,
        fail: Callable[[str], Awaitable[None]] = _forget,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self.name = name
        self.settings = settings
        self.mask = mask_of(settings)
        self.listing: Listing | None = None
        self.transport: Transport = self._transport(host.state)
        self._log = host.log.bind(server=name)
        self._clock = host.clock
        self._learn = learn
        self._fail = fail
        self._sleep = sleep
        self._session: Session | None = None
        self._failures = 0
        self._rests_until = 0.0
        self._why = ""
        self._closing = anyio.Event()
        self._closed = anyio.Event()
        self._wanted = anyio.Event()
        self._starting = anyio.Lock()

    def _transport(self, state: Path) -> Transport:
        settings = self.settings
        if settings.url is not None:
            headers = {key: value.get_secret_value() for key, value in settings.headers.items()}
            return Web(settings.url, headers, settings.seconds)
        assert settings.command is not None  # the settings see to it
        given = {key: value.get_secret_value() for key, value in settings.env.items()}
        own = state / FOLDER / self.name
        return Pipes(
            (settings.command, *settings.args),
            env=given,
            inherit=settings.inherit,
            cwd=Path(settings.cwd or own),
            make=settings.cwd is None,
            hear=self._hear,
        )

    def _hear(self, line: str) -> None:
        self._log.debug("mcp_server_said", line=self.mask(line)[:_LINE])

    # --- its lives ---

    async def run(self) -> None:
        """Run one session after the other, whenever one is wanted, until it is closed. Nothing is raised but a cancellation."""
        try:
            while True:
                await self._wanted.wait()
                self._wanted = anyio.Event()
                session = self._session
                if self._closing.is_set() or session is None:
                    return
                began = self._clock()
                await session.run()
                if not self._closing.is_set():
                    steady = session.started and self._clock() - began >= STEADY
                    self._failed(session.why, 1 if steady else self._failures + 1)
        finally:
            if self._session is not None:
                self._session.abandon()
            self._closing.set()
            self._closed.set()

    def _failed(self, why: str, failures: int) -> None:
        self._failures = failures
        self._why = why
        pause = 0.0 if failures == 1 else min(2.0 ** (failures - 2), LONGEST_REST)
        self._rests_until = self._clock() + pause
        self._log.warning("mcp_server_ended", why=why, times=failures, rests=pause)

    async def session(self) -> Session:
        """A session that can be called. NotDone if there is none and none can be had now."""
        async with self._starting:
            if self._closing.is_set():
                raise NotDone(f"The MCP server {self.name} is being stopped.")
            session = self._session
            if session is None or not session.alive:
                if session is not None:
                    await session.done.wait()
                await self._rest()
                session = self._session = Session(
                    self.transport,
                    start_seconds=self.settings.start_seconds,
                    learn=self._learned,
                    mask=self.mask,
                    sleep=self._sleep,
                )
                self._wanted.set()
        await session.ready.wait()
        if not session.started:
            if not self._closing.is_set():
                await self._fail(session.why)
            raise NotDone(f"The MCP server {self.name} {session.why}.")
        return session

    async def _rest(self) -> None:
        left = self._rests_until - self._clock()
        if left <= 0:
            return
        if left <= PATIENCE:
            await self._sleep(left)
            return
        when = datetime.fromtimestamp(self._rests_until, UTC)
        raise NotDone(
            f"The MCP server {self.name} failed {self._failures} times and rests; it is tried again at {when:%H:%M:%S} UTC. "
            f"The last time it {self._why}.",
            retry_after=left,
        )

    async def _learned(self, listing: Listing) -> None:
        self.listing = listing
        await self._learn(listing)

    @property
    def closed(self) -> bool:
        """Whether it is not to be started any more."""
        return self._closing.is_set()

    async def close(self) -> None:
        """End it, and wait until nothing of it is left."""
        self._closing.set()
        if self._session is not None:
            self._session.end("is being stopped")
        self._wanted.set()
        await self._closed.wait()

    # --- its tools ---

    async def call(self, tool: Listed, arguments: dict[str, Json], *, repeat: bool) -> CallToolResult:
        """What a tool returned; with ``repeat`` it may be asked twice, because it only reads.

        NotDone, InDoubt or Rejected where it returned nothing, each with the server's name and what happened.
        """
        for again in (True, False):
            session = await self.session()
            if not self._has(tool):
                raise NotDone(f"The MCP server {self.name} does not have {tool.name} any more as it was offered.")
            try:
                return await session.call(tool.name, arguments, self.settings.seconds)
            except Refused as error:
                raise Rejected(f"The MCP server {self.name} did not do it: {error.message}.") from error
            except Unsent as error:
                if not again:
                    raise NotDone(f"The MCP server {self.name} was not asked: {error.message}.") from error
            except Lost as error:
                what = f"The MCP server {self.name} gave no answer: {error.message}."
                if not repeat:
                    raise InDoubt(what) from error
                if not again or session.alive:  # one that is only slow would be as slow again
                    raise NotDone(what) from error
        raise AssertionError("the second attempt returns or raises")

    def _has(self, tool: Listed) -> bool:
        """Whether the server lists the tool; as it was offered, unless its changes are trusted."""
        known = self.listing.tools if self.listing is not None else ()
        if self.settings.trusted:
            return any(each.name == tool.name for each in known)
        return tool in known
