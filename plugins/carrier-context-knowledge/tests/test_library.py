"""What an agent remembers of a document, and what becomes of it when the document changes."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from carrier_context_knowledge.character import Shelf
from carrier_context_knowledge.chunks import Chunk
from carrier_context_knowledge.library import Entry, Label, Library, Taken, entry_of, passage_of
from carrier_context_knowledge.reader import Text
from carrier_core import Audience, Memory, MemoryKind
from carrier_core.testing import Clock, InMemoryStore

pytestmark = pytest.mark.anyio

LABEL = Label("/docs/handbook.md", "handbook.md")


@dataclass
class Watched:
    """Shelves that note what is written, and can fail at the nth change."""

    shelf: Shelf
    put: list[list[str]] = field(default_factory=list)
    fails_at: int = 0
    changes: int = 0

    async def get(self, ids: tuple[str, ...]) -> tuple[Memory, ...]:
        return await self.shelf.get(ids)

    async def change(self, *, put: tuple[Memory, ...] = (), forget: tuple[str, ...] = ()) -> None:
        self.changes += 1
        if self.changes == self.fails_at:
            raise OSError("the power is gone")
        self.put.append([memory.text for memory in put])
        await self.shelf.change(put=put, forget=forget)


@pytest.fixture
def store() -> InMemoryStore:
    return InMemoryStore()


@pytest.fixture
def shelves(store: InMemoryStore) -> Watched:
    return Watched(Shelf(store.memory))


@pytest.fixture
def library(shelves: Watched) -> Library:
    return Library(shelves, "robin", clock=Clock())


def text(*chunks: str, title: str = "Handbook") -> Text:
    return Text("text/markdown", tuple(Chunk(each, ("Handbook",), 1, 2) for each in chunks), title, 3)


async def take(library: Library, content: Text, digest: str = "d1", label: Label = LABEL) -> Taken:
    return (await library.take(label, content, digest=digest, size=10))[0]


async def fragments(store: InMemoryStore) -> list[str]:
    found = await store.memory.list(kind=MemoryKind.FRAGMENT, limit=10_000)
    numbered = {passage.number: memory.content[-1].text for memory in found if (passage := passage_of(memory))}
    assert len(numbered) == len(found)
    return [numbered[number] for number in sorted(numbered)]


async def test_a_document_is_one_memory_and_one_for_each_fragment(store, library) -> None:
    assert await take(library, text("One.", "Two.")) is Taken.NEW

    [document] = await store.memory.list(kind=MemoryKind.DOCUMENT)
    assert entry_of(document) == Entry(
        "/docs/handbook.md", "handbook.md", "Handbook", "text/markdown", "d1", entry_of(document).mark, 10, 3, 2
    )
    assert (document.text, document.name, document.room) == ("Handbook (handbook.md)", "handbook.md", "")
    fragment = (await store.memory.list(kind=MemoryKind.FRAGMENT))[0]
    assert fragment.text.splitlines()[0] == "Handbook"
    assert fragment.provenance.origins == ("outside:file/handbook.md",)
    assert fragment.data == {
        "document": document.id,
        "title": "Handbook",
        "source": "/docs/handbook.md",
        "number": passage_of(fragment).number,
        "headings": ["Handbook"],
        "page": 1,
        "last": 2,
    }
    assert await fragments(store) == ["One.", "Two."]


async def test_the_same_document_is_known(library) -> None:
    await take(library, text("One."))

    assert await library.has(LABEL, "d1") is not None
    assert await library.has(LABEL, "d2") is None
    for other in (Label(LABEL.source, "other"), Label(LABEL.source, LABEL.name, trusted=True)):
        assert await library.has(other, "d1") is None
    assert await library.has(Label(LABEL.source, LABEL.name, audience=Audience(("r1",))), "d1") is None


async def test_of_a_changed_document_only_what_changed_is_written(store, shelves, library) -> None:
    await take(library, text("One.", "Two.", "Three."))
    shelves.put.clear()

    assert await take(library, text("One.", "Second."), "d2") is Taken.REPLACED

    assert await fragments(store) == ["One.", "Second."]
    written = [line for batch in shelves.put for line in batch if "(handbook.md)" not in line]
    assert written == ["Handbook\nSecond."]


async def test_a_document_is_taken_in_for_one_agent(store, library, shelves) -> None:
    await take(library, text("One."))
    await take(Library(shelves, "wren"), text("One."))
    assert len(await store.memory.list(kind=MemoryKind.FRAGMENT)) == 2

    await library.forget(LABEL.source)

    assert [memory.agent for memory in await store.memory.list()] == ["wren", "wren"]


async def test_a_forgotten_document_leaves_nothing(store, library) -> None:
    await take(library, text(*map(str, range(250))))

    assert await library.forget(LABEL.source) == 250
    assert await store.memory.list() == ()
    assert await library.forget(LABEL.source) == 0


@pytest.mark.parametrize("at", range(1, 7))
async def test_what_was_cut_off_is_made_good(store, shelves, library, at: int) -> None:
    first, second = text(*(f"old {n}" for n in range(350))), text(*(f"new {n}" for n in range(230)))
    await take(library, first)
    shelves.fails_at = shelves.changes + at
    with pytest.raises(OSError, match="power"):
        await take(library, second, "d2")
    assert await library.has(LABEL, "d2") is None
    if at % 2:
        await take(library, second, "d2")
        assert await fragments(store) == [f"new {n}" for n in range(230)]
    else:
        await library.forget(LABEL.source)
        assert await store.memory.list() == ()


async def test_one_that_was_cut_off_at_first_is_known_to_be_incomplete(store, shelves, library) -> None:
    shelves.fails_at = 3
    with pytest.raises(OSError, match="power"):
        await take(library, text(*map(str, range(250))))

    entry = await library.entry(LABEL.source)
    assert entry is not None
    assert (entry.mark, entry.fragments) == ("", 250)
    await library.forget(LABEL.source)
    assert await store.memory.list() == ()


async def test_what_somebody_else_wrote_is_no_document(store, library) -> None:
    await take(library, text("One."))
    [fragment] = await store.memory.list(kind=MemoryKind.FRAGMENT)

    assert entry_of(fragment) is None
    assert passage_of((await store.memory.list(kind=MemoryKind.DOCUMENT))[0]) is None
