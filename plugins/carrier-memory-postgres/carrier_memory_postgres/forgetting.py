"""Removing a person from every table and index, so that nothing of them can be read again."""

from __future__ import annotations

import msgspec

from carrier_core import Outcome, StepRecord, TurnRecord, decode, encode
from carrier_memory_postgres.batch import Batch
from carrier_memory_postgres.prompts import names_in, parts_in
from carrier_memory_postgres.queries import queries
from carrier_memory_postgres.retention import SCANNED, drop_turns
from carrier_memory_postgres.storing import forget_memories

_SQL = queries("forgetting")
_step = msgspec.json.Decoder(StepRecord)
_replace = msgspec.structs.replace


async def forget_person(batch: Batch, entity: str) -> dict[str, int]:
    """Whatever names the person goes: speakers, senders, origins and readers are told by the entity's id.

    A turn of somebody else stays without their words. One that is not finished and whose inbound named them goes too: there
    is nothing left to answer. What is removed in one transaction is gone for whoever reads; PostgreSQL overwrites its
    place on the disk when it vacuums the table.
    """
    fetch, named = batch.link.fetch, entity.encode()
    turns = [row[0] for row in await fetch(_SQL["turns"], named, entity)]
    gone = await drop_turns(batch, turns)
    for sort in ("inbound", "outbox", "schedules"):
        gone[sort] += len(await fetch(_SQL[sort], named))
    gone["entities"] += len(await fetch(_SQL["entities"], entity))
    gone["participants"] += len(await fetch(_SQL["participants"], entity))
    parts = {row[0] for row in await fetch(_SQL["parts"], named)}
    memories = {row[0] for row in await fetch(_SQL["memories"], named)}
    vectors = await _count_vectors(batch, sorted(memories))
    await forget_memories(batch, memories)
    await fetch(_SQL["shelf_keys"], entity)
    await fetch(_SQL["shelves"], named)
    gone.update(parts=len(parts), memories=len(memories), vectors=vectors)
    gone["turns"] += await _empty(batch, named, parts | memories)
    batch.known.clear()
    batch.generation = (await fetch(_SQL["outdate"]))[0][0]
    return dict(gone)


async def _count_vectors(batch: Batch, memories: list[str]) -> int:
    count = 0
    for (embedder,) in await batch.link.fetch(queries("storing")["embedders"]):
        sql = _SQL["vectors"].format(table=f"vectors_{embedder}")
        count += int((await batch.link.fetch(sql, memories))[0][0])
    return count


async def _empty(batch: Batch, named: bytes, lost: set[str]) -> int:
    """Take a person's words out of the turns of others; how many there were. All records are looked through."""
    count, last = 0, -1
    while rows := await batch.link.fetch(_SQL["standing"], last, SCANNED):
        last = rows[-1][0]
        for _, key, record, reason, recorded in rows:
            steps = [_step.decode(each) for each in recorded or ()]
            texts = (record, *(recorded or ()), (reason or "").encode())
            digests = names_in(record).union(*[parts_in(step.value) for step in steps])
            if lost & digests or any(named in text for text in texts):
                await _empty_turn(batch, key, decode(record, TurnRecord), named, lost)
                gone = [step.name for step in steps if not _may_stay(step, named, lost)]
                await batch.link.fetch(_SQL["drop_steps"], key, gone)
                await batch.link.fetch(_SQL["empty_intents"], key)
                count += 1
    return count


async def _empty_turn(batch: Batch, key: str, turn: TurnRecord, named: bytes, lost: set[str]) -> None:
    """All that names the person or what was ``lost`` goes, and texts of which nobody can tell whose they are."""
    emptied = _replace(
        turn,
        outcome=Outcome(turn.outcome.status, usage=turn.outcome.usage),
        steps=tuple(step for step in turn.steps if _may_stay(step, named, lost)),
        ran=tuple(_replace(ran, contributed="") for ran in turn.ran),
        memories=tuple(each for each in turn.memories if each not in lost),
        parts=tuple(each for each in turn.parts if each not in lost),
    )
    await batch.link.fetch(_SQL["empty_turn"], key, encode(emptied))


def _may_stay(step: StepRecord, named: bytes, lost: set[str]) -> bool:
    return named not in bytes(step.value) and not lost & parts_in(step.value)
