"""Vectors: what memories mean, as bits to search and as numbers to compare. Loaded only where a vector is used.

The bits are the signs of the numbers: how many of them two vectors share tells nearly as much as their cosine, in a
thirtieth of the space and time. The best by their bits are compared exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from carrier_core.recall import Shelf, shelf_of
from carrier_memory_sqlite.queries import queries

EXACT = 128
"""Memories that are compared exactly, the best by their bits."""
MOST = 1_000_000
"""Vectors whose bits are kept in mind, some 60 MB of 384 numbers each; beyond it they are read again."""

Floats = npt.NDArray[np.float32]
Words = npt.NDArray[np.uint64]
Rows = Callable[[str, tuple[object, ...]], list[tuple[Any, ...]]]

_BITS = 64


def packed(vectors: Iterable[Sequence[float]]) -> list[tuple[bytes, bytes]]:
    """Bits and numbers of vectors as they are stored; both are empty for a vector without a direction."""
    return [_packed(vector) for vector in vectors]


def _packed(vector: Sequence[float]) -> tuple[bytes, bytes]:
    unit = _unit(vector)
    if unit is None:
        return b"", b""
    with np.errstate(all="ignore"):
        numbers = np.asarray(vector, dtype="<f4")
    return _signs(unit).tobytes(), (numbers if _unit(numbers) is not None else unit).tobytes()


def _unit(vector: Sequence[float] | Floats) -> Floats | None:
    """The vector at length 1; None if it has no length, or a number in it is none."""
    values = np.asarray(vector, dtype=np.float64)
    length = float(np.sqrt(values @ values))
    if not 0.0 < length < float("inf"):
        return None
    return (values / length).astype("<f4")


def _signs(unit: Floats) -> Words:
    bits = np.zeros(-(-unit.size // _BITS) * _BITS, dtype=np.uint8)
    bits[: unit.size] = unit > 0
    return np.packbits(bits).view("<u8")


class _Packed(NamedTuple):
    """The vectors on a shelf: their rows, and their bits in words of 64, a line for each word. ``upto`` is the number of
    the last one looked at."""

    rows: npt.NDArray[np.int64]
    bits: Words
    upto: int


class Vectors:
    """The bits of the shelves that were searched lately. Of one thread, like the connection whose ``rows`` it is given.

    What was added since is read before each search. What was removed is noticed when its numbers are not there: then
    the shelf is read again.
    """

    def __init__(self) -> None:
        self._shelves: dict[tuple[int, int], _Packed] = {}
        self._kept = 0
        self._sql = queries("vectors")

    def clear(self) -> None:
        """Keep nothing."""
        self._shelves.clear()
        self._kept = 0

    def cosines(
        self, rows: Rows, model: str, vector: Sequence[float], shelves: Sequence[Shelf], beside: Iterable[int]
    ) -> dict[int, float]:
        """How much the nearest memories on these shelves, and those of the rows ``beside``, are like a vector (-1 to 1)."""
        found = rows(self._sql["embedder"], (model,))
        unit = _unit(vector)
        if not found or unit is None:
            return {}
        embedder = int(found[0][0])
        nearest = self._nearest(rows, embedder, unit, shelves)
        exact = self._exact(rows, embedder, unit, nearest)
        gone = {shelf_of(row) for row in nearest if row not in exact}
        if gone:
            for shelf in gone:
                self._drop((embedder, shelf))
            exact = self._exact(rows, embedder, unit, self._nearest(rows, embedder, unit, shelves))
        return exact | self._exact(rows, embedder, unit, [row for row in beside if row not in exact])

    def _nearest(self, rows: Rows, embedder: int, unit: Floats, shelves: Sequence[Shelf]) -> list[int]:
        """The rows on these shelves whose bits differ least."""
        signs = _signs(unit)
        newest = rows(self._sql["newest"], ())[0][0] or 0
        known = [self._read(rows, (embedder, shelf.number), signs.size, newest) for shelf in shelves]
        known = [each for each in known if each.rows.size]
        if not known:
            return []
        everything = known[0].rows if len(known) == 1 else np.concatenate([each.rows for each in known])
        bits = known[0].bits if len(known) == 1 else np.concatenate([each.bits for each in known], axis=1)
        apart = np.bitwise_count(bits ^ signs[:, None]).sum(axis=0, dtype=np.uint16)
        if apart.size > EXACT:
            everything = everything[np.argpartition(apart, EXACT)[:EXACT]]
        return [int(row) for row in everything]

    def _read(self, rows: Rows, key: tuple[int, int], size: int, newest: int) -> _Packed:
        """The bits of one shelf as they are now."""
        known = self._shelves.get(key)
        if known is not None and len(known.bits) != size:  # somebody asks with a vector of another length
            self._drop(key)
            known = None
        if known is None:
            known = _Packed(np.empty(0, np.int64), np.empty((size, 0), np.uint64), 0)
        if known.upto >= newest:
            return known
        added = rows(self._sql["bits"], (*key, known.upto))
        upto = max(newest, added[-1][0]) if added else newest
        added = [each for each in added if len(each[2]) == size * 8]
        if added:
            numbers = np.fromiter((row for _, row, _ in added), np.int64, len(added))
            bits = np.frombuffer(b"".join([bits for _, _, bits in added]), "<u8").reshape(-1, size).T
            lines = np.ascontiguousarray(np.concatenate([known.bits, bits], axis=1))
            known = _Packed(np.concatenate([known.rows, numbers]), lines, upto)
        else:
            known = known._replace(upto=upto)
        self._keep(key, known, len(added))
        return known

    def _keep(self, key: tuple[int, int], known: _Packed, added: int) -> None:
        if self._kept + added > MOST:
            self.clear()
            added = known.rows.size
        self._shelves[key] = known
        self._kept += added

    def _drop(self, key: tuple[int, int]) -> None:
        known = self._shelves.pop(key, None)
        if known is not None:
            self._kept -= known.rows.size

    def _exact(self, rows: Rows, embedder: int, unit: Floats, wanted: Sequence[int]) -> dict[int, float]:
        stored = {row: blob for row in wanted for (blob,) in rows(self._sql["vector"], (row, embedder))}
        stored = {row: blob for row, blob in stored.items() if len(blob) == unit.nbytes}
        if not stored:
            return {}
        numbers = np.frombuffer(b"".join(stored.values()), "<f4").reshape(-1, unit.size)
        lengths = np.sqrt(np.einsum("ij,ij->i", numbers, numbers, dtype=np.float64))
        return dict(zip(stored, (numbers @ unit / lengths).tolist(), strict=True))
