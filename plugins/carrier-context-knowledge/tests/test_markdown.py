"""Markdown and plain text as blocks."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from carrier_context_knowledge.blocks import Shape
from carrier_context_knowledge.markdown import read_markdown, read_plain

DOCUMENT = """---
title: "The handbook"
date: 2026-05-01
---
Before.

# Handbook #
Text of *two*
lines.

Sub
---
- one
  more of one

- two
1. three

```python
# no heading
x = 1

<!-- code -->
```
| a | b |
|---|:-:|
| 1 | 2 |
After <!-- nobody sees
this --> all.
***
## C#
> said
"""


def test_a_document_is_told_apart() -> None:
    script = read_markdown(DOCUMENT)

    assert script.title == "The handbook"
    assert [(block.text, block.headings, block.shape) for block in script.blocks] == [
        ("Before.", (), Shape.TEXT),
        ("Text of *two*\nlines.", ("Handbook",), Shape.TEXT),
        ("- one\n  more of one\n\n- two\n1. three", ("Handbook", "Sub"), Shape.LIST),
        ("# no heading\nx = 1\n\n<!-- code -->", ("Handbook", "Sub"), Shape.CODE),
        ("| 1 | 2 |", ("Handbook", "Sub"), Shape.TABLE),
        ("After \n all.", ("Handbook", "Sub"), Shape.TEXT),
        ("> said", ("Handbook", "C#"), Shape.TEXT),
    ]
    assert [(block.head, block.tail) for block in script.blocks[3:5]] == [
        ("```python", "```"),
        ("| a | b |\n|---|:-:|", ""),
    ]


def test_without_front_matter_the_first_heading_is_the_title() -> None:
    assert read_markdown("---\n\nHello\n\n## First\n\nx\n# Second\n").title == "First"
    assert read_markdown("Hello").title == ""


def test_what_never_ends_is_no_reason_to_lose_anything() -> None:
    assert [block.text for block in read_markdown("a <!-- b\n\n# c").blocks] == ["a <!-- b", "c"]
    assert [block.text for block in read_markdown("a\n~~~~\nb\n~~~\n\n# c").blocks] == ["a", "b\n~~~\n\n# c"]


def test_plain_text_is_paragraphs() -> None:
    assert [block.text for block in read_plain("\n# a\nb\n \n\n\nc").blocks] == ["# a\nb", "c"]


LINES = st.lists(
    st.sampled_from(
        "# a|## b ##|c|- d|  e|1. f|```|~~~~ x|===|---|* * *|a | b|---|--- | ---|> q||    i|<div>|#|####### n".split(
            "|"
        )
    )
    | st.text(alphabet="ab #-|`*\t", max_size=12),
    max_size=25,
)


@settings(deadline=None)
@given(LINES)
def test_every_word_is_kept(lines: list[str]) -> None:
    script = read_markdown("\n".join(["start", *lines]))

    kept = " ".join(" ".join((*block.headings, block.head, block.text)) for block in script.blocks)
    for word in re.findall(r"[a-z]+", "\n".join(lines)):
        assert word in kept
