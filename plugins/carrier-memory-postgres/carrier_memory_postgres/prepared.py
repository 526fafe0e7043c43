"""Memories made ready for storing, and what storing them did."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from carrier_core import Memory, encode
from carrier_core.recall import label, prepare
from carrier_memory_postgres.lexemes import lexeme

ShelfKey = tuple[str, bool, bytes]
"""What tells one shelf of an agent from another: the room of messages, whether they are messages, a digest of the audience."""


class Prepared(NamedTuple):
    """A memory made ready for storing: its record, its words as they are indexed, its traits, and what tells its shelf."""

    memory: Memory
    payload: bytes
    words: str
    traits: int
    label: ShelfKey
    audience: bytes


class Stored(NamedTuple):
    """What storing memories did, for those who keep copies: memories by their rows, the numbers of those that were written
    anew, whether any were removed, shelves put up (agent, room, keys), and of every place that something was said in the
    number of the change."""

    rows: dict[int, Memory]
    anew: list[int]
    removed: list[int]
    shelves: list[tuple[str, str, tuple[str, ...]]]
    heard: dict[tuple[str, str], int]


def prepared(memories: Iterable[Memory]) -> tuple[Prepared, ...]:
    """Memories made ready for storing."""
    return tuple([_prepared(memory) for memory in memories])


def _prepared(memory: Memory) -> Prepared:
    words, traits = prepare(memory.text, memory.by_agent)
    room, messages, audience = label(memory)
    digest = hashlib.blake2b(audience, digest_size=16).digest()
    lexemes = " ".join(dict.fromkeys(map(lexeme, words)))
    return Prepared(memory, encode(memory), lexemes, traits, (room, messages, digest), audience)
