"""From bytes to chunks."""

from __future__ import annotations

import pytest

from carrier_context_knowledge.formats import Unreadable
from carrier_context_knowledge.reader import Bounds, read


@pytest.mark.parametrize(
    ("content", "suffix", "kind", "title"),
    [
        (b"# Tea\n\nGreen.", ".md", "text/markdown", "Tea"),
        (b"# Tea\n\nGreen.", ".txt", "text/plain", ""),
        (b"<title>Tea</title>Green.", ".html", "text/html", "Tea"),
    ],
)
def test_each_kind_has_its_reader(content: bytes, suffix: str, kind: str, title: str) -> None:
    text = read(content, suffix, Bounds())

    assert (text.format, text.title) == (kind, title)
    assert "Green." in text.chunks[0].text


def test_too_much_text_is_refused() -> None:
    with pytest.raises(Unreadable, match="It has 2001 characters; at most 2000 are taken"):
        read(b"x" * 2_001, ".txt", Bounds(characters=2_000))


def test_a_page_of_nothing_but_scripts_has_no_text() -> None:
    with pytest.raises(Unreadable, match="There is no text in it"):
        read(b"<script>alert(1)</script>", ".html", Bounds())
