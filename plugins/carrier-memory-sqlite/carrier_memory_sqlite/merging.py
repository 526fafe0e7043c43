"""Merging the segments of the index, piece by piece, while the store is in use.

Every batch of memories that is indexed is a segment of its own. SQLite merges two of one size at a time, so a large index has
some ten, and a search for a word looks it up in each of them (some 3 microseconds), though there be nothing to find.
"""

from __future__ import annotations

from carrier_memory_sqlite.forgetting import merge
from carrier_memory_sqlite.queries import queries
from carrier_memory_sqlite.transaction import Transaction

MANY = 7
"""Segments from which on all are merged into one, however small most of them are."""
SHARE = 16
"""All are merged into one as soon as those beside the largest have a page for so many of all pages. So a memory's words are
written some 16 times more while the index grows, which takes a hundredth of a millisecond."""

_SQL = queries("recall")


class Merging:
    """Whether a merge of everything is under way. :meth:`step` runs in the writer thread."""

    def __init__(self) -> None:
        self._begun = False

    def step(self, transaction: Transaction) -> bool:
        """Merge some pages, if there is need for it; returns whether more is left to merge."""
        if self._begun:
            self._begun = merge(transaction, first=False)
        elif worthwhile([pages for (pages,) in transaction.rows(_SQL["segments"])]):
            self._begun = True
            merge(transaction, first=True)
        return self._begun


def worthwhile(segments: list[int]) -> bool:
    """Whether segments of so many pages are to be merged into one."""
    if len(segments) < 2:
        return False
    whole = sum(segments)
    return len(segments) >= MANY or (whole - max(segments)) * SHARE >= whole
