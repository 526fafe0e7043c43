"""What is known of the person spoken with."""

from __future__ import annotations

import pytest

from carrier_context_standard.facts import Facts
from carrier_core import Entity, MemoryKind

BEN = Entity.of("test", "ben", name="Ben")

pytestmark = pytest.mark.anyio


async def test_facts_of_the_person_are_told_newest_first_as_whoever_told_them(turn) -> None:
    turn.knows = (
        turn.memory("Ana lives in Faro.", kind=MemoryKind.FACT),
        turn.memory(" ", kind=MemoryKind.FACT),
        turn.memory("Ben has a boat.", BEN, kind=MemoryKind.FACT),
        turn.memory("Ana has a dog.", kind=MemoryKind.FACT),
        turn.memory("ana lives in Faro", kind=MemoryKind.FACT),  # the same, noted in another way
    )

    heading, *parts = (await Facts().provide(turn)).parts

    assert "the first holds" in heading.text
    assert heading.provenance.origins == ("operator",)
    assert [part.text for part in parts] == ["Ana lives in Faro.", "Ana has a dog."]
    assert (parts[0].key, parts[0].memory) == ("facts", turn.knows[0].id)
    assert parts[0].provenance is turn.knows[0].provenance


async def test_no_more_than_ten_facts_stand_in_a_prompt(turn) -> None:
    turn.knows = tuple(turn.memory(f"Fact {number}.", kind=MemoryKind.FACT) for number in range(20))

    assert len((await Facts().provide(turn)).select("facts")) == 10


async def test_of_whom_nothing_is_known_nothing_is_told(turn) -> None:
    assert await Facts().provide(turn) is None
