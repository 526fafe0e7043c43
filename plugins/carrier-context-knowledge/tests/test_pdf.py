"""PDF as blocks: its text, under the headings of its outline."""

from __future__ import annotations

import pytest

from carrier_context_knowledge.formats import Unreadable
from carrier_context_knowledge.pdf import read_pdf


def read(content: bytes, *, pages: int = 100, characters: int = 100_000):
    return read_pdf(content, pages=pages, characters=characters)


@pytest.mark.parametrize("packed", [False, True])
def test_paragraphs_pages_and_title(papers, packed: bool) -> None:
    lines = ["A line that goes on and on until it is at the very", "end of the page, for holi-", "days.", "", "Next."]

    script = read(papers.booklet([lines, ["Second page (with \\ signs)."]], title="The  handbook", packed=packed))

    assert [(block.text, block.page) for block in script.blocks] == [
        ("A line that goes on and on until it is at the very end of the page, for holidays.", 1),
        ("Next.", 1),
        ("Second page (with \\ signs).", 2),
    ]
    assert (script.title, script.pages) == ("The handbook", 2)


def test_the_outline_gives_the_sections(papers) -> None:
    pages = [
        ["Foreword.", "Holidays", "28 days."],
        ["Still holidays.", "2. PAY", "On the 25th:", "- at noon", "- in euros"],
        ["The end."],
    ]

    script = read(papers.booklet(pages, outline=[("Holidays", 1), ("Pay", 2), ("Not on the page", 3)]))

    assert [(block.text, block.headings, block.page) for block in script.blocks] == [
        ("Foreword.", (), 1),
        ("28 days.", ("Holidays",), 1),
        ("Still holidays.", ("Holidays",), 2),
        ("On the 25th:", ("Pay",), 2),
        ("- at noon", ("Pay",), 2),
        ("- in euros", ("Pay",), 2),
        ("The end.", ("Not on the page",), 3),
    ]
    assert script.title == ""


def test_heads_and_feet_that_run_through_the_pages_stand_once(papers) -> None:
    pages = [["Handbook", f"This is what page {number} says", f"- {number} -"] for number in range(1, 6)]

    said = " ".join(block.text for block in read(papers.booklet([["Cover"], *pages])).blocks)

    assert said == "Cover Handbook " + " ".join(f"This is what page {number} says" for number in range(1, 6))


def test_the_dots_of_a_table_of_contents_are_one_sign(papers) -> None:
    [block] = read(papers.booklet([["Holidays . . . . . . . . . 12"]])).blocks

    assert block.text == "Holidays … 12"


def test_one_that_only_forbids_to_print_is_read(papers) -> None:
    assert [block.text for block in read(papers.encrypted(papers.booklet([["Open."]]), "")).blocks] == ["Open."]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda papers: papers.encrypted(papers.booklet([["Secret."]]), "pass"), "It is encrypted with a password."),
        (lambda papers: papers.booklet([[], []]), "There is no text in it: its pages are empty, or pictures."),
        (lambda papers: papers.booklet([["x"]] * 101), "It has 101 pages; at most 100 are taken."),
        (lambda papers: papers.booklet([["x" * 90] * 50] * 40), "Its first 22 of 40 pages hold more than 100000"),
        (lambda papers: papers.bomb(200_000_000), "It is far larger than its file"),
        (lambda papers: papers.laughs(), "It is far larger than its file"),
        (lambda papers: papers.booklet([]), "It has no pages."),
    ],
    ids=["password", "pictures", "pages", "characters", "bomb", "laughs", "no pages"],
)
def test_what_cannot_be_read_is_refused_with_the_reason(papers, make, said: str) -> None:
    with pytest.raises(Unreadable) as refused:
        read(make(papers))

    assert refused.value.reason.startswith(said)


def test_more_pages_than_it_admits_to_are_counted(papers) -> None:
    content = papers.booklet([["x"]] * 101).replace(b"/Count 101", b"/Count 001")

    with pytest.raises(Unreadable, match="101 pages"):
        read(content)
