"""The library: which documents an agent has, and what it remembers of them.

A document is a memory of kind document, which says where it came from, and as many of kind fragment as it has chunks. Their ids
are made of agent, source and number: the same document again changes nothing, a changed one takes the place of the older.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum
from typing import Protocol

import msgspec

from carrier_context_knowledge.chunks import Chunk
from carrier_context_knowledge.reader import Text
from carrier_core import EVERYONE, OPERATOR, Audience, Json, Memory, MemoryKind, Part, Provenance, make_id, outside

VERSION = 1
"""Counted up when documents are cut in another way: then the same content is taken in again."""
_BATCH = 100  # memories that are written at once


class Shelves(Protocol):
    """Where memories are kept."""

    async def get(self, ids: tuple[str, ...]) -> tuple[Memory, ...]:
        """Those with these ids."""

    async def change(self, *, put: tuple[Memory, ...] = (), forget: tuple[str, ...] = ()) -> None:
        """Forget some, then store some."""


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of a document beside its text; the ``data`` of its memory. ``digest`` is the BLAKE2b-256 of its bytes, in hex.
    ``mark`` is what it was taken in with, its content and how; empty while it is being taken in. ``size`` is in bytes,
    ``fragments`` how many there are."""

    source: str
    name: str
    title: str = ""
    format: str = ""
    digest: str = ""
    mark: str = ""
    size: int = 0
    pages: int = 0
    fragments: int = 0


