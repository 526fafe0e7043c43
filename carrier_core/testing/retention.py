"""What a store in memory lets go of: a person, and what is older than it has to be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeVar

import msgspec

from carrier_core import Outcome, Queued, Retention, Sending, Spending, decode, encode
from carrier_core.ledger import digests_of
from carrier_core.outcomes import Composition
from carrier_core.testing.archive import digests
from carrier_core.testing.database import Database
from carrier_core.testing.memory import InMemoryMemory

DAY = 86_400.0
ENDED = (Sending.SENT, Sending.DEAD, Sending.DISCARDED)
"""The states of a reply part that nobody has to look after any more."""

K = TypeVar("K")
R = TypeVar("R")

_replace = msgspec.structs.replace


def _drop(table: dict[K, R], unwanted: Callable[[R], bool]) -> list[K]:
    """Remove rows; their keys."""
    keys = [key for key, row in table.items() if unwanted(row)]
    for key in keys:
        del table[key]
    return keys


# --- forgetting a person -------------------------------------------------------------------------------------------------


def forget_person(memory: InMemoryMemory, entity: str) -> dict[str, int]:
    """Whatever names the person goes: speakers, senders and origins are told by the entity's id.

    A turn of somebody else stays without their words. One that is not finished and whose inbound named them goes too:
    there is nothing left to answer.
    """
    database, gone, named = memory.database, Counter[str](), entity.encode()

    def names_them(row: msgspec.Struct) -> bool:
        return named in encode(row)

    lost = {row.turn for row in database.inbound.values() if named in bytes(row.payload)}
    for key, handled in [*database.turns.items()]:
        if handled.record.person == entity or (key in lost and handled.state != "finished"):
            gone.update(_drop_turn(database, key))
    gone["inbound"] += len(_drop(database.inbound, lambda row: named in bytes(row.payload)))
    gone["outbox"] += len(_drop(database.outbox, names_them))
    gone["schedules"] += len(_drop(database.schedules, names_them))
    gone["entities"] += len(_drop(database.entities, names_them))
    gone["participants"] += len(_drop(database.participants, lambda row: row.entity == entity))
    parts = _drop(database.parts, lambda row: names_them(row.part))
    memories = _drop(database.memories, names_them)
    gone.update(parts=len(parts), memories=len(memories), vectors=sum(map(memory.unembed, memories)))
    gone.update(Spending(database.counters, database.holds).forget(entity))
    gone["turns"] += sum(_empty(database, key, named, {*parts, *memories}) for key in database.turns)
    return dict(gone)


def _empty(database: Database, key: str, named: bytes, lost: set[str]) -> bool:
    """Take a person's words out of a turn of somebody else: all that names the person or what was ``lost``, and texts of
    which nobody can tell whose they are. Whether there was anything."""
    handled = database.turns[key]
    record = handled.record
    if named not in encode(handled) and not lost & {*digests(handled), *record.memories}:
        return False

    def may_stay(value: msgspec.Raw) -> bool:
        found = None if bytes(value) == b"null" or named in bytes(value) else decode(value, object)
        return named not in bytes(value) and not (isinstance(found, Composition) and lost & {*digests_of(found)})

    emptied = _replace(
        record,
        outcome=Outcome(record.outcome.status, usage=record.outcome.usage),
        steps=tuple(step for step in record.steps if may_stay(step.value)),
        ran=tuple(_replace(ran, contributed="") for ran in record.ran),
        memories=tuple(each for each in record.memories if each not in lost),
        parts=tuple(each for each in record.parts if each not in lost),
    )
    parking = handled.parking and _replace(handled.parking, reason="")
    database.turns[key] = _replace(handled, record=emptied, parking=parking)
    for intent in [each for each in database.intents.values() if each.turn == key]:
        database.intents[intent.key] = _replace(intent, what="")
    return True


# --- retention ------------------------------------------------------------------------------------------------------------


def expire(memory: InMemoryMemory, agent: str, rules: Iterable[Retention], now: float, limit: int) -> int:
    """The oldest first; a turn counts as one, whatever belongs to it."""
    database, removed = memory.database, 0
    for rule in rules:
        if rule.kind == "turn":
            started = {key: turn.record.started for key, turn in database.turns.items() if turn.record.agent == agent}
            old = [key for key in _beyond(rule, started, now) if _is_over(database, key)][: limit - removed]
            for key in old:
                _drop_turn(database, key)
        else:
            kind = [each for each in database.memories.values() if (each.agent, each.kind) == (agent, rule.kind)]
            old = _beyond(rule, {each.id: each.at for each in kind}, now)[: limit - removed]
            for key in old:
                memory.unembed(key)
                del database.memories[key]
        removed += len(old)
    return removed


def _beyond(rule: Retention, times: dict[str, float], now: float) -> list[str]:
    """The keys that a rule does not keep, the oldest first."""
    ordered = sorted(times, key=lambda key: times[key])
    excess = 0 if rule.most is None else max(0, len(ordered) - rule.most)
    oldest = None if rule.days is None else now - rule.days * DAY
    return [key for place, key in enumerate(ordered) if place < excess or (oldest is not None and times[key] < oldest)]


def _is_over(database: Database, turn: str) -> bool:
    """Whether nobody has to do anything about a turn any more."""
    replies = all(post.state in ENDED for post in database.outbox.values() if post.part.turn == turn)
    return database.turns[turn].state == "finished" and replies


def _drop_turn(database: Database, turn: str) -> dict[str, int]:
    """Remove a turn with all that is its own; how many rows of each sort that were. Its parts go if no other names them."""
    handled = database.turns.pop(turn)
    record = handled.record
    here = (record.agent, record.room)
    kept = {digest for each in database.turns.values() for digest in digests(each)}

    def was_its(row: Queued) -> bool:
        return row.turn == turn or ((row.agent, row.room) == here and row.seq in record.superseded)

    return {
        "turns": 1,
        "inbound": len(_drop(database.inbound, was_its)),
        "intents": len(_drop(database.intents, lambda row: row.turn == turn)),
        "outbox": len(_drop(database.outbox, lambda row: row.part.turn == turn)),
        "parts": len(_drop(database.parts, lambda row: row.digest in digests(handled) - kept)),
    }
