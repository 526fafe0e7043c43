"""The clients of a host: which of them run, kept running, and the ways out to rooms."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import anyio
import msgspec
from anyio.abc import TaskGroup

from carrier_core.contract import CORE
from carrier_core.errors import Unavailable
from carrier_core.failures import Failure, is_cancelled
from carrier_core.messages import Inbound, Receipt, ReplyPart, Room
from carrier_core.plugins import Registered
from carrier_core.prompts import Json
from carrier_core.things import Accepted, Client

if TYPE_CHECKING:
    from carrier_core.host import Host

LOCAL = "local"
"""The platform of rooms that the command line makes, and the name of the host's own way out to them."""

_FIRST, _LONGEST = 1.0, 60.0  # seconds until a client that failed is run again: doubled each time, up to the second
_REQUIRED = 60.0  # seconds that a required client has to come up


class Local(Client):
    """The host's own way out: whoever waits for the turn reads the reply from its record."""

    name = LOCAL
    platform = LOCAL
    idempotent = True

    async def run(self, host: object, started: Callable[[], None]) -> None:
        """There is nothing to connect to."""
        started()

    async def send(self, part: ReplyPart) -> Receipt:
        """Nothing has to be sent."""
        return Receipt(part.key, at=time.time())


class Clients:
    """``mode`` chooses which clients run: ``daemon`` (all but the interactive ones), ``interactive`` or ``none``.

    ``relays`` are connections of other processes that have a room open; they go before a client that runs here.
    """

    def __init__(self, host: Host, mode: str) -> None:
        self._host = host
        self.mode = mode
        self.relays: dict[tuple[str, str], Registered] = {}
        self._running: dict[str, Registered] = {LOCAL: Registered(CORE, Local())}
        self._up: dict[str, anyio.Event] = {}
        self._event(LOCAL).set()

    def outlet(self, client: str, room: str) -> Registered | None:
        """The way out to a room; None if there is none."""
        return self.relays.get((client, room)) or self._running.get(client)

    def status(self) -> dict[str, Json]:
        """Which clients run, and whether each is connected."""
        return {name: self._event(name).is_set() for name in self._running if name != LOCAL}

    async def start(self, group: TaskGroup) -> None:
        """Run them; a required one has to come up. Unavailable if it does not."""
        required = self._host.config.settings.plugins.required
        for entry in self._host.plugins.all(Client):
            client = entry.thing
            if not isinstance(client, Client) or self.mode == "none":
                continue
            if client.interactive != (self.mode == "interactive"):
                continue
            self._running[client.name] = entry
            if client.interactive:
                self._event(client.name).set()
                continue
            group.start_soon(self._keep_running, entry.plugin, client)
            if entry.plugin in required:
                with anyio.move_on_after(_REQUIRED):
                    await self._event(client.name).wait()
                if not self._event(client.name).is_set():
                    raise Unavailable(f"The client {client.name} is required and did not come up in {_REQUIRED:g} s.")

    async def _keep_running(self, plugin: str, client: Client) -> None:
        """Run a client until the host stops. A failure is reported, and it is run again, later each time it fails soon."""
        delay = _FIRST
        host = self._host

        def started() -> None:
            host.degraded.pop(f"client {client.name}", None)
            self._event(client.name).set()
            host.log.info("client_started", client=client.name)

        while True:
            began = anyio.current_time()
            error: BaseException | None = None
            try:
                await client.run(ClientView(host, client), started)
            except anyio.get_cancelled_exc_class() as raised:
                if is_cancelled():
                    raise
                error = raised
            except (Exception, SystemExit) as raised:
                error = raised
            why = "it ended" if error is None else f"{type(error).__name__}: {error}"
            if self._event(
                client.name
            ).is_set():  # whoever waits for the first start goes on waiting for the same event
                self._up[client.name] = anyio.Event()
            host.degraded[f"client {client.name}"] = why
            host.failed(Failure(plugin, f"{client.name}.run", "ended" if error is None else "raised", why, error))
            if anyio.current_time() - began > _LONGEST:
                delay = _FIRST
            await anyio.sleep(delay)
            delay = min(delay * 2, _LONGEST)

    def is_operators(self, client: str) -> bool:
        """Whether it is the operator who speaks through a client: the command line, or one at this terminal. Nobody else may
        open the control socket."""
        entry = self._host.plugins.things[Client].get(client)
        return client == LOCAL or (entry is not None and isinstance(entry.thing, Client) and entry.thing.interactive)

    def serving(self, room: Room) -> str:
        """The name of the client that leads to a room: one of its platform that runs; empty where none does."""
        for name, entry in self._running.items():
            if isinstance(entry.thing, Client) and entry.thing.platform == room.platform:
                return name
        return next((client for client, place in self.relays if place == room.id), "")

    def runs(self, client: str) -> bool:
        """Whether the client runs here, connected or not."""
        return client in self._running

    def is_up(self, client: str, room: str) -> bool:
        """Whether something can be handed out to the room: the client is connected, or nothing is there to wait for. A chat that
        was closed is waited for, and so is what runs in another process."""
        if (client, room) in self.relays:
            return True
        if client not in self._running:
            return client not in self._host.plugins.things[Client]
        return self._event(client).is_set()

    async def come_up(self, client: str) -> None:
        """Wait until the client is connected."""
        await self._event(client).wait()

    def seconds(self, client: str, room: str) -> float:
        """How long one delivery may take."""
        entry = self.outlet(client, room)
        method = self._host.table.method(entry or self._running[LOCAL], Client.send)
        return self._host.budgets.get(method.hook, method.budget)

    def _event(self, client: str) -> anyio.Event:
        return self._up.setdefault(client, anyio.Event())


class ClientView:
    """The host as one client sees it."""

    def __init__(self, host: Host, client: Client) -> None:
        self._host = host
        self._client = client

    @property
    def agents(self) -> tuple[str, ...]:
        """The names of the agents that this client speaks for."""
        return tuple(name for name, agent in self._host.agents.items() if agent.hears(self._client.name))

    async def accept(self, inbound: Inbound) -> Accepted:
        """Hand over what came in; it is marked as coming through this client."""
        if inbound.client != self._client.name:
            inbound = msgspec.structs.replace(inbound, client=self._client.name)
        return await self._host.accept(inbound)

    async def wait(self, turn: str) -> dict[str, Json]:
        """Wait until a turn has ended."""
        return await self._host.wait(turn)

    async def why(self, turn: str) -> dict[str, Json]:
        """Why an agent said what it said."""
        return await self._host.why(turn)

    async def status(self) -> dict[str, Json]:
        """What the daemon is doing."""
        return await self._host.status()

    async def reset(self, agent: str, room: str) -> int:
        """Forget the conversation of a room."""
        return await self._host.reset(agent, room)
