"""What is read of HTML."""

from __future__ import annotations

import pytest

from carrier_actions_web.page import MOST_EVENTS, MOST_LINKS, Link, read_page

URL = "https://site.example/news/today"


def text(html: str) -> str:
    return read_page(html, URL).text


@pytest.mark.parametrize(
    ("html", "wanted"),
    [
        ("<h1>One</h1><h3>Two</h3>Three", "# One\n\n### Two\n\nThree"),
        ("<p>One\n  and   two</p><p>Three", "One and two\n\nThree"),
        ("One<br>two<br/>three", "One\ntwo\nthree"),
        ("<ul><li>One<li>Two</ul><ol><li>Three</li></ol>", "- One\n- Two\n- Three"),
        ("<ul><li>One<ul><li>Within</ul><li>Two</ul>", "- One\n- Within\n- Two"),
        ("<table><tr><th>A<th>B<tr><td>1</td><td>2</td></tr></table>", "A | B\n1 | 2"),
        ("<pre>def a():\n    return 1\n</pre>", "def a():\n    return 1"),
        ("a<hr>b", "a\n\n---\n\nb"),
        ("<b>bo</b>ld &amp; <i>free</i>&nbsp;&#33;", "bold & free !"),
        ('<img src=x alt="A cat"> sleeps', "[A cat] sleeps"),
        ("<div>One<div>Two</div></div>Three", "One\nTwo\nThree"),
        ("1 < 2 > 0 & done", "1 < 2 > 0 & done"),
        ("<dl><dt>A<dd>B<dt>C<dd>D</dl>", "A\nB\nC\nD"),
        ("</p></div>Hello</span>", "Hello"),
        ("", ""),
    ],
)
def test_it_can_be_read(html, wanted) -> None:
    assert text(html) == wanted


@pytest.mark.parametrize(
    "html",
    [
        "<script>SECRET</script>",
        "<script>if (a < b) SECRET</script>",
        "<style>SECRET</style>",
        "<noscript>SECRET</noscript>",
        "<template><p>SECRET</p></template>",
        "<svg><text>SECRET</text></svg>",
        "<iframe>SECRET</iframe>",
        "<!-- SECRET -->",
        "<p hidden>SECRET</p>",
        "<div hidden><p>SECRET</p>SECRET</div>",
        '<span style="display:none">SECRET</span>',
        '<span style="color: red; Visibility : hidden">SECRET</span>',
        '<div aria-hidden="true"><div>SECRET</div> SECRET</div>',
        "<p hidden>SECRET",
        "<ul hidden><li>SECRET<li>SECRET</ul>",
        "<head><title>SECRET</title></head>",
        "<select><option>SECRET</select>",
    ],
)
def test_what_nobody_sees_is_left_out(html) -> None:
    assert text(f"<div>Before {html}<p>after</div>") == "Before\n\nafter"


def test_the_title_is_told_apart() -> None:
    page = read_page("<title> The\n title </title><svg><title>of a picture</title></svg><p>Text", URL)
    assert (page.title, page.text) == ("The title", "Text")


def test_links_are_whole_and_named_once() -> None:
    page = read_page(
        '<a href="/a">One</a> <a href="b?c=d#e"><b>Two</b> things</a> <a href="/a">Again</a> <a href="//other.example">Three</a>'
        '<a href="#here">No</a><a href="javascript:x()">No</a><a href="mailto:a@b">No</a><a>No</a><a href="http://[">No</a>',
        URL,
    )
    assert page.links == (
        Link("One", "https://site.example/a"),
        Link("Two things", "https://site.example/news/b?c=d"),
        Link("Three", "https://other.example"),
    )


def test_a_base_counts() -> None:
    assert read_page('<base href="/x/"><a href="y">Y</a>', URL).links == (Link("Y", "https://site.example/x/y"),)


def test_only_so_many_links_are_kept() -> None:
    page = read_page("".join(f'<a href="/{number}">x</a>' for number in range(MOST_LINKS + 50)), URL)
    assert len(page.links) == MOST_LINKS


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 100_000,
        "<b><p>" * 50_000,
        "<" * 300_000,
        "<!" * 300_000,
        "<!--" * 300_000,
        "</x>" * 100_000,
        "<div>" * 50_000 + "</b>" * 50_000 + "</div>" * 50_000,
        "<a href=x><div>" * 30_000,
        "<a " + "x " * 300_000,
        '<a href="' + "x" * 1_000_000,
        "&" * 300_000,
        "<table><tr><td>" * 30_000,
        "<svg>" * 100_000,
        "<p hidden>" * 50_000,
        '<p style="' + "display " * 100_000 + '">',
        "<title>" * 100_000,
        "\0" * 100_000,
    ],
    ids=lambda html: html[:20],
)
def test_a_hostile_page_does_no_harm(html) -> None:
    page = read_page(html + "<p>The end</p>", URL)
    assert len(page.text) <= len(html) + 9


def test_a_page_of_too_many_pieces_is_cut_and_said_to_be() -> None:
    page = read_page("<br>" * (MOST_EVENTS + 10) + "<p>The end</p>", URL)
    assert not page.whole
    assert "The end" not in page.text
