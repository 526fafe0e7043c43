"""Where memories stand: the row number that makes every scope a word of the index.

A shelf holds memories of one agent with one audience (messages: of one room too). The number of a memory's row is its
shelf, its place on the shelf, and a few traits that ranking needs, in one integer::

    shelf 27 bits | place on the shelf 30 bits | traits 6 bits

The shelf is also one of the words that a memory is indexed under, so a search within what some readers may know touches
nothing else, however many other rooms there are; neighbours in a conversation have neighbouring places; and candidates
are ranked without reading them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from carrier_core import Audience, Memory, MemoryKind, Readers

TRAIT_BITS = 6
TRAITS = (1 << TRAIT_BITS) - 1
"""All traits of a row."""
SHELF_BITS = TRAIT_BITS + 30

QUESTION = 1
"""The text only asks."""
AGENT = 2
"""The agent itself said it."""
SELF = 4
"""The speaker says I, me or my."""
_LENGTH_SHIFT = 3
LENGTH_MASK = 7 << _LENGTH_SHIFT
"""The traits that tell the length."""

_encode = msgspec.json.encode
_audience = msgspec.json.Decoder(Audience)

Label = tuple[str, bool, bytes]


class Shelf(NamedTuple):
    """A shelf that some readers may look at, as its number and audience."""

    number: int
    audience: Audience

    @property
    def last(self) -> int:
        """The greatest row that can stand on it."""
        return (self.number + 1 << SHELF_BITS) - 1


class Prepared(NamedTuple):
    """A memory made ready for storing: its record, its words as they are indexed, its traits, and what tells its shelf."""

    memory: Memory
    payload: bytes
    words: str
    traits: int
    label: Label
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


def read_shelves(rows: Iterable[tuple[int, bytes]]) -> tuple[Shelf, ...]:
    """Shelves from their numbers and recorded audiences."""
    return tuple(Shelf(number, _audience.decode(audience)) for number, audience in rows)


def pack(shelf: int, place: int, traits: int) -> int:
    """The row of a memory."""
    return shelf << SHELF_BITS | place << TRAIT_BITS | traits


def shelf_of(row: int) -> int:
    """The number of the shelf that a row stands on."""
    return row >> SHELF_BITS


def place_of(row: int) -> int:
    """The place of a row on its shelf, counted from 1."""
    return (row >> TRAIT_BITS) & ((1 << 30) - 1)


def length_trait(words: int) -> int:
    """The trait that stands for a length: the binary logarithm of the number of words, 7 at most."""
    return min(7, words.bit_length()) << _LENGTH_SHIFT


def words_of(row: int) -> int:
    """About how many words a row has, from its traits."""
    return (1 << ((row >> _LENGTH_SHIFT) & 7)) * 3 // 4


def label(memory: Memory) -> tuple[Label, bytes]:
    """What tells one shelf of an agent from another (the room of messages, whether they are messages, a digest of the
    audience), and the audience as it is recorded."""
    messages = memory.kind is MemoryKind.MESSAGE
    audience = _encode(memory.provenance.audience)
    digest = hashlib.blake2b(audience, digest_size=16).digest()
    return (memory.room if messages else "", messages, digest), audience


def keys_of(audience: Audience) -> tuple[str, ...]:
    """Words of which every reader whom the audience admits knows at least one (see :func:`keys_for`)."""
    if audience.rooms:
        return audience.rooms[:1]
    return ("",) if audience.persons is None else audience.persons


def keys_for(readers: Readers) -> tuple[str, ...]:
    """The words under which these readers look for shelves: the rooms that they are in, one of them, everyone."""
    one = readers.persons[:1] if readers.persons else ()
    return tuple(dict.fromkeys((readers.room, "", *one, *readers.rooms)))
