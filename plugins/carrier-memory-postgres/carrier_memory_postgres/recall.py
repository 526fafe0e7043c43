"""Recall: from a query to memories, within what the readers may know."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from carrier_core import Memory, MemoryKind, Query, Recalled, decode
from carrier_memory_postgres.database import Database
from carrier_memory_postgres.embedding import Embeddings
from carrier_memory_postgres.kept import Kept
from carrier_memory_postgres.queries import queries
from carrier_memory_postgres.ranking import ASKING, OWN_REPLY, Found, fuse, rank
from carrier_memory_postgres.shelves import AGENT, QUESTION, Shelf, Stored, keys_for, place_of, read_shelves, shelf_of
from carrier_memory_postgres.words import KIN, Asked, plain, read, tells_of_self, within, words_in

DEEP, DEEPEST = 256, 1_024
"""Rows that are taken for one word of one shelf, and of all together, the newest: a word that is in more tells little."""
WIDE, WIDE_DEEP = 48, 2_048
"""With more shelves than this they are no words of the query but a condition on what it finds; and how many rows are
taken then, the newest."""
CANDIDATES = 10
"""Memories that are read to choose the best from, at least."""
BESIDE = 64
"""Memories found by their words, the best, whose vectors are compared too."""
QUESTIONS = 2
"""Questions of the agent whose answers are looked for in the next message."""

SAME_SPEAKER = 1.3
OTHER_SPEAKER = 0.6
"""The query says I: what the one who asks has said counts for more, what other people said for less."""
TOLD_OF_SELF = 3.0
"""The query says I, and what it asks for is told of the speaker, not of a cousin."""
NAMED = 1.5
"""The query names somebody: what they said, or what names them too."""
ANSWER = 0.4
"""What the message after a question of the agent counts, of what a person would who had said its words."""

KEPT = 4_096
"""Memories and scopes that are kept in mind."""
FRESH = 5.0
"""Seconds that the shelves of a scope are kept in mind: another daemon may put up more. What is on a shelf is read every
time, and who may know it never changes."""

_SQL = queries("recall")

Ranked = list[tuple[float, int]]
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
        asked = read(query.text, scope.speakers)
        found = await self._find(query, asked, shelves, versions)
        ranked = rank(found, of_self=asked.of_self, of_agent=asked.of_agent)
        answers = await self._answers(query, ranked, shelves, versions)
        if answers:
            best = {row: score for score, row in sorted([*ranked, *answers])}
            ranked = sorted(((score, row) for row, score in best.items()), reverse=True)
        if query.vector:
            alike = await self._embeddings.cosines(query, [shelf.number for shelf in shelves], _rows(ranked[:BESIDE]))
            ranked = fuse(ranked, alike, of_self=asked.of_self, of_agent=asked.of_agent)
        recalled = [
            Recalled(memory, round(score * _cue(row, memory, query, asked), 4))
            for score, row, memory in await self._candidates(query, ranked, versions)
        ]
        recalled.sort(key=lambda found: found.score, reverse=True)
        return tuple([found for found in recalled[: query.limit] if found.score >= query.threshold])

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
            speakers = frozenset(words_in(plain(" ".join(names))))
            scope = Scope(tuple(dict.fromkeys(shelves)), speakers, since)
            if self._database.writable:
                self._scopes[key] = scope
        return scope

    async def _find(self, query: Query, asked: Asked, shelves: Sequence[Shelf], versions: Versions) -> list[Found]:
        searches: list[tuple[int, float, str]] = []
        for number, concept in enumerate(asked.concepts):
            searches.append((number, 1.0, concept.word))
            if concept.kin:
                searches.append((number, KIN, concept.kin))
        if not searches:
            return []
        numbers = [shelf.number for shelf in shelves]
        if len(numbers) > WIDE:
            asking = [words for _, _, words in searches]
            rows = await self._database.recalled(_SQL["match_widely"], asking, query.agent, numbers, WIDE_DEEP)
        else:
            asking = [within(numbers, words) for _, _, words in searches]
            rows = await self._database.recalled(_SQL["match"], asking, query.agent, min(DEEPEST, DEEP * len(numbers)))
        found: list[list[int]] = [[] for _ in searches]
        for place, row, version in rows:
            found[place - 1].append(row)
            versions[row] = version
        return [Found(number, weight, rows) for (number, weight, _), rows in zip(searches, found, strict=True)]

    async def _answers(self, query: Query, ranked: Ranked, shelves: Iterable[Shelf], versions: Versions) -> Ranked:
        """What a person said right after the agent asked with the query's words: an answer need not repeat them."""
        asked = {row: score for score, row in ranked if row & QUESTION and row & AGENT}
        first = dict(list(asked.items())[:QUESTIONS])
        if not first:
            return []
        last = {shelf.number: shelf.last for shelf in shelves}
        rows = await self._database.recalled(
            _SQL["next"], list(first), [last[shelf_of(row)] for row in first], query.agent
        )
        versions.update((after, version) for _, after, version in rows)
        return [
            (first[row] * ANSWER / (ASKING * OWN_REPLY), after)
            for row, after, _ in rows
            if not after & (QUESTION | AGENT) and place_of(after) == place_of(row) + 1
        ]

    async def _candidates(self, query: Query, ranked: Ranked, versions: Versions) -> list[tuple[float, int, Memory]]:
        """The best that the query does not exclude, read. What no reader may know is not on these shelves; that it is
        not is checked once more on what is about to leave the store."""
        wanted = max(CANDIDATES, 2 * query.limit)
        exclude = frozenset(query.exclude)
        found: list[tuple[float, int, Memory]] = []
        size = wanted + len(exclude)
        for start in range(0, len(ranked), size):
            some = ranked[start : start + size]
            memories = await self._read(query.agent, _rows(some), versions)
            for score, row in some:
                memory = memories.get(row)
                if memory is None or memory.id in exclude or (query.kinds and memory.kind not in query.kinds):
                    continue
                if memory.provenance.audience.admits(query.readers):
                    found.append((score, row, memory))
                    if len(found) == wanted:
                        return found
        return found

    async def _read(self, agent: str, rows: list[int], versions: Versions) -> Mapping[int, Memory]:
        kept = {row: self._memories.get((row, versions.get(row, 0))) for row in rows}
        found = {row: memory for row, memory in kept.items() if memory is not None}
        missing = [row for row in rows if row not in found]
        if missing:
            for row, version, payload in await self._database.recalled(_SQL["payloads"], missing, agent):
                memory = decode(payload, object)
                if isinstance(memory, Memory):  # one that a newer release wrote in a way unknown here is left out
                    found[row] = memory
                    if self._database.writable:
                        self._memories[row, version] = memory
        return found


def _rows(ranked: Ranked) -> list[int]:
    return [row for _, row in ranked]


def _cue(row: int, memory: Memory, query: Query, asked: Asked) -> float:
    cue = 1.0
    if asked.of_self and query.speaker and memory.entity and not memory.by_agent:
        cue = SAME_SPEAKER if memory.entity == query.speaker else OTHER_SPEAKER
    if asked.of_self and not row & QUESTION and tells_of_self(memory.text, asked.stems):
        cue *= TOLD_OF_SELF
    if asked.names:
        text = f"{memory.name} {memory.text}".lower()
        if any(name in text for name in asked.names):
            cue *= NAMED
    return cue
