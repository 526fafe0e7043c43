"""What is offered of all servers: their tools as they were listed last, without those that changed and are not accepted yet."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio

from carrier_actions_mcp.action import Tool
from carrier_actions_mcp.listed import Listed, Listing, is_offered, strangers
from carrier_actions_mcp.notebook import Notebook
from carrier_actions_mcp.server import LONGEST_REST, PATIENCE, Server
from carrier_core import Action, CarrierError

if TYPE_CHECKING:
    from carrier_actions_mcp.settings import Settings
    from carrier_core import Host

PLUGIN: Final = "carrier-actions-mcp"

INTRODUCTION: Final = 10.0
"""Seconds that the start of the host waits for servers that were never listed; they go on in the background."""

LOOK_SECONDS: Final = 5.0
"""Between two looks whether somebody accepted what had changed."""


class Known:
    """A server, the notes about it, and what came of them."""

    def __init__(self, server: Server, notebook: Notebook) -> None:
        self.server = server
        self.notebook = notebook
        self.listing: Listing | None = None
        self.accepted: dict[str, str] = {}
        self.reviewed: frozenset[str] = frozenset()
        self.told: set[tuple[str, str]] = set()

    def read(self) -> None:
        """Read the notes."""
        self.listing = self.notebook.listing()
        self.look()

    def keep(self, listing: Listing) -> None:
        """Note what the server lists now."""
        self.notebook.keep(listing)
        self.listing = listing
        self.look()

    def look(self) -> None:
        """Read again what is accepted."""
        self.accepted, self.reviewed = self.notebook.accepted(), self.notebook.reviewed()

    def is_accepted(self, tool: Listed) -> bool:
        """Whether the tool is as it was accepted, or whatever it is is."""
        return self.server.settings.trusted or self.accepted.get(tool.name) == tool.mark


class Offers:
    """All servers of one host. ``sleep`` waits, where something is waited for."""

    def __init__(
        self, host: Host, settings: Settings, *, sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    ) -> None:
        self._host = host
        self._sleep = sleep
        self._offered: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
        self._missing: dict[str, str] = {}
        self._writing = anyio.Lock()
        self.servers: dict[str, Known] = {}
        for name, each in settings.servers.items():
            learn = partial(self._learned, name)
            server = Server(name, each, host, learn, fail=partial(self._failed, name), sleep=sleep)
            self.servers[name] = Known(server, Notebook(host.state, name, each))

    async def start(self) -> None:
        """Offer what is known from earlier runs, and make the acquaintance of the other servers."""
        met = []
        for name, known in self.servers.items():
            self._host.spawn(known.server.run)
            await anyio.to_thread.run_sync(known.read)
            if known.listing is None:
                met.append(anyio.Event())
                self._host.spawn(self._meet, name, met[-1])
        self._offer()
        with anyio.move_on_after(INTRODUCTION):
            for each in met:
                await each.wait()
        if any(not known.server.settings.trusted for known in self.servers.values()):
            self._host.spawn(self._look)

    async def stop(self) -> None:
        """End all servers."""
        async with anyio.create_task_group() as group:
            for known in self.servers.values():
                group.start_soon(known.server.close)

    async def _meet(self, name: str, tried: anyio.Event) -> None:
        """Start a server that was never listed, again and again until it can be. ``tried`` is set after the first time."""
        server = self.servers[name].server
        pause = PATIENCE
        while not server.closed:
            try:
                await server.session()
            except CarrierError as error:
                self._lacks(name, error.message)
                self._host.log.warning("mcp_server_not_listed", server=name, error=error.message)
            else:
                self._lacks(name, "")
                return
            finally:
                tried.set()
            await self._sleep(pause)
            pause = min(pause * 2, LONGEST_REST)

    def _lacks(self, name: str, why: str) -> None:
        """Have ``carrierd plugins`` say which servers could not be listed yet, and why."""
        self._missing = {**self._missing, name: why}
        told = " ".join(each for each in self._missing.values() if each)
        self._host.degraded[PLUGIN] = told
        if not told:
            del self._host.degraded[PLUGIN]

    async def _learned(self, name: str, listing: Listing) -> None:
        """A server has listed its tools."""
        async with self._writing:
            known = self.servers[name]
            try:
                await anyio.to_thread.run_sync(known.keep, listing)
            except OSError as error:  # it is offered all the same, and listed again by the next daemon
                known.listing = listing
                self._host.log.warning("mcp_tools_not_noted", server=name, error=str(error))
            self._offer()

    async def _failed(self, name: str, why: str) -> None:
        """A server could not be started."""
        async with self._writing:
            with suppress(OSError):  # the log has it
                await anyio.to_thread.run_sync(self.servers[name].notebook.fail, why)

    async def _look(self) -> None:
        """Take over what is accepted while the daemon runs."""
        while True:
            await self._sleep(LOOK_SECONDS)
            async with self._writing:
                before = [(known.accepted, known.reviewed) for known in self.servers.values()]
                for known in self.servers.values():
                    await anyio.to_thread.run_sync(known.look)
                if before != [(known.accepted, known.reviewed) for known in self.servers.values()]:
                    self._offer()

    # --- which ---

    def _offer(self) -> None:
        """Have the host offer what is to be offered, if that is another set than before."""
        actions = self._actions()
        offered = tuple((action.name, action.listed.mark, action.origins) for action in actions)
        if offered == self._offered:
            return
        try:
            self._host.offer(PLUGIN, actions)
        except CarrierError as error:
            self._host.log.error("mcp_tools_not_offered", error=error.message)
            return
        self._offered = offered

    def _actions(self) -> list[Tool]:
        found: list[Tool] = []
        taken = {
            entry.thing.name.casefold()
            for entry in self._host.plugins.all(Action)
            if isinstance(entry.thing, Action) and entry.plugin != PLUGIN
        }
        for name, known in self.servers.items():
            listing = known.listing
            if listing is None:
                continue
            for tool, why in listing.unfit.items():
                self._leave_out(name, tool, why)
            for tool in strangers(listing, known.server.settings):
                self._leave_out(name, tool, "is named in the configuration, but the server has no such tool")
            for listed in listing.tools:
                if not is_offered(listed, known.server.settings):
                    continue
                action = Tool(known.server, listed, reviewed=listed.name in known.reviewed)
                if not known.is_accepted(listed):
                    was = "has changed" if listed.name in known.accepted else "is new"
                    self._leave_out(name, listed.name, f"{was}; see carrierd mcp list, and carrierd mcp accept {name}")
                elif action.name.casefold() in taken:
                    self._leave_out(name, listed.name, f"would be called {action.name}, as another action is")
                else:
                    taken.add(action.name.casefold())
                    found.append(action)
        return found

    def _leave_out(self, server: str, tool: str, why: str) -> None:
        """Say once that a tool is not offered, and why."""
        told = self.servers[server].told
        if (tool, why) not in told:
            told.add((tool, why))
            self._host.log.warning("mcp_tool_left_out", server=server, tool=tool, why=f"it {why}")
