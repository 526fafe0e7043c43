"""Removing a person from every table and index, so that nothing of them can be read again.

What names them is found by reading everything, since records are deflated: first beside the writer, then, in the transaction that
removes it, once more in what was written since.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import NamedTuple

import msgspec

from carrier_core import Outcome, StepRecord, TurnRecord, deflate, inflate, parts_in
from carrier_memory_postgres.batch import Batch
from carrier_memory_postgres.connections import Link, Row, Speaker
from carrier_memory_postgres.parts import hashed, memory_of
from carrier_memory_postgres.queries import queries
from carrier_memory_postgres.retention import drop_turns
from carrier_memory_postgres.storing import forget_memories
from carrier_memory_postgres.traces import names_in, packed, read_records, steps_of

SCANNED = 500
"""Rows that are looked through at once: turns go on in between."""

_SQL = queries("forgetting")
_replace = msgspec.structs.replace


class Found(NamedTuple):
    """What names a person: their turns, turns of others that have not finished and whose inbound names them, turns of others
    that stay without these words, keys of the outbox, hashes of parts, ids of memories. ``numbers`` are those of the parts,
    and of parts that come from the memories. ``since`` is the oldest transaction that may have written something which is
    not in it."""

    turns: set[str]
    unfinished: set[str]
    speak: set[str]
    outbox: set[str]
    parts: set[str]
    memories: set[str]
    numbers: set[int]
    since: int

    @property
    def lost(self) -> set[str]:
        """The names of what goes."""
        return self.parts | self.memories


async def find(link: Link, entity: str) -> Found:
    """All that names a person, as of now."""
    async with link.transaction(isolation="repeatable_read", readonly=True):
        found = Found(set(), set(), set(), set(), set(), set(), set(), (await link.fetch(_SQL["now"]))[0][0])
        await _look(link, entity, found, None)
    return found


async def _look(link: Speaker, entity: str, found: Found, age: int | None) -> None:
    """Look through all rows, or those that were written by the last ``age`` transactions, and all turns that have not
    finished."""
    named = entity.encode()
    found.unfinished.clear()  # one that has finished meanwhile stays, and is found below
    async for key, payload in _rows(link, "outbox", age):
        if named in inflate(payload):
            found.outbox.add(key)
    async for key, payload in _rows(link, "memories", age):
        if named in inflate(payload):
            found.memories.add(key)
    async for number, digest, part in _rows(link, "parts", age):
        is_theirs = named in inflate(part)
        if is_theirs:
            found.parts.add(digest)
        if is_theirs or memory_of(part) in found.memories:
            found.numbers.add(number)
    taken = {row[0] for row in await link.fetch(_SQL["taken"], named)}
    lost = found.lost
    async for key, state, record, reason, steps in _rows(link, "turns", age):
        text = inflate(record)
        names = names_in(text)
        if names.person == entity:
            found.turns.add(key)
            continue
        if state != "finished" and key in taken:
            found.unfinished.add(key)
            continue
        texts = (text, *(steps or ()), (reason or "").encode())
        theirs = names.parts.union(names.memories, *[parts_in(step.value) for step in steps_of(steps)])
        if lost & theirs or not found.numbers.isdisjoint(names.numbers) or any(named in each for each in texts):
            found.speak.add(key)


def _rows(link: Speaker, name: str, age: int | None) -> AsyncIterator[Row]:
    return link.cursor(_SQL[name], age, prefetch=SCANNED)


async def forget_person(batch: Batch, entity: str, found: Found) -> dict[str, int]:
    """Whatever names the person goes: speakers, senders, origins and readers are told by the entity's id.

    A turn of somebody else stays without their words. One that is not finished and whose inbound named them goes too: there
    is nothing left to answer. What is removed in one transaction is gone for whoever reads; PostgreSQL overwrites its
    place on the disk when it vacuums the table.
    """
    fetch, named = batch.link.fetch, entity.encode()
    await batch.link.execute(_SQL["read_tables"])
    await _look(batch.link, entity, found, (await fetch(_SQL["age"], found.since))[0][0])
    await batch.link.execute(_SQL["read_indexes"])
    dropped = found.turns | found.unfinished
    gone = await drop_turns(batch, dropped)
    gone["outbox"] += len(await fetch(_SQL["drop_outbox"], sorted(found.outbox)))
    for sort in ("inbound", "schedules"):
        gone[sort] += len(await fetch(_SQL[sort], named))
    gone["entities"] += len(await fetch(_SQL["entities"], entity))
    gone["participants"] += len(await fetch(_SQL["participants"], entity))
    vectors = await _count_vectors(batch, sorted(found.memories))
    memories = await forget_memories(batch, found.memories)
    await fetch(_SQL["shelf_keys"], entity)
    await fetch(_SQL["shelves"], named)
    gone["turns"] += await _empty(batch, found.speak - dropped, named, found.lost)
    parts = len(await fetch(_SQL["drop_parts"], sorted(found.parts)))
    gone.update(parts=parts, memories=memories, vectors=vectors)
    await batch.spending.load_naming(batch.link, entity)  # the last, since model calls wait meanwhile
    gone.update(batch.spending.forget(entity))
    batch.known.clear()
    batch.generation = (await fetch(_SQL["outdate"]))[0][0]
    return dict(gone)


async def _count_vectors(batch: Batch, memories: list[str]) -> int:
    count = 0
    for (embedder,) in await batch.link.fetch(queries("storing")["embedders"]):
        sql = _SQL["vectors"].format(table=f"vectors_{embedder}")
        count += int((await batch.link.fetch(sql, memories))[0][0])
    return count


async def _empty(batch: Batch, turns: Iterable[str], named: bytes, lost: set[str]) -> int:
    """Take a person's words out of the turns of others; how many there were."""
    fetch, count = batch.link.fetch, 0
    for key in sorted(turns):
        for row in await fetch(_SQL["turn"], key):
            (turn,) = await read_records(batch.link, [row])
            emptied = _emptied(turn, named, lost)
            is_over = row[0] == "finished"
            kept = emptied if is_over else _replace(emptied, steps=())
            record = packed(kept, await hashed(batch.link, kept.parts))
            await fetch(_SQL["empty_turn" if is_over else "empty_draft"], key, deflate(record))
            await fetch(_SQL["drop_steps"], key, [step.name for step in emptied.steps])
            await fetch(_SQL["empty_intents"], key)
            count += 1
    return count


def _emptied(turn: TurnRecord, named: bytes, lost: set[str]) -> TurnRecord:
    """All that names the person or what was ``lost`` goes, and texts of which nobody can tell whose they are."""
    return _replace(
        turn,
        outcome=Outcome(turn.outcome.status, usage=turn.outcome.usage),
        steps=tuple(step for step in turn.steps if _may_stay(step, named, lost)),
        ran=tuple(_replace(ran, contributed="") for ran in turn.ran),
        memories=tuple(each for each in turn.memories if each not in lost),
        parts=tuple(each for each in turn.parts if each not in lost),
    )


def _may_stay(step: StepRecord, named: bytes, lost: set[str]) -> bool:
    return named not in bytes(step.value) and not lost & parts_in(step.value)
