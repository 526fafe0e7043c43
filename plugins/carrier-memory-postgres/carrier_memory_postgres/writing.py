"""Writing what a batch has gathered: one statement for each table that has something, whatever the number of rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from carrier_core import Entity, Outgoing, Room, World, deflate
from carrier_memory_postgres.batch import Batch
from carrier_memory_postgres.connections import lock_key
from carrier_memory_postgres.parts import Shown, hashed, store_parts
from carrier_memory_postgres.queries import queries
from carrier_memory_postgres.storing import next_numbers, store_memories
from carrier_memory_postgres.traces import packed

_SQL = queries("writing")


async def write(batch: Batch) -> None:
    """Write all of it. What is changed comes before what is added: a row that is both was only added."""
    await _write_people(batch)
    await _write_queue(batch)
    await _write_turns(batch)
    await _write_effects(batch)
    await batch.spending.write(batch.link)
    if batch.writes.memories:
        await store_memories(batch)
    places = [place for place in batch.places if place.changed or place.heard]
    if places:
        rows = ((place.number, place.seq, place.epoch, place.owner, int(place.heard)) for place in places)
        await batch.link.fetch(_SQL["places"], *_columns(rows))
    if batch.writes.leases:
        await _write_leases(batch)


async def _write_leases(batch: Batch) -> None:
    """Besides its lease, the session of an owner has a lock: when the process dies nobody has to wait for the lease."""
    await batch.link.fetch(_SQL["lease"], *_columns(sorted(batch.writes.leases.items())))
    for owner, seconds in batch.writes.leases.items():
        if seconds > 0 and owner not in batch.held:
            if (await batch.link.fetch(_SQL["hold"], lock_key("owner", owner)))[0][0]:
                batch.held.add(owner)
        elif seconds <= 0 and owner in batch.held:
            await batch.link.fetch(_SQL["free"], lock_key("owner", owner))
            batch.held.discard(owner)


async def _write_queue(batch: Batch) -> None:
    writes, fetch = batch.writes, batch.link.fetch
    if writes.rewritten:
        await fetch(_SQL["rewrite"], *_columns((*key, payload) for key, payload in writes.rewritten.items()))
    if writes.taken:
        await fetch(_SQL["take"], *_columns((*key, *what) for key, what in writes.taken.items()))
    if writes.appended:
        appended = zip(writes.heard, writes.appended.items(), strict=True)
        rows = ((agent, key, seq, place, *what) for (agent, key, seq), ((place, _), what) in appended)
        await fetch(_SQL["append"], *_columns(rows))
    kept = {key: value for key, value in writes.schedules.items() if value is not None}
    if len(kept) < len(writes.schedules):
        await fetch(_SQL["drop_schedules"], [key for key in writes.schedules if key not in kept])
    if kept:
        await fetch(_SQL["keep_schedules"], *_columns((key, *value) for key, value in sorted(kept.items())))


async def _write_turns(batch: Batch) -> None:
    writes, fetch = batch.writes, batch.link.fetch
    shown = await _store_parts(batch)
    changed: list[tuple[Any, ...]] = []
    opened: list[tuple[Any, ...]] = []
    finished: list[tuple[Any, ...]] = []
    amended: list[tuple[Any, ...]] = []
    for turn, standing in writes.standings.items():
        parking, record = standing.parking, writes.records.get(turn)
        waits = (parking.step, parking.until, parking.reason) if parking is not None else (None, None, None)
        status = record.outcome.status.value if record is not None else None
        text = packed(record, shown) if record is not None else None
        if turn in writes.opened:
            opened.append((turn, *writes.opened[turn], standing.state, standing.activations, status, text, *waits))
        elif standing.state != "finished":
            changed.append((turn, standing.state, standing.activations, status, text, *waits))
        if standing.state == "finished":
            rows = finished if turn in writes.finished else amended
            rows.append((turn, standing.activations, status, None if text is None else deflate(text)))
    if changed:
        await fetch(_SQL["change"], *_columns(changed))
    if opened:
        numbers = await next_numbers(batch, len(opened))
        numbered = ((row[0], number, *row[1:]) for row, number in zip(opened, numbers, strict=True))
        await fetch(_SQL["open"], *_columns(numbered))
    if finished:
        await fetch(_SQL["finish"], *_columns(finished))
    if amended:
        await fetch(_SQL["amend"], *_columns(amended))
    if writes.dropped_steps:
        await fetch(_SQL["drop_steps"], writes.dropped_steps)
    if writes.steps:
        await fetch(_SQL["add_steps"], *_columns((*key, record) for key, record in writes.steps.items()))


async def _store_parts(batch: Batch) -> dict[str, Shown]:
    """Store the parts that are not there yet; all that records name, by hash. They are kept in mind."""
    given, known = batch.writes.parts, batch.known.parts
    named = {digest for record in batch.writes.records.values() for digest in record.parts}.union(given)
    shown = {digest: part for digest in named if (part := known.get(digest)) is not None}
    unknown = named.difference(shown)
    if unknown:
        read = await hashed(batch.link, unknown, given.values())
        read |= await store_parts(batch.link, given.values(), shown.keys() | read.keys())
        for digest, part in read.items():
            known[digest] = part
        shown |= read
    return shown


async def _write_effects(batch: Batch) -> None:
    writes, fetch = batch.writes, batch.link.fetch
    if writes.ended_intents:
        await fetch(_SQL["end_intents"], list(writes.ended_intents))
    if writes.doubted:
        await fetch(_SQL["doubt"], list(writes.doubted))
    if writes.intents:
        rows: Iterable[tuple[Any, ...]] = (
            (each.key, each.turn, each.agent, each.room, each.step, each.at, each.deadline, each.what, each.in_doubt)
            for each in writes.intents.values()
        )
        await fetch(_SQL["begin"], *_columns(rows))
    if writes.posts:
        rows = (
            (key, place, turn, payload, *progress(post)) for key, (place, turn, payload, post) in writes.posts.items()
        )
        await fetch(_SQL["post"], *_columns(rows))
    if writes.delivered:
        rows = ((key, place, *progress(post)) for key, (place, post) in writes.delivered.items())
        await fetch(_SQL["deliver"], *_columns(rows))


def progress(post: Outgoing) -> tuple[Any, ...]:
    """The columns that tell how far a delivery is."""
    return post.state.value, post.attempts, post.due, post.deadline, post.at, post.native, post.error


async def _write_people(batch: Batch) -> None:
    writes, fetch = batch.writes, batch.link.fetch
    if not writes.residents:
        return
    await fetch(_SQL["add_entities"], *_columns(entity_row(writes.entities[key]) for key in sorted(writes.entities)))
    if writes.worlds:
        await fetch(_SQL["add_worlds"], *_columns(world_row(writes.worlds[key]) for key in sorted(writes.worlds)))
    await fetch(_SQL["add_rooms"], *_columns(room_row(writes.rooms[key]) for key in sorted(writes.rooms)))
    await fetch(_SQL["reside"], *_columns(sorted(writes.residents)))
    if writes.participants:
        await fetch(_SQL["join"], *_columns(sorted(writes.participants)))


def entity_row(entity: Entity) -> tuple[Any, ...]:
    """The columns of an entity."""
    return entity.id, entity.platform, entity.realm, entity.native, entity.name, entity.username, entity.bot


def world_row(world: World) -> tuple[Any, ...]:
    """The columns of a world."""
    return world.id, world.platform, world.realm, world.native, world.name


def room_row(room: Room) -> tuple[Any, ...]:
    """The columns of a room."""
    return room.id, room.platform, room.realm, room.native, room.kind.value, room.name, room.world


def _columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
