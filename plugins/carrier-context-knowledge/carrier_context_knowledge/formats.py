"""Formats: what kind of document some bytes are, told from the bytes themselves, and the text that they stand for."""

from __future__ import annotations

import codecs
import re
from enum import StrEnum

SUFFIXES = (".md", ".markdown", ".txt", ".text", ".html", ".htm", ".xhtml", ".pdf")
"""What a file may be called, that documents are looked for in; one without any suffix may be text, too."""


class Unreadable(Exception):
    """A document that is not taken in: why, and what to do about it, as sentences."""

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(f"{reason} {remedy}".strip())
        self.reason = reason
        self.remedy = remedy


class Format(StrEnum):
    """The kinds of documents that are read, by their media types."""

    MARKDOWN = "text/markdown"
    PLAIN = "text/plain"
    HTML = "text/html"
    PDF = "application/pdf"


_FOREIGN = (
    (b"PK\x03\x04", "a ZIP archive, or an office document, which is one inside"),
    (b"PK\x05\x06", "a ZIP archive"),
    (b"\xd0\xcf\x11\xe0", "an old office document"),
    (b"\x1f\x8b", "compressed (gzip)"),
    (b"BZh", "compressed (bzip2)"),
    (b"\xfd7zXZ", "compressed (xz)"),
    (b"\x28\xb5\x2f\xfd", "compressed (zstd)"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x89PNG", "a picture (PNG)"),
    (b"\xff\xd8\xff", "a picture (JPEG)"),
    (b"GIF8", "a picture (GIF)"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90", "a program"),
    (b"SQLite format 3", "a database"),
    (b"{\\rtf", "a rich text (RTF)"),
)
_REMEDY = "Save or print it as PDF, HTML, Markdown or plain text."
_PDF_WITHIN = 1_024  # bytes in which readers look for the mark of a PDF, as Adobe's do
_HTML = re.compile(rb"\s*(?:<\?xml[^>]{0,200}\?>\s*)?(?:<!--.{0,1000}?-->\s*)?<(?:!doctype\s+html|html)\b", re.I | re.S)


def format_of(content: bytes, suffix: str) -> Format:
    """The format of a document; ``suffix`` is that of its name, with the dot. Unreadable if it is none that is read."""
    suffix = suffix.lower()
    if not content.strip(b" \t\r\n\0"):
        raise Unreadable("It is empty.")
    if b"%PDF-" in content[:_PDF_WITHIN]:
        return Format.PDF
    for mark, what in _FOREIGN:
        if content.startswith(mark):
            raise Unreadable(f"It is {what}.", _REMEDY)
    if suffix == ".pdf":
        raise Unreadable("It is called a PDF and is none.", "Export it again.")
    if suffix in (".html", ".htm", ".xhtml") or _HTML.match(content[:4_096].removeprefix(codecs.BOM_UTF8)):
        return Format.HTML
    return Format.MARKDOWN if suffix in (".md", ".markdown") else Format.PLAIN


# --- text ------------------------------------------------------------------------------------------------------------

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like that of UTF-16, so it is looked for before
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CHARSET = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?([\w.:-]{1,40})""", re.I)
_LINE_END = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
# What no reader sees: control characters, and the tag characters that spell hidden instructions.
_UNSEEN = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ufeff\ud800-\udfff\U000e0000-\U000e007f]")
_JUNK = 0.02  # the share of control characters from which on something is no text
_SAMPLE = 65_536  # bytes that are looked at for it


def decoded(content: bytes, *, html: bool = False) -> str:
    """The text of some bytes: UTF-8, UTF-16 or UTF-32 by their mark or looks, what an HTML page says of itself, else
    Windows-1252, which holds Latin-1. Unreadable if that gives no text."""
    text = _text(content, html)
    sample = text[:_SAMPLE]
    controls = sum(1 for sign in sample if (sign < " " and sign not in "\t\n\r\f\v\x1b") or "\x7f" <= sign <= "\x9f")
    if "\0" in sample or controls > len(sample) * _JUNK:
        raise Unreadable("It is binary data, not text.", _REMEDY)
    return cleaned(text)


def cleaned(text: str) -> str:
    """The text with one kind of line ends and without what cannot be seen."""
    return _UNSEEN.sub("", _LINE_END.sub("\n", text))


def _text(content: bytes, html: bool) -> str:
    for mark, name in _BOMS:
        if content.startswith(mark):
            return content.decode(name, "replace")
    if (wide := _wide(content)) is not None:
        return wide
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        pass
    declared = _CHARSET.search(content[:4_096]) if html else None
    if declared is not None:
        try:
            return content.decode(codecs.lookup(declared[1].decode()).name, "replace")
        except (LookupError, ValueError):
            pass  # an encoding that nobody knows, or none of text
    return content.decode("cp1252", "replace")


def _wide(content: bytes) -> str | None:
    """UTF-16 without a mark: every other byte of most texts is zero then."""
    sample = content[: _SAMPLE & ~1]
    half = len(sample) // 2
    if not half:
        return None
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    for few, many, name in ((even, odd, "utf-16-le"), (odd, even, "utf-16-be")):
        if many > half * 0.4 and few < half * 0.02:
            try:
                return content[: len(content) & ~1].decode(name)
            except UnicodeDecodeError:
                return None
    return None