class Passage(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of a fragment beside its text; the ``data`` of its memory. ``number`` is counted from 1; ``page`` and ``last``
    are where it begins and ends."""

    document: str
    title: str
    source: str
    number: int
    headings: tuple[str, ...] = ()
    page: int = 0
    last: int = 0


class Label(msgspec.Struct, frozen=True):
    """What a document is taken in as: where it is, what it is called, whose words it counts as, who may know it."""

    source: str
    name: str
    trusted: bool = False
    audience: Audience = EVERYONE

    @property
    def provenance(self) -> Provenance:
        """Of the document and its fragments."""
        return Provenance((OPERATOR if self.trusted else outside(f"file/{self.name}"),), self.audience)


class Taken(StrEnum):
    """What became of a document that was taken in."""

    NEW = "new"
    REPLACED = "replaced"
    UNCHANGED = "unchanged"


class Library:
    """The documents of one agent. ``clock`` gives seconds since the epoch."""

    def __init__(self, shelves: Shelves, agent: str, *, clock: Callable[[], float] = time.time) -> None:
        self._shelves = shelves
        self._agent = agent
        self._clock = clock

    def id_of(self, source: str) -> str:
        """The id of the memory of a document."""
        return make_id("document", self._agent, source)

    async def has(self, label: Label, digest: str) -> Entry | None:
        """What is known of a document, if exactly this one was taken in, in exactly this way."""
        known = await self.entry(label.source)
        return known if known is not None and known.mark == _mark(label, digest) else None

    async def entry(self, source: str) -> Entry | None:
        """What is known of a document."""
        for memory in await self._shelves.get((self.id_of(source),)):
            return entry_of(memory)
        return None

    async def take(self, label: Label, text: Text, *, digest: str, size: int) -> tuple[Taken, Entry]:
        """Take a document in, in the place of an older one of its source.

        Only what changed is written. Until all of it is there, the document's memory says so, and knows of all fragments that
        may be there: what is cut off is made good when the document is taken in again, or forgotten.
        """
        known = await self.entry(label.source)
        older = known.fragments if known is not None else 0
        fragments = self._fragments(label, text)
        changed = await self._changed(fragments, older)
        mark = _mark(label, digest)
        count = len(fragments)
        entry = Entry(label.source, label.name, text.title, text.format, digest, mark, size, text.pages, count)
        if known is not None or len(changed) > _BATCH:
            unfinished = msgspec.structs.replace(entry, mark="", fragments=max(older, count))
            await self._shelves.change(put=(self._document(label, unfinished),))
        gone = self._ids(label.source, count, older)
        for start in range(0, len(gone), _BATCH):
            await self._shelves.change(forget=gone[start : start + _BATCH])
        while len(changed) > _BATCH:
            await self._shelves.change(put=changed[:_BATCH])
            changed = changed[_BATCH:]
        await self._shelves.change(put=(*changed, self._document(label, entry)))
        return (Taken.NEW if known is None else Taken.REPLACED), entry

    async def forget(self, source: str) -> int:
        """Forget a document; returns how many fragments it had."""
        known = await self.entry(source)
        if known is None:
            return 0
        gone = self._ids(source, 0, known.fragments)
        for start in range(0, len(gone), _BATCH):
            await self._shelves.change(forget=gone[start : start + _BATCH])
        await self._shelves.change(forget=(self.id_of(source),))
        return known.fragments

    # --- as memories ---

    async def _changed(self, fragments: tuple[Memory, ...], older: int) -> tuple[Memory, ...]:
        """Those that are not there as they are: what stays keeps its place in the index, and its vector."""
        if not older:
            return fragments
        found = []
        for start in range(0, len(fragments), _BATCH):
            batch = fragments[start : start + _BATCH]
            known = {memory.id: memory for memory in await self._shelves.get(tuple(each.id for each in batch))}
            found += [each for each in batch if not _same(known.get(each.id), each)]
        return tuple(found)

    def _ids(self, source: str, first: int, last: int) -> tuple[str, ...]:
        document = self.id_of(source)
        return tuple(make_id("fragment", document, str(number)) for number in range(first + 1, last + 1))

    def _fragments(self, label: Label, text: Text) -> tuple[Memory, ...]:
        document = self.id_of(label.source)
        ids = self._ids(label.source, 0, len(text.chunks))
        at = self._clock()
        return tuple(
            self._memory(
                key,
                MemoryKind.FRAGMENT,
                said(chunk),
                at,
                label,
                Passage(
                    document, text.title or label.name, label.source, number, chunk.headings, chunk.page, chunk.last
                ),
            )
            for number, (key, chunk) in enumerate(zip(ids, text.chunks, strict=True), start=1)
        )

    def _document(self, label: Label, entry: Entry) -> Memory:
        title = f"{entry.title} ({entry.name})" if entry.title else entry.name
        return self._memory(self.id_of(label.source), MemoryKind.DOCUMENT, (Part(title),), self._clock(), label, entry)

    def _memory(
        self, key: str, kind: MemoryKind, content: tuple[Part, ...], at: float, label: Label, data: msgspec.Struct
    ) -> Memory:
        told: Json = msgspec.json.decode(msgspec.json.encode(data))  # as it comes back: a list is no tuple
        # No room: it belongs to no conversation, so that resetting one does not forget it. Who may know it says its audience.
        return Memory(key, self._agent, "", kind, content, at, label.provenance, name=label.name, data=told)


def said(chunk: Chunk) -> tuple[Part, ...]:
    """A chunk as the content of a memory: the headings above it, by whose words it is found too, then its text."""
    return (*((Part(" > ".join(chunk.headings), "headings"),) if chunk.headings else ()), Part(chunk.text))


def entry_of(memory: Memory) -> Entry | None:
    """What the memory of a document says of it; None if it is that of something else."""
    try:
        return msgspec.convert(memory.data, Entry) if memory.kind is MemoryKind.DOCUMENT else None
    except msgspec.ValidationError:
        return None


def passage_of(memory: Memory) -> Passage | None:
    """What a fragment says of its place; None if something else wrote it."""
    try:
        return msgspec.convert(memory.data, Passage)
    except msgspec.ValidationError:
        return None


def _mark(label: Label, digest: str) -> str:
    rooms = label.audience.rooms
    return make_id("ingest", str(VERSION), digest, label.name, str(label.trusted), *rooms)


def _same(known: Memory | None, fragment: Memory) -> bool:
    """Whether a fragment is there already; when it was taken in does not matter."""
    if known is None:
        return False
    told = msgspec.to_builtins((msgspec.structs.replace(known, at=0.0), msgspec.structs.replace(fragment, at=0.0)))
    return bool(told[0] == told[1])
