"""PDF as blocks: the text of its pages, under the headings of its outline. pypdf reads it, in a process that may fail."""

from __future__ import annotations

import io
import logging
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from carrier_context_knowledge.blocks import HEADING, Outline, Script
from carrier_context_knowledge.formats import Unreadable, cleaned

if TYPE_CHECKING:
    from pypdf import PageObject, PdfReader

_BEYOND = "It is far larger than its file: what is packed in it goes beyond all bounds."
_LIMIT = re.compile(r"exceed|limit", re.I)  # in what pypdf warns of
_MARKS = 5_000  # entries of the outline that are read
_HYPHEN = re.compile(r"(\w)[-\u00ad\u2010]\n(?=[a-zà-ÿ])")
_LEADERS = re.compile(r"(?: ?\.){5,}")  # the dots of a table of contents
_NUMBER = re.compile(r"\b[ivxlc]+\b|[\W\d_]+", re.I)
_BULLET = re.compile(r"\s*(?:[•◦▪‣–*-]|\(?[0-9a-z]{1,2}[.)])\s")
_RUNNING = 3  # pages on which a line is first or last that counts as their head or foot
_SHORTER = 0.7  # of the longest line: one that is so much shorter ends a paragraph


class _Mark(NamedTuple):
    """An entry of the outline."""

    page: int
    level: int
    heading: str


def read_pdf(content: bytes, *, pages: int, characters: int) -> Script:
    """A PDF of at most so many pages, with at most so many characters of text. Unreadable if there are more, if it is encrypted,
    or if there is no text in it."""
    import pypdf
    from pypdf.errors import LimitReachedError

    try:
        with _watched() as warned:
            return _script(pypdf.PdfReader(io.BytesIO(content), strict=False), pages, characters, warned)
    except LimitReachedError as error:
        raise Unreadable(_BEYOND, "Export it again.") from error


def _script(reader: PdfReader, pages: int, characters: int, warned: list[str]) -> Script:
    _open(reader)
    count = _count(reader, pages)
    marks = _marks(reader)
    outline = Outline()
    for number, lines in enumerate(_without_running(_pages(reader, count, characters, warned)), start=1):
        outline.page = number
        _read(outline, lines, [mark for mark in marks if mark.page == number])
    script = outline.script(pages=count)
    if not script.blocks:
        raise Unreadable(
            "There is no text in it: its pages are empty, or pictures.",
            "Have them recognised first (OCR), with ocrmypdf say.",
        )
    return script._replace(title=_title(reader))  # the first heading is that of a chapter


def _pages(reader: PdfReader, count: int, most: int, warned: list[str]) -> list[list[str]]:
    """The lines of each page."""
    warned.clear()  # of how the file is made, which counts only where its pages cannot be read
    found = []
    size = 0
    for number in range(1, count + 1):
        text = _text(reader.pages[number - 1])
        if any(_LIMIT.search(warning) for warning in warned):
            raise Unreadable(_BEYOND, "Export it again.")
        size += len(text)
        if size > most:
            raise Unreadable(
                f"Its first {number} of {count} pages hold more than {most} characters of text.",
                "Split it, or raise `characters` of the plugin.",
            )
        found.append([line.rstrip() for line in text.split("\n")])
    return found


def _without_running(pages: list[list[str]]) -> list[list[str]]:
    """The pages without the heads and feet that run through them, which would stand in the middle of sentences: lines that
    are first or last on several pages, the number of the page aside. Where one stands for the first time, it stays."""
    edges = [_edges(lines) for lines in pages]
    often = Counter(
        key for lines, at in zip(pages, edges, strict=True) for key in {_unnumbered(lines[each]) for each in at}
    )
    seen = {""}  # the number of the page, and nothing else
    found = []
    for lines, at in zip(pages, edges, strict=True):
        kept = []
        for number, line in enumerate(lines):
            key = _unnumbered(line) if number in at else None
            if key is None or often[key] < _RUNNING or key not in seen:
                kept.append(line)
            if key is not None:
                seen.add(key)
        found.append(kept)
    return found


def _edges(lines: list[str]) -> list[int]:
    """Where the first and the last line of a page are that are not blank."""
    said = [number for number, line in enumerate(lines) if line.strip()]
    return [said[0], said[-1]] if len(said) > 1 else []


