"""Lasting: the daemon as an open chat sees it, which may be restarted meanwhile: then the connection is made anew."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import anyio

from carrier_core.control import Gone, Remote, connect
from carrier_core.errors import Unavailable

if TYPE_CHECKING:
    from carrier_core.messages import Inbound
    from carrier_core.prompts import Json
    from carrier_core.things import Accepted, Client

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds that a chat waits for a daemon that stopped to come back."""

_EVERY = 0.2  # seconds from one try to the next


class Lasting:
    """A host for one client. What it is asked while the daemon is away waits for it; all of that can be asked twice: an inbound has
    a key by which it is known again."""

    def __init__(self, state: Path, client: Client, remote: Remote) -> None:
        self._state, self._client, self._remote, self._patience = state, client, remote, PATIENCE
        self._joined = anyio.Event()
        self._rooms: dict[str, None] = {}

    @property
    def agents(self) -> tuple[str, ...]:
        """The names of the agents that the client speaks for."""
        return self._remote.agents

    async def accept(self, inbound: Inbound) -> Accepted:
        """Hand over what came in."""
        self._rooms[inbound.room.id] = None
        return await self._ask(lambda remote: remote.accept(inbound))

    async def wait(self, turn: str) -> dict[str, Json]:
        """Wait until a turn has ended."""
        return await self._ask(lambda remote: remote.wait(turn))

    async def why(self, turn: str) -> dict[str, Json]:
        """Why an agent said what it said."""
        return await self._ask(lambda remote: remote.why(turn))

    async def status(self) -> dict[str, Json]:
        """What the daemon is doing."""
        return await self._ask(lambda remote: remote.status())

    async def reset(self, agent: str, room: str) -> int:
        """Forget the conversation of a room."""
        return await self._ask(lambda remote: remote.reset(agent, room))

    async def joined(self) -> None:
        """Wait until the client is attached."""
        await self._joined.wait()

    async def keep(self) -> None:
        """Keep up the connection until cancelled. Unavailable where the daemon stopped and does not come back in time."""
        remote, is_first = self._remote, True
        while True:
            async with anyio.create_task_group() as group:
                group.start_soon(self._join, remote, is_first)
                await remote.read()
            self._part(remote)
            is_first = False
            _tell(f"The daemon stopped. Waiting for it, {self._patience:.0f} s at most.")
            remote = await self._again()

    async def _join(self, remote: Remote, is_first: bool) -> None:
        try:
            await remote.attach(self._client, rooms=tuple(self._rooms))
        except Gone:
            return  # which `keep` sees too
        self._remote = remote
        self._joined.set()
        if not is_first:
            _tell("The daemon is there again.")

    def _part(self, remote: Remote) -> None:
        if remote is self._remote and self._joined.is_set():
            self._joined = anyio.Event()

    async def _again(self) -> Remote:
        with anyio.move_on_after(self._patience):
            while True:
                remote = await connect(self._state)
                if remote is not None:
                    return remote
                await anyio.sleep(_EVERY)
        raise Unavailable(
            f"The daemon stopped, and did not come back in {self._patience:.0f} s.",
            remedy="Start it again (carrierd run), then the chat: what it had taken is not lost.",
        )

    async def _ask(self, do: Callable[[Remote], Awaitable[T]]) -> T:
        while True:
            await self._joined.wait()
            remote = self._remote
            try:
                return await do(remote)
            except Gone:
                self._part(remote)


def _tell(text: str) -> None:
    """Say it beside the chat: one that has the screen shows what is written to standard error."""
    try:
        print(f"carrierd: {text}", file=sys.stderr, flush=True)
    except (OSError, ValueError):
        pass  # it is closed: there is nobody to tell
