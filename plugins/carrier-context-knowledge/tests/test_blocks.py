"""Blocks under headings."""

from __future__ import annotations

from carrier_context_knowledge.blocks import Outline


def test_a_heading_with_nothing_under_it_is_text() -> None:
    outline = Outline()
    outline.enter(1, "Rules")
    outline.enter(2, "No running")
    outline.enter(2, "No  shouting\n")
    outline.add("At all.")
    outline.enter(1, "End")

    script = outline.script()

    assert [(block.text, block.headings) for block in script.blocks] == [
        ("No running", ("Rules",)),
        ("At all.", ("Rules", "No shouting")),
        ("End", ()),
    ]
    assert script.title == "Rules"


def test_what_is_too_long_for_a_heading_is_text() -> None:
    outline = Outline()
    outline.enter(1, "x" * 201)

    assert [(len(block.text), block.headings) for block in outline.script().blocks] == [(201, ())]


def test_levels_that_are_left_out_are_no_matter() -> None:
    outline = Outline()
    for level, heading in ((4, "A"), (9, "B"), (2, "C")):
        outline.enter(level, heading)
        outline.add(f"in {heading}")

    assert [block.headings for block in outline.script(title="T").blocks] == [("A",), ("A", "B"), ("C",)]
