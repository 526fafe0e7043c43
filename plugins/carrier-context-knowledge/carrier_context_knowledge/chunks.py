"""Chunks: a document in pieces small enough to be recalled one by one, each with the headings above it.

A chunk has about 300 words, 400 at most, of one section. It ends where a paragraph, a list or a piece of code does; what is
longer than a chunk is cut after a sentence, an item or a line. The same blocks always give the same chunks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

import msgspec

from carrier_context_knowledge.blocks import Block, Shape
from carrier_context_knowledge.measure import cut, items, lines, sentences, words

ENOUGH, MOST, SCRAP = 300, 400, 60
"""Words of a chunk: how many are enough, how many there are at most, and how few are put to the chunk before."""
REPEATED = 60
"""Words of the head of a table, say, that each piece of it repeats; a longer one is repeated in none."""


class Chunk(msgspec.Struct, frozen=True, omit_defaults=True):
    """A piece of a document. ``page`` is where it begins and ``last`` where it ends, 0 without pages."""

    text: str
    headings: tuple[str, ...] = ()
    page: int = 0
    last: int = 0


class _Piece(NamedTuple):
    text: str
    size: int
    page: int
    joint: str  # what stands between it and the piece before, where both are in one chunk


_CUTS: dict[Shape, tuple[Callable[[str], list[str]], ...]] = {
    Shape.TEXT: (sentences, lines),
    Shape.LIST: (items, lines, sentences),
    Shape.CODE: (lines,),
    Shape.TABLE: (lines, sentences),
}


def chunks(blocks: Iterable[Block]) -> tuple[Chunk, ...]:
    """The blocks as chunks, in their order; no word is lost."""
    found: list[Chunk] = []
    for headings, section in groupby(blocks, key=lambda block: block.headings):
        pieces = [piece for block in section for piece in _pieces(block)]
        found += [_chunk(headings, group) for group in _grouped(pieces)]
    return tuple(found)


def _pieces(block: Block) -> Iterator[_Piece]:
    """A block, or as many pieces of it as are needed."""
    head, tail = block.head, block.tail
    if words(head) + words(tail) > REPEATED:
        block = block._replace(text="\n".join(filter(None, (head, block.text, tail))))
        head = tail = ""
    around = words(head) + words(tail)
    texts = [block.text]
    if around + words(block.text) > MOST:
        texts = cut(block.text, ENOUGH - around, *_CUTS[block.shape])
    joint = "\n\n"
    for text in texts:
        text = text.rstrip() if block.shape is Shape.CODE else text.strip()
        if text.strip():
            whole = "\n".join(filter(None, (head, text, tail)))
            yield _Piece(whole, words(whole), block.page, joint)
            joint = " " if block.shape is Shape.TEXT else "\n"


def _grouped(pieces: list[_Piece]) -> list[list[_Piece]]:
    groups: list[list[_Piece]] = []
    size = 0
    for piece in pieces:
        if not groups or size >= ENOUGH or size + piece.size > MOST:
            groups.append([])
            size = 0
        groups[-1].append(piece)
        size += piece.size
    if len(groups) > 1 and size < SCRAP and size + sum(piece.size for piece in groups[-2]) <= MOST:
        scrap = groups.pop()
        groups[-1] += scrap
    return groups


def _chunk(headings: tuple[str, ...], pieces: list[_Piece]) -> Chunk:
    text = pieces[0].text + "".join(piece.joint + piece.text for piece in pieces[1:])
    return Chunk(text, headings, pieces[0].page, pieces[-1].page)