def _unnumbered(line: str) -> str:
    return " ".join(_NUMBER.sub(" ", line).split()).casefold()


@contextmanager
def _watched() -> Iterator[list[str]]:
    """What pypdf warns of while it reads. It goes on where a page is beyond its limits, and only says so."""
    warned: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: warned.append(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger("pypdf")
    log.addHandler(handler)
    propagates, log.propagate = log.propagate, False
    try:
        yield warned
    finally:
        log.removeHandler(handler)
        log.propagate = propagates


def _text(page: PageObject) -> str:
    """The text of a page. It is unpacked before, because what cannot be would count as empty else."""
    contents = page.get_contents()
    if contents is not None:
        contents.get_data()
    return cleaned(page.extract_text())


def _open(reader: PdfReader) -> None:
    """Without a password, which also opens one that only forbids to print."""
    from pypdf.errors import DependencyError

    if not reader.is_encrypted:
        return
    try:
        opened = reader.decrypt("")
    except (DependencyError, NotImplementedError) as error:
        raise Unreadable(
            "It is encrypted, in a way that cannot be read here.",
            "Save it without encryption, or install cryptography.",
        ) from error
    if not opened:
        raise Unreadable("It is encrypted with a password.", "Save it without one.")


def _count(reader: PdfReader, most: int) -> int:
    """How many pages there are. What the file says is looked at first: to count them takes time where they are many."""
    told = reader.get_num_pages()
    count = told if told > most else len(reader.pages)
    if count > most:
        raise Unreadable(
            f"It has {count} pages; at most {most} are taken.", "Split it, or raise `pages` of the plugin."
        )
    if not count:
        raise Unreadable("It has no pages.")
    return count


def _title(reader: PdfReader) -> str:
    try:
        title = reader.metadata.title if reader.metadata is not None else None
    except Exception:  # whatever is wrong with it, the text counts
        return ""
    return " ".join(cleaned(title).split())[:HEADING] if isinstance(title, str) else ""


def _marks(reader: PdfReader) -> list[_Mark]:
    """The entries of the outline, in its order; none where it is damaged."""
    try:
        return [mark for mark, _ in zip(_entries(reader, reader.outline, 1), range(_MARKS), strict=False)]
    except Exception:  # an outline is a help, not the text
        return []


def _entries(reader: PdfReader, outline: Any, level: int) -> Iterator[_Mark]:
    for entry in outline:
        if isinstance(entry, list):
            yield from _entries(reader, entry, level + 1)
            continue
        page = reader.get_destination_page_number(entry)
        heading = " ".join(cleaned(str(entry.title)).split())
        if page is not None and page >= 0 and heading:
            yield _Mark(page + 1, level, heading)


def _read(outline: Outline, lines: list[str], marks: list[_Mark]) -> None:
    """A page. A section begins at the line that says its heading; one whose heading no line says, at the top of the page."""
    plain = [_plain(line) for line in lines]
    begin = 0
    for mark in marks:
        try:
            at = plain.index(_plain(mark.heading), begin)
        except ValueError:
            outline.enter(mark.level, mark.heading)
            continue
        _add(outline, lines[begin:at])
        outline.enter(mark.level, mark.heading)
        begin = at + 1
    _add(outline, lines[begin:])


def _plain(line: str) -> str:
    """A line as it is compared with a heading, which may lack the number that stands before it on the page."""
    plain = "".join(line.casefold().split())
    return plain.lstrip("0123456789.") or plain


def _add(outline: Outline, lines: list[str]) -> None:
    """Lines as paragraphs: one ends at a blank line, and where a sentence ends in a line that is not full."""
    full = max((len(line) for line in lines), default=0) * _SHORTER
    paragraph: list[str] = []
    for line in lines:
        if paragraph and _BULLET.match(line):
            outline.add(_flowing(paragraph))
            paragraph = []
        if line.strip():
            paragraph.append(line)
        if paragraph and (not line.strip() or (len(line) < full and line.rstrip().endswith((".", "!", "?", ":")))):
            outline.add(_flowing(paragraph))
            paragraph = []
    if paragraph:
        outline.add(_flowing(paragraph))


def _flowing(lines: list[str]) -> str:
    """The lines of a paragraph as one text; a word that was cut at the end of a line is whole again."""
    return _LEADERS.sub(" …", " ".join(_HYPHEN.sub(r"\1", "\n".join(lines)).split()))
