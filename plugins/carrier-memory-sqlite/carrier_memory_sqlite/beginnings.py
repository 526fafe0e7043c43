"""What words on small shelves begin with, so that most searches of them need not be made.

What an agent noted of a person or of a room is a shelf of a few memories, and most of what is said has none of their words;
but every search takes some 20 microseconds, however little there is to find.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from carrier_core import Kept, Memory
from carrier_core.recall import Shelf, Sought, prepare, shelf_of
from carrier_memory_sqlite.database import Database
from carrier_memory_sqlite.queries import queries

SMALL = 16
"""Memories of a shelf up to which their words are looked at."""
LETTERS = 2
"""Letters of a word that are compared. No ending that the index strips from a longer word goes deeper, but for some that are
hardly words (`aed`); words that are no longer than that are looked for everywhere."""
ANY = -1
"""All bits: the words of this shelf may begin with anything."""

_BITS = 1023
_SQL = queries("memory")


def bits_of(words: Iterable[str]) -> int:
    """The beginnings of words, each as one of 1,024 bits."""
    bits = 0
    for word in words:
        bits |= 1 << (hash(word[:LETTERS]) & _BITS)
    return bits


def bits_of_sought(sought: Sought) -> int:
    """The beginnings that a shelf must have one of to be searched. The signs of groups of words are not words that are short."""
    if sought.begins or any(len(word) <= LETTERS and word.isalnum() for word in sought.words):
        return ANY
    return bits_of(sought.words)


class Beginnings:
    """Of the shelves that were searched lately. On the event loop only."""

    def __init__(self, database: Database, read: Callable[[int], Memory | None], most: int) -> None:
        self._database = database
        self._read = read
        self._kept: Kept[int, int] = Kept(most)

    def of(self, shelf: Shelf) -> int:
        """The beginnings of all words that stand on a shelf, more of them at most; :data:`ANY` if it is no small one."""
        bits = self._kept.get(shelf.number)
        if bits is None:
            bits = self._kept[shelf.number] = self._of(shelf)
        return bits

    def _of(self, shelf: Shelf) -> int:
        rows = self._database.rows(_SQL["some_rows"], (shelf.first, shelf.last, SMALL + 1))
        if len(rows) > SMALL:
            return ANY
        bits = 0
        for (row,) in rows:
            memory = self._read(row)
            if memory is not None:
                bits |= bits_of(prepare(memory.text, memory.by_agent).words)
        return bits

    def changed(self, row: int, *, talk: bool = False) -> None:
        """That a memory came to stand here, or left. Where people ``talk`` a shelf is not looked at: it changes too often."""
        if talk:
            self._kept[shelf_of(row)] = ANY
        else:
            self._kept.pop(shelf_of(row), None)

    def clear(self) -> None:
        """Keep nothing in mind."""
        self._kept.clear()
