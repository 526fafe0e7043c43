"""HTML as blocks: the text that somebody sees who opens the page, without scripts, styles and navigation."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from carrier_context_knowledge.blocks import Outline, Script, Shape
from carrier_context_knowledge.formats import cleaned

_LEFT_OUT = frozenset(
    "script style nav template noscript iframe object embed svg canvas audio video button select datalist dialog map".split()
)
_EMPTY = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d])|opacity\s*:\s*0(?![.\d])", re.I
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = frozenset(
    "address article aside blockquote body caption center dd details div dl dt fieldset figcaption figure footer form header "
    "hgroup hr html legend main p section summary table tbody td tfoot th thead tr ul ol li pre title".split()
)
_ENDS_ITSELF = frozenset("p li dt dd tr td th".split())
_SPACES = re.compile(r"[ \t\n\f\r]+")


def read_html(text: str) -> Script:
    """An HTML page."""
    reader = _Page()
    reader.feed(text)
    reader.close()
    return reader.script()


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._outline = Outline()
        self._title = ""
        self._words: list[str] = []  # of the block that is being read
        self._left_out: list[str] = []  # the elements within the one that is left out, that one first
        self._heading = 0
        self._in_title = False
        self._pre = 0
        self._lists: list[str] = []  # kind of each list that is open
        self._items: list[str] = []  # the lines of the outermost list
        self._rows: list[list[str]] | None = None

    def script(self) -> Script:
        """All of it."""
        self._flush()
        self._end_list()
        self._end_table()
        return self._outline.script(title=self._title)

    # --- what the parser calls ---

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        if self._left_out == [tag] and tag in _ENDS_ITSELF:
            self._left_out.clear()
        if self._left_out:
            if tag not in _EMPTY:
                self._left_out.append(tag)
            return
        if tag not in _EMPTY and (tag in _LEFT_OUT or _is_hidden(attrs)):
            self._left_out.append(tag)
            return
        if tag == "br":
            self._words.append("\n")
        elif tag in _BLOCKS or tag in _HEADINGS:
            self._begin(tag)

    def handle_endtag(self, tag: str) -> None:
        """An element ends."""
        if self._left_out:
            if tag in self._left_out:
                while self._left_out.pop() != tag:
                    pass
            return
        if tag in _BLOCKS or tag in _HEADINGS:
            self._end(tag)

    def handle_data(self, data: str) -> None:
        """Text."""
        if not self._left_out:
            data = cleaned(data)  # what was written as a character reference, too
            self._words.append(data if self._pre else _SPACES.sub(" ", data))

    # --- blocks ---

    def _begin(self, tag: str) -> None:
        if self._rows is not None and tag in ("td", "th"):
            self._cell()
            return
        if self._rows is not None and tag not in ("tr", "table"):
            self._words.append(" ")  # a paragraph in a cell
            return
        self._flush()
        if tag in _HEADINGS:
            self._end_list()
            self._heading = _HEADINGS[tag]
        elif tag == "title":
            self._in_title = True
        elif tag == "pre":
            self._pre += 1
        elif tag in ("ul", "ol"):
            self._lists.append(tag)
        elif tag == "table" and self._rows is None:
            self._end_list()
            self._rows = []
        elif tag == "tr" and self._rows is not None:
            self._rows.append([])

    def _end(self, tag: str) -> None:
        if self._rows is not None and tag in ("td", "th"):
            self._cell()
            return
        if self._rows is not None and tag == "caption":
            self._outline.add(self._take())
            return
        if self._rows is not None and tag not in ("tr", "table"):
            self._words.append(" ")
            return
        if tag == "table":
            self._end_table()
            return
        self._flush()
        if tag in _HEADINGS:
            self._heading = 0
        elif tag == "title":
            self._in_title = False
        elif tag == "pre":
            self._pre = max(0, self._pre - 1)
        elif tag in ("ul", "ol") and self._lists:
            self._lists.pop()
            if not self._lists:
                self._end_list()

    def _take(self) -> str:
        text = "".join(self._words)
        self._words.clear()
        return text if self._pre else "\n".join(" ".join(line.split()) for line in text.split("\n")).strip()

    def _flush(self) -> None:
        if self._rows is not None:
            self._cell()
            return
        text = self._take()
        if not text.strip():
            return
        if self._in_title:
            self._title = self._title or text
        elif self._heading:
            self._outline.enter(self._heading, text)
        elif self._lists:
            indent = "  " * min(len(self._lists) - 1, 8)
            self._items += [f"{indent}- {text}".replace("\n", f"\n{indent}  ")]
        elif self._pre:
            self._outline.add(text, Shape.CODE, head="```", tail="```")
        else:
            self._outline.add(text)

    def _cell(self) -> None:
        text = self._take().replace("\n", " ").replace("|", "/").strip()
        if self._rows is not None and text:
            if not self._rows:
                self._rows.append([])
            self._rows[-1].append(text)

    def _end_list(self) -> None:
        self._lists.clear()
        if self._items:
            self._outline.add("\n".join(self._items), Shape.LIST)
            self._items = []

    def _end_table(self) -> None:
        if self._rows is None:
            return
        self._cell()
        rows = [" | ".join(row) for row in self._rows if row]
        self._rows = None
        head = rows.pop(0) if self._is_table(rows) else ""
        self._outline.add("\n".join(rows), Shape.TABLE, head=head)

    @staticmethod
    def _is_table(rows: list[str]) -> bool:
        """Whether the first row may be repeated over the others: it names columns, and there are others."""
        return len(rows) > 2 and " | " in rows[0]


def _is_hidden(attrs: list[tuple[str, str | None]]) -> bool:
    """Whether an element is not shown, so that what it says is meant for machines."""
    return any(
        name == "hidden" or (name == "style" and value is not None and _HIDDEN.search(value) is not None)
        for name, value in attrs
    )
