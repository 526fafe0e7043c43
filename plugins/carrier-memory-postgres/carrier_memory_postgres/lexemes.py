"""Words as PostgreSQL's index has them.

Words hold letters and digits alone and stand in quotes: nothing that a person writes can be read as an operator.
"""

from __future__ import annotations

from collections.abc import Iterable

from carrier_core.recall import Sought
from carrier_memory_postgres.stems import stem

LONGEST = 100
"""Characters of a word that are indexed."""
_SHELF_SIGN = "\uf000"


def lexeme(word: str) -> str:
    """A word as it is indexed: its stem."""
    return f"'{stem(word)[:LONGEST]}'"


def shelf_word(shelf: int) -> str:
    """The word of the index that stands for a shelf: no text has it, since it begins with a sign for private use."""
    return f"'{_SHELF_SIGN}{shelf}'"


def expression(sought: Sought) -> str:
    """A query of the index for what is sought."""
    words = "|".join(map(lexeme, sought.words))
    return f"{words}:*" if sought.begins else words


def within(shelves: Iterable[int], words: str) -> str:
    """A query of the index for words on these shelves."""
    return f"({'|'.join(map(shelf_word, shelves))})&({words})"
