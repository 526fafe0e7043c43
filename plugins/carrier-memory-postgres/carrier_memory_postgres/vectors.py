"""The tables of vectors: one for each embedder, whose numbers of dimensions differ.

A small scope is compared as a whole, by an index on the shelves; a large one by an HNSW index, which is built when a table
has got large, and which goes on searching until it has found enough in the scope.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite
from typing import NamedTuple

from carrier_memory_postgres.connections import Row, Speaker, lock_key
from carrier_memory_postgres.queries import queries

NEAREST = 128
"""Memories that are looked for by their vectors, those nearest to the query."""
INDEXED, HALVED = 2_000, 4_000
"""Dimensions of which pgvector makes an index: of numbers of 32 bits, and of 16."""

Vector = tuple[float, ...]
Given = tuple[tuple[str, Vector], ...]

_SQL = queries("vectors")


class Table(NamedTuple):
    """The table of an embedder, and whether it has an HNSW index."""

    number: int
    dimension: int
    indexed: bool

    def sql(self, name: str) -> str:
        """A statement about this table."""
        kind = "halfvec" if self.dimension > INDEXED else "vector"
        return _SQL[name].format(table=f"vectors_{self.number}", dimension=self.dimension, kind=kind)


async def find_table(link: Speaker, model: str) -> Table | None:
    """The table of an embedder, if there is one."""
    rows = await link.fetch(_SQL["find"], model)
    return Table(*rows[0]) if rows else None


async def make_table(link: Speaker, model: str, vectors: Iterable[Vector]) -> Table:
    """The table of an embedder, made in the transaction that is under way, if there is none yet."""
    found = await find_table(link, model)
    if found is None:
        await link.fetch(_SQL["lock"], lock_key("embedders"))
        found = await find_table(link, model)
    if found is None:
        name, _, dimension = model.rpartition("/")
        size = int(dimension) if name and dimension.isdigit() else 0
        size = size or next((len(vector) for vector in vectors if vector), 1)
        number = (await link.fetch(_SQL["add"], model, size))[0][0]
        found = Table(number, size, indexed=False)
        await link.execute(found.sql("make"))
    return found


async def tables(link: Speaker) -> list[tuple[str, Table]]:
    """All of them, by the names of their embedders."""
    return [(row[0], Table(*row[1:])) for row in await link.fetch(_SQL["tables"])]


async def add_vectors(link: Speaker, table: Table, vectors: Sequence[tuple[int, Vector]], *, anew: bool) -> int:
    """Write vectors of memories, by their rows; ``anew`` where there is one already. How many were written."""
    if not vectors:
        return 0
    rows = [row for row, _ in vectors]
    numbers = [text_of(vector, table.dimension) for _, vector in vectors]
    return len(await link.fetch(table.sql("replace" if anew else "insert"), rows, numbers))


def text_of(vector: Vector, dimension: int) -> str | None:
    """A vector as pgvector reads it; None for one without a direction, or of another length."""
    if len(vector) != dimension or not any(vector) or not all(map(isfinite, vector)):
        return None
    return f"[{','.join(map(repr, vector))}]"


async def build_index(link: Speaker, table: Table, model: str, least: int) -> None:
    """Build the HNSW index of a table that has more than ``least`` vectors, on a connection of its own: it takes a while,
    and locks nobody out. One that was cut off is built anew."""
    if table.indexed or table.dimension > HALVED or (await link.fetch(table.sql("count"), least))[0][0] <= least:
        return
    key = lock_key("index", model)
    if not (await link.fetch(_SQL["try_lock"], key))[0][0]:
        return
    try:
        await link.execute(table.sql("drop_index"))
        await link.execute(table.sql("build_index"))
        await link.fetch(_SQL["indexed"], table.number)
    finally:
        await link.fetch(_SQL["unlock"], key)


async def nearest(
    link: Speaker, table: Table, vector: Vector, shelves: Sequence[int], beside: Sequence[int], exact: int
) -> dict[int, float]:
    """How like a vector the nearest on these shelves and those of the rows ``beside`` are, by row."""
    asked = text_of(vector, table.dimension)
    if asked is None:
        return {}
    size = (await link.fetch(_SQL["size"], list(shelves)))[0][0]
    rows: list[Row]
    if size <= exact or not table.indexed:
        rows = await link.fetch(table.sql("exact"), asked, list(shelves), NEAREST)
    else:
        await link.execute(_SQL["search_on"])
        rows = await link.fetch(table.sql("search"), asked, list(shelves), NEAREST)
    found: dict[int, float | None] = dict(rows)
    wanted = [row for row in beside if row not in found]
    if wanted:
        found.update((row, cosine) for row, cosine in await link.fetch(table.sql("beside"), asked, wanted))
    return {row: cosine for row, cosine in found.items() if cosine is not None}
