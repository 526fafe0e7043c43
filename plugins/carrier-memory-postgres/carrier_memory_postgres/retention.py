"""What need not be kept any longer, and the removing of a turn with all that belongs to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from carrier_core import Retention, StepRecord, inflate, parts_in
from carrier_memory_postgres.batch import Batch
from carrier_memory_postgres.database import Database
from carrier_memory_postgres.partitions import detach, drop_detached, over
from carrier_memory_postgres.queries import queries
from carrier_memory_postgres.standing import Needs
from carrier_memory_postgres.storing import forget_memories
from carrier_memory_postgres.traces import names_in

DAY = 86_400.0
TURN = "turn"
"""The kind of rules that are about turns; all others are about memories."""
SCANNED = 2_000
"""Records of turns that are looked through at once for the parts that they name."""
LONG = 3_600.0
"""Seconds that dropping a month may take."""

_SQL = queries("retention")
_step = msgspec.json.Decoder(StepRecord)


class Retainer:
    """Removes what rules do not keep: what is to go is found by a reader, and removed by the writer."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def expire(self, agent: str, rules: Sequence[Retention], now: float, limit: int) -> int:
        """Remove some of what the rules do not keep; a month of which nothing is kept goes at once. Returns how many rows
        that were, a turn with all that belongs to it counting as one."""
        removed = await self._months(agent, rules, now)
        for rule in rules:
            if removed >= limit:
                break
            if rule.days is None and rule.most is None:
                continue
            turns = rule.kind == TURN
            found = [row[0] for row in await self._beyond(agent, rule, now, limit - removed)]
            if found:
                removed += await self._remove(found, turns=turns)
        if not removed:
            await self._sweep()
        return removed

    async def _months(self, agent: str, rules: Sequence[Retention], now: float) -> int:
        cutoffs: dict[str, float] = {}
        for rule in rules:
            if rule.kind != TURN and rule.days is not None:
                cutoffs[rule.kind] = max(cutoffs.get(rule.kind, float("-inf")), now - rule.days * DAY)
        name = await self._database.pool.run(lambda link: over(link, agent, cutoffs))
        if name:

            async def take_out(batch: Batch) -> None:
                await detach(batch.link, name)
                batch.known.partitions.clear()

            await self._database.write(Needs(), lambda batch: None, alone=take_out)
        if not name and not await self._is_dropping(agent):
            return 0
        return await self._database.apart("retention", LONG, lambda link: drop_detached(link, agent))

    async def _is_dropping(self, agent: str) -> bool:
        return bool(await self._database.rows(queries("partitions")["dropping"], agent))

    async def _beyond(self, agent: str, rule: Retention, now: float, limit: int) -> list[tuple[str]]:
        before = float("-inf") if rule.days is None else now - rule.days * DAY
        sql = _SQL["turns_beyond" if rule.kind == TURN else "memories_beyond"]
        rows = await self._database.rows(sql, agent, rule.kind, before, rule.most, limit)
        return [(row[0],) for row in rows]

    async def _remove(self, ids: list[str], *, turns: bool) -> int:
        count: list[int] = []

        async def remove(batch: Batch) -> None:
            if turns:
                over_by_now = [row[0] for row in await batch.link.fetch(_SQL["over"], ids)]
                count[:] = [(await drop_turns(batch, over_by_now))["turns"]]
            else:
                count[:] = [await forget_memories(batch, ids)]

        return await self._database.write(Needs(), lambda batch: count[0], alone=remove)

    async def _sweep(self) -> None:
        """Remove the orphaned parts that no turn names. The records of all turns that have finished are read for that, beside
        the writer; those that have not, or did so meanwhile, in the transaction that removes."""
        rows = self._database.rows
        orphans: dict[str, int | None] = dict(await rows(_SQL["orphans"]))
        if not orphans:
            return
        began = [key for (key,) in await rows(_SQL["open"])]
        left, last = dict(orphans), -1
        while found := await rows(_SQL["records"], last, SCANNED):
            last = found[-1][0]
            _keep(left, [record for _, record in found])

        async def remove(batch: Batch) -> None:
            fetch = batch.link.fetch
            open_now = [key for (key,) in await fetch(_SQL["open"])]
            _keep(left, [record for (record,) in await fetch(_SQL["of"], began + open_now)])
            for (step,) in await fetch(_SQL["steps"]):
                for digest in parts_in(_step.decode(step).value):
                    left.pop(digest, None)
            since = last
            while found := await fetch(_SQL["records"], since, SCANNED):
                since = found[-1][0]
                _keep(left, [record for _, record in found])
            await fetch(_SQL["drop_parts"], sorted(left))
            await fetch(_SQL["no_orphans"], sorted(orphans))
            batch.generation = (await fetch(_SQL["outdate"]))[0][0]

        await self._database.write(Needs(), lambda batch: None, alone=remove)


def _keep(orphans: dict[str, int | None], records: Iterable[bytes]) -> None:
    """Take those parts out that records name."""
    digests = {number: digest for digest, number in orphans.items()}
    for record in records:
        names = names_in(inflate(record))
        for digest in names.parts.union(digests[number] for number in names.numbers if number in digests):
            orphans.pop(digest, None)


async def drop_turns(batch: Batch, ids: Iterable[str]) -> Counter[str]:
    """Remove turns with all that is their own; how many rows of each sort that were. Their parts become orphans."""
    keys = sorted({*ids})
    gone = Counter[str]()
    if not keys:
        return gone
    fetch = batch.link.fetch
    named: set[str] = set()
    numbers: set[int] = set()
    rows: list[tuple[int, int]] = []
    for place, record in await fetch(_SQL["turns"], keys):
        names = names_in(inflate(record))
        named |= names.parts
        numbers.update(names.numbers)
        rows += [(place, seq) for seq in names.superseded]
    for (record,) in await fetch(_SQL["steps_of"], keys):
        named |= parts_in(_step.decode(record).value)
    gone["inbound"] += len(await fetch(_SQL["drop_inbound"], keys))
    if rows:
        gone["inbound"] += len(
            await fetch(_SQL["drop_superseded"], *[list(column) for column in zip(*rows, strict=True)])
        )
    for sort in ("steps", "intents", "outbox", "turns"):
        count = len(await fetch(_SQL[f"drop_{sort}"], keys))
        if sort != "steps":
            gone[sort] += count
    await fetch(_SQL["orphan"], sorted(named), sorted(numbers))
    batch.known.turns.clear()
    batch.generation = (await fetch(_SQL["outdate"]))[0][0]
    return gone
