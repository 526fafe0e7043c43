"""Records as a store keeps them: deflated with a dictionary of what records have in common.

Most of a record is the names of its fields, and a dictionary makes even a short one a third of its length, in some twenty
microseconds. What was written once has to be read for good: a dictionary never changes, a better one gets a new number,
which is the first byte of what is stored. What begins with a printable sign, as every record does, is read as it is.
"""

from __future__ import annotations

import zlib
from functools import cache
from importlib.resources import files

NEWEST = 1
"""The dictionary that is written with."""
_WINDOW, _EFFORT, _MEMORY = (
    -13,
    3,
    6,
)  # raw deflate over 8 KiB; level 1 takes as long for more, 6 a third longer for 10 % less
_PRINTABLE = ord(" ")


@cache
def _dictionary(number: int) -> bytes:
    text = (files(__package__) / f"dictionary{number}.txt").read_text("utf-8")
    return text.replace("\n", "").encode()


@cache
def _primed() -> zlib._Compress:
    return zlib.compressobj(_EFFORT, zlib.DEFLATED, _WINDOW, _MEMORY, zlib.Z_DEFAULT_STRATEGY, _dictionary(NEWEST))


def deflate(record: bytes) -> bytes:
    """A record as it is stored. Best called beside the event loop, which goes on while zlib is at it."""
    compressor = _primed().copy()  # a fifth of what it costs to prime another
    return b"%c%b%b" % (NEWEST, compressor.compress(record), compressor.flush())


def inflate(stored: bytes) -> bytes:
    """The record. zlib.error if it is damaged."""
    if stored[0] >= _PRINTABLE:
        return stored
    return zlib.decompressobj(_WINDOW, _dictionary(stored[0])).decompress(stored[1:])
