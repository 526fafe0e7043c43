"""What agents remember, as the commands of plugins reach it: :func:`open_memories`."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

from carrier_core.cli import desk, place
from carrier_core.errors import CarrierError, single

if TYPE_CHECKING:
    from carrier_core.cli.desk import Ask
    from carrier_core.messages import Memory, MemoryKind, Room
    from carrier_core.prompts import Json


class Memories:
    """The memories of the store that a command was pointed at. ``agents`` are those of the configuration, the default one first."""

    def __init__(self, ask: Ask, agents: tuple[str, ...]) -> None:
        self.agents = agents
        self._ask = ask

    def agent(self, name: str = "") -> str:
        """The agent of that name, the default one if none is given. CarrierError (64) if there is none."""
        if name and name not in self.agents:
            error = CarrierError(f"There is no agent {name}.", remedy=f"There are: {', '.join(self.agents)}.")
            error.exit_code = 64
            raise error
        return name or self.agents[0]

    async def get(self, ids: tuple[str, ...]) -> tuple[Memory, ...]:
        """The memories with these ids, in this order; those that are not there are left out."""
        return _memories(await self._ask("recollect", ids=list(ids)))

    async def list(
        self, *, agent: str = "", room: str = "", kind: MemoryKind | None = None, limit: int = 50
    ) -> tuple[Memory, ...]:
        """The newest memories that fit, newest first."""
        return _memories(await self._ask("memories", agent=agent, room=room, kind=kind or "", limit=limit))

    async def room(self, name: str) -> Room:
        """The room with this name or id; one of the command line, where there is none. CarrierError if there are several."""
        import msgspec

        from carrier_core.messages import Room

        return msgspec.convert(await self._ask("place", room=name), Room)

    async def rooms(self) -> tuple[Room, ...]:
        """All rooms that there are."""
        import msgspec

        from carrier_core.messages import Room

        return msgspec.convert(await self._ask("rooms"), tuple[Room, ...])

    async def change(self, *, put: tuple[Memory, ...] = (), forget: tuple[str, ...] = ()) -> None:
        """Forget memories, by their ids, then store others, those of one call together; one with a known id replaces the older.

        A CarrierError where they were opened for reading.
        """
        import msgspec

        if forget:
            await self._ask("forget", ids=list(forget))
        if put:
            await self._ask("remember", memories=cast("Json", msgspec.to_builtins(put)))


@asynccontextmanager
async def open_memories(args: argparse.Namespace, *, change: bool = False) -> AsyncIterator[Memories]:
    """What agents remember, for a :class:`~carrier_core.things.Command` whose ``run`` was given these arguments (``--config`` and
    ``--state`` are among them).

    With ``change`` it goes through the daemon that runs on the state directory, else the store is opened, and made where there is
    none; it belongs to this process then. Without, the store is only read, beside whoever works on it. Unavailable where there is
    none, or another process has it.
    """
    with single():
        agents = tuple(place.read_config(args).settings.agents)
        async with desk.changing(args, create=True) if change else _reading(args) as ask:
            yield Memories(ask, agents)


@asynccontextmanager
async def _reading(args: argparse.Namespace) -> AsyncIterator[Ask]:
    from carrier_core.requests import OPERATIONS

    async with desk.reading(args) as reader:

        async def ask(op: str, **values: Json) -> Json:
            if op in ("remember", "forget"):
                raise CarrierError("What was opened for reading cannot be changed.", remedy="Open it with change=True.")
            return await OPERATIONS[op](reader, values)

        yield ask


def _memories(told: Json) -> tuple[Memory, ...]:
    import msgspec

    from carrier_core.messages import Memory

    return msgspec.convert(told, tuple[Memory, ...])
