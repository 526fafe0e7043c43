"""Memories made ready for storing, outside of the writer thread."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from carrier_core import Memory, decode, encode, inflate
from carrier_core.recall import Label, label, prepare


class Prepared(NamedTuple):
    """A memory made ready for storing, outside of the writer thread: its record, its words and its traits."""

    memory: Memory
    payload: bytes
    text: str
    traits: int
    label: Label


def prepared(memories: Iterable[Memory]) -> tuple[Prepared, ...]:
    """Make memories ready for :meth:`Transaction.store`."""
    return tuple([_prepared(memory) for memory in memories])


def _prepared(memory: Memory) -> Prepared:
    words, traits = prepare(memory.text, memory.by_agent)
    return Prepared(memory, encode(memory), " ".join(words), traits, label(memory))


def words_of(payload: bytes) -> str:
    """What is to be indexed for a stored memory; nothing, if a newer release wrote it in a way unknown here."""
    memory = decode(inflate(payload), object)
    return " ".join(prepare(memory.text, memory.by_agent).words) if isinstance(memory, Memory) else ""
