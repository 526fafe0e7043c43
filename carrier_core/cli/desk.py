"""What commands ask of the desk: reading, from the store; changing, of the daemon that runs, else of the store."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from carrier_core.cli import place

if TYPE_CHECKING:
    from carrier_core.desk import Desk
    from carrier_core.prompts import Json


class Ask(Protocol):
    """Ask for an operation of :mod:`carrier_core.requests`."""

    async def __call__(self, op: str, **values: Json) -> Json:
        """Its result; a CarrierError if it is refused."""


@asynccontextmanager
async def reading(args: argparse.Namespace) -> AsyncIterator[Desk]:
    """A desk on the store, which is opened for reading, whether a daemon runs or not. Unavailable if there is none yet."""
    from carrier_core.desk import Desk

    store = await place.open_store(args)
    try:
        yield Desk(store)
    finally:
        await store.close()


@asynccontextmanager
async def changing(args: argparse.Namespace, *, create: bool = False) -> AsyncIterator[Ask]:
    """A way to change something: through the daemon's socket, or, where none runs, in the store itself, which belongs to this
    process then. Where there is none it is made with ``create``, else that is Unavailable."""
    import anyio

    from carrier_core.control import connect

    remote = await connect(place.state_of(args))
    if remote is None:
        async with _alone(args, create) as ask:
            yield ask
        return
    async with anyio.create_task_group() as group:
        group.start_soon(remote.read)
        yield remote.request
        group.cancel_scope.cancel()


@asynccontextmanager
async def _alone(args: argparse.Namespace, create: bool) -> AsyncIterator[Ask]:
    from carrier_core.desk import Desk
    from carrier_core.plugins import choose_store, load_plugins
    from carrier_core.requests import OPERATIONS

    config, state = place.read_config(args), place.state_of(args)
    store = choose_store(config, load_plugins(config))
    if create:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
    else:
        await store.open_read_only(state)  # Unavailable where there is none
        await store.close()
    await store.open(state)
    try:
        desk = Desk(store, tuple(config.settings.agents))

        async def ask(op: str, **values: Json) -> Json:
            return await OPERATIONS[op](desk, values)

        yield ask
    finally:
        await store.close()


def moment(seconds: float, zone: str = "") -> str:
    """A time to read, in the zone of the machine if none is given; empty for 0."""
    if not seconds:
        return ""
    from zoneinfo import ZoneInfo

    try:
        known = UTC if zone == "UTC" else ZoneInfo(zone) if zone else None
        return f"{datetime.fromtimestamp(seconds, known).astimezone(known):%Y-%m-%d %H:%M:%S}"
    except (LookupError, ValueError, OverflowError, OSError):
        return f"{seconds:.0f}"
