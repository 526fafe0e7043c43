"""Memories made ready for storing, outside of the writer thread."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from carrier_core import Memory, decode, encode
from carrier_memory_sqlite.packing import deflate, inflate
from carrier_memory_sqlite.shelves import label
from carrier_memory_sqlite.words import prepare


class Prepared(NamedTuple):
    """A memory made ready for storing, outside of the writer thread: its record, its words and its traits."""

    memory: Memory
    payload: bytes
    text: str
    traits: int
    label: tuple[str, int, bytes]


def prepared(memories: Iterable[Memory]) -> tuple[Prepared, ...]:
    """Make memories ready for :meth:`Transaction.store`."""
    return tuple(
        Prepared(memory, deflate(encode(memory)), *prepare(memory.text, memory.by_agent), label(memory))
        for memory in memories
    )


def words_of(payload: bytes) -> str:
    """What is to be indexed for a stored memory; nothing, if a newer release wrote it in a way unknown here."""
    memory = decode(inflate(payload), object)
    return prepare(memory.text, by_agent=memory.by_agent)[0] if isinstance(memory, Memory) else ""
