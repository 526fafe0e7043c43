"""Merging the segments of the index, piece by piece, while the store is in use.

Every batch of memories that is indexed is a segment of its own. SQLite merges two of one size at a time, so a large index has
some ten, and a search for a word looks it up in each of them (some 5 microseconds).
"""

from __future__ import annotations

from carrier_memory_sqlite.forgetting import merge
from carrier_memory_sqlite.queries import queries
from carrier_memory_sqlite.transaction import Transaction

MANY = 7
"""Segments from which on all are merged into one. That writes the whole index once in the time in which it gains some
60,000 memories, which is less than what the searches of as many turns save."""

_SQL = queries("recall")


class Merging:
    """Whether a merge of everything is under way. :meth:`step` runs in the writer thread."""

    def __init__(self) -> None:
        self._begun = False

    def step(self, transaction: Transaction) -> bool:
        """Merge some pages, if there is need for it; returns whether more is left to merge."""
        if self._begun:
            self._begun = merge(transaction, first=False)
        elif transaction.rows(_SQL["segments"])[0][0] >= MANY:
            self._begun = True
            merge(transaction, first=True)
        return self._begun
