"""Names as they stand in a prompt. People choose their own, so a name is cut down to what a name can be."""

from __future__ import annotations

from functools import lru_cache

_LONGEST = 64  # characters


@lru_cache(maxsize=4_096)
def shown(name: str) -> str:
    """A name in one line of at most 64 characters."""
    line = " ".join(name.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def listed(names: list[str]) -> str:
    """``Ana``, ``Ana and Ben``, ``Ana, Ben and Cleo``."""
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)
