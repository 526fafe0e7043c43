"""Recall: from a query to memories, within what the readers may know."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import apsw

from carrier_core import Memory, Query, Recalled
from carrier_core.recall import (
    BESIDE,
    Asked,
    Choice,
    Found,
    Shelf,
    Sought,
    fuse,
    last_of,
    questions,
    rank,
    shelf_of,
    with_answers,
)
from carrier_memory_sqlite.beginnings import ANY, bits_of_sought
from carrier_memory_sqlite.queries import queries

DEEP = 256
"""Rows that are taken for one word of one shelf, the newest: a word that is in more of them tells little."""
MOST = 2 * DEEP
"""Rows that are read from the oldest on to take the newest of. SQLite reads a shelf backwards in several times the time that
it takes forwards, the more so the more rooms use a word: so only where there are more rows than this it does."""
WIDE, WIDE_DEEP = 48, 50_000
"""With more shelves than this, one search for a word over all shelves costs less than one for each; and how many rows
that takes, the newest."""

Rows = Callable[[str, tuple[object, ...]], list[tuple[int]]]
Cosines = Callable[[Sequence[int]], dict[int, float]]

_SQL = queries("recall")
_MATCH = _SQL["match"].format(most=MOST)
_NEXT = queries("memory")["next_row"]


class Search:
    """One recall: ``match`` runs a search of the index, ``rows`` any query, ``read`` gives the memory of a row, or None.
    ``beginnings`` tells of a shelf with what its words begin (see :class:`carrier_memory_sqlite.beginnings.Beginnings`)."""

    def __init__(
        self,
        match: Rows,
        rows: Rows,
        read: Callable[[int], Memory | None],
        beginnings: Callable[[Shelf], int] = lambda shelf: ANY,
    ) -> None:
        self._search = match
        self._rows = rows
        self._read = read
        self._beginnings = beginnings

    def run(
        self, query: Query, asked: Asked, shelves: Sequence[Shelf], cosines: Cosines | None = None
    ) -> tuple[Recalled, ...]:
        """The memories on these shelves that answer best, best first.

        ``cosines``, for a query with a vector, tells how much the nearest memories and those of the rows given are like it.
        """
        ranked = rank(self._find(asked, shelves), of_self=asked.of_self, of_agent=asked.of_agent)
        if questioned := questions(ranked):
            ranked = with_answers(ranked, questioned, self._after(questioned))
        if cosines is not None:
            alike = cosines([row for _, row in ranked[:BESIDE]])
            ranked = fuse(ranked, alike, of_self=asked.of_self, of_agent=asked.of_agent)
        choice = Choice(query, asked)
        for score, row in ranked:
            if not choice.wants(score):
                break
            choice.offer(score, row, self._read(row))
        return choice.recalled()

    def _find(self, asked: Asked, shelves: Sequence[Shelf]) -> Iterator[Found]:
        match = self._match_widely if len(shelves) > WIDE else self._match
        for sought in asked.sought:
            try:
                rows = match(sought, shelves)
            except apsw.SQLError:
                continue  # a sign that is a letter to Python and none to SQLite: no word that could have been indexed
            yield Found(sought.concept, sought.weight, rows)

    def _match(self, sought: Sought, shelves: Sequence[Shelf]) -> list[int]:
        words, bits = expression(sought), bits_of_sought(sought)
        return [row for shelf in shelves if self._beginnings(shelf) & bits for (row,) in self._newest(words, shelf)]

    def _newest(self, words: str, shelf: Shelf) -> list[tuple[int]]:
        """The newest rows of a shelf that have the words, ``DEEP`` at most."""
        found = self._search(_MATCH, (words, shelf.first, shelf.last))
        if len(found) == MOST:
            found = self._search(_SQL["match_newest"], (words, shelf.first, shelf.last, DEEP))
        return found[-DEEP:]

    def _match_widely(self, sought: Sought, shelves: Sequence[Shelf]) -> list[int]:
        """One search over everything, of which the rows on these shelves are taken."""
        numbers = {shelf.number for shelf in shelves}
        limits = (min(shelf.first for shelf in shelves), max(shelf.last for shelf in shelves))
        found = self._search(_SQL["match_newest"], (expression(sought), *limits, WIDE_DEEP))
        return [row for (row,) in found if shelf_of(row) in numbers][: 10 * DEEP]

    def _after(self, rows: Iterable[int]) -> list[tuple[int, int]]:
        """What stands after these rows on their shelves."""
        return [(row, after) for row in rows for (after,) in self._rows(_NEXT, (row, last_of(row)))]


def expression(sought: Sought) -> str:
    """What is sought as FTS5 reads it: words in quotes, so that none is an operator."""
    words = [f'"{word}"' for word in sought.words]
    return f"{words[0]}*" if sought.begins else " OR ".join(words)
