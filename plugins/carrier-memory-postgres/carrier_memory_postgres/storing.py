"""Writing memories: their rows, their words, the shelves that they stand on and the partitions that they lie in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from carrier_core import deflate
from carrier_core.recall import keys_of, pack, place_of, shelf_of
from carrier_memory_postgres.batch import Batch
from carrier_memory_postgres.lexemes import shelf_word
from carrier_memory_postgres.partitions import ensure_partitions
from carrier_memory_postgres.prepared import Prepared, ShelfKey
from carrier_memory_postgres.queries import queries

BLOCK = 1000
"""Numbers that a writer takes at once."""

_SQL = queries("storing")
_NUMBER = queries("writing")["number"]

Shelving = tuple[str, *ShelfKey]


async def next_numbers(batch: Batch, count: int) -> list[int]:
    """Numbers for rows that have an order."""
    known = batch.known
    numbers: list[int] = []
    while len(numbers) < count:
        if known.next_number >= known.last_number:
            known.last_number = int((await batch.link.fetch(_NUMBER))[0][0])
            known.next_number = known.last_number - BLOCK
        upto = min(known.next_number + count - len(numbers), known.last_number)
        numbers.extend(range(known.next_number, upto))
        known.next_number = upto
    return numbers


async def store_memories(batch: Batch) -> None:
    """Write the memories of a batch; one with a known id replaces the older and keeps its place in the order."""
    fetch = batch.link.fetch
    ready = {each.memory.id: each for each in batch.writes.memories}
    old = {row[0]: row for row in await fetch(_SQL["known"], sorted(ready))}
    shelves = await _shelves(batch, ready.values())
    rows = await _rows(batch, ready, old, shelves)
    batch.stored.anew.extend(number for _, _, number, _, _ in old.values())
    if old:
        await fetch(_SQL["forgotten"], list(old))  # it may have been said in another room
        await remove_rows(batch, [(row, agent, at) for _, row, _, at, agent in old.values()])
    await ensure_partitions(batch, [(each.memory.agent, each.memory.at) for each in ready.values()])
    numbers = iter(await next_numbers(batch, len(ready) - len(old)))
    written = []
    for key, each in ready.items():
        memory = each.memory
        number = old[key][2] if key in old else next(numbers)
        place = batch.place(memory.agent, memory.room).number
        words = f"{shelf_word(shelf_of(rows[key]))} {each.words}"
        written.append(
            (
                rows[key],
                memory.at,
                number,
                place,
                memory.agent,
                memory.kind.value,
                memory.entity,
                deflate(each.payload),
                words,
                key,
            )
        )
        batch.stored.rows[rows[key]] = memory
    await fetch(_SQL["add"], *[list(column) for column in zip(*written, strict=True)])


async def _rows(
    batch: Batch, ready: dict[str, Prepared], old: dict[str, Any], shelves: dict[Shelving, int]
) -> dict[str, int]:
    """The row of each memory, by id: on the place of the older one, where it stands on the same shelf."""
    rows: dict[str, int] = {}
    coming: list[tuple[str, int, int]] = []
    for key, each in ready.items():
        shelf = shelves[each.memory.agent, *each.label]
        if key in old and shelf_of(old[key][1]) == shelf:
            rows[key] = pack(shelf, place_of(old[key][1]), each.traits)
        else:
            coming.append((key, shelf, each.traits))
    if coming:
        counts = Counter(shelf for _, shelf, _ in coming)
        values = [list(column) for column in zip(*sorted(counts.items()), strict=True)]
        last = {row[0]: row[1] for row in await batch.link.fetch(_SQL["places_on_shelves"], *values)}
        for key, shelf, traits in coming:
            last[shelf] += 1
            rows[key] = pack(shelf, last[shelf], traits)
    return rows


async def _shelves(batch: Batch, ready: Iterable[Prepared]) -> dict[Shelving, int]:
    """The shelves of memories, put up where there is none yet."""
    known = batch.known.shelves
    wanted = {(each.memory.agent, *each.label): each for each in ready}
    found = {label: shelf for label in wanted if (shelf := known.get(label)) is not None}
    missing = sorted(wanted.keys() - found.keys())
    if missing:
        columns = [list(column) for column in zip(*missing, strict=True)]
        rows = await batch.link.fetch(_SQL["known_shelves"], *columns)
        there = {tuple(row[1:]) for row in rows}
        new = [label for label in missing if label not in there]
        if new:
            fresh = [list(column) for column in zip(*new, strict=True)]
            await batch.link.fetch(_SQL["add_shelves"], *fresh, [wanted[label].audience for label in new])
            rows = await batch.link.fetch(_SQL["known_shelves"], *columns)
        for row in rows:
            agent, room, messages, digest = row[1:]
            known[agent, room, messages, digest] = found[agent, room, messages, digest] = row[0]
        for label in new:
            keys_of_it = keys_of(wanted[label].memory.provenance.audience)
            batch.stored.shelves.append((label[0], label[1], keys_of_it))
        keys = [
            (label[0], key, label[2], found[label])
            for label in new
            for key in keys_of(wanted[label].memory.provenance.audience)
        ]
        if keys:
            await batch.link.fetch(_SQL["add_shelf_keys"], *[list(column) for column in zip(*keys, strict=True)])
    return found


async def remove_rows(batch: Batch, rows: list[tuple[int, str, float]]) -> None:
    """Remove memories by row, agent and time, with their vectors."""
    await batch.link.fetch(_SQL["remove"], *[list(column) for column in zip(*rows, strict=True)])
    gone = [row for row, _, _ in rows]
    batch.stored.removed.extend(gone)
    for (embedder,) in await batch.link.fetch(_SQL["embedders"]):
        await batch.link.fetch(f"DELETE FROM vectors_{embedder} WHERE row = ANY($1::bigint[])", gone)  # noqa: S608


async def forget_memories(batch: Batch, ids: Iterable[str]) -> int:
    """Remove memories by their ids; how many there were."""
    old = await batch.link.fetch(_SQL["known"], sorted({*ids}))
    if old:
        await batch.link.fetch(_SQL["forgotten"], [row[0] for row in old])
        await remove_rows(batch, [(row, agent, at) for _, row, _, at, agent in old])
        await batch.link.fetch(_SQL["forget"], [row[0] for row in old])
    return len(old)
