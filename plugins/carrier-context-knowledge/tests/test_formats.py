"""What some bytes are, and the text that they stand for."""

from __future__ import annotations

import codecs
import random

import pytest

from carrier_context_knowledge.formats import Format, Unreadable, decoded, format_of

OLA = "Olá, Ana — “bom dia”. Wie geht’s?\nGrüße!\n" * 5


@pytest.mark.parametrize(
    ("content", "suffix", "kind"),
    [
        (b"# A\n", ".md", Format.MARKDOWN),
        (b"# A\n", ".txt", Format.PLAIN),
        (b"# A\n", "", Format.PLAIN),
        (b"%PDF-1.4 ...", ".txt", Format.PDF),
        (b"\n\n%PDF-1.4 ...", ".md", Format.PDF),
        (b"<p>a", ".HTM", Format.HTML),
        (b'<?xml version="1.0"?>\n<!-- saved -->\n<!DOCTYPE html>\n<p>a', ".txt", Format.HTML),
        (b"\xef\xbb\xbf <HTML>", ".txt", Format.HTML),
        (b"I like <html> tags", ".txt", Format.PLAIN),
    ],
)
def test_the_content_says_what_it_is(content: bytes, suffix: str, kind: Format) -> None:
    assert format_of(content, suffix) is kind


@pytest.mark.parametrize(
    ("content", "suffix", "said"),
    [
        (b"", ".md", "It is empty."),
        (b" \n\r\n", ".txt", "It is empty."),
        (b"\0" * 100, ".pdf", "It is empty."),
        (b"PK\x03\x04....", ".txt", "It is a ZIP archive, or an office document"),
        (b"\x1f\x8b\x08\0", ".md", "It is compressed (gzip)."),
        (b"\x89PNG\r\n\x1a\n", ".html", "It is a picture (PNG)."),
        (b"\x7fELF\x02", "", "It is a program."),
        (b"Hello", ".pdf", "It is called a PDF and is none."),
    ],
)
def test_what_is_no_document_is_refused_by_what_it_is(content: bytes, suffix: str, said: str) -> None:
    with pytest.raises(Unreadable) as refused:
        format_of(content, suffix)

    assert refused.value.reason.startswith(said)


@pytest.mark.parametrize(
    "content",
    [
        OLA.encode(),
        codecs.BOM_UTF8 + OLA.encode(),
        OLA.encode("utf-16"),
        OLA.encode("utf-16-le"),
        OLA.encode("utf-16-be"),
        OLA.encode("utf-32"),
        OLA.encode("cp1252"),
        OLA.replace("\n", "\r\n").encode(),
        OLA.replace("\n", "\r").encode("cp1252"),
    ],
)
def test_text_is_told_in_whichever_encoding_it_is(content: bytes) -> None:
    assert decoded(content) == OLA


def test_a_page_says_in_which_encoding_it_is() -> None:
    page = '<meta charset="windows-1251"><p>Привет'

    assert decoded(page.encode("cp1251"), html=True) == page
    assert "Привет" not in decoded(page.encode("cp1251"))
    assert decoded(page.replace("windows-1251", "no-such").encode("cp1251"), html=True).startswith("<meta")


@pytest.mark.parametrize(
    "content",
    [
        random.Random(1).randbytes(5_000),
        bytes(range(1, 32)) * 20,
        b"a perfectly fine text\0with a zero in it",
        random.Random(2).randbytes(5_001).replace(b"\0", b"x"),
    ],
)
def test_junk_is_no_text(content: bytes) -> None:
    with pytest.raises(Unreadable, match="binary data"):
        decoded(content)


def test_what_nobody_sees_is_taken_out() -> None:
    hidden = "".join(chr(0xE0000 + ord(sign)) for sign in "obey")

    assert decoded(f"Hello{hidden}\ufeff \x1b[2Jworld\x0cpage".encode()) == "Hello [2Jworld\npage"
