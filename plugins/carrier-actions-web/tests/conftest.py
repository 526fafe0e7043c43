"""A web of the test's own: names, public addresses, servers on the loopback interface, and a count of every connection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import anyio
import httpcore2
import msgspec
import pytest
from anyio.abc import SocketAttribute

from carrier_actions_web.fetch import FetchPage
from carrier_actions_web.rules import Rules
from carrier_actions_web.settings import ToolSettings
from carrier_actions_web.tools import Tool
from carrier_actions_web.web import Limits, Web
from carrier_core import Action, ActionCall, ActionResult, Audience, Room

SITE = "93.184.216.34"
"""A public address, which stands for a server of the test's."""

OTHER = "8.8.4.4"
"""Another."""


RULES = Rules()
LIMITS = Limits()


class Names:
    """A resolver. Each name has the addresses for one lookup after another; the last ones stay."""

    def __init__(self) -> None:
        self.table: dict[str, list[list[str]]] = {"site.example": [[SITE]], "other.example": [[OTHER]]}
        self.looked_up: list[str] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.looked_up.append(host)
        if host not in self.table:
            if host.replace(".", "").isdigit() or ":" in host:
                return [host]  # an address is its own
            raise OSError("Name or service not known")
        coming = self.table[host]
        return coming.pop(0) if len(coming) > 1 else coming[0]


class Dialer(httpcore2.AsyncNetworkBackend):
    """Opens connections, and counts them: public addresses lead to servers of the test's, everything else to the trap."""

    def __init__(self, trap: int) -> None:
        self.places: dict[str, int] = {}
        self.dialled: list[tuple[str, int]] = []
        self._trap = trap
        self._real = httpcore2.AnyIOBackend()

    async def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):
        self.dialled.append((host, port))
        return await self._real.connect_tcp("127.0.0.1", self.places.get(host, self._trap), timeout)

    def serve(self, url: str, address: str = SITE) -> None:
        """From now on, this address is where the server at ``url`` is."""
        self.places[address] = urlsplit(url).port or 0


class Trap:
    """A listener on the loopback interface that nobody may ever reach."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.caught = 0


class StubTurn:
    """As much of a turn as these actions look at."""

    audience = Audience((Room.of("test", "room").id,))


class Scene:
    """The test's web, with actions that use it."""

    def __init__(self, trap: Trap) -> None:
        self.trap = trap
        self.names = Names()
        self.dialer = Dialer(trap.port)
        self.turn = StubTurn()

    def web(self, rules: Rules = RULES, limits: Limits = LIMITS, **keywords: object) -> Web:
        return Web(rules, limits, agent="Tester", lookup=self.names, dial=self.dialer, **keywords)

    async def fetch(self, url: str, *, rules: Rules = RULES, limits: Limits = LIMITS, **arguments) -> ActionResult:
        characters, roams = arguments.pop("characters", 20_000), arguments.pop("roams", True)
        action = FetchPage(self.web(rules, limits), characters=characters, roams=roams)
        return await self.perform(action, url=url, **arguments)

    def tool(self, *, secrets: dict[str, str] | None = None, limits: Limits = LIMITS, rules=None, **settings) -> Tool:
        """A tool as the configuration would declare it."""
        given = {"name": "service", "description": "Asks the service.", "url": "https://site.example/", **settings}
        declared = ToolSettings.model_validate_json(msgspec.json.encode(given), strict=True)
        return Tool(declared, secrets or {}, self.web(rules or RULES, limits))

    async def perform(self, action: Action, **arguments) -> ActionResult:
        return await action.perform(self.turn, ActionCall("1", action.name, arguments, key="key-of-the-call"))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def trap() -> AsyncIterator[Trap]:
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    trap = Trap(listener.extra(SocketAttribute.local_port))

    async def caught(stream) -> None:
        trap.caught += 1
        async with stream:
            await stream.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nsecret")

    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, caught)
        yield trap
        group.cancel_scope.cancel()


@pytest.fixture
async def scene(trap: Trap) -> Scene:
    return Scene(trap)
