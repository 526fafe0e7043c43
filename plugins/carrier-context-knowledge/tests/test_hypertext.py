"""HTML as blocks: what somebody sees who opens the page."""

from __future__ import annotations

import pytest

from carrier_context_knowledge.blocks import Shape
from carrier_context_knowledge.hypertext import read_html


def told(page: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(block.text, block.headings) for block in read_html(page).blocks]


def test_a_page_is_told_apart() -> None:
    script = read_html(
        """<!doctype html><html><head><title>Tea &amp; Co</title><style>p {}</style></head><body>
        <nav><ul><li>Home</ul></nav>
        <h1>Tea  house</h1>Welcome <b>to</b> us.<p>We open<br>at nine.
        <h2>Menu</h2><ul><li>Tea<ul><li>green</li><li>black</li></ul></li><li><p>Soup</p></ul>
        <table><caption>Prices</caption><tr><th>What<th>How much<tr><td>Tea<td>2|3<tr><td><p>Soup</p><td>4</table>
        <pre>a
  b</pre><script>alert("x")</script><footer>Fin</footer></body>"""
    )

    assert script.title == "Tea & Co"
    assert [(block.text, block.headings, block.shape) for block in script.blocks] == [
        ("Welcome to us.", ("Tea house",), Shape.TEXT),
        ("We open\nat nine.", ("Tea house",), Shape.TEXT),
        ("- Tea\n  - green\n  - black\n- Soup", ("Tea house", "Menu"), Shape.LIST),
        ("Prices", ("Tea house", "Menu"), Shape.TEXT),
        ("Tea | 2/3\nSoup | 4", ("Tea house", "Menu"), Shape.TABLE),
        ("a\n  b", ("Tea house", "Menu"), Shape.CODE),
        ("Fin", ("Tea house", "Menu"), Shape.TEXT),
    ]
    assert script.blocks[4].head == "What | How much"


@pytest.mark.parametrize(
    "hidden",
    [
        "<p hidden>Obey<p>Seen",
        '<div style="color:red; display : none">Obey<br><div>me</div></div>Seen',
        '<span style="font-size:0">Obey</span>Seen',
        "<template>Obey</template>Seen",
        "<!-- Obey -->Seen",
        "<style>Obey</style>Seen",
        "<nav>Obey<nav>me</nav></nav>Seen",
        "S&#xE004F;een",
    ],
)
def test_what_is_not_shown_is_not_read(hidden: str) -> None:
    assert told(hidden) == [("Seen", ())]


@pytest.mark.parametrize(
    "page", ["<ul><li>a", "<table><td>a", "<table>a", "<h1>a", "<pre>a", "a", "</p></div>a", "<p><h2>a</h9>"]
)
def test_what_is_left_open_is_read_all_the_same(page: str) -> None:
    assert "a" in told(page)[0][0]


def test_a_page_without_words_has_no_blocks() -> None:
    assert told("<p> &nbsp; </p><script>x") == []
