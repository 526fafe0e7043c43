"""Fields: what a memory says in its data, read with care, because another plugin or release may have written it."""

from __future__ import annotations

from carrier_core import Json, Memory

LONGEST_NAME = 64
"""Characters of a name within a memory: people choose their own."""


def fields_of(memory: Memory | None) -> dict[str, Json]:
    """The data of a memory; empty where it has none."""
    return memory.data if memory is not None and isinstance(memory.data, dict) else {}


def items_of(value: Json) -> list[Json]:
    """A list as it is; anything else is an empty one."""
    return value if isinstance(value, list) else []


def shown(name: str) -> str:
    """A name in one line of at most 64 characters; "Somebody" where there is none."""
    return " ".join(name.split())[:LONGEST_NAME] or "Somebody"
