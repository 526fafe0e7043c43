"""Blocks: what a reader makes of a document, piece by piece, each under the headings that it stands under."""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple

HEADING = 200
"""Characters of a heading. What is longer is no heading, whatever it is marked as."""
DEEPEST = 6
"""Levels of headings, as HTML and Markdown have them."""


class Shape(Enum):
    """What a block is, which says where it may be cut."""

    TEXT = auto()
    LIST = auto()
    CODE = auto()
    TABLE = auto()


class Block(NamedTuple):
    """A paragraph, list, table or piece of code. ``headings`` are those above it, the outermost first; ``page`` is counted from
    1, 0 where a document has no pages. ``head`` and ``tail`` go with every piece that it is cut into: a fence, the names of columns."""

    text: str
    headings: tuple[str, ...] = ()
    page: int = 0
    shape: Shape = Shape.TEXT
    head: str = ""
    tail: str = ""


class Script(NamedTuple):
    """A document as its reader gives it. ``title`` is empty where it has none."""

    blocks: tuple[Block, ...]
    title: str = ""
    pages: int = 0


class Outline:
    """Collects blocks under headings. ``page`` is that of what comes next. A heading under which nothing stands becomes text,
    so that no words of a document are lost."""

    def __init__(self) -> None:
        self.page = 0
        self.title = ""
        self._blocks: list[Block] = []
        self._path: list[tuple[int, str]] = []
        self._bare = 0  # how many of the innermost headings have nothing under them yet

    def enter(self, level: int, heading: str) -> None:
        """Begin a section; it ends those of the same level and of deeper ones."""
        heading = " ".join(heading.split())
        if not heading:
            return
        if len(heading) > HEADING:
            self.add(heading)
            return
        level = min(max(level, 1), DEEPEST)
        while self._path and self._path[-1][0] >= level:
            self._leave()
        self._path.append((level, heading))
        self._bare += 1
        self.title = self.title or heading

    def add(self, text: str, shape: Shape = Shape.TEXT, *, head: str = "", tail: str = "") -> None:
        """A block of the section; nothing where there are no words in it."""
        text = text.strip("\n") if shape is Shape.CODE else text.strip()
        if text.strip():
            headings = tuple(heading for _, heading in self._path)
            self._blocks.append(Block(text, headings, self.page, shape, head, tail))
            self._bare = 0

    def script(self, *, title: str = "", pages: int = 0) -> Script:
        """All of it. Without a title the first heading is taken for one."""
        while self._path:
            self._leave()
        return Script(tuple(self._blocks), " ".join(title.split())[:HEADING] or self.title, pages)

    def _leave(self) -> None:
        _, heading = self._path.pop()
        if self._bare:
            self._bare = 0
            self.add(heading)
