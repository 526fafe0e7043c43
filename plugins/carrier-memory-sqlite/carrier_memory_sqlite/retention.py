"""What need not be kept any longer: finding and removing it, a turn with all that belongs to it."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection, Iterable

from carrier_core import Retention, TurnRecord, parts_of
from carrier_memory_sqlite.database import Database
from carrier_memory_sqlite.journal import SqliteJournal
from carrier_memory_sqlite.memory import SqliteMemory
from carrier_memory_sqlite.queries import queries
from carrier_memory_sqlite.records import record_of
from carrier_memory_sqlite.traces import Rows
from carrier_memory_sqlite.transaction import Transaction

DAY = 86_400.0
TURN = "turn"
"""The kind of rules that are about turns; all others are about memories."""

_SQL = queries("retention")
_TURNS = queries("turns")


async def expire(database: Database, memory: SqliteMemory, agent: str, rule: Retention, now: float, limit: int) -> int:
    """Remove what a rule does not keep, at most ``limit`` turns or memories; returns how many that were."""
    found = await database.aside(lambda rows: beyond(rows, agent, rule, now, limit))
    if not found or rule.kind != TURN:
        return await memory.drop(found) if found else 0
    return (await database.write(lambda transaction: drop_turns(transaction, found)))["turns"]


async def sweep(database: Database, journal: SqliteJournal) -> int:
    """Remove the parts that no turn names any more; returns how many. It looks at all turns, if there is one to look for."""
    candidates = await database.aside(orphans)
    if not candidates:
        return 0
    named, upto = await database.apart(lambda rows: named_by_traces(rows, candidates))
    return await database.write(
        lambda transaction: drop_orphans(transaction, candidates, named, upto), lambda _: journal.forgot(())
    )


# --- in a reader -----------------------------------------------------------------------------------------------------


def beyond(rows: Rows, agent: str, rule: Retention, now: float, limit: int) -> list[int]:
    """The numbers of turns, or the rows of memories, that a rule does not keep, the oldest first. In a reader."""
    of = (agent,) if rule.kind == TURN else (agent, rule.kind)
    sort = "turns" if rule.kind == TURN else "memories"
    found: dict[int, None] = {}
    if rule.most is not None:
        ((total,),) = rows(_SQL["turns_of_agent" if sort == "turns" else "memories_of_kind"], of)
        excess = max(0, total - rule.most)
        if excess:
            values = (*of, excess, limit) if sort == "turns" else (*of, min(excess, limit))
            found.update(dict.fromkeys(number for (number,) in rows(_SQL[f"{sort}_beyond"], values)))
    if rule.days is not None and len(found) < limit:
        values = (*of, now - rule.days * DAY, limit)
        found.update(dict.fromkeys(number for (number,) in rows(_SQL[f"{sort}_before"], values)))
    return [*found][:limit]


def named_by_traces(rows: Rows, orphans: Collection[int]) -> tuple[set[int], int]:
    """Which of the orphans finished turns name, and the last trace that was looked at. In a reader: it reads them all."""
    wanted, found, last = set(orphans), set[int](), 0
    while True:
        traces = [*rows(_SQL["traces"], (last,))]
        if not traces:
            return found, last
        for trace, parts in traces:
            found |= wanted.intersection(_numbers(rows, trace, parts))
        last = traces[-1][0]


def orphans(rows: Rows) -> tuple[int, ...]:
    """The numbers of parts that turns named which are gone."""
    return tuple([part for (part,) in rows(_SQL["orphans"], ())])


# --- in the writer ---------------------------------------------------------------------------------------------------


def drop_turns(transaction: Transaction, numbers: Iterable[int], *, over: bool = True) -> Counter[str]:
    """Remove turns, those that are over only unless said otherwise; their parts become orphans. Returns how many rows of
    each sort were removed."""
    gone = Counter[str]()
    for number in numbers:
        if not over or transaction.rows(_SQL["is_over"], (number,)):
            gone += _drop_turn(transaction, number)
    return gone


def _drop_turn(transaction: Transaction, number: int) -> Counter[str]:
    gone = Counter[str]()
    for key, place, trace, *stored in transaction.rows(_SQL["turn"], (number,)):
        record = record_of(transaction.rows, number, *stored)
        for part in transaction.part_numbers([*parts_of(record)], lenient=True) or ():
            transaction.execute(_SQL["orphan"], (part,))
        removed = transaction.removed
        for seq in (*record.inbound, *record.superseded):
            gone["inbound"] += removed(_SQL["drop_inbound"], (place, seq))
        gone["inbound"] += removed(_SQL["drop_beside"], (key,))
        gone["intents"] += removed(_SQL["drop_intents"], (key,))
        gone["outbox"] += removed(_SQL["drop_posts"], (key,))
        for table in ("drop_draft", "drop_steps", "unpark"):
            transaction.execute(_TURNS[table], (number,))
        transaction.execute(_SQL["drop_trace"], (trace,))
        gone["turns"] += removed(_SQL["drop_turn"], (number,))
    return gone


def drop_orphans(transaction: Transaction, orphans: Collection[int], named: Collection[int], upto: int) -> int:
    """Remove the orphans that no turn names: none of those looked at (``named``), and none of the traces after ``upto``
    or of the turns that go on, which are looked at now. Returns how many parts were removed."""
    left = set(orphans).difference(named, _named_after(transaction.rows, upto), _named_by_drafts(transaction))
    gone = sum(transaction.removed(_SQL["drop_part"], (part,)) for part in left)
    transaction.executemany(_SQL["no_orphan"], [(part,) for part in orphans])
    if gone:
        transaction.forget_parts()
    return gone


def _named_after(rows: Rows, trace: int) -> set[int]:
    found = set[int]()
    while traces := [*rows(_SQL["traces"], (trace,))]:
        for trace, parts in traces:
            found.update(_numbers(rows, trace, parts))
    return found


def _named_by_drafts(transaction: Transaction) -> set[int]:
    found = set[int]()
    for number, record in transaction.rows(_SQL["drafts"]):
        found.update(_stored(transaction.rows, record_of(transaction.rows, number, record)))
    return found


def _numbers(rows: Rows, trace: int, parts: bytes | None) -> Iterable[int]:
    """The numbers of the parts that a trace names: beside its record, or in it."""
    if parts is not None:
        return array("I", parts)[1:]
    for stored in rows(_SQL["trace"], (trace,)):
        return _stored(rows, record_of(rows, 0, None, *stored))
    return ()


def _stored(rows: Rows, record: TurnRecord) -> list[int]:
    return [number for digest in parts_of(record) for (number,) in rows(_TURNS["part_number"], (digest,))]
