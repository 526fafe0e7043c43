"""The parts of prompts: each is stored once, and has a number by which records of turns name it."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import NamedTuple

import msgspec

from carrier_core import StoredPart, deflate, encode, inflate
from carrier_memory_postgres.connections import Speaker
from carrier_memory_postgres.queries import queries

_SQL = queries("parts")


class Shown(NamedTuple):
    """A stored part: its number, its hash, and the id of the memory that it comes from, empty if there is none."""

    number: int
    digest: str
    memory: str


class _Source(msgspec.Struct):
    memory: str = ""


class _Record(msgspec.Struct):
    """A part's record, as far as it has to be known here."""

    data: _Source


_record = msgspec.json.Decoder(_Record)


def memory_of(stored: bytes) -> str:
    """The id of the memory that a stored part comes from; empty if there is none."""
    return _record.decode(inflate(stored)).data.memory


async def numbered(link: Speaker, numbers: Iterable[int]) -> dict[int, Shown]:
    """The stored parts of these numbers, by number."""
    wanted = sorted({*numbers})
    rows = await link.fetch(_SQL["numbered"], wanted) if wanted else []
    return {number: Shown(number, digest, memory_of(part)) for number, digest, part in rows}


async def hashed(link: Speaker, digests: Iterable[str], given: Iterable[StoredPart] = ()) -> dict[str, Shown]:
    """The stored parts with these hashes, by hash. Those that are ``given`` are not read."""
    memories = {part.digest: part.part.memory for part in given}
    wanted = sorted({*digests})
    rows = await link.fetch(_SQL["hashed"], wanted, [key not in memories for key in wanted]) if wanted else []
    return {
        digest: Shown(number, digest, memories[digest] if part is None else memory_of(part))
        for number, digest, part in rows
    }


async def store_parts(
    link: Speaker, parts: Iterable[StoredPart], known: Container[str] = frozenset()
) -> dict[str, Shown]:
    """Store parts that are not there yet; those that are new, by hash. ``known`` are hashes of what is there."""
    missing = {part.digest: part for part in parts if part.digest not in known}
    if not missing:
        return {}
    keys = sorted(missing)
    rows = await link.fetch(_SQL["add"], keys, [deflate(encode(missing[key].part)) for key in keys])
    return {digest: Shown(number, digest, missing[digest].part.memory) for number, digest in rows}
