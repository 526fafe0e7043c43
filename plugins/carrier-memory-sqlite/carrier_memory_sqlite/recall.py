"""Recall: from a query to memories, within what the readers may know."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import apsw

from carrier_core import Memory, Query, Recalled
from carrier_memory_sqlite.queries import queries
from carrier_memory_sqlite.ranking import ASKING, OWN_REPLY, Found, fuse, rank
from carrier_memory_sqlite.shelves import AGENT, QUESTION, Shelf, place_of, shelf_of
from carrier_memory_sqlite.words import KIN, Asked, tells_of_self

DEEP = 256
"""Rows that are taken for one word of one shelf, the newest: a word that is in more of them tells little."""
WIDE, WIDE_DEEP = 48, 50_000
"""With more shelves than this, one search for a word over all shelves costs less than one for each; and how many rows
that takes, the newest."""
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

Rows = Callable[[str, tuple[object, ...]], list[tuple[int]]]
Cosines = Callable[[Sequence[int]], dict[int, float]]


class Search:
    """One recall: ``match`` runs a search of the index, ``rows`` any query, ``read`` gives the memory of a row, or None."""

    def __init__(self, match: Rows, rows: Rows, read: Callable[[int], Memory | None]) -> None:
        self._search = match
        self._rows = rows
        self._read = read
        self._sql = queries("recall")
        self._next = queries("memory")["next_row"]

    def run(
        self, query: Query, asked: Asked, shelves: Sequence[Shelf], cosines: Cosines | None = None
    ) -> tuple[Recalled, ...]:
        """The memories on these shelves that answer best, best first.

        ``cosines``, for a query with a vector, tells how much the nearest memories and those of the rows given are like it.
        """
        ranked = rank(self._find(asked, shelves), of_self=asked.of_self, of_agent=asked.of_agent)
        answers = list(self._answers(ranked, shelves))
        if answers:
            best = {row: score for score, row in sorted([*ranked, *answers])}
            ranked = sorted(((score, row) for row, score in best.items()), reverse=True)
        if cosines is not None:
            alike = cosines([row for _, row in ranked[:BESIDE]])
            ranked = fuse(ranked, alike, of_self=asked.of_self, of_agent=asked.of_agent)
        recalled = [
            Recalled(memory, round(score * _cue(row, memory, query, asked), 4))
            for score, row, memory in self._candidates(query, ranked)
        ]
        recalled.sort(key=lambda found: found.score, reverse=True)
        return tuple(found for found in recalled[: query.limit] if found.score >= query.threshold)

    def _find(self, asked: Asked, shelves: Sequence[Shelf]) -> Iterator[Found]:
        for number, concept in enumerate(asked.concepts):
            yield Found(number, 1.0, self._match(concept.word, shelves))
            if concept.kin:
                yield Found(number, KIN, self._match(concept.kin, shelves))

    def _match(self, words: str, shelves: Sequence[Shelf]) -> list[int]:
        try:
            if len(shelves) > WIDE:
                return self._match_widely(words, shelves)
            ranges = [(words, shelf.first, shelf.last, DEEP) for shelf in shelves]
            return [row for values in ranges for (row,) in self._search(self._sql["match"], values)]
        except apsw.SQLError:
            return []  # a sign that is a letter to Python and none to SQLite: no word that could have been indexed

    def _match_widely(self, words: str, shelves: Sequence[Shelf]) -> list[int]:
        """One search over everything, of which the rows on these shelves are taken."""
        numbers = {shelf.number for shelf in shelves}
        limits = (min(shelf.first for shelf in shelves), max(shelf.last for shelf in shelves))
        found = self._search(self._sql["match"], (words, *limits, WIDE_DEEP))
        return [row for (row,) in found if shelf_of(row) in numbers][: 10 * DEEP]

    def _answers(self, ranked: Sequence[tuple[float, int]], shelves: Iterable[Shelf]) -> Iterator[tuple[float, int]]:
        """What a person said right after the agent asked with the query's words: an answer need not repeat them."""
        last = {shelf.number: shelf.last for shelf in shelves}
        asked = [pair for pair in ranked if pair[1] & QUESTION and pair[1] & AGENT]
        for score, row in asked[:QUESTIONS]:
            for (after,) in self._rows(self._next, (row, last[shelf_of(row)])):
                if not after & (QUESTION | AGENT) and place_of(after) == place_of(row) + 1:
                    yield score * ANSWER / (ASKING * OWN_REPLY), after

    def _candidates(self, query: Query, ranked: list[tuple[float, int]]) -> list[tuple[float, int, Memory]]:
        """The best that the query does not exclude, read. What no reader may know is not on these shelves; that it is
        not is checked once more on what is about to leave the store."""
        wanted = max(CANDIDATES, 2 * query.limit)
        exclude = frozenset(query.exclude)
        found: list[tuple[float, int, Memory]] = []
        for score, row in ranked:
            memory = self._read(row)
            if memory is None or memory.id in exclude or (query.kinds and memory.kind not in query.kinds):
                continue
            if memory.provenance.audience.admits(query.readers):
                found.append((score, row, memory))
                if len(found) == wanted:
                    break
        return found


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
