"""Recall: from a query to memories, within what the readers may know."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from carrier_core import Kept, Memory, MemoryKind, Query, Recalled, decode, inflate
from carrier_core.recall import (
    BESIDE,
    Asked,
    Choice,
    Found,
    Ranked,
    Shelf,
    fuse,
    keys_for,
    last_of,
    questions,
    rank,
    read_query,
    read_shelves,
    speakers,
    with_answers,
)
from carrier_memory_postgres.database import Database
from carrier_memory_postgres.embedding import Embeddings
from carrier_memory_postgres.lexemes import expression, within
from carrier_memory_postgres.prepared import Stored
from carrier_memory_postgres.queries import queries

DEEP, DEEPEST = 256, 1_024
"""Rows that are taken for one word of one shelf, and of all together, the newest: a word that is in more tells little."""
WIDE, WIDE_DEEP = 48, 2_048
"""With more shelves than this they are no words of the query but a condition on what it finds; and how many rows are
taken then, the newest."""
KEPT = 4_096
"""Memories and scopes that are kept in mind."""
FRESH = 5.0
"""Seconds that the shelves of a scope are kept in mind: another daemon may put up more. What is on a shelf is read every
time, and who may know it never changes."""

_SQL = queries("recall")

Versions = dict[int, int]
"""By row, the transaction that wrote it: a memory that was edited has another."""


class Scope(NamedTuple):
    """Where to search: the shelves that may be looked at, the words of the names of those who speak there, as of when."""

    shelves: tuple[Shelf, ...]
    speakers: frozenset[str]
    since: float


class Search:
    """Recalls. What is kept in mind of memories is used only if the search has just found that very version."""

    def __init__(self, database: Database, embeddings: Embeddings) -> None:
        self._database = database
        self._embeddings = embeddings
        self._scopes: Kept[tuple[str, str, tuple[str, ...], bool, bool, str], Scope] = Kept(KEPT)
        self._memories: Kept[tuple[int, int], Memory] = Kept(KEPT)

    def note(self, stored: Stored) -> None:
        """That memories were written: those who look where a new shelf is find it from now on."""
        for agent, room, keys in stored.shelves:
            for known in self._scopes.names():
                if known[0] == agent and (known[1] == room or not set(keys).isdisjoint(known[2])):
                    self._scopes.pop(known, None)

    def clear(self) -> None:
        """Keep nothing in mind."""
        self._scopes.clear()
        self._memories.clear()

    async def run(self, query: Query) -> tuple[Recalled, ...]:
        """The memories that all readers may know and that answer best, best first."""
        scope = await self._scope(query)
        shelves = tuple([shelf for shelf in scope.shelves if shelf.audience.admits(query.readers)])
        if not shelves:
            return ()
        versions: Versions = {}
        asked = read_query(query.text, scope.speakers)
        found = await self._find(query, asked, shelves, versions)
        ranked = rank(found, of_self=asked.of_self, of_agent=asked.of_agent)
        if questioned := questions(ranked):
            ranked = with_answers(ranked, questioned, await self._after(query.agent, questioned, versions))
        if query.vector:
            alike = await self._embeddings.cosines(query, [shelf.number for shelf in shelves], _rows(ranked[:BESIDE]))
            ranked = fuse(ranked, alike, of_self=asked.of_self, of_agent=asked.of_agent)
        return await self._choose(Choice(query, asked), query, ranked, versions)

    async def _scope(self, query: Query) -> Scope:
        """The shelves that one of the query's readers may know, those of the room first."""
        kinds, readers = query.kinds, query.readers
        messages, others = not kinds or MemoryKind.MESSAGE in kinds, kinds != (MemoryKind.MESSAGE,)
        key = (query.agent, query.room, keys_for(readers), messages, others, query.room or readers.room)
        scope = self._scopes.get(key)
        if scope is None or time.monotonic() - scope.since > FRESH:
            since = time.monotonic()
            agent, room, keys, *rest = key
            rows = await self._database.recalled(_SQL["scope"], agent, room, list(keys), *rest)
            names = [agent, *(name for number, _, name in rows if number is None)]
            shelves = read_shelves((number, audience) for number, audience, _ in rows if number is not None)
            scope = Scope(tuple(dict.fromkeys(shelves)), speakers(names), since)
            if self._database.writable:
                self._scopes[key] = scope
        return scope

    async def _find(self, query: Query, asked: Asked, shelves: Sequence[Shelf], versions: Versions) -> list[Found]:
        if not asked.sought:
            return []
        numbers = [shelf.number for shelf in shelves]
        asking = [expression(sought) for sought in asked.sought]
        if len(numbers) > WIDE:
            rows = await self._database.recalled(_SQL["match_widely"], asking, query.agent, numbers, WIDE_DEEP)
        else:
            asking = [within(numbers, words) for words in asking]
            rows = await self._database.recalled(_SQL["match"], asking, query.agent, min(DEEPEST, DEEP * len(numbers)))
        found = [Found(sought.concept, sought.weight, []) for sought in asked.sought]
        for place, row, version in rows:
            found[place - 1].rows.append(row)
            versions[row] = version
        return found

    async def _after(self, agent: str, rows: Iterable[int], versions: Versions) -> list[tuple[int, int]]:
        """What stands after these rows on their shelves."""
        rows = [*rows]
        found = await self._database.recalled(_SQL["next"], rows, [last_of(row) for row in rows], agent)
        versions.update((after, version) for _, after, version in found)
        return [(row, after) for row, after, _ in found]

    async def _choose(self, choice: Choice, query: Query, ranked: Ranked, versions: Versions) -> tuple[Recalled, ...]:
        """Read candidates, some at a time, while they may be among the best; each once, also one that turns out to be gone."""
        memories: list[Memory | None] = []
        count = choice.size + len(query.exclude)
        for position, (score, row) in enumerate(ranked):
            if not choice.wants(score):
                break
            if position == len(memories):
                rows = _rows(ranked[position : position + count])
                found = await self._read(query.agent, rows, versions)
                memories += [found.get(each) for each in rows]
                count = choice.size
            choice.offer(score, row, memories[position])
        return choice.recalled()

    async def _read(self, agent: str, rows: list[int], versions: Versions) -> Mapping[int, Memory]:
        kept = {row: self._memories.get((row, versions.get(row, 0))) for row in rows}
        found = {row: memory for row, memory in kept.items() if memory is not None}
        missing = [row for row in rows if row not in found]
        if missing:
            for row, version, payload in await self._database.recalled(_SQL["payloads"], missing, agent):
                memory = decode(inflate(payload), object)
                if isinstance(memory, Memory):  # one that a newer release wrote in a way unknown here is left out
                    found[row] = memory
                    if self._database.writable:
                        self._memories[row, version] = memory
        return found


def _rows(ranked: Ranked) -> list[int]:
    return [row for _, row in ranked]
