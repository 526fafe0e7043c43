"""From HTML to a text that can be read: headings, paragraphs, lists and tables as lines, without what nobody sees."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from urllib.parse import urljoin

import msgspec

MOST_LINKS = 200

MOST_EVENTS = 400_000
"""Tags and pieces of text that are looked at, which takes a second or two; a page of two megabytes has less than half as many."""

_VOID = frozenset("area base br col embed hr img input link meta source track wbr".split())
_UNSEEN = frozenset(
    "script style noscript template svg math iframe object canvas audio video datalist select dialog noembed noframes".split()
)
_LINES = frozenset(
    "address article aside blockquote body caption center details dd div dl dt fieldset figcaption figure footer form header "
    "hgroup legend li main nav ol pre search section summary table tbody tfoot thead tr ul".split()
)
_HEADINGS = {f"h{level}": "#" * level + " " for level in range(1, 7)}
_APART = frozenset({"p", "pre", *_HEADINGS})  # with an empty line before and after
_OPENED = {"li": "- ", **_HEADINGS}
_CELLS = frozenset({"td", "th"})
_ENDS: dict[str, frozenset[str]] = {  # what ends an element whose end tag may be left out
    "p": _LINES | _APART | {"hr"},
    "li": frozenset({"li"}),
    "dt": frozenset({"dt", "dd"}),
    "dd": frozenset({"dt", "dd"}),
    "td": frozenset({"td", "th", "tr"}),
    "th": frozenset({"td", "th", "tr"}),
    "tr": frozenset({"tr"}),
}
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_SPACE = re.compile(r"\s+")
_BLANK = re.compile(r"[^\S\n]*\n\s*\n+")

Attributes = Mapping[str, str | None]


class Link(msgspec.Struct, frozen=True):
    """Where a page leads: what is written there, and the URL."""

    text: str
    url: str


class Page(msgspec.Struct, frozen=True):
    """A page as it can be read. ``whole`` is False where there was too much of it."""

    title: str
    text: str
    links: tuple[Link, ...] = ()
    whole: bool = True


def read_page(html: str, url: str) -> Page:
    """The page of an HTML document that came from ``url``. It may take a second or two: call it in a thread."""
    from justhtml import stream

    reader = _Reader(url)
    for count, event in enumerate(stream(html)):
        if count == MOST_EVENTS:
            return reader.page(whole=False)
        match event:
            case ("text", str(text)):
                reader.say(text)
            case ("start", (str(name), attributes)):
                reader.start(name, attributes)
            case ("end", str(name)):
                reader.end(name)
    return reader.page()


class _Reader:
    """Reads a document from the first tag to the last, and builds no tree: a page may be nested as deeply as it likes."""

    def __init__(self, url: str) -> None:
        self._base = url
        self._title = ""
        self._pieces: list[str] = []
        self._links: dict[str, Link] = {}
        self._anchor: tuple[str, int] | None = None  # where it leads, and the first piece of its text
        self._open: list[str] = []
        self._counts: Counter[str] = Counter()  # of what is open, so that a stray end tag costs nothing
        self._unseen: int | None = None  # how many were open when what nobody sees began

    def page(self, *, whole: bool = True) -> Page:
        """All that was read."""
        self._end_anchor()
        text = _BLANK.sub("\n\n", "".join(self._pieces)).strip()
        return Page(_flat(self._title), text, tuple(self._links.values()), whole)

    def say(self, text: str) -> None:
        """A piece of text."""
        if self._open and self._open[-1] == "title":
            self._title += "" if self._unseen is not None else text
        elif self._unseen is None:
            if not self._counts["pre"]:
                text = _SPACE.sub(" ", text)
                if text.startswith(" ") and (not self._pieces or self._pieces[-1].endswith((" ", "\n"))):
                    text = text[1:]
            if text:
                self._pieces.append(text)

    def start(self, name: str, attributes: Attributes) -> None:
        """A start tag."""
        while self._open and name in _ENDS.get(self._open[-1], ()):
            self._close()
        if name not in _VOID:
            self._open.append(name)
            self._counts[name] += 1
            if self._unseen is None and (name in _UNSEEN or _hidden(attributes)):
                self._unseen = len(self._open)
        if self._unseen is None:
            self._show(name, attributes)

    def end(self, name: str) -> None:
        """An end tag, which ends whatever is open within."""
        if self._counts[name]:
            while self._close() != name:
                pass

    def _close(self) -> str:
        """The innermost element that is open ends."""
        if self._unseen == len(self._open):
            self._unseen = None
        name = self._open.pop()
        self._counts[name] -= 1
        if self._unseen is None:
            if name in _LINES or name in _APART:
                self._break(name)
            elif name == "a":
                self._end_anchor()
        return name

    def _show(self, name: str, attributes: Attributes) -> None:
        """What a start tag looks like, and where it leads."""
        if name in _LINES or name in _APART:
            self._break(name)
            if name in _OPENED:
                self._pieces.append(_OPENED[name])
        elif name in _CELLS:
            if self._pieces and not self._pieces[-1].endswith("\n"):
                self._pieces.append(" | ")
        elif name == "br":
            self._pieces.append("\n")
        elif name == "hr":
            self._pieces.append("\n\n---\n\n")
        elif name == "img" and (described := _flat(attributes.get("alt") or "")):
            self._pieces.append(f"[{described}]")
        elif name == "base":
            self._base = self._whole(attributes.get("href") or "") or self._base
        elif name == "a":
            self._end_anchor()
            self._anchor = (attributes.get("href") or "", len(self._pieces))

    def _break(self, name: str) -> None:
        """Begin a new line, where one was not begun already."""
        if name in _APART:
            self._pieces.append("\n\n")
        elif not (self._pieces and self._pieces[-1].endswith("\n")):
            self._pieces.append("\n")

    def _end_anchor(self) -> None:
        if self._anchor is None:
            return
        href, first = self._anchor
        self._anchor = None
        url = "" if href.startswith("#") else self._whole(href)
        if url and url not in self._links and len(self._links) < MOST_LINKS:
            self._links[url] = Link(_flat(" ".join(self._pieces[first : first + 20]))[:200], url)

    def _whole(self, href: str) -> str:
        """A URL that may be a part of one, without its fragment; empty where it does not lead to the web."""
        try:
            url = urljoin(self._base, href.strip()).partition("#")[0] if href.strip() else ""
        except ValueError:
            return ""
        return url if url.startswith(("http://", "https://")) else ""


def _hidden(attributes: Attributes) -> bool:
    """Whether a reader of the page would not see it. Styles that stand elsewhere are not known."""
    return (
        "hidden" in attributes
        or (attributes.get("aria-hidden") or "").lower() == "true"
        or _HIDDEN_STYLE.search(attributes.get("style") or "") is not None
    )


def _flat(text: str) -> str:
    return " ".join(text.split())
