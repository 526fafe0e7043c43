"""Where memories stand: the row number that makes every scope a range.

A shelf holds memories of one agent with one audience (messages: of one room too). The number of a memory's row is its
shelf, its place on the shelf, and a few traits that ranking needs, in one integer of 63 bits::

    shelf 27 bits | place on the shelf 30 bits | traits 6 bits

So the memories that some readers may know are a few ranges of rows: an index whose lists of rows are sorted touches nothing
else, however many other rooms there are. Neighbours in a conversation have neighbouring places, and candidates are ranked
without reading them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from carrier_core.messages import Memory, MemoryKind
from carrier_core.provenance import Audience, Readers

TRAIT_BITS, PLACE_BITS = 6, 30
SHELF_BITS = TRAIT_BITS + PLACE_BITS
TRAITS = (1 << TRAIT_BITS) - 1
"""All traits of a row."""
PLACES = (1 << PLACE_BITS) - 1
"""The last place of a shelf."""

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


class Shelf(NamedTuple):
    """A shelf that some readers may look at, as its number and audience."""

    number: int
    audience: Audience

    @property
    def first(self) -> int:
        """The least row that can stand on it."""
        return self.number << SHELF_BITS

    @property
    def last(self) -> int:
        """The greatest row that can stand on it."""
        return last_of(self.first)


class Label(NamedTuple):
    """What tells one shelf of an agent from another: the room of messages, whether they are messages, the audience as it
    is recorded."""

    room: str
    messages: bool
    audience: bytes


def read_shelves(rows: Iterable[tuple[int, bytes]]) -> tuple[Shelf, ...]:
    """Shelves from their numbers and recorded audiences."""
    return tuple([Shelf(number, _audience.decode(audience)) for number, audience in rows])


def pack(shelf: int, place: int, traits: int) -> int:
    """The row of a memory."""
    return shelf << SHELF_BITS | place << TRAIT_BITS | traits


def shelf_of(row: int) -> int:
    """The number of the shelf that a row stands on."""
    return row >> SHELF_BITS


def place_of(row: int) -> int:
    """The place of a row on its shelf, counted from 1."""
    return (row >> TRAIT_BITS) & PLACES


def last_of(row: int) -> int:
    """The greatest row that can stand on the shelf of a row."""
    return row | (1 << SHELF_BITS) - 1


def length_trait(words: int) -> int:
    """The trait that stands for a length: the binary logarithm of the number of words, 7 at most."""
    return min(7, words.bit_length()) << _LENGTH_SHIFT


def words_of(row: int) -> int:
    """About how many words a row has, from its traits."""
    return (1 << ((row >> _LENGTH_SHIFT) & 7)) * 3 // 4


def label(memory: Memory) -> Label:
    """The shelf that a memory belongs on."""
    messages = memory.kind is MemoryKind.MESSAGE
    return Label(memory.room if messages else "", messages, _encode(memory.provenance.audience))


def keys_of(audience: Audience) -> tuple[str, ...]:
    """Words of which every reader whom the audience admits knows at least one (see :func:`keys_for`): a store that finds
    shelves by them need not look at all."""
    if audience.rooms:
        return audience.rooms[:1]
    return ("",) if audience.persons is None else audience.persons


def keys_for(readers: Readers) -> tuple[str, ...]:
    """The words under which these readers look for shelves: the rooms that they are in, one of them, everyone."""
    one = readers.persons[:1] if readers.persons else ()
    return tuple(dict.fromkeys((readers.room, "", *one, *readers.rooms)))
