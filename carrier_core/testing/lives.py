"""One host after another on the same store, with the same people and the same model: what survives the end of a process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from carrier_core import Outgoing, Sending, Store
from carrier_core.testing.client import FakeClient
from carrier_core.testing.clock import Clock
from carrier_core.testing.hosts import HostUnderTest, running_host
from carrier_core.testing.provider import EchoProvider
from carrier_core.testing.store import InMemoryStore

HASTY = "[limits]\nstop_seconds = 0.01\n"
"""A configuration with which a host stops in the middle of its turns, as one does that dies."""


class Lives:
    """Everything that outlives a host: ``store``, ``client``, ``provider``, ``clock`` and the ``plugins``.

    A host that leaves its block does not wait for its turns (:data:`HASTY`), so that the next one finds them cut off::

        lives = Lives(MyAction())
        async with lives.host():
            lives.provider.hold()
            turn = (await lives.client.say("r", "Ana", "hello")).heard[0].turn
            await lives.provider.asked(1)
        lives.provider.release()
        async with lives.host() as running:
            await running.client.host.wait(turn)
    """

    def __init__(
        self, *plugins: object, config: str | Mapping[str, object] = HASTY, store: Store | None = None
    ) -> None:
        self.plugins = plugins
        self.config = config
        self.store: Store = store or InMemoryStore()
        self.clock = Clock()
        self.client = FakeClient(clock=self.clock)
        self.provider = EchoProvider()

    @asynccontextmanager
    async def host(self) -> AsyncIterator[HostUnderTest]:
        """A host on all of it."""
        async with running_host(
            self.plugins, config=self.config, store=self.store, client=self.client, provider=self.provider
        ) as running:
            yield running

    async def outbox(self, *states: Sending) -> tuple[Outgoing, ...]:
        """The reply parts in these states, or all, in order."""
        return await self.store.journal.outbox(states=states)
