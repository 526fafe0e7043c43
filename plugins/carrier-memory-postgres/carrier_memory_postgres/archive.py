"""An archive of the database: all its rows as entries, read in one state of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeVar

import msgspec

from carrier_core import (
    Embedded,
    Entity,
    Entry,
    Handled,
    Heard,
    Hold,
    Intent,
    Memory,
    Parking,
    Part,
    Participant,
    Place,
    Queued,
    Resident,
    Room,
    RoomKind,
    Schedule,
    Spending,
    StoredPart,
    World,
    decode,
    inflate,
    parts_of,
)
from carrier_memory_postgres.connections import Link, Row
from carrier_memory_postgres.outbox import post_of
from carrier_memory_postgres.queries import queries
from carrier_memory_postgres.traces import read_records
from carrier_memory_postgres.vectors import tables

BATCH = 256
"""Entries that are handed out at once."""

T = TypeVar("T")

_SQL = queries("archive")


async def batches(link: Link, agent: str) -> AsyncIterator[tuple[Entry, ...]]:
    """All entries, or those that concern an agent, some at a time."""
    async with link.transaction(isolation="repeatable_read", readonly=True):
        batch: list[Entry] = []
        async for entry in _entries(link, agent):
            batch.append(entry)
            if len(batch) == BATCH:
                yield tuple(batch)
                batch = []
        if batch:
            yield tuple(batch)


async def _entries(link: Link, agent: str) -> AsyncIterator[Entry]:
    for name, entry in _BEFORE_PARTS.items():
        async for row in link.cursor(_SQL[name], agent, prefetch=BATCH):
            yield entry(row)
    named: set[str] = set()
    if agent:  # parts belong to nobody: those of an agent are those that its turns name
        async for handled in _turns(link, agent):
            named |= parts_of(handled.record)
    async for digest, part in link.cursor(_SQL["parts"], prefetch=BATCH):
        if not agent or digest in named:
            yield StoredPart(digest, decode(inflate(part), Part))
    async for handled in _turns(link, agent):
        yield handled
    for name, entry in _AFTER_TURNS.items():
        async for row in link.cursor(_SQL[name], agent, prefetch=BATCH):
            yield entry(row)
    async for schedule in _recorded(link, Schedule, "schedules", agent):
        yield schedule
    async for row in link.cursor(_SQL["spent"], agent, prefetch=BATCH):
        yield Spending.counter(row)
    async for hold in _recorded(link, Hold, "holds"):
        if not agent or hold.concerns(agent):
            yield hold
    async for memory in _recorded(link, Memory, "memories", agent):
        yield memory
    for model, table in await tables(link):
        sql = _SQL["vectors"].format(table=f"vectors_{table.number}")
        async for key, vector in link.cursor(sql, agent, prefetch=BATCH):
            yield Embedded(model, key, tuple(vector or ()))


async def _recorded(link: Link, kind: type[T], name: str, *values: object) -> AsyncIterator[T]:
    """What is kept as records; what a newer release wrote in a way unknown here is left out."""
    async for (payload,) in link.cursor(_SQL[name], *values, prefetch=BATCH):
        found = decode(inflate(payload), object)
        if isinstance(found, kind):
            yield found


def _room(row: Row) -> Room:
    key, platform, native, kind, *rest = row
    return Room(key, platform, native, RoomKind(kind), *rest)


def _queued(row: Row) -> Queued:
    agent, room, seq, payload, turn, discarded = row
    return Queued(agent, room, seq, msgspec.Raw(payload), turn or "", discarded or "")


async def _turns(link: Link, agent: str) -> AsyncIterator[Handled]:
    rows: list[Row] = []
    async for row in link.cursor(_SQL["turns"], agent, prefetch=BATCH):
        rows.append(row)
        if len(rows) == BATCH:
            for handled in await _handled(link, rows):
                yield handled
            rows = []
    for handled in await _handled(link, rows):
        yield handled


async def _handled(link: Link, rows: Sequence[Row]) -> list[Handled]:
    found = []
    for row, turn in zip(rows, await read_records(link, [row[:3] for row in rows]), strict=True):
        state, _, _, activations, step, until, reason = row
        parking = Parking(turn.id, turn.agent, turn.room, step, until, reason) if state == "parked" else None
        found.append(Handled(turn, state, activations, parking))
    return found


_BEFORE_PARTS: dict[str, Callable[[Row], Entry]] = {
    "worlds": lambda row: World(*row),
    "rooms": _room,
    "entities": lambda row: Entity(*row),
    "participants": lambda row: Participant(*row),
    "residents": lambda row: Resident(*row),
    "places": lambda row: Place(*row),
    "ledger": lambda row: Heard(*row),
    "inbound": _queued,
}
_AFTER_TURNS: dict[str, Callable[[Row], Entry]] = {"intents": lambda row: Intent(*row), "outbox": post_of}
