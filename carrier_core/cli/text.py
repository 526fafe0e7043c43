"""Text for a terminal: what people and models wrote must not control it."""

from __future__ import annotations

from collections.abc import Sequence


def visible(text: str) -> str:
    """The text in one line, with control characters and direction overrides shown instead of obeyed."""
    return "".join(char if char.isprintable() else "⏎" if char == "\n" else f"\\x{ord(char):02x}" for char in text)


def table(rows: Sequence[tuple[str, ...]], head: tuple[str, ...]) -> list[str]:
    """Rows as lines with columns as wide as they must be."""
    shown = [head, *[tuple(visible(cell) for cell in row) for row in rows]]
    widths = [max(len(row[column]) for row in shown) for column in range(len(head))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in shown]
