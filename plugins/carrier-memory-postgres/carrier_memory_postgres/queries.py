"""The SQL of this plugin: named queries from the files in ``sql/``, read once."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

_NAMED = re.compile(r"^-- name: (\w+)\n(.*?)(?=^-- name: |\Z)", re.MULTILINE | re.DOTALL)


@cache
def queries(file: str) -> dict[str, str]:
    """The queries of ``sql/FILE.sql`` by name. The texts never change, so that each is prepared once."""
    text = (files(__package__) / "sql" / f"{file}.sql").read_text("utf-8")
    return {name: sql.strip() for name, sql in _NAMED.findall(text)}
